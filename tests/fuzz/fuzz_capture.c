/* libFuzzer: any octets as a capture, read at once and again in small pieces. The invariants: it is read or refused, every
 * figure stays consistent (fuzz_checks.h), and both ways say the same. */
#include <string.h>

#include "audio.h"
#include "capture.h"
#include "fuzz_checks.h"
#include "rtcp.h"

enum { ROWS = 128 };

typedef struct {
    capture_reader reader;
    meter *m;
    rtcp_table *rtcp;
    audio_pool *audio;
    size_t messages;
} session;

static void begin(session *s) {
    s->m = meter_new(&(meter_options){ROWS, 2, BUFFER_ADAPTIVE, 1, 60000000, 200000000});
    s->rtcp = rtcp_new(64);
    s->audio = audio_new(64);
    MUST(s->m && s->rtcp && s->audio);
    meter_use_rtcp(s->m, s->rtcp);
    meter_use_audio(s->m, s->audio);
}

static void end(session *s) {
    capture_close(&s->reader);
    meter_free(s->m);
    rtcp_free(s->rtcp);
    audio_free(s->audio);
}

static void message(session *s, size_t size) {
    const uint8_t *text = s->reader.message;
    uint32_t length = s->reader.message_length;
    MUST(text && length && ++s->messages <= size);
    uint8_t *copy = malloc(length); /* so that AddressSanitizer sees what is not there */
    MUST(copy);
    memcpy(copy, text, length);
    payload_format format = {copy[length - 1] & 0x7f, KIND_MEDIA, AUDIO_MU, 8000};
    free(copy);
    uint8_t address[16] = {[10] = 0xff, 0xff, 10, 9, 0, 2};
    MUST(meter_endpoint(s->m, address, 30000, &format, 1));
}

/* Reads what is at hand; where the rest begins. */
static capture_stop read_on(session *s, const uint8_t *at, size_t length, size_t *offset, size_t budget, size_t size) {
    capture_stop stop;
    do {
        size_t before = *offset;
        stop = capture_feed(&s->reader, s->m, at, length, offset, budget);
        MUST(*offset <= length && *offset >= before && (stop != CAPTURE_BUDGET || *offset > before));
        MUST(stop != CAPTURE_MEMORY && (stop != CAPTURE_DAMAGED || s->reader.damage));
        if (stop == CAPTURE_SIP) message(s, size);
    } while (stop == CAPTURE_BUDGET || stop == CAPTURE_SIP);
    return stop;
}

/* Each piece in memory of its own, with what the one before left over before it. */
static void in_pieces(session *s, const uint8_t *data, size_t size, size_t offset, size_t piece) {
    size_t start = offset, stop_at = offset;
    capture_stop stop = CAPTURE_BUDGET;
    while (stop_at < size && stop != CAPTURE_DAMAGED) {
        stop_at = size - stop_at < piece ? size : stop_at + piece;
        uint8_t *here = malloc(stop_at - start);
        MUST(here);
        memcpy(here, data + start, stop_at - start);
        size_t at = 0;
        stop = read_on(s, here, stop_at - start, &at, SIZE_MAX, size);
        free(here);
        start += at;
    }
}

static void check_alike(const session *a, const session *b) {
    static stream_row rows[2][ROWS];
    uint32_t first = 0, second = 0;
    size_t count = meter_rows(a->m, &first, rows[0], ROWS);
    MUST(meter_rows(b->m, &second, rows[1], ROWS) == count);
    MUST(!memcmp(rows[0], rows[1], count * sizeof rows[0][0]));
    MUST(!memcmp(&a->reader.counters, &b->reader.counters, sizeof a->reader.counters));
    MUST(a->reader.snapped == b->reader.snapped && a->reader.untimed == b->reader.untimed && a->messages == b->messages);
    MUST(a->reader.damage == b->reader.damage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    session whole = {0}, pieces = {0};
    size_t offset, needed, again;
    if (capture_open(&whole.reader, data, size, &offset, &needed) != CAPTURE_OK) return 0;
    MUST(capture_open(&pieces.reader, data, size, &again, &needed) == CAPTURE_OK && again == offset && offset <= size);
    begin(&whole);
    begin(&pieces);
    size_t at = offset;
    read_on(&whole, data, size, &at, 512, size);
    check_meter(whole.m);
    in_pieces(&pieces, data, size, offset, 1 + data[size - 1] % 97);
    check_alike(&whole, &pieces);
    end(&whole);
    end(&pieces);
    return 0;
}
