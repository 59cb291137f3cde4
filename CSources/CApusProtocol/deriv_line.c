// One connection: its subscriptions, the requests that wait, and the venue's budgets.
//
//   subscription of an instrument:
//
//     NONE ── subscribe ──▶ WANTED ── request sent ──▶ ASKED ── first message ──▶ ACTIVE
//                             ▲ ▲                        │                          │
//                             │ └── refused, after a pause ◀────────────────────────┤ the venue ends it
//                             └──── forget sent ── RENEW ◀──────────────────────────┤ a proposal was used, or is quiet for long
//     NONE ◀── forget sent ── UNWANTED ◀── unsubscribe ─────────────────────────────┘
//     ASKED, ACTIVE, RENEW ── link lost ──▶ WANTED          UNWANTED ── link lost ──▶ NONE
//
// A subscription of ticks that begins again asks for the history since the newest tick, once it is answered. The same request proves a
// quiet stream: what it shows and the stream does not bring within probe_grace_ns shows a frozen one, and the link reconnects. An
// open socket that answers pings proves nothing of that kind, and a closed market is not a dead feed.
//
// A request of the line's own that is not answered in time makes the link reconnect: a subscription that is only believed to be there
// is a frozen feed. Buys and sells have their own rules and are never sent again.
#include "apus_deriv.h"

#include <stdio.h>
#include <string.h>

enum subscription { NONE, WANTED, ASKED, ACTIVE, RENEW, UNWANTED };

#define SECOND_NS 1000000000ull
#define MINUTE_NS (60 * SECOND_NS)
#define HOUR_NS (60 * MINUTE_NS)
#define CHECK_INTERVAL_NS 50000000ull
// The venue counts by the minute and does not say when it will take requests again.
#define RATE_PAUSE_NS (10 * SECOND_NS)
#define PROBE_SPACING_NS SECOND_NS
#define REFUSALS_COUNTED 3u
#define NUMBER_BYTES 40u

// MARK: configuration

static void set_endpoint(apus_endpoint* endpoint, const char* host) {
    *endpoint = (apus_endpoint){.port = 443, .tls = true};
    snprintf(endpoint->host, sizeof endpoint->host, "%s", host);
}

void apus_deriv_config_default(apus_deriv_config* config, uint8_t api, const char* app_id) {
    static const uint32_t minute[APUS_DERIV_ROWS] = {360, 100, 30, 220};
    static const uint32_t hour[APUS_DERIV_ROWS] = {14400, 2000, 1500, 14400};
    memset(config, 0, sizeof *config);
    config->api = api;
    bool v3 = api == APUS_DERIV_V3;
    set_endpoint(&config->stream, v3 ? "ws.derivws.com" : "api.derivws.com");
    if (v3)
        snprintf(config->path, sizeof config->path, "/websockets/v3?app_id=%s", app_id != NULL ? app_id : "1089");
    else
        snprintf(config->path, sizeof config->path, "/trading/v1/options/ws/public");
    snprintf(config->currency, sizeof config->currency, "USD");
    memcpy(config->minute, minute, sizeof minute);
    memcpy(config->hour, hour, sizeof hour);
    config->reserve = 60;
    config->answer_timeout_ns = 10 * SECOND_NS;
    config->refusal_pause_ns = 5 * SECOND_NS;
    config->probe_grace_ns = 5 * SECOND_NS;
    config->probe_interval_ns = 30 * SECOND_NS;
    config->proposal_interval_ns = 60 * SECOND_NS;
    apus_link_config_default(&config->link);
    config->link.ping_kind = APUS_PING_TEXT;
    snprintf(config->link.ping_text, sizeof config->link.ping_text, "{\"ping\":1}");
    config->link.ping_interval_ns = 30 * SECOND_NS;
    config->link.liveness_timeout_ns = 75 * SECOND_NS;
    config->link.backoff_min_ns = SECOND_NS;
    config->link.backoff_max_ns = 8 * SECOND_NS;
    config->link.max_message_bytes = 1u << 20;
    config->rx_bytes = 2u << 20;
    config->tx_bytes = 64u << 10;
}

int apus_deriv_line_init(apus_deriv_line* line, const apus_deriv_config* config, apus_market* market,
                         apus_session* session, uint8_t channel_number, const apus_random* random) {
    memset(line, 0, sizeof *line);
    line->config = *config;
    line->session = session;
    line->channel_number = channel_number;
    line->next_request = line->oldest_request = 1;
    apus_deriv_market_init(&line->deriv, market);
    apus_budget_init(&line->budget);
    for (uint32_t row = 0; row < APUS_DERIV_ROWS; row++) {
        int minute = apus_budget_add_window(&line->budget, config->minute[row], MINUTE_NS);
        int hour = apus_budget_add_window(&line->budget, config->hour[row], HOUR_NS);
        if (minute < 0) return minute;
        if (hour < 0) return hour;
        line->costs[row].of[minute] = line->costs[row].of[hour] = 1;
    }
    size_t requests = APUS_DERIV_REQUESTS * sizeof *line->requests;
    size_t subscriptions = market->instruments->capacity * sizeof *line->subscriptions;
    line->requests = apus_arena_alloc(market->arena, requests);
    line->subscriptions = apus_arena_alloc(market->arena, subscriptions);
    uint8_t* rx = apus_arena_alloc(market->arena, config->rx_bytes);
    uint8_t* tx = apus_arena_alloc(market->arena, config->tx_bytes);
    if (!line->requests || !line->subscriptions || !rx || !tx) return -ENOMEM;
    memset(line->requests, 0, requests);
    memset(line->subscriptions, 0, subscriptions);
    apus_channel_init(&line->channel, rx, config->rx_bytes, tx, config->tx_bytes);
    line->channel.endpoint = config->stream;
    return apus_link_init(&line->link, &line->channel, &config->link, config->path, random);
}

// MARK: requests

static apus_deriv_request* request_at(const apus_deriv_line* line, uint64_t number) {
    return &line->requests[number & (APUS_DERIV_REQUESTS - 1)];
}

static bool is_order(uint8_t action) {
    return action == APUS_DERIV_ASK_BUY || action == APUS_DERIV_ASK_SELL;
}

static bool may_send(apus_deriv_line* line, uint8_t row, uint8_t action, uint64_t now_ns) {
    if (line->link.state != APUS_LINK_OPEN) return false;
    // The number of a request is its place in the table, so that an order needs a free one too.
    if (request_at(line, line->next_request)->number != 0) return false;
    if (!is_order(action) && row == APUS_DERIV_ROW_TRADE
        && apus_budget_left(&line->budget, 2 * APUS_DERIV_ROW_TRADE, now_ns) <= line->config.reserve) {
        return false;
    }
    return apus_budget_allows(&line->budget, &line->costs[row], now_ns);
}

uint64_t apus_deriv_line_send(apus_deriv_line* line, uint8_t row, const apus_deriv_request* request, const char* text,
                              size_t length, uint64_t now_ns) {
    uint8_t* payload;
    if (!may_send(line, row, request->action, now_ns)) return 0;
    size_t room = length + NUMBER_BYTES;
    if (apus_link_reserve(&line->link, room, &payload) < 0) return 0;
    uint64_t number = line->next_request++;
    memcpy(payload, text, length);
    int tail = snprintf((char*)payload + length, NUMBER_BYTES, ",\"req_id\":%llu}", (unsigned long long)number);
    apus_link_commit(&line->link, payload, room, length + (size_t)tail);
    apus_budget_take(&line->budget, &line->costs[row], now_ns);
    if (is_order(request->action)) return number;
    apus_deriv_request* place = request_at(line, number);
    *place = *request;
    place->number = number;
    place->queued_ns = now_ns;
    return number;
}

bool apus_deriv_line_answered(apus_deriv_line* line, apus_deriv_request* request) {
    const apus_deriv_message* message = &line->deriv.last;
    apus_deriv_request* place = request_at(line, message->request);
    if (!message->answers || message->request == 0 || place->number != message->request) return false;
    *request = *place;
    place->number = 0;
    return true;
}

// False: a request has waited too long.
static bool check_requests(apus_deriv_line* line, uint64_t now_ns) {
    while (line->oldest_request < line->next_request) {
        const apus_deriv_request* request = request_at(line, line->oldest_request);
        if (request->number == line->oldest_request) {
            return now_ns - request->queued_ns <= line->config.answer_timeout_ns;
        }
        line->oldest_request++;
    }
    return true;
}

// MARK: asking for instruments

static const apus_market* market_of(const apus_deriv_line* line) {
    return line->deriv.market;
}

static apus_deriv_book* book_of(const apus_deriv_line* line, uint16_t instrument) {
    apus_market_book* book = apus_deriv_market_book(&line->deriv, instrument);
    return book == NULL ? NULL : apus_deriv_book_of(book);
}

static bool ask_ticks(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    char text[APUS_DERIV_REQUEST_BYTES];
    const apus_deriv_text* name = &book_of(line, instrument)->shape.underlying;
    apus_deriv_request request = {.action = APUS_DERIV_ASK_TICKS, .instrument = instrument};
    int length =
        snprintf(text, sizeof text, "{\"ticks\":\"%.*s\",\"subscribe\":1", (int)name->length, (const char*)name->bytes);
    return apus_deriv_line_send(line, APUS_DERIV_ROW_OTHER, &request, text, (size_t)length, now_ns) != 0;
}

static bool ask_history(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    char text[APUS_DERIV_REQUEST_BYTES];
    const apus_deriv_book* book = book_of(line, instrument);
    const apus_deriv_text* name = &book->shape.underlying;
    apus_deriv_request request = {.action = APUS_DERIV_ASK_HISTORY, .instrument = instrument};
    int length =
        snprintf(text, sizeof text,
                 "{\"ticks_history\":\"%.*s\",\"start\":%llu,\"end\":\"latest\",\"style\":\"ticks\",\"count\":5000",
                 (int)name->length, (const char*)name->bytes, (unsigned long long)book->epoch);
    return apus_deriv_line_send(line, APUS_DERIV_ROW_OTHER, &request, text, (size_t)length, now_ns) != 0;
}

static bool ask_proposal(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    char text[APUS_DERIV_REQUEST_BYTES], barrier[APUS_SYMBOL_BYTES + 16] = "";
    const apus_deriv_shape* shape = &book_of(line, instrument)->shape;
    apus_deriv_request request = {.action = APUS_DERIV_ASK_PROPOSAL, .instrument = instrument};
    if (shape->barrier.bytes != NULL) {
        snprintf(barrier, sizeof barrier, ",\"barrier\":\"%.*s\"", (int)shape->barrier.length,
                 (const char*)shape->barrier.bytes);
    }
    int length =
        snprintf(text, sizeof text,
                 "{\"proposal\":1,\"subscribe\":1,\"amount\":%.*s,\"basis\":\"%s\",\"contract_type\":\"%.*s\","
                 "\"currency\":\"%s\","
                 "\"duration\":%u,\"duration_unit\":\"%c\",\"%s\":\"%.*s\"%s",
                 (int)shape->amount.length, (const char*)shape->amount.bytes, shape->pays ? "payout" : "stake",
                 (int)shape->type.length, (const char*)shape->type.bytes, line->config.currency, shape->duration,
                 shape->unit, line->config.api == APUS_DERIV_V3 ? "symbol" : "underlying_symbol",
                 (int)shape->underlying.length, (const char*)shape->underlying.bytes, barrier);
    return apus_deriv_line_send(line, APUS_DERIV_ROW_TRADE, &request, text, (size_t)length, now_ns) != 0;
}

// A stream that is not known by an id has ended by itself.
static bool send_forget(apus_deriv_line* line, apus_deriv_subscription* subscription, uint64_t now_ns) {
    char text[APUS_DERIV_REQUEST_BYTES];
    apus_deriv_request request = {.action = APUS_DERIV_ASK_FORGET, .instrument = APUS_INSTRUMENT_NONE};
    if (subscription->id[0] == 0) return true;
    int length = snprintf(text, sizeof text, "{\"forget\":\"%s\"", subscription->id);
    if (apus_deriv_line_send(line, APUS_DERIV_ROW_OTHER, &request, text, (size_t)length, now_ns) == 0) return false;
    subscription->id[0] = 0;
    return true;
}

int apus_deriv_line_subscribe(apus_deriv_line* line, uint16_t instrument) {
    if (instrument >= market_of(line)->instruments->count) return -ENOENT;
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    if (subscription->state != NONE && subscription->state != UNWANTED) return 0;
    const apus_instrument* entry = apus_instrument_at(market_of(line)->instruments, instrument);
    apus_deriv_shape shape;
    if (apus_deriv_shape_parse(entry->symbol, entry->symbol_length, &shape) < 0) return -EINVAL;
    if (apus_deriv_market_open(&line->deriv, instrument) == NULL) return -ENOMEM;
    subscription->state = subscription->state == UNWANTED ? RENEW : WANTED;
    subscription->due_ns = line->next_check_ns = 0;
    return 0;
}

int apus_deriv_line_unsubscribe(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    if (instrument >= market_of(line)->instruments->count) return -ENOENT;
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    if (subscription->state == NONE || subscription->state == UNWANTED) return 0;
    apus_deriv_market_drop(&line->deriv, instrument);
    subscription->state = subscription->state == WANTED ? NONE : UNWANTED;
    subscription->proposal[0] = 0;
    subscription->history_asked = false;
    subscription->expect_epoch = 0;
    line->next_check_ns = now_ns;
    return 0;
}

void apus_deriv_line_renew(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    subscription->proposal[0] = 0;
    if (subscription->state != ACTIVE) return;
    subscription->state = RENEW;
    subscription->due_ns = line->next_check_ns = now_ns;
}

// MARK: looking after what waits

static void check_active(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    apus_deriv_book* book = book_of(line, instrument);
    const apus_deriv_config* config = &line->config;
    if (book == NULL) return;
    if (apus_deriv_is_contract(&book->shape)) {
        if (config->proposal_interval_ns != 0 && now_ns - subscription->news_ns > config->proposal_interval_ns) {
            apus_deriv_line_renew(line, instrument, now_ns);
        }
        return;
    }
    if (subscription->expect_epoch != 0) {
        if (book->touch_epoch >= subscription->expect_epoch)
            subscription->expect_epoch = 0;
        else if (now_ns >= subscription->expect_ns) {
            line->frozen++;
            subscription->expect_epoch = 0;
            apus_link_reconnect(&line->link, APUS_REASON_FROZEN, now_ns);
        }
        return;
    }
    if (subscription->history_asked) return;
    bool quiet = config->probe_interval_ns != 0 && now_ns - subscription->news_ns > config->probe_interval_ns
                 && now_ns >= line->next_probe_ns && book->epoch != 0;
    if (!book->holding && !quiet) return;
    if (!ask_history(line, instrument, now_ns)) return;
    subscription->history_asked = true;
    subscription->probing = !book->holding;
    if (subscription->probing) line->next_probe_ns = now_ns + PROBE_SPACING_NS;
    apus_deriv_market_hold(&line->deriv, instrument);
}

// Does the next step of a subscription. Returns whether something was sent.
static bool step(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    const apus_deriv_book* book = book_of(line, instrument);
    switch (subscription->state) {
    case UNWANTED:
        // The answer that is still waited for brings the id.
        if (subscription->asked || !send_forget(line, subscription, now_ns)) return false;
        subscription->state = NONE;
        return true;
    case RENEW:
        if (subscription->asked || !send_forget(line, subscription, now_ns)) return false;
        subscription->state = WANTED;
        return true;
    case WANTED: {
        if (book == NULL || now_ns < subscription->due_ns) return false;
        bool contract = apus_deriv_is_contract(&book->shape);
        if (!(contract ? ask_proposal(line, instrument, now_ns) : ask_ticks(line, instrument, now_ns))) return false;
        subscription->state = ASKED;
        subscription->asked = true;
        return true;
    }
    default:
        return false;
    }
}

uint32_t apus_deriv_line_keep(apus_deriv_line* line, uint64_t now_ns) {
    uint32_t work = 0;
    if (line->link.state != APUS_LINK_OPEN || now_ns < line->next_check_ns) return 0;
    line->next_check_ns = now_ns + CHECK_INTERVAL_NS;
    if (!check_requests(line, now_ns)) {
        apus_link_reconnect(&line->link, APUS_REASON_SESSION, now_ns);
        return 1;
    }
    if (!line->usable) return 0;
    for (uint32_t i = 0; i < market_of(line)->instruments->count; i++) {
        if (line->subscriptions[i].state == NONE) continue;
        while (step(line, (uint16_t)i, now_ns))
            work++;
        if (line->subscriptions[i].state == ACTIVE) check_active(line, (uint16_t)i, now_ns);
        if (line->link.state != APUS_LINK_OPEN) return work;
    }
    return work;
}

uint64_t apus_deriv_line_deadline(const apus_deriv_line* line) {
    uint64_t due = apus_link_deadline(&line->link);
    return line->link.state == APUS_LINK_OPEN && line->next_check_ns < due ? line->next_check_ns : due;
}

// MARK: what the venue says

static void copy_id(char to[APUS_DERIV_ID_BYTES], const apus_deriv_text* from) {
    size_t length = from->length < APUS_DERIV_ID_BYTES ? from->length : 0;
    if (length > 0) memcpy(to, from->bytes, length);
    to[length] = 0;
}

static bool has_id(const char id[APUS_DERIV_ID_BYTES], const apus_deriv_text* text) {
    return id[0] != 0 && text->bytes != NULL && strlen(id) == text->length
           && memcmp(id, text->bytes, text->length) == 0;
}

static uint16_t subscribed_to(const apus_deriv_line* line, const apus_deriv_text* id) {
    if (id->bytes == NULL) return APUS_INSTRUMENT_NONE;
    for (uint32_t i = 0; i < market_of(line)->instruments->count; i++) {
        if (has_id(line->subscriptions[i].id, id)) return (uint16_t)i;
    }
    return APUS_INSTRUMENT_NONE;
}

// The venue has refused or ended a subscription.
static void refused(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    uint64_t pause = line->config.refusal_pause_ns << subscription->refusals;
    line->refusals++;
    subscription->asked = false;
    if (subscription->refusals < REFUSALS_COUNTED) subscription->refusals++;
    if (subscription->state == NONE || subscription->state == UNWANTED) {
        subscription->state = NONE;
        return;
    }
    subscription->state = WANTED;
    subscription->due_ns = now_ns + pause;
    subscription->id[0] = subscription->proposal[0] = 0;
    subscription->history_asked = false;
    subscription->expect_epoch = 0;
    apus_deriv_market_lost(&line->deriv, instrument, APUS_BOOK_REASON_UNSUBSCRIBED);
    // It goes on without us knowing its id: only a new connection ends it.
    if (line->deriv.last.error == APUS_DERIV_ERROR_SUBSCRIBED) {
        apus_link_reconnect(&line->link, APUS_REASON_SESSION, now_ns);
    }
}

// A message of a subscription has come.
static void note_news(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    if (line->deriv.last.subscription.bytes != NULL) copy_id(subscription->id, &line->deriv.last.subscription);
    subscription->news_ns = now_ns;
    subscription->refusals = 0;
    subscription->asked = false;
    if (subscription->state == ASKED) subscription->state = ACTIVE;
    apus_link_proof(&line->link, now_ns);
}

static void count_fault(apus_deriv_line* line) {
    line->decode_errors++;
    apus_publisher_count(market_of(line)->out, APUS_COUNT_DECODE_ERRORS, 1);
}

static void take_tick(apus_deriv_line* line, uint64_t now_ns) {
    const apus_deriv_text* symbol = &line->deriv.last.fields[APUS_DERIV_SYMBOL];
    uint16_t instrument = apus_instrument_find(market_of(line)->instruments, symbol->bytes, symbol->length);
    if (instrument == APUS_INSTRUMENT_NONE || line->subscriptions[instrument].state == NONE) return;
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    const apus_deriv_book* book = book_of(line, instrument);
    bool first = subscription->state == ASKED;
    note_news(line, instrument, now_ns);
    if (first && book != NULL && book->epoch != 0) {
        apus_deriv_market_hold(&line->deriv, instrument);
        line->next_check_ns = now_ns;
    }
    if (apus_deriv_market_tick(&line->deriv, line->channel.receive_ns, line->channel.kernel_ns) == 0) return;
    count_fault(line);
    // The history may tell what this message did not.
    apus_deriv_market_hold(&line->deriv, instrument);
}

static void take_history(apus_deriv_line* line, uint16_t instrument, uint64_t now_ns) {
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    const apus_deriv_book* book = book_of(line, instrument);
    if (book == NULL || !subscription->history_asked) return;
    subscription->history_asked = false;
    if (line->deriv.last.error != APUS_DERIV_ERROR_NONE) {
        line->refusals++;
        apus_deriv_market_release(&line->deriv, instrument, line->channel.receive_ns);
        return;
    }
    subscription->news_ns = now_ns;
    if (apus_deriv_market_history(&line->deriv, instrument, line->channel.receive_ns, line->channel.kernel_ns) < 0) {
        count_fault(line);
        return;
    }
    if (subscription->probing && book->touch_epoch < book->epoch) {
        subscription->expect_epoch = book->epoch;
        subscription->expect_ns = now_ns + line->config.probe_grace_ns;
    }
}

static void take_proposal(apus_deriv_line* line, const apus_deriv_request* request, uint64_t now_ns) {
    const apus_deriv_message* message = &line->deriv.last;
    uint16_t instrument = request != NULL ? request->instrument : subscribed_to(line, &message->subscription);
    if (instrument == APUS_INSTRUMENT_NONE) return;
    apus_deriv_subscription* subscription = &line->subscriptions[instrument];
    if (message->error != APUS_DERIV_ERROR_NONE) {
        refused(line, instrument, now_ns);
        return;
    }
    // What a stream says between a forget and its answer can be bought no more.
    if (subscription->state != ASKED && subscription->state != ACTIVE && subscription->state != UNWANTED) return;
    note_news(line, instrument, now_ns);
    if (book_of(line, instrument) == NULL) return;
    int64_t price;
    const apus_instrument* entry = apus_instrument_at(market_of(line)->instruments, instrument);
    if (apus_deriv_decimal(&message->fields[APUS_DERIV_ASK_PRICE], entry->price_decimals, &price) < 0 || price <= 0) {
        count_fault(line);
        subscription->proposal[0] = 0;
        apus_deriv_market_lost(&line->deriv, instrument, APUS_BOOK_REASON_DECODE);
        return;
    }
    copy_id(subscription->proposal, &message->fields[APUS_DERIV_ID]);
    apus_deriv_market_quote(&line->deriv, instrument, APUS_SIDE_ASK, price, line->channel.receive_ns,
                            line->channel.kernel_ns);
}

static uint8_t row_of(uint8_t action) {
    switch (action) {
    case APUS_DERIV_ASK_PROPOSAL:
    case APUS_DERIV_ASK_CONTRACT:
    case APUS_DERIV_ASK_BUY:
    case APUS_DERIV_ASK_SELL:
        return APUS_DERIV_ROW_TRADE;
    case APUS_DERIV_ASK_BALANCE:
        return APUS_DERIV_ROW_ACCOUNT;
    case APUS_DERIV_ASK_PORTFOLIO:
    case APUS_DERIV_ASK_TABLE:
        return APUS_DERIV_ROW_HOLDINGS;
    default:
        return APUS_DERIV_ROW_OTHER;
    }
}

static uint8_t row_of_kind(uint8_t kind) {
    switch (kind) {
    case APUS_DERIV_BUY:
        return row_of(APUS_DERIV_ASK_BUY);
    case APUS_DERIV_SELL:
        return row_of(APUS_DERIV_ASK_SELL);
    default:
        return APUS_DERIV_ROW_OTHER;
    }
}

static void take_rate_limit(apus_deriv_line* line, const apus_deriv_request* request, uint64_t now_ns) {
    uint8_t row = request != NULL ? row_of(request->action) : row_of_kind(line->deriv.last.kind);
    line->rate_limits++;
    apus_budget_blocked_until(&line->budget, 2u * row, now_ns + RATE_PAUSE_NS);
}

bool apus_deriv_line_take(apus_deriv_line* line, const apus_deriv_request* request, uint64_t now_ns) {
    const apus_deriv_message* message = &line->deriv.last;
    uint8_t action = request != NULL ? request->action : 0;
    bool failed = message->error != APUS_DERIV_ERROR_NONE;
    if (message->error == APUS_DERIV_ERROR_RATE_LIMIT) take_rate_limit(line, request, now_ns);
    switch (action) {
    case APUS_DERIV_ASK_TICKS:
        if (failed)
            refused(line, request->instrument, now_ns);
        else if (message->kind == APUS_DERIV_TICK)
            take_tick(line, now_ns);
        return true;
    case APUS_DERIV_ASK_HISTORY:
        take_history(line, request->instrument, now_ns);
        return true;
    case APUS_DERIV_ASK_PROPOSAL:
        take_proposal(line, request, now_ns);
        return true;
    case APUS_DERIV_ASK_FORGET:
        return true;
    case 0:
        break;
    default:
        return false;
    }
    if (message->kind == APUS_DERIV_PING || message->kind == APUS_DERIV_FORGET) return true;
    if (message->kind == APUS_DERIV_TICK || message->kind == APUS_DERIV_PROPOSAL) {
        uint16_t ended = failed ? subscribed_to(line, &message->subscription) : APUS_INSTRUMENT_NONE;
        if (ended != APUS_INSTRUMENT_NONE)
            refused(line, ended, now_ns);
        else if (!failed && message->kind == APUS_DERIV_TICK)
            take_tick(line, now_ns);
        else if (!failed)
            take_proposal(line, NULL, now_ns);
        return true;
    }
    return false;
}

int apus_deriv_line_next(apus_deriv_line* line, uint64_t now_ns) {
    apus_ws_item item;
    int kind;
    while ((kind = apus_link_next(&line->link, now_ns, &item)) > 0) {
        if (line->tap != NULL) {
            apus_tap_write(line->tap, kind == APUS_WS_TEXT ? APUS_TAP_TEXT : APUS_TAP_BINARY,
                           apus_connection_number(line->session, line->channel_number), line->channel.receive_ns,
                           line->channel.kernel_ns, NULL, 0, item.data, item.size);
        }
        apus_probe_frame(item.size, now_ns);
        if (apus_deriv_decode(item.data, item.size, &line->deriv.last) == 0) return 1;
        count_fault(line);
    }
    return 0;
}

// MARK: the link's life

// The connection is gone, and with it everything that was asked for on it.
static void lose(apus_deriv_line* line, uint8_t reason) {
    line->usable = false;
    line->next_check_ns = 0;
    line->oldest_request = line->next_request;
    memset(line->requests, 0, APUS_DERIV_REQUESTS * sizeof *line->requests);
    for (uint32_t i = 0; i < market_of(line)->instruments->count; i++) {
        apus_deriv_subscription* subscription = &line->subscriptions[i];
        if (subscription->state == NONE) continue;
        uint8_t state = subscription->state == UNWANTED ? NONE : WANTED;
        *subscription = (apus_deriv_subscription){.state = state};
        if (state == WANTED) apus_deriv_market_lost(&line->deriv, (uint16_t)i, reason);
    }
}

uint32_t apus_deriv_line_changes(apus_deriv_line* line, bool* opened, bool* ended) {
    apus_link_change change;
    uint32_t work = 0;
    while (apus_link_poll_change(&line->link, &change)) {
        work++;
        apus_session_publish_change(line->session, market_of(line)->out, line->channel_number, &change);
        if (line->tap != NULL) {
            const char *name = apus_link_state_name(change.state), *reason = apus_link_reason_name(change.reason);
            apus_tap_write(line->tap, APUS_TAP_STATE, apus_connection_number(line->session, line->channel_number),
                           change.at_ns, 0, reason, strlen(reason), name, strlen(name));
        }
        if (change.state == APUS_LINK_OPEN) {
            *opened = true;
            *ended = false;
        } else if (change.state != APUS_LINK_UPGRADING && change.state != APUS_LINK_CONNECTING) {
            lose(line, change.reason == APUS_REASON_FROZEN ? APUS_BOOK_REASON_FROZEN : APUS_BOOK_REASON_DISCONNECTED);
            *ended = true;
            *opened = false;
        }
    }
    return work;
}
