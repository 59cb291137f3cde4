// Pseudo-random numbers for masks, jitter and simulated lives: xoshiro256**, seeded through splitmix64.
//
// Nothing in CApusProtocol gathers entropy. A live program seeds from getrandom(2), one state for each connection; a
// simulation seeds from its own seed, so that a life replays. Not for secrets: keys and nonces that must not be guessed
// come from the caller's getrandom directly.
// A state belongs to one thread.
#ifndef APUS_RANDOM_H
#define APUS_RANDOM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct apus_random {
    uint64_t s[4];
} apus_random;

// Any seed is good, zero too.
static inline void apus_random_seed(apus_random* random, uint64_t seed) {
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15u;
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        random->s[i] = z ^ (z >> 31);
    }
}

static inline uint64_t apus_random_next(apus_random* random) {
    uint64_t* s = random->s;
    uint64_t x = s[1] * 5;
    uint64_t result = ((x << 7) | (x >> 57)) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return result;
}

// Uniform in [0, bound); 0 where bound is 0. The bias is below bound / 2^64.
static inline uint64_t apus_random_below(apus_random* random, uint64_t bound) {
    return (uint64_t)(((unsigned __int128)apus_random_next(random) * bound) >> 64);
}

static inline void apus_random_bytes(apus_random* random, uint8_t* out, size_t count) {
    while (count > 0) {
        uint64_t word = apus_random_next(random);
        size_t part = count < sizeof word ? count : sizeof word;
        memcpy(out, &word, part);
        out += part;
        count -= part;
    }
}

#endif
