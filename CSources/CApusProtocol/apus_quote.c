#include "apus_quote.h"

#include "apus_quote_mask.h"

bool apus_vector_available(apus_vector vector) {
    switch (vector) {
    case APUS_VECTOR_PORTABLE:
        return true;
#if defined(__x86_64__)
    case APUS_VECTOR_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
    case APUS_VECTOR_AVX512:
        return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
               && __builtin_cpu_supports("bmi");
#endif
    default:
        return false;
    }
}

apus_vector apus_vector_best(void) {
    if (apus_vector_available(APUS_VECTOR_AVX512)) return APUS_VECTOR_AVX512;
    if (apus_vector_available(APUS_VECTOR_AVX2)) return APUS_VECTOR_AVX2;
    return APUS_VECTOR_PORTABLE;
}

const char* apus_vector_name(apus_vector vector) {
    static const char* const names[] = {"portable", "avx2", "avx512"};
    return names[vector];
}

// One version for each way to make a mask of 64 bytes.
#define QUOTE_POSITIONS(name, target, mask)                                                                            \
    target static size_t name(const uint8_t* bytes, size_t length, uint32_t* positions) {                              \
        size_t count = 0;                                                                                              \
        for (size_t at = 0; at < length; at += 64) {                                                                   \
            uint64_t quotes = mask(bytes + at, '"');                                                                   \
            if (length - at < 64) quotes &= (1ull << (length - at)) - 1;                                               \
            for (; quotes != 0; quotes &= quotes - 1) {                                                                \
                positions[count++] = (uint32_t)(at + (size_t)__builtin_ctzll(quotes));                                 \
            }                                                                                                          \
        }                                                                                                              \
        return count;                                                                                                  \
    }

QUOTE_POSITIONS(positions_portable, , apus_mask_portable)
#if defined(__x86_64__)
QUOTE_POSITIONS(positions_avx2, APUS_TARGET_AVX2, apus_mask_avx2)
QUOTE_POSITIONS(positions_avx512, APUS_TARGET_AVX512, apus_mask_avx512)
#endif

size_t apus_quote_positions(apus_vector vector, const uint8_t* bytes, size_t length, uint32_t* positions) {
#if defined(__x86_64__)
    if (vector == APUS_VECTOR_AVX512) return positions_avx512(bytes, length, positions);
    if (vector == APUS_VECTOR_AVX2) return positions_avx2(bytes, length, positions);
#endif
    (void)vector;
    return positions_portable(bytes, length, positions);
}
