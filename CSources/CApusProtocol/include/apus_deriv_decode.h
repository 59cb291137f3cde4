// Messages of Deriv's WebSocket APIs: the current one and v3 (`wss://ws.derivws.com/websockets/v3`), by one decoder.
//
// Both send one JSON object with `msg_type`, `req_id` where the request had one, `error` where it was refused,
// `subscription` where it began a stream, and the answer under a member named like the request. Numbers may stand in
// quotes; members that are not known are passed over. Nothing is copied: texts lead into the message and live as long
// as it does.
#ifndef APUS_DERIV_DECODE_H
#define APUS_DERIV_DECODE_H

#include "apus_json.h"

enum apus_deriv_kind {
    APUS_DERIV_OTHER = 0, // valid, of no concern
    APUS_DERIV_TICK,
    APUS_DERIV_HISTORY,
    APUS_DERIV_PROPOSAL,
    APUS_DERIV_OPEN_CONTRACT, // without fields where the account has no open contract
    APUS_DERIV_BUY,
    APUS_DERIV_SELL,
    APUS_DERIV_PORTFOLIO,
    APUS_DERIV_PROFIT_TABLE,
    APUS_DERIV_BALANCE,
    APUS_DERIV_TRANSACTION,
    APUS_DERIV_AUTHORIZE,
    APUS_DERIV_FORGET,
    APUS_DERIV_PING,
    APUS_DERIV_PASSWORD, // the REST answer with the one-time address: `url`
    APUS_DERIV_KINDS,
};

// The venue's error codes as small numbers that never change: REJECTED reports carry them.
enum apus_deriv_error {
    APUS_DERIV_ERROR_NONE = 0,
    APUS_DERIV_ERROR_OTHER = 1, // a code that is not in this table: nobody knows whether the request was carried out
    APUS_DERIV_ERROR_INPUT = 2, // InputValidationFailed
    APUS_DERIV_ERROR_RATE_LIMIT = 3,
    APUS_DERIV_ERROR_AUTHORIZATION = 4, // AuthorizationRequired
    APUS_DERIV_ERROR_TOKEN = 5,         // InvalidToken
    APUS_DERIV_ERROR_PERMISSION = 6,    // PermissionDenied
    APUS_DERIV_ERROR_PROPOSAL = 7,      // InvalidContractProposal: the proposal is not known any more
    APUS_DERIV_ERROR_PRICE_MOVED = 8,
    APUS_DERIV_ERROR_BALANCE = 9,        // InsufficientBalance
    APUS_DERIV_ERROR_BUY = 10,           // ContractBuyValidationError
    APUS_DERIV_ERROR_CREATION = 11,      // ContractCreationFailure
    APUS_DERIV_ERROR_OFFERING = 12,      // OfferingsValidationError
    APUS_DERIV_ERROR_MARKET_CLOSED = 13, // MarketIsClosed
    APUS_DERIV_ERROR_SYMBOL = 14,        // InvalidSymbol
    APUS_DERIV_ERROR_SELL = 15,          // InvalidSellContractProposal
    APUS_DERIV_ERROR_NOT_OPEN = 16,      // NoOpenPosition
    APUS_DERIV_ERROR_NOT_RESALABLE = 17,
    APUS_DERIV_ERROR_SUBSCRIBED = 18,     // AlreadySubscribed
    APUS_DERIV_ERROR_CURRENCY = 19,       // InvalidCurrency
    APUS_DERIV_ERROR_POSITION_LIMIT = 20, // OpenPositionLimit, OpenPositionPayoutLimit
    APUS_DERIV_ERROR_TURNOVER = 21,       // DailyTurnoverLimitExceeded, ProductSpecificTurnoverLimitExceeded
    APUS_DERIV_ERROR_UNRECOGNISED = 22,   // UnrecognisedRequest, BadRequest
    APUS_DERIV_ERROR_DISABLED = 23,       // AccountDisabled, TradingDisabled, DisabledClient
    APUS_DERIV_ERROR_INTERNAL = 24,       // InternalServerError, WrongResponse: nobody knows whether it was carried out
    APUS_DERIV_ERROR_EXPIRED = 25,        // not the venue's: the contract to be sold had ended by itself
};

enum apus_deriv_field {
    APUS_DERIV_SYMBOL, // symbol, underlying_symbol or underlying
    APUS_DERIV_EPOCH,
    APUS_DERIV_BID,
    APUS_DERIV_ASK,
    APUS_DERIV_QUOTE,
    APUS_DERIV_ID,
    APUS_DERIV_ASK_PRICE,
    APUS_DERIV_BID_PRICE,
    APUS_DERIV_BUY_PRICE,
    APUS_DERIV_SELL_PRICE,
    APUS_DERIV_SOLD_FOR,
    APUS_DERIV_CONTRACT,     // contract_id
    APUS_DERIV_TRADE,        // transaction_id
    APUS_DERIV_BUY_TRADE,    // transaction_ids.buy
    APUS_DERIV_SELL_TRADE,   // transaction_ids.sell
    APUS_DERIV_TYPE,         // contract_type
    APUS_DERIV_CURRENCY,     //
    APUS_DERIV_BOUGHT_AT,    // purchase_time
    APUS_DERIV_SOLD_AT,      // sell_time
    APUS_DERIV_STARTS_AT,    // date_start
    APUS_DERIV_EXPIRES_AT,   // expiry_time or date_expiry
    APUS_DERIV_TRADED_AT,    // transaction_time
    APUS_DERIV_PAYOUT,       //
    APUS_DERIV_SHORTCODE,    //
    APUS_DERIV_STATUS,       //
    APUS_DERIV_IS_SOLD,      //
    APUS_DERIV_AMOUNT,       //
    APUS_DERIV_ACTION,       //
    APUS_DERIV_BALANCE_TEXT, // balance
    APUS_DERIV_URL,          //
    APUS_DERIV_FIELDS,
};

enum apus_deriv_fault {
    APUS_DERIV_FAULT_NONE = 0,
    APUS_DERIV_FAULT_JSON,     // see json_fault
    APUS_DERIV_FAULT_TYPE,     // another kind of value than must stand there
    APUS_DERIV_FAULT_MISSING,  // a member that must be there is not: see missing
    APUS_DERIV_FAULT_NUMBER,   // no decimal number, or one that does not fit
    APUS_DERIV_FAULT_DECIMALS, // more decimals than the instrument has
    APUS_DERIV_FAULT_SHORT,    // two lists that belong together differ in length
};

// A string between its quotes, or a number. NULL: not there, or null.
typedef struct apus_deriv_text {
    const uint8_t* bytes;
    size_t length;
} apus_deriv_text;

typedef struct apus_deriv_message {
    uint8_t kind;
    uint8_t error; // apus_deriv_error
    uint8_t fault; // apus_deriv_fault, after -EBADMSG
    uint8_t json_fault;
    uint8_t missing; // apus_deriv_field
    bool answers;    // has a req_id
    uint64_t request;
    apus_deriv_text error_code;
    apus_deriv_text error_message;
    apus_deriv_text subscription; // its id
    apus_deriv_text asked_symbol; // echo_req.ticks_history
    apus_deriv_text fields[APUS_DERIV_FIELDS];
    apus_deriv_text rows;  // portfolio: contracts; profit table: transactions; history: prices
    apus_deriv_text times; // history
    const uint8_t* bytes;
    size_t error_offset;
} apus_deriv_message;

// Decodes one message. Returns 0, or -EBADMSG with fault and error_offset set. Any thread.
int apus_deriv_decode(const uint8_t* bytes, size_t length, apus_deriv_message* message);

// Walks the rows of a portfolio or profit table. `fields` has APUS_DERIV_FIELDS places and is set for each row. Returns
// 1 with a row, 0 at the end, -EBADMSG for a row that is no object.
typedef struct apus_deriv_rows {
    apus_deriv_message* message;
    apus_json json;
} apus_deriv_rows;

void apus_deriv_rows_begin(apus_deriv_rows* rows, apus_deriv_message* message);
int apus_deriv_rows_next(apus_deriv_rows* rows, apus_deriv_text* fields);

// Walks the ticks of a history, oldest first. Returns 1 with a tick, 0 at the end, -EBADMSG.
typedef struct apus_deriv_ticks {
    apus_deriv_message* message;
    apus_json prices;
    apus_json times;
} apus_deriv_ticks;

void apus_deriv_ticks_begin(apus_deriv_ticks* ticks, apus_deriv_message* message);
int apus_deriv_ticks_next(apus_deriv_ticks* ticks, uint64_t* epoch, apus_deriv_text* price);

// The value of a decimal in units of 10^-decimals, of a whole number, and of a flag (1, "1", true). A decimal with more
// decimals than the instrument has is -EDOM; else -EINVAL or -ERANGE; an absent one is -ENOENT.
int apus_deriv_decimal(const apus_deriv_text* text, uint32_t decimals, int64_t* value);
int apus_deriv_whole(const apus_deriv_text* text, uint64_t* value);
bool apus_deriv_true(const apus_deriv_text* text);

static inline bool apus_deriv_is(const apus_deriv_text* text, const char* other, size_t length) {
    return text->length == length && text->bytes != NULL && __builtin_memcmp(text->bytes, other, length) == 0;
}

// Whether a refusal with that error leaves open what became of the request.
static inline bool apus_deriv_error_unsure(uint8_t error) {
    return error == APUS_DERIV_ERROR_OTHER || error == APUS_DERIV_ERROR_INTERNAL;
}

// A sentence's end for a fault; the venue's own name of an error; the wire's name of a field.
const char* apus_deriv_fault_text(uint8_t fault);
const char* apus_deriv_error_text(uint8_t error);
const char* apus_deriv_field_text(uint8_t field);

#endif
