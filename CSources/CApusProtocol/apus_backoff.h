// Waits between attempts, and time-outs. Internal.
#ifndef APUS_BACKOFF_H
#define APUS_BACKOFF_H

#include "apus_random.h"

#include <stdbool.h>
#include <stdint.h>

// Exponential with full jitter: uniform in [0, min(most, least 2^failures)]. Spreads clients best after a common
// failure.
static inline uint64_t apus_backoff(apus_random* random, uint64_t least, uint64_t most, uint32_t failures) {
    uint64_t limit = failures >= 63 || least > most >> failures ? most : least << failures;
    return apus_random_below(random, limit + 1);
}

// Sums of times saturate: "never" stays never.
static inline uint64_t apus_time_after(uint64_t since_ns, uint64_t span_ns) {
    return since_ns > UINT64_MAX - span_ns ? UINT64_MAX : since_ns + span_ns;
}

// When a span that 0 turns off is over.
static inline uint64_t apus_time_limit(uint64_t since_ns, uint64_t span_ns) {
    return span_ns == 0 ? UINT64_MAX : apus_time_after(since_ns, span_ns);
}

static inline uint64_t apus_time_earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}
static inline uint64_t apus_time_later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

#endif
