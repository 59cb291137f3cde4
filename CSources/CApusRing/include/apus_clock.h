// Monotonic nanoseconds from the processor's time-stamp counter, kept to CLOCK_MONOTONIC.
// Each thread owns its own clock; a clock never runs backwards.
#ifndef APUS_CLOCK_H
#define APUS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

typedef struct apus_clock {
    uint64_t base_ticks;
    uint64_t base_ns;
    uint64_t scale;       // nanoseconds for each tick, in 2^-32
    uint64_t first_ticks; // where the long-run rate is measured from
    uint64_t first_ns;
    int64_t realtime_offset; // CLOCK_REALTIME - CLOCK_MONOTONIC
    bool counter;            // false: the counter is not invariant and clock_gettime serves
} apus_clock;

static inline uint64_t apus_clock_monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static inline uint64_t apus_clock_realtime(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static inline uint64_t apus_clock_ticks(void) {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return apus_clock_monotonic();
#endif
}

// Nanoseconds on the CLOCK_MONOTONIC scale.
static inline uint64_t apus_clock_now(const apus_clock* clock) {
    if (!clock->counter) return apus_clock_monotonic();
    uint64_t ticks = apus_clock_ticks() - clock->base_ticks;
    return clock->base_ns + (uint64_t)(((unsigned __int128)ticks * clock->scale) >> 32);
}

// Measures the counter's rate for about 20 ms. Call once for each thread's clock, or copy a started one.
void apus_clock_start(apus_clock* clock);

// Steers the clock back to CLOCK_MONOTONIC and renews the wall-clock offset; about once a second, by the owner.
void apus_clock_discipline(apus_clock* clock);

// Whether the processor promises a counter of constant rate that runs in every sleep state.
bool apus_clock_invariant(void);

#endif
