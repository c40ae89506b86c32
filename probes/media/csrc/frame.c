#include "frame.h"

/* tcpdump.org/linktypes */
enum {
    LINK_NULL = 0,
    LINK_ETHERNET = 1,
    LINK_RAW_BSD = 12,
    LINK_RAW_OPENBSD = 14,
    LINK_RAW = 101,
    LINK_LOOP = 108,
    LINK_LINUX_SLL = 113,
    LINK_IPV4 = 228,
    LINK_IPV6 = 229,
    LINK_LINUX_SLL2 = 276,
};

enum { ETHER_IPV4 = 0x0800, ETHER_IPV6 = 0x86DD, ETHER_VLAN = 0x8100, ETHER_QINQ = 0x88A8, ETHER_QINQ_OLD = 0x9100 };
enum { PROTOCOL_UDP = 17 };

static uint16_t be16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

bool frame_link_known(uint32_t link_type) {
    switch (link_type) {
    case LINK_NULL: case LINK_ETHERNET: case LINK_RAW_BSD: case LINK_RAW_OPENBSD: case LINK_RAW: case LINK_LOOP:
    case LINK_LINUX_SLL: case LINK_IPV4: case LINK_IPV6: case LINK_LINUX_SLL2: return true;
    default: return false;
    }
}

/* Octets before the IP header; 0 with *ip false: not IP. */
static uint32_t link_header(uint32_t link_type, const uint8_t *frame, uint32_t captured, bool *ip) {
    uint32_t at;
    uint16_t type;
    *ip = false;
    switch (link_type) {
    case LINK_NULL:
    case LINK_LOOP:
        /* A family in the capturing host's order or the network's; the IP header's own version decides. */
        *ip = captured > 4;
        return 4;
    case LINK_ETHERNET: at = 12; break;
    case LINK_LINUX_SLL: at = 14; break;
    case LINK_LINUX_SLL2:
        if (captured < 20) return 0;
        type = be16(frame);
        *ip = type == ETHER_IPV4 || type == ETHER_IPV6;
        return 20;
    default: /* raw */ *ip = captured > 0; return 0;
    }
    if (captured < at + 2) return 0;
    type = be16(frame + at);
    while (type == ETHER_VLAN || type == ETHER_QINQ || type == ETHER_QINQ_OLD) {
        at += 4;
        if (captured < at + 2) return 0;
        type = be16(frame + at);
    }
    *ip = type == ETHER_IPV4 || type == ETHER_IPV6;
    return at + 2;
}

static bool udp(const uint8_t *at, uint32_t captured, uint32_t room, datagram *d, frame_counters *c) {
    uint32_t length;
    if (captured < 8 || (length = be16(at + 4)) < 8) {
        c->damaged++;
        return false;
    }
    d->src_port = be16(at);
    d->dst_port = be16(at + 2);
    d->payload = at + 8;
    d->length = length - 8;
    if (captured > length) captured = length; /* Ethernet pads short frames */
    d->captured = captured - 8;
    if (length > room) d->length = d->captured; /* a first fragment: what is here */
    return true;
}

static bool ipv4(const uint8_t *ip, uint32_t captured, datagram *d, frame_counters *c) {
    uint32_t header = (uint32_t)(ip[0] & 0x0f) * 4;
    if (captured < 20 || header < 20 || captured < header) {
        c->damaged++;
        return false;
    }
    if (ip[9] != PROTOCOL_UDP) {
        c->not_udp++;
        return false;
    }
    if (be16(ip + 6) & 0x1fff) {
        c->fragments++;
        return false;
    }
    uint32_t total = be16(ip + 2);
    if (total == 0) total = captured; /* segmentation offload leaves it empty */
    if (total < header) {
        c->damaged++;
        return false;
    }
    d->family = 4;
    d->dscp = ip[1] >> 2;
    d->src = ip + 12;
    d->dst = ip + 16;
    if (captured > total) captured = total;
    return udp(ip + header, captured - header, total - header, d, c);
}

static bool ipv6(const uint8_t *ip, uint32_t captured, datagram *d, frame_counters *c) {
    if (captured < 40) {
        c->damaged++;
        return false;
    }
    if (ip[6] != PROTOCOL_UDP) { /* extension headers are not followed */
        c->not_udp++;
        return false;
    }
    uint32_t length = be16(ip + 4);
    d->family = 6;
    d->dscp = (uint8_t)((ip[0] << 4 | ip[1] >> 4) & 0xff) >> 2;
    d->src = ip + 8;
    d->dst = ip + 24;
    captured -= 40;
    if (captured > length) captured = length;
    return udp(ip + 40, captured, length, d, c);
}

bool frame_ip_datagram(const uint8_t *ip, uint32_t captured, datagram *d, frame_counters *c) {
    if (captured < 1) {
        c->damaged++;
        return false;
    }
    switch (ip[0] >> 4) {
    case 4: return ipv4(ip, captured, d, c);
    case 6: return ipv6(ip, captured, d, c);
    default: c->not_udp++; return false;
    }
}

bool frame_datagram(uint32_t link_type, const uint8_t *frame, uint32_t captured, datagram *d, frame_counters *c) {
    bool ip;
    c->frames++;
    uint32_t at = link_header(link_type, frame, captured, &ip);
    if (!ip) {
        c->not_udp++;
        return false;
    }
    return frame_ip_datagram(frame + at, captured - at, d, c);
}
