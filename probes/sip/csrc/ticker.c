#define _GNU_SOURCE
#include "ticker.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#define SECOND_NS 1000000000
#define BEHIND_NS (SECOND_NS / 2) /* later than this: what was missed is left out, as pjmedia's clock does */

/* pjmedia_frame: what a port fills. */
typedef struct frame {
    int type; /* 1: audio */
    void *sound;
    size_t octets;
    uint64_t timestamp;
    uint32_t bits;
} frame;

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

static void sleep_until(int64_t due_ns) {
    struct timespec due = {due_ns / SECOND_NS, due_ns % SECOND_NS};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) continue;
}

static void *run(void *argument) {
    ticker *t = argument;
    void *thread;
    int failed = t->enter("sereno-ticker", t->description, &thread);
    if (failed) {
        atomic_store(&t->error, failed);
        return NULL;
    }
    prctl(PR_SET_TIMERSLACK, 1UL); /* 50 us otherwise */
    struct sched_param lowest = {sched_get_priority_min(SCHED_RR)};
    atomic_store(&t->realtime, pthread_setschedparam(pthread_self(), SCHED_RR, &lowest) == 0);
    int64_t due = now_ns(), before = 0;
    for (uint64_t timestamp = 0; !atomic_load(&t->stop); timestamp += t->samples) {
        frame f = {1, t->sound, 2ul * t->samples, timestamp, 0};
        failed = t->get_frame(t->port, &f);
        if (failed) atomic_store(&t->error, failed);
        due += t->every_ns;
        int64_t behind = now_ns() - due;
        if (behind > BEHIND_NS) {
            atomic_fetch_add(&t->skipped, (uint64_t)(behind / t->every_ns));
            due += behind / t->every_ns * t->every_ns;
        }
        sleep_until(due);
        int64_t late = now_ns() - due;
        atomic_fetch_add(&t->variation_ns, (uint64_t)(late > before ? late - before : before - late));
        atomic_fetch_add(&t->ticks, 1);
        before = late;
    }
    return NULL;
}

int ticker_start(ticker *t, ticker_register enter, ticker_get_frame get_frame, void *port, unsigned int samples,
                 int64_t every_ns) {
    if (t->running) return EALREADY;
    if (!samples || samples > TICKER_SAMPLES || every_ns <= 0) return EINVAL;
    t->enter = enter;
    t->get_frame = get_frame;
    t->port = port;
    t->samples = samples;
    t->every_ns = every_ns;
    sigset_t others, old; /* signals are the main thread's, but for those that a fault in pjsip raises here */
    sigfillset(&others);
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&others, faults[i]);
    pthread_sigmask(SIG_SETMASK, &others, &old);
    int error = pthread_create(&t->thread, NULL, run, t);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    t->running = !error;
    return error;
}

void ticker_stop(ticker *t) {
    if (!t->running) return;
    atomic_store(&t->stop, 1);
    pthread_join(t->thread, NULL);
    t->running = 0;
}
