/* The ring and the kernel without Python, for the sanitizers: `media_ring FD` drains the packet socket FD while this
 * thread takes snapshots all the time, forgets what it sees half of the time, and ends with standard input. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ring.h"

enum { ROWS = 64 };

static uint64_t look(meter *m, pthread_mutex_t *lock, ring *r, bool forget) {
    stream_row rows[ROWS];
    uint64_t packets = 0;
    uint32_t cursor = 0;
    for (size_t count = 1; count;) {
        pthread_mutex_lock(lock);
        count = meter_rows(m, &cursor, rows, ROWS);
        ring_read_drops(r);
        for (size_t i = 0; i < count; i++) {
            second_row seconds[8];
            meter_seconds(m, rows[i].id, seconds, 8);
            if (forget) packets += meter_forget(m, rows[i].id) ? rows[i].packets : 0;
        }
        pthread_mutex_unlock(lock);
    }
    return packets;
}

static bool told_to_end(void) {
    struct pollfd input = {0, POLLIN, 0};
    char octet;
    return poll(&input, 1, 2) > 0 && read(0, &octet, 1) <= 0;
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    meter_options options = {.max_streams = 1000, .probation = 2, .buffer = BUFFER_ADAPTIVE, .series = 1,
                             .fixed_delay_ns = 60000000, .fixed_size_ns = 200000000};
    meter *m = meter_new(&options);
    static ring r;
    if (!m || ring_start(&r, atoi(arguments[1]), 1 << 16, 64, m, &lock)) return 3;
    puts("ready");
    fflush(stdout);
    uint64_t packets = 0;
    for (int turn = 0; !told_to_end(); turn++) packets += look(m, &lock, &r, turn % 2);
    usleep(100000); /* what is on its way to us, in a block that is not full */
    packets += look(m, &lock, &r, true);
    ring_stop(&r);
    ring_stop(&r);
    printf("%llu %llu %llu\n", (unsigned long long)packets, (unsigned long long)r.dropped,
           (unsigned long long)r.counters.frames);
    meter_free(m);
    return 0;
}
