#include "pcapng.h"

#include <stdlib.h>

/* Block types (section 11.1) */
enum {
    SECTION_HEADER = 0x0a0d0d0a,
    INTERFACE_DESCRIPTION = 1,
    PACKET = 2, /* obsolete */
    SIMPLE_PACKET = 3,
    ENHANCED_PACKET = 6,
};

enum { LINK_ETHERNET = 1 };
enum { BYTE_ORDER_MAGIC = 0x1a2b3c4d };
enum { FRAMING = 12 }; /* type, total length, total length again */
enum { OPTION_END = 0, OPTION_TSRESOL = 9, OPTION_TSOFFSET = 14 };

/* So that products stay in 128 bits and sums in 64: about 73 years either side of the epoch, as METER_LAST_NS. */
#define MOST_SECONDS (METER_LAST_NS / 1000000000)

__extension__ typedef unsigned __int128 wide;

static uint16_t load16(const capture_reader *r, const uint8_t *at) {
    uint16_t v;
    memcpy(&v, at, sizeof v);
    return r->swapped ? __builtin_bswap16(v) : v;
}

static uint64_t load64(const capture_reader *r, const uint8_t *at) {
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return r->swapped ? __builtin_bswap64(v) : v;
}

static record_kind damaged(capture_reader *r, const char *why) {
    r->damage = why;
    return RECORD_DAMAGED;
}

bool pcapng_recognise(capture_reader *r, const uint8_t *buffer) {
    r->swapped = false;
    return capture_load32(r, buffer) == SECTION_HEADER; /* a palindrome: the same in both orders */
}

/* if_tsresol: the power of ten that a unit is, or with the first bit set the power of two. */
static void set_resolution(capture_interface *i, uint8_t resolution) {
    uint8_t power = resolution & 0x7f;
    i->multiply = i->divide = 1;
    i->shift = 0;
    if (resolution & 0x80) {
        i->multiply = 1000000000;
        i->shift = power < 127 ? power : 127;
        return;
    }
    for (; power < 9; power++) i->multiply *= 10;
    for (; power > 9 && i->divide < UINT64_MAX / 10; power--) i->divide *= 10; /* finer: all stamps are 0 */
}

static int64_t time_of(const capture_interface *i, uint64_t units) {
    wide ns = (wide)units * i->multiply / i->divide >> i->shift;
    int64_t since = ns > (wide)METER_LAST_NS ? METER_LAST_NS : (int64_t)ns;
    return capture_clamp(since + i->offset_ns); /* both within 2^61 */
}

static void read_options(const capture_reader *r, capture_interface *i, const uint8_t *at, uint32_t length) {
    while (length >= 4) {
        uint16_t code = load16(r, at), size = load16(r, at + 2);
        uint32_t padded = ((uint32_t)size + 3) & ~3u;
        at += 4;
        length -= 4;
        if (code == OPTION_END || size > length) return;
        if (code == OPTION_TSRESOL && size == 1) set_resolution(i, at[0]);
        if (code == OPTION_TSOFFSET && size == 8) {
            int64_t seconds = (int64_t)load64(r, at);
            if (seconds > MOST_SECONDS) seconds = MOST_SECONDS;
            if (seconds < -MOST_SECONDS) seconds = -MOST_SECONDS;
            i->offset_ns = seconds * 1000000000;
        }
        if (padded > length) return;
        at += padded;
        length -= padded;
    }
}

static record_kind take_interface(capture_reader *r, const uint8_t *body, uint32_t length) {
    if (length < 8) return damaged(r, "an interface description there is too short");
    if (r->interface_count == CAPTURE_MAX_INTERFACES) return damaged(r, "more interfaces than anybody has begin there");
    if (r->interface_count == r->interface_room) {
        uint32_t room = r->interface_room ? r->interface_room * 2 : 8;
        capture_interface *more = realloc(r->interfaces, room * sizeof *more);
        if (!more) return RECORD_MEMORY;
        r->interfaces = more;
        r->interface_room = room;
    }
    capture_interface *i = &r->interfaces[r->interface_count++];
    *i = (capture_interface){.link_type = load16(r, body), .snaplen = capture_load32(r, body + 4)};
    set_resolution(i, 6); /* microseconds, where nothing else is said */
    read_options(r, i, body + 8, length - 8);
    if (i->link_type == LINK_ETHERNET && i->divide == 1 && !i->shift && !i->offset_ns)
        i->plain = (uint64_t)METER_LAST_NS / i->multiply;
    capture_note_link(r, i->link_type);
    return RECORD_OTHER;
}

/* A new section: its byte order is its own, and it knows no interface yet. Its length is not needed: blocks tell theirs. */
static record_kind take_section(capture_reader *r, const uint8_t *body, uint32_t length) {
    if (length < 16) return damaged(r, "a section header there is too short");
    if (load16(r, body + 4) != 1) return damaged(r, "a section there is of another major version than 1");
    r->interface_count = 0;
    return RECORD_OTHER;
}

/* The byte order that a section header tells of itself; false: neither. */
static bool order_of_section(capture_reader *r, const uint8_t *magic) {
    r->swapped = false;
    if (capture_load32(r, magic) == BYTE_ORDER_MAGIC) return true;
    r->swapped = true;
    return capture_load32(r, magic) == BYTE_ORDER_MAGIC;
}

/* `header`: octets of the body before the frame. */
static record_kind frame_of(capture_reader *r, const capture_interface *i, const uint8_t *body, uint32_t length,
                            uint32_t header, uint32_t captured, uint32_t original, capture_record *out) {
    if (captured > length - header) return damaged(r, "a packet there is longer than its block");
    out->frame = body + header;
    out->captured = captured;
    out->link_type = i->link_type;
    r->snapped += captured < original;
    return RECORD_FRAME;
}

/* Enhanced packet, and the obsolete packet, whose first word is halved: interface and drops. */
static record_kind take_packet(capture_reader *r, const uint8_t *body, uint32_t length, uint32_t number,
                               capture_record *out) {
    if (length < 20) return damaged(r, "a packet there is shorter than its own header");
    if (number >= r->interface_count) return damaged(r, "a packet there is of an interface that was not described");
    const capture_interface *i = &r->interfaces[number];
    uint64_t units = (uint64_t)capture_load32(r, body + 4) << 32 | capture_load32(r, body + 8);
    out->time_ns = r->last_ns = time_of(i, units);
    return frame_of(r, i, body, length, 20, capture_load32(r, body + 12), capture_load32(r, body + 16), out);
}

static record_kind take_simple_packet(capture_reader *r, const uint8_t *body, uint32_t length, capture_record *out) {
    if (length < 4) return damaged(r, "a packet there is shorter than its own header");
    if (!r->interface_count) return damaged(r, "a packet there is of an interface that was not described");
    const capture_interface *i = &r->interfaces[0];
    uint32_t original = capture_load32(r, body), captured = original;
    if (i->snaplen && captured > i->snaplen) captured = i->snaplen;
    if (captured > length - 4) captured = length - 4; /* some writers set no snaplen and cut all the same */
    out->time_ns = r->last_ns;
    r->untimed++;
    return frame_of(r, i, body, length, 4, captured, original, out);
}

record_kind pcapng_skip(capture_reader *r, const uint8_t *buffer, size_t length, size_t *at) {
    size_t rest = length - *at, over = r->skip < rest ? (size_t)r->skip : rest;
    *at += over;
    r->skip -= over;
    if (r->skip || length - *at < 4) return RECORD_PARTIAL;
    if (capture_load32(r, buffer + *at) != r->trailer) return damaged(r, "the two lengths of the block that ends there differ");
    *at += 4;
    r->trailer = 0;
    return RECORD_OTHER;
}

record_kind pcapng_next(capture_reader *r, const uint8_t *buffer, size_t length, size_t *at, capture_record *out) {
    const uint8_t *block = buffer + *at;
    size_t rest = length - *at;
    if (rest < 8) return RECORD_PARTIAL;
    uint32_t type = capture_load32(r, block);
    bool section = type == SECTION_HEADER;
    if (section) {
        if (rest < 12) return RECORD_PARTIAL;
        if (!order_of_section(r, block + 8)) return damaged(r, "a section header there has no byte order");
    }
    uint32_t total = capture_load32(r, block + 4), body = total - FRAMING;
    if (total < FRAMING || total % 4) return damaged(r, "a block there claims an impossible length");
    bool read = section || type == INTERFACE_DESCRIPTION || type == PACKET || type == SIMPLE_PACKET || type == ENHANCED_PACKET;
    if (!read) {
        *at += 8;
        r->skip = body;
        r->trailer = total;
        return pcapng_skip(r, buffer, length, at);
    }
    if (total > CAPTURE_MAX_RECORD) return damaged(r, "a block there claims an impossible length");
    if (total > rest) return RECORD_PARTIAL;
    if (capture_load32(r, block + total - 4) != total) return damaged(r, "the two lengths of the block there differ");
    record_kind kind;
    switch (type) {
    case ENHANCED_PACKET:
        kind = take_packet(r, block + 8, body, body < 4 ? 0 : capture_load32(r, block + 8), out);
        break;
    case PACKET: kind = take_packet(r, block + 8, body, body < 4 ? 0 : load16(r, block + 8), out); break;
    case SIMPLE_PACKET: kind = take_simple_packet(r, block + 8, body, out); break;
    case INTERFACE_DESCRIPTION: kind = take_interface(r, block + 8, body); break;
    default: kind = take_section(r, block + 8, body); break;
    }
    if (kind != RECORD_DAMAGED && kind != RECORD_MEMORY) *at += total;
    return kind;
}

/* ---- most of a capture ---------------------------------------------------------------------------------------------- */

enum { PACKET_HEADER = 28, LEAST_PACKET = PACKET_HEADER + 4, AHEAD = 256 };

static inline uint32_t number_at(const uint8_t *at, bool swapped) {
    uint32_t v;
    memcpy(&v, at, sizeof v);
    return swapped ? __builtin_bswap32(v) : v;
}

static inline __attribute__((always_inline)) size_t plain_run(capture_reader *r, const uint8_t **at, const uint8_t *stop,
                                                              const uint8_t *behind, datagram *out, size_t room,
                                                              bool swapped) {
    const uint8_t *block = *at;
    const capture_interface *interfaces = r->interfaces;
    const uint32_t interface_count = r->interface_count;
    datagram *d = out, *full = out + room;
    uint64_t snapped = 0;
    while (d < full && block < stop) {
        uint32_t total = number_at(block + 4, swapped), number = number_at(block + 8, swapped);
        uint32_t captured = number_at(block + 20, swapped);
        if (number_at(block, swapped) != ENHANCED_PACKET || number >= interface_count) break;
        if (total < LEAST_PACKET || total > CAPTURE_MAX_RECORD || total % 4 || total > (size_t)(behind - block)) break;
        if (captured > total - LEAST_PACKET || number_at(block + total - 4, swapped) != total) break;
        const capture_interface *i = &interfaces[number];
        uint64_t units = (uint64_t)number_at(block + 12, swapped) << 32 | number_at(block + 16, swapped);
        if (units >= i->plain || !frame_plain(block + PACKET_HEADER, captured, d)) break;
        snapped += captured < number_at(block + 24, swapped);
        block += total;
        __builtin_prefetch(block + AHEAD);
        __builtin_prefetch(block + AHEAD + 64);
        d->time_ns = (int64_t)(units * i->multiply);
        d++;
    }
    if (d > out) r->last_ns = d[-1].time_ns;
    *at = block;
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

size_t pcapng_plain(capture_reader *r, const uint8_t *buffer, size_t length, size_t *at, size_t end, datagram *out,
                    size_t room) {
    if (length < LEAST_PACKET) return 0;
    const uint8_t *block = buffer + *at, *behind = buffer + length;
    const uint8_t *stop = buffer + (end < length - LEAST_PACKET ? end : length - LEAST_PACKET + 1);
    size_t count = (r->swapped ? plain_swapped : plain_native)(r, &block, stop, behind, out, room);
    *at = (size_t)(block - buffer);
    return count;
}
