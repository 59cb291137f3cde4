// What travels between the decision thread and the hot thread: orders one way, reports the other, commands from the control plane.
#ifndef APUS_ORDER_H
#define APUS_ORDER_H

#include "apus_limits.h"
#include <stddef.h>
#include <stdint.h>

enum apus_order_action {
    APUS_ORDER_PLACE = 1,
    APUS_ORDER_CANCEL = 2,
    APUS_ORDER_MODIFY = 3,
    APUS_ORDER_QUERY = 4, // ask the venue what became of this client id
};

enum apus_side {
    APUS_BUY = 0,
    APUS_SELL = 1,
};

enum apus_order_type {
    APUS_LIMIT = 0,
    APUS_MARKET = 1,
};

enum apus_time_in_force {
    APUS_GTC = 0,
    APUS_IOC = 1,
    APUS_FOK = 2,
    APUS_POST_ONLY = 3,
};

// What may be sent: the strictest of the words in the private mapping, each with one writer. Cancels and queries pass in every state.
enum apus_trading_state {
    APUS_TRADING_ACTIVE = 0,
    APUS_TRADING_REDUCING = 1, // orders that only reduce a position
    APUS_TRADING_HALTED = 2,
};

enum apus_trading_word {
    APUS_TRADING_CONTROL = 0, // a person, a signal, the end of the run: the control side
    APUS_TRADING_JOURNAL = 1, // a disk that failed: the journal thread
    APUS_TRADING_LIMITS = 2,  // a day's limit that was reached: the decision thread
    APUS_TRADING_WORDS = 3,
};

enum apus_order_flag {
    APUS_ORDER_REDUCE_ONLY = 1,
};

// One request. Prices and quantities in the instrument's units. The band is what the guard holds the price against.
typedef struct apus_order {
    uint64_t client_id; // known before sending: high half the run, low half the number within it
    uint16_t instrument;
    uint8_t action;
    uint8_t side;
    uint8_t type;
    uint8_t time_in_force;
    uint8_t flags;
    uint8_t strategy; // which one decided it
    int64_t price;
    int64_t quantity;
    int64_t band_low;
    int64_t band_high;
    uint64_t event_ns;     // publish time of the event that led to it
    uint64_t decided_ns;   // when the risk gate approved it
    uint64_t event_number; // the feed event it was decided on
    uint64_t target_id;    // cancel, modify, query: the client id of the order meant
    uint64_t journal;      // the journal record that must be durable before this leaves; 0: none
    uint64_t wall_ms;      // wall clock of the placement; cancel, modify, query: of the order meant
    uint64_t expire_ms;    // wall clock at which a resting order ends by itself; 0: never
    uint64_t venue_id;     // cancel, modify, query: the venue's number of the order meant; 0: not known
    uint64_t padding[2];
} apus_order;

enum apus_report_kind {
    APUS_REPORT_SENT = 1,     // handed to the kernel
    APUS_REPORT_ACCEPTED = 2, // the venue has it
    APUS_REPORT_REJECTED = 3, // the venue refused it: `code` is the venue's
    APUS_REPORT_REFUSED = 4,  // the guard refused it: `code` is apus_guard_reason; it was never sent
    APUS_REPORT_FILL = 5,
    APUS_REPORT_CANCELED = 6,
    APUS_REPORT_EXPIRED = 7,
    APUS_REPORT_MODIFIED = 8,
    APUS_REPORT_CANCEL_REJECTED = 9,
    APUS_REPORT_MODIFY_REJECTED = 10,
    APUS_REPORT_UNKNOWN = 11, // the answer was lost: the engine asks, it does not send again
    APUS_REPORT_STATUS = 12,  // the answer to a query: `status` says what the venue has; NONE: that cannot be told yet
    APUS_REPORT_NOT_FOUND = 13,
    APUS_REPORT_MISSED = 14, // of no one order: news may have been missed; the engine asks about every open order
    APUS_REPORT_UNDONE = 15, // a fill that the venue has taken back: trade_id, price and quantity are those of the fill
    // Of the account, not of an order:
    APUS_REPORT_SETTLED =
        16, // the venue closed a position: `side` of the closing trade, its price, quantity and trade_id
    APUS_REPORT_FUNDING = 17, // `fee` was paid for holding a position; trade_id names the payment
    APUS_REPORT_BALANCE = 18, // `fee` is the wallet's balance of the settlement asset
    APUS_REPORT_STALLED =
        19, // the decision thread did not move: new orders are refused, `code` open ones were canceled
};

enum apus_guard_reason {
    APUS_GUARD_PASSED = 0,
    APUS_GUARD_KILLED = 1,
    APUS_GUARD_PRICE_BAND = 2,
    APUS_GUARD_QUANTITY = 3,
    APUS_GUARD_BOOK_STATE = 4,
    APUS_GUARD_AGE = 5,
    APUS_GUARD_NOT_CONNECTED = 6,
    APUS_GUARD_BUFFER_FULL = 7,
    APUS_GUARD_INSTRUMENT = 8,
    APUS_GUARD_IN_FLIGHT_FULL = 9,
    APUS_GUARD_REDUCING = 10,    // only orders that reduce pass
    APUS_GUARD_STALLED = 11,     // the decision thread did not move for too long
    APUS_GUARD_EXPIRED = 12,     // its own end has come before it left
    APUS_GUARD_BUDGET = 13,      // the venue's request budget is used up
    APUS_GUARD_UNRESOLVED = 14,  // an order of that kind waits for its lost answer
    APUS_GUARD_UNSUPPORTED = 15, // the venue has no such request
};

enum apus_order_status {
    APUS_STATUS_NONE = 0,
    APUS_STATUS_NEW = 1,
    APUS_STATUS_PARTIALLY_FILLED = 2,
    APUS_STATUS_FILLED = 3,
    APUS_STATUS_CANCELED = 4,
    APUS_STATUS_EXPIRED = 5,
    APUS_STATUS_REJECTED = 6,
};

enum apus_report_flag {
    APUS_REPORT_MAKER = 1,
    APUS_REPORT_FEE_OTHER_ASSET = 2, // the fee is not in the instrument's settlement asset
};

typedef struct apus_report {
    uint64_t client_id;
    uint64_t venue_order_id;
    uint64_t trade_id;
    uint16_t instrument;
    uint8_t kind;
    uint8_t side;
    uint8_t status; // apus_order_status after this report, where the venue says it
    uint8_t flags;
    uint8_t action; // which request was answered
    uint8_t reserved;
    int64_t price;      // fill: its price; otherwise the order's
    int64_t quantity;   // fill: its quantity; otherwise the order's
    int64_t cumulative; // filled so far, without what was undone; 0: the venue does not say
    int64_t fee;        // in 10^-8 of the fee's asset; negative is a rebate
    int32_t code;
    uint32_t reserved2;
    uint64_t venue_ns;   // wall clock of the venue
    uint64_t receive_ns; // monotonic
    uint64_t sent_ns;    // monotonic
    uint64_t decided_ns;
    uint64_t padding[3];
} apus_report;

enum apus_command_kind {
    APUS_COMMAND_SUBSCRIBE = 1,
    APUS_COMMAND_UNSUBSCRIBE = 2,
    APUS_COMMAND_CANCEL_ALL = 3,
    APUS_COMMAND_RECONNECT = 4,
    APUS_COMMAND_STOP = 5,
};

typedef struct apus_command {
    uint8_t kind;
    uint8_t session;
    uint16_t instrument;
    uint32_t reserved;
    uint64_t argument;
    uint64_t padding[14];
} apus_command;

_Static_assert(sizeof(apus_order) == 128, "two cache lines");
_Static_assert(sizeof(apus_report) == 128, "two cache lines");
_Static_assert(sizeof(apus_command) == 128, "two cache lines");
_Static_assert(offsetof(apus_order, price) == 16, "layout");
_Static_assert(offsetof(apus_order, target_id) == 72, "layout");
_Static_assert(offsetof(apus_report, price) == 32, "layout");
_Static_assert(offsetof(apus_report, venue_ns) == 72, "layout");

#endif
