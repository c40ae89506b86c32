#include "capture.h"

#include <stdlib.h>

#include "pcap.h"
#include "pcapng.h"

enum { LINK_ETHERNET = 1 };

void capture_note_link(capture_reader *r, uint32_t link_type) {
    for (uint32_t i = 0; i < r->link_type_count; i++)
        if (r->link_types[i] == link_type) return;
    if (r->link_type_count < CAPTURE_LINK_TYPES) r->link_types[r->link_type_count++] = link_type;
}

capture_opening capture_open(capture_reader *r, const uint8_t *buffer, size_t length, size_t *offset, size_t *needed) {
    memset(r, 0, sizeof *r);
    *offset = 0;
    *needed = 4;
    if (length < 4) return CAPTURE_SHORT;
    if (pcapng_recognise(r, buffer)) {
        r->format = CAPTURE_PCAPNG;
        *needed = PCAPNG_HEADER;
        return length < PCAPNG_HEADER ? CAPTURE_SHORT : CAPTURE_OK; /* the header is the first block */
    }
    if (!pcap_recognise(r, buffer)) return CAPTURE_NOT;
    *needed = PCAP_HEADER;
    if (length < PCAP_HEADER) return CAPTURE_SHORT;
    r->format = CAPTURE_PCAP;
    pcap_open(r, buffer);
    *offset = PCAP_HEADER;
    return CAPTURE_OK;
}

void capture_close(capture_reader *r) {
    free(r->interfaces);
    sip_free(&r->sip);
    memset(r, 0, sizeof *r);
}

static capture_stop found(capture_reader *r, sip_result result) {
    if (result == SIP_MEMORY) return CAPTURE_MEMORY;
    r->message = r->sip.message;
    r->message_length = r->sip.message_length;
    return CAPTURE_SIP;
}

/* A frame that is not plain, into *d. CAPTURE_BUDGET: nothing stops the reading; *fed says if *d is for the meter. */
static __attribute__((noinline)) capture_stop read_frame(capture_reader *r, const capture_record *record, datagram *d,
                                                         bool *fed) {
    frame_part part;
    sip_result result = SIP_NOTHING;
    *fed = false;
    switch (frame_read(record->link_type, record->frame, record->captured, d, &part, &r->counters)) {
    case FRAME_NONE: return CAPTURE_BUDGET;
    case FRAME_TCP: result = sip_segment(&r->sip, d, &part); break;
    case FRAME_FRAGMENT: result = sip_fragment(&r->sip, d, &part); break;
    case FRAME_UDP:
        if (sip_may_begin(d->payload, d->captured)) result = sip_datagram(&r->sip, d, &part);
        else if (part.fragment) sip_refuse(&r->sip, d, &part);
        *fed = result == SIP_NOTHING;
        break;
    }
    return result == SIP_NOTHING ? CAPTURE_BUDGET : found(r, result);
}

static inline record_kind next_record(capture_reader *r, const uint8_t *buffer, size_t length, size_t *at,
                                      capture_record *out) {
    return r->format == CAPTURE_PCAP ? pcap_next(r, buffer, length, at, out) : pcapng_next(r, buffer, length, at, out);
}

/* Before the next record: the rest of a block to be passed over, or a second message in what held the last one. */
static capture_stop resume(capture_reader *r, const uint8_t *buffer, size_t length, size_t *at) {
    r->message = NULL;
    sip_result result = sip_next(&r->sip);
    if (result != SIP_NOTHING) return found(r, result);
    if (!r->trailer) return CAPTURE_BUDGET;
    switch (pcapng_skip(r, buffer, length, at)) {
    case RECORD_PARTIAL: return CAPTURE_PARTIAL;
    case RECORD_DAMAGED: return CAPTURE_DAMAGED;
    default: return CAPTURE_BUDGET;
    }
}

/* One record of whatever kind; *fed: there is a datagram in *d. */
static __attribute__((noinline)) capture_stop any_record(capture_reader *r, const uint8_t *buffer, size_t length, size_t *at,
                                                         datagram *d, bool *fed) {
    capture_record record;
    *fed = false;
    switch (next_record(r, buffer, length, at, &record)) {
    case RECORD_FRAME: break;
    case RECORD_OTHER: return CAPTURE_BUDGET;
    case RECORD_PARTIAL: return CAPTURE_PARTIAL;
    case RECORD_DAMAGED: return CAPTURE_DAMAGED;
    default: return CAPTURE_MEMORY;
    }
    d->time_ns = record.time_ns;
    if (record.link_type == LINK_ETHERNET && frame_plain(record.frame, record.captured, d)) {
        r->counters.frames++;
        *fed = true;
        return CAPTURE_BUDGET;
    }
    return read_frame(r, &record, d, fed);
}

capture_stop capture_feed(capture_reader *r, meter *m, const uint8_t *buffer, size_t length, size_t *offset, size_t budget) {
    datagram batch[METER_BATCH];
    size_t count = 0, at = *offset, end = budget < length - at ? at + budget : length;
    bool pcap = r->format == CAPTURE_PCAP, plain = !pcap || (r->link_type == LINK_ETHERNET && r->record_header == PCAP_RECORD);
    capture_stop stop = resume(r, buffer, length, &at);
    while (stop == CAPTURE_BUDGET && at < end) {
        if (plain)
            count += (pcap ? pcap_plain : pcapng_plain)(r, buffer, length, &at, end, batch + count, METER_BATCH - count);
        if (count < METER_BATCH && at < end) {
            bool fed;
            stop = any_record(r, buffer, length, &at, &batch[count], &fed);
            count += fed;
        }
        if (count == METER_BATCH) {
            if (!meter_feed(m, batch, count)) return CAPTURE_MEMORY;
            count = 0;
        }
    }
    if (count && !meter_feed(m, batch, count)) return CAPTURE_MEMORY;
    *offset = at;
    if (stop == CAPTURE_BUDGET && at >= length) stop = CAPTURE_END;
    return stop;
}
