#define _GNU_SOURCE
#include "kernel.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "rtcp.h"
#include "stream.h"

enum {
    CHUNK_OCTETS = 1 << 21, /* a huge page, so that many streams cost few misses of the TLB */
    CHUNK_STREAMS = CHUNK_OCTETS / sizeof(stream),
    CHUNK_BITS = 13,        /* of an index, for the place in its chunk */
    CHUNK_MASK = (1 << CHUNK_BITS) - 1,
    SLOTS_A_STREAM = 4,     /* at least: few streams are then not where their hash says */
};

#define NO_STREAM UINT32_MAX

typedef struct {
    uint32_t hash;
    uint32_t index; /* chunk and place in it; NO_STREAM: free */
} slot;

struct meter {
    stream **chunks;
    uint32_t chunk_count, chunk_room;
    uint32_t made, live, serial; /* streams there is or was one of; those now; ever */
    uint32_t free_count;
    uint32_t *free_list;
    uint32_t free_room;
    slot *slots;
    uint32_t slot_mask;
    stream_tables tables;
    meter_counters counters;
    struct rtcp_table *rtcp;
};

/* ---- the table of streams ------------------------------------------------------------------------------------------ */

_Static_assert(CHUNK_STREAMS <= CHUNK_MASK + 1, "a place in a chunk has CHUNK_BITS");

static inline stream *stream_at(const meter *m, uint32_t index) { return &m->chunks[index >> CHUNK_BITS][index & CHUNK_MASK]; }

/* The index of the stream that was made as number `made`, from 0. */
static inline uint32_t index_of(uint32_t made) {
    return made / CHUNK_STREAMS << CHUNK_BITS | made % CHUNK_STREAMS;
}

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

static bool add_chunk(meter *m) {
    if (m->chunk_count == m->chunk_room) {
        uint32_t room = m->chunk_room ? m->chunk_room * 2 : 8;
        stream **chunks = realloc(m->chunks, room * sizeof *chunks);
        if (!chunks) return false;
        m->chunks = chunks;
        m->chunk_room = room;
    }
    stream *chunk = aligned_alloc(CHUNK_OCTETS, CHUNK_OCTETS);
    if (!chunk) return false;
    /* The first is for the few streams of a small file or of a probe. A refusal costs speed only. */
    if (m->chunk_count) madvise(chunk, CHUNK_OCTETS, MADV_HUGEPAGE);
    m->chunks[m->chunk_count++] = chunk;
    return true;
}

static bool reserve_free_list(meter *m) {
    uint32_t all = m->live + m->free_count;
    if (all <= m->free_room) return true;
    uint32_t room = all < 64 ? 64 : all * 2;
    uint32_t *list = realloc(m->free_list, room * sizeof *list);
    if (!list) return false;
    m->free_list = list;
    m->free_room = room;
    return true;
}

/* Room for `more` new streams, made before a batch so that nothing moves inside it. */
static bool reserve(meter *m, uint32_t more) {
    uint64_t wanted = (uint64_t)m->made + more;
    if (wanted > m->tables.options.max_streams) wanted = m->tables.options.max_streams;
    if (wanted > (uint64_t)m->chunk_count * CHUNK_STREAMS && !add_chunk(m)) return false;
    uint32_t size = m->slot_mask + 1;
    if ((uint64_t)(m->live + more) * SLOTS_A_STREAM > size && !rehash(m, size * 2)) return false;
    return stream_reserve(&m->tables, more);
}

/* ---- finding a stream ------------------------------------------------------------------------------------------------ */

static inline uint64_t key_hash(const packed_key *k) {
    uint64_t h = (k->addresses ^ 0x9E3779B97F4A7C15u) * 0xD6E8FEB86659FD93u;
    h = (h ^ h >> 32 ^ k->rest) * 0xD6E8FEB86659FD93u;
    return h ^ h >> 32;
}

static inline uint32_t address_word(const uint8_t *address, uint8_t family) {
    uint32_t v;
    if (family == 6) {
        uint64_t h = mix(mix(0, word(address)), word(address + 8));
        return (uint32_t)(h >> 32);
    }
    memcpy(&v, address, sizeof v);
    return v;
}

static inline bool same_stream(const meter *m, const stream *s, const packed_key *key, const datagram *d) {
    if ((s->key.addresses ^ key->addresses) | (s->key.rest ^ key->rest)) return false;
    if (d->family != 6) return !(s->state & STATE_IPV6);
    const address_record *a = s->state & STATE_IPV6 ? SIDE_RECORD(&m->tables, s, address, addresses) : NULL;
    return a && !memcmp(a->src, d->src, 16) && !memcmp(a->dst, d->dst, 16);
}

static uint32_t find_slot(const meter *m, uint32_t hash, const packed_key *key, const datagram *d) {
    for (uint32_t i = hash;; i++) {
        const slot *s = &m->slots[i & m->slot_mask];
        if (s->index == NO_STREAM || (s->hash == hash && same_stream(m, stream_at(m, s->index), key, d)))
            return i & m->slot_mask;
    }
}

static uint32_t stream_of(meter *m, uint32_t hash, const packed_key *key, const datagram *d) {
    slot *at = &m->slots[find_slot(m, hash, key, d)];
    if (at->index != NO_STREAM) return at->index;
    uint32_t index;
    if (m->free_count) index = m->free_list[--m->free_count];
    else if (m->made < m->tables.options.max_streams) index = index_of(m->made++);
    else return NO_STREAM;
    stream *s = stream_at(m, index);
    s->key = *key;
    s->serial = ++m->serial;
    s->packets = 0;
    s->side = 0;
    s->state = 0;
    s->expected = EXPECT_NONE;
    if (d->family == 6) {
        s->state = STATE_IPV6;
        side_record *side = side_of(&m->tables, s);
        side->address = pool_take(&m->tables.addresses);
        address_record *a = pool_at(&m->tables.addresses, side->address);
        memcpy(a->src, d->src, 16);
        memcpy(a->dst, d->dst, 16);
    }
    m->live++;
    *at = (slot){hash, index};
    return index;
}

static uint32_t slot_of_index(const meter *m, uint32_t index) {
    for (uint32_t i = (uint32_t)key_hash(&stream_at(m, index)->key);; i++)
        if (m->slots[i & m->slot_mask].index == index) return i & m->slot_mask;
}

static void drop(meter *m, uint32_t index) {
    stream *s = stream_at(m, index);
    uint32_t hole = slot_of_index(m, index);
    m->slots[hole].index = NO_STREAM;
    /* Move back what probed past the hole, so that lookups need no tombstones. */
    for (uint32_t i = (hole + 1) & m->slot_mask; m->slots[i].index != NO_STREAM; i = (i + 1) & m->slot_mask) {
        uint32_t home = m->slots[i].hash & m->slot_mask;
        if (((i - home) & m->slot_mask) < ((i - hole) & m->slot_mask)) continue;
        m->slots[hole] = m->slots[i];
        m->slots[i].index = NO_STREAM;
        hole = i;
    }
    stream_release(&m->tables, s);
    s->packets = 0; /* free */
    s->state = 0;
    s->expected = EXPECT_NONE;
    m->live--;
    m->free_list[m->free_count++] = index;
}

/* ---- in -------------------------------------------------------------------------------------------------------------- */

static uint32_t be32(const uint8_t *at) {
    uint32_t v;
    memcpy(&v, at, sizeof v);
    return __builtin_bswap32(v);
}

/* One RTP packet of a batch, on its way to its stream. */
typedef struct {
    packed_key key;
    uint64_t hash;
    const datagram *d;
    stream *s; /* the likely one; NULL: to be looked up */
    rtp_header p;
} job;

static RARE void no_rtp(meter *m, const datagram *d) {
    uint8_t second = d->captured >= 2 && d->payload[0] >> 6 == 2 ? d->payload[1] : 0, masked = second & 0x7f;
    bool report = (second >= 192 && second <= 223) || (masked >= 72 && masked <= 76);
    *(report ? &m->counters.rtcp : &m->counters.other) += 1;
    if (report && m->rtcp) rtcp_take(m->rtcp, d);
}

/* RFC 3550 section 5.1. RTCP by RFC 5761 section 4: types 192-223 in the second octet, and 72-76 with any marker. */
static inline bool parse(const datagram *d, job *j) {
    if (d->captured < 12) return false;
    uint32_t first = be32(d->payload), masked = first >> 16 & 0x7f;
    bool report = masked - 64 < 32 && ((first >> 23 & 1) || masked - 72 <= 76 - 72);
    if (first >> 30 != 2 || report || d->length < 12 + 4 * (first >> 24 & 0x0f)) return false;
    j->p = (rtp_header){be32(d->payload + 4), (first & 0xffffff) | (uint32_t)d->dscp << 24};
    j->key.addresses = address_word(d->src, d->family) | (uint64_t)address_word(d->dst, d->family) << 32;
    j->key.rest = d->src_port | (uint64_t)d->dst_port << 16 | (uint64_t)be32(d->payload + 8) << 32;
    j->hash = key_hash(&j->key);
    j->d = d;
    return true;
}

/* The stream of the first slot with the right hash, brought near. Most are in their own slot or in the next; which of
 * the two cannot be foretold, so it is no branch. */
static inline stream *likely(const meter *m, uint32_t hash) {
    const slot *own = &m->slots[hash & m->slot_mask], *next = &m->slots[(hash + 1) & m->slot_mask];
    const slot *at = own->hash == hash ? own : next;
    if (at->hash != hash || at->index == NO_STREAM) return NULL;
    stream *s = stream_at(m, at->index);
    for (size_t line = 0; line < 5; line++) __builtin_prefetch((const char *)s + 64 * line, 1);
    return s;
}

bool meter_feed(meter *m, datagram *batch, size_t count) {
    job jobs[METER_BATCH];
    size_t found = 0;
    if (count > METER_BATCH) count = METER_BATCH;
    if (!reserve(m, (uint32_t)count)) return false;
    for (size_t i = 0; i < count; i++) {
        job *j = &jobs[found];
        if (!parse(&batch[i], j)) {
            no_rtp(m, &batch[i]);
            continue;
        }
        __builtin_prefetch(&m->slots[(uint32_t)j->hash & m->slot_mask]);
        found++;
    }
    for (size_t i = 0; i < found; i++) jobs[i].s = likely(m, (uint32_t)jobs[i].hash);
    for (size_t i = 0; i < found; i++) {
        const job *j = &jobs[i];
        stream *s = j->s;
        if (!s || !same_stream(m, s, &j->key, j->d)) {
            uint32_t index = stream_of(m, (uint32_t)j->hash, &j->key, j->d);
            if (index == NO_STREAM) {
                m->counters.overflow++;
                continue;
            }
            s = stream_at(m, index);
        }
        stream_take(&m->tables, s, j->d, &j->p);
        m->counters.rtp++;
    }
    return true;
}

/* ---- out ------------------------------------------------------------------------------------------------------------ */

meter *meter_new(const meter_options *options) {
    meter *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    stream_tables_init(&m->tables, options);
    if (!m->tables.options.max_streams) m->tables.options.max_streams = 1;
    if (!add_chunk(m) || !rehash(m, 256)) {
        meter_free(m);
        return NULL;
    }
    return m;
}

void meter_spill(meter *m, const int files[METER_SPILLS]) { stream_tables_spill(&m->tables, files); }

void meter_free(meter *m) {
    if (!m) return;
    for (uint32_t i = 0; i < m->chunk_count; i++) free(m->chunks[i]);
    free(m->chunks);
    free(m->free_list);
    free(m->slots);
    stream_tables_free(&m->tables);
    free(m);
}

static bool is_stream(const stream *s) { return s->packets && s->state & STATE_VALID; }

size_t meter_count(const meter *m) {
    size_t count = 0;
    for (uint32_t i = 0; i < m->made; i++) count += is_stream(stream_at(m, index_of(i)));
    return count;
}

size_t meter_rows(const meter *m, uint32_t *cursor, stream_row *rows, size_t room) {
    size_t count = 0;
    uint32_t i = *cursor;
    for (; i < m->made && count < room; i++) {
        uint32_t index = index_of(i);
        const stream *s = stream_at(m, index);
        if (is_stream(s)) stream_describe(&m->tables, s, (uint64_t)s->serial << 32 | index, &rows[count++]);
    }
    *cursor = i;
    return count;
}

bool meter_ends(const meter *m, uint32_t *cursor, stream_row *row) {
    while (*cursor < m->made) {
        const stream *s = stream_at(m, index_of((*cursor)++));
        if (!is_stream(s)) continue;
        stream_describe_ends(&m->tables, s, row);
        return true;
    }
    return false;
}

static stream *by_id(const meter *m, uint64_t id) {
    uint32_t index = (uint32_t)id, chunk = index >> CHUNK_BITS, place = index & CHUNK_MASK;
    if (place >= CHUNK_STREAMS || (uint64_t)chunk * CHUNK_STREAMS + place >= m->made) return NULL;
    stream *s = stream_at(m, index);
    return s->packets && s->serial == id >> 32 ? s : NULL;
}

size_t meter_seconds(const meter *m, uint64_t id, second_row *rows, size_t room) {
    const stream *s = by_id(m, id);
    return s ? stream_seconds(&m->tables, s, rows, room) : 0;
}

bool meter_forget(meter *m, uint64_t id) {
    if (!by_id(m, id) || !reserve_free_list(m)) return false;
    drop(m, (uint32_t)id);
    return true;
}

size_t meter_sweep(meter *m, int64_t before_ns) {
    size_t count = 0;
    if (!reserve_free_list(m)) return 0;
    for (uint32_t i = 0; i < m->made; i++) {
        const stream *s = stream_at(m, index_of(i));
        if (s->packets && !(s->state & STATE_VALID) && s->end_ns < before_ns) {
            drop(m, index_of(i));
            count++;
        }
    }
    return count;
}

uint32_t meter_endpoint(meter *m, const uint8_t address[16], uint16_t port, const payload_format *formats, size_t count) {
    return formats_announce(&m->tables.formats, address, port, formats, count);
}

bool meter_endpoint_as(meter *m, const uint8_t address[16], uint16_t port, uint32_t profile) {
    return formats_assign(&m->tables.formats, address, port, profile);
}

void meter_map(meter *m, const payload_format *format) { formats_map(&m->tables.formats, format); }

void meter_use_rtcp(meter *m, struct rtcp_table *table) { m->rtcp = table; }

void meter_use_audio(meter *m, struct audio_pool *audio) { m->tables.audio = audio; }

uint32_t meter_audio(const meter *m, uint64_t id) {
    const stream *s = by_id(m, id);
    return s && s->side ? ((const side_record *)pool_at(&m->tables.sides, s->side))->audio : 0;
}

meter_counters meter_counts(const meter *m) { return m->counters; }
