// Polymarket's signatures (CLOB V2): orders by EIP-712, API keys by ClobAuth (level 1), requests by HMAC (level 2).
//
// An order is held as the words that its hash is made of, so that nothing is encoded twice and every value that the contract's
// type allows can be given. The same struct serves the exchange versions 2 and 3, which differ in their domain.
//
// Any thread; no state but what is given, no allocation.
#ifndef APUS_POLYMARKET_SIGN_H
#define APUS_POLYMARKET_SIGN_H

#include "apus_hmac.h"
#include "apus_signing_key.h"

#define APUS_POLYMARKET_CHAIN_ID 137u
#define APUS_POLYMARKET_DOMAIN_NAME "Polymarket CTF Exchange"

enum apus_polymarket_signature_type {
    APUS_POLYMARKET_EOA = 0,
    APUS_POLYMARKET_PROXY = 1,
    APUS_POLYMARKET_SAFE = 2,
    APUS_POLYMARKET_POLY_1271 = 3, // a deposit wallet: the signature is nested as ERC-7739 says
};

// The fields of Order in the order of its type.
enum apus_polymarket_order_field {
    APUS_POLYMARKET_SALT = 0,
    APUS_POLYMARKET_MAKER = 1,
    APUS_POLYMARKET_SIGNER = 2,
    APUS_POLYMARKET_TOKEN_ID = 3,
    APUS_POLYMARKET_MAKER_AMOUNT = 4,
    APUS_POLYMARKET_TAKER_AMOUNT = 5,
    APUS_POLYMARKET_SIDE = 6,
    APUS_POLYMARKET_SIGNATURE_TYPE = 7,
    APUS_POLYMARKET_TIMESTAMP = 8,
    APUS_POLYMARKET_METADATA = 9,
    APUS_POLYMARKET_BUILDER = 10,
    APUS_POLYMARKET_ORDER_FIELDS = 11,
};

typedef struct apus_polymarket_typed_order {
    uint8_t words[APUS_POLYMARKET_ORDER_FIELDS][APUS_WORD_BYTES];
} apus_polymarket_typed_order;

// An exchange contract, with what every order's hash needs of it computed once.
typedef struct apus_polymarket_exchange {
    uint8_t separator[APUS_WORD_BYTES];
    uint8_t order_type[APUS_WORD_BYTES];
    uint8_t nested_type[APUS_WORD_BYTES];    // of the wrapper that a deposit wallet's signature covers
    uint8_t wallet_name[APUS_WORD_BYTES];    //
    uint8_t wallet_version[APUS_WORD_BYTES]; //
    uint64_t chain_id;
} apus_polymarket_exchange;

// Longest signature: 65 bytes, separator, contents hash, the 186 bytes of Order's type, its length.
#define APUS_POLYMARKET_SIGNATURE_BYTES 317u

void apus_polymarket_exchange_init(apus_polymarket_exchange* exchange, const char* name, const char* version,
                                   uint64_t chain_id, const uint8_t contract[APUS_ADDRESS_BYTES]);

// The order's hash, which is its id at the venue, and what types 0 to 2 sign.
void apus_polymarket_order_hash(const apus_polymarket_exchange* exchange, const apus_polymarket_typed_order* order,
                                uint8_t hash[APUS_WORD_BYTES]);

// Signs an order whose hash is known, as its signature type says. Returns the signature's length.
size_t apus_polymarket_order_sign(const apus_signing_key* key, const apus_polymarket_exchange* exchange,
                                  const apus_polymarket_typed_order* order, const uint8_t hash[APUS_WORD_BYTES],
                                  uint8_t signature[APUS_POLYMARKET_SIGNATURE_BYTES]);

// Level 1: that the holder of the key controls its address, for deriving API keys. `timestamp_s` is in seconds.
void apus_polymarket_auth_sign(const apus_signing_key* key, uint64_t chain_id, uint64_t timestamp_s, uint64_t nonce,
                               uint8_t signature[APUS_SIGNATURE_BYTES]);

// MARK: level 2

// URL-safe base64 of 32 bytes, with its '=', no terminating zero.
#define APUS_POLYMARKET_HMAC_BYTES 44u
// Longest secret of an API key, decoded.
#define APUS_POLYMARKET_SECRET_BYTES 128u

// The secret as the venue gives it: base64 of either alphabet. Returns 0, or -EINVAL when it is none or empty or too long.
int apus_polymarket_secret_prepare(apus_hmac_key* key, const char* secret, size_t length);

// `text` is timestamp, method, path and body, one after another.
void apus_polymarket_request_sign(const apus_hmac_key* key, const char* text, size_t length,
                                  char signature[APUS_POLYMARKET_HMAC_BYTES]);

#endif
