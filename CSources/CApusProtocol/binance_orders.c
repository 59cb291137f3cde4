// The order session: its turn, its ends, and the reports' way out. What it does stands in binance_orders_internal.h.
//
// New orders pass while a user stream and an API connection are OPEN and the report ring has room; cancels and queries need an
// API connection alone.
//
// A user stream that answers pings may be frozen all the same. Each request that the venue says it has carried out makes an event:
// if none comes within event_grace_ns, the stream reconnects.
#include "binance_orders_internal.h"

#include <stdio.h>
#include <string.h>

// A payment and the balance after it.
#define REPORTS_OF_A_MESSAGE 2u

static orders_session* self_of(apus_session* session) {
    return (orders_session*)(void*)session;
}

void apus_binance_orders_config_usdm(apus_binance_orders_config* config) {
    memset(config, 0, sizeof *config);
    config->api = (apus_endpoint){.host = "ws-fapi.binance.com", .port = 443, .tls = true};
    config->user = (apus_endpoint){.host = "fstream.binance.com", .port = 443, .tls = true};
    snprintf(config->api_path, sizeof config->api_path, "/ws-fapi/v1");
    snprintf(config->user_path, sizeof config->user_path, "/private/ws/");
    snprintf(config->settlement_asset, sizeof config->settlement_asset, "USDT");
    config->answer_timeout_ns = 3 * SECOND_NS;
    config->max_age_ns = APUS_ORDER_AGE_MS * 1000000ull;
    config->api_count = 4;
    config->receive_window_ms = APUS_BINANCE_RECEIVE_WINDOW_MS;
    config->key_renewal_ns = 30 * 60 * SECOND_NS;
    config->user_overlap_ns = 2 * SECOND_NS;
    config->clock_renewal_ns = 60 * SECOND_NS;
    config->pool = (apus_pool_config){.probe_interval_ns = 10 * SECOND_NS, .stall_ns = SECOND_NS / 2};
    config->limits[0] = (apus_binance_limit){60 * SECOND_NS, 2400, 0, APUS_BINANCE_WEIGHT};
    config->limits[1] = (apus_binance_limit){10 * SECOND_NS, 300, 0, APUS_BINANCE_ORDERS};
    config->limits[2] = (apus_binance_limit){60 * SECOND_NS, 1200, 0, APUS_BINANCE_ORDERS};
    config->limit_count = 3;
    config->event_grace_ns = 5 * SECOND_NS;
    apus_link_config_default(&config->api_link);
    apus_link_config_default(&config->user_link);
    config->api_link.max_message_bytes = config->user_link.max_message_bytes = 512u << 10;
    config->rx_bytes = 1u << 20;
    config->tx_bytes = 1u << 20;
}

// MARK: reports

bool binance_report(orders_session* self, const apus_report* report) {
    apus_publisher_count(self->out, APUS_COUNT_REPORTS, 1);
    apus_probe_answered(report);
    // Room was seen before whatever is reported here was taken up.
    return apus_report_push(self->rings->reports, report) == 0;
}

static void set_paused(orders_session* self, bool paused) {
    for (uint32_t i = 0; i < self->session.channel_count; i++)
        self->channels[i]->paused = paused;
}

bool binance_has_room(orders_session* self) {
    bool room = apus_queue_room(self->rings->reports) >= REPORTS_OF_A_MESSAGE;
    if (!room && !self->halted) self->halts++;
    if (!room || self->halted) set_paused(self, !room);
    self->halted = !room;
    return room;
}

apus_report binance_report_on(const apus_binance_request* request, uint8_t kind, uint64_t now_ns) {
    return (apus_report){
        .client_id = request->client_id,
        .instrument = request->instrument,
        .kind = kind,
        .side = request->side,
        .action = request->action,
        .price = request->price,
        .quantity = request->quantity,
        .receive_ns = now_ns,
        .sent_ns = request->sent_ns,
        .decided_ns = request->decided_ns,
    };
}

static uint32_t report_missed(orders_session* self, uint64_t now_ns) {
    if (!self->missed || !binance_has_room(self)) return 0;
    self->missed = false;
    apus_report missed = {.kind = APUS_REPORT_MISSED, .instrument = APUS_INSTRUMENT_NONE, .receive_ns = now_ns};
    binance_report(self, &missed);
    return 1;
}

// MARK: the decision thread

// It stands still: what is open is canceled once, and that is reported as soon as there is room.
static uint32_t watch(orders_session* self, uint64_t now_ns) {
    if (apus_guard_watch(&self->guard, now_ns) == APUS_GUARD_STALL_BEGAN) {
        self->stalled = true;
        self->stalled_orders = binance_cancel_all(self);
    }
    if (!self->stalled || !binance_has_room(self)) return 0;
    self->stalled = false;
    apus_report stalled = {.kind = APUS_REPORT_STALLED,
                           .instrument = APUS_INSTRUMENT_NONE,
                           .code = (int32_t)self->stalled_orders,
                           .receive_ns = now_ns};
    binance_report(self, &stalled);
    return 1;
}

// MARK: the session

static uint32_t turn(apus_session* session, uint64_t now_ns) {
    orders_session* self = self_of(session);
    if (self->unsent != 0) binance_note_sent(self);
    if (self->halted) binance_has_room(self);
    uint32_t work = binance_serve_lines(self, now_ns);
    work += binance_take_losses(self, now_ns);
    if (self->missed) work += report_missed(self, now_ns);
    work += watch(self, now_ns);
    binance_check_events(self, now_ns);
    binance_keep_young(self, now_ns);
    binance_keep_key(self, now_ns);
    binance_keep_clock(self, now_ns);
    if (self->canceling) work += binance_cancel_open(self, now_ns);
    return work + binance_take_orders(self, now_ns);
}

static uint64_t deadline(const apus_session* session) {
    const orders_session* self = (const orders_session*)(const void*)session;
    uint64_t due = apus_time_earlier(binance_lines_deadline(self), apus_guard_deadline(&self->guard));
    bool ready = apus_pool_ready(&self->pool) > 0;
    if (ready && !self->key_in_flight) due = apus_time_earlier(due, self->key_due_ns);
    if (ready) due = apus_time_earlier(due, self->pool_due_ns);
    if (self->canceling) due = apus_time_earlier(due, self->cancel_due_ns);
    if (self->oldest_request < self->next_request) {
        const apus_binance_request* request = binance_request_at(self, self->oldest_request);
        // A number that was answered or left out is passed over at once.
        bool waits = request->number == self->oldest_request;
        due = waits ? apus_time_earlier(due, request->queued_ns + self->config.answer_timeout_ns + 1) : 0;
    }
    return binance_user_is_up(self) ? apus_time_earlier(due, self->event_due_ns) : due;
}

static void start(apus_session* session, uint64_t now_ns) {
    orders_session* self = self_of(session);
    self->running = true;
    self->key_due_ns = now_ns;
    for (uint32_t i = 0; i < self->config.api_count; i++)
        apus_link_start(&self->api[i].link, now_ns);
}

static void stop(apus_session* session, uint64_t now_ns) {
    orders_session* self = self_of(session);
    self->running = false;
    self->succeeding = false;
    for (uint32_t i = 0; i < self->config.api_count; i++)
        apus_link_stop(&self->api[i].link, now_ns);
    for (uint32_t i = 0; i < APUS_BINANCE_USERS; i++)
        apus_link_stop(&self->users[i].link, now_ns);
}

static bool has_rested(const apus_binance_line* line) {
    return line->link.state == APUS_LINK_IDLE && line->channel.state == APUS_CHANNEL_CLOSED;
}

static bool stopped(const apus_session* session) {
    const orders_session* self = (const orders_session*)(const void*)session;
    bool rested = !self->running;
    for (uint32_t i = 0; i < self->config.api_count; i++)
        rested = rested && has_rested(&self->api[i]);
    for (uint32_t i = 0; i < APUS_BINANCE_USERS; i++)
        rested = rested && has_rested(&self->users[i]);
    return rested;
}

static int command(apus_session* session, const apus_command* command, uint64_t now_ns) {
    orders_session* self = self_of(session);
    switch (command->kind) {
    case APUS_COMMAND_CANCEL_ALL:
        binance_cancel_all(self);
        return 0;
    case APUS_COMMAND_RECONNECT:
        for (uint32_t i = 0; i < self->config.api_count; i++)
            apus_link_reconnect(&self->api[i].link, APUS_REASON_SESSION, now_ns);
        apus_link_reconnect(&binance_user(self)->link, APUS_REASON_SESSION, now_ns);
        return 0;
    default:
        return -ENOTSUP;
    }
}

static const apus_session_ops operations = {
    .name = "binance-orders",
    .start = start,
    .turn = turn,
    .deadline = deadline,
    .command = command,
    .stop = stop,
    .stopped = stopped,
};

// MARK: making

static bool is_sound(const apus_binance_orders_config* config) {
    return config->api_count >= 1 && config->api_count <= APUS_BINANCE_API_MAX && config->receive_window_ms >= 1
           && config->receive_window_ms <= 60000 && config->limit_count <= APUS_BINANCE_LIMITS_MAX;
}

// A row for each of the venue's budgets, in their order.
static int make_budget(orders_session* self) {
    apus_budget_init(&self->budget);
    for (uint32_t i = 0; i < self->config.limit_count; i++) {
        const apus_binance_limit* limit = &self->config.limits[i];
        int row = apus_budget_add_window(&self->budget, limit->limit, limit->window_ns);
        if (row < 0) return row;
        bool orders = limit->kind == APUS_BINANCE_ORDERS;
        self->costs[COST_PLACE].of[row] = orders;
        self->costs[COST_MODIFY].of[row] = 1;
        self->costs[COST_OTHER].of[row] = !orders;
    }
    return 0;
}

static int make_line(orders_session* self, apus_binance_line* line, uint32_t number, const apus_random* random) {
    const apus_binance_orders_config* config = &self->config;
    apus_arena* arena = self->market->arena;
    bool is_user = number < APUS_BINANCE_USERS;
    apus_link_config link = is_user ? config->user_link : config->api_link;
    uint8_t* rx = apus_arena_alloc(arena, config->rx_bytes);
    uint8_t* tx = apus_arena_alloc(arena, config->tx_bytes);
    if (rx == NULL || tx == NULL) return -ENOMEM;
    apus_channel_init(&line->channel, rx, config->rx_bytes, tx, config->tx_bytes);
    line->channel.endpoint = is_user ? config->user : config->api;
    line->retire_ns = UINT64_MAX;
    self->channels[number] = &line->channel;
    // The session itself replaces a connection that grows old, without a gap.
    link.max_lifetime_ns = 0;
    link.fresh_path = is_user;
    return apus_link_init(&line->link, &line->channel, &link, is_user ? config->user_path : config->api_path, random);
}

static int make_lines(orders_session* self, const apus_random* random) {
    apus_random seeds = *random;
    uint32_t count = APUS_BINANCE_USERS + self->config.api_count;
    for (uint32_t i = 0; i < count; i++) {
        apus_random own;
        apus_random_seed(&own, apus_random_next(&seeds));
        apus_binance_line* line = i < APUS_BINANCE_USERS ? &self->users[i] : &self->api[i - APUS_BINANCE_USERS];
        int result = make_line(self, line, i, &own);
        if (result < 0) return result;
    }
    self->session = (apus_session){.ops = &operations, .channels = self->channels, .channel_count = count};
    return 0;
}

int apus_binance_orders_init(apus_binance_orders* self, const apus_binance_orders_config* config,
                             const apus_market* market, apus_private* rings, const apus_binance_signer* signer,
                             const apus_random* random) {
    memset(self, 0, sizeof *self);
    if (!is_sound(config)) return -EINVAL;
    self->config = *config;
    self->market = market;
    self->out = market->out;
    self->rings = rings;
    self->signer = *signer;
    self->guard = (apus_guard){.trading = rings->trading,
                               .decided = rings->decided,
                               .market = market,
                               .max_age_ns = config->max_age_ns,
                               .stall_ns = config->stall_ns};
    self->next_request = self->oldest_request = self->loss_scan = 1;
    self->event_due_ns = self->overlap_end_ns = UINT64_MAX;
    binance_clock_init(&self->clock);
    size_t table = APUS_BINANCE_IN_FLIGHT * sizeof *self->requests;
    void* open = apus_arena_alloc(market->arena, apus_open_orders_bytes());
    self->requests = apus_arena_alloc(market->arena, table);
    if (self->requests == NULL || open == NULL) return -ENOMEM;
    memset(self->requests, 0, table);
    apus_open_orders_init(&self->open, open);
    int result = make_budget(self);
    if (result == 0) result = apus_pool_init(&self->pool, &config->pool, config->api_count);
    return result < 0 ? result : make_lines(self, random);
}
