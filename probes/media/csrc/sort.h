/* Sorting where it stands: the C library's qsort takes as much memory again. */
#ifndef SERENO_SORT_H
#define SERENO_SORT_H

#include <stddef.h>

enum { SORT_LARGEST = 64 }; /* octets of an item */

/* By heapsort; nothing to do when the items are in order. */
void sort_in_place(void *items, size_t count, size_t size, int (*compare)(const void *, const void *));

#endif
