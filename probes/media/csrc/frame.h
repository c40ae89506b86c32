/* From a captured frame to the UDP datagram in it. */
#ifndef SERENO_FRAME_H
#define SERENO_FRAME_H

#include "kernel.h"

/* What the reader met besides UDP. */
typedef struct {
    uint64_t frames;
    uint64_t not_udp;   /* ARP, TCP, … */
    uint64_t fragments; /* IP packets that are fragments; a first one is read as the datagram it begins */
    uint64_t damaged;   /* too short for their own headers */
    uint64_t unread;    /* of link types that are not read */
} frame_counters;

typedef enum {
    FRAME_NONE,     /* a counter says why */
    FRAME_UDP,
    FRAME_TCP,      /* in the datagram: addresses, ports and the segment's octets */
    FRAME_FRAGMENT, /* a later fragment of a UDP datagram: addresses and the fragment's octets */
} frame_kind;

/* What more there is to know of TCP segments and of fragments. */
typedef struct {
    uint32_t number; /* TCP: sequence number; a fragment: identification of its datagram */
    uint32_t offset; /* a fragment: where it lies behind the UDP header */
    bool fragment;   /* FRAME_UDP too: the first one */
    bool last;       /* a fragment: none follows */
    bool begins;     /* TCP: SYN */
} frame_part;

/* Is this link type (of tcpdump.org/linktypes) read here? */
bool frame_link_known(uint32_t link_type);

/* Fills all of `d` but its time. `captured` octets are at hand, maybe fewer than were on the wire. */
frame_kind frame_read(uint32_t link_type, const uint8_t *frame, uint32_t captured, datagram *d, frame_part *part,
                      frame_counters *c);

/* As frame_read, where only UDP is of interest; false: no datagram. The second begins at the IP header. */
bool frame_datagram(uint32_t link_type, const uint8_t *frame, uint32_t captured, datagram *d, frame_counters *c);
bool frame_ip_datagram(const uint8_t *ip, uint32_t captured, datagram *d, frame_counters *c);

static inline uint16_t frame_be16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static inline uint32_t frame_be32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* What nearly all of a capture of RTP is: version 2 (RFC 3550, RTCP too) in a whole UDP header, in an IPv4 packet without
 * options or fragments, in an untagged Ethernet frame. False: anything else, to be given to frame_read. */
static inline bool frame_plain(const uint8_t *frame, uint32_t captured, datagram *d) {
    enum { IP = 14, UDP = IP + 20, PAYLOAD = UDP + 8 };
    if (captured <= PAYLOAD) return false;
    uint32_t total = frame_be16(frame + IP + 2), length = frame_be16(frame + UDP + 4);
    if ((frame_be32(frame + IP - 2) & 0xffffff00u) != 0x08004500u) return false; /* IPv4, five words of header */
    if ((frame_be32(frame + IP + 6) & 0x3fff00ffu) != 17) return false;          /* no fragment, UDP */
    if (length < 8 || length + 20 > total || frame[PAYLOAD] >> 6 != 2) return false;
    uint32_t here = captured - PAYLOAD;
    length -= 8;
    d->payload = frame + PAYLOAD;
    d->length = length;
    d->captured = here < length ? here : length; /* Ethernet pads short frames */
    d->src = frame + IP + 12;
    d->dst = frame + IP + 16;
    d->src_port = frame_be16(frame + UDP);
    d->dst_port = frame_be16(frame + UDP + 2);
    d->family = 4;
    d->dscp = frame[IP + 1] >> 2;
    return true;
}

#endif
