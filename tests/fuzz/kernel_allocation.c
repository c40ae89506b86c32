/* The kernel with every allocation failing in turn: it says so, leaks nothing and stays whole. Prints "ok". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long left; /* allocations that still succeed */

static int refused(void) {
    if (left == 0) return 1;
    left--;
    return 0;
}

static void *test_malloc(size_t size) { return refused() ? NULL : malloc(size); }
static void *test_calloc(size_t count, size_t size) { return refused() ? NULL : calloc(count, size); }
static void *test_realloc(void *old, size_t size) { return refused() ? NULL : realloc(old, size); }

#define malloc test_malloc
#define calloc test_calloc
#define realloc test_realloc
#include "formats.c"
#include "kernel.c"

enum { STREAMS = 600, ENDPOINTS = 200 };

static bool feed(meter *m, uint16_t ssrc, uint8_t sequence) {
    uint8_t packet[12] = {0x80, 8, 0, sequence, 0, 0, 0, 0, 0, 0, (uint8_t)(ssrc >> 8), (uint8_t)ssrc};
    static const uint8_t address[4];
    datagram d = {.src = address, .dst = address, .family = 4, .time_ns = sequence, .payload = packet, .captured = 12, .length = 12};
    return meter_feed(m, &d, 1);
}

/* True if no allocation was refused. */
static bool scenario(void) {
    meter *m = meter_new(&(meter_options){5000, 2, BUFFER_ADAPTIVE, 1, 60000000, 200000000});
    if (!m) return false;
    bool whole = true;
    uint8_t address[16] = {0};
    payload_format format = {8, KIND_MEDIA, 8000};
    for (uint16_t port = 1; port <= ENDPOINTS; port++) whole &= meter_endpoint(m, address, port, &format, 1) != 0;
    for (uint8_t sequence = 0; sequence < 3; sequence++)
        for (uint16_t ssrc = 0; ssrc < STREAMS; ssrc++) whole &= feed(m, ssrc, sequence);
    if (whole && meter_count(m) != STREAMS) abort();
    meter_free(m);
    return whole;
}

int main(void) {
    long granted = 0;
    do left = granted++;
    while (!scenario());
    puts(granted > 10 ? "ok" : "too few allocations to mean anything");
    return 0;
}
