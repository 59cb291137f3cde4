#include "apus_link.h"

#include "apus_backoff.h"

#include <errno.h>
#include <string.h>

//           start                  channel is open                  101 is right
//   IDLE ──────────▶ CONNECTING ──────────────────▶ UPGRADING ──────────────────▶ OPEN
//    ▲                 ▲    │ time-out                  │ refused, invalid,         │ close frame, error, no bytes,
//    │                 │    │                           │ time-out                  │ frozen, too old, asked
//    │                 │    └────────────┬──────────────┘                           │
//    │                 │ the wait        ▼                                          │
//    │                 │ is over      CLOSING ◀─────────────────────────────────────┘
//    │                 │                 │ channel is closed
//    │   stopping      │                 ▼
//    └────────────── WAITING ◀───────────┘   straight to here from any state where the channel has ended by itself
//
//   Invariants
//   - The channel is asked to open only on the way into CONNECTING, and only when it has ended.
//   - `cause` says why the connection is ending in CLOSING, and why the newest one ended in WAITING.
//   - In CLOSING a close frame may be under way; what still arrives is dropped, and from close_by_ns on the channel has
//     been asked to close.
//   - open_ns is 0 from CONNECTING until OPEN.

static void note(apus_link* link, uint8_t state, uint64_t now_ns, apus_link_change change) {
    link->state = state;
    link->entered_ns = now_ns;
    change.state = state;
    change.at_ns = now_ns;
    change.generation = link->channel->generation;
    if (link->changes_head - link->changes_tail == APUS_LINK_CHANGES) {
        link->changes_tail++;
        link->changes_lost++;
    }
    link->changes[link->changes_head++ % APUS_LINK_CHANGES] = change;
}

bool apus_link_poll_change(apus_link* link, apus_link_change* change) {
    if (link->changes_head == link->changes_tail) return false;
    *change = link->changes[link->changes_tail++ % APUS_LINK_CHANGES];
    change->lost = link->changes_lost;
    link->changes_lost = 0;
    return true;
}

// MARK: ways out of a connection

static void connect_now(apus_link* link, uint64_t now_ns, uint8_t reason) {
    link->open_ns = 0;
    link->retry_after_ns = 0;
    link->messages = 0;
    apus_channel_open(link->channel);
    note(link, APUS_LINK_CONNECTING, now_ns, (apus_link_change){.reason = reason});
}

// The channel has ended: wait for the next attempt, or rest.
static void settle(apus_link* link, uint64_t now_ns) {
    link->channel->rx.start = link->channel->rx.end;
    if (link->stopping) {
        link->stopping = false;
        note(link, APUS_LINK_IDLE, now_ns, (apus_link_change){.reason = APUS_REASON_STOPPED});
        return;
    }
    const apus_link_config* config = &link->config;
    uint64_t held = link->open_ns == 0 ? 0 : now_ns - link->open_ns;
    bool stable = link->open_ns != 0 && held >= config->stable_ns;
    bool planned = link->cause.reason == APUS_REASON_LIFETIME || link->cause.reason >= APUS_REASON_SESSION;
    uint64_t wait = 0;
    if (stable) link->attempt = 0;
    if (!stable || !planned) {
        wait = apus_backoff(&link->random, config->backoff_min_ns, config->backoff_max_ns, link->attempt);
        if (held > 0) {
            // Counted from its opening: a connection that held for a while has waited already. Many that end at once still spread.
            uint64_t first = apus_backoff(&link->random, config->backoff_min_ns, config->backoff_max_ns, 0);
            wait = apus_time_later(wait - apus_time_earlier(wait, held), first);
        }
        link->attempt++;
    }
    apus_link_change change = link->cause;
    change.wait_ns = apus_time_after(wait, link->retry_after_ns);
    link->wake_ns = apus_time_after(now_ns, change.wait_ns);
    note(link, APUS_LINK_WAITING, now_ns, change);
}

// Begins the end of this connection. A close_code above 0 is sent; patience_ns is for the peer's part of the handshake.
static void finish(apus_link* link, uint64_t now_ns, apus_link_change cause, uint16_t close_code,
                   uint64_t patience_ns) {
    link->cause = cause;
    if (apus_channel_ended(link->channel)) {
        settle(link, now_ns);
        return;
    }
    // Where tx has no room even for this frame, the peer has long stopped reading.
    if (close_code != 0) (void)apus_ws_send_close(&link->channel->tx, &link->random, close_code, NULL);
    link->close_by_ns = apus_time_after(now_ns, patience_ns);
    link->channel->rx.start = link->channel->rx.end;
    link->channel->paused = false;
    note(link, APUS_LINK_CLOSING, now_ns, cause);
    if (patience_ns == 0) apus_channel_close(link->channel);
    if (apus_channel_ended(link->channel)) settle(link, now_ns);
}

static void lost(apus_link* link, uint64_t now_ns, uint8_t reason) {
    const apus_channel* channel = link->channel;
    apus_link_change cause = {
        .reason = reason, .code = channel->closed_reason, .detail = (uint64_t)(int64_t)channel->closed_error};
    finish(link, now_ns, cause, 0, 0);
}

// MARK: upgrade

static void begin_upgrade(apus_link* link, uint64_t now_ns) {
    apus_channel* channel = link->channel;
    apus_link_change cause = {.reason = APUS_REASON_UPGRADE_INVALID};
    apus_http_init(&link->http, channel->rx.capacity);
    if (apus_http_upgrade_init(&link->upgrade, &link->random) < 0) {
        cause.what = "libcrypto has no SHA-1";
        finish(link, now_ns, cause, 0, 0);
        return;
    }
    int result =
        apus_http_upgrade_write(&channel->tx, &link->upgrade, &channel->endpoint, link->path, link->config.headers);
    if (result < 0) {
        cause.what = result == -ENOBUFS ? "upgrade request is larger than the send buffer"
                                        : "header lines would break the upgrade request";
        finish(link, now_ns, cause, 0, 0);
        return;
    }
    link->path_spent = true;
    note(link, APUS_LINK_UPGRADING, now_ns, (apus_link_change){0});
}

static void begin_open(apus_link* link, uint64_t now_ns) {
    const apus_link_config* config = &link->config;
    apus_ws_init(&link->ws, (size_t)config->max_message_bytes);
    link->open_ns = now_ns;
    link->ping_ns = now_ns;
    link->proof_ns = now_ns;
    link->excused_ns = now_ns;
    uint64_t early = apus_random_below(&link->random, config->lifetime_jitter_ns + 1);
    link->retire_ns =
        config->max_lifetime_ns == 0 ? UINT64_MAX : apus_time_after(now_ns, config->max_lifetime_ns - early);
    note(link, APUS_LINK_OPEN, now_ns, (apus_link_change){0});
}

static void refused(apus_link* link, uint64_t now_ns, const apus_http_response* response) {
    link->retry_after_ns = (uint64_t)response->retry_after_s * 1000000000u;
    apus_link_change cause = {
        .reason = APUS_REASON_UPGRADE_REFUSED, .code = response->status, .detail = response->retry_after_s};
    finish(link, now_ns, cause, 0, 0);
}

// Reads the answer to the upgrade as far as it is there. Only the head of a refusal is waited for.
static void read_upgrade(apus_link* link, uint64_t now_ns) {
    apus_channel* channel = link->channel;
    apus_http_response response;
    int result = apus_http_next(&link->http, &channel->rx, apus_channel_ended(channel), &response);
    bool whole_head = result == 1 || apus_http_peek(&link->http, &channel->rx, &response);
    if (whole_head && response.status != 101) {
        refused(link, now_ns, &response);
    } else if (result == 1) {
        const char* what = apus_http_upgrade_check(&link->upgrade, &response);
        if (!what) {
            begin_open(link, now_ns);
            return;
        }
        finish(link, now_ns, (apus_link_change){.reason = APUS_REASON_UPGRADE_INVALID, .what = what}, 0, 0);
    } else if (result == -EPIPE) {
        lost(link, now_ns, APUS_REASON_CONNECTION_LOST);
    } else if (result < 0) {
        apus_link_change cause = {
            .reason = APUS_REASON_UPGRADE_INVALID, .detail = link->http.what_offset, .what = link->http.what};
        finish(link, now_ns, cause, 0, 0);
    }
}

// MARK: timers

static uint64_t liveness_limit(const apus_link* link) {
    uint64_t since = apus_time_later(link->channel->receive_ns, link->excused_ns);
    return apus_time_limit(since, link->config.liveness_timeout_ns);
}

static uint64_t data_limit(const apus_link* link) {
    return apus_time_limit(apus_time_later(link->proof_ns, link->excused_ns), link->config.data_timeout_ns);
}

static uint64_t ping_limit(const apus_link* link) {
    if (link->config.ping_kind == APUS_PING_NONE) return UINT64_MAX;
    return apus_time_limit(link->ping_ns, link->config.ping_interval_ns);
}

static void send_ping(apus_link* link, uint64_t now_ns) {
    const apus_link_config* config = &link->config;
    bool text = config->ping_kind == APUS_PING_TEXT;
    size_t size = text ? strlen(config->ping_text) : 0;
    link->ping_ns = now_ns;
    // Without room the bytes on their way out are sign enough, or the time-outs will tell.
    (void)apus_ws_send(&link->channel->tx, &link->random, text ? APUS_WS_TEXT : APUS_WS_PING, config->ping_text, size);
}

static void tick_open(apus_link* link, uint64_t now_ns) {
    apus_channel* channel = link->channel;
    // While bytes lie in rx, apus_link_next tells of the end after it has given them out.
    if (apus_channel_ended(channel)) {
        if (apus_buffer_used(&channel->rx) == 0) lost(link, now_ns, APUS_REASON_CONNECTION_LOST);
        return;
    }
    if (channel->paused) link->excused_ns = apus_time_later(link->excused_ns, now_ns);
    if (now_ns >= liveness_limit(link)) {
        finish(link, now_ns, (apus_link_change){.reason = APUS_REASON_NO_BYTES}, APUS_WS_CLOSE_GOING_AWAY, 0);
    } else if (now_ns >= data_limit(link)) {
        finish(link, now_ns, (apus_link_change){.reason = APUS_REASON_FROZEN}, APUS_WS_CLOSE_GOING_AWAY, 0);
    } else if (now_ns >= link->retire_ns) {
        finish(link, now_ns, (apus_link_change){.reason = APUS_REASON_LIFETIME}, APUS_WS_CLOSE_NORMAL,
               link->config.close_timeout_ns);
    } else if (now_ns >= ping_limit(link)) {
        send_ping(link, now_ns);
    }
}

static void tick_connecting(apus_link* link, uint64_t now_ns) {
    const apus_channel* channel = link->channel;
    if (apus_channel_ended(channel)) {
        lost(link, now_ns, APUS_REASON_CONNECT_FAILED);
    } else if (channel->state == APUS_CHANNEL_OPEN) {
        begin_upgrade(link, now_ns);
    } else if (now_ns >= apus_time_limit(link->entered_ns, link->config.connect_timeout_ns)) {
        finish(link, now_ns, (apus_link_change){.reason = APUS_REASON_CONNECT_TIMEOUT}, 0, 0);
    }
}

static void tick_upgrading(apus_link* link, uint64_t now_ns) {
    read_upgrade(link, now_ns);
    if (link->state != APUS_LINK_UPGRADING) return;
    if (now_ns >= apus_time_limit(link->entered_ns, link->config.upgrade_timeout_ns))
        finish(link, now_ns, (apus_link_change){.reason = APUS_REASON_UPGRADE_TIMEOUT}, 0, 0);
}

static void tick_closing(apus_link* link, uint64_t now_ns) {
    link->channel->rx.start = link->channel->rx.end;
    if (!apus_channel_ended(link->channel) && now_ns >= link->close_by_ns) apus_channel_close(link->channel);
    if (apus_channel_ended(link->channel)) settle(link, now_ns);
}

static bool may_connect(const apus_link* link) {
    return !(link->config.fresh_path && link->path_spent);
}

void apus_link_tick(apus_link* link, uint64_t now_ns) {
    switch (link->state) {
    case APUS_LINK_CONNECTING:
        tick_connecting(link, now_ns);
        break;
    case APUS_LINK_UPGRADING:
        tick_upgrading(link, now_ns);
        break;
    case APUS_LINK_OPEN:
        tick_open(link, now_ns);
        break;
    case APUS_LINK_CLOSING:
        tick_closing(link, now_ns);
        break;
    case APUS_LINK_WAITING:
        if (now_ns >= link->wake_ns && may_connect(link)) connect_now(link, now_ns, APUS_REASON_NONE);
        break;
    default:
        break;
    }
}

uint64_t apus_link_deadline(const apus_link* link) {
    const apus_link_config* config = &link->config;
    switch (link->state) {
    case APUS_LINK_CONNECTING:
        return apus_time_limit(link->entered_ns, config->connect_timeout_ns);
    case APUS_LINK_UPGRADING:
        return apus_time_limit(link->entered_ns, config->upgrade_timeout_ns);
    case APUS_LINK_OPEN: {
        uint64_t quiet = apus_time_earlier(liveness_limit(link), data_limit(link));
        return apus_time_earlier(quiet, apus_time_earlier(link->retire_ns, ping_limit(link)));
    }
    case APUS_LINK_CLOSING:
        return link->channel->want == APUS_WANT_CLOSE ? UINT64_MAX : link->close_by_ns;
    case APUS_LINK_WAITING:
        return may_connect(link) ? link->wake_ns : UINT64_MAX;
    default:
        return UINT64_MAX;
    }
}

// MARK: messages

static int protocol_error(apus_link* link, uint64_t now_ns, const apus_ws_item* item) {
    apus_link_change cause = {
        .reason = APUS_REASON_PROTOCOL_ERROR, .code = item->code, .detail = item->offset, .what = item->what};
    finish(link, now_ns, cause, item->code, link->config.close_timeout_ns);
    return -EPROTO;
}

// The peer's close frame is answered with its own code, and the peer ends the connection (RFC 6455, section 7.1.1).
static void peer_closed(apus_link* link, uint64_t now_ns, const apus_ws_item* item) {
    apus_link_change cause = {.reason = APUS_REASON_PEER_CLOSED, .code = item->code};
    uint16_t answer = item->code == APUS_WS_CLOSE_NO_STATUS ? APUS_WS_CLOSE_NORMAL : item->code;
    finish(link, now_ns, cause, answer, link->config.close_timeout_ns);
}

// What is not a data message. Returns 1 to look for the next item.
static int other_item(apus_link* link, uint64_t now_ns, int kind, const apus_ws_item* item) {
    apus_channel* channel = link->channel;
    switch (kind) {
    case APUS_WS_PING:
        if (apus_ws_send(&channel->tx, &link->random, APUS_WS_PONG, item->data, item->size) < 0) link->pongs_dropped++;
        return 1;
    case APUS_WS_PONG:
        return 1;
    case APUS_WS_CLOSE:
        peer_closed(link, now_ns, item);
        return 0;
    case APUS_WS_ERROR:
        return protocol_error(link, now_ns, item);
    default:
        if (apus_channel_ended(channel)) lost(link, now_ns, APUS_REASON_CONNECTION_LOST);
        return 0;
    }
}

int apus_link_next(apus_link* link, uint64_t now_ns, apus_ws_item* message) {
    if (__builtin_expect(link->state != APUS_LINK_OPEN, 0)) {
        apus_link_tick(link, now_ns);
        if (link->state != APUS_LINK_OPEN) return 0;
    }
    for (;;) {
        int kind = apus_ws_next(&link->ws, &link->channel->rx, message);
        if (kind == APUS_WS_TEXT || kind == APUS_WS_BINARY) {
            link->messages++;
            return kind;
        }
        int result = other_item(link, now_ns, kind, message);
        if (result <= 0) return result;
    }
}

static int sendable(const apus_link* link, size_t payload) {
    if (link->state != APUS_LINK_OPEN || apus_channel_ended(link->channel)) return -ENOTCONN;
    const apus_buffer* tx = &link->channel->tx;
    size_t room = tx->capacity - apus_buffer_used(tx);
    size_t beside = APUS_LINK_TX_CONTROL + APUS_WS_HEADER_MAX;
    return room < beside || payload > room - beside ? -ENOBUFS : 0;
}

static int send_frame(apus_link* link, uint8_t opcode, const void* bytes, size_t size) {
    int result = sendable(link, size);
    return result < 0 ? result : apus_ws_send(&link->channel->tx, &link->random, opcode, bytes, size);
}

int apus_link_send_text(apus_link* link, const void* text, size_t size) {
    return send_frame(link, APUS_WS_TEXT, text, size);
}

int apus_link_send_binary(apus_link* link, const void* bytes, size_t size) {
    return send_frame(link, APUS_WS_BINARY, bytes, size);
}

int apus_link_send_ping(apus_link* link, const void* payload, size_t size) {
    return send_frame(link, APUS_WS_PING, payload, size);
}

int apus_link_reserve(apus_link* link, size_t max_payload, uint8_t** payload) {
    int result = sendable(link, max_payload);
    if (result < 0) return result;
    *payload = apus_ws_reserve(&link->channel->tx, max_payload);
    return *payload ? 0 : -ENOBUFS;
}

void apus_link_commit(apus_link* link, uint8_t* payload, size_t max_payload, size_t size) {
    apus_ws_seal(&link->channel->tx, &link->random, APUS_WS_TEXT, payload, max_payload, size);
}

// MARK: from outside

void apus_link_start(apus_link* link, uint64_t now_ns) {
    link->stopping = false;
    if (link->state != APUS_LINK_IDLE) return;
    if (may_connect(link)) {
        connect_now(link, now_ns, APUS_REASON_STARTED);
    } else {
        link->wake_ns = now_ns;
        note(link, APUS_LINK_WAITING, now_ns, (apus_link_change){.reason = APUS_REASON_STARTED});
    }
}

void apus_link_stop(apus_link* link, uint64_t now_ns) {
    if (link->state == APUS_LINK_IDLE) return;
    link->stopping = true;
    apus_link_change cause = {.reason = APUS_REASON_STOPPED};
    if (link->state == APUS_LINK_WAITING)
        settle(link, now_ns);
    else if (link->state == APUS_LINK_OPEN)
        finish(link, now_ns, cause, APUS_WS_CLOSE_NORMAL, link->config.close_timeout_ns);
    else if (link->state != APUS_LINK_CLOSING)
        finish(link, now_ns, cause, 0, 0);
}

void apus_link_reconnect(apus_link* link, uint8_t reason, uint64_t now_ns) {
    apus_link_change cause = {.reason = reason};
    if (link->state == APUS_LINK_OPEN)
        finish(link, now_ns, cause, APUS_WS_CLOSE_NORMAL, link->config.close_timeout_ns);
    else if (link->state == APUS_LINK_UPGRADING)
        finish(link, now_ns, cause, 0, 0);
}
