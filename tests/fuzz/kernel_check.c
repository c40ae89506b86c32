/* Drives the kernel through growth, loss, disorder, restarts, forgetting and sweeping; built with sanitizers by the
 * test beside it. Prints "ok". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio.h"
#include "kernel.h"

enum { STREAMS = 3000, ROUNDS = 400 };

static uint32_t state = 12345;

static uint32_t any(uint32_t below) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
}

static void send(meter *m, uint32_t ssrc, uint16_t sequence, uint32_t timestamp, int64_t at) {
    uint8_t packet[12] = {0x80, 8, (uint8_t)(sequence >> 8), (uint8_t)sequence};
    for (int i = 0; i < 4; i++) {
        packet[4 + i] = (uint8_t)(timestamp >> (24 - 8 * i));
        packet[8 + i] = (uint8_t)(ssrc >> (24 - 8 * i));
    }
    static const uint8_t address[4];
    datagram d = {.src = address, .dst = address, .family = 4, .time_ns = at, .payload = packet, .captured = 12, .length = 172};
    d.dst_port = 4000;
    if (!meter_feed(m, &d, 1)) abort();
}

static size_t forget_some(meter *m) {
    size_t count = meter_count(m), dropped = 0;
    uint32_t cursor = 0;
    stream_row *rows = malloc((count + 1) * sizeof *rows);
    if (!rows || meter_rows(m, &cursor, rows, count) != count) abort();
    for (size_t i = 0; i < count; i++) {
        if (rows[i].lost > rows[i].expected) abort();
        if (rows[i].packets != rows[i].expected - rows[i].lost + rows[i].duplicates + rows[i].strays) abort();
        if (any(3) == 0) {
            if (!meter_forget(m, rows[i].id) || meter_forget(m, rows[i].id)) abort();
            dropped++;
        }
    }
    free(rows);
    if (meter_count(m) != count - dropped) abort();
    return dropped;
}

int main(void) {
    static uint16_t sequences[STREAMS];
    meter *m = meter_new(&(meter_options){STREAMS - 100, 2, BUFFER_ADAPTIVE, 1, 60000000, 200000000});
    if (!m) abort();
    uint8_t address[16] = {0};
    for (uint16_t port = 1; port < 500; port++) {
        payload_format format = {(uint8_t)(port & 0x7f), KIND_MEDIA, AUDIO_NONE, 8000};
        if (meter_endpoint(m, address, port, &format, 1) != port) abort();
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < STREAMS; i += 1 + any(7)) {
            static const int steps[] = {1, 1, 1, 1, 1, 1, 2, 0, -1, -5, 40, 700, -900, 2999, 3001, 30000};
            sequences[i] = (uint16_t)(sequences[i] + steps[any(16)]);
            send(m, i, sequences[i], (uint32_t)sequences[i] * 160, (int64_t)round * 20000000);
        }
        if (round % 97 == 96 && !forget_some(m)) abort();
    }
    meter_sweep(m, INT64_MAX);
    if (!meter_counts(m).overflow || !meter_count(m)) abort();
    meter_free(m);
    puts("ok");
    return 0;
}
