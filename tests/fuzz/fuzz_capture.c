/* libFuzzer: any octets as a capture. The invariant: it is read or refused, and every figure stays consistent. */
#include <stdlib.h>

#include "capture.h"

static void check(const meter *m) {
    size_t count = meter_count(m);
    uint32_t cursor = 0;
    stream_row *rows = malloc((count + 1) * sizeof *rows);
    if (!rows || meter_rows(m, &cursor, rows, count) != count) abort();
    for (size_t i = 0; i < count; i++) {
        const stream_row *r = &rows[i];
        if (r->lost > r->expected || r->burst_lost > r->lost || r->burst_packets > r->expected) abort();
        if (r->packets != r->expected - r->lost + r->duplicates + r->strays) abort();
    }
    free(rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    capture_reader reader;
    size_t offset, needed;
    if (capture_open(&reader, data, size, &offset, &needed) != CAPTURE_OK) return 0;
    meter *m = meter_new(&(meter_options){100, 2, BUFFER_ADAPTIVE, 1, 60000000, 200000000});
    if (!m) return 0;
    capture_stop stop;
    size_t messages = 0;
    do {
        size_t before = offset;
        stop = capture_feed(&reader, m, data, size, &offset, 512);
        if (offset > size || offset < before || (stop == CAPTURE_BUDGET && offset == before)) abort();
        if (stop == CAPTURE_SIP) {
            if (!reader.message_length || ++messages > size) abort();
            payload_format format = {reader.message[reader.message_length - 1] & 0x7f, KIND_MEDIA, 0, 8000};
            uint8_t address[16] = {[10] = 0xff, 0xff, 10, 9, 0, 2};
            if (!meter_endpoint(m, address, 30000, &format, 1)) abort();
        }
    } while (stop == CAPTURE_BUDGET || stop == CAPTURE_SIP);
    check(m);
    meter_free(m);
    capture_close(&reader);
    return 0;
}
