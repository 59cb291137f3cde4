// The board: for each instrument the newest snapshot to a configured depth, each under its own seqlock.
// An entry is a row of 64-bit words: a header, then the bids best first, then the asks best first.
#ifndef APUS_BOARD_H
#define APUS_BOARD_H

#include "apus_event.h"
#include <errno.h>

// Price and quantity in the instrument's units.
typedef struct apus_level {
    int64_t price;
    int64_t quantity;
} apus_level;

typedef struct apus_board_header {
    uint64_t sequence;     // odd while the entry is being written
    uint64_t event_number; // the feed event that announced this snapshot
    uint64_t update_id;    // the venue's, in full
    uint64_t publish_ns;
    uint32_t bids; // levels present here, at most the board's depth
    uint32_t asks;
    uint32_t total_bids; // levels in the whole book
    uint32_t total_asks;
    uint32_t state; // apus_book_state
    uint32_t reserved[3];
} apus_board_header;

_Static_assert(sizeof(apus_board_header) == APUS_CACHE_LINE, "the header of an entry is one cache line");
_Static_assert(sizeof(apus_level) == 16, "layout");

// What one reader in the writer's own thread waits for on an instrument: any change of the levels at some prices.
typedef struct apus_board_watch {
    uint64_t prices[2]; // by side, bit apus_board_watch_bit(price)
    uint64_t touched;   // not 0: such a level may have changed since the reader cleared this
} apus_board_watch;

static inline uint64_t apus_board_watch_bit(int64_t price) {
    return 1ull << ((uint64_t)price * 0x9E3779B97F4A7C15ull >> 58);
}

typedef struct apus_board {
    uint8_t* base;
    uint32_t instruments;
    uint32_t depth;
    uint64_t stride; // bytes from one entry to the next
    // Simulated time only, where one thread writes and reads: the writer's own functions, so that an entry is written when it is
    // read and not at every event. NULL: the writer keeps every entry up to date, as other threads and processes need it.
    void (*complete)(void* writer, uint32_t instrument); // writes what is pending of an entry
    // What the entry shows at a price, at most `most`; -1 when that is less than `most` but the price is deeper than the entry.
    int64_t (*shown)(void* writer, uint32_t instrument, uint32_t side, int64_t price, int64_t most);
    apus_board_watch* watches; // by instrument
    void* writer;
} apus_board;

static inline uint64_t apus_board_stride(uint32_t depth) {
    return sizeof(apus_board_header) + 2ull * depth * sizeof(apus_level);
}

static inline apus_board_header* apus_board_entry(const apus_board* board, uint32_t instrument) {
    return (apus_board_header*)(void*)(board->base + instrument * board->stride);
}

// A word of any record.
typedef uint64_t __attribute__((may_alias)) apus_word;

static inline void apus_words_store(apus_word* to, const apus_word* from, size_t words) {
    for (size_t i = 0; i < words; i++) {
        __atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
    }
}

static inline void apus_words_load(apus_word* to, const apus_word* from, size_t words) {
    for (size_t i = 0; i < words; i++) {
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    }
}

// The levels of one side in an entry, best first: 0 for bids, 1 for asks.
static inline apus_level* apus_board_levels(const apus_board* board, apus_board_header* entry, uint32_t side) {
    return (apus_level*)(void*)(entry + 1) + (uint64_t)side * board->depth;
}

// Begins and ends the writing of an entry, which readers find torn meanwhile. Only the feed ring's writer may call these; it may
// read the entry as plain memory, and everything that it stores between the two it stores as relaxed words.
static inline apus_board_header* apus_board_begin(const apus_board* board, uint32_t instrument) {
    apus_board_header* entry = apus_board_entry(board, instrument);
    __atomic_store_n(&entry->sequence, entry->sequence + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    return entry;
}

// `header->sequence` is ignored; its bids and asks must be the levels that the entry has now.
static inline void apus_board_end(apus_board_header* entry, const apus_board_header* header) {
    apus_words_store((apus_word*)(void*)entry + 1, (const apus_word*)(const void*)header + 1, sizeof *header / 8 - 1);
    __atomic_store_n(&entry->sequence, entry->sequence + 1, __ATOMIC_RELEASE);
}

// Writes a whole entry. Only the feed ring's writer may call it. `header->sequence` is ignored; bids and asks must not exceed the
// depth.
static inline void apus_board_write(const apus_board* board, uint32_t instrument, const apus_board_header* header,
                                    const apus_level* bids, const apus_level* asks) {
    apus_board_header* entry = apus_board_begin(board, instrument);
    apus_words_store((apus_word*)(void*)apus_board_levels(board, entry, 0), (const apus_word*)(const void*)bids,
                     2ull * header->bids);
    apus_words_store((apus_word*)(void*)apus_board_levels(board, entry, 1), (const apus_word*)(const void*)asks,
                     2ull * header->asks);
    apus_board_end(entry, header);
}

// Copies an entry; `bids` and `asks` have room for the board's depth. Any thread. Returns 0, or -EAGAIN when the writer was
// in the middle of it at every try (if the heartbeat stands still, it died there).
static inline int apus_board_read(const apus_board* board, uint32_t instrument, apus_board_header* header,
                                  apus_level* bids, apus_level* asks) {
    if (board->complete != NULL) board->complete(board->writer, instrument);
    const apus_board_header* entry = apus_board_entry(board, instrument);
    const apus_word* words = (const apus_word*)(const void*)entry;
    for (uint32_t attempt = 0; attempt < APUS_BOARD_READ_TRIES; attempt++) {
        uint64_t before = __atomic_load_n(&entry->sequence, __ATOMIC_ACQUIRE);
        if (before & 1) continue;
        apus_words_load((apus_word*)(void*)header, words, sizeof *header / 8);
        uint32_t bid_count = header->bids <= board->depth ? header->bids : board->depth;
        uint32_t ask_count = header->asks <= board->depth ? header->asks : board->depth;
        apus_words_load((apus_word*)(void*)bids, words + sizeof *header / 8, 2ull * bid_count);
        apus_words_load((apus_word*)(void*)asks, words + sizeof *header / 8 + 2ull * board->depth, 2ull * ask_count);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&entry->sequence, __ATOMIC_RELAXED) == before) return 0;
    }
    return -EAGAIN;
}

#endif
