/* A stream second by second, counted from its first packet's arrival. */
#ifndef SERENO_SERIES_H
#define SERENO_SERIES_H

#include "stream.h"

#define SECOND_NS ((int64_t)1000000000)

/* When the second that is running ends. */
static inline int64_t series_end(const stream *s) { return s->first_ns + ((int64_t)s->second + 1) * SECOND_NS; }

/* Packets of this second that came to one of its positions. */
static inline uint32_t series_placed(const stream *s) {
    return (uint32_t)s->packets - s->second_packets_begin - s->second_unplaced;
}

/* Positions go on at s->base of a new segment; what the second lacked so far stays lost in it. */
void series_segment(stream *s, uint64_t old_max);
/* A packet of `time_ns` came after this second's end: keep it, and begin the one of the packet. */
void series_turn(stream_tables *t, stream *s, int64_t time_ns);
/* A position of a second before this one came after all; or, under `old_base`, before everything. */
void series_mend(stream_tables *t, stream *s, uint64_t position, uint64_t old_base);
/* Positions from first to last are an RFC 3611 burst. */
void series_mark_burst(stream_tables *t, stream *s, uint64_t first, uint64_t last);

#endif
