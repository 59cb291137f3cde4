// A session: one venue's side of a conversation, without sockets, TLS, clock or malloc. It owns channels; a shell (the libuv
// loop, a simulator) performs what the channels want and then gives the session a turn.
//
//   shell                                   session
//   reads into channel->rx, opened, closed  ─▶ turn(now): frames, decoding, books, publishing, orders, timers
//   opens, writes channel->tx, closes       ◀─ channel->want, channel->tx
//
// Everything here runs on the hot thread.
#ifndef APUS_SESSION_H
#define APUS_SESSION_H

#include "apus_channel.h"
#include "apus_link.h"
#include "apus_publisher.h"
#include "apus_queue.h"

typedef struct apus_session apus_session;

typedef struct apus_session_ops {
    const char* name;
    // Asks for the first connections.
    void (*start)(apus_session* session, uint64_t now_ns);
    // Does what is there and returns how much it did (messages, orders, state changes); 0 means idle.
    uint32_t (*turn)(apus_session* session, uint64_t now_ns);
    // When a timer of the session is due, on the clock of now_ns; UINT64_MAX when none runs.
    uint64_t (*deadline)(const apus_session* session);
    // A command of the control plane that names this session. Returns 0 or a negative errno.
    int (*command)(apus_session* session, const apus_command* command, uint64_t now_ns);
    // Closes the connections in order. `stopped` says when that is done.
    void (*stop)(apus_session* session, uint64_t now_ns);
    bool (*stopped)(const apus_session* session);
} apus_session_ops;

struct apus_session {
    const apus_session_ops* ops;
    apus_channel** channels;
    uint32_t channel_count;
    uint32_t number; // among the engine's sessions
};

// The number under which one of its channels is published in CONNECTION events.
static inline uint16_t apus_connection_number(const apus_session* session, uint32_t channel) {
    return (uint16_t)(session->number * APUS_SESSION_CHANNELS_MAX + channel);
}

// Publishes a link's change of state as a CONNECTION event and counts reconnects.
void apus_session_publish_change(const apus_session* session, apus_publisher* out, uint32_t channel,
                                 const apus_link_change* change);

#endif
