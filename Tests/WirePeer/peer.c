#include "peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64

typedef struct served {
    peer* server;
    SSL* ssl;
    int fd;
    uint64_t received;
    pthread_t thread;
} served;

struct peer {
    peer_config config;
    SSL_CTX* tls;
    int listener;
    int filler; // the connection that fills the backlog
    uint16_t port;
    pthread_t acceptor;
    bool accepts;
    uint64_t accepted;
    uint64_t handshakes;
    uint64_t resumed;
    uint64_t received;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool released;
    bool stopping;
    uint32_t count;
    served connections[CONNECTIONS_MAX];
};

static uint64_t read_word(const uint64_t* word) {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void add(uint64_t* word, uint64_t amount) {
    __atomic_fetch_add(word, amount, __ATOMIC_ACQ_REL);
}

// MARK: one connection

static long receive(served* c, uint8_t* to, size_t space) {
    return c->ssl ? SSL_read(c->ssl, to, (int)space) : recv(c->fd, to, space, 0);
}

static bool send_all(served* c, const uint8_t* from, size_t size) {
    while (size > 0) {
        long count = c->ssl ? SSL_write(c->ssl, from, (int)size) : send(c->fd, from, size, MSG_NOSIGNAL);
        if (count <= 0) return false;
        from += count;
        size -= (size_t)count;
    }
    return true;
}

static void echo(served* c, uint64_t limit) {
    static const size_t piece = 65536;
    uint8_t* bytes = malloc(piece);
    while (bytes && c->received < limit) {
        long count = receive(c, bytes, piece);
        if (count <= 0) break;
        c->received += (uint64_t)count;
        add(&c->server->received, (uint64_t)count);
        if (!send_all(c, bytes, (size_t)count)) break;
    }
    free(bytes);
}

static void pour(served* c, uint64_t limit) {
    uint8_t bytes[16384];
    uint64_t sent = 0;
    while (sent < limit) {
        size_t size = limit - sent < sizeof bytes ? (size_t)(limit - sent) : sizeof bytes;
        for (size_t i = 0; i < size; i++)
            bytes[i] = peer_pattern(sent + i);
        if (!send_all(c, bytes, size)) return;
        sent += size;
    }
    while (receive(c, bytes, sizeof bytes) > 0) {
    }
}

static void wait_for_release(peer* server) {
    pthread_mutex_lock(&server->lock);
    while (!server->released && !server->stopping)
        pthread_cond_wait(&server->changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
}

static bool shake_hands(served* c) {
    if (!c->server->tls) return true;
    c->ssl = SSL_new(c->server->tls);
    if (!c->ssl) return false;
    SSL_set_fd(c->ssl, c->fd);
    if (SSL_accept(c->ssl) != 1) return false;
    if (SSL_session_reused(c->ssl)) add(&c->server->resumed, 1);
    add(&c->server->handshakes, 1);
    return true;
}

static void behave(served* c) {
    peer* server = c->server;
    const peer_config* config = &server->config;
    switch (config->kind) {
    case PEER_SOURCE:
        pour(c, config->limit);
        break;
    case PEER_CLOSE_AFTER:
    case PEER_RESET_AFTER:
    case PEER_TRUNCATE_AFTER:
        echo(c, config->limit);
        break;
    case PEER_DEAF:
        wait_for_release(server);
        echo(c, UINT64_MAX);
        break;
    default:
        echo(c, UINT64_MAX);
    }
    if (c->ssl && config->kind != PEER_TRUNCATE_AFTER && config->kind != PEER_RESET_AFTER) SSL_shutdown(c->ssl);
    if (config->kind == PEER_RESET_AFTER) {
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
}

static void* serve(void* argument) {
    served* c = argument;
    peer* server = c->server;
    if (server->config.kind == PEER_HOLD) wait_for_release(server);
    if (server->config.kind != PEER_CLOSE && shake_hands(c)) behave(c);
    SSL_free(c->ssl);
    pthread_mutex_lock(&server->lock);
    close(c->fd);
    c->fd = -1;
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

// MARK: the server

static void* accept_all(void* argument) {
    peer* server = argument;
    for (;;) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) return NULL;
        pthread_mutex_lock(&server->lock);
        bool taken = !server->stopping && server->count < CONNECTIONS_MAX;
        if (taken) {
            served* c = &server->connections[server->count];
            *c = (served){.server = server, .fd = fd};
            taken = pthread_create(&c->thread, NULL, serve, c) == 0;
            if (taken) server->count++;
        }
        pthread_mutex_unlock(&server->lock);
        if (!taken) close(fd);
        add(&server->accepted, 1);
    }
}

static socklen_t loopback(struct sockaddr_storage* address, bool ipv6, uint16_t port) {
    memset(address, 0, sizeof *address);
    if (ipv6) {
        struct sockaddr_in6* v6 = (struct sockaddr_in6*)(void*)address;
        *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        v6->sin6_addr.s6_addr[15] = 1;
        return sizeof *v6;
    }
    struct sockaddr_in* v4 = (struct sockaddr_in*)(void*)address;
    *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof *v4;
}

static uint16_t port_of(int fd) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr*)(void*)&address, &size) != 0) return 0;
    return address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6*)(void*)&address)->sin6_port)
                                         : ntohs(((struct sockaddr_in*)(void*)&address)->sin_port);
}

static int bound_socket(const peer_config* config) {
    struct sockaddr_storage address;
    socklen_t size = loopback(&address, config->ipv6, 0);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (config->receive_buffer > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &config->receive_buffer, sizeof config->receive_buffer);
    if (bind(fd, (struct sockaddr*)(void*)&address, size) == 0) return fd;
    close(fd);
    return -1;
}

static SSL_CTX* server_context(const peer_config* config) {
    SSL_CTX* tls = SSL_CTX_new(TLS_server_method());
    if (!tls) return NULL;
    SSL_CTX_set_session_id_context(tls, (const unsigned char*)"peer", 4);
    if (config->tls12) SSL_CTX_set_max_proto_version(tls, TLS1_2_VERSION);
    if (SSL_CTX_use_certificate_file(tls, config->certificate, SSL_FILETYPE_PEM) == 1
        && SSL_CTX_use_PrivateKey_file(tls, config->key, SSL_FILETYPE_PEM) == 1)
        return tls;
    SSL_CTX_free(tls);
    return NULL;
}

// With a backlog of 0 one connection waits to be accepted; the system then answers no other.
static bool fill_backlog(peer* server) {
    struct sockaddr_storage address;
    socklen_t size = loopback(&address, server->config.ipv6, server->port);
    server->filler = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return server->filler >= 0 && connect(server->filler, (struct sockaddr*)(void*)&address, size) == 0;
}

peer* peer_start(const peer_config* config) {
    signal(SIGPIPE, SIG_IGN); // OpenSSL's own sockets know no MSG_NOSIGNAL
    peer* server = calloc(1, sizeof *server);
    if (!server) return NULL;
    server->config = *config;
    server->filler = -1;
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    server->listener = bound_socket(config);
    bool full = config->kind == PEER_FULL;
    bool good = server->listener >= 0 && listen(server->listener, full ? 0 : 64) == 0;
    if (good) server->port = port_of(server->listener);
    if (good && config->certificate) good = (server->tls = server_context(config)) != NULL;
    if (good && full) good = fill_backlog(server);
    if (good && !full) good = server->accepts = pthread_create(&server->acceptor, NULL, accept_all, server) == 0;
    if (good) return server;
    peer_stop(server);
    return NULL;
}

void peer_stop(peer* server) {
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_cond_broadcast(&server->changed);
    for (uint32_t i = 0; i < server->count; i++) {
        if (server->connections[i].fd >= 0) shutdown(server->connections[i].fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&server->lock);
    if (server->accepts) {
        shutdown(server->listener, SHUT_RDWR);
        pthread_join(server->acceptor, NULL);
    }
    for (uint32_t i = 0; i < server->count; i++)
        pthread_join(server->connections[i].thread, NULL);
    if (server->listener >= 0) close(server->listener);
    if (server->filler >= 0) close(server->filler);
    SSL_CTX_free(server->tls);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

void peer_release(peer* server) {
    pthread_mutex_lock(&server->lock);
    server->released = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

uint16_t peer_port(const peer* server) {
    return server->port;
}

uint64_t peer_accepted(const peer* server) {
    return read_word(&server->accepted);
}

uint64_t peer_handshakes(const peer* server) {
    return read_word(&server->handshakes);
}

uint64_t peer_resumed(const peer* server) {
    return read_word(&server->resumed);
}

uint64_t peer_received(const peer* server) {
    return read_word(&server->received);
}

uint16_t peer_unused_port(void) {
    peer_config config = {0};
    int fd = bound_socket(&config);
    uint16_t port = fd >= 0 ? port_of(fd) : 0;
    if (fd >= 0) close(fd);
    return port;
}
