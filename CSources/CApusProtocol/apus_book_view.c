// What can be asked of a book beyond its best prices.
#include "apus_book.h"
#include "apus_book_far.h"

enum { WORD = 64 };

static uint64_t window_word(const apus_book_side* side, uint64_t key) {
    return side->bits[(key & side->mask) / WORD];
}

static int64_t order_key(const apus_book_side* side, int64_t price) {
    return price ^ (int64_t)side->flip;
}

// MARK: cursor

void apus_book_cursor_init(apus_book_cursor* cursor, const apus_book* book, uint32_t side_number) {
    const apus_book_side* side = &book->sides[side_number];
    *cursor = (apus_book_cursor){.book = book, .side = side, .chunk = side->far.count};
    if ((uint32_t)side->counters > 0) {
        uint64_t best = (uint64_t)side->best_key;
        cursor->word_key = best & ~(uint64_t)(WORD - 1);
        cursor->word = window_word(side, best) & (UINT64_MAX >> (WORD - 1 - best % WORD));
    }
    if (cursor->chunk > 0) cursor->entry = (uint32_t)apus_far_chunks(&side->far)[cursor->chunk - 1]->count;
}

// Goes on to the next word of the window that has levels, if the current one has no more. Returns false at the window's end.
static bool window_ready(apus_book_cursor* cursor) {
    if (cursor->word != 0) return true;
    if ((uint32_t)cursor->side->counters == 0) return false;
    while (cursor->word == 0 && cursor->word_key != cursor->side->base) {
        cursor->word_key -= WORD;
        cursor->word = window_word(cursor->side, cursor->word_key);
    }
    return cursor->word != 0;
}

static apus_level window_level(const apus_book_cursor* cursor) {
    const apus_book_side* side = cursor->side;
    uint64_t key = cursor->word_key + (uint64_t)(WORD - 1 - __builtin_clzll(cursor->word));
    int64_t price = (int64_t)((key ^ side->flip) * (uint64_t)cursor->book->tick_units);
    return (apus_level){.price = price, .quantity = side->quantities[key & side->mask]};
}

static void far_advance(apus_book_cursor* cursor) {
    cursor->entry--;
    if (cursor->entry > 0) return;
    cursor->chunk--;
    if (cursor->chunk > 0) cursor->entry = (uint32_t)apus_far_chunks(&cursor->side->far)[cursor->chunk - 1]->count;
}

void apus_book_cursor_behind(apus_book_cursor* cursor, const apus_book* book, uint32_t side_number, int64_t price) {
    apus_book_cursor_init(cursor, book, side_number);
    const apus_book_side* side = cursor->side;
    int64_t limit = order_key(side, price);
    while (cursor->chunk > 0 && apus_far_chunks(&side->far)[cursor->chunk - 1]->keys[cursor->entry - 1] >= limit)
        far_advance(cursor);
    uint64_t tick = apus_book_tick(book, price), key = tick ^ side->flip;
    if (tick * (uint64_t)book->tick_units == (uint64_t)price && key - side->base < side->window) {
        cursor->word_key = key & ~(uint64_t)(WORD - 1);
        cursor->word = window_word(side, key) & ((1ull << key % WORD) - 1);
        return;
    }
    while (window_ready(cursor) && order_key(side, window_level(cursor).price) >= limit)
        cursor->word &= ~(1ull << (WORD - 1 - __builtin_clzll(cursor->word)));
}

bool apus_book_cursor_next(apus_book_cursor* cursor, apus_level* level) {
    const apus_book_side* side = cursor->side;
    bool in_window = window_ready(cursor);
    if (in_window) *level = window_level(cursor);
    if (cursor->chunk > 0) {
        const apus_book_chunk* chunk = apus_far_chunks(&side->far)[cursor->chunk - 1];
        int64_t key = chunk->keys[cursor->entry - 1];
        if (!in_window || key > order_key(side, level->price)) {
            *level = (apus_level){.price = order_key(side, key), .quantity = chunk->quantities[cursor->entry - 1]};
            far_advance(cursor);
            return true;
        }
    }
    if (in_window) cursor->word &= ~(1ull << (WORD - 1 - __builtin_clzll(cursor->word)));
    return in_window;
}

// MARK: questions

uint32_t apus_book_depth(const apus_book* book, uint32_t side_number, apus_level* levels, uint32_t count) {
    apus_book_cursor cursor;
    apus_book_cursor_init(&cursor, book, side_number);
    uint32_t found = 0;
    while (found < count && apus_book_cursor_next(&cursor, &levels[found]))
        found++;
    return found;
}

int64_t apus_book_quantity(const apus_book* book, uint32_t side_number, int64_t price) {
    const apus_book_side* side = &book->sides[side_number];
    uint64_t key = apus_book_tick(book, price) ^ side->flip;
    bool in_window = key - side->base < side->window;
    return in_window ? side->quantities[key & side->mask] : apus_far_quantity(&side->far, order_key(side, price));
}

uint32_t apus_book_rank(const apus_book* book, uint32_t side_number, int64_t price, uint32_t limit) {
    apus_book_cursor cursor;
    apus_book_cursor_init(&cursor, book, side_number);
    int64_t key = order_key(cursor.side, price);
    apus_level level;
    uint32_t better = 0;
    while (better < limit && apus_book_cursor_next(&cursor, &level) && order_key(cursor.side, level.price) > key)
        better++;
    return better;
}

static int64_t saturating_sum(int64_t sum, int64_t quantity) {
    return __builtin_add_overflow(sum, quantity, &sum) ? INT64_MAX : sum;
}

int64_t apus_book_sum_depth(const apus_book* book, uint32_t side_number, uint32_t count) {
    apus_book_cursor cursor;
    apus_book_cursor_init(&cursor, book, side_number);
    apus_level level;
    int64_t sum = 0;
    for (uint32_t i = 0; i < count && apus_book_cursor_next(&cursor, &level); i++)
        sum = saturating_sum(sum, level.quantity);
    return sum;
}

int64_t apus_book_sum_price(const apus_book* book, uint32_t side_number, int64_t price) {
    apus_book_cursor cursor;
    apus_book_cursor_init(&cursor, book, side_number);
    int64_t key = order_key(cursor.side, price);
    apus_level level;
    int64_t sum = 0;
    while (apus_book_cursor_next(&cursor, &level) && order_key(cursor.side, level.price) >= key)
        sum = saturating_sum(sum, level.quantity);
    return sum;
}
