// The feed ring: seqlock broadcast, one writer, any number of readers, lossy with an exact loss count.
//
// Slot n & mask holds event n. Its sequence is 2n + 1 while event n is being written and 2n + 2 when it is whole.
// Why this is right under the C11 model: the writer's odd store is ordered before the payload's stores by the release
// fence, the payload's stores before the even store by its release order. A reader that sees 2n + 2 (acquire) before and,
// after an acquire fence, 2n + 2 again has read only words of event n: had it read one word of a later event, the fence
// pair would make that event's odd store visible to its second load. The payload moves as relaxed atomic words, so there
// is no data race for the model or for ThreadSanitizer to find.
#ifndef APUS_FEED_H
#define APUS_FEED_H

#include "apus_event.h"
#include "apus_probes.h"

#include <string.h>

#define APUS_EVENT_WORDS (sizeof(apus_event) / sizeof(uint64_t))

// Swift imports no over-aligned record: whoever gives the memory aligns it to a cache line (the mappings are whole pages).
typedef struct apus_feed_slot {
    uint64_t sequence;
    uint64_t words[APUS_EVENT_WORDS];
} apus_feed_slot;

_Static_assert(sizeof(apus_feed_slot) == APUS_CACHE_LINE, "one event moves one cache line");

// The writer's side. One thread. `published` is the count of whole events, for readers that attach or were lapped.
typedef struct apus_feed_writer {
    apus_feed_slot* slots;
    uint64_t mask;
    uint64_t next;
    uint64_t* published;
} apus_feed_writer;

// A reader's side: one thread, nothing shared with other readers.
typedef struct apus_feed_reader {
    const apus_feed_slot* slots;
    uint64_t mask;
    uint64_t next;
    const uint64_t* published;
    uint64_t lost; // events lost since the reader was made, exactly
} apus_feed_reader;

enum apus_feed_result {
    APUS_FEED_EMPTY = 0,
    APUS_FEED_EVENT = 1,
    APUS_FEED_LAPPED = 2, // `lost` has grown; the reader now stands at the newest event
};

// Publishes one event; never fails and never waits. Returns the event's number.
static inline uint64_t apus_feed_publish(apus_feed_writer* writer, const apus_event* event) {
    uint64_t number = writer->next;
    apus_feed_slot* slot = &writer->slots[number & writer->mask];
    uint64_t words[APUS_EVENT_WORDS];
    memcpy(words, event, sizeof words);
    __atomic_store_n(&slot->sequence, 2 * number + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    for (size_t i = 0; i < APUS_EVENT_WORDS; i++) {
        __atomic_store_n(&slot->words[i], words[i], __ATOMIC_RELAXED);
    }
    __atomic_store_n(&slot->sequence, 2 * number + 2, __ATOMIC_RELEASE);
    apus_probe_published(&slot->words[0], &writer->next, &slot->words[offsetof(apus_event, publish_ns) / 8]);
    writer->next = number + 1;
    __atomic_store_n(writer->published, number + 1, __ATOMIC_RELEASE);
    return number;
}

// Moves a lapped reader to the newest event and counts what it skipped.
static inline enum apus_feed_result apus_feed_lapped(apus_feed_reader* reader) {
    uint64_t published = __atomic_load_n(reader->published, __ATOMIC_ACQUIRE);
    if (published <= reader->next) return APUS_FEED_EMPTY; // the overwriting event is not whole yet: look again
    reader->lost += published - reader->next;
    reader->next = published;
    return APUS_FEED_LAPPED;
}

// Takes the next event if there is one. `event` is written only for APUS_FEED_EVENT.
static inline enum apus_feed_result apus_feed_read(apus_feed_reader* reader, apus_event* event) {
    const apus_feed_slot* slot = &reader->slots[reader->next & reader->mask];
    uint64_t whole = 2 * reader->next + 2;
    uint64_t sequence = __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE);
    if (sequence < whole) return APUS_FEED_EMPTY;
    if (sequence == whole) {
        uint64_t words[APUS_EVENT_WORDS];
        for (size_t i = 0; i < APUS_EVENT_WORDS; i++) {
            words[i] = __atomic_load_n(&slot->words[i], __ATOMIC_RELAXED);
        }
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&slot->sequence, __ATOMIC_RELAXED) == whole) {
            memcpy(event, words, sizeof words);
            reader->next++;
            return APUS_FEED_EVENT;
        }
    }
    return apus_feed_lapped(reader);
}

// Whether there is something to read.
static inline bool apus_feed_waiting(const apus_feed_reader* reader) {
    return __atomic_load_n(reader->published, __ATOMIC_ACQUIRE) > reader->next;
}

// True while the slot at the reader's place holds a half-written event: with a dead writer it will stay so.
static inline bool apus_feed_torn(const apus_feed_reader* reader) {
    const apus_feed_slot* slot = &reader->slots[reader->next & reader->mask];
    return __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE) == 2 * reader->next + 1;
}

#endif
