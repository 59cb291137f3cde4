#include "apus_clock.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define CALIBRATION_NS 20000000ull
// A clock that is off may gain or lose at most this share while it is steered back: 2^32 / 2000 is 500 ppm.
#define STEER_SHARE 2000

bool apus_clock_invariant(void) {
#if defined(__x86_64__)
    unsigned a, b, c, d;
    if (!__get_cpuid(0x80000007u, &a, &b, &c, &d)) return false;
    return (d >> 8) & 1; // Intel SDM 17.17.1 and AMD APM 3 E.4.7: invariant TSC
#elif defined(__aarch64__)
    return true; // the generic timer runs at a constant rate (Arm ARM D11.1.2)
#else
    return false;
#endif
}

typedef struct reading {
    uint64_t ticks;
    uint64_t ns;
} reading;

// Reads both clocks at one instant: of several tries the one with the least time between two counter reads.
static reading read_both(void) {
    reading best = {0, 0};
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 8; i++) {
        uint64_t before = apus_clock_ticks();
        uint64_t ns = apus_clock_monotonic();
        uint64_t after = apus_clock_ticks();
        if (after - before < least) {
            least = after - before;
            best.ticks = before + (after - before) / 2;
            best.ns = ns;
        }
    }
    return best;
}

static int64_t realtime_offset(void) {
    int64_t best = 0;
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 8; i++) {
        uint64_t before = apus_clock_monotonic();
        uint64_t wall = apus_clock_realtime();
        uint64_t after = apus_clock_monotonic();
        if (after - before < least) {
            least = after - before;
            best = (int64_t)(wall - (before + (after - before) / 2));
        }
    }
    return best;
}

static uint64_t scale_of(uint64_t ns, uint64_t ticks) {
    return (uint64_t)(((unsigned __int128)ns << 32) / ticks);
}

void apus_clock_start(apus_clock* clock) {
    *clock = (apus_clock){.counter = apus_clock_invariant(), .realtime_offset = realtime_offset()};
    if (!clock->counter) return;
    reading first = read_both();
    reading last;
    do {
        last = read_both();
    } while (last.ns - first.ns < CALIBRATION_NS);
    if (last.ticks <= first.ticks) {
        clock->counter = false;
        return;
    }
    clock->scale = scale_of(last.ns - first.ns, last.ticks - first.ticks);
    clock->base_ticks = clock->first_ticks = first.ticks;
    clock->base_ns = clock->first_ns = first.ns;
}

void apus_clock_discipline(apus_clock* clock) {
    clock->realtime_offset = realtime_offset();
    if (!clock->counter) return;
    reading now = read_both();
    uint64_t ticks = now.ticks - clock->base_ticks;
    if (now.ns <= clock->first_ns || now.ticks <= clock->first_ticks || ticks == 0) return;
    uint64_t ours = clock->base_ns + (uint64_t)(((unsigned __int128)ticks * clock->scale) >> 32);
    uint64_t rate = scale_of(now.ns - clock->first_ns, now.ticks - clock->first_ticks);
    // The error is worked off over about as long as it took to build up, by running a little faster or slower.
    int64_t error = (int64_t)(now.ns - ours);
    int64_t steer = (int64_t)((__int128)error * (1ll << 32) / (int64_t)ticks);
    int64_t bound = (int64_t)(rate / STEER_SHARE);
    if (steer > bound) steer = bound;
    if (steer < -bound) steer = -bound;
    clock->base_ticks = now.ticks;
    clock->base_ns = ours;
    clock->scale = rate + (uint64_t)steer;
}
