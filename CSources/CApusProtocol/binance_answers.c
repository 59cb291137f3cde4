// Answers and user events are few beside market data: they are read by the general scanner, one object at a time.
#include "apus_binance_orders.h"
#include "apus_decimal.h"
#include "apus_json.h"

#include <string.h>

// A member's value: the text of a scalar, or the whole text of an object with its braces.
typedef struct field {
    const uint8_t* text;
    size_t length;
    apus_json_token token; // APUS_JSON_END: absent
} field;

typedef struct object {
    const uint8_t* bytes; // start of the message, for offsets
    size_t error_offset;
} object;

static int bad(object* object, const uint8_t* at) {
    object->error_offset = (size_t)(at - object->bytes);
    return -EBADMSG;
}

// Reads the members of the object in text[0, length) whose names are given; others are passed over, the last of a repeated
// name counts.
static int read_object(object* object, const uint8_t* text, size_t length, const char* const* names, field* fields,
                       size_t count) {
    apus_json json;
    apus_json_init(&json, text, length);
    memset(fields, 0, count * sizeof *fields);
    if (apus_json_next(&json) != APUS_JSON_OBJECT_BEGIN) return bad(object, text);
    apus_json_token token;
    while ((token = apus_json_next(&json)) == APUS_JSON_KEY) {
        size_t which = 0;
        while (which < count && !apus_json_equals(&json, names[which], strlen(names[which]))) {
            which++;
        }
        token = apus_json_next(&json);
        bool nested = token == APUS_JSON_OBJECT_BEGIN || token == APUS_JSON_ARRAY_BEGIN;
        size_t start = nested ? json.position - 1 : json.text_start;
        if (!apus_json_skip(&json, token)) return bad(object, text + json.error_offset);
        if (which == count) continue;
        size_t size = nested ? json.position - start : json.text_length;
        fields[which] = (field){.text = text + start, .length = size, .token = token};
    }
    if (token != APUS_JSON_OBJECT_END || apus_json_next(&json) != APUS_JSON_END) {
        return bad(object, text + (json.fault ? json.error_offset : json.position));
    }
    return 0;
}

static bool scalar(const field* field) {
    return field->token == APUS_JSON_STRING || field->token == APUS_JSON_NUMBER;
}

static int read_unsigned(object* object, const field* field, uint64_t* value) {
    if (field->token == APUS_JSON_END || field->token == APUS_JSON_NULL) return 0;
    if (!scalar(field) || apus_u64_parse(field->text, field->length, value) < 0) return bad(object, field->text);
    return 0;
}

static int read_decimal(object* object, const field* field, uint32_t decimals, int64_t* value) {
    if (field->token == APUS_JSON_END || field->token == APUS_JSON_NULL) return 0;
    size_t offset = 0;
    if (!scalar(field) || apus_decimal_parse(field->text, field->length, decimals, value, &offset) < 0) {
        return bad(object, field->text + offset);
    }
    return 0;
}

static bool is(const field* field, const char* text) {
    return field->token == APUS_JSON_STRING && field->length == strlen(text)
           && memcmp(field->text, text, field->length) == 0;
}

// MARK: vocabulary

static uint8_t status_of(const field* field) {
    static const struct {
        const char* text;
        uint8_t status;
    } words[] = {
        {"NEW", APUS_STATUS_NEW},           {"PARTIALLY_FILLED", APUS_STATUS_PARTIALLY_FILLED},
        {"FILLED", APUS_STATUS_FILLED},     {"CANCELED", APUS_STATUS_CANCELED},
        {"EXPIRED", APUS_STATUS_EXPIRED},   {"EXPIRED_IN_MATCH", APUS_STATUS_EXPIRED},
        {"REJECTED", APUS_STATUS_REJECTED},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (is(field, words[i].text)) return words[i].status;
    }
    return APUS_STATUS_NONE;
}

static uint8_t execution_of(const field* field) {
    static const struct {
        const char* text;
        uint8_t kind;
    } words[] = {
        {"NEW", APUS_REPORT_ACCEPTED},      {"TRADE", APUS_REPORT_FILL},      {"CALCULATED", APUS_REPORT_FILL},
        {"CANCELED", APUS_REPORT_CANCELED}, {"EXPIRED", APUS_REPORT_EXPIRED}, {"AMENDMENT", APUS_REPORT_MODIFIED},
        {"REJECTED", APUS_REPORT_REJECTED},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (is(field, words[i].text)) return words[i].kind;
    }
    return 0;
}

// MARK: orders

static const apus_instrument* find_instrument(const apus_instrument_table* instruments, const field* symbol,
                                              apus_binance_answer* answer) {
    answer->instrument = APUS_INSTRUMENT_NONE;
    if (symbol->token != APUS_JSON_STRING) return NULL;
    answer->instrument = apus_instrument_find(instruments, symbol->text, symbol->length);
    return answer->instrument == APUS_INSTRUMENT_NONE ? NULL : apus_instrument_at(instruments, answer->instrument);
}

// The result of a request about an order.
static int read_result(object* object, const apus_instrument_table* instruments, const field* result,
                       apus_binance_answer* answer) {
    static const char* const names[] = {"symbol",      "clientOrderId", "orderId",   "status", "price",     "origQty",
                                        "executedQty", "updateTime",    "listenKey", "side",   "serverTime"};
    enum { SYMBOL, CLIENT_ID, ORDER_ID, STATUS, PRICE, QUANTITY, EXECUTED, TIME, LISTEN_KEY, SIDE, SERVER, COUNT };
    field fields[COUNT];
    int error = read_object(object, result->text, result->length, names, fields, COUNT);
    if (error < 0) return error;
    if (fields[LISTEN_KEY].token == APUS_JSON_STRING) {
        answer->listen_key = fields[LISTEN_KEY].text;
        answer->listen_key_length = (uint32_t)fields[LISTEN_KEY].length;
    }
    error = read_unsigned(object, &fields[SERVER], &answer->server_time_ms);
    if (error < 0) return error;
    const apus_instrument* instrument = find_instrument(instruments, &fields[SYMBOL], answer);
    if (instrument == NULL) return 0;
    answer->ours = apus_binance_parse_client_id(fields[CLIENT_ID].text, fields[CLIENT_ID].length, &answer->client_id);
    answer->order_status = status_of(&fields[STATUS]);
    answer->side = is(&fields[SIDE], "SELL") ? APUS_SELL : APUS_BUY;
    error = read_unsigned(object, &fields[ORDER_ID], &answer->venue_order_id);
    if (error == 0) error = read_unsigned(object, &fields[TIME], &answer->event_time_ms);
    if (error == 0) error = read_decimal(object, &fields[PRICE], instrument->price_decimals, &answer->price);
    if (error == 0) error = read_decimal(object, &fields[QUANTITY], instrument->quantity_decimals, &answer->quantity);
    if (error == 0) {
        error = read_decimal(object, &fields[EXECUTED], instrument->quantity_decimals, &answer->cumulative);
    }
    return error;
}

static int read_error(object* object, const field* failure, apus_binance_answer* answer) {
    static const char* const names[] = {"code", "msg", "data"};
    static const char* const data_names[] = {"retryAfter"};
    field fields[3], retry;
    int error = read_object(object, failure->text, failure->length, names, fields, 3);
    if (error == 0 && fields[2].token == APUS_JSON_OBJECT_BEGIN) {
        error = read_object(object, fields[2].text, fields[2].length, data_names, &retry, 1);
        if (error == 0) error = read_unsigned(object, &retry, &answer->retry_after_ms);
    }
    if (error < 0) return error;
    int64_t code = 0;
    error = read_decimal(object, &fields[0], 0, &code);
    answer->code = code < INT32_MIN || code > INT32_MAX ? INT32_MIN : (int32_t)code;
    if (fields[1].token == APUS_JSON_STRING) {
        answer->message = fields[1].text;
        answer->message_length = (uint32_t)fields[1].length;
    }
    return error;
}

// A fee with more than eight decimals is cut there: it is a matter of 10^-9 of an asset.
static int read_fee(object* object, const field* fee, int64_t* value) {
    field cut = *fee;
    const uint8_t* point = fee->token == APUS_JSON_STRING ? memchr(fee->text, '.', fee->length) : NULL;
    if (point != NULL && cut.length > (size_t)(point - fee->text) + 9) cut.length = (size_t)(point - fee->text) + 9;
    return read_decimal(object, &cut, 8, value);
}

static int read_event(object* object, const apus_instrument_table* instruments, const char* settlement_asset,
                      const field* order, apus_binance_answer* answer) {
    static const char* const names[] = {"s", "c", "S", "q", "p", "x", "X", "i", "l", "L", "z", "n", "N", "T", "t", "m"};
    enum {
        SYMBOL,
        CLIENT,
        SIDE,
        QUANTITY,
        PRICE,
        EXECUTION,
        STATUS,
        ID,
        LAST,
        LAST_PRICE,
        CUMULATIVE,
        FEE,
        ASSET,
        TIME,
        TRADE,
        MAKER,
        COUNT
    };
    field fields[COUNT];
    int error = read_object(object, order->text, order->length, names, fields, COUNT);
    if (error < 0) return error;
    const apus_instrument* instrument = find_instrument(instruments, &fields[SYMBOL], answer);
    if (instrument == NULL) return 0;
    uint32_t price_decimals = instrument->price_decimals, quantity_decimals = instrument->quantity_decimals;
    answer->ours = apus_binance_parse_client_id(fields[CLIENT].text, fields[CLIENT].length, &answer->client_id);
    answer->side = is(&fields[SIDE], "SELL") ? APUS_SELL : APUS_BUY;
    answer->execution = execution_of(&fields[EXECUTION]);
    answer->order_status = status_of(&fields[STATUS]);
    answer->maker = fields[MAKER].token == APUS_JSON_TRUE;
    answer->fee_other_asset = fields[ASSET].token == APUS_JSON_STRING && !is(&fields[ASSET], settlement_asset);
    error = read_unsigned(object, &fields[ID], &answer->venue_order_id);
    if (error == 0) error = read_unsigned(object, &fields[TIME], &answer->event_time_ms);
    if (error == 0 && answer->execution == APUS_REPORT_FILL) {
        error = read_unsigned(object, &fields[TRADE], &answer->trade_id);
    }
    if (error == 0) error = read_decimal(object, &fields[PRICE], price_decimals, &answer->price);
    if (error == 0) error = read_decimal(object, &fields[QUANTITY], quantity_decimals, &answer->quantity);
    if (error == 0) error = read_decimal(object, &fields[LAST], quantity_decimals, &answer->last_quantity);
    if (error == 0) error = read_decimal(object, &fields[LAST_PRICE], price_decimals, &answer->last_price);
    if (error == 0) error = read_decimal(object, &fields[CUMULATIVE], quantity_decimals, &answer->cumulative);
    return error == 0 ? read_fee(object, &fields[FEE], &answer->fee) : error;
}

// MARK: budgets

static uint64_t interval_ns(const field* interval) {
    static const struct {
        const char* text;
        uint64_t seconds;
    } words[] = {{"SECOND", 1}, {"MINUTE", 60}, {"HOUR", 3600}, {"DAY", 86400}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (is(interval, words[i].text)) return words[i].seconds * 1000000000ull;
    }
    return 0;
}

static int read_limit(object* object, const field* row, apus_binance_answer* answer) {
    static const char* const names[] = {"rateLimitType", "interval", "intervalNum", "limit", "count"};
    field fields[5];
    int error = read_object(object, row->text, row->length, names, fields, 5);
    uint64_t number = 0, limit = 0, used = 0;
    if (error == 0) error = read_unsigned(object, &fields[2], &number);
    if (error == 0) error = read_unsigned(object, &fields[3], &limit);
    if (error == 0) error = read_unsigned(object, &fields[4], &used);
    if (error < 0) return error;
    uint8_t kind = is(&fields[0], "REQUEST_WEIGHT") ? APUS_BINANCE_WEIGHT
                   : is(&fields[0], "ORDERS")       ? APUS_BINANCE_ORDERS
                                                    : 0;
    uint64_t unit_ns = interval_ns(&fields[1]);
    bool known = kind != 0 && unit_ns != 0 && number != 0 && number < 1000 && limit <= UINT32_MAX && used <= UINT32_MAX;
    if (!known || answer->limit_count == APUS_BINANCE_LIMITS_MAX) return 0;
    answer->limits[answer->limit_count++] = (apus_binance_limit){
        .window_ns = number * unit_ns, .limit = (uint32_t)limit, .used = (uint32_t)used, .kind = kind};
    return 0;
}

typedef int (*element_reader)(object* object, const field* element, apus_binance_answer* answer, const void* context);

// Gives each object of an array to `reader`; elements of other kinds are passed over.
static int read_array(object* object, const field* array, element_reader reader, apus_binance_answer* answer,
                      const void* context) {
    apus_json json;
    apus_json_token token;
    if (array->token != APUS_JSON_ARRAY_BEGIN) return 0;
    apus_json_init(&json, array->text, array->length);
    if (apus_json_next(&json) != APUS_JSON_ARRAY_BEGIN) return bad(object, array->text);
    while ((token = apus_json_next(&json)) != APUS_JSON_ARRAY_END) {
        size_t start = json.position - 1;
        if (!apus_json_skip(&json, token)) return bad(object, array->text + json.error_offset);
        if (token != APUS_JSON_OBJECT_BEGIN) continue;
        field element = {.text = array->text + start, .length = json.position - start, .token = token};
        int error = reader(object, &element, answer, context);
        if (error < 0) return error;
    }
    return 0;
}

static int take_limit(object* object, const field* element, apus_binance_answer* answer, const void* context) {
    (void)context;
    return read_limit(object, element, answer);
}

// MARK: the account

static int take_balance(object* object, const field* element, apus_binance_answer* answer, const void* context) {
    static const char* const names[] = {"a", "wb", "bc"};
    field fields[3];
    int error = read_object(object, element->text, element->length, names, fields, 3);
    if (error < 0 || !is(&fields[0], context)) return error;
    answer->has_balance = true;
    error = read_fee(object, &fields[1], &answer->balance);
    return error == 0 ? read_fee(object, &fields[2], &answer->balance_change) : error;
}

static int take_position(object* object, const field* element, apus_binance_answer* answer, const void* context) {
    static const char* const names[] = {"s"};
    field symbol;
    int error = read_object(object, element->text, element->length, names, &symbol, 1);
    if (error == 0 && answer->instrument == APUS_INSTRUMENT_NONE) find_instrument(context, &symbol, answer);
    return error;
}

static int read_account(object* object, const apus_instrument_table* instruments, const char* settlement_asset,
                        const field* account, const field* time, apus_binance_answer* answer) {
    static const char* const names[] = {"m", "B", "P"};
    field fields[3];
    answer->kind = APUS_BINANCE_ACCOUNT_EVENT;
    int error = read_object(object, account->text, account->length, names, fields, 3);
    if (error == 0) error = read_unsigned(object, time, &answer->event_time_ms);
    if (error < 0) return error;
    answer->is_funding = is(&fields[0], "FUNDING_FEE");
    error = read_array(object, &fields[1], take_balance, answer, settlement_asset);
    return error == 0 ? read_array(object, &fields[2], take_position, answer, instruments) : error;
}

// MARK: messages

static int read_message(object* object, const apus_instrument_table* instruments, const char* settlement_asset,
                        const uint8_t* bytes, size_t length, apus_binance_answer* answer) {
    static const char* const names[] = {"id", "status", "result", "error", "e", "o", "data", "a", "T", "rateLimits"};
    enum { ID, STATUS, RESULT, ERROR, EVENT, ORDER, DATA, ACCOUNT, TIME, LIMITS, COUNT };
    field fields[COUNT];
    int error = read_object(object, bytes, length, names, fields, COUNT);
    if (error < 0) return error;
    if (fields[DATA].token == APUS_JSON_OBJECT_BEGIN && fields[EVENT].token == APUS_JSON_END) {
        return read_message(object, instruments, settlement_asset, fields[DATA].text, fields[DATA].length, answer);
    }
    if (is(&fields[EVENT], "ORDER_TRADE_UPDATE") && fields[ORDER].token == APUS_JSON_OBJECT_BEGIN) {
        answer->kind = APUS_BINANCE_ORDER_EVENT;
        return read_event(object, instruments, settlement_asset, &fields[ORDER], answer);
    }
    if (is(&fields[EVENT], "ACCOUNT_UPDATE") && fields[ACCOUNT].token == APUS_JSON_OBJECT_BEGIN) {
        return read_account(object, instruments, settlement_asset, &fields[ACCOUNT], &fields[TIME], answer);
    }
    if (is(&fields[EVENT], "listenKeyExpired")) {
        answer->kind = APUS_BINANCE_KEY_EXPIRED;
        return 0;
    }
    if (fields[EVENT].token != APUS_JSON_END || fields[STATUS].token != APUS_JSON_NUMBER) return 0;
    uint64_t status = 0;
    answer->kind = APUS_BINANCE_ORDER_ANSWER;
    // An answer without a number of ours (the venue could not read the request) keeps request_id 0.
    if (scalar(&fields[ID]) && apus_u64_parse(fields[ID].text, fields[ID].length, &answer->request_id) < 0) {
        answer->request_id = 0;
    }
    error = read_unsigned(object, &fields[STATUS], &status);
    answer->status = (uint32_t)status;
    if (error == 0 && fields[ERROR].token == APUS_JSON_OBJECT_BEGIN) error = read_error(object, &fields[ERROR], answer);
    if (error == 0 && fields[RESULT].token == APUS_JSON_OBJECT_BEGIN) {
        error = read_result(object, instruments, &fields[RESULT], answer);
    }
    return error == 0 ? read_array(object, &fields[LIMITS], take_limit, answer, NULL) : error;
}

int apus_binance_decode_answer(const apus_instrument_table* instruments, const char* settlement_asset,
                               const uint8_t* bytes, size_t length, apus_binance_answer* answer) {
    object object = {.bytes = bytes};
    memset(answer, 0, sizeof *answer);
    answer->kind = APUS_BINANCE_OTHER;
    answer->instrument = APUS_INSTRUMENT_NONE;
    int error = read_message(&object, instruments, settlement_asset, bytes, length, answer);
    answer->error_offset = object.error_offset;
    return error;
}
