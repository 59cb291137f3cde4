// The system calls that read a socket, and what OpenSSL sees of them.
//
// An open TLS connection is read in two steps: wire_fill takes whatever the kernel has into the transport's cipher buffer,
// then SSL_read takes records out of it through this BIO, which makes no system call of its own. So a quiet connection
// costs one recvmsg and no OpenSSL, a burst costs one recvmsg for many records, and a record's stamp is that of its read.
// (OpenSSL's own read_ahead does the same but moves the rest of its buffer down after each record.)
// During a handshake the BIO reads the socket by itself, on a pool thread.
#include "wire_internal.h"

#include <errno.h>
#include <string.h>

static BIO_METHOD* method;
static uv_once_t method_once = UV_ONCE_INIT;

typedef union control_space {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(struct timespec))];
} control_space;

static uint64_t control_stamp(struct msghdr* message) {
    for (struct cmsghdr* c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
            return (uint64_t)stamp.tv_sec * 1000000000ull + (uint64_t)stamp.tv_nsec;
        }
    }
    return 0;
}

reading wire_receive(const transport* t, uint8_t* at, size_t space) {
    reading r = {0};
    if (!t->has_control) {
        r.count = recv(t->fd, at, space, MSG_DONTWAIT);
    } else {
        control_space control;
        struct iovec part = {.iov_base = at, .iov_len = space};
        struct msghdr message = {
            .msg_iov = &part,
            .msg_iovlen = 1,
            .msg_control = control.bytes,
            .msg_controllen = sizeof control.bytes,
        };
        r.count = recvmsg(t->fd, &message, MSG_DONTWAIT);
        if (r.count > 0) r.kernel_ns = control_stamp(&message);
    }
    if (r.count < 0) r.error = errno == EINTR || errno == EWOULDBLOCK ? EAGAIN : errno;
    return r;
}

uint64_t wire_stamp(const apus_wire* wire, const reading* r, uint64_t receive_ns) {
    if (r->kernel_ns == 0) return 0;
    uint64_t stamp = r->kernel_ns - (uint64_t)wire->clock.realtime_offset;
    // The offset is right to some ten nanoseconds only, and the wall clock may be set between two looks at it.
    return stamp < receive_ns ? stamp : receive_ns;
}

reading wire_fill(transport* t) {
    if (t->cipher_start == t->cipher_end) t->cipher_start = t->cipher_end = 0;
    reading r = wire_receive(t, t->cipher + t->cipher_end, CIPHER_BYTES - t->cipher_end);
    if (r.count > 0) {
        t->cipher_end += (uint32_t)r.count;
        t->receive_ns = wire_now(t->wire);
        t->kernel_ns = wire_stamp(t->wire, &r, t->receive_ns);
    }
    return r;
}

static int bio_take(transport* t, char* to, int space) {
    uint32_t held = t->cipher_end - t->cipher_start;
    uint32_t count = held < (uint32_t)space ? held : (uint32_t)space;
    memcpy(to, t->cipher + t->cipher_start, count);
    t->cipher_start += count;
    return (int)count;
}

static int bio_read(BIO* bio, char* to, int space) {
    transport* t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (space <= 0) return 0;
    if (t->cipher_start < t->cipher_end) return bio_take(t, to, space);
    if (t->stream_end) return 0;
    if (!t->self_read) {
        BIO_set_retry_read(bio);
        return -1;
    }
    // A pool thread reads here: it has no right to the clock, so the bytes go past wire_fill, without stamps.
    ssize_t count = recv(t->fd, to, (size_t)space, MSG_DONTWAIT);
    if (count > 0) return (int)count;
    if (count == 0) {
        t->stream_end = true;
        return 0;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        BIO_set_retry_read(bio);
    else
        t->io_error = errno;
    return -1;
}

static int bio_write(BIO* bio, const char* from, int size) {
    transport* t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (size <= 0) return 0;
    ssize_t count = send(t->fd, from, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) return (int)count;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        BIO_set_retry_write(bio);
    else
        t->io_error = errno;
    return -1;
}

static long bio_control(BIO* bio, int command, long number, void* pointer) {
    (void)number;
    (void)pointer;
    const transport* t = BIO_get_data(bio);
    switch (command) {
    case BIO_CTRL_EOF:
        return t->stream_end && t->cipher_start == t->cipher_end;
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DUP:
        return 1;
    default:
        return 0;
    }
}

static int bio_create(BIO* bio) {
    BIO_set_init(bio, 1);
    return 1;
}

static void make_method(void) {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "apus socket");
    if (!made) return;
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_ctrl(made, bio_control);
    BIO_meth_set_create(made, bio_create);
    method = made;
}

// One method for the process, kept until it ends.
int wire_bio_create(void) {
    uv_once(&method_once, make_method);
    return method ? 0 : -ENOMEM;
}

int wire_bio_attach(transport* t) {
    BIO* bio = BIO_new(method);
    if (!bio) return -ENOMEM;
    BIO_set_data(bio, t);
    SSL_set_bio(t->ssl, bio, bio);
    return 0;
}
