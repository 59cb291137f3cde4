#include "venue.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define WRITE_PATIENCE_NS 5000000000ull

// MARK: listening

int listener_open(listener* listener, SSL_CTX* tls) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr* any = (struct sockaddr*)(void*)&address;
    socklen_t size = sizeof address;
    listener->tls = tls;
    listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0) return -errno;
    if (bind(listener->fd, any, size) != 0 || listen(listener->fd, 16) != 0
        || getsockname(listener->fd, any, &size) != 0)
        return -errno;
    listener->port = ntohs(address.sin_port);
    return 0;
}

void socket_prepare(int fd) {
    int one = 1;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

connection* listener_accept(const listener* listener, connection* places, uint32_t count) {
    connection* place = NULL;
    for (uint32_t i = 0; i < count && !place; i++) {
        if (places[i].fd < 0) place = &places[i];
    }
    if (!place) return NULL;
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return NULL;
    socket_prepare(fd);
    *place = (connection){.fd = fd, .role = ROLE_HTTP};
    if (!listener->tls) return place;
    place->ssl = SSL_new(listener->tls);
    if (!place->ssl || SSL_set_fd(place->ssl, fd) != 1) fail("no memory for a TLS connection");
    SSL_set_accept_state(place->ssl);
    place->handshaking = true;
    return place;
}

// MARK: reading and writing

// Whether an SSL call that did not succeed only wants to be repeated.
static bool wants_more(SSL* ssl, int result) {
    int why = SSL_get_error(ssl, result);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

static bool would_block(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static long gone(connection* c) {
    connection_close(c);
    return -1;
}

static long shake_hands(connection* c) {
    int result = SSL_accept(c->ssl);
    if (result == 1)
        c->handshaking = false;
    else if (!wants_more(c->ssl, result))
        return gone(c);
    return 0;
}

long connection_read(connection* c) {
    if (c->handshaking) return shake_hands(c);
    size_t space = RECEIVE_BYTES - c->used;
    if (space == 0) return gone(c); // larger than anything that is sent here
    long count = c->ssl ? SSL_read(c->ssl, c->bytes + c->used, (int)space)
                        : recv(c->fd, c->bytes + c->used, space, MSG_DONTWAIT);
    if (count > 0) {
        c->received_ns = now_ns();
        c->used += (size_t)count;
        return count;
    }
    if (c->ssl ? wants_more(c->ssl, (int)count) : count < 0 && would_block()) return 0;
    return gone(c);
}

static long write_socket(connection* c, const void* bytes, size_t size) {
    ssize_t count = send(c->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) return count;
    return count < 0 && would_block() ? 0 : gone(c);
}

long connection_write_some(connection* c, const void* bytes, size_t size) {
    if (!c->ssl) return write_socket(c, bytes, size);
    int count = SSL_write(c->ssl, bytes, size < INT_MAX ? (int)size : INT_MAX);
    c->blocked = count <= 0;
    if (count > 0) return count;
    return wants_more(c->ssl, count) ? 0 : gone(c);
}

bool connection_write(connection* c, const void* bytes, size_t size) {
    const uint8_t* at = bytes;
    uint64_t deadline_ns = 0;
    while (size > 0) {
        long count = connection_write_some(c, at, size);
        if (count < 0) return false;
        if (count > 0) {
            at += count;
            size -= (size_t)count;
            deadline_ns = 0;
        } else if (deadline_ns == 0) {
            deadline_ns = now_ns() + WRITE_PATIENCE_NS;
        } else if (now_ns() > deadline_ns) {
            gone(c);
            return false;
        }
    }
    return true;
}

// MARK: sealing

void sealing_begin(connection* c) {
    BIO* memory = BIO_new(BIO_s_mem());
    if (!memory) fail("no memory for TLS records");
    SSL_set0_wbio(c->ssl, memory);
    c->blocked = true;
}

void sealing_add(connection* c, const void* bytes, size_t size) {
    if (SSL_write(c->ssl, bytes, (int)size) != (int)size) fail("OpenSSL did not encrypt a record");
}

const uint8_t* sealing_done(connection* c, size_t* size) {
    char* bytes;
    *size = (size_t)BIO_get_mem_data(SSL_get_wbio(c->ssl), &bytes);
    return (const uint8_t*)bytes;
}

long connection_write_sealed(connection* c, const void* bytes, size_t size) {
    return write_socket(c, bytes, size);
}

void sealing_end(connection* c) {
    BIO* socket = BIO_new_socket(c->fd, BIO_NOCLOSE);
    if (!socket) fail("no memory for a TLS connection");
    SSL_set0_wbio(c->ssl, socket);
    c->blocked = false;
}

void connection_close(connection* c) {
    if (c->fd < 0) return;
    feed_closed(c);
    if (c->role == ROLE_USER) orders_user(NULL);
    if (c->ssl && !c->handshaking && !c->blocked) SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    close(c->fd);
    c->ssl = NULL;
    c->fd = -1;
}
