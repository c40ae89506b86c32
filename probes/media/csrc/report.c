#include "report.h"

#include <math.h>
#include <string.h>

/* Decimals of what is written: nanoseconds, jitter as exact as it is, ratios of any count of packets. */
enum { SECONDS = 9, JITTER = 12, RATIO = 12, SCORE = 6, PPM = 3 };
enum { HIGHEST_STEP = 1 << 30 }; /* timestamp units: a majority of larger steps counts backwards */

static const double TWICE = 0.9; /* of the packets come again at once: captured twice */

/* What follows from the row's counts, NaN: unknown. */
typedef struct {
    double loss, burst_ratio;            /* of what the network lost */
    bool buffered;                       /* packets entered the simulated buffers */
    bool judged;                         /* and one of these counts */
    uint64_t late, early;                /* discarded by it */
    double effective, effective_burst;   /* lost or discarded */
    double ptime;
} derived;

static double ratio(uint64_t part, uint64_t whole) { return whole ? (double)part / (double)whole : (double)NAN; }

/* G.107 clause 7.5: mean length of a run over what random loss gives, 1 / (1 - p). No runs: no value. */
static double burst_ratio(uint64_t missing, uint64_t runs, uint64_t expected) {
    return runs && expected ? (double)missing / (double)runs * (1 - ratio(missing, expected)) : (double)NAN;
}

static derived derive(const stream_row *r) {
    derived d = {0};
    d.loss = ratio(r->lost, r->expected);
    d.burst_ratio = burst_ratio(r->lost, r->loss_runs, r->expected);
    d.buffered = !isnan(r->adaptive_delay);
    d.judged = d.buffered && r->buffer != BUFFER_NONE;
    d.effective = d.loss;
    d.effective_burst = d.burst_ratio;
    if (d.judged) {
        d.late = r->buffer == BUFFER_FIXED ? r->fixed_late : r->adaptive_late;
        d.early = r->buffer == BUFFER_FIXED ? r->fixed_early : r->adaptive_early;
        uint64_t missing = r->lost + d.late + d.early;
        if (missing > r->expected) missing = r->expected;
        d.effective = ratio(missing, r->expected);
        d.effective_burst = burst_ratio(missing, r->impaired_runs, r->expected);
    }
    bool stepping = r->step > 0 && r->step < HIGHEST_STEP && r->clock_rate;
    d.ptime = stepping ? (double)r->step / r->clock_rate : (double)NAN;
    return d;
}

/* ---- members --------------------------------------------------------------------------------------------------------- */

#define NAME(j, name) json_octets(j, ",\"" name "\":", sizeof ",\"" name "\":" - 1)
#define TEXT(j, literal) json_octets(j, literal, sizeof(literal) - 1)

static void counted(json_text *j, uint64_t value, bool known) {
    if (known) json_unsigned(j, value);
    else TEXT(j, "null");
}

static void truth(json_text *j, bool value) {
    if (value) TEXT(j, "true");
    else TEXT(j, "false");
}

#define COUNT(j, name, value) (NAME(j, name), json_unsigned(j, value))
#define KNOWN(j, name, value, known) (NAME(j, name), counted(j, value, known))
#define NUMBER(j, name, value, decimals) (NAME(j, name), json_fixed(j, value, decimals))
#define TRUTH(j, name, value) (NAME(j, name), truth(j, value))

static void hexadecimal32(json_text *j, uint32_t value) {
    char text[12] = "\"0x00000000\"";
    for (int i = 0; i < 8; i++) text[3 + i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
    json_octets(j, text, sizeof text);
}

static void who(json_text *j, const report_label *label, const stream_row *r) {
    TEXT(j, "\"src\":");
    json_endpoint(j, r->src, r->src_port);
    NAME(j, "dst");
    json_endpoint(j, r->dst, r->dst_port);
    NAME(j, "ssrc");
    hexadecimal32(j, r->ssrc);
    KNOWN(j, "payload_type", r->payload_type, r->payload_type != METER_NO_PAYLOAD_TYPE);
    NAME(j, "codec");
    json_string(j, label->codec);
    KNOWN(j, "clock_rate", r->clock_rate, r->clock_rate);
    TEXT(j, ",");
    json_string(j, label->said);
}

static void counts(json_text *j, const stream_row *r, const derived *d) {
    COUNT(j, "packets", r->packets);
    COUNT(j, "bytes", r->bytes);
    COUNT(j, "expected", r->expected);
    COUNT(j, "lost", r->lost);
    NAME(j, "lost_rfc3550");
    json_signed(j, r->lost_rfc3550);
    COUNT(j, "duplicates", r->duplicates);
    COUNT(j, "reordered", r->reordered);
    COUNT(j, "strays", r->strays);
    COUNT(j, "restarts", r->restarts);
    COUNT(j, "timestamp_jumps", r->timestamp_jumps);
    COUNT(j, "payload_type_changes", r->payload_type_changes);
    COUNT(j, "events", r->events);
    COUNT(j, "comfort_noise", r->comfort_noise);
    COUNT(j, "markers", r->markers);
    NUMBER(j, "ptime_seconds", d->ptime, SECONDS);
}

static void marks(json_text *j, const stream_row *r, uint8_t one_way) {
    COUNT(j, "dscp", r->dscp);
    NAME(j, "dscp_set");
    char separator = '[';
    for (unsigned i = 0; i < 64; i++) {
        if (!(r->dscp_seen >> i & 1)) continue;
        json_octets(j, &separator, 1);
        json_unsigned(j, i);
        separator = ',';
    }
    if (separator == '[') TEXT(j, "[");
    TEXT(j, "]");
    COUNT(j, "dscp_changes", r->dscp_changes);
    uint64_t single = r->packets - r->echoes;
    TRUTH(j, "captured_twice", r->echoes && (double)r->echoes >= TWICE * (double)single);
    NAME(j, "one_way");
    if (one_way == ONE_WAY_UNKNOWN) TEXT(j, "null");
    else truth(j, one_way == ONE_WAY_YES);
}

static void delays(json_text *j, const stream_row *r) {
    NUMBER(j, "jitter_seconds", r->jitter, JITTER);
    NUMBER(j, "jitter_mean_seconds", r->jitter_mean, JITTER);
    NUMBER(j, "jitter_max_seconds", r->jitter_max, JITTER);
    NUMBER(j, "pdv_p50_seconds", r->pdv_p50, SECONDS);
    NUMBER(j, "pdv_p95_seconds", r->pdv_p95, SECONDS);
    NUMBER(j, "pdv_p99_seconds", r->pdv_p99, SECONDS);
    NUMBER(j, "pdv_max_seconds", r->pdv_max, SECONDS);
    NUMBER(j, "clock_drift_ppm", r->drift_ppm, PPM);
}

/* RFC 3611 section 4.7.2 with Gmin 16: densities, and mean lengths in packets and seconds. A stream begins and ends in a
 * gap, so there is one more of these than of bursts. */
static void bursts(json_text *j, const stream_row *r, const derived *d) {
    uint64_t outside = r->expected - r->burst_packets;
    double burst = r->bursts ? ratio(r->burst_packets, r->bursts) : (double)NAN;
    double gap = outside ? (double)outside / (double)(r->bursts + 1) : (double)NAN;
    NUMBER(j, "loss_ratio", d->loss, RATIO);
    NUMBER(j, "burst_ratio", d->burst_ratio, SECONDS);
    COUNT(j, "loss_run_max", r->loss_run_max);
    COUNT(j, "bursts", r->bursts);
    NUMBER(j, "burst_density", ratio(r->burst_lost, r->burst_packets), RATIO);
    NUMBER(j, "burst_packets_mean", burst, SECONDS);
    NUMBER(j, "burst_duration_seconds", burst * d->ptime, SECONDS);
    NUMBER(j, "gap_density", ratio(r->lost - r->burst_lost, outside), RATIO);
    NUMBER(j, "gap_duration_seconds", gap * d->ptime, SECONDS);
}

static void buffers(json_text *j, const report_options *options, const stream_row *r, const derived *d) {
    bool fixed = r->buffer == BUFFER_FIXED;
    KNOWN(j, "discarded", d->late + d->early, d->judged);
    KNOWN(j, "discarded_late", d->late, d->judged);
    KNOWN(j, "discarded_early", d->early, d->judged);
    NAME(j, "buffer");
    if (r->buffer == BUFFER_NONE) TEXT(j, "null");
    else if (fixed) TEXT(j, "\"fixed\"");
    else TEXT(j, "\"adaptive\"");
    double delay = fixed ? options->fixed_delay : r->adaptive_delay;
    NUMBER(j, "buffer_delay_seconds", d->judged ? delay : (double)NAN, SECONDS);
    KNOWN(j, "fixed_late", r->fixed_late, d->buffered);
    KNOWN(j, "fixed_early", r->fixed_early, d->buffered);
    KNOWN(j, "adaptive_late", r->adaptive_late, d->buffered);
    KNOWN(j, "adaptive_early", r->adaptive_early, d->buffered);
    NUMBER(j, "effective_loss_ratio", d->effective, RATIO);
    NUMBER(j, "effective_burst_ratio", d->effective_burst, SECONDS);
}

static void quality(json_text *j, const report_options *options, const codec_rating *c, const derived *d, double trip) {
    static const char *const scales[] = {"null", "\"narrowband\"", "\"wideband\""};
    double listening = rating_listening(c, 100 * d->effective, d->effective_burst);
    double talking = listening - rating_delay(c, options->delay_ms);
    NUMBER(j, "r_lq", listening, SCORE);
    NUMBER(j, "mos_lq", rating_mos(c, listening), SCORE);
    NUMBER(j, "r_cq", talking, SCORE);
    NUMBER(j, "mos_cq", rating_mos(c, talking), SCORE);
    NAME(j, "mos_scale");
    json_string(j, scales[c->scale]);
    TRUTH(j, "mos_provisional", c->provisional);
    NUMBER(j, "round_trip_seconds", trip, SECONDS);
    NUMBER(j, "delay_seconds", options->delay_ms / 1000, SECONDS);
}

static void times(json_text *j, const stream_row *r) {
    NAME(j, "start");
    json_time(j, r->start_ns);
    NAME(j, "end");
    json_time(j, r->end_ns);
    NUMBER(j, "duration_seconds", (double)(r->end_ns - r->start_ns) / 1e9, SECONDS);
    NUMBER(j, "largest_gap_seconds", (double)r->largest_gap_ns / 1e9, SECONDS);
}

/* ---- second by second ------------------------------------------------------------------------------------------------ */

/* One window: its seconds added up. The mean jitter is weighed by packets. */
typedef struct {
    uint32_t second;
    uint64_t packets, lost, discarded;
    double jitter_sum, jitter_weight, jitter_max, pdv_max;
    bool burst;
} window_row;

static void add_second(window_row *w, const second_row *s) {
    w->packets += s->packets;
    w->lost += s->lost;
    w->discarded += s->discarded;
    if (!isnan(s->jitter_mean)) {
        w->jitter_sum += (double)s->jitter_mean * s->packets;
        w->jitter_weight += s->packets;
    }
    w->jitter_max = fmax(w->jitter_max, s->jitter_max); /* not NaN, if one of the two is not */
    w->pdv_max = fmax(w->pdv_max, s->pdv_max);
    w->burst |= s->flags & 1;
}

/* The window that begins at *at; *at goes behind it. */
static window_row next_window(const report_extras *x, uint32_t width, size_t *at) {
    uint32_t first = x->seconds[*at].second - x->seconds[*at].second % width;
    window_row w = {.second = first, .jitter_max = NAN, .pdv_max = NAN};
    while (*at < x->second_count && x->seconds[*at].second - first < width) add_second(&w, &x->seconds[(*at)++]);
    return w;
}

enum column { SECOND, PACKETS, LOST, DISCARDED, JITTER_MEAN, JITTER_MAX, PDV_MAX, MOS, BURST, COLUMNS };

static void cell(json_text *j, enum column column, const window_row *w, const codec_rating *c, bool judged) {
    double missed = 100 * (double)(w->lost + w->discarded), sent = (double)(w->packets + w->lost);
    switch (column) {
    case SECOND: json_unsigned(j, w->second); break;
    case PACKETS: json_unsigned(j, w->packets); break;
    case LOST: json_unsigned(j, w->lost); break;
    case DISCARDED: counted(j, w->discarded, judged); break;
    case JITTER_MEAN: json_fixed(j, w->jitter_weight > 0 ? w->jitter_sum / w->jitter_weight : (double)NAN, SECONDS); break;
    case JITTER_MAX: json_fixed(j, w->jitter_max, SECONDS); break;
    case PDV_MAX: json_fixed(j, w->pdv_max, SECONDS); break;
    case MOS: json_fixed(j, rating_mos(c, rating_listening(c, sent > 0 ? missed / sent : (double)NAN, 1)), SCORE); break;
    case BURST: truth(j, w->burst); break;
    case COLUMNS: break;
    }
}

static void seconds(json_text *j, const report_options *options, const codec_rating *c, bool judged, const report_extras *x) {
    static const char *const names[COLUMNS] = {
        ",\"seconds\":{\"second\":[", "],\"packets\":[", "],\"lost\":[", "],\"discarded\":[", "],\"jitter_mean_seconds\":[",
        "],\"jitter_max_seconds\":[", "],\"pdv_max_seconds\":[", "],\"mos_lq\":[", "],\"burst\":[",
    };
    for (enum column column = 0; column < COLUMNS; column++) {
        json_string(j, names[column]);
        for (size_t at = 0; at < x->second_count;) {
            if (at) TEXT(j, ",");
            window_row w = next_window(x, options->window, &at);
            cell(j, column, &w, c, judged);
        }
    }
    TEXT(j, "]}");
}

/* ---- the whole ------------------------------------------------------------------------------------------------------- */

static void beside(json_text *j, const stream_row *r, const report_extras *x) {
    NAME(j, "rtcp");
    char *at = x->rtcp ? json_reserve(j, RTCP_JSON_MAX) : NULL;
    if (at) j->length += rtcp_json(x->rtcp, r->clock_rate, at);
    else TEXT(j, "null");
    NAME(j, "audio");
    at = x->audio ? json_reserve(j, AUDIO_JSON_MAX) : NULL;
    if (at) j->length += audio_json(x->audio, at);
    else TEXT(j, "null");
}

void report_stream(json_text *out, const report_options *options, const report_label *label, const stream_row *row,
                   const report_extras *extras) {
    derived d = derive(row);
    TEXT(out, "{");
    json_string(out, options->first);
    who(out, label, row);
    counts(out, row, &d);
    marks(out, row, extras->one_way);
    delays(out, row);
    bursts(out, row, &d);
    buffers(out, options, row, &d);
    quality(out, options, &label->rating, &d, extras->rtcp ? rtcp_round_trip(extras->rtcp) : (double)NAN);
    times(out, row);
    beside(out, row, extras);
    if (options->window) seconds(out, options, &label->rating, d.judged, extras);
    TEXT(out, "}");
}

static uint64_t way(const uint8_t from[16], const uint8_t to[16], uint64_t ports) {
    uint64_t h = mix(mix(0, word(from)), word(from + 8));
    return mix(mix(mix(h, word(to)), word(to + 8)), ports);
}

static bool multicast(const uint8_t address[16]) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return address[0] == 0xff || (!memcmp(address, mapped, 12) && address[12] >> 4 == 14);
}

talk report_talk(const stream_row *row) {
    const uint64_t hosts = (uint64_t)1 << 32, nobody = (uint64_t)1 << 33;
    bool own = !memcmp(row->src, row->dst, 16); /* a host that talks to itself: only ports tell its ends apart */
    uint32_t there = (uint32_t)row->src_port << 16 | row->dst_port, back = (uint32_t)row->dst_port << 16 | row->src_port;
    return (talk){
        .there = way(row->src, row->dst, there),
        .back = way(row->dst, row->src, own && there == back ? nobody : back),
        .there_hosts = way(row->src, row->dst, hosts),
        .back_hosts = way(row->dst, row->src, own ? nobody : hosts),
        .start_ns = row->start_ns, .end_ns = row->end_ns,
        .many = multicast(row->dst),
    };
}
