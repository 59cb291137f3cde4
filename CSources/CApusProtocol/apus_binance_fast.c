// The three variants of the fast reader.
#include "apus_binance_decode_internal.h"
#include "apus_binance_number.h"
#include "apus_byte_mask.h"

#define FAST(name) name##_portable
#define NUMBER(name) name##_portable
#define TARGET
#include "apus_binance_fast.h"

#if defined(__x86_64__)

#define FAST(name) name##_avx2
#define NUMBER(name) name##_wide
#define TARGET APUS_TARGET_AVX2
#include "apus_binance_fast.h"

// The numbers are read as AVX2 reads them: two of 16 bytes fill 32.
#define FAST(name) name##_avx512
#define NUMBER(name) name##_wide
#define TARGET APUS_TARGET_AVX512
#include "apus_binance_fast.h"

#endif
