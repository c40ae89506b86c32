#define _GNU_SOURCE
#include "ring.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RETIRE_MS = 50,     /* a block that is not full is handed over after this: the age of what a snapshot may miss */
    FRAME_SIZE = 2048,
};

static struct tpacket_block_desc *block_at(const ring *r, uint32_t index) {
    return (struct tpacket_block_desc *)(r->map + (size_t)index * r->block_size);
}

static bool drain(ring *r, const struct tpacket_block_desc *block) {
    datagram batch[METER_BATCH];
    size_t count = 0;
    bool fed = true;
    const uint8_t *at = (const uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
    pthread_mutex_lock(r->lock);
    for (uint32_t i = 0; i < block->hdr.bh1.num_pkts && fed; i++) {
        const struct tpacket3_hdr *h = (const struct tpacket3_hdr *)at;
        datagram *d = &batch[count];
        r->counters.frames++;
        if (frame_ip_datagram(at + h->tp_net, h->tp_snaplen, d, &r->counters)) {
            d->time_ns = (int64_t)h->tp_sec * 1000000000 + h->tp_nsec;
            if (++count == METER_BATCH) {
                fed = meter_feed(r->m, batch, count);
                count = 0;
            }
        }
        at += h->tp_next_offset;
    }
    if (count && fed) fed = meter_feed(r->m, batch, count);
    pthread_mutex_unlock(r->lock);
    return fed;
}

/* The interface went down or the like: take the error off the socket so that poll waits again. */
static void clear_socket_error(const ring *r) {
    int error;
    socklen_t length = sizeof error;
    getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &length);
}

static void *run(void *argument) {
    ring *r = argument;
    for (;;) {
        struct tpacket_block_desc *block = block_at(r, r->next_block);
        if (!(__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) {
            struct pollfd waits[2] = {{r->fd, POLLIN | POLLERR, 0}, {r->wake, POLLIN, 0}};
            if (poll(waits, 2, -1) < 0 && errno != EINTR) {
                r->error = errno;
                return NULL;
            }
            if (waits[1].revents) return NULL;
            if (waits[0].revents & (POLLERR | POLLHUP | POLLNVAL)) {
                clear_socket_error(r);
                struct pollfd pause = {r->wake, POLLIN, 0};
                if (poll(&pause, 1, 100) > 0) return NULL;
            }
            continue;
        }
        bool fed = drain(r, block);
        __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
        r->next_block = (r->next_block + 1) % r->block_count;
        if (!fed) {
            r->error = ENOMEM;
            return NULL;
        }
    }
}

static int map_ring(ring *r) {
    int version = TPACKET_V3;
    struct tpacket_req3 request = {
        .tp_block_size = r->block_size,
        .tp_block_nr = r->block_count,
        .tp_frame_size = FRAME_SIZE,
        .tp_frame_nr = r->block_size / FRAME_SIZE * r->block_count,
        .tp_retire_blk_tov = RETIRE_MS,
    };
    if (setsockopt(r->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) ||
        setsockopt(r->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request))
        return errno;
    r->map_length = (size_t)r->block_size * r->block_count;
    void *map = mmap(NULL, r->map_length, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
    if (map == MAP_FAILED) return errno;
    r->map = map;
    return 0;
}

int ring_start(ring *r, int fd, uint32_t block_size, uint32_t block_count, meter *m, pthread_mutex_t *lock) {
    memset(r, 0, sizeof *r);
    r->fd = fd;
    r->m = m;
    r->lock = lock;
    r->block_size = block_size;
    r->block_count = block_count;
    int error = map_ring(r);
    if (error) return error;
    r->wake = eventfd(0, EFD_CLOEXEC);
    if (r->wake < 0) {
        error = errno;
        munmap(r->map, r->map_length);
        return error;
    }
    /* Signals are Python's: this thread takes none. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&r->thread, NULL, run, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        close(r->wake);
        munmap(r->map, r->map_length);
        return error;
    }
    r->running = true;
    return 0;
}

void ring_stop(ring *r) {
    if (!r->running) return;
    eventfd_write(r->wake, 1);
    pthread_join(r->thread, NULL);
    ring_read_drops(r);
    munmap(r->map, r->map_length);
    close(r->wake);
    close(r->fd);
    r->running = false;
}

void ring_read_drops(ring *r) {
    if (!r->running) return;
    struct tpacket_stats_v3 stats;
    socklen_t length = sizeof stats;
    if (!getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length)) r->dropped += stats.tp_drops;
}
