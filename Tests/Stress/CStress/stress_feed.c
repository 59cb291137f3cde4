#include "stress_threads.h"

// `run` stands first: the threads see the whole through a pointer to it.
typedef struct feed_run {
    stress_run run;
    apus_public view;
    apus_feed_writer writer;
} feed_run;

// MARK: A copy of the ring with places to give way, and with defects

static void copy_publish(feed_run* feed, const uint64_t* words, stress_random* random) {
    apus_feed_writer* writer = &feed->writer;
    enum stress_variant variant = feed->run.variant;
    uint64_t number = writer->next;
    apus_feed_slot* slot = &writer->slots[number & writer->mask];
    if (variant != STRESS_NO_ODD_STORE) {
        uint64_t mark = variant == STRESS_EVEN_BEFORE_PAYLOAD ? 2 * number + 2 : 2 * number + 1;
        __atomic_store_n(&slot->sequence, mark, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_RELEASE);
    }
    for (size_t i = 0; i < APUS_EVENT_WORDS; i++) {
        __atomic_store_n(&slot->words[i], words[i], __ATOMIC_RELAXED);
        stress_give_way(random, 64);
    }
    __atomic_store_n(&slot->sequence, 2 * number + 2, __ATOMIC_RELEASE);
    writer->next = number + 1;
    __atomic_store_n(writer->published, number + 1, __ATOMIC_RELEASE);
}

static enum apus_feed_result copy_lapped(apus_feed_reader* reader, enum stress_variant variant) {
    uint64_t published = __atomic_load_n(reader->published, __ATOMIC_ACQUIRE);
    if (published <= reader->next) return APUS_FEED_EMPTY;
    if (variant != STRESS_LOSS_NOT_COUNTED) reader->lost += published - reader->next;
    reader->next = published;
    return variant == STRESS_LOSS_NOT_COUNTED ? APUS_FEED_EMPTY : APUS_FEED_LAPPED;
}

static enum apus_feed_result copy_read(apus_feed_reader* reader, apus_event* event, enum stress_variant variant,
                                       stress_random* random) {
    const apus_feed_slot* slot = &reader->slots[reader->next & reader->mask];
    uint64_t whole = 2 * reader->next + 2;
    uint64_t sequence = __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE);
    if (sequence < whole) return APUS_FEED_EMPTY;
    if (sequence == whole) {
        uint64_t words[APUS_EVENT_WORDS];
        for (size_t i = 0; i < APUS_EVENT_WORDS; i++) {
            words[i] = __atomic_load_n(&slot->words[i], __ATOMIC_RELAXED);
            stress_give_way(random, 64);
        }
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        bool same = __atomic_load_n(&slot->sequence, __ATOMIC_RELAXED) == whole;
        if (same || variant == STRESS_NO_SECOND_LOOK) {
            memcpy(event, words, sizeof words);
            reader->next++;
            return APUS_FEED_EVENT;
        }
    }
    return copy_lapped(reader, variant);
}

// MARK: The threads

static void* write_events(void* context) {
    feed_run* feed = context;
    stress_random random = {0x9E3779B97F4A7C15ull};
    for (uint64_t number = 0; number < feed->run.count && !stress_flag(&feed->run.finished); number++) {
        uint64_t words[APUS_EVENT_WORDS];
        for (size_t i = 0; i < APUS_EVENT_WORDS; i++) {
            words[i] = stress_word(number, i);
        }
        if (feed->run.variant == STRESS_REAL) {
            apus_event event;
            memcpy(&event, words, sizeof event);
            apus_feed_publish(&feed->writer, &event);
        } else {
            copy_publish(feed, words, &random);
        }
        // Readers get their share, also where threads outnumber cores: bursts of all lengths, some longer than the ring.
        stress_give_way(&random, 48);
    }
    stress_finish(&feed->run);
    return NULL;
}

// Which event the words are of; `torn` when they are of several.
static uint64_t number_of(const apus_event* event, bool* torn) {
    uint64_t words[APUS_EVENT_WORDS];
    memcpy(words, event, sizeof words);
    uint64_t number = words[0] / 64;
    *torn = false;
    for (size_t i = 0; i < APUS_EVENT_WORDS; i++) {
        if (words[i] != stress_word(number, i)) *torn = true;
    }
    return number;
}

static void check_event(const apus_event* event, uint64_t wanted, uint64_t* follows, stress_outcome* seen) {
    bool torn;
    uint64_t number = number_of(event, &torn);
    if (torn) {
        seen->torn++;
    } else if (number != wanted) {
        seen->stale++;
    } else if (number < *follows) {
        seen->doubled++;
    } else if (number > *follows) {
        seen->unreported_loss++;
    } else {
        seen->taken++;
    }
    *follows = wanted + 1;
}

// The worst place to read: the oldest slot, which the writer overwrites next.
static void fall_behind(const feed_run* feed, const apus_feed_reader* reader) {
    while (!stress_flag(&feed->run.finished)
           && __atomic_load_n(reader->published, __ATOMIC_ACQUIRE) < reader->next + reader->mask) {
        sched_yield();
    }
}

static void* read_events(void* context) {
    feed_run* feed = context;
    stress_outcome seen = {0};
    stress_random random = {(uint64_t)(uintptr_t)&seen | 1};
    // It stands at the first event, also when this thread starts late: it accounts for every event of the run.
    apus_feed_reader reader = apus_public_reader(&feed->view, true);
    reader.next = 0;
    uint64_t follows = 0;
    bool last = false;
    while (!stress_forbidden(&seen)) {
        apus_event event;
        if (stress_next(&random) % 64 == 0) fall_behind(feed, &reader);
        uint64_t lost = reader.lost;
        enum apus_feed_result result = feed->run.variant == STRESS_REAL
                                           ? apus_feed_read(&reader, &event)
                                           : copy_read(&reader, &event, feed->run.variant, &random);
        if (result == APUS_FEED_EVENT) {
            check_event(&event, reader.next - 1, &follows, &seen);
        } else if (result == APUS_FEED_LAPPED) {
            seen.lost += reader.lost - lost;
            follows += reader.lost - lost;
        } else if (last) {
            break; // empty, and it was looked at after the writer's end
        } else {
            last = stress_flag(&feed->run.finished);
            if (!last) sched_yield();
        }
    }
    // Whatever was published up to the end has been taken or reported.
    if (!stress_forbidden(&seen) && seen.taken + seen.lost != __atomic_load_n(reader.published, __ATOMIC_ACQUIRE)) {
        seen.unreported_loss++;
    }
    if (stress_forbidden(&seen)) stress_finish(&feed->run);
    stress_add(&feed->run, &seen);
    return NULL;
}

int stress_feed(enum stress_variant variant, uint32_t slots, uint32_t readers, uint64_t events,
                stress_outcome* outcome) {
    feed_run* feed = calloc(1, sizeof *feed);
    if (feed == NULL) return -ENOMEM;
    feed->run = (stress_run){.variant = variant, .count = events, .lock = PTHREAD_MUTEX_INITIALIZER};
    apus_public_config config = {.feed_slots = slots, .instruments = 1, .board_depth = 1};
    int result = apus_public_create(&feed->view, &config);
    if (result == 0) {
        feed->writer = apus_public_writer(&feed->view);
        result = stress_threads(write_events, read_events, readers, feed);
        apus_public_close(&feed->view);
    }
    *outcome = feed->run.outcome;
    free(feed);
    return result;
}
