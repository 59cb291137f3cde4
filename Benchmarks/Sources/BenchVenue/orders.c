// Order entry as far as an order that is never filled needs it: answered, on the user stream NEW, and EXPIRED at once.
//
// The time of arrival is the first thing that is noted, the answer the second; the signature is checked when all is sent.
#include "venue.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#define FIELD_BYTES 128u
#define EVENT_BYTES 1024u

static const char* secret;
static connection* user;
static uint64_t orders;

void orders_init(const char* text) {
    secret = text;
}

void orders_user(connection* connection) {
    user = connection;
}

// Copies the text value of a member, which the engine writes without escapes. Returns false when it is not there.
static bool member(const char* text, const char* name, char value[FIELD_BYTES]) {
    char key[64];
    int length = snprintf(key, sizeof key, "\"%s\":\"", name);
    const char* at = strstr(text, key);
    value[0] = 0;
    if (!at) return false;
    at += length;
    size_t size = strcspn(at, "\"");
    if (size >= FIELD_BYTES) return false;
    memcpy(value, at, size);
    value[size] = 0;
    return true;
}

// MARK: signatures

// Writes the parameters but the signature as a query, in the order in which they stand: the order of their names, or the
// signature is wrong.
static size_t write_query(const char* parameters, char* query, size_t bytes) {
    size_t length = 0;
    for (const char* at = parameters; *at == '"';) {
        const char* name = at + 1;
        size_t name_size = strcspn(name, "\"");
        const char* value = name + name_size + 2;
        bool quoted = *value == '"';
        value += quoted;
        size_t value_size = strcspn(value, quoted ? "\"" : ",}");
        at = value + value_size + quoted;
        if (*at == ',') at++;
        if (name_size == 9 && memcmp(name, "signature", 9) == 0) continue;
        if (length + name_size + value_size + 2 > bytes) return 0;
        if (length > 0) query[length++] = '&';
        memcpy(query + length, name, name_size);
        length += name_size;
        query[length++] = '=';
        memcpy(query + length, value, value_size);
        length += value_size;
    }
    return length;
}

static void sign(const char* query, size_t length, char text[65]) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (!HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char*)query, length, digest, NULL))
        fail("libcrypto has no HMAC");
    for (size_t i = 0; i < 32; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

static void check_signature(const char* text) {
    char claimed[FIELD_BYTES];
    char query[1024];
    char ours[65];
    const char* parameters = strstr(text, "\"params\":{");
    size_t length = parameters ? write_query(parameters + 10, query, sizeof query) : 0;
    sign(query, length, ours);
    bool good = length > 0 && member(text, "signature", claimed) && strcmp(claimed, ours) == 0;
    if (good)
        record_head()->signatures_good++;
    else
        record_head()->signatures_bad++;
}

// MARK: answers

static void send_format(connection* c, const char* text, int size) {
    if (size < 0 || (size_t)size >= EVENT_BYTES) fail("an answer is too long: %d bytes", size);
    send_text(c, text, (size_t)size);
}

static void send_event(const char* symbol, const char* client, const char* side, const char* quantity,
                       const char* price, const char* what, uint64_t number) {
    char text[EVENT_BYTES];
    unsigned long long now = realtime_ms();
    if (!user) return;
    int size = snprintf(text, sizeof text,
                        "{\"e\":\"ORDER_TRADE_UPDATE\",\"T\":%llu,\"E\":%llu,\"o\":{\"s\":\"%s\",\"c\":\"%s\",\"S\":\"%"
                        "s\",\"o\":\"LIMIT\","
                        "\"f\":\"IOC\",\"q\":\"%s\",\"p\":\"%s\",\"ap\":\"0\",\"sp\":\"0\",\"x\":\"%s\",\"X\":\"%s\","
                        "\"i\":%llu,\"l\":\"0\","
                        "\"z\":\"0\",\"L\":\"0\",\"T\":%llu,\"t\":0,\"m\":false,\"R\":false}}",
                        now, now, symbol, client, side, quantity, price, what, what, (unsigned long long)number, now);
    send_format(user, text, size);
}

static void place(connection* api, const char* text, const char* id) {
    char answer[EVENT_BYTES];
    char symbol[FIELD_BYTES], client[FIELD_BYTES], side[FIELD_BYTES], quantity[FIELD_BYTES], price[FIELD_BYTES];
    if (!member(text, "symbol", symbol) || !member(text, "newClientOrderId", client) || !member(text, "side", side)
        || !member(text, "quantity", quantity) || !member(text, "price", price)) {
        record_head()->refused++;
        return;
    }
    uint64_t number = ++orders;
    int size = snprintf(
        answer, sizeof answer,
        "{\"id\":\"%s\",\"status\":200,\"result\":{\"orderId\":%llu,\"symbol\":\"%s\",\"status\":\"NEW\","
        "\"clientOrderId\":\"%s\",\"price\":\"%s\",\"origQty\":\"%s\",\"executedQty\":\"0.000\","
        "\"type\":\"LIMIT\",\"side\":\"%s\",\"updateTime\":%llu},\"rateLimits\":[]}",
        id, (unsigned long long)number, symbol, client, price, quantity, side, (unsigned long long)realtime_ms());
    send_format(api, answer, size);
    send_event(symbol, client, side, quantity, price, "NEW", number);
    send_event(symbol, client, side, quantity, price, "EXPIRED", number);
    check_signature(text);
}

static void answer_key(connection* api, const char* id) {
    char answer[EVENT_BYTES];
    int size = snprintf(
        answer, sizeof answer,
        "{\"id\":\"%s\",\"status\":200,\"result\":{\"listenKey\":\"bench-listen-key\"},\"rateLimits\":[]}", id);
    send_format(api, answer, size);
}

static void answer_time(connection* api, const char* id) {
    char answer[EVENT_BYTES];
    int size = snprintf(answer, sizeof answer,
                        "{\"id\":\"%s\",\"status\":200,\"result\":{\"serverTime\":%llu},\"rateLimits\":[]}", id,
                        (unsigned long long)realtime_ms());
    send_format(api, answer, size);
}

static void answer_unknown(connection* api, const char* id) {
    char answer[EVENT_BYTES];
    int size =
        snprintf(answer, sizeof answer,
                 "{\"id\":\"%s\",\"status\":400,\"error\":{\"code\":-2013,\"msg\":\"Order does not exist.\"}}", id);
    send_format(api, answer, size);
}

void orders_request(connection* api, char* text, size_t size, uint64_t received_ns) {
    char id[FIELD_BYTES], method[FIELD_BYTES];
    bool placed = strstr(text, "\"method\":\"order.place\"") != NULL;
    if (placed) {
        record_arrived(received_ns);
        record_head()->request_bytes = size;
    }
    if (!member(text, "id", id) || !member(text, "method", method)) {
        record_head()->refused++;
        return;
    }
    if (placed)
        place(api, text, id);
    else if (strncmp(method, "userDataStream.", 15) == 0)
        answer_key(api, id);
    else if (strcmp(method, "time") == 0)
        answer_time(api, id);
    else
        answer_unknown(api, id);
}
