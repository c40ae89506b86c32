#include "rating.h"

#include <math.h>

static const double WORST_LOSS = 95; /* G.107 clause 7.5 */
static const double WIDEBAND = 1.29; /* G.107.1 annex A, clause 7.4 */
static const double MOS_TURN = 6.5;  /* below about this R the cubic of G.107 annex B falls under 1 again */
static const double LEAST_DELAY = 100; /* ms: mT of G.107 table 2 */

double rating_listening(const codec_rating *c, double loss_percent, double burst_ratio) {
    if (c->scale == SCALE_NONE || !(loss_percent >= 0 && loss_percent <= 100)) return NAN;
    if (loss_percent == 0) return c->base - c->ie;
    if (isnan(c->bpl)) return NAN;
    double bursts = burst_ratio > 1 ? burst_ratio : 1;
    return c->base - (c->ie + (WORST_LOSS - c->ie) * loss_percent / (loss_percent / bursts + c->bpl));
}

double rating_delay(const codec_rating *c, double delay_ms) {
    if (!(delay_ms >= 0 && delay_ms < INFINITY)) return NAN;
    double x = log2(fmax(delay_ms, LEAST_DELAY) / LEAST_DELAY);
    double idd = 25 * (pow(1 + pow(x, 6), 1.0 / 6) - 3 * pow(1 + pow(x / 3, 6), 1.0 / 6) + 2);
    return fmax(idd, 0) * (c->scale == SCALE_WIDEBAND ? WIDEBAND : 1);
}

double rating_mos(const codec_rating *c, double r) {
    double on_scale = c->scale == SCALE_WIDEBAND ? r / WIDEBAND : r;
    if (isnan(on_scale)) return NAN;
    if (on_scale < MOS_TURN) return 1;
    if (on_scale >= 100) return 4.5;
    return fmax(1, 1 + 0.035 * on_scale + on_scale * (on_scale - 60) * (100 - on_scale) * 7e-6);
}
