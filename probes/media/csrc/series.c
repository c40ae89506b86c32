#include "series.h"

#include <math.h>

#include "delay.h"

static second_record *record_at(const stream_tables *t, uint32_t number) {
    return number ? pool_at(&t->seconds, number) : NULL;
}

static second_record *last_record(const stream_tables *t, const stream *s) { return SIDE_RECORD(t, s, record, seconds); }

void series_segment(stream *s, uint64_t old_max) {
    uint32_t lacked = (uint32_t)old_max + 1 - s->second_first - series_placed(s);
    s->second_first = s->base - lacked;
    s->second_unplaced = (uint32_t)s->packets - s->second_packets_begin - 1;
}

static void current_row(const stream *s, second_row *r) {
    uint32_t new_positions = (uint32_t)s->max + 1 - s->second_first, samples = s->jitter_samples - s->second_samples_begin;
    *r = (second_row){
        .second = s->second,
        .packets = (uint32_t)s->packets - s->second_packets_begin,
        .lost = new_positions - series_placed(s),
        .discarded = s->second_discarded,
        .jitter_mean = samples ? s->second_jitter_sum / (float)samples : NAN,
        .jitter_max = samples ? s->second_jitter_max : NAN,
        .pdv_max = s->state & STATE_SECOND_DELAYS ? (float)fmax(s->second_max_x - s->minute_min, 0) : NAN, /* rounded */
        .flags = s->state & STATE_SECOND_BURST ? 1 : 0,
    };
}

static void keep(stream_tables *t, stream *s) {
    uint32_t number = pool_take(&t->seconds);
    second_record *record = pool_at(&t->seconds, number);
    current_row(s, &record->row);
    side_record *side = side_of(t, s);
    const second_record *before = record_at(t, side->record);
    record->before = side->record;
    record->place = before ? before->place + 1 : 0;
    record->mile = before && before->place % SECONDS_A_MILE ? before->mile : side->record;
    record->first = s->second_first;
    side->record = number;
}

void series_turn(stream_tables *t, stream *s, int64_t time_ns) {
    uint32_t second = s->second;
    if (t->options.series && (uint32_t)s->packets != s->second_packets_begin) keep(t, s);
    delay_second(t, s, second);
    int64_t number = (time_ns - s->first_ns) / SECOND_NS;
    s->second = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX - 1;
    if (s->second / SECONDS_A_MINUTE != second / SECONDS_A_MINUTE) delay_minute(t, s);
    s->second_first = (uint32_t)s->max + 1;
    s->second_packets_begin = (uint32_t)s->packets;
    s->second_samples_begin = s->jitter_samples;
    s->second_jitter_sum = s->second_jitter_max = 0;
    s->second_unplaced = s->second_discarded = 0;
    s->state &= (uint8_t)~STATE_SECOND_BURST;
}

static bool begins_after(const second_record *record, uint64_t position) {
    return (int32_t)(record->first - (uint32_t)position) > 0;
}

/* The oldest mile that begins after this position, else the newest record: from there on back it is no long way. */
static second_record *near_record(const stream_tables *t, const stream *s, uint64_t position) {
    second_record *record = last_record(t, s), *mile;
    while (record && begins_after(record, position) && (mile = record_at(t, record->mile)) && begins_after(mile, position))
        record = mile;
    return record;
}

/* The kept second in which this position was new; NULL: it is not kept (or the running one). */
static second_record *second_of(const stream_tables *t, const stream *s, uint64_t position) {
    second_record *record = near_record(t, s, position);
    while (record && begins_after(record, position)) record = record_at(t, record->before);
    return record;
}

/* Older than all of its numbering: what lies between came before the first packet and is lost, so far, in the second in
 * which the numbering began. */
static void mend_oldest(stream_tables *t, stream *s, uint32_t lower, uint64_t old_base) {
    bool running = (int32_t)(s->second_first - (uint32_t)old_base) <= 0;
    second_record *record = running ? NULL : second_of(t, s, old_base);
    if (!record) {
        s->second_first -= lower;
        return;
    }
    record->first -= lower;
    record->row.lost += lower - 1;
    s->second_unplaced++;
}

void series_mend(stream_tables *t, stream *s, uint64_t position, uint64_t old_base) {
    if (position < old_base) {
        mend_oldest(t, s, (uint32_t)(old_base - position), old_base);
    } else if ((int32_t)((uint32_t)position - s->second_first) < 0) {
        second_record *record = second_of(t, s, position);
        if (record && record->row.lost) record->row.lost--;
        s->second_unplaced++;
    }
}

void series_mark_burst(stream_tables *t, stream *s, uint64_t first, uint64_t last) {
    if (!t->options.series) return;
    uint32_t ends = s->second_first; /* of the second before: positions are its own up to there */
    if ((int32_t)((uint32_t)last - ends) >= 0) s->state |= STATE_SECOND_BURST;
    second_record *r = near_record(t, s, last); /* a burst is told when it leaves the window, many seconds later */
    for (; r && (int32_t)(ends - (uint32_t)first) > 0; r = record_at(t, r->before)) {
        if (!begins_after(r, last)) r->row.flags |= 1;
        ends = r->first;
    }
}

typedef struct {
    const stream_tables *t;
    const stream *s;
    second_row *rows;
    size_t count;
} series_copy;

/* As series_mark_burst, on rows that are handed out. */
static void mark_copy(void *context, uint64_t first, uint64_t last) {
    const series_copy *c = context;
    size_t at = c->count - 1;
    uint32_t begins = c->s->second_first;
    for (const second_record *r = last_record(c->t, c->s);; r = record_at(c->t, r->before), at--) {
        if ((int32_t)(begins - (uint32_t)last) <= 0) c->rows[at].flags |= 1;
        if ((int32_t)(begins - (uint32_t)first) <= 0 || !r) return;
        begins = r->first;
    }
}

size_t stream_seconds(const stream_tables *t, const stream *s, second_row *rows, size_t room) {
    if (!t->options.series) return 0;
    size_t count = 1;
    for (const second_record *r = last_record(t, s); r; r = record_at(t, r->before)) count++;
    if (room < count) return count;
    size_t at = count - 1;
    current_row(s, &rows[at]);
    for (const second_record *r = last_record(t, s); r; r = record_at(t, r->before)) rows[--at] = r->row;
    series_copy copy = {t, s, rows, count};
    loss_open_bursts(t, s, &(burst_sink){mark_copy, &copy});
    return count;
}
