#include "apus_guard.h"

static uint8_t check_numbers(const apus_instrument* instrument, const apus_order* order) {
    if (order->quantity <= 0) return APUS_GUARD_QUANTITY;
    if (instrument->maximum_quantity > 0 && order->quantity > instrument->maximum_quantity) return APUS_GUARD_QUANTITY;
    if (order->type == APUS_MARKET && order->action == APUS_ORDER_PLACE) return APUS_GUARD_PASSED;
    if (order->price < order->band_low || order->price > order->band_high) return APUS_GUARD_PRICE_BAND;
    return APUS_GUARD_PASSED;
}

// MARK: the decision thread

static bool stands_still(const apus_guard* guard, uint64_t now_ns) {
    if (guard->stall_ns == 0 || guard->decided == NULL) return false;
    uint64_t decided_ns = apus_flag(guard->decided);
    return decided_ns != 0 && now_ns > decided_ns && now_ns - decided_ns > guard->stall_ns;
}

int apus_guard_look(apus_guard* guard, uint64_t now_ns) {
    guard->look_ns = now_ns + guard->stall_ns / 4;
    bool stalled = stands_still(guard, now_ns);
    if (stalled == guard->stalled) return APUS_GUARD_NO_CHANGE;
    guard->stalled = stalled;
    return stalled ? APUS_GUARD_STALL_BEGAN : APUS_GUARD_STALL_ENDED;
}

// MARK: an order

static uint8_t check_state(const apus_guard* guard, const apus_order* order) {
    uint64_t trading = guard->trading == NULL ? APUS_TRADING_ACTIVE : apus_trading(guard->trading);
    if (trading == APUS_TRADING_ACTIVE) return APUS_GUARD_PASSED;
    if (trading != APUS_TRADING_REDUCING) return APUS_GUARD_KILLED;
    return order->flags & APUS_ORDER_REDUCE_ONLY ? APUS_GUARD_PASSED : APUS_GUARD_REDUCING;
}

static uint8_t check_time(const apus_guard* guard, const apus_order* order, uint64_t now_ns) {
    if (guard->max_age_ns != 0 && now_ns > order->decided_ns && now_ns - order->decided_ns > guard->max_age_ns) {
        return APUS_GUARD_AGE;
    }
    if (order->expire_ms == 0) return APUS_GUARD_PASSED;
    uint64_t wall_ms = (now_ns + (uint64_t)guard->market->out->realtime_offset) / 1000000;
    return wall_ms >= order->expire_ms ? APUS_GUARD_EXPIRED : APUS_GUARD_PASSED;
}

uint8_t apus_guard_check(const apus_guard* guard, const apus_order* order, uint64_t now_ns) {
    if (order->instrument >= guard->market->instruments->count) return APUS_GUARD_INSTRUMENT;
    if (order->action == APUS_ORDER_CANCEL || order->action == APUS_ORDER_QUERY) return APUS_GUARD_PASSED;
    uint8_t reason = check_state(guard, order);
    if (reason == APUS_GUARD_PASSED && stands_still(guard, now_ns)) reason = APUS_GUARD_STALLED;
    if (reason == APUS_GUARD_PASSED) reason = check_time(guard, order, now_ns);
    if (reason != APUS_GUARD_PASSED) return reason;
    const apus_market_book* book = apus_market_at(guard->market, order->instrument);
    if (book == NULL || book->state != APUS_STATE_LIVE) return APUS_GUARD_BOOK_STATE;
    return check_numbers(apus_instrument_at(guard->market->instruments, order->instrument), order);
}

const char* apus_guard_reason_text(uint8_t reason) {
    switch (reason) {
    case APUS_GUARD_PASSED:
        return "passed";
    case APUS_GUARD_KILLED:
        return "trading is halted";
    case APUS_GUARD_PRICE_BAND:
        return "the price is outside the band around the book";
    case APUS_GUARD_QUANTITY:
        return "the quantity is not positive or above the instrument's maximum";
    case APUS_GUARD_BOOK_STATE:
        return "the book is not live";
    case APUS_GUARD_AGE:
        return "the order waited too long before it was sent";
    case APUS_GUARD_NOT_CONNECTED:
        return "the order connection or the user stream is down";
    case APUS_GUARD_BUFFER_FULL:
        return "the send buffer is full";
    case APUS_GUARD_INSTRUMENT:
        return "the instrument is not known to the session";
    case APUS_GUARD_IN_FLIGHT_FULL:
        return "too many requests wait for an answer";
    case APUS_GUARD_REDUCING:
        return "only orders that reduce a position pass";
    case APUS_GUARD_STALLED:
        return "the decision thread stands still";
    case APUS_GUARD_EXPIRED:
        return "the order has expired before it was sent";
    case APUS_GUARD_BUDGET:
        return "the venue's request budget is used up";
    case APUS_GUARD_UNRESOLVED:
        return "an order of that kind waits for its lost answer";
    case APUS_GUARD_UNSUPPORTED:
        return "the venue has no such request";
    default:
        return "unknown reason";
    }
}
