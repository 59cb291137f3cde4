// A server on loopback with a thread for each connection.
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct peer peer;

enum {
    PEER_ECHO = 0,           // sends back what it receives until the client closes
    PEER_HOLD = 1,           // accepts, then does nothing until peer_release; then as PEER_ECHO
    PEER_CLOSE = 2,          // closes as soon as it has accepted
    PEER_CLOSE_AFTER = 3,    // echoes until `limit` bytes have come, then closes in order
    PEER_RESET_AFTER = 4,    // the same, but ends with a reset
    PEER_TRUNCATE_AFTER = 5, // the same, but without TLS's goodbye
    PEER_SOURCE = 6,         // sends `limit` bytes of peer_pattern, then waits for the client to close
    PEER_FULL = 7,           // never accepts, and its backlog is full: connecting hangs
    PEER_DEAF = 8,           // shakes hands, then reads nothing until peer_release; then as PEER_ECHO
};

typedef struct peer_config {
    uint8_t kind;
    bool ipv6;
    bool tls12;              // nothing newer than TLS 1.2
    const char* certificate; // PEM files; NULL: no TLS
    const char* key;
    uint64_t limit;
    int32_t receive_buffer; // SO_RCVBUF, 0: the system's choice
} peer_config;

// Listens on a free port of 127.0.0.1 or ::1. NULL when that fails.
peer* peer_start(const peer_config* config);
void peer_stop(peer* server);
uint16_t peer_port(const peer* server);
void peer_release(peer* server);

// Any thread.
uint64_t peer_accepted(const peer* server);
uint64_t peer_handshakes(const peer* server); // finished
uint64_t peer_resumed(const peer* server);    // of these, with a ticket
uint64_t peer_received(const peer* server);   // bytes

// Byte number `index` of an endless text that does not repeat itself soon.
static inline uint8_t peer_pattern(uint64_t index) {
    return (uint8_t)((index * 0x9e3779b97f4a7c15ull) >> 56);
}

// A port of 127.0.0.1 where nobody listens.
uint16_t peer_unused_port(void);

#endif
