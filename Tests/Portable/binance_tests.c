// Binance messages: known values from real texts, other writings of the same, errors with their places, and every reader alike.
#include "check.h"

#include "apus_binance_decode.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH                                                                                                          \
    "{\"stream\":\"btcusdt@depth@0ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":1723161256299,\"T\":1723161256298,"       \
    "\"s\":\"BTCUSDT\",\"U\":5123107832006,\"u\":5123107837557,\"pu\":5123107831937,\"b\":[[\"58710.20\",\"0.014\"],"  \
    "[\"61510.90\",\"0.000\"]],\"a\":[[\"61800.30\",\"12.345\"]]}}"

// What a message says, in the order of its fields, and in the same words for every reader.
typedef struct row {
    const char* text;
    const char* says;
} row;

static const row messages[] = {
    {DEPTH, "depth 0 BTCUSDT E1723161256299 T1723161256298 U5123107832006 u5123107837557 pu5123107831937 "
            "b 5871020:14 6151090:0 a 6180030:12345"},
    {"{\"e\":\"depthUpdate\",\"E\":1,\"T\":2,\"s\":\"BTCUSD_200626\",\"ps\":\"BTCUSD\",\"U\":17285681,\"u\":17285702,"
     "\"pu\":3,\"b\":[[\"9517.6\",\"10\"]],\"a\":[]}",
     "depth 2 BTCUSD_200626 E1 T2 U17285681 u17285702 pu3 b 95176:10 a"},
    {"{\"e\":\"depthUpdate\",\"E\":1633998512068,\"s\":\"NKNUSDT\",\"U\":499869750,\"u\":499869752,\"b\":[],"
     "\"a\":[[\"0.35130000\",\"6195.00000000\"],[\"0.34750000\",\"5548.00000000\"]]}",
     "depth 1 NKNUSDT E1633998512068 T0 U499869750 u499869752 b a 35130000:619500000000 34750000:554800000000"},
    {"{\"stream\":\"btcusdt@bookTicker\",\"data\":{\"e\":\"bookTicker\",\"u\":5123107839020,\"s\":\"BTCUSDT\","
     "\"b\":\"61800.20\",\"B\":\"2.507\",\"a\":\"61800.30\",\"A\":\"2.510\",\"T\":1723161256313,\"E\":1723161256314}}",
     "ticker 0 BTCUSDT E1723161256314 T1723161256313 u5123107839020 6180020:2507 6180030:2510"},
    {"{\"u\":400900217,\"s\":\"BNBBTC\",\"b\":\"25.35190000\",\"B\":\"31.21000000\",\"a\":\"25.36520000\","
     "\"A\":\"40.66000000\"}",
     "ticker 3 BNBBTC E0 T0 u400900217 2535190000:3121000000 2536520000:4066000000"},
    {"{\"e\":\"bookTicker\",\"u\":17242169,\"s\":\"BTCUSD_200626\",\"ps\":\"BTCUSD\",\"b\":\"9548.1\",\"B\":\"52\","
     "\"a\":\"9548.5\",\"A\":\"11\",\"T\":1591268628155,\"E\":1591268628166}",
     "ticker 2 BTCUSD_200626 E1591268628166 T1591268628155 u17242169 95481:52 95485:11"},
    {"{\"e\":\"trade\",\"E\":1723161256322,\"T\":1723161256321,\"s\":\"BTCUSDT\",\"t\":5266583935,\"p\":\"61800.30\","
     "\"q\":\"0.006\",\"X\":\"MARKET\",\"m\":false}",
     "trade 0 BTCUSDT E1723161256322 T1723161256321 t5266583935 6180030:6"},
    {"{\"e\":\"trade\",\"E\":1723161256322,\"T\":1723161256321,\"s\":\"BTCUSDT\",\"t\":5266583935,\"p\":\"61800.30\","
     "\"q\":\"0.006\",\"X\":\"INSURANCE_FUND\",\"m\":false}",
     "trade 0 BTCUSDT E1723161256322 T1723161256321 t5266583935 6180030:6 not-market"},
    {"{\"e\":\"trade\",\"E\":123456789,\"s\":\"BNBBTC\",\"t\":12345,\"p\":\"0.00100000\",\"q\":\"100.00000000\","
     "\"b\":88,\"a\":50,\"T\":123456785,\"m\":true,\"M\":true}",
     "trade 3 BNBBTC E123456789 T123456785 t12345 100000:10000000000 maker-bought"},
    {"{\"e\":\"aggTrade\",\"E\":123456789,\"s\":\"BTCUSDT\",\"a\":5933014,\"p\":\"0.01\",\"q\":\"100.000\",\"f\":100,"
     "\"l\":105,\"T\":123456785,\"m\":true}",
     "trade 0 BTCUSDT E123456789 T123456785 t5933014 1:100000 maker-bought aggregate"},
    {"{\"lastUpdateId\":5123107852948,\"E\":1723161256501,\"T\":1723161256493,\"bids\":[[\"61800.20\",\"2.909\"]],"
     "\"asks\":[[\"61800.30\",\"0.001\"],[\"621369.00\",\"0.010\"]]}",
     "snapshot 0 E1723161256501 T1723161256493 u5123107852948 b 6180020:2909 a 6180030:1 62136900:10"},
    {"{\"lastUpdateId\":499869752,\"bids\":[],\"asks\":[]}", "snapshot 0 E0 T0 u499869752 b a"},
};
enum { MESSAGES = sizeof messages / sizeof *messages };

// The same as messages[0] in other writings: spaces, escapes, another order, numbers without quotes, more fields, repeated keys.
static const char* const writings[] = {
    " {\"stream\" : \"btcusdt@depth@0ms\",\n\"data\" :\t{ "
    "\"e\":\"depthUpdate\",\"E\":1723161256299,\"T\":1723161256298,"
    "\"s\":\"BTCUSDT\",\"U\":5123107832006,\"u\":5123107837557,\"pu\":5123107831937,\"b\":[ [\"58710.20\", \"0.014\"],"
    "[\"61510.90\",\"0.000\"] ],\"a\":[[\"61800.30\",\"12.345\"]]}}\r\n",
    "{\"data\":{\"a\":[[\"61800.30\",\"12.345\"]],\"b\":[[\"58710.20\",\"0.014\"],[\"61510.90\",\"0.000\"]],"
    "\"pu\":5123107831937,\"u\":5123107837557,\"U\":5123107832006,\"s\":\"BTCUSDT\",\"T\":1723161256298,"
    "\"E\":1723161256299,\"e\":\"depthUpdate\"},\"stream\":\"btcusdt@depth@0ms\"}",
    "{\"stream\":\"btcusdt@depth@0ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":1.723161256299e12,\"T\":1723161256298,"
    "\"s\":\"BTCUSDT\",\"\\u0055\":5123107832006,\"u\":5123107837557,\"pu\":5123107831937,\"b\":[[58710.2,0.014],"
    "[\"6151\\u0030.9\",\"0\"]],\"a\":[[\"6.18003e4\",\"12.345000\"]]}}",
    "{\"stream\":\"btcusdt@depth@0ms\",\"x\":[{\"U\":[]},null],\"data\":{\"e\":\"depthUpdate\",\"E\":1723161256299,"
    "\"T\":1723161256298,\"s\":\"BTCUSDT\",\"U\":1,\"U\":5123107832006,\"u\":5123107837557,\"pu\":5123107831937,"
    "\"b\":[[\"1.00\",\"1.000\"]],\"b\":[[\"58710.20\",\"0.014\",[]],[\"61510.90\",\"0.000\"]],"
    "\"a\":[[\"61800.30\",\"12.345\"]],\"st\":2}}",
};

typedef struct wrong_row {
    const char* from; // a part of messages[0] ...
    const char* to;   // ... written otherwise
    int error;
    uint8_t fault;
    const char* at; // the text at the offset of the error; NULL: the end of the inner object
} wrong_row;

static const wrong_row wrong[] = {
    {"58710.20", "58710.201", EDOM, APUS_BINANCE_FAULT_DECIMALS, "1\",\"0.014"},
    {"58710.20", "58710.2x", EBADMSG, APUS_BINANCE_FAULT_NUMBER, "x\""},
    {"58710.20", "", EBADMSG, APUS_BINANCE_FAULT_NUMBER, "\",\"0.014"},
    {"0.014", "-0.014", EBADMSG, APUS_BINANCE_FAULT_NUMBER, "-0.014"},
    {"58710.20", "99999999999999999999", ERANGE, APUS_BINANCE_FAULT_RANGE, "9\",\"0.014"},
    {"[\"58710.20\",\"0.014\"]", "{}", EBADMSG, APUS_BINANCE_FAULT_TYPE, "{},"},
    {"1723161256299", "null", EBADMSG, APUS_BINANCE_FAULT_TYPE, "null"},
    {"\"U\":5", "\"U\":05", EBADMSG, APUS_BINANCE_FAULT_JSON, "5123107832006"},
    {"@0ms",
     "@\x01"
     "0ms",
     EBADMSG, APUS_BINANCE_FAULT_JSON, "\x01"},
    {"\"u\":", "\"z\":", EBADMSG, APUS_BINANCE_FAULT_MISSING, NULL},
    {"]]}}", "]]}}x", EBADMSG, APUS_BINANCE_FAULT_JSON, "x"},
};

// MARK: the readers

enum { LEVELS = 4096, SAID = 4096 };

typedef struct reader {
    apus_binance_decoder decoder;
    apus_level levels[LEVELS];
} reader;

static apus_instrument_table table;
static void* table_memory;
static reader* general;
static reader* wide;

static reader* make(apus_vector vector, bool general_only) {
    reader* made = check_memory(sizeof *made);
    apus_binance_decoder_init(&made->decoder, &table, made->levels, LEVELS);
    CHECK_EQUAL(apus_binance_decoder_force(&made->decoder, vector), 0);
    apus_binance_decoder_force_general(&made->decoder, general_only);
    return made;
}

static void begin(void) {
    static const struct {
        const char* symbol;
        uint8_t price_decimals, quantity_decimals;
    } rows[] = {{"BTCUSDT", 2, 3}, {"NKNUSDT", 8, 8}, {"BTCUSD_200626", 1, 0}, {"BNBBTC", 8, 8}};
    table_memory = check_memory(apus_instrument_table_bytes(16));
    CHECK_EQUAL(apus_instrument_table_init(&table, table_memory, 16), 0);
    for (int i = 0; i < 4; i++) {
        apus_instrument instrument = {.price_decimals = rows[i].price_decimals,
                                      .quantity_decimals = rows[i].quantity_decimals,
                                      .tick_units = 1,
                                      .lot_units = 1};
        CHECK_EQUAL(apus_instrument_add(&table, rows[i].symbol, strlen(rows[i].symbol), &instrument), i);
    }
    general = make(APUS_VECTOR_PORTABLE, true);
}

static void end(void) {
    free(general);
    free(table_memory);
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

static void say_levels(text* out, const char* name, const apus_level* levels, uint32_t count) {
    say(out, "%s", name);
    for (uint32_t i = 0; i < count; i++)
        say(out, " %lld:%lld", (long long)levels[i].price, (long long)levels[i].quantity);
}

static void say_numbers(text* out, const apus_binance_message* m) {
    say(out, " E%llu T%llu", (unsigned long long)m->event_time, (unsigned long long)m->transaction_time);
    if (m->kind == APUS_BINANCE_DEPTH) say(out, " U%llu", (unsigned long long)m->first_update);
    if (m->kind != APUS_BINANCE_TRADE) say(out, " u%llu", (unsigned long long)m->last_update);
    if (m->has_previous) say(out, " pu%llu", (unsigned long long)m->previous_update);
    if (m->kind == APUS_BINANCE_TRADE) say(out, " t%llu", (unsigned long long)m->trade_id);
}

// Decodes and writes down everything that the message says.
static void decode(reader* reader, const uint8_t* bytes, size_t length, char out[SAID]) {
    static const char* const kinds[] = {"unknown", "depth", "ticker", "trade", "snapshot", "answer"};
    apus_binance_message m;
    text text = {out, SAID};
    int result = apus_binance_decode(&reader->decoder, bytes, length, 0, &m);
    if (result != 0) {
        say(&text, "error %d fault %u json %u @%zu", -result, m.fault, m.json_fault, m.error_offset);
        return;
    }
    say(&text, "%s", kinds[m.kind]);
    if (m.kind == APUS_BINANCE_UNKNOWN) say(&text, " %u", m.unknown_reason);
    if (m.instrument != APUS_INSTRUMENT_NONE) say(&text, " %u", m.instrument);
    if (m.symbol) say(&text, " %.*s", (int)m.symbol_length, (const char*)m.symbol);
    if (m.kind == APUS_BINANCE_ANSWER) {
        say(&text, " %s id%llu code%lld", m.succeeded ? "good" : "bad", (unsigned long long)m.answer_id,
            (long long)m.answer_code);
        if (m.answer_text) say(&text, " '%.*s'", (int)m.answer_text_length, (const char*)m.answer_text);
    } else if (m.kind != APUS_BINANCE_UNKNOWN) {
        say_numbers(&text, &m);
    }
    if (m.kind == APUS_BINANCE_DEPTH || m.kind == APUS_BINANCE_SNAPSHOT) {
        say_levels(&text, " b", m.levels, m.bid_count);
        say_levels(&text, " a", m.levels + m.bid_count, m.ask_count);
    }
    if (m.kind == APUS_BINANCE_TICKER || m.kind == APUS_BINANCE_TRADE) say_levels(&text, "", &m.bid, 1);
    if (m.kind == APUS_BINANCE_TICKER) say_levels(&text, "", &m.ask, 1);
    if (m.not_market) say(&text, " not-market");
    if (m.buyer_is_maker) say(&text, " maker-bought");
    if (m.aggregate) say(&text, " aggregate");
}

static void decode_text(reader* reader, const char* from, char out[SAID]) {
    uint8_t* bytes = check_padded(from, strlen(from));
    decode(reader, bytes, strlen(from), out);
    free(bytes);
}

static void with_each_reader(void (*body)(apus_vector vector)) {
    begin();
    check_each_vector(body);
    end();
}

// MARK: tests

static void values_by(apus_vector vector) {
    char said[SAID];
    wide = make(vector, false);
    for (size_t i = 0; i < MESSAGES; i++) {
        decode_text(wide, messages[i].text, said);
        CHECK_TEXT(said, strlen(said), messages[i].says);
        decode_text(general, messages[i].text, said);
        CHECK_TEXT(said, strlen(said), messages[i].says);
    }
    // The venue's own writing is read fast, not by the scanner; a trade that is none of the market's need not be.
    CHECK(wide->decoder.counters.fast >= MESSAGES - 1);
    for (size_t i = 0; i < sizeof writings / sizeof *writings; i++) {
        decode_text(wide, writings[i], said);
        CHECK_TEXT(said, strlen(said), messages[0].says);
    }
    CHECK_EQUAL(wide->decoder.counters.errors, 0);
    free(wide);
}

static void values(void) {
    with_each_reader(values_by);
}

static void answers_by(apus_vector vector) {
    static const row rows[] = {
        {"{\"result\":null,\"id\":17}", "answer good id17 code0"},
        {"{\"error\":{\"code\":-2,\"msg\":\"Invalid request\"},\"id\":18}", "answer bad id18 code-2 'Invalid request'"},
        {"{\"code\":-1121,\"msg\":\"Invalid symbol.\"}", "answer bad id0 code-1121 'Invalid symbol.'"},
        {"{\"e\":\"kline\",\"s\":\"BTCUSDT\",\"k\":{\"t\":1}}", "unknown 1"},
        {"[1,2]", "unknown 1"},
    };
    char said[SAID];
    wide = make(vector, false);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        decode_text(wide, rows[i].text, said);
        size_t prefix = strncmp(rows[i].says, "unknown", 7) == 0 ? strlen(rows[i].says) : strlen(said);
        CHECK_TEXT(said, prefix, rows[i].says);
    }
    free(wide);
}

static void answers(void) {
    with_each_reader(answers_by);
}

static void errors_by(apus_vector vector) {
    wide = make(vector, false);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char changed[1024], said[SAID], expected[128];
        const char* place = strstr(DEPTH, wrong[i].from);
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(place - DEPTH), DEPTH, wrong[i].to,
                 place + strlen(wrong[i].from));
        snprintf(expected, sizeof expected, "error %d fault %u", wrong[i].error, wrong[i].fault);
        decode_text(wide, changed, said);
        CHECK_TEXT(said, strlen(expected), expected);
        const char* at = strstr(said, "@");
        CHECK(at != NULL);
        if (at == NULL) continue;
        size_t offset = strtoul(at + 1, NULL, 10);
        size_t there = wrong[i].at ? (size_t)(strstr(changed, wrong[i].at) - changed) : strlen(changed) - 1;
        CHECK_EQUAL(offset, there);
    }
    free(wide);
}

static void errors(void) {
    with_each_reader(errors_by);
}

static uint32_t differing(const uint8_t* bytes, size_t length) {
    char by_wide[SAID], by_general[SAID];
    decode(wide, bytes, length, by_wide);
    decode(general, bytes, length, by_general);
    if (strcmp(by_wide, by_general) == 0) return 0;
    CHECK_TEXT(by_wide, strlen(by_wide), by_general);
    return 1;
}

static void alike_by(apus_vector vector) {
    static const uint8_t others[] = "\",]7./-:+e \\\x00\xFF";
    uint32_t different = 0;
    wide = make(vector, false);
    for (size_t i = 0; i < MESSAGES && different < 10; i++) {
        size_t length = strlen(messages[i].text);
        uint8_t* bytes = check_padded(messages[i].text, length);
        // What lies behind a cut text is its own rest: nothing of that may be taken.
        for (size_t cut = 0; cut < length; cut++) {
            apus_binance_message m;
            if (apus_binance_decode(&wide->decoder, bytes, cut, 0, &m) != -EBADMSG || m.error_offset != cut)
                different++;
            different += differing(bytes, cut);
        }
        for (size_t at = 0; at < length; at++) {
            uint8_t kept = bytes[at];
            for (size_t k = 0; k < sizeof others - 1; k++) {
                bytes[at] = others[k];
                different += differing(bytes, length);
            }
            bytes[at] = kept;
        }
        free(bytes);
    }
    CHECK_EQUAL(different, 0);
    free(wide);
}

static void alike(void) {
    with_each_reader(alike_by);
}

static void limit_by(apus_vector vector) {
    static const char head[] = "{\"lastUpdateId\":1,\"bids\":[", level[] = "[\"61800.20\",\"2.909\"]",
                      tail[] = "],\"asks\":[]}";
    size_t room = sizeof head + (LEVELS + 1) * sizeof level + sizeof tail;
    char* made = check_memory(room);
    wide = make(vector, false);
    for (uint32_t count = LEVELS; count <= LEVELS + 1; count++) {
        text out = {made, room};
        say(&out, "%s", head);
        for (uint32_t i = 0; i < count; i++)
            say(&out, "%s%s", i ? "," : "", level);
        say(&out, "%s", tail);
        size_t length = strlen(made);
        uint8_t* bytes = check_padded(made, length);
        apus_binance_message m;
        CHECK_EQUAL(apus_binance_decode(&wide->decoder, bytes, length, 0, &m), count == LEVELS ? 0 : -ENOBUFS);
        CHECK_EQUAL(m.fault, count == LEVELS ? APUS_BINANCE_FAULT_NONE : APUS_BINANCE_FAULT_LEVELS);
        if (count == LEVELS) CHECK(m.bid_count == LEVELS && m.levels[LEVELS - 1].price == 6180020);
        free(bytes);
    }
    free(wide);
    free(made);
}

static void limit(void) {
    with_each_reader(limit_by);
}

const check_test binance_tests[] = {
    {"binance: values of real messages, in every writing", values},
    {"binance: answers and what is unknown", answers},
    {"binance: errors name fault and place", errors},
    {"binance: every cut and changed byte is read alike", alike},
    {"binance: the number of levels has a limit", limit},
    {0},
};
