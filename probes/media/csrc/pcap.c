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

enum { AHEAD = 256 }; /* octets from the end of a record to what is fetched: the next one's headers, or those after it */

/* A record's header: seconds, fraction, octets that are here, octets there were. */
static inline uint32_t field(const uint8_t *record, size_t index, bool swapped) {
    uint32_t v;
    memcpy(&v, record + 4 * index, sizeof v);
    return swapped ? __builtin_bswap32(v) : v;
}

static inline __attribute__((always_inline)) size_t plain_run(capture_reader *r, const uint8_t **at, const uint8_t *stop,
                                                              const uint8_t *behind, datagram *out, size_t room,
                                                              bool swapped) {
    const uint8_t *record = *at;
    const int64_t unit_ns = r->unit_ns;
    datagram *d = out, *full = out + room;
    uint64_t snapped = 0;
    while (d < full && record < stop) {
        uint32_t captured = field(record, 2, swapped), seconds = field(record, 0, swapped);
        const uint8_t *frame = record + PCAP_RECORD, *next = frame + captured;
        /* From 2038 on, seconds are clamped: by pcap_next. */
        if (captured > (size_t)(behind - frame) || (int32_t)seconds < 0 || !frame_plain(frame, captured, d)) break;
        __builtin_prefetch(next + AHEAD);
        __builtin_prefetch(next + AHEAD + 64);
        d->time_ns = (int64_t)seconds * 1000000000 + (int64_t)field(record, 1, swapped) * unit_ns;
        snapped += captured < field(record, 3, swapped);
        record = next;
        d++;
    }
    *at = record;
    r->snapped += snapped;
    r->counters.frames += (size_t)(d - out);
    return (size_t)(d - out);
}

static __attribute__((noinline)) size_t plain_swapped(capture_reader *r, const uint8_t **at, const uint8_t *stop,
                                                      const uint8_t *behind, datagram *out, size_t room) {
    return plain_run(r, at, stop, behind, out, room, true);
}

static __attribute__((noinline)) size_t plain_native(capture_reader *r, const uint8_t **at, const uint8_t *stop,
                                                     const uint8_t *behind, datagram *out, size_t room) {
    return plain_run(r, at, stop, behind, out, room, false);
}

size_t pcap_plain(capture_reader *r, const uint8_t *buffer, size_t length, size_t *at, size_t end, datagram *out, size_t room) {
    if (length < PCAP_RECORD) return 0;
    const uint8_t *record = buffer + *at, *behind = buffer + length;
    /* No further than where a record's own header is whole. */
    const uint8_t *stop = buffer + (end < length - PCAP_RECORD ? end : length - PCAP_RECORD);
    size_t count = (r->swapped ? plain_swapped : plain_native)(r, &record, stop, behind, out, room);
    *at = (size_t)(record - buffer);
    return count;
}
