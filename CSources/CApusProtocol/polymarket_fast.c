// A price_change of a known market in the venue's own writing, read in one pass.
//
//   {"market":"0x..","price_changes":[
//     {"asset_id":"..","price":"..","size":"..","side":"..","hash":"..","best_bid":"..","best_ask":".."},..],
//     "timestamp":"..","event_type":"price_change"}
//
// What stands there is known but for four numbers, the side, the hash and the time; so nothing is searched for: the
// known texts (market, token, keys) are compared, which also says how long they are, and the processor guesses all that
// ahead. A token that is not subscribed is passed over. Whatever is different sends the whole message to the general
// reader.
#include "polymarket_decode.h"
#include "polymarket_number.h"

#include <string.h>

#define INLINE inline __attribute__((always_inline))
#define IS(at, text) (memcmp(at, text, sizeof text - 1) == 0)
#define LENGTH(text) (sizeof text - 1)

// The steps that there are a portable and a wide version of. They are known where they are used, so all is inlined.
typedef struct steps {
    apus_polymarket_number (*read)(const uint8_t* at, uint32_t decimals);
    // Of at least 32 bytes.
    bool (*same)(const uint8_t* a, const uint8_t* b, size_t length);
    // Forty characters from '0' to 'z' without a backslash: no quote, escape or control character among them.
    bool (*plain_hash)(const uint8_t* at);
} steps;

static INLINE bool same_portable(const uint8_t* a, const uint8_t* b, size_t length) {
    uint64_t difference = 0, x, y;
    for (size_t i = 0; i + 8 <= length; i += 8) {
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        difference |= x ^ y;
    }
    memcpy(&x, a + length - 8, 8);
    memcpy(&y, b + length - 8, 8);
    return (difference | (x ^ y)) == 0;
}

static INLINE bool plain_hash_portable(const uint8_t* at) {
    uint64_t outside = 0;
    for (size_t i = 0; i < APUS_POLYMARKET_HASH_BYTES; i += 8) {
        uint64_t word;
        memcpy(&word, at + i, 8);
        uint64_t backslash = word ^ 0x5C5C5C5C5C5C5C5Cu;
        outside |= (backslash - 0x0101010101010101u) & ~backslash;
        outside |= word | (word - 0x3030303030303030u) | (0x7A7A7A7A7A7A7A7Au - word);
    }
    return (outside & 0x8080808080808080u) == 0;
}

#if APUS_POLYMARKET_WIDE

#define WIDE APUS_POLYMARKET_WIDE_TARGET static INLINE

WIDE __m256i load32(const uint8_t* at) {
    return _mm256_loadu_si256((const __m256i*)(const void*)at);
}

WIDE __m256i different(const uint8_t* a, const uint8_t* b) {
    return _mm256_xor_si256(load32(a), load32(b));
}

WIDE bool same_wide(const uint8_t* a, const uint8_t* b, size_t length) {
    __m256i difference = _mm256_or_si256(different(a, b), different(a + length - 32, b + length - 32));
    if (length > 64) difference = _mm256_or_si256(difference, different(a + 32, b + 32));
    if (length > 96) difference = _mm256_or_si256(difference, different(a + 64, b + 64));
    return _mm256_testz_si256(difference, difference);
}

WIDE __m256i not_plain(__m256i text) {
    // A saturating subtraction leaves nothing of a byte that is not beyond its bound.
    __m256i above = _mm256_subs_epu8(text, _mm256_set1_epi8('z'));
    __m256i below = _mm256_subs_epu8(_mm256_set1_epi8('0'), text);
    return _mm256_or_si256(_mm256_or_si256(above, below), _mm256_cmpeq_epi8(text, _mm256_set1_epi8('\\')));
}

WIDE bool plain_hash_wide(const uint8_t* at) {
    __m256i bad = _mm256_or_si256(not_plain(load32(at)), not_plain(load32(at + APUS_POLYMARKET_HASH_BYTES - 32)));
    return _mm256_testz_si256(bad, bad);
}

static const steps wide_steps = {apus_polymarket_number_wide, same_wide, plain_hash_wide};
#endif

static const steps portable_steps = {apus_polymarket_number_portable, same_portable, plain_hash_portable};

// Reads the fields of a change behind its token; returns where it ends (behind its brace), or NULL.
static INLINE const uint8_t* read_change(const uint8_t* at, const uint8_t* end, const apus_instrument* instrument,
                                         apus_polymarket_level* change, const steps* steps) {
    uint32_t price_decimals = instrument->price_decimals;
    apus_polymarket_number price = steps->read(at, price_decimals);
    change->price_text = at;
    at += price.length;
    if (price.length == 0 || !IS(at, "\",\"size\":\"")) return NULL;
    at += LENGTH("\",\"size\":\"");
    apus_polymarket_number size = steps->read(at, instrument->quantity_decimals);
    change->size_text = at;
    at += size.length;
    if (size.length == 0 || at > end || !IS(at, "\",\"side\":\"")) return NULL;
    at += LENGTH("\",\"side\":\"");
    // Without a branch, because it would be guessed wrong half the time.
    bool sell = IS(at, "SELL");
    if (!(sell | IS(at, "BUY"))) return NULL;
    at += 3 + sell;
    if (!IS(at, "\",\"hash\":\"")) return NULL;
    at += LENGTH("\",\"hash\":\"");
    if (at > end || !steps->plain_hash(at)) return NULL;
    change->hash = at;
    at += APUS_POLYMARKET_HASH_BYTES;
    if (at > end || !IS(at, "\",\"best_bid\":\"")) return NULL;
    at += LENGTH("\",\"best_bid\":\"");
    // The venue's own touch is not used: the hash says more. It is read to know that it is well-formed.
    apus_polymarket_number bid = steps->read(at, price_decimals);
    at += bid.length;
    if (bid.length == 0 || !IS(at, "\",\"best_ask\":\"")) return NULL;
    at += LENGTH("\",\"best_ask\":\"");
    apus_polymarket_number ask = steps->read(at, price_decimals);
    at += ask.length;
    if (ask.length == 0 || at > end || !IS(at, "\"}")) return NULL;
    change->price = price.value;
    change->size = size.value;
    change->price_length = (uint8_t)price.length;
    change->size_length = (uint8_t)size.length;
    change->side = sell ? APUS_SIDE_ASK : APUS_SIDE_BID;
    return at + LENGTH("\"}");
}

static INLINE int which_token(const apus_polymarket_pair* pair, const uint8_t* at, size_t left, const steps* steps) {
    for (int token = 0; token < 2; token++) {
        size_t length = pair->needle_length[token];
        if (length != 0 && length <= left && steps->same(at, pair->needle[token], length)) return token;
    }
    return -1;
}

static INLINE apus_polymarket_pair* find_pair(const apus_polymarket_decoder* decoder, const uint8_t* id,
                                              const steps* steps) {
    for (uint64_t at = apus_polymarket_place(id);; at++) {
        apus_polymarket_pair* pair = decoder->pairs[at & decoder->pair_mask];
        if (pair == NULL || steps->same(id, pair->id, APUS_POLYMARKET_ID_BYTES)) return pair;
    }
}

// A token that is not in the table is written like its sister.
static INLINE const apus_instrument* reader_of(const apus_polymarket_decoder* decoder, const apus_polymarket_pair* pair,
                                               int token) {
    uint16_t number = pair->instruments[token];
    if (number == APUS_INSTRUMENT_NONE) number = pair->instruments[1 - token];
    return apus_instrument_at(decoder->instruments, number);
}

#define ASSET "{\"asset_id\":\""
#define NEEDLE_KEYS (LENGTH(ASSET) + LENGTH("\",\"price\":\""))
#define HEAD "{\"market\":\""
#define CHANGES "\",\"price_changes\":["
#define TIME "],\"timestamp\":\""
#define TAIL "\",\"event_type\":\"price_change\"}"
#define TIME_DIGITS 13

static INLINE bool read_time(const uint8_t* at, const uint8_t* end, uint64_t* time) {
    if ((size_t)(end - at) != LENGTH(TIME) + TIME_DIGITS + LENGTH(TAIL) || !IS(at, TIME)) return false;
    at += LENGTH(TIME);
    uint64_t low, high;
    memcpy(&high, at, 8);
    memcpy(&low, at + 5, 8);
    if (!apus_eight_digits(high, &high) || !apus_eight_digits(low, &low) || high < 10000000) return false;
    *time = high * 100000 + low % 100000;
    return IS(at + TIME_DIGITS, TAIL);
}

static INLINE bool read_message(apus_polymarket_decoder* decoder, const uint8_t* bytes, size_t length,
                                apus_polymarket_message* message, const steps* steps) {
    const uint8_t* end = bytes + length;
    const uint8_t* id = bytes + LENGTH(HEAD);
    if (length < LENGTH(HEAD) + APUS_POLYMARKET_ID_BYTES + LENGTH(CHANGES) || !IS(bytes, HEAD)) return false;
    apus_polymarket_pair* pair = find_pair(decoder, id, steps);
    if (pair == NULL) return false;
    const uint8_t* at = id + APUS_POLYMARKET_ID_BYTES;
    if (!IS(at, CHANGES)) return false;
    at += LENGTH(CHANGES);
    if (pair->instruments[0] == APUS_INSTRUMENT_NONE && pair->instruments[1] == APUS_INSTRUMENT_NONE) return false;
    uint32_t count = 0;
    bool unknown = false;
    for (;;) {
        if (at > end || count == decoder->level_capacity) return false;
        int token = which_token(pair, at, (size_t)(end - at), steps);
        if (token < 0) return false;
        apus_polymarket_level* change = &decoder->levels[count++];
        change->instrument = pair->instruments[token];
        unknown |= change->instrument == APUS_INSTRUMENT_NONE;
        change->asset = (apus_polymarket_text){at + LENGTH(ASSET), pair->needle_length[token] - NEEDLE_KEYS};
        at += pair->needle_length[token];
        at = read_change(at, end, reader_of(decoder, pair, token), change, steps);
        if (at == NULL) return false;
        if (*at != ',') break;
        at++;
    }
    if (at > end || !read_time(at, end, &message->timestamp)) return false;
    message->kind = APUS_POLYMARKET_CHANGE;
    message->fault = APUS_POLYMARKET_FAULT_NONE;
    message->json_fault = APUS_JSON_FAULT_NONE;
    message->fast = true;
    message->unknown_asset = unknown;
    message->instrument = APUS_INSTRUMENT_NONE;
    message->levels = decoder->levels;
    message->bid_count = message->ask_count = 0;
    message->change_count = count;
    message->pair = pair;
    message->market = (apus_polymarket_text){id, APUS_POLYMARKET_ID_BYTES};
    message->error_offset = 0;
    return true;
}

static bool read_portable(apus_polymarket_decoder* decoder, const uint8_t* bytes, size_t length,
                          apus_polymarket_message* message) {
    return read_message(decoder, bytes, length, message, &portable_steps);
}

#if APUS_POLYMARKET_WIDE
APUS_POLYMARKET_WIDE_TARGET static bool read_wide(apus_polymarket_decoder* decoder, const uint8_t* bytes, size_t length,
                                                  apus_polymarket_message* message) {
    return read_message(decoder, bytes, length, message, &wide_steps);
}
#endif

bool apus_polymarket_fast(apus_polymarket_decoder* decoder, const uint8_t* bytes, size_t length,
                          apus_polymarket_message* message) {
#if APUS_POLYMARKET_WIDE
    if (decoder->wide) return read_wide(decoder, bytes, length, message);
#endif
    return read_portable(decoder, bytes, length, message);
}

// MARK: levels of a book

static INLINE int64_t read_levels(const uint8_t* bytes, size_t from, size_t to, const apus_instrument* instrument,
                                  apus_polymarket_level* levels, uint32_t capacity, const steps* steps) {
    const uint8_t* at = bytes + from;
    const uint8_t* end = bytes + to;
    uint32_t count = 0;
    while (at < end) {
        if (count == capacity) return -1;
        apus_polymarket_level* level = &levels[count++];
        if (!IS(at, "{\"price\":\"")) return -1;
        at += LENGTH("{\"price\":\"");
        apus_polymarket_number price = steps->read(at, instrument->price_decimals);
        level->price_text = at;
        at += price.length;
        if (price.length == 0 || at > end || !IS(at, "\",\"size\":\"")) return -1;
        at += LENGTH("\",\"size\":\"");
        apus_polymarket_number size = steps->read(at, instrument->quantity_decimals);
        level->size_text = at;
        at += size.length;
        if (size.length == 0 || at > end || !IS(at, "\"}")) return -1;
        at += LENGTH("\"}");
        level->price = price.value;
        level->size = size.value;
        level->price_length = (uint8_t)price.length;
        level->size_length = (uint8_t)size.length;
        if (at == end) break;
        if (*at++ != ',' || at == end) return -1;
    }
    return at == end ? (int64_t)count : -1;
}

#if APUS_POLYMARKET_WIDE
APUS_POLYMARKET_WIDE_TARGET static int64_t levels_wide(const uint8_t* bytes, size_t from, size_t to,
                                                       const apus_instrument* instrument, apus_polymarket_level* levels,
                                                       uint32_t capacity) {
    return read_levels(bytes, from, to, instrument, levels, capacity, &wide_steps);
}
#endif

int64_t apus_polymarket_levels(const apus_polymarket_decoder* decoder, const uint8_t* bytes, size_t at, size_t end,
                               const apus_instrument* instrument, apus_polymarket_level* levels, uint32_t capacity) {
#if APUS_POLYMARKET_WIDE
    if (decoder->wide) return levels_wide(bytes, at, end, instrument, levels, capacity);
#endif
    (void)decoder;
    return read_levels(bytes, at, end, instrument, levels, capacity, &portable_steps);
}
