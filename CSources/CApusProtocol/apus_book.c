#include "apus_book.h"

#include "apus_book_far.h"

#include <string.h>

enum {
    WORD = 64,
    // A window is laid out with this many sixteenths of it below the best price and the rest above,
    PLACE_BEST = 12,
    // and is moved when the best price has left these.
    KEEP_FROM = 4,
    KEEP_TO = 15,
    // Updates beside the window, yet near the best price, after which it moves there. A single stray price moves nothing.
    DRIFT_MAX = 16,
    // The window doubles when so many updates that a doubled one would have held came within GROW_SHARE times as many updates.
    NEAR_MISSES_MAX = 512,
    GROW_SHARE = 32,
};

// Beyond these a side has no window: arithmetic with keys of a window must not wrap around.
static const int64_t WINDOW_TICK_MAX = (int64_t)1 << 40;
static const int64_t WINDOW_PRICE_MAX = (int64_t)1 << 62;

// MARK: keys and offsets

static int64_t price_at(const apus_book* book, const apus_book_side* side, uint64_t offset) {
    return (int64_t)(((side->base + offset) ^ side->flip) * (uint64_t)book->tick_units);
}

// The order of levels over both structures: higher is better.
static int64_t far_key(const apus_book_side* side, int64_t price) {
    return price ^ (int64_t)side->flip;
}

// Whether a price's place is in the window, and at which offset.
static bool locate(const apus_book* book, const apus_book_side* side, int64_t price, uint64_t* offset) {
    uint64_t tick = apus_book_tick(book, price);
    *offset = (tick ^ side->flip) - side->base;
    return tick * (uint64_t)book->tick_units == (uint64_t)price && *offset < side->window;
}

static uint64_t slot_of(const apus_book_side* side, uint64_t offset) {
    return (side->base + offset) & side->mask;
}

static uint64_t* word_of(const apus_book_side* side, uint64_t offset) {
    return &side->bits[slot_of(side, offset) / WORD];
}

// The highest set offset below `offset`, or -1. Words are read one after the other: a window has at most 512 of them.
static int64_t find_below(const apus_book_side* side, uint64_t offset) {
    if (offset == 0 || side->window_levels == 0) return -1;
    uint64_t at = offset - 1;
    uint64_t word = *word_of(side, at) & (UINT64_MAX >> (WORD - 1 - at % WORD));
    while (word == 0) {
        if (at < WORD) return -1;
        at -= WORD;
        word = *word_of(side, at);
    }
    return (int64_t)(at / WORD * WORD + (uint64_t)(WORD - 1 - __builtin_clzll(word)));
}

static void put(apus_book_side* side, uint64_t offset, int64_t quantity) {
    uint64_t bit = 1ull << offset % WORD;
    uint64_t* word = word_of(side, offset);
    side->window_levels += (*word & bit) == 0;
    *word |= bit;
    side->quantities[slot_of(side, offset)] = quantity;
}

// MARK: the best level

apus_level apus_book_far_best(const apus_book_side* side) {
    int64_t quantity;
    int64_t key = apus_far_best(&side->far, &quantity);
    return (apus_level){.price = far_key(side, key), .quantity = quantity};
}

static apus_level best_of(const apus_book* book, const apus_book_side* side) {
    return apus_book_best_level(book, side->flip & 1);
}

// After a change of the far structure, of the window's best level, or of the window itself: says again where the best level is.
static void settle(const apus_book* book, apus_book_side* side) {
    side->far_leads = false;
    if (side->far.levels > 0) {
        int64_t key = far_key(side, apus_book_far_best(side).price);
        side->far_leads =
            side->best_offset < 0 || key > far_key(side, price_at(book, side, (uint64_t)side->best_offset));
    }
    side->limit = side->far_leads ? 0 : side->window / 16 * KEEP_TO;
}

// MARK: memory

static void free_window(apus_book* book, apus_book_side* side) {
    apus_arena_free(book->arena, side->quantities, side->window * sizeof(int64_t));
    apus_arena_free(book->arena, side->bits, side->window / 8);
    side->quantities = NULL;
    side->bits = NULL;
    side->window = side->mask = side->limit = 0;
    side->window_levels = 0;
    side->best_offset = -1;
}

static void reset_side(apus_book* book, apus_book_side* side, uint64_t flip) {
    free_window(book, side);
    apus_far_clear(&side->far, book->arena);
    memset(side, 0, sizeof *side);
    side->best_offset = -1;
    side->flip = flip;
}

static void set_tick_units(apus_book* book, int64_t tick_units) {
    book->tick_units = tick_units;
    book->tick_reciprocal = ((1ull << 63) + (uint64_t)tick_units - 1) / (uint64_t)tick_units;
}

int apus_book_init(apus_book* book, apus_arena* arena, int64_t tick_units) {
    if (arena == NULL || tick_units < 1) return -EINVAL;
    memset(book, 0, sizeof *book);
    book->arena = arena;
    set_tick_units(book, tick_units);
    apus_book_clear(book);
    return 0;
}

void apus_book_clear(apus_book* book) {
    reset_side(book, &book->sides[APUS_SIDE_BID], 0);
    reset_side(book, &book->sides[APUS_SIDE_ASK], UINT64_MAX);
    book->error = 0;
}

// A book that cannot be right is empty and says so.
static int fail(apus_book* book, int error) {
    apus_book_clear(book);
    book->error = error;
    return error;
}

uint64_t apus_book_memory(const apus_book* book) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < 2; i++) {
        const apus_book_side* side = &book->sides[i];
        bytes += apus_arena_block_bytes(side->window * sizeof(int64_t)) + apus_arena_block_bytes(side->window / 8);
        bytes += apus_far_memory(&side->far);
    }
    return bytes;
}

// MARK: moving levels between window and far

// Moves the window's levels of offsets from to to (multiples of a word) into the far structure.
static int evict(apus_book* book, apus_book_side* side, uint64_t from, uint64_t to) {
    for (uint64_t at = from; at < to && side->window_levels > 0; at += WORD) {
        uint64_t* word = word_of(side, at);
        while (*word != 0) {
            uint64_t offset = at + (uint64_t)__builtin_ctzll(*word);
            int64_t key = far_key(side, price_at(book, side, offset));
            int result = apus_far_set(&side->far, book->arena, key, side->quantities[slot_of(side, offset)]);
            if (result < 0) return result;
            *word &= *word - 1;
            side->window_levels--;
        }
    }
    return 0;
}

typedef struct pull_context {
    const apus_book* book;
    apus_book_side* side;
} pull_context;

static bool pull_level(void* context, int64_t key, int64_t quantity) {
    pull_context* pull = context;
    uint64_t offset;
    if (!locate(pull->book, pull->side, far_key(pull->side, key), &offset)) return false;
    put(pull->side, offset, quantity);
    return true;
}

// Moves what the far structure has at offsets from to to - 1 into the window.
static void pull(apus_book* book, apus_book_side* side, uint64_t from, uint64_t to) {
    if (from >= to || side->far.levels == 0) return;
    pull_context context = {.book = book, .side = side};
    int64_t low = far_key(side, price_at(book, side, from));
    int64_t high = far_key(side, price_at(book, side, to - 1));
    apus_far_extract(&side->far, book->arena, low, high, pull_level, &context);
}

static uint64_t base_around(uint64_t key, uint64_t window) {
    return (key - window / 16 * PLACE_BEST) & ~(uint64_t)(WORD - 1);
}

// Moves the window so that it begins at `base`.
static int move_window(apus_book* book, apus_book_side* side, uint64_t base) {
    uint64_t window = side->window;
    int64_t shift = (int64_t)(base - side->base);
    uint64_t distance = shift < 0 ? (uint64_t)-shift : (uint64_t)shift;
    if (distance > window) distance = window;
    int result = shift > 0 ? evict(book, side, 0, distance) : evict(book, side, window - distance, window);
    if (result != 0) return fail(book, result);
    side->base = base;
    if (shift > 0)
        pull(book, side, window - distance, window);
    else
        pull(book, side, 0, distance);
    side->best_offset = find_below(side, window);
    side->drift = 0;
    settle(book, side);
    return 0;
}

// Whether a window may lie around a price.
static bool windowable(const apus_book* book, int64_t price) {
    return price >= 0 && price <= WINDOW_PRICE_MAX && book->tick_units <= WINDOW_TICK_MAX;
}

// Gives a side without a window one of `window` ticks around `key`. Without memory for it the side stays as it is: slower, not wrong.
static bool open_window(apus_book* book, apus_book_side* side, uint64_t key, uint64_t window) {
    int64_t* quantities = apus_arena_alloc(book->arena, window * sizeof(int64_t));
    uint64_t* bits = apus_arena_alloc(book->arena, window / 8);
    if (quantities == NULL || bits == NULL) {
        apus_arena_free(book->arena, quantities, window * sizeof(int64_t));
        apus_arena_free(book->arena, bits, window / 8);
        return false;
    }
    memset(bits, 0, window / 8);
    side->quantities = quantities;
    side->bits = bits;
    side->window = window;
    side->mask = window - 1;
    side->base = base_around(key, window);
    pull(book, side, 0, window);
    side->best_offset = find_below(side, window);
    side->drift = 0;
    settle(book, side);
    return true;
}

// Doubles the window around its best level, which is the highest: every level that it has keeps its place.
static void grow_window(apus_book* book, apus_book_side* side) {
    apus_book_side old = *side;
    uint64_t best = old.base + (uint64_t)old.best_offset;
    side->window_levels = 0;
    side->far.levels = 0; // Levels are copied before any is pulled.
    if (!open_window(book, side, best, old.window * 2)) {
        *side = old;
        return;
    }
    side->far.levels = old.far.levels;
    for (uint64_t at = 0; at < old.window; at += WORD) {
        for (uint64_t word = *word_of(&old, at); word != 0; word &= word - 1) {
            uint64_t offset = at + (uint64_t)__builtin_ctzll(word);
            put(side, old.base + offset - side->base, old.quantities[slot_of(&old, offset)]);
        }
    }
    pull(book, side, 0, side->window);
    side->best_offset = find_below(side, side->window);
    settle(book, side);
    free_window(book, &old);
}

// MARK: changes

// After a change of the window's best level: moves the window when that level nears its edge.
static int keep_centred(apus_book* book, apus_book_side* side) {
    uint64_t sixteenth = side->window / 16;
    uint64_t best = (uint64_t)side->best_offset;
    if (best - KEEP_FROM * sixteenth < (KEEP_TO - KEEP_FROM) * sixteenth) return 0;
    if (side->best_offset < 0 && side->far.levels == 0) return 0;
    int64_t price = side->best_offset < 0 ? best_of(book, side).price : price_at(book, side, best);
    if (!windowable(book, price)) return 0;
    return move_window(book, side, base_around(apus_book_tick(book, price) ^ side->flip, side->window));
}

// Takes a level out of the window.
static void take(apus_book_side* side, uint64_t offset) {
    *word_of(side, offset) &= ~(1ull << offset % WORD);
    side->window_levels--;
    if ((int64_t)offset == side->best_offset) side->best_offset = find_below(side, offset);
}

int apus_book_delete_best(apus_book* book, apus_book_side* side) {
    take(side, (uint64_t)side->best_offset);
    side->updates++;
    settle(book, side);
    int error = keep_centred(book, side);
    return error < 0 ? error : APUS_BOOK_SET_DELETED | APUS_BOOK_SET_TOUCH;
}

// A change inside the window that may not take the short way.
static int set_in_window(apus_book* book, apus_book_side* side, uint64_t offset, int64_t quantity) {
    int result = *word_of(side, offset) >> offset % WORD & 1 ? APUS_BOOK_SET_EXISTED : 0;
    side->updates++;
    if (quantity != 0) {
        put(side, offset, quantity);
        if ((int64_t)offset > side->best_offset) side->best_offset = (int64_t)offset;
        result |= APUS_BOOK_SET_PRESENT;
    } else if (result != 0) {
        take(side, offset);
    }
    settle(book, side);
    int error = keep_centred(book, side);
    return error < 0 ? error : result;
}

// Takes note of an update on the tick that the window did not hold, and lets the window grow or follow.
static int note_miss(apus_book* book, apus_book_side* side, int64_t price) {
    uint64_t tick = apus_book_tick(book, price);
    if (tick * (uint64_t)book->tick_units != (uint64_t)price || side->window == 0) return 0;
    uint64_t key = tick ^ side->flip;
    uint64_t window = side->window;
    if (side->best_offset >= 0 && window < APUS_BOOK_WINDOW_MAX
        && key - base_around(side->base + (uint64_t)side->best_offset, window * 2) < window * 2
        && ++side->near_misses >= NEAR_MISSES_MAX) {
        if (side->updates - side->updates_seen < NEAR_MISSES_MAX * GROW_SHARE) grow_window(book, side);
        side->near_misses = 0;
        side->updates_seen = side->updates;
    }
    apus_level best = best_of(book, side);
    if (best.quantity == 0 || !windowable(book, best.price)) return 0;
    uint64_t wanted = base_around(apus_book_tick(book, best.price) ^ side->flip, side->window);
    if (key - wanted >= side->window || key - side->base < side->window || ++side->drift < DRIFT_MAX) return 0;
    return move_window(book, side, wanted);
}

static int set_outside(apus_book* book, apus_book_side* side, int64_t price, int64_t quantity) {
    int result = apus_far_set(&side->far, book->arena, far_key(side, price), quantity);
    if (result < 0) return fail(book, result);
    if (result == 0) return 0;
    settle(book, side);
    int error = note_miss(book, side, price);
    return error < 0 ? error : result;
}

int apus_book_set_slow(apus_book* book, apus_book_side* side, int64_t price, int64_t quantity) {
    if (book->error != 0) return book->error;
    if (quantity < 0) return fail(book, -EINVAL);
    if (side->window == 0 && quantity > 0 && windowable(book, price))
        open_window(book, side, apus_book_tick(book, price) ^ side->flip, APUS_BOOK_WINDOW_MIN);
    apus_level before = best_of(book, side);
    uint64_t offset;
    int result = locate(book, side, price, &offset) ? set_in_window(book, side, offset, quantity)
                                                    : set_outside(book, side, price, quantity);
    if (result < 0) return result;
    apus_level after = best_of(book, side);
    bool touch = before.price != after.price || before.quantity != after.quantity;
    return touch ? result | APUS_BOOK_SET_TOUCH : result;
}

int apus_book_apply(apus_book* book, uint32_t side_number, const apus_level* levels, uint32_t count) {
    int united = 0;
    for (uint32_t i = 0; i < count; i++) {
        int result = apus_book_set(book, side_number, levels[i].price, levels[i].quantity);
        if (__builtin_expect(result < 0, 0)) return result;
        united |= result;
    }
    return united;
}

int apus_book_set_tick(apus_book* book, int64_t tick_units) {
    if (tick_units < 1) return -EINVAL;
    if (book->error != 0) return book->error;
    for (uint32_t i = 0; i < 2; i++) {
        apus_book_side* side = &book->sides[i];
        int result = evict(book, side, 0, side->window);
        if (result != 0) return fail(book, result);
        free_window(book, side);
    }
    set_tick_units(book, tick_units);
    for (uint32_t i = 0; i < 2; i++) {
        apus_book_side* side = &book->sides[i];
        settle(book, side);
        apus_level best = best_of(book, side);
        if (best.quantity == 0 || !windowable(book, best.price)) continue;
        open_window(book, side, apus_book_tick(book, best.price) ^ side->flip, APUS_BOOK_WINDOW_MIN);
    }
    return 0;
}
