// Between the parts of the Binance decoder.
#ifndef APUS_BINANCE_DECODE_INTERNAL_H
#define APUS_BINANCE_DECODE_INTERNAL_H

#include "apus_binance_decode.h"

// Reads a message written as the venue writes it. Returns true with a whole message, false where anything is different: the
// general reader then starts over. One version for each apus_vector.
typedef bool apus_binance_fast(apus_binance_decoder* decoder, const uint8_t* bytes, size_t length, uint16_t instrument,
                               apus_binance_message* message);
apus_binance_fast apus_binance_fast_portable;
#if defined(__x86_64__)
apus_binance_fast apus_binance_fast_avx2;
apus_binance_fast apus_binance_fast_avx512;
#endif

// Reads any valid JSON. Returns 0 or a negative errno as apus_binance_decode does.
int apus_binance_general(apus_binance_decoder* decoder, const uint8_t* bytes, size_t length, uint16_t instrument,
                         apus_binance_message* message);

#endif
