// Who signs Binance requests: an API key with an HMAC secret or with an Ed25519 private key.
#ifndef APUS_BINANCE_SIGNER_H
#define APUS_BINANCE_SIGNER_H

#include "apus_hmac.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define APUS_BINANCE_KEY_BYTES 128u
// Longest signature: 88 characters of base64, or 64 hexadecimal digits.
#define APUS_BINANCE_SIGNATURE_BYTES 88u

// Holds secrets. With Ed25519 also what OpenSSL has allocated: a copy shares that, and apus_binance_signer_wipe of one ends it
// for all.
typedef struct apus_binance_signer {
    apus_hmac_key secret;
    void* ed25519; // an EVP_MD_CTX; NULL: HMAC
    char api_key[APUS_BINANCE_KEY_BYTES];
    uint32_t api_key_length;
} apus_binance_signer;

// Return 0 or -EINVAL when a key is empty, too long or holds a character that would need escaping. Wipe the inputs yourself.
int apus_binance_signer_init(apus_binance_signer* signer, const char* api_key, const char* secret);

// With an Ed25519 private key as PEM (PKCS #8, not encrypted). Also -EBADMSG when the text is no such key, -ENOMEM. Allocates, as
// does each signature with it: OpenSSL 3 takes about five small blocks for one and gives them back.
int apus_binance_signer_init_ed25519(apus_binance_signer* signer, const char* api_key, const char* pem);

// Overwrites the secrets and frees what belongs to them. Safe to call twice.
void apus_binance_signer_wipe(apus_binance_signer* signer);

// Writes the signature of a text: lower-case hexadecimal for HMAC, base64 for Ed25519; `out` has room for
// APUS_BINANCE_SIGNATURE_BYTES. Returns its length, or -EIO when OpenSSL cannot sign. Hot thread: one at a time.
int apus_binance_sign(const apus_binance_signer* signer, const void* text, size_t length, char* out);

#endif
