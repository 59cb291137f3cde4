// The market session of Binance: one stream link for everything, one REST queue for snapshots and probes.
//
//   subscription of an instrument:   NONE ── subscribe ──▶ WANTED ── sent ──▶ SENT ── link lost ──▶ WANTED
//                                      ▲                                       │
//                                      └──── sent ──── UNWANTED ◀─ unsubscribe ┘
//
// A quiet book is not a dead feed, and an open socket that answers pings is not a live one. A book without a depth message for
// probe_interval_ns is held against a small REST snapshot: the same best levels, or an update id that the stream has reached,
// prove it; an id that the stream does not reach within probe_grace_ns shows a frozen stream, and the link reconnects.
#include "apus_binance.h"

#include <stdio.h>
#include <string.h>

enum { SUBSCRIPTION_NONE, SUBSCRIPTION_WANTED, SUBSCRIPTION_SENT, SUBSCRIPTION_UNWANTED };
enum { CHANNEL_STREAM, CHANNEL_REST };
enum { REQUEST_SNAPSHOT, REQUEST_PROBE };

#define CHECK_INTERVAL_NS 50000000ull
#define MINIMUM_PAUSE_NS 1000000000ull
#define QUIET_START_NS 2000000000ull
#define PROBE_LEVELS 5u
// One stream's name in a message: quotes, comma, symbol, suffix.
#define STREAM_TEXT_BYTES (APUS_SYMBOL_BYTES + 40u)

static apus_publisher* publisher(apus_binance_session* self) {
    return self->binance.market->out;
}

// MARK: configuration

static void copy_text(char* to, size_t capacity, const char* from) {
    snprintf(to, capacity, "%s", from);
}

static void set_endpoint(apus_endpoint* endpoint, const char* host) {
    *endpoint = (apus_endpoint){.port = 443, .tls = true};
    copy_text(endpoint->host, sizeof endpoint->host, host);
}

static void set_defaults(apus_binance_config* config, const char* stream, const char* rest, const char* depth_path) {
    memset(config, 0, sizeof *config);
    set_endpoint(&config->stream, stream);
    set_endpoint(&config->rest, rest);
    copy_text(config->stream_path, sizeof config->stream_path, "/stream");
    copy_text(config->depth_path, sizeof config->depth_path, depth_path);
    copy_text(config->depth_suffix, sizeof config->depth_suffix, "@depth@0ms");
    copy_text(config->ticker_suffix, sizeof config->ticker_suffix, "@bookTicker");
    copy_text(config->trade_suffix, sizeof config->trade_suffix, "@trade");
    config->snapshot_limit = 1000;
    config->snapshot_retry_ns = MINIMUM_PAUSE_NS;
    config->probe_interval_ns = 30 * MINIMUM_PAUSE_NS;
    config->probe_grace_ns = 5 * MINIMUM_PAUSE_NS;
    config->command_interval_ns = 250000000ull;
    config->streams_each = 100;
    apus_link_config_default(&config->link);
    apus_fetch_config_default(&config->fetch);
    config->rx_bytes = 8u << 20;
    config->tx_bytes = 64u << 10;
}

void apus_binance_config_usdm(apus_binance_config* config) {
    set_defaults(config, "fstream.binance.com", "fapi.binance.com", "/fapi/v1/depth");
    copy_text(config->stream_path, sizeof config->stream_path, "/public/stream");
}

void apus_binance_config_coinm(apus_binance_config* config) {
    set_defaults(config, "dstream.binance.com", "dapi.binance.com", "/dapi/v1/depth");
}

void apus_binance_config_spot(apus_binance_config* config) {
    set_defaults(config, "stream.binance.com", "api.binance.com", "/api/v3/depth");
    copy_text(config->depth_suffix, sizeof config->depth_suffix, "@depth@100ms");
    config->snapshot_limit = 5000;
}

// MARK: subscriptions

static size_t put_stream(char* to, const apus_instrument* instrument, const char* suffix, bool first) {
    size_t at = 0;
    if (!first) to[at++] = ',';
    to[at++] = '"';
    for (uint32_t i = 0; i < instrument->symbol_length; i++) {
        char c = instrument->symbol[i];
        to[at++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    size_t length = strlen(suffix);
    memcpy(to + at, suffix, length);
    at += length;
    to[at++] = '"';
    return at;
}

static size_t put_streams(const apus_binance_session* self, char* to, uint16_t instrument, uint32_t* count) {
    const apus_binance_config* config = &self->config;
    const char* suffixes[] = {config->depth_suffix, config->ticker_suffix, config->trade_suffix};
    size_t at = 0;
    for (size_t i = 0; i < 3; i++) {
        if (suffixes[i][0] == 0) continue;
        at += put_stream(to + at, apus_instrument_at(self->binance.market->instruments, instrument), suffixes[i],
                         *count == 0);
        ++*count;
    }
    return at;
}

// Sends one message for as many instruments in `from` as fit, and moves them to `to`. Returns whether it sent one.
static bool send_command(apus_binance_session* self, const char* method, uint8_t from, uint8_t to, uint64_t now_ns) {
    uint8_t* payload;
    size_t room = self->config.streams_each * STREAM_TEXT_BYTES + 128;
    if (apus_link_reserve(&self->link, room, &payload) < 0) return false;
    char* text = (char*)payload;
    size_t at = (size_t)snprintf(text, room, "{\"method\":\"%s\",\"params\":[", method);
    uint32_t count = 0, named = self->binance.market->instruments->count;
    for (uint32_t i = 0; i < named && count + 3 <= self->config.streams_each; i++) {
        if (self->wanted[i] != from) continue;
        at += put_streams(self, text + at, (uint16_t)i, &count);
        self->wanted[i] = to;
        apus_market_book* book = apus_market_at(self->binance.market, (uint16_t)i);
        if (book != NULL) book->applied_ns = now_ns;
    }
    if (count == 0) return false;
    at += (size_t)snprintf(text + at, room - at, "],\"id\":%llu}", (unsigned long long)++self->command_id);
    apus_link_commit(&self->link, payload, room, at);
    return true;
}

static uint32_t send_commands(apus_binance_session* self, uint64_t now_ns) {
    if (!self->commands_waiting || self->link.state != APUS_LINK_OPEN || now_ns < self->next_command_ns) return 0;
    if (send_command(self, "UNSUBSCRIBE", SUBSCRIPTION_UNWANTED, SUBSCRIPTION_NONE, now_ns)
        || send_command(self, "SUBSCRIBE", SUBSCRIPTION_WANTED, SUBSCRIPTION_SENT, now_ns)) {
        self->next_command_ns = now_ns + self->config.command_interval_ns;
        return 1;
    }
    self->commands_waiting = false;
    return 0;
}

int apus_binance_session_subscribe(apus_binance_session* self, uint16_t instrument) {
    if (instrument >= self->binance.market->instruments->count) return -ENOENT;
    if (self->wanted[instrument] == SUBSCRIPTION_WANTED || self->wanted[instrument] == SUBSCRIPTION_SENT) return 0;
    if (apus_binance_market_open(&self->binance, instrument) == NULL) return -ENOMEM;
    self->wanted[instrument] = SUBSCRIPTION_WANTED;
    self->commands_waiting = true;
    return 0;
}

int apus_binance_session_unsubscribe(apus_binance_session* self, uint16_t instrument) {
    if (instrument >= self->binance.market->instruments->count) return -ENOENT;
    apus_binance_market_drop(&self->binance, instrument);
    bool sent = self->wanted[instrument] == SUBSCRIPTION_SENT;
    self->wanted[instrument] = sent ? SUBSCRIPTION_UNWANTED : SUBSCRIPTION_NONE;
    self->commands_waiting |= sent;
    return 0;
}

static void resubscribe(apus_binance_session* self) {
    for (uint32_t i = 0; i < self->binance.market->instruments->count; i++) {
        if (self->wanted[i] == SUBSCRIPTION_SENT) self->wanted[i] = SUBSCRIPTION_WANTED;
        if (self->wanted[i] == SUBSCRIPTION_UNWANTED) self->wanted[i] = SUBSCRIPTION_NONE;
    }
    self->commands_waiting = true;
}

// MARK: snapshots and probes

static bool submit(apus_binance_session* self, uint16_t instrument, uint32_t kind, uint32_t limit, uint64_t now_ns) {
    char path[APUS_PATH_BYTES];
    const apus_instrument* entry = apus_instrument_at(self->binance.market->instruments, instrument);
    snprintf(path, sizeof path, "%s?symbol=%.*s&limit=%u", self->config.depth_path, (int)entry->symbol_length,
             entry->symbol, limit);
    apus_fetch_request request = {
        .method = "GET", .path = path, .tag = (uint64_t)kind << 32 | instrument, .idempotent = true};
    return apus_fetch_submit(&self->fetch, &request, now_ns) == 0;
}

static void ask_snapshot(apus_binance_session* self, apus_market_book* book, uint64_t now_ns) {
    apus_binance_sync* sync = book->venue;
    if (sync->requested_ns != 0) return;
    if (sync->retry_later && now_ns - sync->wanted_ns < self->config.snapshot_retry_ns) return;
    if (submit(self, book->instrument, REQUEST_SNAPSHOT, self->config.snapshot_limit, now_ns)) {
        sync->requested_ns = sync->wanted_ns = now_ns;
    }
}

static void ask_probe(apus_binance_session* self, apus_market_book* book, uint64_t now_ns) {
    apus_binance_sync* sync = book->venue;
    if (sync->probe_update != 0 || sync->probe_ns != 0) return;
    if (submit(self, book->instrument, REQUEST_PROBE, PROBE_LEVELS, now_ns)) sync->probe_ns = now_ns;
}

static bool frozen(const apus_binance_session* self, const apus_binance_sync* sync, uint64_t now_ns) {
    return sync->probe_update != 0 && now_ns - sync->probe_ns > self->config.probe_grace_ns;
}

static void freeze(apus_binance_session* self, uint64_t now_ns) {
    self->probes_frozen++;
    apus_binance_market_lost(&self->binance, APUS_BOOK_REASON_FROZEN);
    apus_link_reconnect(&self->link, APUS_REASON_FROZEN, now_ns);
}

// Looks at every book: asks for snapshots that are wanted, probes books that are quiet.
static void check_books(apus_binance_session* self, uint64_t now_ns) {
    if (self->link.state != APUS_LINK_OPEN || now_ns < self->next_check_ns) return;
    self->next_check_ns = now_ns + CHECK_INTERVAL_NS;
    for (uint32_t i = 0; i < self->binance.market->instruments->count; i++) {
        apus_market_book* book = apus_market_at(self->binance.market, (uint16_t)i);
        if (book == NULL || book->venue == NULL || self->wanted[i] != SUBSCRIPTION_SENT) continue;
        apus_binance_sync* sync = book->venue;
        if (frozen(self, sync, now_ns)) {
            freeze(self, now_ns);
            return;
        }
        if (now_ns < self->next_rest_ns) continue;
        uint64_t quiet_ns = now_ns - book->applied_ns;
        if (sync->wants_snapshot) {
            ask_snapshot(self, book, now_ns);
        } else if (!sync->snapshot_applied) {
            // No message since it was subscribed: the instrument is quiet, and its snapshot need not wait for one.
            sync->wants_snapshot = quiet_ns > QUIET_START_NS;
        } else if (self->config.probe_interval_ns != 0 && quiet_ns > self->config.probe_interval_ns) {
            ask_probe(self, book, now_ns);
        }
    }
}

// Whether the book's best levels are those of the answer in binance.last.
static bool probe_agrees(apus_binance_session* self, const apus_market_book* book) {
    const apus_binance_message* message = &self->binance.last;
    if (message->last_update <= book->update_id) return true;
    const apus_level* levels = message->levels;
    uint32_t counts[] = {message->bid_count, message->ask_count};
    for (uint32_t side = 0; side < 2; side++) {
        apus_level ours[PROBE_LEVELS];
        uint32_t count = counts[side] < PROBE_LEVELS ? counts[side] : PROBE_LEVELS;
        if (apus_book_depth(&book->book, side, ours, count) != count) return false;
        if (memcmp(ours, levels, count * sizeof *ours) != 0) return false;
        levels += counts[side];
    }
    return true;
}

static void take_probe(apus_binance_session* self, apus_market_book* book, const apus_fetch_response* response,
                       uint64_t now_ns) {
    apus_binance_sync* sync = book->venue;
    sync->probe_ns = 0;
    if (response->http.status != 200 || !sync->snapshot_applied) return;
    if (apus_binance_market_snapshot(&self->binance, book->instrument, response->http.body, response->http.body_size,
                                     response->received_ns)
        < 0) {
        return;
    }
    if (probe_agrees(self, book)) {
        self->probes_equal++;
        book->applied_ns = now_ns;
        return;
    }
    sync->probe_update = self->binance.last.last_update;
    sync->probe_ns = now_ns;
}

static void take_snapshot(apus_binance_session* self, apus_market_book* book, const apus_fetch_response* response,
                          uint64_t now_ns) {
    apus_binance_sync* sync = book->venue;
    bool usable = response->error == 0 && response->http.status == 200
                  && apus_binance_market_snapshot(&self->binance, book->instrument, response->http.body,
                                                  response->http.body_size, response->received_ns)
                         == 0;
    sync->requested_ns = 0;
    if (usable) return;
    sync->retry_later = true;
    sync->wanted_ns = now_ns;
}

static uint32_t take_answers(apus_binance_session* self, uint64_t now_ns) {
    apus_fetch_response response;
    uint32_t work = 0;
    while (apus_fetch_next(&self->fetch, now_ns, &response) == 1) {
        work++;
        if (response.http.status == 429 || response.http.status == 418 || response.http.status >= 500) {
            uint64_t pause = response.retry_after_ns > MINIMUM_PAUSE_NS ? response.retry_after_ns : MINIMUM_PAUSE_NS;
            self->next_rest_ns = now_ns + pause;
        }
        apus_market_book* book = apus_market_at(self->binance.market, (uint16_t)response.tag);
        if (book == NULL || book->venue == NULL || book->state == APUS_STATE_DROPPED) continue;
        if (response.tag >> 32 == REQUEST_PROBE) {
            take_probe(self, book, &response, now_ns);
        } else {
            take_snapshot(self, book, &response, now_ns);
        }
    }
    return work;
}

// MARK: the session

static uint32_t take_changes(apus_binance_session* self) {
    apus_link_change change;
    uint32_t work = 0;
    while (apus_link_poll_change(&self->link, &change)) {
        work++;
        if (change.state == APUS_LINK_OPEN) resubscribe(self);
        apus_session_publish_change(&self->session, publisher(self), CHANNEL_STREAM, &change);
        if (change.state != APUS_LINK_OPEN && change.state != APUS_LINK_UPGRADING) {
            apus_binance_market_lost(&self->binance, APUS_BOOK_REASON_DISCONNECTED);
        }
    }
    return work;
}

static uint32_t take_messages(apus_binance_session* self, uint64_t now_ns) {
    apus_ws_item item;
    uint32_t work = 0;
    while (apus_link_next(&self->link, now_ns, &item) > 0) {
        work++;
        apus_binance_market_message(&self->binance, item.data, item.size, self->stream.receive_ns,
                                    self->stream.kernel_ns);
    }
    return work;
}

static apus_binance_session* self_of(apus_session* session) {
    return (apus_binance_session*)(void*)session;
}

static uint32_t turn(apus_session* session, uint64_t now_ns) {
    apus_binance_session* self = self_of(session);
    uint32_t work = take_messages(self, now_ns);
    apus_link_tick(&self->link, now_ns);
    work += take_changes(self);
    work += take_answers(self, now_ns);
    work += send_commands(self, now_ns);
    check_books(self, now_ns);
    return work;
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t deadline(const apus_session* session) {
    const apus_binance_session* self = (const apus_binance_session*)(const void*)session;
    uint64_t due = earlier(apus_link_deadline(&self->link), apus_fetch_deadline(&self->fetch));
    if (self->link.state != APUS_LINK_OPEN) return due;
    if (self->commands_waiting) due = earlier(due, self->next_command_ns);
    return earlier(due, self->next_check_ns);
}

static void start(apus_session* session, uint64_t now_ns) {
    apus_binance_session* self = self_of(session);
    self->running = true;
    apus_link_start(&self->link, now_ns);
}

static void stop(apus_session* session, uint64_t now_ns) {
    apus_binance_session* self = self_of(session);
    self->running = false;
    apus_link_stop(&self->link, now_ns);
    apus_fetch_stop(&self->fetch, now_ns);
}

static bool stopped(const apus_session* session) {
    const apus_binance_session* self = (const apus_binance_session*)(const void*)session;
    return !self->running && self->link.state == APUS_LINK_IDLE && self->stream.state == APUS_CHANNEL_CLOSED
           && self->rest.state == APUS_CHANNEL_CLOSED;
}

static int command(apus_session* session, const apus_command* command, uint64_t now_ns) {
    apus_binance_session* self = self_of(session);
    switch (command->kind) {
    case APUS_COMMAND_SUBSCRIBE:
        return apus_binance_session_subscribe(self, command->instrument);
    case APUS_COMMAND_UNSUBSCRIBE:
        return apus_binance_session_unsubscribe(self, command->instrument);
    case APUS_COMMAND_RECONNECT:
        apus_link_reconnect(&self->link, APUS_REASON_SESSION, now_ns);
        return 0;
    default:
        return -ENOTSUP;
    }
}

static const apus_session_ops operations = {
    .name = "binance-market",
    .start = start,
    .turn = turn,
    .deadline = deadline,
    .command = command,
    .stop = stop,
    .stopped = stopped,
};

int apus_binance_session_init(apus_binance_session* self, const apus_binance_config* config, apus_market* market,
                              const apus_random* random) {
    memset(self, 0, sizeof *self);
    self->config = *config;
    apus_arena* arena = market->arena;
    size_t storage_bytes = APUS_FETCH_SLOTS * 2048u;
    uint8_t* rx[2] = {apus_arena_alloc(arena, config->rx_bytes), apus_arena_alloc(arena, config->rx_bytes)};
    uint8_t* tx[2] = {apus_arena_alloc(arena, config->tx_bytes), apus_arena_alloc(arena, config->tx_bytes)};
    uint8_t* storage = apus_arena_alloc(arena, storage_bytes);
    apus_level* levels = apus_arena_alloc(arena, APUS_MESSAGE_LEVELS_MAX * sizeof *levels);
    self->wanted = apus_arena_alloc(arena, market->instruments->capacity);
    if (!rx[0] || !rx[1] || !tx[0] || !tx[1] || !storage || !levels || !self->wanted) return -ENOMEM;
    memset(self->wanted, SUBSCRIPTION_NONE, market->instruments->capacity);
    apus_binance_market_init(&self->binance, market, levels, APUS_MESSAGE_LEVELS_MAX);
    apus_channel_init(&self->stream, rx[0], config->rx_bytes, tx[0], config->tx_bytes);
    apus_channel_init(&self->rest, rx[1], config->rx_bytes, tx[1], config->tx_bytes);
    self->stream.endpoint = config->stream;
    self->rest.endpoint = config->rest;
    self->channels[CHANNEL_STREAM] = &self->stream;
    self->channels[CHANNEL_REST] = &self->rest;
    self->session = (apus_session){.ops = &operations, .channels = self->channels, .channel_count = 2};
    apus_random seeds = *random;
    apus_random link_random, fetch_random;
    apus_random_seed(&link_random, apus_random_next(&seeds));
    apus_random_seed(&fetch_random, apus_random_next(&seeds));
    int result = apus_link_init(&self->link, &self->stream, &config->link, config->stream_path, &link_random);
    if (result < 0) return result;
    return apus_fetch_init(&self->fetch, &self->rest, &config->fetch, storage, storage_bytes, &fetch_random);
}
