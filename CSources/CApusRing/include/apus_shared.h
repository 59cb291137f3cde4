// The two mappings. Public: a named file in /dev/shm that other processes may attach to, read-only. Private: the engine's own.
#ifndef APUS_SHARED_H
#define APUS_SHARED_H

#include "apus_board.h"
#include "apus_counters.h"
#include "apus_feed.h"
#include "apus_queue.h"

#define APUS_MAGIC 0x3142555053555041ull // "APUSPUB1"

// What a reader must know of an instrument. Written once, before `ready`; `ready` counts up when it is renewed.
typedef struct apus_directory_entry {
    char symbol[APUS_SYMBOL_BYTES];
    char venue[16];
    uint64_t ready;
    int64_t tick; // in price units
    int64_t lot;  // in quantity units
    uint8_t price_decimals;
    uint8_t quantity_decimals;
    uint8_t reserved[54];
} apus_directory_entry;

_Static_assert(sizeof(apus_directory_entry) == 192, "layout");

// First page of the public mapping. Offsets are from its start; there are no pointers in it.
typedef struct apus_public_header {
    uint64_t magic;
    uint32_t version;
    uint32_t header_bytes;
    uint64_t total_bytes;
    uint64_t feed_offset;
    uint64_t board_offset;
    uint64_t counters_offset;
    uint64_t directory_offset;
    uint32_t feed_slots;
    uint32_t instruments;
    uint32_t board_depth;
    uint32_t writer_pid;
    uint64_t start_realtime_ns;
    uint64_t writer_start_ticks; // the writer's start time in /proc, so that a reused pid is not taken for it
    uint64_t reserved[5];
    uint64_t published; // the feed writer's line
    uint64_t published_padding[7];
    uint64_t heartbeat_ns; // CLOCK_MONOTONIC, by the hot thread at least every 100 ms while it lives
    uint64_t instrument_count;
    uint64_t closed; // 1 after an orderly stop
    uint64_t heartbeat_padding[5];
} apus_public_header;

_Static_assert(offsetof(apus_public_header, published) % APUS_CACHE_LINE == 0, "the writer's word has its own line");
_Static_assert(offsetof(apus_public_header, heartbeat_ns) % APUS_CACHE_LINE == 0, "layout");
_Static_assert(sizeof(apus_public_header) <= APUS_PAGE, "the header is one page");

typedef struct apus_public_config {
    const char* name;    // file name in /dev/shm without a slash; NULL: an anonymous mapping that nobody can attach to
    uint32_t feed_slots; // power of two
    uint32_t instruments;
    uint32_t board_depth;
} apus_public_config;

// A mapped view. The pointers lead into the mapping.
typedef struct apus_public {
    apus_public_header* header;
    apus_directory_entry* directory;
    apus_counters* counters;
    apus_feed_slot* slots;
    apus_board board;
    uint64_t bytes;
    bool owner;
    bool locked; // its pages are locked in memory
    char name[128];
} apus_public;

// Makes the mapping, prefaulted, and locked where the limit allows. Returns 0; -EINVAL for a size out of limits; -EEXIST when a
// living writer holds the name; another negative errno from the system.
int apus_public_create(apus_public* view, const apus_public_config* config);

// Attaches read-only. Returns 0; -ENOENT; -EPROTO for a file that is no such mapping; -EPROTOTYPE for another layout version.
int apus_public_attach(apus_public* view, const char* name);

// Unmaps; the owner marks it closed and removes the name. Safe to call twice.
void apus_public_close(apus_public* view);

enum apus_writer_life {
    APUS_WRITER_ALIVE = 0,
    APUS_WRITER_CLOSED = 1,  // stopped in order
    APUS_WRITER_STALLED = 2, // the process lives but its heartbeat is more than a second old
    APUS_WRITER_DEAD = 3,
};

// Whether the process that writes is still there. Any process.
enum apus_writer_life apus_public_life(const apus_public* view, uint64_t now_ns);

apus_feed_writer apus_public_writer(apus_public* view);
// A reader that starts at the newest event (`from_oldest` false) or at the oldest that is still there.
apus_feed_reader apus_public_reader(const apus_public* view, bool from_oldest);

typedef struct apus_private {
    apus_queue* orders;
    apus_queue* reports;
    apus_queue* commands;
    uint64_t* trading; // APUS_TRADING_WORDS of apus_trading_state: gate and guard look at them for every order
    uint64_t* stop;    // not 0: the hot thread ends its loop
    uint64_t* durable; // by the journal thread: journal records up to this number survive the machine
    uint64_t* decided; // by the decision thread: the monotonic time of its newest turn
    void* base;
    uint64_t bytes;
} apus_private;

int apus_private_create(apus_private* view);
void apus_private_close(apus_private* view);

// Hot thread. Takes the next order that may leave: one whose intent must be durable first stays in the ring, and those behind
// it with it, so that their order is kept.
static inline bool apus_order_take(const apus_private* rings, apus_order* order) {
    const apus_order* next = (const apus_order*)apus_queue_peek(rings->orders);
    if (next == NULL) return false;
    if (next->journal != 0 && __atomic_load_n(rings->durable, __ATOMIC_ACQUIRE) < next->journal) return false;
    return apus_order_pop(rings->orders, order);
}

static inline void apus_flag_set(uint64_t* flag, uint64_t value) {
    __atomic_store_n(flag, value, __ATOMIC_RELEASE);
}
static inline uint64_t apus_flag(const uint64_t* flag) {
    return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

// The strictest of a private mapping's trading words.
static inline uint64_t apus_trading(const uint64_t* words) {
    uint64_t strictest = apus_flag(words);
    for (int word = 1; word < APUS_TRADING_WORDS; word++) {
        uint64_t state = apus_flag(words + word);
        if (state > strictest) strictest = state;
    }
    return strictest;
}

// The strictest of those that others than the decision thread set.
static inline uint64_t apus_trading_outside(const uint64_t* words) {
    uint64_t control = apus_flag(words + APUS_TRADING_CONTROL);
    uint64_t journal = apus_flag(words + APUS_TRADING_JOURNAL);
    return control > journal ? control : journal;
}

#endif
