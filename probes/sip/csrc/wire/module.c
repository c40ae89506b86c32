/* probes.sip._wire: UDP sockets with kernel stamps, many of them as one descriptor, and the usual reply parsed at once.
 * Wrapped by probes/sip/wire.py and probes/sip/message.py, which document the use. Everything runs under the GIL; nothing
 * here waits. */
#include "wire.h"

static int module_exec(PyObject *module) {
    wire_state *state = PyModule_GetState(module);
    state->socket_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &socket_spec, NULL);
    if (!state->socket_type || PyModule_AddType(module, state->socket_type)) return -1;
    PyTypeObject *poller = (PyTypeObject *)PyType_FromModuleAndSpec(module, &poller_spec, NULL);
    if (!poller) return -1;
    int failed = PyModule_AddType(module, poller);
    Py_DECREF(poller);
    return failed ? -1 : reply_prepare(state);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    wire_state *state = PyModule_GetState(module);
    Py_VISIT(state->socket_type);
    Py_VISIT(state->reply_type);
    return 0;
}

static int module_clear(PyObject *module) {
    wire_state *state = PyModule_GetState(module);
    Py_CLEAR(state->socket_type);
    Py_CLEAR(state->reply_type);
    Py_CLEAR(state->reply_fields);
    Py_CLEAR(state->usual);
    return 0;
}

static void module_free(void *module) { module_clear(module); }

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};

static PyMethodDef module_methods[] = {
    {"parse", reply_parse, METH_O, "parse($module, data, /)\n--\n\nThe reply, or None when it is not of the usual shape."},
    {"use", reply_use, METH_O, "use($module, reply, /)\n--\n\nWhat `parse` makes: a class that takes Reply's fields."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "probes.sip._wire",
    .m_doc = "SIP over UDP, close to the kernel.",
    .m_size = sizeof(wire_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__wire(void) { return PyModuleDef_Init(&module_definition); }
