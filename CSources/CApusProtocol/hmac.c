// The low-level SHA-256 calls are used because their state can be copied: EVP would allocate for each signature.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "apus_hmac.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

_Static_assert(sizeof(SHA256_CTX) <= APUS_HMAC_STATE_BYTES, "a prepared state fits its place");

#define BLOCK 64u

static void start_state(uint64_t state[], const uint8_t pad[BLOCK]) {
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, pad, BLOCK);
    memcpy(state, &context, sizeof context);
    OPENSSL_cleanse(&context, sizeof context);
}

void apus_hmac_prepare(apus_hmac_key* key, const void* secret, size_t length) {
    uint8_t block[BLOCK] = {0}, pad[BLOCK];
    if (length > BLOCK) {
        SHA256(secret, length, block);
    } else {
        memcpy(block, secret, length);
    }
    for (size_t i = 0; i < BLOCK; i++) {
        pad[i] = block[i] ^ 0x36;
    }
    start_state(key->inner, pad);
    for (size_t i = 0; i < BLOCK; i++) {
        pad[i] = block[i] ^ 0x5c;
    }
    start_state(key->outer, pad);
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(pad, sizeof pad);
}

void apus_hmac_sign(const apus_hmac_key* key, const void* text, size_t length, uint8_t digest[32]) {
    SHA256_CTX context;
    memcpy(&context, key->inner, sizeof context);
    SHA256_Update(&context, text, length);
    SHA256_Final(digest, &context);
    memcpy(&context, key->outer, sizeof context);
    SHA256_Update(&context, digest, 32);
    SHA256_Final(digest, &context);
}

void apus_hmac_wipe(apus_hmac_key* key) {
    OPENSSL_cleanse(key, sizeof *key);
}

void apus_hex32(const uint8_t digest[32], char text[64]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 32; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
}
