#include "kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NO_STREAM UINT32_MAX
#define FIRST_CYCLE 65536u /* extended sequence numbers start one cycle up, so that the base can be lowered */

/* Loss in the order of sequence numbers: runs, and RFC 3611 bursts (losses less than Gmin received packets apart). */
typedef struct {
    uint64_t received_since; /* packets received since the last loss */
    uint64_t run;            /* length of the run of losses that is open */
    uint64_t runs, longest;
    uint64_t cluster_first, cluster_last, cluster_lost;
    uint64_t bursts, burst_packets, burst_lost;
} loss_runs;

typedef struct {
    stream_key key;
    uint32_t serial;
    bool used, valid;
    bool odd_pending; /* a packet far off came; a second in sequence makes it a restart (A.1's bad_seq) */
    bool has_transit, has_step;
    uint8_t payload_type, kind;   /* of the last packet */
    uint8_t media_type;           /* of the last media packet */
    uint8_t main_type;            /* majority vote (Boyer and Moore) over media packets */
    uint32_t main_votes, main_clock, main_profile;
    uint32_t clock_rate, profile; /* of payload_type */
    uint32_t generation;          /* of the endpoint table when these were looked up */

    uint16_t last_sequence;       /* of the last packet in arrival order, for probation */
    uint64_t base, max;           /* extended, of this segment */
    uint32_t max_timestamp;       /* of the packet at max */
    uint32_t step;                /* timestamp units per packet, from the last two in sequence */

    uint64_t packets, bytes, duplicates, reordered, strays;
    int64_t start_ns, end_ns, last_ns, largest_gap_ns;

    int64_t transit_ns; /* arrival of the last packet that counted for jitter */
    uint32_t transit_timestamp, transit_clock;
    double jitter, jitter_sum, jitter_max;
    uint64_t jitter_samples;

    uint64_t events, comfort_noise, markers;
    uint64_t expected_before; /* of closed segments */
    uint32_t restarts, payload_type_changes;

    uint16_t odd_sequence;
    uint32_t odd_timestamp;
    int64_t odd_ns;

    loss_runs losses;
    uint64_t window[METER_WINDOW_WORDS];
} stream;

typedef struct {
    uint32_t hash;
    uint32_t index; /* NO_STREAM: free */
} slot;

typedef struct {
    uint8_t address[16];
    uint16_t port;
    uint32_t profile; /* 0: free */
} endpoint;

typedef struct {
    size_t first, count; /* in formats */
} profile;

struct meter {
    stream *streams;
    uint32_t capacity, next, live, max_streams, serial;
    uint32_t *free_list;
    uint32_t free_count;
    slot *slots;
    uint32_t slot_mask;
    endpoint *endpoints;
    uint32_t endpoint_mask, endpoint_count;
    profile *profiles;
    size_t profile_count, profile_room;
    payload_format *formats;
    size_t format_count, format_room;
    uint32_t generation;
    meter_counters counters;
};

typedef struct {
    uint32_t hash, index;
    uint32_t timestamp;
    uint16_t sequence;
    uint8_t payload_type;
    bool marker, rtp;
} parsed;

/* ---- payload types ---------------------------------------------------------------------------------------------- */

/* RFC 3551 section 6, tables 4 and 5. G.722's clock is 8000 by section 4.5.2. */
static payload_format static_format(uint8_t payload_type) {
    static const uint16_t eight_khz[] = {0, 3, 4, 5, 7, 8, 9, 12, 15, 18};
    payload_format f = {payload_type, KIND_UNKNOWN, 0};
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
    return f;
}

static uint64_t mix(uint64_t h, uint64_t v) {
    h = (h ^ v) * 0x9E3779B97F4A7C15u;
    return h ^ (h >> 29);
}

static uint64_t word(const uint8_t *at) {
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return v;
}

static uint32_t endpoint_hash(const uint8_t address[16], uint16_t port) {
    uint64_t h = mix(mix(mix(0, word(address)), word(address + 8)), port);
    return (uint32_t)(h >> 32);
}

static uint32_t find_profile(const meter *m, const uint8_t address[16], uint16_t port) {
    if (!m->endpoint_count) return 0;
    for (uint32_t i = endpoint_hash(address, port);; i++) {
        const endpoint *e = &m->endpoints[i & m->endpoint_mask];
        if (!e->profile) return 0;
        if (e->port == port && !memcmp(e->address, address, 16)) return e->profile;
    }
}

static bool profile_format(const meter *m, uint32_t number, uint8_t payload_type, payload_format *out) {
    if (!number) return false;
    const profile *p = &m->profiles[number - 1];
    for (size_t i = 0; i < p->count; i++)
        if (m->formats[p->first + i].payload_type == payload_type) {
            *out = m->formats[p->first + i];
            return true;
        }
    return false;
}

/* A sender uses the numbers that the receiver's SDP gave (RFC 3264 section 5.1); its own SDP where that is silent. */
static void look_up_format(const meter *m, stream *s, uint8_t payload_type) {
    payload_format f;
    uint32_t number = find_profile(m, s->key.dst, s->key.dst_port);
    if (!profile_format(m, number, payload_type, &f)) {
        number = find_profile(m, s->key.src, s->key.src_port);
        if (!profile_format(m, number, payload_type, &f)) {
            number = 0;
            f = static_format(payload_type);
        }
    }
    s->payload_type = payload_type;
    s->kind = f.kind;
    s->clock_rate = f.clock_rate;
    s->profile = number;
    s->generation = m->generation;
}

static bool grow(void **array, size_t *room, size_t wanted, size_t size) {
    if (wanted <= *room) return true;
    size_t bigger = *room ? *room * 2 : 64;
    while (bigger < wanted) bigger *= 2;
    void *moved = realloc(*array, bigger * size);
    if (!moved) return false;
    *array = moved;
    *room = bigger;
    return true;
}

static bool grow_endpoints(meter *m) {
    uint32_t old_size = m->endpoints ? m->endpoint_mask + 1 : 0;
    if (old_size && (m->endpoint_count + 1) * 2 <= old_size) return true;
    uint32_t size = old_size ? old_size * 2 : 64;
    endpoint *table = calloc(size, sizeof *table);
    if (!table) return false;
    for (uint32_t i = 0; i < old_size; i++) {
        if (!m->endpoints[i].profile) continue;
        uint32_t at = endpoint_hash(m->endpoints[i].address, m->endpoints[i].port);
        while (table[at & (size - 1)].profile) at++;
        table[at & (size - 1)] = m->endpoints[i];
    }
    free(m->endpoints);
    m->endpoints = table;
    m->endpoint_mask = size - 1;
    return true;
}

uint32_t meter_endpoint(meter *m, const uint8_t address[16], uint16_t port, const payload_format *formats, size_t count) {
    if (!grow((void **)&m->profiles, &m->profile_room, m->profile_count + 1, sizeof *m->profiles) ||
        !grow((void **)&m->formats, &m->format_room, m->format_count + count, sizeof *m->formats) || !grow_endpoints(m))
        return 0;
    m->profiles[m->profile_count] = (profile){m->format_count, count};
    if (count) memcpy(m->formats + m->format_count, formats, count * sizeof *formats);
    m->format_count += count;
    uint32_t number = (uint32_t)++m->profile_count;
    uint32_t i = endpoint_hash(address, port);
    for (;; i++) {
        endpoint *e = &m->endpoints[i & m->endpoint_mask];
        bool same = e->profile && e->port == port && !memcmp(e->address, address, 16);
        if (e->profile && !same) continue;
        if (!e->profile) m->endpoint_count++;
        memcpy(e->address, address, 16);
        e->port = port;
        e->profile = number;
        break;
    }
    m->generation++;
    return number;
}

/* ---- loss by sequence number -------------------------------------------------------------------------------------- */

static void close_cluster(loss_runs *l) {
    if (l->cluster_lost >= 2) {
        l->bursts++;
        l->burst_packets += l->cluster_last - l->cluster_first + 1;
        l->burst_lost += l->cluster_lost;
    }
    l->cluster_lost = 0;
}

static void one_lost(loss_runs *l, uint64_t position) {
    if (!l->run) l->runs++;
    if (++l->run > l->longest) l->longest = l->run;
    if (l->cluster_lost && l->received_since >= METER_GMIN) close_cluster(l);
    if (!l->cluster_lost) l->cluster_first = position;
    l->cluster_lost++;
    l->cluster_last = position;
    l->received_since = 0;
}

static void one_received(loss_runs *l) {
    l->run = 0;
    l->received_since++;
}

/* Sequence numbers from `first` to `last` of one window word are final: tell the runs. */
static void settle(loss_runs *l, uint64_t bits, uint64_t first, uint64_t last) {
    if (bits == UINT64_MAX) {
        l->run = 0;
        l->received_since += last - first + 1;
        return;
    }
    for (uint64_t position = first; position <= last; position++) {
        if (bits >> (position & 63) & 1) one_received(l);
        else one_lost(l, position);
    }
}

static void settle_word(const stream *s, loss_runs *l, uint64_t index) {
    uint64_t first = index << 6, last = first | 63;
    if (last < s->base) return;
    if (first < s->base) first = s->base;
    if (last > s->max) last = s->max;
    settle(l, s->window[index % METER_WINDOW_WORDS], first, last);
}

/* Everything still in the window, oldest first; `l` may be a copy. */
static void settle_all(const stream *s, loss_runs *l) {
    uint64_t newest = s->max >> 6;
    for (uint64_t index = newest - (METER_WINDOW_WORDS - 1); index <= newest; index++) settle_word(s, l, index);
    close_cluster(l);
}

static void set_bit(stream *s, uint64_t position) {
    s->window[(position >> 6) % METER_WINDOW_WORDS] |= (uint64_t)1 << (position & 63);
}

static bool get_bit(const stream *s, uint64_t position) {
    return s->window[(position >> 6) % METER_WINDOW_WORDS] >> (position & 63) & 1;
}

static void advance(stream *s, uint64_t position) {
    uint64_t from = s->max >> 6, to = position >> 6;
    for (uint64_t index = from + 1; index <= to; index++) {
        /* The slot of `index` still holds the word sixteen below; beyond the newest one it was emptied just before. */
        uint64_t old = index - METER_WINDOW_WORDS;
        uint64_t first = old << 6, last = first | 63;
        if (last >= s->base) settle(&s->losses, s->window[old % METER_WINDOW_WORDS], first < s->base ? s->base : first, last);
        s->window[index % METER_WINDOW_WORDS] = 0;
    }
    s->max = position;
    set_bit(s, position);
}

static void begin_segment(stream *s, uint16_t sequence, uint32_t timestamp) {
    memset(s->window, 0, sizeof s->window);
    s->base = s->max = FIRST_CYCLE + sequence;
    s->max_timestamp = timestamp;
    s->has_step = false;
    s->has_transit = false;
    set_bit(s, s->base);
}

static void restart(stream *s, uint16_t sequence, uint32_t timestamp) {
    settle_all(s, &s->losses);
    s->losses.run = 0;
    s->losses.received_since = 0;
    s->expected_before += s->max - s->base + 1;
    s->restarts++;
    begin_segment(s, sequence, timestamp);
}

/* ---- one packet ---------------------------------------------------------------------------------------------------- */

/* RFC 3550 A.8 in double precision: J += (|D| - J) / 16, D in seconds by the payload's clock, in arrival order. */
static void jitter(stream *s, const datagram *d, const parsed *p) {
    if (s->has_transit && s->transit_clock == s->clock_rate) {
        double sent = (double)(int32_t)(p->timestamp - s->transit_timestamp) / s->clock_rate;
        double arrived = (double)(d->time_ns - s->transit_ns) * 1e-9;
        s->jitter += (fabs(arrived - sent) - s->jitter) / 16.0;
        if (!p->marker) {
            s->jitter_sum += s->jitter;
            s->jitter_samples++;
            if (s->jitter > s->jitter_max) s->jitter_max = s->jitter;
        }
    }
    s->has_transit = true;
    s->transit_clock = s->clock_rate;
    s->transit_ns = d->time_ns;
    s->transit_timestamp = p->timestamp;
}

static void vote(stream *s) {
    if (s->main_votes == 0) {
        s->main_type = s->payload_type;
        s->main_votes = 1;
    } else if (s->main_type == s->payload_type) {
        s->main_votes++;
    } else {
        s->main_votes--;
        return;
    }
    s->main_clock = s->clock_rate;
    s->main_profile = s->profile;
}

static void payload(const meter *m, stream *s, const datagram *d, const parsed *p) {
    if (p->payload_type != s->payload_type || s->generation != m->generation) {
        look_up_format(m, s, p->payload_type);
        if (s->kind == KIND_MEDIA) {
            if (s->media_type != METER_NO_PAYLOAD_TYPE && s->media_type != p->payload_type) s->payload_type_changes++;
            s->media_type = p->payload_type;
        }
    }
    if (p->marker) s->markers++;
    if (s->kind == KIND_EVENT) {
        s->events++; /* RFC 4733: the timestamp stands still and ends repeat: no use for jitter */
    } else if (s->kind == KIND_COMFORT_NOISE) {
        s->comfort_noise++;
    } else {
        vote(s);
        if (s->clock_rate) jitter(s, d, p);
    }
}

/* A packet far from the others (A.1). True if it begins, with the one before it, a new segment. */
static bool odd_packet(stream *s, const datagram *d, const parsed *p) {
    if (s->odd_pending && p->sequence == (uint16_t)(s->odd_sequence + 1)) {
        s->odd_pending = false;
        s->strays--; /* the first of the two counts after all */
        restart(s, s->odd_sequence, s->odd_timestamp);
        if (s->clock_rate && s->kind == KIND_MEDIA) {
            s->has_transit = true;
            s->transit_clock = s->clock_rate;
            s->transit_ns = s->odd_ns;
            s->transit_timestamp = s->odd_timestamp;
        }
        return true;
    }
    s->odd_pending = true;
    s->odd_sequence = p->sequence;
    s->odd_timestamp = p->timestamp;
    s->odd_ns = d->time_ns;
    s->strays++;
    return false;
}

static void forward(stream *s, const parsed *p, uint16_t ahead) {
    if (ahead == 1) {
        s->step = p->timestamp - s->max_timestamp;
        s->has_step = s->step != 0;
    }
    advance(s, s->max + ahead);
    s->max_timestamp = p->timestamp;
    s->odd_pending = false;
}

/* A long outage is loss, not a restart, when the timestamp went on exactly as far as the sequence number says. */
static bool outage(const stream *s, const parsed *p, uint16_t ahead) {
    return s->has_step && ahead < 65536 - METER_MAX_LATE && p->timestamp - s->max_timestamp == s->step * ahead;
}

/* Places the packet by its sequence number. False: it belongs nowhere (a stray), and is out of the other figures. */
static bool place(stream *s, const datagram *d, const parsed *p) {
    uint16_t ahead = (uint16_t)(p->sequence - (uint16_t)s->max);
    uint16_t behind = (uint16_t)-ahead;
    if (ahead == 0) {
        s->duplicates++;
    } else if (ahead < METER_MAX_DROPOUT) {
        forward(s, p, ahead);
    } else if (behind <= METER_MAX_LATE) {
        uint64_t position = s->max - behind;
        if (get_bit(s, position)) {
            s->duplicates++;
        } else {
            set_bit(s, position);
            s->reordered++;
            if (position < s->base) s->base = position;
        }
    } else if (outage(s, p, ahead)) {
        forward(s, p, ahead);
    } else if (odd_packet(s, d, p)) {
        forward(s, p, 1);
    } else {
        return false;
    }
    return true;
}

static void begin_stream(stream *s, const datagram *d, const parsed *p) {
    stream_key key = s->key;
    uint32_t serial = s->serial;
    memset(s, 0, sizeof *s);
    s->key = key;
    s->serial = serial;
    s->used = true;
    s->payload_type = s->media_type = s->main_type = METER_NO_PAYLOAD_TYPE;
    s->start_ns = s->end_ns = s->last_ns = d->time_ns;
    begin_segment(s, p->sequence, p->timestamp);
}

static void take(const meter *m, stream *s, const datagram *d, const parsed *p) {
    bool placed = true;
    if (s->packets == 0) {
        begin_stream(s, d, p);
    } else {
        if (!s->valid) {
            uint16_t ahead = (uint16_t)(p->sequence - (uint16_t)s->max);
            if (ahead >= METER_MAX_DROPOUT && (uint16_t)-ahead > METER_MAX_LATE) {
                begin_stream(s, d, p); /* still in probation: what came before was no stream (A.1) */
                goto counted;
            }
            s->valid = p->sequence == (uint16_t)(s->last_sequence + 1);
        }
        placed = place(s, d, p);
    }
counted:
    s->last_sequence = p->sequence;
    s->packets++;
    s->bytes += d->length;
    int64_t gap = d->time_ns - s->last_ns;
    if (gap > s->largest_gap_ns) s->largest_gap_ns = gap;
    s->last_ns = d->time_ns;
    if (d->time_ns > s->end_ns) s->end_ns = d->time_ns;
    if (d->time_ns < s->start_ns) s->start_ns = d->time_ns;
    if (placed) payload(m, s, d, p);
}

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

/* RFC 3550 section 5.1; RTCP by RFC 5761 section 4 (types 192-223 in the second octet, and 72-76 with any marker). */
static bool parse(meter *m, datagram *d, parsed *p) {
    if (d->captured < 2 || d->payload[0] >> 6 != 2) {
        m->counters.other++;
        return false;
    }
    uint8_t second = d->payload[1], masked = second & 0x7f;
    if ((second >= 192 && second <= 223) || (masked >= 72 && masked <= 76)) {
        m->counters.rtcp++;
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
    d->key.ssrc = be32(d->payload + 8);
    return true;
}

bool meter_feed(meter *m, datagram *batch, size_t count) {
    parsed p[METER_BATCH];
    if (count > METER_BATCH) count = METER_BATCH;
    if (!reserve(m, (uint32_t)count)) return false;
    for (size_t i = 0; i < count; i++) {
        p[i].rtp = parse(m, &batch[i], &p[i]);
        if (!p[i].rtp) continue;
        p[i].hash = key_hash(&batch[i].key);
        __builtin_prefetch(&m->slots[p[i].hash & m->slot_mask]);
    }
    for (size_t i = 0; i < count; i++) {
        if (!p[i].rtp) continue;
        uint32_t index = m->slots[p[i].hash & m->slot_mask].index;
        if (index == NO_STREAM) continue;
        const char *at = (const char *)&m->streams[index];
        for (size_t line = 0; line < 6; line++) __builtin_prefetch(at + 64 * line);
    }
    for (size_t i = 0; i < count; i++) {
        if (!p[i].rtp) continue;
        uint32_t index = stream_of(m, p[i].hash, &batch[i].key);
        if (index == NO_STREAM) {
            m->counters.overflow++;
            continue;
        }
        take(m, &m->streams[index], &batch[i], &p[i]);
        m->counters.rtp++;
    }
    return true;
}

/* ---- out ------------------------------------------------------------------------------------------------------------ */

meter *meter_new(uint32_t max_streams) {
    meter *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->max_streams = max_streams ? max_streams : 1;
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
    free(m->endpoints);
    free(m->profiles);
    free(m->formats);
    free(m);
}

static void row_of(const stream *s, uint32_t index, stream_row *r) {
    loss_runs l = s->losses;
    settle_all(s, &l);
    bool known = s->jitter_samples > 0;
    *r = (stream_row){
        .id = (uint64_t)s->serial << 32 | index,
        .src_port = s->key.src_port, .dst_port = s->key.dst_port, .ssrc = s->key.ssrc,
        .clock_rate = s->main_clock, .profile = s->main_profile,
        .packets = s->packets, .bytes = s->bytes,
        .expected = s->expected_before + s->max - s->base + 1,
        .duplicates = s->duplicates, .reordered = s->reordered, .strays = s->strays,
        .events = s->events, .comfort_noise = s->comfort_noise, .markers = s->markers,
        .loss_runs = l.runs, .loss_run_max = l.longest,
        .bursts = l.bursts, .burst_packets = l.burst_packets, .burst_lost = l.burst_lost,
        .jitter_samples = s->jitter_samples,
        .jitter = known ? s->jitter : NAN,
        .jitter_mean = known ? s->jitter_sum / (double)s->jitter_samples : NAN,
        .jitter_max = known ? s->jitter_max : NAN,
        .start_ns = s->start_ns, .end_ns = s->end_ns, .largest_gap_ns = s->largest_gap_ns,
        .restarts = s->restarts, .payload_type_changes = s->payload_type_changes,
        .payload_type = s->main_type,
    };
    memcpy(r->src, s->key.src, 16);
    memcpy(r->dst, s->key.dst, 16);
    uint64_t placed = s->packets - s->strays;
    r->lost = r->expected - (placed - s->duplicates); /* distinct ones: never more than expected */
    r->lost_rfc3550 = (int64_t)r->expected - (int64_t)placed;
}

size_t meter_count(const meter *m) {
    size_t count = 0;
    for (uint32_t i = 0; i < m->next; i++) count += m->streams[i].used && m->streams[i].valid;
    return count;
}

size_t meter_rows(const meter *m, stream_row *rows, size_t room) {
    size_t count = 0;
    for (uint32_t i = 0; i < m->next && count < room; i++)
        if (m->streams[i].used && m->streams[i].valid) row_of(&m->streams[i], i, &rows[count++]);
    return count;
}

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

meter_counters meter_counts(const meter *m) { return m->counters; }
