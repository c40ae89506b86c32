/* What the files of probes.sip._wire share: the module's state, and the clocks. */
#ifndef SERENO_WIRE_H
#define SERENO_WIRE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

#define NS 1000000000LL

typedef struct {
    PyTypeObject *socket_type;
    PyObject *reply_type;   /* probes.sip.message.Reply, once `use` has told */
    PyObject *reply_fields; /* the names of its fields, in the order in which reply.c fills them */
    PyObject *usual;        /* header names that are met again and again, in lower case: a tuple of str */
} wire_state;

/* Two clocks read as one instant: monotonic time, and how far the wall clock is ahead of it. */
typedef struct {
    int64_t now_ns, offset_ns;
} instant;

instant instant_read(void);

extern PyType_Spec socket_spec, poller_spec;

/* A Socket of this module, as the poller sees it. */
typedef struct socket_object SocketObject;
int socket_fd(const SocketObject *s);
/* It is watched by this poller now, on behalf of this owner. */
void socket_watched(SocketObject *s, PyObject *poller, PyObject *owner);
/* Appends at most `most` rows of what waits in the socket to `rows`; `error`: something is in its error queue, or ICMP
 * told it of an error. -1 with an exception. */
int socket_take(SocketObject *s, PyObject *rows, int most, int error);

/* Takes it out of the poller's epoll while its descriptor is still open. */
void poller_leave(PyObject *poller, int fd);

PyObject *reply_parse(PyObject *module, PyObject *data);
PyObject *reply_use(PyObject *module, PyObject *type);
int reply_prepare(wire_state *state);

#endif
