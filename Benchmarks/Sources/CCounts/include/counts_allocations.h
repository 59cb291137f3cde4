// Every call of this program's malloc and its kin, whoever makes it: this package's malloc stands before the C library's.
#ifndef COUNTS_ALLOCATIONS_H
#define COUNTS_ALLOCATIONS_H

#include <stdint.h>

typedef struct counts_allocated {
    uint64_t calls; // malloc, calloc, realloc, aligned_alloc, posix_memalign, memalign
    uint64_t bytes;
    uint64_t freed; // calls of free with memory
} counts_allocated;

// Since the start of the process, all threads together.
counts_allocated counts_allocations(void);

// One allocation that is given back at once.
void counts_allocate_once(void);

#endif
