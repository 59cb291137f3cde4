#include "apus_http.h"
#include "apus_http_text.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

static bool plain(const char* text) {
    if (*text == 0) return false;
    for (; *text != 0; text++) {
        if ((uint8_t)*text <= 0x20 || (uint8_t)*text >= 0x7f) return false;
    }
    return true;
}

// Every line a proper header field with its CR LF, and no empty one, which would end the head.
static bool headers_sound(const char* headers) {
    while (*headers != 0) {
        size_t size = strcspn(headers, "\r\n");
        apus_http_field field;
        if (headers[size] != '\r' || headers[size + 1] != '\n') return false;
        if (apus_http_split_field(headers, size, &field) != NULL) return false;
        for (size_t i = 0; i < size; i++) {
            if (((uint8_t)headers[i] < 0x20 && headers[i] != '\t') || headers[i] == 0x7f) return false;
        }
        headers += size + 2;
    }
    return true;
}

typedef struct writer {
    uint8_t* at;
    size_t left;
    bool full;
} writer;

static void put(writer* out, const void* bytes, size_t size) {
    if (size > out->left) out->full = true;
    if (out->full || size == 0) return;
    memcpy(out->at, bytes, size);
    out->at += size;
    out->left -= size;
}

static void put_text(writer* out, const char* text) {
    put(out, text, strlen(text));
}

static void put_number(writer* out, uint64_t number) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    put(out, digits, (size_t)length);
}

static void put_host(writer* out, const apus_endpoint* endpoint) {
    bool bare_v6 = strchr(endpoint->host, ':') != NULL;
    put_text(out, "Host: ");
    if (bare_v6) put_text(out, "[");
    put_text(out, endpoint->host);
    if (bare_v6) put_text(out, "]");
    if (endpoint->port != (endpoint->tls ? 443 : 80)) {
        put_text(out, ":");
        put_number(out, endpoint->port);
    }
    put_text(out, "\r\n");
}

// `own` are header lines of this library, before the caller's.
static int write_request(apus_buffer* tx, const apus_http_request* request, const char* own) {
    if (!plain(request->method) || !plain(request->path) || request->path[0] != '/' || !plain(request->endpoint->host))
        return -EINVAL;
    if (request->headers && !headers_sound(request->headers)) return -EINVAL;
    // Compacting first leaves all free room in one piece.
    if (tx->start > 0) apus_buffer_compact(tx);
    writer out = {.at = tx->base + tx->end, .left = tx->capacity - tx->end};
    put_text(&out, request->method);
    put_text(&out, " ");
    put_text(&out, request->path);
    put_text(&out, " HTTP/1.1\r\n");
    put_host(&out, request->endpoint);
    put_text(&out, own);
    if (request->headers) put_text(&out, request->headers);
    bool carries = strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0;
    if (request->body_size > 0 || carries) {
        put_text(&out, "Content-Length: ");
        put_number(&out, request->body_size);
        put_text(&out, "\r\n");
    }
    put_text(&out, "\r\n");
    put(&out, request->body, request->body_size);
    if (out.full) return -ENOBUFS;
    tx->end = (size_t)(out.at - tx->base);
    return 0;
}

int apus_http_write(apus_buffer* tx, const apus_http_request* request) {
    return write_request(tx, request, "");
}

// MARK: upgrade

int apus_http_upgrade_accept(apus_http_upgrade* upgrade) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455, section 1.3
    char text[APUS_HTTP_KEY_BYTES + sizeof guid];
    uint8_t digest[SHA_DIGEST_LENGTH];
    int length = snprintf(text, sizeof text, "%s%s", upgrade->key, guid);
    if (!SHA1((const uint8_t*)text, (size_t)length, digest)) return -EIO;
    EVP_EncodeBlock((uint8_t*)upgrade->accept, digest, sizeof digest);
    return 0;
}

int apus_http_upgrade_init(apus_http_upgrade* upgrade, apus_random* random) {
    uint8_t nonce[16];
    apus_random_bytes(random, nonce, sizeof nonce);
    EVP_EncodeBlock((uint8_t*)upgrade->key, nonce, sizeof nonce);
    return apus_http_upgrade_accept(upgrade);
}

int apus_http_upgrade_write(apus_buffer* tx, const apus_http_upgrade* upgrade, const apus_endpoint* endpoint,
                            const char* path, const char* headers) {
    char own[160];
    snprintf(own, sizeof own,
             "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n",
             upgrade->key);
    apus_http_request request = {.method = "GET", .endpoint = endpoint, .path = path, .headers = headers};
    return write_request(tx, &request, own);
}

const char* apus_http_upgrade_check(const apus_http_upgrade* upgrade, const apus_http_response* response) {
    size_t length;
    if (response->status != 101) return "upgrade answered with another status than 101";
    if (!apus_http_header_has(response, "upgrade", "websocket")) return "answer does not upgrade to websocket";
    if (!apus_http_header_has(response, "connection", "upgrade")) return "answer's Connection does not say Upgrade";
    const char* accept = apus_http_header(response, "sec-websocket-accept", &length);
    if (!accept) return "answer without Sec-WebSocket-Accept";
    if (length != strlen(upgrade->accept) || memcmp(accept, upgrade->accept, length) != 0)
        return "Sec-WebSocket-Accept does not answer our key";
    if (apus_http_header(response, "sec-websocket-extensions", &length) && length > 0)
        return "answer selects an extension that was not offered";
    if (apus_http_header(response, "sec-websocket-protocol", &length))
        return "answer selects a subprotocol that was not offered";
    return NULL;
}
