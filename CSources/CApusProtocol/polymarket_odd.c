// Texts of levels that their values do not lead back to ("0.10", "5.0"): a sorted list, nearly always empty.
#include "polymarket_hash.h"

#include <string.h>

static uint32_t place_of(const apus_polymarket_proof* proof, uint8_t side, int64_t price) {
    uint32_t low = 0, high = proof->odd_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        const apus_polymarket_odd* odd = &proof->odd[middle];
        if (odd->side < side || (odd->side == side && odd->price < price)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at(const apus_polymarket_proof* proof, uint32_t place, uint8_t side, int64_t price) {
    return place < proof->odd_count && proof->odd[place].side == side && proof->odd[place].price == price;
}

const apus_polymarket_odd* apus_polymarket_odd_find(const apus_polymarket_proof* proof, uint8_t side, int64_t price) {
    if (proof->odd_count == 0) return NULL;
    uint32_t place = place_of(proof, side, price);
    return is_at(proof, place, side, price) ? &proof->odd[place] : NULL;
}

static int grow(apus_arena* arena, apus_polymarket_proof* proof) {
    uint32_t capacity = proof->odd_capacity == 0 ? 16 : 2 * proof->odd_capacity;
    apus_polymarket_odd* wider = apus_arena_alloc(arena, capacity * sizeof *wider);
    if (wider == NULL) return -ENOMEM;
    if (proof->odd_count != 0) memcpy(wider, proof->odd, proof->odd_count * sizeof *wider);
    apus_arena_free(arena, proof->odd, proof->odd_capacity * sizeof *wider);
    proof->odd = wider;
    proof->odd_capacity = capacity;
    return 0;
}

static void take_text(apus_polymarket_price* to, const uint8_t* text, uint8_t length) {
    memcpy(to->text, text, length);
    to->length = length;
}

int apus_polymarket_odd_set(apus_arena* arena, apus_polymarket_proof* proof, uint8_t side,
                            const apus_polymarket_level* level) {
    bool keep = level->odd && level->size != 0;
    if (!keep && proof->odd_count == 0) return 0;
    uint32_t place = place_of(proof, side, level->price);
    bool there = is_at(proof, place, side, level->price);
    if (!keep) {
        if (there) {
            proof->odd_count--;
            memmove(&proof->odd[place], &proof->odd[place + 1], (proof->odd_count - place) * sizeof *proof->odd);
        }
        return 0;
    }
    if (!there) {
        if (proof->odd_count == proof->odd_capacity && grow(arena, proof) < 0) return -ENOMEM;
        memmove(&proof->odd[place + 1], &proof->odd[place], (proof->odd_count - place) * sizeof *proof->odd);
        proof->odd_count++;
        proof->odd[place].side = side;
        proof->odd[place].price = level->price;
    }
    take_text(&proof->odd[place].price_text, level->price_text, level->price_length);
    take_text(&proof->odd[place].size_text, level->size_text, level->size_length);
    return 0;
}

void apus_polymarket_odd_clear(apus_arena* arena, apus_polymarket_proof* proof) {
    apus_arena_free(arena, proof->odd, proof->odd_capacity * sizeof *proof->odd);
    proof->odd = NULL;
    proof->odd_count = proof->odd_capacity = 0;
}
