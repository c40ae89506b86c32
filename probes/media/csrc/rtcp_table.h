/* The table behind rtcp.h: entries, and how they are found. Shared by rtcp.c and rtcp_table.c only. */
#ifndef SERENO_RTCP_TABLE_H
#define SERENO_RTCP_TABLE_H

#include "rtcp.h"

enum { RTCP_KEPT_TIMES = 4 /* of the last SRs or reference times of an SSRC: a report names one of the last */ };

/* An SR or XR reference time on its way. */
typedef struct {
    int64_t time_ns;
    uint32_t middle; /* of its NTP timestamp: what LSR and LRR name */
    uint8_t type;    /* RTCP_SR, XR_REFERENCE_TIME; 0: none */
} rtcp_passing;

/* What few entries have. */
typedef struct {
    rtcp_extended extended;
    uint8_t reason[RTCP_REASON], reason_length;
} rtcp_rarity;

typedef struct {
    stream_key key;
    uint32_t hash;
    uint32_t next_time; /* where in `times` the next one goes */
    int64_t first_ns, last_ns;
    rtcp_sender sender;
    rtcp_receiver receiver;
    rtcp_rarity *rare;
    rtcp_passing times[RTCP_KEPT_TIMES];
} rtcp_entry;

struct rtcp_table {
    rtcp_entry *entries;
    uint32_t count, capacity, max;
    uint32_t *slots; /* number of an entry from 1 on; 0: free */
    uint32_t slot_mask;
    rtcp_counters counters;
};

/* Entries of the same SSRC and addresses, one after the other, NULL at the end; *probe is the hash at first. */
rtcp_entry *rtcp_variant(const rtcp_table *t, const stream_key *key, uint32_t hash, uint32_t *probe);
/* The entry of this key, made if there is none; NULL: no room, and counted. */
rtcp_entry *rtcp_entry_of(rtcp_table *t, const stream_key *key, int64_t time_ns);
/* NULL: no memory, and counted. */
rtcp_rarity *rtcp_rarity_of(rtcp_table *t, rtcp_entry *e);

/* RFC 3550 section 11: RTP's port is even and RTCP's the next; RFC 5761: both may share the even one. */
static inline uint16_t rtcp_media_port(uint16_t port) { return port & 0xfffe; }

#endif
