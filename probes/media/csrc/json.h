/* JSON written straight into a buffer that grows: numbers in fixed point, never NaN. */
#ifndef SERENO_JSON_H
#define SERENO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *text;
    size_t length, room;
    bool failed; /* out of memory: what follows is not written */
} json_text;

/* Room for `octets` more at text + length; NULL: out of memory. */
char *json_reserve(json_text *j, size_t octets);
void json_free(json_text *j);

void json_octets(json_text *j, const char *octets, size_t length);
void json_string(json_text *j, const char *literal); /* as it is: names, punctuation */
void json_unsigned(json_text *j, uint64_t value);
void json_signed(json_text *j, int64_t value);
/* So many decimals at most (1 to 12), trailing zeros left out; NaN and infinity are null. */
void json_fixed(json_text *j, double value, unsigned decimals);
/* An instant, nanoseconds since the epoch, as ISO 8601 UTC with microseconds, quoted. */
void json_time(json_text *j, int64_t time_ns);
/* "ip:port" or "[v6]:port", quoted; the address as RFC 5952 writes it, a mapped one as IPv4. */
void json_endpoint(json_text *j, const uint8_t address[16], uint16_t port);

#endif
