#include "rtcp_packet.h"

#include <stddef.h>

enum { VERSION = 2, HEADER = 4, REPORT_BLOCK = 24 };

/* Is there a header with a plausible type? RFC 5761 section 4: RTCP types are 192 to 223. */
static bool is_header(const uint8_t *at) { return at[0] >> 6 == VERSION && at[1] >= 192 && at[1] <= 223; }

static uint32_t size_of(const uint8_t *at) { return HEADER * (rtcp_u16(at + 2) + 1); }

/* RFC 3550 section 6.4: padding is a multiple of four octets, its count is the last of them, and only the last packet
 * of a compound has it. */
static bool without_padding(rtcp_packet *p) {
    if (!(p->at[0] & 0x20)) return true;
    uint32_t padding = p->at[p->length - 1];
    if (!padding || padding % 4 || padding > p->length - HEADER) return false;
    p->length -= padding;
    return true;
}

/* RFC 3550 section 6.6: SSRCs, then perhaps a counted reason. */
static bool bye_is_sound(const rtcp_packet *p) {
    uint32_t at = HEADER + 4u * p->count;
    return at == p->length || (at < p->length && at + 1 + p->at[at] <= p->length);
}

static bool xr_is_sound(const rtcp_packet *p) {
    static const uint8_t words[] = {[XR_REFERENCE_TIME] = 2, [XR_STATISTICS] = 9, [XR_VOIP] = 8};
    uint32_t at = 8;
    while (at < p->length) {
        if (p->length - at < HEADER || p->length - at < size_of(p->at + at)) return false;
        uint8_t type = p->at[at];
        uint32_t count = rtcp_u16(p->at + at + 2);
        if (type == XR_DLRR ? count % 3 != 0 : type < sizeof words && words[type] && count != words[type]) return false;
        at += size_of(p->at + at);
    }
    return at == p->length;
}

static bool is_sound(const rtcp_packet *p) {
    switch (p->type) {
        case RTCP_SR: return p->length >= 28 + REPORT_BLOCK * (uint32_t)p->count;
        case RTCP_RR: return p->length >= 8 + REPORT_BLOCK * (uint32_t)p->count;
        case RTCP_BYE: return bye_is_sound(p);
        case RTCP_APP: case RTCP_RTPFB: case RTCP_PSFB: return p->length >= 12;
        case RTCP_XR: return p->length >= 8 && xr_is_sound(p);
        default: return true; /* SDES, which is private, and what other specifications define: skipped by length */
    }
}

bool rtcp_next(const uint8_t *octets, uint32_t readable, uint32_t *at, rtcp_packet *packet) {
    if (readable - *at < HEADER) return false;
    const uint8_t *p = octets + *at;
    *packet = (rtcp_packet){p[1], p[0] & 0x1f, p, size_of(p)};
    *at += packet->length;
    return without_padding(packet);
}

bool rtcp_next_block(const rtcp_packet *xr, uint32_t *at, rtcp_packet *block) {
    if (xr->length - *at < HEADER) return false;
    const uint8_t *p = xr->at + *at;
    *block = (rtcp_packet){p[0], p[1], p, size_of(p)};
    *at += block->length;
    return true;
}

/* SRTCP ends with a word of the E flag and a packet index, an optional MKI and a tag (RFC 3711 section 3.4); with GCM the
 * word comes after the tag (RFC 7714 section 9). The flag and an index still small are the trace looked for: the octets
 * before are as good as random. `plain_end` is where sound packets end: at the trailer when only authentication is used. */
static bool has_srtcp_trailer(const uint8_t *octets, uint32_t length, uint32_t plain_end) {
    static const uint8_t trailers[] = {14, 18, 8, 4}; /* 80-bit tag, with a 4-octet MKI; 32-bit tag; GCM */
    for (size_t i = 0; i < sizeof trailers; i++) {
        if (length < 8u + trailers[i]) continue;
        uint32_t index = rtcp_u32(octets + length - trailers[i]);
        bool encrypted = index >> 31;
        index &= 0x7fffffff;
        if (index < 1u << 24 && (encrypted || (plain_end == length - trailers[i] && trailers[i] > 4))) return true;
    }
    return false;
}

typedef enum { WALK_END, WALK_CUT, WALK_BAD } walk_stop;

/* Packet after packet until the end, the end of what was captured, or nonsense. *end is where that is; when octets are
 * missing, a packet counts only once the header after it was seen too (SRTCP shows itself there). */
static walk_stop walk(const uint8_t *octets, uint32_t captured, uint32_t length, uint32_t *end) {
    uint32_t at = 0, before = 0;
    while (at < length) {
        uint32_t have = captured - at;
        if (have < HEADER) {
            *end = before;
            return captured < length ? WALK_CUT : WALK_BAD;
        }
        uint32_t size = size_of(octets + at);
        *end = at;
        if (!is_header(octets + at) || size > length - at) return WALK_BAD;
        if (size > have) return WALK_CUT;
        rtcp_packet p = {octets[at + 1], octets[at] & 0x1f, octets + at, size};
        if (p.at[0] & 0x20 && at + size < length) return WALK_BAD;
        if (!without_padding(&p) || !is_sound(&p)) return WALK_BAD;
        before = at;
        at += size;
    }
    *end = at;
    return WALK_END;
}

rtcp_verdict rtcp_judge(const uint8_t *octets, uint32_t captured, uint32_t length, uint32_t *readable) {
    uint32_t end = 0;
    *readable = 0;
    if (captured > length) captured = length;
    if (captured < 8) return captured < length ? RTCP_SNAPPED : RTCP_DAMAGED;
    if (!is_header(octets) || size_of(octets) < 8 || size_of(octets) > length) return RTCP_DAMAGED;
    walk_stop stop = walk(octets, captured, length, &end);
    if (captured < length) {
        /* RTCP fills whole words; SRTCP with the usual 80-bit tag does not. */
        if (length % 4 == 2) return RTCP_ENCRYPTED;
        if (stop == WALK_BAD || length % 4) return RTCP_DAMAGED;
        *readable = end;
        return RTCP_SNAPPED;
    }
    if (stop == WALK_END) {
        *readable = end;
        return RTCP_WHOLE;
    }
    return has_srtcp_trailer(octets, length, end) ? RTCP_ENCRYPTED : RTCP_DAMAGED;
}

bool rtcp_is_text(const uint8_t *octets, uint32_t length) {
    for (uint32_t i = 0; i < length;) {
        uint8_t first = octets[i++];
        if (first < 0x80) continue;
        uint32_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
        if (first < 0xc2 || first > 0xf4 || more > length - i) return false;
        uint8_t second = octets[i];
        uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        if (second < low || second > high) return false;
        for (uint32_t j = 1; j < more; j++)
            if (octets[i + j] >> 6 != 2) return false;
        i += more;
    }
    return true;
}
