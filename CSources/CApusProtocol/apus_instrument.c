#include "apus_instrument.h"

static uint32_t slot_count(uint32_t capacity) {
    uint32_t slots = 8;
    while (slots < 2 * capacity) {
        slots *= 2;
    }
    return slots;
}

static size_t entries_bytes(uint32_t capacity) {
    return ((size_t)capacity * sizeof(apus_instrument) + 63) & ~(size_t)63;
}

size_t apus_instrument_table_bytes(uint32_t capacity) {
    if (capacity == 0 || capacity > APUS_INSTRUMENTS_MAX) return 0;
    return entries_bytes(capacity) + slot_count(capacity) * sizeof(apus_instrument_slot);
}

int apus_instrument_table_init(apus_instrument_table* table, void* memory, uint32_t capacity) {
    if (apus_instrument_table_bytes(capacity) == 0) return -EINVAL;
    uint32_t slots = slot_count(capacity);
    *table = (apus_instrument_table){
        .entries = memory,
        .slots = (apus_instrument_slot*)(void*)((uint8_t*)memory + entries_bytes(capacity)),
        .capacity = capacity,
        .slot_mask = slots - 1,
    };
    for (uint32_t i = 0; i < slots; i++) {
        table->slots[i] = (apus_instrument_slot){.index = APUS_INSTRUMENT_NONE};
    }
    return 0;
}

// The first 16 bytes of a symbol, zeros behind its end.
static void head(const uint8_t* symbol, size_t length, uint64_t* first, uint64_t* second) {
    uint8_t bytes[16] = {0};
    memcpy(bytes, symbol, length < 16 ? length : 16);
    memcpy(first, bytes, 8);
    memcpy(second, bytes + 8, 8);
}

uint16_t apus_instrument_find(const apus_instrument_table* table, const uint8_t* symbol, size_t length) {
    if (length == 0 || length >= APUS_SYMBOL_BYTES) return APUS_INSTRUMENT_NONE;
    uint64_t first, second;
    head(symbol, length, &first, &second);
    for (uint64_t at = apus_instrument_hash(first, second, length);; at++) {
        const apus_instrument_slot* slot = &table->slots[at & table->slot_mask];
        if (slot->index == APUS_INSTRUMENT_NONE) return APUS_INSTRUMENT_NONE;
        if (slot->first != first || slot->second != second || slot->length != length) continue;
        if (length <= 16 || memcmp(table->entries[slot->index].symbol, symbol, length) == 0) return slot->index;
    }
}

int apus_instrument_add(apus_instrument_table* table, const char* symbol, size_t length,
                        const apus_instrument* instrument) {
    if (length == 0 || length >= APUS_SYMBOL_BYTES || instrument->tick_units < 1 || instrument->lot_units < 1
        || instrument->price_decimals > APUS_DECIMALS_MAX || instrument->quantity_decimals > APUS_DECIMALS_MAX) {
        return -EINVAL;
    }
    if (apus_instrument_find(table, (const uint8_t*)symbol, length) != APUS_INSTRUMENT_NONE) return -EEXIST;
    if (table->count == table->capacity) return -ENOSPC;
    uint16_t index = (uint16_t)table->count;
    apus_instrument* entry = &table->entries[index];
    *entry = *instrument;
    memset(entry->symbol, 0, sizeof entry->symbol);
    memcpy(entry->symbol, symbol, length);
    entry->symbol_length = (uint8_t)length;
    uint64_t first, second;
    head((const uint8_t*)symbol, length, &first, &second);
    uint64_t at = apus_instrument_hash(first, second, length);
    while (table->slots[at & table->slot_mask].index != APUS_INSTRUMENT_NONE) {
        at++;
    }
    table->slots[at & table->slot_mask] =
        (apus_instrument_slot){.first = first, .second = second, .index = index, .length = (uint8_t)length};
    table->count++;
    return index;
}
