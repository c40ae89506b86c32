/* Payload types: what endpoints announced in SDP, and the static table of RFC 3551. */
#ifndef SERENO_FORMATS_H
#define SERENO_FORMATS_H

#include <string.h>

#include "kernel.h"


/* Addresses are 16 octets; IPv4 is mapped (::ffff:a.b.c.d). */
typedef struct {
    uint8_t src[16];
    uint8_t dst[16];
    uint16_t src_port;
    uint16_t dst_port;
    uint32_t ssrc;
} stream_key;

typedef struct {
    uint8_t address[16];
    uint16_t port;
    uint32_t profile; /* 0: free */
} endpoint;

typedef struct {
    size_t first, count; /* in formats */
} profile;

typedef struct {
    endpoint *endpoints;
    uint32_t endpoint_mask, endpoint_count;
    profile *profiles;
    size_t profile_count, profile_room;
    payload_format *formats;
    size_t format_count, format_room;
    uint32_t generation; /* changes with every announcement */
    payload_format mapped[128]; /* what the user named; KIND_UNKNOWN: not this one */
} format_table;

/* As meter_endpoint. */
uint32_t formats_announce(format_table *t, const uint8_t address[16], uint16_t port, const payload_format *formats,
                          size_t count);
/* As meter_endpoint_as. */
bool formats_assign(format_table *t, const uint8_t address[16], uint16_t port, uint32_t profile);
/* As meter_map. */
void formats_map(format_table *t, const payload_format *format);
/* What the payload type of a datagram is; returns the profile that says so, 0: RFC 3551. */
uint32_t formats_find(const format_table *t, const datagram *d, uint8_t payload_type, payload_format *out);
/* The clock of a payload type by that profile; 0: unknown. */
uint32_t formats_clock(const format_table *t, uint32_t profile, uint8_t payload_type);
/* 16 octets of an address of a datagram's family. */
void formats_address(uint8_t out[16], const uint8_t *address, uint8_t family);
void formats_free(format_table *t);

static inline uint64_t mix(uint64_t h, uint64_t v) {
    h = (h ^ v) * 0x9E3779B97F4A7C15u;
    return h ^ (h >> 29);
}

static inline uint64_t word(const uint8_t *at) {
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return v;
}

#endif
