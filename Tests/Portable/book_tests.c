// The order book against a sorted array, after random changes from fixed seeds; and its digest.
#include "check.h"

#include "apus_book_digest.h"
#include "apus_random.h"

#include <stdlib.h>
#include <string.h>

enum { LEVELS_MAX = 4096, ARENA_BYTES = 4 << 20, OPERATIONS = 30000 };

typedef struct plain_side {
    apus_level levels[LEVELS_MAX]; // by rising price
    uint32_t count;
} plain_side;

typedef struct rig {
    apus_arena arena;
    apus_book book;
    plain_side plain[2];
    void* memory;
    uint32_t wrong;
} rig;

static rig* make(int64_t tick) {
    rig* self = check_memory(sizeof *self);
    self->memory = check_memory(ARENA_BYTES);
    apus_arena_init(&self->arena, self->memory, ARENA_BYTES);
    CHECK_EQUAL(apus_book_init(&self->book, &self->arena, tick), 0);
    return self;
}

static void end(rig* self) {
    CHECK_EQUAL(self->wrong, 0);
    CHECK_EQUAL(self->arena.live, apus_book_memory(&self->book));
    apus_book_clear(&self->book);
    CHECK_EQUAL(self->arena.live, 0);
    free(self->memory);
    free(self);
}

static int plain_set(plain_side* side, int64_t price, int64_t quantity) {
    uint32_t at = 0;
    while (at < side->count && side->levels[at].price < price)
        at++;
    bool existed = at < side->count && side->levels[at].price == price;
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

static apus_level plain_level(const rig* self, uint32_t side, uint32_t rank) {
    const plain_side* plain = &self->plain[side];
    if (rank >= plain->count) return (apus_level){0, 0};
    return plain->levels[side == APUS_SIDE_BID ? plain->count - 1 - rank : rank];
}

static bool same(apus_level a, apus_level b) {
    return a.price == b.price && a.quantity == b.quantity;
}

static void set(rig* self, uint32_t side, int64_t price, int64_t quantity) {
    apus_level before = plain_level(self, side, 0);
    int result = apus_book_set(&self->book, side, price, quantity);
    int expected = plain_set(&self->plain[side], price, quantity);
    apus_level after = plain_level(self, side, 0);
    if (!same(before, after)) expected |= APUS_BOOK_SET_TOUCH;
    if (result != expected) self->wrong++;
    if (!same(apus_book_best_level(&self->book, side), after)) self->wrong++;
}

static void compare(rig* self) {
    static apus_level levels[LEVELS_MAX];
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t count = apus_book_depth(&self->book, side, levels, LEVELS_MAX);
        if (count != self->plain[side].count || count != apus_book_level_count(&self->book, side)) self->wrong++;
        apus_book_cursor cursor;
        apus_book_cursor_init(&cursor, &self->book, side);
        int64_t sum = 0;
        for (uint32_t i = 0; i < count; i++) {
            apus_level expected = plain_level(self, side, i), walked;
            sum += expected.quantity;
            if (!apus_book_cursor_next(&cursor, &walked) || !same(walked, expected) || !same(levels[i], expected))
                self->wrong++;
            if (i % 16 != 3) continue;
            if (apus_book_quantity(&self->book, side, expected.price) != expected.quantity) self->wrong++;
            if (apus_book_rank(&self->book, side, expected.price, UINT32_MAX) != i) self->wrong++;
            if (apus_book_sum_depth(&self->book, side, i + 1) != sum) self->wrong++;
            if (apus_book_sum_price(&self->book, side, expected.price) != sum) self->wrong++;
        }
        apus_level none;
        if (apus_book_cursor_next(&cursor, &none)) self->wrong++;
    }
}

// Mostly around a wandering centre, sometimes off the tick, far away, or anywhere at all.
static int64_t price_of(apus_random* random, int64_t tick, int64_t* centre) {
    switch (apus_random_below(random, 64)) {
    case 0:
        return (int64_t)(apus_random_next(random) >> 1);
    case 1:
        *centre += ((int64_t)apus_random_below(random, 0x4000) - 0x2000) * tick;
        return *centre;
    case 2:
        return *centre + (int64_t)apus_random_below(random, 2000) - 1000;
    case 3:
        return *centre + ((int64_t)apus_random_below(random, 1 << 18) - (1 << 17)) * tick;
    default:
        return *centre + ((int64_t)apus_random_below(random, 600) - 300) * tick;
    }
}

static void random_changes(void) {
    static const int64_t ticks[] = {1, 10, 25, 12345};
    for (uint64_t seed = 0; seed < 4; seed++) {
        int64_t tick = ticks[seed], centre = 600000 * tick;
        rig* self = make(tick);
        apus_random random;
        apus_random_seed(&random, seed);
        for (int i = 0; i < OPERATIONS; i++) {
            uint32_t side = (uint32_t)apus_random_below(&random, 2);
            int64_t price = price_of(&random, tick, &centre);
            bool deletes = apus_random_below(&random, 5) < 2 || self->plain[side].count == LEVELS_MAX;
            set(self, side, price, deletes ? 0 : (int64_t)apus_random_below(&random, 1000) + 1);
            if (i % 5000 == 4999) compare(self);
            if (i == OPERATIONS / 2) CHECK_EQUAL(apus_book_set_tick(&self->book, tick * 2), 0);
        }
        compare(self);
        CHECK(self->plain[0].count > 100 && self->plain[1].count > 100);
        end(self);
    }
}

// Deleting the best again and again walks over every gap of the window and of what lies beyond.
static void the_best_is_taken_until_nothing_is_left(void) {
    rig* self = make(10);
    apus_random random;
    apus_random_seed(&random, 77);
    int64_t centre = 6000000;
    for (int i = 0; i < 6000; i++)
        set(self, (uint32_t)i & 1, price_of(&random, 10, &centre), 5);
    for (uint32_t side = 0; side < 2; side++) {
        while (self->plain[side].count > 0)
            set(self, side, plain_level(self, side, 0).price, 0);
        CHECK(apus_book_empty(&self->book, side));
    }
    end(self);
}

static void errors_empty_the_book(void) {
    rig* self = make(1);
    CHECK_EQUAL(apus_book_init(&self->book, &self->arena, 0), -EINVAL);
    CHECK_EQUAL(apus_book_init(&self->book, &self->arena, 1), 0);
    CHECK_EQUAL(apus_book_set(&self->book, APUS_SIDE_BID, 100, 1), APUS_BOOK_SET_INSERTED | APUS_BOOK_SET_TOUCH);
    CHECK_EQUAL(apus_book_set(&self->book, APUS_SIDE_BID, 100, -1), -EINVAL);
    CHECK_EQUAL(apus_book_level_count(&self->book, APUS_SIDE_BID), 0);
    CHECK_EQUAL(apus_book_set(&self->book, APUS_SIDE_BID, 100, 1), -EINVAL);
    apus_book_clear(&self->book);
    CHECK(apus_book_set(&self->book, APUS_SIDE_BID, 100, 1) > 0);
    CHECK(apus_book_set(&self->book, APUS_SIDE_ASK, 100, 1) > 0);
    CHECK(apus_book_crossed(&self->book));
    apus_book_clear(&self->book);
    // A full arena is an error that says so.
    apus_arena tiny;
    apus_arena_init(&tiny, self->memory, 1024);
    apus_book small;
    CHECK_EQUAL(apus_book_init(&small, &tiny, 1), 0);
    CHECK_EQUAL(apus_book_set(&small, APUS_SIDE_BID, 100, 1), -ENOMEM);
    CHECK_EQUAL(tiny.live, 0);
    end(self);
}

// SHA-256 of the texts that the header describes, by another implementation.
static void digests(void) {
    rig* self = make(1);
    char digest[APUS_BOOK_DIGEST_BYTES];
    apus_book_digest(&self->book, digest);
    CHECK_TEXT(digest, strlen(digest), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    apus_book_set(&self->book, APUS_SIDE_BID, 99, 7);
    apus_book_set(&self->book, APUS_SIDE_ASK, 101, 3);
    apus_book_set(&self->book, APUS_SIDE_BID, 100, 5);
    apus_book_digest(&self->book, digest);
    CHECK_TEXT(digest, strlen(digest), "5f5afc1c00babd3bffb1a6888a6776cb4a6cfac2dbb35d922adf7a8614b27cc6");
    apus_book_clear(&self->book);
    apus_book_set(&self->book, APUS_SIDE_BID, -5, 1);
    apus_book_set(&self->book, APUS_SIDE_ASK, INT64_MAX, INT64_MAX);
    apus_book_digest(&self->book, digest);
    CHECK_TEXT(digest, strlen(digest), "c69f73a09f57ae0262fe4977e2694ba6332490c522f9ff3f97ef25990c1382f6");
    end(self);
}

const check_test book_tests[] = {
    {"book: random changes against a sorted array", random_changes},
    {"book: the best is taken until nothing is left", the_best_is_taken_until_nothing_is_left},
    {"book: errors empty it", errors_empty_the_book},
    {"book: digests", digests},
    {0},
};
