#include "apus_counters.h"

uint64_t apus_histogram_count(const apus_histogram* histogram) {
    uint64_t count = 0;
    for (uint32_t bucket = 0; bucket < APUS_HISTOGRAM_BUCKETS; bucket++)
        count += apus_counter(&histogram->buckets[bucket]);
    return count;
}

uint64_t apus_histogram_maximum(const apus_histogram* histogram) {
    return apus_counter(&histogram->maximum);
}

uint64_t apus_histogram_negative(const apus_histogram* histogram) {
    return apus_counter(&histogram->negative);
}

uint64_t apus_histogram_negative_worst(const apus_histogram* histogram) {
    return apus_counter(&histogram->negative_worst);
}

uint64_t apus_histogram_quantile(const apus_histogram* histogram, double fraction) {
    uint64_t count = apus_histogram_count(histogram);
    if (count == 0) return 0;
    uint64_t maximum = apus_histogram_maximum(histogram);
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
