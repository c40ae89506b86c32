/* The usual SIP reply, parsed at once: printable ASCII, whole lines, no folding, no compact names, no quotes or commas
 * where they could matter. Anything else gives None, and the parser in probes/sip/message.py decides; what is parsed
 * here is what that one would have given (tests/property/test_probes_sip_native.py). */
#include <string.h>

#include "wire.h"

typedef struct {
    const char *at;
    Py_ssize_t size;
} span;

enum { F_CODE, F_PHRASE, F_HEADERS, F_BRANCH, F_VIAS, F_CSEQ, F_METHOD, F_TO_TAG, F_CALL_ID, F_RETRY_AFTER, FIELDS };

static const char *const field_names[FIELDS] = {"code", "phrase", "headers", "branch", "vias",
                                                "cseq", "method", "to_tag",  "call_id", "retry_after"};

/* The first six are looked for; the others are only met often. */
enum { H_VIA, H_FROM, H_TO, H_CALL_ID, H_CSEQ, H_RETRY_AFTER, H_OTHER };

static const char *const usual_names[] = {
    "via", "from", "to", "call-id", "cseq", "retry-after", "contact", "content-length", "server", "user-agent", "allow",
    "accept", "supported", "content-type", "max-forwards", "record-route", "warning", "www-authenticate",
    "proxy-authenticate", "expires", "allow-events", "accept-encoding", "accept-language", "date",
};
#define USUAL (sizeof usual_names / sizeof usual_names[0])
#define NAME_MOST 64

typedef struct {
    span first[H_OTHER]; /* the first of each header that is looked for; `at` NULL: not there */
    long vias;
    PyObject *headers;
} reply_parts;

static const char token_marks[] = "-.!%*_+`'~";

static int is_token(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(token_marks, c));
}

static int is_digit(char c) { return c >= '0' && c <= '9'; }

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

static span trimmed(span s) {
    while (s.size && s.at[0] == ' ') s.at++, s.size--;
    while (s.size && s.at[s.size - 1] == ' ') s.size--;
    return s;
}

static const char *found(span s, char c) { return memchr(s.at, c, (size_t)s.size); }

static PyObject *text_of(span s) {
    PyObject *text = PyUnicode_New(s.size, 127);
    if (text && s.size) memcpy(PyUnicode_1BYTE_DATA(text), s.at, (size_t)s.size);
    return text;
}

/* The value of a parameter after the first semicolon, trimmed; size 0 when it is absent or empty. */
static span parameter(span value, const char *name) {
    Py_ssize_t length = (Py_ssize_t)strlen(name);
    const char *end = value.at + value.size, *part = found(value, ';');
    while (part) {
        part++;
        const char *next = memchr(part, ';', (size_t)(end - part)), *stop = next ? next : end;
        const char *equals = memchr(part, '=', (size_t)(stop - part));
        span key = trimmed((span){part, (equals ? equals : stop) - part});
        int same = key.size == length;
        for (Py_ssize_t i = 0; same && i < length; i++) same = lower(key.at[i]) == name[i];
        if (same) return equals ? trimmed((span){equals + 1, stop - equals - 1}) : (span){stop, 0};
        part = next;
    }
    return (span){end, 0};
}

/* Which of the usual names this is, in any case; USUAL when it is another, -1 when it needs a closer look. */
static int name_of(span name, char *small) {
    if (name.size < 2 || name.size > NAME_MOST) return -1; /* one letter is a compact form */
    for (Py_ssize_t i = 0; i < name.size; i++) {
        if (!is_token(name.at[i])) return -1;
        small[i] = lower(name.at[i]);
    }
    for (size_t i = 0; i < USUAL; i++) {
        if (strlen(usual_names[i]) == (size_t)name.size && !memcmp(usual_names[i], small, (size_t)name.size)) return (int)i;
    }
    return (int)USUAL;
}

/* 1: taken; 0: not usual; -1: exception. */
static int header(wire_state *state, reply_parts *r, span line, Py_ssize_t index) {
    const char *colon = found(line, ':');
    char small[NAME_MOST];
    span name = {line.at, colon ? colon - line.at : 0};
    int which = colon ? name_of(name, small) : -1;
    if (which < 0) return 0;
    span value = trimmed((span){colon + 1, line.at + line.size - colon - 1});
    if (which == H_VIA) {
        if (!value.size || found(value, ',') || found(value, '"')) return 0;
        r->vias++;
    }
    if (which < H_OTHER && !r->first[which].at) r->first[which] = value;
    PyObject *key = which < (int)USUAL ? Py_NewRef(PyTuple_GET_ITEM(state->usual, which)) : text_of((span){small, name.size});
    PyObject *text = text_of(value), *pair = key && text ? PyTuple_Pack(2, key, text) : NULL;
    Py_XDECREF(key);
    Py_XDECREF(text);
    if (!pair) return -1;
    PyTuple_SET_ITEM(r->headers, index, pair);
    return 1;
}

/* The lines of the head are whole and printable; their number, or 0. */
static Py_ssize_t lines_in(span head) {
    Py_ssize_t lines = 1;
    for (Py_ssize_t i = 0; i < head.size; i++) {
        char c = head.at[i];
        if (c >= 0x20 && c <= 0x7e) continue;
        if (c != '\r' || i + 1 >= head.size || head.at[i + 1] != '\n') return 0;
        i++;
        lines++;
    }
    return lines;
}

static int headers_of(wire_state *state, reply_parts *r, span rest) {
    const char *end = rest.at + rest.size, *line = rest.at;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(r->headers); i++) {
        const char *stop = memchr(line, '\r', (size_t)(end - line));
        int taken = header(state, r, (span){line, (stop ? stop : end) - line}, i);
        if (taken <= 0) return taken;
        line = stop ? stop + 2 : end;
    }
    return 1;
}

/* `1 OPTIONS`: number and method; 0 when it is not so plain. */
static int cseq_of(span value, long long *number, span *method) {
    Py_ssize_t i = 0;
    for (*number = 0; i < value.size && is_digit(value.at[i]); i++) {
        if (i == 10) return 0;
        *number = *number * 10 + (value.at[i] - '0');
    }
    Py_ssize_t digits = i;
    while (i < value.size && value.at[i] == ' ') i++;
    *method = (span){value.at + i, value.size - i};
    for (Py_ssize_t k = 0; k < method->size; k++) {
        if (!is_token(method->at[k])) return 0;
    }
    return digits && i > digits && method->size > 0;
}

static PyObject *upper_of(span s) {
    PyObject *text = text_of(s);
    for (Py_ssize_t i = 0; text && i < s.size; i++) {
        Py_UCS1 *at = PyUnicode_1BYTE_DATA(text) + i;
        if (*at >= 'a' && *at <= 'z') *at = (Py_UCS1)(*at - 32);
    }
    return text;
}

static PyObject *text_or_none(span s) { return s.size ? text_of(s) : Py_NewRef(Py_None); }

/* The seconds that a value begins with, as the other parser reads them; more than nine digits are no number. */
static PyObject *seconds_or_none(span value) {
    long seconds = 0;
    Py_ssize_t i = 0;
    for (; value.at && i < value.size && i < 9 && is_digit(value.at[i]); i++) seconds = seconds * 10 + (value.at[i] - '0');
    int more = i < value.size && is_digit(value.at[i]);
    return i && !more ? PyLong_FromLong(seconds) : Py_NewRef(Py_None);
}

static PyObject *made(wire_state *state, reply_parts *r, int code, span phrase) {
    span method, to = r->first[H_TO];
    long long number;
    if (found(to, '"') || !cseq_of(r->first[H_CSEQ], &number, &method)) Py_RETURN_NONE;
    if (found(to, '<')) {
        const char *close = found(to, '>');
        to = close ? (span){close + 1, to.at + to.size - close - 1} : (span){to.at, 0};
    }
    PyObject *fields[FIELDS] = {
        [F_CODE] = PyLong_FromLong(code),
        [F_PHRASE] = text_of(trimmed(phrase)),
        [F_HEADERS] = Py_NewRef(r->headers),
        [F_BRANCH] = text_or_none(parameter(r->first[H_VIA], "branch")),
        [F_VIAS] = PyLong_FromLong(r->vias),
        [F_CSEQ] = PyLong_FromLongLong(number),
        [F_METHOD] = upper_of(method),
        [F_TO_TAG] = text_or_none(parameter(to, "tag")),
        [F_CALL_ID] = text_of(r->first[H_CALL_ID]),
        [F_RETRY_AFTER] = seconds_or_none(r->first[H_RETRY_AFTER]),
    };
    int whole = 1;
    for (int i = 0; i < FIELDS; i++) whole = whole && fields[i];
    PyObject *reply = whole ? PyObject_Vectorcall(state->reply_type, fields, 0, state->reply_fields) : NULL;
    for (int i = 0; i < FIELDS; i++) Py_XDECREF(fields[i]);
    return reply;
}

/* `SIP/2.0 200 OK`: the code, or 0. */
static int status_of(span line, span *phrase) {
    if (line.size < 11 || memcmp(line.at, "SIP/2.0 ", 8)) return 0;
    const char *c = line.at + 8;
    if (c[0] < '1' || c[0] > '6' || !is_digit(c[1]) || !is_digit(c[2]) || (line.size > 11 && c[3] != ' ')) return 0;
    *phrase = (span){c + 3, line.size - 11};
    return (c[0] - '0') * 100 + (c[1] - '0') * 10 + (c[2] - '0');
}

PyObject *reply_parse(PyObject *module, PyObject *data) {
    wire_state *state = PyModule_GetState(module);
    char *octets;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(data, &octets, &size)) return NULL;
    const char *end = size ? memmem(octets, (size_t)size, "\r\n\r\n", 4) : NULL;
    if (!end || !state->reply_type) Py_RETURN_NONE;
    span head = {octets, end - octets}, phrase, line = head;
    Py_ssize_t lines = lines_in(head);
    const char *stop = lines > 1 ? found(head, '\r') : NULL;
    if (!stop) Py_RETURN_NONE;
    line.size = stop - line.at;
    int code = status_of(line, &phrase);
    if (!code) Py_RETURN_NONE;
    reply_parts r = {.headers = PyTuple_New(lines - 1)};
    if (!r.headers) return NULL;
    int taken = headers_of(state, &r, (span){stop + 2, end - stop - 2});
    for (int i = H_VIA; taken > 0 && i <= H_CSEQ; i++) taken = r.first[i].at != NULL;
    PyObject *reply = taken > 0 ? made(state, &r, code, phrase) : taken ? NULL : Py_NewRef(Py_None);
    Py_DECREF(r.headers);
    return reply;
}

PyObject *reply_use(PyObject *module, PyObject *type) {
    wire_state *state = PyModule_GetState(module);
    Py_XSETREF(state->reply_type, Py_NewRef(type));
    Py_RETURN_NONE;
}

static PyObject *names_of(const char *const *names, size_t count) {
    PyObject *all = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; all && i < count; i++) {
        PyObject *name = PyUnicode_InternFromString(names[i]);
        if (!name) Py_CLEAR(all);
        else PyTuple_SET_ITEM(all, (Py_ssize_t)i, name);
    }
    return all;
}

int reply_prepare(wire_state *state) {
    state->reply_fields = names_of(field_names, FIELDS);
    state->usual = names_of(usual_names, USUAL);
    return state->reply_fields && state->usual ? 0 : -1;
}
