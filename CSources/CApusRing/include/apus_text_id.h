// A 64-bit number for a venue's identifier that is a text (a trade's UUID): the same wherever it is computed.
#ifndef APUS_TEXT_ID_H
#define APUS_TEXT_ID_H

#include <stddef.h>
#include <stdint.h>

// FNV-1a, 64 bits (Fowler, Noll, Vo); never 0, which stands for "none".
static inline uint64_t apus_text_id(const uint8_t* text, size_t length) {
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ text[i]) * 0x100000001b3ull;
    }
    return hash == 0 ? 1 : hash;
}

#endif
