#include "apus_decimal.h"
#include "polymarket_orders_internal.h"

#include <stdio.h>

// At least between two looks for a connection to be probed.
#define PROBE_PAUSE_NS (SECOND_NS / 10)

// MARK: which connection

static uint32_t free_lines(const pm_session* self) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->config.lines; i++) {
        count += self->lines[i].state == LINE_READY;
    }
    return count;
}

static apus_polymarket_line* pick(pm_session* self, uint64_t now_ns) {
    int member = apus_pool_pick(&self->pool, 0, now_ns);
    return member < 0 ? NULL : &self->lines[member];
}

static uint32_t connected(const pm_session* self) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->config.lines; i++) {
        count += self->lines[i].state == LINE_READY || self->lines[i].state == LINE_BUSY;
    }
    return count;
}

// The last free connection is kept for what cancels and asks, so that a venue slow to take orders holds up neither.
static bool is_spare(const pm_session* self) {
    uint32_t free = free_lines(self);
    return free > 1 || (free == 1 && connected(self) == 1);
}

static bool in_flight(const pm_session* self, uint8_t kind) {
    for (uint32_t i = 0; i < self->config.lines; i++) {
        if (self->lines[i].state == LINE_BUSY && self->lines[i].job.kind == kind) return true;
    }
    return false;
}

static int send(pm_session* self, apus_polymarket_line* line, const polymarket_request* request, uint64_t now_ns) {
    int result = polymarket_write_request(self, line, request, now_ns);
    if (result < 0)
        line->job.kind = JOB_NONE;
    else
        polymarket_line_sends(self, line, now_ns);
    return result;
}

// MARK: waiting

static void drop(pm_session* self, uint32_t index) {
    self->waiting_count--;
    memmove(&self->waiting[index], &self->waiting[index + 1], (self->waiting_count - index) * sizeof *self->waiting);
}

static void refuse_at(pm_session* self, uint32_t index, uint8_t reason, uint64_t now_ns) {
    polymarket_refuse(self, &self->waiting[index], reason, now_ns);
    drop(self, index);
}

void polymarket_refuse_waiting(pm_session* self, uint8_t reason, uint64_t now_ns) {
    while (self->waiting_count > 0 && polymarket_has_room(self, 1)) {
        refuse_at(self, 0, reason, now_ns);
    }
}

// An order's placement is on its way, or waits to be: what is asked about it must come after.
static bool is_placing(const pm_session* self, uint64_t client_id) {
    const apus_polymarket_known* known = polymarket_known_of_client(self, client_id);
    if (known != NULL && known->placing) return true;
    for (uint32_t i = 0; i < self->waiting_count; i++) {
        const apus_order* order = &self->waiting[i];
        if (order->action == APUS_ORDER_PLACE && order->client_id == client_id) return true;
    }
    return false;
}

// MARK: cancels and questions

static void ask_about(apus_polymarket_job* job, const apus_order* order, const uint8_t hash[APUS_WORD_BYTES]) {
    bool places = order->action == APUS_ORDER_PLACE;
    apus_polymarket_asked* asked = &job->orders[job->count++];
    *asked = (apus_polymarket_asked){
        .client_id = places ? order->client_id : order->target_id,
        .venue_id = apus_polymarket_venue_id(hash),
        .decided_ns = order->decided_ns,
        .price = order->price,
        .quantity = order->quantity,
        .instrument = order->instrument,
        .action = order->action,
        .side = order->side,
    };
    memcpy(asked->hash, hash, APUS_WORD_BYTES);
}

static uint8_t find_target(pm_session* self, const apus_order* order, uint8_t hash[APUS_WORD_BYTES]) {
    const apus_polymarket_known* known = polymarket_known_of_client(self, order->target_id);
    if (known == NULL && order->venue_id != 0) known = polymarket_find(self, order->venue_id);
    if (known != NULL && known->client_id == order->target_id) {
        memcpy(hash, known->hash, APUS_WORD_BYTES);
        return APUS_GUARD_PASSED;
    }
    if (order->instrument >= self->market->instruments->count) return APUS_GUARD_INSTRUMENT;
    return polymarket_name_order(self, order, hash) < 0 ? APUS_GUARD_INSTRUMENT : APUS_GUARD_PASSED;
}

// The name of the order that waiting[index] means, or it is refused.
static bool name_target(pm_session* self, uint32_t index, uint8_t hash[APUS_WORD_BYTES], uint64_t now_ns) {
    uint8_t reason = find_target(self, &self->waiting[index], hash);
    if (reason != APUS_GUARD_PASSED) refuse_at(self, index, reason, now_ns);
    return reason == APUS_GUARD_PASSED;
}

static void send_cancels(pm_session* self, apus_polymarket_line* line, uint64_t now_ns) {
    apus_polymarket_job* job = &line->job;
    char* body = polymarket_body(self);
    bool single = job->count == 1;
    int length = snprintf(body, 32, "%s", single ? "{\"orderID\":" : "[");
    for (uint32_t i = 0; i < job->count; i++) {
        char text[APUS_POLYMARKET_HASH_TEXT];
        polymarket_hash_text(job->orders[i].hash, text);
        length += snprintf(body + length, 80, "%s\"%.*s\"", i == 0 ? "" : ",", (int)sizeof text, text);
        // It goes out whether the budget is there or not.
        apus_budget_force(&self->budget, &self->cancel_cost, now_ns);
    }
    body[length++] = single ? '}' : ']';
    polymarket_request request = {
        .method = "DELETE", .path = single ? "/order" : "/orders", .query = "", .body_size = (size_t)length};
    apus_publisher_count(self->out, APUS_COUNT_ORDERS_SENT, job->count);
    send(self, line, &request, now_ns);
}

static uint32_t cancel_waiting(pm_session* self, uint64_t now_ns) {
    apus_polymarket_line* line = free_lines(self) > 0 ? pick(self, now_ns) : NULL;
    if (line == NULL || apus_budget_is_blocked(&self->budget, now_ns)) return 0;
    apus_polymarket_job* job = &line->job;
    *job = (apus_polymarket_job){.kind = JOB_CANCEL};
    for (uint32_t i = 0; i < self->waiting_count && job->count < APUS_POLYMARKET_BATCH_ORDERS;) {
        uint8_t hash[APUS_WORD_BYTES];
        const apus_order* order = &self->waiting[i];
        if (order->action != APUS_ORDER_CANCEL || is_placing(self, order->target_id)) {
            i++;
        } else if (name_target(self, i, hash, now_ns)) {
            polymarket_know(self, order, hash);
            ask_about(job, order, hash);
            drop(self, i);
        }
    }
    if (job->count > 0) send_cancels(self, line, now_ns);
    return job->count;
}

static uint32_t query_waiting(pm_session* self, uint64_t now_ns) {
    for (uint32_t i = 0; i < self->waiting_count; i++) {
        uint8_t hash[APUS_WORD_BYTES];
        const apus_order* order = &self->waiting[i];
        if (order->action != APUS_ORDER_QUERY || is_placing(self, order->target_id)) continue;
        apus_polymarket_line* line = pick(self, now_ns);
        if (line == NULL || apus_budget_is_blocked(&self->budget, now_ns)) return 0;
        if (!name_target(self, i, hash, now_ns)) return 1;
        // Events about an order of an earlier run find it from now on.
        polymarket_know(self, order, hash);
        line->job = (apus_polymarket_job){.kind = JOB_QUERY};
        ask_about(&line->job, order, hash);
        drop(self, i);
        char path[96], text[APUS_POLYMARKET_HASH_TEXT];
        polymarket_hash_text(hash, text);
        snprintf(path, sizeof path, "/data/order/%.*s", (int)sizeof text, text);
        polymarket_request request = {.method = "GET", .path = path, .query = ""};
        apus_publisher_count(self->out, APUS_COUNT_ORDERS_SENT, 1);
        send(self, line, &request, now_ns);
        return 1;
    }
    return 0;
}

// MARK: placements

static uint8_t check_terms(const pm_session* self, const apus_order* order, uint64_t now_ns) {
    bool rests =
        order->type == APUS_LIMIT && (order->time_in_force == APUS_GTC || order->time_in_force == APUS_POST_ONLY);
    if (order->expire_ms != 0) {
        uint64_t least_ms = polymarket_wall_ns(self, now_ns) / 1000000 + self->config.gtd_least_ms;
        if (!rests) return APUS_GUARD_UNSUPPORTED;
        if (order->expire_ms < least_ms) return APUS_GUARD_EXPIRED;
    }
    if (order->time_in_force == APUS_POST_ONLY && order->type == APUS_MARKET) return APUS_GUARD_UNSUPPORTED;
    // The venue has just restarted: it takes post-only orders alone.
    if (now_ns < self->post_only_until_ns && order->time_in_force != APUS_POST_ONLY) return APUS_GUARD_BUDGET;
    return APUS_GUARD_PASSED;
}

static uint8_t check_connections(const pm_session* self) {
    bool user = self->user_link.state == APUS_LINK_OPEN && self->greeted;
    return user && connected(self) > 0 ? APUS_GUARD_PASSED : APUS_GUARD_NOT_CONNECTED;
}

static uint8_t make(const pm_session* self, const apus_order* order, apus_polymarket_typed_order* typed,
                    uint8_t hash[APUS_WORD_BYTES]) {
    const apus_instrument* instrument = apus_instrument_at(self->market->instruments, order->instrument);
    const apus_polymarket_listing* listing = &self->listings[order->instrument];
    int64_t tick = polymarket_tick(self, order->instrument);
    if (listing->version == UINT8_MAX) return APUS_GUARD_INSTRUMENT;
    // Rounding would send another order than the one that was approved, and is accounted for.
    int64_t lot = instrument->quantity_decimals > 2 ? apus_powers_of_ten[instrument->quantity_decimals - 2] : 1;
    if (order->type == APUS_LIMIT && order->price % tick != 0) return APUS_GUARD_PRICE_BAND;
    if (order->quantity % lot != 0) return APUS_GUARD_QUANTITY;
    switch (apus_polymarket_make_order(&self->signer, instrument, listing, order, tick, typed)) {
    case 0:
        apus_polymarket_order_hash(polymarket_exchange_of(self, order->instrument), typed, hash);
        return APUS_GUARD_PASSED;
    case -ERANGE:
        return APUS_GUARD_PRICE_BAND;
    case -EDOM:
        return APUS_GUARD_QUANTITY;
    default:
        return APUS_GUARD_INSTRUMENT;
    }
}

// Appends waiting[index] to the job's body, or refuses it. Returns the body's new end.
static char* place_one(pm_session* self, apus_polymarket_line* line, uint32_t index, char* at, uint64_t now_ns) {
    apus_polymarket_job* job = &line->job;
    const apus_order* order = &self->waiting[index];
    apus_polymarket_typed_order typed;
    uint8_t hash[APUS_WORD_BYTES];
    apus_budget_cost cost = self->post_cost;
    // Of a batch only the first pays for the request.
    if (job->count > 0) cost.of[ROW_POSTS] = cost.of[ROW_MANY_POSTS] = 0;
    uint8_t reason = apus_guard_check(&self->guard, order, now_ns);
    if (reason == APUS_GUARD_PASSED) reason = check_connections(self);
    if (reason == APUS_GUARD_PASSED) reason = check_terms(self, order, now_ns);
    if (reason == APUS_GUARD_PASSED) reason = make(self, order, &typed, hash);
    if (reason == APUS_GUARD_PASSED && !apus_budget_take(&self->budget, &cost, now_ns)) reason = APUS_GUARD_BUDGET;
    if (reason == APUS_GUARD_PASSED && polymarket_know(self, order, hash) == NULL) reason = APUS_GUARD_IN_FLIGHT_FULL;
    if (reason != APUS_GUARD_PASSED) {
        refuse_at(self, index, reason, now_ns);
        return at;
    }
    *at++ = job->count == 0 ? '[' : ',';
    at = polymarket_put_placement(self, at, order, &typed, hash);
    ask_about(job, order, hash);
    drop(self, index);
    return at;
}

// The job has got no further than this thread: its orders are as if they had never been taken up.
static void take_back(pm_session* self, apus_polymarket_job* job, uint64_t now_ns) {
    for (uint32_t i = 0; i < job->count; i++) {
        const apus_polymarket_asked* asked = &job->orders[i];
        apus_order order = {.client_id = asked->client_id,
                            .instrument = asked->instrument,
                            .action = APUS_ORDER_PLACE,
                            .side = asked->side,
                            .price = asked->price,
                            .quantity = asked->quantity,
                            .decided_ns = asked->decided_ns};
        apus_polymarket_known* known = polymarket_find(self, asked->venue_id);
        if (known != NULL) polymarket_end(self, known);
        polymarket_refuse(self, &order, APUS_GUARD_BUFFER_FULL, now_ns);
    }
}

static uint32_t place_waiting(pm_session* self, uint64_t now_ns) {
    bool halted = self->cancel_all_due || in_flight(self, JOB_CANCEL_ALL);
    apus_polymarket_line* line = !halted && is_spare(self) ? pick(self, now_ns) : NULL;
    if (line == NULL) return 0;
    apus_polymarket_job* job = &line->job;
    *job = (apus_polymarket_job){.kind = JOB_PLACE};
    char* body = polymarket_body(self);
    char* at = body;
    uint32_t before = self->waiting_count;
    for (uint32_t i = 0; i < self->waiting_count && job->count < APUS_POLYMARKET_BATCH_ORDERS;) {
        if (self->waiting[i].action == APUS_ORDER_PLACE)
            at = place_one(self, line, i, at, now_ns);
        else
            i++;
    }
    uint32_t work = before - self->waiting_count;
    if (job->count == 0) return work;
    bool single = job->count == 1;
    // A single order goes out without the brackets of a list.
    if (single)
        memmove(body, body + 1, (size_t)(--at - body));
    else
        *at++ = ']';
    polymarket_request request = {
        .method = "POST", .path = single ? "/order" : "/orders", .query = "", .body_size = (size_t)(at - body)};
    apus_publisher_count(self->out, APUS_COUNT_ORDERS_SENT, job->count);
    apus_polymarket_job copy = *job;
    if (send(self, line, &request, now_ns) < 0) take_back(self, &copy, now_ns);
    return work;
}

// MARK: orders out of the ring

static uint32_t refuse_impossible(pm_session* self, uint64_t now_ns) {
    uint32_t work = 0;
    bool up = connected(self) > 0;
    for (uint32_t i = 0; i < self->waiting_count && polymarket_has_room(self, 1);) {
        uint8_t action = self->waiting[i].action;
        bool known = action == APUS_ORDER_PLACE || action == APUS_ORDER_CANCEL || action == APUS_ORDER_QUERY;
        if (known && up) {
            i++;
            continue;
        }
        refuse_at(self, i, known ? APUS_GUARD_NOT_CONNECTED : APUS_GUARD_UNSUPPORTED, now_ns);
        work++;
    }
    return work;
}

uint32_t polymarket_take_orders(pm_session* self, uint64_t now_ns) {
    uint32_t work = 0;
    // An order whose refusal could not be reported stays in the ring.
    while (self->waiting_count < APUS_POLYMARKET_WAITING && polymarket_has_room(self, self->waiting_count + 1)
           && apus_order_take(self->rings, &self->waiting[self->waiting_count])) {
        apus_probe_taken(&self->waiting[self->waiting_count++]);
        work++;
    }
    if (self->waiting_count == 0) return work;
    work += refuse_impossible(self, now_ns);
    uint32_t done = 1;
    while (done > 0 && self->waiting_count > 0 && polymarket_has_room(self, self->waiting_count)) {
        done = cancel_waiting(self, now_ns);
        done += place_waiting(self, now_ns);
        done += query_waiting(self, now_ns);
        work += done;
    }
    return work;
}

// MARK: requests of the session's own

static uint32_t send_own(pm_session* self, uint8_t kind, apus_polymarket_line* line, const polymarket_request* request,
                         uint64_t now_ns) {
    bool probe = kind == JOB_VERSION;
    if (line == NULL) return 0;
    line->job = (apus_polymarket_job){.kind = kind, .probe = probe};
    return send(self, line, request, now_ns) == 0;
}

static uint32_t send_heartbeat(pm_session* self, uint64_t now_ns) {
    if (now_ns < self->heartbeat_due_ns || in_flight(self, JOB_HEARTBEAT)) return 0;
    int length = snprintf(polymarket_body(self), 256, "{\"heartbeat_id\":\"%s\"}", self->heartbeat);
    polymarket_request request = {.method = "POST", .path = "/v1/heartbeats", .query = "", .body_size = (size_t)length};
    uint32_t sent = send_own(self, JOB_HEARTBEAT, pick(self, now_ns), &request, now_ns);
    if (sent > 0) self->heartbeat_due_ns = now_ns + self->config.heartbeat_interval_ns;
    return sent;
}

// Placements that are on their way would arrive after it: it waits for their answers.
static uint32_t send_cancel_all(pm_session* self, uint64_t now_ns) {
    if (!self->cancel_all_due || now_ns < self->cancel_all_ns || in_flight(self, JOB_PLACE)) return 0;
    if (in_flight(self, JOB_CANCEL_ALL)) return 0;
    polymarket_request request = {.method = "DELETE", .path = "/cancel-all", .query = ""};
    uint32_t sent = send_own(self, JOB_CANCEL_ALL, pick(self, now_ns), &request, now_ns);
    if (sent > 0) self->cancel_all_ns = now_ns + SECOND_NS;
    return sent;
}

// What the stream has lost of trades that are not settled yet.
static void audit_trades(pm_session* self, uint64_t now_ns) {
    if (now_ns < self->audit_ns || self->audit_ns >= self->audited_until_ns) return;
    polymarket_ask_trades(self, polymarket_wall_ns(self, now_ns) / SECOND_NS - self->config.trades_settle_s);
}

static uint32_t send_trades(pm_session* self, uint64_t now_ns) {
    audit_trades(self, now_ns);
    if (!self->trades_due || now_ns < self->trades_ns || in_flight(self, JOB_TRADES)) return 0;
    char query[APUS_POLYMARKET_KEY_BYTES + 64];
    snprintf(query, sizeof query, "?after=%llu&next_cursor=%s", (unsigned long long)self->trades_after_s, self->cursor);
    polymarket_request request = {.method = "GET", .path = "/data/trades", .query = query};
    uint32_t sent = send_own(self, JOB_TRADES, pick(self, now_ns), &request, now_ns);
    if (sent == 0) return 0;
    self->trades_ns = now_ns + SECOND_NS;
    self->trades_asked = self->trades_round;
    self->audit_ns = now_ns + self->config.trades_audit_ns;
    return sent;
}

static uint32_t send_version(pm_session* self, uint64_t now_ns) {
    int member = self->version_due ? apus_pool_pick(&self->pool, 0, now_ns) : -ENOENT;
    if (member < 0 && now_ns >= self->pool_due_ns) {
        apus_pool_tick(&self->pool, now_ns);
        member = apus_pool_probe(&self->pool, now_ns);
        self->pool_due_ns = apus_time_later(apus_pool_deadline(&self->pool), now_ns + PROBE_PAUSE_NS);
    }
    // One that carries a request proves itself.
    if (member < 0 || self->lines[member].state != LINE_READY) return 0;
    polymarket_request request = {.method = "GET", .path = "/version", .query = "", .open = true};
    if (send_own(self, JOB_VERSION, &self->lines[member], &request, now_ns) == 0) return 0;
    self->version_due = false;
    return 1;
}

uint32_t polymarket_send_own(pm_session* self, uint64_t now_ns) {
    if (!self->running || free_lines(self) == 0) return 0;
    uint32_t work = send_cancel_all(self, now_ns);
    work += send_heartbeat(self, now_ns);
    if (apus_budget_is_blocked(&self->budget, now_ns)) return work;
    work += send_trades(self, now_ns);
    // A probe never takes the last free connection.
    return is_spare(self) ? work + send_version(self, now_ns) : work;
}
