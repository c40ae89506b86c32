#include "stream.h"

#include <math.h>

#include "audio.h"
#include "delay.h"
#include "loss.h"
#include "series.h"

enum {
    LEAST_ODD_JUMP = 64,   /* forward by so many, timestamp and time must fit */
    UNKNOWN_CLOCK = 90000, /* the fastest usual one: it widens what fits */
    TRUST_SECONDS = 2,     /* a timestamp this far off its place still fits */
    LATE_SECONDS = 60,     /* a late packet's timestamp is at most so far behind */
    ECHO_NS = 5000000,
};

/* ---- one packet's place ---------------------------------------------------------------------------------------------- */

static void begin_segment(stream *s, uint16_t sequence, uint32_t timestamp, uint64_t position) {
    s->base = s->max = position;
    s->origin = (uint16_t)(sequence - (uint16_t)position);
    s->word = 1;
    s->max_timestamp = timestamp;
    s->step = 0;
    s->step_votes = 0;
    s->state &= (uint8_t)~(STATE_TRANSIT | STATE_FORWARD);
}

static void restart(stream_tables *t, stream *s, uint16_t sequence, uint32_t timestamp) {
    uint64_t old_max = s->max;
    loss_close(t, s);
    rare_record *rare = rare_of(t, s);
    rare->expected_before += s->max - s->base + 1;
    rare->restarts++;
    begin_segment(s, sequence, timestamp, ((old_max >> 6) + 2 * METER_WINDOW_WORDS) << 6);
    series_segment(s, old_max);
    s->second_placed++;
}

static int64_t trusted_units(const stream *s, int64_t seconds) {
    return seconds * (s->clock_rate ? s->clock_rate : UNKNOWN_CLOCK);
}

/* Could a packet so many behind the highest have this timestamp? */
static bool fits_behind(const stream *s, const rtp_header *p, uint16_t behind) {
    int64_t later = (int32_t)(p->timestamp - s->max_timestamp + s->step * behind);
    return later <= trusted_units(s, TRUST_SECONDS) && later >= -trusted_units(s, LATE_SECONDS);
}

/* Could so many packets have been lost? Yes if timestamp or time went on as far. */
static bool fits_ahead(const stream *s, const datagram *d, const rtp_header *p, uint16_t ahead) {
    if (ahead < LEAST_ODD_JUMP || !s->step || !s->clock_rate) return true;
    int64_t expected = (int64_t)(int32_t)s->step * ahead, moved = (int32_t)(p->timestamp - s->max_timestamp);
    int64_t off = moved - expected;
    if (off <= trusted_units(s, TRUST_SECONDS) && off >= -trusted_units(s, TRUST_SECONDS)) return true;
    double seconds = (double)(d->time_ns - s->end_ns) * 1e-9;
    return seconds >= 0.5 * (double)expected / s->clock_rate;
}

/* A long outage is loss, not a restart, when the timestamp went on exactly as far as the sequence number says. */
static bool outage(const stream *s, const rtp_header *p, uint16_t ahead) {
    return s->step && ahead < 65536 - METER_MAX_LATE && p->timestamp - s->max_timestamp == s->step * ahead;
}

/* Boyer and Moore's majority; several packets of one picture share a timestamp: then it is 0, unknown. */
static void vote_step(stream *s, uint32_t step) {
    if (step == s->step && s->step_votes) {
        s->step_votes += s->step_votes != UINT16_MAX;
    } else if (s->step_votes == 0) {
        s->step = step;
        s->step_votes = 1;
    } else {
        s->step_votes--;
    }
}

static void forward(stream_tables *t, stream *s, const rtp_header *p, uint16_t ahead) {
    if (ahead == 1) vote_step(s, p->timestamp - s->max_timestamp);
    loss_forward(t, s, s->max + ahead);
    s->max_timestamp = p->timestamp;
    s->state &= (uint8_t)~STATE_ODD;
    s->second_placed++;
}

/* A packet far from the others (A.1). True if it begins, with the one before it, a new segment. */
static bool odd_packet(stream_tables *t, stream *s, const datagram *d, const rtp_header *p) {
    rare_record *rare = rare_of(t, s);
    if (s->state & STATE_ODD && p->sequence == (uint16_t)(rare->odd_sequence + 1)) {
        rare->strays--; /* the first of the two counts after all */
        s->state &= (uint8_t)~STATE_ODD;
        restart(t, s, rare->odd_sequence, rare->odd_timestamp);
        if (s->clock_rate && s->kind == KIND_MEDIA) {
            s->state |= STATE_TRANSIT | STATE_FORWARD;
            s->transit_ns = rare->odd_ns;
            s->transit_timestamp = rare->odd_timestamp;
            delay_stretch(t, s);
            delay_take(t, s, s->max, false);
        }
        return true;
    }
    s->state |= STATE_ODD;
    rare->odd_sequence = p->sequence;
    rare->odd_timestamp = p->timestamp;
    rare->odd_ns = d->time_ns;
    rare->strays++;
    return false;
}

static placing duplicate(stream_tables *t, stream *s, const datagram *d, const rtp_header *p) {
    s->duplicates++;
    int64_t after = d->time_ns - s->end_ns;
    if (p->sequence == s->last_sequence && after <= ECHO_NS && after >= -ECHO_NS) rare_of(t, s)->echoes++;
    return PLACE_DUPLICATE;
}

static placing late(stream_tables *t, stream *s, const datagram *d, const rtp_header *p, uint64_t position) {
    if (loss_late(t, s, position)) return duplicate(t, s, d, p);
    s->reordered++;
    uint64_t old_base = s->base;
    if (position < old_base) s->base = position;
    series_mend(t, s, position, old_base);
    return PLACE_LATE;
}

/* Places the packet by its sequence number; a stray is out of all figures but the number of packets and octets. */
static placing place(stream_tables *t, stream *s, const datagram *d, const rtp_header *p, uint64_t *position) {
    uint16_t ahead = (uint16_t)(p->sequence - (uint16_t)(s->max + s->origin)), behind = (uint16_t)-ahead;
    *position = s->max + ahead;
    if (ahead == 1) {
        forward(t, s, p, 1);
        return PLACE_FORWARD;
    }
    if (behind <= METER_MAX_LATE && fits_behind(s, p, behind)) { /* 0 too */
        *position = s->max - behind;
        return behind ? late(t, s, d, p, *position) : duplicate(t, s, d, p);
    }
    if (ahead < METER_MAX_DROPOUT ? behind > METER_MAX_LATE && fits_ahead(s, d, p, ahead) : outage(s, p, ahead)) {
        forward(t, s, p, ahead);
        return PLACE_FORWARD;
    }
    if (!odd_packet(t, s, d, p)) return PLACE_STRAY;
    forward(t, s, p, 1);
    *position = s->max;
    return PLACE_FORWARD;
}

/* ---- what it carries ------------------------------------------------------------------------------------------------- */

/* The votes of the run of packets of one type that is over (Boyer and Moore). */
static void count_votes(stream *s) {
    if (s->kind != KIND_EVENT && s->kind != KIND_COMFORT_NOISE && s->run) {
        if (s->main_type == s->payload_type) {
            s->main_votes += s->run;
            s->main_profile = s->profile;
        } else if (s->run > s->main_votes) {
            s->main_votes = s->run - s->main_votes;
            s->main_type = s->payload_type;
            s->main_profile = s->profile;
        } else {
            s->main_votes -= s->run;
        }
    }
    s->run = 0;
}

static void set_clock(stream *s, uint32_t clock_rate) {
    if (clock_rate == s->clock_rate) return;
    s->clock_rate = clock_rate;
    s->tick = clock_rate ? 1.0 / clock_rate : 0;
    s->state &= (uint8_t)~(STATE_TRANSIT | STATE_FORWARD);
}

static void look_up_format(stream_tables *t, stream *s, const datagram *d, uint8_t payload_type) {
    payload_format f;
    count_votes(s);
    s->profile = formats_find(&t->formats, d, payload_type, &f);
    s->payload_type = payload_type;
    s->kind = f.kind;
    s->law = f.law;
    s->generation = t->formats.generation;
    if (f.kind == KIND_EVENT || f.kind == KIND_COMFORT_NOISE) return;
    set_clock(s, f.clock_rate);
    if (f.kind != KIND_MEDIA) return;
    if (s->media_type != METER_NO_PAYLOAD_TYPE && s->media_type != payload_type) rare_of(t, s)->payload_type_changes++;
    s->media_type = payload_type;
}

/* RFC 3550 A.8 in double precision: J += (|D| - J) / 16, D in seconds by the payload's clock, in arrival order. */
static void transit(stream_tables *t, stream *s, const datagram *d, const rtp_header *p, bool is_forward) {
    if (s->state & STATE_TRANSIT) {
        double sent = (double)(int32_t)(p->timestamp - s->transit_timestamp) * s->tick;
        double moved = (double)(d->time_ns - s->transit_ns) * 1e-9 - sent, size = fabs(moved);
        s->jitter += (size - s->jitter) / 16.0;
        if (!p->marker) {
            s->jitter_sum += s->jitter;
            s->jitter_samples++;
            if (s->jitter > s->jitter_max) s->jitter_max = s->jitter;
            s->second_samples++;
            s->second_jitter_sum += (float)s->jitter;
            if (s->jitter > s->second_jitter_max) s->second_jitter_max = (float)s->jitter;
        }
        s->x += moved;
        if (size > TIMESTAMP_JUMP && is_forward && s->state & STATE_FORWARD) {
            rare_of(t, s)->timestamp_jumps++;
            delay_stretch(t, s);
        }
    } else {
        s->state |= STATE_TRANSIT;
        delay_stretch(t, s);
    }
    s->transit_ns = d->time_ns;
    s->transit_timestamp = p->timestamp;
    s->state = (uint8_t)(is_forward ? s->state | STATE_FORWARD : s->state & ~STATE_FORWARD);
}

static void payload(stream_tables *t, stream *s, const datagram *d, const rtp_header *p, placing placed, uint64_t position,
                    int64_t gap) {
    if (p->payload_type != s->payload_type || s->generation != t->formats.generation)
        look_up_format(t, s, d, p->payload_type);
    if (p->marker) s->markers++;
    if (s->kind == KIND_EVENT) { /* RFC 4733: the timestamp stands still and ends repeat: no use for jitter */
        rare_of(t, s)->events++;
        return;
    }
    if (s->kind == KIND_COMFORT_NOISE) {
        rare_of(t, s)->comfort_noise++;
        return;
    }
    s->run++;
    if (t->audio && s->law && placed != PLACE_DUPLICATE)
        audio_take(t->audio, &side_of(t, s)->audio, s->law, d->payload, d->captured, d->length);
    if (!s->clock_rate) return;
    transit(t, s, d, p, placed == PLACE_FORWARD);
    if (placed != PLACE_DUPLICATE)
        delay_take(t, s, position, p->marker && (double)gap * 1e-9 >= TALKSPURT_GAP);
}

static void mark_dscp(stream_tables *t, stream *s, uint8_t dscp) {
    rare_record *rare = rare_of(t, s);
    rare->dscp_seen |= (uint64_t)1 << s->dscp | (uint64_t)1 << dscp;
    rare->dscp_changes++;
    s->dscp = dscp;
}

static void begin_stream(const stream_tables *t, stream *s, const datagram *d, const rtp_header *p) {
    packed_key key = s->key;
    uint32_t serial = s->serial, side = s->side;
    memset(s, 0, sizeof *s);
    s->key = key;
    s->serial = serial;
    s->side = side;
    s->payload_type = s->media_type = s->main_type = METER_NO_PAYLOAD_TYPE;
    s->dscp = d->dscp;
    s->first_ns = s->end_ns = d->time_ns;
    s->second_end_ns = d->time_ns + SECOND_NS;
    begin_segment(s, p->sequence, p->timestamp, FIRST_POSITION);
    s->second_first = (uint32_t)s->base;
    s->second_placed = 1;
    s->streak = 1;
    if (t->options.probation <= 1) s->state |= STATE_VALID;
}

/* Packets in sequence make a stream (A.1). */
static void probe(const stream_tables *t, stream *s, const rtp_header *p) {
    s->streak = p->sequence == (uint16_t)(s->last_sequence + 1) ? (uint8_t)(s->streak + (s->streak != UINT8_MAX)) : 1;
    if (s->streak >= t->options.probation) s->state |= STATE_VALID;
}

static void out_of_order(stream_tables *t, stream *s, const datagram *d) {
    if (d->time_ns >= s->first_ns) return;
    rare_record *rare = rare_of(t, s);
    if (d->time_ns - s->first_ns < rare->early_ns) rare->early_ns = d->time_ns - s->first_ns;
}

void stream_take(stream_tables *t, stream *s, const datagram *d, const rtp_header *p) {
    int64_t gap = 0;
    uint64_t position = FIRST_POSITION;
    placing placed = PLACE_FORWARD;
    if (s->packets == 0) {
        begin_stream(t, s, d, p);
    } else {
        gap = d->time_ns - s->end_ns;
        if (!(s->state & STATE_VALID)) probe(t, s, p);
        if (d->time_ns >= s->second_end_ns) series_turn(t, s, d->time_ns);
        placed = place(t, s, d, p, &position);
        if (gap > s->largest_gap_ns) s->largest_gap_ns = gap;
        if (gap > 0) s->end_ns = d->time_ns;
        else out_of_order(t, s, d);
        if (d->dscp != s->dscp) mark_dscp(t, s, d->dscp);
    }
    s->last_sequence = p->sequence;
    s->packets++;
    s->second_packets++;
    s->bytes += d->length;
    if (placed != PLACE_STRAY) payload(t, s, d, p, placed, position, gap);
}
