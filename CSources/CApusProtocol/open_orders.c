#include "apus_open_orders.h"

#include <string.h>

// Twice as many places as orders: a search is short, and never without a free place to end at.
#define PLACES (2ull * APUS_OPEN_ORDERS_MAX)

_Static_assert((PLACES & (PLACES - 1)) == 0, "places are a power of two");

size_t apus_open_orders_bytes(void) {
    return PLACES * sizeof(apus_open_order) + APUS_OPEN_ORDERS_MAX * sizeof(uint64_t);
}

void apus_open_orders_init(apus_open_orders* table, void* memory) {
    memset(memory, 0, apus_open_orders_bytes());
    apus_open_order* places = memory;
    *table = (apus_open_orders){.places = places, .ended = (uint64_t*)(void*)(places + PLACES), .mask = PLACES - 1};
}

// Ids of a run follow each other: the newest APUS_OPEN_ORDERS_MAX have a place each.
static uint64_t* ended_place(const apus_open_orders* table, uint64_t client_id) {
    return &table->ended[client_id & (APUS_OPEN_ORDERS_MAX - 1)];
}

// Ids of a run differ in their low bits: a multiplication spreads them over the high ones.
static uint64_t home(const apus_open_orders* table, uint64_t client_id) {
    return client_id * 0x9e3779b97f4a7c15ull >> 32 & table->mask;
}

static apus_open_order* place_of(const apus_open_orders* table, uint64_t client_id) {
    uint64_t at = home(table, client_id);
    while (table->places[at].client_id != 0 && table->places[at].client_id != client_id) {
        at = (at + 1) & table->mask;
    }
    return &table->places[at];
}

apus_open_order* apus_open_orders_find(const apus_open_orders* table, uint64_t client_id) {
    apus_open_order* place = place_of(table, client_id);
    return client_id == 0 || place->client_id == 0 ? NULL : place;
}

apus_open_order* apus_open_orders_add(apus_open_orders* table, const apus_order* placement) {
    if (placement->client_id == 0) return NULL;
    apus_open_order* place = place_of(table, placement->client_id);
    if (place->client_id != 0) return place;
    if (table->count == APUS_OPEN_ORDERS_MAX || *ended_place(table, placement->client_id) == placement->client_id) {
        return NULL;
    }
    table->count++;
    *place = (apus_open_order){
        .client_id = placement->client_id,
        .venue_id = placement->venue_id,
        .price = placement->price,
        .quantity = placement->quantity,
        .wall_ms = placement->wall_ms,
        .expire_ms = placement->expire_ms,
        .instrument = placement->instrument,
        .side = placement->side,
        .time_in_force = placement->time_in_force,
        .type = placement->type,
    };
    return place;
}

bool apus_open_orders_remove(apus_open_orders* table, uint64_t client_id) {
    apus_open_order* found = apus_open_orders_find(table, client_id);
    // Also an end that is told before anything else of the order.
    if (client_id != 0) *ended_place(table, client_id) = client_id;
    if (found == NULL) return false;
    uint64_t hole = (uint64_t)(found - table->places);
    // Those behind it that would not be found over the hole move up.
    for (uint64_t at = (hole + 1) & table->mask; table->places[at].client_id != 0; at = (at + 1) & table->mask) {
        uint64_t wanted = home(table, table->places[at].client_id);
        if (((at - wanted) & table->mask) < ((at - hole) & table->mask)) continue;
        table->places[hole] = table->places[at];
        hole = at;
    }
    table->places[hole] = (apus_open_order){0};
    table->count--;
    return true;
}

apus_open_order* apus_open_orders_next(const apus_open_orders* table, size_t* cursor) {
    while (*cursor <= table->mask && table->count > 0) {
        apus_open_order* place = &table->places[(*cursor)++];
        if (place->client_id != 0 && !place->canceling) return place;
    }
    return NULL;
}

void apus_open_order_cancel(const apus_open_order* open, uint64_t now_ns, apus_order* cancel) {
    *cancel = (apus_order){
        .action = APUS_ORDER_CANCEL,
        .target_id = open->client_id,
        .venue_id = open->venue_id,
        .price = open->price,
        .quantity = open->quantity,
        .wall_ms = open->wall_ms,
        .expire_ms = open->expire_ms,
        .decided_ns = now_ns,
        .instrument = open->instrument,
        .side = open->side,
        .time_in_force = open->time_in_force,
        .type = open->type,
    };
}
