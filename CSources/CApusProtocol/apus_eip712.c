#include "apus_eip712.h"

static void hash_text(const char* text, uint8_t word[APUS_WORD_BYTES]) {
    apus_keccak256(text, strlen(text), word);
}

void apus_eip712_separator(const apus_eip712_domain* domain, uint8_t separator[APUS_WORD_BYTES]) {
    uint8_t words[5][APUS_WORD_BYTES];
    bool has_contract = domain->contract != NULL;
    hash_text(has_contract ? "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                           : "EIP712Domain(string name,string version,uint256 chainId)",
              words[0]);
    hash_text(domain->name, words[1]);
    hash_text(domain->version, words[2]);
    apus_word_u64(domain->chain_id, words[3]);
    if (has_contract) apus_word_address(domain->contract, words[4]);
    apus_keccak256(words, (has_contract ? 5 : 4) * APUS_WORD_BYTES, separator);
}

void apus_eip712_digest(const uint8_t separator[APUS_WORD_BYTES], const uint8_t struct_hash[APUS_WORD_BYTES],
                        uint8_t digest[APUS_WORD_BYTES]) {
    uint8_t bytes[2 + 2 * APUS_WORD_BYTES] = {0x19, 0x01};
    memcpy(bytes + 2, separator, APUS_WORD_BYTES);
    memcpy(bytes + 2 + APUS_WORD_BYTES, struct_hash, APUS_WORD_BYTES);
    apus_keccak256(bytes, sizeof bytes, digest);
}

int apus_word_parse(const char* text, size_t length, uint8_t word[APUS_WORD_BYTES]) {
    memset(word, 0, APUS_WORD_BYTES);
    if (length == 0) return -EINVAL;
    bool over = false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return -EINVAL;
        unsigned carry = (unsigned)(text[i] - '0');
        for (size_t at = APUS_WORD_BYTES; at-- > 0;) {
            carry += word[at] * 10u;
            word[at] = (uint8_t)carry;
            carry >>= 8;
        }
        over |= carry != 0;
    }
    return over ? -ERANGE : 0;
}

static int digit_value(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

int apus_hex_parse(const char* text, size_t length, uint8_t* bytes, size_t count) {
    if (length != 2 + 2 * count || text[0] != '0' || text[1] != 'x') return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        int high = digit_value(text[2 + 2 * i]), low = digit_value(text[3 + 2 * i]);
        if (high < 0 || low < 0) return -EINVAL;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

void apus_hex_write(const uint8_t* bytes, size_t count, char* text) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
}

void apus_address_write(const uint8_t address[APUS_ADDRESS_BYTES], char text[APUS_ADDRESS_TEXT_BYTES]) {
    uint8_t hash[APUS_KECCAK_BYTES];
    text[0] = '0';
    text[1] = 'x';
    apus_hex_write(address, APUS_ADDRESS_BYTES, text + 2);
    apus_keccak256(text + 2, 2 * APUS_ADDRESS_BYTES, hash);
    for (size_t i = 0; i < 2 * APUS_ADDRESS_BYTES; i++) {
        unsigned nibble = i % 2 == 0 ? hash[i / 2] >> 4 : hash[i / 2] & 15u;
        if (text[2 + i] >= 'a' && nibble >= 8) text[2 + i] = (char)(text[2 + i] - 'a' + 'A');
    }
}
