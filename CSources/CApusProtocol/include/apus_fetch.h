// A queue of HTTP/1.1 requests over one kept-alive connection, one in flight.
//
// Like a link it stands on one channel and never calls out. After each event of the channel and at its deadline the
// session calls apus_fetch_next until it returns 0. Every request that was accepted is answered exactly once, in the
// order of submission: with the server's answer, or with an error that says what is known.
//
// A request that may have reached the server is sent again only when it is marked idempotent. One of which no byte was
// written to a socket is safe to send again, and is, whatever its mark.
// Everything here belongs to the hot thread. Times are monotonic nanoseconds.
#ifndef APUS_FETCH_H
#define APUS_FETCH_H

#include "apus_channel.h"
#include "apus_http.h"
#include "apus_random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The states; apus_fetch.c begins with the diagram.
enum {
    APUS_FETCH_IDLE = 0,       // no connection, nothing to do
    APUS_FETCH_CONNECTING = 1, //
    APUS_FETCH_READY = 2,      // connected, nothing in flight
    APUS_FETCH_IN_FLIGHT = 3,  //
    APUS_FETCH_CLOSING = 4,    //
    APUS_FETCH_WAITING = 5,    // before another attempt
};

typedef struct apus_fetch_config {
    uint64_t connect_timeout_ns;
    uint64_t timeout_ns; // for one attempt: from its first byte to the end of its answer; a request may give its own
    uint64_t idle_ns;    // an unused connection is closed after this; 0: kept
    uint64_t backoff_min_ns; // after failure n, from 0: a wait uniform in [0, min(backoff_max, backoff_min 2^n)]
    uint64_t backoff_max_ns; //
    uint64_t max_body_bytes; // of an answer; rx must hold this and its head
    uint32_t retries;        // further attempts of an idempotent request
} apus_fetch_config;

typedef struct apus_fetch_request {
    const char* method;  // GET, POST, PUT, DELETE
    const char* path;    // with its query
    const char* headers; // further lines, each ending in CR LF, or NULL
    const void* body;    // or NULL
    size_t body_size;
    uint64_t tag;        // the caller's own; comes back with the answer
    uint64_t timeout_ns; // 0: the config's
    bool idempotent;     // may be sent again after a connection was lost or an answer did not come in time
} apus_fetch_request;

typedef struct apus_fetch_response {
    apus_http_response http; // status, head and body; status 0 when there was no answer. Valid until the next call
    uint64_t tag;
    int32_t error; // 0, -ETIMEDOUT, -ECONNREFUSED (no connection), -ECONNRESET (lost), -EPROTO, -EMSGSIZE, -ECANCELED
    bool sent;     // with an error: some of it reached a socket, so the server may have acted on it
    uint32_t attempts;
    uint64_t retry_after_ns; // what a 429, 418 or 5xx asked for
    uint64_t submitted_ns;
    uint64_t sent_ns;     // the newest attempt's handing over to the channel; 0 when there was none
    uint64_t received_ns; // the read that completed the answer
    const char* what;     // with an error: in words, static text
} apus_fetch_response;

typedef struct apus_fetch_slot {
    uint64_t tag;
    uint64_t timeout_ns;
    uint64_t submitted_ns;
    uint64_t sent_ns;
    size_t size;       // of the request text in this slot's part of the storage
    uint32_t attempts; // that have failed
    bool idempotent;
    bool sent; // some of it was written to a socket
} apus_fetch_slot;

typedef struct apus_fetch {
    apus_channel* channel;
    apus_fetch_config config;
    apus_random random;
    apus_http http;
    uint8_t* storage;
    size_t slot_bytes;
    uint64_t entered_ns; // the present state
    uint64_t wake_ns;    // WAITING: the next attempt
    uint64_t tx_mark;    // channel->tx_total when the request in flight was handed over
    uint32_t head;       // oldest request
    uint32_t tail;       // next free
    int32_t error;       // of the oldest request, to be reported
    uint8_t state;
    bool stopping;
    bool fresh;       // this connection has not answered anything yet
    const char* what; // with error
    apus_fetch_slot slots[APUS_FETCH_SLOTS];
} apus_fetch;

// Times for a venue's REST interface: 5 s to connect, 10 s for an answer, idle connections closed after 20 s, three
// further attempts after waits of up to 0.25 s growing to 5 s, answers of up to 4 MiB.
void apus_fetch_config_default(apus_fetch_config* config);

// Prepares an empty queue on `channel`, whose buffers and endpoint are set and which it uses alone. `storage` holds the
// texts of waiting requests, an equal part for each of APUS_FETCH_SLOTS; it stays the caller's. Copies config and
// random state. Returns 0, -EINVAL for a config that cannot work, -ENOBUFS when a buffer cannot hold the largest
// request or answer.
int apus_fetch_init(apus_fetch* fetch, apus_channel* channel, const apus_fetch_config* config, uint8_t* storage,
                    size_t storage_bytes, const apus_random* random);

// Accepts a request and copies it. Returns 0, -EAGAIN when APUS_FETCH_SLOTS requests wait, -EMSGSIZE when it is larger
// than a slot, -EINVAL for another method or when it would break HTTP's framing (see apus_http_write), -ECANCELED after
// apus_fetch_stop.
int apus_fetch_submit(apus_fetch* fetch, const apus_fetch_request* request, uint64_t now_ns);

// Drives the queue and takes the next answer: 1 with an answer or an error, 0 when there is none now.
int apus_fetch_next(apus_fetch* fetch, uint64_t now_ns, apus_fetch_response* response);

// When apus_fetch_next is due although the channel is quiet; UINT64_MAX for never.
uint64_t apus_fetch_deadline(const apus_fetch* fetch);

// Closes the connection; what still waits is reported as -ECANCELED by apus_fetch_next.
void apus_fetch_stop(apus_fetch* fetch, uint64_t now_ns);

// Requests accepted and not yet answered.
static inline uint32_t apus_fetch_count(const apus_fetch* fetch) {
    return fetch->tail - fetch->head;
}

#endif
