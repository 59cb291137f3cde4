// Answers and events in: what becomes a report, and what the table of open orders and the budgets learn.
#include "apus_decimal.h"
#include "apus_text_id.h"
#include "binance_orders_internal.h"

#include <stdio.h>
#include <string.h>

// Venue codes: a query for an order that does not exist; two that leave open whether the request was carried out; a stamp that is
// ahead of the venue's clock or too old; too many orders.
#define CODE_NO_SUCH_ORDER (-2013)
#define CODE_UNEXPECTED_ANSWER (-1006)
#define CODE_TIMEOUT (-1007)
#define CODE_INVALID_TIMESTAMP (-1021)
#define CODE_TOO_MANY_ORDERS (-1015)
// "Too many requests", and the ban that follows where that is not heeded.
#define STATUS_TOO_MANY 429u
#define STATUS_BANNED 418u

// MARK: the table of open orders

static bool is_final(uint8_t status) {
    return status == APUS_STATUS_FILLED || status == APUS_STATUS_CANCELED || status == APUS_STATUS_EXPIRED
           || status == APUS_STATUS_REJECTED;
}

// What the venue tells of an order, by an answer or an event: it is put in, changed or taken out.
static void note_order(orders_session* self, const apus_binance_answer* told) {
    if (!told->ours || told->instrument == APUS_INSTRUMENT_NONE || told->order_status == APUS_STATUS_NONE) return;
    if (is_final(told->order_status)) {
        apus_open_orders_remove(&self->open, told->client_id);
        return;
    }
    apus_order order = {.client_id = told->client_id, .instrument = told->instrument, .side = told->side};
    apus_open_order* open = apus_open_orders_add(&self->open, &order);
    // Old news of an order that has ended, or a full table: then it is not canceled in an emergency.
    if (open == NULL) return;
    open->venue_id = told->venue_order_id;
    open->price = told->price;
    open->quantity = told->quantity;
}

static void note_refusal(orders_session* self, const apus_binance_request* request, uint8_t kind, uint64_t now_ns) {
    if (kind == APUS_REPORT_REJECTED) {
        apus_open_orders_remove(&self->open, request->client_id);
    } else if (kind == APUS_REPORT_NOT_FOUND) {
        const apus_open_order* open = apus_open_orders_find(&self->open, request->client_id);
        uint64_t wall_ms = (now_ns + (uint64_t)self->out->realtime_offset) / 1000000;
        uint64_t late_ms = apus_late_arrival_ms(self->config.receive_window_ms);
        // The engine asks for the last time after that, by a clock that may be behind this one.
        if (open != NULL && open->wall_ms + late_ms < wall_ms + APUS_CLOCK_ERROR_MS) {
            apus_open_orders_remove(&self->open, request->client_id);
        }
    }
}

// MARK: budgets

static void learn_limits(orders_session* self, const apus_binance_answer* answer, uint64_t now_ns) {
    for (uint32_t i = 0; i < answer->limit_count; i++) {
        const apus_binance_limit* told = &answer->limits[i];
        for (uint32_t row = 0; row < self->config.limit_count; row++) {
            const apus_binance_limit* known = &self->config.limits[row];
            if (known->kind != told->kind || known->window_ns != told->window_ns) continue;
            apus_budget_set_limit(&self->budget, row, told->limit);
            apus_budget_learn(&self->budget, row, told->used, now_ns);
        }
    }
}

// The venue wants less: of orders alone, or of everything.
static void back_off(orders_session* self, const apus_binance_answer* answer, uint64_t now_ns) {
    bool orders_only = answer->code == CODE_TOO_MANY_ORDERS && answer->status != STATUS_BANNED;
    if (!orders_only && answer->status != STATUS_TOO_MANY && answer->status != STATUS_BANNED) return;
    // Where the venue does not say when: the shortest of its windows for orders, a minute for requests, two for a first ban.
    uint64_t seconds = answer->status == STATUS_BANNED ? 120 : orders_only ? 10 : 60;
    uint64_t until_ns = now_ns + seconds * SECOND_NS;
    if (answer->retry_after_ms != 0) until_ns = binance_local_ns(self, answer->retry_after_ms);
    // Not by the budget's rows: a venue may limit orders without having announced how many it takes.
    if (orders_only)
        self->orders_blocked_ns = apus_time_later(self->orders_blocked_ns, until_ns);
    else
        apus_budget_blocked_until(&self->budget, APUS_BUDGET_ALL, until_ns);
}

// MARK: answers

static void take_key_answer(orders_session* self, const apus_binance_request* request,
                            const apus_binance_answer* answer, uint64_t now_ns) {
    self->key_in_flight = false;
    self->has_key = request->action == ACTION_KEY_PING ? answer->status == 200 : binance_use_key(self, answer, now_ns);
    self->key_due_ns = now_ns + (self->has_key ? self->config.key_renewal_ns : SECOND_NS);
}

static uint8_t good_kind(const apus_binance_request* request) {
    switch (request->action) {
    case APUS_ORDER_CANCEL:
        return APUS_REPORT_CANCELED;
    case APUS_ORDER_MODIFY:
        return APUS_REPORT_MODIFIED;
    case APUS_ORDER_QUERY:
        return APUS_REPORT_STATUS;
    default:
        return APUS_REPORT_ACCEPTED;
    }
}

static uint8_t bad_kind(const apus_binance_request* request, const apus_binance_answer* answer) {
    // A server error (5xx) does not say whether the request was carried out.
    if (answer->status >= 500 || answer->code == CODE_TIMEOUT || answer->code == CODE_UNEXPECTED_ANSWER) {
        return APUS_REPORT_UNKNOWN;
    }
    switch (request->action) {
    case APUS_ORDER_CANCEL:
        return APUS_REPORT_CANCEL_REJECTED;
    case APUS_ORDER_MODIFY:
        return APUS_REPORT_MODIFY_REJECTED;
    case APUS_ORDER_QUERY:
        return answer->code == CODE_NO_SUCH_ORDER ? APUS_REPORT_NOT_FOUND : APUS_REPORT_UNKNOWN;
    default:
        return APUS_REPORT_REJECTED;
    }
}

static void take_order_answer(orders_session* self, const apus_binance_request* request,
                              const apus_binance_answer* answer, uint64_t now_ns) {
    bool good = answer->status == 200;
    apus_report result = binance_report_on(request, good ? good_kind(request) : bad_kind(request, answer), now_ns);
    result.code = answer->code;
    result.venue_ns = answer->event_time_ms * 1000000ull;
    if (good) {
        result.venue_order_id = answer->venue_order_id;
        result.status = answer->order_status;
        result.cumulative = answer->cumulative;
        result.price = answer->price;
        result.quantity = answer->quantity;
        note_order(self, answer);
    } else {
        note_refusal(self, request, result.kind, now_ns);
    }
    if (request->sent_ns != 0) {
        apus_histogram_record_signed(&self->out->counters->hops[APUS_HOP_SENT_ANSWER],
                                     (int64_t)(self->api[request->member].channel.receive_ns - request->sent_ns));
    }
    binance_report(self, &result);
}

// A request that was carried out must show on the user stream.
static void expect_event(orders_session* self, const apus_binance_request* request, uint64_t now_ns) {
    bool makes_event = request->action != APUS_ORDER_QUERY && request->action < ACTION_KEY_START;
    if (!makes_event || self->config.event_grace_ns == 0 || self->event_ns >= request->queued_ns) return;
    uint64_t due_ns = now_ns + self->config.event_grace_ns;
    if (due_ns < self->event_due_ns) self->event_due_ns = due_ns;
}

void binance_check_events(orders_session* self, uint64_t now_ns) {
    if (now_ns < self->event_due_ns || !binance_user_is_up(self)) return;
    self->event_due_ns = UINT64_MAX;
    self->freezes++;
    apus_link_reconnect(&binance_user(self)->link, APUS_REASON_FROZEN, now_ns);
}

static void take_answer(orders_session* self, const apus_binance_line* line, const apus_binance_answer* answer,
                        uint64_t now_ns) {
    apus_binance_request* request = binance_request_at(self, answer->request_id);
    learn_limits(self, answer, now_ns);
    back_off(self, answer, now_ns);
    if (answer->request_id == 0 || request->number != answer->request_id) return; // late: it was reported UNKNOWN
    uint64_t receive_ns = line->channel.receive_ns;
    uint64_t begin_ns = request->sent_ns != 0 ? request->sent_ns : request->queued_ns;
    apus_pool_answered(&self->pool, request->member, request->action == ACTION_TIME,
                       receive_ns > begin_ns ? receive_ns - begin_ns : 0, now_ns);
    if (answer->code == CODE_INVALID_TIMESTAMP) binance_clock_wrong(self);
    if (request->action == ACTION_TIME) {
        binance_take_time(self, request, answer, receive_ns, now_ns);
        self->pool_due_ns = apus_time_earlier(self->pool_due_ns, apus_pool_deadline(&self->pool));
    } else if (request->action >= ACTION_KEY_START) {
        take_key_answer(self, request, answer, now_ns);
    } else {
        take_order_answer(self, request, answer, now_ns);
    }
    if (answer->status == 200) expect_event(self, request, now_ns);
    binance_forget(self, request);
}

// MARK: events

static void take_event(orders_session* self, const apus_binance_answer* event, uint64_t now_ns) {
    if (!event->ours || event->execution == 0) {
        self->foreign_events++;
        return;
    }
    self->event_ns = now_ns;
    self->event_due_ns = UINT64_MAX;
    note_order(self, event);
    bool fill = event->execution == APUS_REPORT_FILL;
    apus_report result = {
        .client_id = event->client_id,
        .venue_order_id = event->venue_order_id,
        .trade_id = event->trade_id,
        .instrument = event->instrument,
        .kind = event->execution,
        .side = event->side,
        .status = event->order_status,
        .flags = (uint8_t)((event->maker ? APUS_REPORT_MAKER : 0)
                           | (event->fee_other_asset ? APUS_REPORT_FEE_OTHER_ASSET : 0)),
        .price = fill ? event->last_price : event->price,
        .quantity = fill ? event->last_quantity : event->quantity,
        .cumulative = event->cumulative,
        .fee = event->fee,
        .venue_ns = event->event_time_ms * 1000000ull,
        .receive_ns = now_ns,
    };
    binance_report(self, &result);
}

// The venue gives a payment no number: the same payment, told again, has the same time, symbol and balances.
static uint64_t payment_id(const apus_binance_answer* event) {
    char text[4 * APUS_DECIMAL_TEXT_BYTES];
    int length = snprintf(text, sizeof text, "%llu/%u/%lld/%lld", (unsigned long long)event->event_time_ms,
                          event->instrument, (long long)event->balance, (long long)event->balance_change);
    return apus_text_id((const uint8_t*)text, (size_t)length);
}

static void take_account_event(orders_session* self, const apus_binance_answer* event, uint64_t now_ns) {
    if (!event->has_balance) return;
    apus_report result = {
        .instrument = event->instrument,
        .venue_ns = event->event_time_ms * 1000000ull,
        .receive_ns = now_ns,
    };
    if (event->is_funding && event->balance_change != 0) {
        result.kind = APUS_REPORT_FUNDING;
        result.trade_id = payment_id(event);
        result.fee = -event->balance_change;
        binance_report(self, &result);
    }
    result.kind = APUS_REPORT_BALANCE;
    result.instrument = APUS_INSTRUMENT_NONE;
    result.trade_id = 0;
    result.fee = event->balance;
    binance_report(self, &result);
}

void binance_take_message(orders_session* self, const apus_binance_line* line, const apus_ws_item* item,
                          uint64_t now_ns) {
    apus_binance_answer answer;
    bool is_user = line == &self->users[0] || line == &self->users[1];
    apus_probe_frame(item->size, now_ns);
    if (apus_binance_decode_answer(self->market->instruments, self->config.settlement_asset, item->data, item->size,
                                   &answer)
        < 0) {
        // If it answered a request, that request times out and is asked about. An event is simply gone.
        self->decode_errors++;
        apus_publisher_count(self->out, APUS_COUNT_DECODE_ERRORS, 1);
        if (is_user) self->missed = true;
        return;
    }
    switch (answer.kind) {
    case APUS_BINANCE_ORDER_ANSWER:
        if (!is_user) take_answer(self, line, &answer, now_ns);
        break;
    case APUS_BINANCE_ORDER_EVENT:
        take_event(self, &answer, now_ns);
        break;
    case APUS_BINANCE_ACCOUNT_EVENT:
        take_account_event(self, &answer, now_ns);
        break;
    case APUS_BINANCE_KEY_EXPIRED:
        self->has_key = false;
        self->key_due_ns = now_ns;
        apus_link_reconnect(&binance_user(self)->link, APUS_REASON_SESSION, now_ns);
        break;
    default:
        break;
    }
}
