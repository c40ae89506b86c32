/* Many sockets as one descriptor (epoll(7)): an event loop watches that, and takes what came in all of them at once. */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "wire.h"

#define SOCKETS_AT_ONCE 64

typedef struct {
    PyObject_HEAD
    int fd;
} PollerObject;

static PyObject *poller_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(keywords)) {
    PollerObject *p = (PollerObject *)type->tp_alloc(type, 0);
    if (!p) return NULL;
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->fd < 0) {
        Py_DECREF(p);
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return (PyObject *)p;
}

static PyObject *poller_add(PollerObject *p, PyObject *const *args, Py_ssize_t count) {
    wire_state *state = PyType_GetModuleState(Py_TYPE(p));
    if (!state) return NULL;
    if (count != 2 || !PyObject_TypeCheck(args[0], state->socket_type)) {
        PyErr_SetString(PyExc_TypeError, "add takes a Socket and its owner");
        return NULL;
    }
    SocketObject *s = (SocketObject *)args[0];
    /* The kernel keeps a bare pointer: a Socket leaves the epoll before it goes (`poller_leave`). */
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    if (epoll_ctl(p->fd, EPOLL_CTL_ADD, socket_fd(s), &event)) return PyErr_SetFromErrno(PyExc_OSError);
    socket_watched(s, (PyObject *)p, args[1]);
    Py_RETURN_NONE;
}

/* To close the descriptor would not do: a child that was just forked may still hold a copy, and keep it in the epoll. */
void poller_leave(PyObject *poller, int fd) {
    struct epoll_event ignored = {0};
    int own = ((PollerObject *)poller)->fd;
    if (own >= 0) epoll_ctl(own, EPOLL_CTL_DEL, fd, &ignored);
}

static PyObject *poller_take(PollerObject *p, PyObject *number) {
    long most = PyLong_AsLong(number);
    if (most == -1 && PyErr_Occurred()) return NULL;
    struct epoll_event events[SOCKETS_AT_ONCE];
    int ready = epoll_wait(p->fd, events, SOCKETS_AT_ONCE, 0);
    if (ready < 0 && errno != EINTR) return PyErr_SetFromErrno(PyExc_OSError);
    /* From here on objects are made, and the collector may run: nothing that is read below may go. */
    for (int i = 0; i < ready; i++) Py_INCREF((PyObject *)events[i].data.ptr);
    PyObject *rows = PyList_New(0);
    for (int i = 0; i < ready; i++) {
        SocketObject *s = events[i].data.ptr;
        if (rows && socket_take(s, rows, (int)most, (events[i].events & EPOLLERR) != 0)) Py_CLEAR(rows);
        Py_DECREF((PyObject *)s);
    }
    return rows;
}

static PyObject *poller_close(PollerObject *p, PyObject *Py_UNUSED(ignored)) {
    if (p->fd >= 0) close(p->fd);
    p->fd = -1;
    Py_RETURN_NONE;
}

static PyObject *poller_fileno(PollerObject *p, PyObject *Py_UNUSED(ignored)) { return PyLong_FromLong(p->fd); }

static void poller_dealloc(PollerObject *p) {
    PyTypeObject *type = Py_TYPE(p);
    if (p->fd >= 0) close(p->fd);
    type->tp_free(p);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"add", (PyCFunction)(void (*)(void))poller_add, METH_FASTCALL,
     "add($self, socket, owner, /)\n--\n\nFrom now on rows of this socket name this owner; until it is closed."},
    {"take", (PyCFunction)poller_take, METH_O,
     "take($self, most, /)\n--\n\nRows of what waits: of at most 64 sockets, of each at most so many datagrams."},
    {"fileno", (PyCFunction)poller_fileno, METH_NOARGS, "fileno($self, /)\n--\n\nReadable when something waits."},
    {"close", (PyCFunction)poller_close, METH_NOARGS, "close($self, /)\n--\n\nIdempotent."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Poller()\n--\n\nMany sockets as one descriptor."},
    {Py_tp_new, poller_new},
    {Py_tp_dealloc, poller_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec poller_spec = {
    .name = "probes.sip._wire.Poller",
    .basicsize = sizeof(PollerObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};
