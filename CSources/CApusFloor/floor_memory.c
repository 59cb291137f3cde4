#include "floor_internal.h"

#include <errno.h>
#include <stdlib.h>

#define READS_A_SERIES 1000
// Series that are kept, the newest: their median is the result, as other work falls into few of them.
#define SERIES_MOST 1024

// A line of the memory that is walked through.
typedef struct step {
    struct step* next;
    uint8_t rest[APUS_CACHE_LINE - sizeof(struct step*)];
} step;

_Static_assert(sizeof(step) == APUS_CACHE_LINE, "one read, one line");

typedef struct walk {
    step* steps;
    size_t count;
    uint64_t duration_ns;
    double read_ns;
} walk;

// xorshift64*: the order must be without a pattern, and the same in every run.
static uint64_t draw(uint64_t* state) {
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dull;
}

// Sattolo's shuffle of the identity: one cycle through all of them.
static void lay_out(const walk* w) {
    uint64_t state = 0x9e3779b97f4a7c15ull;
    for (size_t i = 0; i < w->count; i++)
        w->steps[i].next = &w->steps[i];
    for (size_t i = w->count - 1; i > 0; i--) {
        size_t other = (size_t)(((unsigned __int128)draw(&state) * i) >> 64);
        step* next = w->steps[i].next;
        w->steps[i].next = w->steps[other].next;
        w->steps[other].next = next;
    }
}

static void* go(void* argument) {
    walk* w = argument;
    lay_out(w);
    const step* at = w->steps;
    double series[SERIES_MOST];
    uint32_t count = 0;
    uint64_t begin_ns = apus_clock_monotonic(), before_ns = begin_ns;
    do {
        for (int i = 0; i < READS_A_SERIES; i++)
            at = at->next;
        // Where the walk has come to is looked at, so that no read is left out by the compiler.
        __asm__ volatile("" : : "r"(at) : "memory");
        uint64_t now_ns = apus_clock_monotonic();
        series[count++ % SERIES_MOST] = (double)(now_ns - before_ns) / READS_A_SERIES;
        before_ns = now_ns;
    } while (before_ns - begin_ns < w->duration_ns);
    apus_floor_spread spread;
    apus_floor_spread_of(series, count < SERIES_MOST ? count : SERIES_MOST, &spread);
    w->read_ns = spread.median_ns;
    return NULL;
}

int apus_floor_memory(int32_t cpu, size_t bytes, uint64_t duration_ns, double* read_ns) {
    if (bytes < 2 * sizeof(step) || bytes % sizeof(step) != 0) return -EINVAL;
    walk w = {.count = bytes / sizeof(step), .duration_ns = duration_ns};
    w.steps = aligned_alloc(APUS_CACHE_LINE, bytes);
    if (w.steps == NULL) return -ENOMEM;
    int result = floor_run(cpu, go, &w);
    free(w.steps);
    if (result == 0) *read_ns = w.read_ns;
    return result;
}
