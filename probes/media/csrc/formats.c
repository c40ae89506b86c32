#include "formats.h"

#include <stdlib.h>

#include "audio.h"

/* RFC 3551 section 6, tables 4 and 5. G.722's clock is 8000 by section 4.5.2. */
static payload_format static_format(uint8_t payload_type) {
    static const uint16_t eight_khz[] = {0, 3, 4, 5, 7, 8, 9, 12, 15, 18};
    payload_format f = {payload_type, KIND_UNKNOWN, AUDIO_NONE, 0};
    for (size_t i = 0; i < sizeof eight_khz / sizeof eight_khz[0]; i++)
        if (eight_khz[i] == payload_type) f.clock_rate = 8000;
    switch (payload_type) {
    case 13: case 19: f.clock_rate = 8000; f.kind = KIND_COMFORT_NOISE; return f;
    case 6: f.clock_rate = 16000; break;
    case 16: f.clock_rate = 11025; break;
    case 17: f.clock_rate = 22050; break;
    case 10: case 11: f.clock_rate = 44100; break;
    case 14: case 25: case 26: case 28: case 31: case 32: case 33: case 34: f.clock_rate = 90000; break;
    default: break;
    }
    if (f.clock_rate) f.kind = KIND_MEDIA;
    if (payload_type == 0) f.law = AUDIO_MU;
    if (payload_type == 8) f.law = AUDIO_A;
    return f;
}

static payload_format default_format(const format_table *t, uint8_t payload_type) {
    const payload_format *mapped = &t->mapped[payload_type & 127];
    return mapped->kind == KIND_UNKNOWN ? static_format(payload_type) : *mapped;
}

void formats_map(format_table *t, const payload_format *format) {
    t->mapped[format->payload_type & 127] = *format;
    t->generation++;
}

static uint32_t endpoint_hash(const uint8_t address[16], uint16_t port) {
    uint64_t h = mix(mix(mix(0, word(address)), word(address + 8)), port);
    return (uint32_t)(h >> 32);
}

static uint32_t find_profile(const format_table *t, const uint8_t address[16], uint16_t port) {
    for (uint32_t i = endpoint_hash(address, port);; i++) {
        const endpoint *e = &t->endpoints[i & t->endpoint_mask];
        if (!e->profile) return 0;
        if (e->port == port && !memcmp(e->address, address, 16)) return e->profile;
    }
}

static bool profile_format(const format_table *t, uint32_t number, uint8_t payload_type, payload_format *out) {
    if (!number) return false;
    const profile *p = &t->profiles[number - 1];
    for (size_t i = 0; i < p->count; i++)
        if (t->formats[p->first + i].payload_type == payload_type) {
            *out = t->formats[p->first + i];
            return true;
        }
    return false;
}

void formats_address(uint8_t out[16], const uint8_t *address, uint8_t family) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (family == 6) {
        memcpy(out, address, 16);
    } else {
        memcpy(out, mapped, 12);
        memcpy(out + 12, address, 4);
    }
}

/* A sender uses the numbers that the receiver's SDP gave (RFC 3264 section 5.1); its own SDP where that is silent. */
uint32_t formats_find(const format_table *t, const datagram *d, uint8_t payload_type, payload_format *out) {
    if (t->endpoint_count) {
        uint8_t address[16];
        formats_address(address, d->dst, d->family);
        uint32_t number = find_profile(t, address, d->dst_port);
        if (profile_format(t, number, payload_type, out)) return number;
        formats_address(address, d->src, d->family);
        number = find_profile(t, address, d->src_port);
        if (profile_format(t, number, payload_type, out)) return number;
    }
    *out = default_format(t, payload_type);
    return 0;
}

uint32_t formats_clock(const format_table *t, uint32_t number, uint8_t payload_type) {
    payload_format f;
    if (!profile_format(t, number, payload_type, &f)) f = default_format(t, payload_type);
    return f.clock_rate;
}

/* The array with room for `wanted` items, maybe moved; NULL: out of memory, and the array stays. */
static void *grow(void *array, size_t *room, size_t wanted, size_t size) {
    if (wanted <= *room) return array;
    size_t bigger = *room ? *room * 2 : 64;
    while (bigger < wanted) bigger *= 2;
    void *moved = realloc(array, bigger * size);
    if (moved) *room = bigger;
    return moved;
}

static bool grow_endpoints(format_table *t) {
    uint32_t old_size = t->endpoints ? t->endpoint_mask + 1 : 0;
    if (old_size && (t->endpoint_count + 1) * 2 <= old_size) return true;
    uint32_t size = old_size ? old_size * 2 : 64;
    endpoint *table = calloc(size, sizeof *table);
    if (!table) return false;
    for (uint32_t i = 0; i < old_size; i++) {
        if (!t->endpoints[i].profile) continue;
        uint32_t at = endpoint_hash(t->endpoints[i].address, t->endpoints[i].port);
        while (table[at & (size - 1)].profile) at++;
        table[at & (size - 1)] = t->endpoints[i];
    }
    free(t->endpoints);
    t->endpoints = table;
    t->endpoint_mask = size - 1;
    return true;
}

bool formats_assign(format_table *t, const uint8_t address[16], uint16_t port, uint32_t number) {
    if (!number || number > t->profile_count || !grow_endpoints(t)) return false;
    for (uint32_t i = endpoint_hash(address, port);; i++) {
        endpoint *e = &t->endpoints[i & t->endpoint_mask];
        bool same = e->profile && e->port == port && !memcmp(e->address, address, 16);
        if (e->profile && !same) continue;
        if (!e->profile) t->endpoint_count++;
        memcpy(e->address, address, 16);
        e->port = port;
        e->profile = number;
        t->generation++;
        return true;
    }
}

uint32_t formats_announce(format_table *t, const uint8_t address[16], uint16_t port, const payload_format *formats,
                          size_t count) {
    profile *profiles = grow(t->profiles, &t->profile_room, t->profile_count + 1, sizeof *profiles);
    if (!profiles) return 0;
    t->profiles = profiles;
    payload_format *all = grow(t->formats, &t->format_room, t->format_count + count + 1, sizeof *all);
    if (!all) return 0;
    t->formats = all;
    t->profiles[t->profile_count] = (profile){t->format_count, count};
    if (count) memcpy(all + t->format_count, formats, count * sizeof *formats);
    uint32_t number = (uint32_t)++t->profile_count;
    if (!formats_assign(t, address, port, number)) {
        t->profile_count--;
        return 0;
    }
    t->format_count += count;
    return number;
}

void formats_free(format_table *t) {
    free(t->endpoints);
    free(t->profiles);
    free(t->formats);
}
