// Any valid JSON to a message: first where each known field stands, then what it means. The event's type and the token
// may come last, so nothing is read in the first pass.
#include "polymarket_decode.h"

#include "apus_decimal.h"

#include <string.h>

typedef enum field_name {
    FIELD_EVENT_TYPE,
    FIELD_MARKET,
    FIELD_ASSET,
    FIELD_TIMESTAMP,
    FIELD_HASH,
    FIELD_PRICE,
    FIELD_SIZE,
    FIELD_SIDE,
    FIELD_TICK_SIZE,
    FIELD_LAST_TRADE_PRICE,
    FIELD_OLD_TICK_SIZE,
    FIELD_NEW_TICK_SIZE,
    FIELD_BEST_BID,
    FIELD_BEST_ASK,
    FIELD_MIN_ORDER_SIZE,
    FIELD_NEG_RISK,
    FIELD_BIDS,
    FIELD_ASKS,
    FIELD_CHANGES,
    FIELDS,
} field_name;

static const struct {
    const char* text;
    size_t length;
} names[FIELDS] = {
#define NAME(text)                                                                                                     \
    { text, sizeof text - 1 }
    [FIELD_EVENT_TYPE] = NAME("event_type"),
    [FIELD_MARKET] = NAME("market"),
    [FIELD_ASSET] = NAME("asset_id"),
    [FIELD_TIMESTAMP] = NAME("timestamp"),
    [FIELD_HASH] = NAME("hash"),
    [FIELD_PRICE] = NAME("price"),
    [FIELD_SIZE] = NAME("size"),
    [FIELD_SIDE] = NAME("side"),
    [FIELD_TICK_SIZE] = NAME("tick_size"),
    [FIELD_LAST_TRADE_PRICE] = NAME("last_trade_price"),
    [FIELD_OLD_TICK_SIZE] = NAME("old_tick_size"),
    [FIELD_NEW_TICK_SIZE] = NAME("new_tick_size"),
    [FIELD_BEST_BID] = NAME("best_bid"),
    [FIELD_BEST_ASK] = NAME("best_ask"),
    [FIELD_MIN_ORDER_SIZE] = NAME("min_order_size"),
    [FIELD_NEG_RISK] = NAME("neg_risk"),
    [FIELD_BIDS] = NAME("bids"),
    [FIELD_ASKS] = NAME("asks"),
    [FIELD_CHANGES] = NAME("price_changes"),
#undef NAME
};

// A field's value: its first token and where it stands (strings: between the quotes).
typedef struct field {
    size_t start;
    size_t length;
    uint8_t token; // apus_json_token; 0: the field is not there
    bool escaped;
} field;

typedef struct reader {
    apus_polymarket_decoder* decoder;
    apus_polymarket_message* message;
    const uint8_t* bytes;
    size_t object; // where the object at hand begins
    // Levels in the venue's own writing are read once: the first pass only looks for the bracket behind them. What was
    // passed over like that and was not verified afterwards is read again with care.
    bool quick;
    uint32_t passed;
    uint32_t verified;
    field fields[FIELDS];
} reader;

static int fail(reader* reader, int error, uint8_t fault, size_t offset) {
    reader->message->fault = fault;
    reader->message->error_offset = offset;
    return error;
}

static int fail_json(reader* reader, const apus_json* json, size_t base) {
    reader->message->json_fault = json->fault;
    return fail(reader, -EBADMSG, APUS_POLYMARKET_FAULT_JSON, base + json->error_offset);
}

// MARK: the first pass

static field_name name_of(const apus_json* json) {
    for (field_name name = 0; name < FIELDS; name++) {
        // The first bytes decide nearly always; an escaped name is compared decoded.
        if (!json->escaped
            && (json->text_length != names[name].length || json->bytes[json->text_start] != names[name].text[0])) {
            continue;
        }
        if (apus_json_equals(json, names[name].text, names[name].length)) return name;
    }
    return FIELDS;
}

// Moves on to the bracket behind levels: none of the characters in them is one.
static void pass_levels(reader* reader, apus_json* json) {
    if (!reader->quick) return;
    const uint8_t* from = json->bytes + json->position;
    const uint8_t* bracket = memchr(from, ']', json->length - json->position);
    if (bracket == NULL) return;
    json->position = (size_t)(bracket - json->bytes);
    reader->passed++;
}

// Notes where the members of the object stand whose OBJECT_BEGIN was just given; `base` is the scanner's own offset.
static int collect(reader* reader, apus_json* json, size_t base) {
    memset(reader->fields, 0, sizeof reader->fields);
    for (;;) {
        apus_json_token token = apus_json_next(json);
        if (token == APUS_JSON_OBJECT_END) return 0;
        if (token == APUS_JSON_ERROR) return fail_json(reader, json, base);
        field_name name = name_of(json);
        token = apus_json_next(json);
        if (token == APUS_JSON_ERROR) return fail_json(reader, json, base);
        field found = {.token = (uint8_t)token, .start = base + json->text_start, .length = json->text_length};
        found.escaped = token == APUS_JSON_STRING && json->escaped;
        bool deep = token == APUS_JSON_OBJECT_BEGIN || token == APUS_JSON_ARRAY_BEGIN;
        if (deep) found.start = base + json->position - 1;
        if (token == APUS_JSON_ARRAY_BEGIN && (name == FIELD_BIDS || name == FIELD_ASKS)) pass_levels(reader, json);
        if (token >= APUS_JSON_TRUE) found.start = base + json->position - (token == APUS_JSON_FALSE ? 5 : 4);
        if (!apus_json_skip(json, token)) return fail_json(reader, json, base);
        if (deep) found.length = base + json->position - found.start;
        if (name != FIELDS) reader->fields[name] = found;
    }
}

// MARK: single values

// The decoded text of a string, or the text of a number. An absent field is an empty text.
static int text_of(reader* reader, const field* field, apus_polymarket_text* text) {
    *text = (apus_polymarket_text){0};
    if (field->token == 0 || field->token == APUS_JSON_NULL) return 0;
    if (field->token != APUS_JSON_STRING && field->token != APUS_JSON_NUMBER) {
        return fail(reader, -EBADMSG, APUS_POLYMARKET_FAULT_TYPE, field->start);
    }
    *text = (apus_polymarket_text){reader->bytes + field->start, (uint32_t)field->length};
    if (!field->escaped) return 0;
    apus_polymarket_decoder* decoder = reader->decoder;
    uint8_t* out = decoder->text + decoder->text_used;
    int64_t length = apus_json_unescape(text->bytes, text->length, out, sizeof decoder->text - decoder->text_used);
    if (length < 0) return fail(reader, -ENOBUFS, APUS_POLYMARKET_FAULT_TEXT, field->start);
    decoder->text_used += (uint32_t)length;
    *text = (apus_polymarket_text){out, (uint32_t)length};
    return 0;
}

static int needed_text(reader* reader, field_name name, apus_polymarket_text* text) {
    if (reader->fields[name].token == 0) {
        return fail(reader, -EBADMSG, APUS_POLYMARKET_FAULT_MISSING, reader->object);
    }
    return text_of(reader, &reader->fields[name], text);
}

static int number_of(reader* reader, const field* field, uint32_t decimals, int64_t* value,
                     apus_polymarket_text* text) {
    int error = text_of(reader, field, text);
    if (error < 0) return error;
    size_t at = 0;
    error = apus_decimal_parse(text->bytes, text->length, decimals, value, &at);
    size_t offset = field->start + (field->escaped ? 0 : at);
    if (error == -EDOM) return fail(reader, error, APUS_POLYMARKET_FAULT_DECIMALS, offset);
    if (error == -ERANGE) return fail(reader, error, APUS_POLYMARKET_FAULT_RANGE, offset);
    if (error < 0 || *value < 0) return fail(reader, -EBADMSG, APUS_POLYMARKET_FAULT_NUMBER, offset);
    if (text->length > APUS_POLYMARKET_NUMBER_BYTES) return fail(reader, -ENOBUFS, APUS_POLYMARKET_FAULT_TEXT, offset);
    return 0;
}

static int needed_number(reader* reader, field_name name, uint32_t decimals, int64_t* value) {
    apus_polymarket_text text;
    if (reader->fields[name].token == 0) {
        return fail(reader, -EBADMSG, APUS_POLYMARKET_FAULT_MISSING, reader->object);
    }
    return number_of(reader, &reader->fields[name], decimals, value, &text);
}

static int side_of(reader* reader, uint8_t* side) {
    apus_polymarket_text text;
    int error = needed_text(reader, FIELD_SIDE, &text);
    if (error < 0) return error;
    if (text.length == 3 && memcmp(text.bytes, "BUY", 3) == 0) {
        *side = APUS_SIDE_BID;
    } else if (text.length == 4 && memcmp(text.bytes, "SELL", 4) == 0) {
        *side = APUS_SIDE_ASK;
    } else {
        return fail(reader, -EBADMSG, APUS_POLYMARKET_FAULT_SIDE, reader->fields[FIELD_SIDE].start);
    }
    return 0;
}

static int level_of(reader* reader, const apus_instrument* instrument, apus_polymarket_level* level) {
    apus_polymarket_text price, size;
    if (reader->fields[FIELD_PRICE].token == 0 || reader->fields[FIELD_SIZE].token == 0) {
        return fail(reader, -EBADMSG, APUS_POLYMARKET_FAULT_MISSING, reader->object);
    }
    int error = number_of(reader, &reader->fields[FIELD_PRICE], instrument->price_decimals, &level->price, &price);
    if (error < 0) return error;
    error = number_of(reader, &reader->fields[FIELD_SIZE], instrument->quantity_decimals, &level->size, &size);
    if (error < 0) return error;
    level->price_text = price.bytes;
    level->size_text = size.bytes;
    level->price_length = (uint8_t)price.length;
    level->size_length = (uint8_t)size.length;
    if (price.length + size.length > APUS_POLYMARKET_LEVEL_BYTES) {
        return fail(reader, -ENOBUFS, APUS_POLYMARKET_FAULT_TEXT, reader->fields[FIELD_SIZE].start);
    }
    return 0;
}

static int read_timestamp(reader* reader, bool needed) {
    apus_polymarket_text text;
    field* at = &reader->fields[FIELD_TIMESTAMP];
    if (at->token == 0 && !needed) return 0;
    int error = needed_text(reader, FIELD_TIMESTAMP, &text);
    if (error < 0) return error;
    error = apus_u64_parse(text.bytes, text.length, &reader->message->timestamp);
    if (error == -ERANGE) return fail(reader, error, APUS_POLYMARKET_FAULT_RANGE, at->start);
    return error < 0 ? fail(reader, -EBADMSG, APUS_POLYMARKET_FAULT_NUMBER, at->start) : 0;
}

static int read_hash(reader* reader, apus_polymarket_text* hash) {
    int error = text_of(reader, &reader->fields[FIELD_HASH], hash);
    if (error < 0) return error;
    if (hash->length != 0 && hash->length != APUS_POLYMARKET_HASH_BYTES) {
        return fail(reader, -EBADMSG, APUS_POLYMARKET_FAULT_TYPE, reader->fields[FIELD_HASH].start);
    }
    return 0;
}

static int read_market(reader* reader) {
    apus_polymarket_message* message = reader->message;
    int error = text_of(reader, &reader->fields[FIELD_MARKET], &message->market);
    if (error < 0) return error;
    message->pair = apus_polymarket_decoder_pair(reader->decoder, message->market.bytes, message->market.length);
    return 0;
}

// The token that the object is about. Returns 1 when it is in the table, 0 when it is not.
static int read_asset(reader* reader) {
    apus_polymarket_message* message = reader->message;
    int error = needed_text(reader, FIELD_ASSET, &message->asset);
    if (error < 0) return error;
    message->instrument =
        apus_instrument_find(reader->decoder->instruments, message->asset.bytes, message->asset.length);
    message->unknown_asset = message->instrument == APUS_INSTRUMENT_NONE;
    return message->unknown_asset ? 0 : 1;
}

// MARK: arrays of objects

// Calls `read` with the fields of each element of an array; *count grows by what was read.
static int each_element(reader* reader, const field* array, uint32_t* count, const apus_instrument* instrument,
                        int (*read)(struct reader* reader, const apus_instrument* instrument,
                                    apus_polymarket_level* level)) {
    if (array->token != APUS_JSON_ARRAY_BEGIN) return fail(reader, -EBADMSG, APUS_POLYMARKET_FAULT_TYPE, array->start);
    apus_polymarket_decoder* decoder = reader->decoder;
    apus_json json;
    apus_json_init(&json, reader->bytes + array->start, array->length);
    field outer[FIELDS];
    memcpy(outer, reader->fields, sizeof outer);
    size_t object = reader->object;
    apus_json_next(&json);
    for (;;) {
        apus_json_token token = apus_json_next(&json);
        if (token == APUS_JSON_ARRAY_END) break;
        reader->object = array->start + json.position - 1;
        if (token != APUS_JSON_OBJECT_BEGIN) {
            return fail(reader, -EBADMSG, APUS_POLYMARKET_FAULT_TYPE, reader->object);
        }
        if (*count == decoder->level_capacity) {
            return fail(reader, -ENOBUFS, APUS_POLYMARKET_FAULT_LEVELS, reader->object);
        }
        int error = collect(reader, &json, array->start);
        if (error == 0) error = read(reader, instrument, &decoder->levels[(*count)++]);
        if (error < 0) return error;
    }
    memcpy(reader->fields, outer, sizeof outer);
    reader->object = object;
    return 0;
}

static int read_side(reader* reader, field_name name, const apus_instrument* instrument, uint32_t* total,
                     uint32_t* side_count) {
    apus_polymarket_decoder* decoder = reader->decoder;
    const field* array = &reader->fields[name];
    if (array->token == 0) return fail(reader, -EBADMSG, APUS_POLYMARKET_FAULT_MISSING, reader->object);
    uint32_t before = *total;
    if (array->token == APUS_JSON_ARRAY_BEGIN && reader->quick) {
        int64_t count =
            apus_polymarket_levels(decoder, reader->bytes, array->start + 1, array->start + array->length - 1,
                                   instrument, decoder->levels + before, decoder->level_capacity - before);
        if (count >= 0) {
            *side_count = (uint32_t)count;
            *total += (uint32_t)count;
            reader->verified++;
            return 0;
        }
    }
    field copy = *array;
    int error = each_element(reader, &copy, total, instrument, level_of);
    *side_count = *total - before;
    return error;
}

// MARK: the kinds

static int read_book(reader* reader) {
    apus_polymarket_message* message = reader->message;
    int error = read_timestamp(reader, true);
    if (error == 0) error = read_hash(reader, &message->hash);
    if (error == 0) error = text_of(reader, &reader->fields[FIELD_LAST_TRADE_PRICE], &message->last_trade_price);
    if (error == 0) error = text_of(reader, &reader->fields[FIELD_MIN_ORDER_SIZE], &message->min_order_size);
    if (error < 0) return error;
    if (message->last_trade_price.length > APUS_POLYMARKET_NUMBER_BYTES
        || message->min_order_size.length > APUS_POLYMARKET_NUMBER_BYTES) {
        return fail(reader, -ENOBUFS, APUS_POLYMARKET_FAULT_TEXT, reader->object);
    }
    uint8_t neg_risk = reader->fields[FIELD_NEG_RISK].token;
    message->has_neg_risk = neg_risk == APUS_JSON_TRUE || neg_risk == APUS_JSON_FALSE;
    message->neg_risk = neg_risk == APUS_JSON_TRUE;
    int known = read_asset(reader);
    if (known <= 0) return known;
    const apus_instrument* instrument = apus_instrument_at(reader->decoder->instruments, message->instrument);
    if (reader->fields[FIELD_TICK_SIZE].token != 0) {
        error = number_of(reader, &reader->fields[FIELD_TICK_SIZE], instrument->price_decimals, &message->tick,
                          &message->tick_size);
        if (error < 0) return error;
    }
    uint32_t total = 0;
    error = read_side(reader, FIELD_BIDS, instrument, &total, &message->bid_count);
    if (error == 0) error = read_side(reader, FIELD_ASKS, instrument, &total, &message->ask_count);
    message->levels = reader->decoder->levels;
    return error;
}

static int read_change(reader* reader, const apus_instrument* unused, apus_polymarket_level* change) {
    (void)unused;
    const apus_instrument_table* instruments = reader->decoder->instruments;
    memset(change, 0, sizeof *change);
    int error = needed_text(reader, FIELD_ASSET, &change->asset);
    apus_polymarket_text hash = {0};
    if (error == 0) error = read_hash(reader, &hash);
    if (error == 0) error = side_of(reader, &change->side);
    if (error < 0) return error;
    change->hash = hash.length != 0 ? hash.bytes : NULL;
    change->instrument = apus_instrument_find(instruments, change->asset.bytes, change->asset.length);
    if (change->instrument != APUS_INSTRUMENT_NONE) {
        reader->message->instrument = change->instrument; // whom an error further on is for
        return level_of(reader, apus_instrument_at(instruments, change->instrument), change);
    }
    reader->message->unknown_asset = true;
    apus_polymarket_text price;
    error = needed_text(reader, FIELD_PRICE, &price);
    if (error < 0) return error;
    if (price.length > APUS_POLYMARKET_NUMBER_BYTES) {
        return fail(reader, -ENOBUFS, APUS_POLYMARKET_FAULT_TEXT, reader->fields[FIELD_PRICE].start);
    }
    change->price_text = price.bytes;
    change->price_length = (uint8_t)price.length;
    return 0;
}

static int read_changes(reader* reader) {
    apus_polymarket_message* message = reader->message;
    int error = read_timestamp(reader, true);
    if (error < 0) return error;
    field array = reader->fields[FIELD_CHANGES];
    if (array.token == 0) return fail(reader, -EBADMSG, APUS_POLYMARKET_FAULT_MISSING, reader->object);
    error = each_element(reader, &array, &message->change_count, NULL, read_change);
    if (error < 0) return error;
    message->instrument = APUS_INSTRUMENT_NONE;
    message->levels = reader->decoder->levels;
    return 0;
}

static int read_trade(reader* reader) {
    apus_polymarket_message* message = reader->message;
    int error = read_timestamp(reader, true);
    if (error == 0) error = needed_text(reader, FIELD_PRICE, &message->last_trade_price);
    if (error < 0) return error;
    if (message->last_trade_price.length > APUS_POLYMARKET_NUMBER_BYTES) {
        return fail(reader, -ENOBUFS, APUS_POLYMARKET_FAULT_TEXT, reader->fields[FIELD_PRICE].start);
    }
    int known = read_asset(reader);
    if (known <= 0) return known;
    const apus_instrument* instrument = apus_instrument_at(reader->decoder->instruments, message->instrument);
    error = needed_number(reader, FIELD_PRICE, instrument->price_decimals, &message->price);
    if (error == 0) error = needed_number(reader, FIELD_SIZE, instrument->quantity_decimals, &message->size);
    return error == 0 ? side_of(reader, &message->side) : error;
}

static int read_tick_size(reader* reader) {
    apus_polymarket_message* message = reader->message;
    int error = read_timestamp(reader, false);
    if (error < 0) return error;
    int known = read_asset(reader);
    if (known <= 0) return known;
    uint32_t decimals = apus_instrument_at(reader->decoder->instruments, message->instrument)->price_decimals;
    field* old = &reader->fields[FIELD_OLD_TICK_SIZE];
    apus_polymarket_text text;
    if (old->token != 0) error = number_of(reader, old, decimals, &message->price, &text);
    if (error < 0) return error;
    if (reader->fields[FIELD_NEW_TICK_SIZE].token == 0) {
        return fail(reader, -EBADMSG, APUS_POLYMARKET_FAULT_MISSING, reader->object);
    }
    field* new = &reader->fields[FIELD_NEW_TICK_SIZE];
    error = number_of(reader, new, decimals, &message->ask, &message->tick_size);
    if (error == 0 && message->ask == 0) error = fail(reader, -EBADMSG, APUS_POLYMARKET_FAULT_NUMBER, new->start);
    return error;
}

static int read_ticker(reader* reader) {
    apus_polymarket_message* message = reader->message;
    int error = read_timestamp(reader, false);
    if (error < 0) return error;
    int known = read_asset(reader);
    if (known <= 0) return known;
    uint32_t decimals = apus_instrument_at(reader->decoder->instruments, message->instrument)->price_decimals;
    error = needed_number(reader, FIELD_BEST_BID, decimals, &message->price);
    return error == 0 ? needed_number(reader, FIELD_BEST_ASK, decimals, &message->ask) : error;
}

static uint8_t kind_of(const reader* reader) {
    static const struct {
        const char* text;
        uint8_t kind;
    } kinds[] = {
        {"book", APUS_POLYMARKET_BOOK},
        {"price_change", APUS_POLYMARKET_CHANGE},
        {"last_trade_price", APUS_POLYMARKET_TRADE},
        {"tick_size_change", APUS_POLYMARKET_TICK_SIZE},
        {"best_bid_ask", APUS_POLYMARKET_TICKER},
    };
    const apus_polymarket_text* type = &reader->message->event_type;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (type->length == strlen(kinds[i].text) && memcmp(type->bytes, kinds[i].text, type->length) == 0) {
            return kinds[i].kind;
        }
    }
    // The body of GET /book is a book without a type.
    const field* fields = reader->fields;
    bool book = fields[FIELD_EVENT_TYPE].token == 0 && fields[FIELD_BIDS].token == APUS_JSON_ARRAY_BEGIN
                && fields[FIELD_ASKS].token == APUS_JSON_ARRAY_BEGIN;
    return book ? APUS_POLYMARKET_BOOK : APUS_POLYMARKET_UNKNOWN;
}

static int read_kind(reader* reader) {
    switch (reader->message->kind) {
    case APUS_POLYMARKET_BOOK:
        return read_book(reader);
    case APUS_POLYMARKET_CHANGE:
        return read_changes(reader);
    case APUS_POLYMARKET_TRADE:
        return read_trade(reader);
    case APUS_POLYMARKET_TICK_SIZE:
        return read_tick_size(reader);
    case APUS_POLYMARKET_TICKER:
        return read_ticker(reader);
    default:
        return 0;
    }
}

static int read_object(reader* reader, size_t end) {
    apus_polymarket_message* message = reader->message;
    memset(message, 0, sizeof *message);
    message->instrument = APUS_INSTRUMENT_NONE;
    reader->decoder->text_used = 0;
    apus_json json;
    apus_json_init(&json, reader->bytes + reader->object, end - reader->object);
    apus_json_token token = apus_json_next(&json);
    if (token == APUS_JSON_ERROR) return fail_json(reader, &json, reader->object);
    int error = collect(reader, &json, reader->object);
    if (error < 0) return error;
    if (apus_json_next(&json) != APUS_JSON_END) return fail_json(reader, &json, reader->object);
    error = text_of(reader, &reader->fields[FIELD_EVENT_TYPE], &message->event_type);
    if (error == 0) message->kind = kind_of(reader);
    if (error == 0) error = read_market(reader);
    return error == 0 ? read_kind(reader) : error;
}

int apus_polymarket_general(apus_polymarket_decoder* decoder, const uint8_t* bytes, size_t start, size_t end,
                            apus_polymarket_message* message) {
    reader reader = {.decoder = decoder, .message = message, .bytes = bytes, .object = start};
    reader.quick = !decoder->general_only;
    int error = read_object(&reader, end);
    if (reader.passed == 0 || (error == 0 && reader.passed == reader.verified)) return error;
    reader.quick = false;
    reader.object = start;
    return read_object(&reader, end);
}
