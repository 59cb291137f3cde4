#include "apus_decimal.h"
#include "apus_polymarket_sign.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define ORDER_TYPE                                                                                                     \
    "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"         \
    "uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
#define ORDER_TYPE_BYTES (sizeof ORDER_TYPE - 1)
#define NESTED_TYPE                                                                                                    \
    "TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
#define AUTH_TYPE "ClobAuth(address address,string timestamp,uint256 nonce,string message)"
#define AUTH_MESSAGE "This message attests that I control the given wallet"

_Static_assert(APUS_SIGNATURE_BYTES + 2 * APUS_WORD_BYTES + ORDER_TYPE_BYTES + 2 == APUS_POLYMARKET_SIGNATURE_BYTES,
               "a nested signature fills its place");

static void hash_text(const char* text, uint8_t word[APUS_WORD_BYTES]) {
    apus_keccak256(text, strlen(text), word);
}

void apus_polymarket_exchange_init(apus_polymarket_exchange* exchange, const char* name, const char* version,
                                   uint64_t chain_id, const uint8_t contract[APUS_ADDRESS_BYTES]) {
    apus_eip712_domain domain = {.name = name, .version = version, .chain_id = chain_id, .contract = contract};
    apus_eip712_separator(&domain, exchange->separator);
    hash_text(ORDER_TYPE, exchange->order_type);
    hash_text(NESTED_TYPE ORDER_TYPE, exchange->nested_type);
    hash_text("DepositWallet", exchange->wallet_name);
    hash_text("1", exchange->wallet_version);
    exchange->chain_id = chain_id;
}

static void contents_hash(const apus_polymarket_exchange* exchange, const apus_polymarket_typed_order* order,
                          uint8_t hash[APUS_WORD_BYTES]) {
    uint8_t words[1 + APUS_POLYMARKET_ORDER_FIELDS][APUS_WORD_BYTES];
    memcpy(words[0], exchange->order_type, APUS_WORD_BYTES);
    memcpy(words[1], order->words, sizeof order->words);
    apus_keccak256(words, sizeof words, hash);
}

void apus_polymarket_order_hash(const apus_polymarket_exchange* exchange, const apus_polymarket_typed_order* order,
                                uint8_t hash[APUS_WORD_BYTES]) {
    uint8_t contents[APUS_WORD_BYTES];
    contents_hash(exchange, order, contents);
    apus_eip712_digest(exchange->separator, contents, hash);
}

// What a deposit wallet's owner signs: the order inside a wrapper that names the wallet, so that the signature is of no use to
// another wallet of the same owner. The wallet is the order's signer.
static void nested_digest(const apus_polymarket_exchange* exchange, const apus_polymarket_typed_order* order,
                          const uint8_t contents[APUS_WORD_BYTES], uint8_t digest[APUS_WORD_BYTES]) {
    uint8_t words[7][APUS_WORD_BYTES], hash[APUS_WORD_BYTES];
    memcpy(words[0], exchange->nested_type, APUS_WORD_BYTES);
    memcpy(words[1], contents, APUS_WORD_BYTES);
    memcpy(words[2], exchange->wallet_name, APUS_WORD_BYTES);
    memcpy(words[3], exchange->wallet_version, APUS_WORD_BYTES);
    apus_word_u64(exchange->chain_id, words[4]);
    memcpy(words[5], order->words[APUS_POLYMARKET_SIGNER], APUS_WORD_BYTES);
    memset(words[6], 0, APUS_WORD_BYTES);
    apus_keccak256(words, sizeof words, hash);
    apus_eip712_digest(exchange->separator, hash, digest);
}

size_t apus_polymarket_order_sign(const apus_signing_key* key, const apus_polymarket_exchange* exchange,
                                  const apus_polymarket_typed_order* order, const uint8_t hash[APUS_WORD_BYTES],
                                  uint8_t signature[APUS_POLYMARKET_SIGNATURE_BYTES]) {
    if (order->words[APUS_POLYMARKET_SIGNATURE_TYPE][APUS_WORD_BYTES - 1] != APUS_POLYMARKET_POLY_1271) {
        apus_signing_key_sign(key, hash, signature);
        return APUS_SIGNATURE_BYTES;
    }
    uint8_t contents[APUS_WORD_BYTES], digest[APUS_WORD_BYTES];
    contents_hash(exchange, order, contents);
    nested_digest(exchange, order, contents, digest);
    apus_signing_key_sign(key, digest, signature);
    uint8_t* at = signature + APUS_SIGNATURE_BYTES;
    memcpy(at, exchange->separator, APUS_WORD_BYTES);
    memcpy(at + APUS_WORD_BYTES, contents, APUS_WORD_BYTES);
    at += 2 * APUS_WORD_BYTES;
    memcpy(at, ORDER_TYPE, ORDER_TYPE_BYTES);
    at[ORDER_TYPE_BYTES] = (uint8_t)(ORDER_TYPE_BYTES >> 8);
    at[ORDER_TYPE_BYTES + 1] = (uint8_t)(ORDER_TYPE_BYTES & 255);
    return APUS_POLYMARKET_SIGNATURE_BYTES;
}

void apus_polymarket_auth_sign(const apus_signing_key* key, uint64_t chain_id, uint64_t timestamp_s, uint64_t nonce,
                               uint8_t signature[APUS_SIGNATURE_BYTES]) {
    uint8_t separator[APUS_WORD_BYTES], words[5][APUS_WORD_BYTES], hash[APUS_WORD_BYTES], digest[APUS_WORD_BYTES];
    apus_eip712_domain domain = {.name = "ClobAuthDomain", .version = "1", .chain_id = chain_id};
    apus_eip712_separator(&domain, separator);
    char text[APUS_DECIMAL_TEXT_BYTES];
    size_t length = apus_u64_format(timestamp_s, text);
    hash_text(AUTH_TYPE, words[0]);
    apus_word_address(key->address, words[1]);
    apus_keccak256(text, length, words[2]);
    apus_word_u64(nonce, words[3]);
    hash_text(AUTH_MESSAGE, words[4]);
    apus_keccak256(words, sizeof words, hash);
    apus_eip712_digest(separator, hash, digest);
    apus_signing_key_sign(key, digest, signature);
}

// MARK: level 2

// The value of a digit of either alphabet, or -1.
static int base64_value(char digit) {
    if (digit >= 'A' && digit <= 'Z') return digit - 'A';
    if (digit >= 'a' && digit <= 'z') return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9') return digit - '0' + 52;
    if (digit == '+' || digit == '-') return 62;
    if (digit == '/' || digit == '_') return 63;
    return -1;
}

int apus_polymarket_secret_prepare(apus_hmac_key* key, const char* secret, size_t length) {
    uint8_t bytes[APUS_POLYMARKET_SECRET_BYTES];
    size_t size = 0;
    uint32_t held = 0, bits = 0;
    while (length > 0 && secret[length - 1] == '=') {
        length--;
    }
    int result = length == 0 || length % 4 == 1 ? -EINVAL : 0;
    for (size_t i = 0; i < length && result == 0; i++) {
        int value = base64_value(secret[i]);
        held = held << 6 | (uint32_t)(value & 63);
        bits += 6;
        if (value < 0 || (bits >= 8 && size == sizeof bytes)) {
            result = -EINVAL;
        } else if (bits >= 8) {
            bits -= 8;
            bytes[size++] = (uint8_t)(held >> bits);
        }
    }
    if (result == 0) apus_hmac_prepare(key, bytes, size);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return result;
}

void apus_polymarket_request_sign(const apus_hmac_key* key, const char* text, size_t length,
                                  char signature[APUS_POLYMARKET_HMAC_BYTES]) {
    uint8_t digest[32];
    char encoded[APUS_POLYMARKET_HMAC_BYTES + 1];
    apus_hmac_sign(key, text, length, digest);
    EVP_EncodeBlock((uint8_t*)encoded, digest, sizeof digest);
    for (size_t i = 0; i < APUS_POLYMARKET_HMAC_BYTES; i++) {
        signature[i] = encoded[i] == '+' ? '-' : encoded[i] == '/' ? '_' : encoded[i];
    }
}
