/* The capture helper: the one process with CAP_NET_RAW.
 *
 * It opens an AF_PACKET socket, filters and binds it, hands the descriptor over its inherited socketpair (SCM_RIGHTS)
 * and exits; the receiver needs no privilege. It may therefore be given the capability as a file of its own
 * (setcap cap_net_raw+ep): the filter is locked on the socket, so nobody gets more than headers of RTP out of it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "filter.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

enum { SAID_MAX = 1000 };

/* Says one line to who started us, with a descriptor if there is one; the exit status. */
static int say(int channel, int descriptor, const char *format, ...) {
    char text[SAID_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct iovec part = {text, strlen(text)};
    union {
        char octets[CMSG_SPACE(sizeof descriptor)];
        struct cmsghdr align;
    } control = {{0}};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = control.octets;
        message.msg_controllen = sizeof control.octets;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof descriptor);
        memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    if (sendmsg(channel, &message, MSG_NOSIGNAL) < 0) return 1;
    return descriptor >= 0 ? 0 : 2;
}

static int refuse_interface(int channel) {
    char known[SAID_MAX / 2] = "";
    struct if_nameindex *all = if_nameindex();
    for (struct if_nameindex *each = all; each && each->if_index; each++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", each->if_name);
    }
    if_freenameindex(all);
    return say(channel, -1, "no interface has this name: there are %s", known);
}

static int refuse_privilege(int channel) {
    char own[SAID_MAX / 2];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    own[length > 0 ? length : 0] = 0;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        return say(channel, -1, "capturing needs CAP_NET_RAW, and this session forbids new privileges: run as root, or "
                                "give the service AmbientCapabilities=CAP_NET_RAW");
    return say(channel, -1, "capturing needs CAP_NET_RAW: run as root, or once: sudo setcap cap_net_raw+ep %s", own);
}

/* ARPHRD_… of an interface; -1: unknown. */
static int hardware_type(const char *name) {
    struct ifreq request = {0};
    int asker = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (asker < 0) return -1;
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    int failed = ioctl(asker, SIOCGIFHWADDR, &request);
    close(asker);
    return failed ? -1 : request.ifr_hwaddr.sa_family;
}

static bool set(int fd, int level, int name, int value) { return !setsockopt(fd, level, name, &value, sizeof value); }

static bool prepare(int fd, unsigned index, bool ethernet, bool loopback, uint16_t low, uint16_t high) {
    struct sock_filter code[FILTER_MAX];
    struct sock_fprog program = {(unsigned short)filter_build(code, ethernet, low, high), code};
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)index};
    return !setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) &&
           set(fd, SOL_SOCKET, SO_LOCK_FILTER, 1) && set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1) &&
           /* Loopback hands every packet out and in again; one of the two is enough. */
           (!loopback || set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)) &&
           !bind(fd, (struct sockaddr *)&address, sizeof address);
}

static int hand_over(int channel, const char *interface, uint16_t low, uint16_t high) {
    unsigned index = strlen(interface) < IF_NAMESIZE ? if_nametoindex(interface) : 0;
    if (!index) return refuse_interface(channel);
    int type = hardware_type(interface);
    bool ethernet = type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK;
    /* Protocol 0: nothing arrives before the filter is on. */
    int fd = socket(AF_PACKET, (ethernet ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    if (fd < 0 && (errno == EPERM || errno == EACCES)) return refuse_privilege(channel);
    if (fd < 0 || !prepare(fd, index, ethernet, type == ARPHRD_LOOPBACK, low, high))
        return say(channel, -1, "%s", strerror(errno));
    int status = say(channel, fd, "+");
    close(fd);
    return status;
}

static bool number(const char *text, long least, long most, long *out) {
    char *end;
    errno = 0;
    *out = strtol(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && !*end && !errno && *out >= least && *out <= most;
}

int main(int count, char **arguments) {
    long channel, low, high;
    if (count != 5 || !number(arguments[1], 0, 1 << 20, &channel) || !number(arguments[3], 0, 65535, &low) ||
        !number(arguments[4], low, 65535, &high)) {
        fputs("usage: capture-helper FD INTERFACE LOW HIGH (a probe starts it, with a socket at FD)\n", stderr);
        return 2;
    }
    return hand_over((int)channel, arguments[2], (uint16_t)low, (uint16_t)high);
}
