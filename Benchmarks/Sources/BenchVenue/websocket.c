#include "venue.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXT_BYTES 8192u
#define LEVEL_BYTES 64u
#define CLOSE_PATIENCE_NS 2000000000ull

enum { OPCODE_TEXT = 1, OPCODE_CLOSE = 8, OPCODE_PING = 9, OPCODE_PONG = 10 };

// MARK: sending

size_t frame_header(uint8_t* to, uint8_t opcode, size_t payload) {
    to[0] = 0x80 | opcode;
    if (payload < 126) {
        to[1] = (uint8_t)payload;
        return 2;
    }
    to[1] = 126;
    to[2] = (uint8_t)(payload >> 8);
    to[3] = (uint8_t)payload;
    return 4;
}

static bool send_frame(connection* c, uint8_t opcode, const void* payload, size_t size) {
    uint8_t frame[TEXT_BYTES + 4];
    if (size > TEXT_BYTES) fail("a message of %zu bytes is too long to send", size);
    size_t header = frame_header(frame, opcode, size);
    memcpy(frame + header, payload, size);
    return connection_write(c, frame, header + size);
}

bool send_text(connection* c, const char* text, size_t size) {
    return send_frame(c, OPCODE_TEXT, text, size);
}

void begin_close(connection* c) {
    if (!send_frame(c, OPCODE_CLOSE, "\x03\xe8", 2)) return;
    c->closing = true;
    c->close_by_ns = now_ns() + CLOSE_PATIENCE_NS;
}

// MARK: REST

static void respond(connection* c, int status, const char* body, size_t size) {
    char head[256];
    int length =
        snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                 status, status == 200 ? "OK" : "Not Found", size);
    if (connection_write(c, head, (size_t)length)) connection_write(c, body, size);
}

static void respond_depth(connection* c, const char* path) {
    const char* asked = strstr(path, "limit=");
    uint32_t limit = asked ? (uint32_t)strtoul(asked + 6, NULL, 10) : 500;
    if (limit == 0 || limit > MARKET_TICKS) limit = MARKET_TICKS;
    char* body = malloc(2ull * limit * LEVEL_BYTES + 256);
    if (!body) fail("no memory for a snapshot");
    size_t size = market_snapshot(feed_market(), limit, realtime_ms(), body);
    respond(c, 200, body, size);
    free(body);
    // A probe looks at the book; a snapshot begins a synchronisation.
    if (limit > 50) feed_snapshot_sent();
}

static void respond_exchange_info(connection* c) {
    static const char body[] =
        "{\"timezone\":\"UTC\",\"symbols\":[{\"symbol\":\"BTCUSDT\",\"pair\":\"BTCUSDT\",\"contractType\":"
        "\"PERPETUAL\","
        "\"status\":\"TRADING\",\"pricePrecision\":2,\"quantityPrecision\":3,\"baseAsset\":\"BTC\",\"quoteAsset\":"
        "\"USDT\","
        "\"marginAsset\":\"USDT\",\"filters\":[{\"filterType\":\"PRICE_FILTER\",\"minPrice\":\"0.10\",\"maxPrice\":"
        "\"1000000.00\",\"tickSize\":\"0.10\"},{\"filterType\":\"LOT_SIZE\",\"minQty\":\"0.001\",\"maxQty\":\"1000\","
        "\"stepSize\":\"0.001\"},{\"filterType\":\"MIN_NOTIONAL\",\"notional\":\"5\"}]}]}";
    respond(c, 200, body, sizeof body - 1);
}

static void respond_rest(connection* c, const char* path) {
    if (strstr(path, "/depth"))
        respond_depth(c, path);
    else if (strstr(path, "/exchangeInfo"))
        respond_exchange_info(c);
    else
        respond(c, 404, "{}", 2);
}

// MARK: the upgrade

static bool is_at(const char* path, const char* start) {
    return strncmp(path, start, strlen(start)) == 0;
}

static void take_role(connection* c, const char* path) {
    if (is_at(path, "/flood/") || is_at(path, "/paced/")) {
        c->role = ROLE_PEER;
        feed_open(c, FEED_PEER, path);
    } else if (is_at(path, "/echo/market/")) {
        c->role = ROLE_ECHO_MARKET;
        feed_open(c, FEED_MARKET, path);
    } else if (is_at(path, "/echo/orders")) {
        c->role = ROLE_ECHO_ORDERS;
    } else if (is_at(path, "/private/ws")) {
        c->role = ROLE_USER;
        orders_user(c);
    } else if (is_at(path, "/ws-fapi")) {
        c->role = ROLE_API;
    } else {
        c->role = ROLE_STREAM;
        feed_open(c, FEED_MARKET, path);
    }
}

// RFC 6455, section 4.2.2: what the key becomes in the answer.
static void accept_key(const char* key, size_t length, char answer[29]) {
    char text[128];
    unsigned char digest[SHA_DIGEST_LENGTH];
    int size = snprintf(text, sizeof text, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", (int)length, key);
    SHA1((const unsigned char*)text, (size_t)size, digest);
    EVP_EncodeBlock((unsigned char*)answer, digest, sizeof digest);
}

static void upgrade(connection* c, const char* path, const char* key) {
    char accepted[29];
    char answer[256];
    size_t length = strcspn(key, "\r\n");
    accept_key(key, length < 64 ? length : 64, accepted);
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n",
                        accepted);
    if (connection_write(c, answer, (size_t)size)) take_role(c, path);
}

// MARK: HTTP requests

static const char* header(const char* head, const char* name) {
    for (const char* line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, strlen(name)) != 0) continue;
        line += strlen(name);
        return line + strspn(line, " ");
    }
    return NULL;
}

// Takes one request. Returns the bytes it had, 0 while it is incomplete.
static size_t serve_request(connection* c) {
    char path[1024];
    char* text = (char*)c->bytes;
    text[c->used] = 0;
    char* end = strstr(text, "\r\n\r\n");
    if (!end) return 0;
    end[2] = 0;
    if (sscanf(text, "GET %1023s", path) != 1) {
        connection_close(c);
        return 0;
    }
    const char* key = header(text, "Sec-WebSocket-Key:");
    if (key)
        upgrade(c, path, key);
    else
        respond_rest(c, path);
    return (size_t)(end - text) + 4;
}

// MARK: frames

static void take_subscription(connection* c, const char* text) {
    char answer[64];
    const char* id = strstr(text, "\"id\":");
    int size = snprintf(answer, sizeof answer, "{\"result\":null,\"id\":%llu}", id ? strtoull(id + 5, NULL, 10) : 0);
    if (send_text(c, answer, (size_t)size) && strstr(text, "\"SUBSCRIBE\"")) feed_subscribed(c);
}

static void take_message(connection* c, char* text, size_t size) {
    char end = text[size];
    text[size] = 0;
    if (c->role == ROLE_API)
        orders_request(c, text, size, c->received_ns);
    else if (c->role == ROLE_ECHO_ORDERS)
        record_arrived(c->received_ns);
    else if (c->role == ROLE_STREAM)
        take_subscription(c, text);
    text[size] = end;
}

static void take_frame(connection* c, uint8_t opcode, uint8_t* payload, size_t size) {
    switch (opcode) {
    case OPCODE_TEXT:
        take_message(c, (char*)payload, size);
        break;
    case OPCODE_PING:
        // While a record waits to be sent, the feed itself is sign of life enough.
        if (!c->blocked) send_frame(c, OPCODE_PONG, payload, size);
        break;
    case OPCODE_CLOSE:
        if (!c->closing && !c->blocked) send_frame(c, OPCODE_CLOSE, payload, size < 2 ? size : 2);
        connection_close(c);
        break;
    default:
        break;
    }
}

static void unmask(uint8_t* payload, size_t size, const uint8_t mask[4]) {
    for (size_t i = 0; i < size; i++)
        payload[i] ^= mask[i & 3];
}

// Takes one frame of a client (masked, in one piece). Returns the bytes it had, 0 while it is incomplete.
static size_t serve_frame(connection* c, uint8_t* at, size_t held) {
    if (held < 6) return 0;
    size_t size = at[1] & 127;
    size_t before = 6;
    if (size == 127) fail("a client sent a frame that is longer than anything here needs");
    if (size == 126) {
        if (held < 8) return 0;
        size = (size_t)at[2] << 8 | at[3];
        before = 8;
    }
    if (held < before + size) return 0;
    uint8_t mask[4];
    memcpy(mask, at + before - 4, 4);
    unmask(at + before, size, mask);
    take_frame(c, at[0] & 15, at + before, size);
    return before + size;
}

void connection_serve(connection* c) {
    size_t taken = 0;
    while (c->fd >= 0 && taken < c->used) {
        size_t size = c->role == ROLE_HTTP ? serve_request(c) : serve_frame(c, c->bytes + taken, c->used - taken);
        if (size == 0) break;
        taken += size;
        if (c->role == ROLE_HTTP) break;
    }
    if (c->fd < 0 || taken == 0) return;
    c->used -= taken;
    memmove(c->bytes, c->bytes + taken, c->used);
}
