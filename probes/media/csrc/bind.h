/* What the files of the binding share. Each type of probes.media._meter is one bind_*.c; binding.c is the module. */
#ifndef SERENO_BIND_H
#define SERENO_BIND_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>

#include "frame.h"

typedef struct {
    PyObject_HEAD
    meter *m;
    pthread_mutex_t lock; /* a ring's thread and Python's threads meet here */
    bool has_lock;
} MeterObject;

typedef struct {
    PyTypeObject *meter_type;
} module_state;

extern PyType_Spec bind_meter_spec, bind_pcap_spec, bind_ring_spec;

/* Frees an instance of a heap type. */
void bind_destroy(PyObject *self);
/* Take and give the meter's lock; the GIL is released while waiting. */
void bind_lock(MeterObject *o);
void bind_unlock(MeterObject *o);
/* A new reference to `argument` if it is a Meter of the module of `type`; NULL with an exception. */
MeterObject *bind_owner(PyTypeObject *type, PyObject *argument);
PyObject *bind_frame_counters(const frame_counters *c);

#endif
