// The order book of one instrument: exact, unbounded in price, thousands of levels a side.
//
// Each side keeps the ticks around its best price in a window (an array by tick with a bitmap) and everything else in sorted
// chunks, the far structure:
//
//            far (sorted chunks)          window: base ────────── best ── base + window      far
//   ─ ─ ─ ─ ┤      │   │  │    ├─ ─ ─ ─ ─┤ ││││  │││││ │││││││││││        ├─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ▶ key
//
// Asks are mirrored (their key is ~tick), so that both sides are "best is highest" and share every line of code. The window is
// addressed in a circle (slot = key & mask): when the market moves, only levels that leave or enter it are touched, and the best
// levels of many instruments do not all stand in the same sets of a cache.
//
// What always holds:
// - A price is in the window exactly when it is a whole number of ticks and its key is in [base, base + window). Everything
//   else (far away, off the tick, below zero) is in the far structure, at any key.
// - base is a multiple of 64, and no tick of the window is below 0. A slot without a level has quantity 0 and no bit. best_key is
//   the key of the highest bit, base - 1 when the window is empty.
// - best_price and *best_quantity are a side's best level, wherever it is; on an empty side they are 0 and NULL.
// - far_leads says that the best level is a far one. Then, and without a window, limit is 0: no change takes the short way.
//   Else limit is a little below the window's end, so that a best price that nears the end moves the window; at the window's end
//   where no tick lies beyond.
// - While best_key is not below floor_key, the window's best leads and is well inside.
// - error != 0: the book is empty and refuses every change until apus_book_clear.
//
// A window starts with APUS_BOOK_WINDOW_MIN ticks and doubles while many updates just miss it. All memory comes from the arena.
//
// A book and its arena belong to one thread. Prices and quantities are in the instrument's units; a quantity is never negative.
#ifndef APUS_BOOK_H
#define APUS_BOOK_H

#include "apus_arena.h"
#include "apus_board.h"
#include "apus_limits.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

enum { APUS_SIDE_BID = 0, APUS_SIDE_ASK = 1 };

// What a change did, as bits. A deletion of a level that is not there is 0.
enum {
    APUS_BOOK_SET_PRESENT = 1, // the level exists now
    APUS_BOOK_SET_EXISTED = 2, // the level existed before
    APUS_BOOK_SET_TOUCH = 4,   // the side's best price or its quantity is another one now
};
#define APUS_BOOK_SET_INSERTED APUS_BOOK_SET_PRESENT
#define APUS_BOOK_SET_DELETED APUS_BOOK_SET_EXISTED
#define APUS_BOOK_SET_CHANGED 3

typedef struct apus_book_chunk apus_book_chunk;

// Sorted chunks under a directory of their lowest keys. A key here is a price, mirrored for asks.
typedef struct apus_book_far {
    int64_t* firsts;   // directory: the lowest key of each chunk, and behind `capacity` of them the chunks' addresses
    uint32_t count;    // chunks
    uint32_t capacity; // places in the directory
    uint32_t levels;
    uint32_t reserved;
} apus_book_far;

// The first 64 bytes are what a common change needs.
typedef struct apus_book_side {
    int64_t* quantities; // by slot
    uint64_t* bits;
    uint64_t base;     // lowest key of the window
    uint64_t limit;    // keys from base to base + limit - 1 may take the short way
    int64_t best_key;  // highest key of the window
    uint64_t flip;     // 0 for bids, all ones for asks
    uint64_t counters; // levels in the window, and above bit 32 updates on the short way
    uint64_t mask;     // ticks of the window - 1

    int64_t floor_key;
    uint32_t window;       // ticks, a power of two; 0 until the first level
    uint32_t updates_seen; // updates at the last look
    uint16_t near_misses;  // updates that a window of twice the size would have held, since the last look
    uint16_t drift;        // updates near the best but outside the window, since it last moved
    uint32_t far_leads;
    apus_book_far far;
    uint64_t reserved[2];
} apus_book_side;

// A common change and the best prices need the first cache line, the first of the side, a word of its bits and a quantity.
typedef struct apus_book {
    uint64_t tick_inverse; // of tick_units >> tick_shift, modulo 2^64
    uint32_t tick_shift;   // trailing zeros of tick_units
    int32_t error;         // 0 or a negative errno
    int64_t best_price[2];
    const int64_t* best_quantity[2]; // where it stands: a new quantity there needs no other change
    int64_t tick_units;
    apus_arena* arena;
    apus_book_side sides[2];
} apus_book;

_Static_assert(sizeof(apus_book_side) == 128 && sizeof(apus_book) == 320, "a book on a cache line uses few of them");

typedef struct apus_touch {
    int64_t bid_price;
    int64_t bid_quantity; // 0: no bids
    int64_t ask_price;
    int64_t ask_quantity; // 0: no asks
} apus_touch;

// Makes an empty book that takes no memory yet. tick_units is the price step (at least 1); prices off it are right, but slower.
// Returns 0 or -EINVAL.
int apus_book_init(apus_book* book, apus_arena* arena, int64_t tick_units);

// Removes every level, gives all memory back and ends an error. The tick stays.
void apus_book_clear(apus_book* book);

// Another tick size; every level stays. Returns 0, -EINVAL for a tick below 1, or the error of a full arena (the book is
// empty then and says so).
int apus_book_set_tick(apus_book* book, int64_t tick_units);

// The parts that are not on the common path. Not to be called from elsewhere.
int apus_book_set_slow(apus_book* book, apus_book_side* side, int64_t price, int64_t quantity);
int apus_book_set_top(apus_book* book, apus_book_side* side, uint64_t key, int64_t price, int64_t quantity);

// The tick of a price that is a whole number of ticks. Any other price, and any below 0, gives a number that no window holds:
// multiplied by the inverse of the odd part, only multiples become small, and the rotation puts what the even part leaves over
// at the top.
static inline uint64_t apus_book_tick(const apus_book* book, int64_t price) {
    uint64_t product = (uint64_t)price * book->tick_inverse;
    return product >> book->tick_shift | product << (-book->tick_shift & 63);
}

// Sets the quantity of a price; 0 deletes it. Returns APUS_BOOK_SET_ bits, or a negative errno: -ENOMEM when the arena is full,
// -EINVAL for a negative quantity. After an error the book is empty and every change gives that error until apus_book_clear.
static inline int apus_book_set(apus_book* book, uint32_t side_number, int64_t price, int64_t quantity) {
    apus_book_side* side = &book->sides[side_number];
    uint64_t key = apus_book_tick(book, price) ^ side->flip;
    if (__builtin_expect(key - side->base >= side->limit || quantity < 0, 0)) {
        return apus_book_set_slow(book, side, price, quantity);
    }
    uint64_t present = quantity != 0;
    // A level above the best one, or the end of the best one.
    if (__builtin_expect((int64_t)(key + 1 - present) > side->best_key, 0)) {
        return apus_book_set_top(book, side, key, price, quantity);
    }
    uint64_t slot = key & side->mask;
    int64_t before = side->quantities[slot];
    uint64_t existed = before != 0;
    side->quantities[slot] = quantity;
    side->bits[slot >> 6] ^= (present ^ existed) << (slot & 63);
    side->counters += (1ull << 32) + present - existed;
    uint64_t touch = ((int64_t)key == side->best_key) & (before != quantity);
    return (int)(present | existed << 1 | touch << 2);
}

// Sets many levels of one side. Returns the union of their bits, or the first error.
int apus_book_apply(apus_book* book, uint32_t side_number, const apus_level* levels, uint32_t count);

// Whether a side has a level; if so `price` becomes its best price.
static inline bool apus_book_best_price(const apus_book* book, uint32_t side_number, int64_t* price) {
    *price = book->best_price[side_number];
    return book->best_quantity[side_number] != NULL;
}

// The best level of a side; price and quantity are 0 when there is none.
static inline apus_level apus_book_best_level(const apus_book* book, uint32_t side_number) {
    const int64_t* quantity = book->best_quantity[side_number];
    return (apus_level){book->best_price[side_number], quantity != NULL ? *quantity : 0};
}

// Best bid and best ask.
static inline apus_touch apus_book_best(const apus_book* book) {
    apus_level bid = apus_book_best_level(book, APUS_SIDE_BID);
    apus_level ask = apus_book_best_level(book, APUS_SIDE_ASK);
    return (apus_touch){bid.price, bid.quantity, ask.price, ask.quantity};
}

static inline uint32_t apus_book_level_count(const apus_book* book, uint32_t side_number) {
    return (uint32_t)book->sides[side_number].counters + book->sides[side_number].far.levels;
}

// Whether a side has no level.
static inline bool apus_book_empty(const apus_book* book, uint32_t side_number) {
    return apus_book_level_count(book, side_number) == 0;
}

// Whether the best bid is at or above the best ask.
static inline bool apus_book_crossed(const apus_book* book) {
    apus_touch touch = apus_book_best(book);
    return touch.bid_quantity != 0 && touch.ask_quantity != 0 && touch.bid_price >= touch.ask_price;
}

// The quantity at a price, 0 when there is no such level.
int64_t apus_book_quantity(const apus_book* book, uint32_t side_number, int64_t price);

// Copies the best `count` levels, best first. Returns how many there were.
uint32_t apus_book_depth(const apus_book* book, uint32_t side_number, apus_level* levels, uint32_t count);

// How many levels are better than `price`, counted up to `limit`.
uint32_t apus_book_rank(const apus_book* book, uint32_t side_number, int64_t price, uint32_t limit);

// The sum of the best `count` levels' quantities, and of all levels at `price` or better. Saturates at INT64_MAX.
int64_t apus_book_sum_depth(const apus_book* book, uint32_t side_number, uint32_t count);
int64_t apus_book_sum_price(const apus_book* book, uint32_t side_number, int64_t price);

// Bytes of the arena that the book holds.
uint64_t apus_book_memory(const apus_book* book);

// Walks all levels of a side, best first. The book must not change meanwhile.
typedef struct apus_book_cursor {
    const apus_book* book;
    const apus_book_side* side;
    uint64_t word;     // bits of the window's current word that are still to come
    uint64_t word_key; // key of that word's first bit
    uint32_t chunk;    // far: chunk number + 1, 0 at the end
    uint32_t entry;    // far: levels of that chunk that are still to come
} apus_book_cursor;

void apus_book_cursor_init(apus_book_cursor* cursor, const apus_book* book, uint32_t side_number);

// The same for the levels that are worse than `price`.
void apus_book_cursor_behind(apus_book_cursor* cursor, const apus_book* book, uint32_t side_number, int64_t price);

// Gives the next level. Returns false at the end.
bool apus_book_cursor_next(apus_book_cursor* cursor, apus_level* level);

#endif
