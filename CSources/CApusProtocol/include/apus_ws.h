// WebSocket frames, client side (RFC 6455), without extensions.
//
// The parser owns no memory. It works in place in the receive buffer, which is fed in any pieces: between two calls the
// buffer may grow at its end and be compacted, nothing else. It takes what it has returned out of the buffer (moves
// `start`), and keeps an unfinished message's beginning in it:
//
//     start ├─ joined payload ─┤├─ gap ─┤├─ not yet looked at ─┤ end
//
// Fragments are moved down to the payload before them, so a message is always one contiguous range; the gap (headers
// already read) is closed whenever the parser needs more. A buffer of max_message + APUS_WS_OVERHEAD bytes never
// stalls. Text is validated as it arrives and fails at the first wrong byte.
//
// Every function is for the thread that owns the buffer. What an item points to is valid until the next call that gets
// the same buffer.
#ifndef APUS_WS_H
#define APUS_WS_H

#include "apus_channel.h"
#include "apus_random.h"
#include "apus_utf8.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Kinds of item; those above zero are the frame's opcode.
enum {
    APUS_WS_ERROR = -1,
    APUS_WS_NEED_MORE = 0,
    APUS_WS_TEXT = 1,
    APUS_WS_BINARY = 2,
    APUS_WS_CLOSE = 8,
    APUS_WS_PING = 9,
    APUS_WS_PONG = 10,
};

// Close codes of RFC 6455, section 7.4.1, that are used here.
enum {
    APUS_WS_CLOSE_NORMAL = 1000,
    APUS_WS_CLOSE_GOING_AWAY = 1001,
    APUS_WS_CLOSE_PROTOCOL = 1002,
    APUS_WS_CLOSE_NO_STATUS = 1005, // a close frame without a code; never on the wire
    APUS_WS_CLOSE_ABNORMAL = 1006,  // no close frame at all; never on the wire
    APUS_WS_CLOSE_INVALID_TEXT = 1007,
    APUS_WS_CLOSE_TOO_BIG = 1009,
};

// What the buffer needs beside the largest message: a control frame and the header of the frame after it.
#define APUS_WS_OVERHEAD 160u

typedef struct apus_ws {
    uint64_t offset;    // stream offset of the first byte not yet looked at; byte 0 is the first after the upgrade
    uint64_t remaining; // payload bytes of the frame in hand that have not arrived
    size_t max_message; // bytes
    size_t joined;
    size_t gap;
    apus_utf8_state utf8;
    uint8_t mode;    // internal: between frames, inside a payload, finished
    uint8_t message; // opcode of the data message in hand, or 0
    bool final;      // the frame in hand is its message's last
    uint8_t level;   // vector instructions in use
} apus_ws;

typedef struct apus_ws_item {
    const uint8_t* data; // TEXT, BINARY, PING, PONG: the payload. CLOSE: the reason text
    size_t size;
    uint64_t offset;  // ERROR: stream offset of the byte that is wrong
    const char* what; // ERROR: what is wrong, static text
    uint16_t code;    // CLOSE: the peer's code or APUS_WS_CLOSE_NO_STATUS. ERROR: the code to close with
} apus_ws_item;

// Prepares for a new connection. max_message is in bytes and counts a message's joined payload.
void apus_ws_init(apus_ws* ws, size_t max_message);

// Takes the next item out of the buffer and returns its kind. Only the fields named for that kind are set. After CLOSE
// and ERROR the connection has no more items: all further bytes are dropped.
int apus_ws_next(apus_ws* ws, apus_buffer* rx, apus_ws_item* item);

// MARK: sending
// All append whole masked frames to tx and return 0, or -ENOBUFS when tx has no room (nothing is written then).

// One frame with the whole payload. The caller sees to it that text is UTF-8; a control frame's payload is at most 125
// bytes, else -EMSGSIZE.
int apus_ws_send(apus_buffer* tx, apus_random* random, uint8_t opcode, const void* payload, size_t size);

// A close frame. code 0 sends none; the reason is cut at a character boundary to what fits, NULL for none.
int apus_ws_send_close(apus_buffer* tx, apus_random* random, uint16_t code, const char* reason);

// Room to build a payload of at most max_payload bytes in its place in tx, or NULL. Nothing is sent until
// apus_ws_seal; whoever changes his mind just leaves it. Between the two nothing else may touch tx.
uint8_t* apus_ws_reserve(apus_buffer* tx, size_t max_payload);

// Puts header and mask around the `size` bytes that were built and appends the frame. `payload` and max_payload are
// those of apus_ws_reserve.
void apus_ws_seal(apus_buffer* tx, apus_random* random, uint8_t opcode, uint8_t* payload, size_t max_payload,
                  size_t size);

// Bytes of a client's header for that payload.
static inline size_t apus_ws_header_bytes(size_t payload) {
    return payload < 126 ? 6 : payload < 65536 ? 8 : APUS_WS_HEADER_MAX;
}

// Whether a peer may send this close code (RFC 6455 and the IANA registry).
bool apus_ws_close_code_valid(uint16_t code);

#endif
