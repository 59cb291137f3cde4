// An Ethereum account's key: secp256k1 with public key recovery, by libsecp256k1.
//
// The library's context lies inside the key, made once and blinded by the entropy that it is given; a signature takes no memory
// and no lock. A key belongs to one thread at a time and must not be moved in memory after apus_signing_key_init.
#ifndef APUS_SIGNING_KEY_H
#define APUS_SIGNING_KEY_H

#include "apus_eip712.h"

#define APUS_SECRET_BYTES 32u
#define APUS_SIGNATURE_BYTES 65u
#define APUS_SIGNING_CONTEXT_BYTES 512u

// Holds secret material: the owner wipes it with apus_signing_key_wipe.
typedef struct apus_signing_key {
    uint64_t context[APUS_SIGNING_CONTEXT_BYTES / 8];
    uint8_t secret[APUS_SECRET_BYTES];
    uint8_t address[APUS_ADDRESS_BYTES];
} apus_signing_key;

// Returns 0; -EINVAL when the secret is no key (zero, or not below the group's order); -ENOMEM when the library's context is
// larger than its place here. Wipe the inputs yourself.
int apus_signing_key_init(apus_signing_key* key, const uint8_t secret[APUS_SECRET_BYTES], const uint8_t entropy[32]);

// r, s (the lower of the two), and v as Ethereum has it: 27 or 28. The nonce is deterministic (RFC 6979): the same digest gives
// the same signature.
void apus_signing_key_sign(const apus_signing_key* key, const uint8_t digest[APUS_WORD_BYTES],
                           uint8_t signature[APUS_SIGNATURE_BYTES]);

// The address whose key made a signature. Needs no key. Returns 0 or -EINVAL when there is none.
int apus_signature_recover(const uint8_t digest[APUS_WORD_BYTES], const uint8_t signature[APUS_SIGNATURE_BYTES],
                           uint8_t address[APUS_ADDRESS_BYTES]);

void apus_signing_key_wipe(apus_signing_key* key);

#endif
