// Polymarket: a book and a change as the venue has sent them, with its own hashes, by every reader; other writings; errors.
#include "check.h"

#include "apus_polymarket.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARKET "0x285746de0e4f751fd4dc8f9dc2cecd0101ba9ad0096a43145ed9643b09514f01"
#define FIRST "76670567130917723816490572615540605537878462672464291990940067659127658071111"
#define SECOND "54179564009642723353355316176091991063553046330768303687769988635499280029688"
#define BOOK                                                                                                           \
    "{\"market\":\"0x285746de0e4f751fd4dc8f9dc2cecd0101ba9ad0096a43145ed9643b09514f01\",\"asset_id\":\"76"             \
    "670567130917723816490572615540605537878462672464291990940067659127658071111\",\"timestamp\":\"179065"             \
    "8661234\",\"hash\":\"5511583ad6f3eb4678e0a374e0cc2bd3b1975d07\",\"bids\":[{\"price\":\"0.001\",\"siz"             \
    "e\":\"220045\"},{\"price\":\"0.005\",\"size\":\"422.69\"},{\"price\":\"0.01\",\"size\":\"22221.75\"}"             \
    ",{\"price\":\"0.011\",\"size\":\"34112.26\"},{\"price\":\"0.03\",\"size\":\"3793.8\"},{\"price\":\"0"             \
    ".031\",\"size\":\"5000\"},{\"price\":\"0.04\",\"size\":\"1000\"},{\"price\":\"0.071\",\"size\":\"600"             \
    "\"},{\"price\":\"0.1\",\"size\":\"11000\"},{\"price\":\"0.103\",\"size\":\"5000\"},{\"price\":\"0.11"             \
    "1\",\"size\":\"3391.48\"},{\"price\":\"0.113\",\"size\":\"1000\"},{\"price\":\"0.12\",\"size\":\"200"             \
    "00\"},{\"price\":\"0.121\",\"size\":\"1900\"},{\"price\":\"0.2\",\"size\":\"20000\"},{\"price\":\"0."             \
    "22\",\"size\":\"5000\"},{\"price\":\"0.221\",\"size\":\"5000\"},{\"price\":\"0.241\",\"size\":\"5005"             \
    "\"},{\"price\":\"0.242\",\"size\":\"2000\"},{\"price\":\"0.25\",\"size\":\"5000\"},{\"price\":\"0.25"             \
    "1\",\"size\":\"3000\"},{\"price\":\"0.253\",\"size\":\"400\"},{\"price\":\"0.29\",\"size\":\"2000\"}"             \
    ",{\"price\":\"0.3\",\"size\":\"5000\"}],\"asks\":[{\"price\":\"0.999\",\"size\":\"1000\"},{\"price\""             \
    ":\"0.998\",\"size\":\"500\"},{\"price\":\"0.997\",\"size\":\"333.33\"},{\"price\":\"0.97\",\"size\":"             \
    "\"665\"},{\"price\":\"0.95\",\"size\":\"400\"},{\"price\":\"0.92\",\"size\":\"250\"},{\"price\":\"0."             \
    "87\",\"size\":\"155\"},{\"price\":\"0.82\",\"size\":\"110\"},{\"price\":\"0.61\",\"size\":\"100\"},{"             \
    "\"price\":\"0.5\",\"size\":\"20000\"},{\"price\":\"0.498\",\"size\":\"13198.64\"},{\"price\":\"0.497"             \
    "\",\"size\":\"23464.24\"},{\"price\":\"0.496\",\"size\":\"17598.18\"},{\"price\":\"0.49\",\"size\":"              \
    "\"9898.98\"},{\"price\":\"0.488\",\"size\":\"16359.26\"},{\"price\":\"0.441\",\"size\":\"2425.21\"},"             \
    "{\"price\":\"0.44\",\"size\":\"4175.76\"},{\"price\":\"0.43\",\"size\":\"35.08\"},{\"price\":\"0.4\""             \
    ",\"size\":\"4765\"},{\"price\":\"0.399\",\"size\":\"300\"},{\"price\":\"0.398\",\"size\":\"3737.87\""             \
    "},{\"price\":\"0.397\",\"size\":\"100.09\"}],\"tick_size\":\"0.001\",\"event_type\":\"book\",\"last_"             \
    "trade_price\":\"0.255\"}"
#define CHANGE                                                                                                         \
    "{\"market\":\"0x285746de0e4f751fd4dc8f9dc2cecd0101ba9ad0096a43145ed9643b09514f01\",\"price_changes\""             \
    ":[{\"asset_id\":\"76670567130917723816490572615540605537878462672464291990940067659127658071111\",\""             \
    "price\":\"0.301\",\"size\":\"1000\",\"side\":\"BUY\",\"hash\":\"b7623b6417b3ae46dbe5d608a65474c9cec8"             \
    "4ef9\",\"best_bid\":\"0.301\",\"best_ask\":\"0.397\"},{\"asset_id\":\"541795640096427233533553161760"             \
    "91991063553046330768303687769988635499280029688\",\"price\":\"0.699\",\"size\":\"1000\",\"side\":\"S"             \
    "ELL\",\"hash\":\"c0978ce48e525b35579b9fb4556a08538ebf265a\",\"best_bid\":\"0.603\",\"best_ask\":\"0."             \
    "699\"}],\"timestamp\":\"1790658674035\",\"event_type\":\"price_change\"}"

// MARK: decoding

enum { LEVELS = 64, SAID = 8192 };

typedef struct reader {
    apus_instrument_table table;
    apus_polymarket_decoder decoder;
    apus_polymarket_pair pair;
    apus_polymarket_pair* pairs[16];
    apus_polymarket_level levels[LEVELS];
    void* memory;
} reader;

static reader* make(apus_vector vector, bool general_only) {
    static const char* const tokens[] = {FIRST, SECOND};
    reader* made = check_memory(sizeof *made);
    made->memory = check_memory(apus_instrument_table_bytes(8));
    CHECK_EQUAL(apus_instrument_table_init(&made->table, made->memory, 8), 0);
    apus_polymarket_decoder_init(&made->decoder, &made->table, made->levels, LEVELS, made->pairs, 16);
    CHECK_EQUAL(apus_polymarket_decoder_force(&made->decoder, vector, general_only), 0);
    made->pair.instruments[0] = made->pair.instruments[1] = APUS_INSTRUMENT_NONE;
    memcpy(made->pair.id, MARKET, APUS_POLYMARKET_ID_BYTES);
    for (uint16_t i = 0; i < 2; i++) {
        apus_instrument instrument = {.price_decimals = 4, .quantity_decimals = 6, .tick_units = 10, .lot_units = 1};
        CHECK_EQUAL(apus_instrument_add(&made->table, tokens[i], strlen(tokens[i]), &instrument), i);
        CHECK(apus_polymarket_pair_token(&made->pair, (const uint8_t*)tokens[i], strlen(tokens[i]), i));
    }
    CHECK_EQUAL(apus_polymarket_decoder_learn(&made->decoder, &made->pair), 0);
    return made;
}

static void end(reader* reader) {
    free(reader->memory);
    free(reader);
}

typedef struct text {
    char* at;
    size_t room;
} text;

__attribute__((format(printf, 2, 3))) static void say(text* out, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out->at, out->room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= out->room) return;
    out->at += length;
    out->room -= (size_t)length;
}

static void say_text(text* out, const char* name, apus_polymarket_text value) {
    if (value.length > 0) say(out, " %s=%.*s", name, (int)value.length, (const char*)value.bytes);
}

static void say_levels(text* out, const apus_polymarket_message* m) {
    bool change = m->kind == APUS_POLYMARKET_CHANGE;
    uint32_t count = change ? m->change_count : m->bid_count + m->ask_count;
    for (uint32_t i = 0; i < count; i++) {
        const apus_polymarket_level* level = &m->levels[i];
        if (change)
            say(out, " %s%d", level->side == APUS_SIDE_BID ? "buy" : "sell",
                level->instrument == APUS_INSTRUMENT_NONE ? -1 : level->instrument);
        if (change && level->instrument == APUS_INSTRUMENT_NONE) continue;
        say(out, " %lld:%lld(%.*s,%.*s)", (long long)level->price, (long long)level->size, level->price_length,
            (const char*)level->price_text, level->size_length, (const char*)level->size_text);
        if (change && level->hash) say(out, "#%.4s", (const char*)level->hash);
    }
}

static void say_message(text* out, const apus_polymarket_message* m) {
    static const char* const kinds[] = {"unknown", "book", "change", "trade", "tick", "ticker", "control"};
    say(out, "%s", kinds[m->kind]);
    if (m->kind == APUS_POLYMARKET_UNKNOWN || m->kind == APUS_POLYMARKET_CONTROL) return;
    say(out, " t%llu", (unsigned long long)m->timestamp);
    if (m->kind == APUS_POLYMARKET_BOOK) say(out, " %u+%u tick%lld", m->bid_count, m->ask_count, (long long)m->tick);
    if (m->kind == APUS_POLYMARKET_BOOK || m->kind == APUS_POLYMARKET_CHANGE) say_levels(out, m);
    if (m->kind == APUS_POLYMARKET_TRADE)
        say(out, " %lld:%lld %s", (long long)m->price, (long long)m->size, m->side == APUS_SIDE_BID ? "buy" : "sell");
    if (m->kind == APUS_POLYMARKET_CHANGE) return;
    say(out, " i%u", m->instrument);
    say_text(out, "hash", m->hash);
    say_text(out, "tick", m->tick_size);
    say_text(out, "last", m->last_trade_price);
}

// Decodes a whole frame; every message, and the error if there is one, one after another.
static void decode(reader* reader, const uint8_t* bytes, size_t length, char out[SAID]) {
    apus_polymarket_frame frame;
    apus_polymarket_message m;
    text text = {out, SAID};
    int result;
    out[0] = 0;
    apus_polymarket_frame_begin(&frame, bytes, length);
    while ((result = apus_polymarket_frame_next(&reader->decoder, &frame, &m)) > 0) {
        say_message(&text, &m);
        say(&text, ";");
    }
    if (result < 0) say(&text, "error %d fault %u @%zu", -result, m.fault, m.error_offset);
}

static void decode_text(reader* reader, const char* from, char out[SAID]) {
    uint8_t* bytes = check_padded(from, strlen(from));
    decode(reader, bytes, strlen(from), out);
    free(bytes);
}

#define CHANGE_SAYS                                                                                                    \
    "change t1790658674035 buy0 3010:1000000000(0.301,1000)#b762 sell1 6990:1000000000(0.699,1000)#c097;"

// Other writings of CHANGE's meaning: spaces, another order, escapes.
static const char* const writings[] = {
    "{\"event_type\":\"price_change\",\"timestamp\":\"1790658674035\",\"price_changes\":["
    "{\"hash\":\"b7623b6417b3ae46dbe5d608a65474c9cec84ef9\",\"side\":\"BUY\",\"size\":\"1000\",\"price\":\"0.301\","
    "\"asset_id\":\"" FIRST "\"} , {\"size\":\"1000\",\"price\":\"0.699\",\"x\":[1,{}],\"side\":\"\\u0053ELL\","
    "\"asset_id\":\"" SECOND "\",\"hash\":\"c0978ce48e525b35579b9fb4556a08538ebf265a\"}],\"market\":\"" MARKET "\"}",
    " {\"market\":\"" MARKET "\",\"price_changes\":[{\"asset_id\":\"" FIRST "\",\"price\":\"9\",\"price\":\"0.301\","
    "\"size\":\"1000\",\"side\":\"BUY\",\"hash\":\"b7623b6417b3ae46dbe5d608a65474c9cec84ef9\"},"
    "{\"asset_id\":\"" SECOND "\",\"price\":\"0.699\",\"size\":\"1000\",\"side\":\"SELL\","
    "\"hash\":\"c0978ce48e525b35579b9fb4556a08538ebf265a\"}],\"timestamp\":\"1790658674035\","
    "\"event_type\":\"price_change\"}\n",
};

static const struct {
    const char* text;
    const char* says;
} rows[] = {
    {CHANGE, CHANGE_SAYS},
    {"PONG", "control;"},
    {"NO NEW ASSETS", "control;"},
    {"{\"event_type\":\"new_market\",\"id\":\"1\"}", "unknown;"},
    {"[]", ""},
    {"{\"market\":\"" MARKET "\",\"asset_id\":\"" FIRST "\",\"price\":\"0.31\",\"size\":\"10.5\",\"side\":\"SELL\","
     "\"fee_rate_bps\":\"0\",\"timestamp\":\"1790658674040\",\"event_type\":\"last_trade_price\"}",
     "trade t1790658674040 3100:10500000 sell i0 last=0.31;"},
    {"{\"market\":\"" MARKET "\",\"asset_id\":\"" SECOND "\",\"old_tick_size\":\"0.01\",\"new_tick_size\":\"0.001\","
     "\"timestamp\":\"5\",\"event_type\":\"tick_size_change\"}",
     "tick t5 i1 tick=0.001;"},
    {"[{\"event_type\":\"book\",\"market\":\"" MARKET "\",\"asset_id\":\"" SECOND "\",\"timestamp\":\"7\",\"bids\":"
     "[{\"price\":\"0.01\",\"size\":\"5\"}],\"asks\":[{\"size\":\"2.5\",\"price\":\".99\"}],"
     "\"hash\":\"5511583ad6f3eb4678e0a374e0cc2bd3b1975d07\"}]",
     "book t7 1+1 tick0 100:5000000(0.01,5) 9900:2500000(.99,2.5) i1 hash=5511583ad6f3eb4678e0a374e0cc2bd3b1975d07;"},
};

static void values_by(apus_vector vector) {
    char said[SAID];
    for (int scanner = 0; scanner < 2; scanner++) {
        reader* reader = make(vector, scanner == 1);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            decode_text(reader, rows[i].text, said);
            CHECK_TEXT(said, strlen(said), rows[i].says);
        }
        CHECK_EQUAL(reader->decoder.fast, scanner == 0);
        for (size_t i = 0; i < sizeof writings / sizeof *writings; i++) {
            decode_text(reader, writings[i], said);
            CHECK_TEXT(said, strlen(said), CHANGE_SAYS);
        }
        decode_text(reader, BOOK, said);
        const char* head = "book t1790658661234 24+22 tick10 10:220045000000(0.001,220045) 50:422690000(0.005,422.69)";
        CHECK_TEXT(said, strlen(head), head);
        const char* tail =
            " 3970:100090000(0.397,100.09) i0 hash=5511583ad6f3eb4678e0a374e0cc2bd3b1975d07 tick=0.001 last=0.255;";
        CHECK_TEXT(said + strlen(said) - strlen(tail), strlen(tail), tail);
        end(reader);
    }
}

static void values(void) {
    check_each_vector(values_by);
}

static void numbers_by(apus_vector vector) {
    static const struct {
        const char *price, *size;
        long long units, size_units;
    } numbers[] = {
        {"0.3", "1", 3000, 1000000},
        {"0.0001", "0", 1, 0},
        {"0.9999", "0.000001", 9999, 1},
        {"1", "123456789", 10000, 123456789000000},
        {"00.3", "1.0", 3000, 1000000},
        {"0.3", "220045.123456", 3000, 220045123456},
        {"0.3", "9999999999.999999", 3000, 9999999999999999},
        {".5", "5", 5000, 5000000},
        {"0.3", "1e2", 3000, 100000000},
        {"0.10000", "7.0000000", 1000, 7000000},
    };
    static const struct {
        const char* size;
        int error;
        unsigned fault;
    } bad[] = {{"x", EBADMSG, APUS_POLYMARKET_FAULT_NUMBER},
               {"-5", EBADMSG, APUS_POLYMARKET_FAULT_NUMBER},
               {"1.0000001", EDOM, APUS_POLYMARKET_FAULT_DECIMALS},
               {"9999999999999999", ERANGE, APUS_POLYMARKET_FAULT_RANGE}};
    static const char form[] = "{\"market\":\"" MARKET "\",\"price_changes\":[{\"asset_id\":\"" FIRST
                               "\",\"price\":\"%s\",\"size\":\"%s\",\"side\":\"BUY\","
                               "\"hash\":\"b7623b6417b3ae46dbe5d608a65474c9cec84ef9\",\"best_bid\":\"0.1\","
                               "\"best_ask\":\"0.9\"}],\"timestamp\":\"1\",\"event_type\":\"price_change\"}";
    char text[1024], said[SAID], expected[256];
    reader* reader = make(vector, false);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(text, sizeof text, form, numbers[i].price, numbers[i].size);
        snprintf(expected, sizeof expected, "change t1 buy0 %lld:%lld(%s,%s)#b762;", numbers[i].units,
                 numbers[i].size_units, numbers[i].price, numbers[i].size);
        decode_text(reader, text, said);
        CHECK_TEXT(said, strlen(said), expected);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, form, "0.39", bad[i].size);
        snprintf(expected, sizeof expected, "error %d fault %u @", bad[i].error, bad[i].fault);
        decode_text(reader, text, said);
        CHECK_TEXT(said, strlen(expected), expected);
    }
    end(reader);
}

static void numbers(void) {
    check_each_vector(numbers_by);
}

static void alike_by(apus_vector vector) {
    static const uint8_t others[] = "\",]7./-:+e \\\x00\xFF";
    static char by_wide[SAID], by_general[SAID];
    reader* wide = make(vector, false);
    reader* general = make(APUS_VECTOR_PORTABLE, true);
    size_t length = strlen(CHANGE);
    uint8_t* bytes = check_padded(CHANGE, length);
    uint32_t different = 0;
    for (size_t cut = 0; cut < length && different < 10; cut++) {
        decode(wide, bytes, cut, by_wide);
        decode(general, bytes, cut, by_general);
        if (strcmp(by_wide, by_general) != 0 || (cut > 0 && strncmp(by_wide, "error", 5) != 0)) different++;
    }
    for (size_t at = 0; at < length && different < 10; at++) {
        uint8_t kept = bytes[at];
        for (size_t k = 0; k < sizeof others - 1; k++) {
            bytes[at] = others[k];
            decode(wide, bytes, length, by_wide);
            decode(general, bytes, length, by_general);
            if (strcmp(by_wide, by_general) == 0) continue;
            CHECK_TEXT(by_wide, strlen(by_wide), by_general);
            different++;
        }
        bytes[at] = kept;
    }
    CHECK_EQUAL(different, 0);
    free(bytes);
    end(wide);
    end(general);
}

static void alike(void) {
    check_each_vector(alike_by);
}

// MARK: books and their hashes

enum { ARENA_BYTES = 16 << 20, BOOK_LEVELS = 2048 };

typedef struct stage {
    apus_public view;
    apus_publisher out;
    apus_arena arena;
    apus_instrument_table table;
    apus_market market;
    apus_polymarket_market polymarket;
    apus_polymarket_level levels[BOOK_LEVELS];
    void* region;
    void* memory;
    uint64_t now;
} stage;

static stage* open_stage(apus_vector vector) {
    static const char* const tokens[] = {FIRST, SECOND};
    static const apus_public_config config = {.feed_slots = 4096, .instruments = 4, .board_depth = 10};
    stage* self = check_memory(sizeof *self);
    self->region = check_memory(ARENA_BYTES);
    self->memory = check_memory(apus_instrument_table_bytes(4));
    self->now = 1000000000;
    CHECK_EQUAL(apus_public_create(&self->view, &config), 0);
    self->out = apus_publisher_make(&self->view, NULL);
    apus_arena_init(&self->arena, self->region, ARENA_BYTES);
    CHECK_EQUAL(apus_instrument_table_init(&self->table, self->memory, 4), 0);
    CHECK_EQUAL(apus_market_init(&self->market, &self->out, &self->arena, &self->table, "polymarket"), 0);
    CHECK_EQUAL(apus_polymarket_market_init(&self->polymarket, &self->market, self->levels, BOOK_LEVELS), 0);
    CHECK_EQUAL(apus_polymarket_decoder_force(&self->polymarket.decoder, vector, false), 0);
    for (uint16_t i = 0; i < 2; i++) {
        apus_instrument instrument = {
            .price_decimals = 4, .quantity_decimals = 6, .tick_units = 10, .lot_units = 1, .contract_multiplier = 1};
        CHECK_EQUAL(apus_instrument_add(&self->table, tokens[i], strlen(tokens[i]), &instrument), i);
        CHECK(apus_polymarket_market_open(&self->polymarket, i) != NULL);
    }
    return self;
}

static void close_stage(stage* self) {
    apus_public_close(&self->view);
    free(self->region);
    free(self->memory);
    free(self);
}

static void receive(stage* self, const char* frame) {
    uint8_t* bytes = check_padded(frame, strlen(frame));
    self->now += 1000000;
    CHECK_EQUAL(apus_polymarket_market_message(&self->polymarket, bytes, strlen(frame), self->now, 0), 0);
    free(bytes);
}

// The venue's own hashes: of the book as it was sent, and of the same book after the first change.
static void proofs_by(apus_vector vector) {
    stage* self = open_stage(vector);
    receive(self, BOOK);
    const apus_market_book* book = apus_market_at(&self->market, 0);
    CHECK_EQUAL(book->state, APUS_STATE_LIVE);
    CHECK(book->hash_equal == 1 && book->hash_compared == 1);
    receive(self, CHANGE);
    apus_polymarket_market_flush(&self->polymarket);
    CHECK(book->hash_equal == 2 && book->hash_compared == 2);
    apus_touch touch = apus_book_best(&book->book);
    CHECK(touch.bid_price == 3010 && touch.bid_quantity == 1000000000);
    CHECK(touch.ask_price == 3970 && touch.ask_quantity == 100090000);
    CHECK_EQUAL(apus_market_at(&self->market, 1)->state, APUS_STATE_SYNCING);
    close_stage(self);
    // A book with another size under the same hash is not believed.
    self = open_stage(vector);
    char changed[4096];
    const char* at = strstr(BOOK, "\"size\":\"422.69\"");
    snprintf(changed, sizeof changed, "%.*s\"size\":\"422.68\"%s", (int)(at - BOOK), BOOK, at + 15);
    receive(self, changed);
    book = apus_market_at(&self->market, 0);
    CHECK(book->state != APUS_STATE_LIVE);
    CHECK(book->hash_equal == 0);
    close_stage(self);
}

static void proofs(void) {
    check_each_vector(proofs_by);
}

const check_test polymarket_tests[] = {
    {"polymarket: values of real messages, in every writing", values},
    {"polymarket: numbers are exact", numbers},
    {"polymarket: every cut and changed byte is read alike", alike},
    {"polymarket: the venue's own hashes prove its book", proofs},
    {0},
};
