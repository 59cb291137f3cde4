// A copy of what the sockets received, handed by the hot thread to a recorder: a lossless-or-counted ring of bytes.
//
// One writer (the hot thread), one reader (the recorder). The writer copies a message in and never waits: a message for
// which there is no room is left out and counted, and the next one that fits says how many are missing. Memory is the
// caller's.
//
// Both sides keep to the rule of the queues: bytes are written before the release store of `head` and read after its
// acquire load; they are overwritten only after the acquire load of a `tail` that has passed them.
#ifndef APUS_TAP_H
#define APUS_TAP_H

#include "apus_limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum apus_tap_kind {
    APUS_TAP_TEXT = 1,   // a stream message
    APUS_TAP_BODY = 2,   // the body of a REST answer; the note is the request's path with its query
    APUS_TAP_BINARY = 3, // a binary stream message
    APUS_TAP_STATE = 4,  // a connection's state changed: the bytes are its name; the note is the reason's
};

// What stands before each message. A note and the bytes follow, then zeros up to a multiple of 8.
typedef struct apus_tap_head {
    uint32_t length;      // of the bytes
    uint16_t note_length; // of the note
    uint8_t kind;         // apus_tap_kind; 0: the rest of the ring up to its end is unused
    uint8_t reserved;
    uint16_t connection;
    uint16_t reserved2;
    uint32_t missing;    // messages left out before this one
    uint64_t receive_ns; // monotonic
    uint64_t kernel_ns;  // monotonic, or 0
} apus_tap_head;

_Static_assert(sizeof(apus_tap_head) == 32, "layout");

// Swift imports no over-aligned record: whoever gives the memory aligns it to a cache line.
typedef struct apus_tap {
    uint64_t head; // written by the writer
    uint64_t seen_tail;
    uint32_t missing; // left out since the newest message that fitted
    uint32_t reserved;
    uint64_t missing_total;
    uint64_t writer_padding[4];
    uint64_t tail; // written by the reader
    uint64_t reader_padding[7];
    uint8_t* memory;
    uint64_t mask;
} apus_tap;

_Static_assert(offsetof(apus_tap, tail) == APUS_CACHE_LINE, "writer and reader write different lines");

// `bytes` is a power of two; the memory is aligned to 8 and stays the caller's.
static inline void apus_tap_init(apus_tap* tap, uint8_t* memory, uint64_t bytes) {
    memset(tap, 0, sizeof *tap);
    tap->memory = memory;
    tap->mask = bytes - 1;
}

// Finds `need` bytes in one piece; the end of the ring is passed over when it is too short. Returns NULL when there is
// no room.
static inline uint8_t* apus_tap_room(apus_tap* tap, uint64_t need, uint64_t* skipped) {
    uint64_t capacity = tap->mask + 1, at = tap->head & tap->mask;
    *skipped = capacity - at < need ? capacity - at : 0;
    uint64_t total = need + *skipped;
    if (tap->head + total - tap->seen_tail > capacity) {
        tap->seen_tail = __atomic_load_n(&tap->tail, __ATOMIC_ACQUIRE);
        if (tap->head + total - tap->seen_tail > capacity) return NULL;
    }
    if (*skipped >= sizeof(uint64_t)) memset(tap->memory + at, 0, *skipped < 32 ? *skipped : 32);
    return tap->memory + ((at + *skipped) & tap->mask);
}

// Copies a message in. Writer only. Returns false when it was left out.
static inline bool apus_tap_write(apus_tap* tap, uint8_t kind, uint16_t connection, uint64_t receive_ns,
                                  uint64_t kernel_ns, const void* note, size_t note_length, const void* bytes,
                                  size_t length) {
    uint64_t need = (sizeof(apus_tap_head) + note_length + length + 7) & ~7ull, skipped;
    uint8_t* to =
        note_length > UINT16_MAX || length > UINT32_MAX || need > tap->mask ? NULL : apus_tap_room(tap, need, &skipped);
    if (to == NULL) {
        tap->missing++;
        tap->missing_total++;
        return false;
    }
    apus_tap_head head = {.length = (uint32_t)length,
                          .note_length = (uint16_t)note_length,
                          .kind = kind,
                          .connection = connection,
                          .missing = tap->missing,
                          .receive_ns = receive_ns,
                          .kernel_ns = kernel_ns};
    memcpy(to, &head, sizeof head);
    if (note_length > 0) memcpy(to + sizeof head, note, note_length);
    if (length > 0) memcpy(to + sizeof head + note_length, bytes, length);
    tap->missing = 0;
    __atomic_store_n(&tap->head, tap->head + skipped + need, __ATOMIC_RELEASE);
    return true;
}

// The oldest message, its note and bytes behind its head; NULL when there is none. Reader only. It stays until
// apus_tap_take.
static inline const apus_tap_head* apus_tap_peek(apus_tap* tap) {
    for (;;) {
        uint64_t tail = tap->tail;
        if (tail == __atomic_load_n(&tap->head, __ATOMIC_ACQUIRE)) return NULL;
        uint64_t at = tail & tap->mask, left = tap->mask + 1 - at;
        const apus_tap_head* head = (const apus_tap_head*)(const void*)(tap->memory + at);
        if (left >= sizeof *head && head->kind != 0) return head;
        __atomic_store_n(&tap->tail, tail + left, __ATOMIC_RELEASE);
    }
}

static inline const uint8_t* apus_tap_note(const apus_tap_head* head) {
    return (const uint8_t*)head + sizeof *head;
}

static inline const uint8_t* apus_tap_bytes(const apus_tap_head* head) {
    return apus_tap_note(head) + head->note_length;
}

// Gives the oldest message's room back. Reader only.
static inline void apus_tap_take(apus_tap* tap, const apus_tap_head* head) {
    uint64_t used = (sizeof *head + head->note_length + (uint64_t)head->length + 7) & ~7ull;
    __atomic_store_n(&tap->tail, tap->tail + used, __ATOMIC_RELEASE);
}

#endif
