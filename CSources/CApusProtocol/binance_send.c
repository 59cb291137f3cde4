// Orders out: the guard, the venue's budget, the choice of a connection, the bytes.
#include "binance_orders_internal.h"

#include <stdio.h>
#include <string.h>

#define ORDERS_EACH_TURN 64u

// MARK: requests

// Moves to the next number whose place is free: one request that waits for a lost answer holds up no other. False when all wait.
static bool find_place(orders_session* self) {
    uint64_t number = self->next_request;
    while (binance_request_at(self, number)->number != 0)
        if (++number - self->next_request == APUS_BINANCE_IN_FLIGHT) return false;
    if (self->loss_scan == self->next_request) self->loss_scan = number;
    self->next_request = number;
    return true;
}

apus_binance_request* binance_new_request(orders_session* self, uint32_t member, uint64_t now_ns) {
    if (!find_place(self)) return NULL;
    apus_binance_request* request = binance_request_at(self, self->next_request);
    *request = (apus_binance_request){.number = self->next_request, .queued_ns = now_ns, .member = (uint8_t)member};
    return request;
}

void binance_sent(orders_session* self, apus_binance_request* request, uint64_t now_ns) {
    apus_binance_line* line = &self->api[request->member];
    // Nothing waits: the search for lost requests goes on behind this one.
    if (self->loss_scan == self->next_request) self->loss_scan++;
    self->next_request++;
    request->tx_mark = line->channel.tx_total + apus_buffer_used(&line->channel.tx);
    if (line->first_unsent == 0)
        line->first_unsent = request->number;
    else
        binance_request_at(self, line->last_unsent)->next_unsent = request->number;
    line->last_unsent = request->number;
    self->unsent |= 1u << request->member;
    line->channel.quiet = false;
    apus_pool_sent(&self->pool, request->member, request->action == ACTION_TIME, now_ns);
}

void binance_forget(orders_session* self, apus_binance_request* request) {
    request->number = 0;
    binance_settle(self, request->member);
}

void binance_settle(orders_session* self, uint32_t member) {
    apus_binance_line* line = &self->api[member];
    bool idle = self->pool.members[member].in_flight == 0 && self->pool.newest != member;
    line->channel.quiet = idle && binance_is_up(line);
}

static void note_sent_on(orders_session* self, uint32_t member) {
    apus_binance_line* line = &self->api[member];
    while (line->first_unsent != 0) {
        uint64_t number = line->first_unsent;
        apus_binance_request* request = binance_request_at(self, number);
        // The place of a request that was given up before its bytes left may hold another one, and then the chain ends.
        bool given_up = request->number == 0 && request->member == member;
        if (request->number != number && !given_up) break;
        if (line->channel.tx_total < request->tx_mark) return;
        line->first_unsent = request->next_unsent > number ? request->next_unsent : 0;
        if (given_up) continue;
        request->sent_ns = line->channel.sent_ns;
        apus_probe_sent(&request->client_id, &request->decided_ns, &request->sent_ns);
        if (request->decided_ns != 0) {
            apus_histogram_record_signed(&self->out->counters->hops[APUS_HOP_ORDER_SENT],
                                         (int64_t)(request->sent_ns - request->decided_ns));
        }
    }
    line->first_unsent = line->last_unsent = 0;
    self->unsent &= ~(1u << member);
}

void binance_note_sent(orders_session* self) {
    for (uint32_t left = self->unsent; left != 0; left &= left - 1)
        note_sent_on(self, (uint32_t)__builtin_ctz(left));
}

bool binance_send_own(orders_session* self, uint8_t action, uint32_t member, uint64_t now_ns) {
    char text[APUS_BINANCE_REQUEST_BYTES];
    apus_binance_request* request = binance_new_request(self, member, now_ns);
    if (request == NULL) return false;
    request->action = action;
    unsigned long long number = request->number;
    int length = action == ACTION_TIME
                     ? snprintf(text, sizeof text, "{\"id\":\"%llu\",\"method\":\"time\"}", number)
                     : snprintf(text, sizeof text,
                                "{\"id\":\"%llu\",\"method\":\"userDataStream.%s\",\"params\":{\"apiKey\":\"%s\"}}",
                                number, action == ACTION_KEY_START ? "start" : "ping", self->signer.api_key);
    if (apus_link_send_text(&self->api[member].link, text, (size_t)length) < 0) {
        request->number = 0;
        return false;
    }
    apus_budget_force(&self->budget, &self->costs[COST_OTHER], now_ns);
    binance_sent(self, request, now_ns);
    return true;
}

// MARK: may it leave?

static void refuse(orders_session* self, const apus_order* order, uint8_t reason, uint64_t now_ns) {
    apus_report refusal = {
        .client_id = order->action == APUS_ORDER_PLACE ? order->client_id : order->target_id,
        .instrument = order->instrument,
        .kind = APUS_REPORT_REFUSED,
        .side = order->side,
        .action = order->action,
        .price = order->price,
        .quantity = order->quantity,
        .code = reason,
        .receive_ns = now_ns,
        .decided_ns = order->decided_ns,
    };
    apus_publisher_count(self->out, APUS_COUNT_ORDERS_REFUSED, 1);
    binance_report(self, &refusal);
}

static const apus_budget_cost* cost_of(const orders_session* self, const apus_order* order) {
    switch (order->action) {
    case APUS_ORDER_PLACE:
        return &self->costs[COST_PLACE];
    case APUS_ORDER_MODIFY:
        return &self->costs[COST_MODIFY];
    default:
        return &self->costs[COST_OTHER];
    }
}

static bool adds_risk(const apus_order* order) {
    return order->action == APUS_ORDER_PLACE || order->action == APUS_ORDER_MODIFY;
}

// A cancel leaves unless the venue has banned every request.
static bool within_budget(orders_session* self, const apus_order* order, uint64_t now_ns) {
    if (order->action == APUS_ORDER_CANCEL) return !apus_budget_is_blocked(&self->budget, now_ns);
    if (adds_risk(order) && now_ns < self->orders_blocked_ns) return false;
    return apus_budget_allows(&self->budget, cost_of(self, order), now_ns);
}

static uint8_t check(orders_session* self, const apus_order* order, uint64_t now_ns) {
    uint8_t reason = apus_guard_check(&self->guard, order, now_ns);
    if (reason != APUS_GUARD_PASSED) return reason;
    if (adds_risk(order) && !binance_user_is_up(self)) return APUS_GUARD_NOT_CONNECTED;
    if (!apus_binance_can_encode(order)) return APUS_GUARD_UNSUPPORTED;
    if (!within_budget(self, order, now_ns)) return APUS_GUARD_BUDGET;
    // An order that nobody could cancel in an emergency is not sent.
    if (order->action == APUS_ORDER_PLACE && self->open.count == APUS_OPEN_ORDERS_MAX) return APUS_GUARD_IN_FLIGHT_FULL;
    return APUS_GUARD_PASSED;
}

// MARK: which connection

// The connection on which another request about the same order is under way, or -1.
static int companion(const orders_session* self, const apus_order* order) {
    if (order->action == APUS_ORDER_PLACE) return -1;
    const apus_open_order* open = apus_open_orders_find(&self->open, order->target_id);
    if (open == NULL || open->word == 0) return -1;
    const apus_binance_request* request = binance_request_at(self, open->word);
    if (request->number != open->word || !binance_is_up(&self->api[request->member])) return -1;
    return self->pool.members[request->member].state == APUS_MEMBER_SUSPECT ? -1 : request->member;
}

// Room for the request on the best connection that has some. Returns the connection, or a negative errno.
static int reserve(orders_session* self, const apus_order* order, uint64_t now_ns, uint8_t** payload) {
    int member = companion(self, order);
    uint32_t before = self->pool.newest;
    uint64_t tried = 0;
    int result = -ENOTCONN;
    if (member < 0) member = apus_pool_pick(&self->pool, tried, now_ns);
    while (member >= 0) {
        int room = apus_link_reserve(&self->api[member].link, APUS_BINANCE_REQUEST_BYTES, payload);
        if (room == 0) break;
        result = room;
        tried |= 1ull << member;
        member = apus_pool_pick(&self->pool, tried, now_ns);
    }
    if (self->pool.newest != before) binance_settle(self, before);
    return member >= 0 ? member : result;
}

// MARK: one order

static void describe(apus_binance_request* request, const apus_order* order) {
    request->client_id = order->action == APUS_ORDER_PLACE ? order->client_id : order->target_id;
    request->decided_ns = order->decided_ns;
    request->price = order->price;
    request->quantity = order->quantity;
    request->instrument = order->instrument;
    request->action = order->action;
    request->side = order->side;
}

static void remember(orders_session* self, const apus_order* order, uint64_t number) {
    apus_open_order* open = order->action == APUS_ORDER_PLACE ? apus_open_orders_add(&self->open, order)
                                                              : apus_open_orders_find(&self->open, order->target_id);
    if (open != NULL) open->word = number;
}

// Returns APUS_GUARD_PASSED when the order is on its way, or why it is not.
static uint8_t dispatch(orders_session* self, const apus_order* order, uint64_t now_ns) {
    uint8_t* payload;
    uint8_t reason = check(self, order, now_ns);
    if (reason != APUS_GUARD_PASSED) return reason;
    if (!find_place(self)) return APUS_GUARD_IN_FLIGHT_FULL;
    int member = reserve(self, order, now_ns, &payload);
    if (member < 0) return member == -ENOBUFS ? APUS_GUARD_BUFFER_FULL : APUS_GUARD_NOT_CONNECTED;
    const apus_instrument* instrument = apus_instrument_at(self->market->instruments, order->instrument);
    int length =
        apus_binance_encode_order(&self->signer, instrument, order, self->next_request, binance_venue_ms(self, now_ns),
                                  self->config.receive_window_ms, (char*)payload);
    // What cannot be signed cannot be asked of the venue.
    if (length < 0) return APUS_GUARD_UNSUPPORTED;
    apus_link_commit(&self->api[member].link, payload, APUS_BINANCE_REQUEST_BYTES, (size_t)length);
    apus_binance_request* request = binance_new_request(self, (uint32_t)member, now_ns);
    describe(request, order);
    binance_sent(self, request, now_ns);
    remember(self, order, request->number);
    apus_budget_force(&self->budget, cost_of(self, order), now_ns);
    apus_publisher_count(self->out, APUS_COUNT_ORDERS_SENT, 1);
    return APUS_GUARD_PASSED;
}

uint32_t binance_take_orders(orders_session* self, uint64_t now_ns) {
    apus_order order;
    uint32_t work = 0;
    // An order whose refusal could not be reported stays in the ring.
    while (work < ORDERS_EACH_TURN && binance_has_room(self) && apus_order_take(self->rings, &order)) {
        apus_probe_taken(&order);
        uint8_t reason = dispatch(self, &order, now_ns);
        if (reason != APUS_GUARD_PASSED) refuse(self, &order, reason, now_ns);
        work++;
    }
    return work;
}

// MARK: canceling what is open

uint32_t binance_cancel_all(orders_session* self) {
    for (uint64_t i = 0; i <= self->open.mask; i++)
        self->open.places[i].canceling = false;
    self->canceling = self->open.count > 0;
    return self->open.count;
}

uint32_t binance_cancel_open(orders_session* self, uint64_t now_ns) {
    uint32_t work = 0;
    size_t cursor = 0;
    apus_open_order* open;
    if (now_ns < self->cancel_due_ns) return 0;
    while (self->canceling && work < ORDERS_EACH_TURN) {
        apus_order cancel;
        open = apus_open_orders_next(&self->open, &cursor);
        if (open == NULL) {
            self->canceling = false;
            break;
        }
        apus_open_order_cancel(open, now_ns, &cancel);
        // Without a way out now it is tried again soon: nobody waits for a refusal.
        if (dispatch(self, &cancel, now_ns) != APUS_GUARD_PASSED) {
            self->cancel_due_ns = now_ns + SECOND_NS / 100;
            break;
        }
        open->canceling = true;
        self->own_cancels++;
        work++;
    }
    return work;
}
