#include "apus_vector.h"

#include "apus_byte_mask.h"

bool apus_vector_available(apus_vector vector) {
    switch (vector) {
    case APUS_VECTOR_PORTABLE:
        return true;
#if defined(__x86_64__)
    case APUS_VECTOR_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt");
    case APUS_VECTOR_AVX512:
        return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
               && __builtin_cpu_supports("avx512vbmi2") && apus_vector_available(APUS_VECTOR_AVX2);
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
#define POSITIONS(variant, target)                                                                                     \
    target static size_t positions_##variant(const uint8_t* bytes, size_t length, uint8_t wanted,                      \
                                             uint32_t* positions) {                                                    \
        uint32_t* out = positions;                                                                                     \
        for (size_t at = 0; at < length; at += 64) {                                                                   \
            uint64_t mask = apus_mask_##variant(bytes + at, wanted);                                                   \
            if (length - at < 64) mask &= (1ull << (length - at)) - 1;                                                 \
            out = apus_flatten_##variant(out, mask, (uint32_t)at);                                                     \
        }                                                                                                              \
        return (size_t)(out - positions);                                                                              \
    }

POSITIONS(portable, )
#if defined(__x86_64__)
POSITIONS(avx2, APUS_TARGET_AVX2)
POSITIONS(avx512, APUS_TARGET_AVX512)
#endif

size_t apus_byte_positions(apus_vector vector, const uint8_t* bytes, size_t length, uint8_t wanted,
                           uint32_t* positions) {
#if defined(__x86_64__)
    if (vector == APUS_VECTOR_AVX512) return positions_avx512(bytes, length, wanted, positions);
    if (vector == APUS_VECTOR_AVX2) return positions_avx2(bytes, length, wanted, positions);
#endif
    (void)vector;
    return positions_portable(bytes, length, wanted, positions);
}
