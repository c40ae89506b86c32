/* A connected UDP socket whose packets the kernel stamps on their way out and in (SO_TIMESTAMPING, software stamps:
 * Documentation/networking/timestamping.rst). Both stamps are of the wall clock and become monotonic by one and the same
 * difference of the two clocks, so that a round trip is the difference of two stamps, and nothing of this process is in
 * it. Where the kernel does not stamp, the clock read just before the send stands for the one and `stamped` is false
 * for the other. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

#include <structmember.h>

#define DATAGRAM 65535
#define SLACK_NS 100000LL        /* the two clocks are not read in the same instant */
#define OCTETS_AT_ONCE (1 << 18) /* of one socket, before others have their turn */
#define STAMPS                                                                                                        \
    (SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY)

struct socket_object {
    PyObject_HEAD
    int fd;
    int64_t asked_ns;  /* monotonic, just before the first send */
    int64_t offset_ns; /* wall - monotonic, at that instant */
    int64_t left_ns;   /* monotonic, as the kernel stamped the first datagram; 0 while that is unknown */
    PyObject *poller;  /* that watches it; NULL: none does */
    PyObject *owner;   /* who is told in the rows */
    PyObject *local;
};

static char datagram[DATAGRAM]; /* the GIL is held whenever it is used */

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} endpoint;

int socket_fd(const SocketObject *s) { return s->fd; }

void socket_watched(SocketObject *s, PyObject *poller, PyObject *owner) {
    Py_XSETREF(s->poller, Py_NewRef(poller));
    Py_XSETREF(s->owner, Py_NewRef(owner));
}

static double seconds(int64_t ns) { return (double)ns / (double)NS; }

/* --- opening --- */

static socklen_t endpoint_of(endpoint *e, int family, const char *host, int port) {
    memset(e, 0, sizeof *e);
    int known = 0;
    if (family == AF_INET) {
        e->v4.sin_family = AF_INET;
        e->v4.sin_port = htons((uint16_t)port);
        known = inet_pton(AF_INET, host, &e->v4.sin_addr);
    } else if (family == AF_INET6) {
        e->v6.sin6_family = AF_INET6;
        e->v6.sin6_port = htons((uint16_t)port);
        known = inet_pton(AF_INET6, host, &e->v6.sin6_addr);
    }
    if (known != 1) {
        PyErr_Format(PyExc_ValueError, "%s is no address of this family", host);
        return 0;
    }
    return family == AF_INET ? sizeof e->v4 : sizeof e->v6;
}

static PyObject *local_of(int fd) {
    endpoint e;
    socklen_t size = sizeof e;
    char host[INET6_ADDRSTRLEN];
    if (getsockname(fd, &e.any, &size)) return PyErr_SetFromErrno(PyExc_OSError);
    int six = e.any.sa_family == AF_INET6;
    inet_ntop(e.any.sa_family, six ? (void *)&e.v6.sin6_addr : (void *)&e.v4.sin_addr, host, sizeof host);
    return PyUnicode_FromFormat(six ? "[%s]:%d" : "%s:%d", host, ntohs(six ? e.v6.sin6_port : e.v4.sin_port));
}

static int open_to(SocketObject *s, int family, const char *host, int port, const char *bound, int stamped) {
    endpoint there, here;
    socklen_t there_size = endpoint_of(&there, family, host, port), here_size = 0;
    if (!there_size || (bound && !(here_size = endpoint_of(&here, family, bound, 0)))) return -1;
    s->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int stamps = STAMPS;
    if (s->fd < 0 || (bound && bind(s->fd, &here.any, here_size)) || connect(s->fd, &there.any, there_size)) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    /* A kernel without it still carries SIP: the round trip is then unknown, and said to be. */
    if (stamped) (void)setsockopt(s->fd, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof stamps);
    s->local = local_of(s->fd);
    return s->local ? 0 : -1;
}

static PyObject *socket_new(PyTypeObject *type, PyObject *args, PyObject *keywords) {
    static char *names[] = {"family", "host", "port", "bind", "stamped", NULL};
    int family, port, stamped = 1;
    const char *host, *bound = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "isi|zp", names, &family, &host, &port, &bound, &stamped)) return NULL;
    SocketObject *s = (SocketObject *)type->tp_alloc(type, 0);
    if (!s) return NULL;
    s->fd = -1;
    if (open_to(s, family, host, port, bound, stamped)) {
        Py_DECREF(s);
        return NULL;
    }
    return (PyObject *)s;
}

/* --- stamps --- */

/* The kernel's software stamp in the ancillary data, wall clock; 0 when there is none. */
static int64_t stamp_in(struct msghdr *m) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPING) continue;
        struct timespec t; /* the first of three: software */
        memcpy(&t, CMSG_DATA(c), sizeof t);
        return (int64_t)t.tv_sec * NS + t.tv_nsec;
    }
    return 0;
}

/* Empties the error queue, where the kernel puts the stamps of what was sent; the first one is the first datagram's. */
static void stamps_sent(SocketObject *s) {
    union {
        struct cmsghdr align;
        char room[256];
    } control;
    for (;;) {
        struct msghdr m = {.msg_control = &control, .msg_controllen = sizeof control};
        if (recvmsg(s->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return;
        int64_t stamp = stamp_in(&m);
        if (!stamp || s->left_ns) continue;
        int64_t left = stamp - s->offset_ns;
        /* Earlier than the call, or later than now: the wall clock stepped in between, and the stamp says nothing. */
        if (left >= s->asked_ns - SLACK_NS && left <= instant_read().now_ns + SLACK_NS) s->left_ns = left;
    }
}

static int64_t sent_ns(const SocketObject *s) { return s->left_ns ? s->left_ns : s->asked_ns; }

/* Monotonic time of a stamp; `*good` says that it is the kernel's, and to be believed. */
static int64_t arrived_ns(const SocketObject *s, int64_t stamp, int *good) {
    instant now = instant_read();
    int64_t stepped = now.offset_ns - s->offset_ns, at = stamp - s->offset_ns;
    *good = stamp && s->asked_ns && stepped < SLACK_NS && stepped > -SLACK_NS && at >= s->asked_ns - SLACK_NS &&
            at <= now.now_ns + SLACK_NS;
    if (!*good || at > now.now_ns) return now.now_ns;
    return at < sent_ns(s) ? sent_ns(s) : at;
}

/* --- sending and receiving --- */

static PyObject *socket_send(SocketObject *s, PyObject *data) {
    char *octets;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(data, &octets, &size)) return NULL;
    instant before = instant_read();
    int first = !s->asked_ns;
    if (first) {
        s->asked_ns = before.now_ns;
        s->offset_ns = before.offset_ns;
    }
    while (send(s->fd, octets, (size_t)size, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR) return PyErr_SetFromErrno(PyExc_OSError);
    }
    if (!first) return PyFloat_FromDouble(seconds(before.now_ns));
    stamps_sent(s); /* drivers that send in the caller's time (lo, veth, many more) have stamped it already */
    return PyFloat_FromDouble(seconds(sent_ns(s)));
}

/* One row (owner, data, received, stamped, sent, errno); 0 when nothing waits, 1 for a row, 2 for an error in a row. */
static int socket_one(SocketObject *s, PyObject **row, Py_ssize_t *size) {
    union {
        struct cmsghdr align;
        char room[128];
    } control;
    struct iovec into = {datagram, sizeof datagram};
    struct msghdr m = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    PyObject *owner = s->owner ? s->owner : Py_None;
    ssize_t got;
    while ((got = recvmsg(s->fd, &m, MSG_DONTWAIT)) < 0 && errno == EINTR) m.msg_controllen = sizeof control;
    if (got < 0) {
        int error = errno;
        if (error == EAGAIN || error == EWOULDBLOCK) return 0;
        *row = Py_BuildValue("(OOdOdi)", owner, Py_None, seconds(instant_read().now_ns), Py_False, seconds(sent_ns(s)), error);
        return *row ? 2 : -1;
    }
    if (!s->left_ns) stamps_sent(s);
    int good;
    int64_t at = arrived_ns(s, stamp_in(&m), &good);
    *size = got;
    *row = Py_BuildValue("(Oy#dOdi)", owner, datagram, (Py_ssize_t)got, seconds(at), good ? Py_True : Py_False,
                         seconds(sent_ns(s)), 0);
    return *row ? 1 : -1;
}

int socket_take(SocketObject *s, PyObject *rows, int most, int error) {
    Py_ssize_t octets = 0;
    if (error) stamps_sent(s); /* or it would be ready for ever */
    for (int i = 0; i < most && octets < OCTETS_AT_ONCE; i++) {
        PyObject *row;
        Py_ssize_t size = 0;
        int what = s->fd < 0 ? 0 : socket_one(s, &row, &size);
        if (what <= 0) return what;
        int failed = PyList_Append(rows, row);
        Py_DECREF(row);
        if (failed) return -1;
        octets += size;
        if (what == 2) return 0;
    }
    return 0;
}

static PyObject *socket_receive(SocketObject *s, PyObject *Py_UNUSED(ignored)) {
    PyObject *row;
    Py_ssize_t size;
    int what = s->fd < 0 ? 0 : socket_one(s, &row, &size);
    if (what < 0) return NULL;
    return what ? row : Py_NewRef(Py_None);
}

/* --- the type --- */

static int socket_clear(SocketObject *s) {
    int fd = s->fd;
    s->fd = -1;
    if (fd >= 0 && s->poller) poller_leave(s->poller, fd);
    if (fd >= 0) close(fd);
    Py_CLEAR(s->poller);
    Py_CLEAR(s->owner);
    return 0;
}

static PyObject *socket_close(SocketObject *s, PyObject *Py_UNUSED(ignored)) {
    socket_clear(s);
    Py_RETURN_NONE;
}

static int socket_traverse(SocketObject *s, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(s));
    Py_VISIT(s->poller);
    Py_VISIT(s->owner);
    return 0;
}

static void socket_dealloc(SocketObject *s) {
    PyTypeObject *type = Py_TYPE(s);
    PyObject_GC_UnTrack(s);
    socket_clear(s);
    Py_CLEAR(s->local);
    type->tp_free(s);
    Py_DECREF(type);
}

static PyObject *socket_fileno(SocketObject *s, PyObject *Py_UNUSED(ignored)) { return PyLong_FromLong(s->fd); }

static PyMethodDef methods[] = {
    {"send", (PyCFunction)socket_send, METH_O,
     "send($self, data, /)\n--\n\nWhen it left, in monotonic seconds: the kernel's stamp of the first datagram where there is one."},
    {"receive", (PyCFunction)socket_receive, METH_NOARGS, "receive($self, /)\n--\n\nOne row of what waits, or None."},
    {"fileno", (PyCFunction)socket_fileno, METH_NOARGS, "fileno($self, /)\n--\n\n-1 when it is closed."},
    {"close", (PyCFunction)socket_close, METH_NOARGS, "close($self, /)\n--\n\nIdempotent."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"local", T_OBJECT, offsetof(SocketObject, local), READONLY, "Our own end, as it stands in a Via."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Socket(family, host, port, bind=None, stamped=True)\n--\n\nA connected UDP socket with kernel stamps."},
    {Py_tp_new, socket_new},         {Py_tp_dealloc, socket_dealloc}, {Py_tp_traverse, socket_traverse},
    {Py_tp_clear, socket_clear},     {Py_tp_methods, methods},        {Py_tp_members, members},
    {0, NULL},
};

PyType_Spec socket_spec = {
    .name = "probes.sip._wire.Socket",
    .basicsize = sizeof(SocketObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};
