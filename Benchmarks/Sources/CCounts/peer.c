#include "counts_peer.h"

#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AWAIT_NS 10000000000ull

enum { CONNECTIONS = 4, RECEIVED = 16384, BURST_MAX = 64 };

typedef struct connection {
    int fd; // -1: free
    SSL* ssl;
    bool streams; // a WebSocket now
    size_t used;
    uint8_t bytes[RECEIVED + 1];
} connection;

struct counts_peer {
    SSL_CTX* tls;
    int listener;
    uint16_t port;
    pthread_t thread;
    apus_buffer frames;
    connection connections[CONNECTIONS];
    connection* stream;
    // Written by whoever tells it to send.
    uint64_t wanted; // update id up to which is to be sent
    uint64_t not_before_ns;
    uint64_t stopping;
    // Written by the thread.
    uint64_t sent;
    uint64_t subscribed;
};

static uint64_t load(const uint64_t* word) {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(uint64_t* word, uint64_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

// MARK: bytes

static void drop(counts_peer* peer, connection* c) {
    if (peer->stream == c) peer->stream = NULL;
    SSL_free(c->ssl);
    close(c->fd);
    *c = (connection){.fd = -1};
}

static bool send_all(connection* c, const void* bytes, size_t size) {
    const uint8_t* at = bytes;
    while (size > 0) {
        ssize_t count = c->ssl ? SSL_write(c->ssl, at, (int)size) : send(c->fd, at, size, MSG_NOSIGNAL);
        if (count > 0) {
            at += count;
            size -= (size_t)count;
        } else if (!c->ssl && errno != EAGAIN) {
            return false;
        } else if (c->ssl && SSL_get_error(c->ssl, (int)count) != SSL_ERROR_WANT_WRITE) {
            return false;
        }
    }
    return true;
}

static void answer(connection* c, const char* text) {
    uint8_t frame[256] = {0x81, (uint8_t)strlen(text)};
    memcpy(frame + 2, text, strlen(text));
    send_all(c, frame, 2 + strlen(text));
}

// MARK: requests and frames

static void upgrade(connection* c, const char* request) {
    static const char name[] = "Sec-WebSocket-Key: ";
    const char* key = strstr(request, name);
    apus_http_upgrade made = {0};
    char head[256];
    if (key == NULL) return;
    memcpy(made.key, key + sizeof name - 1, APUS_HTTP_KEY_BYTES - 1);
    if (apus_http_upgrade_accept(&made) != 0) return;
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Accept: %s\r\n\r\n",
                          made.accept);
    c->streams = send_all(c, head, (size_t)length);
}

static void give_snapshot(const counts_peer* peer, connection* c) {
    char body[256], head[128];
    int size = snprintf(body, sizeof body,
                        "{\"lastUpdateId\":%llu,\"E\":1,\"T\":1,\"bids\":[[\"49000.00\",\"1.000\"]],"
                        "\"asks\":[[\"51000.00\",\"1.000\"]]}",
                        (unsigned long long)peer->sent);
    int length = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size);
    send_all(c, head, (size_t)length);
    send_all(c, body, (size_t)size);
}

// Returns the bytes of the request that was served, 0 when it is not complete.
static size_t serve_request(counts_peer* peer, connection* c) {
    c->bytes[c->used] = 0;
    char* text = (char*)c->bytes;
    char* end = strstr(text, "\r\n\r\n");
    if (end == NULL) return 0;
    if (strstr(text, "Upgrade: websocket") == NULL) {
        give_snapshot(peer, c);
    } else {
        upgrade(c, text);
        peer->stream = c;
    }
    return (size_t)(end + 4 - text);
}

// The same for a masked frame: every text with an id is a subscription, and is granted.
static size_t serve_frame(counts_peer* peer, connection* c) {
    if (c->used < 8) return 0;
    size_t header = 6, size = c->bytes[1] & 127;
    if (size == 126) {
        size = (size_t)c->bytes[2] << 8 | c->bytes[3];
        header = 8;
    }
    if (size == 127 || c->used < header + size) return 0;
    char text[RECEIVED + 1];
    const uint8_t* mask = c->bytes + header - 4;
    for (size_t i = 0; i < size; i++)
        text[i] = (char)(c->bytes[header + i] ^ mask[i & 3]);
    text[size] = 0;
    const char* id = strstr(text, "\"id\":");
    if ((c->bytes[0] & 15) == APUS_WS_TEXT && id != NULL) {
        char granted[64];
        snprintf(granted, sizeof granted, "{\"result\":null,\"id\":%llu}", strtoull(id + 5, NULL, 10));
        answer(c, granted);
        store(&peer->subscribed, 1);
    }
    return header + size;
}

static void serve(counts_peer* peer, connection* c) {
    size_t space = RECEIVED - c->used;
    ssize_t count = c->ssl ? SSL_read(c->ssl, c->bytes + c->used, (int)space)
                           : recv(c->fd, c->bytes + c->used, space, MSG_DONTWAIT);
    if (count <= 0) {
        bool waits = c->ssl ? SSL_get_error(c->ssl, (int)count) == SSL_ERROR_WANT_READ : count < 0 && errno == EAGAIN;
        if (!waits) drop(peer, c);
        return;
    }
    c->used += (size_t)count;
    for (size_t served = 1; served > 0;) {
        served = c->streams ? serve_frame(peer, c) : serve_request(peer, c);
        memmove(c->bytes, c->bytes + served, c->used - served);
        c->used -= served;
    }
}

// MARK: the thread

static void accept_one(counts_peer* peer) {
    int fd = accept4(peer->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (int i = 0; i < CONNECTIONS; i++) {
        connection* c = &peer->connections[i];
        if (c->fd >= 0) continue;
        *c = (connection){.fd = fd, .ssl = peer->tls ? SSL_new(peer->tls) : NULL};
        if (c->ssl == NULL) return;
        SSL_set_fd(c->ssl, fd);
        SSL_set_accept_state(c->ssl);
        return;
    }
    close(fd);
}

static void send_wanted(counts_peer* peer) {
    uint64_t wanted = load(&peer->wanted);
    if (peer->stream == NULL || wanted == peer->sent || apus_clock_monotonic() < load(&peer->not_before_ns)) return;
    uint8_t burst[BURST_MAX * COUNTS_FRAME_BYTES];
    size_t bytes = 0;
    for (uint64_t id = peer->sent + 1; id <= wanted; id++, bytes += COUNTS_FRAME_BYTES) {
        uint8_t* frame = peer->frames.base + id % COUNTS_STREAM * COUNTS_FRAME_BYTES;
        counts_renew_frame(frame, id);
        memcpy(burst + bytes, frame, COUNTS_FRAME_BYTES);
        if (peer->stream->ssl && !send_all(peer->stream, frame, COUNTS_FRAME_BYTES)) return;
    }
    if (peer->stream->ssl == NULL && !send_all(peer->stream, burst, bytes)) return;
    store(&peer->sent, wanted);
}

static void* run(void* argument) {
    counts_peer* peer = argument;
    while (!load(&peer->stopping)) {
        accept_one(peer);
        for (int i = 0; i < CONNECTIONS; i++) {
            if (peer->connections[i].fd >= 0) serve(peer, &peer->connections[i]);
        }
        send_wanted(peer);
        sched_yield();
    }
    return NULL;
}

// MARK: from outside

static bool listen_on(counts_peer* peer) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool listens = peer->listener >= 0 && bind(peer->listener, (struct sockaddr*)&address, size) == 0
                   && listen(peer->listener, CONNECTIONS) == 0
                   && getsockname(peer->listener, (struct sockaddr*)&address, &size) == 0;
    peer->port = ntohs(address.sin_port);
    return listens;
}

static bool make_tls(counts_peer* peer, const char* certificate, const char* key) {
    peer->tls = SSL_CTX_new(TLS_server_method());
    if (peer->tls == NULL) return false;
    SSL_CTX_set_mode(peer->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_id_context(peer->tls, (const unsigned char*)"counts", 6);
    return SSL_CTX_use_certificate_file(peer->tls, certificate, SSL_FILETYPE_PEM) == 1
           && SSL_CTX_use_PrivateKey_file(peer->tls, key, SSL_FILETYPE_PEM) == 1;
}

counts_peer* counts_peer_make(const char* certificate, const char* key) {
    counts_peer* peer = calloc(1, sizeof *peer);
    if (peer == NULL || !counts_make_frames(&peer->frames, 7)) return NULL;
    if (certificate != NULL && !make_tls(peer, certificate, key)) return NULL;
    for (int i = 0; i < CONNECTIONS; i++)
        peer->connections[i].fd = -1;
    peer->sent = peer->wanted = COUNTS_FIRST_UPDATE - 1;
    if (!listen_on(peer) || pthread_create(&peer->thread, NULL, run, peer) != 0) return NULL;
    return peer;
}

uint16_t counts_peer_port(const counts_peer* peer) {
    return peer->port;
}

bool counts_peer_subscribed(const counts_peer* peer) {
    return load(&peer->subscribed) != 0;
}

uint64_t counts_peer_send(counts_peer* peer, uint32_t messages, uint64_t delay_ns) {
    store(&peer->not_before_ns, apus_clock_monotonic() + delay_ns);
    store(&peer->wanted, peer->wanted + (messages < BURST_MAX ? messages : BURST_MAX));
    return peer->wanted;
}

bool counts_peer_await(const counts_peer* peer, uint64_t update_id) {
    uint64_t start = apus_clock_monotonic();
    while (load(&peer->sent) < update_id) {
        if (apus_clock_monotonic() - start > AWAIT_NS) return false;
    }
    return true;
}

void counts_peer_stop(counts_peer* peer) {
    store(&peer->stopping, 1);
    pthread_join(peer->thread, NULL);
    for (int i = 0; i < CONNECTIONS; i++) {
        if (peer->connections[i].fd >= 0) drop(peer, &peer->connections[i]);
    }
    close(peer->listener);
    SSL_CTX_free(peer->tls);
    free(peer->frames.base);
    free(peer);
}
