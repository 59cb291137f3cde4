// How much a thread has allocated, by jemalloc's own count: the proof that the hot and the decision thread allocate nothing.
#ifndef APUS_ALLOCATIONS_H
#define APUS_ALLOCATIONS_H

#include <stdint.h>

// The calling thread's counter of bytes ever allocated, which lives as long as the thread does; NULL where another allocator
// than jemalloc serves. The thread itself may read it at any time, others as a moment's view.
const uint64_t* apus_thread_allocated(void);

#endif
