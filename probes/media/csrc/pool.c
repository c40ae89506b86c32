#define _GNU_SOURCE
#include "pool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    LEAST = 64,
    SPILL_FROM = 1 << 20, /* octets: less is not worth a file */
};

void pool_init(pool *p, size_t size) { *p = (pool){.size = size, .file = -1}; }

void pool_spill(pool *p, int file) {
    if (p->file < 0) p->file = file;
    else close(file); /* it has one */
}

static void release(pool *p) {
    if (p->mapped) munmap(p->items, (uint64_t)p->room * p->size);
    else free(p->items);
}

/* NULL: the file cannot take it. */
static void *in_file(const pool *p, uint64_t octets) {
    if (p->file < 0 || octets < SPILL_FROM || posix_fallocate(p->file, 0, (off_t)octets)) return NULL;
    void *items = p->mapped ? mremap(p->items, (uint64_t)p->room * p->size, octets, MREMAP_MAYMOVE)
                            : mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_SHARED, p->file, 0);
    if (items == MAP_FAILED) return NULL;
    if (!p->mapped) {
        if (p->used) memcpy(items, p->items, (uint64_t)p->used * p->size);
        free(p->items);
    }
    return items;
}

static void *in_memory(const pool *p, uint64_t octets) {
    if (!p->mapped) return realloc(p->items, octets);
    void *items = malloc(octets);
    if (!items) return NULL;
    memcpy(items, p->items, (uint64_t)p->used * p->size);
    release((pool *)p);
    return items;
}

bool pool_reserve(pool *p, uint32_t more) {
    uint64_t wanted = (uint64_t)p->used + more;
    if (wanted <= p->room) return true;
    uint64_t room = p->room ? (uint64_t)p->room + p->room / 2 : LEAST;
    if (room < wanted) room = wanted;
    if (room > UINT32_MAX) return false;
    void *items = in_file(p, room * p->size);
    bool mapped = items;
    if (!items) items = in_memory(p, room * p->size);
    if (!items) return false;
    p->items = items;
    p->mapped = mapped;
    p->room = (uint32_t)room;
    return true;
}

uint32_t pool_take(pool *p) {
    uint32_t number = p->free_first;
    if (number) memcpy(&p->free_first, pool_at(p, number), sizeof p->free_first);
    else number = ++p->used;
    memset(pool_at(p, number), 0, p->size);
    return number;
}

void pool_return(pool *p, uint32_t number) {
    memcpy(pool_at(p, number), &p->free_first, sizeof p->free_first);
    p->free_first = number;
}

void pool_free(pool *p) {
    release(p);
    if (p->file >= 0) close(p->file);
    pool_init(p, p->size);
}
