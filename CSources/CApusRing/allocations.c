#include "apus_allocations.h"

#include <stddef.h>
#include <stdlib.h>

// jemalloc's control interface (jemalloc(3)); weak, because only the executable links jemalloc.
extern int mallctl(const char* name, void* old, size_t* old_length, void* new_value, size_t new_length)
    __attribute__((weak));

#define TRIAL_BYTES 4096u

// Whether the counter counts: an allocation must move it.
static int counts(const uint64_t* counter) {
    uint64_t before = *(const volatile uint64_t*)counter;
    void* volatile trial = malloc(TRIAL_BYTES);
    uint64_t after = *(const volatile uint64_t*)counter;
    free(trial);
    return after - before >= TRIAL_BYTES;
}

const uint64_t* apus_thread_allocated(void) {
    uint64_t* counter = NULL;
    size_t length = sizeof counter;
    if (mallctl == NULL || mallctl("thread.allocatedp", &counter, &length, NULL, 0) != 0) return NULL;
    return counter != NULL && counts(counter) ? counter : NULL;
}
