#include "floor_internal.h"

#include <string.h>

typedef struct watch_job {
    const apus_clock* clock;
    uint64_t duration_ns;
    apus_floor_pauses* pauses;
    apus_histogram* gaps;
} watch_job;

static void add(apus_floor_lost* lost, uint64_t gap_ns) {
    lost->count++;
    lost->lost_ns += gap_ns;
}

// Kept in falling order by inserting.
static void keep_longest(apus_floor_pauses* pauses, uint64_t gap_ns) {
    uint64_t* longest = pauses->longest_ns;
    if (gap_ns <= longest[APUS_FLOOR_LONGEST - 1]) return;
    uint32_t place = APUS_FLOOR_LONGEST - 1;
    for (; place > 0 && longest[place - 1] < gap_ns; place--)
        longest[place] = longest[place - 1];
    longest[place] = gap_ns;
}

static void note(apus_floor_pauses* pauses, uint64_t gap_ns) {
    add(&pauses->above_1us, gap_ns);
    if (gap_ns > 10000) add(&pauses->above_10us, gap_ns);
    if (gap_ns > 100000) add(&pauses->above_100us, gap_ns);
    keep_longest(pauses, gap_ns);
}

static void* watch(void* argument) {
    const watch_job* job = argument;
    apus_clock clock = *job->clock;
    uint64_t begin_ns = apus_clock_now(&clock), before_ns = begin_ns, end_ns = begin_ns + job->duration_ns;
    do {
        uint64_t now_ns = apus_clock_now(&clock);
        uint64_t gap_ns = now_ns > before_ns ? now_ns - before_ns : 0;
        before_ns = now_ns;
        apus_histogram_record(job->gaps, gap_ns);
        if (gap_ns > 1000) note(job->pauses, gap_ns);
    } while (before_ns < end_ns);
    job->pauses->watched_ns = before_ns - begin_ns;
    return NULL;
}

int apus_floor_watch(const apus_clock* clock, int32_t cpu, uint64_t duration_ns, apus_floor_pauses* pauses,
                     apus_histogram* gaps) {
    memset(pauses, 0, sizeof *pauses);
    watch_job job = {.clock = clock, .duration_ns = duration_ns, .pauses = pauses, .gaps = gaps};
    return floor_run(cpu, watch, &job);
}
