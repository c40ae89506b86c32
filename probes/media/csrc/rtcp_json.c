/* An RTCP row as JSON: the object `rtcp` of a stream. Unknown is null. */
#include <math.h>
#include <stdio.h>

#include "rtcp.h"
#include "rtcp_packet.h"

enum { DAY = 86400, XR_UNAVAILABLE = 127 };

static const int64_t NTP_TO_UNIX = 2208988800; /* seconds from 1900 to 1970 */

typedef struct {
    char *at;
    bool begun; /* this object has a member */
} writer;

static void put(writer *w, const char *text) {
    size_t length = strlen(text);
    memcpy(w->at, text, length);
    w->at += length;
}

static void name(writer *w, const char *key) {
    put(w, w->begun ? ",\"" : "\"");
    put(w, key);
    put(w, "\":");
    w->begun = true;
}

static void whole(writer *w, const char *key, int64_t value) {
    name(w, key);
    w->at += sprintf(w->at, "%lld", (long long)value);
}

static void flag(writer *w, const char *key, bool value) {
    name(w, key);
    put(w, value ? "true" : "false");
}

/* Nine decimals at most: nanoseconds. NaN, and what no figure here can be: null. */
static void number(writer *w, const char *key, double value) {
    name(w, key);
    if (!(fabs(value) < 9e9)) {
        put(w, "null");
        return;
    }
    int64_t nanos = llround(fabs(value) * 1e9);
    if (value < 0 && nanos) *w->at++ = '-';
    w->at += sprintf(w->at, "%lld.", (long long)(nanos / 1000000000));
    int64_t rest = nanos % 1000000000;
    do {
        *w->at++ = (char)('0' + rest / 100000000);
        rest = rest % 100000000 * 10;
    } while (rest);
}

static void text(writer *w, const char *key, const uint8_t *octets, size_t length) {
    name(w, key);
    *w->at++ = '"';
    for (size_t i = 0; i < length; i++) {
        if (octets[i] < 0x20 || octets[i] == '"' || octets[i] == '\\') w->at += sprintf(w->at, "\\u%04x", octets[i]);
        else *w->at++ = (char)octets[i];
    }
    *w->at++ = '"';
}

static void open_object(writer *w, const char *key) {
    name(w, key);
    put(w, "{");
    w->begun = false;
}

static void close_object(writer *w) {
    put(w, "}");
    w->begun = true;
}

static void nothing(writer *w, const char *key) {
    name(w, key);
    put(w, "null");
}

/* ---- what the rows' figures mean ------------------------------------------------------------------------------------- */

/* RTP ticks in a second of the sender's own NTP clock, over its reports. */
static double measured_clock(const rtcp_sender *s) {
    double seconds = (double)(int64_t)(s->last_ntp - s->first_ntp) / 4294967296.0;
    return seconds >= 1 && s->ticks > 0 ? (double)s->ticks / seconds : (double)NAN;
}

/* How far the sender's wall clock is ahead when its SR passes; a clock that counts from something else has no such figure.
 * NTP time begins anew in 2036: the era nearest to the capture is taken. */
static double clock_offset(const rtcp_sender *s) {
    if (!s->reports || !s->last_ntp) return (double)NAN;
    int64_t seconds = s->last_ns / 1000000000;
    int32_t ahead = (int32_t)((uint32_t)(s->last_ntp >> 32) - (uint32_t)(seconds + NTP_TO_UNIX));
    double offset = ahead + (double)(uint32_t)s->last_ntp / 4294967296.0 - (double)(s->last_ns - seconds * 1000000000) / 1e9;
    return fabs(offset) <= DAY ? offset : (double)NAN;
}

static double available(uint8_t value, int low, int high, double unit) {
    return value != XR_UNAVAILABLE && value >= low && value <= high ? value * unit : (double)NAN;
}

static double level(uint8_t octet) { return octet == XR_UNAVAILABLE ? (double)NAN : (int8_t)octet; }

/* RFC 3611 section 4.7. Values out of their ranges are not to be used; a round trip of 0 was not measured. */
static void write_voip(writer *w, const rtcp_extended *x) {
    static const char *const concealment[] = {NULL, "disabled", "enhanced", "standard"};
    static const char *const adaptive[] = {NULL, NULL, "false", "true"};
    const uint8_t *v = x->voip;
    open_object(w, "voip");
    whole(w, "reports", x->voip_reports);
    number(w, "loss_ratio", v[0] / 256.0);
    number(w, "discard_ratio", v[1] / 256.0);
    number(w, "burst_density", v[2] / 256.0);
    number(w, "gap_density", v[3] / 256.0);
    number(w, "burst_duration_seconds", rtcp_u16(v + 4) / 1e3);
    number(w, "gap_duration_seconds", rtcp_u16(v + 6) / 1e3);
    number(w, "round_trip_seconds", rtcp_u16(v + 8) ? rtcp_u16(v + 8) / 1e3 : (double)NAN);
    number(w, "end_system_delay_seconds", rtcp_u16(v + 10) / 1e3);
    number(w, "signal_level_dbm0", level(v[12]));
    number(w, "noise_level_dbm0", level(v[13]));
    number(w, "residual_echo_return_loss_db", available(v[14], 0, 255, 1));
    whole(w, "gmin", v[15]);
    number(w, "r_factor", available(v[16], 0, 100, 1));
    number(w, "external_r_factor", available(v[17], 0, 100, 1));
    number(w, "mos_lq", available(v[18], 10, 50, 0.1));
    number(w, "mos_cq", available(v[19], 10, 50, 0.1));
    const char *plc = concealment[v[20] >> 6], *jba = adaptive[v[20] >> 4 & 3];
    if (plc) text(w, "concealment", (const uint8_t *)plc, strlen(plc));
    else nothing(w, "concealment");
    name(w, "jitter_buffer_adaptive");
    put(w, jba ? jba : "null");
    number(w, "jitter_buffer_nominal_seconds", rtcp_u16(v + 22) / 1e3);
    number(w, "jitter_buffer_max_seconds", rtcp_u16(v + 24) / 1e3);
    number(w, "jitter_buffer_absolute_max_seconds", rtcp_u16(v + 26) / 1e3);
    close_object(w);
}

/* RFC 3611 section 4.6, of the last interval: flags L, D and J say what was measured. */
static void write_statistics(writer *w, const rtcp_extended *x, double tick) {
    const uint8_t *s = x->statistics;
    double jitter = x->statistics_flags & 0x20 ? tick : (double)NAN;
    open_object(w, "statistics");
    whole(w, "reports", x->statistics_reports);
    whole(w, "begin_sequence", rtcp_u16(s));
    whole(w, "end_sequence", rtcp_u16(s + 2));
    if (x->statistics_flags & 0x80) whole(w, "lost", rtcp_u32(s + 4));
    else nothing(w, "lost");
    if (x->statistics_flags & 0x40) whole(w, "duplicates", rtcp_u32(s + 8));
    else nothing(w, "duplicates");
    number(w, "jitter_min_seconds", rtcp_u32(s + 12) * jitter);
    number(w, "jitter_max_seconds", rtcp_u32(s + 16) * jitter);
    number(w, "jitter_mean_seconds", rtcp_u32(s + 20) * jitter);
    number(w, "jitter_deviation_seconds", rtcp_u32(s + 24) * jitter);
    close_object(w);
}

static void write_sender(writer *w, const rtcp_row *row) {
    const rtcp_sender *s = &row->sender;
    whole(w, "sender_reports", s->reports);
    if (s->reports) {
        whole(w, "sender_packets", s->packets);
        whole(w, "sender_octets", s->octets);
    } else {
        nothing(w, "sender_packets");
        nothing(w, "sender_octets");
    }
    number(w, "sender_clock_rate", measured_clock(s));
    number(w, "sender_clock_offset_seconds", clock_offset(s));
    flag(w, "bye", s->byes);
    if (row->reason_length) text(w, "bye_reason", row->reason, row->reason_length);
    else nothing(w, "bye_reason");
    whole(w, "encrypted", s->encrypted);
}

static void write_receiver(writer *w, const rtcp_receiver *r, double tick) {
    double none = r->reports ? 0 : (double)NAN, count = r->reports ? r->reports : 1;
    double untimed = r->trips ? 0 : (double)NAN, trips = r->trips ? r->trips : 1;
    whole(w, "reports", r->reports);
    if (r->reports) {
        whole(w, "lost", r->lost);
        whole(w, "highest_sequence", r->highest);
    } else {
        nothing(w, "lost");
        nothing(w, "highest_sequence");
    }
    number(w, "loss_ratio_last", r->fraction_last / 256.0 + none);
    number(w, "loss_ratio_mean", r->fraction_sum / count / 256.0 + none);
    number(w, "loss_ratio_max", r->fraction_max / 256.0 + none);
    number(w, "jitter_last_seconds", r->jitter_last * tick + none);
    number(w, "jitter_mean_seconds", r->jitter_sum / count * tick + none);
    number(w, "jitter_max_seconds", r->jitter_max * tick + none);
    whole(w, "round_trips", r->trips);
    whole(w, "round_trips_refused", r->trips_refused);
    number(w, "round_trip_last_seconds", (double)r->trip_last_ns / 1e9 + untimed);
    number(w, "round_trip_min_seconds", (double)r->trip_min_ns / 1e9 + untimed);
    number(w, "round_trip_mean_seconds", r->trip_sum_ns / trips / 1e9 + untimed);
    number(w, "round_trip_max_seconds", (double)r->trip_max_ns / 1e9 + untimed);
}

size_t rtcp_json(const rtcp_row *row, uint32_t clock_rate, char *out) {
    writer w = {out, false};
    double tick = clock_rate ? 1.0 / clock_rate : (double)NAN;
    put(&w, "{");
    write_sender(&w, row);
    write_receiver(&w, &row->receiver, tick);
    if (row->extended.voip_reports) write_voip(&w, &row->extended);
    else nothing(&w, "voip");
    if (row->extended.statistics_reports) write_statistics(&w, &row->extended, tick);
    else nothing(&w, "statistics");
    put(&w, "}");
    return (size_t)(w.at - out);
}
