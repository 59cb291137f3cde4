// Threads of one measurement.
#ifndef APUS_FLOOR_INTERNAL_H
#define APUS_FLOOR_INTERNAL_H

#include "apus_floor.h"

// How long a thread waits for the other one before it gives up: it may have to share its processor with anything.
#define FLOOR_PATIENCE_NS 1000000000ull
// Two lines, as processors fetch them in pairs.
#define FLOOR_APART 128

typedef void* (*floor_body)(void*);

// Runs body(argument) in a thread on `cpu` and waits until it has ended. Returns 0 or a negative errno; the body was then not run.
int floor_run(int32_t cpu, floor_body body, void* argument);

// Runs `first` and `second` in a thread each, both with `argument`, and waits until both have ended. The second one starts first
// and must end when `*stop` is raised: that is done here when the first one cannot start, and by the measurement when it is over.
int floor_run_pair(int32_t first_cpu, floor_body first, int32_t second_cpu, floor_body second, void* argument,
                   uint64_t* stop);

// A flag between the two.
static inline uint64_t floor_flag(const uint64_t* flag) {
    return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}
static inline void floor_raise(uint64_t* flag, uint64_t value) {
    __atomic_store_n(flag, value, __ATOMIC_RELEASE);
}

#endif
