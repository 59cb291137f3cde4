#include "apus_thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

int apus_thread_start(pthread_t* thread, const char* name, int32_t cpu, void* (*body)(void*), void* argument) {
    if (cpu >= CPU_SETSIZE) return -EINVAL;
    pthread_attr_t attributes;
    int result = pthread_attr_init(&attributes);
    if (result != 0) return -result;
    if (cpu >= 0) {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET((size_t)cpu, &cpus);
        result = pthread_attr_setaffinity_np(&attributes, sizeof cpus, &cpus);
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (result == 0) result = pthread_create(thread, &attributes, body, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (result != 0) return -result;
    char text[16];
    snprintf(text, sizeof text, "%s", name);
    pthread_setname_np(*thread, text);
    return 0;
}

int apus_thread_avoid(const int32_t* cpus, size_t count) {
    cpu_set_t allowed;
    int result = pthread_getaffinity_np(pthread_self(), sizeof allowed, &allowed);
    if (result != 0) return -result;
    for (size_t i = 0; i < count; i++) {
        if (cpus[i] >= 0 && cpus[i] < CPU_SETSIZE) CPU_CLR((size_t)cpus[i], &allowed);
    }
    if (CPU_COUNT(&allowed) == 0) return -EINVAL;
    return -pthread_setaffinity_np(pthread_self(), sizeof allowed, &allowed);
}
