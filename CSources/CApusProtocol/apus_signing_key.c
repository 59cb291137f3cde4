#include "apus_signing_key.h"

#include <openssl/crypto.h>
#include <secp256k1.h>
#include <secp256k1_preallocated.h>
#include <secp256k1_recovery.h>

static const secp256k1_context* context_of(const apus_signing_key* key) {
    return (const secp256k1_context*)(const void*)key->context;
}

// The last 20 bytes of the hash of the point's two coordinates.
static void address_of(const secp256k1_context* context, const secp256k1_pubkey* point,
                       uint8_t address[APUS_ADDRESS_BYTES]) {
    uint8_t bytes[65], hash[APUS_KECCAK_BYTES];
    size_t size = sizeof bytes;
    secp256k1_ec_pubkey_serialize(context, bytes, &size, point, SECP256K1_EC_UNCOMPRESSED);
    apus_keccak256(bytes + 1, 64, hash);
    memcpy(address, hash + APUS_KECCAK_BYTES - APUS_ADDRESS_BYTES, APUS_ADDRESS_BYTES);
}

int apus_signing_key_init(apus_signing_key* key, const uint8_t secret[APUS_SECRET_BYTES], const uint8_t entropy[32]) {
    memset(key, 0, sizeof *key);
    if (secp256k1_context_preallocated_size(SECP256K1_CONTEXT_SIGN) > sizeof key->context) return -ENOMEM;
    secp256k1_context* context = secp256k1_context_preallocated_create(key->context, SECP256K1_CONTEXT_SIGN);
    secp256k1_pubkey point;
    if (!secp256k1_context_randomize(context, entropy) || !secp256k1_ec_pubkey_create(context, &point, secret)) {
        apus_signing_key_wipe(key);
        return -EINVAL;
    }
    memcpy(key->secret, secret, APUS_SECRET_BYTES);
    address_of(context, &point, key->address);
    return 0;
}

void apus_signing_key_sign(const apus_signing_key* key, const uint8_t digest[APUS_WORD_BYTES],
                           uint8_t signature[APUS_SIGNATURE_BYTES]) {
    secp256k1_ecdsa_recoverable_signature parts;
    int recovery = 0;
    // It fails for a secret that is no key alone, which the start has excluded.
    secp256k1_ecdsa_sign_recoverable(context_of(key), &parts, digest, key->secret, NULL, NULL);
    secp256k1_ecdsa_recoverable_signature_serialize_compact(context_of(key), signature, &recovery, &parts);
    signature[64] = (uint8_t)(27 + recovery);
}

int apus_signature_recover(const uint8_t digest[APUS_WORD_BYTES], const uint8_t signature[APUS_SIGNATURE_BYTES],
                           uint8_t address[APUS_ADDRESS_BYTES]) {
    const secp256k1_context* context = secp256k1_context_static;
    secp256k1_ecdsa_recoverable_signature parts;
    secp256k1_pubkey point;
    if (signature[64] < 27 || signature[64] > 30) return -EINVAL;
    if (!secp256k1_ecdsa_recoverable_signature_parse_compact(context, &parts, signature, signature[64] - 27)
        || !secp256k1_ecdsa_recover(context, &point, &parts, digest)) {
        return -EINVAL;
    }
    address_of(context, &point, address);
    return 0;
}

void apus_signing_key_wipe(apus_signing_key* key) {
    OPENSSL_cleanse(key, sizeof *key);
}
