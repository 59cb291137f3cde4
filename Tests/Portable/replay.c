// A recording of one Binance futures instrument through decoder, market and book, in every vector variant.
#include "check.h"

#include "apus_binance.h"
#include "apus_book_digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BYTES = 64 << 20 };

typedef struct rig {
    apus_public view;
    apus_publisher out;
    apus_arena arena;
    apus_instrument_table table;
    apus_market market;
    apus_binance_market binance;
    apus_level levels[APUS_MESSAGE_LEVELS_MAX];
    void* region;
    void* memory;
} rig;

static const replay_expected* wanted;

static rig* make(apus_vector vector) {
    static const apus_public_config config = {.feed_slots = 65536, .instruments = 1, .board_depth = 20};
    apus_instrument instrument = {
        .price_decimals = 2, .quantity_decimals = 3, .tick_units = 10, .lot_units = 1, .contract_multiplier = 1};
    rig* self = check_memory(sizeof *self);
    self->region = check_memory(ARENA_BYTES);
    self->memory = check_memory(apus_instrument_table_bytes(1));
    CHECK_EQUAL(apus_public_create(&self->view, &config), 0);
    self->out = apus_publisher_make(&self->view, NULL);
    apus_arena_init(&self->arena, self->region, ARENA_BYTES);
    CHECK_EQUAL(apus_instrument_table_init(&self->table, self->memory, 1), 0);
    CHECK_EQUAL(apus_market_init(&self->market, &self->out, &self->arena, &self->table, "binance-usdm"), 0);
    CHECK_EQUAL(apus_instrument_add(&self->table, "BTCUSDT", 7, &instrument), 0);
    apus_binance_market_init(&self->binance, &self->market, self->levels, APUS_MESSAGE_LEVELS_MAX);
    CHECK_EQUAL(apus_binance_decoder_force(&self->binance.decoder, vector), 0);
    CHECK(apus_binance_market_open(&self->binance, 0) != NULL);
    return self;
}

static void end(rig* self) {
    apus_public_close(&self->view);
    free(self->region);
    free(self->memory);
    free(self);
}

// A line is "<ns> <message>"; a REST snapshot has no stream and no symbol.
static int take(rig* self, uint8_t* line, size_t length) {
    uint8_t* space = memchr(line, ' ', length);
    if (space == NULL) return -EBADMSG;
    uint64_t at_ns = strtoull((const char*)line, NULL, 10);
    const uint8_t* text = space + 1;
    size_t size = length - (size_t)(text - line);
    static const char snapshot[] = "{\"lastUpdateId\"";
    if (size > sizeof snapshot && memcmp(text, snapshot, sizeof snapshot - 1) == 0) {
        return apus_binance_market_snapshot(&self->binance, 0, text, size, at_ns);
    }
    return apus_binance_market_message(&self->binance, text, size, at_ns, 0);
}

static void replay_by(apus_vector vector) {
    FILE* file = fopen(wanted->path, "r");
    CHECK(file != NULL);
    if (file == NULL) return;
    rig* self = make(vector);
    char* line = NULL;
    size_t room = 0;
    ssize_t length;
    uint64_t lines = 0, bad = 0;
    while ((length = getline(&line, &room, file)) > 0) {
        if (line[length - 1] == '\n') length--;
        uint8_t* bytes = check_padded(line, (size_t)length);
        if (take(self, bytes, (size_t)length) != 0) bad++;
        free(bytes);
        lines++;
    }
    char digest[APUS_BOOK_DIGEST_BYTES];
    const apus_market_book* book = apus_market_at(&self->market, 0);
    apus_book_digest(&book->book, digest);
    CHECK(lines > 0);
    CHECK_EQUAL(bad, 0);
    CHECK_EQUAL(book->state, APUS_STATE_LIVE);
    CHECK_EQUAL(book->gaps, 0);
    CHECK_EQUAL(book->applied, wanted->applied);
    CHECK_TEXT(digest, strlen(digest), wanted->digest);
    printf("%s: %llu lines, %llu by the fast reader\n", apus_vector_name(vector), (unsigned long long)lines,
           (unsigned long long)self->binance.decoder.counters.fast);
    free(line);
    fclose(file);
    end(self);
}

void replay_recording(const replay_expected* expected) {
    wanted = expected;
    check_each_vector(replay_by);
}
