// HMAC-SHA256 (RFC 2104, FIPS 180-4) with the key's part computed once: a signature of a short text costs four compressions.
#ifndef APUS_HMAC_H
#define APUS_HMAC_H

#include <stddef.h>
#include <stdint.h>

#define APUS_HMAC_STATE_BYTES 128u

// A prepared key. It holds secret material: the owner wipes it with apus_hmac_wipe.
typedef struct apus_hmac_key {
    uint64_t inner[APUS_HMAC_STATE_BYTES / 8];
    uint64_t outer[APUS_HMAC_STATE_BYTES / 8];
} apus_hmac_key;

void apus_hmac_prepare(apus_hmac_key* key, const void* secret, size_t length);
void apus_hmac_sign(const apus_hmac_key* key, const void* text, size_t length, uint8_t digest[32]);
void apus_hmac_wipe(apus_hmac_key* key);

// Writes 64 lower-case hexadecimal digits, without a terminating zero.
void apus_hex32(const uint8_t digest[32], char text[64]);

#endif
