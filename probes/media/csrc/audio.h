/* What G.711 sounds like: level, peak, silence, clipping. Reads payload, keeps none of it.
 *
 * Samples are the 16-bit ones of ITU-T G.191's G.711 (A-law times 8 of its 13 bits, mu-law times 4 of its 14), and 0 dBov is
 * the square wave at 32768 (ITU-T G.100.1): a full-scale sine has -3.01, the loudest A-law code -0.14, mu-law's -0.17. Levels
 * are plain RMS over all samples heard, silence included. No Python, no globals, no I/O.
 */
#ifndef SERENO_AUDIO_H
#define SERENO_AUDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum audio_law { AUDIO_NONE = 0, AUDIO_MU = 1, AUDIO_A = 2, AUDIO_SECURE = 3 /* by SDP: nothing can be heard */ };

enum audio_reason { AUDIO_MEASURED = 0, AUDIO_ENCRYPTED = 1, AUDIO_SNAPPED = 2, AUDIO_RANDOM = 3 /* ciphertext by its looks */ };

enum { AUDIO_JSON_MAX = 512 };

typedef struct {
    double seconds;         /* of samples heard */
    double level_dbov;      /* NaN, like all below: not measured; -127: digital silence, and the lowest */
    double peak_dbov;
    double silence_ratio;   /* of blocks of 20 ms, those under -50 dBov */
    double clipping_ratio;  /* of samples, those with the law's extreme code */
    double dead_air_seconds; /* longest run of such blocks */
    uint8_t reason;         /* enum audio_reason: why nothing was measured */
} audio_row;

typedef struct audio_pool audio_pool;

/* For at most `max` streams; memory grows as they come. NULL: out of memory. */
audio_pool *audio_new(uint32_t max);
void audio_free(audio_pool *p);

/* Hears one RTP packet (its header too) that came in place and was no duplicate. *slot is the stream's, 0 at first. */
void audio_take(audio_pool *p, uint32_t *slot, uint8_t law, const uint8_t *rtp, uint32_t captured, uint32_t length);
/* The stream is gone; *slot is 0 again. */
void audio_drop(audio_pool *p, uint32_t *slot);
/* What was heard; false: nothing, not even packets that could not be. */
bool audio_describe(const audio_pool *p, uint32_t slot, audio_row *row);
/* Streams that found no room. */
uint64_t audio_overflow(const audio_pool *p);

/* Linear value, 16 bits, of a code (ITU-T G.711 tables 1a to 2b). */
int16_t audio_linear(uint8_t law, uint8_t code);

/* Writes the row as a JSON object; `out` has room for AUDIO_JSON_MAX octets. Returns the length. */
size_t audio_json(const audio_row *row, char *out);

#endif
