// Feed ring, queue, board, counters and clock.
#include "check.h"

#include "CApusRing.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 64 };

typedef struct feed_rig {
    apus_feed_slot* slots;
    uint64_t published;
    apus_feed_writer writer;
    apus_feed_reader reader;
} feed_rig;

static feed_rig* feed_make(void) {
    feed_rig* rig = check_memory(sizeof *rig);
    rig->slots = check_memory(SLOTS * sizeof(apus_feed_slot));
    rig->writer = (apus_feed_writer){.slots = rig->slots, .mask = SLOTS - 1, .published = &rig->published};
    rig->reader = (apus_feed_reader){.slots = rig->slots, .mask = SLOTS - 1, .published = &rig->published};
    return rig;
}

static void feed_free(feed_rig* rig) {
    free(rig->slots);
    free(rig);
}

// Every word of an event follows from its number, so that a torn one shows.
static apus_event numbered(uint64_t number) {
    return (apus_event){.instrument = (uint16_t)number,
                        .kind = APUS_EVENT_BOOK,
                        .flags = (uint8_t)(number >> 3),
                        .update_id = (uint32_t)(number * 3),
                        .bid_price = (int64_t)(number * 5),
                        .bid_quantity = (int64_t)(number * 7),
                        .ask_price = -(int64_t)(number * 11),
                        .ask_quantity = (int64_t)(number * 13),
                        .publish_ns = number * 17,
                        .receive_delay_ns = (uint32_t)(number * 19),
                        .venue_delay_ns = -(int32_t)(number & 0xFFFF)};
}

static bool is_numbered(const apus_event* event, uint64_t number) {
    apus_event expected = numbered(number);
    return memcmp(event, &expected, sizeof expected) == 0;
}

static void publish(feed_rig* rig, uint64_t from, uint64_t to) {
    for (uint64_t number = from; number < to; number++) {
        apus_event event = numbered(number);
        CHECK_EQUAL(apus_feed_publish(&rig->writer, &event), number);
    }
}

static void feed_order(void) {
    feed_rig* rig = feed_make();
    apus_event event;
    CHECK_EQUAL(apus_feed_read(&rig->reader, &event), APUS_FEED_EMPTY);
    for (uint64_t round = 0; round < 5; round++) {
        publish(rig, round * SLOTS, (round + 1) * SLOTS);
        for (uint64_t i = 0; i < SLOTS; i++) {
            CHECK_EQUAL(apus_feed_read(&rig->reader, &event), APUS_FEED_EVENT);
            CHECK(is_numbered(&event, round * SLOTS + i));
        }
        CHECK_EQUAL(apus_feed_read(&rig->reader, &event), APUS_FEED_EMPTY);
    }
    CHECK_EQUAL(rig->reader.lost, 0);
    CHECK_EQUAL(rig->published, 5 * SLOTS);
    feed_free(rig);
}

static void feed_lapped(void) {
    static const uint64_t counts[] = {SLOTS + 1, 100, 2 * SLOTS, 1000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        feed_rig* rig = feed_make();
        apus_event event = {0};
        publish(rig, 0, counts[i]);
        CHECK_EQUAL(apus_feed_read(&rig->reader, &event), APUS_FEED_LAPPED);
        CHECK_EQUAL(rig->reader.lost, counts[i]);
        CHECK_EQUAL(apus_feed_read(&rig->reader, &event), APUS_FEED_EMPTY);
        publish(rig, counts[i], counts[i] + 1);
        CHECK_EQUAL(apus_feed_read(&rig->reader, &event), APUS_FEED_EVENT);
        CHECK(is_numbered(&event, counts[i]));
        feed_free(rig);
    }
}

// A writer that dies inside a publication leaves an odd sequence: nobody takes that event for a whole one.
static void feed_torn(void) {
    feed_rig* rig = feed_make();
    apus_event event = {0};
    publish(rig, 0, 3);
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(apus_feed_read(&rig->reader, &event), APUS_FEED_EVENT);
    CHECK(!apus_feed_torn(&rig->reader));
    rig->slots[3].sequence = 2 * 3 + 1;
    CHECK(apus_feed_torn(&rig->reader));
    CHECK_EQUAL(apus_feed_read(&rig->reader, &event), APUS_FEED_EMPTY);
    publish(rig, 3, 4);
    CHECK(!apus_feed_torn(&rig->reader));
    CHECK_EQUAL(apus_feed_read(&rig->reader, &event), APUS_FEED_EVENT);
    // The same over an event that the reader has not taken: it is lost, but not before the new one is whole.
    publish(rig, 4, 4 + SLOTS);
    rig->slots[4].sequence = 2 * (4 + SLOTS) + 1;
    CHECK_EQUAL(apus_feed_read(&rig->reader, &event), APUS_FEED_LAPPED);
    CHECK_EQUAL(rig->reader.lost, SLOTS);
    feed_free(rig);
}

enum { THREAD_EVENTS = 100000 };

static void* feed_writer_thread(void* argument) {
    feed_rig* rig = argument;
    for (uint64_t number = 0; number < THREAD_EVENTS; number++) {
        apus_event event = numbered(number);
        apus_feed_publish(&rig->writer, &event);
        if (number % SLOTS == 0) sched_yield();
    }
    return NULL;
}

static void feed_threads(void) {
    feed_rig* rig = feed_make();
    pthread_t thread;
    CHECK_EQUAL(pthread_create(&thread, NULL, feed_writer_thread, rig), 0);
    uint64_t taken = 0, torn = 0, wrong = 0;
    apus_event event;
    while (rig->reader.next < THREAD_EVENTS) {
        uint64_t number = rig->reader.next;
        enum apus_feed_result result = apus_feed_read(&rig->reader, &event);
        if (result == APUS_FEED_EVENT) {
            taken++;
            if (!is_numbered(&event, number)) torn++;
        } else if (result == APUS_FEED_EMPTY) {
            sched_yield();
        }
        if (taken + rig->reader.lost != rig->reader.next) wrong++;
    }
    pthread_join(thread, NULL);
    CHECK_EQUAL(torn, 0);
    CHECK_EQUAL(wrong, 0);
    CHECK(taken > 0);
    feed_free(rig);
}

static void delays_saturate(void) {
    CHECK_EQUAL(apus_receive_delay(10, 4), 6);
    CHECK_EQUAL(apus_receive_delay(4, 10), 0);
    CHECK_EQUAL(apus_receive_delay(1ull << 40, 0), UINT32_MAX);
    CHECK_EQUAL(apus_venue_delay(100, 0), 0);
    CHECK_EQUAL(apus_venue_delay(100, 140), -40);
    CHECK_EQUAL(apus_venue_delay(1ull << 40, 1), INT32_MAX);
    CHECK_EQUAL(apus_venue_delay(1, 1ull << 40), INT32_MIN);
    apus_event event = {.publish_ns = 1000, .receive_delay_ns = 300};
    CHECK_EQUAL(apus_event_receive_ns(&event), 700);
}

// MARK: queue

static void queue_order(void) {
    apus_queue* queue = check_memory(apus_queue_bytes(8));
    apus_queue_init(queue, 8);
    apus_order order = {0};
    CHECK(!apus_order_pop(queue, &order));
    for (uint64_t round = 0; round < 3; round++) {
        CHECK_EQUAL(apus_queue_room(queue), 8);
        for (uint64_t i = 0; i < 8; i++) {
            order = (apus_order){.client_id = round * 8 + i, .price = -(int64_t)i, .target_id = ~i};
            CHECK_EQUAL(apus_order_push(queue, &order), 0);
        }
        CHECK_EQUAL(apus_order_push(queue, &order), -ENOBUFS);
        CHECK_EQUAL(queue->refused, round + 1);
        CHECK_EQUAL(apus_queue_room(queue), 0);
        for (uint64_t i = 0; i < 8; i++) {
            CHECK(apus_order_pop(queue, &order));
            CHECK_EQUAL(order.client_id, round * 8 + i);
            CHECK_EQUAL(order.price, -(int64_t)i);
            CHECK(order.target_id == ~i);
        }
        CHECK(!apus_order_pop(queue, &order));
    }
    free(queue);
}

static void* queue_producer(void* argument) {
    apus_queue* queue = argument;
    for (uint64_t number = 0; number < THREAD_EVENTS; number++) {
        apus_report report = {.client_id = number, .padding = {0, 0, ~number}};
        while (apus_report_push(queue, &report) != 0)
            sched_yield();
    }
    return NULL;
}

static void queue_threads(void) {
    apus_queue* queue = check_memory(apus_queue_bytes(SLOTS));
    apus_queue_init(queue, SLOTS);
    pthread_t thread;
    CHECK_EQUAL(pthread_create(&thread, NULL, queue_producer, queue), 0);
    uint64_t wrong = 0;
    for (uint64_t number = 0; number < THREAD_EVENTS;) {
        apus_report report;
        if (!apus_report_pop(queue, &report)) {
            sched_yield();
            continue;
        }
        if (report.client_id != number || report.padding[2] != ~number) wrong++;
        number++;
    }
    pthread_join(thread, NULL);
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(queue->head, THREAD_EVENTS);
    CHECK_EQUAL(queue->tail, THREAD_EVENTS);
    free(queue);
}

// MARK: board

static void board_entries(void) {
    enum { DEPTH = 3, INSTRUMENTS = 2 };
    uint64_t stride = apus_board_stride(DEPTH);
    CHECK_EQUAL(stride, 64 + 2 * DEPTH * 16);
    uint8_t* memory = check_memory(INSTRUMENTS * stride);
    apus_board board = {.base = memory, .instruments = INSTRUMENTS, .depth = DEPTH, .stride = stride};
    apus_board_header header = {.update_id = 7, .bids = 2, .asks = 3, .state = APUS_STATE_LIVE, .total_asks = 90};
    apus_level bids[DEPTH] = {{100, 1}, {99, 2}}, asks[DEPTH] = {{101, 3}, {102, 4}, {103, 5}}, got[2][DEPTH];
    apus_board_write(&board, 1, &header, bids, asks);
    apus_board_header read = {0};
    CHECK_EQUAL(apus_board_read(&board, 1, &read, got[0], got[1]), 0);
    CHECK(read.update_id == 7 && read.bids == 2 && read.asks == 3 && read.total_asks == 90);
    CHECK_EQUAL(read.sequence, 2);
    CHECK(memcmp(got[0], bids, 2 * sizeof *bids) == 0 && memcmp(got[1], asks, sizeof asks) == 0);
    CHECK_EQUAL(apus_board_read(&board, 0, &read, got[0], got[1]), 0);
    CHECK(read.sequence == 0 && read.bids == 0);
    // A writer that died inside the entry.
    apus_board_entry(&board, 1)->sequence = 3;
    CHECK_EQUAL(apus_board_read(&board, 1, &read, got[0], got[1]), -EAGAIN);
    free(memory);
}

// MARK: counters

static void histogram_buckets(void) {
    uint32_t outside = 0, wide = 0;
    for (uint64_t value = 0; value < 1ull << APUS_HISTOGRAM_RANGE_BITS;) {
        uint32_t bucket = apus_histogram_bucket(value);
        uint64_t upper = apus_histogram_value(bucket);
        uint64_t lower = bucket == 0 ? 0 : apus_histogram_value(bucket - 1) + 1;
        if (bucket >= APUS_HISTOGRAM_BUCKETS || value < lower || value > upper) outside++;
        if (upper - lower > (lower >> 6 > 1 ? lower >> 6 : 1)) wide++;
        value = value < 1000 ? value + 1 : value + value / 37;
    }
    CHECK_EQUAL(outside, 0);
    CHECK_EQUAL(wide, 0);
    CHECK_EQUAL(apus_histogram_bucket(UINT64_MAX), APUS_HISTOGRAM_BUCKETS - 1);
    CHECK_EQUAL(apus_histogram_bucket(127), 127);
    CHECK_EQUAL(apus_histogram_bucket(128), 128);
    CHECK_EQUAL(apus_histogram_bucket(130), 129);
}

static void histogram_quantiles(void) {
    apus_counters* counters = check_memory(sizeof *counters);
    apus_histogram* histogram = apus_counters_hop(counters, APUS_HOP_PUBLISH_DECIDE);
    CHECK_EQUAL(apus_histogram_quantile(histogram, 0.5), 0);
    for (uint64_t value = 1; value <= 100; value++)
        apus_histogram_record(histogram, value);
    apus_histogram_record_signed(histogram, -5);
    CHECK_EQUAL(apus_histogram_quantile(histogram, 0.5), 50);
    CHECK_EQUAL(apus_histogram_quantile(histogram, 0.99), 99);
    CHECK_EQUAL(apus_histogram_quantile(histogram, 1), 100);
    CHECK(apus_histogram_count(histogram) == 100 && histogram->negative == 1 && histogram->maximum == 100);
    apus_count(apus_counters_hot(counters, APUS_COUNT_FRAMES), 3);
    apus_count(apus_counters_hot(counters, APUS_COUNT_FRAMES), 4);
    CHECK_EQUAL(apus_counter(&counters->hot[APUS_COUNT_FRAMES]), 7);
    CHECK_EQUAL(apus_counter(&counters->decide[APUS_COUNT_FRAMES]), 0);
    free(counters);
}

// MARK: clock

static void clock_never_runs_backwards(void) {
    apus_clock clock;
    apus_clock_start(&clock);
    uint64_t before = apus_clock_now(&clock), backwards = 0;
    for (int i = 0; i < 200000; i++) {
        if (i % 20000 == 0) apus_clock_discipline(&clock);
        uint64_t now = apus_clock_now(&clock);
        if (now < before) backwards++;
        before = now;
    }
    CHECK_EQUAL(backwards, 0);
}

static int64_t magnitude(int64_t value) {
    return value < 0 ? -value : value;
}

// Other work may take the processor between two readings, so the best of many tries counts: a wrong rate is off in each.
static void clock_keeps_to_monotonic(void) {
    apus_clock clock;
    apus_clock_start(&clock);
    CHECK_EQUAL(clock.counter, apus_clock_invariant());
    int64_t drift = INT64_MAX, wall = INT64_MAX;
    for (int i = 0; i < 50; i++) {
        uint64_t theirs = apus_clock_monotonic(), ours = apus_clock_now(&clock), later;
        do {
            later = apus_clock_monotonic();
        } while (later - theirs < 10000000);
        int64_t gained = magnitude((int64_t)(apus_clock_now(&clock) - ours) - (int64_t)(later - theirs));
        int64_t off = magnitude((int64_t)(apus_clock_realtime() - apus_clock_monotonic()) - clock.realtime_offset);
        if (gained < drift) drift = gained;
        if (off < wall) wall = off;
        if (drift < 20000 && wall < 20000) break;
    }
    CHECK(drift < 100000); // 1 % of 10 ms
    CHECK(wall < 1000000);
}

const check_test ring_tests[] = {
    {"feed: events come out in order and whole", feed_order},
    {"feed: a lapped reader learns exactly how many it lost", feed_lapped},
    {"feed: a half-written event is never taken", feed_torn},
    {"feed: two threads", feed_threads},
    {"event: offsets saturate", delays_saturate},
    {"queue: in order, and full is refused", queue_order},
    {"queue: two threads", queue_threads},
    {"board: entries are read as written, a torn one is not", board_entries},
    {"histogram: every value has its bucket", histogram_buckets},
    {"histogram: quantiles are those of the recorded values", histogram_quantiles},
    {"clock: never runs backwards", clock_never_runs_backwards},
    {"clock: keeps to CLOCK_MONOTONIC", clock_keeps_to_monotonic},
    {0},
};
