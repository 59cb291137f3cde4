// Which of 64 bytes equal one, as a bit mask, and where those bits are: three versions of the same.
#ifndef APUS_BYTE_MASK_H
#define APUS_BYTE_MASK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t apus_mask_portable(const uint8_t* bytes, uint8_t wanted) {
    uint64_t mask = 0, pattern = 0x0101010101010101u * wanted;
    for (unsigned i = 0; i < 8; i++) {
        uint64_t word;
        memcpy(&word, bytes + 8 * i, 8);
        word ^= pattern;
        // The high bit of each byte that is zero, without carries between bytes.
        uint64_t zero = ~(((word & 0x7F7F7F7F7F7F7F7Fu) + 0x7F7F7F7F7F7F7F7Fu) | word | 0x7F7F7F7F7F7F7F7Fu);
        mask |= (((zero >> 7) * 0x0102040810204080u) >> 56) << (8 * i);
    }
    return mask;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define APUS_TARGET_AVX2 __attribute__((target("avx2,bmi,popcnt")))
#define APUS_TARGET_AVX512 __attribute__((target("avx512bw,avx512vl,avx512vbmi2,avx2,bmi,popcnt")))

APUS_TARGET_AVX2 static inline uint64_t apus_mask_avx2(const uint8_t* bytes, uint8_t wanted) {
    __m256i pattern = _mm256_set1_epi8((char)wanted);
    __m256i low = _mm256_loadu_si256((const __m256i*)(const void*)bytes);
    __m256i high = _mm256_loadu_si256((const __m256i*)(const void*)(bytes + 32));
    uint64_t first = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, pattern));
    uint64_t second = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, pattern));
    return first | second << 32;
}

APUS_TARGET_AVX512 static inline uint64_t apus_mask_avx512(const uint8_t* bytes, uint8_t wanted) {
    return _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(bytes), _mm512_set1_epi8((char)wanted));
}
#endif

// Writes base + the number of each set bit to `out` and returns the end of them.
static inline uint32_t* apus_flatten_portable(uint32_t* out, uint64_t mask, uint32_t base) {
    for (; mask != 0; mask &= mask - 1)
        *out++ = base + (uint32_t)__builtin_ctzll(mask);
    return out;
}

#if defined(__x86_64__)
// The same with a fixed amount of work for the usual numbers of bits, so that there is seldom a branch to guess wrong. Up to 8
// entries are written, whatever the mask.
#define APUS_FLATTEN(name, target)                                                                                     \
    target static inline uint32_t* name(uint32_t* out, uint64_t mask, uint32_t base) {                                 \
        uint32_t count = (uint32_t)__builtin_popcountll(mask);                                                         \
        for (uint32_t i = 0; i < 4; i++, mask &= mask - 1)                                                             \
            out[i] = base + (uint32_t)_tzcnt_u64(mask);                                                                \
        if (count > 4) {                                                                                               \
            for (uint32_t i = 4; i < 8; i++, mask &= mask - 1)                                                         \
                out[i] = base + (uint32_t)_tzcnt_u64(mask);                                                            \
            for (uint32_t i = 8; i < count; i++, mask &= mask - 1)                                                     \
                out[i] = base + (uint32_t)_tzcnt_u64(mask);                                                            \
        }                                                                                                              \
        return out + count;                                                                                            \
    }

APUS_FLATTEN(apus_flatten_avx2, APUS_TARGET_AVX2)

// The same by an instruction that moves the numbers of the set bits together. 16 entries are written, whatever the mask, and more
// where there are more.
APUS_TARGET_AVX512 static inline uint32_t* apus_flatten_avx512(uint32_t* out, uint64_t mask, uint32_t base) {
    static const uint8_t numbers[64] __attribute__((aligned(64))) = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    __m512i places = _mm512_maskz_compress_epi8(mask, _mm512_load_si512(numbers));
    __m512i first = _mm512_set1_epi32((int)base);
    uint32_t count = (uint32_t)__builtin_popcountll(mask);
    _mm512_storeu_si512(out, _mm512_add_epi32(first, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(places))));
    for (uint32_t i = 16; i < count; i += 16) {
        places = _mm512_alignr_epi64(places, places, 2);
        _mm512_storeu_si512(out + i, _mm512_add_epi32(first, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(places))));
    }
    return out + count;
}
#endif

#endif
