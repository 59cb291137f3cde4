#include "stress_threads.h"

#define ELEMENT_WORDS (APUS_QUEUE_ELEMENT / 8)

// `run` stands first: the threads see the whole through a pointer to it.
typedef struct queue_run {
    stress_run run;
    apus_queue* queue;
} queue_run;

// MARK: A copy of the queue with places to give way, and with defects
//
// Its elements move as relaxed atomic words: a defect must be found by the checkers, not by ThreadSanitizer ending the
// process.

static uint64_t* slot_of(apus_queue* queue, uint64_t number) {
    return (uint64_t*)(void*)(queue->elements + (number & queue->mask) * APUS_QUEUE_ELEMENT);
}

static int copy_push(apus_queue* queue, const uint64_t* words, enum stress_variant variant, stress_random* random) {
    uint64_t head = queue->head;
    if (head - queue->seen_tail > queue->mask && variant != STRESS_NEVER_FULL) {
        queue->seen_tail = __atomic_load_n(&queue->tail, __ATOMIC_ACQUIRE);
        if (head - queue->seen_tail > queue->mask) return -ENOBUFS;
    }
    if (variant == STRESS_HEAD_TOO_EARLY) __atomic_store_n(&queue->head, head + 1, __ATOMIC_RELEASE);
    for (size_t i = 0; i < ELEMENT_WORDS; i++) {
        __atomic_store_n(&slot_of(queue, head)[i], words[i], __ATOMIC_RELAXED);
        stress_give_way(random, 64);
    }
    __atomic_store_n(&queue->head, head + 1, __ATOMIC_RELEASE);
    return 0;
}

static bool copy_pop(apus_queue* queue, uint64_t* words, enum stress_variant variant, stress_random* random) {
    uint64_t tail = queue->tail;
    if (tail == queue->seen_head) {
        queue->seen_head = __atomic_load_n(&queue->head, __ATOMIC_ACQUIRE);
        if (tail == queue->seen_head) return false;
    }
    if (variant == STRESS_TAIL_TOO_EARLY) __atomic_store_n(&queue->tail, tail + 1, __ATOMIC_RELEASE);
    for (size_t i = 0; i < ELEMENT_WORDS; i++) {
        words[i] = __atomic_load_n(&slot_of(queue, tail)[i], __ATOMIC_RELAXED);
        stress_give_way(random, 64);
    }
    __atomic_store_n(&queue->tail, tail + 1, __ATOMIC_RELEASE);
    return true;
}

// MARK: The threads

static void* produce(void* context) {
    queue_run* run = context;
    stress_random random = {0x9E3779B97F4A7C15ull};
    uint64_t number = 0;
    while (number < run->run.count && !stress_flag(&run->run.finished)) {
        uint64_t words[ELEMENT_WORDS];
        for (size_t i = 0; i < ELEMENT_WORDS; i++) {
            words[i] = stress_word(number, i);
        }
        int result = run->run.variant == STRESS_REAL ? apus_queue_push(run->queue, words)
                                                     : copy_push(run->queue, words, run->run.variant, &random);
        if (result == 0) {
            number++;
        } else {
            sched_yield();
        }
    }
    stress_finish(&run->run);
    return NULL;
}

static void check_element(const uint64_t* words, uint64_t* follows, stress_outcome* seen) {
    uint64_t number = words[0] / 64;
    bool torn = false;
    for (size_t i = 0; i < ELEMENT_WORDS; i++) {
        if (words[i] != stress_word(number, i)) torn = true;
    }
    if (torn) {
        seen->torn++;
    } else if (number < *follows) {
        seen->doubled++;
    } else if (number > *follows) {
        seen->unreported_loss++;
    } else {
        seen->taken++;
    }
    *follows += 1;
}

static void* consume(void* context) {
    queue_run* run = context;
    stress_outcome seen = {0};
    stress_random random = {0x2545F4914F6CDD1Dull};
    uint64_t follows = 0;
    bool last = false;
    while (!stress_forbidden(&seen)) {
        uint64_t words[ELEMENT_WORDS];
        bool popped = run->run.variant == STRESS_REAL ? apus_queue_pop(run->queue, words)
                                                      : copy_pop(run->queue, words, run->run.variant, &random);
        if (popped) {
            check_element(words, &follows, &seen);
        } else if (last) {
            break; // empty, and it was looked at after the producer's end
        } else {
            last = stress_flag(&run->run.finished);
            if (!last) sched_yield();
        }
    }
    if (!stress_forbidden(&seen) && seen.taken != run->run.count) seen.unreported_loss++;
    if (stress_forbidden(&seen)) stress_finish(&run->run);
    stress_add(&run->run, &seen);
    return NULL;
}

int stress_queue(enum stress_variant variant, uint32_t slots, uint64_t elements, stress_outcome* outcome) {
    size_t bytes = (apus_queue_bytes(slots) + APUS_CACHE_LINE - 1) & ~(size_t)(APUS_CACHE_LINE - 1);
    apus_queue* queue = aligned_alloc(APUS_CACHE_LINE, bytes);
    queue_run* run = calloc(1, sizeof *run);
    int result = -ENOMEM;
    if (queue != NULL && run != NULL) {
        // Old elements look like the one before the first: taking one is a doubled element, never a right one.
        memset(queue, 0xFF, bytes);
        apus_queue_init(queue, slots);
        for (uint64_t slot = 0; slot < slots; slot++) {
            for (size_t i = 0; i < ELEMENT_WORDS; i++) {
                slot_of(queue, slot)[i] = stress_word(UINT64_MAX / 64, i);
            }
        }
        run->run = (stress_run){.variant = variant, .count = elements, .lock = PTHREAD_MUTEX_INITIALIZER};
        run->queue = queue;
        result = stress_threads(produce, consume, 1, run);
        *outcome = run->run.outcome;
    }
    free(queue);
    free(run);
    return result;
}
