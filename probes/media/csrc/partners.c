#include "partners.h"

#include <stdlib.h>
#include <string.h>

/* A time in which something flowed one way; before: the sum of those of its way before it, from anywhere. */
typedef struct {
    uint64_t way;
    int64_t start, end;
    uint64_t before;
} span;

static int by_way(const void *a, const void *b) {
    const span *x = a, *y = b;
    if (x->way != y->way) return x->way < y->way ? -1 : 1;
    return (x->start > y->start) - (x->start < y->start);
}

/* Spans of a way that touch become one; how many are left. Sums wrap, but not within a way: it is 2^62 ns long at most. */
static size_t merge(span *spans, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        span *last = kept ? &spans[kept - 1] : NULL;
        if (last && last->way == spans[i].way && spans[i].start <= last->end) {
            if (spans[i].end > last->end) last->end = spans[i].end;
            continue;
        }
        uint64_t before = last ? last->before + (uint64_t)(last->end - last->start) : 0;
        spans[kept] = spans[i];
        spans[kept++].before = before;
    }
    return kept;
}

/* How much of a way lies before an instant, and whatever lies before the way itself. */
static uint64_t flowed(const span *spans, size_t count, uint64_t way, int64_t until) {
    size_t low = 0, high = count;
    while (low < high) { /* the first span that is not before (way, until) */
        size_t middle = low + (high - low) / 2;
        const span *s = &spans[middle];
        if (s->way < way || (s->way == way && s->start < until)) low = middle + 1;
        else high = middle;
    }
    if (!low) return 0;
    const span *s = &spans[low - 1];
    int64_t end = s->way == way && until < s->end ? until : s->end;
    return s->before + (uint64_t)(end - s->start);
}

/* Marks of ways that exist, by their low bits: most streams of a capture of one direction are known to be unanswered
 * without a search. */
typedef struct {
    uint64_t *bits;
    uint64_t mask;
} marks;

static bool marks_new(marks *m, size_t count) {
    uint64_t size = 64;
    while (size < 16 * (uint64_t)count) size *= 2;
    *m = (marks){calloc(size / 64, sizeof *m->bits), size - 1};
    return m->bits;
}

static bool marked(const marks *m, uint64_t way) { return m->bits[(way & m->mask) / 64] >> (way & 63) & 1; }

/* Time of each stream in which the other way flowed, where none is known yet. False: out of memory. */
static bool answer(const talk *talks, size_t count, bool hosts, span *spans, uint64_t *answered) {
    marks ways;
    if (!marks_new(&ways, count)) return false;
    for (size_t i = 0; i < count; i++) {
        spans[i] = (span){hosts ? talks[i].there_hosts : talks[i].there, talks[i].start_ns, talks[i].end_ns + 1, 0};
        ways.bits[(spans[i].way & ways.mask) / 64] |= (uint64_t)1 << (spans[i].way & 63);
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t way = hosts ? talks[i].back_hosts : talks[i].back;
        if (answered[i] || !marked(&ways, way)) continue;
        if (!kept) {
            qsort(spans, count, sizeof *spans, by_way);
            kept = merge(spans, count);
        }
        answered[i] = flowed(spans, kept, way, talks[i].end_ns + 1) - flowed(spans, kept, way, talks[i].start_ns);
    }
    free(ways.bits);
    return true;
}

static bool any(const uint64_t *values, size_t count, bool zero) {
    for (size_t i = 0; i < count; i++)
        if (!values[i] == zero) return true;
    return false;
}

bool partners_find(const talk *talks, size_t count, uint8_t *one_way) {
    memset(one_way, ONE_WAY_UNKNOWN, count);
    if (!count) return true;
    span *spans = malloc(count * sizeof *spans);
    uint64_t *answered = calloc(count, sizeof *answered);
    bool done = spans && answered && answer(talks, count, false, spans, answered);
    if (done && any(answered, count, true)) done = answer(talks, count, true, spans, answered);
    bool known = done && any(answered, count, false);
    for (size_t i = 0; i < count && known; i++) {
        uint64_t own = (uint64_t)(talks[i].end_ns + 1 - talks[i].start_ns);
        if (!talks[i].many) one_way[i] = answered[i] * 2 >= own ? ONE_WAY_NO : ONE_WAY_YES;
    }
    free(spans);
    free(answered);
    return done;
}
