// The counter page: counters and latency histograms of fixed layout, each word with one writer, read by anybody.
#ifndef APUS_COUNTERS_H
#define APUS_COUNTERS_H

#include "apus_limits.h"
#include <stddef.h>
#include <stdint.h>

// Written by the hot thread.
enum apus_hot_counter {
    APUS_COUNT_FRAMES = 0,    // messages read
    APUS_COUNT_BYTES,         // bytes read from sockets
    APUS_COUNT_EVENTS,        // published to the feed ring
    APUS_COUNT_DEPTH_APPLIED, // depth messages applied to a live or syncing book
    APUS_COUNT_UNKNOWN,       // valid messages of a kind that is not used
    APUS_COUNT_DECODE_ERRORS,
    APUS_COUNT_GAPS,
    APUS_COUNT_RESYNCS,
    APUS_COUNT_RECONNECTS,
    APUS_COUNT_TICKER_EQUAL,
    APUS_COUNT_TICKER_COMPARED,
    APUS_COUNT_HASH_EQUAL,
    APUS_COUNT_HASH_COMPARED,
    APUS_COUNT_ORDERS_SENT,
    APUS_COUNT_ORDERS_REFUSED, // by the guard
    APUS_COUNT_REPORTS,
    APUS_COUNT_TURNS,
    APUS_COUNT_CLOCK_SKEW, // messages stamped ahead of our clock
    APUS_COUNT_ARENA_BYTES,
    APUS_COUNT_HOT_ALLOCATED, // 1 + bytes the thread has ever allocated; 0 where jemalloc does not count them
    APUS_HOT_COUNTERS = 32,
};

// Written by the decision thread.
enum apus_decide_counter {
    APUS_COUNT_EVENTS_READ = 0,
    APUS_COUNT_EVENTS_LOST,
    APUS_COUNT_ORDERS_APPROVED,
    APUS_COUNT_ORDERS_BLOCKED, // by the risk gate
    APUS_COUNT_FILLS,
    APUS_COUNT_DECIDE_TURNS,
    APUS_COUNT_DECIDE_ALLOCATED, // as APUS_COUNT_HOT_ALLOCATED
    APUS_DECIDE_COUNTERS = 32,
};

enum apus_hop {
    APUS_HOP_VENUE_KERNEL = 0,    // hot
    APUS_HOP_KERNEL_RECEIVE = 1,  // hot
    APUS_HOP_RECEIVE_PUBLISH = 2, // hot
    APUS_HOP_PUBLISH_DECIDE = 3,  // decide
    APUS_HOP_DECIDE_ORDER = 4,    // decide: strategy and risk gate, until the order is in the ring
    APUS_HOP_ORDER_SENT = 5,      // hot: from the ring to the kernel
    APUS_HOP_SENT_ANSWER = 6,     // hot: the venue's round trip
    APUS_HOPS = 8,
};

// A log-linear histogram of nanoseconds: exact below 2^7, then 2^6 steps for each power of two. How many values there are is not
// kept: readers are few and seldom and can add the buckets up.
typedef struct apus_histogram {
    uint64_t maximum;
    uint64_t negative;       // values below zero: clock skew, in no bucket
    uint64_t negative_worst; // the furthest of them from zero, as a positive number of nanoseconds
    uint64_t reserved[5];
    uint64_t buckets[APUS_HISTOGRAM_BUCKETS];
} apus_histogram;

// Swift imports no over-aligned record: whoever gives the memory aligns it to a cache line (the mappings are whole pages).
typedef struct apus_counters {
    uint64_t hot[APUS_HOT_COUNTERS];
    uint64_t decide[APUS_DECIDE_COUNTERS];
    apus_histogram hops[APUS_HOPS];
} apus_counters;

_Static_assert(offsetof(apus_counters, decide) % APUS_CACHE_LINE == 0, "two writers share no line");
_Static_assert(offsetof(apus_counters, hops) % APUS_CACHE_LINE == 0, "two writers share no line");
_Static_assert(sizeof(apus_histogram) % APUS_CACHE_LINE == 0, "two writers share no line");

// Where a counter and a hop lie. For languages that see a C array as a tuple.
static inline uint64_t* apus_counters_hot(apus_counters* counters, uint32_t counter) {
    return &counters->hot[counter];
}
static inline uint64_t* apus_counters_decide(apus_counters* counters, uint32_t counter) {
    return &counters->decide[counter];
}
static inline apus_histogram* apus_counters_hop(apus_counters* counters, uint32_t hop) {
    return &counters->hops[hop];
}

// The word's one writer only.
static inline void apus_count(uint64_t* counter, uint64_t amount) {
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + amount, __ATOMIC_RELAXED);
}

// The decision thread only.
static inline void apus_decide_allocated(apus_counters* counters, uint64_t mark) {
    __atomic_store_n(&counters->decide[APUS_COUNT_DECIDE_ALLOCATED], mark, __ATOMIC_RELAXED);
}

// Any thread.
static inline uint64_t apus_counter(const uint64_t* counter) {
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static inline uint32_t apus_histogram_bucket(uint64_t value) {
    uint64_t top = (1ull << APUS_HISTOGRAM_RANGE_BITS) - 1;
    if (value > top) value = top;
    // Below 2^7 the exponent is 0 and each value is its own step; above, a step is 2^6 up to 2^7 - 1.
    uint64_t at_least = value | 1ull << APUS_HISTOGRAM_STEP_BITS;
    uint32_t exponent = 63u - (uint32_t)__builtin_clzll(at_least) - APUS_HISTOGRAM_STEP_BITS;
    return (exponent << APUS_HISTOGRAM_STEP_BITS) + (uint32_t)(value >> exponent);
}

// The largest value that falls into the bucket.
static inline uint64_t apus_histogram_value(uint32_t bucket) {
    uint64_t steps = 1ull << APUS_HISTOGRAM_STEP_BITS;
    if (bucket < 2 * steps) return bucket;
    uint32_t exponent = (bucket >> APUS_HISTOGRAM_STEP_BITS) - 1;
    uint64_t step = steps + (bucket & (steps - 1));
    return ((step + 1) << exponent) - 1;
}

_Static_assert(APUS_HISTOGRAM_BUCKETS
                   == (APUS_HISTOGRAM_RANGE_BITS - APUS_HISTOGRAM_STEP_BITS + 1u) << APUS_HISTOGRAM_STEP_BITS,
               "the highest value has a bucket");

// The histogram's one writer only.
static inline void apus_histogram_record(apus_histogram* histogram, uint64_t value) {
    apus_count(&histogram->buckets[apus_histogram_bucket(value)], 1);
    if (value > __atomic_load_n(&histogram->maximum, __ATOMIC_RELAXED)) {
        __atomic_store_n(&histogram->maximum, value, __ATOMIC_RELAXED);
    }
}

// Counts a difference of two clocks that is below zero. The histogram's one writer only.
static inline void apus_histogram_record_negative(apus_histogram* histogram, int64_t value) {
    uint64_t distance = 0 - (uint64_t)value;
    apus_count(&histogram->negative, 1);
    if (distance > __atomic_load_n(&histogram->negative_worst, __ATOMIC_RELAXED)) {
        __atomic_store_n(&histogram->negative_worst, distance, __ATOMIC_RELAXED);
    }
}

// Records a difference of two clocks: a negative one is counted as skew. The histogram's one writer only.
static inline void apus_histogram_record_signed(apus_histogram* histogram, int64_t value) {
    if (__builtin_expect(value < 0, 0)) {
        apus_histogram_record_negative(histogram, value);
        return;
    }
    apus_histogram_record(histogram, (uint64_t)value);
}

// How many values lie in the buckets; negative ones are not among them. Adds them up, which takes a microsecond. Any thread.
uint64_t apus_histogram_count(const apus_histogram* histogram);

// The largest value that was recorded, exactly; 0 when nothing was. Any thread.
uint64_t apus_histogram_maximum(const apus_histogram* histogram);

// How many values were below zero, and how far the furthest of them lay from it (nanoseconds, positive). Any thread.
uint64_t apus_histogram_negative(const apus_histogram* histogram);
uint64_t apus_histogram_negative_worst(const apus_histogram* histogram);

// The value at or below which `fraction` (0 to 1) of the recorded ones lie; 0 when nothing was recorded. It is the largest
// value of its bucket and never above the maximum: exact below 2^7 ns, else at most 1.6 % (2^-6) too high and never too low.
// Any thread.
uint64_t apus_histogram_quantile(const apus_histogram* histogram, double fraction);

#endif
