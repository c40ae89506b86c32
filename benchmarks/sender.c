/* RTP of many streams out of one interface as fast as one core can, for live.py. Prints how many packets were sent.
 *
 *     sender INTERFACE STREAMS SECONDS PORT
 *
 * An AF_PACKET transmit ring: a UDP socket, or sendmmsg on a packet socket, spends more on each packet in the kernel.
 * Frames go to an Ethernet address that nobody has, so that the receiving side is only whoever captures.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SLOT = 512, SLOTS = 2048, BATCH = 256, PAYLOAD = 160, FRAME = 14 + 20 + 8 + 12 + PAYLOAD };

static const size_t DATA = TPACKET2_HDRLEN - sizeof(struct sockaddr_ll);

static void die(const char *what) {
    fprintf(stderr, "sender: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void put16(uint8_t *at, uint16_t value) {
    value = htons(value);
    memcpy(at, &value, sizeof value);
}

static void put32(uint8_t *at, uint32_t value) {
    value = htonl(value);
    memcpy(at, &value, sizeof value);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int open_ring(const char *interface, uint8_t **map) {
    struct tpacket_req request = {SLOT * SLOTS / 4, 4, SLOT, SLOTS};
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface)};
    int fd = socket(AF_PACKET, SOCK_RAW, 0), version = TPACKET_V2, on = 1;
    if (fd < 0) die("socket");
    if (!to.sll_ifindex) die(interface);
    if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) ||
        setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) ||
        setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &request, sizeof request))
        die("transmit ring");
    *map = mmap(NULL, (size_t)SLOT * SLOTS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (*map == MAP_FAILED) die("mmap");
    if (bind(fd, (struct sockaddr *)&to, sizeof to)) die("bind");
    return fd;
}

static void template(uint8_t *frame, uint16_t port) {
    static const uint8_t ethernet[14] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
    memcpy(frame, ethernet, sizeof ethernet);
    uint8_t *ip = frame + 14, *udp = ip + 20, *rtp = udp + 8;
    ip[0] = 0x45;
    ip[8] = 64;
    ip[9] = 17;
    put16(ip + 2, FRAME - 14);
    put32(ip + 16, 0x7f000001);
    put16(udp, port);
    put16(udp + 2, port);
    put16(udp + 4, FRAME - 34);
    rtp[0] = 0x80;
    rtp[1] = 8;
    memset(rtp + 12, 0xd5, PAYLOAD);
}

static void number(uint8_t *frame, uint32_t stream, uint32_t turn) {
    uint8_t *ip = frame + 14, *rtp = ip + 28;
    put32(ip + 12, 0x7f000000 | (stream + 2));
    put16(rtp + 2, (uint16_t)turn);
    put32(rtp + 4, turn * PAYLOAD);
    put32(rtp + 8, stream + 1);
}

int main(int count, char **words) {
    if (count != 5) return 2;
    uint32_t streams = (uint32_t)atol(words[2]), stream = 0, turn = 0;
    double until = seconds() + atof(words[3]);
    uint8_t *map;
    int fd = open_ring(words[1], &map);
    for (uint32_t i = 0; i < SLOTS; i++) template(map + (size_t)i * SLOT + DATA, (uint16_t)atoi(words[4]));
    uint64_t sent = 0;
    for (uint32_t slot = 0; seconds() < until;) {
        for (uint32_t i = 0; i < BATCH; i++, slot = (slot + 1) % SLOTS) {
            struct tpacket2_hdr *header = (struct tpacket2_hdr *)(map + (size_t)slot * SLOT);
            while (__atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE) != TP_STATUS_AVAILABLE)
                if (header->tp_status & TP_STATUS_WRONG_FORMAT) die("frame refused");
            number((uint8_t *)header + DATA, stream, turn);
            header->tp_len = FRAME;
            __atomic_store_n(&header->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
            if (++stream == streams) stream = 0, turn++;
        }
        if (send(fd, NULL, 0, 0) < 0 && errno != ENOBUFS) die("send");
        sent += BATCH;
    }
    printf("%llu\n", (unsigned long long)sent);
    return 0;
}
