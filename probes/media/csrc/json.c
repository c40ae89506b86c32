#include "json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *json_reserve(json_text *j, size_t octets) {
    if (j->text && j->room - j->length >= octets) return j->text + j->length;
    size_t room = j->room ? j->room : 4096;
    while (room - j->length < octets) room *= 2;
    char *moved = j->failed ? NULL : realloc(j->text, room);
    if (!moved) {
        j->failed = true;
        return NULL;
    }
    j->text = moved;
    j->room = room;
    return moved + j->length;
}

void json_free(json_text *j) {
    free(j->text);
    *j = (json_text){0};
}

void json_octets(json_text *j, const char *octets, size_t length) {
    char *at = json_reserve(j, length);
    if (!at) return;
    memcpy(at, octets, length);
    j->length += length;
}

void json_string(json_text *j, const char *literal) { json_octets(j, literal, strlen(literal)); }

/* Decimal digits of a number, the last at end[-1]; where they begin. */
static char *digits_before(char *end, uint64_t value) {
    do *--end = (char)('0' + value % 10);
    while (value /= 10);
    return end;
}

void json_unsigned(json_text *j, uint64_t value) {
    char digits[20], *end = digits + sizeof digits, *begin = digits_before(end, value);
    json_octets(j, begin, (size_t)(end - begin));
}

void json_signed(json_text *j, int64_t value) {
    if (value < 0) json_octets(j, "-", 1);
    json_unsigned(j, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

/* What fixed point cannot hold. */
static void huge(json_text *j, double value) {
    char *at = json_reserve(j, 32);
    if (at) j->length += (size_t)snprintf(at, 32, "%.17g", value);
}

/* Digits of units / one before `end`, without the zeros at its end. Inlined with constants, so that nothing is divided
 * but by multiplying: these are most of what a report has. */
static inline __attribute__((always_inline)) size_t fixed(char *out, uint64_t units, uint64_t one, unsigned decimals) {
    uint64_t whole = units / one, rest = units % one;
    char text[40], *end = text + sizeof text, *point = end - decimals;
    for (char *at = end; at > point; rest /= 10) *--at = (char)('0' + rest % 10);
    while (end > point + 1 && end[-1] == '0') end--;
    *--point = '.';
    char *begin = digits_before(point, whole);
    memcpy(out, begin, (size_t)(end - begin));
    return (size_t)(end - begin);
}

void json_fixed(json_text *j, double value, unsigned decimals) {
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
    if (!isfinite(value)) {
        json_octets(j, "null", 4);
        return;
    }
    double scaled = fabs(value) * powers[decimals];
    if (scaled >= 9e18) {
        huge(j, value);
        return;
    }
    uint64_t units = (uint64_t)(scaled + 0.5);
    char *at = json_reserve(j, 48);
    if (!at) return;
    char *begin = at;
    if (value < 0 && units) *at++ = '-';
    switch (decimals) {
    case 6: at += fixed(at, units, 1000000, 6); break;
    case 9: at += fixed(at, units, 1000000000, 9); break;
    case 12: at += fixed(at, units, 1000000000000, 12); break;
    default: at += fixed(at, units, (uint64_t)powers[decimals], decimals);
    }
    j->length += (size_t)(at - begin);
}

static void two(char *at, unsigned value) {
    at[0] = (char)('0' + value / 10);
    at[1] = (char)('0' + value % 10);
}

/* Civil date of a day since 1970-01-01 (proleptic Gregorian), years 0 to 9999: counted from March, so that leap days end
 * a year; 400 years have 146097 days. */
static void civil(int64_t day, unsigned *year, unsigned *month, unsigned *of_month) {
    uint64_t since = (uint64_t)(day + 719468); /* from 0000-03-01 */
    uint64_t era = since / 146097, in_era = since % 146097;
    uint64_t in_years = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    uint64_t in_year = in_era - (365 * in_years + in_years / 4 - in_years / 100);
    uint64_t shifted = (5 * in_year + 2) / 153;
    *of_month = (unsigned)(in_year - (153 * shifted + 2) / 5 + 1);
    *month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = (unsigned)(in_years + era * 400 + (*month <= 2));
}

void json_time(json_text *j, int64_t time_ns) {
    const int64_t day_us = 86400000000;
    int64_t us = time_ns / 1000 - (time_ns % 1000 < 0);
    int64_t day = us / day_us - (us % day_us < 0);
    uint64_t rest = (uint64_t)(us - day * day_us), seconds = rest / 1000000, micros = rest % 1000000;
    unsigned year, month, of_month;
    civil(day, &year, &month, &of_month);
    char text[29] = "\"0000-00-00T00:00:00.000000Z\"";
    two(text + 1, year / 100 % 100), two(text + 3, year % 100), two(text + 6, month), two(text + 9, of_month);
    two(text + 12, (unsigned)(seconds / 3600)), two(text + 15, (unsigned)(seconds / 60 % 60));
    two(text + 18, (unsigned)(seconds % 60));
    two(text + 21, (unsigned)(micros / 10000)), two(text + 23, (unsigned)(micros / 100 % 100));
    two(text + 25, (unsigned)(micros % 100));
    json_octets(j, text, sizeof text);
}

static void dotted(json_text *j, const uint8_t *octets) {
    for (int i = 0; i < 4; i++) {
        if (i) json_octets(j, ".", 1);
        json_unsigned(j, octets[i]);
    }
}

/* The longest run of two or more zero words, the first of equals (RFC 5952 section 4.2); its length, 0: none. */
static int zero_run(const uint16_t words[8], int *where) {
    int best = 1;
    for (int i = 0, run = 0; i < 8; i++) {
        run = words[i] ? 0 : run + 1;
        if (run > best) best = run, *where = i - run + 1;
    }
    return best > 1 ? best : 0;
}

static void hexadecimal(json_text *j, unsigned word) {
    char text[4];
    size_t length = 0;
    for (int shift = 12; shift >= 0; shift -= 4)
        if (length || !shift || word >> shift) text[length++] = "0123456789abcdef"[word >> shift & 15];
    json_octets(j, text, length);
}

static void colons(json_text *j, const uint8_t *octets) {
    uint16_t words[8];
    for (int i = 0; i < 8; i++) words[i] = (uint16_t)(octets[2 * i] << 8 | octets[2 * i + 1]);
    int from = 8, zeros = zero_run(words, &from);
    for (int i = 0; i < 8; i++) {
        if (zeros && i == from) {
            json_octets(j, "::", 2);
            i += zeros - 1;
            continue;
        }
        if (i && !(zeros && i == from + zeros)) json_octets(j, ":", 1);
        hexadecimal(j, words[i]);
    }
}

void json_endpoint(json_text *j, const uint8_t address[16], uint16_t port) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    json_octets(j, "\"", 1);
    if (!memcmp(address, mapped, 12)) {
        dotted(j, address + 12);
        json_octets(j, ":", 1);
    } else {
        json_octets(j, "[", 1);
        colons(j, address);
        json_octets(j, "]:", 2);
    }
    json_unsigned(j, port);
    json_octets(j, "\"", 1);
}
