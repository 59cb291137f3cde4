// The numbers of a message whose ends are known: unsigned integers, and the price and the quantity of a level together.
//
// Each way (portable, wide) offers the same: a `form` of an instrument's numbers, a `wrong` that collects what was no digit,
// so that it is looked at once for many numbers, and reading functions. The wide ones read the 16 bytes before an end.
#ifndef APUS_BINANCE_NUMBER_H
#define APUS_BINANCE_NUMBER_H

#include "apus_board.h"
#include "apus_byte_mask.h"
#include "apus_decimal.h"

#define APUS_INLINE static inline __attribute__((always_inline))

// A decimal that is written in another way than usual. Not negative; an empty text is none.
APUS_INLINE bool apus_unusual_number(const uint8_t* text, size_t length, uint32_t decimals, int64_t* value) {
    return length > 0 && text[0] != '-' && apus_decimal_parse(text, length, decimals, value, NULL) == 0;
}

// MARK: portable

typedef struct apus_form_portable {
    uint32_t price_decimals;
    uint32_t quantity_decimals;
} apus_form_portable;

typedef bool apus_wrong_portable;

// The longest text of a pair.
#define APUS_LENGTH_MAX_portable APUS_PADDING

APUS_INLINE apus_form_portable apus_form_make_portable(uint32_t price_decimals, uint32_t quantity_decimals) {
    return (apus_form_portable){.price_decimals = price_decimals, .quantity_decimals = quantity_decimals};
}

// The first `length` (1 to 8) of eight bytes as a number; zeros in front make them eight digits.
APUS_INLINE bool apus_some_digits(uint64_t word, size_t length, uint64_t* value) {
    if (length < 8) word = word << (64 - 8 * length) | 0x3030303030303030u >> (8 * length);
    return apus_eight_digits(word, value);
}

// 1 to 16 digits.
static uint64_t apus_unsigned_portable(const uint8_t* text, size_t length, apus_wrong_portable* wrong) {
    uint64_t word, high = 0, low = 0;
    memcpy(&word, text, 8);
    if (length <= 8) {
        *wrong |= !apus_some_digits(word, length, &low);
        return low;
    }
    *wrong |= !apus_some_digits(word, length - 8, &high);
    memcpy(&word, text + length - 8, 8);
    *wrong |= !apus_eight_digits(word, &low);
    return high * 100000000u + low;
}

// Up to eight digits before the point and up to eight after it.
static int64_t apus_decimal_portable(const uint8_t* text, size_t length, uint32_t decimals,
                                     apus_wrong_portable* wrong) {
    size_t whole = length - decimals - 1;
    uint64_t left, right, units = 0, fraction = 0;
    int64_t value = 0;
    if (length < decimals + 2 || whole > 8 || decimals > 8 || decimals == 0 || text[whole] != '.') {
        *wrong |= !apus_unusual_number(text, length, decimals, &value);
        return value;
    }
    memcpy(&left, text, 8);
    memcpy(&right, text + whole + 1, 8);
    *wrong |= !apus_some_digits(left, whole, &units);
    *wrong |= !apus_some_digits(right, decimals, &fraction);
    return (int64_t)(units * (uint64_t)apus_powers_of_ten[decimals] + fraction);
}

APUS_INLINE void apus_pair_portable(const uint8_t* price, size_t price_length, const uint8_t* quantity,
                                    size_t quantity_length, const apus_form_portable* form, apus_wrong_portable* wrong,
                                    apus_level* level) {
    level->price = apus_decimal_portable(price, price_length, form->price_decimals, wrong);
    level->quantity = apus_decimal_portable(quantity, quantity_length, form->quantity_decimals, wrong);
}

APUS_INLINE bool apus_is_wrong_portable(apus_wrong_portable wrong) {
    return wrong;
}

// Whether a text has no quote, escape or control character.
APUS_INLINE bool apus_plain_portable(const uint8_t* text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x20 || text[i] == '\\' || text[i] == '"') return false;
    }
    return true;
}

// MARK: wide (AVX2)

#if defined(__x86_64__)

// A lane holds the 16 bytes that end a number's text. Loaded from `x + n`, each of these gives what a lane needs for n.
#define APUS_16(x) x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x
#define APUS_15(x) x, x, x, x, x, x, x, x, x, x, x, x, x, x, x
// n = length: which bytes belong to the number.
static const uint8_t apus_slide_keep[32] = {APUS_16(0), APUS_16(0xFF)};
// n = decimals, or 16 for 0: what the point is after '0' was subtracted; the largest digit at each place (0 at the point, which
// the former makes 0); how far each byte moves to close the gap of the point.
static const uint8_t apus_slide_point[32] = {APUS_15(0), '.' - '0' + 256, APUS_16(0)};
static const uint8_t apus_slide_limit[32] = {APUS_15(9), 0, APUS_16(9)};
static const int8_t apus_slide_gap[32] = {APUS_16(-1), APUS_16(0)};
#undef APUS_16
#undef APUS_15

typedef struct apus_form_wide {
    __m256i point;
    __m256i limit;
    __m256i gap;
    uint32_t price_decimals;
    uint32_t quantity_decimals;
} apus_form_wide;

typedef __m256i apus_wrong_wide;

#define APUS_LENGTH_MAX_wide 16

APUS_TARGET_AVX2 APUS_INLINE __m256i apus_lanes(const void* low, const void* high) {
    __m128i first = _mm_loadu_si128((const __m128i*)low);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(first), _mm_loadu_si128((const __m128i*)high), 1);
}

APUS_TARGET_AVX2 APUS_INLINE apus_form_wide apus_form_make_wide(uint32_t price_decimals, uint32_t quantity_decimals) {
    bool readable = price_decimals < 15 && quantity_decimals < 15;
    size_t p = price_decimals == 0 || !readable ? 16 : price_decimals;
    size_t q = quantity_decimals == 0 || !readable ? 16 : quantity_decimals;
    __m256i point = apus_lanes(apus_slide_point + p, apus_slide_point + q);
    __m256i places = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8,
                                      9, 10, 11, 12, 13, 14, 15);
    return (apus_form_wide){
        // Nothing is a digit of a form that cannot be read here.
        .point = readable ? point : _mm256_set1_epi8(-1),
        .limit = apus_lanes(apus_slide_limit + p, apus_slide_limit + q),
        .gap = _mm256_add_epi8(places, apus_lanes(apus_slide_gap + p, apus_slide_gap + q)),
        .price_decimals = price_decimals,
        .quantity_decimals = quantity_decimals,
    };
}

// Sixteen digits of a lane as two numbers of eight, the first in the low half of 64 bits; twice the same in a lane.
APUS_TARGET_AVX2 APUS_INLINE __m256i apus_eights(__m256i digits) {
    __m256i pairs = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010A));
    __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00010064));
    __m256i packed = _mm256_packus_epi32(fours, fours);
    return _mm256_madd_epi16(packed, _mm256_set1_epi32(0x00012710));
}

APUS_TARGET_AVX2 APUS_INLINE uint64_t apus_unsigned_wide(const uint8_t* text, size_t length, apus_wrong_wide* wrong) {
    __m128i bytes = _mm_loadu_si128((const __m128i*)(const void*)(text + length - 16));
    __m128i keep = _mm_loadu_si128((const __m128i*)(const void*)(apus_slide_keep + length));
    __m128i digits = _mm_and_si128(_mm_sub_epi8(bytes, _mm_set1_epi8('0')), keep);
    *wrong = _mm256_or_si256(*wrong, _mm256_zextsi128_si256(_mm_subs_epu8(digits, _mm_set1_epi8(9))));
    __m128i pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(0x010A));
    __m128i fours = _mm_madd_epi16(pairs, _mm_set1_epi32(0x00010064));
    __m128i eights = _mm_madd_epi16(_mm_packus_epi32(fours, fours), _mm_set1_epi32(0x00012710));
    uint64_t both = (uint64_t)_mm_cvtsi128_si64(eights);
    return (both & UINT32_MAX) * 100000000u + (both >> 32);
}

// Lengths of 1 to 16; another text is left to the portable reader.
APUS_TARGET_AVX2 APUS_INLINE void apus_pair_wide(const uint8_t* price, size_t price_length, const uint8_t* quantity,
                                                 size_t quantity_length, const apus_form_wide* form,
                                                 apus_wrong_wide* wrong, apus_level* level) {
    __m256i bytes = apus_lanes(price + price_length - 16, quantity + quantity_length - 16);
    __m256i keep = apus_lanes(apus_slide_keep + price_length, apus_slide_keep + quantity_length);
    __m256i digits = _mm256_and_si256(_mm256_sub_epi8(bytes, _mm256_set1_epi8('0')), keep);
    digits = _mm256_xor_si256(digits, form->point);
    *wrong = _mm256_or_si256(*wrong, _mm256_subs_epu8(digits, form->limit));
    __m256i eights = apus_eights(_mm256_shuffle_epi8(digits, form->gap));
    __m256i high = _mm256_mul_epu32(eights, _mm256_set1_epi64x(100000000));
    __m256i values = _mm256_add_epi64(high, _mm256_srli_epi64(eights, 32));
    _mm_storeu_si128((__m128i*)(void*)level, _mm256_castsi256_si128(_mm256_permute4x64_epi64(values, 0x08)));
}

APUS_TARGET_AVX2 APUS_INLINE bool apus_is_wrong_wide(apus_wrong_wide wrong) {
    return !_mm256_testz_si256(wrong, wrong);
}

// As the portable one, for at most 32 bytes; a longer text is not plain.
APUS_TARGET_AVX2 APUS_INLINE bool apus_plain_wide(const uint8_t* text, size_t length) {
    if (length > 32) return false;
    __m256i bytes = _mm256_loadu_si256((const __m256i*)(const void*)text);
    __m256i control = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1F)), bytes);
    __m256i quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
    __m256i escape = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
    __m256i bad = _mm256_or_si256(control, _mm256_or_si256(quote, escape));
    return ((uint64_t)(uint32_t)_mm256_movemask_epi8(bad) & ((1ull << length) - 1)) == 0;
}

#endif
#endif
