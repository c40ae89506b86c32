/* Which positions of a stream arrived, and the losses among them (RFC 3611 section 4.7.2).
 *
 * The bits of the 64 positions around the highest are in the stream itself. A loss record takes the 31 words before
 * them, and settles what leaves it, from the first word on that is left with a hole; a stream without trouble has none.
 */
#ifndef SERENO_LOSS_H
#define SERENO_LOSS_H

#include "stream.h"

/* Losses in the order of positions. */
typedef struct {
    uint64_t window[METER_WINDOW_WORDS]; /* received; the slot of the word that the stream holds is not used */
    uint64_t last;                       /* the last lost position that is settled; 0: none in this segment */
    uint64_t run, runs, longest;
    uint64_t cluster_first, cluster_lost; /* losses with fewer than Gmin received between them */
    uint64_t bursts, burst_packets, burst_lost;
} loss_record;

/* What the chosen buffer discarded; impaired is lost or discarded. */
typedef struct {
    uint64_t word;   /* discarded positions around the highest, while no word was left with a hole; then in `window` */
    uint64_t last;   /* the last impaired position that is settled */
    uint64_t runs;
    uint32_t window; /* window_record: goes with a loss_record */
} discard_record;

typedef struct {
    uint64_t words[METER_WINDOW_WORDS]; /* discarded; all slots are used */
} window_record;

/* Told of every RFC 3611 burst, from its first lost position to its last. */
typedef struct {
    void (*burst)(void *context, uint64_t first, uint64_t last);
    void *context;
} burst_sink;

/* Moves the highest position up to `position`, not yet marked as received, over word borders. */
void loss_advance(stream_tables *t, stream *s, uint64_t position);
/* Was this position, at most METER_MAX_LATE under the highest, received? Marks it. */
bool loss_late(stream_tables *t, stream *s, uint64_t position);
/* This received position was discarded by the chosen buffer. */
void loss_discard(stream_tables *t, stream *s, uint64_t position);
/* The window as it is, for when the segment is closed. */
void loss_window(const stream_tables *t, const stream *s, uint64_t window[METER_WINDOW_WORDS]);
/* Everything of this segment is final; the next begins at s->base = s->max. */
void loss_close(stream_tables *t, stream *s);
/* Bursts that nobody was told of yet, as if the segment were closed now. */
void loss_open_bursts(const stream_tables *t, const stream *s, const burst_sink *sink);
/* As if closed now. */
void loss_describe(const stream_tables *t, const stream *s, stream_row *r);

static inline void loss_forward(stream_tables *t, stream *s, uint64_t position) {
    if ((position ^ s->max) >> 6) loss_advance(t, s, position);
    else s->max = position;
    s->word |= (uint64_t)1 << (position & 63);
}

#endif
