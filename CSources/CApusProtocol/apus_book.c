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
    NEAR_MISSES_MAX = 256,
    GROW_SHARE = 128,
};

// Beyond these a side has no window: arithmetic with keys of a window must not wrap around.
static const int64_t WINDOW_TICK_MAX = (int64_t)1 << 40;
static const int64_t WINDOW_PRICE_MAX = (int64_t)1 << 62;

// MARK: keys

static int64_t price_at(const apus_book* book, const apus_book_side* side, uint64_t key) {
    return (int64_t)((key ^ side->flip) * (uint64_t)book->tick_units);
}

// The key of a price's tick, or of the tick below a price that is off the tick. Not for prices below 0.
static uint64_t key_of(const apus_book* book, const apus_book_side* side, int64_t price) {
    return (uint64_t)price / (uint64_t)book->tick_units ^ side->flip;
}

// The order of levels over both structures: higher is better.
static int64_t far_key(const apus_book_side* side, int64_t price) {
    return price ^ (int64_t)side->flip;
}

// Whether a price's place is in the window, and under which key.
static bool locate(const apus_book* book, const apus_book_side* side, int64_t price, uint64_t* key) {
    *key = apus_book_tick(book, price) ^ side->flip;
    return *key - side->base < side->window;
}

static uint64_t* word_of(const apus_book_side* side, uint64_t key) {
    return &side->bits[(key & side->mask) / WORD];
}

static int64_t* quantity_of(const apus_book_side* side, uint64_t key) {
    return &side->quantities[key & side->mask];
}

static bool window_empty(const apus_book_side* side) {
    return (uint32_t)side->counters == 0;
}

// The highest key of a level below `key`, or base - 1. Words are read one after the other: a window has at most 512 of them.
static int64_t find_below(const apus_book_side* side, uint64_t key) {
    if (key == side->base || window_empty(side)) return (int64_t)side->base - 1;
    uint64_t at = key - 1;
    uint64_t word = *word_of(side, at) & (UINT64_MAX >> (WORD - 1 - at % WORD));
    at &= ~(uint64_t)(WORD - 1);
    while (word == 0) {
        if (at == side->base) return (int64_t)side->base - 1;
        at -= WORD;
        word = *word_of(side, at);
    }
    return (int64_t)at + (WORD - 1 - __builtin_clzll(word));
}

// Puts a level where none is.
static void put(apus_book_side* side, uint64_t key, int64_t quantity) {
    *word_of(side, key) |= 1ull << key % WORD;
    *quantity_of(side, key) = quantity;
    side->counters++;
}

// Takes a level away.
static void take(apus_book_side* side, uint64_t key) {
    *word_of(side, key) &= ~(1ull << key % WORD);
    *quantity_of(side, key) = 0;
    side->counters--;
}

// MARK: the best level

static uint32_t number_of(const apus_book* book, const apus_book_side* side) {
    return (uint32_t)(side - book->sides);
}

static apus_level best_of(const apus_book* book, const apus_book_side* side) {
    return apus_book_best_level(book, number_of(book, side));
}

static void set_best(apus_book* book, const apus_book_side* side, int64_t price, const int64_t* quantity) {
    uint32_t number = number_of(book, side);
    book->best_price[number] = price;
    book->best_quantity[number] = quantity;
}

// After a change of the far structure, of the window's best level, or of the window itself: says again which level is the best,
// and how far the window's best may go before that must be asked again. Where ticks end, the window need not move any further.
static void settle(apus_book* book, apus_book_side* side) {
    uint64_t sixteenth = side->window / 16, end = side->base + side->window;
    side->floor_key = (int64_t)(side->base == 0 ? 0 : side->base + sixteenth * KEEP_FROM);
    side->far_leads = false;
    int64_t best_price = 0;
    const int64_t* best_quantity = NULL;
    if (!window_empty(side)) {
        best_price = price_at(book, side, (uint64_t)side->best_key);
        best_quantity = quantity_of(side, (uint64_t)side->best_key);
    }
    if (side->far.levels > 0) {
        const int64_t* quantity;
        int64_t key = apus_far_best(&side->far, &quantity);
        int64_t price = far_key(side, key);
        if (price >= 0) {
            // The window's best leads for certain from the tick above the far best on.
            int64_t at = (int64_t)key_of(book, side, price);
            if (at >= side->floor_key) side->floor_key = at < INT64_MAX ? at + 1 : at;
        }
        if (window_empty(side) || key > far_key(side, best_price)) {
            side->far_leads = true;
            best_price = price;
            best_quantity = quantity;
        }
    }
    set_best(book, side, best_price, best_quantity);
    side->limit = side->far_leads ? 0 : end == 0 ? side->window : sixteenth * KEEP_TO;
}

// MARK: memory

static void free_window(apus_book* book, apus_book_side* side) {
    if (side->window > 0) {
        apus_arena_free(book->arena, side->quantities, side->window * sizeof(int64_t));
        apus_arena_free(book->arena, side->bits, side->window / 8);
    }
    side->quantities = NULL;
    side->bits = NULL;
    side->window = 0;
    side->mask = side->limit = side->base = side->counters = 0;
    side->best_key = -1;
}

static void reset_side(apus_book* book, apus_book_side* side, uint64_t flip) {
    free_window(book, side);
    apus_far_clear(&side->far, book->arena);
    memset(side, 0, sizeof *side);
    side->best_key = -1;
    side->flip = flip;
    set_best(book, side, 0, NULL);
}

static void set_tick_units(apus_book* book, int64_t tick_units) {
    book->tick_units = tick_units;
    book->tick_shift = (uint32_t)__builtin_ctzll((uint64_t)tick_units);
    // Newton's iteration: right in 5 bits to begin with, in twice as many after each step.
    uint64_t odd = (uint64_t)tick_units >> book->tick_shift, inverse = odd * 3 ^ 2;
    for (uint32_t bits = 5; bits < 64; bits *= 2)
        inverse *= 2 - odd * inverse;
    book->tick_inverse = inverse;
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

// Moves the window's levels of keys from to to - 1 (multiples of a word) into the far structure.
static int evict(apus_book* book, apus_book_side* side, uint64_t from, uint64_t to) {
    for (uint64_t at = from; at != to && !window_empty(side); at += WORD) {
        uint64_t word = *word_of(side, at);
        for (; word != 0; word &= word - 1) {
            uint64_t key = at + (uint64_t)__builtin_ctzll(word);
            int64_t price = price_at(book, side, key);
            int result = apus_far_set(&side->far, book->arena, far_key(side, price), *quantity_of(side, key));
            if (result < 0) return result;
            take(side, key);
        }
    }
    return 0;
}

typedef struct pull_context {
    const apus_book* book;
    apus_book_side* side;
} pull_context;

static bool pull_level(void* context, int64_t order, int64_t quantity) {
    pull_context* pull = context;
    uint64_t key;
    if (!locate(pull->book, pull->side, far_key(pull->side, order), &key)) return false;
    put(pull->side, key, quantity);
    return true;
}

// Moves what the far structure has at keys from to to - 1 into the window.
static void pull(apus_book* book, apus_book_side* side, uint64_t from, uint64_t to) {
    if (from == to || side->far.levels == 0) return;
    pull_context context = {.book = book, .side = side};
    int64_t low = far_key(side, price_at(book, side, from));
    int64_t high = far_key(side, price_at(book, side, to - 1));
    apus_far_extract(&side->far, book->arena, low, high, pull_level, &context);
}

// Where a window around `key` begins. It does not go beyond tick 0, which is the lowest key of bids and the highest of asks.
static uint64_t base_around(uint64_t key, uint64_t window) {
    uint64_t below = window / 16 * PLACE_BEST;
    uint64_t base = key < below ? 0 : (key - below) & ~(uint64_t)(WORD - 1);
    return base < -window ? base : -window;
}

// Moves the window so that it begins at `base`.
static int move_window(apus_book* book, apus_book_side* side, uint64_t base) {
    uint64_t old = side->base, window = side->window;
    int64_t shift = (int64_t)(base - old);
    uint64_t distance = shift < 0 ? (uint64_t)-shift : (uint64_t)shift;
    if (distance > window) distance = window;
    int result =
        shift > 0 ? evict(book, side, old, old + distance) : evict(book, side, old + window - distance, old + window);
    if (result != 0) return fail(book, result);
    side->base = base;
    if (shift > 0)
        pull(book, side, base + window - distance, base + window);
    else
        pull(book, side, base, base + distance);
    side->best_key = find_below(side, base + window);
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
    memset(quantities, 0, window * sizeof(int64_t));
    memset(bits, 0, window / 8);
    side->quantities = quantities;
    side->bits = bits;
    side->window = (uint32_t)window;
    side->mask = window - 1;
    side->base = base_around(key, window);
    pull(book, side, side->base, side->base + window);
    side->best_key = find_below(side, side->base + window);
    side->drift = 0;
    settle(book, side);
    return true;
}

// Doubles the window around its best level, which is the highest: every level that it has keeps its place.
static void grow_window(apus_book* book, apus_book_side* side) {
    apus_book_side old = *side;
    side->far.levels = 0; // Levels are copied before any is pulled.
    side->counters &= ~(uint64_t)UINT32_MAX;
    if (!open_window(book, side, (uint64_t)old.best_key, old.window * 2ull)) {
        *side = old;
        return;
    }
    side->far.levels = old.far.levels;
    for (uint64_t at = old.base; at != old.base + old.window; at += WORD) {
        for (uint64_t word = *word_of(&old, at); word != 0; word &= word - 1) {
            uint64_t key = at + (uint64_t)__builtin_ctzll(word);
            put(side, key, *quantity_of(&old, key));
        }
    }
    pull(book, side, side->base, side->base + side->window);
    side->best_key = find_below(side, side->base + side->window);
    settle(book, side);
    free_window(book, &old);
}

// MARK: changes

// After a change of the window's best level: moves the window when that level nears its edge.
static int keep_centred(apus_book* book, apus_book_side* side) {
    uint32_t sixteenth = side->window / 16;
    apus_level best = best_of(book, side);
    if ((uint64_t)side->best_key - side->base - KEEP_FROM * sixteenth < (KEEP_TO - KEEP_FROM) * sixteenth) return 0;
    if (!window_empty(side)) best.price = price_at(book, side, (uint64_t)side->best_key);
    if (best.quantity == 0 || !windowable(book, best.price)) return 0;
    uint64_t wanted = base_around(key_of(book, side, best.price), side->window);
    return wanted == side->base ? 0 : move_window(book, side, wanted);
}

// Sets a level of the window. Returns APUS_BOOK_SET_PRESENT and _EXISTED bits, or an error.
static int set_in_window(apus_book* book, apus_book_side* side, uint64_t key, int64_t quantity) {
    int result = *quantity_of(side, key) != 0 ? APUS_BOOK_SET_EXISTED : 0;
    if (result != 0) take(side, key);
    if (quantity != 0) {
        put(side, key, quantity);
        result |= APUS_BOOK_SET_PRESENT;
    }
    side->counters += 1ull << 32;
    if ((int64_t)key < side->best_key || result == 0) return result;
    side->best_key = quantity != 0 ? (int64_t)key : find_below(side, key);
    settle(book, side);
    int error = keep_centred(book, side);
    return error < 0 ? error : result;
}

// After the window's best level has gone down so far that another level may lead now, or that the window must follow.
__attribute__((noinline)) static int lead_again(apus_book* book, apus_book_side* side) {
    settle(book, side);
    int error = keep_centred(book, side);
    return error < 0 ? error : APUS_BOOK_SET_DELETED | APUS_BOOK_SET_TOUCH;
}

// The side's best level is in the window, and below `key` or (deleted now) at it. As best levels come and go all the time,
// this has a short way too.
int apus_book_set_top(apus_book* book, apus_book_side* side, uint64_t key, int64_t price, int64_t quantity) {
    if (quantity != 0) {
        put(side, key, quantity);
        side->best_key = (int64_t)key;
        set_best(book, side, price, quantity_of(side, key));
        return APUS_BOOK_SET_INSERTED | APUS_BOOK_SET_TOUCH;
    }
    if ((int64_t)key != side->best_key) return 0;
    take(side, key);
    side->best_key = find_below(side, key);
    if (side->best_key < side->floor_key) return lead_again(book, side);
    key = (uint64_t)side->best_key;
    set_best(book, side, price_at(book, side, key), quantity_of(side, key));
    return APUS_BOOK_SET_DELETED | APUS_BOOK_SET_TOUCH;
}

// Lets the window grow when an update at `key` is one of many that a window of twice the size would have held.
static void note_near_miss(apus_book* book, apus_book_side* side, uint64_t key) {
    uint64_t doubled = side->window * 2ull;
    if (window_empty(side) || doubled > APUS_BOOK_WINDOW_MAX) return;
    if (key - base_around((uint64_t)side->best_key, doubled) >= doubled) return;
    if (++side->near_misses < NEAR_MISSES_MAX) return;
    uint32_t updates = (uint32_t)(side->counters >> 32);
    if (updates - side->updates_seen < NEAR_MISSES_MAX * GROW_SHARE) grow_window(book, side);
    side->near_misses = 0;
    side->updates_seen = updates;
}

// Takes note of an update at `key` that the window did not hold, and lets the window grow or follow.
static int note_miss(apus_book* book, apus_book_side* side, uint64_t key) {
    note_near_miss(book, side, key);
    if (!side->far_leads && window_empty(side)) return 0;
    int64_t price = best_of(book, side).price;
    if (!windowable(book, price)) return 0;
    uint64_t wanted = base_around(key_of(book, side, price), side->window);
    if (key - wanted >= side->window || key - side->base < side->window || ++side->drift < DRIFT_MAX) return 0;
    return move_window(book, side, wanted);
}

static int set_outside(apus_book* book, apus_book_side* side, int64_t price, int64_t quantity) {
    int result = apus_far_set(&side->far, book->arena, far_key(side, price), quantity);
    if (result < 0) return fail(book, result);
    if (result == 0) return 0;
    uint64_t tick = (uint64_t)price / (uint64_t)book->tick_units;
    int64_t key = (int64_t)(tick ^ side->flip);
    // Below the window's best, and where that is known to lead, nothing has changed.
    bool behind = price >= 0 && !side->far_leads && key < side->best_key && key < side->floor_key;
    if (!behind || window_empty(side)) settle(book, side);
    if (side->window == 0 || price < 0 || tick * (uint64_t)book->tick_units != (uint64_t)price) return result;
    int error = note_miss(book, side, (uint64_t)key);
    return error < 0 ? error : result;
}

int apus_book_set_slow(apus_book* book, apus_book_side* side, int64_t price, int64_t quantity) {
    if (book->error != 0) return book->error;
    if (quantity < 0) return fail(book, -EINVAL);
    if (side->window == 0 && quantity > 0 && windowable(book, price))
        open_window(book, side, key_of(book, side, price), APUS_BOOK_WINDOW_MIN);
    apus_level before = best_of(book, side);
    uint64_t key;
    int result = locate(book, side, price, &key) ? set_in_window(book, side, key, quantity)
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
        int result = evict(book, side, side->base, side->base + side->window);
        if (result != 0) return fail(book, result);
        free_window(book, side);
    }
    set_tick_units(book, tick_units);
    for (uint32_t i = 0; i < 2; i++) {
        apus_book_side* side = &book->sides[i];
        settle(book, side);
        apus_level best = best_of(book, side);
        if (best.quantity == 0 || !windowable(book, best.price)) continue;
        open_window(book, side, key_of(book, side, best.price), APUS_BOOK_WINDOW_MIN);
    }
    return 0;
}
