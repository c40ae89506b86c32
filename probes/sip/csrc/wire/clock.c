/* One instant on two clocks. The kernel stamps packets with the wall clock; everything else here counts monotonic. */
#include <time.h>

#include "wire.h"

#define TRIES 3
#define APART_NS 1000

static int64_t read_ns(clockid_t which) {
    struct timespec t;
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * NS + t.tv_nsec;
}

/* Read again if this process was interrupted in between; of all tries the narrowest counts. */
instant instant_read(void) {
    instant best = {0, 0};
    int64_t width = INT64_MAX;
    for (int i = 0; i < TRIES && width > APART_NS; i++) {
        int64_t before = read_ns(CLOCK_MONOTONIC), wall = read_ns(CLOCK_REALTIME), after = read_ns(CLOCK_MONOTONIC);
        if (after - before < width) {
            width = after - before;
            best = (instant){after, wall - (before + (after - before) / 2)};
        }
    }
    return best;
}
