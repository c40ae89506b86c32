/* libFuzzer: any octets as a frame of any link type, or as what the ring hands over: Ethernet, or from the IP header on.
 * The invariants: what is found lies inside the frame; the short way says what the long way says. */
#include <string.h>

#include "frame.h"
#include "fuzz_checks.h"

static bool inside(const uint8_t *at, size_t length, const uint8_t *frame, size_t size) {
    return at >= frame && at <= frame + size && length <= (size_t)(frame + size - at);
}

static void check(const datagram *d, const uint8_t *frame, size_t size) {
    uint32_t address = d->family == 6 ? 16 : 4;
    MUST(d->family == 4 || d->family == 6);
    MUST(inside(d->payload, d->captured, frame, size));
    MUST(inside(d->src, address, frame, size) && inside(d->dst, address, frame, size));
    MUST(d->captured <= d->length && d->length <= 65535 && d->dscp < 64);
}

static void check_alike(const datagram *a, const datagram *b) {
    MUST(a->payload == b->payload && a->captured == b->captured && a->length == b->length && a->dscp == b->dscp);
    MUST(a->src == b->src && a->dst == b->dst && a->src_port == b->src_port && a->dst_port == b->dst_port);
}

static void any_link(uint32_t link_type, const uint8_t *frame, uint32_t size) {
    frame_counters counters = {0};
    datagram d = {0}, plain = {0};
    frame_part part = {0};
    frame_kind kind = frame_read(link_type, frame, size, &d, &part, &counters);
    if (kind != FRAME_NONE) check(&d, frame, size);
    MUST(counters.frames == 1 && counters.damaged + counters.unread <= 1);
    MUST(frame_link_known(link_type) || (kind == FRAME_NONE && counters.unread == 1));
    if (link_type == 1 && frame_plain(frame, size, &plain)) {
        MUST(kind == FRAME_UDP && !part.fragment);
        check_alike(&d, &plain);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    uint32_t link_type = (uint32_t)data[0] << 8 | data[1];
    size -= 2;
    uint8_t *frame = malloc(size ? size : 1); /* of its own, so that an octet beyond it is seen */
    MUST(frame);
    memcpy(frame, data + 2, size);
    any_link(link_type, frame, (uint32_t)size);
    frame_counters counters = {0};
    datagram d = {0};
    if (frame_datagram(1, frame, (uint32_t)size, &d, &counters)) check(&d, frame, size);
    if (frame_ip_datagram(frame, (uint32_t)size, &d, &counters)) check(&d, frame, size);
    free(frame);
    return 0;
}
