/* The whole kernel with its allocations refused, one at a time and from one on: nothing breaks, nothing leaks, and a refused
 * call that is made again does what it would have done. Prints how many allocations there were.
 *
 * Built with -Wl,--wrap for malloc, calloc, realloc and aligned_alloc. The argument is a capture with SIP in pieces. */
#include <stdio.h>
#include <string.h>

#include "audio.h"
#include "capture.h"
#include "fuzz_checks.h"
#include "report.h"
#include "rtcp.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static long asked, refused_from = -1, refused_to; /* allocations by number; from -1: none is refused */

static bool paused;

static bool refused(void) {
    if (paused) return false;
    asked++;
    return refused_from >= 0 && asked > refused_from && asked <= refused_to;
}

void *__wrap_malloc(size_t size) { return refused() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return refused() ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *old, size_t size) { return refused() ? NULL : __real_realloc(old, size); }
void *__wrap_aligned_alloc(size_t alignment, size_t size) { return refused() ? NULL : __real_aligned_alloc(alignment, size); }

enum { STREAMS = 4200, PACKETS = 5, ENDPOINTS = 100, LISTENED = 40 };

typedef struct {
    meter *m;
    rtcp_table *rtcp;
    audio_pool *audio;
    bool whole; /* nothing was given up */
} session;

static void put32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Out of memory, nothing taken: as often as it takes, but not for ever. */
static void feed(session *s, datagram *d) {
    for (int i = 0; i < 20; i++)
        if (meter_feed(s->m, d, 1)) return;
    s->whole = false;
}

/* Loss, lateness, another second, comfort noise: what needs records of its own; IPv6 for every third stream. */
static void packet(session *s, uint32_t number, uint16_t sequence, int64_t time_ns) {
    uint8_t rtp[32] = {0x80, number < LISTENED ? 8 : 18, (uint8_t)(sequence >> 8), (uint8_t)sequence};
    static const uint8_t address[16] = {1};
    put32(rtp + 4, sequence * 160u);
    put32(rtp + 8, number);
    datagram d = {.src = address, .dst = address, .family = number % 3 ? 4 : 6, .time_ns = time_ns, .payload = rtp,
                  .captured = sizeof rtp, .length = sizeof rtp, .dscp = sequence & 63};
    feed(s, &d);
}

static void report_of(session *s, uint32_t ssrc) {
    uint8_t rr[32] = {0x81, 201, 0, 7};
    static const uint8_t here[4] = {1}, there[4] = {2};
    put32(rr + 4, 9);
    put32(rr + 8, ssrc);
    datagram d = {.src = here, .dst = there, .family = 4, .time_ns = 5, .payload = rr, .captured = 32, .length = 32};
    feed(s, &d);
}

static void write_rows(session *s) {
    stream_row row;
    json_text out = {0};
    report_label label = {"null", "\"call_id\":null", {.scale = SCALE_NONE}};
    report_options options = {"", 1, NAN, 0.06};
    for (uint32_t cursor = 0, count = 0; count < 50 && meter_rows(s->m, &cursor, &row, 1); count++) {
        second_row seconds[8];
        report_extras extras = {.seconds = seconds, .second_count = meter_seconds(s->m, row.id, seconds, 8)};
        report_stream(&out, &options, &label, &row, &extras);
    }
    s->whole &= !out.failed;
    json_free(&out);
}

typedef struct {
    const meter *m;
    uint32_t cursor;
} walk;

static void walk_rewind(void *context) { ((walk *)context)->cursor = 0; }

static bool walk_next(void *context, talk *out) {
    walk *w = context;
    stream_row row;
    bool there = meter_rows(w->m, &w->cursor, &row, 1);
    if (there) *out = report_talk(&row);
    return there;
}

static void find_partners(session *s) {
    static uint8_t one_way[STREAMS + 64];
    walk w = {s->m, 0};
    s->whole &= partners_find(&(talk_source){walk_rewind, walk_next, &w}, meter_count(s->m), one_way);
}

static void everything(session *s) {
    uint8_t address[16] = {0};
    payload_format format = {96, KIND_MEDIA, AUDIO_NONE, 8000};
    for (uint16_t port = 1; port <= ENDPOINTS; port++) s->whole &= meter_endpoint(s->m, address, port, &format, 1) != 0;
    for (uint16_t sequence = 0; sequence < PACKETS; sequence++)
        for (uint32_t i = 0; i < STREAMS; i++)
            packet(s, i, (uint16_t)(sequence + (sequence > 2 ? i % 5 : 0)), sequence * (int64_t)(i % 7 ? 20000000 : 1500000000));
    for (uint32_t i = 0; i < 300; i++) report_of(s, i);
    if (s->whole) MUST(meter_count(s->m) == STREAMS);
    uint32_t cursor = 0;
    stream_row row;
    for (uint32_t i = 0; i < 300 && meter_rows(s->m, &cursor, &row, 1); i++) check_row(&row);
    write_rows(s);
    find_partners(s);
    packet(s, STREAMS, 0, 0);
    s->whole &= meter_sweep(s->m, INT64_MAX) == 1;
}

static void kernel(session *s) {
    s->m = meter_new(&(meter_options){2 * STREAMS, 2, BUFFER_ADAPTIVE, 1, 60000000, 200000000});
    s->rtcp = rtcp_new(1000);
    s->audio = audio_new(LISTENED);
    s->whole = s->m && s->rtcp && s->audio;
    if (s->m) {
        if (s->rtcp) meter_use_rtcp(s->m, s->rtcp);
        if (s->audio) meter_use_audio(s->m, s->audio);
        everything(s);
        meter_free(s->m);
    }
    if (s->rtcp) s->whole &= rtcp_counts(s->rtcp).overflow == 0;
    if (s->audio) s->whole &= audio_overflow(s->audio) == 0;
    if (s->rtcp) rtcp_free(s->rtcp);
    if (s->audio) audio_free(s->audio);
}

static bool read_capture(const uint8_t *data, size_t size) {
    capture_reader reader;
    size_t offset, needed;
    meter *m = meter_new(&(meter_options){100, 2, BUFFER_FIXED, 1, 60000000, 200000000});
    if (!m) return false;
    MUST(capture_open(&reader, data, size, &offset, &needed) == CAPTURE_OK);
    capture_stop stop;
    do stop = capture_feed(&reader, m, data, size, &offset, 256);
    while (stop == CAPTURE_BUDGET || stop == CAPTURE_SIP);
    MUST(stop == CAPTURE_END || stop == CAPTURE_MEMORY);
    paused = true; /* this check allocates too */
    check_meter(m);
    paused = false;
    capture_close(&reader);
    meter_free(m);
    return stop == CAPTURE_END;
}

/* True: nothing was given up. */
static bool scenario(const uint8_t *data, size_t size, long from, long to) {
    session s = {0};
    asked = 0;
    refused_from = from;
    refused_to = to;
    bool whole = read_capture(data, size);
    kernel(&s);
    refused_from = -1;
    return whole && s.whole;
}

int main(int count, char **arguments) {
    static uint8_t data[1 << 16];
    FILE *file = count > 1 ? fopen(arguments[1], "rb") : NULL;
    MUST(file);
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    MUST(scenario(data, size, -1, 0));
    long all = asked, survived = 0;
    for (long i = 0; i < all; i++) {
        survived += scenario(data, size, i, i + 1);
        MUST(!scenario(data, size, i, 1L << 40)); /* and none from there on */
    }
    printf("%ld allocations, %ld refused without a loss\n", all, survived);
    return 0;
}
