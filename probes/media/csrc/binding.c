/* probes.media._meter: the kernel and its edges for Python. Files, buffers and rings go in, never single packets; the
 * GIL is released while they are read. Wrapped by probes/media/meter.py, which documents the use. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>

#include "pcap.h"
#include "ring.h"

typedef struct {
    PyObject_HEAD
    meter *m;
    pthread_mutex_t lock; /* a ring's thread and Python's threads meet here */
    bool has_lock;
} MeterObject;

typedef struct {
    PyObject_HEAD
    MeterObject *owner;
    pcap_reader reader;
    bool opened;
} PcapObject;

typedef struct {
    PyObject_HEAD
    MeterObject *owner;
    ring r;
} RingObject;

typedef struct {
    PyTypeObject *meter_type;
} module_state;

static void destroy(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static void lock(MeterObject *o) {
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&o->lock);
    Py_END_ALLOW_THREADS
}

static void unlock(MeterObject *o) { pthread_mutex_unlock(&o->lock); }

/* ---- Meter --------------------------------------------------------------------------------------------------------- */

static PyObject *meter_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"max_streams", NULL};
    unsigned int max_streams = 1u << 20;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|I:Meter", names, &max_streams)) return NULL;
    MeterObject *self = (MeterObject *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->has_lock = !pthread_mutex_init(&self->lock, NULL);
    self->m = self->has_lock ? meter_new(max_streams) : NULL;
    if (!self->m) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static void meter_destroy(PyObject *o) {
    MeterObject *self = (MeterObject *)o;
    meter_free(self->m);
    if (self->has_lock) pthread_mutex_destroy(&self->lock);
    destroy(o);
}

static PyObject *meter_snapshot(PyObject *o, PyObject *Py_UNUSED(ignored)) {
    MeterObject *self = (MeterObject *)o;
    stream_row *rows;
    size_t count;
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&self->lock);
    count = meter_count(self->m);
    rows = malloc((count ? count : 1) * sizeof *rows);
    if (rows) count = meter_rows(self->m, rows, count);
    pthread_mutex_unlock(&self->lock);
    Py_END_ALLOW_THREADS
    if (!rows) return PyErr_NoMemory();
    PyObject *result = PyByteArray_FromStringAndSize((const char *)rows, (Py_ssize_t)(count * sizeof *rows));
    free(rows);
    return result;
}

static PyObject *meter_forget_ids(PyObject *o, PyObject *ids) {
    MeterObject *self = (MeterObject *)o;
    PyObject *list = PySequence_Fast(ids, "forget() takes a sequence of stream ids");
    if (!list) return NULL;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(list), dropped = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        unsigned long long id = PyLong_AsUnsignedLongLong(PySequence_Fast_GET_ITEM(list, i));
        if (id == (unsigned long long)-1 && PyErr_Occurred()) {
            Py_DECREF(list);
            return NULL;
        }
        lock(self);
        dropped += meter_forget(self->m, id);
        unlock(self);
    }
    Py_DECREF(list);
    return PyLong_FromSsize_t(dropped);
}

static PyObject *meter_sweep_before(PyObject *o, PyObject *argument) {
    MeterObject *self = (MeterObject *)o;
    long long before = PyLong_AsLongLong(argument);
    if (before == -1 && PyErr_Occurred()) return NULL;
    lock(self);
    size_t count = meter_sweep(self->m, before);
    unlock(self);
    return PyLong_FromSize_t(count);
}

static bool read_format(PyObject *item, payload_format *out) {
    unsigned char payload_type, kind;
    unsigned int clock_rate;
    if (!PyTuple_Check(item)) {
        PyErr_SetString(PyExc_TypeError, "a format is (payload type, kind, clock rate)");
        return false;
    }
    if (!PyArg_ParseTuple(item, "bbI", &payload_type, &kind, &clock_rate)) return false;
    *out = (payload_format){payload_type, kind, clock_rate};
    return true;
}

static PyObject *meter_set_endpoint(PyObject *o, PyObject *args) {
    MeterObject *self = (MeterObject *)o;
    Py_buffer address;
    unsigned short port;
    PyObject *sequence;
    if (!PyArg_ParseTuple(args, "y*HO:endpoint", &address, &port, &sequence)) return NULL;
    PyObject *result = NULL;
    payload_format formats[128];
    PyObject *list = NULL;
    if (address.len != 16) {
        PyErr_SetString(PyExc_ValueError, "an address is 16 octets");
        goto end;
    }
    list = PySequence_Fast(sequence, "formats is a sequence");
    if (!list) goto end;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(list);
    if (count > 128) {
        PyErr_SetString(PyExc_ValueError, "there are 128 payload types");
        goto end;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        if (!read_format(PySequence_Fast_GET_ITEM(list, i), &formats[i])) goto end;
    lock(self);
    uint32_t number = meter_endpoint(self->m, address.buf, port, formats, (size_t)count);
    unlock(self);
    result = number ? PyLong_FromUnsignedLong(number) : PyErr_NoMemory();
end:
    Py_XDECREF(list);
    PyBuffer_Release(&address);
    return result;
}

static PyObject *meter_get_counts(PyObject *o, PyObject *Py_UNUSED(ignored)) {
    MeterObject *self = (MeterObject *)o;
    lock(self);
    meter_counters c = meter_counts(self->m);
    unlock(self);
    return Py_BuildValue("{sK,sK,sK,sK}", "rtp", c.rtp, "rtcp", c.rtcp, "other", c.other, "overflow", c.overflow);
}

static PyMethodDef meter_methods[] = {
    {"snapshot", meter_snapshot, METH_NOARGS, "snapshot($self, /)\n--\n\nRows of all streams, cumulative, as a bytearray."},
    {"forget", meter_forget_ids, METH_O, "forget($self, ids, /)\n--\n\nDrop streams by id; how many there were."},
    {"sweep", meter_sweep_before, METH_O,
     "sweep($self, before_ns, /)\n--\n\nDrop what never became a stream and has been silent since; how many."},
    {"endpoint", meter_set_endpoint, METH_VARARGS,
     "endpoint($self, address, port, formats, /)\n--\n\nPayload types that an endpoint announced; the profile's number."},
    {"counters", meter_get_counts, METH_NOARGS, "counters($self, /)\n--\n\nDatagrams by what they were."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot meter_slots[] = {
    {Py_tp_doc, "Meter(max_streams=1048576)\n--\n\nRTP streams and their statistics."},
    {Py_tp_new, meter_create},
    {Py_tp_dealloc, meter_destroy},
    {Py_tp_methods, meter_methods},
    {0, NULL},
};

static PyType_Spec meter_spec = {"probes.media._meter.Meter", sizeof(MeterObject), 0, Py_TPFLAGS_DEFAULT, meter_slots};

static MeterObject *take_owner(PyTypeObject *type, PyObject *argument) {
    module_state *state = PyType_GetModuleState(type);
    if (!state) return NULL;
    if (!PyObject_TypeCheck(argument, state->meter_type)) {
        PyErr_SetString(PyExc_TypeError, "the first argument is a Meter");
        return NULL;
    }
    return (MeterObject *)Py_NewRef(argument);
}

static PyObject *frame_dict(const frame_counters *c) {
    return Py_BuildValue("{sK,sK,sK,sK}", "frames", c->frames, "not_udp", c->not_udp, "fragments", c->fragments, "damaged",
                         c->damaged);
}

/* ---- Pcap ---------------------------------------------------------------------------------------------------------- */

static PyObject *pcap_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *owner;
    if (kwargs && PyDict_GET_SIZE(kwargs)) return PyErr_Format(PyExc_TypeError, "Pcap() takes no keywords");
    if (!PyArg_ParseTuple(args, "O:Pcap", &owner)) return NULL;
    MeterObject *m = take_owner(type, owner);
    if (!m) return NULL;
    PcapObject *self = (PcapObject *)type->tp_alloc(type, 0);
    if (!self) {
        Py_DECREF(m);
        return NULL;
    }
    self->owner = m;
    return (PyObject *)self;
}

static void pcap_destroy(PyObject *o) {
    Py_XDECREF(((PcapObject *)o)->owner);
    destroy(o);
}

static PyObject *pcap_open_buffer(PyObject *o, PyObject *buffer) {
    PcapObject *self = (PcapObject *)o;
    Py_buffer view;
    if (PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE)) return NULL;
    pcap_opening opening = pcap_open(&self->reader, view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    self->opened = opening == PCAP_OK;
    return Py_BuildValue("iI", (int)opening, self->reader.link_type);
}

static PyObject *pcap_feed_buffer(PyObject *o, PyObject *args) {
    PcapObject *self = (PcapObject *)o;
    Py_buffer view;
    Py_ssize_t start, budget;
    if (!PyArg_ParseTuple(args, "y*nn:feed", &view, &start, &budget)) return NULL;
    if (!self->opened || start < 0 || start > view.len || budget <= 0) {
        PyBuffer_Release(&view);
        PyErr_SetString(PyExc_ValueError, "feed() comes after open(), within the buffer, with a positive budget");
        return NULL;
    }
    size_t offset = (size_t)start;
    pcap_stop stop;
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&self->owner->lock);
    stop = pcap_feed(&self->reader, self->owner->m, view.buf, (size_t)view.len, &offset, (size_t)budget);
    pthread_mutex_unlock(&self->owner->lock);
    Py_END_ALLOW_THREADS
    PyObject *result = NULL;
    if (stop == PCAP_MEMORY) PyErr_NoMemory();
    else if (stop == PCAP_SIP)
        result = Py_BuildValue("niy#", (Py_ssize_t)offset, (int)stop, self->reader.message,
                               (Py_ssize_t)self->reader.message_length);
    else result = Py_BuildValue("niO", (Py_ssize_t)offset, (int)stop, Py_None);
    self->reader.message = NULL; /* it points into the buffer that is released now */
    PyBuffer_Release(&view);
    return result;
}

static PyObject *pcap_counters(PyObject *o, PyObject *Py_UNUSED(ignored)) {
    return frame_dict(&((PcapObject *)o)->reader.counters);
}

static PyMethodDef pcap_methods[] = {
    {"open", pcap_open_buffer, METH_O,
     "open($self, buffer, /)\n--\n\nRead the file header: (why not, 0 is fine; link type)."},
    {"feed", pcap_feed_buffer, METH_VARARGS,
     "feed($self, buffer, offset, budget, /)\n--\n\nRead records: (next offset, why it stopped, SIP message or None)."},
    {"counters", pcap_counters, METH_NOARGS, "counters($self, /)\n--\n\nFrames by what they were."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot pcap_slots[] = {
    {Py_tp_doc, "Pcap(meter)\n--\n\nReads classic pcap from a buffer into a meter."},
    {Py_tp_new, pcap_create},
    {Py_tp_dealloc, pcap_destroy},
    {Py_tp_methods, pcap_methods},
    {0, NULL},
};

static PyType_Spec pcap_spec = {"probes.media._meter.Pcap", sizeof(PcapObject), 0, Py_TPFLAGS_DEFAULT, pcap_slots};

/* ---- Ring ---------------------------------------------------------------------------------------------------------- */

static PyObject *ring_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"meter", "fd", "block_size", "blocks", NULL};
    PyObject *owner;
    int fd;
    unsigned int block_size = 1u << 18, blocks = 16;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Oi|II:Ring", names, &owner, &fd, &block_size, &blocks)) return NULL;
    MeterObject *m = take_owner(type, owner);
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
    destroy(o);
}

static PyObject *ring_status(PyObject *o, PyObject *Py_UNUSED(ignored)) {
    RingObject *self = (RingObject *)o;
    lock(self->owner);
    ring_read_drops(&self->r);
    uint64_t dropped = self->r.dropped;
    frame_counters c = self->r.counters;
    unlock(self->owner);
    PyObject *frames = frame_dict(&c);
    if (!frames) return NULL;
    return Py_BuildValue("{sK,si,sN}", "dropped", dropped, "error", (int)self->r.error, "frames", frames);
}

static PyMethodDef ring_methods[] = {
    {"close", ring_close, METH_NOARGS, "close($self, /)\n--\n\nEnd the thread and close the socket."},
    {"status", ring_status, METH_NOARGS,
     "status($self, /)\n--\n\nPackets the kernel dropped, the errno that ended the thread (0: none), frames seen."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot ring_slots[] = {
    {Py_tp_doc, "Ring(meter, fd, block_size=262144, blocks=16)\n--\n\nDrains a packet socket into a meter; owns `fd` once made."},
    {Py_tp_new, ring_create},
    {Py_tp_dealloc, ring_destroy},
    {Py_tp_methods, ring_methods},
    {0, NULL},
};

static PyType_Spec ring_spec = {"probes.media._meter.Ring", sizeof(RingObject), 0, Py_TPFLAGS_DEFAULT, ring_slots};

/* ---- the module ---------------------------------------------------------------------------------------------------- */

#define ROW(name, format) {#name, format, offsetof(stream_row, name)}

static const struct {
    const char *name, *format;
    size_t offset;
} row_fields[] = {
    ROW(id, "u8"), ROW(src, "V16"), ROW(dst, "V16"), ROW(src_port, "u2"), ROW(dst_port, "u2"), ROW(ssrc, "u4"),
    ROW(clock_rate, "u4"), ROW(profile, "u4"), ROW(packets, "u8"), ROW(bytes, "u8"), ROW(expected, "u8"), ROW(lost, "u8"),
    ROW(lost_rfc3550, "i8"), ROW(duplicates, "u8"), ROW(reordered, "u8"), ROW(strays, "u8"), ROW(events, "u8"),
    ROW(comfort_noise, "u8"), ROW(markers, "u8"), ROW(loss_runs, "u8"), ROW(loss_run_max, "u8"), ROW(bursts, "u8"),
    ROW(burst_packets, "u8"), ROW(burst_lost, "u8"), ROW(jitter_samples, "u8"), ROW(jitter, "f8"), ROW(jitter_mean, "f8"),
    ROW(jitter_max, "f8"), ROW(start_ns, "i8"), ROW(end_ns, "i8"), ROW(largest_gap_ns, "i8"), ROW(restarts, "u4"),
    ROW(payload_type_changes, "u4"), ROW(payload_type, "u1"),
};

static PyObject *row_layout(void) {
    size_t count = sizeof row_fields / sizeof row_fields[0];
    PyObject *layout = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; layout && i < count; i++) {
        PyObject *item = Py_BuildValue("ssn", row_fields[i].name, row_fields[i].format, (Py_ssize_t)row_fields[i].offset);
        if (!item) {
            Py_DECREF(layout);
            return NULL;
        }
        PyTuple_SET_ITEM(layout, (Py_ssize_t)i, item);
    }
    return layout;
}

static PyTypeObject *add_type(PyObject *module, PyType_Spec *spec) {
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    if (type && PyModule_AddType(module, type)) {
        Py_DECREF(type);
        return NULL;
    }
    return type;
}

static int module_exec(PyObject *module) {
    module_state *state = PyModule_GetState(module);
    state->meter_type = add_type(module, &meter_spec);
    if (!state->meter_type) return -1;
    PyTypeObject *pcap_type = add_type(module, &pcap_spec);
    PyTypeObject *ring_type = add_type(module, &ring_spec);
    bool made = pcap_type && ring_type;
    Py_XDECREF(pcap_type);
    Py_XDECREF(ring_type);
    if (!made) return -1;
    PyObject *layout = row_layout();
    if (!layout) return -1;
    int failed = PyModule_AddObjectRef(module, "ROW_LAYOUT", layout);
    Py_DECREF(layout);
    return failed || PyModule_AddIntConstant(module, "ROW_SIZE", sizeof(stream_row)) ? -1 : 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    module_state *state = PyModule_GetState(module);
    Py_VISIT(state->meter_type);
    return 0;
}

static int module_clear(PyObject *module) {
    module_state *state = PyModule_GetState(module);
    Py_CLEAR(state->meter_type);
    return 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "probes.media._meter",
    .m_doc = "The RTP meter in C.",
    .m_size = sizeof(module_state),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit__meter(void) { return PyModuleDef_Init(&module_definition); }
