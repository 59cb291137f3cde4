// The book against a sorted array, after every change, from any bytes: sequences of updates, ticks, clears and full arenas.
#include "apus_book.h"

#include <stdlib.h>
#include <string.h>

enum { LEVELS_MAX = 4096, ARENA_BYTES = 1 << 21 };

// One side of the naive book: levels in rising price order.
typedef struct naive_side {
    apus_level levels[LEVELS_MAX];
    uint32_t count;
} naive_side;

static naive_side naive[2];
static uint8_t memory[ARENA_BYTES];

static void check(int condition) {
    if (!condition) abort();
}

static int naive_set(naive_side* side, int64_t price, int64_t quantity) {
    uint32_t at = 0;
    while (at < side->count && side->levels[at].price < price)
        at++;
    int existed = at < side->count && side->levels[at].price == price;
    uint32_t behind = side->count - at;
    if (quantity == 0) {
        if (!existed) return 0;
        memmove(&side->levels[at], &side->levels[at + 1], (behind - 1) * sizeof(apus_level));
        side->count--;
        return APUS_BOOK_SET_DELETED;
    }
    if (!existed) {
        memmove(&side->levels[at + 1], &side->levels[at], behind * sizeof(apus_level));
        side->count++;
    }
    side->levels[at] = (apus_level){price, quantity};
    return existed ? APUS_BOOK_SET_CHANGED : APUS_BOOK_SET_INSERTED;
}

// The naive side's level number `rank`, best first.
static const apus_level* naive_level(uint32_t side, uint32_t rank) {
    return side == APUS_SIDE_BID ? &naive[side].levels[naive[side].count - 1 - rank] : &naive[side].levels[rank];
}

static void compare_best(const apus_book* book) {
    apus_touch touch = apus_book_best(book);
    int64_t prices[2] = {touch.bid_price, touch.ask_price}, quantities[2] = {touch.bid_quantity, touch.ask_quantity};
    for (uint32_t side = 0; side < 2; side++) {
        check(apus_book_level_count(book, side) == naive[side].count);
        check(apus_book_empty(book, side) == (naive[side].count == 0));
        if (naive[side].count == 0) {
            check(quantities[side] == 0 && prices[side] == 0);
            continue;
        }
        check(prices[side] == naive_level(side, 0)->price);
        check(quantities[side] == naive_level(side, 0)->quantity);
    }
}

static void compare_all(const apus_book* book) {
    static apus_level levels[LEVELS_MAX];
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t count = apus_book_depth(book, side, levels, LEVELS_MAX);
        check(count == naive[side].count);
        int64_t sum = 0;
        for (uint32_t i = 0; i < count; i++) {
            const apus_level* expected = naive_level(side, i);
            check(levels[i].price == expected->price && levels[i].quantity == expected->quantity);
            sum += levels[i].quantity;
            if (i % 16 != 3) continue;
            check(apus_book_quantity(book, side, levels[i].price) == levels[i].quantity);
            check(apus_book_rank(book, side, levels[i].price, UINT32_MAX) == i);
            check(apus_book_sum_depth(book, side, i + 1) == sum);
            check(apus_book_sum_price(book, side, levels[i].price) == sum);
        }
    }
}

// Prices around a wandering centre, mostly; sometimes anywhere at all. Sums wrap around, as any price may come.
static int64_t price_of(uint8_t form, uint32_t number, int64_t tick, int64_t* centre) {
    uint64_t middle = (uint64_t)*centre, step = (uint64_t)tick;
    switch (form) {
    case 0:
        return (int64_t)((uint64_t)number * 0x9E3779B97F4A7C15u ^ (uint64_t)number << 40);
    case 1:
        return *centre = (int64_t)(middle + ((number & 0xFFFF) - 0x8000ull) * step);
    case 2:
        return (int64_t)(middle + (number & 0xFFF) - 0x800ull);
    case 3:
        return (int64_t)(middle + ((number & 0x3FFFF) - 0x20000ull) * step);
    default:
        return (int64_t)(middle + ((number & 0x3FF) - 0x200ull) * step);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const int64_t ticks[8] = {1, 2, 3, 10, 25, 1000, 12345, (int64_t)1 << 41};
    if (size < 4) return 0;
    apus_arena arena;
    size_t bytes = data[0] & 0x80 ? (size_t)(data[0] & 0x7F) * 512 : ARENA_BYTES;
    apus_arena_init(&arena, memory, bytes);
    int64_t tick = ticks[data[1] & 7];
    int64_t centre = (int64_t)(((uint64_t)data[2] << (data[3] & 31)) * (uint64_t)tick);
    apus_book book;
    check(apus_book_init(&book, &arena, tick) == 0);
    naive[0].count = naive[1].count = 0;
    for (size_t at = 4; at + 6 <= size; at += 6) {
        uint32_t number;
        memcpy(&number, data + at + 2, 4);
        uint32_t side = data[at] & 1;
        int64_t price = price_of(data[at] >> 1 & 7, number, tick, &centre);
        if (data[at + 1] == 255) {
            tick = ticks[number & 7];
            if (apus_book_set_tick(&book, tick) < 0) check(book.error == -ENOMEM);
        } else if (data[at + 1] == 254) {
            apus_book_clear(&book);
            check(arena.live == 0 && apus_book_memory(&book) == 0);
            naive[0].count = naive[1].count = 0;
        } else if (naive[side].count < LEVELS_MAX) {
            int64_t quantity = data[at + 1] < 96 ? 0 : data[at + 1];
            int result = apus_book_set(&book, side, price, quantity);
            if (result >= 0) check((result & 3) == naive_set(&naive[side], price, quantity));
        }
        if (book.error != 0) {
            check(book.error == -ENOMEM && bytes < ARENA_BYTES && arena.live == 0);
            check(apus_book_set(&book, 0, 1, 1) == -ENOMEM && apus_book_level_count(&book, 0) == 0);
            apus_book_clear(&book);
            naive[0].count = naive[1].count = 0;
        }
        check(arena.live == apus_book_memory(&book));
        compare_best(&book);
    }
    compare_all(&book);
    return 0;
}
