#include "pool.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST = 64 };

bool pool_reserve(pool *p, uint32_t more) {
    uint64_t wanted = (uint64_t)p->used + more;
    if (wanted <= p->room) return true;
    uint64_t room = p->room ? (uint64_t)p->room + p->room / 2 : LEAST;
    if (room < wanted) room = wanted;
    if (room > UINT32_MAX) return false;
    uint8_t *items = realloc(p->items, room * p->size);
    if (!items) return false;
    p->items = items;
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
    free(p->items);
    p->items = NULL;
    p->used = p->room = p->free_first = 0;
}
