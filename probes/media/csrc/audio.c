#include "audio.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 160,         /* samples in 20 ms */
    RATE = 8000,
    TRACE_STEP = 13,     /* every 13th octet says whether the payload is random: no divisor of packet lengths */
    TRACE_BINS = 16,
    TRACE_ENOUGH = 800,  /* octets, from 1.3 s: 50 in each bin */
    CLIP_SHIFT = 48,     /* in a table entry the square is below, one for an extreme code above */
};

static const double OVERLOAD = 32768.0, SILENCE_DBOV = -127; /* the floor as in RFC 6464 section 3 */
static const uint64_t SQUARE = ((uint64_t)1 << CLIP_SHIFT) - 1;

typedef struct {
    double squares;
    uint64_t samples, clipped;
    uint64_t block_squares;
    uint32_t block_fill;
    uint32_t blocks, silent_blocks, silent_run, silent_longest;
    uint64_t peak_square;
    uint32_t trace[TRACE_BINS];
    uint8_t reason; /* enum audio_reason of packets that could not be heard */
} audio_state;

struct audio_pool {
    audio_state *states; /* the first is nobody's */
    uint32_t next, capacity, max, free_count;
    uint32_t *free_list;
    uint64_t overflow;
    uint64_t block_silence; /* a block with less is silent */
    uint64_t tables[3][256];
};

/* Both laws: a sign, three bits of segment, four of step; all steps of a segment are as large as the one before is wide. */
int16_t audio_linear(uint8_t law, uint8_t code) {
    uint8_t bits = law == AUDIO_A ? code ^ 0x55 : (uint8_t)~code;
    int segment = bits >> 4 & 7, step = bits & 15, value;
    if (law == AUDIO_A) {
        value = segment ? (2 * step + 33) << (segment - 1) : 2 * step + 1; /* of 4096 */
        value *= 8;
        return (int16_t)(bits & 0x80 ? value : -value);
    }
    value = (((2 * step + 33) << segment) - 33) * 4; /* of 8159, times 4 */
    return (int16_t)(bits & 0x80 ? -value : value);
}

/* The code of the lowest octet without its sign, so that larger is louder. */
static uint8_t magnitude_mask(uint8_t law) { return law == AUDIO_A ? 0x55 : 0x7f; }

static bool grow(audio_pool *p) {
    if (p->next < p->capacity) return true;
    uint64_t capacity = p->capacity ? (uint64_t)p->capacity * 2 : 16;
    if (capacity > (uint64_t)p->max + 1) capacity = (uint64_t)p->max + 1;
    if (capacity <= p->next) return false;
    audio_state *states = realloc(p->states, capacity * sizeof *states);
    if (!states) return false;
    p->states = states;
    uint32_t *list = realloc(p->free_list, capacity * sizeof *list);
    if (!list) return false;
    p->free_list = list;
    p->capacity = (uint32_t)capacity;
    return true;
}

audio_pool *audio_new(uint32_t max) {
    audio_pool *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->max = max < UINT32_MAX ? max : max - 1;
    p->next = 1;
    p->block_silence = (uint64_t)(BLOCK * OVERLOAD * OVERLOAD * 1e-5); /* -50 dBov */
    for (uint8_t law = AUDIO_MU; law <= AUDIO_A; law++)
        for (int code = 0; code < 256; code++) {
            int64_t value = audio_linear(law, (uint8_t)code);
            bool extreme = ((code ^ magnitude_mask(law)) & 0x7f) == 0x7f;
            p->tables[law][code] = (uint64_t)(value * value) | (uint64_t)extreme << CLIP_SHIFT;
        }
    return p;
}

void audio_free(audio_pool *p) {
    if (!p) return;
    free(p->states);
    free(p->free_list);
    free(p);
}

static audio_state *state_of(audio_pool *p, uint32_t *slot) {
    if (!*slot) {
        if (p->free_count) {
            *slot = p->free_list[--p->free_count];
        } else if (grow(p)) {
            *slot = p->next++;
        } else {
            p->overflow++;
            return NULL;
        }
        p->states[*slot] = (audio_state){0};
    }
    return &p->states[*slot];
}

void audio_drop(audio_pool *p, uint32_t *slot) {
    if (!*slot) return;
    p->free_list[p->free_count++] = *slot;
    *slot = 0;
}

/* RFC 3550 section 5.1 and 5.3.1: behind the header, CSRCs and an extension, without padding. */
static bool find_samples(const uint8_t *rtp, uint32_t length, uint32_t *start, uint32_t *end) {
    uint32_t at = 12 + 4u * (rtp[0] & 0x0f);
    *end = length;
    if (at > length) return false;
    if (rtp[0] & 0x10) {
        if (length - at < 4) return false;
        at += 4 + 4 * ((uint32_t)rtp[at + 2] << 8 | rtp[at + 3]);
        if (at > length) return false;
    }
    if (rtp[0] & 0x20 && length > at) {
        uint8_t padding = rtp[length - 1];
        if (!padding || padding > length - at) return false;
        *end = length - padding;
    }
    *start = at;
    return true;
}

static void end_block(const audio_pool *p, audio_state *s) {
    s->blocks++;
    if (s->block_squares < p->block_silence) {
        s->silent_blocks++;
        if (++s->silent_run > s->silent_longest) s->silent_longest = s->silent_run;
    } else {
        s->silent_run = 0;
    }
    s->block_squares = 0;
    s->block_fill = 0;
}

/* The sum of squares and, above CLIP_SHIFT, of extreme codes; at most BLOCK samples at once. */
static uint64_t sum_of(const uint64_t table[256], const uint8_t *codes, uint32_t count) {
    uint64_t a = 0, b = 0, c = 0, d = 0;
    uint32_t i = 0;
    for (; i + 8 <= count; i += 8) {
        uint64_t v;
        memcpy(&v, codes + i, sizeof v);
        a += table[v & 0xff] + table[v >> 8 & 0xff];
        b += table[v >> 16 & 0xff] + table[v >> 24 & 0xff];
        c += table[v >> 32 & 0xff] + table[v >> 40 & 0xff];
        d += table[v >> 48 & 0xff] + table[v >> 56];
    }
    for (; i < count; i++) a += table[codes[i]];
    return a + b + c + d;
}

static void hear(const audio_pool *p, audio_state *s, uint8_t law, const uint8_t *codes, uint32_t count) {
    uint8_t mask = magnitude_mask(law), peak = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t magnitude = (codes[i] ^ mask) & 0x7f;
        peak = magnitude > peak ? magnitude : peak;
    }
    uint64_t peak_square = p->tables[law][peak ^ mask] & SQUARE;
    if (count && peak_square > s->peak_square) s->peak_square = peak_square;
    for (uint32_t i = 0; i < count; i += TRACE_STEP) s->trace[codes[i] >> 4]++;
    s->samples += count;
    while (count) {
        uint32_t piece = BLOCK - s->block_fill < count ? BLOCK - s->block_fill : count;
        uint64_t sum = sum_of(p->tables[law], codes, piece);
        s->clipped += sum >> CLIP_SHIFT;
        s->squares += (double)(sum & SQUARE);
        s->block_squares += sum & SQUARE;
        s->block_fill += piece;
        if (s->block_fill == BLOCK) end_block(p, s);
        codes += piece;
        count -= piece;
    }
}

void audio_take(audio_pool *p, uint32_t *slot, uint8_t law, const uint8_t *rtp, uint32_t captured, uint32_t length) {
    uint32_t start, end;
    if (law == AUDIO_NONE || law > AUDIO_SECURE || captured < 12) return;
    audio_state *s = state_of(p, slot);
    if (!s) return;
    if (law == AUDIO_SECURE) s->reason = AUDIO_ENCRYPTED;
    else if (captured < length) s->reason = AUDIO_SNAPPED;
    else if (find_samples(rtp, length, &start, &end)) hear(p, s, law, rtp + start, end - start);
}

/* ---- out ------------------------------------------------------------------------------------------------------------ */

/* Ciphertext is uniform over codes, and no sound is: speech and tones leave most segments of the law all but empty.
 * Pearson's chi-square with 15 degrees of freedom lies between these bounds for all but 1 in 10,000 of random payloads. */
static bool looks_random(const audio_state *s) {
    double total = 0, sum = 0;
    for (size_t i = 0; i < TRACE_BINS; i++) total += s->trace[i];
    if (total < TRACE_ENOUGH) return false;
    double even = total / TRACE_BINS;
    for (size_t i = 0; i < TRACE_BINS; i++) sum += (s->trace[i] - even) * (s->trace[i] - even) / even;
    return sum > 2.5 && sum < 46;
}

static double dbov(double mean_square) {
    double level = 10 * log10(mean_square / (OVERLOAD * OVERLOAD));
    return level > SILENCE_DBOV ? level : SILENCE_DBOV;
}

bool audio_describe(const audio_pool *p, uint32_t slot, audio_row *row) {
    if (!slot || slot >= p->next) return false;
    const audio_state *s = &p->states[slot];
    double unknown = (double)NAN;
    *row = (audio_row){(double)s->samples / RATE, unknown, unknown, unknown, unknown, unknown, s->reason};
    if (!s->samples) return s->reason != AUDIO_MEASURED;
    row->reason = looks_random(s) ? AUDIO_RANDOM : AUDIO_MEASURED;
    if (row->reason) {
        row->seconds = 0;
        return true;
    }
    double samples = (double)s->samples;
    row->level_dbov = dbov(s->squares / samples);
    row->peak_dbov = dbov((double)s->peak_square);
    row->clipping_ratio = (double)s->clipped / samples;
    if (s->blocks) row->silence_ratio = (double)s->silent_blocks / s->blocks;
    row->dead_air_seconds = s->silent_longest * (double)BLOCK / RATE;
    return true;
}

uint64_t audio_overflow(const audio_pool *p) { return p->overflow; }

static char *put_number(char *at, const char *name, double value) {
    if (!isfinite(value)) return at + sprintf(at, "\"%s\":null,", name);
    return at + sprintf(at, "\"%s\":%.6f,", name, value);
}

size_t audio_json(const audio_row *row, char *out) {
    static const char *const reasons[] = {"null", "\"encrypted\"", "\"snapped\"", "\"looks encrypted\""};
    char *at = out;
    *at++ = '{';
    at = put_number(at, "audio_seconds", row->seconds);
    at = put_number(at, "level_dbov", row->level_dbov);
    at = put_number(at, "peak_dbov", row->peak_dbov);
    at = put_number(at, "silence_ratio", row->silence_ratio);
    at = put_number(at, "clipping_ratio", row->clipping_ratio);
    at = put_number(at, "dead_air_seconds", row->dead_air_seconds);
    at += sprintf(at, "\"unmeasured\":%s}", reasons[row->reason]);
    return (size_t)(at - out);
}
