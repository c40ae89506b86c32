/* The meter's kernel: datagrams and times in, statistics of RTP streams out.
 *
 * No Python, no globals, no locks; no I/O but into the files of meter_spill: the edges (pcap.c, ring.c, binding.c) own
 * the rest. Every figure is defined in docs and in the plain Python reference beside it (probes/media/reference.py),
 * which passes the same tests.
 */
#ifndef SERENO_KERNEL_H
#define SERENO_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    METER_BATCH = 24,         /* datagrams handled together, so that memory latencies overlap */
    METER_WINDOW_WORDS = 32,  /* received-bitmap of 2048 sequence numbers */
    METER_MAX_LATE = 1984,    /* a packet may be this late and still be placed: whole words of the window */
    METER_MAX_DROPOUT = 3000, /* RFC 3550 A.1: a larger jump forward is a restart, unless its timestamp says loss */
    METER_GMIN = 16,          /* RFC 3611 section 4.7.2 */
    METER_NO_PAYLOAD_TYPE = 255,
    METER_SPILLS = 3,         /* files for what grows with time */
};

enum payload_kind { KIND_UNKNOWN = 0, KIND_MEDIA = 1, KIND_EVENT = 2, KIND_COMFORT_NOISE = 3 };

typedef struct {
    int64_t time_ns;          /* within METER_LAST_NS of zero, so that differences never overflow */
    const uint8_t *payload;   /* of UDP */
    uint32_t captured;        /* octets of it at hand */
    uint32_t length;          /* octets of it on the wire */
    const uint8_t *src, *dst; /* addresses inside the frame: 4 or 16 octets */
    uint16_t src_port, dst_port;
    uint8_t family;           /* 4 or 6 */
    uint8_t dscp;             /* RFC 2474: the DS field without its last two bits */
} datagram;

#define METER_LAST_NS ((int64_t)1 << 61)

typedef struct {
    uint8_t payload_type;
    uint8_t kind; /* enum payload_kind */
    uint8_t law;  /* enum audio_law of audio.h */
    uint32_t clock_rate;
} payload_format;

typedef struct {
    uint64_t rtp;       /* packets given to a stream */
    uint64_t rtcp;      /* told apart by RFC 5761 section 4 */
    uint64_t other;     /* UDP that is neither */
    uint64_t overflow;  /* RTP of streams beyond the limit: not metered */
} meter_counters;

enum buffer_kind { BUFFER_NONE = 0, BUFFER_FIXED = 1, BUFFER_ADAPTIVE = 2 };

typedef struct {
    uint32_t max_streams;  /* bounds the memory */
    uint32_t probation;    /* packets in sequence that make a stream: RFC 3550 A.1's MIN_SEQUENTIAL, 2 */
    uint8_t buffer;        /* enum buffer_kind: whose discards count */
    uint8_t series;        /* keep rows of each second? */
    int64_t fixed_delay_ns, fixed_size_ns;
} meter_options;

/* One stream, as handed out; the NumPy dtype in probes/media/rows.py has this layout. */
typedef struct {
    uint64_t id;
    uint8_t src[16];
    uint8_t dst[16];
    uint16_t src_port;
    uint16_t dst_port;
    uint32_t ssrc;
    uint32_t clock_rate; /* 0: unknown */
    uint32_t profile;    /* which SDP named the payload type; 0: the static table */
    uint64_t packets;
    uint64_t bytes;
    uint64_t expected;
    uint64_t lost;
    int64_t lost_rfc3550;
    uint64_t duplicates;
    uint64_t reordered;
    uint64_t strays;
    uint64_t events;
    uint64_t comfort_noise;
    uint64_t markers;
    uint64_t loss_runs;
    uint64_t loss_run_max;
    uint64_t bursts;
    uint64_t burst_packets;
    uint64_t burst_lost;
    uint64_t jitter_samples;
    double jitter;      /* the last value of A.8, seconds; NaN: unknown */
    double jitter_mean;
    double jitter_max;
    int64_t start_ns;
    int64_t end_ns;
    int64_t largest_gap_ns;
    uint32_t restarts;
    uint32_t payload_type_changes;
    uint32_t timestamp_jumps;
    uint32_t dscp_changes;
    uint32_t step; /* timestamp units from packet to packet, the most common; 0: unknown */
    uint8_t payload_type;
    uint8_t dscp;
    uint8_t buffer; /* enum buffer_kind: whose discards are in `impaired_runs` */
    uint8_t reserved;
    uint64_t dscp_seen; /* bit mask */
    uint64_t echoes;    /* duplicates within 5 ms of the same packet */
    double pdv_p50, pdv_p95, pdv_p99, pdv_max; /* seconds; NaN: unknown */
    double drift_ppm;
    uint64_t fixed_late, fixed_early, adaptive_late, adaptive_early;
    double adaptive_delay; /* mean, seconds */
    uint64_t impaired_runs;
} stream_row;

/* One second of a stream, from its start; the NumPy dtype in probes/media/rows.py has this layout. */
typedef struct {
    uint32_t second;
    uint32_t packets;
    uint32_t lost;
    uint32_t discarded;
    float jitter_mean, jitter_max, pdv_max; /* seconds; NaN: unknown */
    uint32_t flags;                         /* 1: touched by an RFC 3611 burst */
} second_row;

typedef struct meter meter;

/* NULL: out of memory. */
meter *meter_new(const meter_options *options);
/* What grows with a stream's length, its seconds and minutes, goes to these empty files once it is much: the memory in
 * use does not grow then. The meter closes them. */
void meter_spill(meter *m, const int files[METER_SPILLS]);
void meter_free(meter *m);

/* Takes up to METER_BATCH datagrams. False: out of memory, nothing taken. */
bool meter_feed(meter *m, datagram *batch, size_t count);

/* What an endpoint (an address and port that receives) calls its payload types, from SDP.
 * Returns the profile's number, from 1; 0: out of memory. */
uint32_t meter_endpoint(meter *m, const uint8_t address[16], uint16_t port, const payload_format *formats, size_t count);
/* The endpoint says what made that profile. False: there is no such profile, or no memory. */
bool meter_endpoint_as(meter *m, const uint8_t address[16], uint16_t port, uint32_t profile);

/* What a payload type is that no SDP names, instead of RFC 3551's static table. */
void meter_map(meter *m, const payload_format *format);

/* How many streams passed RFC 3550 A.1's probation, and their rows piece by piece: *cursor is 0 at first, and no rows
 * are the end. */
size_t meter_count(const meter *m);
size_t meter_rows(const meter *m, uint32_t *cursor, stream_row *rows, size_t room);

/* As meter_rows of one row, of which it fills only who (addresses, ports, SSRC) and when (start, end); false: the end. */
bool meter_ends(const meter *m, uint32_t *cursor, stream_row *row);

/* The seconds of a stream with packets or losses, oldest first; how many there are, `room` or not. */
size_t meter_seconds(const meter *m, uint64_t id, second_row *rows, size_t room);

/* RTCP goes to this table (rtcp.h) from now on; the caller frees it after the meter. */
struct rtcp_table;
void meter_use_rtcp(meter *m, struct rtcp_table *table);

/* G.711 is listened to (audio.h) from now on; the caller frees the pool after the meter. A stream's slot; 0: none. */
struct audio_pool;
void meter_use_audio(meter *m, struct audio_pool *audio);
uint32_t meter_audio(const meter *m, uint64_t id);

/* Drops the stream with this id; false if there is none. */
bool meter_forget(meter *m, uint64_t id);
/* Drops streams still in probation whose last packet is older than `before_ns`; returns how many. */
size_t meter_sweep(meter *m, int64_t before_ns);

meter_counters meter_counts(const meter *m);

#endif
