/* libFuzzer: SIP in datagrams, in fragments of them and in TCP segments, in any order, sent again, overlapping, snapped.
 * The invariant: a message found is at hand to its last octet, and so many octets give only so many messages. */
#include <string.h>

#include "fuzz_checks.h"
#include "sip.h"

/* Reads the message to its end, so that AddressSanitizer sees what is not there. */
static void look(const sip_finder *f) {
    MUST(f->message && f->message_length && f->message_length <= SIP_MAX);
    uint8_t *copy = malloc(f->message_length);
    MUST(copy);
    memcpy(copy, f->message, f->message_length);
    free(copy);
}

static uint16_t take16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

enum { HEADER = 5 }; /* how the piece comes; where it belongs (2); its length (2) */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sip_finder f = {0};
    size_t messages = 0, octets = 0;
    uint8_t here[4] = {10, 0, 0, 1}, there[4] = {10, 0, 0, 2};
    for (size_t at = 0; at + HEADER < size;) {
        uint8_t how = data[at];
        uint16_t place = take16(data + at + 1);
        size_t length = take16(data + at + 3);
        at += HEADER;
        if (length > size - at) length = size - at;
        uint8_t *payload = malloc(length ? length : 1); /* of its own, gone before the message is read on */
        MUST(payload);
        memcpy(payload, data + at, length);
        at += length;
        octets += length;
        datagram d = {.payload = payload, .captured = (uint32_t)length, .length = (uint32_t)length, .family = 4,
                      .src = here, .dst = there, .src_port = 5060, .dst_port = (uint16_t)(5060 + (how >> 6))};
        if (how & 16) d.length += 200;
        frame_part part = {.number = how & 8 ? place : 7, .offset = place, .fragment = true, .last = how & 4};
        sip_result result;
        switch (how & 3) {
        case 0: part.fragment = how & 4; result = sip_may_begin(payload, d.captured) ? sip_datagram(&f, &d, &part) : SIP_NOTHING; break;
        case 1: result = sip_fragment(&f, &d, &part); break;
        default:
            part = (frame_part){.number = 0xfffffff0u + place, .begins = how & 4};
            result = sip_segment(&f, &d, &part);
        }
        MUST(result != SIP_MEMORY);
        if (result == SIP_MESSAGE) look(&f);
        free(payload);
        for (; result == SIP_MESSAGE; messages++) {
            result = sip_next(&f);
            if (result == SIP_MESSAGE) look(&f);
        }
        MUST(result == SIP_NOTHING && messages <= octets);
    }
    sip_free(&f);
    return 0;
}
