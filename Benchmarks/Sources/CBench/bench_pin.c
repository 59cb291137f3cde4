#include "bench_pin.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

static int set(uint64_t mask) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    memcpy(&cpus, &mask, sizeof mask);
    return sched_setaffinity(0, sizeof cpus, &cpus) == 0 ? 0 : -errno;
}

int bench_pin(int32_t cpu, uint64_t* before) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    if (cpu < 0 || cpu >= 64) return -EINVAL;
    if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) return -errno;
    memcpy(before, &cpus, sizeof *before);
    return set(1ull << cpu);
}

void bench_unpin(uint64_t before) {
    set(before);
}
