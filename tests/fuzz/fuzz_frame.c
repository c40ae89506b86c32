/* libFuzzer: any octets as a frame of any link type. The invariant: a datagram lies inside its frame. */
#include <string.h>

#include "frame.h"
#include "fuzz_checks.h"

static bool inside(const uint8_t *at, size_t length, const uint8_t *frame, size_t size) {
    return at >= frame && at <= frame + size && length <= (size_t)(frame + size - at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    uint32_t link_type = (uint32_t)data[0] << 8 | data[1];
    if (!frame_link_known(link_type)) return 0;
    size -= 2;
    uint8_t *frame = malloc(size ? size : 1); /* of its own, so that an octet beyond it is seen */
    MUST(frame);
    memcpy(frame, data + 2, size);
    frame_counters counters = {0};
    datagram d = {0};
    if (frame_datagram(link_type, frame, (uint32_t)size, &d, &counters)) {
        uint32_t address = d.family == 6 ? 16 : 4;
        MUST(inside(d.payload, d.captured, frame, size));
        MUST(inside(d.src, address, frame, size) && inside(d.dst, address, frame, size));
        MUST(d.captured <= d.length && d.dscp < 64);
    }
    free(frame);
    return 0;
}
