/* libFuzzer: any octets as G.711 in RTP packets, each behind its law and length. The invariant: levels stay in range. */
#include <string.h>

#include "audio.h"
#include "fuzz_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    audio_pool *pool = audio_new(2);
    MUST(pool);
    uint32_t slots[4] = {0};
    for (size_t at = 0; at + 2 < size;) {
        uint8_t law = data[at] & 3, which = data[at] >> 2 & 3, snapped = data[at] & 64;
        uint8_t length = data[at + 1];
        at += 2;
        if (length > size - at) length = (uint8_t)(size - at);
        if (length < 12) break;
        uint8_t *rtp = malloc(length);
        MUST(rtp);
        memcpy(rtp, data + at, length);
        audio_take(pool, &slots[which], law, rtp, length, snapped ? length + 100u : length);
        free(rtp);
        at += length;
        if (at % 17 == 0) audio_drop(pool, &slots[which]);
    }
    for (int i = 0; i < 4; i++) {
        audio_row row;
        if (!audio_describe(pool, slots[i], &row)) continue;
        MUST(row.seconds >= 0 && (isnan(row.level_dbov) || (row.level_dbov <= 0 && row.level_dbov >= -127)));
        MUST(isnan(row.silence_ratio) || (row.silence_ratio >= 0 && row.silence_ratio <= 1));
        MUST(isnan(row.clipping_ratio) || (row.clipping_ratio >= 0 && row.clipping_ratio <= 1));
        MUST(isnan(row.dead_air_seconds) || row.dead_air_seconds <= row.seconds + 1e-9);
        char text[AUDIO_JSON_MAX];
        size_t length = audio_json(&row, text);
        MUST(length >= 2 && length <= AUDIO_JSON_MAX && text[0] == '{' && text[length - 1] == '}');
    }
    audio_free(pool);
    return 0;
}
