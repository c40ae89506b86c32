#include <math.h>

#include "delay.h"
#include "loss.h"
#include "stream.h"

typedef struct {
    uint8_t payload_type;
    uint32_t profile;
} majority;

/* The votes with those of the run that is still going on. */
static majority main_format(const stream_tables *t, const stream *s) {
    bool media = s->kind != KIND_EVENT && s->kind != KIND_COMFORT_NOISE;
    uint32_t run = stream_run(t, s);
    const rare_record *rare = SIDE_RECORD(t, s, rare, rares);
    uint32_t votes = rare ? rare->main_votes : 0;
    bool leads = run > votes || (rare && rare->main_type == s->payload_type + 1);
    if (media && run && leads) return (majority){s->payload_type, s->profile};
    if (!rare || !rare->main_type) return (majority){METER_NO_PAYLOAD_TYPE, 0};
    return (majority){rare->main_type - 1, rare->main_profile};
}

static void describe_rare(const rare_record *rare, const stream *s, stream_row *r) {
    r->dscp_seen = (uint64_t)1 << s->dscp;
    r->expected = s->max - stream_base(s) + 1;
    if (!rare) return;
    if (rare->dscp_seen) r->dscp_seen = rare->dscp_seen;
    r->expected += rare->expected_before;
    r->strays = rare->strays;
    r->restarts = rare->restarts;
    r->timestamp_jumps = rare->timestamp_jumps;
    r->payload_type_changes = rare->payload_type_changes;
    r->dscp_changes = rare->dscp_changes;
    r->events = rare->events;
    r->comfort_noise = rare->comfort_noise;
    if (s->largest_gap == GAP_IN_RECORD) r->largest_gap_ns = rare->largest_gap_ns;
}

static void describe_trouble(const trouble_record *trouble, stream_row *r) {
    if (!trouble) return;
    r->duplicates = trouble->duplicates;
    r->reordered = trouble->reordered;
    r->echoes = trouble->echoes;
    r->fixed_late = trouble->fixed_late;
    r->fixed_early = trouble->fixed_early;
    r->adaptive_late = trouble->adaptive_late;
    r->adaptive_early = trouble->adaptive_early;
}

void stream_describe_ends(const stream_tables *t, const stream *s, stream_row *r) {
    const rare_record *rare = SIDE_RECORD(t, s, rare, rares);
    r->src_port = (uint16_t)s->key.rest;
    r->dst_port = (uint16_t)(s->key.rest >> 16);
    r->ssrc = (uint32_t)(s->key.rest >> 32);
    r->start_ns = s->first_ns + (rare ? rare->early_ns : 0);
    r->end_ns = s->end_ns;
    const address_record *a = SIDE_RECORD(t, s, address, addresses);
    uint32_t src = (uint32_t)s->key.addresses, dst = (uint32_t)(s->key.addresses >> 32);
    formats_address(r->src, a ? a->src : (const uint8_t *)&src, a ? 6 : 4);
    formats_address(r->dst, a ? a->dst : (const uint8_t *)&dst, a ? 6 : 4);
}

void stream_describe(const stream_tables *t, const stream *s, uint64_t id, stream_row *r) {
    bool known = s->jitter_samples > 0;
    majority main = main_format(t, s);
    *r = (stream_row){
        .id = id, .profile = main.profile, .payload_type = main.payload_type,
        .clock_rate = formats_clock(&t->formats, main.profile, main.payload_type),
        .packets = s->packets, .bytes = s->bytes,  .markers = s->markers, .step = s->step, .dscp = s->dscp, .buffer = t->options.buffer,
        .jitter_samples = s->jitter_samples,
        .jitter = known ? s->jitter : NAN,
        .jitter_mean = known ? s->jitter_sum / (double)s->jitter_samples : NAN,
        .jitter_max = known ? s->jitter_max : NAN,
        .largest_gap_ns = s->largest_gap,
    };
    stream_describe_ends(t, s, r);
    describe_trouble(SIDE_RECORD(t, s, trouble, troubles), r);
    describe_rare(SIDE_RECORD(t, s, rare, rares), s, r);
    loss_describe(t, s, r);
    delay_describe(t, s, r);
    uint64_t placed = s->packets - r->strays;
    r->lost = r->expected - (placed - r->duplicates); /* distinct ones: never more than expected */
    r->lost_rfc3550 = (int64_t)r->expected - (int64_t)placed;
}
