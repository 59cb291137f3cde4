// The order session's turn: orders out, answers in, and what was lost with a connection.
//
//   a buy or a sell:
//
//     FREE ── sent ──▶ WAITING ── answered ──▶ FREE: filled, or refused
//                        └── time-out, connection lost, an answer that leaves it open ──▶ UNRESOLVED: told as UNKNOWN
//     UNRESOLVED ── its answer after all, found, or certainly missing ──▶ FREE
//
// What waits beyond give_up_ns makes the link reconnect: a connection that is gone can carry nothing out any more,
// while on one that lives a request may be carried out at any time.
#include "deriv_orders.h"

#include "apus_decimal.h"

#include <string.h>

enum { CHANNEL_LINE, CHANNEL_REST };

#define SECOND_NS 1000000000ull
#define WATCH_INTERVAL_NS 50000000ull
#define BALANCE_DECIMALS 8u

static apus_deriv_orders* self_of(apus_session* session) {
    return (apus_deriv_orders*)(void*)session;
}

// MARK: reports

void deriv_report(apus_deriv_orders* self, const apus_report* report) {
    apus_publisher_count(self->out, APUS_COUNT_REPORTS, 1);
    apus_probe_answered(report);
    apus_report_push(self->rings->reports, report);
}

bool deriv_has_room(apus_deriv_orders* self, uint64_t count) {
    return apus_queue_room(self->rings->reports) >= count;
}

// What one message may make the session say: an answer to each question, and a little more.
static uint64_t message_room(const apus_deriv_orders* self) {
    return 2ull * self->market->instruments->count + 2;
}

apus_report deriv_report_on(const apus_deriv_order* order, uint16_t instrument, uint8_t side, uint8_t kind,
                            uint64_t now_ns) {
    return (apus_report){
        .client_id = order->client_id,
        .instrument = instrument,
        .kind = kind,
        .side = side,
        .action = APUS_ORDER_PLACE,
        .price = order->price,
        .receive_ns = now_ns,
        .sent_ns = order->sent_ns,
        .decided_ns = order->decided_ns,
    };
}

static void lose_order(apus_deriv_orders* self, apus_deriv_order* order, uint16_t instrument, uint8_t side,
                       uint64_t now_ns) {
    if (order->state != APUS_DERIV_WAITING) return;
    order->state = APUS_DERIV_UNRESOLVED;
    apus_report unknown = deriv_report_on(order, instrument, side, APUS_REPORT_UNKNOWN, now_ns);
    deriv_report(self, &unknown);
}

// MARK: answers

static void note_answer(apus_deriv_orders* self, const apus_deriv_order* order) {
    if (order->sent_ns == 0) return;
    apus_histogram_record_signed(&self->out->counters->hops[APUS_HOP_SENT_ANSWER],
                                 (int64_t)(self->line.channel.receive_ns - order->sent_ns));
}

// The venue has refused a buy or a sell; or says something that leaves open whether it was carried out.
static void take_refusal(apus_deriv_orders* self, apus_deriv_order* order, uint16_t instrument, uint8_t side,
                         uint64_t now_ns) {
    uint8_t error = self->line.deriv.last.error;
    if (apus_deriv_error_unsure(error)) {
        lose_order(self, order, instrument, side, now_ns);
        // It is answered: nothing more comes of it later than that.
        order->number = 0;
        order->final_ms = deriv_wall_ms(self, now_ns) + self->config.late_arrival_ns / 1000000;
        return;
    }
    apus_report refusal = deriv_report_on(order, instrument, side, APUS_REPORT_REJECTED, now_ns);
    refusal.code = error;
    deriv_report(self, &refusal);
    order->state = APUS_DERIV_FREE;
    order->asked_ns = 0;
}

static void take_buy(apus_deriv_orders* self, apus_deriv_order* buy, uint16_t instrument, uint64_t now_ns) {
    const apus_deriv_message* message = &self->line.deriv.last;
    uint64_t id, trade;
    int64_t price;
    note_answer(self, buy);
    // Used or refused, the proposal is as a rule gone.
    if (message->error != APUS_DERIV_ERROR_RATE_LIMIT) apus_deriv_line_renew(&self->line, instrument, now_ns);
    if (message->error != APUS_DERIV_ERROR_NONE) {
        take_refusal(self, buy, instrument, APUS_BUY, now_ns);
        return;
    }
    bool whole = apus_deriv_whole(&message->fields[APUS_DERIV_CONTRACT], &id) == 0 && id != 0
                 && apus_deriv_whole(&message->fields[APUS_DERIV_TRADE], &trade) == 0
                 && deriv_money(self, instrument, &message->fields[APUS_DERIV_BUY_PRICE], &price);
    apus_deriv_contract* contract = whole ? deriv_contract(self, id) : NULL;
    if (whole && contract == NULL) contract = deriv_contract_add(self, id, instrument);
    if (contract == NULL) {
        lose_order(self, buy, instrument, APUS_BUY, now_ns); // the portfolio will tell
        return;
    }
    contract->client_id = buy->client_id;
    contract->buy_trade = trade;
    contract->buy_price = price;
    apus_deriv_whole(&message->fields[APUS_DERIV_BOUGHT_AT], &contract->bought_at);
    contract->told = false;
    if (buy->state == APUS_DERIV_UNRESOLVED) self->resolved++;
    buy->state = APUS_DERIV_FREE;
    buy->asked_ns = 0;
    self->reports_wait = true;
    self->next_watch_ns = now_ns;
}

static void take_sell(apus_deriv_orders* self, apus_deriv_contract* contract, uint64_t now_ns) {
    const apus_deriv_message* message = &self->line.deriv.last;
    note_answer(self, &contract->sale);
    if (message->error != APUS_DERIV_ERROR_NONE) {
        take_refusal(self, &contract->sale, contract->instrument, APUS_SELL, now_ns);
        // Perhaps it has ended.
        contract->watched = false;
        contract->due_ns = self->next_watch_ns = now_ns;
        return;
    }
    if (contract->state != APUS_DERIV_OPEN) return;
    bool whole = deriv_money(self, contract->instrument, &message->fields[APUS_DERIV_SOLD_FOR], &contract->sell_price)
                 && apus_deriv_whole(&message->fields[APUS_DERIV_TRADE], &contract->sell_trade) == 0;
    if (!whole) {
        contract->watched = false;
        contract->due_ns = self->next_watch_ns = now_ns;
        return;
    }
    contract->state = APUS_DERIV_CLOSING;
    contract->sold = true;
    self->reports_wait = true;
    deriv_show_bid(self, contract->instrument);
}

// The order that a buy's or sell's answer is for, when it still waits. False: none.
static bool take_order_answer(apus_deriv_orders* self, uint64_t now_ns) {
    const apus_deriv_message* message = &self->line.deriv.last;
    if (!message->answers || message->request == 0) return false;
    for (uint32_t i = 0; i < self->market->instruments->count; i++) {
        apus_deriv_order* buy = &self->buys[i];
        if (buy->state == APUS_DERIV_FREE || buy->number != message->request) continue;
        take_buy(self, buy, (uint16_t)i, now_ns);
        return true;
    }
    for (uint32_t i = 0; i < APUS_DERIV_CONTRACTS; i++) {
        apus_deriv_contract* contract = &self->contracts[i];
        if (contract->sale.state == APUS_DERIV_FREE || contract->sale.number != message->request) continue;
        take_sell(self, contract, now_ns);
        return true;
    }
    return false;
}

static void take_balance(apus_deriv_orders* self, uint64_t now_ns) {
    const apus_deriv_message* message = &self->line.deriv.last;
    int64_t balance;
    if (message->error != APUS_DERIV_ERROR_NONE) return;
    if (apus_deriv_decimal(&message->fields[APUS_DERIV_BALANCE_TEXT], BALANCE_DECIMALS, &balance) < 0) return;
    self->balance_due_ns = now_ns + self->config.balance_interval_ns;
    if (self->ever_balanced && balance == self->balance) return;
    self->balance = balance;
    self->ever_balanced = self->balance_news = true;
}

static void take_message(apus_deriv_orders* self, uint64_t now_ns) {
    apus_deriv_request request;
    bool answered = apus_deriv_line_answered(&self->line, &request);
    if (apus_deriv_line_take(&self->line, answered ? &request : NULL, now_ns)) return;
    if (!answered && take_order_answer(self, now_ns)) return;
    uint8_t error = self->line.deriv.last.error;
    bool failed = error != APUS_DERIV_ERROR_NONE;
    // The answer that a stream had begun was lost.
    bool streams = !failed || error == APUS_DERIV_ERROR_SUBSCRIBED;
    switch (answered ? request.action : 0) {
    case APUS_DERIV_ASK_AUTHORIZE:
        deriv_take_authorization(self, now_ns);
        return;
    case APUS_DERIV_ASK_PORTFOLIO:
        deriv_take_portfolio(self, now_ns);
        return;
    case APUS_DERIV_ASK_TABLE:
        deriv_take_table(self, now_ns);
        return;
    case APUS_DERIV_ASK_CONTRACT:
        deriv_take_contract(self, &request, now_ns);
        return;
    case APUS_DERIV_ASK_BALANCE:
        self->balance_asked = streams;
        if (failed && streams) self->balance_due_ns = now_ns;
        break;
    case APUS_DERIV_ASK_TRANSACTIONS:
        self->transactions_asked = streams;
        return;
    default:
        break;
    }
    if (failed) return;
    if (self->line.deriv.last.kind == APUS_DERIV_OPEN_CONTRACT) deriv_take_contract(self, NULL, now_ns);
    if (self->line.deriv.last.kind == APUS_DERIV_TRANSACTION) deriv_take_transaction(self, now_ns);
    if (self->line.deriv.last.kind == APUS_DERIV_BALANCE) take_balance(self, now_ns);
}

static uint32_t take_messages(apus_deriv_orders* self, uint64_t now_ns) {
    uint32_t work = 0;
    bool room;
    while ((room = deriv_has_room(self, message_room(self))) && apus_deriv_line_next(&self->line, now_ns) > 0) {
        take_message(self, now_ns);
        work++;
    }
    // Without room nothing is read: a report is never dropped.
    if (!room && !self->halted) self->halts++;
    self->halted = self->line.channel.paused = !room;
    return work;
}

// MARK: losses

// Orders that wait for an answer.
static uint64_t waiting(const apus_deriv_orders* self) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < self->market->instruments->count; i++)
        count += self->buys[i].state == APUS_DERIV_WAITING;
    for (uint32_t i = 0; i < APUS_DERIV_CONTRACTS; i++)
        count += self->contracts[i].sale.state == APUS_DERIV_WAITING;
    return count;
}

// What was sent on a connection that is gone.
static void take_loss(apus_deriv_orders* self, apus_deriv_order* order, uint16_t instrument, uint8_t side,
                      uint64_t now_ns) {
    lose_order(self, order, instrument, side, now_ns);
    if (order->state == APUS_DERIV_UNRESOLVED && order->final_ms == UINT64_MAX) {
        order->final_ms = deriv_wall_ms(self, now_ns) + self->config.late_arrival_ns / 1000000;
    }
    order->number = 0;
}

static void lose_connection(apus_deriv_orders* self, uint64_t now_ns) {
    self->lost = false;
    self->access_in_flight &= self->config.line.api == APUS_DERIV_CURRENT;
    self->balance_asked = self->transactions_asked = false;
    self->unsent_count = 0;
    deriv_lookup_lost(self);
    for (uint32_t i = 0; i < self->market->instruments->count; i++)
        take_loss(self, &self->buys[i], (uint16_t)i, APUS_BUY, now_ns);
    for (uint32_t i = 0; i < APUS_DERIV_CONTRACTS; i++) {
        apus_deriv_contract* contract = &self->contracts[i];
        take_loss(self, &contract->sale, contract->instrument, APUS_SELL, now_ns);
        contract->watched = contract->asked = false;
        contract->due_ns = 0;
        contract->bid_price = 0;
    }
    for (uint32_t i = 0; i < self->market->instruments->count; i++) {
        if (deriv_is_shape(self, (uint16_t)i)) deriv_show_bid(self, (uint16_t)i);
    }
}

// Orders whose answers do not come. Returns how many were told as UNKNOWN.
static uint32_t check_order_age(apus_deriv_orders* self, apus_deriv_order* order, uint16_t instrument, uint8_t side,
                                uint64_t now_ns) {
    if (order->state == APUS_DERIV_FREE || order->number == 0) return 0;
    uint64_t age = now_ns - order->queued_ns;
    if (age > self->config.answer_timeout_ns + self->config.give_up_ns) {
        apus_link_reconnect(&self->line.link, APUS_REASON_SESSION, now_ns);
    }
    if (order->state != APUS_DERIV_WAITING || age <= self->config.answer_timeout_ns) return 0;
    if (!deriv_has_room(self, 1)) return 0;
    lose_order(self, order, instrument, side, now_ns);
    return 1;
}

static uint32_t check_ages(apus_deriv_orders* self, uint64_t now_ns) {
    uint32_t work = 0;
    for (uint32_t i = 0; i < self->market->instruments->count; i++)
        work += check_order_age(self, &self->buys[i], (uint16_t)i, APUS_BUY, now_ns);
    for (uint32_t i = 0; i < APUS_DERIV_CONTRACTS; i++) {
        apus_deriv_contract* contract = &self->contracts[i];
        work += check_order_age(self, &contract->sale, contract->instrument, APUS_SELL, now_ns);
    }
    return work;
}

// MARK: the account

static bool ask_account(apus_deriv_orders* self, uint8_t row, uint8_t action, const char* text, uint64_t now_ns) {
    apus_deriv_request request = {.action = action, .instrument = APUS_INSTRUMENT_NONE};
    return apus_deriv_line_send(&self->line, row, &request, text, strlen(text), now_ns) != 0;
}

static uint32_t keep_account(apus_deriv_orders* self, uint64_t now_ns) {
    if (!self->line.usable || self->line.link.state != APUS_LINK_OPEN) return 0;
    uint32_t work = deriv_keep_lookup(self, now_ns);
    if (now_ns < self->next_watch_ns) return work;
    self->next_watch_ns = now_ns + WATCH_INTERVAL_NS;
    if (!self->transactions_asked && now_ns >= self->streams_due_ns) {
        self->transactions_asked = ask_account(self, APUS_DERIV_ROW_OTHER, APUS_DERIV_ASK_TRANSACTIONS,
                                               "{\"transaction\":1,\"subscribe\":1", now_ns);
        work++;
    }
    if (!self->balance_asked && now_ns >= self->streams_due_ns) {
        self->balance_asked =
            ask_account(self, APUS_DERIV_ROW_ACCOUNT, APUS_DERIV_ASK_BALANCE, "{\"balance\":1,\"subscribe\":1", now_ns);
        self->streams_due_ns = now_ns + self->config.line.refusal_pause_ns;
        self->balance_due_ns = now_ns + self->config.balance_interval_ns;
        work++;
    }
    // The stream has no sequence: one that lost its newest message tells nothing wrong, and the wrong balance would stay.
    if (self->balance_asked && now_ns >= self->balance_due_ns) {
        ask_account(self, APUS_DERIV_ROW_ACCOUNT, APUS_DERIV_ASK_BALANCE_ONCE, "{\"balance\":1", now_ns);
        self->balance_due_ns = now_ns + self->config.balance_interval_ns;
        work++;
    }
    work += check_ages(self, now_ns);
    if (self->synced) work += deriv_watch_contracts(self, now_ns);
    return work;
}

// Balance and possible losses of news, which belong to no order.
static uint32_t tell_account(apus_deriv_orders* self, uint64_t now_ns) {
    uint32_t work = 0;
    if (self->missed && deriv_has_room(self, 1)) {
        apus_report missed = {.kind = APUS_REPORT_MISSED, .instrument = APUS_INSTRUMENT_NONE, .receive_ns = now_ns};
        deriv_report(self, &missed);
        self->missed = false;
        work++;
    }
    if (apus_guard_watch(&self->guard, now_ns) == APUS_GUARD_STALL_BEGAN) self->stall_news = true;
    if (self->stall_news && deriv_has_room(self, 1)) {
        // New orders are refused from now on; nothing rests that could be canceled.
        apus_report stalled = {.kind = APUS_REPORT_STALLED, .instrument = APUS_INSTRUMENT_NONE, .receive_ns = now_ns};
        deriv_report(self, &stalled);
        self->stall_news = false;
        work++;
    }
    if (self->balance_news && deriv_has_room(self, 1)) {
        apus_report balance = {.kind = APUS_REPORT_BALANCE,
                               .instrument = APUS_INSTRUMENT_NONE,
                               .fee = self->balance,
                               .receive_ns = now_ns};
        deriv_report(self, &balance);
        self->balance_news = false;
        work++;
    }
    return work;
}

// MARK: the session

static uint32_t take_changes(apus_deriv_orders* self, uint64_t now_ns) {
    bool opened = false, ended = false;
    uint32_t work = apus_deriv_line_changes(&self->line, &opened, &ended);
    self->lost |= ended || opened;
    // Whoever waits is told of the loss before anything is sent again.
    if (self->lost && deriv_has_room(self, waiting(self))) lose_connection(self, now_ns);
    if (self->line.link.state == APUS_LINK_OPEN && !self->lost && self->config.line.api == APUS_DERIV_CURRENT) {
        self->line.usable = true;
    }
    return work;
}

static uint32_t turn(apus_session* session, uint64_t now_ns) {
    apus_deriv_orders* self = self_of(session);
    deriv_note_sent(self);
    uint32_t work = take_messages(self, now_ns);
    apus_link_tick(&self->line.link, now_ns);
    work += take_changes(self, now_ns);
    work += deriv_keep_access(self, now_ns);
    work += apus_deriv_line_keep(&self->line, now_ns);
    work += keep_account(self, now_ns);
    work += deriv_tell_contracts(self, now_ns);
    work += tell_account(self, now_ns);
    work += deriv_take_orders(self, now_ns);
    apus_market_write_behind(self->line.deriv.market);
    return work;
}

static uint64_t deadline(const apus_session* session) {
    const apus_deriv_orders* self = (const apus_deriv_orders*)(const void*)session;
    uint64_t due = apus_deriv_line_deadline(&self->line);
    uint64_t access = deriv_access_deadline(self);
    if (access < due) due = access;
    if (self->line.usable && self->next_watch_ns < due) due = self->next_watch_ns;
    uint64_t watch = apus_guard_deadline(&self->guard);
    if (watch < due) due = watch;
    return due;
}

static void start(apus_session* session, uint64_t now_ns) {
    apus_deriv_orders* self = self_of(session);
    self->running = true;
    self->access_due_ns = now_ns;
    self->started_ms = deriv_wall_ms(self, now_ns);
    // The current API's link starts with its first address.
    if (self->config.line.api != APUS_DERIV_CURRENT) apus_link_start(&self->line.link, now_ns);
}

static void stop(apus_session* session, uint64_t now_ns) {
    apus_deriv_orders* self = self_of(session);
    self->running = false;
    apus_link_stop(&self->line.link, now_ns);
    apus_fetch_stop(&self->fetch, now_ns);
}

static bool stopped(const apus_session* session) {
    const apus_deriv_orders* self = (const apus_deriv_orders*)(const void*)session;
    return !self->running && self->line.link.state == APUS_LINK_IDLE && self->line.channel.state == APUS_CHANNEL_CLOSED
           && self->rest.state == APUS_CHANNEL_CLOSED;
}

static int command(apus_session* session, const apus_command* command, uint64_t now_ns) {
    apus_deriv_orders* self = self_of(session);
    if (command->kind != APUS_COMMAND_RECONNECT) return -ENOTSUP;
    apus_link_reconnect(&self->line.link, APUS_REASON_SESSION, now_ns);
    return 0;
}

static const apus_session_ops operations = {
    .name = "deriv-orders",
    .start = start,
    .turn = turn,
    .deadline = deadline,
    .command = command,
    .stop = stop,
    .stopped = stopped,
};

// MARK: making

int apus_deriv_orders_init(apus_deriv_orders* self, const apus_deriv_orders_config* config, apus_market* market,
                           apus_private* rings, const char* token, const apus_random* random) {
    memset(self, 0, sizeof *self);
    self->config = *config;
    self->market = market;
    self->out = market->out;
    self->rings = rings;
    self->guard = (apus_guard){.trading = rings->trading,
                               .decided = rings->decided,
                               .market = market,
                               .max_age_ns = config->max_age_ns,
                               .stall_ns = config->stall_ns};
    self->channels[CHANNEL_LINE] = &self->line.channel;
    self->channels[CHANNEL_REST] = &self->rest;
    self->session = (apus_session){.ops = &operations, .channels = self->channels, .channel_count = 2};
    int result = deriv_init_access(self, token);
    if (result < 0) return result;
    apus_budget_init(&self->rest_budget);
    result = apus_budget_add_window(&self->rest_budget, config->rest_minute, 60 * SECOND_NS);
    if (result < 0) return result;
    self->rest_cost.of[result] = 1;
    apus_random seeds = *random, line_random, fetch_random;
    apus_random_seed(&line_random, apus_random_next(&seeds));
    apus_random_seed(&fetch_random, apus_random_next(&seeds));
    result = deriv_init_memory(self, &fetch_random);
    if (result < 0) return result;
    self->config.line.link.fresh_path = config->line.api == APUS_DERIV_CURRENT;
    return apus_deriv_line_init(&self->line, &self->config.line, market, &self->session, CHANNEL_LINE, &line_random);
}

int apus_deriv_orders_subscribe(apus_deriv_orders* self, uint16_t instrument) {
    return apus_deriv_line_subscribe(&self->line, instrument);
}

int apus_deriv_orders_adopt(apus_deriv_orders* self, uint16_t instrument, const apus_deriv_holding* holding) {
    if (holding->contract_id == 0 || instrument >= self->market->instruments->count) return -EINVAL;
    if (deriv_contract(self, holding->contract_id) != NULL) return -EINVAL;
    apus_deriv_contract* contract = deriv_contract_add(self, holding->contract_id, instrument);
    if (contract == NULL) return -ENOSPC;
    contract->client_id = holding->client_id;
    contract->buy_trade = holding->buy_trade;
    contract->buy_price = holding->buy_price;
    contract->bought_at = holding->bought_at;
    contract->told = true;
    if (holding->ended) contract->state = APUS_DERIV_CLOSED;
    return 0;
}

void apus_deriv_orders_recovered(apus_deriv_orders* self) {
    self->ever_synced = self->table_seen = true;
}
