// The three variants of the fast reader, and how each reads the two numbers of a level.
#include "apus_binance_decode_internal.h"
#include "apus_decimal.h"
#include "apus_quote_mask.h"

// How many decimals the texts of a pair must have.
typedef struct pair_form {
    uint32_t price_decimals;
    uint32_t quantity_decimals;
} pair_form;

static inline pair_form pair_form_of(uint32_t price_decimals, uint32_t quantity_decimals) {
    return (pair_form){.price_decimals = price_decimals, .quantity_decimals = quantity_decimals};
}

// One number of exactly `decimals` fraction digits, or any other form that is a plain decimal and not negative.
static inline bool read_number(const uint8_t* text, size_t length, uint32_t decimals, int64_t* value) {
    return length > 0 && text[0] != '-' && apus_decimal_parse(text, length, decimals, value, NULL) == 0;
}

// MARK: portable

// Up to 16 digits with the point `decimals` from the end, eight at a time.
static inline bool portable_number(const uint8_t* text, size_t length, uint32_t decimals, int64_t* value) {
    size_t whole = length - decimals - 1;
    if (length < decimals + 2 || whole > 8 || decimals > 8 || decimals == 0 || text[whole] != '.') {
        return read_number(text, length, decimals, value);
    }
    uint64_t left, right, units, fraction;
    memcpy(&left, text, 8);
    memcpy(&right, text + whole + 1, 8);
    // Zeros in front make each part eight digits.
    left = whole == 8 ? left : left << (64 - 8 * whole) | 0x3030303030303030u >> (8 * whole);
    right = decimals == 8 ? right : right << (64 - 8 * decimals) | 0x3030303030303030u >> (8 * decimals);
    if (!apus_eight_digits(left, &units) || !apus_eight_digits(right, &fraction)) return false;
    *value = (int64_t)(units * (uint64_t)apus_powers_of_ten[decimals] + fraction);
    return true;
}

static inline bool portable_pair(const uint8_t* price, size_t price_length, const uint8_t* quantity,
                                 size_t quantity_length, const pair_form* form, apus_level* level) {
    return portable_number(price, price_length, form->price_decimals, &level->price)
           && portable_number(quantity, quantity_length, form->quantity_decimals, &level->quantity);
}

#define FAST(name) name##_portable
#define TARGET
#define MASK(bytes, wanted) apus_mask_portable(bytes, wanted)
#define PAIR(p, pl, q, ql, form, level) portable_pair(p, pl, q, ql, form, level)
#include "apus_binance_fast.h"

#if defined(__x86_64__)

// MARK: AVX2 and AVX-512

// For each number of decimals (1 to 14): how to close the gap of the point in the 16 bytes that end a text. Lane byte 0 is
// always zero: 15 digits remain.
#define GAP(d, i) (int8_t)((i) >= 16 - (d) ? (i) : (i)-1)
#define GAPS(d)                                                                                                        \
    {                                                                                                                  \
        -128, GAP(d, 1), GAP(d, 2), GAP(d, 3), GAP(d, 4), GAP(d, 5), GAP(d, 6), GAP(d, 7), GAP(d, 8), GAP(d, 9),       \
            GAP(d, 10), GAP(d, 11), GAP(d, 12), GAP(d, 13), GAP(d, 14), GAP(d, 15)                                     \
    }
static const int8_t gaps[15][16] = {
    {0}, // without decimals there is no point: not read here
    GAPS(1), GAPS(2), GAPS(3),  GAPS(4),  GAPS(5),  GAPS(6),  GAPS(7),
    GAPS(8), GAPS(9), GAPS(10), GAPS(11), GAPS(12), GAPS(13), GAPS(14),
};

// Both numbers at once, a lane each: the bytes that end each text, the point closed up, what lies before the text cleared, then
// digits joined to pairs, fours, eights. At most 15 digits each; the message has more than 16 bytes before any number.
#define VECTOR_PAIR(name, target)                                                                                      \
    target static inline bool name(const uint8_t* price, size_t price_length, const uint8_t* quantity,                 \
                                   size_t quantity_length, const pair_form* form, apus_level* level) {                 \
        uint32_t p = form->price_decimals, q = form->quantity_decimals;                                                \
        if (p - 1 >= 14 || q - 1 >= 14 || price_length < p + 2 || quantity_length < q + 2 || price_length > 16         \
            || quantity_length > 16 || price[price_length - p - 1] != '.'                                              \
            || quantity[quantity_length - q - 1] != '.') {                                                             \
            return read_number(price, price_length, p, &level->price)                                                  \
                   && read_number(quantity, quantity_length, q, &level->quantity);                                     \
        }                                                                                                              \
        __m128i low = _mm_loadu_si128((const __m128i*)(const void*)(price + price_length - 16));                       \
        __m128i high = _mm_loadu_si128((const __m128i*)(const void*)(quantity + quantity_length - 16));                \
        __m128i low_gap = _mm_loadu_si128((const __m128i*)(const void*)gaps[p]);                                       \
        __m128i high_gap = _mm_loadu_si128((const __m128i*)(const void*)gaps[q]);                                      \
        __m256i text = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);                                  \
        __m256i gap = _mm256_inserti128_si256(_mm256_castsi128_si256(low_gap), high_gap, 1);                           \
        __m256i digits = _mm256_shuffle_epi8(_mm256_sub_epi8(text, _mm256_set1_epi8('0')), gap);                       \
        const __m256i places = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4,   \
                                                5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);                                \
        __m256i first = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_set1_epi8((char)(16 - price_length))),      \
                                                _mm_set1_epi8((char)(16 - quantity_length)), 1);                       \
        digits = _mm256_and_si256(digits, _mm256_cmpgt_epi8(places, first));                                           \
        __m256i wrong = _mm256_subs_epu8(digits, _mm256_set1_epi8(9));                                                 \
        if (!_mm256_testz_si256(wrong, wrong)) return false;                                                           \
        __m256i pairs = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010A));                                       \
        __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00010064));                                       \
        __m256i packed = _mm256_packus_epi32(fours, fours);                                                            \
        __m256i eights = _mm256_madd_epi16(packed, _mm256_set1_epi32(0x00012710));                                     \
        uint64_t price_word = (uint64_t)_mm256_extract_epi64(eights, 0);                                               \
        uint64_t quantity_word = (uint64_t)_mm256_extract_epi64(eights, 2);                                            \
        level->price = (int64_t)((price_word & UINT32_MAX) * 100000000u + (price_word >> 32));                         \
        level->quantity = (int64_t)((quantity_word & UINT32_MAX) * 100000000u + (quantity_word >> 32));                \
        return true;                                                                                                   \
    }

VECTOR_PAIR(avx2_pair, APUS_TARGET_AVX2)
VECTOR_PAIR(avx512_pair, APUS_TARGET_AVX512)

#define FAST(name) name##_avx2
#define TARGET APUS_TARGET_AVX2
#define MASK(bytes, wanted) apus_mask_avx2(bytes, wanted)
#define PAIR(p, pl, q, ql, form, level) avx2_pair(p, pl, q, ql, form, level)
#include "apus_binance_fast.h"

#define FAST(name) name##_avx512
#define TARGET APUS_TARGET_AVX512
#define MASK(bytes, wanted) apus_mask_avx512(bytes, wanted)
#define PAIR(p, pl, q, ql, form, level) avx512_pair(p, pl, q, ql, form, level)
#include "apus_binance_fast.h"

#endif
