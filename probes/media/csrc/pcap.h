/* Classic pcap: a header, then records (pcap-savefile(5)). */
#ifndef SERENO_PCAP_H
#define SERENO_PCAP_H

#include "capture.h"

enum { PCAP_HEADER = 24, PCAP_RECORD = 16 };

/* Is this classic pcap? `length` is 4 or more; the rest of the header may be missing. */
bool pcap_recognise(capture_reader *r, const uint8_t *buffer);
/* Takes the header, which is at hand. */
void pcap_open(capture_reader *r, const uint8_t *buffer);

static inline record_kind pcap_next(capture_reader *r, const uint8_t *buffer, size_t length, size_t *at,
                                    capture_record *out) {
    const uint8_t *record = buffer + *at;
    size_t rest = length - *at;
    if (rest < r->record_header) return RECORD_PARTIAL;
    uint32_t captured = capture_load32(r, record + 8);
    if (captured > CAPTURE_MAX_RECORD) {
        r->damage = "a record there claims an impossible length";
        return RECORD_DAMAGED;
    }
    if (captured > rest - r->record_header) return RECORD_PARTIAL;
    *at += r->record_header + captured;
    out->frame = record + r->record_header;
    out->captured = captured;
    out->link_type = r->link_type;
    out->time_ns = capture_clamp((int64_t)capture_load32(r, record) * 1000000000 +
                                 (int64_t)capture_load32(r, record + 4) * r->unit_ns);
    r->snapped += captured < capture_load32(r, record + 12);
    return RECORD_FRAME;
}

/* Plain frames of one Ethernet file, one behind the other from *at on, `room` at most; stops at the first record that is
 * anything else, or that begins at `end` or later. How many there are of them in `out`. */
size_t pcap_plain(capture_reader *r, const uint8_t *buffer, size_t length, size_t *at, size_t end, datagram *out, size_t room);

#endif
