// The market session of Polymarket: as many stream links ("lanes") as its tokens need.
//
//   NONE ── subscribe ──▶ WANTED ── sent ──▶ ASKED ── its book has come ──▶ ACTIVE
//   ASKED ── no book in book_timeout_ns ──▶ RENEW
//   ACTIVE ── the book is wanted anew, or there was no proof for probe_interval_ns ──▶ RENEW
//   RENEW ── unsubscription sent ──▶ WANTED
//   ASKED, ACTIVE, RENEW ── link lost ──▶ WANTED
//   any ── unsubscribe ──▶ UNWANTED ── sent, or link lost ──▶ NONE
//
// RENEW sends an unsubscription and a subscription: the venue answers with the whole book through the stream. That is
// how a broken book heals, and how a quiet one is told from a frozen stream: an answer to PING proves a socket, a book
// proves the stream. A lane on which neither a book nor a proof has come for link.data_timeout_ns is taken for frozen
// and connects anew.
#include "apus_polymarket.h"

#include <stdio.h>
#include <string.h>

enum { NONE, WANTED, ASKED, ACTIVE, RENEW, UNWANTED };

#define SECONDS(n) ((uint64_t)(n)*1000000000u)
#define MILLISECONDS(n) ((uint64_t)(n)*1000000u)
#define CHECK_INTERVAL_NS MILLISECONDS(50)
// A token in a message: its text, quotes and a comma.
#define TOKEN_BYTES (APUS_SYMBOL_BYTES + 3u)
#define COMMAND_BYTES 128u

// MARK: configuration

void apus_polymarket_config_default(apus_polymarket_config* config) {
    memset(config, 0, sizeof *config);
    config->stream = (apus_endpoint){.port = 443, .tls = true, .host = "ws-subscriptions-clob.polymarket.com"};
    snprintf(config->path, sizeof config->path, "/ws/market");
    config->lanes = APUS_SESSION_CHANNELS_MAX;
    config->tokens_each = 500;
    config->command_interval_ns = MILLISECONDS(100);
    config->book_timeout_ns = SECONDS(10);
    config->probe_interval_ns = SECONDS(30);
    config->probe_spacing_ns = SECONDS(1);
    config->rx_bytes = 8u << 20;
    config->tx_bytes = 128u << 10;
    config->custom_features = true;
    apus_link_config_default(&config->link);
    config->link.ping_kind = APUS_PING_TEXT;
    snprintf(config->link.ping_text, sizeof config->link.ping_text, "PING");
    config->link.ping_interval_ns = SECONDS(10);
    config->link.liveness_timeout_ns = SECONDS(30);
    config->link.data_timeout_ns = SECONDS(60);
    config->link.max_message_bytes = config->rx_bytes - APUS_PADDING - 4096;
}

// MARK: commands

static apus_publisher* publisher(apus_polymarket_session* self) {
    return self->polymarket.market->out;
}

static uint32_t table_count(const apus_polymarket_session* self) {
    return self->polymarket.market->instruments->count;
}

static size_t put_tokens(const apus_polymarket_session* self, char* to, uint8_t lane, uint8_t from, uint32_t* count) {
    size_t at = 0;
    for (uint32_t i = 0; i < table_count(self); i++) {
        const apus_polymarket_subscription* subscription = &self->subscriptions[i];
        if (subscription->state != from || subscription->lane != lane || *count == self->config.tokens_each) continue;
        const apus_instrument* entry = apus_instrument_at(self->polymarket.market->instruments, (uint16_t)i);
        if ((*count)++ > 0) to[at++] = ',';
        to[at++] = '"';
        memcpy(to + at, entry->symbol, entry->symbol_length);
        at += entry->symbol_length;
        to[at++] = '"';
    }
    return at;
}

// Sends one message about all tokens of a lane in a state, ending in `tail`. Returns 1, 0 when there are none, or what
// the link says.
static int send_command(apus_polymarket_session* self, uint8_t number, uint8_t from, const char* tail) {
    apus_polymarket_lane* lane = &self->lanes[number];
    uint8_t* payload;
    size_t room = (size_t)self->config.tokens_each * TOKEN_BYTES + COMMAND_BYTES;
    int result = apus_link_reserve(&lane->link, room, &payload);
    if (result < 0) return result;
    char* text = (char*)payload;
    uint32_t count = 0;
    size_t at = (size_t)snprintf(text, room, "{\"assets_ids\":[");
    at += put_tokens(self, text + at, number, from, &count);
    if (count == 0) return 0;
    at += (size_t)snprintf(text + at, room - at, "],%s}", tail);
    apus_link_commit(&lane->link, payload, room, at);
    return 1;
}

static void move_tokens(apus_polymarket_session* self, uint8_t lane, uint8_t from, uint8_t to, uint64_t now_ns) {
    for (uint32_t i = 0; i < table_count(self); i++) {
        apus_polymarket_subscription* subscription = &self->subscriptions[i];
        if (subscription->state != from || subscription->lane != lane) continue;
        subscription->state = to;
        subscription->asked_ns = now_ns;
    }
}

static int send_subscription(apus_polymarket_session* self, uint8_t number, uint64_t now_ns) {
    apus_polymarket_lane* lane = &self->lanes[number];
    const char* tail = lane->greeted                  ? "\"operation\":\"subscribe\""
                       : self->config.custom_features ? "\"type\":\"market\",\"custom_feature_enabled\":true"
                                                      : "\"type\":\"market\"";
    int result = send_command(self, number, WANTED, tail);
    if (result <= 0) return result;
    lane->greeted = true;
    move_tokens(self, number, WANTED, ASKED, now_ns);
    return 1;
}

// One message at a time, with a pause between two.
static uint32_t send_commands(apus_polymarket_session* self, uint8_t number, uint64_t now_ns) {
    apus_polymarket_lane* lane = &self->lanes[number];
    if (!lane->commands_waiting || lane->link.state != APUS_LINK_OPEN || now_ns < lane->next_command_ns) return 0;
    static const char unsubscribe[] = "\"operation\":\"unsubscribe\"";
    int result = send_command(self, number, UNWANTED, unsubscribe);
    if (result == 1) move_tokens(self, number, UNWANTED, NONE, now_ns);
    if (result == 0) {
        result = send_command(self, number, RENEW, unsubscribe);
        if (result == 1) move_tokens(self, number, RENEW, WANTED, now_ns);
    }
    if (result == 0) result = send_subscription(self, number, now_ns);
    if (result == 0) lane->commands_waiting = false;
    if (result != 0) lane->next_command_ns = now_ns + self->config.command_interval_ns; // also when there was no room
    return result > 0;
}

// MARK: subscribing

static int free_lane(const apus_polymarket_session* self) {
    for (uint32_t i = 0; i < self->config.lanes; i++) {
        if (self->lanes[i].tokens < self->config.tokens_each) return (int)i;
    }
    return -ENOSPC;
}

int apus_polymarket_session_subscribe(apus_polymarket_session* self, uint16_t instrument, uint64_t now_ns) {
    if (instrument >= table_count(self)) return -ENOENT;
    apus_polymarket_subscription* subscription = &self->subscriptions[instrument];
    if (subscription->state != NONE && subscription->state != UNWANTED) return 0;
    int number = subscription->state == UNWANTED ? subscription->lane : free_lane(self);
    if (number < 0 || self->lanes[number].tokens >= self->config.tokens_each) return -ENOSPC;
    if (apus_polymarket_market_open(&self->polymarket, instrument) == NULL) return -ENOMEM;
    apus_polymarket_lane* lane = &self->lanes[number];
    // One that is still to be unsubscribed must be, or the venue sends no book for it.
    subscription->state = subscription->state == UNWANTED ? RENEW : WANTED;
    subscription->lane = (uint8_t)number;
    lane->commands_waiting = true;
    if (lane->tokens++ == 0 && self->running) apus_link_start(&lane->link, now_ns);
    return 0;
}

int apus_polymarket_session_unsubscribe(apus_polymarket_session* self, uint16_t instrument, uint64_t now_ns) {
    if (instrument >= table_count(self)) return -ENOENT;
    apus_polymarket_subscription* subscription = &self->subscriptions[instrument];
    if (subscription->state == NONE || subscription->state == UNWANTED) return 0;
    apus_polymarket_lane* lane = &self->lanes[subscription->lane];
    apus_polymarket_market_drop(&self->polymarket, instrument);
    subscription->state = subscription->state == WANTED ? NONE : UNWANTED;
    lane->commands_waiting = true;
    if (--lane->tokens == 0) {
        // A connection without tokens would be taken for frozen.
        move_tokens(self, subscription->lane, UNWANTED, NONE, now_ns);
        apus_link_stop(&lane->link, now_ns);
    }
    return 0;
}

// MARK: a lane's life

static uint8_t loss_reason(const apus_link_change* change) {
    return change->reason == APUS_REASON_FROZEN ? APUS_BOOK_REASON_FROZEN : APUS_BOOK_REASON_DISCONNECTED;
}

// The connection is gone, and with it what it was subscribed to.
static void lose_lane(apus_polymarket_session* self, uint8_t number, uint8_t reason) {
    for (uint32_t i = 0; i < table_count(self); i++) {
        apus_polymarket_subscription* subscription = &self->subscriptions[i];
        if (subscription->lane != number || subscription->state == NONE) continue;
        if (subscription->state == UNWANTED) {
            subscription->state = NONE;
            continue;
        }
        subscription->state = WANTED;
        apus_polymarket_market_lost(&self->polymarket, (uint16_t)i, reason);
    }
}

static uint32_t take_changes(apus_polymarket_session* self, uint8_t number) {
    apus_polymarket_lane* lane = &self->lanes[number];
    apus_link_change change;
    uint32_t work = 0;
    while (apus_link_poll_change(&lane->link, &change)) {
        work++;
        apus_session_publish_change(&self->session, publisher(self), number, &change);
        if (self->tap != NULL) {
            const char* name = apus_link_state_name(change.state);
            const char* reason = apus_link_reason_name(change.reason);
            apus_tap_write(self->tap, APUS_TAP_STATE, number, change.at_ns, 0, reason, strlen(reason), name,
                           strlen(name));
        }
        if (change.state == APUS_LINK_OPEN) {
            lane->greeted = false;
            lane->commands_waiting = true;
            lane->next_command_ns = 0;
            lane->next_probe_ns = change.at_ns + self->config.probe_interval_ns;
        } else if (change.state != APUS_LINK_UPGRADING) {
            lose_lane(self, number, loss_reason(&change));
        }
    }
    return work;
}

static uint32_t take_messages(apus_polymarket_session* self, uint8_t number, uint64_t now_ns) {
    apus_polymarket_lane* lane = &self->lanes[number];
    apus_polymarket_market* market = &self->polymarket;
    apus_ws_item item;
    uint32_t work = 0;
    int kind;
    while ((kind = apus_link_next(&lane->link, now_ns, &item)) > 0) {
        work++;
        uint64_t receive_ns = lane->channel.receive_ns, kernel_ns = lane->channel.kernel_ns;
        if (self->tap != NULL) {
            apus_tap_write(self->tap, kind == APUS_WS_TEXT ? APUS_TAP_TEXT : APUS_TAP_BINARY, number, receive_ns,
                           kernel_ns, NULL, 0, item.data, item.size);
        }
        uint64_t fresh = market->books + market->proofs;
        apus_polymarket_market_message(market, item.data, item.size, receive_ns, kernel_ns);
        if (market->books + market->proofs != fresh) apus_link_proof(&lane->link, now_ns);
    }
    return work;
}

// MARK: books that are awaited, wanted, or quiet

static void renew(apus_polymarket_session* self, apus_polymarket_subscription* subscription) {
    subscription->state = RENEW;
    self->lanes[subscription->lane].commands_waiting = true;
}

static void check_token(apus_polymarket_session* self, uint16_t instrument, uint64_t now_ns) {
    apus_polymarket_subscription* subscription = &self->subscriptions[instrument];
    apus_polymarket_lane* lane = &self->lanes[subscription->lane];
    apus_market_book* book = apus_market_at(self->polymarket.market, instrument);
    if (book == NULL || book->venue == NULL || lane->link.state != APUS_LINK_OPEN) return;
    const apus_polymarket_proof* proof = apus_polymarket_proof_of(book);
    if (subscription->state == ASKED) {
        if (proof->book_ns >= subscription->asked_ns) {
            subscription->state = ACTIVE;
        } else if (now_ns - subscription->asked_ns > self->config.book_timeout_ns) {
            renew(self, subscription);
        }
        return;
    }
    if (subscription->state != ACTIVE) return;
    uint64_t proven_ns = proof->proven_ns > proof->book_ns ? proof->proven_ns : proof->book_ns;
    if (proof->wants_snapshot) {
        // A book that was wrong at once may be so again: not faster than books are waited for.
        if (book->reason != APUS_BOOK_REASON_HASH || now_ns - proof->book_ns > self->config.command_interval_ns * 10) {
            renew(self, subscription);
        }
    } else if (self->config.probe_interval_ns != 0 && now_ns >= lane->next_probe_ns
               && now_ns > proven_ns + self->config.probe_interval_ns) {
        self->probes++;
        lane->next_probe_ns = now_ns + self->config.probe_spacing_ns;
        renew(self, subscription);
    }
}

static void check_tokens(apus_polymarket_session* self, uint64_t now_ns) {
    if (now_ns < self->next_check_ns) return;
    self->next_check_ns = now_ns + CHECK_INTERVAL_NS;
    for (uint32_t i = 0; i < table_count(self); i++) {
        if (self->subscriptions[i].state == ASKED || self->subscriptions[i].state == ACTIVE) {
            check_token(self, (uint16_t)i, now_ns);
        }
    }
}

// MARK: the session

static apus_polymarket_session* self_of(apus_session* session) {
    return (apus_polymarket_session*)(void*)session;
}

static void start(apus_session* session, uint64_t now_ns) {
    apus_polymarket_session* self = self_of(session);
    self->running = true;
    for (uint32_t i = 0; i < self->config.lanes; i++) {
        if (self->lanes[i].tokens > 0) apus_link_start(&self->lanes[i].link, now_ns);
    }
}

static uint32_t turn(apus_session* session, uint64_t now_ns) {
    apus_polymarket_session* self = self_of(session);
    uint32_t work = 0;
    for (uint32_t i = 0; i < self->config.lanes; i++) {
        uint8_t lane = (uint8_t)i;
        work += take_messages(self, lane, now_ns);
        apus_link_tick(&self->lanes[i].link, now_ns);
        work += take_changes(self, lane);
        work += send_commands(self, lane, now_ns);
    }
    apus_polymarket_market_tick(&self->polymarket, now_ns);
    check_tokens(self, now_ns);
    return work;
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t deadline(const apus_session* session) {
    const apus_polymarket_session* self = (const apus_polymarket_session*)(const void*)session;
    uint64_t due = apus_polymarket_market_deadline(&self->polymarket);
    bool open = false;
    for (uint32_t i = 0; i < self->config.lanes; i++) {
        const apus_polymarket_lane* lane = &self->lanes[i];
        due = earlier(due, apus_link_deadline(&lane->link));
        if (lane->link.state != APUS_LINK_OPEN) continue;
        open = true;
        if (lane->commands_waiting) due = earlier(due, lane->next_command_ns);
    }
    return open ? earlier(due, self->next_check_ns) : due;
}

static void stop(apus_session* session, uint64_t now_ns) {
    apus_polymarket_session* self = self_of(session);
    self->running = false;
    for (uint32_t i = 0; i < self->config.lanes; i++)
        apus_link_stop(&self->lanes[i].link, now_ns);
}

static bool stopped(const apus_session* session) {
    const apus_polymarket_session* self = (const apus_polymarket_session*)(const void*)session;
    for (uint32_t i = 0; i < self->config.lanes; i++) {
        const apus_polymarket_lane* lane = &self->lanes[i];
        if (lane->link.state != APUS_LINK_IDLE || lane->channel.state != APUS_CHANNEL_CLOSED) return false;
    }
    return !self->running;
}

static int command(apus_session* session, const apus_command* command, uint64_t now_ns) {
    apus_polymarket_session* self = self_of(session);
    switch (command->kind) {
    case APUS_COMMAND_SUBSCRIBE:
        return apus_polymarket_session_subscribe(self, command->instrument, now_ns);
    case APUS_COMMAND_UNSUBSCRIBE:
        return apus_polymarket_session_unsubscribe(self, command->instrument, now_ns);
    case APUS_COMMAND_RECONNECT:
        for (uint32_t i = 0; i < self->config.lanes; i++)
            apus_link_reconnect(&self->lanes[i].link, APUS_REASON_SESSION, now_ns);
        return 0;
    default:
        return -ENOTSUP;
    }
}

static const apus_session_ops operations = {
    .name = "polymarket-market",
    .start = start,
    .turn = turn,
    .deadline = deadline,
    .command = command,
    .stop = stop,
    .stopped = stopped,
};

static int make_lane(apus_polymarket_session* self, uint32_t number, apus_random* seeds) {
    const apus_polymarket_config* config = &self->config;
    apus_arena* arena = self->polymarket.market->arena;
    apus_polymarket_lane* lane = &self->lanes[number];
    uint8_t* rx = apus_arena_alloc(arena, config->rx_bytes);
    uint8_t* tx = apus_arena_alloc(arena, config->tx_bytes);
    if (rx == NULL || tx == NULL) return -ENOMEM;
    apus_channel_init(&lane->channel, rx, config->rx_bytes, tx, config->tx_bytes);
    lane->channel.endpoint = config->stream;
    self->channels[number] = &lane->channel;
    apus_random random;
    apus_random_seed(&random, apus_random_next(seeds));
    return apus_link_init(&lane->link, &lane->channel, &config->link, config->path, &random);
}

int apus_polymarket_session_init(apus_polymarket_session* self, const apus_polymarket_config* config,
                                 apus_market* market, const apus_random* random) {
    memset(self, 0, sizeof *self);
    self->config = *config;
    uint64_t command_bytes = (uint64_t)config->tokens_each * TOKEN_BYTES + COMMAND_BYTES;
    if (config->lanes == 0 || config->lanes > APUS_SESSION_CHANNELS_MAX || config->tokens_each == 0
        || command_bytes > config->tx_bytes / 2) {
        return -EINVAL;
    }
    apus_arena* arena = market->arena;
    uint32_t capacity = market->instruments->capacity;
    apus_polymarket_level* levels = apus_arena_alloc(arena, APUS_POLYMARKET_LEVELS * sizeof *levels);
    self->lanes = apus_arena_alloc(arena, config->lanes * sizeof *self->lanes);
    self->subscriptions = apus_arena_alloc(arena, capacity * sizeof *self->subscriptions);
    if (levels == NULL || self->lanes == NULL || self->subscriptions == NULL) return -ENOMEM;
    memset(self->lanes, 0, config->lanes * sizeof *self->lanes);
    memset(self->subscriptions, 0, capacity * sizeof *self->subscriptions);
    int result = apus_polymarket_market_init(&self->polymarket, market, levels, APUS_POLYMARKET_LEVELS);
    if (result < 0) return result;
    self->session = (apus_session){.ops = &operations, .channels = self->channels, .channel_count = config->lanes};
    apus_random seeds = *random;
    for (uint32_t i = 0; i < config->lanes && result == 0; i++)
        result = make_lane(self, i, &seeds);
    return result;
}
