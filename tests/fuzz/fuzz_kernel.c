/* libFuzzer: a stream of datagrams at any times. The invariant: every figure stays consistent (fuzz_checks.h).
 *
 * The input is a program of steps: most send an RTP packet a little or far away from the one before, others send raw
 * octets, announce payload types, forget streams or sweep.
 */
#include <string.h>

#include "audio.h"
#include "fuzz_checks.h"
#include "rtcp.h"

typedef struct {
    const uint8_t *at, *end;
} input;

static uint32_t take(input *in, size_t count) {
    uint32_t value = 0;
    for (; count && in->at < in->end; count--) value = value << 8 | *in->at++;
    return value;
}

typedef struct {
    uint16_t sequence;
    uint32_t timestamp;
    int64_t time_ns;
} sender;

static void write32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void send(meter *m, datagram *d, uint8_t *payload, uint32_t length) {
    d->payload = payload;
    d->captured = d->length = length;
    MUST(meter_feed(m, d, 1));
}

static void packet(meter *m, input *in, sender *s, datagram *d, uint8_t step) {
    static const int16_t moves[] = {1, 1, 1, 1, 2, 0, -1, -40, 63, 64, 65, 300, -960, -1984, 2999, 30000};
    uint8_t rtp[172] = {0x80};
    s->sequence = (uint16_t)(s->sequence + moves[step & 15]);
    if (step & 16) s->timestamp += take(in, 4);
    else s->timestamp += (uint32_t)moves[step & 15] * 160;
    s->time_ns += step & 32 ? (int64_t)(int32_t)take(in, 4) * 100000 : 20000000;
    uint8_t kind = (uint8_t)take(in, 1);
    static const uint8_t types[] = {8, 8, 0, 13, 96, 101, 34, 77};
    rtp[1] = (uint8_t)(types[kind & 7] | (kind & 8) << 4);
    rtp[2] = (uint8_t)(s->sequence >> 8);
    rtp[3] = (uint8_t)s->sequence;
    write32(rtp + 4, s->timestamp);
    write32(rtp + 8, kind >> 4 & 3);
    d->dscp = kind >> 6 ? 46 : 0;
    d->time_ns = s->time_ns;
    send(m, d, rtp, sizeof rtp);
}

static void forget_one(meter *m, uint32_t which) {
    size_t count = meter_count(m);
    uint32_t cursor = 0;
    stream_row row;
    for (size_t i = 0; i < count && meter_rows(m, &cursor, &row, 1); i++)
        if (i == which % count) MUST(meter_forget(m, row.id) && !meter_forget(m, row.id));
}

static void other(meter *m, input *in, sender *s, datagram *d) {
    uint8_t raw[256] = {0}, address[16] = {0};
    uint32_t length = take(in, 1);
    payload_format format = {.payload_type = 96, .kind = KIND_MEDIA, .clock_rate = take(in, 3)};
    switch (length & 3) {
    case 0:
        if (length > (uint32_t)(in->end - in->at)) length = (uint32_t)(in->end - in->at);
        memcpy(raw, in->at, length);
        in->at += length;
        d->time_ns = s->time_ns;
        send(m, d, raw, length);
        break;
    case 1: MUST(meter_endpoint(m, address, 4000, &format, 1)); break;
    case 2: forget_one(m, length >> 2); break;
    default: meter_sweep(m, s->time_ns - 1000000000);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    input in = {data, data + size};
    uint32_t first = take(&in, 1);
    meter_options options = {.max_streams = 3, .probation = first & 3, .buffer = (uint8_t)((first >> 2) % 3), .series = 1,
                             .fixed_delay_ns = 60000000, .fixed_size_ns = 200000000};
    meter *m = meter_new(&options);
    rtcp_table *rtcp = rtcp_new(4);
    audio_pool *audio = audio_new(4);
    MUST(m && rtcp && audio);
    meter_use_rtcp(m, rtcp);
    meter_use_audio(m, audio);
    uint8_t address[4] = {0};
    datagram d = {.src = address, .dst = address, .family = 4, .dst_port = 4000};
    sender s = {0, 0, first & 64 ? METER_LAST_NS / 2 : 0};
    while (in.at < in.end) {
        uint8_t step = (uint8_t)take(&in, 1);
        if (step >= 224) other(m, &in, &s, &d);
        else packet(m, &in, &s, &d, step);
        if (step % 61 == 60) check_meter(m);
        if (s.time_ns > METER_LAST_NS / 2 || s.time_ns < -METER_LAST_NS / 2) break;
    }
    check_meter(m);
    meter_free(m);
    rtcp_free(rtcp);
    audio_free(audio);
    return 0;
}
