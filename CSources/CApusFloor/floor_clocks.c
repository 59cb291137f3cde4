#include "floor_internal.h"

#define READINGS 1000
#define SERIES_MOST 1024

typedef struct clock_job {
    const apus_clock* clock;
    uint64_t duration_ns;
    apus_floor_clock_costs costs;
} clock_job;

// The sum is kept, so that no reading is left out by the compiler.
static double time_gettime(uint64_t* sum) {
    uint64_t begin_ns = apus_clock_monotonic();
    for (int i = 0; i < READINGS; i++)
        *sum += apus_clock_monotonic();
    return (double)(apus_clock_monotonic() - begin_ns) / READINGS;
}

static double time_now(const apus_clock* clock, uint64_t* sum) {
    uint64_t begin_ns = apus_clock_monotonic();
    for (int i = 0; i < READINGS; i++)
        *sum += apus_clock_now(clock);
    return (double)(apus_clock_monotonic() - begin_ns) / READINGS;
}

static void* measure(void* argument) {
    clock_job* job = argument;
    apus_clock clock = *job->clock;
    double gettime[SERIES_MOST], now[SERIES_MOST];
    volatile uint64_t kept;
    uint64_t sum = 0, end_ns = apus_clock_monotonic() + job->duration_ns;
    uint32_t series = 0;
    do {
        gettime[series] = time_gettime(&sum);
        now[series++] = time_now(&clock, &sum);
    } while (series < SERIES_MOST && apus_clock_monotonic() < end_ns);
    kept = sum;
    (void)kept;
    apus_floor_spread spread;
    apus_floor_spread_of(gettime, series, &spread);
    job->costs.gettime_ns = spread.median_ns;
    apus_floor_spread_of(now, series, &spread);
    job->costs.now_ns = spread.median_ns;
    return NULL;
}

int apus_floor_clocks(const apus_clock* clock, int32_t cpu, uint64_t duration_ns, apus_floor_clock_costs* costs) {
    clock_job job = {.clock = clock, .duration_ns = duration_ns};
    int result = floor_run(cpu, measure, &job);
    if (result == 0) *costs = job.costs;
    return result;
}
