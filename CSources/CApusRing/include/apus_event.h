// What the hot thread tells everybody: one event, 56 bytes, which with its sequence fills one cache line of the feed ring.
#ifndef APUS_EVENT_H
#define APUS_EVENT_H

#include "apus_limits.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum apus_event_kind {
    APUS_EVENT_BOOK = 1,       // the touch after a batch of updates; flags: apus_book_flag
    APUS_EVENT_TICKER = 2,     // the venue's own best bid and offer; never changes the book
    APUS_EVENT_TRADE = 3,      // flags: apus_trade_flag
    APUS_EVENT_BOOK_STATE = 4, // flags: apus_book_state, bid_price: apus_state_reason
    APUS_EVENT_CONNECTION =
        5, // flags: apus_connection_state, instrument: connection number, bid_price: the reason, ask_price: its code
    APUS_EVENT_TICK_SIZE = 6, // the instrument's tick changed: bid_price is the old tick, ask_price the new one
};

enum apus_book_flag {
    APUS_BOOK_CROSSED = 1,
    APUS_BOOK_NO_BID = 2,
    APUS_BOOK_NO_ASK = 4,
    APUS_BOOK_SNAPSHOT = 8, // the whole book was replaced
};

enum apus_trade_flag {
    APUS_TRADE_SELL = 1, // the taker sold: the buyer was the maker
};

enum apus_book_state {
    APUS_STATE_SYNCING = 0, // no proven book yet
    APUS_STATE_LIVE = 1,
    APUS_STATE_STALE = 2,   // continuity was lost; the book resyncs by itself
    APUS_STATE_DROPPED = 3, // no longer subscribed
};

enum apus_state_reason {
    APUS_BOOK_REASON_NONE = 0,
    APUS_BOOK_REASON_SUBSCRIBED = 1,
    APUS_BOOK_REASON_SNAPSHOT = 2,
    APUS_BOOK_REASON_GAP = 3,
    APUS_BOOK_REASON_DECODE = 4,
    APUS_BOOK_REASON_HASH = 5,
    APUS_BOOK_REASON_DISCONNECTED = 6,
    APUS_BOOK_REASON_FROZEN = 7,
    APUS_BOOK_REASON_TICK_SIZE = 8,
    APUS_BOOK_REASON_ARENA = 9,
    APUS_BOOK_REASON_UNSUBSCRIBED = 10,
    APUS_BOOK_REASON_TICKER = 11, // the venue's best bid and offer contradicts the book
};

enum apus_connection_state {
    APUS_CONNECTION_DOWN = 0,
    APUS_CONNECTION_CONNECTING = 1,
    APUS_CONNECTION_UP = 2,
    APUS_CONNECTION_CLOSING = 3,
    APUS_CONNECTION_WAITING = 4,
};

// For a BOOK or TICKER event the four words are the touch in the instrument's units (an absent side has quantity 0).
// For a TRADE: bid_price is the price, bid_quantity the quantity, ask_price the trade id.
// For the others: bid_price is the reason or code.
typedef struct apus_event {
    uint16_t instrument;
    uint8_t kind;
    uint8_t flags;
    uint32_t update_id; // low 32 bits of the venue's update id
    int64_t bid_price;
    int64_t bid_quantity;
    int64_t ask_price;
    int64_t ask_quantity;
    uint64_t publish_ns;       // monotonic
    uint32_t receive_delay_ns; // publish - receive, saturating
    int32_t venue_delay_ns;    // receive - venue time, saturating both ways; negative when the venue's clock is ahead
} apus_event;

_Static_assert(sizeof(apus_event) == 56, "the event and its sequence fill one cache line");
_Static_assert(offsetof(apus_event, instrument) == 0, "layout");
_Static_assert(offsetof(apus_event, kind) == 2, "layout");
_Static_assert(offsetof(apus_event, flags) == 3, "layout");
_Static_assert(offsetof(apus_event, update_id) == 4, "layout");
_Static_assert(offsetof(apus_event, bid_price) == 8, "layout");
_Static_assert(offsetof(apus_event, bid_quantity) == 16, "layout");
_Static_assert(offsetof(apus_event, ask_price) == 24, "layout");
_Static_assert(offsetof(apus_event, ask_quantity) == 32, "layout");
_Static_assert(offsetof(apus_event, publish_ns) == 40, "layout");
_Static_assert(offsetof(apus_event, receive_delay_ns) == 48, "layout");
_Static_assert(offsetof(apus_event, venue_delay_ns) == 52, "layout");

// The 32-bit offsets of an event from full times. `venue_ns` is 0 when the message carries no time.
static inline uint32_t apus_receive_delay(uint64_t publish_ns, uint64_t receive_ns) {
    uint64_t delay = publish_ns > receive_ns ? publish_ns - receive_ns : 0;
    return delay > UINT32_MAX ? UINT32_MAX : (uint32_t)delay;
}

static inline int32_t apus_venue_delay(uint64_t receive_ns, uint64_t venue_ns) {
    if (venue_ns == 0) return 0;
    int64_t delay = (int64_t)(receive_ns - venue_ns);
    return delay > INT32_MAX ? INT32_MAX : delay < INT32_MIN ? INT32_MIN : (int32_t)delay;
}

static inline uint64_t apus_event_receive_ns(const apus_event* event) {
    return event->publish_ns - event->receive_delay_ns;
}

#endif
