#include "apus_keccak.h"

#include <string.h>

// Bytes taken in before each permutation: 1600 bits less twice the digest's 256.
#define RATE 136u

static const uint64_t round_constants[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b,
    0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088,
    0x0000000080008009, 0x000000008000000a, 0x000000008000808b, 0x800000000000008b, 0x8000000000008089,
    0x8000000000008003, 0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

static inline uint64_t rotate(uint64_t lane, unsigned bits) {
    return lane << bits | lane >> (64 - bits);
}

// Theta: each lane takes in the parity of two columns.
static inline void mix_columns(uint64_t a[25]) {
    uint64_t parity[5];
    for (int x = 0; x < 5; x++) {
        parity[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
    }
    for (int x = 0; x < 5; x++) {
        uint64_t effect = parity[(x + 4) % 5] ^ rotate(parity[(x + 1) % 5], 1);
        for (int y = 0; y < 25; y += 5) {
            a[y + x] ^= effect;
        }
    }
}

// Rho and pi: each lane turns and moves to its new place.
static inline void turn_lanes(const uint64_t a[25], uint64_t b[25]) {
    b[0] = a[0];
    b[10] = rotate(a[1], 1), b[20] = rotate(a[2], 62), b[5] = rotate(a[3], 28), b[15] = rotate(a[4], 27);
    b[16] = rotate(a[5], 36), b[1] = rotate(a[6], 44), b[11] = rotate(a[7], 6), b[21] = rotate(a[8], 55);
    b[6] = rotate(a[9], 20), b[7] = rotate(a[10], 3), b[17] = rotate(a[11], 10), b[2] = rotate(a[12], 43);
    b[12] = rotate(a[13], 25), b[22] = rotate(a[14], 39), b[23] = rotate(a[15], 41), b[8] = rotate(a[16], 45);
    b[18] = rotate(a[17], 15), b[3] = rotate(a[18], 21), b[13] = rotate(a[19], 8), b[14] = rotate(a[20], 18);
    b[24] = rotate(a[21], 2), b[9] = rotate(a[22], 61), b[19] = rotate(a[23], 56), b[4] = rotate(a[24], 14);
}

// Chi: the one step that is not linear.
static inline void combine_rows(const uint64_t b[25], uint64_t a[25]) {
    for (int y = 0; y < 25; y += 5) {
        for (int x = 0; x < 5; x++) {
            a[y + x] = b[y + x] ^ (~b[y + (x + 1) % 5] & b[y + (x + 2) % 5]);
        }
    }
}

static void permute(uint64_t a[25]) {
    uint64_t b[25];
    for (int round = 0; round < 24; round++) {
        mix_columns(a);
        turn_lanes(a, b);
        combine_rows(b, a);
        a[0] ^= round_constants[round];
    }
}

// Lanes are little-endian in the stream; so are the processors that this is built for.
static void take_in(uint64_t state[25], const uint8_t block[RATE]) {
    for (size_t lane = 0; lane < RATE / 8; lane++) {
        uint64_t word;
        memcpy(&word, block + 8 * lane, 8);
        state[lane] ^= word;
    }
    permute(state);
}

void apus_keccak256(const void* bytes, size_t length, uint8_t digest[APUS_KECCAK_BYTES]) {
    uint64_t state[25] = {0};
    const uint8_t* at = bytes;
    for (; length >= RATE; length -= RATE, at += RATE) {
        take_in(state, at);
    }
    uint8_t last[RATE] = {0};
    if (length > 0) memcpy(last, at, length);
    last[length] = 0x01;
    last[RATE - 1] |= 0x80;
    take_in(state, last);
    memcpy(digest, state, APUS_KECCAK_BYTES);
}
