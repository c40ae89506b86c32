/* Classic pcap in memory, read record by record into a meter. */
#ifndef SERENO_PCAP_H
#define SERENO_PCAP_H

#include "frame.h"

typedef enum {
    PCAP_BUDGET,    /* the budget is used up: call again */
    PCAP_END,       /* the buffer ends with a whole record */
    PCAP_PARTIAL,   /* the buffer ends inside a record */
    PCAP_DAMAGED,   /* a record claims an impossible length */
    PCAP_SIP,       /* a SIP message is at `message`: look at it, then call again */
    PCAP_MEMORY,
} pcap_stop;

typedef enum { PCAP_OK, PCAP_SHORT, PCAP_NOT, PCAP_NG, PCAP_COMPRESSED, PCAP_LINK } pcap_opening;

typedef struct {
    bool swapped, nanoseconds;
    uint32_t link_type;
    frame_counters counters;
    const uint8_t *message; /* after PCAP_SIP */
    uint32_t message_length;
} pcap_reader;

enum { PCAP_FILE_HEADER = 24, PCAP_RECORD_HEADER = 16, PCAP_MAX_RECORD = 1 << 20 };

pcap_opening pcap_open(pcap_reader *r, const uint8_t *buffer, size_t length);

/* Reads records from *offset on until `budget` octets, the end, or a SIP message; *offset is then the next record. */
pcap_stop pcap_feed(pcap_reader *r, meter *m, const uint8_t *buffer, size_t length, size_t *offset, size_t budget);

#endif
