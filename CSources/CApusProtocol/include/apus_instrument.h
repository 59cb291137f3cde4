// Instruments by the venue's name for them: symbol text to a 16-bit number, and what the protocol must know of each.
//
// A table belongs to the hot thread. The caller gives its memory; entries are added and never taken away, so that a number
// means the same instrument as long as the table lives.
#ifndef APUS_INSTRUMENT_H
#define APUS_INSTRUMENT_H

#include "apus_limits.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define APUS_INSTRUMENT_NONE UINT16_MAX

enum apus_contract_kind {
    APUS_CONTRACT_SPOT = 0,
    APUS_CONTRACT_LINEAR = 1,  // profit = (exit - entry) * quantity * multiplier, in the quote asset
    APUS_CONTRACT_INVERSE = 2, // profit = (1 / entry - 1 / exit) * quantity * multiplier, in the base asset
    APUS_CONTRACT_BINARY = 3,  // pays 0 or 1
};

typedef struct apus_instrument {
    char symbol[APUS_SYMBOL_BYTES]; // as on the wire, padded with zeros
    uint8_t symbol_length;
    uint8_t price_decimals;    // of the Int64 prices; the fast path wants as many as the wire writes
    uint8_t quantity_decimals; // of the Int64 quantities
    uint8_t contract_kind;     // apus_contract_kind
    uint32_t reserved;
    int64_t tick_units;          // price step, in price units; at least 1
    int64_t lot_units;           // quantity step, in quantity units; at least 1
    int64_t contract_multiplier; // what one contract stands for (COIN-M: 100 or 10 dollars); 1 elsewhere
    int64_t minimum_quantity;    // quantity units; 0: no limit
    int64_t maximum_quantity;    // quantity units; 0: no limit
    int64_t minimum_notional;    // price units times quantity units, shifted to price decimals; 0: no limit
} apus_instrument;

// One place of the hash table: the symbol's first 16 bytes decide most look-ups without touching the entry.
typedef struct apus_instrument_slot {
    uint64_t first;
    uint64_t second;
    uint16_t index; // APUS_INSTRUMENT_NONE: empty
    uint8_t length;
    uint8_t reserved[5];
} apus_instrument_slot;

typedef struct apus_instrument_table {
    apus_instrument* entries;
    apus_instrument_slot* slots;
    uint32_t capacity;
    uint32_t count;
    uint32_t slot_mask;
} apus_instrument_table;

// Bytes of memory for a table of `capacity` instruments (1 to APUS_INSTRUMENTS_MAX), 64-byte aligned; 0 for a bad capacity.
size_t apus_instrument_table_bytes(uint32_t capacity);

// `memory` has apus_instrument_table_bytes(capacity) bytes, aligned to 8, and stays the caller's. Returns 0 or -EINVAL.
int apus_instrument_table_init(apus_instrument_table* table, void* memory, uint32_t capacity);

// Adds `instrument` under `symbol` (copied; instrument->symbol is ignored) and returns its number. Negative: -EINVAL for an
// empty or too long symbol, a step below 1 or too many decimals; -EEXIST when the symbol is there; -ENOSPC when the table is full.
int apus_instrument_add(apus_instrument_table* table, const char* symbol, size_t length,
                        const apus_instrument* instrument);

// The entry of a number below table->count; it may be changed in place (a new tick size), but not its symbol.
static inline apus_instrument* apus_instrument_at(const apus_instrument_table* table, uint16_t index) {
    return &table->entries[index];
}

// The number of a symbol, or APUS_INSTRUMENT_NONE. Reads text[0, length) only.
uint16_t apus_instrument_find(const apus_instrument_table* table, const uint8_t* symbol, size_t length);

// Mixes the first 16 bytes of a symbol and its length.
static inline uint64_t apus_instrument_hash(uint64_t first, uint64_t second, size_t length) {
    uint64_t mixed = (first ^ (second * 0x9E3779B97F4A7C15u)) + length;
    mixed *= 0xD6E8FEB86659FD93u;
    return mixed >> 32;
}

// The same for text inside a message buffer: reads up to 16 bytes from `symbol` on, whatever its length (APUS_PADDING allows it).
static inline uint16_t apus_instrument_find_padded(const apus_instrument_table* table, const uint8_t* symbol,
                                                   size_t length) {
    if (length - 1 >= 16) return apus_instrument_find(table, symbol, length);
    uint64_t first, second;
    memcpy(&first, symbol, 8);
    memcpy(&second, symbol + 8, 8);
    if (length <= 8) {
        first &= UINT64_MAX >> (64 - 8 * length);
        second = 0;
    } else {
        second &= UINT64_MAX >> (128 - 8 * length);
    }
    uint64_t at = apus_instrument_hash(first, second, length);
    for (;; at++) {
        const apus_instrument_slot* slot = &table->slots[at & table->slot_mask];
        if (slot->first == first && slot->second == second && slot->length == length) return slot->index;
        if (slot->index == APUS_INSTRUMENT_NONE) return APUS_INSTRUMENT_NONE;
    }
}

#endif
