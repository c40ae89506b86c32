/* probes.sip._ticker.Ticker: the clock of test calls. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>

#include "ticker.h"

typedef struct {
    PyObject_HEAD
    ticker t;
} TickerObject;

static PyObject *ticker_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"enter", "get_frame", "port", "samples", "every_ns", NULL};
    unsigned long long enter, get_frame, port;
    unsigned int samples;
    long long every_ns;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "KKKIL:Ticker", names, &enter, &get_frame, &port, &samples,
                                     &every_ns))
        return NULL;
    if (!enter || !get_frame || !port) {
        PyErr_SetString(PyExc_ValueError, "an address is 0");
        return NULL;
    }
    TickerObject *self = (TickerObject *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    int error = ticker_start(&self->t, (ticker_register)(uintptr_t)enter, (ticker_get_frame)(uintptr_t)get_frame,
                             (void *)(uintptr_t)port, samples, every_ns);
    if (error) {
        Py_DECREF(self);
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return (PyObject *)self;
}

static PyObject *ticker_close(PyObject *o, PyObject *Py_UNUSED(ignored)) {
    Py_BEGIN_ALLOW_THREADS
    ticker_stop(&((TickerObject *)o)->t);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static void ticker_destroy(PyObject *o) {
    PyTypeObject *type = Py_TYPE(o);
    Py_BEGIN_ALLOW_THREADS
    ticker_stop(&((TickerObject *)o)->t);
    Py_END_ALLOW_THREADS
    type->tp_free(o);
    Py_DECREF(type);
}

static PyObject *ticker_status(PyObject *o, PyObject *Py_UNUSED(ignored)) {
    ticker *t = &((TickerObject *)o)->t;
    return Py_BuildValue("{sK,sK,sK,sN,si}", "ticks", (unsigned long long)atomic_load(&t->ticks), "skipped",
                         (unsigned long long)atomic_load(&t->skipped), "variation_ns",
                         (unsigned long long)atomic_load(&t->variation_ns), "realtime",
                         PyBool_FromLong(atomic_load(&t->realtime)), "error", atomic_load(&t->error));
}

static PyMethodDef methods[] = {
    {"close", ticker_close, METH_NOARGS, "close($self, /)\n--\n\nEnd it; idempotent."},
    {"status", ticker_status, METH_NOARGS,
     "status($self, /)\n--\n\nTicks, those left out, how much their lateness varied, all since its start."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Ticker(enter, get_frame, port, samples, every_ns)\n--\n\nAsks a pjmedia port for frames on time."},
    {Py_tp_new, ticker_create},
    {Py_tp_dealloc, ticker_destroy},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {"probes.sip._ticker.Ticker", sizeof(TickerObject), 0, Py_TPFLAGS_DEFAULT, slots};

static int add(PyObject *module) {
    PyObject *type = PyType_FromSpec(&spec);
    if (!type) return -1;
    int failed = PyModule_AddObjectRef(module, "Ticker", type);
    Py_DECREF(type);
    return failed;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, add}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_ticker", "The clock of test calls.", 0, NULL,
                                        module_slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__ticker(void) {
    return PyModuleDef_Init(&definition);
}
