/* From a captured frame to the UDP datagram in it. */
#ifndef SERENO_FRAME_H
#define SERENO_FRAME_H

#include "kernel.h"

/* What the reader met besides UDP. */
typedef struct {
    uint64_t frames;
    uint64_t not_udp;   /* ARP, TCP, … */
    uint64_t fragments; /* later IP fragments: they have no UDP header */
    uint64_t damaged;   /* too short for their own headers */
} frame_counters;

/* Is this link type (of tcpdump.org/linktypes) read here? */
bool frame_link_known(uint32_t link_type);

/* Fills all of `d` but its time; false: no datagram, and a counter says why. `captured` octets are
 * at hand, maybe fewer than were on the wire. */
bool frame_datagram(uint32_t link_type, const uint8_t *frame, uint32_t captured, datagram *d, frame_counters *c);
bool frame_ip_datagram(const uint8_t *ip, uint32_t captured, datagram *d, frame_counters *c);

#endif
