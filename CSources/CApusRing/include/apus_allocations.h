// How much a thread has allocated, by jemalloc's own count: the proof that the hot and the decision thread allocate nothing.
#ifndef APUS_ALLOCATIONS_H
#define APUS_ALLOCATIONS_H

#include <stdint.h>

// The calling thread's counter of bytes ever allocated, which lives as long as the thread does; NULL where another allocator
// than jemalloc serves, or where the counter does not move by what is allocated (it is tried). The thread itself may read it at any time, others as a moment's view.
const uint64_t* apus_thread_allocated(void);

// What is published of such a counter: 1 + its value, or 0 for NULL.
static inline uint64_t apus_allocated_mark(const uint64_t* counter) {
    return counter ? 1 + __atomic_load_n(counter, __ATOMIC_RELAXED) : 0;
}

#endif
