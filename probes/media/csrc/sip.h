/* SIP messages that may carry SDP, found in a capture: in a UDP datagram, in fragments of one, in a TCP connection.
 *
 * Put together are only what begins with SIP, a few at a time and none longer than SIP_MAX: whatever else goes by costs a
 * look at its first octets. */
#ifndef SERENO_SIP_H
#define SERENO_SIP_H

#include <string.h>

#include "frame.h"

enum {
    SIP_MAX = 1 << 16,
    SIP_SETS = 32,  /* pieces that wait for others: so many sets, */
    SIP_WAYS = 4,   /* and so many in each; the oldest gives way */
    SIP_RANGES = 8, /* pieces of one message out of order */
    SIP_REFUSED = 64, /* fragmented datagrams known to be something else */
};

typedef enum { SIP_NOTHING, SIP_MESSAGE, SIP_MEMORY } sip_result;

typedef struct {
    uint32_t start, end;
} sip_range;

/* Octets of one sender, as far as they came. */
typedef struct {
    uint8_t src[16], dst[16];
    uint32_t ports; /* or a datagram's identification */
    uint8_t tcp, used;
    uint32_t first; /* TCP: sequence number of data[0] */
    uint32_t whole; /* UDP: octets of the datagram; 0: its first fragment has not come yet */
    uint32_t line;  /* TCP: where the first line begins that was not looked at yet, */
    uint32_t body;  /* and the Content-Length of those before it */
    uint32_t age;
    uint32_t room;
    uint8_t *data;
    uint32_t range_count;
    sip_range ranges[SIP_RANGES]; /* of data that are there: sorted, apart from each other */
} sip_assembly;

typedef struct {
    sip_assembly *table; /* NULL until something is cut in pieces */
    sip_assembly *current; /* where the last message was found */
    uint32_t taken;      /* octets of it that the message had */
    uint32_t clock, count;
    uint32_t refused[SIP_REFUSED]; /* by their hashes: their later fragments are not kept */
    const uint8_t *message; /* after SIP_MESSAGE, until the next call */
    uint32_t message_length;
} sip_finder;

/* A cheap look; RTP never begins with a letter, as its first two bits are 10. */
static inline bool sip_may_begin(const uint8_t *payload, uint32_t captured) {
    return captured >= 16 && (uint8_t)(payload[0] - 'A') < 26;
}

/* A datagram, maybe the first fragment of a longer one. */
sip_result sip_datagram(sip_finder *f, const datagram *d, const frame_part *part);
/* The first fragment of something else. */
void sip_refuse(sip_finder *f, const datagram *d, const frame_part *part);
/* A later fragment, of anything; it may come before the first. */
sip_result sip_fragment(sip_finder *f, const datagram *d, const frame_part *part);
sip_result sip_segment(sip_finder *f, const datagram *d, const frame_part *part);
/* Another message where the last one was. */
sip_result sip_next(sip_finder *f);
void sip_free(sip_finder *f);

#endif
