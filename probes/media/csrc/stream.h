/* One RTP stream: what is kept of it, how a packet changes it, and its row. */
#ifndef SERENO_STREAM_H
#define SERENO_STREAM_H

#include "formats.h"
#include "pool.h"

#define FIRST_POSITION 65536u /* sequence numbers are extended to positions; the first is here, so that it can be lowered */

enum {
    HIST_BINS = 60,   /* see delay.h */
    HIST_RAW = 15,    /* so many values are kept as they are */
    SECONDS_A_MILE = 8,
    WINDOW_MASK = METER_WINDOW_WORDS - 1,
};

/* In two words, so that it is written and read alike. */
typedef struct {
    uint64_t addresses; /* source below, destination above; IPv6: hashes of them, and an address_record holds them */
    uint64_t rest;      /* source port, destination port, SSRC, from the lowest bits up */
} packed_key;

/* stream.state */
enum {
    STATE_VALID = 1,         /* passed probation */
    STATE_ODD = 2,           /* a packet far off came; a second in sequence makes it a restart (A.1's bad_seq) */
    STATE_TRANSIT = 4,       /* transit_ns and transit_timestamp hold */
    STATE_FORWARD = 8,       /* the last packet that counted for jitter was the highest so far */
    STATE_DELAYS = 16,       /* minute_min and what follows hold */
    STATE_SECOND_DELAYS = 32, /* second_min_x and second_max_x hold */
    STATE_IPV6 = 64,         /* side_record.address holds its addresses */
    STATE_SECOND_BURST = 128, /* an RFC 3611 burst touches this second */
    STATE_COMMON = STATE_VALID | STATE_TRANSIT | STATE_FORWARD | STATE_DELAYS | STATE_SECOND_DELAYS,
};

#define EXPECT_NONE UINT32_MAX
#define GAP_IN_RECORD UINT32_MAX

/* Which packet this is among the others of its stream. */
typedef enum {
    PLACE_FORWARD,
    PLACE_LATE,
    PLACE_MISFIT, /* late, with a timestamp from before a jump */
    PLACE_DUPLICATE,
    PLACE_STRAY,
    PLACE_FORMER, /* a duplicate from the numbering before the restart */
} placing;

/* 320 octets: five lines of a cache. What few streams need is in records beside it. */
typedef struct {
    /* line 0 */
    packed_key key;
    uint64_t max;            /* the highest position */
    uint64_t word;           /* received bits of the 64 positions around max */
    uint64_t packets, bytes;
    int64_t end_ns;          /* the latest arrival */
    uint32_t expected;       /* rtp_header.word of the next packet when it can go the fast way; else EXPECT_NONE */
    uint8_t kind;            /* of the last packet */
    uint8_t state;
    uint16_t last_sequence;  /* of the last packet in arrival order; stale while packets go the fast way */

    /* line 1: jitter */
    int64_t transit_ns;      /* arrival of the last packet that counted for jitter */
    double jitter, jitter_sum, jitter_max;
    double x;                /* relative transit of that packet, seconds since the stretch began */
    double tick;             /* seconds a timestamp unit, by the last media packet; 0: its clock is unknown */
    uint32_t transit_timestamp;
    uint32_t max_timestamp;  /* of the packet at max */
    uint32_t jitter_samples;
    uint32_t step;           /* timestamp units from packet to packet, by majority vote */

    /* line 2: buffers */
    int64_t first_ns;        /* arrival of the first packet; seconds count from here */
    double minute_min;       /* the lowest x of this minute */
    double anchor;           /* fixed buffer: x of the packet that began the talkspurt */
    double wait_sum;         /* adaptive buffer: sum of its delays */
    float mean_delay, mean_deviation, wait; /* adaptive buffer: d, v and the delay in use, seconds */
    float low;               /* adaptive buffer: the delay floor it follows */
    uint32_t second;         /* the one that is running */
    uint32_t largest_gap;    /* nanoseconds; GAP_IN_RECORD: in rare_record */
    float floor;             /* x where the histogram's first bin begins */
    float minute_max;        /* the highest x of this minute's finished seconds */

    /* line 3: this second, and what changes seldom */
    float second_jitter_sum, second_jitter_max, second_min_x, second_max_x;
    uint32_t second_samples_begin, second_packets_begin; /* jitter_samples and packets when it began */
    uint32_t second_unplaced; /* of its packets: strays, duplicates and those of earlier seconds */
    uint32_t second_discarded;
    uint32_t second_first;   /* low half of the first position that was new in this second */
    uint32_t base;           /* low half of the lowest position of this segment */
    uint32_t profile;        /* of payload_type; 0: none */
    uint32_t serial;
    uint32_t side;
    uint16_t generation;     /* of the announcements when the format was looked up */
    uint8_t payload_type;    /* of the last packet */
    uint8_t media_type;      /* of the last media packet */
    uint8_t law;             /* of payload_type; enum audio_law */
    uint8_t streak;          /* packets in sequence, in probation */
    uint8_t step_votes;
    uint8_t dscp;            /* of the last packet */
    uint8_t hist_raw;        /* how many values wait in hist as they are */
    uint8_t hist_scale;
    uint16_t origin;         /* sequence number - position */

    /* line 4: delays of this minute */
    union {
        float raw[HIST_RAW];
        uint8_t bins[HIST_BINS]; /* counts modulo 256; the rest is in carry_record */
    } hist;
    uint32_t markers;
} stream;

_Static_assert(sizeof(stream) == 320, "a stream is five cache lines");

/* Numbers of what only some streams have; 0: none. */
typedef struct {
    uint32_t address; /* addresses: IPv6 */
    uint32_t loss;    /* loss_record: once something was missing for long */
    uint32_t discard; /* discard_record: once a buffer discarded */
    uint32_t trouble; /* trouble_record */
    uint32_t rare;    /* rare_record */
    uint32_t former;  /* former_record: after a restart */
    uint32_t drift;   /* drift_record: from the second second on */
    uint32_t history; /* history_record: from the second minute on */
    uint32_t carry;   /* carry_record: once a bin of the histogram was full */
    uint32_t record;  /* the last finished second */
    uint32_t audio;   /* audio.h */
} side_record;

typedef struct {
    uint8_t src[16], dst[16];
} address_record;

typedef struct {
    int64_t early_ns;         /* a start before the first packet's arrival; 0: none, as it is relative to it */
    uint64_t expected_before; /* of closed segments */
    uint64_t dscp_seen;
    int64_t odd_ns;
    uint32_t odd_timestamp, odd_copies, odd_echoes;
    uint16_t odd_sequence;
    uint32_t jump_units;      /* what the last timestamp jump added */
    int64_t largest_gap_ns;   /* of 4.3 s and more */
    uint32_t run_begin;       /* packets less strays when the last packet's type came: these are not voted yet */
    uint32_t main_votes, main_profile;
    uint8_t main_type;        /* majority vote (Boyer and Moore) over media packets, plus 1; 0: there was no vote yet */
    uint32_t strays, restarts, timestamp_jumps, payload_type_changes, dscp_changes, events, comfort_noise;
} rare_record;

/* The numbering before the last restart, for what comes late from it. */
typedef struct {
    uint64_t window[METER_WINDOW_WORDS]; /* received */
    uint64_t max;
    uint32_t max_timestamp, step;
    uint16_t origin;
} former_record;

/* Packets that came late or twice. */
typedef struct {
    double x_forward;         /* x of the last packet that was the highest, while others came after it */
    uint32_t duplicates, reordered;
    uint32_t echoes;          /* duplicates within 5 ms */
    uint32_t fixed_late, fixed_early, adaptive_late, adaptive_early; /* for the buffers */
} trouble_record;

/* One finished second. */
typedef struct {
    uint32_t before;  /* number of the second kept before it; 0: none */
    uint32_t mile;    /* number of the last one before it whose place is a multiple of SECONDS_A_MILE */
    uint32_t place;   /* how many were kept before it */
    uint32_t first;   /* low half of the first position that was new in it */
    second_row row;
} second_record;

/* All streams' common things. */
typedef struct {
    meter_options options;
    double fixed_late, fixed_early; /* seconds over the anchor: what lies outside is discarded */
    struct audio_pool *audio; /* NULL: nobody listens */
    uint32_t credit;          /* packets there is memory for in every pool */
    format_table formats;
    pool sides, addresses, losses, discards, windows, troubles, rares, formers, carries, drifts, histories, seconds;
} stream_tables;

/* Memory for whatever `packets` more packets may need. */
bool stream_reserve(stream_tables *t, uint32_t packets);
void stream_tables_init(stream_tables *t, const meter_options *options);
/* What grows with time may go to these files; they are closed with the tables. */
void stream_tables_spill(stream_tables *t, const int files[METER_SPILLS]);
void stream_tables_free(stream_tables *t);

/* What the kernel reads of an RTP header. */
typedef struct {
    uint32_t timestamp;
    uint32_t word; /* from the lowest bits up: sequence number 16, payload type 7, marker 1, DSCP 8 */
} rtp_header;

static inline uint16_t rtp_sequence(const rtp_header *p) { return (uint16_t)p->word; }
static inline uint8_t rtp_payload_type(const rtp_header *p) { return p->word >> 16 & 0x7f; }
static inline bool rtp_marker(const rtp_header *p) { return p->word >> 23 & 1; }

/* Kept out of the common packet's way. */
#define RARE __attribute__((noinline, cold))

/* Takes a packet of this stream; the first when `packets` is 0, and then key, serial and side are kept as they are. */
void stream_take(stream_tables *t, stream *s, const datagram *d, const rtp_header *p);
void stream_describe(const stream_tables *t, const stream *s, uint64_t id, stream_row *r);
/* Of the row only who (addresses, ports, SSRC) and when (start, end). */
void stream_describe_ends(const stream_tables *t, const stream *s, stream_row *r);
size_t stream_seconds(const stream_tables *t, const stream *s, second_row *rows, size_t room);
/* Gives back everything but the stream itself. */
void stream_release(stream_tables *t, stream *s);

/* ---- what the files of the stream share ---------------------------------------------------------------------------- */

static inline side_record *side_of(stream_tables *t, stream *s) {
    if (!s->side) s->side = pool_take(&t->sides);
    return pool_at(&t->sides, s->side);
}

/* Where this segment begins. */
static inline uint64_t stream_base(const stream *s) { return s->max - (uint32_t)((uint32_t)s->max - s->base); }

/* Of the last media packet; 0: unknown. */
static inline uint32_t stream_clock(const stream *s) { return s->tick > 0 ? (uint32_t)(1 / s->tick + 0.5) : 0; }

/* Packets of payload_type in a row that are not voted yet. */
uint32_t stream_run(const stream_tables *t, const stream *s);

/* A record of the stream as it is; NULL: it has none. */
#define SIDE_RECORD(t, s, member, pool_name)                                                                              \
    ((s)->side && ((const side_record *)pool_at(&(t)->sides, (s)->side))->member                                           \
         ? pool_at(&(t)->pool_name, ((const side_record *)pool_at(&(t)->sides, (s)->side))->member)                        \
         : NULL)

static inline rare_record *rare_of(stream_tables *t, stream *s) {
    side_record *side = side_of(t, s);
    if (!side->rare) side->rare = pool_take(&t->rares);
    return pool_at(&t->rares, side->rare);
}

static inline trouble_record *trouble_of(stream_tables *t, stream *s) {
    side_record *side = side_of(t, s);
    if (!side->trouble) side->trouble = pool_take(&t->troubles);
    return pool_at(&t->troubles, side->trouble);
}

#endif
