#include "apus_allocations.h"

#include <stddef.h>

// jemalloc's control interface (jemalloc(3)); weak, because only the executable links jemalloc.
extern int mallctl(const char* name, void* old, size_t* old_length, void* new_value, size_t new_length)
    __attribute__((weak));

const uint64_t* apus_thread_allocated(void) {
    uint64_t* counter = NULL;
    size_t length = sizeof counter;
    if (mallctl == NULL || mallctl("thread.allocatedp", &counter, &length, NULL, 0) != 0) return NULL;
    return counter;
}
