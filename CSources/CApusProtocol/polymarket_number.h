// Reading a quoted decimal of at most 15 characters: byte by byte, or all sixteen bytes at once. Internal.
//
// Both give the same value for what they accept; what they do not accept is left to the general reader, which also
// names the error. Sixteen bytes behind the start are read.
#ifndef POLYMARKET_NUMBER_H
#define POLYMARKET_NUMBER_H

#include "apus_decimal.h"

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define APUS_POLYMARKET_WIDE 1
#define APUS_POLYMARKET_WIDE_TARGET __attribute__((target("avx2,bmi")))
#endif

typedef struct apus_polymarket_number {
    int64_t value;
    uint32_t length; // characters before the quote; 0: not accepted
} apus_polymarket_number;

static inline apus_polymarket_number apus_polymarket_number_portable(const uint8_t* at, uint32_t decimals) {
    apus_polymarket_number number = {0};
    uint64_t value = 0;
    uint32_t i = 0;
    while (i < 15 && (uint8_t)(at[i] - '0') <= 9) {
        value = value * 10 + (uint64_t)(at[i++] - '0');
    }
    uint32_t digits = i, fraction = 0;
    if (at[i] == '.') {
        uint32_t point = i++;
        while (i < 15 && (uint8_t)(at[i] - '0') <= 9) {
            value = value * 10 + (uint64_t)(at[i++] - '0');
        }
        fraction = i - point - 1;
        if (fraction == 0) return number;
    }
    if (digits == 0 || digits + decimals > 16 || fraction > decimals || at[i] != '"') return number;
    number.value = (int64_t)value * apus_powers_of_ten[decimals - fraction];
    number.length = i;
    return number;
}

#if APUS_POLYMARKET_WIDE

// 16 bytes from [16 + n] on: byte j holds j + n, or has its top bit set where that is not in 0 to 15.
static const int8_t apus_polymarket_slide[64] = {
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0,  1,  2,  3,  4,  5,
    6,  7,  8,  9,  10, 11, 12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
};

APUS_POLYMARKET_WIDE_TARGET static inline __m128i apus_polymarket_slid(int64_t by) {
    return _mm_loadu_si128((const __m128i*)(const void*)(apus_polymarket_slide + 16 + by));
}

// The digits before the point go right-aligned into the first 16 - decimals bytes, those behind it left-aligned into
// the rest; sixteen digits are then one number whose unit is 10^-decimals.
APUS_POLYMARKET_WIDE_TARGET static inline __attribute__((always_inline)) apus_polymarket_number
apus_polymarket_number_wide(const uint8_t* at, uint32_t decimals) {
    apus_polymarket_number number = {0};
    __m128i text = _mm_loadu_si128((const __m128i*)(const void*)at);
    uint32_t quotes = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8('"')));
    uint32_t points = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8('.')));
    __m128i digits = _mm_sub_epi8(text, _mm_set1_epi8('0'));
    __m128i fits = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
    uint32_t others = ~(uint32_t)_mm_movemask_epi8(fits);
    uint32_t end = quotes & (0u - quotes); // the first quote's bit; 0 when there is none
    points &= end - 1;
    if (end == 0 || (others & (end - 1)) != points || (points & (points - 1)) != 0) return number;
    uint32_t length = (uint32_t)__builtin_ctz(end);
    uint32_t point = (uint32_t)__builtin_ctz(points | end);
    uint32_t fraction = length - point; // with its point
    if (point == 0 || fraction == 1 || point + decimals > 16 || fraction > decimals + 1) return number;
    // Bytes from the quote on count as zeros.
    digits = _mm_andnot_si128(_mm_cmpgt_epi8(apus_polymarket_slid(0), _mm_set1_epi8((char)(length - 1))), digits);
    int64_t whole = (int64_t)point - 16 + (int64_t)decimals;
    __m128i before = _mm_shuffle_epi8(digits, apus_polymarket_slid(whole));
    __m128i behind = _mm_shuffle_epi8(digits, apus_polymarket_slid(whole + 1));
    __m128i is_behind = _mm_cmpgt_epi8(apus_polymarket_slid(0), _mm_set1_epi8((char)(15 - (int)decimals)));
    digits = _mm_blendv_epi8(before, behind, is_behind);
    __m128i pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(10 | 1 << 8));
    __m128i fours = _mm_madd_epi16(pairs, _mm_set1_epi32(100 | 1 << 16));
    __m128i eights = _mm_madd_epi16(_mm_packus_epi32(fours, fours), _mm_set1_epi32(10000 | 1 << 16));
    uint64_t both = (uint64_t)_mm_cvtsi128_si64(eights);
    number.value = (int64_t)((both & UINT32_MAX) * 100000000u + (both >> 32));
    number.length = length;
    return number;
}

#endif
#endif
