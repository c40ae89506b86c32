/* Captures in memory, read record by record into a meter: classic pcap and pcapng, told apart by their first octets.
 *
 * A capture is opened with its first octets at hand and then fed in pieces: what was read may be given away, what is
 * left over (part of a record) comes again at the start of the next piece. */
#ifndef SERENO_CAPTURE_H
#define SERENO_CAPTURE_H

#include "frame.h"
#include "sip.h"

enum {
    CAPTURE_MAX_RECORD = 1 << 20, /* octets of a frame, and of a block that has to be understood */
    CAPTURE_MAX_INTERFACES = 1 << 16,
    CAPTURE_LINK_TYPES = 16, /* so many different ones are remembered */
};

typedef enum { CAPTURE_PCAP, CAPTURE_PCAPNG } capture_format;

typedef enum {
    CAPTURE_OK,
    CAPTURE_SHORT, /* fewer octets than a header: `needed` in all */
    CAPTURE_NOT,
} capture_opening;

typedef enum {
    CAPTURE_BUDGET,  /* the budget is used up: call again */
    CAPTURE_END,     /* the buffer ends with a whole record */
    CAPTURE_PARTIAL, /* the buffer ends inside a record */
    CAPTURE_DAMAGED, /* nothing behind the offset can be trusted; `damage` says why */
    CAPTURE_SIP,     /* a SIP message is at `message`: look at it, then call again */
    CAPTURE_MEMORY,
} capture_stop;

/* Where a frame was captured: what it begins with, and what its time stamp counts. */
typedef struct {
    uint32_t link_type;
    uint32_t snaplen;  /* 0: no limit */
    uint64_t multiply; /* nanoseconds = units * multiply / divide >> shift */
    uint64_t divide;
    uint8_t shift;
    int64_t offset_ns;
    uint64_t plain; /* Ethernet: times below this are units * multiply; 0: not so simple */
} capture_interface;

typedef struct {
    capture_format format;
    bool swapped;            /* the numbers are in the other byte order */
    uint32_t record_header;  /* pcap: octets before a frame */
    uint32_t unit_ns;        /* pcap: what a fraction of a second counts */
    uint32_t link_type;      /* pcap */
    capture_interface *interfaces; /* pcapng: of this section */
    uint32_t interface_count, interface_room;
    uint64_t skip;           /* pcapng: octets of a block that nobody reads, before its trailer */
    uint32_t trailer;        /* pcapng: the total length that is to stand there; 0: no trailer is due */
    uint32_t link_types[CAPTURE_LINK_TYPES];
    uint32_t link_type_count;
    int64_t last_ns;         /* the time of the last frame that had one */
    frame_counters counters;
    uint64_t snapped;        /* frames that were longer than what was kept of them */
    uint64_t untimed;        /* frames without a time stamp (Simple Packet Block): given that of the one before */
    sip_finder sip;
    const uint8_t *message;  /* after CAPTURE_SIP */
    uint32_t message_length;
    const char *damage;      /* after CAPTURE_DAMAGED */
} capture_reader;

/* A frame, as the formats hand it to the loop in capture.c. */
typedef struct {
    const uint8_t *frame;
    uint32_t captured;
    uint32_t link_type;
    int64_t time_ns;
} capture_record;

typedef enum {
    RECORD_FRAME,
    RECORD_OTHER,   /* a block without a frame */
    RECORD_PARTIAL, /* not all of it is at hand; *at stays */
    RECORD_DAMAGED, /* likewise, and `damage` says why */
    RECORD_MEMORY,
} record_kind;

/* *offset: where the first record begins; *needed: octets that a header of this format has. */
capture_opening capture_open(capture_reader *r, const uint8_t *buffer, size_t length, size_t *offset, size_t *needed);

/* Reads records from *offset on until `budget` octets, the end, or a SIP message; *offset is then the next record. */
capture_stop capture_feed(capture_reader *r, meter *m, const uint8_t *buffer, size_t length, size_t *offset, size_t budget);

void capture_close(capture_reader *r);

/* ---- what the formats share ----------------------------------------------------------------------------------------- */

static inline uint32_t capture_load32(const capture_reader *r, const uint8_t *at) {
    uint32_t v;
    memcpy(&v, at, sizeof v);
    return r->swapped ? __builtin_bswap32(v) : v;
}

static inline int64_t capture_clamp(int64_t time_ns) {
    return time_ns > METER_LAST_NS ? METER_LAST_NS : time_ns < -METER_LAST_NS ? -METER_LAST_NS : time_ns;
}

/* Remembers a link type of the capture. */
void capture_note_link(capture_reader *r, uint32_t link_type);

#endif
