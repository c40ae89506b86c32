/* probes.media._meter: the kernel and its edges for Python. Files, buffers and rings go in, never single packets; the
 * GIL is released while they are read. Wrapped by probes/media/meter.py, which documents the use. */
#include "bind.h"

void bind_destroy(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

void bind_lock(MeterObject *o) {
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&o->lock);
    Py_END_ALLOW_THREADS
}

void bind_unlock(MeterObject *o) { pthread_mutex_unlock(&o->lock); }

MeterObject *bind_owner(PyTypeObject *type, PyObject *argument) {
    module_state *state = PyType_GetModuleState(type);
    if (!state) return NULL;
    if (!PyObject_TypeCheck(argument, state->meter_type)) {
        PyErr_SetString(PyExc_TypeError, "the first argument is a Meter");
        return NULL;
    }
    return (MeterObject *)Py_NewRef(argument);
}

PyObject *bind_frame_counters(const frame_counters *c) {
    return Py_BuildValue("{sK,sK,sK,sK,sK}", "frames", c->frames, "not_udp", c->not_udp, "fragments", c->fragments, "damaged",
                         c->damaged, "unread", c->unread);
}

#define ROW(name, format) {#name, format, offsetof(stream_row, name)}

typedef struct {
    const char *name, *format;
    size_t offset;
} field;

static const field row_fields[] = {
    ROW(id, "u8"), ROW(src, "V16"), ROW(dst, "V16"), ROW(src_port, "u2"), ROW(dst_port, "u2"), ROW(ssrc, "u4"),
    ROW(clock_rate, "u4"), ROW(profile, "u4"), ROW(packets, "u8"), ROW(bytes, "u8"), ROW(expected, "u8"), ROW(lost, "u8"),
    ROW(lost_rfc3550, "i8"), ROW(duplicates, "u8"), ROW(reordered, "u8"), ROW(strays, "u8"), ROW(events, "u8"),
    ROW(comfort_noise, "u8"), ROW(markers, "u8"), ROW(loss_runs, "u8"), ROW(loss_run_max, "u8"), ROW(bursts, "u8"),
    ROW(burst_packets, "u8"), ROW(burst_lost, "u8"), ROW(jitter_samples, "u8"), ROW(jitter, "f8"), ROW(jitter_mean, "f8"),
    ROW(jitter_max, "f8"), ROW(start_ns, "i8"), ROW(end_ns, "i8"), ROW(largest_gap_ns, "i8"), ROW(restarts, "u4"),
    ROW(payload_type_changes, "u4"), ROW(timestamp_jumps, "u4"), ROW(dscp_changes, "u4"), ROW(step, "u4"),
    ROW(payload_type, "u1"), ROW(dscp, "u1"), ROW(buffer, "u1"), ROW(dscp_seen, "u8"), ROW(echoes, "u8"),
    ROW(pdv_p50, "f8"), ROW(pdv_p95, "f8"), ROW(pdv_p99, "f8"), ROW(pdv_max, "f8"), ROW(drift_ppm, "f8"),
    ROW(fixed_late, "u8"), ROW(fixed_early, "u8"), ROW(adaptive_late, "u8"), ROW(adaptive_early, "u8"),
    ROW(adaptive_delay, "f8"), ROW(impaired_runs, "u8"),
};

#define SECOND(name, format) {#name, format, offsetof(second_row, name)}

static const field second_fields[] = {
    SECOND(second, "u4"), SECOND(packets, "u4"), SECOND(lost, "u4"), SECOND(discarded, "u4"), SECOND(jitter_mean, "f4"),
    SECOND(jitter_max, "f4"), SECOND(pdv_max, "f4"), SECOND(flags, "u4"),
};

static PyObject *layout_of(const field *fields, size_t count) {
    PyObject *layout = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; layout && i < count; i++) {
        PyObject *item = Py_BuildValue("ssn", fields[i].name, fields[i].format, (Py_ssize_t)fields[i].offset);
        if (!item) {
            Py_DECREF(layout);
            return NULL;
        }
        PyTuple_SET_ITEM(layout, (Py_ssize_t)i, item);
    }
    return layout;
}

static int add_layout(PyObject *module, const char *name, const field *fields, size_t count) {
    PyObject *layout = layout_of(fields, count);
    if (!layout) return -1;
    int failed = PyModule_AddObjectRef(module, name, layout);
    Py_DECREF(layout);
    return failed;
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
    static PyType_Spec *const others[] = {&bind_capture_spec, &bind_ring_spec, &bind_report_spec};
    module_state *state = PyModule_GetState(module);
    state->meter_type = add_type(module, &bind_meter_spec);
    if (!state->meter_type) return -1;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        PyTypeObject *type = add_type(module, others[i]);
        if (!type) return -1;
        Py_DECREF(type);
    }
    if (add_layout(module, "ROW_LAYOUT", row_fields, sizeof row_fields / sizeof row_fields[0]) ||
        add_layout(module, "SECOND_LAYOUT", second_fields, sizeof second_fields / sizeof second_fields[0]))
        return -1;
    return PyModule_AddIntConstant(module, "ROW_SIZE", sizeof(stream_row)) ||
                   PyModule_AddIntConstant(module, "SECOND_SIZE", sizeof(second_row))
               ? -1
               : 0;
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

static PyMethodDef module_methods[] = {
    {"link_known", bind_link_known, METH_O, "link_known($module, link_type, /)\n--\n\nAre captures of this link type read?"},
    {"one_way", bind_one_way, METH_O,
     "one_way($module, rows, /)\n--\n\nAn octet per row: 0 nobody can tell, 1 somebody answers, 2 nobody does."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "probes.media._meter",
    .m_doc = "The RTP meter in C.",
    .m_size = sizeof(module_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit__meter(void) { return PyModuleDef_Init(&module_definition); }
