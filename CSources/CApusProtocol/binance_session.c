// The market session of Binance: one stream link for everything, one REST queue for snapshots and probes.
//
//   subscription of an instrument:
//
//     NONE ── subscribe ──▶ WANTED ── SUBSCRIBE sent ──▶ ASKED ── answered ──▶ ACTIVE      ASKED, ACTIVE ── link lost ──▶ WANTED
//       ▲                      ▲──────── refused, later ───┘                      │
//       └── UNSUBSCRIBE sent ── UNWANTED ◀────────── unsubscribe ─────────────────┘
//
// One command is under way at a time; the venue must answer it within command_timeout_ns, or the link reconnects: a subscription
// that is only believed to be there is a frozen feed. A quiet instrument takes its snapshot when its subscription is ACTIVE, so
// that no change falls between the two.
//
// A quiet book is not a dead feed, and an open socket that answers pings is not a live one. A book without a depth message for
// probe_interval_ns is held against a small REST snapshot: an update id that the stream has reached, at once or within
// probe_grace_ns, proves it. If it does not reach it, then other best levels show a frozen stream, and the link reconnects; with
// the same best levels the change lies deeper or was none, and this one book takes a snapshot.
#include "apus_binance.h"

#include <stdio.h>
#include <string.h>

enum subscription { NONE, WANTED, ASKED, ACTIVE, UNWANTED };
enum { CHANNEL_STREAM, CHANNEL_REST };
enum { REQUEST_SNAPSHOT, REQUEST_PROBE };

#define CHECK_INTERVAL_NS 50000000ull
#define MINIMUM_PAUSE_NS 1000000000ull
// After the answer to a subscription, so that it holds in every part of the venue.
#define QUIET_START_NS 250000000ull
#define REFUSAL_PAUSE_NS 5000000000ull
// The most levels at the least request weight.
#define PROBE_LEVELS 50u
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
    config->command_timeout_ns = 5 * MINIMUM_PAUSE_NS;
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

// Sends one message for as many instruments in `from` as fit, and moves them to `to`. Returns 1, 0 when there is none in
// `from`, or what the link says.
static int send_command(apus_binance_session* self, const char* method, uint8_t from, uint8_t to, uint64_t now_ns) {
    uint8_t* payload;
    size_t room = self->config.streams_each * STREAM_TEXT_BYTES + 128;
    int result = apus_link_reserve(&self->link, room, &payload);
    if (result < 0) return result;
    char* text = (char*)payload;
    size_t at = (size_t)snprintf(text, room, "{\"method\":\"%s\",\"params\":[", method);
    uint32_t count = 0, named = self->binance.market->instruments->count;
    for (uint32_t i = 0; i < named && count + 3 <= self->config.streams_each; i++) {
        if (self->wanted[i] != from) continue;
        at += put_streams(self, text + at, (uint16_t)i, &count);
        self->wanted[i] = to;
    }
    if (count == 0) return 0;
    at += (size_t)snprintf(text + at, room - at, "],\"id\":%llu}", (unsigned long long)++self->command_id);
    apus_link_commit(&self->link, payload, room, at);
    self->command_sent_ns = now_ns;
    self->next_command_ns = now_ns + self->config.command_interval_ns;
    return 1;
}

static uint32_t send_commands(apus_binance_session* self, uint64_t now_ns) {
    if (!self->commands_waiting || self->link.state != APUS_LINK_OPEN || self->command_sent_ns != 0) return 0;
    if (now_ns < self->next_command_ns) return 0;
    int result = send_command(self, "UNSUBSCRIBE", UNWANTED, NONE, now_ns);
    if (result == 0) result = send_command(self, "SUBSCRIBE", WANTED, ASKED, now_ns);
    if (result == 0) self->commands_waiting = false;
    if (result < 0) self->next_command_ns = now_ns + self->config.command_interval_ns; // no room: again later
    return result > 0;
}

// The venue has answered the command under way.
static void take_command_answer(apus_binance_session* self, uint64_t now_ns) {
    const apus_binance_message* answer = &self->binance.last;
    // A refusal of what the venue could not read names no command: only one is under way.
    bool named = answer->answer_id == self->command_id || (!answer->succeeded && answer->answer_id == 0);
    if (self->command_sent_ns == 0 || !named) return;
    self->command_sent_ns = 0;
    if (!answer->succeeded) {
        self->commands_refused++;
        self->commands_waiting = true;
        self->next_command_ns = now_ns + REFUSAL_PAUSE_NS;
    }
    for (uint32_t i = 0; i < self->binance.market->instruments->count; i++) {
        if (self->wanted[i] != ASKED) continue;
        self->wanted[i] = answer->succeeded ? ACTIVE : WANTED;
        apus_market_book* book = apus_market_at(self->binance.market, (uint16_t)i);
        if (book != NULL) book->applied_ns = now_ns;
    }
}

static void check_command(apus_binance_session* self, uint64_t now_ns) {
    if (self->command_sent_ns == 0 || self->link.state != APUS_LINK_OPEN) return;
    if (now_ns - self->command_sent_ns > self->config.command_timeout_ns) {
        apus_link_reconnect(&self->link, APUS_REASON_SESSION, now_ns);
    }
}

int apus_binance_session_subscribe(apus_binance_session* self, uint16_t instrument) {
    if (instrument >= self->binance.market->instruments->count) return -ENOENT;
    uint8_t wanted = self->wanted[instrument];
    if (wanted != NONE && wanted != UNWANTED) return 0;
    if (apus_binance_market_open(&self->binance, instrument) == NULL) return -ENOMEM;
    self->wanted[instrument] = WANTED;
    self->commands_waiting = true;
    return 0;
}

int apus_binance_session_unsubscribe(apus_binance_session* self, uint16_t instrument) {
    if (instrument >= self->binance.market->instruments->count) return -ENOENT;
    apus_binance_market_drop(&self->binance, instrument);
    bool sent = self->wanted[instrument] == ASKED || self->wanted[instrument] == ACTIVE;
    if (sent)
        self->wanted[instrument] = UNWANTED;
    else if (self->wanted[instrument] == WANTED)
        self->wanted[instrument] = NONE;
    self->commands_waiting |= sent;
    return 0;
}

// A new connection knows of no subscription.
static void resubscribe(apus_binance_session* self) {
    for (uint32_t i = 0; i < self->binance.market->instruments->count; i++) {
        if (self->wanted[i] == ASKED || self->wanted[i] == ACTIVE) self->wanted[i] = WANTED;
        if (self->wanted[i] == UNWANTED) self->wanted[i] = NONE;
    }
    self->command_sent_ns = 0;
    self->next_command_ns = 0;
    self->commands_waiting = true;
}

// MARK: snapshots and probes

// The path of GET depth, with its query.
static void put_path(const apus_binance_session* self, const apus_market_book* book, uint32_t limit,
                     char path[APUS_PATH_BYTES]) {
    const apus_instrument* entry = apus_instrument_at(self->binance.market->instruments, book->instrument);
    snprintf(path, APUS_PATH_BYTES, "%s?symbol=%.*s&limit=%u", self->config.depth_path, (int)entry->symbol_length,
             entry->symbol, limit);
}

// Snapshots are recorded; probes are not, since they only check what the stream has brought.
static void tap_snapshot(apus_binance_session* self, const apus_market_book* book,
                         const apus_fetch_response* response) {
    if (self->tap == NULL || response->http.status != 200) return;
    char path[APUS_PATH_BYTES];
    put_path(self, book, self->config.snapshot_limit, path);
    apus_tap_write(self->tap, APUS_TAP_BODY, apus_connection_number(&self->session, CHANNEL_REST),
                   response->received_ns, 0, path, strlen(path), response->http.body, response->http.body_size);
}

// The tag of a request names instrument, kind and the attempt to synchronise that it belongs to.
static bool submit(apus_binance_session* self, const apus_market_book* book, uint32_t kind, uint32_t limit,
                   uint64_t now_ns) {
    char path[APUS_PATH_BYTES];
    const apus_binance_sync* sync = apus_binance_sync_of(book);
    put_path(self, book, limit, path);
    apus_fetch_request request = {.method = "GET",
                                  .path = path,
                                  .tag = (uint64_t)sync->epoch << 32 | kind << 16 | book->instrument,
                                  .idempotent = true};
    return apus_fetch_submit(&self->fetch, &request, now_ns) == 0;
}

static void ask_snapshot(apus_binance_session* self, apus_market_book* book, uint64_t now_ns) {
    apus_binance_sync* sync = book->venue;
    if (sync->in_flight) return;
    if (sync->asked_ns != 0 && now_ns - sync->asked_ns < self->config.snapshot_retry_ns) return;
    if (!submit(self, book, REQUEST_SNAPSHOT, self->config.snapshot_limit, now_ns)) return;
    sync->in_flight = true;
    sync->asked_ns = now_ns;
}

static void ask_probe(apus_binance_session* self, apus_market_book* book, uint64_t now_ns) {
    apus_binance_sync* sync = book->venue;
    if (sync->probe_in_flight || sync->probe_update != 0 || now_ns < sync->probe_due_ns) return;
    sync->probe_in_flight = submit(self, book, REQUEST_PROBE, PROBE_LEVELS, now_ns);
}

// The stream has not reached in time what a probe has shown.
static void fall_behind(apus_binance_session* self, apus_market_book* book, uint64_t now_ns) {
    const apus_binance_sync* sync = book->venue;
    if (sync->probe_equal) {
        apus_binance_market_stale(&self->binance, book->instrument, APUS_BOOK_REASON_FROZEN);
        return;
    }
    self->probes_frozen++;
    apus_binance_market_lost(&self->binance, APUS_BOOK_REASON_FROZEN);
    apus_link_reconnect(&self->link, APUS_REASON_FROZEN, now_ns);
}

static void check_book(apus_binance_session* self, apus_market_book* book, uint64_t now_ns) {
    apus_binance_sync* sync = book->venue;
    bool active = self->wanted[book->instrument] == ACTIVE;
    if (sync->probe_update != 0 && now_ns - sync->probed_ns > self->config.probe_grace_ns) {
        fall_behind(self, book, now_ns);
        return;
    }
    if (now_ns < self->next_rest_ns) return;
    uint64_t quiet_ns = now_ns > book->applied_ns ? now_ns - book->applied_ns : 0;
    if (sync->wants_snapshot) {
        ask_snapshot(self, book, now_ns);
    } else if (!sync->snapshot_applied) {
        // No message since it was subscribed: the instrument is quiet, and its snapshot need not wait for one.
        sync->wants_snapshot = active && quiet_ns > QUIET_START_NS;
    } else if (self->config.probe_interval_ns != 0 && quiet_ns > self->config.probe_interval_ns) {
        ask_probe(self, book, now_ns);
    }
}

// Looks at every book: asks for snapshots that are wanted, probes books that are quiet.
static void check_books(apus_binance_session* self, uint64_t now_ns) {
    if (self->link.state != APUS_LINK_OPEN || now_ns < self->next_check_ns) return;
    self->next_check_ns = now_ns + CHECK_INTERVAL_NS;
    for (uint32_t i = 0; i < self->binance.market->instruments->count; i++) {
        apus_market_book* book = apus_market_at(self->binance.market, (uint16_t)i);
        bool subscribed = self->wanted[i] == ASKED || self->wanted[i] == ACTIVE;
        if (book == NULL || book->venue == NULL || !subscribed) continue;
        check_book(self, book, now_ns);
        if (self->link.state != APUS_LINK_OPEN) return;
    }
}

static void take_probe(apus_binance_session* self, apus_market_book* book, const apus_fetch_response* response,
                       uint64_t now_ns) {
    apus_binance_sync* sync = book->venue;
    sync->probe_in_flight = false;
    sync->probe_due_ns = now_ns + self->config.snapshot_retry_ns;
    if (response->error != 0 || response->http.status != 200) return;
    int result = apus_binance_market_probe(&self->binance, book->instrument, response->http.body,
                                           response->http.body_size, response->received_ns);
    if (result == 1) {
        self->probes_equal++;
        book->applied_ns = now_ns;
    }
    if (result == 0) sync->probed_ns = now_ns;
}

static void take_snapshot(apus_binance_session* self, apus_market_book* book, const apus_fetch_response* response) {
    apus_binance_sync* sync = book->venue;
    sync->in_flight = false;
    if (response->error != 0 || response->http.status != 200) return;
    apus_binance_market_snapshot(&self->binance, book->instrument, response->http.body, response->http.body_size,
                                 response->received_ns);
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
        // What was asked for before the connection or the book was lost says nothing about the stream of now.
        if (apus_binance_sync_of(book)->epoch != response.tag >> 32) continue;
        if ((response.tag >> 16 & 1) == REQUEST_PROBE) {
            take_probe(self, book, &response, now_ns);
        } else {
            tap_snapshot(self, book, &response);
            take_snapshot(self, book, &response);
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
        if (self->tap != NULL) {
            const char* name = apus_link_state_name(change.state);
            const char* reason = apus_link_reason_name(change.reason);
            apus_tap_write(self->tap, APUS_TAP_STATE, apus_connection_number(&self->session, CHANNEL_STREAM),
                           change.at_ns, 0, reason, strlen(reason), name, strlen(name));
        }
        if (change.state != APUS_LINK_OPEN && change.state != APUS_LINK_UPGRADING) {
            apus_binance_market_lost(&self->binance, APUS_BOOK_REASON_DISCONNECTED);
        }
    }
    return work;
}

static uint32_t take_messages(apus_binance_session* self, uint64_t now_ns) {
    apus_ws_item item;
    uint32_t work = 0;
    int kind;
    while ((kind = apus_link_next(&self->link, now_ns, &item)) > 0) {
        work++;
        if (self->tap != NULL) {
            apus_tap_write(self->tap, kind == APUS_WS_TEXT ? APUS_TAP_TEXT : APUS_TAP_BINARY,
                           apus_connection_number(&self->session, CHANNEL_STREAM), self->stream.receive_ns,
                           self->stream.kernel_ns, NULL, 0, item.data, item.size);
        }
        apus_binance_market_message(&self->binance, item.data, item.size, self->stream.receive_ns,
                                    self->stream.kernel_ns);
        if (self->binance.last.kind == APUS_BINANCE_ANSWER) take_command_answer(self, now_ns);
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
    check_command(self, now_ns);
    work += send_commands(self, now_ns);
    check_books(self, now_ns);
    work += take_answers(self, now_ns);
    apus_market_write_behind(self->binance.market);
    return work;
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t deadline(const apus_session* session) {
    const apus_binance_session* self = (const apus_binance_session*)(const void*)session;
    uint64_t due = earlier(apus_link_deadline(&self->link), apus_fetch_deadline(&self->fetch));
    if (self->link.state != APUS_LINK_OPEN) return due;
    if (self->command_sent_ns != 0)
        due = earlier(due, self->command_sent_ns + self->config.command_timeout_ns + 1);
    else if (self->commands_waiting)
        due = earlier(due, self->next_command_ns);
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
    memset(self->wanted, NONE, market->instruments->capacity);
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
