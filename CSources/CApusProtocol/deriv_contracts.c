// The contracts of an account, each from its purchase to its end.
//
//   bought, or in the first portfolio ──▶ OPEN ── sold or ended, and its numbers are known ──▶ CLOSING ── told ──▶ CLOSED
//
// Three witnesses tell of an end: the answer to our sell, the contract's own stream, and the stream of transactions.
// Whichever comes first closes it; the others change nothing. A contract that was sold while a sell of ours is under
// way is that sell's fill; any other end is a settlement.
#include "deriv_orders.h"

#include "apus_decimal.h"

#include <stdio.h>
#include <string.h>

#define SECOND_NS 1000000000ull
#define RETRY_NS (2 * SECOND_NS)
// Decimals beyond an instrument's that are read and rounded.
#define EXTRA_DECIMALS 8u

// MARK: the table

apus_deriv_contract* deriv_contract(const apus_deriv_orders* self, uint64_t id) {
    if (id == 0) return NULL;
    for (uint32_t i = 0; i < APUS_DERIV_CONTRACTS; i++) {
        if (self->contracts[i].id == id) return &self->contracts[i];
    }
    return NULL;
}

static bool is_free(const apus_deriv_contract* contract) {
    return contract->id == 0 || (contract->state == APUS_DERIV_CLOSED && contract->told);
}

bool deriv_contract_place(const apus_deriv_orders* self) {
    for (uint32_t i = 0; i < APUS_DERIV_CONTRACTS; i++) {
        if (is_free(&self->contracts[i])) return true;
    }
    return false;
}

apus_deriv_contract* deriv_contract_add(apus_deriv_orders* self, uint64_t id, uint16_t instrument) {
    // In a circle, so that those that ended last are remembered longest.
    for (uint32_t i = 0; i < APUS_DERIV_CONTRACTS; i++) {
        apus_deriv_contract* place = &self->contracts[(self->next_contract + i) % APUS_DERIV_CONTRACTS];
        if (!is_free(place)) continue;
        self->next_contract += i + 1;
        *place = (apus_deriv_contract){.id = id, .instrument = instrument, .state = APUS_DERIV_OPEN};
        return place;
    }
    return NULL;
}

static bool is_older(const apus_deriv_contract* a, const apus_deriv_contract* b) {
    return b == NULL || a->bought_at < b->bought_at || (a->bought_at == b->bought_at && a->id < b->id);
}

apus_deriv_contract* deriv_oldest(const apus_deriv_orders* self, uint16_t instrument, bool* busy) {
    apus_deriv_contract* oldest = NULL;
    *busy = false;
    for (uint32_t i = 0; i < APUS_DERIV_CONTRACTS; i++) {
        apus_deriv_contract* contract = &self->contracts[i];
        if (contract->id == 0 || contract->state != APUS_DERIV_OPEN || contract->instrument != instrument) continue;
        bool sells = contract->sale.state != APUS_DERIV_FREE;
        *busy |= sells;
        if (!sells && is_older(contract, oldest)) oldest = contract;
    }
    return oldest;
}

void deriv_show_bid(apus_deriv_orders* self, uint16_t instrument) {
    bool busy;
    const apus_deriv_contract* oldest = deriv_oldest(self, instrument, &busy);
    apus_deriv_market_quote(&self->line.deriv, instrument, APUS_SIDE_BID, oldest == NULL ? 0 : oldest->bid_price,
                            self->line.channel.receive_ns, self->line.channel.kernel_ns);
}

bool deriv_money(apus_deriv_orders* self, uint16_t instrument, const apus_deriv_text* text, int64_t* price) {
    uint32_t decimals = apus_instrument_at(self->market->instruments, instrument)->price_decimals;
    int result = apus_deriv_decimal(text, decimals, price);
    if (result != -EDOM) return result == 0;
    // What has happened must be told, and an instrument's decimals are all that can be.
    uint32_t finer = decimals + EXTRA_DECIMALS;
    if (finer > APUS_DECIMALS_MAX || apus_deriv_decimal(text, finer, price) < 0) return false;
    int64_t unit = apus_powers_of_ten[EXTRA_DECIMALS];
    *price = (*price + unit / 2) / unit;
    self->rounded++;
    return true;
}

// MARK: ends

// Notes how a contract ended. False: not all of it is known yet.
static bool close(apus_deriv_orders* self, apus_deriv_contract* contract, const apus_deriv_text* price,
                  const apus_deriv_text* trade, bool sold) {
    if (!deriv_money(self, contract->instrument, price, &contract->sell_price)) return false;
    if (apus_deriv_whole(trade, &contract->sell_trade) < 0 || contract->sell_trade == 0) return false;
    const apus_deriv_text* fields = self->line.deriv.last.fields;
    if (apus_deriv_whole(&fields[APUS_DERIV_SOLD_AT], &contract->sold_at) < 0) {
        apus_deriv_whole(&fields[APUS_DERIV_TRADED_AT], &contract->sold_at);
    }
    contract->state = APUS_DERIV_CLOSING;
    contract->sold = sold;
    if (sold && contract->sale.state == APUS_DERIV_FREE) deriv_claim_sale(self, contract);
    self->reports_wait = true;
    deriv_show_bid(self, contract->instrument);
    return true;
}

static bool has_ended(const apus_deriv_text* fields, bool* sold) {
    const apus_deriv_text* status = &fields[APUS_DERIV_STATUS];
    *sold = apus_deriv_is(status, "sold", 4) || apus_deriv_is(status, "cancelled", 9);
    return apus_deriv_true(&fields[APUS_DERIV_IS_SOLD]);
}

static void take_state(apus_deriv_orders* self, apus_deriv_contract* contract, bool answers, uint64_t now_ns) {
    const apus_deriv_text* fields = self->line.deriv.last.fields;
    bool sold;
    if (apus_deriv_whole(&fields[APUS_DERIV_BOUGHT_AT], &contract->bought_at) < 0 && contract->bought_at == 0) {
        apus_deriv_whole(&fields[APUS_DERIV_STARTS_AT], &contract->bought_at);
    }
    if (contract->buy_trade == 0 && apus_deriv_whole(&fields[APUS_DERIV_BUY_TRADE], &contract->buy_trade) == 0
        && deriv_money(self, contract->instrument, &fields[APUS_DERIV_BUY_PRICE], &contract->buy_price)) {
        self->reports_wait = true;
    }
    if (contract->state != APUS_DERIV_OPEN) return;
    if (has_ended(fields, &sold)) {
        if (!close(self, contract, &fields[APUS_DERIV_SELL_PRICE], &fields[APUS_DERIV_SELL_TRADE], sold)) {
            contract->watched = false; // its numbers are asked for until they are there
            contract->due_ns = now_ns + RETRY_NS;
        }
        return;
    }
    int64_t bid;
    if (!deriv_money(self, contract->instrument, &fields[APUS_DERIV_BID_PRICE], &bid)) bid = 0;
    contract->bid_price = bid;
    deriv_show_bid(self, contract->instrument);
    if (answers && contract->sale.asked_ns != 0) deriv_answer_sale(self, contract, now_ns);
}

void deriv_take_contract(apus_deriv_orders* self, const apus_deriv_request* request, uint64_t now_ns) {
    const apus_deriv_message* message = &self->line.deriv.last;
    uint64_t id = request != NULL ? request->contract : 0;
    if (id == 0 && apus_deriv_whole(&message->fields[APUS_DERIV_CONTRACT], &id) < 0) return;
    apus_deriv_contract* contract = deriv_contract(self, id);
    if (contract == NULL) return;
    contract->news_ns = now_ns;
    if (request != NULL) contract->asked = false;
    if (message->error != APUS_DERIV_ERROR_NONE) {
        contract->watched = message->error == APUS_DERIV_ERROR_SUBSCRIBED;
        contract->due_ns = now_ns + self->config.line.refusal_pause_ns;
        return;
    }
    // An answer without a contract: the account has none of that number.
    if (message->fields[APUS_DERIV_CONTRACT].bytes == NULL) {
        contract->due_ns = now_ns + self->config.line.refusal_pause_ns;
        return;
    }
    if (request != NULL && message->subscription.bytes != NULL) contract->watched = true;
    take_state(self, contract, request != NULL, now_ns);
}

void deriv_take_transaction(apus_deriv_orders* self, uint64_t now_ns) {
    const apus_deriv_text* fields = self->line.deriv.last.fields;
    uint64_t id;
    if (apus_deriv_whole(&fields[APUS_DERIV_CONTRACT], &id) < 0) return;
    apus_deriv_contract* contract = deriv_contract(self, id);
    if (apus_deriv_is(&fields[APUS_DERIV_ACTION], "buy", 3)) {
        // Perhaps what a lost answer would have told.
        if (contract == NULL && deriv_is_unresolved(self)) self->lookup_wanted = true;
        return;
    }
    if (!apus_deriv_is(&fields[APUS_DERIV_ACTION], "sell", 4)) return;
    if (contract == NULL || contract->state != APUS_DERIV_OPEN) return;
    bool unsold =
        contract->sale.state == APUS_DERIV_FREE && self->strays[contract->instrument].state == APUS_DERIV_FREE;
    if (unsold && close(self, contract, &fields[APUS_DERIV_AMOUNT], &fields[APUS_DERIV_TRADE], false)) {
        return;
    }
    // Whether it was our sell or its own end, only its state says.
    contract->watched = false;
    contract->due_ns = now_ns;
    self->next_watch_ns = now_ns;
}

// MARK: asking

static bool ask(apus_deriv_orders* self, apus_deriv_contract* contract, bool subscribe, uint64_t now_ns) {
    char text[APUS_DERIV_REQUEST_BYTES];
    apus_deriv_request request = {
        .action = APUS_DERIV_ASK_CONTRACT, .instrument = contract->instrument, .contract = contract->id};
    int length = snprintf(text, sizeof text, "{\"proposal_open_contract\":1,\"contract_id\":%llu%s",
                          (unsigned long long)contract->id, subscribe ? ",\"subscribe\":1" : "");
    if (apus_deriv_line_send(&self->line, APUS_DERIV_ROW_TRADE, &request, text, (size_t)length, now_ns) == 0) {
        return false;
    }
    contract->asked = true;
    contract->news_ns = now_ns;
    contract->due_ns = now_ns + RETRY_NS;
    return true;
}

uint32_t deriv_watch_contracts(apus_deriv_orders* self, uint64_t now_ns) {
    uint32_t work = 0;
    for (uint32_t i = 0; i < APUS_DERIV_CONTRACTS; i++) {
        apus_deriv_contract* contract = &self->contracts[i];
        bool nameless = contract->buy_trade == 0 && contract->state != APUS_DERIV_CLOSED;
        bool waits = contract->id != 0 && (contract->state == APUS_DERIV_OPEN || nameless);
        if (!waits || contract->asked || now_ns < contract->due_ns) continue;
        bool quiet = now_ns - contract->news_ns > self->config.contract_interval_ns;
        bool question = contract->sale.asked_ns != 0 || nameless;
        if (contract->watched && !quiet && !question) continue;
        // A stream that is there already is not begun again.
        if (!ask(self, contract, !contract->watched, now_ns)) return work;
        work++;
    }
    return work;
}

// MARK: telling

static apus_report fill_of(const apus_deriv_contract* contract, int64_t lot, uint64_t now_ns) {
    return (apus_report){
        .client_id = contract->client_id,
        .venue_order_id = contract->id,
        .trade_id = contract->buy_trade,
        .instrument = contract->instrument,
        .kind = APUS_REPORT_FILL,
        .side = APUS_BUY,
        .status = APUS_STATUS_FILLED,
        .price = contract->buy_price,
        .quantity = lot,
        .cumulative = lot,
        .venue_ns = contract->bought_at * SECOND_NS,
        .receive_ns = now_ns,
    };
}

// The end of a contract: our sell's fill, or a settlement.
static void tell_end(apus_deriv_orders* self, apus_deriv_contract* contract, int64_t lot, uint64_t now_ns) {
    apus_deriv_order* sale = &contract->sale;
    bool ours = sale->state != APUS_DERIV_FREE && contract->sold;
    apus_report end = {
        .client_id = ours ? sale->client_id : 0,
        .venue_order_id = ours ? contract->id | APUS_DERIV_SALE : contract->id,
        .trade_id = contract->sell_trade,
        .instrument = contract->instrument,
        .kind = ours ? APUS_REPORT_FILL : APUS_REPORT_SETTLED,
        .side = APUS_SELL,
        .status = ours ? APUS_STATUS_FILLED : APUS_STATUS_NONE,
        .price = contract->sell_price,
        .quantity = lot,
        .cumulative = ours ? lot : 0,
        .venue_ns = contract->sold_at * SECOND_NS,
        .receive_ns = now_ns,
        .sent_ns = ours ? sale->sent_ns : 0,
        .decided_ns = ours ? sale->decided_ns : 0,
    };
    if (ours && sale->state == APUS_DERIV_UNRESOLVED) self->resolved++;
    deriv_report(self, &end);
    if (sale->state != APUS_DERIV_FREE && !ours) {
        apus_report refusal = deriv_report_on(sale, contract->instrument, APUS_SELL, APUS_REPORT_REJECTED, now_ns);
        refusal.code = APUS_DERIV_ERROR_EXPIRED;
        deriv_report(self, &refusal);
    }
    sale->state = APUS_DERIV_FREE;
    sale->asked_ns = 0;
    contract->state = APUS_DERIV_CLOSED;
}

uint32_t deriv_tell_contracts(apus_deriv_orders* self, uint64_t now_ns) {
    uint32_t work = 0;
    if (!self->reports_wait) return 0;
    for (uint32_t i = 0; i < APUS_DERIV_CONTRACTS; i++) {
        apus_deriv_contract* contract = &self->contracts[i];
        if (contract->id == 0 || contract->buy_trade == 0) continue;
        int64_t lot = apus_instrument_at(self->market->instruments, contract->instrument)->lot_units;
        if (!contract->told) {
            if (!deriv_has_room(self, 1)) return work;
            apus_report fill = fill_of(contract, lot, now_ns);
            deriv_report(self, &fill);
            contract->told = true;
            work++;
        }
        if (contract->state != APUS_DERIV_CLOSING) continue;
        if (!deriv_has_room(self, 2)) return work;
        tell_end(self, contract, lot, now_ns);
        work++;
    }
    self->reports_wait = false;
    return work;
}
