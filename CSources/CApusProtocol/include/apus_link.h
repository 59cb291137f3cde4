// One logical WebSocket connection and its life: connect, upgrade, keep alive, notice death, close, wait, again.
//
// A link stands on one channel, which the shell serves. It never calls out: its session calls it, after each event of
// the channel and at its deadline, with the time:
//
//     while ((kind = apus_link_next(&link, now, &message)) > 0) decode(message);   // data messages; pings are answered
//     apus_link_tick(&link, now);                                                 // cheap; or only when due
//     while (apus_link_poll_change(&link, &change)) publish(change);              // each change of state once
//     wake no later than apus_link_deadline(&link);
//
// Everything here belongs to the hot thread. Times are monotonic nanoseconds.
#ifndef APUS_LINK_H
#define APUS_LINK_H

#include "apus_channel.h"
#include "apus_http.h"
#include "apus_random.h"
#include "apus_ws.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The states; apus_link.c begins with the diagram.
enum {
    APUS_LINK_IDLE = 0,
    APUS_LINK_CONNECTING = 1,
    APUS_LINK_UPGRADING = 2,
    APUS_LINK_OPEN = 3,
    APUS_LINK_CLOSING = 4,
    APUS_LINK_WAITING = 5,
};

// Why a state was entered.
enum {
    APUS_REASON_NONE = 0,            // the ordinary next step
    APUS_REASON_STARTED = 1,         // apus_link_start
    APUS_REASON_STOPPED = 2,         // apus_link_stop
    APUS_REASON_CONNECT_FAILED = 3,  // code: APUS_CLOSED_..., detail: the shell's error
    APUS_REASON_CONNECT_TIMEOUT = 4, //
    APUS_REASON_UPGRADE_TIMEOUT = 5, //
    APUS_REASON_UPGRADE_REFUSED = 6, // code: HTTP status, detail: Retry-After in seconds
    APUS_REASON_UPGRADE_INVALID = 7, // not a WebSocket answer; detail: stream offset; what: in words
    APUS_REASON_CONNECTION_LOST = 8, // end without a close frame; code: APUS_CLOSED_..., detail: the shell's error
    APUS_REASON_PEER_CLOSED = 9,     // code: the peer's close code
    APUS_REASON_PROTOCOL_ERROR = 10, // code: the close code sent, detail: stream offset; what: in words
    APUS_REASON_NO_BYTES = 11,       // liveness_timeout_ns without a byte
    APUS_REASON_FROZEN = 12,         // data_timeout_ns without proof of fresh data
    APUS_REASON_LIFETIME = 13,       // the planned reconnect
    APUS_REASON_SESSION = 14,        // the session asked; it may give any number from here to 255 as its own reason
};

// Of tx, kept back from data for pongs and the close frame.
#define APUS_LINK_TX_CONTROL 256u

// What a link sends to keep the peer interested.
enum { APUS_PING_NONE = 0, APUS_PING_FRAME = 1, APUS_PING_TEXT = 2 };

typedef struct apus_link_config {
    const char* headers;          // further header lines of the upgrade, each ending in CR LF, or NULL; caller's memory
    uint64_t connect_timeout_ns;  // name, TCP and TLS together
    uint64_t upgrade_timeout_ns;  // HTTP answer
    uint64_t close_timeout_ns;    // how long a peer may take to answer a close frame
    uint64_t ping_interval_ns;    // 0: none
    uint64_t liveness_timeout_ns; // without any byte; 0: off
    uint64_t data_timeout_ns;     // without apus_link_proof, counted from the opening; 0: off
    uint64_t max_lifetime_ns;     // planned reconnect; 0: off
    uint64_t lifetime_jitter_ns;  // up to this much earlier, so that many links do not leave together
    uint64_t backoff_min_ns;      // the first wait is uniform in [0, backoff_min], the next in [0, 2 backoff_min], ...
    // ... and never more than this (a server's Retry-After is always waited out). What a connection held counts as waited, but
    // for a first wait.
    uint64_t backoff_max_ns;
    uint64_t stable_ns;         // open that long: the next wait starts over, and a planned reconnect does not wait
    uint64_t max_message_bytes; // of one message; rx must hold this and APUS_WS_OVERHEAD
    char ping_text[APUS_PING_TEXT_BYTES];
    uint8_t ping_kind;
    bool fresh_path; // each connection needs a path of its own: WAITING lasts until apus_link_set_path was called
} apus_link_config;

typedef struct apus_link_change {
    uint64_t at_ns;
    uint64_t detail;     // see the reasons
    uint64_t wait_ns;    // WAITING: until the next attempt
    const char* what;    // static text for people, or NULL
    uint32_t lost;       // changes before this one that the session was too slow to read
    uint32_t generation; // of the channel
    uint16_t code;       // see the reasons
    uint8_t state;
    uint8_t reason;
} apus_link_change;

typedef struct apus_link {
    apus_channel* channel;
    apus_ws ws;
    uint64_t messages; // data messages of this connection
    uint8_t state;
    bool stopping;    // IDLE comes after CLOSING
    bool path_spent;  // a connection has used the path
    uint32_t attempt; // connections in a row that did not become stable
    apus_random random;
    uint64_t entered_ns;     // the present state
    uint64_t open_ns;        // newest opening; 0: this connection has not opened
    uint64_t close_by_ns;    // CLOSING: when patience ends
    uint64_t wake_ns;        // WAITING: when to connect
    uint64_t ping_ns;        // newest ping sent
    uint64_t proof_ns;       // newest proof of fresh data
    uint64_t excused_ns;     // newest moment at which the session itself held reading back
    uint64_t retire_ns;      // when the planned reconnect is due
    uint64_t retry_after_ns; // what the server asked for
    uint64_t pongs_dropped;  // answers to pings that found no room
    uint32_t changes_head;   // next to be written
    uint32_t changes_tail;   // next to be read
    uint32_t changes_lost;
    apus_link_change cause; // of the end of this connection
    apus_http http;
    apus_http_upgrade upgrade;
    apus_link_config config;
    char path[APUS_PATH_BYTES];
    apus_link_change changes[APUS_LINK_CHANGES];
} apus_link;

// Sensible times for a market data stream: 5 s to connect and to upgrade, ping frames every 15 s, dead after 45 s
// without a byte, no data time-out, reconnect after 23 h 50 min, waits of up to 0.25 s growing to 30 s, 4 MiB messages.
void apus_link_config_default(apus_link_config* config);

// Prepares an idle link on `channel`, whose buffers and endpoint are set and which it uses alone until it is idle
// again. Copies the config and the random state; header text and channel stay the caller's. Returns 0, -EINVAL for a
// config that cannot work (a message limit above APUS_MESSAGE_BYTES_MAX too), -ENAMETOOLONG for the path, -ENOBUFS when
// rx is smaller than max_message_bytes + APUS_WS_OVERHEAD or tx is smaller than APUS_LINK_TX_MIN.
int apus_link_init(apus_link* link, apus_channel* channel, const apus_link_config* config, const char* path,
                   const apus_random* random);

// Sets the path (with its query) for the next connection: a fresh key. -ENAMETOOLONG, -EINVAL (see apus_http_write).
int apus_link_set_path(apus_link* link, const char* path);

// Begins to connect. Nothing when it is already running; takes back a stop that is under way.
void apus_link_start(apus_link* link, uint64_t now_ns);

// Closes with 1000 and stays idle. The link is idle when apus_link_poll_change has said so.
void apus_link_stop(apus_link* link, uint64_t now_ns);

// Closes and connects anew; at once when the connection was stable, else after the backoff. What still arrives on the
// old connection is dropped: the session synchronises afresh. The new connection uses the path and headers of that
// moment. Does nothing unless the link is upgrading or open.
void apus_link_reconnect(apus_link* link, uint8_t reason, uint64_t now_ns);

// Looks at the channel and performs what is due. Call when the channel changed and at the deadline.
void apus_link_tick(apus_link* link, uint64_t now_ns);

// When the next tick is due; UINT64_MAX for never.
uint64_t apus_link_deadline(const apus_link* link);

// Takes the next data message: returns APUS_WS_TEXT or APUS_WS_BINARY (both > 0) with message->data and ->size, valid
// until the next call or the shell's next read; 0 when more bytes are needed or the link is not open; -EPROTO when the
// connection has just failed (the link has begun to close it, with the right close code, and a change tells why).
// Answers pings and close frames and finishes the upgrade on the way.
int apus_link_next(apus_link* link, uint64_t now_ns, apus_ws_item* message);

// Says that data was proven fresh at now_ns (a sequence continued, a book hash agreed, the REST snapshot equalled).
static inline void apus_link_proof(apus_link* link, uint64_t now_ns) {
    link->proof_ns = now_ns;
}

// Takes the oldest unread change of state. At most APUS_LINK_CHANGES are kept; `lost` tells of others.
bool apus_link_poll_change(apus_link* link, apus_link_change* change);

// MARK: sending
// Return 0, -ENOTCONN when the link is not open, -ENOBUFS when tx has no room now (try again after the shell has sent).
// A little room is kept back for control frames. The caller sees to it that text is UTF-8.

int apus_link_send_text(apus_link* link, const void* text, size_t size);
int apus_link_send_binary(apus_link* link, const void* bytes, size_t size);
// A ping frame of the session's own, at most 125 bytes, else -EMSGSIZE. Its pong only counts as a sign of life.
int apus_link_send_ping(apus_link* link, const void* payload, size_t size);

// Builds a text message in its place in tx: *payload gets room for max_payload bytes; apus_link_commit sends the first
// `size` of them. Without a commit nothing is sent. Nothing else may be sent through the link in between.
int apus_link_reserve(apus_link* link, size_t max_payload, uint8_t** payload);
void apus_link_commit(apus_link* link, uint8_t* payload, size_t max_payload, size_t size);

const char* apus_link_state_name(uint8_t state);
const char* apus_link_reason_name(uint8_t reason);

#endif
