// The Binance decoder for any valid JSON: the members that matter are found by name, whatever their order, spacing and
// escapes; the last of a repeated name counts; then the message is read from them in a fixed order.
#include "apus_binance_decode_internal.h"
#include "apus_decimal.h"
#include "apus_json.h"

enum {
    FIELD_STREAM,
    FIELD_DATA,
    FIELD_EVENT,
    FIELD_EVENT_TIME,
    FIELD_TIME,
    FIELD_SYMBOL,
    FIELD_FIRST,
    FIELD_LAST,
    FIELD_PREVIOUS,
    FIELD_BIDS,
    FIELD_ASKS,
    FIELD_BID_QUANTITY,
    FIELD_ASK_QUANTITY,
    FIELD_PRICE,
    FIELD_QUANTITY,
    FIELD_TRADE,
    FIELD_MAKER,
    FIELD_EXECUTION,
    FIELD_SNAPSHOT_ID,
    FIELD_SNAPSHOT_BIDS,
    FIELD_SNAPSHOT_ASKS,
    FIELD_ID,
    FIELD_RESULT,
    FIELD_ERROR,
    FIELD_CODE,
    FIELD_MESSAGE,
    FIELDS,
};

static const struct {
    const char* text;
    uint8_t length;
} names[FIELDS] = {
    [FIELD_STREAM] = {"stream", 6},
    [FIELD_DATA] = {"data", 4},
    [FIELD_EVENT] = {"e", 1},
    [FIELD_EVENT_TIME] = {"E", 1},
    [FIELD_TIME] = {"T", 1},
    [FIELD_SYMBOL] = {"s", 1},
    [FIELD_FIRST] = {"U", 1},
    [FIELD_LAST] = {"u", 1},
    [FIELD_PREVIOUS] = {"pu", 2},
    [FIELD_BIDS] = {"b", 1},
    [FIELD_ASKS] = {"a", 1},
    [FIELD_BID_QUANTITY] = {"B", 1},
    [FIELD_ASK_QUANTITY] = {"A", 1},
    [FIELD_PRICE] = {"p", 1},
    [FIELD_QUANTITY] = {"q", 1},
    [FIELD_TRADE] = {"t", 1},
    [FIELD_MAKER] = {"m", 1},
    [FIELD_EXECUTION] = {"X", 1},
    [FIELD_SNAPSHOT_ID] = {"lastUpdateId", 12},
    [FIELD_SNAPSHOT_BIDS] = {"bids", 4},
    [FIELD_SNAPSHOT_ASKS] = {"asks", 4},
    [FIELD_ID] = {"id", 2},
    [FIELD_RESULT] = {"result", 6},
    [FIELD_ERROR] = {"error", 5},
    [FIELD_CODE] = {"code", 4},
    [FIELD_MESSAGE] = {"msg", 3},
};

// A member's value: where its text is in the message. Nested values are kept with their brackets.
typedef struct field {
    apus_json_token token; // APUS_JSON_END: absent
    bool escaped;
    size_t start;
    size_t length;
} field;

typedef struct reader {
    apus_binance_decoder* decoder;
    apus_binance_message* message;
    const uint8_t* bytes;
    size_t end; // of the object that is read
    uint32_t price_decimals;
    uint32_t quantity_decimals;
    uint32_t levels;
    field fields[FIELDS];
} reader;

static int fault(reader* reader, uint8_t fault, size_t offset) {
    reader->message->fault = fault;
    reader->message->error_offset = offset;
    switch (fault) {
    case APUS_BINANCE_FAULT_DECIMALS:
        return -EDOM;
    case APUS_BINANCE_FAULT_RANGE:
        return -ERANGE;
    case APUS_BINANCE_FAULT_LEVELS:
    case APUS_BINANCE_FAULT_TEXT:
        return -ENOBUFS;
    default:
        return -EBADMSG;
    }
}

static int json_fault(reader* reader, const apus_json* json, size_t base) {
    reader->message->json_fault = json->fault;
    return fault(reader, APUS_BINANCE_FAULT_JSON, base + json->error_offset);
}

static size_t find_name(const apus_json* json) {
    for (size_t i = 0; i < FIELDS; i++) {
        if (apus_json_equals(json, names[i].text, names[i].length)) return i;
    }
    return FIELDS;
}

// Reads the members of the object at bytes[start, end).
static int read_members(reader* reader, size_t start, size_t end) {
    apus_json json;
    apus_json_init(&json, reader->bytes + start, end - start);
    memset(reader->fields, 0, sizeof reader->fields);
    reader->end = end;
    apus_json_token token = apus_json_next(&json);
    if (token == APUS_JSON_ERROR) return json_fault(reader, &json, start);
    bool object = token == APUS_JSON_OBJECT_BEGIN;
    if (!object && !apus_json_skip(&json, token)) return json_fault(reader, &json, start);
    while (object && (token = apus_json_next(&json)) == APUS_JSON_KEY) {
        size_t which = find_name(&json);
        token = apus_json_next(&json);
        bool nested = token == APUS_JSON_OBJECT_BEGIN || token == APUS_JSON_ARRAY_BEGIN;
        size_t at = nested ? json.position - 1 : json.text_start;
        bool escaped = !nested && json.escaped;
        if (!apus_json_skip(&json, token)) return json_fault(reader, &json, start);
        if (which == FIELDS) continue;
        size_t length = nested ? json.position - at : json.text_length;
        reader->fields[which] = (field){
            .token = token, .escaped = token == APUS_JSON_STRING && escaped, .start = start + at, .length = length};
    }
    if (token == APUS_JSON_ERROR || apus_json_next(&json) != APUS_JSON_END) return json_fault(reader, &json, start);
    return object ? 0 : 1;
}

// MARK: values

static bool has(const reader* reader, size_t which) {
    return reader->fields[which].token != APUS_JSON_END;
}

// A string's decoded text.
static int text_of(reader* reader, const field* field, const uint8_t** text, size_t* length) {
    *text = reader->bytes + field->start;
    *length = field->length;
    if (!field->escaped) return 0;
    int64_t count = apus_json_unescape(*text, *length, reader->decoder->text, sizeof reader->decoder->text);
    if (count < 0) return fault(reader, APUS_BINANCE_FAULT_TEXT, field->start);
    *text = reader->decoder->text;
    *length = (size_t)count;
    return 0;
}

// Whether a string field is this text. A text too long to be decoded is none of ours.
static bool is_text(const reader* reader, size_t which, const char* wanted) {
    const field* field = &reader->fields[which];
    if (field->token != APUS_JSON_STRING) return false;
    apus_json json = {
        .bytes = reader->bytes, .text_start = field->start, .text_length = field->length, .escaped = field->escaped};
    return apus_json_equals(&json, wanted, strlen(wanted));
}

// A decimal, as a string or as a JSON number; never negative.
static int decimal_of(reader* reader, const field* field, uint32_t decimals, int64_t* value) {
    if (field->token != APUS_JSON_STRING && field->token != APUS_JSON_NUMBER) {
        return fault(reader, APUS_BINANCE_FAULT_TYPE, field->start);
    }
    const uint8_t* text;
    size_t length, offset = 0;
    int error = text_of(reader, field, &text, &length);
    if (error < 0) return error;
    error = apus_decimal_parse(text, length, decimals, value, &offset);
    if (field->escaped) offset = 0; // an offset in the decoded text names no byte of the message
    if (error == -EDOM) return fault(reader, APUS_BINANCE_FAULT_DECIMALS, field->start + offset);
    if (error == -ERANGE) return fault(reader, APUS_BINANCE_FAULT_RANGE, field->start + offset);
    if (error < 0) return fault(reader, APUS_BINANCE_FAULT_NUMBER, field->start + offset);
    return *value < 0 ? fault(reader, APUS_BINANCE_FAULT_NUMBER, field->start) : 0;
}

// An unsigned integer as a JSON number of any form ("17", "1.7e1").
static int unsigned_of(reader* reader, size_t which, bool required, uint64_t* value) {
    const field* field = &reader->fields[which];
    if (field->token == APUS_JSON_END) {
        return required ? fault(reader, APUS_BINANCE_FAULT_MISSING, reader->end) : 0;
    }
    if (field->token != APUS_JSON_NUMBER) return fault(reader, APUS_BINANCE_FAULT_TYPE, field->start);
    const uint8_t* text = reader->bytes + field->start;
    int error = apus_u64_parse(text, field->length, value);
    if (error == 0) return 0;
    if (error == -ERANGE) return fault(reader, APUS_BINANCE_FAULT_RANGE, field->start);
    int64_t exact = 0;
    error = apus_decimal_parse(text, field->length, 0, &exact, NULL);
    if (error == -ERANGE) return fault(reader, APUS_BINANCE_FAULT_RANGE, field->start);
    if (error < 0 || exact < 0) return fault(reader, APUS_BINANCE_FAULT_NUMBER, field->start);
    *value = (uint64_t)exact;
    return 0;
}

// MARK: levels

// Where the newest token begins.
static size_t token_start(const apus_json* json, apus_json_token token) {
    bool bracket = token == APUS_JSON_OBJECT_BEGIN || token == APUS_JSON_ARRAY_BEGIN || token == APUS_JSON_OBJECT_END
                   || token == APUS_JSON_ARRAY_END;
    return bracket ? json->position - 1 : json->text_start;
}

static int level_number(reader* reader, const apus_json* json, apus_json_token token, size_t base, uint32_t decimals,
                        int64_t* value) {
    field number = {
        .token = token, .escaped = json->escaped, .start = base + json->text_start, .length = json->text_length};
    if (token != APUS_JSON_STRING && token != APUS_JSON_NUMBER) {
        return fault(reader, APUS_BINANCE_FAULT_TYPE, base + token_start(json, token));
    }
    return decimal_of(reader, &number, decimals, value);
}

// One [price, quantity, ...]; its bracket is read. What follows the quantity is passed over (old spot messages have it).
static int read_level(reader* reader, apus_json* json, size_t base, apus_level* level) {
    apus_json_token token = apus_json_next(json);
    int error = level_number(reader, json, token, base, reader->price_decimals, &level->price);
    if (error < 0) return error;
    token = apus_json_next(json);
    error = level_number(reader, json, token, base, reader->quantity_decimals, &level->quantity);
    if (error < 0) return error;
    while ((token = apus_json_next(json)) != APUS_JSON_ARRAY_END) {
        if (!apus_json_skip(json, token)) return json_fault(reader, json, base);
    }
    return 0;
}

static int read_levels(reader* reader, size_t which, uint32_t* count) {
    const field* field = &reader->fields[which];
    if (field->token == APUS_JSON_END) return fault(reader, APUS_BINANCE_FAULT_MISSING, reader->end);
    if (field->token != APUS_JSON_ARRAY_BEGIN) return fault(reader, APUS_BINANCE_FAULT_TYPE, field->start);
    apus_json json;
    apus_json_init(&json, reader->bytes + field->start, field->length);
    apus_json_next(&json);
    *count = 0;
    apus_json_token token;
    while ((token = apus_json_next(&json)) != APUS_JSON_ARRAY_END) {
        if (token != APUS_JSON_ARRAY_BEGIN) {
            return fault(reader, APUS_BINANCE_FAULT_TYPE, field->start + token_start(&json, token));
        }
        if (reader->levels == reader->decoder->level_capacity) {
            return fault(reader, APUS_BINANCE_FAULT_LEVELS, field->start + json.position - 1);
        }
        int error = read_level(reader, &json, field->start, &reader->decoder->levels[reader->levels]);
        if (error < 0) return error;
        reader->levels++;
        ++*count;
    }
    return 0;
}

static int read_both_sides(reader* reader, size_t bids, size_t asks) {
    reader->message->levels = reader->decoder->levels;
    int error = read_levels(reader, bids, &reader->message->bid_count);
    return error < 0 ? error : read_levels(reader, asks, &reader->message->ask_count);
}

// MARK: kinds

static int unknown(reader* reader, uint8_t reason) {
    reader->message->kind = APUS_BINANCE_UNKNOWN;
    reader->message->unknown_reason = reason;
    return 0;
}

static void use_instrument(reader* reader, uint16_t instrument) {
    const apus_instrument* entry = apus_instrument_at(reader->decoder->instruments, instrument);
    reader->message->instrument = instrument;
    reader->price_decimals = entry->price_decimals;
    reader->quantity_decimals = entry->quantity_decimals;
}

// Finds the message's instrument by its symbol. Returns 1 when it is there, 0 when the table does not have it.
static int find_symbol(reader* reader) {
    const field* field = &reader->fields[FIELD_SYMBOL];
    if (field->token == APUS_JSON_END) return fault(reader, APUS_BINANCE_FAULT_MISSING, reader->end);
    if (field->token != APUS_JSON_STRING) return fault(reader, APUS_BINANCE_FAULT_TYPE, field->start);
    reader->message->symbol = reader->bytes + field->start;
    reader->message->symbol_length = (uint32_t)field->length;
    const uint8_t* text;
    size_t length;
    int error = text_of(reader, field, &text, &length);
    if (error < 0) return error;
    uint16_t instrument = apus_instrument_find(reader->decoder->instruments, text, length);
    if (instrument == APUS_INSTRUMENT_NONE) return 0;
    use_instrument(reader, instrument);
    return 1;
}

static int read_times(reader* reader) {
    int error = unsigned_of(reader, FIELD_EVENT_TIME, false, &reader->message->event_time);
    return error < 0 ? error : unsigned_of(reader, FIELD_TIME, false, &reader->message->transaction_time);
}

static int read_depth(reader* reader) {
    apus_binance_message* message = reader->message;
    message->kind = APUS_BINANCE_DEPTH;
    message->has_previous = has(reader, FIELD_PREVIOUS);
    int error = read_times(reader);
    if (error == 0) error = unsigned_of(reader, FIELD_FIRST, true, &message->first_update);
    if (error == 0) error = unsigned_of(reader, FIELD_LAST, true, &message->last_update);
    if (error == 0) error = unsigned_of(reader, FIELD_PREVIOUS, false, &message->previous_update);
    return error < 0 ? error : read_both_sides(reader, FIELD_BIDS, FIELD_ASKS);
}

static int required_decimal(reader* reader, size_t which, uint32_t decimals, int64_t* value) {
    if (!has(reader, which)) return fault(reader, APUS_BINANCE_FAULT_MISSING, reader->end);
    return decimal_of(reader, &reader->fields[which], decimals, value);
}

static int read_ticker(reader* reader) {
    apus_binance_message* message = reader->message;
    message->kind = APUS_BINANCE_TICKER;
    int error = read_times(reader);
    if (error == 0) error = unsigned_of(reader, FIELD_LAST, true, &message->last_update);
    if (error == 0) error = required_decimal(reader, FIELD_BIDS, reader->price_decimals, &message->bid.price);
    if (error == 0) {
        error = required_decimal(reader, FIELD_BID_QUANTITY, reader->quantity_decimals, &message->bid.quantity);
    }
    if (error == 0) error = required_decimal(reader, FIELD_ASKS, reader->price_decimals, &message->ask.price);
    if (error == 0) {
        error = required_decimal(reader, FIELD_ASK_QUANTITY, reader->quantity_decimals, &message->ask.quantity);
    }
    return error;
}

static int read_trade(reader* reader, bool aggregate) {
    apus_binance_message* message = reader->message;
    message->kind = APUS_BINANCE_TRADE;
    message->aggregate = aggregate;
    message->not_market = has(reader, FIELD_EXECUTION) && !is_text(reader, FIELD_EXECUTION, "MARKET");
    const field* maker = &reader->fields[FIELD_MAKER];
    if (maker->token == APUS_JSON_END) return fault(reader, APUS_BINANCE_FAULT_MISSING, reader->end);
    if (maker->token != APUS_JSON_TRUE && maker->token != APUS_JSON_FALSE) {
        return fault(reader, APUS_BINANCE_FAULT_TYPE, maker->start);
    }
    message->buyer_is_maker = maker->token == APUS_JSON_TRUE;
    int error = read_times(reader);
    if (error == 0) error = unsigned_of(reader, aggregate ? FIELD_ASKS : FIELD_TRADE, true, &message->trade_id);
    if (error == 0) error = required_decimal(reader, FIELD_PRICE, reader->price_decimals, &message->bid.price);
    if (error == 0) error = required_decimal(reader, FIELD_QUANTITY, reader->quantity_decimals, &message->bid.quantity);
    return error;
}

static int read_snapshot(reader* reader, uint16_t instrument) {
    apus_binance_message* message = reader->message;
    if (instrument >= reader->decoder->instruments->count) return unknown(reader, APUS_BINANCE_UNKNOWN_SYMBOL);
    use_instrument(reader, instrument);
    message->kind = APUS_BINANCE_SNAPSHOT;
    int error = read_times(reader);
    if (error == 0) error = unsigned_of(reader, FIELD_SNAPSHOT_ID, true, &message->last_update);
    return error < 0 ? error : read_both_sides(reader, FIELD_SNAPSHOT_BIDS, FIELD_SNAPSHOT_ASKS);
}

// {"code":-1,"msg":".."} at the top or under "error".
static int read_code(reader* reader) {
    const field* code = &reader->fields[FIELD_CODE];
    const field* text = &reader->fields[FIELD_MESSAGE];
    if (code->token == APUS_JSON_NUMBER
        && apus_decimal_parse(reader->bytes + code->start, code->length, 0, &reader->message->answer_code, NULL) < 0) {
        return fault(reader, APUS_BINANCE_FAULT_NUMBER, code->start);
    }
    if (text->token == APUS_JSON_STRING) {
        reader->message->answer_text = reader->bytes + text->start;
        reader->message->answer_text_length = (uint32_t)text->length;
    }
    return 0;
}

static int read_answer(reader* reader) {
    apus_binance_message* message = reader->message;
    message->kind = APUS_BINANCE_ANSWER;
    field failure = reader->fields[FIELD_ERROR];
    bool failed = failure.token == APUS_JSON_OBJECT_BEGIN || has(reader, FIELD_CODE);
    message->succeeded = !failed;
    if (reader->fields[FIELD_ID].token == APUS_JSON_NUMBER) {
        int error = unsigned_of(reader, FIELD_ID, false, &message->answer_id);
        if (error < 0) return error;
    }
    if (failure.token == APUS_JSON_OBJECT_BEGIN) {
        int error = read_members(reader, failure.start, failure.start + failure.length);
        if (error < 0) return error;
    }
    return failed ? read_code(reader) : 0;
}

static int read_event(reader* reader) {
    const field* event = &reader->fields[FIELD_EVENT];
    if (event->token == APUS_JSON_STRING) {
        reader->message->event_type = reader->bytes + event->start;
        reader->message->event_type_length = (uint32_t)event->length;
    }
    bool depth = is_text(reader, FIELD_EVENT, "depthUpdate"), ticker = is_text(reader, FIELD_EVENT, "bookTicker");
    bool trade = is_text(reader, FIELD_EVENT, "trade"), aggregate = is_text(reader, FIELD_EVENT, "aggTrade");
    if (!has(reader, FIELD_EVENT)) {
        // Spot's bookTicker carries no event type.
        ticker = has(reader, FIELD_LAST) && has(reader, FIELD_SYMBOL) && has(reader, FIELD_BID_QUANTITY)
                 && has(reader, FIELD_ASK_QUANTITY);
    }
    if (!depth && !ticker && !trade && !aggregate) return unknown(reader, APUS_BINANCE_UNKNOWN_EVENT);
    int found = find_symbol(reader);
    if (found < 0) return found;
    if (found == 0) return unknown(reader, APUS_BINANCE_UNKNOWN_SYMBOL);
    if (depth) return read_depth(reader);
    return ticker ? read_ticker(reader) : read_trade(reader, aggregate);
}

int apus_binance_general(apus_binance_decoder* decoder, const uint8_t* bytes, size_t length, uint16_t instrument,
                         apus_binance_message* message) {
    reader reader = {.decoder = decoder, .message = message, .bytes = bytes};
    int result = read_members(&reader, 0, length);
    if (result < 0) return result;
    field data = reader.fields[FIELD_DATA];
    if (result == 0 && data.token == APUS_JSON_OBJECT_BEGIN && !has(&reader, FIELD_EVENT)) {
        field stream = reader.fields[FIELD_STREAM];
        if (stream.token == APUS_JSON_STRING) {
            message->stream = bytes + stream.start;
            message->stream_length = (uint32_t)stream.length;
        }
        result = read_members(&reader, data.start, data.start + data.length);
        if (result < 0) return result;
    }
    if (result == 1) return unknown(&reader, APUS_BINANCE_UNKNOWN_EVENT);
    if (has(&reader, FIELD_SNAPSHOT_ID) && !has(&reader, FIELD_EVENT)) return read_snapshot(&reader, instrument);
    bool answer = has(&reader, FIELD_RESULT) || has(&reader, FIELD_ERROR) || has(&reader, FIELD_CODE);
    if (answer && !has(&reader, FIELD_EVENT)) return read_answer(&reader);
    return read_event(&reader);
}
