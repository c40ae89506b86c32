#include "stream.h"

#include <math.h>

#define FIRST_CYCLE 65536u /* extended sequence numbers start one cycle up, so that the base can be lowered */

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
static void jitter(stream *s, const datagram *d, const rtp_header *p) {
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

static void look_up_format(const format_table *formats, stream *s, uint8_t payload_type) {
    payload_format f;
    s->profile = formats_find(formats, &s->key, payload_type, &f);
    s->payload_type = payload_type;
    s->kind = f.kind;
    s->clock_rate = f.clock_rate;
    s->generation = formats->generation;
}

static void payload(const format_table *formats, stream *s, const datagram *d, const rtp_header *p) {
    if (p->payload_type != s->payload_type || s->generation != formats->generation) {
        look_up_format(formats, s, p->payload_type);
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
static bool odd_packet(stream *s, const datagram *d, const rtp_header *p) {
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

static void forward(stream *s, const rtp_header *p, uint16_t ahead) {
    if (ahead == 1) {
        s->step = p->timestamp - s->max_timestamp;
        s->has_step = s->step != 0;
    }
    advance(s, s->max + ahead);
    s->max_timestamp = p->timestamp;
    s->odd_pending = false;
}

/* A long outage is loss, not a restart, when the timestamp went on exactly as far as the sequence number says. */
static bool outage(const stream *s, const rtp_header *p, uint16_t ahead) {
    return s->has_step && ahead < 65536 - METER_MAX_LATE && p->timestamp - s->max_timestamp == s->step * ahead;
}

/* Places the packet by its sequence number. False: it belongs nowhere (a stray), and is out of the other figures. */
static bool place(stream *s, const datagram *d, const rtp_header *p) {
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

static void begin_stream(stream *s, const datagram *d, const rtp_header *p) {
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

void stream_take(stream *s, const format_table *formats, const datagram *d, const rtp_header *p) {
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
    if (placed) payload(formats, s, d, p);
}

/* ---- out --------------------------------------------------------------------------------------------------------- */

void stream_describe(const stream *s, uint32_t index, stream_row *r) {
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
        .pdv_p50 = NAN, .pdv_p95 = NAN, .pdv_p99 = NAN, .pdv_max = NAN, .drift_ppm = NAN, .adaptive_delay = NAN,
    };
    memcpy(r->src, s->key.src, 16);
    memcpy(r->dst, s->key.dst, 16);
    uint64_t placed = s->packets - s->strays;
    r->lost = r->expected - (placed - s->duplicates); /* distinct ones: never more than expected */
    r->lost_rfc3550 = (int64_t)r->expected - (int64_t)placed;
}
