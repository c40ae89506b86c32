/* The meter's kernel: datagrams and times in, statistics of RTP streams out.
 *
 * No Python, no globals, no I/O, no locks: the edges (pcap.c, ring.c, binding.c) own those. Every figure is defined in
 * docs and in the plain Python reference beside it (probes/media/reference.py), which passes the same tests.
 */
#ifndef SERENO_KERNEL_H
#define SERENO_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    METER_BATCH = 32,         /* datagrams handled together, so that memory latencies overlap */
    METER_WINDOW_WORDS = 16,  /* received-bitmap of 1024 sequence numbers */
    METER_MAX_LATE = 960,     /* a packet may be this late and still be placed: whole words of the window */
    METER_MAX_DROPOUT = 3000, /* RFC 3550 A.1: a larger jump forward is a restart, unless its timestamp says loss */
    METER_GMIN = 16,          /* RFC 3611 section 4.7.2 */
    METER_NO_PAYLOAD_TYPE = 255,
};

enum payload_kind { KIND_UNKNOWN = 0, KIND_MEDIA = 1, KIND_EVENT = 2, KIND_COMFORT_NOISE = 3 };

/* Addresses are 16 bytes; IPv4 is mapped (::ffff:a.b.c.d). */
typedef struct {
    uint8_t src[16];
    uint8_t dst[16];
    uint16_t src_port;
    uint16_t dst_port;
    uint32_t ssrc; /* filled by the kernel */
} stream_key;

typedef struct {
    int64_t time_ns;
    const uint8_t *payload; /* of UDP */
    uint32_t captured;      /* octets of it at hand */
    uint32_t length;        /* octets of it on the wire */
    stream_key key;
} datagram;

typedef struct {
    uint8_t payload_type;
    uint8_t kind; /* enum payload_kind */
    uint32_t clock_rate;
} payload_format;

typedef struct {
    uint64_t rtp;       /* packets given to a stream */
    uint64_t rtcp;      /* told apart by RFC 5761 section 4 */
    uint64_t other;     /* UDP that is neither */
    uint64_t overflow;  /* RTP of streams beyond the limit: not metered */
} meter_counters;

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
    uint8_t payload_type;
    uint8_t reserved[7];
} stream_row;

typedef struct meter meter;

/* `max_streams` bounds the memory. NULL: out of memory. */
meter *meter_new(uint32_t max_streams);
void meter_free(meter *m);

/* Takes up to METER_BATCH datagrams. False: out of memory, nothing taken. */
bool meter_feed(meter *m, datagram *batch, size_t count);

/* What an endpoint (an address and port that receives) calls its payload types, from SDP.
 * Returns the profile's number, from 1; 0: out of memory. */
uint32_t meter_endpoint(meter *m, const uint8_t address[16], uint16_t port, const payload_format *formats, size_t count);

/* How many rows meter_rows would write, and the rows: only streams that passed RFC 3550 A.1's probation. */
size_t meter_count(const meter *m);
size_t meter_rows(const meter *m, stream_row *rows, size_t room);

/* Drops the stream with this id; false if there is none. */
bool meter_forget(meter *m, uint64_t id);
/* Drops streams still in probation whose last packet is older than `before_ns`; returns how many. */
size_t meter_sweep(meter *m, int64_t before_ns);

meter_counters meter_counts(const meter *m);

#endif
