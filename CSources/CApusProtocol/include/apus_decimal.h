// Decimal text to Int64 and back. A value is counted in units of 10^-decimals, and is exact or an error.
//
// Any thread; no state.
#ifndef APUS_DECIMAL_H
#define APUS_DECIMAL_H

#include "apus_limits.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Room for any value that apus_decimal_format and apus_u64_format write (they write no terminating zero).
#define APUS_DECIMAL_TEXT_BYTES 32u

// 10^exponent for exponent 0 to APUS_DECIMALS_MAX.
extern const int64_t apus_powers_of_ten[APUS_DECIMALS_MAX + 1];

// Reads the whole text: digits with an optional '-', an optional fraction and an optional exponent ("61496.50", "-3",
// ".5", "1.5e3"). Digits beyond the instrument's decimals are accepted where they are zeros ("0.3510" at 3 decimals).
// Reads only text[0, length). Returns 0; -EINVAL for what is no number, -EDOM for more decimals than the instrument has,
// -ERANGE when the value does not fit in 64 bits; then *error_offset (unless NULL) is the offset of the byte where that showed.
int apus_decimal_parse(const uint8_t* text, size_t length, uint32_t decimals, int64_t* value, size_t* error_offset);

// Writes the value with exactly `decimals` digits after the point ("61496.50"; no point for 0 decimals). `out` has room for
// APUS_DECIMAL_TEXT_BYTES. Returns the length.
size_t apus_decimal_format(int64_t value, uint32_t decimals, char* out);

// The same without the point.
size_t apus_u64_format(uint64_t value, char* out);

// The value of eight ASCII digits read little-endian, and whether all eight are digits.
static inline bool apus_eight_digits(uint64_t text, uint64_t* value) {
    uint64_t digits = text - 0x3030303030303030u;
    if (((digits | (digits + 0x7676767676767676u)) & 0x8080808080808080u) != 0) return false;
    digits = digits * 10 + (digits >> 8);
    *value = ((digits & 0x000000FF000000FFu) * 0x000F424000000064u
              + ((digits >> 16) & 0x000000FF000000FFu) * 0x0000271000000001u)
             >> 32;
    return true;
}

// Reads an unsigned integer of JSON's form (no sign, no leading zeros). Returns 0, -EINVAL or -ERANGE.
int apus_u64_parse(const uint8_t* text, size_t length, uint64_t* value);

#endif
