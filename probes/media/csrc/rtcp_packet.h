/* RTCP octets: told whole from damaged and encrypted, and walked packet by packet. Pure; nothing is kept. */
#ifndef SERENO_RTCP_PACKET_H
#define SERENO_RTCP_PACKET_H

#include <stdbool.h>
#include <stdint.h>

enum {
    RTCP_SR = 200,
    RTCP_RR = 201,
    RTCP_SDES = 202,
    RTCP_BYE = 203,
    RTCP_APP = 204,
    RTCP_RTPFB = 205,
    RTCP_PSFB = 206,
    RTCP_XR = 207,
    XR_REFERENCE_TIME = 4, /* RFC 3611 section 4 */
    XR_DLRR = 5,
    XR_STATISTICS = 6,
    XR_VOIP = 7,
};

typedef enum {
    RTCP_WHOLE,
    RTCP_SNAPPED,   /* its end was not captured: the packets that are at hand are good */
    RTCP_ENCRYPTED, /* SRTCP (RFC 3711 section 3.4): only the first header and SSRC can be read */
    RTCP_DAMAGED,
} rtcp_verdict;

/* One packet of a compound, or one block of an XR. */
typedef struct {
    uint8_t type;
    uint8_t count; /* of a packet: its RC, SC or subtype; of a block: the type-specific octet */
    const uint8_t *at;
    uint32_t length; /* octets, without padding */
} rtcp_packet;

/* What these octets are; `captured` of `length` are at hand. The first *readable octets hold whole, sound packets. */
rtcp_verdict rtcp_judge(const uint8_t *octets, uint32_t captured, uint32_t length, uint32_t *readable);

/* The next packet from *at on, of octets that were judged; false at their end. */
bool rtcp_next(const uint8_t *octets, uint32_t readable, uint32_t *at, rtcp_packet *packet);
/* The next block of an XR packet; *at is 8 at first. */
bool rtcp_next_block(const rtcp_packet *xr, uint32_t *at, rtcp_packet *block);

/* Is this valid UTF-8 (RFC 3629)? */
bool rtcp_is_text(const uint8_t *octets, uint32_t length);

static inline uint32_t rtcp_u16(const uint8_t *at) { return (uint32_t)at[0] << 8 | at[1]; }
static inline uint32_t rtcp_u32(const uint8_t *at) { return rtcp_u16(at) << 16 | rtcp_u16(at + 2); }
static inline uint64_t rtcp_u64(const uint8_t *at) { return (uint64_t)rtcp_u32(at) << 32 | rtcp_u32(at + 4); }

#endif
