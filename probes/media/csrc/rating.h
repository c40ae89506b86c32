/* R and MOS of a stream from its codec's row, its loss and its delay, every other input of the E-model at its default.
 *
 * The same numbers as probes/media/quality.py, where the clauses are; a test holds them equal. No globals, no I/O.
 */
#ifndef SERENO_RATING_H
#define SERENO_RATING_H

#include <stdbool.h>
#include <stdint.h>

enum rating_scale { SCALE_NONE = 0, SCALE_NARROWBAND = 1 /* G.107 */, SCALE_WIDEBAND = 2 /* G.107.1 */ };

/* A codec's row of G.113. */
typedef struct {
    double base;      /* R without loss and delay, of the scale */
    double ie;        /* equipment impairment factor */
    double bpl;       /* packet-loss robustness factor; NaN: none is published */
    uint8_t scale;    /* enum rating_scale; SCALE_NONE: the codec has no row */
    bool provisional; /* the row is not G.113's */
} codec_rating;

/* R without delay; NaN: unknown. Loss in percent; a burst ratio under 1, or NaN, counts as 1. */
double rating_listening(const codec_rating *c, double loss_percent, double burst_ratio);
/* What a one-way delay costs with perfect echo control; NaN: the delay is none. */
double rating_delay(const codec_rating *c, double delay_ms);
/* MOS of R; NaN of NaN. */
double rating_mos(const codec_rating *c, double r);

#endif
