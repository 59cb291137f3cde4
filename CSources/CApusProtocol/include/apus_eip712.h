// EIP-712: typed data to the 32 bytes that are signed. Words are 32 bytes, big-endian, as the ABI lays them.
//
// Any thread; no state, no allocation.
#ifndef APUS_EIP712_H
#define APUS_EIP712_H

#include "apus_keccak.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define APUS_WORD_BYTES 32u
#define APUS_ADDRESS_BYTES 20u
#define APUS_ADDRESS_TEXT_BYTES 42u // "0x" and 40 digits

// A domain is separated by name, version and chain, and by a contract where there is one (NULL: a domain without).
typedef struct apus_eip712_domain {
    const char* name;
    const char* version;
    uint64_t chain_id;
    const uint8_t* contract; // APUS_ADDRESS_BYTES
} apus_eip712_domain;

void apus_eip712_separator(const apus_eip712_domain* domain, uint8_t separator[APUS_WORD_BYTES]);

// keccak256(0x19 0x01, separator, struct hash): what is signed.
void apus_eip712_digest(const uint8_t separator[APUS_WORD_BYTES], const uint8_t struct_hash[APUS_WORD_BYTES],
                        uint8_t digest[APUS_WORD_BYTES]);

// MARK: words and texts

static inline void apus_word_u64(uint64_t value, uint8_t word[APUS_WORD_BYTES]) {
    memset(word, 0, 24);
    for (int i = 0; i < 8; i++) {
        word[24 + i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static inline void apus_word_address(const uint8_t address[APUS_ADDRESS_BYTES], uint8_t word[APUS_WORD_BYTES]) {
    memset(word, 0, APUS_WORD_BYTES - APUS_ADDRESS_BYTES);
    memcpy(word + APUS_WORD_BYTES - APUS_ADDRESS_BYTES, address, APUS_ADDRESS_BYTES);
}

// Decimal digits to a word. Returns 0, -EINVAL for what is no unsigned number, -ERANGE above 2^256 - 1.
int apus_word_parse(const char* text, size_t length, uint8_t word[APUS_WORD_BYTES]);

// "0x" and exactly 2 * `count` hexadecimal digits of either case. Returns 0 or -EINVAL.
int apus_hex_parse(const char* text, size_t length, uint8_t* bytes, size_t count);

// 2 * `count` lower-case digits, without prefix and without a terminating zero.
void apus_hex_write(const uint8_t* bytes, size_t count, char* text);

// An address with the capitals of EIP-55, which are its checksum; no terminating zero.
void apus_address_write(const uint8_t address[APUS_ADDRESS_BYTES], char text[APUS_ADDRESS_TEXT_BYTES]);

#endif
