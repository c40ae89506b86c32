/* One RTP stream: what is kept of it, how a packet changes it, and its row. */
#ifndef SERENO_STREAM_H
#define SERENO_STREAM_H

#include "formats.h"

/* Loss in the order of sequence numbers: runs, and RFC 3611 bursts (losses less than Gmin received packets apart). */
typedef struct {
    uint64_t received_since; /* packets received since the last loss */
    uint64_t run;            /* length of the run of losses that is open */
    uint64_t runs, longest;
    uint64_t cluster_first, cluster_last, cluster_lost;
    uint64_t bursts, burst_packets, burst_lost;
} loss_runs;

typedef struct {
    stream_key key;
    uint32_t serial;
    bool used, valid;
    bool odd_pending; /* a packet far off came; a second in sequence makes it a restart (A.1's bad_seq) */
    bool has_transit, has_step;
    uint8_t payload_type, kind;   /* of the last packet */
    uint8_t media_type;           /* of the last media packet */
    uint8_t main_type;            /* majority vote (Boyer and Moore) over media packets */
    uint32_t main_votes, main_clock, main_profile;
    uint32_t clock_rate, profile; /* of payload_type */
    uint32_t generation;          /* of the endpoint table when these were looked up */

    uint16_t last_sequence;       /* of the last packet in arrival order, for probation */
    uint64_t base, max;           /* extended, of this segment */
    uint32_t max_timestamp;       /* of the packet at max */
    uint32_t step;                /* timestamp units per packet, from the last two in sequence */

    uint64_t packets, bytes, duplicates, reordered, strays;
    int64_t start_ns, end_ns, last_ns, largest_gap_ns;

    int64_t transit_ns; /* arrival of the last packet that counted for jitter */
    uint32_t transit_timestamp, transit_clock;
    double jitter, jitter_sum, jitter_max;
    uint64_t jitter_samples;

    uint64_t events, comfort_noise, markers;
    uint64_t expected_before; /* of closed segments */
    uint32_t restarts, payload_type_changes;

    uint16_t odd_sequence;
    uint32_t odd_timestamp;
    int64_t odd_ns;

    loss_runs losses;
    uint64_t window[METER_WINDOW_WORDS];
} stream;

/* What the kernel reads of an RTP header. */
typedef struct {
    uint32_t timestamp;
    uint16_t sequence;
    uint8_t payload_type;
    bool marker;
} rtp_header;

/* Takes a packet of this stream; the first when `packets` is 0, and then key and serial are kept as they are. */
void stream_take(stream *s, const format_table *formats, const datagram *d, const rtp_header *p);
void stream_describe(const stream *s, uint32_t index, stream_row *r);

#endif
