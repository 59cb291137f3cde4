// The steady state: bytes in, bytes out, the end of a connection. No allocation, no lock.
#include "wire_internal.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/epoll.h>

static bool has_room(const apus_channel* channel) {
    return !channel->paused && apus_buffer_used(&channel->rx) < channel->rx.capacity;
}

static bool is_reset(int error) {
    return error == EPIPE || error == ECONNRESET;
}

static void io_failed(connection* c, const char* what, int error) {
    wire_set_error(c, "%s failed: %s", what, strerror(error));
    wire_close(c, APUS_CLOSED_IO, error);
}

static void ended(connection* c) {
    wire_set_error(c, "the peer closed the connection");
    wire_close(c, APUS_CLOSED_PEER, 0);
}

// MARK: plain sockets

static uint32_t read_plain(apus_wire* wire, connection* c, transport* t) {
    apus_channel* channel = c->channel;
    uint8_t* at;
    size_t space = apus_channel_space(channel, &at);
    if (space == 0) return 0;
    if (space > PLAIN_BYTES) space = PLAIN_BYTES;
    reading r = wire_receive(t, at, space);
    if (r.count > 0) {
        uint64_t now = wire_now(wire);
        apus_channel_received(channel, (size_t)r.count, now, wire_stamp(wire, &r, now));
        apus_probe_received((size_t)r.count, &channel->receive_ns, &channel->kernel_ns);
        if (wire->counters) apus_count(&wire->counters->hot[APUS_COUNT_BYTES], (uint64_t)r.count);
        t->ready = (size_t)r.count == space;
        return 1;
    }
    t->ready = false;
    if (r.count == 0)
        ended(c);
    else if (r.error == EAGAIN)
        return 0;
    else
        io_failed(c, "reading", r.error);
    return 1;
}

static uint32_t write_plain(apus_wire* wire, connection* c, transport* t) {
    apus_channel* channel = c->channel;
    const uint8_t* at;
    size_t size = apus_channel_pending(channel, &at);
    ssize_t count = send(t->fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
        apus_channel_sent(channel, (size_t)count, wire_now(wire));
        apus_probe_written((size_t)count, &channel->sent_ns);
        return 1;
    }
    if (count == 0 || errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return 0;
    int error = errno;
    // What the peer said before it hung up is still worth reading: its close frame is in there.
    if (is_reset(error) && !channel->paused && (!has_room(channel) || read_plain(wire, c, t) > 0)) return 1;
    if (c->transport) io_failed(c, "writing", error);
    return 1;
}

// MARK: TLS

// OpenSSL has failed for good.
static void tls_failed(connection* c, transport* t, unsigned long queue) {
    char text[APUS_WIRE_ERROR_BYTES];
    if (t->io_error != 0) {
        io_failed(c, "a TLS connection's socket", t->io_error);
        return;
    }
    int32_t error = wire_tls_verdict(t, queue, text, sizeof text);
    wire_set_error(c, "TLS: %s", text);
    wire_close(c, error == APUS_TLS_TRUNCATED ? APUS_CLOSED_PEER : APUS_CLOSED_TLS, error);
}

// Takes records out of the cipher buffer. Returns how many.
static uint32_t take_records(apus_wire* wire, connection* c, transport* t, uint32_t limit) {
    apus_channel* channel = c->channel;
    uint32_t taken = 0;
    for (; taken < limit; taken++) {
        uint8_t* at;
        size_t space = apus_channel_space(channel, &at);
        if (space == 0) break;
        ERR_clear_error();
        int count = SSL_read(t->ssl, at, space < INT_MAX ? (int)space : INT_MAX);
        if (t->fresh) wire_tls_keep(t);
        if (count > 0) {
            apus_channel_received(channel, (size_t)count, t->receive_ns, t->kernel_ns);
            apus_probe_received((size_t)count, &channel->receive_ns, &channel->kernel_ns);
            if (wire->counters) apus_count(&wire->counters->hot[APUS_COUNT_BYTES], (uint64_t)count);
            if (t->cipher_start == t->cipher_end && !t->stream_end && SSL_pending(t->ssl) == 0) return taken + 1;
            continue;
        }
        int why = SSL_get_error(t->ssl, count);
        if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return taken;
        if (why == SSL_ERROR_ZERO_RETURN)
            ended(c);
        else
            tls_failed(c, t, ERR_peek_error());
        return taken + 1;
    }
    t->ready = true; // there is more than was taken
    return taken;
}

static uint32_t read_tls(apus_wire* wire, connection* c, transport* t) {
    if (t->cipher_start == t->cipher_end && !t->stream_end && SSL_pending(t->ssl) == 0) {
        reading r = wire_fill(t);
        t->ready = r.count == (ssize_t)CIPHER_BYTES;
        if (r.count < 0) {
            if (r.error == EAGAIN) return 0;
            io_failed(c, "reading", r.error);
            return 1;
        }
        if (r.count == 0) t->stream_end = true;
    }
    return take_records(wire, c, t, wire->max_reads);
}

static uint32_t write_tls(apus_wire* wire, connection* c, transport* t) {
    apus_channel* channel = c->channel;
    uint32_t written = 0;
    const uint8_t* at;
    size_t size;
    while ((size = apus_channel_pending(channel, &at)) > 0) {
        ERR_clear_error();
        int count = SSL_write(t->ssl, at, size < INT_MAX ? (int)size : INT_MAX);
        if (count > 0) {
            apus_channel_sent(channel, (size_t)count, wire_now(wire));
            apus_probe_written((size_t)count, &channel->sent_ns);
            written++;
            continue;
        }
        int why = SSL_get_error(t->ssl, count);
        if (why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ) return written;
        unsigned long queue = ERR_peek_error();
        int error = t->io_error;
        if (is_reset(error) && !channel->paused && (!has_room(channel) || read_tls(wire, c, t) > 0)) return written + 1;
        if (c->transport) {
            t->io_error = error;
            tls_failed(c, t, queue);
        }
        return written + 1;
    }
    return written;
}

// MARK: both

uint32_t wire_read(apus_wire* wire, connection* c, transport* t) {
    if (c->channel->paused) return 0;
    return t->ssl ? read_tls(wire, c, t) : read_plain(wire, c, t);
}

uint32_t wire_write(apus_wire* wire, connection* c, transport* t) {
    return t->ssl ? write_tls(wire, c, t) : write_plain(wire, c, t);
}

// MARK: readiness

void wire_poll(apus_wire* wire) {
    struct epoll_event events[APUS_CONNECTIONS_MAX];
    int count = epoll_wait(wire->epoll, events, APUS_CONNECTIONS_MAX, 0);
    for (int i = 0; i < count; i++) {
        transport* t = events[i].data.ptr;
        // An error or a hang-up counts as readable: the read tells what it is.
        if (events[i].events & ~(uint32_t)EPOLLOUT) t->ready = true;
    }
}

int wire_await(connection* c, transport* t) {
    uint32_t wanted = 0;
    if (!t->direct) {
        if (has_room(c->channel)) wanted |= EPOLLIN;
        if (c->channel->tx.start < c->channel->tx.end) wanted |= EPOLLOUT;
    }
    if (wanted == t->watched) return 0;
    // A socket that nothing is wanted of is taken out, because its hang-up would be reported again and again.
    int change = wanted == 0 ? EPOLL_CTL_DEL : t->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    struct epoll_event event = {.events = wanted, .data.ptr = t};
    if (epoll_ctl(t->wire->epoll, change, t->fd, &event) != 0) return -errno;
    t->watched = wanted;
    return 0;
}

void wire_farewell(connection* c, transport* t) {
    const uint8_t* at;
    size_t size = apus_channel_pending(c->channel, &at);
    if (!t->ssl) {
        if (size == 0) return;
        ssize_t count = send(t->fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count > 0) apus_channel_sent(c->channel, (size_t)count, wire_now(t->wire));
        return;
    }
    ERR_clear_error();
    if (size > 0) {
        int count = SSL_write(t->ssl, at, size < INT_MAX ? (int)size : INT_MAX);
        if (count > 0) apus_channel_sent(c->channel, (size_t)count, wire_now(t->wire));
        if (count <= 0 || (size_t)count < size) return;
    }
    SSL_shutdown(t->ssl);
}
