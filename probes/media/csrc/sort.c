#include "sort.h"

#include <stdbool.h>
#include <string.h>

typedef struct {
    unsigned char *items;
    size_t size;
    int (*compare)(const void *, const void *);
} heap;

static unsigned char *at(const heap *h, size_t i) { return h->items + i * h->size; }

/* Lets an item sink from a hole to where it belongs, among `count` items. */
static void sink(const heap *h, size_t hole, size_t count, const unsigned char *item) {
    for (size_t child; (child = 2 * hole + 1) < count; hole = child) {
        if (child + 1 < count && h->compare(at(h, child), at(h, child + 1)) < 0) child++;
        if (h->compare(item, at(h, child)) >= 0) break;
        memcpy(at(h, hole), at(h, child), h->size);
    }
    memcpy(at(h, hole), item, h->size);
}

static bool in_order(const heap *h, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (h->compare(at(h, i - 1), at(h, i)) > 0) return false;
    return true;
}

void sort_in_place(void *items, size_t count, size_t size, int (*compare)(const void *, const void *)) {
    heap h = {items, size, compare};
    unsigned char item[SORT_LARGEST];
    if (in_order(&h, count)) return;
    for (size_t i = count / 2; i-- > 0;) {
        memcpy(item, at(&h, i), size);
        sink(&h, i, count, item);
    }
    for (size_t last = count - 1; last > 0; last--) {
        memcpy(item, at(&h, last), size);
        memcpy(at(&h, last), at(&h, 0), size);
        sink(&h, 0, last, item);
    }
}
