/* A stream's row in words: the JSON object of `sereno rtp analyze`. No Python, no globals, no I/O. */
#ifndef SERENO_REPORT_H
#define SERENO_REPORT_H

#include "audio.h"
#include "json.h"
#include "kernel.h"
#include "partners.h"
#include "rating.h"
#include "rtcp.h"

/* What signalling and the codec table say of a payload type. */
typedef struct {
    const char *codec;    /* a JSON string, or null */
    const char *said;     /* members that signalling knows: call_id, from, to…; no braces */
    codec_rating rating;
} report_label;

typedef struct {
    const char *first;    /* members before all others, with a comma behind; may be empty */
    uint32_t window;      /* seconds to a column of `seconds`; 0: no such member */
    double delay_ms;      /* one way, from mouth to ear; NaN: unknown */
    double fixed_delay;   /* seconds, of the simulated fixed buffer */
} report_options;

/* What is known of a stream besides its row; NULL: nothing. */
typedef struct {
    uint8_t one_way;            /* enum one_way */
    const rtcp_row *rtcp;
    const audio_row *audio;
    const second_row *seconds;
    size_t second_count;
} report_extras;

void report_stream(json_text *out, const report_options *options, const report_label *label, const stream_row *row,
                   const report_extras *extras);

/* The row as others see it who may answer it. */
talk report_talk(const stream_row *row);

#endif
