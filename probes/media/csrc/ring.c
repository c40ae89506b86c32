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
#include <time.h>
#include <unistd.h>

enum {
    RETIRE_MS = 50,     /* a block that is not full is handed over after this: the age of what a snapshot may miss */
    FRAME_SIZE = 2048,
    LOOK_MS = 1000,     /* the kernel is asked for its drops at least so often: how exact a blind span is */
    LINK_ETHERNET = 1,  /* tcpdump.org/linktypes */
};

static const int64_t TOGETHER_NS = 1000000000;

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void be_blind(ring *r, int64_t from_ns, int64_t to_ns, uint64_t dropped) {
    blind_span *last = r->blind_count ? &r->blind[r->blind_count - 1] : NULL;
    bool known = dropped > 0;
    if (last && from_ns - last->to_ns < TOGETHER_NS && (last->dropped > 0) == known) {
        last->to_ns = to_ns;
        last->dropped += dropped;
        return;
    }
    if (r->blind_count == RING_BLIND_SPANS) {
        /* The two oldest become one: wider than the truth, never narrower. */
        r->blind[1].from_ns = r->blind[0].from_ns;
        r->blind[1].dropped = r->blind[0].dropped && r->blind[1].dropped ? r->blind[0].dropped + r->blind[1].dropped : 0;
        memmove(r->blind, r->blind + 1, --r->blind_count * sizeof *r->blind);
    }
    r->blind[r->blind_count++] = (blind_span){from_ns, to_ns, dropped};
}

static struct tpacket_block_desc *block_at(const ring *r, uint32_t index) {
    return (struct tpacket_block_desc *)(r->map + (size_t)index * r->block_size);
}

static bool frame_of(ring *r, const uint8_t *at, const struct tpacket3_hdr *h, datagram *d) {
    if (r->raw) return frame_datagram(LINK_ETHERNET, at + h->tp_mac, h->tp_snaplen, d, &r->counters);
    r->counters.frames++;
    return frame_ip_datagram(at + h->tp_net, h->tp_snaplen, d, &r->counters);
}

static int64_t time_of(const struct tpacket3_hdr *h) { return (int64_t)h->tp_sec * 1000000000 + h->tp_nsec; }

/* The interface was down; this packet, if it came later, says that it is not any more. */
static void end_of_down(ring *r, const struct tpacket3_hdr *h) {
    if (time_of(h) < r->down_ns) return;
    be_blind(r, r->down_ns, time_of(h), 0);
    r->down_ns = 0;
}

static bool drain(ring *r, const struct tpacket_block_desc *block) {
    datagram batch[METER_BATCH];
    size_t count = 0;
    bool fed = true;
    const uint8_t *at = (const uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
    pthread_mutex_lock(r->lock);
    if (r->down_ns && block->hdr.bh1.num_pkts) end_of_down(r, (const struct tpacket3_hdr *)at);
    for (uint32_t i = 0; i < block->hdr.bh1.num_pkts && fed; i++) {
        const struct tpacket3_hdr *h = (const struct tpacket3_hdr *)at;
        datagram *d = &batch[count];
        if (frame_of(r, at, h, d)) {
            d->time_ns = time_of(h);
            if (++count == METER_BATCH) {
                fed = meter_feed(r->m, batch, count);
                count = 0;
            }
        }
        at += h->tp_next_offset;
    }
    if (count && fed) fed = meter_feed(r->m, batch, count);
    ring_read_drops(r); /* under the same lock: nobody sees a gap before its reason */
    pthread_mutex_unlock(r->lock);
    return fed;
}

/* The interface went down or the like: take the error off the socket so that poll waits again. */
static void note_socket_error(ring *r) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    pthread_mutex_lock(r->lock);
    if (error == ENETDOWN && !r->down_ns) r->down_ns = now_ns();
    pthread_mutex_unlock(r->lock);
}

/* False: the thread is to end. */
static bool wait_for_block(ring *r) {
    struct pollfd waits[2] = {{r->fd, POLLIN | POLLERR, 0}, {r->wake, POLLIN, 0}};
    int ready = poll(waits, 2, LOOK_MS);
    if (ready < 0 && errno != EINTR) {
        r->error = errno;
        return false;
    }
    if (waits[1].revents) return false;
    if (ready == 0) {
        pthread_mutex_lock(r->lock);
        ring_read_drops(r);
        pthread_mutex_unlock(r->lock);
    }
    if (waits[0].revents & (POLLERR | POLLHUP | POLLNVAL)) {
        note_socket_error(r);
        struct pollfd pause = {r->wake, POLLIN, 0};
        if (poll(&pause, 1, 100) > 0) return false;
    }
    return true;
}

static void *run(void *argument) {
    ring *r = argument;
    for (;;) {
        struct tpacket_block_desc *block = block_at(r, r->next_block);
        if (!(__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) {
            if (!wait_for_block(r)) return NULL;
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
    madvise(map, r->map_length, MADV_DONTFORK); /* a child that lives on must not keep the ring */
    return 0;
}

static int find_layout(ring *r) {
    int type;
    socklen_t length = sizeof type;
    if (getsockopt(r->fd, SOL_SOCKET, SO_TYPE, &type, &length)) return errno;
    r->raw = type == SOCK_RAW;
    return 0;
}

/* What the socket had no room for before there was a ring belongs to no measurement: nothing of that time was counted. */
static void forget_drops(ring *r) {
    struct tpacket_stats_v3 stats;
    socklen_t length = sizeof stats;
    getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length);
    r->read_ns = now_ns();
}

int ring_start(ring *r, int fd, uint32_t block_size, uint32_t block_count, meter *m, pthread_mutex_t *lock) {
    memset(r, 0, sizeof *r);
    r->fd = fd;
    r->m = m;
    r->lock = lock;
    r->block_size = block_size;
    r->block_count = block_count;
    r->owner = getpid();
    int error = find_layout(r);
    if (!error) error = map_ring(r);
    if (error) return error;
    forget_drops(r);
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
    pthread_setname_np(r->thread, "rtp-meter");
    r->running = true;
    return 0;
}

void ring_stop(ring *r) {
    if (!r->running) return;
    if (r->owner == getpid()) {
        eventfd_write(r->wake, 1);
        pthread_join(r->thread, NULL);
        ring_read_drops(r);
        munmap(r->map, r->map_length);
    }
    close(r->wake);
    close(r->fd);
    r->running = false;
}

void ring_read_drops(ring *r) {
    struct tpacket_stats_v3 stats;
    socklen_t length = sizeof stats;
    if (getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length)) return;
    int64_t now = now_ns();
    if (stats.tp_drops) {
        r->dropped += stats.tp_drops;
        be_blind(r, r->read_ns < now ? r->read_ns : now, now, stats.tp_drops);
    }
    r->freezes += stats.tp_freeze_q_cnt;
    r->read_ns = now;
}
