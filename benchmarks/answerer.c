/* answerer ADDRESS: a UDP user agent that answers every OPTIONS with a 200, for benchmarks/options.py and options_rtt.py.
 *
 * It copies what RFC 3261 section 8.2.6.2 says (every Via, From, To with a tag of its own, Call-ID, CSeq), fills `rport`
 * and `received` in (RFC 3581), and names itself. Datagrams go in and out by recvmmsg(2) and sendmmsg(2), so that it is
 * faster than any of the clients; it looks again for a while before it sleeps, so that no client pays in its own time for
 * waking it up. Prints its port; ends on a signal. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define BATCH 64
#define ROOM 2048
#define LOOKS 2000 /* about a millisecond */

static char in[BATCH][ROOM], out[BATCH][2 * ROOM];

typedef struct {
    char *at, *end;
} text;

static void put(text *t, const char *from, size_t size) {
    if ((size_t)(t->end - t->at) < size) return;
    memcpy(t->at, from, size);
    t->at += size;
}

static void put_via(text *t, const char *line, size_t size, const struct sockaddr_in *from) {
    char host[INET_ADDRSTRLEN], seen[64];
    inet_ntop(AF_INET, &from->sin_addr, host, sizeof host);
    const char *rport = memmem(line, size, ";rport", 6);
    if (!rport) {
        put(t, line, size);
        return;
    }
    int length = snprintf(seen, sizeof seen, "=%d;received=%s", ntohs(from->sin_port), host);
    put(t, line, (size_t)(rport + 6 - line));
    put(t, seen, (size_t)length);
    put(t, rport + 6, (size_t)(line + size - rport - 6));
}

static int begins(const char *line, size_t size, const char *name) {
    return size > strlen(name) && !strncasecmp(line, name, strlen(name));
}

/* The answer's length; 0 to what is no OPTIONS. */
static size_t answer(const char *request, size_t size, char *to, size_t room, const struct sockaddr_in *from) {
    static const char tail[] = "Server: core-a (answerer)\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\nAccept: application/sdp\r\n"
                               "Content-Length: 0\r\n\r\n";
    text t = {to, to + room};
    const char *line = memmem(request, size, "\r\n", 2), *end = request + size;
    int vias = 0;
    if (size < 8 || memcmp(request, "OPTIONS ", 8) || !line) return 0;
    put(&t, "SIP/2.0 200 OK\r\n", 16);
    for (line += 2; line < end;) {
        const char *stop = memmem(line, (size_t)(end - line), "\r\n", 2);
        if (!stop || stop == line) break;
        size_t length = (size_t)(stop - line);
        if (begins(line, length, "Via:")) {
            if (vias++) put(&t, line, length);
            else put_via(&t, line, length, from);
            put(&t, "\r\n", 2);
        } else if (begins(line, length, "To:")) {
            put(&t, line, length);
            put(&t, ";tag=answerer\r\n", 15);
        } else if (begins(line, length, "From:") || begins(line, length, "Call-ID:") || begins(line, length, "CSeq:")) {
            put(&t, line, length);
            put(&t, "\r\n", 2);
        }
        line = stop + 2;
    }
    put(&t, tail, sizeof tail - 1);
    return (size_t)(t.at - to);
}

int main(int count, char **words) {
    struct sockaddr_in here = {.sin_family = AF_INET}, from[BATCH];
    socklen_t size = sizeof here;
    int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 8 << 20;
    if (count != 2 || inet_pton(AF_INET, words[1], &here.sin_addr) != 1) return 2;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (bind(fd, (struct sockaddr *)&here, sizeof here) || getsockname(fd, (struct sockaddr *)&here, &size)) return 1;
    printf("%d\n", ntohs(here.sin_port));
    fflush(stdout);
    for (;;) {
        struct mmsghdr m[BATCH], r[BATCH];
        struct iovec v[BATCH], w[BATCH];
        for (int i = 0; i < BATCH; i++) {
            v[i] = (struct iovec){in[i], ROOM};
            m[i] = (struct mmsghdr){{.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &v[i], .msg_iovlen = 1}, 0};
        }
        int got = -1, ready = 0;
        for (int look = 0; got < 0 && look < LOOKS; look++) got = recvmmsg(fd, m, BATCH, MSG_DONTWAIT, NULL);
        if (got < 0) got = recvmmsg(fd, m, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < got; i++) {
            size_t length = answer(in[i], m[i].msg_len, out[ready], sizeof out[ready], &from[i]);
            if (!length) continue;
            w[ready] = (struct iovec){out[ready], length};
            r[ready] = (struct mmsghdr){{.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &w[ready], .msg_iovlen = 1}, 0};
            ready++;
        }
        for (int sent = 0; sent < ready;) {
            int done = sendmmsg(fd, r + sent, (unsigned)(ready - sent), 0);
            sent += done > 0 ? done : 1; /* an answer that cannot go (its asker is gone) is left out */
        }
    }
}
