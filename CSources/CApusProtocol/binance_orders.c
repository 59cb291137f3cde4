// The order session. Its connections and the listen key:
//
//   API link OPEN, no key ── userDataStream.start ──▶ key in flight ── answer ──▶ key: the user link connects with it
//   key older than key_renewal_ns ── userDataStream.ping ──▶ answer good: renewed; bad: start anew
//   listenKeyExpired, or the user link has used the key and ended ──▶ no key
//
// Every connection of the user link asks for its key anew: the venue accepts a connection with a key that has expired in the
// meantime, and then says nothing on it.
//
// New orders pass while both links are OPEN and the report ring has room; cancels and queries need the API link alone.
//
// A user stream that answers pings may be frozen all the same. Each request that the venue says it has carried out makes an event:
// if none comes within event_grace_ns, the link reconnects.
#include "apus_binance_orders.h"
#include "apus_decimal.h"

#include <stdio.h>
#include <string.h>

enum { CHANNEL_API, CHANNEL_USER };
// Requests of the session's own, beside apus_order_action.
enum { ACTION_KEY_START = 100, ACTION_KEY_PING = 101 };

#define SECOND_NS 1000000000ull
#define ORDERS_EACH_TURN 64u
// Venue codes: a query for an order that does not exist; two that leave open whether the request was carried out.
#define CODE_NO_SUCH_ORDER (-2013)
#define CODE_UNEXPECTED_ANSWER (-1006)
#define CODE_TIMEOUT (-1007)

static apus_binance_orders* self_of(apus_session* session) {
    return (apus_binance_orders*)(void*)session;
}

static apus_binance_request* request_at(const apus_binance_orders* self, uint64_t number) {
    return &self->requests[number & (APUS_BINANCE_IN_FLIGHT - 1)];
}

void apus_binance_orders_config_usdm(apus_binance_orders_config* config) {
    memset(config, 0, sizeof *config);
    config->api = (apus_endpoint){.host = "ws-fapi.binance.com", .port = 443, .tls = true};
    config->user = (apus_endpoint){.host = "fstream.binance.com", .port = 443, .tls = true};
    snprintf(config->api_path, sizeof config->api_path, "/ws-fapi/v1");
    snprintf(config->user_path, sizeof config->user_path, "/private/ws/");
    snprintf(config->settlement_asset, sizeof config->settlement_asset, "USDT");
    config->answer_timeout_ns = 3 * SECOND_NS;
    config->max_age_ns = SECOND_NS;
    config->key_renewal_ns = 30 * 60 * SECOND_NS;
    config->event_grace_ns = 5 * SECOND_NS;
    apus_link_config_default(&config->api_link);
    apus_link_config_default(&config->user_link);
    config->api_link.max_message_bytes = config->user_link.max_message_bytes = 512u << 10;
    config->rx_bytes = 1u << 20;
    config->tx_bytes = 1u << 20;
}

// MARK: reports

static bool report(apus_binance_orders* self, const apus_report* report) {
    apus_publisher_count(self->out, APUS_COUNT_REPORTS, 1);
    apus_probe_answered(report);
    // Room was seen before whatever is reported here was taken up.
    return apus_report_push(self->rings->reports, report) == 0;
}

// Whether `count` reports fit. Without room the session reads and takes nothing more: a report is never dropped.
static bool has_room(apus_binance_orders* self, uint64_t count) {
    bool room = apus_queue_room(self->rings->reports) >= count;
    if (!room && !self->halted) self->halts++;
    self->halted = !room;
    self->api.paused = self->user.paused = self->halted;
    return room;
}

static void refuse(apus_binance_orders* self, const apus_order* order, uint8_t reason, uint64_t now_ns) {
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
    report(self, &refusal);
}

static apus_report report_on(const apus_binance_request* request, uint8_t kind, uint64_t now_ns) {
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

// MARK: sending

static uint64_t timestamp_ms(const apus_binance_orders* self, uint64_t now_ns) {
    return (now_ns + (uint64_t)self->out->realtime_offset) / 1000000;
}

static apus_binance_request* new_request(apus_binance_orders* self, uint64_t now_ns) {
    apus_binance_request* request = request_at(self, self->next_request);
    if (request->number != 0) return NULL;
    *request = (apus_binance_request){.number = self->next_request++, .queued_ns = now_ns};
    return request;
}

static bool send_key_request(apus_binance_orders* self, uint8_t action, uint64_t now_ns) {
    char text[APUS_BINANCE_REQUEST_BYTES];
    apus_binance_request* request = new_request(self, now_ns);
    if (request == NULL) return false;
    request->action = action;
    int length = snprintf(
        text, sizeof text, "{\"id\":\"%llu\",\"method\":\"userDataStream.%s\",\"params\":{\"apiKey\":\"%s\"}}",
        (unsigned long long)request->number, action == ACTION_KEY_START ? "start" : "ping", self->signer.api_key);
    if (apus_link_send_text(&self->api_link, text, (size_t)length) < 0) {
        request->number = 0;
        return false;
    }
    request->tx_mark = self->api.tx_total + apus_buffer_used(&self->api.tx);
    self->key_in_flight = true;
    return true;
}

static uint8_t connection_check(const apus_binance_orders* self, const apus_order* order) {
    if (self->api_link.state != APUS_LINK_OPEN) return APUS_GUARD_NOT_CONNECTED;
    bool adds_risk = order->action == APUS_ORDER_PLACE || order->action == APUS_ORDER_MODIFY;
    if (adds_risk && self->user_link.state != APUS_LINK_OPEN) return APUS_GUARD_NOT_CONNECTED;
    return APUS_GUARD_PASSED;
}

static void send_order(apus_binance_orders* self, const apus_order* order, uint64_t now_ns) {
    apus_probe_taken(order);
    uint8_t reason = apus_guard_check(&self->guard, order, now_ns);
    if (reason == APUS_GUARD_PASSED) reason = connection_check(self, order);
    apus_binance_request* request = reason == APUS_GUARD_PASSED ? new_request(self, now_ns) : NULL;
    if (reason == APUS_GUARD_PASSED && request == NULL) reason = APUS_GUARD_IN_FLIGHT_FULL;
    uint8_t* payload;
    if (request != NULL && apus_link_reserve(&self->api_link, APUS_BINANCE_REQUEST_BYTES, &payload) < 0) {
        request->number = 0;
        reason = APUS_GUARD_BUFFER_FULL;
    }
    if (reason != APUS_GUARD_PASSED) {
        refuse(self, order, reason, now_ns);
        return;
    }
    const apus_instrument* instrument = apus_instrument_at(self->market->instruments, order->instrument);
    size_t length = apus_binance_encode_order(&self->signer, instrument, order, request->number,
                                              timestamp_ms(self, now_ns), (char*)payload);
    apus_link_commit(&self->api_link, payload, APUS_BINANCE_REQUEST_BYTES, length);
    request->client_id = order->action == APUS_ORDER_PLACE ? order->client_id : order->target_id;
    request->decided_ns = order->decided_ns;
    request->price = order->price;
    request->quantity = order->quantity;
    request->instrument = order->instrument;
    request->action = order->action;
    request->side = order->side;
    request->tx_mark = self->api.tx_total + apus_buffer_used(&self->api.tx);
    apus_publisher_count(self->out, APUS_COUNT_ORDERS_SENT, 1);
}

static uint32_t take_orders(apus_binance_orders* self, uint64_t now_ns) {
    apus_order order;
    uint32_t work = 0;
    // An order whose refusal could not be reported stays in the ring.
    while (work < ORDERS_EACH_TURN && has_room(self, 1) && apus_order_take(self->rings, &order)) {
        send_order(self, &order, now_ns);
        work++;
    }
    return work;
}

// Notes when requests left for the kernel, after the shell has written.
static void note_sent(apus_binance_orders* self) {
    while (self->next_unsent < self->next_request) {
        apus_binance_request* request = request_at(self, self->next_unsent);
        if (request->number == self->next_unsent) {
            if (self->api.tx_total < request->tx_mark) return;
            request->sent_ns = self->api.sent_ns;
            apus_probe_sent(&request->client_id, &request->decided_ns, &request->sent_ns);
            if (request->decided_ns != 0) {
                apus_histogram_record_signed(&self->out->counters->hops[APUS_HOP_ORDER_SENT],
                                             (int64_t)(request->sent_ns - request->decided_ns));
            }
        }
        self->next_unsent++;
    }
}

// MARK: answers

// Gives the user link the path of a key. Returns false when there is no usable key in the answer.
static bool use_key(apus_binance_orders* self, const apus_binance_answer* answer, uint64_t now_ns) {
    if (answer->status != 200 || answer->listen_key == NULL) return false;
    char path[APUS_PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s%.*s", self->config.user_path, (int)answer->listen_key_length,
                          (const char*)answer->listen_key);
    if (length >= (int)sizeof path) return false;
    apus_link* link = &self->user_link;
    bool same = strcmp(link->path, path) == 0;
    if (apus_link_set_path(link, path) < 0) return false;
    if (link->state == APUS_LINK_IDLE)
        apus_link_start(link, now_ns);
    else if (!same)
        apus_link_reconnect(link, APUS_REASON_SESSION, now_ns);
    return true;
}

static void take_key_answer(apus_binance_orders* self, const apus_binance_request* request,
                            const apus_binance_answer* answer, uint64_t now_ns) {
    self->key_in_flight = false;
    self->has_key = request->action == ACTION_KEY_PING ? answer->status == 200 : use_key(self, answer, now_ns);
    self->key_due_ns = now_ns + (self->has_key ? self->config.key_renewal_ns : SECOND_NS);
}

static uint8_t good_kind(const apus_binance_request* request) {
    switch (request->action) {
    case APUS_ORDER_CANCEL:
        return APUS_REPORT_CANCELED;
    case APUS_ORDER_MODIFY:
        return APUS_REPORT_MODIFIED;
    case APUS_ORDER_QUERY:
        return APUS_REPORT_STATUS;
    default:
        return APUS_REPORT_ACCEPTED;
    }
}

static uint8_t bad_kind(const apus_binance_request* request, const apus_binance_answer* answer) {
    // A server error (5xx) does not say whether the request was carried out.
    if (answer->status >= 500 || answer->code == CODE_TIMEOUT || answer->code == CODE_UNEXPECTED_ANSWER) {
        return APUS_REPORT_UNKNOWN;
    }
    switch (request->action) {
    case APUS_ORDER_CANCEL:
        return APUS_REPORT_CANCEL_REJECTED;
    case APUS_ORDER_MODIFY:
        return APUS_REPORT_MODIFY_REJECTED;
    case APUS_ORDER_QUERY:
        return answer->code == CODE_NO_SUCH_ORDER ? APUS_REPORT_NOT_FOUND : APUS_REPORT_UNKNOWN;
    default:
        return APUS_REPORT_REJECTED;
    }
}

static void take_order_answer(apus_binance_orders* self, const apus_binance_request* request,
                              const apus_binance_answer* answer, uint64_t now_ns) {
    bool good = answer->status == 200;
    apus_report result = report_on(request, good ? good_kind(request) : bad_kind(request, answer), now_ns);
    result.code = answer->code;
    result.venue_ns = answer->event_time_ms * 1000000ull;
    if (good) {
        result.venue_order_id = answer->venue_order_id;
        result.status = answer->order_status;
        result.cumulative = answer->cumulative;
        result.price = answer->price;
        result.quantity = answer->quantity;
    }
    if (request->sent_ns != 0) {
        apus_histogram_record_signed(&self->out->counters->hops[APUS_HOP_SENT_ANSWER],
                                     (int64_t)(self->api.receive_ns - request->sent_ns));
    }
    report(self, &result);
}

// A request that was carried out must show on the user stream.
static void expect_event(apus_binance_orders* self, const apus_binance_request* request, uint64_t now_ns) {
    bool makes_event = request->action != APUS_ORDER_QUERY && request->action < ACTION_KEY_START;
    if (!makes_event || self->config.event_grace_ns == 0 || self->event_ns >= request->queued_ns) return;
    uint64_t due_ns = now_ns + self->config.event_grace_ns;
    if (due_ns < self->event_due_ns) self->event_due_ns = due_ns;
}

static void check_events(apus_binance_orders* self, uint64_t now_ns) {
    if (now_ns < self->event_due_ns || self->user_link.state != APUS_LINK_OPEN) return;
    self->event_due_ns = UINT64_MAX;
    self->freezes++;
    apus_link_reconnect(&self->user_link, APUS_REASON_FROZEN, now_ns);
}

static void take_answer(apus_binance_orders* self, const apus_binance_answer* answer, uint64_t now_ns) {
    apus_binance_request* request = request_at(self, answer->request_id);
    if (answer->request_id == 0 || request->number != answer->request_id) return; // late: it was reported UNKNOWN
    if (request->action >= ACTION_KEY_START)
        take_key_answer(self, request, answer, now_ns);
    else
        take_order_answer(self, request, answer, now_ns);
    if (answer->status == 200) expect_event(self, request, now_ns);
    request->number = 0;
}

static void take_event(apus_binance_orders* self, const apus_binance_answer* event, uint64_t now_ns) {
    if (!event->ours || event->execution == 0) {
        self->foreign_events++;
        return;
    }
    self->event_ns = now_ns;
    self->event_due_ns = UINT64_MAX;
    bool fill = event->execution == APUS_REPORT_FILL;
    apus_report result = {
        .client_id = event->client_id,
        .venue_order_id = event->venue_order_id,
        .trade_id = event->trade_id,
        .instrument = event->instrument,
        .kind = event->execution,
        .side = event->side,
        .status = event->order_status,
        .flags = (uint8_t)((event->maker ? APUS_REPORT_MAKER : 0)
                           | (event->fee_other_asset ? APUS_REPORT_FEE_OTHER_ASSET : 0)),
        .price = fill ? event->last_price : event->price,
        .quantity = fill ? event->last_quantity : event->quantity,
        .cumulative = event->cumulative,
        .fee = event->fee,
        .venue_ns = event->event_time_ms * 1000000ull,
        .receive_ns = now_ns,
    };
    report(self, &result);
}

static void take_message(apus_binance_orders* self, const apus_link* link, const apus_ws_item* item, uint64_t now_ns) {
    apus_binance_answer answer;
    apus_probe_frame(item->size, now_ns);
    if (apus_binance_decode_answer(self->market->instruments, self->config.settlement_asset, item->data, item->size,
                                   &answer)
        < 0) {
        // If it answered a request, that request times out and is asked about. An event is simply gone.
        self->decode_errors++;
        apus_publisher_count(self->out, APUS_COUNT_DECODE_ERRORS, 1);
        if (link == &self->user_link) self->missed = true;
        return;
    }
    switch (answer.kind) {
    case APUS_BINANCE_ORDER_ANSWER:
        take_answer(self, &answer, now_ns);
        break;
    case APUS_BINANCE_ORDER_EVENT:
        take_event(self, &answer, now_ns);
        break;
    case APUS_BINANCE_KEY_EXPIRED:
        self->has_key = false;
        self->key_due_ns = now_ns;
        apus_link_reconnect(&self->user_link, APUS_REASON_SESSION, now_ns);
        break;
    default:
        break;
    }
}

static uint32_t take_messages(apus_binance_orders* self, apus_link* link, uint64_t now_ns) {
    apus_ws_item item;
    uint32_t work = 0;
    while (has_room(self, 1) && apus_link_next(link, now_ns, &item) > 0) {
        take_message(self, link, &item, now_ns);
        work++;
    }
    return work;
}

static uint32_t report_missed(apus_binance_orders* self, uint64_t now_ns) {
    if (!self->missed || !has_room(self, 1)) return 0;
    self->missed = false;
    apus_report missed = {.kind = APUS_REPORT_MISSED, .instrument = APUS_INSTRUMENT_NONE, .receive_ns = now_ns};
    report(self, &missed);
    return 1;
}

// MARK: lost answers

// Reports the oldest requests as UNKNOWN whose connection is gone or whose answer did not come in time.
static uint32_t take_losses(apus_binance_orders* self, uint64_t now_ns) {
    uint32_t work = 0;
    while (self->oldest_request < self->next_request) {
        apus_binance_request* request = request_at(self, self->oldest_request);
        if (request->number == self->oldest_request) {
            bool lost = request->number < self->lost_through;
            bool late = now_ns - request->queued_ns > self->config.answer_timeout_ns;
            if ((!lost && !late) || !has_room(self, 1)) return work;
            if (request->action >= ACTION_KEY_START) {
                self->key_in_flight = false;
                self->key_due_ns = now_ns;
            } else {
                apus_report unknown = report_on(request, APUS_REPORT_UNKNOWN, now_ns);
                report(self, &unknown);
            }
            request->number = 0;
            work++;
        }
        self->oldest_request++;
    }
    return work;
}

// MARK: connections

static uint32_t take_changes(apus_binance_orders* self, apus_link* link, uint32_t channel, uint64_t now_ns) {
    apus_link_change change;
    uint32_t work = 0;
    while (apus_link_poll_change(link, &change)) {
        work++;
        bool ended = change.state != APUS_LINK_OPEN && change.state != APUS_LINK_UPGRADING
                     && change.state != APUS_LINK_CONNECTING;
        if (channel == CHANNEL_API && ended) {
            self->lost_through = self->next_request;
            self->next_unsent = self->next_request;
        }
        if (channel == CHANNEL_USER && ended) {
            self->event_due_ns = UINT64_MAX;
            if (link->path_spent) self->has_key = false;
            if (!self->has_key) self->key_due_ns = now_ns;
        }
        if (channel == CHANNEL_USER && change.state == APUS_LINK_OPEN) self->missed = true;
        apus_session_publish_change(&self->session, self->out, channel, &change);
    }
    return work;
}

static void keep_key(apus_binance_orders* self, uint64_t now_ns) {
    if (!self->running || self->key_in_flight || self->api_link.state != APUS_LINK_OPEN) return;
    if (now_ns < self->key_due_ns) return;
    if (!send_key_request(self, self->has_key ? ACTION_KEY_PING : ACTION_KEY_START, now_ns)) {
        self->key_due_ns = now_ns + SECOND_NS;
    }
}

// MARK: the session

static uint32_t turn(apus_session* session, uint64_t now_ns) {
    apus_binance_orders* self = self_of(session);
    note_sent(self);
    uint32_t work = take_messages(self, &self->api_link, now_ns);
    work += take_messages(self, &self->user_link, now_ns);
    apus_link_tick(&self->api_link, now_ns);
    apus_link_tick(&self->user_link, now_ns);
    work += take_changes(self, &self->api_link, CHANNEL_API, now_ns);
    work += take_changes(self, &self->user_link, CHANNEL_USER, now_ns);
    work += take_losses(self, now_ns);
    work += report_missed(self, now_ns);
    check_events(self, now_ns);
    keep_key(self, now_ns);
    return work + take_orders(self, now_ns);
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t deadline(const apus_session* session) {
    const apus_binance_orders* self = (const apus_binance_orders*)(const void*)session;
    uint64_t due = earlier(apus_link_deadline(&self->api_link), apus_link_deadline(&self->user_link));
    if (self->api_link.state == APUS_LINK_OPEN && !self->key_in_flight) due = earlier(due, self->key_due_ns);
    if (self->oldest_request < self->next_request) {
        const apus_binance_request* request = request_at(self, self->oldest_request);
        due = request->number == 0 ? 0 : earlier(due, request->queued_ns + self->config.answer_timeout_ns + 1);
    }
    return self->user_link.state == APUS_LINK_OPEN ? earlier(due, self->event_due_ns) : due;
}

static void start(apus_session* session, uint64_t now_ns) {
    apus_binance_orders* self = self_of(session);
    self->running = true;
    self->key_due_ns = now_ns;
    apus_link_start(&self->api_link, now_ns);
}

static void stop(apus_session* session, uint64_t now_ns) {
    apus_binance_orders* self = self_of(session);
    self->running = false;
    apus_link_stop(&self->api_link, now_ns);
    apus_link_stop(&self->user_link, now_ns);
}

static bool stopped(const apus_session* session) {
    const apus_binance_orders* self = (const apus_binance_orders*)(const void*)session;
    return !self->running && self->api_link.state == APUS_LINK_IDLE && self->user_link.state == APUS_LINK_IDLE
           && self->api.state == APUS_CHANNEL_CLOSED && self->user.state == APUS_CHANNEL_CLOSED;
}

static int command(apus_session* session, const apus_command* command, uint64_t now_ns) {
    apus_binance_orders* self = self_of(session);
    if (command->kind != APUS_COMMAND_RECONNECT) return -ENOTSUP;
    apus_link_reconnect(&self->api_link, APUS_REASON_SESSION, now_ns);
    apus_link_reconnect(&self->user_link, APUS_REASON_SESSION, now_ns);
    return 0;
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

int apus_binance_orders_init(apus_binance_orders* self, const apus_binance_orders_config* config,
                             const apus_market* market, apus_private* rings, const apus_binance_signer* signer,
                             const apus_random* random) {
    memset(self, 0, sizeof *self);
    self->config = *config;
    self->market = market;
    self->out = market->out;
    self->rings = rings;
    self->signer = *signer;
    self->guard = (apus_guard){.trading = rings->trading, .market = market, .max_age_ns = config->max_age_ns};
    self->next_request = self->oldest_request = self->next_unsent = 1;
    self->event_due_ns = UINT64_MAX;
    self->config.user_link.fresh_path = true;
    apus_arena* arena = market->arena;
    size_t table = APUS_BINANCE_IN_FLIGHT * sizeof *self->requests;
    self->requests = apus_arena_alloc(arena, table);
    uint8_t* rx[2] = {apus_arena_alloc(arena, config->rx_bytes), apus_arena_alloc(arena, config->rx_bytes)};
    uint8_t* tx[2] = {apus_arena_alloc(arena, config->tx_bytes), apus_arena_alloc(arena, config->tx_bytes)};
    if (!self->requests || !rx[0] || !rx[1] || !tx[0] || !tx[1]) return -ENOMEM;
    memset(self->requests, 0, table);
    apus_channel_init(&self->api, rx[0], config->rx_bytes, tx[0], config->tx_bytes);
    apus_channel_init(&self->user, rx[1], config->rx_bytes, tx[1], config->tx_bytes);
    self->api.endpoint = config->api;
    self->user.endpoint = config->user;
    self->channels[CHANNEL_API] = &self->api;
    self->channels[CHANNEL_USER] = &self->user;
    self->session = (apus_session){.ops = &operations, .channels = self->channels, .channel_count = 2};
    apus_random seeds = *random;
    apus_random api_random, user_random;
    apus_random_seed(&api_random, apus_random_next(&seeds));
    apus_random_seed(&user_random, apus_random_next(&seeds));
    int result = apus_link_init(&self->api_link, &self->api, &config->api_link, config->api_path, &api_random);
    if (result < 0) return result;
    return apus_link_init(&self->user_link, &self->user, &self->config.user_link, config->user_path, &user_random);
}
