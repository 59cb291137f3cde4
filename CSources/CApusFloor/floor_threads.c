#include "floor_internal.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

int apus_floor_cpus(int32_t* cpus, int capacity) {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return -errno;
    int count = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET((size_t)cpu, &allowed)) continue;
        if (count < capacity) cpus[count] = cpu;
        count++;
    }
    return count;
}

apus_histogram* apus_floor_histogram(void) {
    apus_histogram* histogram = aligned_alloc(APUS_CACHE_LINE, sizeof *histogram);
    if (histogram != NULL) memset(histogram, 0, sizeof *histogram);
    return histogram;
}

static int start(pthread_t* thread, int32_t cpu, floor_body body, void* argument) {
    if (cpu < 0 || cpu >= CPU_SETSIZE) return -EINVAL;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET((size_t)cpu, &cpus);
    pthread_attr_t attributes;
    int result = pthread_attr_init(&attributes);
    if (result != 0) return -result;
    result = pthread_attr_setaffinity_np(&attributes, sizeof cpus, &cpus);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (result == 0) result = pthread_create(thread, &attributes, body, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -result;
}

int floor_run(int32_t cpu, floor_body body, void* argument) {
    pthread_t thread;
    int result = start(&thread, cpu, body, argument);
    if (result != 0) return result;
    pthread_join(thread, NULL);
    return 0;
}

int floor_run_pair(int32_t first_cpu, floor_body first, int32_t second_cpu, floor_body second, void* argument,
                   uint64_t* stop) {
    if (first_cpu == second_cpu) return -EINVAL;
    pthread_t other;
    int result = start(&other, second_cpu, second, argument);
    if (result != 0) return result;
    result = floor_run(first_cpu, first, argument);
    if (result != 0) floor_raise(stop, 1);
    pthread_join(other, NULL);
    return result;
}
