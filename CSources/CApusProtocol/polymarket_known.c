#include "polymarket_orders_internal.h"

#define PLACES APUS_POLYMARKET_KNOWN_MAX
#define SLOTS (2u * PLACES)
// A half of the parts is given up when three quarters of its places are taken, so that searches stay short.
#define PARTS APUS_POLYMARKET_PARTS_MAX
#define PARTS_EACH (PARTS / 4u * 3u)

_Static_assert((PLACES & (PLACES - 1)) == 0 && (PARTS & (PARTS - 1)) == 0, "searches go around by a mask");

// MARK: orders by their number at the venue, which is the begin of a hash and so spread already

static uint32_t home(uint64_t venue_id) {
    return (uint32_t)(venue_id >> 16) & (SLOTS - 1);
}

static uint32_t slot_of(const apus_polymarket_known_orders* table, uint64_t venue_id) {
    uint32_t at = home(venue_id);
    while (table->slots[at] != 0 && table->entries[table->slots[at] - 1].venue_id != venue_id) {
        at = (at + 1) & (SLOTS - 1);
    }
    return at;
}

apus_polymarket_known* polymarket_find(const pm_session* self, uint64_t venue_id) {
    uint32_t slot = self->known.slots[slot_of(&self->known, venue_id)];
    return slot == 0 ? NULL : &self->known.entries[slot - 1];
}

apus_polymarket_known* polymarket_find_hash(const pm_session* self, const uint8_t* text, size_t length) {
    uint8_t hash[APUS_WORD_BYTES];
    if (apus_hex_parse((const char*)text, length, hash, sizeof hash) < 0) return NULL;
    apus_polymarket_known* known = polymarket_find(self, apus_polymarket_venue_id(hash));
    return known != NULL && memcmp(known->hash, hash, sizeof hash) == 0 ? known : NULL;
}

apus_polymarket_known* polymarket_known_of_client(const pm_session* self, uint64_t client_id) {
    const apus_open_order* open = apus_open_orders_find(&self->open, client_id);
    return open == NULL || open->word == 0 ? NULL : &self->known.entries[open->word - 1];
}

// Empties a slot and moves later ones of its chain back.
static void forget(apus_polymarket_known_orders* table, uint64_t venue_id) {
    uint32_t gap = slot_of(table, venue_id);
    if (table->slots[gap] == 0) return;
    for (uint32_t at = (gap + 1) & (SLOTS - 1); table->slots[at] != 0; at = (at + 1) & (SLOTS - 1)) {
        uint32_t wanted = home(table->entries[table->slots[at] - 1].venue_id);
        if (((at - wanted) & (SLOTS - 1)) < ((at - gap) & (SLOTS - 1))) continue;
        table->slots[gap] = table->slots[at];
        gap = at;
    }
    table->slots[gap] = 0;
}

// A free place, or that of an order which has ended.
static apus_polymarket_known* make_place(apus_polymarket_known_orders* table) {
    for (uint32_t tried = 0; tried < PLACES; tried++) {
        apus_polymarket_known* entry = &table->entries[table->next];
        table->next = (table->next + 1) & (PLACES - 1);
        if (entry->venue_id != 0 && entry->open) continue;
        if (entry->venue_id != 0) forget(table, entry->venue_id);
        entry->venue_id = 0;
        return entry;
    }
    return NULL;
}

apus_polymarket_known* polymarket_know(pm_session* self, const apus_order* order, const uint8_t hash[APUS_WORD_BYTES]) {
    uint64_t venue_id = apus_polymarket_venue_id(hash);
    apus_polymarket_known* entry = polymarket_find(self, venue_id);
    if (entry != NULL) return memcmp(entry->hash, hash, APUS_WORD_BYTES) == 0 ? entry : NULL;
    bool places = order->action == APUS_ORDER_PLACE;
    apus_order placement = *order;
    if (!places) placement.client_id = order->target_id;
    if ((entry = make_place(&self->known)) == NULL) return NULL;
    // Without a place among the open orders it is known all the same: only canceling by the client id alone needs its fields.
    apus_open_order* open = apus_open_orders_add(&self->open, &placement);
    if (open != NULL) open->word = (uint64_t)(entry - self->known.entries) + 1;
    *entry = (apus_polymarket_known){
        .venue_id = venue_id,
        .client_id = placement.client_id,
        .price = order->price,
        .quantity = order->quantity,
        .placed_s = order->wall_ms / 1000,
        .instrument = order->instrument,
        .side = order->side,
        .time_in_force = order->type == APUS_MARKET ? APUS_IOC : order->time_in_force,
        .open = true,
        .placing = places,
        .adopted = !places,
    };
    memcpy(entry->hash, hash, APUS_WORD_BYTES);
    self->known.slots[slot_of(&self->known, venue_id)] = (uint32_t)(entry - self->known.entries) + 1;
    if (entry->adopted) {
        // What was told of it before was nobody's.
        polymarket_ask_trades(self, entry->placed_s);
        entry->trades_round = self->trades_round;
    }
    return entry;
}

// MARK: parts in trades

static apus_polymarket_part* part_of(apus_polymarket_part* half, uint64_t id) {
    uint32_t at = (uint32_t)(id >> 16) & (PARTS - 1);
    while (half[at].id != 0 && half[at].id != id) {
        at = (at + 1) & (PARTS - 1);
    }
    return &half[at];
}

apus_polymarket_part* polymarket_find_part(const pm_session* self, uint64_t id) {
    apus_polymarket_part* part = part_of(self->parts.young, id);
    if (part->id == 0) part = part_of(self->parts.old, id);
    return part->id == 0 ? NULL : part;
}

void polymarket_add_part(pm_session* self, uint64_t id, uint8_t state, int64_t quantity) {
    apus_polymarket_parts* parts = &self->parts;
    if (parts->count == PARTS_EACH) {
        apus_polymarket_part* emptied = parts->old;
        parts->old = parts->young;
        parts->young = emptied;
        parts->count = 0;
        memset(emptied, 0, PARTS * sizeof *emptied);
    }
    *part_of(parts->young, id) = (apus_polymarket_part){.id = id, .state = state, .quantity = quantity};
    parts->count++;
}
