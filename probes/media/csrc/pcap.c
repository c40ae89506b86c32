#include "pcap.h"

#include <string.h>

static uint32_t swap32(uint32_t v) { return __builtin_bswap32(v); }

static uint32_t load32(const pcap_reader *r, const uint8_t *at) {
    uint32_t v;
    memcpy(&v, at, sizeof v);
    return r->swapped ? swap32(v) : v;
}

pcap_opening pcap_open(pcap_reader *r, const uint8_t *buffer, size_t length) {
    memset(r, 0, sizeof *r);
    if (length < 4) return PCAP_SHORT;
    uint32_t magic;
    memcpy(&magic, buffer, sizeof magic);
    if (buffer[0] == 0x1f && buffer[1] == 0x8b) return PCAP_COMPRESSED;
    if (magic == 0x0a0d0d0a) return PCAP_NG;
    r->swapped = magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1;
    if (r->swapped) magic = swap32(magic);
    if (magic != 0xa1b2c3d4 && magic != 0xa1b23c4d) return PCAP_NOT;
    if (length < PCAP_FILE_HEADER) return PCAP_SHORT;
    r->nanoseconds = magic == 0xa1b23c4d;
    r->link_type = load32(r, buffer + 20) & 0xffff; /* the upper half says how long the FCS is */
    return frame_link_known(r->link_type) ? PCAP_OK : PCAP_LINK;
}

/* A SIP message that may carry SDP: requests and answers that do (RFC 3264, RFC 3311, RFC 3262). RTP never begins with a
 * letter: its first two bits are 10. */
static bool is_sip(const datagram *d) {
    static const char *const starts[] = {"SIP/2.0 ", "INVITE ", "ACK ", "UPDATE ", "PRACK "};
    if (d->captured < 16 || d->payload[0] >= 0x80) return false;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (!memcmp(d->payload, starts[i], strlen(starts[i]))) return true;
    return false;
}

pcap_stop pcap_feed(pcap_reader *r, meter *m, const uint8_t *buffer, size_t length, size_t *offset, size_t budget) {
    datagram batch[METER_BATCH];
    size_t count = 0, at = *offset, end = budget < length - at ? at + budget : length;
    pcap_stop stop = PCAP_BUDGET;
    while (at < end) {
        if (length - at < PCAP_RECORD_HEADER) {
            stop = PCAP_PARTIAL;
            break;
        }
        const uint8_t *record = buffer + at;
        uint32_t captured = load32(r, record + 8);
        if (captured > PCAP_MAX_RECORD) {
            stop = PCAP_DAMAGED;
            break;
        }
        if (captured > length - at - PCAP_RECORD_HEADER) {
            stop = PCAP_PARTIAL;
            break;
        }
        at += PCAP_RECORD_HEADER + captured;
        if (at + 256 < length) __builtin_prefetch(buffer + at + 256);
        datagram *d = &batch[count];
        if (!frame_datagram(r->link_type, record + PCAP_RECORD_HEADER, captured, d, &r->counters)) continue;
        if (is_sip(d)) {
            r->message = d->payload;
            r->message_length = d->captured;
            stop = PCAP_SIP;
            break;
        }
        d->time_ns = (int64_t)load32(r, record) * 1000000000 + (int64_t)load32(r, record + 4) * (r->nanoseconds ? 1 : 1000);
        if (++count == METER_BATCH) {
            if (!meter_feed(m, batch, count)) return PCAP_MEMORY;
            count = 0;
        }
    }
    if (count && !meter_feed(m, batch, count)) return PCAP_MEMORY;
    *offset = at;
    if (stop == PCAP_BUDGET && at >= length) stop = PCAP_END;
    return stop;
}
