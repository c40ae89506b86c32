/* probes.media._meter.Capture: captures in memory, read into a meter. */
#include "bind.h"

#include "capture.h"

typedef struct {
    PyObject_HEAD
    MeterObject *owner;
    capture_reader reader;
    bool opened;
} CaptureObject;

static PyObject *capture_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *owner;
    if (kwargs && PyDict_GET_SIZE(kwargs)) return PyErr_Format(PyExc_TypeError, "Capture() takes no keywords");
    if (!PyArg_ParseTuple(args, "O:Capture", &owner)) return NULL;
    MeterObject *m = bind_owner(type, owner);
    if (!m) return NULL;
    CaptureObject *self = (CaptureObject *)type->tp_alloc(type, 0);
    if (!self) {
        Py_DECREF(m);
        return NULL;
    }
    self->owner = m;
    return (PyObject *)self;
}

static void capture_destroy(PyObject *o) {
    CaptureObject *self = (CaptureObject *)o;
    capture_close(&self->reader);
    Py_XDECREF(self->owner);
    bind_destroy(o);
}

static PyObject *capture_open_buffer(PyObject *o, PyObject *buffer) {
    CaptureObject *self = (CaptureObject *)o;
    Py_buffer view;
    if (PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE)) return NULL;
    size_t offset, needed;
    capture_close(&self->reader);
    capture_opening opening = capture_open(&self->reader, view.buf, (size_t)view.len, &offset, &needed);
    PyBuffer_Release(&view);
    self->opened = opening == CAPTURE_OK;
    return Py_BuildValue("inn", (int)opening, (Py_ssize_t)offset, (Py_ssize_t)needed);
}

static PyObject *capture_feed_buffer(PyObject *o, PyObject *args) {
    CaptureObject *self = (CaptureObject *)o;
    Py_buffer view;
    Py_ssize_t start, budget;
    if (!PyArg_ParseTuple(args, "y*nn:feed", &view, &start, &budget)) return NULL;
    if (!self->opened || start < 0 || start > view.len || budget <= 0) {
        PyBuffer_Release(&view);
        PyErr_SetString(PyExc_ValueError, "feed() comes after open(), within the buffer, with a positive budget");
        return NULL;
    }
    capture_reader *r = &self->reader;
    size_t offset = (size_t)start;
    capture_stop stop;
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&self->owner->lock);
    stop = capture_feed(r, self->owner->m, view.buf, (size_t)view.len, &offset, (size_t)budget);
    pthread_mutex_unlock(&self->owner->lock);
    Py_END_ALLOW_THREADS
    PyObject *result = NULL;
    if (stop == CAPTURE_MEMORY) PyErr_NoMemory();
    else if (stop == CAPTURE_SIP)
        result = Py_BuildValue("niy#", (Py_ssize_t)offset, (int)stop, r->message, (Py_ssize_t)r->message_length);
    else result = Py_BuildValue("niO", (Py_ssize_t)offset, (int)stop, Py_None);
    PyBuffer_Release(&view);
    return result;
}

static PyObject *capture_facts(PyObject *o, PyObject *Py_UNUSED(ignored)) {
    const capture_reader *r = &((CaptureObject *)o)->reader;
    PyObject *links = PyTuple_New((Py_ssize_t)r->link_type_count);
    if (!links) return NULL;
    for (uint32_t i = 0; i < r->link_type_count; i++) {
        PyObject *number = PyLong_FromUnsignedLong(r->link_types[i]);
        if (!number) {
            Py_DECREF(links);
            return NULL;
        }
        PyTuple_SetItem(links, (Py_ssize_t)i, number);
    }
    const frame_counters *c = &r->counters;
    return Py_BuildValue("{si,sN,sK,sK,sK,sK,sK,sK,sK,sz}", "format", (int)r->format, "link_types", links, "packets",
                         c->frames, "fragments", c->fragments, "not_udp", c->not_udp, "damaged", c->damaged, "unread",
                         c->unread, "snapped", r->snapped, "untimed", r->untimed, "damage", r->damage);
}

static PyMethodDef capture_methods[] = {
    {"open", capture_open_buffer, METH_O,
     "open($self, buffer, /)\n--\n\nRead the first octets: (why not, 0 is fine; where records begin; octets of a header)."},
    {"feed", capture_feed_buffer, METH_VARARGS,
     "feed($self, buffer, offset, budget, /)\n--\n\nRead records: (next offset, why it stopped, SIP message or None)."},
    {"facts", capture_facts, METH_NOARGS, "facts($self, /)\n--\n\nWhat was met so far."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot capture_slots[] = {
    {Py_tp_doc, "Capture(meter)\n--\n\nReads pcap and pcapng from a buffer into a meter."},
    {Py_tp_new, capture_create},
    {Py_tp_dealloc, capture_destroy},
    {Py_tp_methods, capture_methods},
    {0, NULL},
};

PyType_Spec bind_capture_spec = {"probes.media._meter.Capture", sizeof(CaptureObject), 0, Py_TPFLAGS_DEFAULT, capture_slots};

PyObject *bind_link_known(PyObject *Py_UNUSED(module), PyObject *number) {
    unsigned long link_type = PyLong_AsUnsignedLong(number);
    if (PyErr_Occurred()) return NULL;
    return PyBool_FromLong(link_type <= UINT32_MAX && frame_link_known((uint32_t)link_type));
}
