#include "polymarket_orders_internal.h"

#include <stdio.h>

#define SECONDS(n) ((uint64_t)(n)*SECOND_NS)
// Of one user event: an order of ours may stand on both sides of a trade, and a trade may name several.
#define EVENT_REPORTS 64u
// With more instruments than these the user stream is asked for all of the account's markets.
#define NAMED_INSTRUMENTS 256u

static pm_session* self_of(apus_session* session) {
    return (pm_session*)(void*)session;
}

// MARK: configuration

static void set_contract(apus_polymarket_orders_config* config, uint32_t which, const char* text) {
    apus_hex_parse(text, strlen(text), config->contracts[which], APUS_ADDRESS_BYTES);
}

void apus_polymarket_orders_config_default(apus_polymarket_orders_config* config) {
    memset(config, 0, sizeof *config);
    config->api = (apus_endpoint){.host = "clob.polymarket.com", .port = 443, .tls = true};
    config->user = (apus_endpoint){.host = "ws-subscriptions-clob.polymarket.com", .port = 443, .tls = true};
    snprintf(config->user_path, sizeof config->user_path, "/ws/user");
    config->chain_id = APUS_POLYMARKET_CHAIN_ID;
    set_contract(config, APUS_POLYMARKET_V2, "0xE111180000d2663C0091e4f400237545B87B996B");
    set_contract(config, APUS_POLYMARKET_V2_NEG_RISK, "0xe2222d279d744050d28e00520010520000310F59");
    set_contract(config, APUS_POLYMARKET_V3, "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa");
    config->version = 2;
    config->lines = 4;
    config->connect_timeout_ns = SECONDS(5);
    config->answer_timeout_ns = SECONDS(5);
    config->backoff_min_ns = SECOND_NS / 4;
    config->backoff_max_ns = SECONDS(5);
    config->max_age_ns = SECONDS(1);
    config->heartbeat_interval_ns = SECONDS(5);
    config->gtd_least_ms = 60000;
    config->post_only_ns = SECONDS(120);
    config->trades_overlap_s = 60;
    config->trades_audit_ns = SECONDS(30);
    config->trades_settle_s = 600;
    config->trades_first_s = 24 * 3600;
    config->pool = (apus_pool_config){
        .probe_interval_ns = SECONDS(15), .stall_ns = SECONDS(1), .max_in_flight = 1, .serial = true};
    config->posts_10s = 3500;
    config->posts_10min = 36000;
    config->orders_each_s = 40;
    config->orders_burst = 60;
    config->cancels_each_s = 80;
    config->cancels_burst = 120;
    apus_link_config_default(&config->user_link);
    config->user_link.ping_kind = APUS_PING_TEXT;
    snprintf(config->user_link.ping_text, sizeof config->user_link.ping_text, "PING");
    config->user_link.ping_interval_ns = SECONDS(10);
    config->user_link.liveness_timeout_ns = SECONDS(30);
    config->user_link.max_message_bytes = 512u << 10;
    config->rx_bytes = 1u << 20;
    config->tx_bytes = 64u << 10;
}

// MARK: reports

void polymarket_report(pm_session* self, const apus_report* report) {
    apus_publisher_count(self->out, APUS_COUNT_REPORTS, 1);
    apus_probe_answered(report);
    // Room was seen before whatever is reported here was taken up.
    apus_report_push(self->rings->reports, report);
}

bool polymarket_has_room(pm_session* self, uint64_t count) {
    bool room = apus_queue_room(self->rings->reports) >= count;
    if (!room && !self->halted) self->halts++;
    self->halted = !room;
    return room;
}

void polymarket_refuse(pm_session* self, const apus_order* order, uint8_t reason, uint64_t now_ns) {
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
    polymarket_report(self, &refusal);
}

static uint32_t report_account(pm_session* self, bool* due, uint8_t kind, int32_t code, uint64_t now_ns) {
    if (!*due || !polymarket_has_room(self, 1)) return 0;
    *due = false;
    apus_report report = {.kind = kind, .instrument = APUS_INSTRUMENT_NONE, .code = code, .receive_ns = now_ns};
    polymarket_report(self, &report);
    return 1;
}

// MARK: the user stream

// From the first page on.
static void begin_trades(pm_session* self) {
    memset(self->cursor, 0, sizeof self->cursor);
    memcpy(self->cursor, "MA==", 4);
    self->trades_round++;
}

void polymarket_trades_since(pm_session* self, uint64_t now_ns) {
    // Of several losses before the trades were told the first counts.
    if (self->trades_due) return;
    self->trades_after_s = polymarket_wall_ns(self, now_ns) / SECOND_NS - self->config.trades_overlap_s;
}

void polymarket_ask_trades(pm_session* self, uint64_t after_s) {
    bool none_due = self->greeted && !self->trades_due;
    if (none_due || after_s < self->trades_after_s) self->trades_after_s = after_s;
    self->trades_due = true;
    self->trades_ns = 0;
    begin_trades(self);
}

static bool named_before(const pm_session* self, uint32_t index) {
    for (uint32_t i = 0; i < index; i++) {
        if (strcmp(self->listings[i].condition, self->listings[index].condition) == 0) return true;
    }
    return false;
}

// Who asks, and for which markets: none named are all of the account's.
static uint32_t greet(pm_session* self, uint64_t now_ns) {
    if (self->greeted || self->user_link.state != APUS_LINK_OPEN) return 0;
    uint32_t count = self->market->instruments->count;
    if (count > NAMED_INSTRUMENTS) count = 0;
    size_t capacity = 1024 + (size_t)count * (APUS_POLYMARKET_CONDITION_BYTES + 4);
    uint8_t* payload;
    if (apus_link_reserve(&self->user_link, capacity, &payload) < 0) return 0;
    char* at = (char*)payload;
    at += snprintf(at, 1024, "{\"auth\":{\"apiKey\":\"%s\",\"secret\":\"%s\",\"passphrase\":\"%s\"},\"markets\":[",
                   self->signer.api_key, self->signer.secret, self->signer.passphrase);
    const char* comma = "";
    for (uint32_t i = 0; i < count; i++) {
        if (self->listings[i].condition[0] == 0 || named_before(self, i)) continue;
        at += snprintf(at, APUS_POLYMARKET_CONDITION_BYTES + 4, "%s\"%s\"", comma, self->listings[i].condition);
        comma = ",";
    }
    at += snprintf(at, 24, "],\"type\":\"user\"}");
    apus_link_commit(&self->user_link, payload, capacity, (size_t)(at - (char*)payload));
    self->greeted = true;
    self->missed = true;
    self->trades_due = true;
    self->trades_ns = now_ns;
    begin_trades(self);
    return 1;
}

static void lose_user(pm_session* self, uint64_t now_ns) {
    if (self->greeted) polymarket_trades_since(self, now_ns);
    self->greeted = false;
}

static uint32_t serve_user(pm_session* self, uint64_t now_ns) {
    apus_ws_item item;
    apus_link_change change;
    uint32_t work = 0;
    bool room;
    while ((room = polymarket_has_room(self, EVENT_REPORTS)) && apus_link_next(&self->user_link, now_ns, &item) > 0) {
        apus_probe_frame(item.size, now_ns);
        polymarket_take_event(self, item.data, item.size, now_ns);
        work++;
    }
    self->user.paused = !room;
    apus_link_tick(&self->user_link, now_ns);
    while (apus_link_poll_change(&self->user_link, &change)) {
        work++;
        bool ended =
            change.state == APUS_LINK_IDLE || change.state == APUS_LINK_CLOSING || change.state == APUS_LINK_WAITING;
        if (ended) lose_user(self, now_ns);
        apus_session_publish_change(&self->session, self->out, 0, &change);
    }
    return work + greet(self, now_ns);
}

// MARK: the decision thread

static void watch(pm_session* self, uint64_t now_ns) {
    if (apus_guard_watch(&self->guard, now_ns) != APUS_GUARD_STALL_BEGAN) return;
    self->stalled = true;
    self->stalled_orders = self->open.count;
    self->cancel_all_due = true;
    self->cancel_all_ns = now_ns;
}

// MARK: the session

static uint32_t turn(apus_session* session, uint64_t now_ns) {
    pm_session* self = self_of(session);
    uint32_t work = 0;
    for (uint32_t i = 0; i < self->config.lines; i++) {
        work += polymarket_serve_line(self, &self->lines[i], now_ns);
    }
    work += serve_user(self, now_ns);
    watch(self, now_ns);
    work += report_account(self, &self->missed, APUS_REPORT_MISSED, 0, now_ns);
    work += report_account(self, &self->stalled, APUS_REPORT_STALLED, (int32_t)self->stalled_orders, now_ns);
    if (!self->running) {
        polymarket_refuse_waiting(self, APUS_GUARD_NOT_CONNECTED, now_ns);
        return work;
    }
    // Who cancels everything and who keeps the switch open comes before new orders.
    work += polymarket_send_own(self, now_ns);
    return work + polymarket_take_orders(self, now_ns);
}

static uint64_t deadline(const apus_session* session) {
    const pm_session* self = (const pm_session*)(const void*)session;
    uint64_t due = apus_time_earlier(apus_link_deadline(&self->user_link), apus_guard_deadline(&self->guard));
    bool ready = false;
    for (uint32_t i = 0; i < self->config.lines; i++) {
        due = apus_time_earlier(due, polymarket_line_deadline(self, &self->lines[i]));
        ready |= self->lines[i].state == LINE_READY;
    }
    if (!ready || !self->running) return due;
    due = apus_time_earlier(due, apus_time_earlier(self->heartbeat_due_ns, self->pool_due_ns));
    if (self->cancel_all_due) due = apus_time_earlier(due, self->cancel_all_ns);
    if (self->trades_due) due = apus_time_earlier(due, self->trades_ns);
    if (!self->trades_due && self->audit_ns < self->audited_until_ns) due = apus_time_earlier(due, self->audit_ns);
    return due;
}

static void start(apus_session* session, uint64_t now_ns) {
    pm_session* self = self_of(session);
    self->running = true;
    self->version_due = true;
    self->trades_after_s = polymarket_wall_ns(self, now_ns) / SECOND_NS - self->config.trades_first_s;
    self->heartbeat_due_ns = self->config.heartbeat_interval_ns == 0 ? UINT64_MAX : now_ns;
    for (uint32_t i = 0; i < self->config.lines; i++) {
        if (self->lines[i].state == LINE_DOWN) polymarket_start_line(&self->lines[i], now_ns);
    }
    apus_link_start(&self->user_link, now_ns);
}

static void stop(apus_session* session, uint64_t now_ns) {
    pm_session* self = self_of(session);
    self->running = false;
    for (uint32_t i = 0; i < self->config.lines; i++) {
        polymarket_stop_line(self, &self->lines[i], now_ns);
    }
    apus_link_stop(&self->user_link, now_ns);
}

static bool stopped(const apus_session* session) {
    const pm_session* self = (const pm_session*)(const void*)session;
    for (uint32_t i = 0; i < self->config.lines; i++) {
        const apus_polymarket_line* line = &self->lines[i];
        if (line->state != LINE_DOWN || line->channel.state != APUS_CHANNEL_CLOSED) return false;
    }
    return !self->running && self->user_link.state == APUS_LINK_IDLE && self->user.state == APUS_CHANNEL_CLOSED;
}

static int command(apus_session* session, const apus_command* command, uint64_t now_ns) {
    pm_session* self = self_of(session);
    switch (command->kind) {
    case APUS_COMMAND_CANCEL_ALL:
        self->cancel_all_due = true;
        self->cancel_all_ns = now_ns;
        return 0;
    case APUS_COMMAND_RECONNECT:
        apus_link_reconnect(&self->user_link, APUS_REASON_SESSION, now_ns);
        return 0;
    default:
        return -ENOTSUP;
    }
}

static const apus_session_ops operations = {
    .name = "polymarket-orders",
    .start = start,
    .turn = turn,
    .deadline = deadline,
    .command = command,
    .stop = stop,
    .stopped = stopped,
};

// MARK: making

static int make_budget(pm_session* self) {
    const apus_polymarket_orders_config* config = &self->config;
    apus_budget* budget = &self->budget;
    apus_budget_init(budget);
    if (apus_budget_add_window(budget, config->posts_10s, SECONDS(10)) < 0
        || apus_budget_add_window(budget, config->posts_10min, SECONDS(600)) < 0
        || apus_budget_add_bucket(budget, config->orders_each_s, SECOND_NS, config->orders_burst) < 0
        || apus_budget_add_bucket(budget, config->cancels_each_s, SECOND_NS, config->cancels_burst) < 0) {
        return -EINVAL;
    }
    self->post_cost.of[ROW_POSTS] = self->post_cost.of[ROW_MANY_POSTS] = self->post_cost.of[ROW_ORDERS] = 1;
    self->cancel_cost.of[ROW_CANCELS] = 1;
    return 0;
}

static void* zeroed(apus_arena* arena, size_t bytes) {
    void* memory = apus_arena_alloc(arena, bytes);
    if (memory != NULL) memset(memory, 0, bytes);
    return memory;
}

static int make_tables(pm_session* self) {
    apus_arena* arena = self->market->arena;
    const size_t parts = APUS_POLYMARKET_PARTS_MAX * sizeof(apus_polymarket_part);
    uint32_t instruments = self->market->instruments->capacity;
    self->listings = zeroed(arena, instruments * sizeof *self->listings);
    self->waiting = zeroed(arena, APUS_POLYMARKET_WAITING * sizeof *self->waiting);
    self->text = zeroed(arena, APUS_POLYMARKET_BODY_BYTES);
    self->known.entries = zeroed(arena, APUS_POLYMARKET_KNOWN_MAX * sizeof *self->known.entries);
    self->known.slots = zeroed(arena, 2 * APUS_POLYMARKET_KNOWN_MAX * sizeof *self->known.slots);
    self->parts.young = zeroed(arena, parts);
    self->parts.old = zeroed(arena, parts);
    void* open = apus_arena_alloc(arena, apus_open_orders_bytes());
    if (!self->listings || !self->waiting || !self->text || !self->known.entries || !self->known.slots
        || !self->parts.young || !self->parts.old || !open) {
        return -ENOMEM;
    }
    apus_open_orders_init(&self->open, open);
    for (uint32_t i = 0; i < instruments; i++) {
        self->listings[i].version = UINT8_MAX; // not told yet
    }
    return 0;
}

static int make_channel(pm_session* self, apus_channel* channel, const apus_endpoint* endpoint) {
    apus_arena* arena = self->market->arena;
    uint8_t* rx = apus_arena_alloc(arena, self->config.rx_bytes);
    uint8_t* tx = apus_arena_alloc(arena, self->config.tx_bytes);
    if (rx == NULL || tx == NULL) return -ENOMEM;
    apus_channel_init(channel, rx, self->config.rx_bytes, tx, self->config.tx_bytes);
    channel->endpoint = *endpoint;
    return 0;
}

static int make_connections(pm_session* self, apus_random* seeds) {
    const apus_polymarket_orders_config* config = &self->config;
    int result = make_channel(self, &self->user, &config->user);
    self->channels[0] = &self->user;
    for (uint32_t i = 0; i < config->lines && result == 0; i++) {
        result = make_channel(self, &self->lines[i].channel, &config->api);
        self->channels[1 + i] = &self->lines[i].channel;
        apus_random_seed(&self->lines[i].random, apus_random_next(seeds));
    }
    self->session = (apus_session){.ops = &operations, .channels = self->channels, .channel_count = 1 + config->lines};
    if (result == 0) result = apus_pool_init(&self->pool, &config->pool, config->lines);
    if (result < 0) return result;
    apus_random random;
    apus_random_seed(&random, apus_random_next(seeds));
    return apus_link_init(&self->user_link, &self->user, &config->user_link, config->user_path, &random);
}

int apus_polymarket_orders_init(apus_polymarket_orders* self, const apus_polymarket_orders_config* config,
                                const apus_market* market, apus_private* rings, const apus_polymarket_signer* signer,
                                const apus_random* random) {
    memset(self, 0, sizeof *self);
    bool sizes = config->rx_bytes > APUS_PADDING + 2 * APUS_HTTP_HEAD_BYTES_MAX
                 && config->tx_bytes > APUS_POLYMARKET_BODY_BYTES + 4096;
    bool numbers = config->lines >= 1 && config->lines <= APUS_POLYMARKET_LINES && config->pool.max_in_flight == 1
                   && (config->version == 2 || config->version == 3)
                   && config->backoff_min_ns <= config->backoff_max_ns;
    if (!sizes || !numbers) return -EINVAL;
    self->config = *config;
    self->market = market;
    self->out = market->out;
    self->rings = rings;
    self->signer = *signer;
    self->version = config->version;
    self->guard = (apus_guard){.trading = rings->trading,
                               .decided = rings->decided,
                               .market = market,
                               .max_age_ns = config->max_age_ns,
                               .stall_ns = config->stall_ns};
    for (uint32_t i = 0; i < APUS_POLYMARKET_EXCHANGES; i++) {
        apus_polymarket_exchange_init(&self->exchanges[i], APUS_POLYMARKET_DOMAIN_NAME,
                                      i == APUS_POLYMARKET_V3 ? "3" : "2", config->chain_id, config->contracts[i]);
    }
    apus_random seeds = *random;
    int result = make_budget(self);
    if (result == 0) result = make_tables(self);
    return result == 0 ? make_connections(self, &seeds) : result;
}

int apus_polymarket_orders_list(apus_polymarket_orders* self, uint16_t instrument, const char* condition, bool neg_risk,
                                uint8_t version) {
    if (instrument >= self->market->instruments->count) return -ENOENT;
    const apus_instrument* entry = apus_instrument_at(self->market->instruments, instrument);
    apus_polymarket_listing listing = {.neg_risk = neg_risk, .version = version};
    if (version != 0 && version != 2 && version != 3) return -EINVAL;
    if (apus_word_parse(entry->symbol, entry->symbol_length, listing.token) < 0) return -EINVAL;
    if (condition != NULL) {
        uint8_t bytes[APUS_WORD_BYTES];
        if (apus_hex_parse(condition, strlen(condition), bytes, sizeof bytes) < 0) return -EINVAL;
        memcpy(listing.condition, condition, strlen(condition) + 1);
    }
    self->listings[instrument] = listing;
    return 0;
}
