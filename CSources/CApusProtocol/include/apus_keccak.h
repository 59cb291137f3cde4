// Keccak-256 as Ethereum uses it: the original padding of the Keccak team (0x01), not that of FIPS 202's SHA-3.
//
// Any thread; no state, no allocation.
#ifndef APUS_KECCAK_H
#define APUS_KECCAK_H

#include <stddef.h>
#include <stdint.h>

#define APUS_KECCAK_BYTES 32u

void apus_keccak256(const void* bytes, size_t length, uint8_t digest[APUS_KECCAK_BYTES]);

#endif
