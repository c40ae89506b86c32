/* Small records by number: what only some streams need. Numbers start at 1; 0 is none.
 *
 * A pool that was given a file keeps its records there once they are many: mapped, so that the system writes to disk
 * what nobody touches. Without one, or when the disk is full, they are in memory.
 */
#ifndef SERENO_POOL_H
#define SERENO_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t *items;
    size_t size;            /* of one record, at least 4 */
    uint32_t used, room;    /* records ever handed out; records there is memory for */
    uint32_t free_first;    /* the first of the returned ones; each holds the next one's number */
    int file;               /* -1: none */
    bool mapped;            /* items are in the file */
} pool;

static inline void *pool_at(const pool *p, uint32_t number) { return p->items + (size_t)(number - 1) * p->size; }

void pool_init(pool *p, size_t size);
/* An empty file that nobody else has open; the pool closes it. */
void pool_spill(pool *p, int file);
/* Memory for `more` records, so that pool_take does not fail for them. False: out of memory, nothing changed. */
bool pool_reserve(pool *p, uint32_t more);
/* A record of zeros; only after pool_reserve. */
uint32_t pool_take(pool *p);
void pool_return(pool *p, uint32_t number);
void pool_free(pool *p);

#endif
