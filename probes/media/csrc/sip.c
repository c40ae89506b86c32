#include "sip.h"

#include <stdlib.h>

#include "formats.h"

/* ---- what begins a message ------------------------------------------------------------------------------------------ */

static bool starts_with(const uint8_t *at, uint32_t length, const char *word) {
    size_t size = strlen(word);
    return length >= size && !memcmp(at, word, size);
}

/* Messages that carry SDP: requests and answers that do (RFC 3264, RFC 3311, RFC 3262). */
static bool carries_sdp(const uint8_t *at, uint32_t length) {
    static const char *const starts[] = {"SIP/2.0 ", "INVITE ", "ACK ", "UPDATE ", "PRACK "};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (starts_with(at, length, starts[i])) return true;
    return false;
}

/* Any message: on a connection it says where the next one begins. HTTP and RTSP have methods of the same names, but no
 * such URIs. */
static bool is_sip(const uint8_t *at, uint32_t length) {
    static const char *const methods[] = {"INVITE ",   "ACK ",    "BYE ",  "CANCEL ", "OPTIONS ", "REGISTER ", "PRACK ",
                                          "SUBSCRIBE ", "NOTIFY ", "INFO ", "UPDATE ", "MESSAGE ", "REFER ",    "PUBLISH "};
    static const char *const schemes[] = {"sip:", "sips:", "tel:", "urn:"};
    if (starts_with(at, length, "SIP/2.0 ")) return true;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (!starts_with(at, length, methods[i])) continue;
        uint32_t behind = (uint32_t)strlen(methods[i]);
        for (size_t k = 0; k < sizeof schemes / sizeof schemes[0]; k++)
            if (starts_with(at + behind, length - behind, schemes[k])) return true;
    }
    return false;
}

static uint32_t empty_lines(const uint8_t *at, uint32_t length) {
    uint32_t count = 0;
    while (count < length && (at[count] == '\r' || at[count] == '\n')) count++;
    return count;
}

static uint8_t lower(uint8_t c) { return (uint8_t)(c - 'A') < 26 ? c | 0x20 : c; }

/* Is this line the header `name` (in lower case)? The index of its value, or 0. */
static uint32_t value_of(const uint8_t *line, uint32_t length, const char *name) {
    uint32_t i = 0;
    for (; name[i]; i++)
        if (i >= length || lower(line[i]) != (uint8_t)name[i]) return 0;
    while (i < length && (line[i] == ' ' || line[i] == '\t')) i++;
    return i < length && line[i] == ':' ? i + 1 : 0;
}

static uint32_t number_at(const uint8_t *at, uint32_t length) {
    uint32_t value = 0, i = 0;
    while (i < length && (at[i] == ' ' || at[i] == '\t')) i++;
    for (; i < length && (uint8_t)(at[i] - '0') < 10 && value < SIP_MAX; i++) value = value * 10 + (at[i] - '0');
    return value;
}

/* Octets of the message that data begin with (RFC 3261 section 18.3: its Content-Length says); 0: its header is not whole
 * yet. Each line is looked at once, however many pieces the message comes in. */
static uint32_t message_size(sip_assembly *a, uint32_t here) {
    while (a->line < here) {
        const uint8_t *line = a->data + a->line, *stop = memchr(line, '\n', here - a->line);
        if (!stop) return 0;
        uint32_t size = (uint32_t)(stop - line);
        if (size && line[size - 1] == '\r') size--;
        if (!size) return (uint32_t)(stop + 1 - a->data) + a->body;
        uint32_t value = value_of(line, size, "content-length");
        if (!value) value = value_of(line, size, "l");
        if (value) a->body = number_at(line + value, size - value);
        a->line = (uint32_t)(stop + 1 - a->data);
    }
    return 0;
}

/* ---- pieces --------------------------------------------------------------------------------------------------------- */

typedef struct {
    uint8_t src[16], dst[16];
    uint32_t ports;
    uint8_t tcp;
} piece_key;

static piece_key key_of(const datagram *d, uint32_t ports, bool tcp) {
    piece_key k = {.ports = ports, .tcp = tcp};
    formats_address(k.src, d->src, d->family);
    formats_address(k.dst, d->dst, d->family);
    return k;
}

static uint32_t hash_of(const piece_key *k) {
    return (uint32_t)(mix(mix(mix(k->tcp, word(k->src + 8)), word(k->dst + 8)), k->ports) >> 32);
}

static sip_assembly *set_of(const sip_finder *f, const piece_key *k) { return f->table + hash_of(k) % SIP_SETS * SIP_WAYS; }

static sip_assembly *find(const sip_finder *f, const piece_key *k) {
    if (!f->count) return NULL;
    sip_assembly *set = set_of(f, k);
    for (int i = 0; i < SIP_WAYS; i++) {
        sip_assembly *a = &set[i];
        if (a->used && a->tcp == k->tcp && a->ports == k->ports && !memcmp(a->src, k->src, 16) && !memcmp(a->dst, k->dst, 16))
            return a;
    }
    return NULL;
}

static void give_up(sip_finder *f, sip_assembly *a) {
    free(a->data);
    *a = (sip_assembly){0};
    f->count--;
}

static sip_assembly *begin(sip_finder *f, const piece_key *k) {
    if (!f->table && !(f->table = calloc((size_t)SIP_SETS * SIP_WAYS, sizeof *f->table))) return NULL;
    sip_assembly *a = find(f, k), *set = set_of(f, k);
    if (!a) {
        a = set;
        for (int i = 1; i < SIP_WAYS && a->used; i++)
            if (!set[i].used || (int32_t)(set[i].age - a->age) < 0) a = &set[i];
    }
    if (a->used) give_up(f, a);
    memcpy(a->src, k->src, 16);
    memcpy(a->dst, k->dst, 16);
    a->ports = k->ports;
    a->tcp = k->tcp;
    a->used = true;
    a->age = ++f->clock;
    f->count++;
    return a;
}

/* Puts octets where they belong. SIP_MESSAGE: done; SIP_NOTHING: too far, or in too many pieces. */
static sip_result put(sip_assembly *a, uint32_t start, const uint8_t *from, uint32_t length) {
    uint32_t end = start + length;
    if (start > SIP_MAX || length > SIP_MAX || end > SIP_MAX) return SIP_NOTHING;
    if (end > a->room) {
        uint32_t room = a->room ? a->room : 2048;
        while (room < end) room *= 2;
        uint8_t *more = realloc(a->data, room);
        if (!more) return SIP_MEMORY;
        a->data = more;
        a->room = room;
    }
    memcpy(a->data + start, from, length);
    uint32_t first = 0, last;
    while (first < a->range_count && a->ranges[first].end < start) first++;
    for (last = first; last < a->range_count && a->ranges[last].start <= end; last++) {
        if (a->ranges[last].start < start) start = a->ranges[last].start;
        if (a->ranges[last].end > end) end = a->ranges[last].end;
    }
    if (first == last && a->range_count == SIP_RANGES) return SIP_NOTHING;
    memmove(a->ranges + first + 1, a->ranges + last, (a->range_count - last) * sizeof *a->ranges);
    a->ranges[first] = (sip_range){start, end};
    a->range_count += 1 - (last - first);
    return SIP_MESSAGE;
}

static uint32_t at_hand(const sip_assembly *a) { return a->range_count && !a->ranges[0].start ? a->ranges[0].end : 0; }

/* Drops the first octets. */
static void take(sip_finder *f, sip_assembly *a, uint32_t octets) {
    uint32_t kept = 0, most = 0;
    for (uint32_t i = 0; i < a->range_count; i++) {
        sip_range r = a->ranges[i];
        if (r.end <= octets) continue;
        a->ranges[kept++] = (sip_range){r.start > octets ? r.start - octets : 0, r.end - octets};
        most = r.end;
    }
    a->range_count = kept;
    if (!kept) {
        give_up(f, a);
        return;
    }
    memmove(a->data, a->data + octets, most - octets);
    a->first += octets;
    a->line = a->body = 0;
}

/* ---- out ------------------------------------------------------------------------------------------------------------ */

/* What there is of a message that was cut: whole lines, so that no number loses its last digits. */
static sip_result begun(sip_finder *f, const uint8_t *at, uint32_t length) {
    while (length && at[length - 1] != '\n') length--;
    if (!length) return SIP_NOTHING;
    f->message = at;
    f->message_length = length;
    return SIP_MESSAGE;
}

static sip_result refused(sip_finder *f, sip_assembly *a, sip_result result) {
    give_up(f, a);
    return result == SIP_MEMORY ? SIP_MEMORY : SIP_NOTHING;
}

static sip_result assembled(sip_finder *f, sip_assembly *a) {
    if (!a->whole || at_hand(a) < a->whole) return SIP_NOTHING;
    f->current = a;
    f->taken = SIP_MAX; /* and no other message behind it */
    f->message = a->data;
    f->message_length = a->whole;
    return SIP_MESSAGE;
}

void sip_refuse(sip_finder *f, const datagram *d, const frame_part *part) {
    piece_key k = key_of(d, part->number, false);
    uint32_t hash = hash_of(&k) | 1;
    f->refused[hash / 2 % SIP_REFUSED] = hash;
    sip_assembly *a = find(f, &k);
    if (a) give_up(f, a);
}

sip_result sip_datagram(sip_finder *f, const datagram *d, const frame_part *part) {
    if (!carries_sdp(d->payload, d->captured)) {
        if (part->fragment) sip_refuse(f, d, part);
        return SIP_NOTHING;
    }
    if (d->captured >= d->length) {
        f->message = d->payload;
        f->message_length = d->captured;
        return SIP_MESSAGE;
    }
    if (!part->fragment) return begun(f, d->payload, d->captured);
    piece_key k = key_of(d, part->number, false);
    uint32_t hash = hash_of(&k) | 1, *refused_at = &f->refused[hash / 2 % SIP_REFUSED];
    if (*refused_at == hash) *refused_at = 0;
    sip_assembly *a = find(f, &k);
    if (!a || a->whole) a = begin(f, &k);
    if (!a) return SIP_MEMORY;
    a->whole = d->length;
    sip_result result = put(a, 0, d->payload, d->captured);
    if (result == SIP_MESSAGE) result = assembled(f, a);
    else result = refused(f, a, result);
    return result == SIP_NOTHING ? begun(f, d->payload, d->captured) : result;
}

sip_result sip_fragment(sip_finder *f, const datagram *d, const frame_part *part) {
    piece_key k = key_of(d, part->number, false);
    uint32_t hash = hash_of(&k) | 1;
    if (!d->captured || f->refused[hash / 2 % SIP_REFUSED] == hash) return SIP_NOTHING;
    sip_assembly *a = find(f, &k);
    if (!a && !(a = begin(f, &k))) return SIP_MEMORY;
    sip_result result = put(a, part->offset, d->payload, d->captured);
    return result == SIP_MESSAGE ? assembled(f, a) : refused(f, a, result);
}

/* The messages at the start of a connection's octets, up to one that may carry SDP. */
static sip_result read_messages(sip_finder *f, sip_assembly *a) {
    for (;;) {
        uint32_t empty = empty_lines(a->data, at_hand(a));
        if (empty) take(f, a, empty);
        if (!a->used) return SIP_NOTHING;
        uint32_t here = at_hand(a);
        if (here < 16) return SIP_NOTHING;
        if (!is_sip(a->data, here)) return refused(f, a, SIP_NOTHING);
        uint32_t size = message_size(a, here);
        if (size > SIP_MAX) return refused(f, a, SIP_NOTHING); /* whatever this is, nobody waits for it */
        if (!size || size > here) return SIP_NOTHING;
        if (a->body && carries_sdp(a->data, here)) {
            f->current = a;
            f->taken = size;
            f->message = a->data;
            f->message_length = size;
            return SIP_MESSAGE;
        }
        take(f, a, size);
        if (!a->used) return SIP_NOTHING;
    }
}

sip_result sip_next(sip_finder *f) {
    sip_assembly *a = f->current;
    f->message = NULL;
    if (!a) return SIP_NOTHING;
    f->current = NULL;
    take(f, a, f->taken);
    return a->used && a->tcp ? read_messages(f, a) : SIP_NOTHING;
}

sip_result sip_segment(sip_finder *f, const datagram *d, const frame_part *part) {
    const uint8_t *from = d->payload;
    uint32_t length = d->captured, start = 0;
    if (!length || part->begins) return SIP_NOTHING;
    uint32_t skipped = empty_lines(from, length);
    bool sip = length - skipped >= 16 && is_sip(from + skipped, length - skipped);
    if (!f->count && !sip) return SIP_NOTHING; /* nearly all TCP that there is */
    piece_key k = key_of(d, (uint32_t)d->src_port << 16 | d->dst_port, true);
    sip_assembly *a = find(f, &k);
    if (length < d->length) { /* snapped: what follows has no beginning */
        if (a) give_up(f, a);
        return sip && carries_sdp(from + skipped, length - skipped) ? begun(f, from + skipped, length - skipped) : SIP_NOTHING;
    }
    if (a) {
        int32_t ahead = (int32_t)(part->number - a->first);
        start = ahead > 0 ? (uint32_t)ahead : 0;
        uint32_t old = ahead < 0 ? 0 - (uint32_t)ahead : 0;
        if (old >= length) return SIP_NOTHING; /* sent again */
        from += old;
        length -= old;
        a->age = ++f->clock;
        sip_result result = put(a, start, from, length);
        if (result == SIP_MESSAGE) return read_messages(f, a);
        if (refused(f, a, result) == SIP_MEMORY) return SIP_MEMORY;
    }
    if (!sip) return SIP_NOTHING;
    a = begin(f, &k);
    if (!a) return SIP_MEMORY;
    a->first = part->number;
    sip_result result = put(a, 0, d->payload, d->captured);
    return result == SIP_MESSAGE ? read_messages(f, a) : refused(f, a, result);
}

void sip_free(sip_finder *f) {
    for (size_t i = 0; f->table && i < (size_t)SIP_SETS * SIP_WAYS; i++) free(f->table[i].data);
    free(f->table);
    *f = (sip_finder){0};
}
