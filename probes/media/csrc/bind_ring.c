/* probes.media._meter.Ring: a packet socket drained into a meter. */
#include "bind.h"

#include <errno.h>

#include "report.h"
#include "ring.h"

typedef struct {
    PyObject_HEAD
    MeterObject *owner;
    ring r;
} RingObject;

static PyObject *ring_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"meter", "fd", "block_size", "blocks", NULL};
    PyObject *owner;
    int fd;
    unsigned int block_size = 1u << 18, blocks = 16;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Oi|II:Ring", names, &owner, &fd, &block_size, &blocks)) return NULL;
    MeterObject *m = bind_owner(type, owner);
    if (!m) return NULL;
    RingObject *self = (RingObject *)type->tp_alloc(type, 0);
    if (!self) {
        Py_DECREF(m);
        return NULL;
    }
    self->owner = m;
    int error = ring_start(&self->r, fd, block_size, blocks, m->m, &m->lock);
    if (error) {
        Py_DECREF(self);
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return (PyObject *)self;
}

static PyObject *ring_close(PyObject *o, PyObject *Py_UNUSED(ignored)) {
    Py_BEGIN_ALLOW_THREADS
    ring_stop(&((RingObject *)o)->r);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static void ring_destroy(PyObject *o) {
    RingObject *self = (RingObject *)o;
    ring_stop(&self->r);
    Py_XDECREF(self->owner);
    bind_destroy(o);
}

static PyObject *blind_list(const blind_span *spans, size_t count) {
    PyObject *list = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; i++) {
        PyObject *item = Py_BuildValue("LLK", (long long)spans[i].from_ns, (long long)spans[i].to_ns,
                                       (unsigned long long)spans[i].dropped);
        if (!item) {
            Py_DECREF(list);
            return NULL;
        }
        PyTuple_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

static PyObject *ring_status(PyObject *o, PyObject *Py_UNUSED(ignored)) {
    RingObject *self = (RingObject *)o;
    bind_lock(self->owner);
    if (self->r.running) ring_read_drops(&self->r);
    ring r = self->r;
    bind_unlock(self->owner);
    PyObject *blind = blind_list(r.blind, r.blind_count), *frames = blind ? bind_frame_counters(&r.counters) : NULL;
    if (!frames) {
        Py_XDECREF(blind);
        return NULL;
    }
    return Py_BuildValue("{sK,sK,si,sN,sN}", "dropped", (unsigned long long)r.dropped, "freezes",
                         (unsigned long long)r.freezes, "error", (int)r.error, "blind", blind, "frames", frames);
}

/* Rows that may come of any meter, and of any moment: of a live one, the rows that were just handed out. */
typedef struct {
    const stream_row *rows;
    size_t count, next;
} row_walk;

static void rows_rewind(void *context) { ((row_walk *)context)->next = 0; }

static bool rows_next(void *context, talk *out) {
    row_walk *w = context;
    if (w->next == w->count) return false;
    *out = report_talk(&w->rows[w->next++]);
    return true;
}

static bool one_way_of(const stream_row *rows, size_t count, uint8_t *found) {
    row_walk walk = {rows, count, 0};
    return partners_find(&(talk_source){rows_rewind, rows_next, &walk}, count, found);
}

PyObject *bind_one_way(PyObject *Py_UNUSED(module), PyObject *argument) {
    Py_buffer rows;
    if (PyObject_GetBuffer(argument, &rows, PyBUF_SIMPLE)) return NULL;
    size_t count = (size_t)rows.len / sizeof(stream_row);
    PyObject *result = NULL;
    if (rows.len % (Py_ssize_t)sizeof(stream_row)) PyErr_Format(PyExc_ValueError, "a row is %zu octets", sizeof(stream_row));
    else result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)count);
    if (result && !one_way_of(rows.buf, count, (uint8_t *)PyBytes_AS_STRING(result))) {
        Py_CLEAR(result);
        PyErr_NoMemory();
    }
    PyBuffer_Release(&rows);
    return result;
}

static PyMethodDef ring_methods[] = {
    {"close", ring_close, METH_NOARGS, "close($self, /)\n--\n\nEnd the thread and close the socket."},
    {"status", ring_status, METH_NOARGS,
     "status($self, /)\n--\n\nPackets the kernel dropped, how often the ring was full, when the meter was blind, the errno that ended "
     "the thread (0: none), frames seen."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot ring_slots[] = {
    {Py_tp_doc, "Ring(meter, fd, block_size=262144, blocks=16)\n--\n\nDrains a packet socket into a meter; owns `fd` once made."},
    {Py_tp_new, ring_create},
    {Py_tp_dealloc, ring_destroy},
    {Py_tp_methods, ring_methods},
    {0, NULL},
};

PyType_Spec bind_ring_spec = {"probes.media._meter.Ring", sizeof(RingObject), 0, Py_TPFLAGS_DEFAULT, ring_slots};
