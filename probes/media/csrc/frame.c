#include "frame.h"

/* tcpdump.org/linktypes */
enum {
    LINK_NULL = 0,
    LINK_ETHERNET = 1,
    LINK_PPP = 9,
    LINK_RAW_BSD = 12,
    LINK_RAW_OPENBSD = 14,
    LINK_PPP_HDLC = 50,
    LINK_PPP_ETHER = 51,
    LINK_RAW = 101,
    LINK_C_HDLC = 104,
    LINK_WLAN = 105,
    LINK_LOOP = 108,
    LINK_LINUX_SLL = 113,
    LINK_WLAN_RADIOTAP = 127,
    LINK_IPV4 = 228,
    LINK_IPV6 = 229,
    LINK_LINUX_SLL2 = 276,
};

enum {
    ETHER_IPV4 = 0x0800,
    ETHER_IPV6 = 0x86DD,
    ETHER_VLAN = 0x8100,
    ETHER_QINQ = 0x88A8,
    ETHER_QINQ_OLD = 0x9100,
    ETHER_MPLS = 0x8847,
    ETHER_MPLS_UPSTREAM = 0x8848,
    ETHER_PPPOE = 0x8864,
    ETHER_LEAST = 0x0600, /* below this it is a length (IEEE 802.3) */
};

enum { PPP_IPV4 = 0x0021, PPP_IPV6 = 0x0057 };

enum {
    PROTOCOL_HOP_BY_HOP = 0,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    PROTOCOL_ROUTING = 43,
    PROTOCOL_FRAGMENT = 44,
    PROTOCOL_AH = 51,
    PROTOCOL_DESTINATION = 60,
    PROTOCOL_MOBILITY = 135,
    PROTOCOL_HIP = 139,
    PROTOCOL_SHIM6 = 140,
};

enum { MOST_EXTENSIONS = 16 };

bool frame_link_known(uint32_t link_type) {
    switch (link_type) {
    case LINK_NULL: case LINK_ETHERNET: case LINK_PPP: case LINK_RAW_BSD: case LINK_RAW_OPENBSD: case LINK_PPP_HDLC:
    case LINK_PPP_ETHER: case LINK_RAW: case LINK_C_HDLC: case LINK_WLAN: case LINK_LOOP: case LINK_LINUX_SLL:
    case LINK_WLAN_RADIOTAP: case LINK_IPV4: case LINK_IPV6: case LINK_LINUX_SLL2: return true;
    default: return false;
    }
}

/* ---- link layer: octets before the IP header; NOT_IP: something else ------------------------------------------------ */

#define NOT_IP UINT32_MAX

static uint32_t behind_ppp(const uint8_t *frame, uint32_t captured, uint32_t at) {
    if (captured < at + 2) return NOT_IP;
    uint16_t protocol = frame_be16(frame + at);
    return protocol == PPP_IPV4 || protocol == PPP_IPV6 ? at + 2 : NOT_IP;
}

/* RFC 3032: four octets a label, the last one marked; behind it the packet tells itself by its version. */
static uint32_t behind_labels(const uint8_t *frame, uint32_t captured, uint32_t at) {
    while (captured > at + 4) {
        at += 4;
        if (frame[at - 2] & 1) return frame[at] >> 4 == 4 || frame[at] >> 4 == 6 ? at : NOT_IP;
    }
    return NOT_IP;
}

/* IEEE 802.2 SNAP: DSAP, SSAP, control, three octets of zero, EtherType. */
static uint32_t behind_snap(const uint8_t *frame, uint32_t captured, uint32_t at) {
    if (captured < at + 8 || frame_be32(frame + at) != 0xaaaa0300 || frame_be16(frame + at + 4)) return NOT_IP;
    uint16_t type = frame_be16(frame + at + 6);
    return type == ETHER_IPV4 || type == ETHER_IPV6 ? at + 8 : NOT_IP;
}

/* `next`: what follows an EtherType of this value; tags, labels and PPPoE (RFC 2516) may come before IP does. */
static uint32_t behind_ethertype(const uint8_t *frame, uint32_t captured, uint16_t type, uint32_t next) {
    while (type == ETHER_VLAN || type == ETHER_QINQ || type == ETHER_QINQ_OLD) {
        next += 4; /* priority and VLAN, and the next EtherType */
        if (captured < next) return NOT_IP;
        type = frame_be16(frame + next - 2);
    }
    if (type == ETHER_IPV4 || type == ETHER_IPV6) return next;
    if (type == ETHER_PPPOE) return behind_ppp(frame, captured, next + 6);
    if (type == ETHER_MPLS || type == ETHER_MPLS_UPSTREAM) return behind_labels(frame, captured, next);
    return type < ETHER_LEAST ? behind_snap(frame, captured, next) : NOT_IP;
}

/* IEEE 802.11 section 9.3.2.1: a data frame that is not encrypted. */
static uint32_t behind_wlan(const uint8_t *frame, uint32_t captured, uint32_t at) {
    enum { TYPE = 0x0c, DATA = 0x08, NO_DATA = 0x40, QOS = 0x80 };       /* first octet */
    enum { BOTH_WAYS = 0x03, PROTECTED = 0x40, HT_CONTROL = 0x80 }; /* second */
    if (captured < at + 2) return NOT_IP;
    uint8_t first = frame[at], second = frame[at + 1];
    if ((first & TYPE) != DATA || first & NO_DATA || second & PROTECTED) return NOT_IP;
    at += 24;
    if ((second & BOTH_WAYS) == BOTH_WAYS) at += 6; /* a fourth address */
    if (first & QOS) at += second & HT_CONTROL ? 6 : 2;
    return behind_snap(frame, captured, at);
}

static uint32_t link_header(uint32_t link_type, const uint8_t *frame, uint32_t captured) {
    uint32_t at;
    switch (link_type) {
    /* A family in the capturing host's order or the network's; the IP header's own version decides. */
    case LINK_NULL: case LINK_LOOP: return captured > 4 ? 4 : NOT_IP;
    case LINK_ETHERNET: at = 12; break;
    case LINK_C_HDLC: at = 2; break; /* address, control; then as Ethernet */
    case LINK_LINUX_SLL: at = 14; break;
    case LINK_LINUX_SLL2: return captured < 20 ? NOT_IP : behind_ethertype(frame, captured, frame_be16(frame), 20);
    case LINK_PPP: case LINK_PPP_HDLC: /* RFC 1662: address and control may be left out */
        at = captured >= 2 && frame_be16(frame) == 0xff03 ? 2 : 0;
        return behind_ppp(frame, captured, at);
    case LINK_WLAN: return behind_wlan(frame, captured, 0);
    case LINK_WLAN_RADIOTAP: /* radiotap.org: version, pad, length in little-endian order */
        return captured < 4 ? NOT_IP : behind_wlan(frame, captured, (uint32_t)frame[3] << 8 | frame[2]);
    case LINK_PPP_ETHER: return behind_ppp(frame, captured, 6); /* RFC 2516 section 4 */
    default: /* raw */ return captured > 0 ? 0 : NOT_IP;
    }
    if (captured < at + 2) return NOT_IP;
    return behind_ethertype(frame, captured, frame_be16(frame + at), at + 2);
}

/* ---- transport ------------------------------------------------------------------------------------------------------ */

/* What an IP header says of what follows it. */
typedef struct {
    const uint8_t *at;
    uint32_t captured; /* octets at hand, without the link's padding */
    uint32_t room;     /* octets that the IP packet has */
    bool sized;        /* is room known? Segmentation offload leaves the length empty */
    uint8_t protocol;
} ip_payload;

static frame_kind damaged(frame_counters *c) {
    c->damaged++;
    return FRAME_NONE;
}

static frame_kind udp(const ip_payload *p, datagram *d, const frame_part *part, frame_counters *c) {
    uint32_t length, captured = p->captured;
    if (captured < 8 || (length = frame_be16(p->at + 4)) < 8) return damaged(c);
    /* Longer than its IP packet is a lie, unless the packet is the first of several fragments. */
    if (p->sized && !part->fragment && length > p->room) length = p->room;
    d->src_port = frame_be16(p->at);
    d->dst_port = frame_be16(p->at + 2);
    d->payload = p->at + 8;
    d->length = length - 8;
    d->captured = (captured < length ? captured : length) - 8;
    return FRAME_UDP;
}

static frame_kind tcp(const ip_payload *p, datagram *d, frame_part *part, frame_counters *c) {
    c->not_udp++;
    uint32_t header;
    if (part->fragment || p->captured < 20 || (header = (uint32_t)(p->at[12] >> 4) * 4) < 20 || p->captured < header ||
        p->room < header)
        return FRAME_NONE;
    d->src_port = frame_be16(p->at);
    d->dst_port = frame_be16(p->at + 2);
    part->number = frame_be32(p->at + 4);
    part->begins = p->at[13] & 2;
    d->payload = p->at + header;
    d->captured = p->captured - header;
    d->length = p->room - header;
    return FRAME_TCP;
}

static frame_kind transport(const ip_payload *p, datagram *d, frame_part *part, frame_counters *c) {
    if (part->fragment) {
        c->fragments++;
        if (part->offset && p->protocol == PROTOCOL_UDP && part->offset >= 8) {
            part->offset -= 8;
            d->payload = p->at;
            d->captured = p->captured;
            d->length = p->room;
            return FRAME_FRAGMENT;
        }
        if (part->offset) return FRAME_NONE;
    }
    if (p->protocol == PROTOCOL_UDP) return udp(p, d, part, c);
    if (p->protocol == PROTOCOL_TCP) return tcp(p, d, part, c);
    c->not_udp++;
    return FRAME_NONE;
}

static frame_kind ipv4(const uint8_t *ip, uint32_t captured, datagram *d, frame_part *part, frame_counters *c) {
    uint32_t header = (uint32_t)(ip[0] & 0x0f) * 4;
    if (captured < 20 || header < 20 || captured < header) return damaged(c);
    uint32_t total = frame_be16(ip + 2), bits = frame_be16(ip + 6);
    ip_payload p = {.at = ip + header, .sized = total != 0, .protocol = ip[9]};
    if (!total) total = captured;
    if (total < header) return damaged(c);
    d->family = 4;
    d->dscp = ip[1] >> 2;
    d->src = ip + 12;
    d->dst = ip + 16;
    p.captured = (captured < total ? captured : total) - header;
    p.room = total - header;
    part->fragment = bits & 0x3fff; /* more fragments, or an offset */
    if (part->fragment) {
        part->number = frame_be16(ip + 4);
        part->offset = (bits & 0x1fff) * 8;
        part->last = !(bits & 0x2000);
    }
    return transport(&p, d, part, c);
}

/* RFC 8200 section 4: passes over the extension headers; false: they are cut off, or have no end. */
static bool skip_extensions(ip_payload *p, frame_part *part) {
    for (int i = 0; i < MOST_EXTENSIONS; i++) {
        uint32_t size;
        switch (p->protocol) {
        case PROTOCOL_HOP_BY_HOP: case PROTOCOL_ROUTING: case PROTOCOL_DESTINATION: case PROTOCOL_MOBILITY:
        case PROTOCOL_HIP: case PROTOCOL_SHIM6: case PROTOCOL_FRAGMENT: case PROTOCOL_AH: break;
        default: return true;
        }
        if (p->captured < 8) return false;
        size = ((uint32_t)p->at[1] + 1) * 8;
        if (p->protocol == PROTOCOL_AH) size = ((uint32_t)p->at[1] + 2) * 4; /* RFC 4302 section 2.2 */
        if (p->protocol == PROTOCOL_FRAGMENT) {
            uint32_t bits = frame_be16(p->at + 2);
            size = 8;
            part->fragment = bits & 0xfff9; /* all zero: an "atomic fragment" (RFC 6946) is whole */
            part->offset = bits & 0xfff8;
            part->last = !(bits & 1);
            part->number = frame_be32(p->at + 4);
        }
        if (p->captured < size || p->room < size) return false;
        p->protocol = p->at[0];
        p->at += size;
        p->captured -= size;
        p->room -= size;
        if (part->fragment && part->offset) return true; /* what follows is a piece of something */
    }
    return false;
}

static frame_kind ipv6(const uint8_t *ip, uint32_t captured, datagram *d, frame_part *part, frame_counters *c) {
    if (captured < 40) return damaged(c);
    uint32_t length = frame_be16(ip + 4);
    ip_payload p = {.at = ip + 40, .captured = captured - 40, .room = length, .sized = length != 0, .protocol = ip[6]};
    if (!length) p.room = p.captured; /* offload, or a jumbogram (RFC 2675) */
    if (p.captured > p.room) p.captured = p.room;
    d->family = 6;
    d->dscp = (uint8_t)((ip[0] << 4 | ip[1] >> 4) & 0xff) >> 2;
    d->src = ip + 8;
    d->dst = ip + 24;
    part->fragment = false;
    if (!skip_extensions(&p, part)) return damaged(c);
    return transport(&p, d, part, c);
}

static frame_kind ip_read(const uint8_t *ip, uint32_t captured, datagram *d, frame_part *part, frame_counters *c) {
    if (captured < 1) return damaged(c);
    switch (ip[0] >> 4) {
    case 4: return ipv4(ip, captured, d, part, c);
    case 6: return ipv6(ip, captured, d, part, c);
    default: c->not_udp++; return FRAME_NONE;
    }
}

frame_kind frame_read(uint32_t link_type, const uint8_t *frame, uint32_t captured, datagram *d, frame_part *part,
                      frame_counters *c) {
    c->frames++;
    if (!frame_link_known(link_type)) {
        c->unread++;
        return FRAME_NONE;
    }
    uint32_t at = link_header(link_type, frame, captured);
    if (at == NOT_IP) {
        c->not_udp++;
        return FRAME_NONE;
    }
    return ip_read(frame + at, captured - at, d, part, c);
}

bool frame_datagram(uint32_t link_type, const uint8_t *frame, uint32_t captured, datagram *d, frame_counters *c) {
    frame_part part;
    return frame_read(link_type, frame, captured, d, &part, c) == FRAME_UDP;
}

bool frame_ip_datagram(const uint8_t *ip, uint32_t captured, datagram *d, frame_counters *c) {
    frame_part part;
    return ip_read(ip, captured, d, &part, c) == FRAME_UDP;
}
