#define OPENSSL_SUPPRESS_DEPRECATED // the interface whose context lies in the caller's memory
#include "apus_book_digest.h"

#include "apus_decimal.h"

#include <openssl/sha.h>

static void add_side(SHA256_CTX* context, const apus_book* book, uint32_t side, char letter) {
    char line[2 * APUS_DECIMAL_TEXT_BYTES + 4];
    apus_book_cursor cursor;
    apus_level level;
    apus_book_cursor_init(&cursor, book, side);
    while (apus_book_cursor_next(&cursor, &level)) {
        size_t length = 0;
        line[length++] = letter;
        line[length++] = ' ';
        length += apus_decimal_format(level.price, 0, line + length);
        line[length++] = ' ';
        length += apus_decimal_format(level.quantity, 0, line + length);
        line[length++] = '\n';
        SHA256_Update(context, line, length);
    }
}

void apus_book_digest(const apus_book* book, char* digest) {
    static const char hex[] = "0123456789abcdef";
    SHA256_CTX context;
    uint8_t bytes[SHA256_DIGEST_LENGTH];
    SHA256_Init(&context);
    add_side(&context, book, APUS_SIDE_BID, 'b');
    add_side(&context, book, APUS_SIDE_ASK, 'a');
    SHA256_Final(bytes, &context);
    for (size_t i = 0; i < sizeof bytes; i++) {
        digest[2 * i] = hex[bytes[i] >> 4];
        digest[2 * i + 1] = hex[bytes[i] & 15];
    }
    digest[2 * sizeof bytes] = 0;
}
