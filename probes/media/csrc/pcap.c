#include "pcap.h"

enum {
    MAGIC = 0xa1b2c3d4,
    MAGIC_NANOSECONDS = 0xa1b23c4d,
    MAGIC_KUZNETZOV = 0xa1b2cd34, /* records also hold the interface, protocol and kind: eight octets more */
};

bool pcap_recognise(capture_reader *r, const uint8_t *buffer) {
    r->swapped = false;
    uint32_t magic = capture_load32(r, buffer);
    uint32_t other = __builtin_bswap32(magic);
    r->swapped = other == MAGIC || other == MAGIC_NANOSECONDS || other == MAGIC_KUZNETZOV;
    if (r->swapped) magic = other;
    if (magic != MAGIC && magic != MAGIC_NANOSECONDS && magic != MAGIC_KUZNETZOV) return false;
    r->unit_ns = magic == MAGIC_NANOSECONDS ? 1 : 1000;
    r->record_header = magic == MAGIC_KUZNETZOV ? PCAP_RECORD + 8 : PCAP_RECORD;
    return true;
}

void pcap_open(capture_reader *r, const uint8_t *buffer) {
    r->link_type = capture_load32(r, buffer + 20) & 0xffff; /* the upper half says how long the FCS is */
    capture_note_link(r, r->link_type);
}
