// What the hot thread knows of orders that may be open at the venue, so that it can cancel them when nobody else can: an order is
// put in when it is sent and taken out when the venue has said that it ended. Orders of an earlier run that the venue tells of
// are put in too. A table of fixed size with open addressing; owned by the hot thread, no allocation after the start.
#ifndef APUS_OPEN_ORDERS_H
#define APUS_OPEN_ORDERS_H

#include "apus_limits.h"
#include "apus_order.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct apus_open_order {
    uint64_t client_id; // 0: the place is free
    uint64_t venue_id;  // 0: not known yet
    int64_t price;
    int64_t quantity;
    uint64_t wall_ms; // of the placement; 0: not known
    uint64_t expire_ms;
    uint64_t word; // the session's own
    uint16_t instrument;
    uint8_t side;
    uint8_t time_in_force;
    uint8_t type;
    bool canceling; // this thread has sent a cancel by itself
    uint8_t padding[2];
} apus_open_order;

_Static_assert(sizeof(apus_open_order) == 64, "one cache line");

typedef struct apus_open_orders {
    apus_open_order* places;
    uint64_t* ended; // ids that were taken out lately, by their low bits
    uint64_t mask;
    uint32_t count;
} apus_open_orders;

// The memory that a table of APUS_OPEN_ORDERS_MAX orders takes.
size_t apus_open_orders_bytes(void);
// An empty table in that memory, which stays the caller's.
void apus_open_orders_init(apus_open_orders* table, void* memory);

// The order of that client id, or NULL. Pointers into the table hold until the next add or remove.
apus_open_order* apus_open_orders_find(const apus_open_orders* table, uint64_t client_id);

// Puts in what a placement describes and returns its place; of an order that is there already that place, unchanged. NULL when
// the table is full, the id is 0, or the order was taken out lately.
apus_open_order* apus_open_orders_add(apus_open_orders* table, const apus_order* placement);

// Takes an order out. Returns whether it was there.
bool apus_open_orders_remove(apus_open_orders* table, uint64_t client_id);

// The next order, from *cursor on (0 to begin), for which no cancel was sent by this thread; NULL at the end. Adding and removing
// in between may hide one: begin anew until the first call gives NULL.
apus_open_order* apus_open_orders_next(const apus_open_orders* table, size_t* cursor);

// Writes the cancel of an order as the decision thread would have written it.
void apus_open_order_cancel(const apus_open_order* open, uint64_t now_ns, apus_order* cancel);

#endif
