/* A live AF_PACKET socket (TPACKET_V3 ring) drained by its own thread into a meter. Linux only. */
#ifndef SERENO_RING_H
#define SERENO_RING_H

#include <pthread.h>
#include <stdatomic.h>

#include <sys/types.h>

#include "frame.h"

enum { RING_BLIND_SPANS = 64 };

/* A time in which packets passed that the meter never got: a loss that a stream shows then may be ours. */
typedef struct {
    int64_t from_ns, to_ns; /* of the wall clock, like the packets' times */
    uint64_t dropped;       /* by the kernel, for want of room; 0: the interface was down, nobody knows how many */
} blind_span;

typedef struct {
    int fd;      /* of the packet socket, already filtered and bound; owned */
    bool raw;    /* SOCK_RAW: frames begin at their Ethernet header; SOCK_DGRAM: at the IP header */
    int wake;    /* eventfd that ends the thread */
    uint8_t *map;
    size_t map_length;
    uint32_t block_size, block_count, next_block;
    meter *m;
    pthread_mutex_t *lock; /* guards the meter and all that follows `error` */
    pthread_t thread;
    pid_t owner;           /* the process that has the thread: a child made by fork does not */
    bool running;
    atomic_int error;      /* errno of what ended the thread early; 0: none */
    uint64_t dropped;
    uint64_t freezes;      /* how often the ring was full */
    int64_t read_ns;       /* when the kernel was last asked for its drops */
    int64_t down_ns;       /* since when the interface is down; 0: it is not */
    blind_span blind[RING_BLIND_SPANS]; /* oldest first; those less than a second apart are one */
    size_t blind_count;
    frame_counters counters;
} ring;

/* 0, or an errno value; on error nothing is left open but `fd`. */
int ring_start(ring *r, int fd, uint32_t block_size, uint32_t block_count, meter *m, pthread_mutex_t *lock);
/* Ends the thread, unmaps, closes `fd`. Safe to call twice, and in a child made by fork. */
void ring_stop(ring *r);
/* Takes down what the kernel dropped since the last call; the caller holds the lock. */
void ring_read_drops(ring *r);

#endif
