// Deriv's order session: an account's connection, its contracts, and the shapes that are traded.
//
//   order ring ─▶ guard ─▶ buy, sell ─▶ answer ─────────────────────────┐
//                 proposal_open_contract, transaction, balance ─────────┼─▶ report ring
//                 portfolio, profit table (after a lost answer) ────────┘
//
// A BUY of one lot buys the newest proposal of the shape at no more than its price and is filled or refused at once. A
// SELL of one lot sells the oldest open contract of the shape at no less than its price. Nothing rests: a cancel comes
// too late by its nature. A contract that the venue ends by itself is told as SETTLED, once, also when that happened on
// no connection.
//
// The venue knows no id of ours. So there is at most one buy of a shape without an answer (APUS_GUARD_UNRESOLVED), and
// what became of it is looked up: a contract of that shape, bought in the time of the request, that belongs to no other
// order is its fill. A buy is NOT_FOUND only when its connection is gone for late_arrival_ns, and nothing is ever sent
// again. Nobody else may trade the same shapes on the account.
//
// REJECTED reports carry apus_deriv_error. trade_id is the venue's transaction_id; venue_order_id of a buy is its
// contract_id, of a sell the same with APUS_DERIV_SALE. A SELL is told as SENT with its contract, so that it can be
// asked about after a restart. When the report ring is full the session reads nothing and takes no orders until there
// is room.
#ifndef APUS_DERIV_ORDERS_H
#define APUS_DERIV_ORDERS_H

#include "apus_deriv.h"
#include "apus_fetch.h"
#include "apus_guard.h"

// Contracts that are remembered: the open ones, and those that ended last.
#define APUS_DERIV_CONTRACTS 512u
#define APUS_DERIV_TOKEN_BYTES 512u
#define APUS_DERIV_NAME_BYTES 64u
#define APUS_DERIV_UNSENT 16u
// Set in the venue_order_id of a sell: two orders may be about one contract.
#define APUS_DERIV_SALE (1ull << 63)

typedef struct apus_deriv_orders_config {
    apus_deriv_config line;              // for the current API without a path: each connection's is made over REST
    apus_endpoint rest;                  // current API
    char account[APUS_DERIV_NAME_BYTES]; // current API
    char app_id[APUS_DERIV_NAME_BYTES];  // current API; empty where the token needs none
    uint64_t answer_timeout_ns;          // then a buy or sell is UNKNOWN
    uint64_t give_up_ns;                 // without an answer so long after that the link reconnects
    uint64_t late_arrival_ns; // after a connection's end nothing that was sent on it is carried out later than this
    uint64_t clock_skew_ms;   // how far the venue's clock may be from ours
    uint64_t max_age_ns;      // the guard's
    uint64_t stall_ns;        // the guard's; 0: the decision thread is not watched
    uint64_t contract_interval_ns; // an open contract that is quiet for so long is asked about
    uint64_t balance_interval_ns;  // the balance is asked for when nothing was told of it for so long
    uint64_t lookup_interval_ns;   // between two looks at portfolio and profit table
    uint64_t access_pause_ns;      // after the venue has refused token or account
    uint32_t rest_minute;          // requests a minute over REST
    apus_fetch_config fetch;
} apus_deriv_orders_config;

// How long after its decision a buy or a sell may be carried out when nobody has seen the end of its connection: it waits for the guard;
// its connection is closed when the answer does not come; and what was sent on it may come late.
static inline uint64_t apus_deriv_late_arrival_ms(const apus_deriv_orders_config* config) {
    return apus_late_arrival_ms((config->answer_timeout_ns + config->give_up_ns + config->late_arrival_ns) / 1000000);
}

// A buy or a sell under way.
typedef struct apus_deriv_order {
    uint64_t number; // of its request
    uint64_t client_id;
    uint64_t decided_ns;
    uint64_t queued_ns;
    uint64_t sent_ns; // 0: not yet handed to the kernel
    uint64_t tx_mark;
    uint64_t wall_ms;  // of the decision: it was not carried out before
    uint64_t final_ms; // nor is it after this; UINT64_MAX while its connection lives
    uint64_t asked_ns; // newest question of the engine that waits for an answer; 0: none
    int64_t price;
    uint8_t state; // apus_deriv_order_state
} apus_deriv_order;

enum apus_deriv_order_state {
    APUS_DERIV_FREE = 0,
    APUS_DERIV_WAITING = 1,    // for its answer
    APUS_DERIV_UNRESOLVED = 2, // told as UNKNOWN
};

enum apus_deriv_contract_state {
    APUS_DERIV_OPEN = 1,
    APUS_DERIV_CLOSING = 2, // its end is known and not yet told
    APUS_DERIV_CLOSED = 3,
};

typedef struct apus_deriv_contract {
    uint64_t id;        // 0: the place is free
    uint64_t client_id; // of the order that bought it; 0: not known
    uint64_t buy_trade; // 0: not known yet
    uint64_t sell_trade;
    uint64_t bought_at; // seconds, the venue's clock
    uint64_t sold_at;
    uint64_t news_ns;
    uint64_t due_ns; // not asked about before
    int64_t buy_price;
    int64_t bid_price; // what the venue pays for it; 0: nothing
    int64_t sell_price;
    uint16_t instrument;
    uint8_t state; // apus_deriv_contract_state
    bool watched;  // its stream has begun on this connection
    bool asked;    // a question about it is under way
    bool sold;     // it was sold, and has not ended by itself
    bool told;     // the engine knows of it
    apus_deriv_order sale;
} apus_deriv_contract;

typedef struct apus_deriv_orders {
    apus_session session; // first: the shell's view
    apus_deriv_orders_config config;
    apus_deriv_line line;
    const apus_market* market;
    apus_publisher* out;
    apus_private* rings;
    apus_guard guard;
    apus_channel rest;
    apus_channel* channels[2];
    apus_fetch fetch;
    apus_budget rest_budget;
    apus_budget_cost rest_cost;
    char token[APUS_DERIV_TOKEN_BYTES];
    char headers[APUS_DERIV_TOKEN_BYTES + APUS_DERIV_NAME_BYTES + 64u];
    apus_deriv_order* buys;   // by instrument
    apus_deriv_order* strays; // by instrument: a sell of which nobody knows the contract
    apus_deriv_contract* contracts;
    apus_deriv_order* unsent[APUS_DERIV_UNSENT];
    uint32_t unsent_count;
    uint64_t next_contract; // where a place is looked for
    uint64_t run;           // of the orders that were placed here: the high half of their ids
    uint64_t started_ms;    // wall clock: what an earlier process sent was sent before
    uint64_t access_due_ns; // when the one-time address or the authorization is to be asked for
    uint64_t lookup_due_ns;
    uint64_t lookup_began_ns;
    uint64_t lookup_began_ms;
    uint64_t next_watch_ns;
    uint64_t streams_due_ns;
    uint64_t balance_due_ns;
    int64_t balance; // 10^-8
    uint8_t lookup;  // where the look at the account's contracts stands (deriv_lookup.c)
    bool access_in_flight;
    bool balance_asked;
    bool transactions_asked;
    bool balance_news;
    bool synced; // this connection has shown the portfolio: orders may leave
    bool ever_synced;
    bool table_asked;
    bool table_seen;
    bool lookup_wanted;
    bool reports_wait; // contracts have something to tell
    bool missed;
    bool stall_news; // the decision thread has stopped, which is to be told
    bool lost;       // the connection is gone, and those that wait have not been told
    bool ever_balanced;
    bool halted; // the report ring was full
    bool running;
    bool has_run;
    uint64_t halts;
    uint64_t access_refused;
    uint64_t foreign_contracts; // of traded shapes, bought by somebody else
    uint64_t resolved;          // lost buys and sells that were found
    uint64_t rounded;           // prices with more decimals than the instrument has
} apus_deriv_orders;

// What apus_deriv_orders_adopt is told of a contract.
typedef struct apus_deriv_holding {
    uint64_t contract_id;
    uint64_t client_id;
    uint64_t buy_trade;
    uint64_t bought_at;
    int64_t buy_price;
    bool ended;
} apus_deriv_holding;

// Documented addresses and times. `app_id` as for apus_deriv_config_default.
void apus_deriv_orders_config_default(apus_deriv_orders_config* config, uint8_t api, const char* account,
                                      const char* app_id);

// `market` is that of the market session; books of shapes are this session's own. The token is copied. Returns 0,
// -ENOMEM, -EINVAL for a token, account or id that is empty, too long or holds a character that none has, or what link
// and queue say.
int apus_deriv_orders_init(apus_deriv_orders* orders, const apus_deriv_orders_config* config, apus_market* market,
                           apus_private* rings, const char* token, const apus_random* random);

// A shape that is traded. Before the start or on the hot thread.
int apus_deriv_orders_subscribe(apus_deriv_orders* orders, uint16_t instrument);

// A contract that an earlier process has seen bought: `buy_price` in the instrument's units, `bought_at` in the venue's seconds;
// client_id 0: by no order that is known. Before the start. So no lost buy is taken for it, and its end is told once, also
// when that came before the first connection; of one that has `ended` nothing more is told. Returns 0, -EINVAL, or -ENOSPC.
int apus_deriv_orders_adopt(apus_deriv_orders* orders, uint16_t instrument, const apus_deriv_holding* holding);

// Every contract that the engine counts was adopted: what else the account holds is a stranger's and left alone. Before the
// start. Without it the first portfolio is taken for what the engine counts.
void apus_deriv_orders_recovered(apus_deriv_orders* orders);

#endif
