// A link's life in any order of events: a shell that connects, fails, sends in parts, closes at any moment; a server that
// upgrades, refuses, talks nonsense; a session that starts, stops, reconnects, sends. After each event the link's promises
// are checked.
#include "apus_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 4096, RX_BYTES = MESSAGE_MAX + APUS_WS_OVERHEAD + APUS_PADDING, TX_BYTES = 8192 + APUS_PADDING };

typedef struct world {
    const uint8_t* at;
    const uint8_t* end;
    uint64_t now;
    apus_channel channel;
    apus_link link;
    uint8_t last_state; // as the changes tell it
    uint32_t asked;     // generation of the connection that the shell works on
} world;

static void check(int condition) {
    if (!condition) abort();
}

static uint8_t take(world* w) {
    return w->at < w->end ? *w->at++ : 0;
}

static void deliver(world* w, const void* bytes, size_t size) {
    if (w->channel.state != APUS_CHANNEL_OPEN) return;
    uint8_t* at;
    size_t space = apus_channel_space(&w->channel, &at);
    if (size > space) size = space;
    memcpy(at, bytes, size);
    if (size > 0) apus_channel_received(&w->channel, size, w->now, 0);
}

static void deliver_input(world* w) {
    size_t size = take(w), left = (size_t)(w->end - w->at);
    if (size > left) size = left;
    deliver(w, w->at, size);
    w->at += size;
}

static void deliver_upgrade(world* w, int variant) {
    char text[512];
    const char* extra = variant == 1   ? "Sec-WebSocket-Extensions: permessage-deflate\r\n"
                        : variant == 2 ? "Sec-WebSocket-Protocol: chat\r\n"
                                       : "";
    int size = snprintf(text, sizeof text,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n%s\r\n\x81\x02hi",
                        w->link.upgrade.accept, extra);
    deliver(w, text, (size_t)size);
}

static void deliver_refusal(world* w, uint8_t kind) {
    static const int statuses[] = {429, 418, 503, 401};
    char text[256];
    int size = snprintf(text, sizeof text, "HTTP/1.1 %d No\r\nRetry-After: %d\r\nContent-Length: 100\r\n\r\nhalf",
                        statuses[kind & 3], kind);
    deliver(w, text, (size_t)size);
}

// What an obedient shell does with the channel's wish.
static void shell(world* w) {
    apus_channel* channel = &w->channel;
    if (channel->want == APUS_WANT_OPEN && channel->state == APUS_CHANNEL_CLOSED) {
        check(channel->generation != w->asked);
        w->asked = channel->generation;
        apus_channel_opening(channel);
    } else if (channel->want == APUS_WANT_CLOSE) {
        apus_channel_closed(channel, APUS_CLOSED_ASKED, 0);
    }
}

static void session_sends(world* w) {
    uint8_t size = take(w), mode = take(w);
    uint8_t bytes[256] = {0};
    bool open = w->link.state == APUS_LINK_OPEN && !apus_channel_ended(&w->channel);
    size_t before = apus_buffer_used(&w->channel.tx);
    int result;
    if (mode & 1) {
        uint8_t* payload;
        size_t most = size * (size_t)(1 + (mode >> 1));
        result = apus_link_reserve(&w->link, most, &payload);
        if (result == 0) {
            memset(payload, 'x', most);
            apus_link_commit(&w->link, payload, most, size);
        }
    } else {
        result = mode & 2 ? apus_link_send_binary(&w->link, bytes, size) : apus_link_send_text(&w->link, bytes, size);
    }
    check(open ? result == 0 || result == -ENOBUFS : result == -ENOTCONN);
    size_t after = apus_buffer_used(&w->channel.tx);
    check(after == before + (result == 0 ? apus_ws_header_bytes(size) + size : 0));
}

static void event(world* w) {
    apus_channel* channel = &w->channel;
    uint8_t op = take(w);
    switch (op % 20) {
    case 0:
        w->now += take(w);
        break;
    case 1:
        w->now += (uint64_t)take(w) << (take(w) & 31);
        break;
    case 2: {
        uint64_t due = apus_link_deadline(&w->link);
        if (due != UINT64_MAX && due > w->now) w->now = due;
        break;
    }
    case 3:
    case 4:
        shell(w);
        break;
    case 5:
        if (channel->state == APUS_CHANNEL_OPENING) apus_channel_opened(channel, w->now);
        break;
    case 6:
        if (channel->state != APUS_CHANNEL_CLOSED) apus_channel_closed(channel, take(w) % 7, 111);
        break;
    case 7:
        deliver_upgrade(w, 0);
        break;
    case 8:
        deliver_upgrade(w, take(w) & 3);
        break;
    case 9:
        deliver_refusal(w, take(w));
        break;
    case 10:
    case 11:
        deliver_input(w);
        break;
    case 12:
        apus_link_start(&w->link, w->now);
        break;
    case 13:
        apus_link_stop(&w->link, w->now);
        break;
    case 14:
        apus_link_reconnect(&w->link, take(w), w->now);
        break;
    case 15:
        (void)apus_link_set_path(&w->link, op & 32 ? "/ws?key=2" : "/ws");
        break;
    case 16:
        session_sends(w);
        break;
    case 17: {
        const uint8_t* bytes;
        size_t pending = apus_channel_pending(channel, &bytes), part = take(w);
        if (channel->state == APUS_CHANNEL_OPEN) apus_channel_sent(channel, part < pending ? part : pending, w->now);
        break;
    }
    case 18:
        apus_link_proof(&w->link, w->now);
        break;
    default:
        channel->paused = (op & 32) != 0;
        break;
    }
}

static void read_changes(world* w) {
    apus_link_change change;
    while (apus_link_poll_change(&w->link, &change)) {
        check(change.lost == 0 && change.at_ns <= w->now && change.state <= APUS_LINK_WAITING);
        check(change.state != w->last_state);
        if (change.state == APUS_LINK_UPGRADING) check(w->last_state == APUS_LINK_CONNECTING);
        if (change.state == APUS_LINK_OPEN) check(w->last_state == APUS_LINK_UPGRADING);
        if (change.state == APUS_LINK_CONNECTING)
            check(w->last_state == APUS_LINK_WAITING || w->last_state == APUS_LINK_IDLE);
        if (change.state == APUS_LINK_WAITING && change.reason == APUS_REASON_UPGRADE_REFUSED)
            check(change.wait_ns >= change.detail * 1000000000u);
        w->last_state = change.state;
    }
    check(w->last_state == w->link.state);
}

// The session's turn, and what must be true after it.
static void turn(world* w) {
    apus_channel* channel = &w->channel;
    apus_ws_item message;
    int kind;
    while ((kind = apus_link_next(&w->link, w->now, &message)) > 0) {
        check(kind == APUS_WS_TEXT || kind == APUS_WS_BINARY);
        check(message.data >= channel->rx.base && message.data + message.size <= channel->rx.base + channel->rx.end);
    }
    apus_link_tick(&w->link, w->now);
    read_changes(w);
    uint8_t state = w->link.state;
    if (apus_channel_ended(channel))
        check(state == APUS_LINK_IDLE || state == APUS_LINK_WAITING);
    else
        check(state != APUS_LINK_IDLE && state != APUS_LINK_WAITING);
    if (channel->want == APUS_WANT_CLOSE) check(state == APUS_LINK_CLOSING);
    // A deadline that tick does not move is a loop that never sleeps.
    check(apus_link_deadline(&w->link) > w->now || channel->want == APUS_WANT_CLOSE);
    uint8_t* at;
    if (channel->state == APUS_CHANNEL_OPEN) check(apus_channel_space(channel, &at) > 0);
    check(channel->tx.end <= channel->tx.capacity && channel->tx.start <= channel->tx.end);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    world w = {.at = data, .end = data + size, .now = 1000};
    uint8_t* memory = malloc(RX_BYTES + TX_BYTES);
    memset(memory, 0, RX_BYTES + TX_BYTES);
    apus_channel_init(&w.channel, memory, RX_BYTES, memory + RX_BYTES, TX_BYTES);
    strcpy(w.channel.endpoint.host, "venue.example");
    w.channel.endpoint.port = 443;
    w.channel.endpoint.tls = true;
    apus_link_config config;
    apus_link_config_default(&config);
    uint8_t options = take(&w);
    config.max_message_bytes = MESSAGE_MAX;
    config.data_timeout_ns = options & 1 ? 7000000000u : 0;
    config.fresh_path = (options & 2) != 0;
    config.ping_kind = options & 4 ? APUS_PING_TEXT : APUS_PING_FRAME;
    strcpy(config.ping_text, "PING");
    config.headers = options & 8 ? "X-Key: 1\r\n" : NULL;
    if (options & 16) config.max_lifetime_ns = 0, config.liveness_timeout_ns = 0, config.lifetime_jitter_ns = 0;
    apus_random random;
    apus_random_seed(&random, options);
    check(apus_link_init(&w.link, &w.channel, &config, "/ws", &random) == 0);
    while (w.at < w.end) {
        event(&w);
        turn(&w);
    }
    free(memory);
    return 0;
}
