// The receiving side as it is live: shell, sockets, TLS, session, book, ring; its other end is a counts_peer.
#ifndef COUNTS_WIRE_H
#define COUNTS_WIRE_H

#include "apus_shared.h"

#include <stdbool.h>

typedef struct counts_wire counts_wire;

typedef struct counts_wire_config {
    const char* ca_file; // whom to trust; unused without tls
    uint16_t port;
    bool tls;
    bool park; // else spin
} counts_wire_config;

// Returns NULL with *what (static text) when something cannot be made.
counts_wire* counts_wire_make(const counts_wire_config* config, const char** what);

// One turn of the shell, and in park the sleep that follows one without work. Returns its work.
uint32_t counts_wire_turn(counts_wire* wire);

// The update id of the newest message that the live book has taken; 0 while it is not live.
uint64_t counts_wire_update(const counts_wire* wire);

// Breaks of the book's continuity.
uint64_t counts_wire_gaps(const counts_wire* wire);
apus_public* counts_wire_view(counts_wire* wire);
uint64_t counts_wire_now(const counts_wire* wire);

// Ends the connections in order.
void counts_wire_stop(counts_wire* wire);

#endif
