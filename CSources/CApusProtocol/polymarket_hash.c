// Putting a book's canonical text together and hashing it.
#define OPENSSL_SUPPRESS_DEPRECATED // the interface whose context lies in the caller's memory
#include "polymarket_hash.h"

#include "apus_decimal.h"

#include <openssl/sha.h>
#include <string.h>

_Static_assert(sizeof(SHA_CTX) <= sizeof(apus_polymarket_sha1), "a SHA-1 in progress has room");
_Static_assert(_Alignof(SHA_CTX) <= _Alignof(apus_polymarket_sha1), "a SHA-1 in progress is aligned");

// Longest text of all that is not levels.
#define FRAME_BYTES 1024u

// MARK: the text

#define PUT(at, literal) put(at, (const uint8_t*)(literal), sizeof literal - 1)

static inline uint8_t* put(uint8_t* at, const uint8_t* text, size_t length) {
    return (uint8_t*)memcpy(at, text, length) + length;
}

// A row is copied whole, whatever its length: the next one is written over what is too much.
static uint8_t* put_rows(uint8_t* at, const apus_polymarket_rows* rows) {
    for (uint32_t i = 0; i < rows->count; i++) {
        memcpy(at, rows->rows[i].text, APUS_POLYMARKET_ROW_BYTES);
        at += rows->rows[i].length;
    }
    return rows->count == 0 ? at : at - 1; // without the last comma
}

static uint8_t* put_book(uint8_t* at, const apus_market_book* book, const apus_instrument* instrument,
                         uint64_t timestamp_ms) {
    const apus_polymarket_proof* proof = book->venue;
    at = PUT(at, "{\"market\":\"");
    at = put(at, proof->condition->pair.id, APUS_POLYMARKET_ID_BYTES);
    at = PUT(at, "\",\"asset_id\":\"");
    at = put(at, (const uint8_t*)instrument->symbol, instrument->symbol_length);
    at = PUT(at, "\",\"timestamp\":\"");
    at += apus_u64_format(timestamp_ms, (char*)at);
    at = PUT(at, "\",\"hash\":\"\",\"bids\":[");
    at = put_rows(at, &proof->rows[APUS_SIDE_BID]);
    at = PUT(at, "],\"asks\":[");
    at = put_rows(at, &proof->rows[APUS_SIDE_ASK]);
    at = PUT(at, "],\"min_order_size\":\"");
    at = put(at, proof->min_order_size.text, proof->min_order_size.length);
    at = PUT(at, "\",\"tick_size\":\"");
    at = put(at, proof->tick_size.text, proof->tick_size.length);
    at = PUT(at, "\",\"neg_risk\":");
    at = proof->neg_risk ? PUT(at, "true") : PUT(at, "false");
    return PUT(at, ",\"last_trade_price\":\"");
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
    const apus_polymarket_proof* proof = book->venue;
    uint64_t rows = (uint64_t)proof->rows[APUS_SIDE_BID].count + proof->rows[APUS_SIDE_ASK].count;
    if (make_room(polymarket, rows * APUS_POLYMARKET_ROW_BYTES + FRAME_BYTES) < 0) return -ENOMEM;
    const apus_instrument* instrument = apus_instrument_at(polymarket->market->instruments, book->instrument);
    uint8_t* end = put_book(polymarket->text, book, instrument, timestamp_ms);
    SHA_CTX* context = (SHA_CTX*)begun;
    SHA1_Init(context);
    SHA1_Update(context, polymarket->text, (size_t)(end - polymarket->text));
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
