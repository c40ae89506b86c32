/* The clock of test calls: asks pjsip's conference bridge for a frame at exact instants, in a thread of its own.
 *
 * pjmedia's own clock sleeps whole milliseconds; what its rounding adds to the departure of every packet is half a
 * millisecond of jitter. This one sleeps until an absolute instant (clock_nanosleep), and with real-time priority where
 * the process may have it, because a packet is late by as long as its sender waits for a processor.
 */
#ifndef SERENO_TICKER_H
#define SERENO_TICKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* pjlib's pj_thread_register and pjmedia_port_get_frame, by their addresses: the wheel has no headers. */
typedef int (*ticker_register)(const char *name, long *description, void **thread);
typedef int (*ticker_get_frame)(void *port, void *frame);

enum { TICKER_DESCRIPTION = 64, TICKER_SAMPLES = 48000 / 50 * 2 };

typedef struct ticker {
    ticker_register enter;
    ticker_get_frame get_frame;
    void *port;
    unsigned int samples; /* of a frame */
    int64_t every_ns;
    pthread_t thread;
    int running;
    atomic_int stop;
    atomic_int realtime; /* 1: it has real-time priority */
    atomic_int error;    /* of pjlib, when it did not take the thread or gave no frame */
    atomic_uint_fast64_t ticks, skipped;
    atomic_uint_fast64_t variation_ns; /* sum of |lateness - the lateness before|: RFC 3550 A.8's D, at departure */
    long description[TICKER_DESCRIPTION]; /* pj_thread_desc: outlives the thread */
    int16_t sound[TICKER_SAMPLES];
} ticker;

/* 0, or an errno. The rest of `t` is zero. */
int ticker_start(ticker *t, ticker_register enter, ticker_get_frame get_frame, void *port, unsigned int samples,
                 int64_t every_ns);

/* Ends it and waits for that, one interval at most. Idempotent. */
void ticker_stop(ticker *t);

#endif
