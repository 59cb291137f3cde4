// What became of buys and sells whose answers were lost.
//
//   IDLE ── a new connection, or a question ──▶ PORTFOLIO ── answered ──▶ what was looked for is there, or nothing is: IDLE
//                                                        └── something is missing ──▶ TABLE ── answered ──▶ IDLE
//
// The portfolio has the open contracts and the profit table those that ended. The table is asked for after the
// portfolio, so that a contract that ends in between is in one of them. Of what a look does not show that began after
// the last moment at which it could still be carried out, NOT_FOUND is said; before that UNKNOWN, and the engine asks
// again.
//
// A contract is a lost buy's when it has its shape, was bought in its time at no more than its price, and belongs to no
// other order; of several the one whose purchase is nearest to the request.
#include "deriv_orders.h"

#include <stdio.h>
#include <string.h>

enum { IDLE, PORTFOLIO, TABLE };

#define TABLE_ROWS 100

// MARK: questions

static bool is_traded(const apus_deriv_orders* self, uint16_t instrument) {
    const apus_market_book* book = apus_deriv_market_book(&self->line.deriv, instrument);
    return book != NULL && apus_deriv_is_contract(&apus_deriv_book_of(book)->shape);
}

static void say_unknown(apus_deriv_orders* self, const apus_order* order, uint64_t now_ns) {
    apus_report unknown = {
        .client_id = order->target_id,
        .instrument = order->instrument,
        .kind = APUS_REPORT_UNKNOWN,
        .side = order->side,
        .action = APUS_ORDER_QUERY,
        .price = order->price,
        .quantity = order->quantity,
        .receive_ns = now_ns,
        .decided_ns = order->decided_ns,
    };
    deriv_report(self, &unknown);
}

// What an earlier process sent and did not see answered.
static void remember(apus_deriv_orders* self, apus_deriv_order* place, const apus_order* order) {
    // A market order was sent with the newest price of its moment, which the engine does not know.
    int64_t price = order->type == APUS_MARKET ? (order->side == APUS_BUY ? INT64_MAX : 0) : order->price;
    *place = (apus_deriv_order){
        .client_id = order->target_id,
        .wall_ms = order->wall_ms,
        .final_ms = self->started_ms + self->config.late_arrival_ns / 1000000,
        .price = price,
        .state = APUS_DERIV_UNRESOLVED,
    };
}

// Tells a fill once more that was told before the question came. False: the order has none that is known.
static bool tell_again(apus_deriv_orders* self, const apus_order* order) {
    for (uint32_t i = 0; i < APUS_DERIV_CONTRACTS; i++) {
        apus_deriv_contract* contract = &self->contracts[i];
        if (contract->id == 0) continue;
        bool sold =
            contract->state == APUS_DERIV_CLOSED && contract->sold && contract->sale.client_id == order->target_id;
        if (order->side == APUS_BUY && contract->client_id == order->target_id) {
            contract->told = false;
        } else if (order->side == APUS_SELL && sold) {
            contract->sale.state = APUS_DERIV_UNRESOLVED;
            contract->state = APUS_DERIV_CLOSING;
        } else {
            continue;
        }
        self->reports_wait = true;
        return true;
    }
    return false;
}

// An order of this process that waits for nothing has had its report: the question was asked before that was read.
static bool was_told(const apus_deriv_orders* self, const apus_order* order) {
    return self->has_run && order->target_id >> 32 == self->run;
}

static void ask_about_buy(apus_deriv_orders* self, const apus_order* order, uint64_t now_ns) {
    apus_deriv_order* buy = &self->buys[order->instrument];
    if (tell_again(self, order)) return;
    if (buy->state == APUS_DERIV_FREE && !was_told(self, order)) remember(self, buy, order);
    if (buy->client_id != order->target_id || buy->state != APUS_DERIV_UNRESOLVED) {
        say_unknown(self, order, now_ns);
        return;
    }
    if (buy->asked_ns == 0) buy->asked_ns = now_ns;
    self->lookup_wanted = true;
}

static apus_deriv_contract* sold_by(const apus_deriv_orders* self, uint64_t client_id) {
    for (uint32_t i = 0; i < APUS_DERIV_CONTRACTS; i++) {
        apus_deriv_contract* contract = &self->contracts[i];
        if (contract->id != 0 && contract->sale.state != APUS_DERIV_FREE && contract->sale.client_id == client_id) {
            return contract;
        }
    }
    return NULL;
}

// The contract that a sell was to sell, from what the engine knows of it.
static apus_deriv_contract* named_by(apus_deriv_orders* self, const apus_order* order) {
    uint64_t id = order->venue_id & ~APUS_DERIV_SALE;
    if (id == 0) return NULL;
    apus_deriv_contract* contract = deriv_contract(self, id);
    if (contract == NULL) {
        contract = deriv_contract_add(self, id, order->instrument);
        if (contract != NULL) contract->told = true;
    }
    if (contract == NULL || contract->state != APUS_DERIV_OPEN || contract->sale.state != APUS_DERIV_FREE) return NULL;
    remember(self, &contract->sale, order);
    return contract;
}

// The contract has ended by itself before a sell of it was found: it was not carried out.
static bool has_expired(apus_deriv_orders* self, const apus_order* order, uint64_t now_ns) {
    const apus_deriv_contract* contract = deriv_contract(self, order->venue_id & ~APUS_DERIV_SALE);
    if (contract == NULL || contract->state != APUS_DERIV_CLOSED) return false;
    apus_report refusal = {
        .client_id = order->target_id,
        .venue_order_id = contract->id | APUS_DERIV_SALE,
        .instrument = order->instrument,
        .kind = APUS_REPORT_REJECTED,
        .side = APUS_SELL,
        .action = APUS_ORDER_PLACE,
        .price = order->price,
        .quantity = order->quantity,
        .code = APUS_DERIV_ERROR_EXPIRED,
        .receive_ns = now_ns,
    };
    deriv_report(self, &refusal);
    return true;
}

static void ask_about_sell(apus_deriv_orders* self, const apus_order* order, uint64_t now_ns) {
    if (tell_again(self, order) || has_expired(self, order, now_ns)) return;
    apus_deriv_contract* contract = sold_by(self, order->target_id);
    if (contract == NULL && !was_told(self, order)) contract = named_by(self, order);
    if (contract != NULL && contract->sale.state == APUS_DERIV_UNRESOLVED) {
        if (contract->sale.asked_ns == 0) contract->sale.asked_ns = now_ns;
        self->next_watch_ns = now_ns;
        return;
    }
    apus_deriv_order* stray = &self->strays[order->instrument];
    bool waits = contract != NULL || was_told(self, order)
                 || (stray->state != APUS_DERIV_FREE && stray->client_id != order->target_id);
    if (waits) {
        say_unknown(self, order, now_ns);
        return;
    }
    if (stray->state == APUS_DERIV_FREE) remember(self, stray, order);
    if (stray->asked_ns == 0) stray->asked_ns = now_ns;
    self->lookup_wanted = true;
}

void deriv_ask(apus_deriv_orders* self, const apus_order* order, uint64_t now_ns) {
    if (!is_traded(self, order->instrument))
        say_unknown(self, order, now_ns);
    else if (order->side == APUS_BUY)
        ask_about_buy(self, order, now_ns);
    else
        ask_about_sell(self, order, now_ns);
}

// MARK: verdicts

// Answers a question about an order that was not found.
static void say_missing(apus_deriv_orders* self, apus_deriv_order* order, uint16_t instrument, uint8_t side,
                        uint64_t now_ns) {
    bool final = self->lookup_began_ms > order->final_ms;
    apus_report verdict =
        deriv_report_on(order, instrument, side, final ? APUS_REPORT_NOT_FOUND : APUS_REPORT_UNKNOWN, now_ns);
    verdict.action = APUS_ORDER_QUERY;
    // How late an order may arrive is known here alone, by the end of its connection: what is final is final for the engine.
    verdict.sent_ns = final ? UINT64_MAX : self->lookup_began_ns;
    deriv_report(self, &verdict);
    order->asked_ns = 0;
    if (final) order->state = APUS_DERIV_FREE;
}

void deriv_answer_sale(apus_deriv_orders* self, apus_deriv_contract* contract, uint64_t now_ns) {
    apus_deriv_order* sale = &contract->sale;
    bool final = deriv_wall_ms(self, now_ns) > sale->final_ms;
    apus_report verdict = deriv_report_on(sale, contract->instrument, APUS_SELL,
                                          final ? APUS_REPORT_NOT_FOUND : APUS_REPORT_UNKNOWN, now_ns);
    verdict.action = APUS_ORDER_QUERY;
    verdict.sent_ns = final ? UINT64_MAX : sale->asked_ns;
    deriv_report(self, &verdict);
    sale->asked_ns = 0;
    if (final) sale->state = APUS_DERIV_FREE;
}

static bool was_asked(const apus_deriv_orders* self, const apus_deriv_order* order) {
    return order->state == APUS_DERIV_UNRESOLVED && order->asked_ns != 0 && order->asked_ns <= self->lookup_began_ns;
}

bool deriv_is_unresolved(const apus_deriv_orders* self) {
    for (uint32_t i = 0; i < self->market->instruments->count; i++) {
        if (self->buys[i].state == APUS_DERIV_UNRESOLVED) return true;
    }
    return false;
}

// Whether something is still looked for.
static bool is_incomplete(const apus_deriv_orders* self) {
    for (uint32_t i = 0; i < self->market->instruments->count; i++) {
        if (was_asked(self, &self->buys[i]) || was_asked(self, &self->strays[i])) return true;
    }
    return false;
}

// MARK: rows

// Milliseconds between a second of the venue's and the request; UINT64_MAX where it is not in the request's time.
static uint64_t distance(const apus_deriv_orders* self, const apus_deriv_order* order, uint64_t second) {
    uint64_t first = order->wall_ms / 1000 * 1000, at = second * 1000;
    uint64_t early = first > self->config.clock_skew_ms ? first - self->config.clock_skew_ms : 0;
    if (at < early) return UINT64_MAX;
    if (order->final_ms != UINT64_MAX && at > order->final_ms + self->config.clock_skew_ms) return UINT64_MAX;
    return at > first ? at - first : first - at;
}

// Another order's contract. One that was there before us may be a lost order's, even when it has ended since.
static bool is_taken(const apus_deriv_orders* self, uint64_t id) {
    const apus_deriv_contract* known = deriv_contract(self, id);
    return known != NULL && known->client_id != 0;
}

static bool row_is(const apus_deriv_orders* self, const apus_deriv_text* fields, uint16_t instrument) {
    const apus_market_book* book = apus_deriv_market_book(&self->line.deriv, instrument);
    uint32_t decimals = apus_instrument_at(self->market->instruments, instrument)->price_decimals;
    return book != NULL && apus_deriv_shape_matches(&apus_deriv_book_of(book)->shape, fields, decimals);
}

// How far a row is from what a buy would have made; UINT64_MAX: it is something else.
static uint64_t rate_buy(apus_deriv_orders* self, const apus_deriv_text* fields, uint16_t instrument, uint64_t id) {
    const apus_deriv_order* buy = &self->buys[instrument];
    uint64_t second;
    int64_t price;
    if (is_taken(self, id) || !row_is(self, fields, instrument)) return UINT64_MAX;
    if (apus_deriv_whole(&fields[APUS_DERIV_BOUGHT_AT], &second) < 0) return UINT64_MAX;
    if (!deriv_money(self, instrument, &fields[APUS_DERIV_BUY_PRICE], &price) || price > buy->price) return UINT64_MAX;
    return distance(self, buy, second);
}

// The same for a sell.
static uint64_t rate_sell(apus_deriv_orders* self, const apus_deriv_text* fields, uint16_t instrument, uint64_t id) {
    const apus_deriv_order* stray = &self->strays[instrument];
    const apus_deriv_contract* known = deriv_contract(self, id);
    uint64_t second;
    int64_t price;
    if ((known != NULL && known->state != APUS_DERIV_OPEN) || !row_is(self, fields, instrument)) return UINT64_MAX;
    if (apus_deriv_whole(&fields[APUS_DERIV_SOLD_AT], &second) < 0) return UINT64_MAX;
    if (!deriv_money(self, instrument, &fields[APUS_DERIV_SELL_PRICE], &price) || price < stray->price) {
        return UINT64_MAX;
    }
    return distance(self, stray, second);
}

typedef uint64_t (*rating)(apus_deriv_orders*, const apus_deriv_text*, uint16_t, uint64_t);

// The row that fits best. Returns its contract, or 0; `fields` are its own then.
static uint64_t best_row(apus_deriv_orders* self, uint16_t instrument, rating rate, apus_deriv_text* best) {
    apus_deriv_text fields[APUS_DERIV_FIELDS];
    apus_deriv_rows rows;
    uint64_t nearest = UINT64_MAX, found = 0, id;
    apus_deriv_rows_begin(&rows, &self->line.deriv.last);
    while (apus_deriv_rows_next(&rows, fields) == 1) {
        if (apus_deriv_whole(&fields[APUS_DERIV_CONTRACT], &id) < 0) continue;
        uint64_t far = rate(self, fields, instrument, id);
        if (far >= nearest) continue;
        nearest = far;
        found = id;
        memcpy(best, fields, sizeof fields);
    }
    return found;
}

// A lost buy is found: its contract is the order's.
static void claim(apus_deriv_orders* self, uint16_t instrument, uint64_t id, const apus_deriv_text* fields,
                  bool with_trade) {
    apus_deriv_order* buy = &self->buys[instrument];
    apus_deriv_contract* contract = deriv_contract(self, id);
    if (contract == NULL) contract = deriv_contract_add(self, id, instrument);
    if (contract == NULL) return; // it is looked for again when there is room
    contract->client_id = buy->client_id;
    contract->told = false;
    deriv_money(self, instrument, &fields[APUS_DERIV_BUY_PRICE], &contract->buy_price);
    apus_deriv_whole(&fields[APUS_DERIV_BOUGHT_AT], &contract->bought_at);
    // A row of the profit table does not say of which trade its number is: the contract is asked.
    if (with_trade) apus_deriv_whole(&fields[APUS_DERIV_TRADE], &contract->buy_trade);
    buy->state = APUS_DERIV_FREE;
    buy->asked_ns = 0;
    self->resolved++;
    self->reports_wait = true;
    self->next_watch_ns = 0;
}

static void find_buys(apus_deriv_orders* self, bool with_trade) {
    apus_deriv_text fields[APUS_DERIV_FIELDS];
    for (uint32_t i = 0; i < self->market->instruments->count; i++) {
        if (self->buys[i].state != APUS_DERIV_UNRESOLVED) continue;
        uint64_t id = best_row(self, (uint16_t)i, rate_buy, fields);
        if (id != 0) claim(self, (uint16_t)i, id, fields, with_trade);
    }
}

// A sell is found among what was sold: its contract tells the rest.
static void find_sells(apus_deriv_orders* self) {
    apus_deriv_text fields[APUS_DERIV_FIELDS];
    for (uint32_t i = 0; i < self->market->instruments->count; i++) {
        apus_deriv_order* stray = &self->strays[i];
        if (stray->state != APUS_DERIV_UNRESOLVED) continue;
        uint64_t id = best_row(self, (uint16_t)i, rate_sell, fields);
        if (id == 0) continue;
        apus_deriv_contract* contract = deriv_contract(self, id);
        if (contract == NULL) {
            contract = deriv_contract_add(self, id, (uint16_t)i);
            if (contract == NULL) continue;
            contract->told = true;
        }
        contract->sale = *stray;
        contract->due_ns = 0;
        stray->state = APUS_DERIV_FREE;
        stray->asked_ns = 0;
        self->next_watch_ns = 0;
    }
}

void deriv_claim_sale(apus_deriv_orders* self, apus_deriv_contract* contract) {
    apus_deriv_order* stray = &self->strays[contract->instrument];
    if (stray->state != APUS_DERIV_UNRESOLVED || contract->sell_price < stray->price) return;
    if (distance(self, stray, contract->sold_at) == UINT64_MAX) return;
    contract->sale = *stray;
    stray->state = APUS_DERIV_FREE;
    stray->asked_ns = 0;
}

// The portfolio of the first connection: what the account holds is ours. Later ones show what others have bought.
static void adopt_row(apus_deriv_orders* self, const apus_deriv_text* fields) {
    uint64_t id;
    if (apus_deriv_whole(&fields[APUS_DERIV_CONTRACT], &id) < 0 || deriv_contract(self, id) != NULL) return;
    for (uint32_t i = 0; i < self->market->instruments->count; i++) {
        if (!row_is(self, fields, (uint16_t)i)) continue;
        if (self->ever_synced) {
            // Of a buy that waits the answer may be on its way.
            if (!self->synced && self->buys[i].state == APUS_DERIV_FREE) self->foreign_contracts++;
            return;
        }
        apus_deriv_contract* contract = deriv_contract_add(self, id, (uint16_t)i);
        if (contract == NULL) return;
        contract->told = true;
        deriv_money(self, (uint16_t)i, &fields[APUS_DERIV_BUY_PRICE], &contract->buy_price);
        apus_deriv_whole(&fields[APUS_DERIV_BOUGHT_AT], &contract->bought_at);
        apus_deriv_whole(&fields[APUS_DERIV_TRADE], &contract->buy_trade);
        return;
    }
}

static void adopt_rows(apus_deriv_orders* self) {
    apus_deriv_text fields[APUS_DERIV_FIELDS];
    apus_deriv_rows rows;
    apus_deriv_rows_begin(&rows, &self->line.deriv.last);
    while (apus_deriv_rows_next(&rows, fields) == 1)
        adopt_row(self, fields);
}

// What was held at the start and ended before the first portfolio: it is asked about, and told as settled.
static void adopt_ended(apus_deriv_orders* self) {
    apus_deriv_text fields[APUS_DERIV_FIELDS];
    apus_deriv_rows rows;
    uint64_t since = self->started_ms / 1000, id, bought, sold;
    apus_deriv_rows_begin(&rows, &self->line.deriv.last);
    while (apus_deriv_rows_next(&rows, fields) == 1) {
        if (apus_deriv_whole(&fields[APUS_DERIV_CONTRACT], &id) < 0 || deriv_contract(self, id) != NULL) continue;
        if (apus_deriv_whole(&fields[APUS_DERIV_BOUGHT_AT], &bought) < 0 || bought >= since) continue;
        if (apus_deriv_whole(&fields[APUS_DERIV_SOLD_AT], &sold) < 0 || sold < since) continue;
        for (uint32_t i = 0; i < self->market->instruments->count; i++) {
            if (!row_is(self, fields, (uint16_t)i)) continue;
            apus_deriv_contract* contract = deriv_contract_add(self, id, (uint16_t)i);
            if (contract != NULL) contract->told = true;
            break;
        }
    }
}

// MARK: a look

static bool ask_portfolio(apus_deriv_orders* self, uint64_t now_ns) {
    static const char text[] = "{\"portfolio\":1";
    apus_deriv_request request = {.action = APUS_DERIV_ASK_PORTFOLIO, .instrument = APUS_INSTRUMENT_NONE};
    return apus_deriv_line_send(&self->line, APUS_DERIV_ROW_HOLDINGS, &request, text, sizeof text - 1, now_ns) != 0;
}

static bool ask_table(apus_deriv_orders* self, uint64_t now_ns) {
    char text[APUS_DERIV_REQUEST_BYTES];
    apus_deriv_request request = {.action = APUS_DERIV_ASK_TABLE, .instrument = APUS_INSTRUMENT_NONE};
    int length =
        snprintf(text, sizeof text, "{\"profit_table\":1,\"description\":1,\"limit\":%d,\"sort\":\"DESC\"", TABLE_ROWS);
    return apus_deriv_line_send(&self->line, APUS_DERIV_ROW_HOLDINGS, &request, text, (size_t)length, now_ns) != 0;
}

uint32_t deriv_keep_lookup(apus_deriv_orders* self, uint64_t now_ns) {
    bool wanted = !self->synced || !self->table_seen || self->lookup_wanted;
    if (self->lookup == TABLE && !self->table_asked) {
        self->table_asked = ask_table(self, now_ns);
        return self->table_asked;
    }
    if (self->lookup != IDLE || !wanted || now_ns < self->lookup_due_ns || !ask_portfolio(self, now_ns)) return 0;
    self->lookup = PORTFOLIO;
    self->lookup_wanted = false;
    self->lookup_began_ns = now_ns;
    self->lookup_began_ms = deriv_wall_ms(self, now_ns);
    self->lookup_due_ns = now_ns + self->config.lookup_interval_ns;
    return 1;
}

void deriv_lookup_lost(apus_deriv_orders* self) {
    self->lookup = IDLE;
    self->table_asked = false;
    self->synced = false;
    self->lookup_due_ns = 0;
}

// The venue did not show what was asked for.
static bool is_refused(apus_deriv_orders* self) {
    if (self->line.deriv.last.error == APUS_DERIV_ERROR_NONE) return false;
    self->line.refusals++;
    self->lookup = IDLE;
    self->table_asked = false;
    self->lookup_wanted = true;
    return true;
}

void deriv_take_portfolio(apus_deriv_orders* self, uint64_t now_ns) {
    if (self->lookup != PORTFOLIO || is_refused(self)) return;
    find_buys(self, true);
    adopt_rows(self);
    if (!self->synced) self->missed = true;
    self->lookup = is_incomplete(self) || !self->table_seen ? TABLE : IDLE;
    self->synced = self->ever_synced = true;
    self->next_watch_ns = now_ns;
}

void deriv_take_table(apus_deriv_orders* self, uint64_t now_ns) {
    if (self->lookup != TABLE || is_refused(self)) return;
    self->lookup = IDLE;
    self->table_asked = false;
    find_buys(self, false);
    find_sells(self);
    if (!self->table_seen) adopt_ended(self);
    self->table_seen = true;
    for (uint32_t i = 0; i < self->market->instruments->count; i++) {
        if (was_asked(self, &self->buys[i])) say_missing(self, &self->buys[i], (uint16_t)i, APUS_BUY, now_ns);
        if (was_asked(self, &self->strays[i])) say_missing(self, &self->strays[i], (uint16_t)i, APUS_SELL, now_ns);
        if (self->buys[i].asked_ns != 0 || self->strays[i].asked_ns != 0) self->lookup_wanted = true;
    }
    self->next_watch_ns = now_ns;
}
