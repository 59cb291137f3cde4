// The levels of a book as the texts that the venue's hash is made of.
//
// A change renders one row; the text of a whole book is then only copied together. Rows are sorted the way the venue
// writes them, the best last, so that the levels that change most move the fewest others.
#include "polymarket_hash.h"

#include <string.h>

// Rises towards the best.
static int64_t order(uint8_t side, int64_t price) {
    return side == APUS_SIDE_BID ? price : -price;
}

static uint32_t place_of(const apus_polymarket_rows* rows, uint8_t side, int64_t price) {
    uint32_t low = 0, high = rows->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (order(side, rows->rows[middle].price) < order(side, price)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static int grow(apus_arena* arena, apus_polymarket_rows* rows) {
    uint32_t capacity = rows->capacity == 0 ? 16 : 2 * rows->capacity;
    apus_polymarket_row* wider = apus_arena_alloc(arena, capacity * sizeof *wider);
    if (wider == NULL) return -ENOMEM;
    if (rows->count != 0) memcpy(wider, rows->rows, rows->count * sizeof *wider);
    apus_arena_free(arena, rows->rows, rows->capacity * sizeof *wider);
    rows->rows = wider;
    rows->capacity = capacity;
    return 0;
}

static void render(apus_polymarket_row* row, const apus_polymarket_level* level) {
    static const char price[] = "{\"price\":\"", size[] = "\",\"size\":\"", end[] = "\"},";
    uint8_t* at = row->text;
    at = (uint8_t*)memcpy(at, price, sizeof price - 1) + sizeof price - 1;
    at = (uint8_t*)memcpy(at, level->price_text, level->price_length) + level->price_length;
    at = (uint8_t*)memcpy(at, size, sizeof size - 1) + sizeof size - 1;
    at = (uint8_t*)memcpy(at, level->size_text, level->size_length) + level->size_length;
    at = (uint8_t*)memcpy(at, end, sizeof end - 1) + sizeof end - 1;
    row->price = level->price;
    row->length = (uint8_t)(at - row->text);
}

int apus_polymarket_rows_set(apus_arena* arena, apus_polymarket_rows* rows, uint8_t side,
                             const apus_polymarket_level* level) {
    uint32_t place = place_of(rows, side, level->price);
    bool there = place < rows->count && rows->rows[place].price == level->price;
    if (level->size == 0) {
        if (!there) return 0;
        rows->count--;
        memmove(&rows->rows[place], &rows->rows[place + 1], (rows->count - place) * sizeof *rows->rows);
        return 0;
    }
    if (!there) {
        if (rows->count == rows->capacity && grow(arena, rows) < 0) return -ENOMEM;
        memmove(&rows->rows[place + 1], &rows->rows[place], (rows->count - place) * sizeof *rows->rows);
        rows->count++;
    }
    render(&rows->rows[place], level);
    return 0;
}

void apus_polymarket_rows_clear(apus_arena* arena, apus_polymarket_rows* rows) {
    apus_arena_free(arena, rows->rows, rows->capacity * sizeof *rows->rows);
    *rows = (apus_polymarket_rows){0};
}
