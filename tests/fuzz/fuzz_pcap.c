/* libFuzzer: any octets as a capture. The invariant: it is read or refused, and every figure stays consistent. */
#include <stdlib.h>

#include "pcap.h"

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
    pcap_reader reader;
    if (pcap_open(&reader, data, size) != PCAP_OK) return 0;
    meter *m = meter_new(&(meter_options){100, 2, BUFFER_ADAPTIVE, 1, 60000000, 200000000});
    if (!m) return 0;
    size_t offset = PCAP_FILE_HEADER;
    pcap_stop stop;
    do {
        size_t before = offset;
        stop = pcap_feed(&reader, m, data, size, &offset, 512);
        if (offset > size || (stop == PCAP_BUDGET && offset <= before)) abort();
        if (stop == PCAP_SIP) {
            payload_format format = {reader.message[reader.message_length - 1] & 0x7f, KIND_MEDIA, 8000};
            if (!meter_endpoint(m, reader.message - 28, 4000, &format, 1)) abort();
        }
    } while (stop == PCAP_BUDGET || stop == PCAP_SIP);
    check(m);
    meter_free(m);
    return 0;
}
