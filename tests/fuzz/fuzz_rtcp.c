/* libFuzzer: any octets as RTCP datagrams, each behind its length. The invariant: rows are found, and their JSON fits. */
#include <string.h>

#include "fuzz_checks.h"
#include "rtcp.h"

static void check_json(const rtcp_row *row, uint32_t clock_rate) {
    char text[RTCP_JSON_MAX + 1];
    memset(text, 0x7f, sizeof text);
    size_t length = rtcp_json(row, clock_rate, text);
    MUST(length >= 2 && length <= RTCP_JSON_MAX && text[0] == '{' && text[length - 1] == '}');
    MUST(text[RTCP_JSON_MAX] == 0x7f);
    for (size_t i = 0; i < length; i++) MUST((uint8_t)text[i] >= 0x20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rtcp_table *table = rtcp_new(8);
    MUST(table);
    uint8_t here[4] = {10, 0, 0, 1}, there[4] = {10, 0, 0, 2};
    int64_t time_ns = 0;
    for (size_t at = 0; at < size;) {
        uint8_t length = data[at++];
        if (length > size - at) length = (uint8_t)(size - at);
        uint8_t *payload = malloc(length ? length : 1);
        MUST(payload);
        memcpy(payload, data + at, length);
        bool back = at & 1;
        datagram d = {.time_ns = time_ns, .payload = payload, .captured = length, .length = length, .family = 4,
                      .src = back ? there : here, .dst = back ? here : there, .src_port = 4001, .dst_port = 4001};
        rtcp_take(table, &d);
        free(payload);
        at += length;
        time_ns += 1000000000;
    }
    rtcp_row row;
    uint32_t cursor = 0;
    while (rtcp_rows(table, &cursor, &row, 1)) {
        check_json(&row, 8000);
        check_json(&row, 0);
        stream_row stream = {.src_port = row.key.src_port, .dst_port = row.key.dst_port, .ssrc = row.key.ssrc};
        memcpy(stream.src, row.key.src, 16);
        memcpy(stream.dst, row.key.dst, 16);
        rtcp_row found;
        bool is_found = rtcp_find(table, &stream, &found);
        MUST(is_found || !(row.sender.reports || row.receiver.reports));
        MUST(!is_found || found.key.ssrc == row.key.ssrc);
    }
    rtcp_sweep(table, time_ns);
    rtcp_free(table);
    return 0;
}
