#include "partners.h"

#include <stdlib.h>
#include <string.h>

#include "sort.h"

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

static void mark(const marks *m, uint64_t way) { m->bits[(way & m->mask) / 64] |= (uint64_t)1 << (way & 63); }
static bool marked(const marks *m, uint64_t way) { return m->bits[(way & m->mask) / 64] >> (way & 63) & 1; }

/* What is known of a stream's answer, until the end. */
enum answer { ANSWER_NONE = 0, ANSWER_SOME = 1, ANSWER_HALF = 2, ANSWER_NOBODY = 3 /* it goes to many */ };

/* One search: between ports, or between hosts. */
typedef struct {
    bool hosts;
    marks ways;
    bool maybe; /* there is a way back for one of them */
} search;

static uint64_t there(const search *s, const talk *t) { return s->hosts ? t->there_hosts : t->there; }
static uint64_t back(const search *s, const talk *t) { return s->hosts ? t->back_hosts : t->back; }

/* Marks the ways, and looks whether anybody's way back is among them. */
static void look(const talk_source *source, search *ports, search *hosts, uint8_t *answers) {
    talk t;
    source->rewind(source->context);
    for (size_t i = 0; source->next(source->context, &t); i++) {
        mark(&ports->ways, t.there);
        mark(&hosts->ways, t.there_hosts);
        answers[i] = t.many ? ANSWER_NOBODY : ANSWER_NONE;
    }
    source->rewind(source->context);
    while (!(ports->maybe && hosts->maybe) && source->next(source->context, &t)) {
        ports->maybe |= marked(&ports->ways, t.back);
        hosts->maybe |= marked(&hosts->ways, t.back_hosts);
    }
}

/* The spans of all ways, merged: how many there are. */
static size_t fill(const talk_source *source, const search *s, span *spans) {
    talk t;
    size_t filled = 0;
    source->rewind(source->context);
    while (source->next(source->context, &t)) spans[filled++] = (span){there(s, &t), t.start_ns, t.end_ns + 1, 0};
    sort_in_place(spans, filled, sizeof *spans, by_way);
    return merge(spans, filled);
}

/* How far each stream is answered that was not yet. */
static void judge(const talk_source *source, const search *s, const span *spans, size_t kept, uint8_t *answers) {
    talk t;
    source->rewind(source->context);
    for (size_t i = 0; source->next(source->context, &t); i++) {
        if (answers[i] != ANSWER_NONE || !marked(&s->ways, back(s, &t))) continue;
        uint64_t answered = flowed(spans, kept, back(s, &t), t.end_ns + 1) - flowed(spans, kept, back(s, &t), t.start_ns);
        uint64_t own = (uint64_t)(t.end_ns + 1 - t.start_ns);
        if (answered) answers[i] = answered * 2 >= own ? ANSWER_HALF : ANSWER_SOME;
    }
}

/* The two searches, one after the other; false: out of memory. */
static bool answer(const talk_source *source, size_t count, const search *both, uint8_t *answers) {
    span *spans = NULL;
    for (const search *s = both; s < both + 2; s++) {
        if (!s->maybe || !memchr(answers, ANSWER_NONE, count)) continue;
        if (!spans) spans = malloc(count * sizeof *spans);
        if (!spans) return false;
        size_t kept = fill(source, s, spans);
        judge(source, s, spans, kept, answers);
    }
    free(spans);
    return true;
}

bool partners_find(const talk_source *source, size_t count, uint8_t *one_way) {
    static const uint8_t verdicts[] = {
        [ANSWER_NONE] = ONE_WAY_YES, [ANSWER_SOME] = ONE_WAY_YES, [ANSWER_HALF] = ONE_WAY_NO, [ANSWER_NOBODY] = ONE_WAY_UNKNOWN,
    };
    if (!count) return true;
    search both[2] = {{.hosts = false}, {.hosts = true}};
    bool done = marks_new(&both[0].ways, count) && marks_new(&both[1].ways, count);
    if (done) {
        look(source, &both[0], &both[1], one_way);
        done = answer(source, count, both, one_way);
    }
    bool known = done && (memchr(one_way, ANSWER_SOME, count) || memchr(one_way, ANSWER_HALF, count));
    for (size_t i = 0; i < count && done; i++) one_way[i] = known ? verdicts[one_way[i]] : ONE_WAY_UNKNOWN;
    free(both[0].ways.bits);
    free(both[1].ways.bits);
    return done;
}
