// The Binance decoder against a general JSON library (jansson) on the same bytes.
//
// The input is either a text as it is, or the choices of a generator of messages: keys in any order and spelling, spaces, extra
// and repeated members, odd values. What the decoder makes of the text must be what a plain reading of the library's tree makes of it.
// link: -ljansson
#include "binance_support.h"

#include <jansson.h>
#include <stdio.h>

static apus_instrument_table table;
static support_decoder* decoders[4];

// MARK: the plain reading

typedef struct plain {
    apus_binance_message message;
    apus_level levels[SUPPORT_LEVELS];
    int error;  // as the decoder gives it
    int fault;  // apus_binance_fault, when error is not 0
    bool vague; // a real number stands where the library has lost digits: not compared
} plain;

static int plain_fail(plain* plain, int fault) {
    plain->fault = fault;
    plain->error = fault == APUS_BINANCE_FAULT_DECIMALS ? -EDOM
                   : fault == APUS_BINANCE_FAULT_RANGE  ? -ERANGE
                   : fault == APUS_BINANCE_FAULT_LEVELS ? -ENOBUFS
                                                        : -EBADMSG;
    return -1;
}

// -?digits(.digits)?(e-?digits)? in 128 bits: written apart from the project's own reading.
static int plain_decimal(plain* plain, const char* text, size_t length, int decimals, int64_t* value) {
    size_t at = 0, digits = 0;
    bool negative = length > 0 && text[0] == '-', lost = false, large = false;
    long shift = decimals;
    unsigned __int128 units = 0;
    char kept[4096];
    if (negative) at++;
    for (bool point = false; at < length; at++) {
        if (text[at] == '.' && !point) {
            point = true;
            if (at + 1 == length || text[at + 1] < '0' || text[at + 1] > '9')
                return plain_fail(plain, APUS_BINANCE_FAULT_NUMBER);
            continue;
        }
        if (text[at] < '0' || text[at] > '9') break;
        if (digits == sizeof kept) return plain->vague = true, -1;
        kept[digits++] = text[at];
        if (point) shift--;
    }
    if (digits == 0) return plain_fail(plain, APUS_BINANCE_FAULT_NUMBER);
    if (at < length) {
        if (text[at] != 'e' && text[at] != 'E') return plain_fail(plain, APUS_BINANCE_FAULT_NUMBER);
        at++;
        bool down = at < length && text[at] == '-';
        if (at < length && (text[at] == '-' || text[at] == '+')) at++;
        if (at == length) return plain_fail(plain, APUS_BINANCE_FAULT_NUMBER);
        long exponent = 0;
        for (; at < length; at++) {
            if (text[at] < '0' || text[at] > '9') return plain_fail(plain, APUS_BINANCE_FAULT_NUMBER);
            if (exponent < 100000) exponent = exponent * 10 + (text[at] - '0');
        }
        shift += down ? -exponent : exponent;
    }
    while (shift < 0 && digits > 0) {
        lost |= kept[--digits] != '0';
        shift++;
    }
    for (size_t i = 0; i < digits; i++) {
        units = units * 10 + (unsigned)(kept[i] - '0');
        large |= units > (unsigned __int128)INT64_MAX + negative;
        if (large) units = 0;
    }
    for (; shift > 0 && units > 0; shift--) {
        units *= 10;
        large |= units > (unsigned __int128)INT64_MAX + negative;
        if (large) units = 0;
    }
    // A text may be both too fine and too large; which of them is said is left open.
    if (lost && large) return plain->vague = true, -1;
    if (lost) return plain_fail(plain, APUS_BINANCE_FAULT_DECIMALS);
    if (large) return plain_fail(plain, APUS_BINANCE_FAULT_RANGE);
    if (negative && units > 0) return plain_fail(plain, APUS_BINANCE_FAULT_NUMBER);
    *value = (int64_t)units;
    return 0;
}

static int plain_value(plain* plain, const json_t* json, int decimals, int64_t* value) {
    if (json == NULL) return plain_fail(plain, APUS_BINANCE_FAULT_MISSING);
    if (json_is_string(json))
        return plain_decimal(plain, json_string_value(json), json_string_length(json), decimals, value);
    if (json_is_real(json)) return plain->vague = true, -1;
    if (!json_is_integer(json)) return plain_fail(plain, APUS_BINANCE_FAULT_TYPE);
    char text[32];
    int length = snprintf(text, sizeof text, "%lld", (long long)json_integer_value(json));
    return plain_decimal(plain, text, (size_t)length, decimals, value);
}

static int plain_unsigned(plain* plain, const json_t* object, const char* key, bool required, uint64_t* value) {
    const json_t* json = json_object_get(object, key);
    if (json == NULL) return required ? plain_fail(plain, APUS_BINANCE_FAULT_MISSING) : 0;
    if (json_is_real(json)) return plain->vague = true, -1;
    if (!json_is_integer(json)) return plain_fail(plain, APUS_BINANCE_FAULT_TYPE);
    if (json_integer_value(json) < 0) return plain_fail(plain, APUS_BINANCE_FAULT_NUMBER);
    *value = (uint64_t)json_integer_value(json);
    return 0;
}

static int plain_side(plain* plain, const json_t* rows, uint32_t* used, uint32_t* count) {
    const apus_instrument* instrument = apus_instrument_at(&table, plain->message.instrument);
    if (rows == NULL) return plain_fail(plain, APUS_BINANCE_FAULT_MISSING);
    if (!json_is_array(rows)) return plain_fail(plain, APUS_BINANCE_FAULT_TYPE);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t* row = json_array_get(rows, i);
        if (!json_is_array(row)) return plain_fail(plain, APUS_BINANCE_FAULT_TYPE);
        if (*used == SUPPORT_LEVELS) return plain_fail(plain, APUS_BINANCE_FAULT_LEVELS);
        apus_level* level = &plain->levels[*used];
        const json_t* price = json_array_get(row, 0);
        const json_t* quantity = json_array_get(row, 1);
        if (price == NULL) return plain_fail(plain, APUS_BINANCE_FAULT_TYPE);
        if (plain_value(plain, price, instrument->price_decimals, &level->price) < 0) return -1;
        if (quantity == NULL) return plain_fail(plain, APUS_BINANCE_FAULT_TYPE);
        if (plain_value(plain, quantity, instrument->quantity_decimals, &level->quantity) < 0) return -1;
        ++*used;
        ++*count;
    }
    return 0;
}

static int plain_sides(plain* plain, const json_t* object, const char* bids, const char* asks) {
    uint32_t used = 0;
    plain->message.levels = plain->levels;
    if (plain_side(plain, json_object_get(object, bids), &used, &plain->message.bid_count) < 0) return -1;
    return plain_side(plain, json_object_get(object, asks), &used, &plain->message.ask_count);
}

static int plain_times(plain* plain, const json_t* object) {
    if (plain_unsigned(plain, object, "E", false, &plain->message.event_time) < 0) return -1;
    return plain_unsigned(plain, object, "T", false, &plain->message.transaction_time);
}

static int plain_depth(plain* plain, const json_t* object) {
    apus_binance_message* message = &plain->message;
    message->kind = APUS_BINANCE_DEPTH;
    message->has_previous = json_object_get(object, "pu") != NULL;
    if (plain_times(plain, object) < 0 || plain_unsigned(plain, object, "U", true, &message->first_update) < 0
        || plain_unsigned(plain, object, "u", true, &message->last_update) < 0
        || plain_unsigned(plain, object, "pu", false, &message->previous_update) < 0) {
        return -1;
    }
    return plain_sides(plain, object, "b", "a");
}

static int plain_ticker(plain* plain, const json_t* object) {
    apus_binance_message* message = &plain->message;
    const apus_instrument* instrument = apus_instrument_at(&table, message->instrument);
    int p = instrument->price_decimals, q = instrument->quantity_decimals;
    message->kind = APUS_BINANCE_TICKER;
    if (plain_times(plain, object) < 0 || plain_unsigned(plain, object, "u", true, &message->last_update) < 0
        || plain_value(plain, json_object_get(object, "b"), p, &message->bid.price) < 0
        || plain_value(plain, json_object_get(object, "B"), q, &message->bid.quantity) < 0
        || plain_value(plain, json_object_get(object, "a"), p, &message->ask.price) < 0) {
        return -1;
    }
    return plain_value(plain, json_object_get(object, "A"), q, &message->ask.quantity);
}

static int plain_trade(plain* plain, const json_t* object, bool aggregate) {
    apus_binance_message* message = &plain->message;
    const apus_instrument* instrument = apus_instrument_at(&table, message->instrument);
    const json_t* kind = json_object_get(object, "X");
    const json_t* maker = json_object_get(object, "m");
    message->kind = APUS_BINANCE_TRADE;
    message->aggregate = aggregate;
    message->not_market = kind != NULL && (!json_is_string(kind) || strcmp(json_string_value(kind), "MARKET") != 0);
    if (maker == NULL) return plain_fail(plain, APUS_BINANCE_FAULT_MISSING);
    if (!json_is_boolean(maker)) return plain_fail(plain, APUS_BINANCE_FAULT_TYPE);
    message->buyer_is_maker = json_is_true(maker);
    if (plain_times(plain, object) < 0
        || plain_unsigned(plain, object, aggregate ? "a" : "t", true, &message->trade_id) < 0
        || plain_value(plain, json_object_get(object, "p"), instrument->price_decimals, &message->bid.price) < 0) {
        return -1;
    }
    return plain_value(plain, json_object_get(object, "q"), instrument->quantity_decimals, &message->bid.quantity);
}

static int plain_event(plain* plain, const json_t* object) {
    const char* event = json_string_value(json_object_get(object, "e"));
    bool typed = json_object_get(object, "e") != NULL;
    bool ticker = typed ? event != NULL && strcmp(event, "bookTicker") == 0
                        : json_object_get(object, "u") && json_object_get(object, "s") && json_object_get(object, "B")
                              && json_object_get(object, "A");
    bool depth = event != NULL && strcmp(event, "depthUpdate") == 0;
    bool trade = event != NULL && strcmp(event, "trade") == 0;
    bool aggregate = event != NULL && strcmp(event, "aggTrade") == 0;
    if (!ticker && !depth && !trade && !aggregate) {
        plain->message.unknown_reason = APUS_BINANCE_UNKNOWN_EVENT;
        return 0;
    }
    const json_t* symbol = json_object_get(object, "s");
    if (symbol == NULL) return plain_fail(plain, APUS_BINANCE_FAULT_MISSING);
    if (!json_is_string(symbol)) return plain_fail(plain, APUS_BINANCE_FAULT_TYPE);
    for (uint32_t i = 0; i < table.count; i++) {
        if (strcmp(apus_instrument_at(&table, (uint16_t)i)->symbol, json_string_value(symbol)) == 0)
            plain->message.instrument = (uint16_t)i;
    }
    if (plain->message.instrument == APUS_INSTRUMENT_NONE) {
        plain->message.unknown_reason = APUS_BINANCE_UNKNOWN_SYMBOL;
        return 0;
    }
    if (depth) return plain_depth(plain, object);
    return ticker ? plain_ticker(plain, object) : plain_trade(plain, object, aggregate);
}

// Returns whether there is something to compare.
static bool plain_read(plain* plain, const json_t* root) {
    memset(&plain->message, 0, sizeof plain->message);
    plain->message.instrument = APUS_INSTRUMENT_NONE;
    plain->error = plain->fault = 0;
    plain->vague = false;
    const json_t* object = root;
    const json_t* data = json_object_get(root, "data");
    if (json_is_object(data) && json_object_get(root, "e") == NULL) object = data;
    if (!json_is_object(object)) {
        plain->message.unknown_reason = APUS_BINANCE_UNKNOWN_EVENT;
        return true;
    }
    bool event = json_object_get(object, "e") != NULL;
    if (!event && json_object_get(object, "lastUpdateId")) {
        plain->message.instrument = 0;
        plain->message.kind = APUS_BINANCE_SNAPSHOT;
        if (plain_times(plain, object) == 0
            && plain_unsigned(plain, object, "lastUpdateId", true, &plain->message.last_update) == 0) {
            plain_sides(plain, object, "bids", "asks");
        }
        return !plain->vague;
    }
    // Answers are compared by kind alone.
    if (!event
        && (json_object_get(object, "result") || json_object_get(object, "error") || json_object_get(object, "code"))) {
        plain->message.kind = APUS_BINANCE_ANSWER;
        return true;
    }
    plain_event(plain, object);
    return !plain->vague;
}

// MARK: the generator

typedef struct source {
    const uint8_t* at;
    const uint8_t* end;
    char* out;
    size_t count;
    size_t room;
} source;

static uint32_t choose(source* source, uint32_t count) {
    return source->at < source->end ? *source->at++ % count : 0;
}

static void put_bytes(source* source, const char* text, size_t length) {
    if (source->room - source->count < length) return;
    memcpy(source->out + source->count, text, length);
    source->count += length;
}

static void put(source* source, const char* text) {
    put_bytes(source, text, strlen(text));
}

static void put_space(source* source, uint32_t looseness) {
    static const char* const spaces[] = {"", " ", "\n\t", "  "};
    if (looseness > 0) put(source, spaces[choose(source, 4)]);
}

// A string, some characters of it as escapes.
static void put_string(source* source, const char* text, uint32_t looseness) {
    put(source, "\"");
    for (; *text != 0; text++) {
        char escaped[8];
        if (looseness > 1 && choose(source, 8) == 1) {
            snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)(unsigned char)*text);
            put(source, escaped);
        } else {
            put_bytes(source, text, 1);
        }
    }
    put(source, "\"");
}

static void put_number_text(source* source, uint32_t looseness) {
    static const char* const usual[] = {"61496.50", "0.010", "0.00000001", "606.675",      "9517.6",
                                        "10",       "0.000", "0",          "7.25",         "0.35130000",
                                        "100.00",   "1",     "2.50",       "6195.00000000"};
    static const char* const odd[] = {"1e2",
                                      "1.5E-1",
                                      "0.00100000000000",
                                      "-1",
                                      "-0",
                                      "99999999999999999999",
                                      "",
                                      "1.",
                                      ".5",
                                      "0x10",
                                      "1e",
                                      "1 ",
                                      "00012.50",
                                      "+1",
                                      "1e-9",
                                      "1.0e+3",
                                      "9223372036854775807",
                                      "9e99999999999",
                                      "12345678901.25"};
    bool strange = looseness > 0 && choose(source, 4) == 3;
    put_string(source, strange ? odd[choose(source, 19)] : usual[choose(source, 14)], looseness);
}

static void put_integer(source* source, uint32_t looseness) {
    static const char* const usual[] = {"1723161256299", "5123107832006", "7", "0", "400900217"};
    static const char* const odd[] = {"9223372036854775807", "-5", "\"12\"", "null", "1e3", "[1]", "-0"};
    bool strange = looseness > 0 && choose(source, 8) == 3;
    put(source, strange ? odd[choose(source, 7)] : usual[choose(source, 5)]);
}

static void put_value(source* source, const char* kind, uint32_t looseness);

static void put_levels(source* source, uint32_t looseness) {
    put(source, "[");
    uint32_t count = choose(source, 5);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) put(source, ",");
        put(source, "[");
        put_space(source, looseness);
        put_number_text(source, looseness);
        put_space(source, looseness);
        put(source, ",");
        put_number_text(source, looseness);
        if (looseness > 1 && choose(source, 6) == 1) put(source, ",[]");
        put(source, "]");
    }
    put(source, "]");
}

// One letter for each kind of value: n integer, d decimal, l levels, s symbol, b boolean, x anything else.
static void put_value(source* source, const char* kind, uint32_t looseness) {
    static const char* const symbols[] = {"BTCUSDT", "NKNUSDT", "BTCUSD_200626", "BNBBTC", "X", "NOSUCH"};
    static const char* const others[] = {"{\"b\":[1,{}],\"e\":\"trade\"}", "[[],\"a\"]", "null", "\"\\\\\\\"\"", "-12"};
    switch (*kind) {
    case 'n':
        put_integer(source, looseness);
        return;
    case 'd':
        put_number_text(source, looseness);
        return;
    case 'l':
        put_levels(source, looseness);
        return;
    case 's':
        put_string(source, symbols[choose(source, 6)], looseness);
        return;
    case 'b':
        put(source, choose(source, 2) ? "true" : "false");
        return;
    case 'x':
        put(source, others[choose(source, 5)]);
        return;
    default:
        put_string(source, kind + 1, looseness);
    }
}

typedef struct member {
    const char* key;
    const char* kind;
} member;

static const member forms[][14] = {
    {{"e", "=depthUpdate"},
     {"E", "n"},
     {"T", "n"},
     {"s", "s"},
     {"U", "n"},
     {"u", "n"},
     {"pu", "n"},
     {"b", "l"},
     {"a", "l"}},
    {{"e", "=depthUpdate"}, {"E", "n"}, {"s", "s"}, {"U", "n"}, {"u", "n"}, {"b", "l"}, {"a", "l"}},
    {{"e", "=depthUpdate"},
     {"E", "n"},
     {"T", "n"},
     {"s", "s"},
     {"ps", "=BTCUSD"},
     {"U", "n"},
     {"u", "n"},
     {"pu", "n"},
     {"b", "l"},
     {"a", "l"}},
    {{"e", "=bookTicker"},
     {"u", "n"},
     {"s", "s"},
     {"b", "d"},
     {"B", "d"},
     {"a", "d"},
     {"A", "d"},
     {"T", "n"},
     {"E", "n"}},
    {{"u", "n"}, {"s", "s"}, {"b", "d"}, {"B", "d"}, {"a", "d"}, {"A", "d"}},
    {{"e", "=trade"},
     {"E", "n"},
     {"T", "n"},
     {"s", "s"},
     {"t", "n"},
     {"p", "d"},
     {"q", "d"},
     {"X", "=MARKET"},
     {"m", "b"}},
    {{"e", "=trade"},
     {"E", "n"},
     {"s", "s"},
     {"t", "n"},
     {"p", "d"},
     {"q", "d"},
     {"b", "n"},
     {"a", "n"},
     {"T", "n"},
     {"m", "b"},
     {"M", "b"}},
    {{"e", "=aggTrade"},
     {"E", "n"},
     {"s", "s"},
     {"a", "n"},
     {"p", "d"},
     {"q", "d"},
     {"f", "n"},
     {"l", "n"},
     {"T", "n"},
     {"m", "b"},
     {"M", "b"}},
    {{"lastUpdateId", "n"}, {"E", "n"}, {"T", "n"}, {"bids", "l"}, {"asks", "l"}},
    {{"lastUpdateId", "n"}, {"bids", "l"}, {"asks", "l"}},
};

// One object in one of the forms; a looseness of 0 is as the venue writes it.
static void put_message(source* source, uint32_t looseness) {
    const member* form = forms[choose(source, sizeof forms / sizeof forms[0])];
    uint32_t count = 0, order[20];
    while (form[count].key != NULL) {
        order[count] = count;
        count++;
    }
    for (uint32_t i = count; looseness > 0 && i > 1; i--) {
        uint32_t other = choose(source, i), kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
    if (looseness > 1 && choose(source, 3) == 1) {
        order[count] = order[choose(source, count)]; // repeated
        count++;
    }
    put(source, "{");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) put(source, ",");
        put_space(source, looseness);
        if (looseness > 1 && choose(source, 6) == 1) {
            put(source, "\"zz\":");
            put_value(source, "x", looseness);
            put(source, ",");
        }
        put_string(source, form[order[i]].key, looseness);
        put_space(source, looseness);
        put(source, ":");
        put_value(source, form[order[i]].kind, looseness);
    }
    put(source, "}");
}

static size_t generate(const uint8_t* data, size_t size, char* out, size_t room) {
    source source = {.at = data, .end = data + size, .out = out, .room = room};
    uint32_t looseness = choose(&source, 3), wrapping = choose(&source, 3);
    if (wrapping == 1) put(&source, "{\"stream\":\"btcusdt@depth@0ms\",\"data\":");
    if (wrapping == 2 && looseness > 0) put(&source, " {\"x\":1 ,\"data\" : ");
    put_message(&source, looseness);
    if (wrapping == 1) put(&source, "}");
    if (wrapping == 2 && looseness > 0) put(&source, ",\"stream\":\"s\"}");
    // Sometimes one byte is another one.
    if (choose(&source, 8) == 7 && source.count > 0) {
        size_t place = (choose(&source, 256) << 8 | choose(&source, 256)) % source.count;
        out[place] = (char)choose(&source, 128);
    }
    return source.count;
}

// MARK: the comparison

// Whether the library may refuse a valid text: it checks UTF-8 and surrogates, and knows no larger integers and reals.
static bool library_may_refuse(const uint8_t* bytes, size_t length) {
    size_t digits = 0;
    for (size_t i = 0; i < length; i++) {
        digits = bytes[i] >= '0' && bytes[i] <= '9' ? digits + 1 : 0;
        if (bytes[i] >= 0x80 || bytes[i] == '\\' || digits >= 19) return true;
        if ((bytes[i] == 'e' || bytes[i] == 'E') && i > 0 && bytes[i - 1] >= '0' && bytes[i - 1] <= '9') return true;
    }
    return false;
}

static void compare(const uint8_t* bytes, size_t length) {
    static plain expected;
    json_error_t error;
    json_t* root = json_loadb((const char*)bytes, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    // The library overlooks a zero byte behind a number.
    bool comparable = root != NULL && memchr(bytes, 0, length) == NULL && plain_read(&expected, root);
    json_decref(root);
    for (int i = 0; i < 4; i++) {
        if (decoders[i] == NULL) continue;
        apus_binance_message message;
        int result = apus_binance_decode(&decoders[i]->decoder, bytes, length, 0, &message);
        if (root == NULL) {
            check(result == -EBADMSG || library_may_refuse(bytes, length));
            continue;
        }
        if (message.json_fault == APUS_JSON_FAULT_DEPTH || message.fault == APUS_BINANCE_FAULT_TEXT) continue;
        if (!comparable) continue;
        if (expected.message.kind == APUS_BINANCE_ANSWER && expected.error == 0) {
            check(result < 0 || message.kind == APUS_BINANCE_ANSWER);
            continue;
        }
        check(result == expected.error);
        if (result != 0) {
            check(message.fault == expected.fault);
            continue;
        }
        // The texts are not compared: the library gives them decoded.
        message.symbol = message.stream = message.event_type = message.answer_text = NULL;
        message.symbol_length = message.stream_length = message.event_type_length = message.answer_text_length = 0;
        check(same_message(&message, &expected.message));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static uint8_t text[1 << 16];
    if (decoders[0] == NULL) {
        support_instruments(&table);
        decoders[3] = support_decoder_make(&table, APUS_VECTOR_PORTABLE, true);
        for (int vector = 0; vector < 3; vector++)
            decoders[vector] = support_decoder_make(&table, vector, false);
    }
    if (size == 0 || size > sizeof text - APUS_PADDING) return 0;
    memset(text, 0, sizeof text);
    size_t length = size - 1;
    if (data[0] & 1)
        length = generate(data + 1, size - 1, (char*)text, sizeof text - APUS_PADDING);
    else
        memcpy(text, data + 1, length);
    compare(text, length);
    return 0;
}
