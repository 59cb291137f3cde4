// The C library's allocator under this program's own names, so that each call is counted.
#include "counts_allocations.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

extern void* __libc_malloc(size_t bytes);
extern void* __libc_calloc(size_t count, size_t bytes);
extern void* __libc_realloc(void* block, size_t bytes);
extern void* __libc_memalign(size_t alignment, size_t bytes);
extern void __libc_free(void* block);

static counts_allocated counted;

static void count(size_t bytes) {
    __atomic_fetch_add(&counted.calls, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&counted.bytes, bytes, __ATOMIC_RELAXED);
}

void* malloc(size_t bytes) {
    count(bytes);
    return __libc_malloc(bytes);
}

void* calloc(size_t number, size_t bytes) {
    count(number * bytes);
    return __libc_calloc(number, bytes);
}

void* realloc(void* block, size_t bytes) {
    count(bytes);
    return __libc_realloc(block, bytes);
}

void* memalign(size_t alignment, size_t bytes) {
    count(bytes);
    return __libc_memalign(alignment, bytes);
}

void* aligned_alloc(size_t alignment, size_t bytes) {
    count(bytes);
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void** block, size_t alignment, size_t bytes) {
    if (alignment % sizeof(void*) != 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
    count(bytes);
    void* made = __libc_memalign(alignment, bytes);
    if (made == NULL) return ENOMEM;
    *block = made;
    return 0;
}

void free(void* block) {
    if (block != NULL) __atomic_fetch_add(&counted.freed, 1, __ATOMIC_RELAXED);
    __libc_free(block);
}

counts_allocated counts_allocations(void) {
    return (counts_allocated){.calls = __atomic_load_n(&counted.calls, __ATOMIC_RELAXED),
                              .bytes = __atomic_load_n(&counted.bytes, __ATOMIC_RELAXED),
                              .freed = __atomic_load_n(&counted.freed, __ATOMIC_RELAXED)};
}

void counts_allocate_once(void) {
    // The compiler may not take the pair away.
    void* volatile block = malloc(64);
    free(block);
}
