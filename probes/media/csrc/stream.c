#include "stream.h"

#include <math.h>

#include "audio.h"
#include "delay.h"
#include "loss.h"
#include "series.h"

enum {
    LEAST_ODD_JUMP = 64,   /* from so many on, timestamp and time must fit */
    ODD_PAIR = 16,         /* two odd packets this near each other are a restart */
    UNKNOWN_CLOCK = 90000, /* the fastest usual one: it widens what fits */
    TRUST_SECONDS = 2,     /* a timestamp this far off its place still fits */
    LATE_SECONDS = 60,     /* a late packet's timestamp is at most so far behind */
    ECHO_NS = 5000000,
};

/* ---- one packet's place ---------------------------------------------------------------------------------------------- */

static void begin_segment(stream *s, uint16_t sequence, uint32_t timestamp, uint64_t position) {
    s->max = position;
    s->base = (uint32_t)position;
    s->origin = (uint16_t)(sequence - (uint16_t)position);
    s->word = 1;
    s->max_timestamp = timestamp;
    s->step = 0;
    s->step_votes = 0;
    s->state &= (uint8_t)~(STATE_TRANSIT | STATE_FORWARD);
}

static void remember(stream_tables *t, stream *s) {
    side_record *side = side_of(t, s);
    if (!side->former) side->former = pool_take(&t->formers);
    former_record *f = pool_at(&t->formers, side->former);
    loss_window(t, s, f->window);
    f->max = s->max;
    f->max_timestamp = s->max_timestamp;
    f->step = s->step;
    f->origin = s->origin;
}

static void restart(stream_tables *t, stream *s, rare_record *rare) {
    uint64_t old_max = s->max;
    remember(t, s);
    loss_close(t, s);
    rare->expected_before += s->max - stream_base(s) + 1;
    rare->restarts++;
    begin_segment(s, rare->odd_sequence, rare->odd_timestamp, ((old_max >> 6) + 2 * METER_WINDOW_WORDS) << 6);
    series_segment(s, old_max);
}

static int64_t trusted_units(const stream *s, int64_t seconds) {
    return seconds * (s->tick > 0 ? stream_clock(s) : UNKNOWN_CLOCK);
}

/* Could a packet have this timestamp, so much later than its number says? A late one may be from before a pause. */
static bool in_time(const stream *s, uint32_t later) {
    return (int32_t)later <= trusted_units(s, TRUST_SECONDS) && (int32_t)later >= -trusted_units(s, LATE_SECONDS);
}

/* May a packet so many behind the highest, and so much later than that, be late? One from before a timestamp jump may. */
static bool fits_behind(const stream_tables *t, const stream *s, uint16_t behind, uint32_t later) {
    if ((behind && behind < LEAST_ODD_JUMP) || in_time(s, later)) return true;
    const rare_record *rare = SIDE_RECORD(t, s, rare, rares);
    return rare && rare->timestamp_jumps && in_time(s, later + rare->jump_units);
}

/* Could so many packets have been lost? Yes if timestamp or time went on as far. */
static bool fits_ahead(const stream *s, const datagram *d, const rtp_header *p, uint16_t ahead) {
    if (ahead < LEAST_ODD_JUMP || !s->step || !(s->tick > 0)) return true;
    int64_t expected = (int64_t)(int32_t)s->step * ahead, moved = (int32_t)(p->timestamp - s->max_timestamp);
    int64_t off = moved - expected;
    if (off <= trusted_units(s, TRUST_SECONDS) && off >= -trusted_units(s, TRUST_SECONDS)) return true;
    double seconds = (double)(d->time_ns - s->end_ns) * 1e-9;
    return seconds >= 0.5 * (double)expected * s->tick;
}

/* A long outage is loss, not a restart, when the timestamp went on exactly as far as the sequence number says. */
static bool outage(const stream *s, const rtp_header *p, uint16_t ahead) {
    return s->step && ahead < 65536 - METER_MAX_LATE && p->timestamp - s->max_timestamp == s->step * ahead;
}

/* Boyer and Moore's majority; several packets of one picture share a timestamp: then it is 0, unknown. */
static void vote_step(stream *s, uint32_t step) {
    if (step == s->step && s->step_votes) {
        s->step_votes += s->step_votes != UINT8_MAX;
    } else if (s->step_votes == 0) {
        s->step = step;
        s->step_votes = 1;
    } else {
        s->step_votes--;
    }
}

static placing forward(stream_tables *t, stream *s, const rtp_header *p, uint16_t ahead) {
    if (ahead == 1) vote_step(s, p->timestamp - s->max_timestamp);
    loss_forward(t, s, s->max + ahead);
    s->max_timestamp = p->timestamp;
    s->state &= (uint8_t)~STATE_ODD;
    return PLACE_FORWARD;
}

/* The same packet twice at once: captured twice, most likely. */
static bool is_echo(const stream *s, const datagram *d, const rtp_header *p) {
    int64_t after = d->time_ns - s->end_ns;
    return rtp_sequence(p) == s->last_sequence && after <= ECHO_NS && after >= -ECHO_NS;
}

static RARE placing duplicate(stream_tables *t, stream *s, const datagram *d, const rtp_header *p) {
    trouble_record *trouble = trouble_of(t, s);
    trouble->duplicates++;
    s->second_unplaced++;
    trouble->echoes += is_echo(s, d, p);
    return PLACE_DUPLICATE;
}

static RARE placing late(stream_tables *t, stream *s, const datagram *d, const rtp_header *p, uint64_t position) {
    if (loss_late(t, s, position)) return duplicate(t, s, d, p);
    trouble_of(t, s)->reordered++;
    uint64_t old_base = stream_base(s);
    if (position < old_base) s->base = (uint32_t)position;
    series_mend(t, s, position, old_base);
    return PLACE_LATE;
}

/* The first packet of a new numbering was odd when it came; now it counts. */
static void count_odd(stream_tables *t, stream *s, const rare_record *rare) {
    if (!(s->tick > 0) || s->kind != KIND_MEDIA) return;
    s->state |= STATE_TRANSIT | STATE_FORWARD;
    s->transit_ns = rare->odd_ns;
    s->transit_timestamp = rare->odd_timestamp;
    delay_stretch(t, s);
    delay_take(t, s, s->x, false);
}

/* A packet far from the others. RFC 3550 A.1 takes two in sequence for a restart; here two near each other are, so that
 * losses and disorder at the beginning of a new numbering are seen as such. */
static RARE placing odd_packet(stream_tables *t, stream *s, const datagram *d, const rtp_header *p, uint64_t *position) {
    rare_record *rare = rare_of(t, s);
    int16_t off = (int16_t)(rtp_sequence(p) - rare->odd_sequence);
    int64_t later = (int32_t)(p->timestamp - rare->odd_timestamp), most = trusted_units(s, TRUST_SECONDS);
    bool soon = later <= most && later >= -most;
    bool near_odd = s->state & STATE_ODD && (off == 0 || off == 1 || (off >= -ODD_PAIR && off <= ODD_PAIR && soon));
    rare->strays++;
    s->second_unplaced++;
    if (near_odd && off == 0) {
        rare->odd_copies++;
        rare->odd_echoes += is_echo(s, d, p);
        return PLACE_STRAY;
    }
    if (!near_odd) {
        s->state |= STATE_ODD;
        rare->odd_sequence = rtp_sequence(p);
        rare->odd_timestamp = p->timestamp;
        rare->odd_ns = d->time_ns;
        rare->odd_copies = rare->odd_echoes = 0;
        return PLACE_STRAY;
    }
    rare->strays -= 2 + rare->odd_copies;
    rare->run_begin += 1 + rare->odd_copies; /* nobody looked at their types */
    s->second_unplaced--;
    if (rare->odd_copies) {
        trouble_record *trouble = trouble_of(t, s);
        trouble->duplicates += rare->odd_copies;
        trouble->echoes += rare->odd_echoes;
    }
    s->state &= (uint8_t)~STATE_ODD;
    restart(t, s, rare);
    count_odd(t, s, rare);
    *position = s->max + (uint64_t)(int64_t)off;
    return off > 0 ? forward(t, s, p, (uint16_t)off) : late(t, s, d, p, *position);
}

/* Late from the numbering before the restart? Then no restart is made of it. A duplicate there is known as such; what was
 * missing is a stray, as its numbering is closed. PLACE_FORWARD: it is not from there. */
static RARE placing former_packet(stream_tables *t, stream *s, const datagram *d, const rtp_header *p) {
    const former_record *f = SIDE_RECORD(t, s, former, formers);
    if (!f) return PLACE_FORWARD;
    uint16_t behind = (uint16_t)((uint16_t)(f->max + f->origin) - rtp_sequence(p));
    if (behind > METER_MAX_LATE || !in_time(s, p->timestamp - f->max_timestamp + f->step * behind)) return PLACE_FORWARD;
    uint64_t position = f->max - behind;
    rare_record *rare = rare_of(t, s);
    if (f->window[(position >> 6) & WINDOW_MASK] >> (position & 63) & 1) {
        rare->run_begin++; /* nobody looks at its type */
        duplicate(t, s, d, p);
        return PLACE_FORMER;
    }
    rare->strays++;
    s->second_unplaced++;
    return PLACE_STRAY;
}

/* Places the packet by its sequence number; a stray is out of all figures but the number of packets and octets. */
static placing place(stream_tables *t, stream *s, const datagram *d, const rtp_header *p, uint64_t *position) {
    uint16_t ahead = (uint16_t)(rtp_sequence(p) - (uint16_t)(s->max + s->origin)), behind = (uint16_t)-ahead;
    *position = s->max + ahead;
    if (ahead == 1) return forward(t, s, p, 1);
    uint32_t later = p->timestamp - s->max_timestamp + s->step * behind;
    if (behind <= METER_MAX_LATE && fits_behind(t, s, behind, later)) { /* 0 too */
        *position = s->max - behind;
        placing placed = behind ? late(t, s, d, p, *position) : duplicate(t, s, d, p);
        return placed == PLACE_LATE && !in_time(s, later) ? PLACE_MISFIT : placed;
    }
    bool fits = ahead < METER_MAX_DROPOUT ? behind > METER_MAX_LATE && fits_ahead(s, d, p, ahead) : outage(s, p, ahead);
    if (fits) return forward(t, s, p, ahead);
    placing former = former_packet(t, s, d, p);
    return former != PLACE_FORWARD ? former : odd_packet(t, s, d, p, position);
}

/* ---- what it carries ------------------------------------------------------------------------------------------------- */

static bool is_voted(const stream *s) { return s->kind != KIND_EVENT && s->kind != KIND_COMFORT_NOISE; }

/* The votes of the run of packets of one type that is over (Boyer and Moore). */
static void count_votes(stream_tables *t, stream *s) {
    uint32_t run = stream_run(t, s);
    if (!run) return;
    rare_record *rare = rare_of(t, s);
    rare->run_begin += run;
    if (!is_voted(s)) return;
    uint8_t voted = s->payload_type + 1;
    if (rare->main_type == voted) {
        rare->main_votes += run;
    } else if (run > rare->main_votes) {
        rare->main_votes = run - rare->main_votes;
        rare->main_type = voted;
    } else {
        rare->main_votes -= run;
        return;
    }
    rare->main_profile = s->profile;
}

static void set_clock(stream *s, uint32_t clock_rate) {
    double tick = clock_rate ? 1.0 / clock_rate : 0;
    if (tick == s->tick) return;
    s->tick = tick;
    s->state &= (uint8_t)~(STATE_TRANSIT | STATE_FORWARD);
}

static RARE void look_up_format(stream_tables *t, stream *s, const datagram *d, uint8_t payload_type) {
    payload_format f;
    uint32_t profile = formats_find(&t->formats, d, payload_type, &f);
    s->generation = (uint16_t)t->formats.generation;
    if (profile != s->profile || payload_type != s->payload_type || f.kind != s->kind) count_votes(t, s);
    s->profile = profile;
    s->payload_type = payload_type;
    s->kind = f.kind;
    s->law = f.law;
    if (!is_voted(s)) return;
    set_clock(s, f.clock_rate);
    if (f.kind != KIND_MEDIA) return;
    if (s->media_type != METER_NO_PAYLOAD_TYPE && s->media_type != payload_type) rare_of(t, s)->payload_type_changes++;
    s->media_type = payload_type;
}

/* RFC 3550 A.8 in double precision: J += (|D| - J) / 16, D in seconds by the payload's clock, in arrival order. Returns D. */
static inline double jitter_take(stream *s, const datagram *d, uint32_t timestamp, bool marker) {
    double sent = (double)(int32_t)(timestamp - s->transit_timestamp) * s->tick;
    double moved = (double)(d->time_ns - s->transit_ns) * 1e-9 - sent;
    double jitter = s->jitter + (fabs(moved) - s->jitter) / 16.0;
    s->jitter = jitter;
    if (!marker) {
        s->jitter_sum += jitter;
        s->jitter_samples++;
        s->second_jitter_sum += (float)jitter;
        s->jitter_max = jitter > s->jitter_max ? jitter : s->jitter_max;
        s->second_jitter_max = (float)jitter > s->second_jitter_max ? (float)jitter : s->second_jitter_max;
    }
    s->x += moved;
    s->transit_ns = d->time_ns;
    s->transit_timestamp = timestamp;
    return moved;
}

/* The timestamp went elsewhere while the packets went on. */
static RARE void timestamp_jump(stream_tables *t, stream *s, uint32_t units) {
    rare_record *rare = rare_of(t, s);
    rare->timestamp_jumps++;
    rare->jump_units = units;
    delay_stretch(t, s);
}

static void transit(stream_tables *t, stream *s, const datagram *d, const rtp_header *p, bool is_forward) {
    uint8_t state = s->state;
    if (!(state & STATE_TRANSIT)) {
        s->state |= STATE_TRANSIT;
        s->transit_ns = d->time_ns;
        s->transit_timestamp = p->timestamp;
        delay_stretch(t, s);
    } else {
        uint32_t units = p->timestamp - s->transit_timestamp - s->step;
        double before = state & STATE_FORWARD ? s->x : trouble_of(t, s)->x_forward;
        jitter_take(s, d, p->timestamp, rtp_marker(p));
        if (!is_forward) trouble_of(t, s)->x_forward = before;
        else if (fabs(s->x - before) > TIMESTAMP_JUMP) timestamp_jump(t, s, units);
    }
    if (is_forward) s->state |= STATE_FORWARD;
    else s->state &= (uint8_t)~STATE_FORWARD;
}

static void payload(stream_tables *t, stream *s, const datagram *d, const rtp_header *p, placing placed, uint64_t position,
                    int64_t gap) {
    if (rtp_payload_type(p) != s->payload_type || s->generation != (uint16_t)t->formats.generation)
        look_up_format(t, s, d, rtp_payload_type(p));
    if (rtp_marker(p)) s->markers++;
    if (s->kind == KIND_EVENT) { /* RFC 4733: the timestamp stands still and ends repeat: no use for jitter */
        rare_of(t, s)->events++;
        return;
    }
    if (s->kind == KIND_COMFORT_NOISE) {
        rare_of(t, s)->comfort_noise++;
        return;
    }
    if (t->audio && s->law && placed != PLACE_DUPLICATE)
        audio_take(t->audio, &side_of(t, s)->audio, s->law, d->payload, d->captured, d->length);
    if (!(s->tick > 0)) return;
    transit(t, s, d, p, placed == PLACE_FORWARD);
    if (placed == PLACE_DUPLICATE || placed == PLACE_MISFIT) return;
    bool talkspurt = rtp_marker(p) && (double)gap * 1e-9 >= TALKSPURT_GAP;
    if (delay_take(t, s, s->x, talkspurt)) loss_discard(t, s, position);
}

/* ---- the whole packet ------------------------------------------------------------------------------------------------ */

static void mark_dscp(stream_tables *t, stream *s, uint8_t dscp) {
    rare_record *rare = rare_of(t, s);
    rare->dscp_seen |= (uint64_t)1 << s->dscp | (uint64_t)1 << dscp;
    rare->dscp_changes++;
    s->dscp = dscp;
}

static void begin_stream(const stream_tables *t, stream *s, const datagram *d, const rtp_header *p) {
    packed_key key = s->key;
    uint32_t serial = s->serial, side = s->side;
    uint8_t state = s->state;
    memset(s, 0, sizeof *s);
    s->key = key;
    s->serial = serial;
    s->side = side;
    s->state = state;
    s->payload_type = s->media_type = METER_NO_PAYLOAD_TYPE;
    s->dscp = d->dscp;
    s->first_ns = s->end_ns = d->time_ns;
    begin_segment(s, rtp_sequence(p), p->timestamp, FIRST_POSITION);
    s->second_first = s->base;
    s->streak = 1;
    if (t->options.probation <= 1) s->state |= STATE_VALID;
}

/* Packets in sequence make a stream (A.1). */
static void probe(const stream_tables *t, stream *s, const rtp_header *p) {
    bool in_sequence = rtp_sequence(p) == (uint16_t)(s->last_sequence + 1);
    s->streak = in_sequence ? (uint8_t)(s->streak + (s->streak != UINT8_MAX)) : 1;
    if (s->streak >= t->options.probation) s->state |= STATE_VALID;
}

static void largest_gap(stream_tables *t, stream *s, int64_t gap) {
    s->largest_gap = gap < GAP_IN_RECORD ? (uint32_t)gap : GAP_IN_RECORD;
    if (gap < GAP_IN_RECORD) return;
    rare_record *rare = rare_of(t, s);
    if (gap > rare->largest_gap_ns) rare->largest_gap_ns = gap;
}

static void earlier(stream_tables *t, stream *s, const datagram *d) {
    if (d->time_ns >= s->first_ns) return;
    rare_record *rare = rare_of(t, s);
    if (d->time_ns - s->first_ns < rare->early_ns) rare->early_ns = d->time_ns - s->first_ns;
}

/* What the next packet must be to go the fast way. */
static void expect(const stream_tables *t, stream *s) {
    s->expected = EXPECT_NONE;
    if ((s->state & (STATE_COMMON | STATE_ODD)) != STATE_COMMON || s->kind != KIND_MEDIA || (t->audio && s->law)) return;
    s->expected = (uint16_t)(s->max + s->origin + 1) | (uint32_t)s->payload_type << 16 | (uint32_t)s->dscp << 24;
}

static __attribute__((noinline)) void any_packet(stream_tables *t, stream *s, const datagram *d, const rtp_header *p) {
    int64_t gap = 0;
    uint64_t position = FIRST_POSITION;
    placing placed = PLACE_FORWARD;
    if (s->packets == 0) {
        begin_stream(t, s, d, p);
    } else {
        gap = d->time_ns - s->end_ns;
        if (s->expected != EXPECT_NONE) s->last_sequence = (uint16_t)(s->max + s->origin);
        if (!(s->state & STATE_VALID)) probe(t, s, p);
        if (d->time_ns >= series_end(s)) series_turn(t, s, d->time_ns);
        placed = place(t, s, d, p, &position);
        if (gap > s->largest_gap) largest_gap(t, s, gap);
        if (gap > 0) s->end_ns = d->time_ns;
        else earlier(t, s, d);
        if (d->dscp != s->dscp) mark_dscp(t, s, d->dscp);
    }
    if (placed < PLACE_STRAY) payload(t, s, d, p, placed, position, gap);
    s->last_sequence = rtp_sequence(p);
    s->packets++;
    s->bytes += d->length;
    expect(t, s);
}

void stream_take(stream_tables *t, stream *s, const datagram *d, const rtp_header *p) {
    int64_t gap = d->time_ns - s->end_ns;
    uint64_t position = s->max + 1;
    uint32_t differs = (p->word ^ s->expected) | (s->generation ^ (uint16_t)t->formats.generation) |
                       ((p->timestamp - s->max_timestamp) ^ s->step);
    bool in_second = (uint64_t)gap < (uint64_t)(series_end(s) - s->end_ns); /* nor before the packet before it */
    if (differs || !in_second || !(position & 63)) {
        any_packet(t, s, d, p);
        return;
    }
    /* The next one in sequence, of the same kind, in the same second: what most are. */
    s->expected = (p->word & 0xffff0000) | (uint16_t)(p->word + 1);
    s->max = position;
    s->word |= (uint64_t)1 << (position & 63);
    s->max_timestamp = p->timestamp;
    s->step_votes += s->step_votes != UINT8_MAX;
    s->packets++;
    s->bytes += d->length;
    s->end_ns = d->time_ns;
    s->largest_gap = gap > s->largest_gap ? (uint32_t)gap : s->largest_gap; /* within a second */
    double moved = jitter_take(s, d, p->timestamp, false);
    if (fabs(moved) > TIMESTAMP_JUMP) {
        timestamp_jump(t, s, 0);
        s->last_sequence = rtp_sequence(p);
        expect(t, s);
    }
    if (delay_take(t, s, s->x, false)) loss_discard(t, s, position);
}
