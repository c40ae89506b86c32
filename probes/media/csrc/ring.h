/* A live AF_PACKET socket (TPACKET_V3 ring) drained by its own thread into a meter. Linux only. */
#ifndef SERENO_RING_H
#define SERENO_RING_H

#include <pthread.h>
#include <stdatomic.h>

#include "frame.h"

typedef struct {
    int fd;      /* of the packet socket: SOCK_DGRAM, already filtered and bound; owned */
    int wake;    /* eventfd that ends the thread */
    uint8_t *map;
    size_t map_length;
    uint32_t block_size, block_count, next_block;
    meter *m;
    pthread_mutex_t *lock; /* guards the meter, the counters and `dropped` */
    pthread_t thread;
    bool running;
    atomic_int error;      /* errno of what ended the thread early; 0: none */
    uint64_t dropped;
    frame_counters counters;
} ring;

/* 0, or an errno value; on error nothing is left open but `fd`. */
int ring_start(ring *r, int fd, uint32_t block_size, uint32_t block_count, meter *m, pthread_mutex_t *lock);
/* Ends the thread, unmaps, closes `fd`. Safe to call twice. */
void ring_stop(ring *r);
/* Adds what the kernel dropped since the last call to r->dropped; the caller holds the lock. */
void ring_read_drops(ring *r);

#endif
