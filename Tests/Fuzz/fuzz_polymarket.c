// Polymarket frames, one a line: any bytes end in the same books, states and errors by each of the three ways to read
// them, and a general JSON library has the same opinion of what is JSON.
//
// link: -ljansson
#include "apus_polymarket.h"
#include "apus_shared.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { READERS = 3, ARENA_BYTES = 4 << 20, LEVELS = 256, INSTRUMENTS = 4 };

static const char* const tokens[] = {
    "76670567130917723816490572615540605537878462672464291990940067659127658071111",
    "54179564009642723353355316176091991063553046330768303687769988635499280029688",
    "7",
};

typedef struct world {
    apus_public view;
    apus_publisher out;
    apus_arena arena;
    apus_instrument_table table;
    apus_market market;
    apus_polymarket_market polymarket;
    apus_polymarket_level levels[LEVELS];
    void* table_memory;
    void* region;
} world;

static world worlds[READERS];

static void check(int condition) {
    if (!condition) abort();
}

static void begin(world* world, int reader) {
    if (world->region == NULL) {
        apus_public_config config = {.feed_slots = 4096, .instruments = INSTRUMENTS, .board_depth = 5};
        check(apus_public_create(&world->view, &config) == 0);
        world->region = malloc(ARENA_BYTES);
        world->table_memory = aligned_alloc(64, (apus_instrument_table_bytes(INSTRUMENTS) + 63) & ~(size_t)63);
    }
    world->out = apus_publisher_make(&world->view, NULL);
    apus_arena_init(&world->arena, world->region, ARENA_BYTES);
    check(apus_instrument_table_init(&world->table, world->table_memory, INSTRUMENTS) == 0);
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        apus_instrument entry = {.price_decimals = i == 2 ? 0 : 4,
                                 .quantity_decimals = i == 2 ? 18 : 6,
                                 .tick_units = i == 2 ? 1 : 10,
                                 .lot_units = 1,
                                 .contract_multiplier = 1};
        check(apus_instrument_add(&world->table, tokens[i], strlen(tokens[i]), &entry) == (int)i);
    }
    check(apus_market_init(&world->market, &world->out, &world->arena, &world->table, "fuzz") == 0);
    check(apus_polymarket_market_init(&world->polymarket, &world->market, world->levels, LEVELS) == 0);
    apus_vector vector = reader == 2 ? APUS_VECTOR_AVX2 : APUS_VECTOR_PORTABLE;
    if (apus_polymarket_decoder_force(&world->polymarket.decoder, vector, reader == 0) != 0) {
        apus_polymarket_decoder_force(&world->polymarket.decoder, APUS_VECTOR_PORTABLE, false);
    }
    for (uint16_t i = 0; i < 3; i++)
        check(apus_polymarket_market_open(&world->polymarket, i) != NULL);
}

static void compare_side(const apus_market_book* a, const apus_market_book* b, uint32_t side) {
    apus_book_cursor left, right;
    apus_book_cursor_init(&left, &a->book, side);
    apus_book_cursor_init(&right, &b->book, side);
    apus_level x, y;
    bool more;
    while ((more = apus_book_cursor_next(&left, &x))) {
        check(apus_book_cursor_next(&right, &y));
        check(x.price == y.price && x.quantity == y.quantity);
    }
    check(!apus_book_cursor_next(&right, &y));
}

static void compare(const world* a, const world* b) {
    check(a->out.feed.next == b->out.feed.next);
    check(a->polymarket.controls == b->polymarket.controls && a->polymarket.proofs == b->polymarket.proofs);
    check(a->polymarket.damage == b->polymarket.damage);
    for (uint16_t i = 0; i < 3; i++) {
        const apus_market_book* x = apus_market_at(&a->market, i);
        const apus_market_book* y = apus_market_at(&b->market, i);
        check(x->state == y->state && x->reason == y->reason && x->applied == y->applied && x->gaps == y->gaps);
        check(x->hash_equal == y->hash_equal && x->hash_compared == y->hash_compared);
        check(x->hash_equal <= x->hash_compared);
        // What is live and shown is never crossed unless something is being held back.
        bool held = apus_polymarket_proof_of(x)->batch == APUS_POLYMARKET_BATCH_HELD;
        check(x->state != APUS_STATE_LIVE || held || apus_polymarket_proof_of(x)->has_book);
        compare_side(x, y, APUS_SIDE_BID);
        compare_side(x, y, APUS_SIDE_ASK);
    }
}

// Whether the bytes are one JSON array or object in the eyes of the library.
static bool is_json(const char* bytes, size_t length) {
    json_error_t error;
    json_t* value = json_loadb(bytes, length, JSON_ALLOW_NUL, &error);
    json_decref(value);
    return value != NULL;
}

// The library refuses some JSON that is valid all the same: numbers beyond its types, bytes that are no UTF-8 (the
// WebSocket layer has seen to those), lone surrogates. And it does not know our limit of depth.
static bool comparable(const uint8_t* bytes, size_t length) {
    uint32_t depth = 0, digits = 0;
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] >= 0x80) return false;
        if (bytes[i] == '"' && (i == 0 || bytes[i - 1] != '\\')) quoted = !quoted;
        digits = !quoted && bytes[i] >= '0' && bytes[i] <= '9' ? digits + 1 : 0;
        if (digits > 17) return false;
        if (i + 1 < length && bytes[i] == '\\' && bytes[i + 1] == 'u') return false;
        if (bytes[i] == 'e' && i > 0 && bytes[i - 1] >= '0' && bytes[i - 1] <= '9') return false;
        if (bytes[i] == 'E') return false;
        depth += bytes[i] == '[' || bytes[i] == '{';
    }
    return depth < APUS_JSON_DEPTH_MAX && length < 2000;
}

static void one_frame(const uint8_t* bytes, size_t length, uint64_t now_ns) {
    int results[READERS];
    // A block of its own, so that a read beyond the padding is seen.
    uint8_t* frame = malloc(length + APUS_PADDING);
    memcpy(frame, bytes, length);
    for (int i = 0; i < READERS; i++) {
        memset(frame + length, i == 1 ? '"' : '0', APUS_PADDING);
        results[i] = apus_polymarket_market_message(&worlds[i].polymarket, frame, length, now_ns, 0);
        const apus_polymarket_message *x = &worlds[0].polymarket.last, *y = &worlds[i].polymarket.last;
        check(results[i] == results[0] && x->kind == y->kind && x->fault == y->fault);
        check(x->error_offset == y->error_offset && x->error_offset <= length && x->json_fault == y->json_fault);
        if (i > 0) compare(&worlds[0], &worlds[i]);
    }
    const apus_polymarket_message* last = &worlds[0].polymarket.last;
    bool no_json = results[0] < 0 && last->fault == APUS_POLYMARKET_FAULT_JSON;
    bool control = results[0] == 0 && last->kind == APUS_POLYMARKET_CONTROL;
    if (!control && comparable(bytes, length)) {
        bool valid = is_json((const char*)bytes, length);
        if (results[0] == 0) check(valid);
        if (no_json && length > 0) check(!valid);
    }
    free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
    for (int i = 0; i < READERS; i++)
        begin(&worlds[i], i);
    uint64_t now_ns = 1;
    while (size > 0) {
        const uint8_t* end = memchr(bytes, '\n', size);
        size_t length = end == NULL ? size : (size_t)(end - bytes);
        one_frame(bytes, length, now_ns += 20000000);
        size -= end == NULL ? length : length + 1;
        bytes += end == NULL ? length : length + 1;
    }
    for (int i = 0; i < READERS; i++) {
        apus_polymarket_market_flush(&worlds[i].polymarket);
        apus_polymarket_market_tick(&worlds[i].polymarket, now_ns + 20000000000u);
        compare(&worlds[0], &worlds[i]);
        check(apus_polymarket_market_deadline(&worlds[i].polymarket) == UINT64_MAX);
    }
    return 0;
}
