// What the parts of Polymarket's decoder share. Internal.
#ifndef POLYMARKET_DECODE_H
#define POLYMARKET_DECODE_H

#include "apus_polymarket_decode.h"

#include <string.h>

// Where the search for a market's id begins. Ids differ in the eight characters behind "0x".
static inline uint64_t apus_polymarket_place(const uint8_t* id) {
    uint64_t key;
    memcpy(&key, id + 2, 8);
    return (key * 0x9E3779B97F4A7C15u) >> 32;
}

// Reads a whole frame, bytes[0, length), as one price_change of a known market in the venue's own writing. Returns
// false when it is anything else: nothing was counted then, and *message means nothing.
bool apus_polymarket_fast(apus_polymarket_decoder* decoder, const uint8_t* bytes, size_t length,
                          apus_polymarket_message* message);

// Reads one object, bytes[start, end), by the JSON scanner. Returns 0 or a negative errno.
int apus_polymarket_general(apus_polymarket_decoder* decoder, const uint8_t* bytes, size_t start, size_t end,
                            apus_polymarket_message* message);

// Reads levels written exactly as {"price":"0.01","size":"5"}, separated by single commas, from bytes[at, end), which
// is the inside of an array. Returns how many, or -1 when anything stands there in another way or there are more than
// `capacity`.
int64_t apus_polymarket_levels(const apus_polymarket_decoder* decoder, const uint8_t* bytes, size_t at, size_t end,
                               const apus_instrument* instrument, apus_polymarket_level* levels, uint32_t capacity);

#endif
