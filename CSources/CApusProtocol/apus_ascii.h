// Whether bytes are all ASCII, in every width this library knows. Internal; the levels are tested through apus_utf8.c.
#ifndef APUS_ASCII_H
#define APUS_ASCII_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { APUS_ASCII_PORTABLE = 0, APUS_ASCII_SSE2 = 1, APUS_ASCII_AVX2 = 2 };

static inline bool apus_ascii_portable(const uint8_t* bytes, size_t count) {
    uint64_t high = 0, word;
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        memcpy(&word, bytes + i, 8);
        high |= word;
    }
    for (; i < count; i++)
        high |= bytes[i];
    return (high & 0x8080808080808080u) == 0;
}

#if defined(__x86_64__)

// The last load overlaps the one before it, so that there is no tail to go through byte by byte.
static inline bool apus_ascii_sse2(const uint8_t* bytes, size_t count) {
    if (count < 16) return apus_ascii_portable(bytes, count);
    const __m128i* end = (const __m128i*)(const void*)(bytes + count - 16);
    __m128i a = _mm_loadu_si128(end), b = a;
    size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        a = _mm_or_si128(a, _mm_loadu_si128((const __m128i*)(const void*)(bytes + i)));
        b = _mm_or_si128(b, _mm_loadu_si128((const __m128i*)(const void*)(bytes + i + 16)));
    }
    if (i + 16 <= count) a = _mm_or_si128(a, _mm_loadu_si128((const __m128i*)(const void*)(bytes + i)));
    return _mm_movemask_epi8(_mm_or_si128(a, b)) == 0;
}

__attribute__((target("avx2"), always_inline)) static inline bool apus_ascii_avx2(const uint8_t* bytes, size_t count) {
    if (count < 32) return apus_ascii_sse2(bytes, count);
    __m256i a = _mm256_loadu_si256((const __m256i*)(const void*)(bytes + count - 32)), b = a;
    size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        a = _mm256_or_si256(a, _mm256_loadu_si256((const __m256i*)(const void*)(bytes + i)));
        b = _mm256_or_si256(b, _mm256_loadu_si256((const __m256i*)(const void*)(bytes + i + 32)));
    }
    if (i + 32 <= count) a = _mm256_or_si256(a, _mm256_loadu_si256((const __m256i*)(const void*)(bytes + i)));
    return _mm256_movemask_epi8(_mm256_or_si256(a, b)) == 0;
}

// For callers that are not compiled for AVX2 themselves.
__attribute__((target("avx2"), noinline)) static bool apus_ascii_avx2_call(const uint8_t* bytes, size_t count) {
    return apus_ascii_avx2(bytes, count);
}
#endif

// What this processor can do.
static inline uint8_t apus_ascii_best(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") ? APUS_ASCII_AVX2 : APUS_ASCII_SSE2;
#else
    return APUS_ASCII_PORTABLE;
#endif
}

static inline bool apus_ascii_at(uint8_t level, const uint8_t* bytes, size_t count) {
#if defined(__x86_64__)
    if (level == APUS_ASCII_AVX2) return apus_ascii_avx2_call(bytes, count);
    if (level == APUS_ASCII_SSE2) return apus_ascii_sse2(bytes, count);
#endif
    (void)level;
    return apus_ascii_portable(bytes, count);
}

#endif
