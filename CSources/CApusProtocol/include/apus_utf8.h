// UTF-8 validation that may be fed in pieces and fails at the first byte that makes the text invalid (RFC 3629:
// no surrogates, no overlong forms, nothing above U+10FFFF). No thread, no memory of its own.
#ifndef APUS_UTF8_H
#define APUS_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What the next byte must be: 0 between characters, else the continuation bytes still due and the range of the next.
typedef uint32_t apus_utf8_state;

// Feeds `count` bytes. Returns `count` when all are acceptable so far, else the index of the byte that is not.
// The text is complete when *state is 0 after its last byte.
size_t apus_utf8_feed(apus_utf8_state* state, const uint8_t* bytes, size_t count);

// Whether the bytes are complete valid UTF-8.
bool apus_utf8_valid(const uint8_t* bytes, size_t count);

// Whether no byte has its high bit set. Vectorised; reads nothing outside bytes[0, count).
bool apus_ascii_only(const uint8_t* bytes, size_t count);

// The same with chosen instructions (0 portable, 1 SSE2, 2 AVX2), or the best of this machine below that: for tests.
bool apus_ascii_only_at(uint8_t level, const uint8_t* bytes, size_t count);

#endif
