// The floor of "tick to order": what a program costs that reads one connection without waiting, and for each market message that is
// whole hands a request to a second connection that it has made beforehand. It decodes nothing, keeps no book, decides and signs
// nothing. The venue takes the times, as it does for the engine.
#include "venue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_BYTES_MAX 4096u

typedef struct peer {
    int fd;
    SSL* ssl;
} peer;

static long receive(const peer* p, void* to, size_t space) {
    if (!p->ssl) return recv(p->fd, to, space, MSG_DONTWAIT);
    long count = SSL_read(p->ssl, to, (int)space);
    if (count > 0) return count;
    errno = SSL_get_error(p->ssl, (int)count) == SSL_ERROR_WANT_READ ? EAGAIN : EPIPE;
    return -1;
}

static void transmit(const peer* p, const uint8_t* bytes, size_t size) {
    while (size > 0) {
        long count = p->ssl ? SSL_write(p->ssl, bytes, (int)size) : send(p->fd, bytes, size, MSG_NOSIGNAL);
        if (count > 0) {
            bytes += count;
            size -= (size_t)count;
        } else if (p->ssl ? SSL_get_error(p->ssl, (int)count) != SSL_ERROR_WANT_WRITE : errno != EAGAIN) {
            fail("the venue has closed the order connection");
        }
    }
}

static peer connect_to(const char* host, const char* port, SSL_CTX* tls) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    peer p = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) fail("\"%s\" is no IPv4 address", host);
    if (p.fd < 0 || connect(p.fd, (struct sockaddr*)(void*)&address, sizeof address) != 0)
        fail("cannot connect to %s:%s: %s", host, port, strerror(errno));
    if (tls) {
        p.ssl = SSL_new(tls);
        if (!p.ssl || SSL_set_fd(p.ssl, p.fd) != 1 || SSL_connect(p.ssl) != 1) fail("no TLS with %s:%s", host, port);
    }
    socket_prepare(p.fd);
    return p;
}

static void upgrade(const peer* p, const char* path) {
    char text[1024];
    size_t used = 0;
    int size = snprintf(text, sizeof text,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                        path);
    transmit(p, (const uint8_t*)text, (size_t)size);
    // No message follows within the venue's start delay, so the answer comes alone.
    while (used < sizeof text - 1) {
        long count = receive(p, text + used, sizeof text - 1 - used);
        if (count == 0 || (count < 0 && errno != EAGAIN)) break;
        if (count > 0) used += (size_t)count;
        text[used] = 0;
        if (strstr(text, "\r\n\r\n")) return;
    }
    fail("the venue did not answer the upgrade to %s", path);
}

// A masked text frame, as a client must send it.
static size_t make_request(uint8_t* frame, size_t payload) {
    static const uint8_t mask[4] = {1, 2, 3, 4};
    size_t header = frame_header(frame, 1, payload);
    frame[1] |= 0x80;
    memcpy(frame + header, mask, sizeof mask);
    for (size_t i = 0; i < payload; i++)
        frame[header + sizeof mask + i] = (uint8_t)'x' ^ mask[i & 3];
    return header + sizeof mask + payload;
}

static void echo(const peer* market, const peer* orders, uint64_t count, const uint8_t* request, size_t size) {
    static uint8_t bytes[RECEIVE_BYTES];
    size_t held = 0;
    while (count > 0) {
        long read = receive(market, bytes + held, sizeof bytes - held);
        if (read == 0 || (read < 0 && errno != EAGAIN)) fail("the venue has closed the market connection");
        if (read <= 0) continue;
        held += (size_t)read;
        for (; held >= FRAME_BYTES && count > 0; held -= FRAME_BYTES, count--)
            transmit(orders, request, size);
    }
}

int echo_client(int count, char** arguments) {
    uint8_t request[REQUEST_BYTES_MAX + 16];
    char path[128];
    if (count < 6) fail("echo-client HOST PORT plain|tls COUNT RATE REQUEST_BYTES [CPU]");
    size_t payload = (size_t)atoi(arguments[5]);
    if (payload == 0 || payload > REQUEST_BYTES_MAX) fail("REQUEST_BYTES must be from 1 to %u", REQUEST_BYTES_MAX);
    if (count > 6) pin_to(atoi(arguments[6]));
    SSL_CTX* tls = NULL;
    if (strcmp(arguments[2], "tls") == 0) {
        tls = SSL_CTX_new(TLS_client_method());
        // The cipher that the engine asks for first.
        if (!tls || SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256") != 1) fail("OpenSSL has no TLS");
    }
    size_t size = make_request(request, payload);
    peer orders = connect_to(arguments[0], arguments[1], tls);
    upgrade(&orders, "/echo/orders");
    peer market = connect_to(arguments[0], arguments[1], tls);
    snprintf(path, sizeof path, "/echo/market/%s/%s", arguments[3], arguments[4]);
    upgrade(&market, path);
    uint64_t messages = strtoull(arguments[3], NULL, 10);
    echo(&market, &orders, messages, request, size);
    printf("{\"echoed\":%llu}\n", (unsigned long long)messages);
    return 0;
}
