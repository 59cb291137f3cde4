// HTTP/1.1, client side: requests into a buffer, answers out of one, and the upgrade to WebSocket.
//
// The parser owns no memory and works in place in the receive buffer, fed in any pieces, like apus_ws: an unfinished
// answer stays at the buffer's start, its body is brought together right after its head (chunk framing is removed in
// place), and the whole answer is taken out of the buffer when it is complete:
//
//     start ├─ head ─┤├─ body so far ─┤├─ gap ─┤├─ not yet looked at ─┤ end
//
// It is strict where leniency invites smuggling: lines end in CR LF, no folding, no control characters, one
// Content-Length, never together with Transfer-Encoding.
// Every function is for the thread that owns the buffer.
#ifndef APUS_HTTP_H
#define APUS_HTTP_H

#include "apus_channel.h"
#include "apus_random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct apus_http {
    size_t max_body;      // bytes
    size_t scanned;       // of the head: how far its end was looked for
    size_t head_size;     // 0 until the head is complete
    size_t body_size;     // decoded bytes that lie behind the head
    size_t gap;           // framing already read that still lies in the buffer
    uint64_t removed;     // framing of this answer in all
    uint64_t remaining;   // of the body or of the chunk in hand
    uint64_t offset;      // stream offset of the answer's first byte
    uint64_t what_offset; // after an error: stream offset of the place
    const char* what;     // after an error: what is wrong, static text
    uint16_t status;
    uint8_t mode;     // internal
    uint8_t trailers; // lines of trailer seen
    bool keep_alive;
} apus_http;

typedef struct apus_http_response {
    const char* head; // status line and header lines, valid as long as the body
    size_t head_size;
    const uint8_t*
        body; // contiguous; APUS_PADDING bytes behind it can be read. Valid until the next call on the buffer
    size_t body_size;
    uint16_t status;
    bool keep_alive;
    uint32_t retry_after_s; // 0 without the header or where it holds a date; saturates
} apus_http_response;

// For the first answer of a connection. max_body is in bytes.
void apus_http_init(apus_http* http, size_t max_body);

// Takes the next final answer out of the buffer (interim 1xx answers other than 101 are skipped). `ended`: no more
// bytes will come. Returns 1 with an answer, 0 when it needs more, or
//   -EPROTO    malformed; http->what and http->what_offset tell,
//   -EMSGSIZE  head, header count, body or buffer too small; the same,
//   -EPIPE     the stream ended inside an answer (or, with -EPIPE and an empty buffer, before one).
// After an error the connection is of no more use. After a 101 the bytes behind the head belong to the new protocol.
int apus_http_next(apus_http* http, apus_buffer* rx, bool ended, apus_http_response* response);

// The head of an answer whose body is still arriving or has gone wrong: fills everything but the body and returns true,
// or false while the head is incomplete.
bool apus_http_peek(const apus_http* http, const apus_buffer* rx, apus_http_response* response);

// Looks a header up by its name (any case) and returns its first value trimmed, with its length, or NULL.
const char* apus_http_header(const apus_http_response* response, const char* name, size_t* length);

// Whether a comma-separated header holds that token (any case), over all lines of that name.
bool apus_http_header_has(const apus_http_response* response, const char* name, const char* token);

// MARK: requests

typedef struct apus_http_request {
    const char* method;
    const apus_endpoint* endpoint; // for the Host line; a default port is left out
    const char* path;              // with its query; begins with '/'
    const char* headers;           // complete further lines, each ending in CR LF; or NULL
    const void* body;              // or NULL
    size_t body_size;              // POST and PUT always carry a Content-Length
} apus_http_request;

// Appends the request. Returns 0, -ENOBUFS when there is no room (nothing is written then), or -EINVAL when method,
// path or headers would break the request's framing (spaces, control characters, a line without its end, an empty
// line).
int apus_http_write(apus_buffer* tx, const apus_http_request* request);

// MARK: upgrade to WebSocket

#define APUS_HTTP_KEY_BYTES 25u    // 24 characters and a zero
#define APUS_HTTP_ACCEPT_BYTES 29u // 28 characters and a zero

typedef struct apus_http_upgrade {
    char key[APUS_HTTP_KEY_BYTES];
    char accept[APUS_HTTP_ACCEPT_BYTES]; // what the server must answer
} apus_http_upgrade;

// Draws a key and computes its answer. Returns 0, or -EIO when libcrypto has no SHA-1.
int apus_http_upgrade_init(apus_http_upgrade* upgrade, apus_random* random);

// Computes `accept` for the key in `upgrade`. The same errors.
int apus_http_upgrade_accept(apus_http_upgrade* upgrade);

// Appends the upgrade request. `headers` as in apus_http_request. The same errors as apus_http_write.
int apus_http_upgrade_write(apus_buffer* tx, const apus_http_upgrade* upgrade, const apus_endpoint* endpoint,
                            const char* path, const char* headers);

// Checks the answer: 101, Upgrade, Connection, Sec-WebSocket-Accept, no extension and no subprotocol (none is offered).
// Returns NULL when it is right, else what is wrong, static text.
const char* apus_http_upgrade_check(const apus_http_upgrade* upgrade, const apus_http_response* response);

#endif
