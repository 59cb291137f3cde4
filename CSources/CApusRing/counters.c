#include "apus_counters.h"

uint64_t apus_histogram_quantile(const apus_histogram* histogram, double fraction) {
    uint64_t count = apus_counter(&histogram->count);
    if (count == 0) return 0;
    uint64_t maximum = apus_counter(&histogram->maximum);
    double wanted = fraction * (double)count;
    uint64_t rank = wanted < 1 ? 1 : (uint64_t)wanted;
    if ((double)rank < wanted) rank++;
    uint64_t seen = 0;
    for (uint32_t bucket = 0; bucket < APUS_HISTOGRAM_BUCKETS; bucket++) {
        seen += apus_counter(&histogram->buckets[bucket]);
        if (seen >= rank) {
            uint64_t value = apus_histogram_value(bucket);
            return value < maximum ? value : maximum;
        }
    }
    return maximum;
}
