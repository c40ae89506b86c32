/* Which streams have nobody talking back: one-way audio as a capture shows it. */
#ifndef SERENO_PARTNERS_H
#define SERENO_PARTNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum one_way { ONE_WAY_UNKNOWN = 0, ONE_WAY_NO = 1, ONE_WAY_YES = 2 };

/* A stream, in as much as another can be its answer. */
typedef struct {
    uint64_t there, back;             /* from one address and port to another, and the way back: hashes */
    uint64_t there_hosts, back_hosts; /* the same of the addresses alone */
    int64_t start_ns, end_ns;         /* within METER_LAST_NS */
    bool many;                        /* to a multicast group: nobody answers */
} talk;

/* Where talks come from, as often as they are asked for: an array of them would be the largest thing in memory. */
typedef struct {
    void (*rewind)(void *context);
    bool (*next)(void *context, talk *out); /* false: that was the last */
    void *context;
} talk_source;

/* Fills one_way[i] for the source's i-th talk; it has `count`. A stream is answered if, over half of its time at least, streams
 * flow from its destination's address and port to its source's; where there is none of those, between the two addresses.
 * Unknown when no stream of them all is answered, even for an instant: the capture saw one direction only. False: out of
 * memory. */
bool partners_find(const talk_source *source, size_t count, uint8_t *one_way);

#endif
