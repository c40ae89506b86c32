/* What RTCP says of media streams: a table of its own beside the meter's, joined to its streams when they are reported.
 *
 * An entry is a media SSRC on its way from one address to another: what its sender says of it (SR, BYE) and what its
 * receiver says (report blocks, XR). Round trips are those between the capturing point and the receiver. Canonical names
 * (SDES) are private and never kept. No Python, no globals, no I/O.
 */
#ifndef SERENO_RTCP_H
#define SERENO_RTCP_H

#include "formats.h"

enum { RTCP_REASON = 64, RTCP_JSON_MAX = 4096 };

/* From sender reports (RFC 3550 section 6.4.1) and BYE (6.6). */
typedef struct {
    int64_t last_ns;             /* when the last SR passed */
    int64_t ticks;               /* RTP time since the first SR of the run, and its NTP time */
    uint64_t first_ntp, last_ntp;
    uint32_t reports;
    uint32_t packets, octets;    /* its counts in the last SR */
    uint32_t last_rtp;
    uint32_t byes;
    uint32_t encrypted;          /* SRTCP: nothing more is known */
} rtcp_sender;

/* From report blocks (RFC 3550 section 6.4.2). Jitter is in timestamp units, fractions in 1/256. */
typedef struct {
    int64_t first_ns, last_ns;
    int64_t trip_last_ns, trip_min_ns, trip_max_ns;
    double trip_sum_ns, jitter_sum, fraction_sum;
    uint32_t reports;
    uint32_t reporter;           /* SSRC of who reported last */
    int32_t lost;                /* cumulative, as of the last report */
    uint32_t highest;            /* extended sequence number */
    uint32_t jitter_last, jitter_max;
    uint32_t last_sr, delay;     /* LSR and DLSR of the last block */
    uint32_t trips, trips_refused; /* refused: negative beyond noise */
    uint8_t fraction_last, fraction_max;
} rtcp_receiver;

/* From XR blocks (RFC 3611 sections 4.6, 4.7), as they were last sent. */
typedef struct {
    uint32_t voip_reports, statistics_reports;
    uint8_t voip[28];            /* from loss rate on */
    uint8_t statistics[32];      /* from begin_seq on */
    uint8_t statistics_flags;
} rtcp_extended;

typedef struct {
    stream_key key;              /* src sends the media, dst receives it; ports are those of RTP if RTCP's are the next */
    int64_t first_ns, last_ns;
    rtcp_sender sender;
    rtcp_receiver receiver;
    rtcp_extended extended;
    uint8_t reason[RTCP_REASON]; /* of the last BYE that gave one: UTF-8 */
    uint8_t reason_length;
} rtcp_row;

/* Datagrams by what they were. */
typedef struct {
    uint64_t whole, snapped, encrypted, damaged;
    uint64_t overflow; /* entries that found no room */
} rtcp_counters;

typedef struct rtcp_table rtcp_table;

/* For at most `max` entries; memory grows as they come. NULL: out of memory. */
rtcp_table *rtcp_new(uint32_t max);
void rtcp_free(rtcp_table *t);

/* Takes a datagram that is RTCP by RFC 5761 section 4, or its encrypted kin. */
void rtcp_take(rtcp_table *t, const datagram *d);

/* What is known of a stream: by SSRC and addresses, and by ports where several fit. False: nothing. */
bool rtcp_find(const rtcp_table *t, const stream_row *stream, rtcp_row *row);

/* Rows piece by piece: *cursor is 0 at first, and no rows are the end. */
size_t rtcp_rows(const rtcp_table *t, uint32_t *cursor, rtcp_row *rows, size_t room);
/* Drops entries that nothing was heard of since `before_ns`; how many. */
size_t rtcp_sweep(rtcp_table *t, int64_t before_ns);
rtcp_counters rtcp_counts(const rtcp_table *t);

/* Seconds from the capturing point to the receiver and back, the mean; NaN: unknown. */
double rtcp_round_trip(const rtcp_row *row);

/* Writes the row as a JSON object; clock_rate 0: unknown. `out` has room for RTCP_JSON_MAX octets. Returns the length. */
size_t rtcp_json(const rtcp_row *row, uint32_t clock_rate, char *out);

#endif
