// Deriv's market data: the current API and v3. Orders are in apus_deriv_orders.h.
//
// An instrument is either an underlying (`R_100`) or the shape of a contract on one, which its symbol spells out:
//
//     underlying/type/duration/basis/amount[/barrier]      R_100/CALL/5t/stake/10      R_100/DIGITOVER/5t/payout/20/4
//
// An underlying's book has one level a side, from the newest tick, of one lot: the venue tells no sizes. Each tick is also told as a
// trade of one lot with its second as number. A shape's ask is the newest proposal's price of one contract; its bid is what the
// venue pays for the oldest open contract of that shape, where there is one.
//
// Three layers. `apus_deriv_market` takes whole messages and knows nothing of connections: replay and fuzzers use it as it is.
// `apus_deriv_line` is one connection with its subscriptions, requests and budgets. `apus_deriv_session` is the public market
// session; the order session stands on a line of its own.
#ifndef APUS_DERIV_H
#define APUS_DERIV_H

#include "apus_budget.h"
#include "apus_deriv_decode.h"
#include "apus_link.h"
#include "apus_market.h"
#include "apus_session.h"
#include "apus_tap.h"

// MARK: shapes

// A symbol taken apart. Texts lead into the symbol.
typedef struct apus_deriv_shape {
    apus_deriv_text underlying;
    apus_deriv_text type;    // NULL: the symbol is an underlying
    apus_deriv_text amount;  // of the stake or the payout
    apus_deriv_text barrier; // NULL: none
    uint32_t duration;
    char unit; // t ticks, s, m, h, d
    bool pays; // the amount is the payout, not the stake
} apus_deriv_shape;

// Returns 0, or -EINVAL for a text that is neither an underlying nor a shape. Any thread.
int apus_deriv_shape_parse(const char* symbol, size_t length, apus_deriv_shape* shape);

static inline bool apus_deriv_is_contract(const apus_deriv_shape* shape) {
    return shape->type.bytes != NULL;
}

// Whether a contract, as a row of the portfolio, the profit table or an answer tells it, is of that shape: type, underlying,
// amount, duration and barrier agree as far as the fields tell them; the shortcode must be there. Amounts are compared with
// `decimals` decimals. A relative barrier stands in a shortcode in pips, whose size nobody tells there: only its digits are compared.
bool apus_deriv_shape_matches(const apus_deriv_shape* shape, const apus_deriv_text* fields, uint32_t decimals);

// MARK: messages

// Ticks that wait until the gap before them is filled.
#define APUS_DERIV_HELD 64u
// A distance between two ticks that is more than so many of the least says nothing of the feed: a history may not go back so far.
#define APUS_DERIV_FAR 16u
// How often a history that is refused is asked for again, before what lies in the gap is given up.
#define APUS_DERIV_HISTORY_TRIES 3u
// Requests that wait for an answer (a power of two); the longest id of a proposal or a subscription, and a zero; the longest request.
#define APUS_DERIV_REQUESTS 256u
#define APUS_DERIV_ID_BYTES 144u
#define APUS_DERIV_REQUEST_BYTES 768u

typedef struct apus_deriv_tick {
    uint64_t epoch; // seconds
    int64_t quote;
    int64_t bid;
    int64_t ask;
} apus_deriv_tick;

// The venue's part of a book.
typedef struct apus_deriv_book {
    apus_deriv_shape shape;
    apus_touch touch;     // what stands in the book
    uint64_t epoch;       // of the newest tick that was told; 0: none
    uint64_t touch_epoch; // of the tick that the touch is from
    uint64_t step;        // the least distance of two ticks, in seconds; 0: not known
    bool uneven;          // a history has shown that they come at larger ones too
    uint64_t gaps;        // that a history has filled
    uint32_t held_count;
    bool holding; // a gap is to be filled before what comes now is told
    apus_deriv_tick held[APUS_DERIV_HELD];
} apus_deriv_book;

// Whether ticks may be missing before one of that second.
static inline bool apus_deriv_leaves_gap(const apus_deriv_book* book, uint64_t epoch) {
    return book->step != 0 && !book->uneven && epoch > book->epoch + book->step;
}

typedef struct apus_deriv_market {
    apus_market* market;
    apus_deriv_message last; // the newest message, also one that failed
    uint64_t duplicates;     // ticks that were known already
    uint64_t ticks;
} apus_deriv_market;

void apus_deriv_market_init(apus_deriv_market* deriv, apus_market* market);

// Opens an instrument of the table. NULL: the arena is full, or the symbol is neither an underlying nor a shape.
apus_market_book* apus_deriv_market_open(apus_deriv_market* deriv, uint16_t instrument);
void apus_deriv_market_drop(apus_deriv_market* deriv, uint16_t instrument);

static inline apus_deriv_book* apus_deriv_book_of(const apus_market_book* book) {
    return (apus_deriv_book*)book->venue;
}

// The opened book of an instrument, or NULL.
apus_market_book* apus_deriv_market_book(const apus_deriv_market* deriv, uint16_t instrument);

// The instrument can be trusted no more: its book is STALE.
void apus_deriv_market_lost(apus_deriv_market* deriv, uint16_t instrument, uint8_t reason);

// Takes the tick or the history that `last` holds; a history needs its instrument, or APUS_INSTRUMENT_NONE where the message names it.
// Times are monotonic; kernel_ns 0: unknown. Return 0, or a negative errno with fault and error_offset in `last`; the book is STALE
// then. A tick of an instrument that is not open is passed over.
int apus_deriv_market_tick(apus_deriv_market* deriv, uint64_t receive_ns, uint64_t kernel_ns);
int apus_deriv_market_history(apus_deriv_market* deriv, uint16_t instrument, uint64_t receive_ns, uint64_t kernel_ns);

// What comes from now on waits until a history has come that reaches up to it, or leaves no hole before it.
void apus_deriv_market_hold(apus_deriv_market* deriv, uint16_t instrument);

// The history that was waited for is refused: what waits is told, and what lies before it is lost.
void apus_deriv_market_release(apus_deriv_market* deriv, uint16_t instrument, uint64_t receive_ns);

// Sets a side of a shape's book; a price of 0 takes it away.
void apus_deriv_market_quote(apus_deriv_market* deriv, uint16_t instrument, uint32_t side, int64_t price,
                             uint64_t receive_ns, uint64_t kernel_ns);

// Decodes and takes a recorded message: ticks, and histories that name their underlying. Returns 0 or as above.
int apus_deriv_market_message(apus_deriv_market* deriv, const uint8_t* bytes, size_t length, uint64_t receive_ns,
                              uint64_t kernel_ns);

// MARK: a connection

enum apus_deriv_api {
    APUS_DERIV_CURRENT = 0,
    APUS_DERIV_V3 = 1,
};

// The venue's budgets, each for a minute and for an hour; a ping is outside them.
enum apus_deriv_row {
    APUS_DERIV_ROW_TRADE = 0,    // proposal, proposal_open_contract, buy, sell
    APUS_DERIV_ROW_ACCOUNT = 1,  // balance, statement
    APUS_DERIV_ROW_HOLDINGS = 2, // portfolio, profit_table
    APUS_DERIV_ROW_OTHER = 3,    // everything else
    APUS_DERIV_ROWS = 4,
};

typedef struct apus_deriv_config {
    uint8_t api; // apus_deriv_api
    apus_endpoint stream;
    char path[APUS_PATH_BYTES];       // with the application's id for v3
    char currency[16];                // the account's, in which contracts are priced
    uint32_t minute[APUS_DERIV_ROWS]; // budgets
    uint32_t hour[APUS_DERIV_ROWS];
    uint32_t reserve;           // of the TRADE row's minute: kept back for buys and sells
    uint64_t answer_timeout_ns; // without an answer to a request of its own the link reconnects
    uint64_t
        refusal_pause_ns;    // before a refused subscription is tried again; doubles with each refusal, up to eightfold
    uint64_t probe_grace_ns; // the stream must have reached by then what a history has shown
    uint64_t probe_interval_ns;    // an underlying that is quiet for so long is held against its history; 0: never
    uint64_t proposal_interval_ns; // a proposal that is quiet for so long is asked for anew; 0: never
    apus_link_config link;
    uint64_t rx_bytes;
    uint64_t tx_bytes;
} apus_deriv_config;

enum apus_deriv_action {
    APUS_DERIV_ASK_TICKS = 1,
    APUS_DERIV_ASK_HISTORY,
    APUS_DERIV_ASK_PROPOSAL,
    APUS_DERIV_ASK_FORGET,
    APUS_DERIV_ASK_AUTHORIZE,
    APUS_DERIV_ASK_BALANCE, // with its stream
    APUS_DERIV_ASK_BALANCE_ONCE,
    APUS_DERIV_ASK_TRANSACTIONS,
    APUS_DERIV_ASK_PORTFOLIO,
    APUS_DERIV_ASK_TABLE,
    APUS_DERIV_ASK_CONTRACT,
    APUS_DERIV_ASK_BUY,
    APUS_DERIV_ASK_SELL,
};

// A request that waits for its answer.
typedef struct apus_deriv_request {
    uint64_t number; // 0: the place is free
    uint64_t queued_ns;
    uint64_t contract; // ASK_CONTRACT: which
    uint16_t instrument;
    uint8_t action;
} apus_deriv_request;

typedef struct apus_deriv_subscription {
    uint8_t state; // deriv_line.c
    uint8_t refusals;
    bool asked; // the first message is waited for
    bool history_asked;
    uint8_t history_failures;
    bool probing;          // the history is asked for as a proof
    uint64_t due_ns;       // not asked for before
    uint64_t news_ns;      // newest message of it
    uint64_t expect_epoch; // what a proof has shown: the stream must reach it by expect_ns; 0: nothing
    uint64_t expect_ns;
    uint64_t history_due_ns;
    char id[APUS_DERIV_ID_BYTES];       // empty: none
    char proposal[APUS_DERIV_ID_BYTES]; // shapes: the newest proposal that can be bought; empty: none
} apus_deriv_subscription;

typedef struct apus_deriv_line {
    apus_deriv_config config;
    apus_deriv_market deriv;
    apus_session* session;
    apus_channel channel;
    apus_link link;
    apus_budget budget;
    apus_budget_cost costs[APUS_DERIV_ROWS];
    apus_deriv_request* requests;           // by number, in a circle
    apus_deriv_subscription* subscriptions; // by instrument
    apus_tap* tap;
    uint64_t next_request;
    uint64_t oldest_request;
    uint64_t next_probe_ns;
    uint64_t next_check_ns;
    uint64_t decode_errors;
    uint64_t refusals;    // of requests of the line's own
    uint64_t rate_limits; // that the venue spoke of
    uint64_t frozen;      // streams that a history has shown to stand still
    uint8_t channel_number;
    bool usable; // subscriptions may be asked for: open, and authorized where that is needed
} apus_deriv_line;

// Documented addresses and budgets. `app_id` is for v3 and may be NULL for the current API. The path is that of public data.
void apus_deriv_config_default(apus_deriv_config* config, uint8_t api, const char* app_id);

// Buffers come from the market's arena. Returns 0, -ENOMEM, -EINVAL for a budget of 0, or what the link says.
int apus_deriv_line_init(apus_deriv_line* line, const apus_deriv_config* config, apus_market* market,
                         apus_session* session, uint8_t channel_number, const apus_random* random);

int apus_deriv_line_subscribe(apus_deriv_line* line, uint16_t instrument);
int apus_deriv_line_unsubscribe(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns);

// Sends one request: `text` is its JSON object without the last brace, to which the request's number is added. Returns the number, 0
// when the budget, the table or the buffer has no room now or the link is not open. A BUY or a SELL may use the whole budget and
// takes no place in the table.
uint64_t apus_deriv_line_send(apus_deriv_line* line, uint8_t row, const apus_deriv_request* request, const char* text,
                              size_t length, uint64_t now_ns);

// Takes the next message into line->deriv.last. Returns 1; 0 when there is none. A message that cannot be read is counted and passed over.
int apus_deriv_line_next(apus_deriv_line* line, uint64_t now_ns);

// The request that `last` answers; its place becomes free. False: none of the table's.
bool apus_deriv_line_answered(apus_deriv_line* line, apus_deriv_request* request);

// Takes `last` where it is about a subscription, a tick or a budget. False: it is for the session. `request` is the one it answers, or NULL.
bool apus_deriv_line_take(apus_deriv_line* line, const apus_deriv_request* request, uint64_t now_ns);

// Publishes the link's changes of state. Returns how many there were; `opened` and `ended` say what has happened.
uint32_t apus_deriv_line_changes(apus_deriv_line* line, bool* opened, bool* ended);

// Asks for what is wanted and looks after what waits.
uint32_t apus_deriv_line_keep(apus_deriv_line* line, uint64_t now_ns);
uint64_t apus_deriv_line_deadline(const apus_deriv_line* line);

// The proposal has been used or is not known any more: another is asked for.
void apus_deriv_line_renew(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns);

// MARK: the public market session

typedef struct apus_deriv_session {
    apus_session session; // first: the shell's view
    apus_deriv_line line;
    apus_channel* channels[1];
    bool running;
} apus_deriv_session;

int apus_deriv_session_init(apus_deriv_session* session, const apus_deriv_config* config, apus_market* market,
                            const apus_random* random);

#endif
