// A transport's way from a name to an open connection, and its end.
//
//   wire_open ─▶ RESOLVING ─▶ CONNECTING ─▶ HANDSHAKING ─▶ OPEN        (literals skip the first, plain sockets the third)
//                   │             │ each address in turn    │
//                   └─────────────┴──────── wire_close ─────┴─▶ channel CLOSED; the transport is freed at once, or, when the
//                                                              resolver or a pool thread works with it, at the end of that
//
// A transport whose connection has lost interest has owner == NULL and reports nothing, so a late answer can do no harm.
#include "wire_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// MARK: texts

void wire_set_error(connection* c, const char* format, ...) {
    union {
        char text[APUS_WIRE_ERROR_BYTES];
        uint64_t words[ERROR_WORDS];
    } now;
    memset(&now, 0, sizeof now);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(now.text, sizeof now.text, format, arguments);
    va_end(arguments);
    uint64_t sequence = c->error_sequence;
    __atomic_store_n(&c->error_sequence, sequence + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    apus_words_store(c->error_words, now.words, ERROR_WORDS);
    __atomic_store_n(&c->error_sequence, sequence + 2, __ATOMIC_RELEASE);
}

static const char* error_name(int32_t error) {
    return error < 0 ? uv_strerror(error) : strerror(error);
}

// MARK: watching

static void watch_closed(uv_handle_t* handle) {
    watch* w = (watch*)(void*)handle;
    w->wire->loop_users--;
    free(w);
}

static void connect_ready(transport* t, int status);

static void watch_ready(uv_poll_t* poll, int status, int events) {
    (void)events;
    watch* w = (watch*)(void*)poll;
    transport* t = w->owner;
    if (!t || !t->owner) return;
    switch (t->phase) {
    case PHASE_CONNECTING:
        connect_ready(t, status);
        break;
    case PHASE_HANDSHAKING:
        wire_tls_continue(t);
        break;
    default:
        break;
    }
}

int wire_watch(transport* t, int events) {
    if (!t->watch) {
        if (events == 0) return 0;
        watch* w = calloc(1, sizeof *w);
        if (!w) return UV_ENOMEM;
        int result = uv_poll_init(&t->wire->loop, &w->poll, t->fd);
        if (result != 0) {
            free(w);
            return result;
        }
        w->wire = t->wire;
        w->owner = t;
        t->watch = w;
        t->wire->loop_users++;
    }
    if (t->watch->events == events) return 0;
    t->watch->events = events;
    return events == 0 ? uv_poll_stop(&t->watch->poll) : uv_poll_start(&t->watch->poll, events, watch_ready);
}

void wire_unwatch(transport* t) {
    watch* w = t->watch;
    if (!w) return;
    t->watch = NULL;
    w->owner = NULL;
    uv_poll_stop(&w->poll);
    uv_close((uv_handle_t*)(void*)&w->poll, watch_closed);
}

// MARK: the end of a transport

static void close_socket(transport* t) {
    wire_unwatch(t);
    if (t->fd >= 0) close(t->fd);
    t->fd = -1;
}

static void free_transport(transport* t) {
    apus_wire* wire = t->wire;
    close_socket(t);
    if (t->phase == PHASE_OPEN && t->ssl) wire->tls_count--;
    SSL_free(t->ssl);
    if (t->ticket) SSL_SESSION_free(t->ticket);
    if (t->fresh) SSL_SESSION_free(t->fresh);
    free(t->cipher);
    for (transport** at = &wire->transports; *at; at = &(*at)->next) {
        if (*at == t) {
            *at = t->next;
            break;
        }
    }
    if (t->phase == PHASE_OPEN)
        wire->open_count--;
    else
        wire->loop_users--;
    free(t);
}

void wire_transport_idle(transport* t) {
    if (!t->owner && !t->busy) free_transport(t);
}

void wire_close(connection* c, uint8_t reason, int32_t error) {
    transport* t = c->transport;
    c->transport = NULL;
    if (reason == APUS_CLOSED_ASKED) wire_set_error(c, "%s", "");
    apus_channel_closed(c->channel, reason, error);
    if (!t) return;
    t->owner = NULL;
    if (t->busy && t->phase == PHASE_RESOLVING) uv_cancel((uv_req_t*)(void*)&t->resolve);
    if (t->busy && t->phase == PHASE_HANDSHAKING) uv_cancel((uv_req_t*)(void*)&t->job);
    wire_transport_idle(t);
}

static void fail(transport* t, uint8_t reason, int32_t error) {
    wire_close(t->owner, reason, error);
}

// MARK: connecting

static void set_option(int fd, int level, int option, int value) {
    // Each of them is a wish: a socket without it still works.
    setsockopt(fd, level, option, &value, sizeof value);
}

static void prepare_socket(transport* t) {
    const apus_wire_config* config = &t->wire->config;
    set_option(t->fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(t->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, APUS_SENT_AGAIN_MS);
    set_option(t->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(t->fd, IPPROTO_TCP, TCP_KEEPIDLE, 10);
    set_option(t->fd, IPPROTO_TCP, TCP_KEEPINTVL, 5);
    set_option(t->fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
    if (config->quick_ack) set_option(t->fd, IPPROTO_TCP, TCP_QUICKACK, 1);
    if (config->busy_poll_us != 0) set_option(t->fd, SOL_SOCKET, SO_BUSY_POLL, (int)config->busy_poll_us);
    if (config->receive_stamps) {
        int on = 1;
        t->has_control = setsockopt(t->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0;
    }
}

static void connected(transport* t) {
    uint64_t now = wire_now(t->wire);
    t->connect_ns = now - t->step_ns;
    t->step_ns = now;
    if (t->endpoint.tls)
        wire_tls_begin(t);
    else
        wire_opened(t);
}

static socklen_t address_bytes(const struct sockaddr_storage* address) {
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

// Begins to connect to one address. Returns 0 when it is under way or done, else the errno value.
static int connect_one(transport* t, const struct sockaddr_storage* address) {
    t->fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (t->fd < 0) return errno;
    prepare_socket(t);
    if (connect(t->fd, (const struct sockaddr*)(const void*)address, address_bytes(address)) == 0) return 0;
    if (errno != EINPROGRESS && errno != EINTR) return errno;
    return wire_watch(t, UV_WRITABLE) == 0 ? 0 : ENOMEM;
}

// Tries the next addresses until one is under way.
static void connect_next(transport* t) {
    t->phase = PHASE_CONNECTING;
    while (t->address_next < t->address_count) {
        close_socket(t);
        uint64_t now = wire_now(t->wire);
        uint64_t left = t->deadline_ns > now ? t->deadline_ns - now : 0;
        // A dead address takes its share of the time, so that the others get theirs.
        t->address_deadline_ns = now + left / (t->address_count - t->address_next);
        int error = connect_one(t, &t->addresses[t->address_next++]);
        if (error == 0) {
            if (!t->watch) connected(t);
            return;
        }
        t->last_error = error;
    }
    wire_set_error(t->owner, "cannot connect to %s port %u: %s", t->endpoint.host, t->endpoint.port,
                   error_name(t->last_error));
    fail(t, APUS_CLOSED_CONNECT, t->last_error);
}

static void connect_ready(transport* t, int status) {
    int error = 0;
    socklen_t size = sizeof error;
    // The socket knows better why it failed than libuv, which calls every error of a socket a bad descriptor.
    if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error == 0 && status < 0) error = -status;
    if (error == 0) {
        wire_unwatch(t);
        connected(t);
        return;
    }
    t->last_error = error;
    connect_next(t);
}

// MARK: names

static void add_address(transport* t, const struct sockaddr* address, uint16_t port) {
    if (t->address_count == ADDRESSES_MAX) return;
    struct sockaddr_storage* to = &t->addresses[t->address_count];
    if (address->sa_family == AF_INET) {
        memcpy(to, address, sizeof(struct sockaddr_in));
        ((struct sockaddr_in*)(void*)to)->sin_port = htons(port);
    } else if (address->sa_family == AF_INET6) {
        memcpy(to, address, sizeof(struct sockaddr_in6));
        ((struct sockaddr_in6*)(void*)to)->sin6_port = htons(port);
    } else {
        return;
    }
    t->address_count++;
}

static void unresolved(transport* t, int error) {
    wire_set_error(t->owner, "cannot resolve %s: %s", t->endpoint.host, uv_strerror(error));
    fail(t, APUS_CLOSED_RESOLVE, error);
}

static void resolve_done(uv_getaddrinfo_t* request, int status, struct addrinfo* list) {
    transport* t = request->data;
    t->busy = false;
    if (t->owner) {
        for (const struct addrinfo* a = list; a; a = a->ai_next)
            add_address(t, a->ai_addr, t->endpoint.port);
        uint64_t now = wire_now(t->wire);
        t->resolve_ns = now - t->step_ns;
        t->step_ns = now;
    }
    uv_freeaddrinfo(list);
    if (!t->owner)
        wire_transport_idle(t);
    else if (status != 0 || t->address_count == 0)
        unresolved(t, status != 0 ? status : UV_EAI_NODATA);
    else
        connect_next(t);
}

static bool take_literal(transport* t) {
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, t->endpoint.host, &v4.sin_addr) == 1)
        add_address(t, (const struct sockaddr*)(const void*)&v4, t->endpoint.port);
    else if (inet_pton(AF_INET6, t->endpoint.host, &v6.sin6_addr) == 1)
        add_address(t, (const struct sockaddr*)(const void*)&v6, t->endpoint.port);
    return t->address_count > 0;
}

static void resolve(transport* t) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    t->phase = PHASE_RESOLVING;
    t->resolve.data = t;
    int result = uv_getaddrinfo(&t->wire->loop, &t->resolve, resolve_done, t->endpoint.host, NULL, &hints);
    if (result == 0)
        t->busy = true;
    else
        unresolved(t, result);
}

// MARK: opening

static transport* make_transport(apus_wire* wire, connection* c) {
    transport* t = calloc(1, sizeof *t);
    if (!t) return NULL;
    if (c->channel->endpoint.tls && !(t->cipher = malloc(CIPHER_BYTES))) {
        free(t);
        return NULL;
    }
    t->wire = wire;
    t->owner = c;
    t->fd = -1;
    t->endpoint = c->channel->endpoint;
    t->endpoint.host[sizeof t->endpoint.host - 1] = 0;
    t->next = wire->transports;
    wire->transports = t;
    wire->loop_users++;
    return t;
}

void wire_open(apus_wire* wire, connection* c) {
    apus_channel_opening(c->channel);
    transport* t = make_transport(wire, c);
    c->transport = t;
    if (!t) {
        wire_set_error(c, "no memory for a connection");
        wire_close(c, APUS_CLOSED_CONNECT, ENOMEM);
        return;
    }
    t->began_ns = t->step_ns = wire_now(wire);
    t->deadline_ns = t->began_ns + wire->config.connect_timeout_ns;
    wire->loop_ns = 0;
    if (t->endpoint.host[0] == 0 || t->endpoint.port == 0) {
        wire_set_error(c, "no host name or no port to connect to");
        fail(t, APUS_CLOSED_RESOLVE, UV_EINVAL);
    } else if (take_literal(t)) {
        connect_next(t);
    } else {
        resolve(t);
    }
}

void wire_opened(transport* t) {
    apus_wire* wire = t->wire;
    wire_unwatch(t);
    int result = wire_await(t->owner, t);
    if (result != 0) {
        wire_set_error(t->owner, "cannot watch a connection: %s", strerror(-result));
        fail(t, APUS_CLOSED_CONNECT, -result);
        return;
    }
    t->phase = PHASE_OPEN;
    t->ready = true;
    wire->loop_users--;
    wire->open_count++;
    if (t->ssl) wire->tls_count++;
    apus_channel_opened(t->owner->channel, wire_now(wire));
}

// MARK: time-outs

static uint64_t phase_deadline(const transport* t) {
    if (!t->owner || t->phase == PHASE_OPEN) return UINT64_MAX;
    return t->phase == PHASE_CONNECTING ? t->address_deadline_ns : t->deadline_ns;
}

uint64_t wire_open_next_deadline(const apus_wire* wire) {
    uint64_t next = UINT64_MAX;
    for (const transport* t = wire->transports; t; t = t->next) {
        uint64_t deadline = phase_deadline(t);
        if (deadline < next) next = deadline;
    }
    return next;
}

static void timed_out(transport* t) {
    const apus_wire_config* config = &t->wire->config;
    const apus_endpoint* to = &t->endpoint;
    switch (t->phase) {
    case PHASE_RESOLVING:
        wire_set_error(t->owner, "cannot resolve %s: no answer within %llu ms", to->host,
                       (unsigned long long)(config->connect_timeout_ns / 1000000));
        fail(t, APUS_CLOSED_RESOLVE, UV_ETIMEDOUT);
        break;
    case PHASE_CONNECTING:
        t->last_error = ETIMEDOUT;
        connect_next(t);
        break;
    default:
        wire_set_error(t->owner, "TLS handshake with %s port %u: not finished within %llu ms", to->host, to->port,
                       (unsigned long long)(config->handshake_timeout_ns / 1000000));
        fail(t, APUS_CLOSED_TLS, APUS_TLS_TIMEOUT);
    }
}

void wire_open_deadlines(apus_wire* wire, uint64_t now_ns) {
    transport* next;
    for (transport* t = wire->transports; t; t = next) {
        next = t->next;
        if (phase_deadline(t) <= now_ns) timed_out(t);
    }
}
