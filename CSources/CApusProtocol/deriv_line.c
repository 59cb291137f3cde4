// One connection: its requests, the venue's budgets, and its life. Subscriptions are in deriv_subscriptions.c.
//
// A request of the line's own that is not answered in time makes the link reconnect: a subscription that is only
// believed to be there is a frozen feed. Buys and sells have their own rules and are never sent again.
#include "deriv_line.h"

#include <stdio.h>
#include <string.h>

#define SECOND_NS 1000000000ull
#define MINUTE_NS (60 * SECOND_NS)
#define HOUR_NS (60 * MINUTE_NS)
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

// Moves to the next number whose place is free: one request that waits for a lost answer holds up no other. False when all wait.
static bool find_place(apus_deriv_line* line) {
    uint64_t number = line->next_request;
    while (request_at(line, number)->number != 0)
        if (++number - line->next_request == APUS_DERIV_REQUESTS) return false;
    line->next_request = number;
    return true;
}

static bool may_send(apus_deriv_line* line, uint8_t row, uint8_t action, uint64_t now_ns) {
    if (line->link.state != APUS_LINK_OPEN || !find_place(line)) return false;
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
bool deriv_check_requests(apus_deriv_line* line, uint64_t now_ns) {
    while (line->oldest_request < line->next_request) {
        const apus_deriv_request* request = request_at(line, line->oldest_request);
        if (request->number == line->oldest_request) {
            return now_ns - request->queued_ns <= line->config.answer_timeout_ns;
        }
        line->oldest_request++;
    }
    return true;
}

// MARK: messages

void deriv_count_fault(apus_deriv_line* line) {
    line->decode_errors++;
    apus_publisher_count(deriv_market_of(line)->out, APUS_COUNT_DECODE_ERRORS, 1);
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
        deriv_count_fault(line);
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
    for (uint32_t i = 0; i < deriv_market_of(line)->instruments->count; i++) {
        apus_deriv_subscription* subscription = &line->subscriptions[i];
        if (subscription->state == DERIV_NONE) continue;
        uint8_t state = subscription->state == DERIV_UNWANTED ? DERIV_NONE : DERIV_WANTED;
        *subscription = (apus_deriv_subscription){.state = state};
        if (state == DERIV_WANTED) apus_deriv_market_lost(&line->deriv, (uint16_t)i, reason);
    }
}

uint32_t apus_deriv_line_changes(apus_deriv_line* line, bool* opened, bool* ended) {
    apus_link_change change;
    uint32_t work = 0;
    while (apus_link_poll_change(&line->link, &change)) {
        work++;
        apus_session_publish_change(line->session, deriv_market_of(line)->out, line->channel_number, &change);
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
