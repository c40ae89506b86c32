/* probes.media._meter.Meter: the kernel, its rows and what endpoints announced. */
#include "bind.h"

enum { MAX_RTCP = 1 << 18 }; /* entries: 290 octets each */

static PyObject *meter_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    int series = 1, audio = 0;
    static char *names[] = {"max_streams", "probation", "buffer", "series", "fixed_delay_ns", "fixed_size_ns", "audio", NULL};
    meter_options options = {1u << 20, 2, BUFFER_ADAPTIVE, 1, 60000000, 200000000};
    long long delay_ns = options.fixed_delay_ns, size_ns = options.fixed_size_ns;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|IIbpLLp:Meter", names, &options.max_streams, &options.probation,
                                     &options.buffer, &series, &delay_ns, &size_ns, &audio))
        return NULL;
    if (options.probation < 1 || options.buffer > BUFFER_ADAPTIVE || delay_ns < 0 || size_ns < delay_ns) {
        PyErr_SetString(PyExc_ValueError, "probation is 1 or more, buffer 0 to 2, and 0 <= fixed_delay_ns <= fixed_size_ns");
        return NULL;
    }
    options.series = (uint8_t)series;
    options.fixed_delay_ns = delay_ns;
    options.fixed_size_ns = size_ns;
    MeterObject *self = (MeterObject *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->has_lock = !pthread_mutex_init(&self->lock, NULL);
    self->m = self->has_lock ? meter_new(&options) : NULL;
    self->rtcp = rtcp_new(options.max_streams < MAX_RTCP / 2 ? options.max_streams * 2 : MAX_RTCP);
    self->audio = audio ? audio_new(options.max_streams) : NULL;
    if (!self->m || !self->rtcp || (audio && !self->audio)) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    meter_use_rtcp(self->m, self->rtcp);
    meter_use_audio(self->m, self->audio);
    return (PyObject *)self;
}

static void meter_destroy(PyObject *o) {
    MeterObject *self = (MeterObject *)o;
    meter_free(self->m);
    rtcp_free(self->rtcp);
    audio_free(self->audio);
    if (self->has_lock) pthread_mutex_destroy(&self->lock);
    bind_destroy(o);
}

static PyObject *meter_snapshot(PyObject *o, PyObject *Py_UNUSED(ignored)) {
    MeterObject *self = (MeterObject *)o;
    stream_row *rows;
    size_t count;
    uint32_t cursor = 0;
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&self->lock);
    count = meter_count(self->m);
    rows = malloc((count ? count : 1) * sizeof *rows);
    if (rows) count = meter_rows(self->m, &cursor, rows, count);
    pthread_mutex_unlock(&self->lock);
    Py_END_ALLOW_THREADS
    if (!rows) return PyErr_NoMemory();
    PyObject *result = PyByteArray_FromStringAndSize((const char *)rows, (Py_ssize_t)(count * sizeof *rows));
    free(rows);
    return result;
}

static PyObject *meter_some_rows(PyObject *o, PyObject *args) {
    MeterObject *self = (MeterObject *)o;
    unsigned int from, room;
    if (!PyArg_ParseTuple(args, "II:rows", &from, &room)) return NULL;
    PyObject *result = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)(room * sizeof(stream_row)));
    if (!result) return NULL;
    uint32_t cursor = from;
    bind_lock(self);
    size_t count = meter_rows(self->m, &cursor, (stream_row *)(void *)PyByteArray_AS_STRING(result), room);
    bind_unlock(self);
    if (PyByteArray_Resize(result, (Py_ssize_t)(count * sizeof(stream_row)))) {
        Py_DECREF(result);
        return NULL;
    }
    return Py_BuildValue("NI", result, cursor);
}

static PyObject *meter_seconds_of(PyObject *o, PyObject *argument) {
    MeterObject *self = (MeterObject *)o;
    unsigned long long id = PyLong_AsUnsignedLongLong(argument);
    if (id == (unsigned long long)-1 && PyErr_Occurred()) return NULL;
    second_row *rows;
    size_t count;
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&self->lock);
    count = meter_seconds(self->m, id, NULL, 0);
    rows = malloc((count ? count : 1) * sizeof *rows);
    if (rows) meter_seconds(self->m, id, rows, count);
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
        bind_lock(self);
        dropped += meter_forget(self->m, id);
        bind_unlock(self);
    }
    Py_DECREF(list);
    return PyLong_FromSsize_t(dropped);
}

static PyObject *meter_sweep_before(PyObject *o, PyObject *argument) {
    MeterObject *self = (MeterObject *)o;
    long long before = PyLong_AsLongLong(argument);
    if (before == -1 && PyErr_Occurred()) return NULL;
    bind_lock(self);
    size_t count = meter_sweep(self->m, before);
    bind_unlock(self);
    return PyLong_FromSize_t(count);
}

static bool read_format(PyObject *item, payload_format *out) {
    unsigned char payload_type, kind, law = 0;
    unsigned int clock_rate;
    if (!PyTuple_Check(item)) {
        PyErr_SetString(PyExc_TypeError, "a format is (payload type, kind, clock rate, law)");
        return false;
    }
    if (!PyArg_ParseTuple(item, "bbI|b", &payload_type, &kind, &clock_rate, &law)) return false;
    *out = (payload_format){payload_type, kind, law, clock_rate};
    return true;
}

static PyObject *meter_map_type(PyObject *o, PyObject *args) {
    MeterObject *self = (MeterObject *)o;
    payload_format f = {0};
    if (!PyArg_ParseTuple(args, "bbI|b:map", &f.payload_type, &f.kind, &f.clock_rate, &f.law)) return NULL;
    if (f.payload_type > 127) return PyErr_Format(PyExc_ValueError, "payload types end at 127");
    bind_lock(self);
    meter_map(self->m, &f);
    bind_unlock(self);
    Py_RETURN_NONE;
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
    bind_lock(self);
    uint32_t number = meter_endpoint(self->m, address.buf, port, formats, (size_t)count);
    bind_unlock(self);
    result = number ? PyLong_FromUnsignedLong(number) : PyErr_NoMemory();
end:
    Py_XDECREF(list);
    PyBuffer_Release(&address);
    return result;
}

static PyObject *meter_set_endpoint_as(PyObject *o, PyObject *args) {
    MeterObject *self = (MeterObject *)o;
    const uint8_t *address;
    Py_ssize_t size;
    unsigned short port;
    unsigned int profile;
    if (!PyArg_ParseTuple(args, "y#HI:endpoint_as", &address, &size, &port, &profile)) return NULL;
    if (size != 16) return PyErr_Format(PyExc_ValueError, "an address is 16 octets");
    bind_lock(self);
    bool done = meter_endpoint_as(self->m, address, port, profile);
    bind_unlock(self);
    if (!done) return PyErr_Format(PyExc_ValueError, "there is no profile %u", profile);
    Py_RETURN_NONE;
}

static PyObject *meter_spill_to(PyObject *o, PyObject *args) {
    MeterObject *self = (MeterObject *)o;
    int files[METER_SPILLS];
    if (!PyArg_ParseTuple(args, "iii:spill", &files[0], &files[1], &files[2])) return NULL;
    bind_lock(self);
    meter_spill(self->m, files);
    bind_unlock(self);
    Py_RETURN_NONE;
}

static PyObject *meter_get_counts(PyObject *o, PyObject *Py_UNUSED(ignored)) {
    MeterObject *self = (MeterObject *)o;
    bind_lock(self);
    meter_counters c = meter_counts(self->m);
    bind_unlock(self);
    return Py_BuildValue("{sK,sK,sK,sK}", "rtp", c.rtp, "rtcp", c.rtcp, "other", c.other, "overflow", c.overflow);
}

static PyMethodDef meter_methods[] = {
    {"snapshot", meter_snapshot, METH_NOARGS, "snapshot($self, /)\n--\n\nRows of all streams, cumulative, as a bytearray."},
    {"rows", meter_some_rows, METH_VARARGS,
     "rows($self, cursor, room, /)\n--\n\nUp to `room` rows from cursor (0 at first) on, and the next cursor."},
    {"seconds", meter_seconds_of, METH_O, "seconds($self, id, /)\n--\n\nA stream second by second, as a bytearray."},
    {"forget", meter_forget_ids, METH_O, "forget($self, ids, /)\n--\n\nDrop streams by id; how many there were."},
    {"sweep", meter_sweep_before, METH_O,
     "sweep($self, before_ns, /)\n--\n\nDrop what never became a stream and has been silent since; how many."},
    {"endpoint", meter_set_endpoint, METH_VARARGS,
     "endpoint($self, address, port, formats, /)\n--\n\nPayload types that an endpoint announced; the profile's number."},
    {"endpoint_as", meter_set_endpoint_as, METH_VARARGS,
     "endpoint_as($self, address, port, profile, /)\n--\n\nAn endpoint announced what a profile holds already."},
    {"map", meter_map_type, METH_VARARGS,
     "map($self, payload_type, kind, clock_rate, law=0, /)\n--\n\nWhat a payload type is that no SDP names."},
    {"spill", meter_spill_to, METH_VARARGS,
     "spill($self, file, file, file, /)\n--\n\nTake empty files for what grows with time; the meter closes them."},
    {"counters", meter_get_counts, METH_NOARGS, "counters($self, /)\n--\n\nDatagrams by what they were."},
    {"audio", bind_audio, METH_O, "audio($self, row, /)\n--\n\nHow the G.711 of this row's stream sounds, as JSON; None: not heard."},
    {"rtcp", bind_rtcp, METH_O, "rtcp($self, row, /)\n--\n\nWhat RTCP says of the stream of this row, as JSON; None: nothing."},
    {"rtcp_rows", bind_rtcp_rows, METH_NOARGS,
     "rtcp_rows($self, /)\n--\n\nAll that RTCP says: (source, port, destination, port, SSRC, JSON) each."},
    {"rtcp_sweep", bind_rtcp_sweep, METH_O,
     "rtcp_sweep($self, before_ns, /)\n--\n\nForget what RTCP has not spoken of since; how many entries."},
    {"rtcp_counters", bind_rtcp_counters, METH_NOARGS, "rtcp_counters($self, /)\n--\n\nRTCP datagrams by what they were."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot meter_slots[] = {
    {Py_tp_doc, "Meter(max_streams=1048576, probation=2, buffer=2, series=True, fixed_delay_ns=60000000, "
                "fixed_size_ns=200000000, audio=False)\n--\n\nRTP streams and their statistics."},
    {Py_tp_new, meter_create},
    {Py_tp_dealloc, meter_destroy},
    {Py_tp_methods, meter_methods},
    {0, NULL},
};

PyType_Spec bind_meter_spec = {"probes.media._meter.Meter", sizeof(MeterObject), 0, Py_TPFLAGS_DEFAULT, meter_slots};
