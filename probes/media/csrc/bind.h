/* What the files of the binding share. Each type of probes.media._meter is one bind_*.c; binding.c is the module. */
#ifndef SERENO_BIND_H
#define SERENO_BIND_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>

#include "audio.h"
#include "frame.h"
#include "rtcp.h"

typedef struct {
    PyObject_HEAD
    meter *m;
    rtcp_table *rtcp;
    audio_pool *audio; /* NULL: nobody listens */
    pthread_mutex_t lock; /* a ring's thread and Python's threads meet here */
    bool has_lock;
} MeterObject;

typedef struct {
    PyTypeObject *meter_type;
} module_state;

extern PyType_Spec bind_meter_spec, bind_capture_spec, bind_ring_spec, bind_report_spec;

/* Frees an instance of a heap type. */
void bind_destroy(PyObject *self);
/* Take and give the meter's lock; the GIL is released while waiting. */
void bind_lock(MeterObject *o);
void bind_unlock(MeterObject *o);
/* A new reference to `argument` if it is a Meter of the module of `type`; NULL with an exception. */
MeterObject *bind_owner(PyTypeObject *type, PyObject *argument);
/* Methods of Meter in bind_rtcp.c. */
PyObject *bind_audio(PyObject *meter, PyObject *row);
PyObject *bind_rtcp(PyObject *meter, PyObject *row);
PyObject *bind_rtcp_rows(PyObject *meter, PyObject *ignored);
PyObject *bind_rtcp_sweep(PyObject *meter, PyObject *before_ns);
PyObject *bind_rtcp_counters(PyObject *meter, PyObject *ignored);
PyObject *bind_frame_counters(const frame_counters *c);
/* Functions of the module. */
PyObject *bind_link_known(PyObject *module, PyObject *number);
PyObject *bind_one_way(PyObject *module, PyObject *rows);

#endif
