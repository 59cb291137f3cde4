// What the three runs share: threads, giving way, outcomes.
#ifndef STRESS_THREADS_H
#define STRESS_THREADS_H

#include "CStress.h"
#include <CApusRing.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define STRESS_THREADS_MAX 9u

typedef struct stress_random {
    uint64_t state;
} stress_random;

static inline uint64_t stress_next(stress_random* random) {
    random->state ^= random->state << 13;
    random->state ^= random->state >> 7;
    random->state ^= random->state << 17;
    return random->state;
}

// In a copy the thread gives way here, about once in `often` times, so that the other sees what is half done.
static inline void stress_give_way(stress_random* random, uint64_t often) {
    if (stress_next(random) % often == 0) sched_yield();
}

// The content that belongs to word `place` of element `number`: two numbers never agree in a word.
static inline uint64_t stress_word(uint64_t number, uint64_t place) {
    return number * 64 + place;
}

// Shared by the threads of a run.
typedef struct stress_run {
    enum stress_variant variant;
    uint64_t count;    // elements to write
    uint64_t finished; // 1: the writer has written all, or somebody saw what is forbidden
    pthread_mutex_t lock;
    stress_outcome outcome;
} stress_run;

static inline uint64_t stress_flag(const uint64_t* flag) {
    return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static inline void stress_finish(stress_run* run) {
    __atomic_store_n(&run->finished, 1, __ATOMIC_RELEASE);
}

static inline bool stress_forbidden(const stress_outcome* seen) {
    return (seen->torn | seen->stale | seen->unreported_loss | seen->doubled | seen->backwards) != 0;
}

static inline void stress_add(stress_run* run, const stress_outcome* seen) {
    pthread_mutex_lock(&run->lock);
    run->outcome.taken += seen->taken;
    run->outcome.lost += seen->lost;
    run->outcome.torn += seen->torn;
    run->outcome.stale += seen->stale;
    run->outcome.unreported_loss += seen->unreported_loss;
    run->outcome.doubled += seen->doubled;
    run->outcome.backwards += seen->backwards;
    pthread_mutex_unlock(&run->lock);
}

// Starts `readers` threads of `read` and one of `write`, and waits for all.
static inline int stress_threads(void* (*write)(void*), void* (*read)(void*), uint32_t readers, void* context) {
    pthread_t threads[STRESS_THREADS_MAX];
    uint32_t started = 0;
    int failure = 0;
    if (readers + 1 > STRESS_THREADS_MAX) return -EINVAL;
    for (uint32_t i = 0; i < readers && failure == 0; i++) {
        failure = pthread_create(&threads[started], NULL, read, context);
        if (failure == 0) started++;
    }
    if (failure == 0) {
        failure = pthread_create(&threads[started], NULL, write, context);
        if (failure == 0) started++;
    }
    if (failure != 0) stress_finish((stress_run*)context);
    for (uint32_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    return -failure;
}

#endif
