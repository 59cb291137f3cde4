// The order book of one instrument: exact, unbounded in price, thousands of levels a side.
//
// Each side keeps the ticks around its best price in a window (an array by tick with a bitmap) and everything else in sorted
// chunks, the far structure:
//
//            far (sorted chunks)          window: base ────────── best ── base + window      far
//   ─ ─ ─ ─ ┤      │   │  │    ├─ ─ ─ ─ ─┤ ││││  │││││ │││││││││││        ├─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ▶ key
//
// Asks are mirrored (their key is ~tick), so that both sides are "best is highest" and share every line of code. The window is
// addressed in a circle (slot = key & mask): when the market moves, only levels that leave or enter it are touched.
//
// What always holds:
// - A price is in the window exactly when it is a whole number of ticks and its key is in [base, base + window); `locate`
//   alone decides. Everything else (far away, off the tick, below zero) is in the far structure, at any key.
// - base is a multiple of 64; best_offset is the highest set bit of the window, -1 when it is empty.
// - best_price and best_quantity are the better of the window's best and the far best; an empty side has best_quantity 0.
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
    int64_t* firsts; // directory: lowest key of each chunk
    apus_book_chunk** chunks;
    uint32_t count;    // chunks
    uint32_t capacity; // places in the directory
    uint32_t levels;
    uint32_t reserved;
} apus_book_far;

typedef struct apus_book_side {
    int64_t* quantities; // by slot; valid where the bit is set
    uint64_t* bits;
    uint64_t base;       // key of offset 0
    uint64_t window;     // ticks, a power of two; 0 until the first level
    int64_t best_offset; // -1: the window is empty
    uint64_t flip;       // 0 for bids, all ones for asks
    uint64_t updates;
    uint32_t window_levels;
    uint32_t near_misses; // updates that a window of twice the size would have held, since the last look
    int64_t best_price;
    int64_t best_quantity; // 0: the side is empty
    uint64_t updates_seen; // `updates` at the last look
    uint32_t drift;        // updates near the best but outside the window, since it last moved
    uint32_t reserved;
    apus_book_far far;
} apus_book_side;

typedef struct apus_book {
    apus_book_side sides[2];
    int64_t tick_units;
    uint64_t tick_reciprocal; // ceil(2^63 / tick_units)
    apus_arena* arena;
    int32_t error; // 0 or a negative errno
    uint32_t reserved;
} apus_book;

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

// The parts of apus_book_set that are not on the common path. Not to be called from elsewhere.
int apus_book_set_touch(apus_book* book, apus_book_side* side, uint64_t offset, int64_t quantity);
int apus_book_set_far(apus_book* book, apus_book_side* side, int64_t price, int64_t quantity);

__extension__ typedef unsigned __int128 apus_u128;

// The tick of a price; `tick * tick_units == price` says whether there is one. Exact for every price of 0 to INT64_MAX.
static inline uint64_t apus_book_tick(const apus_book* book, int64_t price) {
    return (uint64_t)(((apus_u128)(uint64_t)price * book->tick_reciprocal) >> 63);
}

// Sets the quantity of a price; 0 deletes it. Returns APUS_BOOK_SET_ bits, or a negative errno: -ENOMEM when the arena is full,
// -EINVAL for a negative quantity. After an error the book is empty and every change gives that error until apus_book_clear.
static inline int apus_book_set(apus_book* book, uint32_t side_number, int64_t price, int64_t quantity) {
    apus_book_side* side = &book->sides[side_number];
    uint64_t tick = apus_book_tick(book, price);
    uint64_t key = tick ^ side->flip;
    uint64_t offset = key - side->base;
    bool elsewhere = tick * (uint64_t)book->tick_units != (uint64_t)price;
    if (__builtin_expect(elsewhere | (offset >= side->window) | (quantity < 0), 0)) {
        return apus_book_set_far(book, side, price, quantity);
    }
    if ((int64_t)offset >= side->best_offset) return apus_book_set_touch(book, side, offset, quantity);
    uint64_t slot = key & (side->window - 1);
    uint64_t* word = &side->bits[slot >> 6];
    uint64_t existed = *word >> (slot & 63) & 1;
    uint64_t present = quantity != 0;
    side->quantities[slot] = quantity;
    *word ^= (existed ^ present) << (slot & 63);
    side->window_levels += (uint32_t)(present - existed);
    side->updates++;
    return (int)(present | existed << 1);
}

// Sets many levels of one side. Returns the union of their bits, or the first error.
int apus_book_apply(apus_book* book, uint32_t side_number, const apus_level* levels, uint32_t count);

// Best bid and best ask.
static inline apus_touch apus_book_best(const apus_book* book) {
    return (apus_touch){book->sides[0].best_price, book->sides[0].best_quantity, book->sides[1].best_price,
                        book->sides[1].best_quantity};
}

// Whether a side has no level.
static inline bool apus_book_empty(const apus_book* book, uint32_t side_number) {
    return book->sides[side_number].best_quantity == 0;
}

// Whether the best bid is at or above the best ask.
static inline bool apus_book_crossed(const apus_book* book) {
    return book->sides[0].best_quantity != 0 && book->sides[1].best_quantity != 0
           && book->sides[0].best_price >= book->sides[1].best_price;
}

static inline uint32_t apus_book_level_count(const apus_book* book, uint32_t side_number) {
    return book->sides[side_number].window_levels + book->sides[side_number].far.levels;
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
    uint64_t word;       // bits of the window's current word that are still to come
    int64_t word_offset; // offset of that word's first bit; negative at the end
    uint32_t chunk;      // far: chunk number + 1, 0 at the end
    uint32_t entry;      // far: levels of that chunk that are still to come
} apus_book_cursor;

void apus_book_cursor_init(apus_book_cursor* cursor, const apus_book* book, uint32_t side_number);

// Gives the next level. Returns false at the end.
bool apus_book_cursor_next(apus_book_cursor* cursor, apus_level* level);

#endif
