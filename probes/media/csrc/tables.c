#include "audio.h"
#include "delay.h"
#include "loss.h"
#include "stream.h"

/* Memory is asked for so many packets at once: it is not touched until it is used. */
enum { CREDIT = 1024 };

bool stream_reserve(stream_tables *t, uint32_t packets) {
    if (t->credit >= packets) {
        t->credit -= packets;
        return true;
    }
    pool *const pools[] = {&t->sides,    &t->addresses, &t->losses,  &t->discards, &t->windows,  &t->troubles,
                           &t->rares,    &t->formers,   &t->carries, &t->drifts,   &t->histories, &t->seconds};
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++)
        if (!pool_reserve(pools[i], packets + CREDIT)) return false;
    t->credit = CREDIT;
    return true;
}

void stream_tables_init(stream_tables *t, const meter_options *options) {
    memset(t, 0, sizeof *t);
    t->options = *options;
    t->fixed_late = (double)options->fixed_delay_ns * 1e-9 + BUFFER_SLACK;
    t->fixed_early = (double)(options->fixed_delay_ns - options->fixed_size_ns) * 1e-9 - BUFFER_SLACK;
    pool_init(&t->sides, sizeof(side_record));
    pool_init(&t->addresses, sizeof(address_record));
    pool_init(&t->losses, sizeof(loss_record));
    pool_init(&t->discards, sizeof(discard_record));
    pool_init(&t->windows, sizeof(window_record));
    pool_init(&t->troubles, sizeof(trouble_record));
    pool_init(&t->rares, sizeof(rare_record));
    pool_init(&t->formers, sizeof(former_record));
    pool_init(&t->carries, sizeof(carry_record));
    pool_init(&t->drifts, sizeof(drift_record));
    pool_init(&t->histories, sizeof(history_record));
    pool_init(&t->seconds, sizeof(second_record));
}

void stream_tables_spill(stream_tables *t, const int files[METER_SPILLS]) {
    pool *const pools[METER_SPILLS] = {&t->seconds, &t->drifts, &t->histories};
    for (size_t i = 0; i < METER_SPILLS; i++) pool_spill(pools[i], files[i]);
}

void stream_tables_free(stream_tables *t) {
    formats_free(&t->formats);
    pool *const pools[] = {&t->sides,    &t->addresses, &t->losses,  &t->discards, &t->windows,  &t->troubles,
                           &t->rares,    &t->formers,   &t->carries, &t->drifts,   &t->histories, &t->seconds};
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++) pool_free(pools[i]);
}

void stream_release(stream_tables *t, stream *s) {
    if (!s->side) return;
    side_record side = *(const side_record *)pool_at(&t->sides, s->side);
    for (uint32_t number = side.record; number;) {
        uint32_t before = ((const second_record *)pool_at(&t->seconds, number))->before;
        pool_return(&t->seconds, number);
        number = before;
    }
    if (side.audio) audio_drop(t->audio, &side.audio);
    if (side.address) pool_return(&t->addresses, side.address);
    if (side.loss) pool_return(&t->losses, side.loss);
    if (side.discard) {
        uint32_t window = ((const discard_record *)pool_at(&t->discards, side.discard))->window;
        if (window) pool_return(&t->windows, window);
        pool_return(&t->discards, side.discard);
    }
    if (side.trouble) pool_return(&t->troubles, side.trouble);
    if (side.rare) pool_return(&t->rares, side.rare);
    if (side.former) pool_return(&t->formers, side.former);
    if (side.carry) pool_return(&t->carries, side.carry);
    if (side.drift) pool_return(&t->drifts, side.drift);
    if (side.history) pool_return(&t->histories, side.history);
    pool_return(&t->sides, s->side);
    s->side = 0;
}

uint32_t stream_run(const stream_tables *t, const stream *s) {
    const rare_record *rare = SIDE_RECORD(t, s, rare, rares);
    return (uint32_t)s->packets - (rare ? rare->strays + rare->run_begin : 0);
}
