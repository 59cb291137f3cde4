// bench-venue: the other end of the network benchmarks. One thread, pinned, that never sleeps while somebody is connected.
//
//   main.c         options, the loop, the end
//   identity.c     a certificate of its own, made at the start
//   connection.c   sockets and TLS: accept, read, write, close
//   websocket.c    HTTP requests, the upgrade, frames, and who gets what
//   market.c       a deterministic market: its book, its messages, its snapshot
//   feed.c         sending: as fast as the socket takes it, or at a pace
//   orders.c       order entry: requests, answers, the account's events
//   record.c       the shared memory through which a benchmark learns when what was sent and what arrived
//   echo_client.c  the floor of "tick to order": receives a message, sends one, computes nothing
//
// Requests:
//   /flood/N, /paced/N/RATE          N messages with a stamp in them, for clients that only receive; then a close frame
//   /stream/flood/N, /stream/paced/N/RATE
//                                    a venue's depth stream: begins 100 ms after the snapshot was asked for
//   /stream/live/N/RATE, other paths with "/stream" or "/ws" in them
//                                    the same, but begins with the subscription, as a venue does; N 0: without end
//   /ws-fapi..., /private/ws/KEY     order entry and the account's events
//   /echo/market/N/RATE, /echo/orders  the same bytes as a stream and as order entry, for echo_client.c
//   /fapi/v1/depth, /fapi/v1/exchangeInfo  REST
// It shares no code with the engine: what both compute (signatures, the upgrade's answer, the book's fingerprint) is computed twice.
#ifndef BENCH_VENUE_H
#define BENCH_VENUE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define RECEIVE_BYTES 65536u
#define CONNECTIONS 32u
// Every market message has this payload, and with it this frame: the same bytes as the receive-only peers get.
#define PAYLOAD_BYTES 309u
#define FRAME_BYTES (PAYLOAD_BYTES + 4u)

typedef struct options {
    int cpu; // -1: any
    const char* ca_file;
    const char* record;
    const char* secret;
    uint64_t capacity; // of the record, a power of two
    uint64_t seed;
    uint32_t levels; // of the book, a side
    uint64_t count;  // of a stream whose path does not say it
    uint64_t rate;
} options;

// MARK: identity.c

// Makes a key and a certificate for 127.0.0.1 and localhost and gives them to `tls`; writes the certificate (never the key) to
// `ca_file` where one is named. Returns 0 or a negative errno.
int identity_make(SSL_CTX* tls, const char* ca_file);

// MARK: connection.c

enum role { ROLE_HTTP, ROLE_PEER, ROLE_STREAM, ROLE_API, ROLE_USER, ROLE_ECHO_MARKET, ROLE_ECHO_ORDERS };

typedef struct connection {
    int fd; // -1: free
    SSL* ssl;
    uint8_t role;
    bool handshaking;
    bool blocked;         // TLS: a record waits to be sent, and nothing else may be
    bool closing;         // a close frame was sent: whatever comes, ends it
    uint64_t close_by_ns; // then at the latest
    uint64_t received_ns; // when the newest read returned
    size_t used;          // of `bytes`
    uint8_t bytes[RECEIVE_BYTES + 1];
} connection;

typedef struct listener {
    int fd;
    uint16_t port;
    SSL_CTX* tls; // NULL: plain
} listener;

// Listens on a free port of 127.0.0.1. Returns 0 or a negative errno.
int listener_open(listener* listener, SSL_CTX* tls);
// Takes one waiting connection into a free place. NULL: nobody waits.
connection* listener_accept(const listener* listener, connection* places, uint32_t count);
// Reads what is there without waiting. Returns the new bytes, 0 when there are none, or -1 when the connection was closed.
long connection_read(connection* c);
// Hands over as much as the socket takes. Returns the bytes taken, 0 when it takes none now, or -1.
long connection_write_some(connection* c, const void* bytes, size_t size);
// Hands over everything, spinning. Returns false when the peer is gone or has not read for five seconds.
bool connection_write(connection* c, const void* bytes, size_t size);
void connection_close(connection* c);
// Encrypts what is to be sent later, so that sending it is send() alone. Until sealing_end nothing else is written to `c`.
void sealing_begin(connection* c);
void sealing_add(connection* c, const void* bytes, size_t size);
const uint8_t* sealing_done(connection* c, size_t* size); // all of it, valid until sealing_end
long connection_write_sealed(connection* c, const void* bytes, size_t size);
void sealing_end(connection* c);
// Shared with the echo client: no waiting, no delay.
void socket_prepare(int fd);

// MARK: websocket.c

// Takes what has been read: requests before the upgrade, frames after it.
void connection_serve(connection* c);
// Puts a server's frame header in front of a payload. Returns its length (2 or 4 bytes; the payload is below 64 KiB).
size_t frame_header(uint8_t* to, uint8_t opcode, size_t payload);
bool send_text(connection* c, const char* text, size_t size);
// Sends a close frame and waits, in the loop, for the peer's.
void begin_close(connection* c);

// MARK: market.c

#define MARKET_TICKS 65536u
#define MARKET_UPDATE_STEP 20u
#define MARKET_FIRST_UPDATE 5123000000000ull

// One instrument, BTCUSDT, with prices in ticks of 0.10 and quantities in thousandths.
typedef struct market {
    uint32_t quantity[MARKET_TICKS]; // bids up to best_bid, asks from best_ask
    uint32_t best_bid;
    uint32_t best_ask;
    uint64_t update_id; // of the newest message
    uint64_t random;
} market;

// A level as the engine sees it: units of 10^-2 and 10^-3.
typedef struct market_level {
    int64_t price;
    int64_t quantity;
} market_level;

typedef struct market_summary {
    uint64_t bids, asks; // levels
    market_level best_bid, best_ask;
    char digest[65]; // as apus_book_digest computes it
} market_summary;

void market_begin(market* market, uint64_t seed, uint32_t levels);
// Moves the market on and writes the message that tells of it: a frame of FRAME_BYTES.
void market_next(market* market, uint8_t* frame, uint64_t realtime_ms);
// Writes the body of GET depth with at most `limit` levels a side. Returns its length; needs 64 bytes for each level and 256 more.
size_t market_snapshot(const market* market, uint32_t limit, uint64_t realtime_ms, char* to);
void market_summarize(const market* market, market_summary* summary);

// MARK: feed.c

enum feed_kind { FEED_PEER, FEED_MARKET };

void feed_init(const options* options);
// A connection asks for one of the paths above. One feed at a time: a new one ends the one before.
void feed_open(connection* c, enum feed_kind kind, const char* path);
// The subscription of `c` has been answered; a snapshot was sent.
void feed_subscribed(const connection* c);
void feed_snapshot_sent(void);
void feed_closed(const connection* c);
// Sends what is due. Returns whether a feed is running: then only order entry is polled closely.
bool feed_turn(void);
// The market whose snapshot is asked for.
const market* feed_market(void);

// MARK: orders.c

void orders_init(const char* secret);
// A request on the order connection, complete at received_ns.
void orders_request(connection* api, char* text, size_t size, uint64_t received_ns);
// The connection that gets the account's events; NULL when it is gone.
void orders_user(connection* user);

// MARK: record.c

// A file in /dev/shm, 64-bit words, one writer: this process. A reader waits for `finished` or looks at counts. After the header
// come `capacity` send times and `capacity` arrival times (CLOCK_MONOTONIC), message and order n at n modulo capacity.
typedef struct record_header {
    uint64_t magic; // "BENCHREC"
    uint64_t capacity;
    uint64_t feeds; // begun so far; the counts below are of the newest
    uint64_t sent;
    uint64_t arrived;      // orders
    uint64_t first_update; // update id of message 0
    uint64_t update_step;
    uint64_t first_ns; // when sending began and ended
    uint64_t last_ns;
    uint64_t signatures_good;
    uint64_t signatures_bad;
    uint64_t refused; // requests that were not understood
    uint64_t bids, asks;
    int64_t best_bid, best_bid_quantity, best_ask, best_ask_quantity;
    char digest[72];
    uint64_t finished;      // everything was handed to the kernel, and the fields from `bids` on tell the final book
    uint64_t writes;        // of a flood
    uint64_t waits;         // those that the socket did not take: the receiver was slower than the sender
    uint64_t request_bytes; // of the newest order
    uint64_t reserved[33];
} record_header;

_Static_assert(sizeof(record_header) == 512, "layout");

// Without a name the record is memory of this process alone. Returns 0 or a negative errno.
int record_open(const char* name, uint64_t capacity);
void record_remove(void);
record_header* record_head(void);
void record_begin(void);
void record_sent(uint64_t number, uint64_t at_ns);
void record_arrived(uint64_t at_ns);
void record_finished(const market_summary* summary);

// MARK: echo_client.c

// bench-venue echo-client HOST PORT plain|tls COUNT RATE REQUEST_BYTES [CPU]. Returns the exit status.
int echo_client(int count, char** arguments);

// MARK: main.c

static inline uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t now_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

static inline uint64_t realtime_ms(void) {
    return read_clock(CLOCK_REALTIME) / 1000000;
}

void pin_to(int cpu);
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char* format, ...);

#endif
