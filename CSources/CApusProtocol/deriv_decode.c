#include "apus_deriv_decode.h"

#include "apus_decimal.h"

#include <string.h>

#define BIT(field) (1ull << (field))

typedef struct name {
    const char* text;
    uint8_t length;
    uint8_t number;
} name;

#define NAME(text, number)                                                                                             \
    { text, sizeof(text) - 1, number }

// The first name of a field is the one that errors show.
static const name field_names[] = {
    NAME("symbol", APUS_DERIV_SYMBOL),
    NAME("underlying_symbol", APUS_DERIV_SYMBOL),
    NAME("underlying", APUS_DERIV_SYMBOL),
    NAME("epoch", APUS_DERIV_EPOCH),
    NAME("bid", APUS_DERIV_BID),
    NAME("ask", APUS_DERIV_ASK),
    NAME("quote", APUS_DERIV_QUOTE),
    NAME("id", APUS_DERIV_ID),
    NAME("ask_price", APUS_DERIV_ASK_PRICE),
    NAME("bid_price", APUS_DERIV_BID_PRICE),
    NAME("buy_price", APUS_DERIV_BUY_PRICE),
    NAME("sell_price", APUS_DERIV_SELL_PRICE),
    NAME("sold_for", APUS_DERIV_SOLD_FOR),
    NAME("contract_id", APUS_DERIV_CONTRACT),
    NAME("transaction_id", APUS_DERIV_TRADE),
    NAME("contract_type", APUS_DERIV_TYPE),
    NAME("currency", APUS_DERIV_CURRENCY),
    NAME("purchase_time", APUS_DERIV_BOUGHT_AT),
    NAME("sell_time", APUS_DERIV_SOLD_AT),
    NAME("date_start", APUS_DERIV_STARTS_AT),
    NAME("expiry_time", APUS_DERIV_EXPIRES_AT),
    NAME("date_expiry", APUS_DERIV_EXPIRES_AT),
    NAME("transaction_time", APUS_DERIV_TRADED_AT),
    NAME("payout", APUS_DERIV_PAYOUT),
    NAME("shortcode", APUS_DERIV_SHORTCODE),
    NAME("status", APUS_DERIV_STATUS),
    NAME("is_sold", APUS_DERIV_IS_SOLD),
    NAME("amount", APUS_DERIV_AMOUNT),
    NAME("action", APUS_DERIV_ACTION),
    NAME("balance", APUS_DERIV_BALANCE_TEXT),
    NAME("url", APUS_DERIV_URL),
};

static const name trade_names[] = {NAME("buy", APUS_DERIV_BUY_TRADE), NAME("sell", APUS_DERIV_SELL_TRADE)};

// What msg_type says, and the member of the answer. A tick stream that began with a history is told as ticks.
static const name kind_names[] = {
    NAME("tick", APUS_DERIV_TICK),
    NAME("history", APUS_DERIV_HISTORY),
    NAME("proposal", APUS_DERIV_PROPOSAL),
    NAME("proposal_open_contract", APUS_DERIV_OPEN_CONTRACT),
    NAME("buy", APUS_DERIV_BUY),
    NAME("sell", APUS_DERIV_SELL),
    NAME("portfolio", APUS_DERIV_PORTFOLIO),
    NAME("profit_table", APUS_DERIV_PROFIT_TABLE),
    NAME("balance", APUS_DERIV_BALANCE),
    NAME("transaction", APUS_DERIV_TRANSACTION),
    NAME("authorize", APUS_DERIV_AUTHORIZE),
    NAME("forget", APUS_DERIV_FORGET),
    NAME("ping", APUS_DERIV_PING),
    NAME("data", APUS_DERIV_PASSWORD),
};

// msg_type of an error where it is named after the request.
static const name request_names[] = {NAME("ticks", APUS_DERIV_TICK), NAME("ticks_history", APUS_DERIV_HISTORY)};

static const name error_names[] = {
    NAME("InputValidationFailed", APUS_DERIV_ERROR_INPUT),
    NAME("RateLimit", APUS_DERIV_ERROR_RATE_LIMIT),
    NAME("AuthorizationRequired", APUS_DERIV_ERROR_AUTHORIZATION),
    NAME("InvalidToken", APUS_DERIV_ERROR_TOKEN),
    NAME("PermissionDenied", APUS_DERIV_ERROR_PERMISSION),
    NAME("InvalidContractProposal", APUS_DERIV_ERROR_PROPOSAL),
    NAME("PriceMoved", APUS_DERIV_ERROR_PRICE_MOVED),
    NAME("InsufficientBalance", APUS_DERIV_ERROR_BALANCE),
    NAME("ContractBuyValidationError", APUS_DERIV_ERROR_BUY),
    NAME("ContractCreationFailure", APUS_DERIV_ERROR_CREATION),
    NAME("OfferingsValidationError", APUS_DERIV_ERROR_OFFERING),
    NAME("OfferingsValidationFailure", APUS_DERIV_ERROR_OFFERING),
    NAME("MarketIsClosed", APUS_DERIV_ERROR_MARKET_CLOSED),
    NAME("InvalidSymbol", APUS_DERIV_ERROR_SYMBOL),
    NAME("InvalidSellContractProposal", APUS_DERIV_ERROR_SELL),
    NAME("NoOpenPosition", APUS_DERIV_ERROR_NOT_OPEN),
    NAME("NotResalable", APUS_DERIV_ERROR_NOT_RESALABLE),
    NAME("AlreadySubscribed", APUS_DERIV_ERROR_SUBSCRIBED),
    NAME("InvalidCurrency", APUS_DERIV_ERROR_CURRENCY),
    NAME("OpenPositionLimit", APUS_DERIV_ERROR_POSITION_LIMIT),
    NAME("OpenPositionPayoutLimit", APUS_DERIV_ERROR_POSITION_LIMIT),
    NAME("DailyTurnoverLimitExceeded", APUS_DERIV_ERROR_TURNOVER),
    NAME("ProductSpecificTurnoverLimitExceeded", APUS_DERIV_ERROR_TURNOVER),
    NAME("UnrecognisedRequest", APUS_DERIV_ERROR_UNRECOGNISED),
    NAME("BadRequest", APUS_DERIV_ERROR_UNRECOGNISED),
    NAME("AccountDisabled", APUS_DERIV_ERROR_DISABLED),
    NAME("TradingDisabled", APUS_DERIV_ERROR_DISABLED),
    NAME("DisabledClient", APUS_DERIV_ERROR_DISABLED),
    NAME("InternalServerError", APUS_DERIV_ERROR_INTERNAL),
    NAME("WrongResponse", APUS_DERIV_ERROR_INTERNAL),
};

// Members that must be there.
static const uint64_t needed[APUS_DERIV_KINDS] = {
    [APUS_DERIV_TICK] = BIT(APUS_DERIV_SYMBOL) | BIT(APUS_DERIV_EPOCH) | BIT(APUS_DERIV_QUOTE),
    [APUS_DERIV_PROPOSAL] = BIT(APUS_DERIV_ID) | BIT(APUS_DERIV_ASK_PRICE),
    [APUS_DERIV_BUY] = BIT(APUS_DERIV_CONTRACT) | BIT(APUS_DERIV_TRADE) | BIT(APUS_DERIV_BUY_PRICE),
    [APUS_DERIV_SELL] = BIT(APUS_DERIV_CONTRACT) | BIT(APUS_DERIV_TRADE) | BIT(APUS_DERIV_SOLD_FOR),
    [APUS_DERIV_BALANCE] = BIT(APUS_DERIV_BALANCE_TEXT),
    [APUS_DERIV_PASSWORD] = BIT(APUS_DERIV_URL),
};

// Where the list of rows stands.
static const name row_names[] = {
    NAME("contracts", APUS_DERIV_PORTFOLIO),
    NAME("transactions", APUS_DERIV_PROFIT_TABLE),
    NAME("prices", APUS_DERIV_HISTORY),
};

#define COUNT(names) (sizeof(names) / sizeof(names)[0])
#define NOTHING UINT8_MAX

static uint8_t find(const name* names, size_t count, const uint8_t* text, size_t length) {
    for (size_t i = 0; i < count; i++) {
        if (names[i].length == length && memcmp(names[i].text, text, length) == 0) return names[i].number;
    }
    return NOTHING;
}

static int fail(apus_deriv_message* message, uint8_t fault, size_t offset) {
    message->fault = fault;
    message->error_offset = offset;
    return -EBADMSG;
}

// MARK: values

// A value: its first token, and where it stands in the message (strings: between the quotes).
typedef struct value {
    size_t start;
    size_t length;
    apus_json_token token;
} value;

typedef struct reader {
    apus_deriv_message* message;
    apus_json json;
    size_t base; // of the scanner's text in the message
} reader;

static int fail_json(reader* reader) {
    reader->message->json_fault = reader->json.fault;
    return fail(reader->message, APUS_DERIV_FAULT_JSON, reader->base + reader->json.error_offset);
}

static bool is_deep(apus_json_token token) {
    return token == APUS_JSON_OBJECT_BEGIN || token == APUS_JSON_ARRAY_BEGIN;
}

// Reads the next value whole.
static int read_value(reader* reader, apus_json_token token, value* found) {
    apus_json* json = &reader->json;
    if (token == APUS_JSON_ERROR) return fail_json(reader);
    size_t begin = json->position;
    *found = (value){.token = token, .start = reader->base + json->text_start, .length = json->text_length};
    if (is_deep(token)) found->start = reader->base + begin - 1;
    if (!apus_json_skip(json, token)) return fail_json(reader);
    if (is_deep(token)) found->length = reader->base + json->position - found->start;
    return 0;
}

static apus_deriv_text text_of(const reader* reader, const value* found) {
    if (is_deep(found->token) || found->token == APUS_JSON_NULL) return (apus_deriv_text){0};
    return (apus_deriv_text){reader->message->bytes + found->start, found->length};
}

static void inside(reader* inner, const reader* outer, size_t start, size_t length) {
    inner->message = outer->message;
    inner->base = start;
    apus_json_init(&inner->json, outer->message->bytes + start, length);
    apus_json_next(&inner->json);
}

// Reads the next member of an object into `key` and `found`. Returns 1, 0 at the object's end, or -EBADMSG.
static int next_member(reader* reader, apus_deriv_text* key, value* found) {
    apus_json_token token = apus_json_next(&reader->json);
    if (token == APUS_JSON_OBJECT_END) return 0;
    if (token == APUS_JSON_ERROR) return fail_json(reader);
    *key = (apus_deriv_text){reader->json.bytes + reader->json.text_start, reader->json.text_length};
    int error = read_value(reader, apus_json_next(&reader->json), found);
    return error < 0 ? error : 1;
}

static uint8_t named(const name* names, size_t count, const apus_deriv_text* key) {
    return find(names, count, key->bytes, key->length);
}

// MARK: objects

static int read_trades(const reader* outer, const value* object, apus_deriv_text* fields) {
    reader reader;
    apus_deriv_text key;
    value found;
    int more;
    inside(&reader, outer, object->start, object->length);
    while ((more = next_member(&reader, &key, &found)) == 1) {
        uint8_t field = named(trade_names, COUNT(trade_names), &key);
        if (field != NOTHING) fields[field] = text_of(&reader, &found);
    }
    return more;
}

// The members of the object whose OBJECT_BEGIN was just read. A name that stands for the same as an earlier one does
// not replace it.
static int read_fields(reader* reader, apus_deriv_text* fields) {
    static const char trades[] = "transaction_ids", action_type[] = "action_type";
    apus_deriv_text key;
    value found;
    int more;
    memset(fields, 0, APUS_DERIV_FIELDS * sizeof *fields);
    while ((more = next_member(reader, &key, &found)) == 1) {
        if (found.token == APUS_JSON_OBJECT_BEGIN && apus_deriv_is(&key, trades, sizeof trades - 1)) {
            int error = read_trades(reader, &found, fields);
            if (error < 0) return error;
        }
        if (found.token == APUS_JSON_ARRAY_BEGIN) {
            uint8_t rows = named(row_names, COUNT(row_names), &key);
            apus_deriv_text list = {reader->message->bytes + found.start, found.length};
            if (rows == reader->message->kind) reader->message->rows = list;
            if (apus_deriv_is(&key, "times", 5)) reader->message->times = list;
        }
        uint8_t field = named(field_names, COUNT(field_names), &key);
        if (apus_deriv_is(&key, action_type, sizeof action_type - 1)) field = APUS_DERIV_ACTION;
        if (field != NOTHING && fields[field].bytes == NULL) fields[field] = text_of(reader, &found);
    }
    return more;
}

// One text of an object.
static int read_member(const reader* outer, const value* object, const char* wanted, apus_deriv_text* text) {
    reader reader;
    apus_deriv_text key;
    value found;
    int more;
    if (object->token != APUS_JSON_OBJECT_BEGIN) return 0;
    inside(&reader, outer, object->start, object->length);
    while ((more = next_member(&reader, &key, &found)) == 1) {
        if (apus_deriv_is(&key, wanted, strlen(wanted))) *text = text_of(&reader, &found);
    }
    return more;
}

static int read_error(reader* reader, const value* object) {
    apus_deriv_message* message = reader->message;
    message->error = APUS_DERIV_ERROR_OTHER;
    int error = read_member(reader, object, "code", &message->error_code);
    if (error == 0) error = read_member(reader, object, "message", &message->error_message);
    uint8_t number = message->error_code.bytes == NULL
                         ? NOTHING
                         : find(error_names, COUNT(error_names), message->error_code.bytes, message->error_code.length);
    if (number != NOTHING) message->error = number;
    return error;
}

// MARK: the message

typedef struct members {
    value answers[APUS_DERIV_KINDS]; // by kind; length 0: not there
    uint8_t type;                    // what msg_type says
    uint8_t only;                    // the kind of the newest answer
} members;

static int read_request(reader* reader, const value* found) {
    apus_deriv_text text = text_of(reader, found);
    reader->message->answers = apus_u64_parse(text.bytes, text.length, &reader->message->request) == 0;
    if (reader->message->answers || found->token == APUS_JSON_NULL) return 0;
    return fail(reader->message, APUS_DERIV_FAULT_NUMBER, found->start);
}

static uint8_t kind_of(const apus_deriv_text* text) {
    if (text->bytes == NULL) return NOTHING;
    uint8_t kind = find(kind_names, COUNT(kind_names), text->bytes, text->length);
    return kind != NOTHING ? kind : find(request_names, COUNT(request_names), text->bytes, text->length);
}

static int take_member(reader* reader, const apus_deriv_text* key, const value* found, members* members) {
    apus_deriv_text text = text_of(reader, found);
    if (apus_deriv_is(key, "msg_type", 8)) members->type = kind_of(&text);
    if (apus_deriv_is(key, "req_id", 6)) return read_request(reader, found);
    if (apus_deriv_is(key, "error", 5)) return read_error(reader, found);
    if (apus_deriv_is(key, "subscription", 12)) {
        return read_member(reader, found, "id", &reader->message->subscription);
    }
    if (apus_deriv_is(key, "echo_req", 8)) {
        return read_member(reader, found, "ticks_history", &reader->message->asked_symbol);
    }
    uint8_t kind = named(kind_names, COUNT(kind_names), key);
    if (kind != NOTHING) {
        members->answers[kind] = *found;
        members->only = kind;
    }
    return 0;
}

static int check_needed(apus_deriv_message* message, size_t object) {
    for (uint8_t field = 0; field < APUS_DERIV_FIELDS; field++) {
        if (!(needed[message->kind] & BIT(field)) || message->fields[field].bytes != NULL) continue;
        message->missing = field;
        return fail(message, APUS_DERIV_FAULT_MISSING, object);
    }
    bool lists = message->kind == APUS_DERIV_PORTFOLIO || message->kind == APUS_DERIV_PROFIT_TABLE
                 || message->kind == APUS_DERIV_HISTORY;
    if (lists && message->rows.bytes == NULL) return fail(message, APUS_DERIV_FAULT_TYPE, object);
    if (message->kind == APUS_DERIV_HISTORY && message->times.bytes == NULL) {
        return fail(message, APUS_DERIV_FAULT_TYPE, object);
    }
    return 0;
}

static int read_answer(reader* outer, const members* members) {
    apus_deriv_message* message = outer->message;
    uint8_t kind = members->type != NOTHING ? members->type : members->only;
    if (kind == NOTHING) return 0;
    message->kind = kind;
    if (message->error != APUS_DERIV_ERROR_NONE) return 0;
    const value* answer = &members->answers[kind];
    if (kind == APUS_DERIV_PING || kind == APUS_DERIV_FORGET) return 0;
    if (answer->token != APUS_JSON_OBJECT_BEGIN) {
        return fail(message, APUS_DERIV_FAULT_TYPE, answer->length > 0 ? answer->start : 0);
    }
    reader reader;
    inside(&reader, outer, answer->start, answer->length);
    int error = read_fields(&reader, message->fields);
    return error < 0 ? error : check_needed(message, answer->start);
}

int apus_deriv_decode(const uint8_t* bytes, size_t length, apus_deriv_message* message) {
    memset(message, 0, sizeof *message);
    message->bytes = bytes;
    reader reader = {.message = message};
    members members = {.type = NOTHING, .only = NOTHING};
    apus_json_init(&reader.json, bytes, length);
    apus_json_token token = apus_json_next(&reader.json);
    if (token == APUS_JSON_ERROR) return fail_json(&reader);
    if (token != APUS_JSON_OBJECT_BEGIN) return fail(message, APUS_DERIV_FAULT_TYPE, 0);
    apus_deriv_text key;
    value found;
    int more;
    while ((more = next_member(&reader, &key, &found)) == 1) {
        int error = take_member(&reader, &key, &found, &members);
        if (error < 0) return error;
    }
    if (more < 0) return more;
    if (apus_json_next(&reader.json) != APUS_JSON_END) return fail_json(&reader);
    return read_answer(&reader, &members);
}

// MARK: rows

void apus_deriv_rows_begin(apus_deriv_rows* rows, apus_deriv_message* message) {
    rows->message = message;
    apus_json_init(&rows->json, message->rows.bytes, message->rows.length);
    apus_json_next(&rows->json);
}

int apus_deriv_rows_next(apus_deriv_rows* rows, apus_deriv_text* fields) {
    reader reader = {.message = rows->message, .base = (size_t)(rows->message->rows.bytes - rows->message->bytes)};
    apus_json_token token = apus_json_next(&rows->json);
    if (token == APUS_JSON_ARRAY_END) return 0;
    if (token != APUS_JSON_OBJECT_BEGIN) {
        return fail(rows->message, APUS_DERIV_FAULT_TYPE, reader.base + rows->json.position);
    }
    reader.json = rows->json;
    int result = read_fields(&reader, fields);
    rows->json = reader.json;
    return result < 0 ? result : 1;
}

void apus_deriv_ticks_begin(apus_deriv_ticks* ticks, apus_deriv_message* message) {
    ticks->message = message;
    apus_json_init(&ticks->prices, message->rows.bytes, message->rows.length);
    apus_json_init(&ticks->times, message->times.bytes, message->times.length);
    apus_json_next(&ticks->prices);
    apus_json_next(&ticks->times);
}

static bool is_number(apus_json_token token) {
    return token == APUS_JSON_NUMBER || token == APUS_JSON_STRING;
}

int apus_deriv_ticks_next(apus_deriv_ticks* ticks, uint64_t* epoch, apus_deriv_text* price) {
    apus_deriv_message* message = ticks->message;
    apus_json_token price_token = apus_json_next(&ticks->prices), time_token = apus_json_next(&ticks->times);
    size_t offset = (size_t)(message->times.bytes - message->bytes) + ticks->times.text_start;
    if (price_token == APUS_JSON_ARRAY_END && time_token == APUS_JSON_ARRAY_END) return 0;
    if (price_token == APUS_JSON_ARRAY_END || time_token == APUS_JSON_ARRAY_END) {
        return fail(message, APUS_DERIV_FAULT_SHORT, offset);
    }
    if (!is_number(price_token) || !is_number(time_token)) return fail(message, APUS_DERIV_FAULT_TYPE, offset);
    *price = (apus_deriv_text){ticks->prices.bytes + ticks->prices.text_start, ticks->prices.text_length};
    if (apus_u64_parse(ticks->times.bytes + ticks->times.text_start, ticks->times.text_length, epoch) < 0) {
        return fail(message, APUS_DERIV_FAULT_NUMBER, offset);
    }
    return 1;
}

// MARK: numbers and names

int apus_deriv_decimal(const apus_deriv_text* text, uint32_t decimals, int64_t* value) {
    if (text->bytes == NULL) return -ENOENT;
    return apus_decimal_parse(text->bytes, text->length, decimals, value, NULL);
}

int apus_deriv_whole(const apus_deriv_text* text, uint64_t* value) {
    if (text->bytes == NULL) return -ENOENT;
    return apus_u64_parse(text->bytes, text->length, value);
}

bool apus_deriv_true(const apus_deriv_text* text) {
    return apus_deriv_is(text, "1", 1) || apus_deriv_is(text, "true", 4);
}

const char* apus_deriv_fault_text(uint8_t fault) {
    static const char* const texts[] = {
        [APUS_DERIV_FAULT_NONE] = "nothing is wrong",
        [APUS_DERIV_FAULT_JSON] = "no valid JSON",
        [APUS_DERIV_FAULT_TYPE] = "another kind of value was expected",
        [APUS_DERIV_FAULT_MISSING] = "a member is missing",
        [APUS_DERIV_FAULT_NUMBER] = "no number that can be used",
        [APUS_DERIV_FAULT_DECIMALS] = "more decimals than the instrument has",
        [APUS_DERIV_FAULT_SHORT] = "prices and times differ in length",
    };
    return fault < COUNT(texts) ? texts[fault] : "unknown fault";
}

static const char* text_for(const name* names, size_t count, uint8_t number) {
    for (size_t i = 0; i < count; i++) {
        if (names[i].number == number) return names[i].text;
    }
    return NULL;
}

const char* apus_deriv_error_text(uint8_t error) {
    if (error == APUS_DERIV_ERROR_NONE) return "no error";
    if (error == APUS_DERIV_ERROR_EXPIRED) return "the contract had ended by itself";
    const char* text = text_for(error_names, COUNT(error_names), error);
    return text != NULL ? text : "an error code that is not known";
}

const char* apus_deriv_field_text(uint8_t field) {
    const char* text = text_for(field_names, COUNT(field_names), field);
    if (text == NULL) text = text_for(trade_names, COUNT(trade_names), field);
    return text != NULL ? text : "unknown field";
}
