/* probes.media._meter.Pcap: captures in memory, read into a meter. */
#include "bind.h"

#include "pcap.h"

typedef struct {
    PyObject_HEAD
    MeterObject *owner;
    pcap_reader reader;
    bool opened;
} PcapObject;

static PyObject *pcap_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *owner;
    if (kwargs && PyDict_GET_SIZE(kwargs)) return PyErr_Format(PyExc_TypeError, "Pcap() takes no keywords");
    if (!PyArg_ParseTuple(args, "O:Pcap", &owner)) return NULL;
    MeterObject *m = bind_owner(type, owner);
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
    bind_destroy(o);
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
    return bind_frame_counters(&((PcapObject *)o)->reader.counters);
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

PyType_Spec bind_pcap_spec = {"probes.media._meter.Pcap", sizeof(PcapObject), 0, Py_TPFLAGS_DEFAULT, pcap_slots};
