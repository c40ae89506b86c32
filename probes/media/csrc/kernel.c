#include "kernel.h"

#include <stdlib.h>
#include <string.h>

#include "rtcp.h"
#include "stream.h"

#define NO_STREAM UINT32_MAX

typedef struct {
    uint32_t hash;
    uint32_t index; /* NO_STREAM: free */
} slot;

struct meter {
    stream *streams;
    uint32_t capacity, next, live, max_streams, serial;
    uint32_t *free_list;
    uint32_t free_count;
    slot *slots;
    uint32_t slot_mask;
    format_table formats;
    meter_counters counters;
    struct rtcp_table *rtcp;
};

/* ---- the table of streams ------------------------------------------------------------------------------------------ */

static uint32_t key_hash(const stream_key *k) {
    uint64_t h = mix(mix(0, word(k->src)), word(k->src + 8));
    h = mix(mix(h, word(k->dst)), word(k->dst + 8));
    h = mix(h, (uint64_t)k->ssrc << 32 | (uint32_t)k->src_port << 16 | k->dst_port);
    return (uint32_t)(h >> 32);
}

static bool same_key(const stream_key *a, const stream_key *b) { return !memcmp(a, b, sizeof *a); }

static bool rehash(meter *m, uint32_t size) {
    slot *table = malloc((size_t)size * sizeof *table);
    if (!table) return false;
    for (uint32_t i = 0; i < size; i++) table[i].index = NO_STREAM;
    uint32_t old_size = m->slots ? m->slot_mask + 1 : 0;
    for (uint32_t i = 0; i < old_size; i++) {
        if (m->slots[i].index == NO_STREAM) continue;
        uint32_t at = m->slots[i].hash;
        while (table[at & (size - 1)].index != NO_STREAM) at++;
        table[at & (size - 1)] = m->slots[i];
    }
    free(m->slots);
    m->slots = table;
    m->slot_mask = size - 1;
    return true;
}

/* Room for `more` new streams, made before a batch so that nothing moves inside it. */
static bool reserve(meter *m, uint32_t more) {
    uint64_t wanted = (uint64_t)m->next + more;
    if (wanted > m->capacity && m->capacity < m->max_streams) {
        uint64_t capacity = (uint64_t)m->capacity * 2;
        if (capacity > m->max_streams) capacity = m->max_streams;
        stream *streams = realloc(m->streams, capacity * sizeof *streams);
        if (!streams) return false;
        m->streams = streams;
        uint32_t *list = realloc(m->free_list, capacity * sizeof *list);
        if (!list) return false;
        m->free_list = list;
        m->capacity = (uint32_t)capacity;
    }
    uint32_t size = m->slot_mask + 1;
    return (uint64_t)(m->live + more) * 2 <= size || rehash(m, size * 2);
}

static uint32_t find_slot(const meter *m, uint32_t hash, const stream_key *key) {
    for (uint32_t i = hash;; i++) {
        const slot *s = &m->slots[i & m->slot_mask];
        if (s->index == NO_STREAM || (s->hash == hash && same_key(&m->streams[s->index].key, key))) return i & m->slot_mask;
    }
}

static uint32_t stream_of(meter *m, uint32_t hash, const stream_key *key) {
    slot *at = &m->slots[find_slot(m, hash, key)];
    if (at->index != NO_STREAM) return at->index;
    uint32_t index;
    if (m->free_count) index = m->free_list[--m->free_count];
    else if (m->next < m->capacity) index = m->next++;
    else return NO_STREAM;
    stream *s = &m->streams[index];
    s->key = *key;
    s->serial = ++m->serial;
    s->packets = 0;
    s->used = true;
    s->valid = false;
    m->live++;
    *at = (slot){hash, index};
    return index;
}

static void drop(meter *m, uint32_t index) {
    stream *s = &m->streams[index];
    uint32_t hole = find_slot(m, key_hash(&s->key), &s->key);
    m->slots[hole].index = NO_STREAM;
    /* Move back what probed past the hole, so that lookups need no tombstones. */
    for (uint32_t i = (hole + 1) & m->slot_mask; m->slots[i].index != NO_STREAM; i = (i + 1) & m->slot_mask) {
        uint32_t home = m->slots[i].hash & m->slot_mask;
        if (((i - home) & m->slot_mask) < ((i - hole) & m->slot_mask)) continue;
        m->slots[hole] = m->slots[i];
        m->slots[i].index = NO_STREAM;
        hole = i;
    }
    s->used = false;
    s->valid = false;
    m->live--;
    m->free_list[m->free_count++] = index;
}

static uint32_t be32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void address_of(uint8_t out[16], const uint8_t *address, uint8_t family) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (family == 6) {
        memcpy(out, address, 16);
    } else {
        memcpy(out, mapped, 12);
        memcpy(out + 12, address, 4);
    }
}

static void key_of(const datagram *d, stream_key *key) {
    address_of(key->src, d->src, d->family);
    address_of(key->dst, d->dst, d->family);
    key->src_port = d->src_port;
    key->dst_port = d->dst_port;
}

/* RFC 3550 section 5.1; RTCP by RFC 5761 section 4 (types 192-223 in the second octet, and 72-76 with any marker). */
static bool parse(meter *m, const datagram *d, rtp_header *p, stream_key *key) {
    if (d->captured < 2 || d->payload[0] >> 6 != 2) {
        m->counters.other++;
        return false;
    }
    uint8_t second = d->payload[1], masked = second & 0x7f;
    if ((second >= 192 && second <= 223) || (masked >= 72 && masked <= 76)) {
        m->counters.rtcp++;
        if (m->rtcp) rtcp_take(m->rtcp, d);
        return false;
    }
    uint32_t header = 12 + 4 * (uint32_t)(d->payload[0] & 0x0f);
    if (d->captured < 12 || d->length < header) {
        m->counters.other++;
        return false;
    }
    p->marker = second >> 7;
    p->payload_type = masked;
    p->sequence = (uint16_t)(d->payload[2] << 8 | d->payload[3]);
    p->timestamp = be32(d->payload + 4);
    key_of(d, key);
    key->ssrc = be32(d->payload + 8);
    return true;
}

bool meter_feed(meter *m, datagram *batch, size_t count) {
    rtp_header p[METER_BATCH];
    stream_key keys[METER_BATCH];
    uint32_t hashes[METER_BATCH];
    bool is_rtp[METER_BATCH];
    if (count > METER_BATCH) count = METER_BATCH;
    if (!reserve(m, (uint32_t)count)) return false;
    for (size_t i = 0; i < count; i++) {
        is_rtp[i] = parse(m, &batch[i], &p[i], &keys[i]);
        if (!is_rtp[i]) continue;
        hashes[i] = key_hash(&keys[i]);
        __builtin_prefetch(&m->slots[hashes[i] & m->slot_mask]);
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_rtp[i]) continue;
        uint32_t index = m->slots[hashes[i] & m->slot_mask].index;
        if (index == NO_STREAM) continue;
        const char *at = (const char *)&m->streams[index];
        for (size_t line = 0; line < 6; line++) __builtin_prefetch(at + 64 * line);
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_rtp[i]) continue;
        uint32_t index = stream_of(m, hashes[i], &keys[i]);
        if (index == NO_STREAM) {
            m->counters.overflow++;
            continue;
        }
        stream_take(&m->streams[index], &m->formats, &batch[i], &p[i]);
        m->counters.rtp++;
    }
    return true;
}

/* ---- out ------------------------------------------------------------------------------------------------------------ */

meter *meter_new(const meter_options *options) {
    meter *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->max_streams = options->max_streams ? options->max_streams : 1;
    m->capacity = m->max_streams < 64 ? m->max_streams : 64;
    m->streams = malloc(m->capacity * sizeof *m->streams);
    m->free_list = malloc(m->capacity * sizeof *m->free_list);
    if (!m->streams || !m->free_list || !rehash(m, 256)) {
        meter_free(m);
        return NULL;
    }
    return m;
}

void meter_free(meter *m) {
    if (!m) return;
    free(m->streams);
    free(m->free_list);
    free(m->slots);
    formats_free(&m->formats);
    free(m);
}

size_t meter_count(const meter *m) {
    size_t count = 0;
    for (uint32_t i = 0; i < m->next; i++) count += m->streams[i].used && m->streams[i].valid;
    return count;
}

size_t meter_rows(const meter *m, uint32_t *cursor, stream_row *rows, size_t room) {
    size_t count = 0;
    uint32_t i = *cursor;
    for (; i < m->next && count < room; i++)
        if (m->streams[i].used && m->streams[i].valid) stream_describe(&m->streams[i], i, &rows[count++]);
    *cursor = i;
    return count;
}

size_t meter_seconds(const meter *m, uint64_t id, second_row *rows, size_t room) {
    (void)m, (void)id, (void)rows, (void)room;
    return 0;
}

void meter_use_rtcp(meter *m, struct rtcp_table *table) { m->rtcp = table; }

bool meter_forget(meter *m, uint64_t id) {
    uint32_t index = (uint32_t)id;
    if (index >= m->next || !m->streams[index].used || m->streams[index].serial != id >> 32) return false;
    drop(m, index);
    return true;
}

size_t meter_sweep(meter *m, int64_t before_ns) {
    size_t count = 0;
    for (uint32_t i = 0; i < m->next; i++)
        if (m->streams[i].used && !m->streams[i].valid && m->streams[i].last_ns < before_ns) {
            drop(m, i);
            count++;
        }
    return count;
}

uint32_t meter_endpoint(meter *m, const uint8_t address[16], uint16_t port, const payload_format *formats, size_t count) {
    return formats_announce(&m->formats, address, port, formats, count);
}

meter_counters meter_counts(const meter *m) { return m->counters; }
