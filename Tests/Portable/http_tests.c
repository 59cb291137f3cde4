// HTTP answers and requests, and the upgrade to WebSocket.
#include "check.h"

#include "apus_http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOUND_MAX = 4096 };

// Reads a text in pieces; the answers and the error are written one after another.
static void read_answers(const char* text, size_t piece, bool ended, size_t max_body, size_t capacity, char* found) {
    uint8_t* memory = check_memory(capacity + APUS_PADDING);
    apus_channel channel = {0};
    apus_buffer_init(&channel.rx, memory, capacity + APUS_PADDING);
    apus_http http;
    apus_http_init(&http, max_body);
    apus_http_response response;
    size_t length = strlen(text), used = 0, at = 0;
    int result = 0;
    found[0] = 0;
    do {
        uint8_t* to;
        size_t count = apus_channel_space(&channel, &to);
        if (count > piece) count = piece;
        if (count > length - at) count = length - at;
        memcpy(to, text + at, count);
        apus_channel_received(&channel, count, 1, 0);
        at += count;
        bool end = ended && at == length;
        while ((result = apus_http_next(&http, &channel.rx, end, &response)) > 0) {
            used += (size_t)snprintf(found + used, FOUND_MAX - used, "%u%s '%.*s' %u;", response.status,
                                     response.keep_alive ? "+" : "", (int)response.body_size,
                                     (const char*)response.body, response.retry_after_s);
            if (end || response.status == 101 || !response.keep_alive) break;
        }
    } while (at < length && result == 0 && apus_buffer_used(&channel.rx) < capacity);
    if (result < 0) {
        snprintf(found + used, FOUND_MAX - used, "error %d @%llu", -result, (unsigned long long)http.what_offset);
        CHECK(http.what != NULL);
    }
    free(memory);
}

static void expect(const char* text, bool ended, const char* expected) {
    static const size_t pieces[] = {1, 2, 3, 7, 40, 100000};
    static char found[FOUND_MAX];
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        read_answers(text, pieces[i], ended, 1000, 4000, found);
        CHECK_TEXT(found, strlen(found), expected);
    }
}

#define OK "HTTP/1.1 200 OK\r\n"

static void answers(void) {
    expect(OK "content-LENGTH:  5 \r\n\r\nhello", false, "200+ 'hello' 0;");
    expect(OK "Transfer-Encoding: Chunked\r\n\r\n5;name=value\r\nhello\r\n00A \r\n, chunked!\r\n0\r\nX: y\r\n\r\n" OK
              "Content-Length: 0\r\n\r\n",
           false, "200+ 'hello, chunked!' 0;200+ '' 0;");
    expect(OK "Server: x\r\n\r\nuntil the end", false, "");
    expect(OK "Server: x\r\n\r\nuntil the end", true, "200 'until the end' 0;");
    expect("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 None\r\n\r\n"
           "HTTP/1.1 304 Same\r\nContent-Length: 10\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno",
           false, "204+ '' 0;304+ '' 0;404+ 'no' 0;");
    expect("HTTP/1.1 429 Slow\r\nRetry-After: 17\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", false,
           "429 '{}' 17;");
    expect("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", false, "200 'x' 0;");
}

static void malformed(void) {
    char protocol[32], size[32], pipe[32];
    snprintf(protocol, sizeof protocol, "error %d @", EPROTO);
    snprintf(size, sizeof size, "error %d @", EMSGSIZE);
    snprintf(pipe, sizeof pipe, "error %d @", EPIPE);
    const struct {
        const char* text;
        const char* error;
    } rows[] = {
        {"HTTP/2 200 OK\r\n\r\n", protocol},
        {"HTTP/1.1 20 OK\r\n\r\n", protocol},
        {OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", protocol},
        {OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", protocol},
        {OK "Content-Length: -1\r\n\r\n", protocol},
        {OK "Content-Length: 5\nX: y\r\n\r\nhello", protocol},
        {OK " folded\r\n\r\n", protocol},
        {OK "Transfer-Encoding: chunked\r\n\r\ng\r\n", protocol},
        {OK "Content-Length: 1001\r\n\r\n", size},
        {OK "Content-Length: 5\r\n\r\nhell", pipe},
    };
    static const size_t pieces[] = {1, 3, 100000};
    static char found[FOUND_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
            read_answers(rows[i].text, pieces[k], true, 1000, 4000, found);
            CHECK_TEXT(found, strlen(rows[i].error) < strlen(found) ? strlen(rows[i].error) : strlen(found),
                       rows[i].error);
        }
    }
}

static void requests(void) {
    uint8_t* memory = check_memory(1024 + APUS_PADDING);
    apus_buffer tx;
    apus_buffer_init(&tx, memory, 1024 + APUS_PADDING);
    apus_endpoint endpoint = {.host = "venue.example", .port = 443, .tls = true};
    apus_http_request request = {.method = "GET", .endpoint = &endpoint, .path = "/a?b=c", .headers = "X-Key: k\r\n"};
    CHECK_EQUAL(apus_http_write(&tx, &request), 0);
    const char* head = "GET /a?b=c HTTP/1.1\r\nHost: venue.example\r\n";
    CHECK(apus_buffer_used(&tx) > strlen(head) && memcmp(tx.base, head, strlen(head)) == 0);
    CHECK(memcmp(tx.base + tx.end - 4, "\r\n\r\n", 4) == 0);
    size_t used = apus_buffer_used(&tx);
    request.path = "/a b";
    CHECK_EQUAL(apus_http_write(&tx, &request), -EINVAL);
    request.path = "/a";
    request.headers = "X: y\r\n\r\n";
    CHECK_EQUAL(apus_http_write(&tx, &request), -EINVAL);
    CHECK_EQUAL(apus_buffer_used(&tx), used);
    free(memory);
}

// The key and its answer of RFC 6455, section 1.3.
static void upgrades(void) {
    apus_http_upgrade upgrade = {.key = "dGhlIHNhbXBsZSBub25jZQ=="};
    CHECK_EQUAL(apus_http_upgrade_accept(&upgrade), 0);
    CHECK_TEXT(upgrade.accept, strlen(upgrade.accept), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    static const struct {
        const char* lines;
        bool right;
    } rows[] = {
        {"Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: "
         "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
         true},
        {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n", false},
        {"Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", false},
        {"Upgrade: websocket\r\nConnection: Upgrade\r\n", false},
        {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
         "Sec-WebSocket-Extensions: permessage-deflate\r\n",
         false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        uint8_t* memory = check_memory(1024 + APUS_PADDING);
        int length = snprintf(text, sizeof text, "HTTP/1.1 101 Switching Protocols\r\n%s\r\n\x81\x02hi", rows[i].lines);
        apus_buffer rx;
        apus_buffer_init(&rx, memory, 1024 + APUS_PADDING);
        memcpy(memory, text, (size_t)length);
        rx.end = (size_t)length;
        apus_http http;
        apus_http_response response;
        apus_http_init(&http, 100);
        CHECK_EQUAL(apus_http_next(&http, &rx, false, &response), 1);
        CHECK_EQUAL(response.status, 101);
        CHECK_EQUAL(apus_http_upgrade_check(&upgrade, &response) == NULL, rows[i].right);
        CHECK_TEXT(rx.base + rx.start, apus_buffer_used(&rx), "\x81\x02hi");
        free(memory);
    }
}

const check_test http_tests[] = {
    {"http: answers in pieces", answers},
    {"http: malformed answers are refused", malformed},
    {"http: requests", requests},
    {"http: the upgrade of RFC 6455", upgrades},
    {0},
};
