#include "loss.h"

#include "series.h"

/* Bits of positions from `base` on in the word `index`. */
static uint64_t since(uint64_t base, uint64_t index) {
    if (base >> 6 < index) return UINT64_MAX;
    return base >> 6 > index ? 0 : UINT64_MAX << (base & 63);
}

/* Bits of positions up to `max` in the word `index`. */
static uint64_t until(uint64_t max, uint64_t index) {
    if (max >> 6 > index) return UINT64_MAX;
    return max >> 6 < index ? 0 : UINT64_MAX >> (63 - (max & 63));
}

/* The discard record's window, made with or after a loss record. */
static uint64_t *window_of(stream_tables *t, const stream *s, discard_record *d) {
    if (!d->window) {
        d->window = pool_take(&t->windows);
        window_record *made = pool_at(&t->windows, d->window);
        made->words[(s->max >> 6) & WINDOW_MASK] = d->word;
        d->word = 0;
    }
    return ((window_record *)pool_at(&t->windows, d->window))->words;
}

static loss_record *loss_of(stream_tables *t, stream *s) {
    side_record *side = side_of(t, s);
    if (side->loss) return pool_at(&t->losses, side->loss);
    side->loss = pool_take(&t->losses);
    if (side->discard) window_of(t, s, pool_at(&t->discards, side->discard));
    loss_record *l = pool_at(&t->losses, side->loss);
    /* Until now no word was left with a hole. */
    uint64_t newest = s->max >> 6;
    for (uint64_t index = newest - (METER_WINDOW_WORDS - 1); index < newest; index++)
        l->window[index & WINDOW_MASK] = since(stream_base(s), index);
    return l;
}

/* ---- runs and bursts ------------------------------------------------------------------------------------------------ */

static void close_cluster(const burst_sink *sink, loss_record *l) {
    if (l->cluster_lost >= 2) {
        l->bursts++;
        l->burst_packets += l->last - l->cluster_first + 1;
        l->burst_lost += l->cluster_lost;
        if (sink) sink->burst(sink->context, l->cluster_first, l->last);
    }
    l->cluster_lost = 0;
}

/* Positions first…first + count - 1 are lost. */
static void lose(const burst_sink *sink, loss_record *l, uint64_t first, uint64_t count) {
    if (!l->last || first != l->last + 1) {
        l->runs++;
        l->run = 0;
    }
    l->run += count;
    if (l->run > l->longest) l->longest = l->run;
    if (l->cluster_lost && first - l->last - 1 >= METER_GMIN) close_cluster(sink, l);
    if (!l->cluster_lost) l->cluster_first = first;
    l->cluster_lost += count;
    l->last = first + count - 1;
}

static uint64_t ones(uint64_t bits) { return bits == UINT64_MAX ? 64 : (uint64_t)__builtin_ctzll(~bits); }

/* The positions in `missing` of the word `index` are lost. */
static void settle(const burst_sink *sink, loss_record *l, uint64_t missing, uint64_t index) {
    while (missing) {
        uint64_t at = (uint64_t)__builtin_ctzll(missing), count = ones(missing >> at);
        lose(sink, l, (index << 6) + at, count);
        if (at + count >= 64) return;
        missing &= UINT64_MAX << (at + count);
    }
}

static void settle_impaired(discard_record *d, uint64_t impaired, uint64_t index) {
    while (impaired) {
        uint64_t at = (uint64_t)__builtin_ctzll(impaired), count = ones(impaired >> at), first = (index << 6) + at;
        if (!d->last || first != d->last + 1) d->runs++;
        d->last = first + count - 1;
        if (at + count >= 64) return;
        impaired &= UINT64_MAX << (at + count);
    }
}

/* Positions of a segment. */
typedef struct {
    uint64_t base, max;
} extent;

static void settle_word(const burst_sink *sink, extent e, loss_record *l, discard_record *d, uint64_t received,
                        uint64_t discarded, uint64_t index) {
    uint64_t known = since(e.base, index) & until(e.max, index);
    if (d) settle_impaired(d, known & (~received | discarded), index);
    settle(sink, l, known & ~received, index);
}

/* ---- the window ------------------------------------------------------------------------------------------------------ */

typedef struct {
    stream_tables *t;
    stream *s;
} owner;

static void mark_kept(void *context, uint64_t first, uint64_t last) {
    const owner *o = context;
    series_mark_burst(o->t, o->s, first, last);
}

static void push_words(stream_tables *t, stream *s, loss_record *l, uint64_t to) {
    owner o = {t, s};
    const burst_sink sink = {mark_kept, &o};
    const extent e = {stream_base(s), UINT64_MAX};
    side_record *side = side_of(t, s);
    discard_record *d = side->discard ? pool_at(&t->discards, side->discard) : NULL;
    uint64_t from = s->max >> 6, *discarded = d ? window_of(t, s, d) : NULL;
    l->window[from & WINDOW_MASK] = s->word;
    for (uint64_t index = from + 1; index <= to; index++) {
        /* The slot of `index` holds the word that leaves the window and is final now. */
        uint64_t old = index - METER_WINDOW_WORDS, *received = &l->window[index & WINDOW_MASK];
        if (old >= e.base >> 6) settle_word(&sink, e, l, d, *received, d ? discarded[index & WINDOW_MASK] : 0, old);
        *received = 0;
        if (d) discarded[index & WINDOW_MASK] = 0;
    }
}

void loss_advance(stream_tables *t, stream *s, uint64_t position) {
    uint64_t from = s->max >> 6, to = position >> 6;
    bool whole = (s->word | ~since(stream_base(s), from)) == UINT64_MAX;
    const side_record *side = s->side ? pool_at(&t->sides, s->side) : NULL;
    if ((side && side->loss) || !whole || to != from + 1) {
        push_words(t, s, loss_of(t, s), to);
    } else if (side && side->discard) {
        discard_record *d = pool_at(&t->discards, side->discard);
        settle_impaired(d, d->word, from);
        d->word = 0;
    }
    s->word = 0;
    s->max = position;
}

bool loss_late(stream_tables *t, stream *s, uint64_t position) {
    uint64_t bit = (uint64_t)1 << (position & 63);
    uint64_t *word = &s->word;
    if (position >> 6 != s->max >> 6) {
        const loss_record *l = SIDE_RECORD(t, s, loss, losses);
        if (!l && position >= stream_base(s)) return true; /* no word was left with a hole */
        word = &loss_of(t, s)->window[(position >> 6) & WINDOW_MASK];
    }
    if (*word & bit) return true;
    *word |= bit;
    return false;
}

void loss_discard(stream_tables *t, stream *s, uint64_t position) {
    side_record *side = side_of(t, s);
    const loss_record *l = side->loss ? pool_at(&t->losses, side->loss) : NULL;
    if (!side->discard) {
        side->discard = pool_take(&t->discards);
        discard_record *made = pool_at(&t->discards, side->discard);
        made->last = l ? l->last : 0;
        made->runs = l ? l->runs : 0;
    }
    discard_record *d = pool_at(&t->discards, side->discard);
    uint64_t *word = l ? &window_of(t, s, d)[(position >> 6) & WINDOW_MASK] : &d->word;
    *word |= (uint64_t)1 << (position & 63);
}

/* ---- the end --------------------------------------------------------------------------------------------------------- */

/* `discarded` may be NULL: nothing is. */
static void settle_all(const burst_sink *sink, extent e, uint64_t word, loss_record *l, discard_record *d,
                       const uint64_t *discarded) {
    uint64_t newest = e.max >> 6;
    for (uint64_t index = newest - (METER_WINDOW_WORDS - 1); index <= newest; index++) {
        uint64_t received = index == newest ? word : l->window[index & WINDOW_MASK];
        settle_word(sink, e, l, d, received, discarded ? discarded[index & WINDOW_MASK] : 0, index);
    }
    close_cluster(sink, l);
}

void loss_window(const stream_tables *t, const stream *s, uint64_t window[METER_WINDOW_WORDS]) {
    const loss_record *l = SIDE_RECORD(t, s, loss, losses);
    uint64_t newest = s->max >> 6, base = stream_base(s);
    for (uint64_t index = newest - (METER_WINDOW_WORDS - 1); index < newest; index++)
        window[index & WINDOW_MASK] = l ? l->window[index & WINDOW_MASK] : since(base, index);
    window[newest & WINDOW_MASK] = s->word;
}

void loss_close(stream_tables *t, stream *s) {
    uint64_t base = stream_base(s);
    if (!s->side && (s->word | ~(since(base, s->max >> 6) & until(s->max, s->max >> 6))) == UINT64_MAX) return;
    loss_record *l = loss_of(t, s);
    side_record *side = side_of(t, s);
    discard_record *d = side->discard ? pool_at(&t->discards, side->discard) : NULL;
    uint64_t *discarded = d ? window_of(t, s, d) : NULL;
    owner o = {t, s};
    settle_all(&(burst_sink){mark_kept, &o}, (extent){base, s->max}, s->word, l, d, discarded);
    memset(l->window, 0, sizeof l->window);
    l->last = 0;
    l->run = 0;
    if (d) {
        memset(discarded, 0, sizeof(window_record));
        d->last = 0;
    }
}

/* The records as they would be if the segment were closed now. */
static bool copies(const stream_tables *t, const stream *s, const burst_sink *sink, loss_record *l, discard_record *d) {
    const loss_record *kept = SIDE_RECORD(t, s, loss, losses);
    const discard_record *discarded = SIDE_RECORD(t, s, discard, discards);
    uint64_t newest = s->max >> 6, base = stream_base(s);
    window_record w = {{0}};
    if (kept) {
        *l = *kept;
    } else { /* as loss_of would make it */
        memset(l, 0, sizeof *l);
        for (uint64_t index = newest - (METER_WINDOW_WORDS - 1); index < newest; index++)
            l->window[index & WINDOW_MASK] = since(base, index);
    }
    if (discarded) {
        *d = *discarded;
        if (d->window) w = *(const window_record *)pool_at(&t->windows, d->window);
        else w.words[newest & WINDOW_MASK] = d->word;
    }
    settle_all(sink, (extent){base, s->max}, s->word, l, discarded ? d : NULL, w.words);
    return discarded;
}

void loss_open_bursts(const stream_tables *t, const stream *s, const burst_sink *sink) {
    loss_record l;
    discard_record d;
    copies(t, s, sink, &l, &d);
}

void loss_describe(const stream_tables *t, const stream *s, stream_row *r) {
    loss_record l;
    discard_record d;
    bool discarded = copies(t, s, NULL, &l, &d);
    r->loss_runs = l.runs;
    r->loss_run_max = l.longest;
    r->bursts = l.bursts;
    r->burst_packets = l.burst_packets;
    r->burst_lost = l.burst_lost;
    r->impaired_runs = discarded ? d.runs : l.runs;
}
