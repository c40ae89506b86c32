#include "rtcp_table.h"

#include <math.h>
#include <stdlib.h>

enum { VARIANTS = 8 /* entries of an SSRC between two addresses that differ in ports; more are taken as one */ };

static bool same_way(const stream_key *a, const stream_key *b) {
    return a->ssrc == b->ssrc && !memcmp(a->src, b->src, sizeof a->src) && !memcmp(a->dst, b->dst, sizeof a->dst);
}

static bool same_ports(const stream_key *a, const stream_key *b) {
    return a->src_port == b->src_port && a->dst_port == b->dst_port;
}

/* The table's address takes part, so that nobody can prepare SSRCs that collide. */
static uint32_t hash_of(const rtcp_table *t, const stream_key *k) {
    uint64_t h = mix(mix((uint64_t)(uintptr_t)t, word(k->src)), word(k->src + 8));
    return (uint32_t)(mix(mix(mix(h, word(k->dst)), word(k->dst + 8)), k->ssrc) >> 32);
}

rtcp_entry *rtcp_variant(const rtcp_table *t, const stream_key *key, uint32_t hash, uint32_t *probe) {
    for (;; ++*probe) {
        uint32_t number = t->slots[*probe & t->slot_mask];
        if (!number) return NULL;
        rtcp_entry *e = &t->entries[number - 1];
        if (e->hash == hash && same_way(&e->key, key)) {
            ++*probe;
            return e;
        }
    }
}

static void place(rtcp_table *t, uint32_t index) {
    uint32_t at = t->entries[index].hash;
    while (t->slots[at & t->slot_mask]) at++;
    t->slots[at & t->slot_mask] = index + 1;
}

static bool grow(rtcp_table *t) {
    if (t->count < t->capacity) return true;
    if (t->capacity == t->max) return false;
    uint32_t capacity = t->capacity > t->max / 2 ? t->max : t->capacity ? t->capacity * 2 : t->max < 16 ? t->max : 16;
    rtcp_entry *entries = realloc(t->entries, capacity * sizeof *entries);
    if (!entries) return false;
    t->entries = entries;
    uint32_t size = t->slot_mask + 1;
    while (size < (uint64_t)capacity * 2) size *= 2;
    if (size > t->slot_mask + 1) {
        uint32_t *slots = calloc(size, sizeof *slots);
        if (!slots) return false;
        free(t->slots);
        t->slots = slots;
        t->slot_mask = size - 1;
        for (uint32_t i = 0; i < t->count; i++) place(t, i);
    }
    t->capacity = capacity;
    return true;
}

rtcp_entry *rtcp_entry_of(rtcp_table *t, const stream_key *key, int64_t time_ns) {
    uint32_t hash = hash_of(t, key), probe = hash, variants = 0;
    rtcp_entry *e, *first = NULL;
    while ((e = rtcp_variant(t, key, hash, &probe)) && !same_ports(&e->key, key)) {
        if (!first) first = e;
        variants++;
    }
    if (!e && variants >= VARIANTS) e = first;
    if (!e) {
        if (!grow(t)) {
            t->counters.overflow++;
            return NULL;
        }
        e = &t->entries[t->count];
        memset(e, 0, sizeof *e);
        e->key = *key;
        e->hash = hash;
        e->first_ns = time_ns;
        place(t, t->count++);
    }
    e->last_ns = time_ns;
    return e;
}

rtcp_rarity *rtcp_rarity_of(rtcp_table *t, rtcp_entry *e) {
    if (!e->rare && !(e->rare = calloc(1, sizeof *e->rare))) t->counters.overflow++;
    return e->rare;
}

/* ---- out ------------------------------------------------------------------------------------------------------------ */

rtcp_table *rtcp_new(uint32_t max) {
    rtcp_table *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->max = max ? max : 1;
    t->slots = calloc(1, sizeof *t->slots); /* one that stays free ends every search */
    if (t->slots) return t;
    free(t);
    return NULL;
}

void rtcp_free(rtcp_table *t) {
    if (!t) return;
    for (uint32_t i = 0; i < t->count; i++) free(t->entries[i].rare);
    free(t->entries);
    free(t->slots);
    free(t);
}

static void copy_rare(const rtcp_entry *e, rtcp_row *row) {
    row->extended = e->rare->extended;
    row->reason_length = e->rare->reason_length;
    memcpy(row->reason, e->rare->reason, sizeof row->reason);
}

static void describe(const rtcp_entry *e, rtcp_row *row) {
    memset(row, 0, sizeof *row);
    row->key = e->key;
    row->first_ns = e->first_ns;
    row->last_ns = e->last_ns;
    row->sender = e->sender;
    row->receiver = e->receiver;
    if (e->rare) copy_rare(e, row);
}

static bool says_sender(const rtcp_entry *e) { return e->sender.reports || e->sender.byes || e->sender.encrypted; }
static bool says_receiver(const rtcp_entry *e) {
    return e->receiver.reports || e->receiver.trips || e->receiver.trips_refused ||
           (e->rare && (e->rare->extended.voip_reports || e->rare->extended.statistics_reports));
}

/* How well an entry's ports fit a stream's; the later one wins among equals. */
static int fit(const rtcp_entry *e, const stream_key *key) {
    return (e->key.src_port == rtcp_media_port(key->src_port)) + (e->key.dst_port == rtcp_media_port(key->dst_port));
}

bool rtcp_find(const rtcp_table *t, const stream_row *stream, rtcp_row *row) {
    if (!t->count) return false;
    const rtcp_entry *sender = NULL, *receiver = NULL;
    stream_key key = {.src_port = stream->src_port, .dst_port = stream->dst_port, .ssrc = stream->ssrc};
    memcpy(key.src, stream->src, sizeof key.src);
    memcpy(key.dst, stream->dst, sizeof key.dst);
    uint32_t hash = hash_of(t, &key), probe = hash;
    for (const rtcp_entry *e; (e = rtcp_variant(t, &key, hash, &probe));) {
        if (says_sender(e) && (!sender || fit(e, &key) >= fit(sender, &key))) sender = e;
        if (says_receiver(e) && (!receiver || fit(e, &key) >= fit(receiver, &key))) receiver = e;
    }
    if (!sender && !receiver) return false;
    describe(sender ? sender : receiver, row);
    if (sender && receiver && sender != receiver) {
        row->receiver = receiver->receiver;
        row->extended = receiver->rare ? receiver->rare->extended : (rtcp_extended){0};
        row->first_ns = sender->first_ns < receiver->first_ns ? sender->first_ns : receiver->first_ns;
        row->last_ns = sender->last_ns > receiver->last_ns ? sender->last_ns : receiver->last_ns;
    }
    return true;
}

size_t rtcp_rows(const rtcp_table *t, uint32_t *cursor, rtcp_row *rows, size_t room) {
    size_t count = 0;
    for (; *cursor < t->count && count < room; ++*cursor) describe(&t->entries[*cursor], &rows[count++]);
    return count;
}

size_t rtcp_sweep(rtcp_table *t, int64_t before_ns) {
    uint32_t kept = 0, count = t->count;
    for (uint32_t i = 0; i < count; i++) {
        if (t->entries[i].last_ns < before_ns) free(t->entries[i].rare);
        else t->entries[kept++] = t->entries[i];
    }
    if (kept == count) return 0;
    t->count = kept;
    memset(t->slots, 0, ((size_t)t->slot_mask + 1) * sizeof *t->slots);
    for (uint32_t i = 0; i < kept; i++) place(t, i);
    return count - kept;
}

rtcp_counters rtcp_counts(const rtcp_table *t) { return t->counters; }

double rtcp_round_trip(const rtcp_row *row) {
    return row->receiver.trips ? row->receiver.trip_sum_ns / row->receiver.trips / 1e9 : (double)NAN;
}
