// Orders on their way out: what the guard, the venue and its budgets allow, as a buy or a sell.
#include "apus_decimal.h"
#include "deriv_orders.h"

#include <stdio.h>
#include <string.h>

#define ORDERS_EACH_TURN 64u

// MARK: refusals

static apus_report report_on_request(const apus_order* order, uint8_t kind, uint64_t now_ns) {
    return (apus_report){
        .client_id = order->action == APUS_ORDER_PLACE ? order->client_id : order->target_id,
        .instrument = order->instrument,
        .kind = kind,
        .side = order->side,
        .action = order->action,
        .price = order->price,
        .quantity = order->quantity,
        .receive_ns = now_ns,
        .decided_ns = order->decided_ns,
    };
}

static void refuse(apus_deriv_orders* self, const apus_order* order, uint8_t reason, uint64_t now_ns) {
    apus_report refusal = report_on_request(order, APUS_REPORT_REFUSED, now_ns);
    refusal.code = reason;
    apus_publisher_count(self->out, APUS_COUNT_ORDERS_REFUSED, 1);
    deriv_report(self, &refusal);
}

// MARK: sending

bool deriv_is_shape(const apus_deriv_orders* self, uint16_t instrument) {
    const apus_market_book* book = apus_deriv_market_book(&self->line.deriv, instrument);
    return book != NULL && apus_deriv_is_contract(&apus_deriv_book_of(book)->shape)
           && self->line.subscriptions[instrument].state != 0;
}

// What does not depend on the side.
static uint8_t check_order(apus_deriv_orders* self, const apus_order* order, uint64_t now_ns) {
    if (order->instrument >= self->market->instruments->count || !deriv_is_shape(self, order->instrument)) {
        return APUS_GUARD_INSTRUMENT;
    }
    uint8_t reason = apus_guard_check(&self->guard, order, now_ns);
    if (reason != APUS_GUARD_PASSED) return reason;
    if (order->time_in_force == APUS_POST_ONLY) return APUS_GUARD_UNSUPPORTED;
    if (order->quantity != apus_instrument_at(self->market->instruments, order->instrument)->lot_units) {
        return APUS_GUARD_QUANTITY;
    }
    return self->synced && self->line.link.state == APUS_LINK_OPEN ? APUS_GUARD_PASSED : APUS_GUARD_NOT_CONNECTED;
}

// Sends the request of an order; returns the reason when it cannot leave.
static uint8_t send_request(apus_deriv_orders* self, const apus_order* order, uint8_t action, const char* text,
                            size_t length, apus_deriv_order* place, uint64_t now_ns) {
    apus_deriv_line* line = &self->line;
    apus_deriv_request request = {.action = action, .instrument = order->instrument};
    uint64_t number = apus_deriv_line_send(line, APUS_DERIV_ROW_TRADE, &request, text, length, now_ns);
    if (number == 0) {
        bool spent = !apus_budget_allows(&line->budget, &line->costs[APUS_DERIV_ROW_TRADE], now_ns);
        return spent ? APUS_GUARD_BUDGET : APUS_GUARD_BUFFER_FULL;
    }
    *place = (apus_deriv_order){
        .number = number,
        .client_id = order->client_id,
        .decided_ns = order->decided_ns,
        .queued_ns = now_ns,
        .tx_mark = line->channel.tx_total + apus_buffer_used(&line->channel.tx),
        .wall_ms = order->wall_ms != 0 ? order->wall_ms : deriv_wall_ms(self, now_ns),
        .final_ms = UINT64_MAX,
        .price = order->price,
        .state = APUS_DERIV_WAITING,
    };
    if (self->unsent_count < APUS_DERIV_UNSENT) self->unsent[self->unsent_count++] = place;
    apus_publisher_count(self->out, APUS_COUNT_ORDERS_SENT, 1);
    return APUS_GUARD_PASSED;
}

static size_t put_price(const apus_deriv_orders* self, const apus_order* order, int64_t price, char* text) {
    uint32_t decimals = apus_instrument_at(self->market->instruments, order->instrument)->price_decimals;
    return apus_decimal_format(price, decimals, text);
}

// A lost buy's contract is found, and the engine does not know: were it to die now, it would look for two of one shape.
static bool waits_to_be_told(const apus_deriv_orders* self, uint16_t instrument) {
    for (uint32_t i = 0; i < APUS_DERIV_CONTRACTS; i++) {
        const apus_deriv_contract* contract = &self->contracts[i];
        if (contract->id != 0 && contract->instrument == instrument && !contract->told) return true;
    }
    return false;
}

static uint8_t send_buy(apus_deriv_orders* self, const apus_order* taken, uint64_t now_ns) {
    char text[APUS_DERIV_REQUEST_BYTES], price[APUS_DECIMAL_TEXT_BYTES];
    apus_order order = *taken;
    apus_deriv_order* place = &self->buys[order.instrument];
    const char* proposal = self->line.subscriptions[order.instrument].proposal;
    // There is nothing that a buy could reduce: contracts are only held.
    if (order.flags & APUS_ORDER_REDUCE_ONLY) return APUS_GUARD_UNSUPPORTED;
    if (place->state != APUS_DERIV_FREE || waits_to_be_told(self, order.instrument)) return APUS_GUARD_UNRESOLVED;
    if (proposal[0] == 0) return APUS_GUARD_BOOK_STATE;
    if (!deriv_contract_place(self)) return APUS_GUARD_IN_FLIGHT_FULL;
    // A market order pays what the newest proposal asks.
    const apus_deriv_book* book = apus_deriv_book_of(apus_market_at(self->market, order.instrument));
    if (order.type == APUS_MARKET) order.price = book->touch.ask_price;
    size_t digits = put_price(self, &order, order.price, price);
    int length = snprintf(text, sizeof text, "{\"buy\":\"%s\",\"price\":%.*s", proposal, (int)digits, price);
    return send_request(self, &order, APUS_DERIV_ASK_BUY, text, (size_t)length, place, now_ns);
}

static uint8_t send_sell(apus_deriv_orders* self, const apus_order* taken, uint64_t now_ns) {
    char text[APUS_DERIV_REQUEST_BYTES], price[APUS_DECIMAL_TEXT_BYTES];
    apus_order order = *taken;
    bool busy;
    apus_deriv_contract* contract = deriv_oldest(self, order.instrument, &busy);
    if (self->strays[order.instrument].state != APUS_DERIV_FREE) return APUS_GUARD_UNRESOLVED;
    if (contract == NULL) return busy ? APUS_GUARD_UNRESOLVED : APUS_GUARD_UNSUPPORTED;
    if (order.type == APUS_MARKET) order.price = 0;
    size_t digits = put_price(self, &order, order.price, price);
    int length = snprintf(text, sizeof text, "{\"sell\":%llu,\"price\":%.*s", (unsigned long long)contract->id,
                          (int)digits, price);
    uint8_t reason = send_request(self, &order, APUS_DERIV_ASK_SELL, text, (size_t)length, &contract->sale, now_ns);
    if (reason != APUS_GUARD_PASSED) return reason;
    apus_report sent = report_on_request(&order, APUS_REPORT_SENT, now_ns);
    sent.venue_order_id = contract->id | APUS_DERIV_SALE;
    deriv_report(self, &sent);
    deriv_show_bid(self, order.instrument);
    return reason;
}

static void send_order(apus_deriv_orders* self, const apus_order* order, uint64_t now_ns) {
    apus_probe_taken(order);
    if (order->action == APUS_ORDER_QUERY && order->instrument < self->market->instruments->count) {
        deriv_ask(self, order, now_ns);
        return;
    }
    if (order->action == APUS_ORDER_CANCEL) {
        apus_report late = report_on_request(order, APUS_REPORT_CANCEL_REJECTED, now_ns);
        deriv_report(self, &late);
        return;
    }
    uint8_t reason = APUS_GUARD_UNSUPPORTED;
    if (order->action == APUS_ORDER_PLACE) {
        self->run = order->client_id >> 32;
        self->has_run = true;
    }
    if (order->action == APUS_ORDER_QUERY) reason = APUS_GUARD_INSTRUMENT;
    if (order->action == APUS_ORDER_PLACE) reason = check_order(self, order, now_ns);
    if (order->action == APUS_ORDER_PLACE && reason == APUS_GUARD_PASSED) {
        reason = order->side == APUS_BUY ? send_buy(self, order, now_ns) : send_sell(self, order, now_ns);
    }
    if (reason != APUS_GUARD_PASSED) refuse(self, order, reason, now_ns);
}

uint32_t deriv_take_orders(apus_deriv_orders* self, uint64_t now_ns) {
    apus_order order;
    uint32_t work = 0;
    // An order whose refusal could not be reported stays in the ring.
    while (work < ORDERS_EACH_TURN && deriv_has_room(self, 1) && apus_order_take(self->rings, &order)) {
        send_order(self, &order, now_ns);
        work++;
    }
    return work;
}

// Notes when requests left for the kernel, after the shell has written.
void deriv_note_sent(apus_deriv_orders* self) {
    const apus_channel* channel = &self->line.channel;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->unsent_count; i++) {
        apus_deriv_order* order = self->unsent[i];
        if (order->state == APUS_DERIV_WAITING && channel->tx_total < order->tx_mark) {
            self->unsent[kept++] = order;
            continue;
        }
        if (order->state != APUS_DERIV_WAITING) continue;
        order->sent_ns = channel->sent_ns;
        apus_probe_sent(&order->client_id, &order->decided_ns, &order->sent_ns);
        if (order->decided_ns != 0) {
            apus_histogram_record_signed(&self->out->counters->hops[APUS_HOP_ORDER_SENT],
                                         (int64_t)(order->sent_ns - order->decided_ns));
        }
    }
    self->unsent_count = kept;
}
