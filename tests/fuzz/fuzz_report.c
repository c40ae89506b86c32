/* libFuzzer: any octets as the figures of a stream, its seconds, audio and RTCP. The invariant: what is written is one JSON
 * object, with braces and quotes in pairs and nothing that JSON does not know (NaN, infinity, control characters). */
#include <string.h>

#include "fuzz_checks.h"
#include "report.h"

typedef struct {
    const uint8_t *data;
    size_t size, at;
} input;

/* The octets go round, so that every figure is filled. */
static void fill(input *in, void *out, size_t length) {
    for (uint8_t *to = out; length; length--) *to++ = in->size ? in->data[in->at++ % in->size] : 0;
}

static void check_object(const char *text, size_t length) {
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        MUST((uint8_t)c >= 0x20);
        if (c == '"') quoted = !quoted;
        if (quoted) continue;
        if (c == '\\') abort();
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        MUST(depth > 0 || i + 1 == length);
        if (strchr("IN", c)) abort(); /* Infinity, NaN */
        if (i && text[i - 1] == ',') MUST(c == '"' || c == '-' || c == '{' || (c >= '0' && c <= '9') || c == 'n' || c == 't' || c == 'f');
    }
    MUST(depth == 0 && !quoted && text[0] == '{' && text[length - 1] == '}');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    input in = {data, size, 0};
    stream_row row;
    second_row seconds[3];
    audio_row audio;
    rtcp_row rtcp;
    uint8_t how[4];
    double numbers[4];
    fill(&in, how, sizeof how);
    fill(&in, &row, sizeof row);
    fill(&in, seconds, sizeof seconds);
    fill(&in, numbers, sizeof numbers);
    memset(&audio, 0, sizeof audio);
    memset(&rtcp, 0, sizeof rtcp);
    report_label label = {"\"x\"", "\"call_id\":null,\"from\":null,\"to\":null", {numbers[0], numbers[1], numbers[2], how[0] % 3, how[0] & 4}};
    report_options options = {"", how[1] % 4, numbers[3], 0.06};
    report_extras extras = {how[2] % 3, how[3] & 1 ? &rtcp : NULL, how[3] & 2 ? &audio : NULL, seconds, how[3] >> 2 & 3};
    row.start_ns %= METER_LAST_NS;
    row.end_ns %= METER_LAST_NS;
    for (uint32_t i = 0; i < 3; i++) seconds[i].second = (seconds[i].second % 1000) + i * 1000;
    json_text out = {0};
    report_stream(&out, &options, &label, &row, &extras);
    MUST(!out.failed && out.length);
    check_object(out.text, out.length);
    json_free(&out);
    return 0;
}
