#include "delay.h"

#include <math.h>

#include "series.h"

/* Histograms of either counter width look alike to these. */
typedef struct {
    double counts[HIST_BINS];
    uint32_t scale;
} wide_hist;

static double unit_of(uint32_t scale) { return 1 / HIST_PER_UNIT[scale]; }

static void bin_edges(uint32_t bin, double *low, double *width) {
    if (bin < 8) {
        *low = bin;
        *width = 1;
        return;
    }
    uint32_t shift = bin / 8 - 1;
    *low = (double)((8 + (bin & 7)) << shift);
    *width = (double)(1u << shift);
}

static uint32_t bin_of(double units) {
    if (units < 0) return 0;
    return units >= HIST_UNITS ? HIST_BINS - 1 : hist_bin((uint32_t)units);
}

/* Doubles the unit: an octave down for every bin. */
static void coarser(wide_hist *h) {
    for (uint32_t bin = 0; bin < HIST_BINS; bin++) {
        double count = h->counts[bin];
        h->counts[bin] = 0;
        h->counts[bin < 16 ? bin / 2 : bin - 8] += count;
    }
    h->scale++;
}

/* `count` values spread evenly from `low` on over `width` units. */
static void spread(wide_hist *h, double low, double width, double count) {
    double left = count;
    uint32_t first = bin_of(low), last = bin_of(low + width * (1 - 1e-9));
    for (uint32_t bin = first; bin < last; bin++) {
        double edge, wide;
        bin_edges(bin, &edge, &wide);
        double from = edge > low ? edge : low, share = count * (edge + wide - from) / width;
        h->counts[bin] += share;
        left -= share;
    }
    h->counts[last] += left;
}

/* The bins of `from`, `by` seconds higher, in a histogram of a scale where they find room. */
static void shifted(const wide_hist *from, double by, wide_hist *to) {
    double factor = unit_of(from->scale) * HIST_PER_UNIT[to->scale], shift = by * HIST_PER_UNIT[to->scale];
    for (uint32_t bin = 0; bin < HIST_BINS; bin++) {
        double low, width;
        if (from->counts[bin] <= 0) continue;
        bin_edges(bin, &low, &width);
        spread(to, low * factor + shift, width * factor, from->counts[bin]);
    }
}

static double top(const wide_hist *h) {
    for (uint32_t bin = HIST_BINS; bin-- > 0;) {
        double low, width;
        bin_edges(bin, &low, &width);
        if (h->counts[bin] > 0) return (low + width) * unit_of(h->scale);
    }
    return 0;
}

static uint32_t scale_for(double seconds) {
    uint32_t scale = 0;
    while (scale < HIST_SCALES - 1 && seconds * HIST_PER_UNIT[scale] >= HIST_UNITS) scale++;
    return scale;
}

/* ---- this minute's histogram ----------------------------------------------------------------------------------------- */

static void widen(const stream_tables *t, const stream *s, wide_hist *h) {
    const carry_record *carry = SIDE_RECORD(t, s, carry, carries);
    h->scale = s->hist_scale;
    for (uint32_t bin = 0; bin < HIST_BINS; bin++)
        h->counts[bin] = s->hist.bins[bin] + (carry ? 256.0 * carry->bins[bin] : 0);
}

static carry_record *carry_of(stream_tables *t, stream *s) {
    side_record *side = side_of(t, s);
    if (!side->carry) side->carry = pool_take(&t->carries);
    return pool_at(&t->carries, side->carry);
}

void delay_carry(stream_tables *t, stream *s, uint32_t bin) { carry_of(t, s)->bins[bin]++; }

static void empty(stream_tables *t, stream *s) {
    carry_record *carry = SIDE_RECORD(t, s, carry, carries);
    memset(s->hist.bins, 0, sizeof s->hist.bins);
    if (carry) memset(carry, 0, sizeof *carry);
}

/* `into` gets the counts as whole numbers, carrying the fractions on so that the sum stays. */
static void whole(const wide_hist *h, uint32_t into[HIST_BINS]) {
    double sum = 0, told = 0;
    for (uint32_t bin = 0; bin < HIST_BINS; bin++) {
        sum += h->counts[bin];
        double count = floor(sum + 0.5) - told;
        told += count;
        into[bin] = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
    }
}

static void narrow(stream_tables *t, stream *s, const wide_hist *h) {
    uint32_t counts[HIST_BINS];
    whole(h, counts);
    empty(t, s);
    for (uint32_t bin = 0; bin < HIST_BINS; bin++) {
        s->hist.bins[bin] = (uint8_t)counts[bin];
        if (counts[bin] > UINT8_MAX) carry_of(t, s)->bins[bin] = counts[bin] / 256;
    }
    s->hist_scale = (uint8_t)h->scale;
}

/* The raw values become bins; a little room is left below the lowest. */
static void begin_bins(stream *s) {
    float raw[HIST_RAW];
    memcpy(raw, s->hist.raw, sizeof raw);
    float low = raw[0], high = raw[0];
    for (uint32_t i = 1; i < HIST_RAW; i++) {
        if (raw[i] < low) low = raw[i];
        if (raw[i] > high) high = raw[i];
    }
    s->hist_scale = (uint8_t)scale_for(2.0 * (high - low));
    s->hist_raw = HIST_RAW + 1;
    s->floor = low - (float)(8 * unit_of(s->hist_scale));
    memset(s->hist.bins, 0, sizeof s->hist.bins); /* there is nothing to carry: the minute is new */
    for (uint32_t i = 0; i < HIST_RAW; i++)
        s->hist.bins[bin_of((double)(raw[i] - s->floor) * HIST_PER_UNIT[s->hist_scale])]++;
}

/* Adds this minute, less its minimum, to a histogram that starts at 0. */
static void add_minute(const stream_tables *t, const stream *s, wide_hist *all) {
    double high = (double)s->minute_max - s->minute_min;
    if (s->state & STATE_SECOND_DELAYS && s->second_max_x - s->minute_min > high) high = s->second_max_x - s->minute_min;
    uint32_t scale = scale_for(high);
    while (all->scale < scale) coarser(all);
    if (s->hist_raw <= HIST_RAW) {
        for (uint32_t i = 0; i < s->hist_raw; i++)
            all->counts[bin_of((s->hist.raw[i] - s->minute_min) * HIST_PER_UNIT[all->scale])]++;
        return;
    }
    wide_hist h, fine = {{0}, s->hist_scale < all->scale ? all->scale : s->hist_scale};
    widen(t, s, &h);
    while (all->scale < fine.scale) coarser(all);
    shifted(&h, s->floor - s->minute_min, &fine);
    for (uint32_t bin = 0; bin < HIST_BINS; bin++) all->counts[bin] += fine.counts[bin];
}

static void history_wide(const history_record *r, wide_hist *h) {
    h->scale = r->scale;
    for (uint32_t bin = 0; bin < HIST_BINS; bin++) h->counts[bin] = r->bins[bin];
}

static float minute_high(const stream *s) {
    float high = s->minute_max;
    if (s->state & STATE_SECOND_DELAYS && s->second_max_x > high) high = s->second_max_x;
    return (float)(high - s->minute_min);
}

/* This minute becomes one of the finished ones. */
static void fold(stream_tables *t, stream *s) {
    side_record *side = side_of(t, s);
    if (!side->history) side->history = pool_take(&t->histories);
    history_record *r = pool_at(&t->histories, side->history);
    wide_hist all;
    history_wide(r, &all);
    add_minute(t, s, &all);
    whole(&all, r->bins);
    r->scale = all.scale;
    if (minute_high(s) > r->max) r->max = minute_high(s);
    empty(t, s);
    s->hist_raw = 0;
}

/* Moves the bins so that they begin below x. */
static void lower_floor(stream_tables *t, stream *s, double x) {
    wide_hist h, moved = {{0}, 0};
    float lower = (float)(x - 16 * unit_of(s->hist_scale));
    double by = (double)s->floor - lower;
    widen(t, s, &h);
    moved.scale = scale_for(top(&h) + by);
    if (moved.scale < h.scale) moved.scale = h.scale;
    shifted(&h, by, &moved);
    narrow(t, s, &moved);
    s->floor = lower;
}

static void raise_scale(stream_tables *t, stream *s, uint32_t scale) {
    wide_hist h;
    widen(t, s, &h);
    while (h.scale < scale) coarser(&h);
    narrow(t, s, &h);
}

void delay_hist_slow(stream_tables *t, stream *s, double x) {
    if (s->hist_raw < HIST_RAW) {
        s->hist.raw[s->hist_raw++] = (float)x;
        return;
    }
    if (s->hist_raw == HIST_RAW) begin_bins(s);
    if (x < s->floor) lower_floor(t, s, x);
    double over = x - s->floor;
    if (over * HIST_PER_UNIT[s->hist_scale] >= HIST_UNITS && s->hist_scale < HIST_SCALES - 1)
        raise_scale(t, s, scale_for(over));
    uint32_t bin = bin_of(over * HIST_PER_UNIT[s->hist_scale]);
    if (!++s->hist.bins[bin]) delay_carry(t, s, bin);
}

void delay_minute(stream_tables *t, stream *s) {
    if (!(s->state & STATE_DELAYS) || !s->hist_raw) return;
    fold(t, s);
    float low = (float)s->minute_min;
    if (low > s->low) { /* what is being played does not move */
        s->wait -= low - s->low;
        s->low = low;
    }
    s->minute_min = INFINITY;
    s->minute_max = -INFINITY;
}

/* ---- stretches and drift --------------------------------------------------------------------------------------------- */

void delay_stretch(stream_tables *t, stream *s) {
    delay_minute(t, s);
    s->state = (uint8_t)((s->state | STATE_DELAYS) & ~STATE_SECOND_DELAYS);
    s->x = 0;
    s->hist_raw = 0;
    s->minute_min = 0;
    s->minute_max = -INFINITY;
    s->anchor = 0;
    s->low = 0;
    s->mean_delay = s->mean_deviation = 0;
    s->wait = ADAPTIVE_FIRST;
    if (s->side) {
        side_record *side = pool_at(&t->sides, s->side);
        if (side->drift) memset(pool_at(&t->drifts, side->drift), 0, sizeof(drift_record));
    }
}

static void add_point(drift_record *r, double second, double x) {
    r->points++;
    double off_t = second - r->mean_t, off_x = x - r->mean_x;
    r->mean_t += off_t / r->points;
    r->mean_x += off_x / r->points;
    r->spread += off_t * (second - r->mean_t);
    r->common += off_t * (x - r->mean_x);
}

void delay_second(stream_tables *t, stream *s, uint32_t second) {
    if (!(s->state & STATE_SECOND_DELAYS)) return;
    side_record *side = side_of(t, s);
    if (!side->drift) side->drift = pool_take(&t->drifts);
    add_point(pool_at(&t->drifts, side->drift), second, s->second_min_x);
    if (s->second_max_x > s->minute_max) s->minute_max = s->second_max_x;
    s->state &= (uint8_t)~STATE_SECOND_DELAYS;
}

/* ---- out ------------------------------------------------------------------------------------------------------------- */

/* The value at a rank from 1, evenly spread inside its bin: half a value before the rank. */
static double at_rank(const wide_hist *h, double rank) {
    double before = 0, wanted = rank - 0.5;
    for (uint32_t bin = 0; bin < HIST_BINS; bin++) {
        double low, width;
        if (h->counts[bin] > 0 && before + h->counts[bin] >= wanted) {
            bin_edges(bin, &low, &width);
            return (low + width * (wanted - before) / h->counts[bin]) * unit_of(h->scale);
        }
        before += h->counts[bin];
    }
    return top(h);
}

static double nearest_raw(const stream *s, double rank) {
    float sorted[HIST_RAW];
    for (uint32_t i = 0; i < s->hist_raw; i++) {
        uint32_t at = i;
        for (; at > 0 && sorted[at - 1] > s->hist.raw[i]; at--) sorted[at] = sorted[at - 1];
        sorted[at] = s->hist.raw[i];
    }
    return sorted[(uint32_t)rank - 1] - s->minute_min;
}

static void describe_variation(const stream_tables *t, const stream *s, const history_record *history, stream_row *r) {
    static const double quantiles[3] = {0.50, 0.95, 0.99};
    double values[3];
    bool raw = !history && s->hist_raw <= HIST_RAW;
    wide_hist all = {{0}, 0};
    if (history) history_wide(history, &all);
    if (s->hist_raw) add_minute(t, s, &all);
    double count = 0;
    for (uint32_t bin = 0; bin < HIST_BINS; bin++) count += all.counts[bin];
    if (count < 0.5) return;
    double high = s->hist_raw ? minute_high(s) : 0;
    if (history && history->max > high) high = history->max;
    for (uint32_t i = 0; i < 3; i++) {
        double rank = ceil(quantiles[i] * count - 1e-9);
        values[i] = raw ? nearest_raw(s, rank) : at_rank(&all, rank);
        if (values[i] > high) values[i] = high;
        if (values[i] < 0) values[i] = 0;
    }
    r->pdv_p50 = values[0];
    r->pdv_p95 = values[1];
    r->pdv_p99 = values[2];
    r->pdv_max = high;
    r->adaptive_delay = s->wait_sum / count;
}

void delay_describe(const stream_tables *t, const stream *s, stream_row *r) {
    r->pdv_p50 = r->pdv_p95 = r->pdv_p99 = r->pdv_max = r->drift_ppm = r->adaptive_delay = NAN;
    if (!(s->state & STATE_DELAYS)) return;
    describe_variation(t, s, SIDE_RECORD(t, s, history, histories), r);
    const drift_record *kept = SIDE_RECORD(t, s, drift, drifts);
    drift_record drift = {0};
    if (kept) drift = *kept;
    if (s->state & STATE_SECOND_DELAYS) add_point(&drift, s->second, s->second_min_x);
    if (drift.points >= 10) r->drift_ppm = drift.common / drift.spread * 1e6;
}
