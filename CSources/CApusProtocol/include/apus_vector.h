// Which width of instruction the decoders use. There is a portable way (8 bytes at a time), an AVX2 one (64 bytes by two compares)
// and an AVX-512 one (64 bytes by one, and their places by VBMI2, which all processors have whose AVX-512 costs no clock rate).
// Which one runs is chosen once for a message, not by the compiler's target.
//
// Any thread; no state.
#ifndef APUS_VECTOR_H
#define APUS_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum apus_vector {
    APUS_VECTOR_PORTABLE = 0,
    APUS_VECTOR_AVX2 = 1,
    APUS_VECTOR_AVX512 = 2,
} apus_vector;

// Whether this processor (and this build) can run a variant.
bool apus_vector_available(apus_vector vector);

// The best that is available.
apus_vector apus_vector_best(void);

// "portable", "avx2" or "avx512".
const char* apus_vector_name(apus_vector vector);

// Writes the offsets of the bytes that equal `wanted` in bytes[0, length) to `positions`, in order, and returns how many there
// are: the step that the fast readers begin with. Up to APUS_PADDING bytes behind the text are read. `positions` needs room for
// every such byte and 16 more entries. The variant must be available.
size_t apus_byte_positions(apus_vector vector, const uint8_t* bytes, size_t length, uint8_t wanted,
                           uint32_t* positions);

#endif
