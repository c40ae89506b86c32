/* RTCP and audio of probes.media._meter.Meter: its methods that ask the tables beside the kernel. */
#include "bind.h"

#include "audio.h"
#include "rtcp.h"

/* The stream_row in a buffer of a row's size; false with an exception. */
static bool read_row(PyObject *argument, stream_row *row) {
    Py_buffer buffer;
    if (PyObject_GetBuffer(argument, &buffer, PyBUF_SIMPLE)) return false;
    bool fits = buffer.len == (Py_ssize_t)sizeof *row;
    if (fits) memcpy(row, buffer.buf, sizeof *row);
    else PyErr_Format(PyExc_ValueError, "a row is %zu octets", sizeof *row);
    PyBuffer_Release(&buffer);
    return fits;
}

PyObject *bind_rtcp(PyObject *o, PyObject *argument) {
    MeterObject *self = (MeterObject *)o;
    stream_row stream;
    rtcp_row row;
    char out[RTCP_JSON_MAX];
    if (!read_row(argument, &stream)) return NULL;
    bind_lock(self);
    bool found = rtcp_find(self->rtcp, &stream, &row);
    bind_unlock(self);
    if (!found) Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8(out, (Py_ssize_t)rtcp_json(&row, stream.clock_rate, out), NULL);
}

PyObject *bind_audio(PyObject *o, PyObject *argument) {
    MeterObject *self = (MeterObject *)o;
    stream_row stream;
    audio_row row;
    char out[AUDIO_JSON_MAX];
    if (!read_row(argument, &stream)) return NULL;
    if (!self->audio) Py_RETURN_NONE;
    bind_lock(self);
    bool heard = audio_describe(self->audio, meter_audio(self->m, stream.id), &row);
    bind_unlock(self);
    if (!heard) Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8(out, (Py_ssize_t)audio_json(&row, out), NULL);
}

static PyObject *describe_row(const rtcp_row *row) {
    char out[RTCP_JSON_MAX];
    Py_ssize_t length = (Py_ssize_t)rtcp_json(row, 0, out);
    return Py_BuildValue("y#Hy#HIs#", row->key.src, (Py_ssize_t)16, row->key.src_port, row->key.dst,
                         (Py_ssize_t)16, row->key.dst_port, row->key.ssrc, out, length);
}

PyObject *bind_rtcp_rows(PyObject *o, PyObject *Py_UNUSED(ignored)) {
    MeterObject *self = (MeterObject *)o;
    PyObject *list = PyList_New(0);
    uint32_t cursor = 0;
    for (size_t count = 1; list && count;) {
        rtcp_row rows[16];
        bind_lock(self);
        count = rtcp_rows(self->rtcp, &cursor, rows, sizeof rows / sizeof rows[0]);
        bind_unlock(self);
        for (size_t i = 0; i < count; i++) {
            PyObject *item = describe_row(&rows[i]);
            if (!item || PyList_Append(list, item)) {
                Py_XDECREF(item);
                Py_DECREF(list);
                return NULL;
            }
            Py_DECREF(item);
        }
    }
    return list;
}

PyObject *bind_rtcp_sweep(PyObject *o, PyObject *argument) {
    MeterObject *self = (MeterObject *)o;
    long long before = PyLong_AsLongLong(argument);
    if (before == -1 && PyErr_Occurred()) return NULL;
    bind_lock(self);
    size_t count = rtcp_sweep(self->rtcp, before);
    bind_unlock(self);
    return PyLong_FromSize_t(count);
}

PyObject *bind_rtcp_counters(PyObject *o, PyObject *Py_UNUSED(ignored)) {
    MeterObject *self = (MeterObject *)o;
    bind_lock(self);
    rtcp_counters c = rtcp_counts(self->rtcp);
    bind_unlock(self);
    return Py_BuildValue("{sK,sK,sK,sK,sK}", "whole", c.whole, "snapped", c.snapped, "encrypted", c.encrypted, "damaged",
                         c.damaged, "overflow", c.overflow);
}
