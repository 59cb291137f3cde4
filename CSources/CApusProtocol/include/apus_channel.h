// One connection as the shell sees it: an endpoint, what the session wants, what the socket is, and two buffers.
//
// The session side (apus_link, apus_fetch) sets `want`, takes bytes out of `rx` and puts bytes into `tx`. The shell
// (the libuv and OpenSSL loop, or a simulator) performs `want`, reads DIRECTLY into `rx`, sends what lies in `tx`, and
// reports. There are no callbacks: after it has reported something, the shell gives the session a turn, and the session
// looks.
//
//            open (session)           opening (shell)          opened (shell)
//   CLOSED ───────────────▶ CLOSED ──────────────────▶ OPENING ─────────────▶ OPEN
//     ▲     want = OPEN                want = NOTHING       │                   │
//     └───────────────────────── closed (shell) ◀───────────┴───────────────────┘
//                     by failure, by the peer, or because want = CLOSE
//
// What a shell does with a channel, each turn:
//   want == OPEN and state == CLOSED   apus_channel_opening, then resolve, connect, TLS; then _opened or _closed.
//   want == CLOSE and state != CLOSED  try once to write what tx holds, close, apus_channel_closed(.., ASKED, 0).
//   state == OPEN and tx not empty     write apus_channel_pending, then apus_channel_sent.
//   state == OPEN and not paused       read into apus_channel_space, then apus_channel_received.
// A late answer of an earlier attempt is known by its `generation` and dropped.
//
// A channel and all of its parts are owned by the hot thread; every function here is for that thread.
#ifndef APUS_CHANNEL_H
#define APUS_CHANNEL_H

#include "apus_limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct apus_endpoint {
    char host[APUS_HOST_BYTES]; // a name or an address, without brackets
    uint16_t port;
    bool tls;
} apus_endpoint;

// A linear buffer in memory of the caller: base[start, end) is filled, base[end, capacity) is free, and APUS_PADDING
// more bytes after the capacity can be read (their value does not matter), so that decoders need no tail case.
typedef struct apus_buffer {
    uint8_t* base;
    size_t capacity;
    size_t start;
    size_t end;
} apus_buffer;

enum { APUS_WANT_NOTHING = 0, APUS_WANT_OPEN = 1, APUS_WANT_CLOSE = 2 };

enum { APUS_CHANNEL_CLOSED = 0, APUS_CHANNEL_OPENING = 1, APUS_CHANNEL_OPEN = 2 };

// Why a channel closed.
enum {
    APUS_CLOSED_NONE = 0,    // it has not
    APUS_CLOSED_ASKED = 1,   // want == CLOSE
    APUS_CLOSED_PEER = 2,    // end of stream
    APUS_CLOSED_RESOLVE = 3, // no address for the name; error is the resolver's number
    APUS_CLOSED_CONNECT = 4, // no connection; error is an errno value
    APUS_CLOSED_TLS = 5,     // handshake, certificate or record failed; error is the shell's own number
    APUS_CLOSED_IO = 6,      // read or write failed; error is an errno value
};

typedef struct apus_channel {
    apus_endpoint endpoint;
    uint8_t want;          // written by the session; OPEN lasts until _opening, CLOSE until _closed
    uint8_t state;         // written by the shell
    uint8_t closed_reason; // of the newest closed generation
    bool paused;           // written by the session: leave the bytes in the socket
    int32_t closed_error;
    uint32_t generation;        // one more for each apus_channel_open
    uint32_t closed_generation; // the newest generation that has ended
    uint64_t opened_ns;         // when the connection was ready for bytes
    uint64_t receive_ns;        // monotonic time of the newest read
    uint64_t kernel_ns;         // the kernel's stamp of it, on the monotonic scale; 0 where there is none
    uint64_t sent_ns;           // monotonic time of the newest write
    uint64_t rx_total;          // bytes of this generation
    uint64_t tx_total;
    apus_buffer rx;
    apus_buffer tx;
} apus_channel;

// MARK: buffers

// `memory` has `bytes` bytes, of which APUS_PADDING are the padding. The caller keeps the memory alive.
static inline void apus_buffer_init(apus_buffer* buffer, uint8_t* memory, size_t bytes) {
    buffer->base = memory;
    buffer->capacity = bytes > APUS_PADDING ? bytes - APUS_PADDING : 0;
    buffer->start = 0;
    buffer->end = 0;
}

static inline size_t apus_buffer_used(const apus_buffer* buffer) {
    return buffer->end - buffer->start;
}

// Moves what is held to the front. Pointers into the buffer move with it.
static inline void apus_buffer_compact(apus_buffer* buffer) {
    size_t used = buffer->end - buffer->start;
    if (used > 0 && buffer->start > 0) memmove(buffer->base, buffer->base + buffer->start, used);
    buffer->start = 0;
    buffer->end = used;
}

// Returns where at least `bytes` can be written, or NULL when they do not fit. Moves what is held only when it must.
static inline uint8_t* apus_buffer_room(apus_buffer* buffer, size_t bytes) {
    if (buffer->start == buffer->end) buffer->start = buffer->end = 0;
    if (buffer->capacity - buffer->end < bytes) {
        if (buffer->capacity - (buffer->end - buffer->start) < bytes) return NULL;
        apus_buffer_compact(buffer);
    }
    return buffer->base + buffer->end;
}

// MARK: for the session

static inline void apus_channel_init(apus_channel* channel, uint8_t* rx_memory, size_t rx_bytes, uint8_t* tx_memory,
                                     size_t tx_bytes) {
    memset(channel, 0, sizeof *channel);
    apus_buffer_init(&channel->rx, rx_memory, rx_bytes);
    apus_buffer_init(&channel->tx, tx_memory, tx_bytes);
}

// Asks for a connection. Only while CLOSED. What the buffers held of the earlier connection is dropped.
static inline void apus_channel_open(apus_channel* channel) {
    channel->rx.start = channel->rx.end = 0;
    channel->tx.start = channel->tx.end = 0;
    channel->rx_total = channel->tx_total = 0;
    channel->receive_ns = channel->kernel_ns = channel->sent_ns = channel->opened_ns = 0;
    channel->closed_reason = APUS_CLOSED_NONE;
    channel->closed_error = 0;
    channel->paused = false;
    channel->generation++;
    channel->want = APUS_WANT_OPEN;
}

// Asks for the end. An open that the shell has not begun ends at once.
static inline void apus_channel_close(apus_channel* channel) {
    if (channel->state != APUS_CHANNEL_CLOSED) {
        channel->want = APUS_WANT_CLOSE;
    } else if (channel->want == APUS_WANT_OPEN) {
        channel->want = APUS_WANT_NOTHING;
        channel->closed_reason = APUS_CLOSED_ASKED;
        channel->closed_generation = channel->generation;
    }
}

// Whether the newest generation has ended (or none was ever asked for).
static inline bool apus_channel_ended(const apus_channel* channel) {
    return channel->closed_generation == channel->generation;
}

// MARK: for the shell

// The shell has begun to connect.
static inline void apus_channel_opening(apus_channel* channel) {
    channel->state = APUS_CHANNEL_OPENING;
    channel->want = APUS_WANT_NOTHING;
}

// The connection carries bytes now.
static inline void apus_channel_opened(apus_channel* channel, uint64_t now_ns) {
    channel->state = APUS_CHANNEL_OPEN;
    channel->opened_ns = now_ns;
}

// The connection is gone. Bytes already received stay in rx for the session.
static inline void apus_channel_closed(apus_channel* channel, uint8_t reason, int32_t error) {
    channel->state = APUS_CHANNEL_CLOSED;
    if (channel->want == APUS_WANT_CLOSE) channel->want = APUS_WANT_NOTHING;
    channel->closed_reason = reason;
    channel->closed_error = error;
    channel->closed_generation = channel->generation;
}

// Where to read to; returns how many bytes fit, 0 when the session must take bytes first. Pointers that the session was
// given into rx end here.
static inline size_t apus_channel_space(apus_channel* channel, uint8_t** at) {
    apus_buffer* rx = &channel->rx;
    size_t used = rx->end - rx->start;
    // A short rest is moved at once: so a flood goes through the same cached bytes again and again.
    bool moves = used <= APUS_CHANNEL_REST_BYTES || rx->capacity - rx->end < APUS_CHANNEL_READ_BYTES;
    if (used == 0)
        rx->start = rx->end = 0;
    else if (rx->start > 0 && moves)
        apus_buffer_compact(rx);
    *at = rx->base + rx->end;
    return rx->capacity - rx->end;
}

// `count` bytes were read to the place that apus_channel_space gave. kernel_ns is 0 where there is no stamp.
static inline void apus_channel_received(apus_channel* channel, size_t count, uint64_t receive_ns, uint64_t kernel_ns) {
    channel->rx.end += count;
    channel->rx_total += count;
    channel->receive_ns = receive_ns;
    channel->kernel_ns = kernel_ns;
}

// What is to be sent; returns its length.
static inline size_t apus_channel_pending(const apus_channel* channel, const uint8_t** at) {
    *at = channel->tx.base + channel->tx.start;
    return channel->tx.end - channel->tx.start;
}

// The first `count` of the pending bytes were written.
static inline void apus_channel_sent(apus_channel* channel, size_t count, uint64_t now_ns) {
    channel->tx.start += count;
    channel->tx_total += count;
    channel->sent_ns = now_ns;
    if (channel->tx.start == channel->tx.end) channel->tx.start = channel->tx.end = 0;
}

#endif
