/* What must hold of a meter whatever it was fed with. */
#ifndef SERENO_FUZZ_CHECKS_H
#define SERENO_FUZZ_CHECKS_H

#include <math.h>
#include <stdlib.h>

#include "kernel.h"

#define MUST(condition) \
    do {                \
        if (!(condition)) abort(); \
    } while (0)

static inline void check_seconds(const meter *m, const stream_row *r) {
    size_t count = meter_seconds(m, r->id, NULL, 0);
    second_row *rows = malloc((count + 1) * sizeof *rows);
    MUST(rows && meter_seconds(m, r->id, rows, count) == count);
    uint64_t packets = 0, lost = 0;
    for (size_t i = 0; i < count; i++) {
        MUST(i == 0 || rows[i].second > rows[i - 1].second);
        packets += rows[i].packets;
        lost += rows[i].lost;
        MUST(!(rows[i].pdv_max < 0) && !(rows[i].jitter_max < 0));
    }
    MUST(count == 0 || (packets == r->packets && lost == r->lost));
    free(rows);
}

static inline void check_row(const stream_row *r) {
    MUST(r->lost <= r->expected && r->burst_lost <= r->lost && r->burst_packets <= r->expected);
    MUST(r->packets == r->expected - r->lost + r->duplicates + r->strays);
    MUST(r->loss_runs <= r->lost && r->loss_run_max <= r->lost && (r->loss_runs > 0) == (r->lost > 0));
    MUST(r->start_ns <= r->end_ns && r->largest_gap_ns >= 0);
    MUST(isnan(r->jitter) == isnan(r->jitter_mean) && isnan(r->jitter) == isnan(r->jitter_max));
    MUST(isnan(r->jitter) || (r->jitter_mean >= 0 && r->jitter_mean <= r->jitter_max * (1 + 1e-9)));
    MUST(isnan(r->pdv_p50) == isnan(r->pdv_max));
    MUST(isnan(r->pdv_p50) || (r->pdv_p50 >= 0 && r->pdv_p50 <= r->pdv_p95 && r->pdv_p95 <= r->pdv_p99));
    MUST(isnan(r->pdv_p50) || r->pdv_p99 <= r->pdv_max);
}

static inline void check_meter(const meter *m) {
    size_t count = meter_count(m);
    uint32_t cursor = 0;
    stream_row *rows = malloc((count + 1) * sizeof *rows);
    MUST(rows && meter_rows(m, &cursor, rows, count + 1) == count);
    for (size_t i = 0; i < count; i++) {
        check_row(&rows[i]);
        check_seconds(m, &rows[i]);
    }
    free(rows);
}

#endif
