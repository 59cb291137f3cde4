// Writing a book's canonical text and hashing it.
//
// The text is written from its end to its beginning: a book is walked best first, and in the venue's text the best is last.
#define OPENSSL_SUPPRESS_DEPRECATED // the interface whose context lies in the caller's memory
#include "polymarket_hash.h"

#include "apus_decimal.h"

#include <openssl/sha.h>
#include <string.h>

_Static_assert(sizeof(SHA_CTX) <= sizeof(apus_polymarket_sha1), "a SHA-1 in progress has room");
_Static_assert(_Alignof(SHA_CTX) <= _Alignof(apus_polymarket_sha1), "a SHA-1 in progress is aligned");

// Longest text of one level, and of all that is not levels.
#define LEVEL_BYTES (2 * APUS_POLYMARKET_NUMBER_BYTES + 32u)
#define FRAME_BYTES 1024u

// MARK: writing backwards

#define PUT(at, literal) put(at, (const uint8_t*)(literal), sizeof literal - 1)

static inline uint8_t* put(uint8_t* at, const uint8_t* text, size_t length) {
    return memcpy(at - length, text, length);
}

static const char digit_pairs[] = "0001020304050607080910111213141516171819"
                                  "2021222324252627282930313233343536373839"
                                  "4041424344454647484950515253545556575859"
                                  "6061626364656667686970717273747576777879"
                                  "8081828384858687888990919293949596979899";

static inline uint8_t* put_pair(uint8_t* at, uint64_t value) {
    return memcpy(at - 2, digit_pairs + 2 * value, 2);
}

static inline uint8_t* put_whole(uint8_t* at, uint64_t value) {
    while (value >= 100) {
        at = put_pair(at, value % 100);
        value /= 100;
    }
    if (value >= 10) return put_pair(at, value);
    *--at = (uint8_t)('0' + value);
    return at;
}

// The shortest decimal text of a value.
static inline uint8_t* put_decimal(uint8_t* at, uint64_t value, uint32_t decimals, uint64_t unit) {
    uint64_t whole = value / unit, fraction = value % unit;
    if (fraction != 0) {
        while (fraction % 100 == 0) {
            fraction /= 100;
            decimals -= 2;
        }
        if (fraction % 10 == 0) {
            fraction /= 10;
            decimals--;
        }
        for (; decimals >= 2; decimals -= 2) {
            at = put_pair(at, fraction % 100);
            fraction /= 100;
        }
        if (decimals == 1) *--at = (uint8_t)('0' + fraction);
        *--at = '.';
    }
    return whole == 0 ? (*--at = '0', at) : put_whole(at, whole);
}

static inline uint8_t* put_levels(uint8_t* at, const apus_market_book* book, uint8_t side, uint32_t price_decimals,
                                  uint32_t size_decimals, uint64_t price_unit, uint64_t size_unit) {
    const apus_polymarket_proof* proof = book->venue;
    apus_book_cursor cursor;
    apus_level level;
    apus_book_cursor_init(&cursor, &book->book, side);
    while (apus_book_cursor_next(&cursor, &level)) {
        const apus_polymarket_odd* odd = apus_polymarket_odd_find(proof, side, level.price);
        at = PUT(at, "\"},");
        at = odd != NULL ? put(at, odd->size_text.text, odd->size_text.length)
                         : put_decimal(at, (uint64_t)level.quantity, size_decimals, size_unit);
        at = PUT(at, "\",\"size\":\"");
        at = odd != NULL ? put(at, odd->price_text.text, odd->price_text.length)
                         : put_decimal(at, (uint64_t)level.price, price_decimals, price_unit);
        at = PUT(at, "{\"price\":\"");
    }
    return at;
}

// Writes the levels of a side before `at`, where the bracket stands that ends them.
static uint8_t* put_side(uint8_t* at, const apus_market_book* book, uint8_t side, const apus_instrument* instrument) {
    if (apus_book_empty(&book->book, side)) return at;
    uint8_t* bracket = at++; // the best level's comma is written over it
    uint32_t price_decimals = instrument->price_decimals, size_decimals = instrument->quantity_decimals;
    // The usual decimals as constants make the divisions multiplications.
    if (price_decimals == 4 && size_decimals == 6) {
        at = put_levels(at, book, side, 4, 6, 10000, 1000000);
    } else {
        at = put_levels(at, book, side, price_decimals, size_decimals, (uint64_t)apus_powers_of_ten[price_decimals],
                        (uint64_t)apus_powers_of_ten[size_decimals]);
    }
    *bracket = ']';
    return at;
}

static uint8_t* put_book(uint8_t* at, const apus_market_book* book, const apus_instrument* instrument,
                         uint64_t timestamp_ms) {
    const apus_polymarket_proof* proof = book->venue;
    at = PUT(at, ",\"last_trade_price\":\"");
    at = proof->neg_risk ? PUT(at, "true") : PUT(at, "false");
    at = PUT(at, "\",\"neg_risk\":");
    at = put(at, proof->tick_size.text, proof->tick_size.length);
    at = PUT(at, "\",\"tick_size\":\"");
    at = put(at, proof->min_order_size.text, proof->min_order_size.length);
    at = PUT(at, "],\"min_order_size\":\"");
    at = put_side(at, book, APUS_SIDE_ASK, instrument);
    at = PUT(at, "],\"asks\":[");
    at = put_side(at, book, APUS_SIDE_BID, instrument);
    at = PUT(at, "\",\"hash\":\"\",\"bids\":[");
    at = put_whole(at, timestamp_ms);
    at = PUT(at, "\",\"timestamp\":\"");
    at = put(at, (const uint8_t*)instrument->symbol, instrument->symbol_length);
    at = PUT(at, "\",\"asset_id\":\"");
    at = put(at, proof->condition->pair.id, APUS_POLYMARKET_ID_BYTES);
    return PUT(at, "{\"market\":\"");
}

// MARK: hashing

static int make_room(apus_polymarket_market* polymarket, uint64_t bytes) {
    if (bytes <= polymarket->text_capacity) return 0;
    apus_arena* arena = polymarket->market->arena;
    uint64_t capacity = apus_arena_block_bytes(bytes);
    uint8_t* wider = apus_arena_alloc(arena, capacity);
    if (wider == NULL) return -ENOMEM;
    apus_arena_free(arena, polymarket->text, polymarket->text_capacity);
    polymarket->text = wider;
    polymarket->text_capacity = capacity;
    return 0;
}

int apus_polymarket_hash_begin(apus_polymarket_market* polymarket, const apus_market_book* book, uint64_t timestamp_ms,
                               apus_polymarket_sha1* begun) {
    uint64_t levels =
        (uint64_t)apus_book_level_count(&book->book, APUS_SIDE_BID) + apus_book_level_count(&book->book, APUS_SIDE_ASK);
    if (make_room(polymarket, levels * LEVEL_BYTES + FRAME_BYTES) < 0) return -ENOMEM;
    const apus_instrument* instrument = apus_instrument_at(polymarket->market->instruments, book->instrument);
    uint8_t* end = polymarket->text + polymarket->text_capacity;
    uint8_t* start = put_book(end, book, instrument, timestamp_ms);
    SHA_CTX* context = (SHA_CTX*)begun;
    SHA1_Init(context);
    SHA1_Update(context, start, (size_t)(end - start));
    return 0;
}

bool apus_polymarket_hash_same(const apus_polymarket_sha1* a, const apus_polymarket_sha1* b) {
    apus_polymarket_sha1 copies[2] = {*a, *b};
    uint8_t digests[2][SHA_DIGEST_LENGTH];
    for (int i = 0; i < 2; i++)
        SHA1_Final(digests[i], (SHA_CTX*)&copies[i]);
    return memcmp(digests[0], digests[1], SHA_DIGEST_LENGTH) == 0;
}

bool apus_polymarket_hash_equals(const apus_polymarket_sha1* begun, const apus_polymarket_price* price,
                                 const uint8_t* hash) {
    static const char hex[] = "0123456789abcdef";
    apus_polymarket_sha1 copy = *begun;
    SHA_CTX* context = (SHA_CTX*)&copy;
    uint8_t tail[APUS_POLYMARKET_NUMBER_BYTES + 2], digest[SHA_DIGEST_LENGTH];
    memcpy(tail, price->text, price->length);
    memcpy(tail + price->length, "\"}", 2);
    SHA1_Update(context, tail, price->length + 2u);
    SHA1_Final(digest, context);
    uint32_t different = 0;
    for (size_t i = 0; i < sizeof digest; i++) {
        different |= (uint32_t)(hash[2 * i] ^ hex[digest[i] >> 4]);
        different |= (uint32_t)(hash[2 * i + 1] ^ hex[digest[i] & 15]);
    }
    return different == 0;
}
