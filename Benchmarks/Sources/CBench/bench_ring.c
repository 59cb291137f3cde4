#include "bench_ring.h"

#include "bench_pin.h"
#include "bench_time.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct reader_thread {
    apus_feed_reader reader;
    pthread_t thread;
    uint64_t read;
    const uint64_t* stop;
    uint64_t* ready;
    int32_t cpu;
    bool stalls;
} reader_thread;

struct bench_readers {
    uint32_t count;
    uint64_t stop;
    uint64_t ready;
    reader_thread threads[];
};

static void* take(void* argument) {
    reader_thread* r = argument;
    apus_feed_reader reader = r->reader;
    apus_event event;
    uint64_t before, read = 0;
    bench_pin(r->cpu, &before);
    __atomic_add_fetch(r->ready, 1, __ATOMIC_RELEASE);
    struct timespec pause = {.tv_nsec = 1000000};
    while (!__atomic_load_n(r->stop, __ATOMIC_RELAXED)) {
        if (r->stalls)
            nanosleep(&pause, NULL);
        else
            read += apus_feed_read(&reader, &event) != APUS_FEED_EMPTY;
    }
    r->read = read;
    return NULL;
}

bench_readers* bench_readers_start(const apus_feed_reader* from, uint32_t count, bool one_stalls, int32_t cpu) {
    bench_readers* all = calloc(1, sizeof *all + count * sizeof all->threads[0]);
    if (all == NULL) return NULL;
    for (; all->count < count; all->count++) {
        reader_thread* r = &all->threads[all->count];
        *r = (reader_thread){.reader = *from,
                             .stop = &all->stop,
                             .ready = &all->ready,
                             .cpu = cpu,
                             .stalls = one_stalls && all->count + 1 == count};
        if (pthread_create(&r->thread, NULL, take, r) != 0) break;
    }
    while (__atomic_load_n(&all->ready, __ATOMIC_ACQUIRE) < all->count)
        ;
    return all;
}

void bench_readers_stop(bench_readers* all, uint64_t* read) {
    __atomic_store_n(&all->stop, 1, __ATOMIC_RELAXED);
    *read = 0;
    for (uint32_t i = 0; i < all->count; i++) {
        pthread_join(all->threads[i].thread, NULL);
        *read += all->threads[i].read;
    }
    free(all);
}

uint64_t bench_publish(apus_feed_writer* writer, uint64_t count) {
    apus_event event = {.kind = APUS_EVENT_BOOK, .bid_price = 1, .bid_quantity = 2, .ask_price = 3, .ask_quantity = 4};
    uint64_t start = bench_now();
    for (uint64_t i = 0; i < count; i++) {
        event.update_id = (uint32_t)i;
        apus_feed_publish(writer, &event);
    }
    return bench_now() - start;
}
