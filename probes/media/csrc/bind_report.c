/* probes.media._meter.Report: streams in words, as JSON. */
#include "bind.h"

#include <math.h>

#include "report.h"
#include "sort.h"

enum { LABELS = 512 };

/* What the resolver said of a payload type of a profile; the texts are inside `said`. */
typedef struct {
    PyObject *said; /* NULL: free */
    uint32_t profile;
    uint8_t payload_type;
    report_label label;
} known_label;

/* 16 octets a stream: the one thing that is kept of all of them while they are written. */
typedef struct {
    int64_t start_ns;
    uint32_t ssrc;
    uint32_t place : 30;  /* a cursor of meter_rows that gives this stream */
    uint32_t one_way : 2; /* enum one_way */
} listed;

typedef struct {
    PyObject_HEAD
    MeterObject *owner; /* NULL: rows only */
    PyObject *resolver;
    PyObject *first;
    report_options options;
    known_label *labels; /* by hash, one each */
    listed *order;
    size_t count, next;
    bool begun; /* an object was written */
    second_row *seconds;
    size_t second_room;
} ReportObject;

static PyObject *report_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"meter", "resolver", "first", "window", "delay_ms", "fixed_delay_ms", NULL};
    PyObject *meter, *resolver, *first = NULL;
    unsigned int window = 0;
    double delay_ms = NAN, fixed_delay_ms = 60;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|SIdd:Report", names, &meter, &resolver, &first, &window, &delay_ms,
                                     &fixed_delay_ms))
        return NULL;
    if (!PyCallable_Check(resolver)) return PyErr_Format(PyExc_TypeError, "the resolver is called with (profile, payload type)");
    MeterObject *owner = meter == Py_None ? NULL : bind_owner(type, meter);
    if (!owner && meter != Py_None) return NULL;
    ReportObject *self = (ReportObject *)type->tp_alloc(type, 0);
    if (!self) {
        Py_XDECREF(owner);
        return NULL;
    }
    self->owner = owner;
    self->resolver = Py_NewRef(resolver);
    self->first = first ? Py_NewRef(first) : PyBytes_FromString("");
    self->labels = PyMem_Calloc(LABELS, sizeof *self->labels);
    if (!self->first || !self->labels) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    self->options = (report_options){PyBytes_AS_STRING(self->first), window, delay_ms, fixed_delay_ms / 1000};
    return (PyObject *)self;
}

static void report_destroy(PyObject *o) {
    ReportObject *self = (ReportObject *)o;
    for (size_t i = 0; self->labels && i < LABELS; i++) Py_XDECREF(self->labels[i].said);
    PyMem_Free(self->labels);
    free(self->order);
    free(self->seconds);
    Py_XDECREF(self->owner);
    Py_XDECREF(self->resolver);
    Py_XDECREF(self->first);
    bind_destroy(o);
}

/* ---- labels ---------------------------------------------------------------------------------------------------------- */

/* The resolver's answer: (codec as JSON, members of signalling, base R, Ie, Bpl, scale, provisional). */
static bool read_label(PyObject *said, report_label *out) {
    int scale, provisional;
    if (!PyTuple_Check(said)) {
        PyErr_SetString(PyExc_TypeError, "the resolver gives a tuple");
        return false;
    }
    if (!PyArg_ParseTuple(said, "yydddip:label", &out->codec, &out->said, &out->rating.base, &out->rating.ie,
                          &out->rating.bpl, &scale, &provisional))
        return false;
    if (scale < SCALE_NONE || scale > SCALE_WIDEBAND) {
        PyErr_SetString(PyExc_ValueError, "a scale is 0, 1 or 2");
        return false;
    }
    out->rating.scale = (uint8_t)scale;
    out->rating.provisional = provisional;
    return true;
}

/* The label of a row's payload type; NULL with an exception. */
static const report_label *label_of(ReportObject *self, const stream_row *row) {
    known_label *known = &self->labels[(row->profile * 131u + row->payload_type) % LABELS];
    if (known->said && known->profile == row->profile && known->payload_type == row->payload_type) return &known->label;
    PyObject *said = PyObject_CallFunction(self->resolver, "IB", row->profile, row->payload_type);
    if (!said) return NULL;
    report_label label;
    if (!read_label(said, &label)) {
        Py_DECREF(said);
        return NULL;
    }
    Py_XDECREF(known->said);
    *known = (known_label){said, row->profile, row->payload_type, label};
    return &known->label;
}

/* ---- streams in their order ------------------------------------------------------------------------------------------ */

static int by_start(const void *a, const void *b) {
    const listed *x = a, *y = b;
    if (x->start_ns != y->start_ns) return x->start_ns < y->start_ns ? -1 : 1;
    if (x->ssrc != y->ssrc) return x->ssrc < y->ssrc ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* The streams of a meter, one after the other. */
typedef struct {
    const meter *m;
    uint32_t cursor;
    stream_row row;
} walk;

static void walk_rewind(void *context) { ((walk *)context)->cursor = 0; }

static bool walk_next(void *context, talk *out) {
    walk *w = context;
    if (!meter_ends(w->m, &w->cursor, &w->row)) return false;
    if (out) *out = report_talk(&w->row);
    return true;
}

/* Lists every stream, and who of them is answered. The meter's lock is held; false: out of memory. */
static bool list_streams(ReportObject *self) {
    walk w = {.m = self->owner->m};
    size_t count = meter_count(w.m), found = 0;
    talk_source source = {walk_rewind, walk_next, &w};
    free(self->order);
    self->order = NULL;
    self->count = self->next = 0;
    self->begun = false;
    uint8_t *one_way = malloc(count ? count : 1);
    bool done = one_way && partners_find(&source, count, one_way);
    listed *order = done ? malloc((count ? count : 1) * sizeof *order) : NULL;
    for (walk_rewind(&w); order && walk_next(&w, NULL); found++)
        order[found] = (listed){w.row.start_ns, w.row.ssrc, w.cursor - 1, one_way[found]};
    free(one_way);
    if (!order) return false;
    sort_in_place(order, found, sizeof *order, by_start);
    self->order = order;
    self->count = found;
    return true;
}

static PyObject *report_begin(PyObject *o, PyObject *Py_UNUSED(ignored)) {
    ReportObject *self = (ReportObject *)o;
    if (!self->owner) return PyErr_Format(PyExc_ValueError, "begin() needs a meter");
    bind_lock(self->owner);
    bool done = list_streams(self);
    bind_unlock(self->owner);
    return done ? PyLong_FromSize_t(self->count) : PyErr_NoMemory();
}

typedef struct {
    rtcp_row rtcp;
    audio_row audio;
    report_extras extras;
} gathered;

/* What stands beside the row; the meter's lock is held. False: out of memory. */
static bool gather(ReportObject *self, const stream_row *row, uint32_t window, gathered *g) {
    MeterObject *owner = self->owner;
    if (rtcp_find(owner->rtcp, row, &g->rtcp)) g->extras.rtcp = &g->rtcp;
    if (owner->audio && audio_describe(owner->audio, meter_audio(owner->m, row->id), &g->audio)) g->extras.audio = &g->audio;
    if (!window) return true;
    size_t count = meter_seconds(owner->m, row->id, self->seconds, self->second_room);
    if (count > self->second_room) {
        second_row *bigger = realloc(self->seconds, count * sizeof *bigger);
        if (!bigger) return false;
        self->seconds = bigger;
        self->second_room = count;
        meter_seconds(owner->m, row->id, bigger, count);
    }
    g->extras.seconds = self->seconds;
    g->extras.second_count = count;
    return true;
}

/* Writes a listed stream, after `before`; nothing when it is gone meanwhile. False with an exception. */
static bool write_listed(ReportObject *self, const listed *at, const char *before, uint32_t window, json_text *out) {
    gathered g = {.extras = {.one_way = at->one_way}};
    stream_row row;
    uint32_t cursor = at->place;
    bind_lock(self->owner);
    bool there = meter_rows(self->owner->m, &cursor, &row, 1) && cursor - 1 == (uint32_t)at->place && row.ssrc == at->ssrc;
    bool done = !there || gather(self, &row, window, &g);
    bind_unlock(self->owner);
    if (!done) {
        PyErr_NoMemory();
        return false;
    }
    if (!there) return true;
    const report_label *label = label_of(self, &row);
    if (!label) return false;
    report_options options = self->options;
    options.window = window;
    json_string(out, before);
    report_stream(out, &options, label, &row, &g.extras);
    return true;
}

static PyObject *text_to_bytes(json_text *out) {
    PyObject *result = out->failed ? PyErr_NoMemory() : PyBytes_FromStringAndSize(out->text, (Py_ssize_t)out->length);
    json_free(out);
    return result;
}

static PyObject *report_next(PyObject *o, PyObject *argument) {
    ReportObject *self = (ReportObject *)o;
    size_t octets = PyLong_AsSize_t(argument);
    if (octets == (size_t)-1 && PyErr_Occurred()) return NULL;
    json_text out = {0};
    while (self->next < self->count && out.length < octets && !out.failed) {
        if (!write_listed(self, &self->order[self->next++], self->begun ? "," : "", self->options.window, &out)) {
            json_free(&out);
            return NULL;
        }
        self->begun |= out.length > 0;
    }
    return text_to_bytes(&out);
}

static PyObject *report_one(PyObject *o, PyObject *args) {
    ReportObject *self = (ReportObject *)o;
    Py_ssize_t index;
    unsigned int window;
    json_text out = {0};
    if (!PyArg_ParseTuple(args, "nI:stream", &index, &window)) return NULL;
    if (index < 0 || (size_t)index >= self->count) return PyErr_Format(PyExc_IndexError, "no such stream");
    if (write_listed(self, &self->order[index], "", window, &out)) return text_to_bytes(&out);
    json_free(&out);
    return NULL;
}

static PyObject *report_row(PyObject *o, PyObject *argument) {
    ReportObject *self = (ReportObject *)o;
    stream_row row;
    Py_buffer buffer;
    if (PyObject_GetBuffer(argument, &buffer, PyBUF_SIMPLE)) return NULL;
    bool fits = buffer.len == (Py_ssize_t)sizeof row;
    if (fits) memcpy(&row, buffer.buf, sizeof row);
    PyBuffer_Release(&buffer);
    if (!fits) return PyErr_Format(PyExc_ValueError, "a row is %zu octets", sizeof row);
    const report_label *label = label_of(self, &row);
    if (!label) return NULL;
    report_options options = self->options;
    options.window = 0;
    report_extras extras = {.one_way = ONE_WAY_UNKNOWN};
    json_text out = {0};
    report_stream(&out, &options, label, &row, &extras);
    return text_to_bytes(&out);
}

static PyMethodDef report_methods[] = {
    {"begin", report_begin, METH_NOARGS, "begin($self, /)\n--\n\nList the meter's streams by start and SSRC: how many."},
    {"next", report_next, METH_O,
     "next($self, octets, /)\n--\n\nThe next streams, about so many octets of JSON objects with commas; none at the end."},
    {"stream", report_one, METH_VARARGS,
     "stream($self, index, window, /)\n--\n\nThe JSON object of one listed stream, its seconds in windows; none: it is gone."},
    {"row", report_row, METH_O, "row($self, row, /)\n--\n\nThe JSON object of a row alone."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot report_slots[] = {
    {Py_tp_doc, "Report(meter, resolver, first=b'', window=0, delay_ms=nan, fixed_delay_ms=60.0)\n--\n\n"
                "Streams as JSON objects. The resolver names a (profile, payload type)."},
    {Py_tp_new, report_create},
    {Py_tp_dealloc, report_destroy},
    {Py_tp_methods, report_methods},
    {0, NULL},
};

PyType_Spec bind_report_spec = {"probes.media._meter.Report", sizeof(ReportObject), 0, Py_TPFLAGS_DEFAULT, report_slots};
