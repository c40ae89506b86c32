/* Delay of a stream's packets against each other: delay variation, de-jitter buffers, clock drift.
 *
 * The relative transit x of a packet is its arrival less its timestamp, both since the stretch began (RFC 3550 section
 * 6.4.1's D, summed up). Nobody needs the sender's clock for it. A stretch ends where timestamps jump.
 *
 * Delay variation is x less the lowest x of the same minute (RFC 5481 section 4.2). The first 15 values of a minute are
 * kept as they are, so percentiles of few are exact; more become a histogram whose bins are one unit wide up to 8 units
 * and an eighth of their octave above. The unit is the smallest power of two of 1 µs that lets 768 units span the
 * minute; so a percentile is at most an eighth of itself off, or 1/768 of the largest value.
 */
#ifndef SERENO_DELAY_H
#define SERENO_DELAY_H

#include "loss.h"

enum {
    HIST_UNITS = 768, /* where the last bin ends */
    HIST_SCALES = 23,
    SECONDS_A_MINUTE = 60,
};

static const double BUFFER_SLACK = 0.5e-6; /* a deadline met to half a microsecond is met: no tie is a matter of rounding */
static const double TIMESTAMP_JUMP = 2.0;    /* seconds */
static const double TALKSPURT_GAP = 0.2;
static const float ADAPTIVE_FIRST = 0.040F, ADAPTIVE_LEAST = 0.020F, ADAPTIVE_MOST = 0.200F;
static const float ADAPTIVE_FALL = 0.001F;   /* a packet: audio can be shortened only so fast */
static const float ADAPTIVE_SLACK = 0.5e-6F;
static const float ADAPTIVE_ROOM = 0.500F;   /* packets earlier than this before their time find no room */

/* Sums of a least-squares line through (second, lowest x), kept central so that they do not lose digits. */
typedef struct {
    uint32_t points;
    double mean_t, mean_x, spread, common;
} drift_record;

/* Delay variation of finished minutes. */
typedef struct {
    uint32_t bins[HIST_BINS];
    uint32_t scale;
    float max;
} history_record;

/* How often the bins of a stream's histogram were full. */
typedef struct {
    uint32_t bins[HIST_BINS];
} carry_record;

/* A new stretch: all references begin anew at x = 0. */
void delay_stretch(stream_tables *t, stream *s);
/* A second is over: drift. And a minute: its values are final. */
void delay_second(stream_tables *t, stream *s, uint32_t second);
void delay_minute(stream_tables *t, stream *s);
/* Puts x into a histogram that has raw values, begins above x, or ends below it. */
void delay_hist_slow(stream_tables *t, stream *s, double x);
/* A bin was full and is 0 again. */
void delay_carry(stream_tables *t, stream *s, uint32_t bin);
void delay_describe(const stream_tables *t, const stream *s, stream_row *r);

/* Units a second by scale: 1 µs and its doubles. */
#define DOUBLES(first) 1e6 / (first), 1e6 / (2 * (first)), 1e6 / (4 * (first)), 1e6 / (8 * (first))
static const double HIST_PER_UNIT[HIST_SCALES] = {DOUBLES(1.0),    DOUBLES(16.0),    DOUBLES(256.0),    DOUBLES(4096.0),
                                                  DOUBLES(65536.0), 1e6 / 1048576.0, 1e6 / 2097152.0, 1e6 / 4194304.0};
#undef DOUBLES

static inline uint32_t hist_bin(uint32_t units) {
    /* Below 8 the shift is 0 as in the first octave above: no branch. */
    uint32_t octave = 31 - (uint32_t)__builtin_clz(units | 8), shift = octave - 3;
    return 8 * shift + (units >> shift);
}

static inline void hist_add(stream_tables *t, stream *s, double x) {
    double units = (x - s->floor) * HIST_PER_UNIT[s->hist_scale];
    if (s->hist_raw > HIST_RAW && units >= 0 && units < HIST_UNITS) {
        uint32_t bin = hist_bin((uint32_t)units);
        if (!++s->hist.bins[bin]) delay_carry(t, s, bin);
    } else {
        delay_hist_slow(t, s, x);
    }
}

/* The adaptive buffer: its delay follows mean and deviation of what came (RFC 3550's estimator with 1/64), rises at once
 * when a packet came late and shrinks slowly. */
static inline bool adaptive_discards(stream_tables *t, stream *s, double x) {
    float n = (float)(x - s->low), wait = s->wait;
    float under = n < 0 ? n : 0; /* the floor falls; what is being played does not move */
    wait -= under;
    s->low = n < 0 ? (float)x : s->low;
    n -= under;
    float mean = s->mean_delay + (n - s->mean_delay) / 64;
    float deviation = s->mean_deviation + (__builtin_fabsf(n - mean) - s->mean_deviation) / 64;
    float target = mean + 4 * deviation;
    s->mean_delay = mean;
    s->mean_deviation = deviation;
    target = target > ADAPTIVE_LEAST ? target : ADAPTIVE_LEAST;
    target = target < ADAPTIVE_MOST ? target : ADAPTIVE_MOST;
    bool discards = false;
    if (n > wait + ADAPTIVE_SLACK) {
        trouble_of(t, s)->adaptive_late++;
        discards = true;
        if (target > wait) wait = target;
    } else if (wait - n > ADAPTIVE_ROOM + ADAPTIVE_SLACK) {
        trouble_of(t, s)->adaptive_early++;
        discards = true;
    }
    float lower = wait - ADAPTIVE_FALL > target ? wait - ADAPTIVE_FALL : target;
    wait = wait > target ? lower : wait;
    s->wait = wait;
    s->wait_sum += wait;
    return discards;
}

static inline bool fixed_discards(stream_tables *t, stream *s, double x) {
    double behind = x - s->anchor;
    if (behind > t->fixed_late) {
        trouble_of(t, s)->fixed_late++;
        return true;
    }
    if (behind < t->fixed_early) {
        trouble_of(t, s)->fixed_early++;
        return true;
    }
    return false;
}

/* Takes x of a packet that came for the first time. True if the chosen buffer discards it. */
static inline bool delay_take(stream_tables *t, stream *s, double x, bool talkspurt) {
    if (talkspurt) s->anchor = x;
    s->minute_min = x < s->minute_min ? x : s->minute_min;
    hist_add(t, s, x);
    float rounded = (float)x;
    if (!(s->state & STATE_SECOND_DELAYS)) {
        s->state |= STATE_SECOND_DELAYS;
        s->second_min_x = s->second_max_x = rounded;
    }
    s->second_min_x = rounded < s->second_min_x ? rounded : s->second_min_x;
    s->second_max_x = rounded > s->second_max_x ? rounded : s->second_max_x;
    bool fixed = fixed_discards(t, s, x), adaptive = adaptive_discards(t, s, x);
    if (!fixed && !adaptive) return false;
    bool chosen = t->options.buffer == BUFFER_FIXED ? fixed : adaptive && t->options.buffer == BUFFER_ADAPTIVE;
    s->second_discarded += chosen;
    return chosen;
}

#endif
