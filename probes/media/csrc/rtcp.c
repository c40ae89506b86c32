/* What RTCP packets say, put into the table. */
#include "rtcp.h"

#include <math.h>

#include "rtcp_packet.h"
#include "rtcp_table.h"

enum {
    TWICE_NS = 5000000, /* the same within this was captured twice */
    NOISE_NS = 1000000, /* a round trip may be this much below zero: clocks of 100 ppm over 10 s */
};

/* ---- what packets say ----------------------------------------------------------------------------------------------- */

static int64_t distance(int64_t a, int64_t b) { return a > b ? a - b : b - a; }

/* NTP units of 2^-32 s to nanoseconds; `a` was sent after `b`. */
static double ntp_seconds(uint64_t a, uint64_t b) { return (double)(int64_t)(a - b) / 4294967296.0; }

static void remember_time(rtcp_entry *e, uint8_t type, uint32_t middle, int64_t time_ns) {
    for (size_t i = 0; i < RTCP_KEPT_TIMES; i++)
        if (e->times[i].type == type && e->times[i].middle == middle) return;
    e->times[e->next_time] = (rtcp_passing){time_ns, middle, type};
    e->next_time = (e->next_time + 1) % RTCP_KEPT_TIMES;
}

/* The sender's RTP clock by its own NTP clock; a sender that starts its timestamps anew starts the measure anew. */
static void measure_clock(rtcp_sender *s, uint64_t ntp, uint32_t rtp) {
    int32_t step = (int32_t)(rtp - s->last_rtp);
    double seconds = ntp_seconds(ntp, s->last_ntp), before = ntp_seconds(s->last_ntp, s->first_ntp);
    bool fits = s->reports && seconds > 0;
    if (fits && before >= 1 && seconds >= 1) {
        double rate = (double)s->ticks / before;
        fits = fabs(step / seconds - rate) <= 0.1 * rate;
    }
    if (fits) {
        s->ticks += step;
    } else {
        s->ticks = 0;
        s->first_ntp = ntp;
    }
    s->last_ntp = ntp;
    s->last_rtp = rtp;
}

/* RFC 3550 section 6.4.1. */
static void take_sender(rtcp_entry *e, const uint8_t *info, int64_t time_ns) {
    rtcp_sender *s = &e->sender;
    uint64_t ntp = rtcp_u64(info);
    uint32_t rtp = rtcp_u32(info + 8);
    if (s->reports && s->last_ntp == ntp && s->last_rtp == rtp && distance(time_ns, s->last_ns) <= TWICE_NS) return;
    measure_clock(s, ntp, rtp);
    s->reports++;
    s->packets = rtcp_u32(info + 12);
    s->octets = rtcp_u32(info + 16);
    s->last_ns = time_ns;
    if (ntp) remember_time(e, RTCP_SR, (uint32_t)(ntp >> 16), time_ns);
}

/* RFC 3550 section 6.4.1 and figure 2, as seen from between: the reply's rtcp_passing, less the rtcp_passing of what it answers,
 * less the time it lay at the receiver (in 1/65536 s). */
static void take_trip(rtcp_receiver *r, const rtcp_passing *asked, uint32_t delay, int64_t time_ns) {
    int64_t trip = time_ns - asked->time_ns - (int64_t)((uint64_t)delay * 1000000000 >> 16);
    if (trip < -NOISE_NS) {
        r->trips_refused++;
        return;
    }
    if (trip < 0) trip = 0;
    if (!r->trips || trip < r->trip_min_ns) r->trip_min_ns = trip;
    if (!r->trips || trip > r->trip_max_ns) r->trip_max_ns = trip;
    r->trip_last_ns = trip;
    r->trip_sum_ns += (double)trip;
    r->trips++;
}

static void find_trip(const rtcp_table *t, rtcp_entry *e, uint8_t type, const uint8_t *answer, int64_t time_ns) {
    uint32_t middle = rtcp_u32(answer), probe = e->hash;
    if (!middle) return;
    /* The question may have gone by other ports than the answer. */
    for (const rtcp_entry *v; (v = rtcp_variant(t, &e->key, e->hash, &probe));)
        for (size_t i = 0; i < RTCP_KEPT_TIMES; i++)
            if (v->times[i].type == type && v->times[i].middle == middle) {
                take_trip(&e->receiver, &v->times[i], rtcp_u32(answer + 4), time_ns);
                return;
            }
}

/* RFC 3550 section 6.4.1: fraction lost, cumulative lost (signed), highest sequence number, jitter, LSR, DLSR. */
static void take_report(const rtcp_table *t, rtcp_entry *e, const uint8_t *block, uint32_t reporter, int64_t time_ns) {
    rtcp_receiver *r = &e->receiver;
    uint8_t fraction = block[4];
    int32_t lost = (int32_t)(rtcp_u32(block + 4) << 8) / 256;
    uint32_t highest = rtcp_u32(block + 8), jitter = rtcp_u32(block + 12);
    uint32_t last_sr = rtcp_u32(block + 16), delay = rtcp_u32(block + 20);
    if (r->reports && r->reporter == reporter && r->highest == highest && r->jitter_last == jitter && r->lost == lost &&
        r->last_sr == last_sr && r->delay == delay && distance(time_ns, r->last_ns) <= TWICE_NS)
        return;
    if (!r->reports++) r->first_ns = time_ns;
    r->last_ns = time_ns;
    r->reporter = reporter;
    r->lost = lost;
    r->highest = highest;
    r->last_sr = last_sr;
    r->delay = delay;
    r->fraction_last = fraction;
    r->fraction_sum += fraction;
    if (fraction > r->fraction_max) r->fraction_max = fraction;
    r->jitter_last = jitter;
    r->jitter_sum += jitter;
    if (jitter > r->jitter_max) r->jitter_max = jitter;
    find_trip(t, e, RTCP_SR, block + 16, time_ns);
}

/* ---- a datagram ----------------------------------------------------------------------------------------------------- */

typedef struct {
    rtcp_table *t;
    int64_t time_ns;
    stream_key along;   /* media of the datagram's sender */
    stream_key against; /* media of its receiver */
} visit;

static rtcp_entry *about(const visit *v, const stream_key *way, uint32_t ssrc) {
    stream_key key = *way;
    key.ssrc = ssrc;
    return rtcp_entry_of(v->t, &key, v->time_ns);
}

static void take_reports(const visit *v, const rtcp_packet *p, uint32_t first) {
    for (uint32_t i = 0; i < p->count; i++) {
        const uint8_t *block = p->at + first + 24 * i;
        rtcp_entry *e = about(v, &v->against, rtcp_u32(block));
        if (e) take_report(v->t, e, block, rtcp_u32(p->at + 4), v->time_ns);
    }
}

static void take_bye(const visit *v, const rtcp_packet *p) {
    const uint8_t *reason = p->at + 4 + 4 * p->count;
    uint32_t length = reason < p->at + p->length ? reason[0] : 0;
    if (length > RTCP_REASON)
        for (length = RTCP_REASON; length && reason[1 + length] >> 6 == 2;) length--; /* not inside a character */
    for (uint32_t i = 0; i < p->count; i++) {
        rtcp_entry *e = about(v, &v->along, rtcp_u32(p->at + 4 + 4 * i));
        if (!e) continue;
        e->sender.byes++;
        if (!length || !rtcp_is_text(reason + 1, length) || !rtcp_rarity_of(v->t, e)) continue;
        memcpy(e->rare->reason, reason + 1, length);
        e->rare->reason_length = (uint8_t)length;
    }
}

/* RFC 3611 section 4.5: for each receiver that had sent its reference time. */
static void take_dlrr(const visit *v, const rtcp_packet *block) {
    for (uint32_t at = 4; at + 12 <= block->length; at += 12) {
        rtcp_entry *e = about(v, &v->against, rtcp_u32(block->at + at));
        if (e) find_trip(v->t, e, XR_REFERENCE_TIME, block->at + at + 4, v->time_ns);
    }
}

static void take_extended(const visit *v, const rtcp_packet *xr) {
    rtcp_packet b;
    for (uint32_t at = 8; rtcp_next_block(xr, &at, &b);) {
        if (b.type == XR_DLRR) {
            take_dlrr(v, &b);
        } else if (b.type == XR_REFERENCE_TIME) {
            rtcp_entry *e = about(v, &v->along, rtcp_u32(xr->at + 4));
            if (e) remember_time(e, XR_REFERENCE_TIME, rtcp_u32(b.at + 6), v->time_ns);
        } else if (b.type == XR_STATISTICS || b.type == XR_VOIP) {
            rtcp_entry *e = about(v, &v->against, rtcp_u32(b.at + 4));
            if (!e || !rtcp_rarity_of(v->t, e)) continue;
            rtcp_extended *x = &e->rare->extended;
            if (b.type == XR_VOIP) {
                x->voip_reports++;
                memcpy(x->voip, b.at + 8, sizeof x->voip);
            } else {
                x->statistics_reports++;
                x->statistics_flags = b.count;
                memcpy(x->statistics, b.at + 8, sizeof x->statistics);
            }
        }
    }
}

static void take_packet(const visit *v, const rtcp_packet *p) {
    if (p->type == RTCP_SR) {
        rtcp_entry *e = about(v, &v->along, rtcp_u32(p->at + 4));
        if (e) take_sender(e, p->at + 8, v->time_ns);
        take_reports(v, p, 28);
    } else if (p->type == RTCP_RR) {
        take_reports(v, p, 8);
    } else if (p->type == RTCP_BYE) {
        take_bye(v, p);
    } else if (p->type == RTCP_XR) {
        take_extended(v, p);
    }
}

static void map_address(uint8_t out[16], const uint8_t *address, uint8_t family) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    memcpy(out, mapped, family == 6 ? 0 : 12);
    memcpy(family == 6 ? out : out + 12, address, family == 6 ? 16 : 4);
}

void rtcp_take(rtcp_table *t, const datagram *d) {
    visit v = {.t = t, .time_ns = d->time_ns};
    map_address(v.along.src, d->src, d->family);
    map_address(v.along.dst, d->dst, d->family);
    v.along.src_port = rtcp_media_port(d->src_port);
    v.along.dst_port = rtcp_media_port(d->dst_port);
    memcpy(v.against.src, v.along.dst, 16);
    memcpy(v.against.dst, v.along.src, 16);
    v.against.src_port = v.along.dst_port;
    v.against.dst_port = v.along.src_port;

    uint32_t readable, at = 0;
    rtcp_verdict verdict = rtcp_judge(d->payload, d->captured, d->length, &readable);
    t->counters.whole += verdict == RTCP_WHOLE;
    t->counters.snapped += verdict == RTCP_SNAPPED;
    t->counters.damaged += verdict == RTCP_DAMAGED;
    t->counters.encrypted += verdict == RTCP_ENCRYPTED;
    if (verdict == RTCP_ENCRYPTED) {
        rtcp_entry *e = about(&v, &v.along, rtcp_u32(d->payload + 4));
        if (e) e->sender.encrypted++;
    }
    for (rtcp_packet p; rtcp_next(d->payload, readable, &at, &p);) take_packet(&v, &p);
}

