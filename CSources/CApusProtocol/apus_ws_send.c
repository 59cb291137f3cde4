#include "apus_ws.h"

#include <errno.h>
#include <string.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

enum { FIN = 0x80, MASKED = 0x80, CONTROL = 0x08, CONTROL_MAX = 125 };

static inline void mask_8(uint8_t* to, const uint8_t* from, uint32_t mask) {
    uint64_t word;
    memcpy(&word, from, 8);
    word ^= (uint64_t)mask << 32 | mask;
    memcpy(to, &word, 8);
}

static inline void mask_32(uint8_t* to, const uint8_t* from, uint32_t mask) {
#if defined(__x86_64__)
    const __m128i wide = _mm_set1_epi32((int)mask);
    __m128i first = _mm_loadu_si128((const __m128i*)(const void*)from);
    __m128i second = _mm_loadu_si128((const __m128i*)(const void*)(from + 16));
    _mm_storeu_si128((__m128i*)(void*)to, _mm_xor_si128(first, wide));
    _mm_storeu_si128((__m128i*)(void*)(to + 16), _mm_xor_si128(second, wide));
#else
    for (size_t i = 0; i < 32; i += 8)
        mask_8(to + i, from + i, mask);
#endif
}

// Writes `count` bytes of `from` under the mask to `to`. `to` may be `from` or lie before it: each block is read before
// it or a later one is written. Every block but the last bytes is a multiple of four, so the mask stays in step.
static void mask_bytes(uint8_t* to, const uint8_t* from, size_t count, uint32_t mask) {
    size_t i = 0;
    for (; i + 32 <= count; i += 32)
        mask_32(to + i, from + i, mask);
    if (count & 16) {
        mask_8(to + i, from + i, mask);
        mask_8(to + i + 8, from + i + 8, mask);
        i += 16;
    }
    if (count & 8) {
        mask_8(to + i, from + i, mask);
        i += 8;
    }
    uint8_t key[4];
    memcpy(key, &mask, 4);
    for (size_t k = 0; k < (count & 7); k++)
        to[i + k] = from[i + k] ^ key[k & 3];
}

static void write_header(uint8_t* at, uint8_t opcode, size_t size, uint32_t mask) {
    *at++ = FIN | opcode;
    if (size < 126) {
        *at++ = (uint8_t)(MASKED | size);
    } else if (size < 65536) {
        *at++ = MASKED | 126;
        *at++ = (uint8_t)(size >> 8);
        *at++ = (uint8_t)size;
    } else {
        *at++ = MASKED | 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            *at++ = (uint8_t)((uint64_t)size >> shift);
    }
    memcpy(at, &mask, 4);
}

uint8_t* apus_ws_reserve(apus_buffer* tx, size_t max_payload) {
    size_t header = apus_ws_header_bytes(max_payload);
    if (max_payload > tx->capacity) return NULL;
    uint8_t* at = apus_buffer_room(tx, header + max_payload);
    return at ? at + header : NULL;
}

void apus_ws_seal(apus_buffer* tx, apus_random* random, uint8_t opcode, uint8_t* payload, size_t max_payload,
                  size_t size) {
    uint8_t* frame = payload - apus_ws_header_bytes(max_payload);
    size_t header = apus_ws_header_bytes(size);
    uint32_t mask = (uint32_t)apus_random_next(random);
    mask_bytes(frame + header, payload, size, mask);
    write_header(frame, opcode, size, mask);
    tx->end += header + size;
}

int apus_ws_send(apus_buffer* tx, apus_random* random, uint8_t opcode, const void* payload, size_t size) {
    if ((opcode & CONTROL) && size > CONTROL_MAX) return -EMSGSIZE;
    if (size > tx->capacity) return -ENOBUFS;
    size_t header = apus_ws_header_bytes(size);
    uint8_t* at = apus_buffer_room(tx, header + size);
    if (!at) return -ENOBUFS;
    uint32_t mask = (uint32_t)apus_random_next(random);
    write_header(at, opcode, size, mask);
    mask_bytes(at + header, payload, size, mask);
    tx->end += header + size;
    return 0;
}

int apus_ws_send_close(apus_buffer* tx, apus_random* random, uint16_t code, const char* reason) {
    uint8_t payload[CONTROL_MAX];
    size_t size = 0;
    if (code != 0) {
        size_t length = reason ? strlen(reason) : 0;
        if (length > CONTROL_MAX - 2) {
            length = CONTROL_MAX - 2;
            while (length > 0 && ((uint8_t)reason[length] & 0xc0) == 0x80)
                length--;
        }
        payload[0] = (uint8_t)(code >> 8);
        payload[1] = (uint8_t)code;
        if (length > 0) memcpy(payload + 2, reason, length);
        size = 2 + length;
    }
    return apus_ws_send(tx, random, APUS_WS_CLOSE, payload, size);
}
