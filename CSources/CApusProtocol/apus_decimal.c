#include "apus_decimal.h"

const int64_t apus_powers_of_ten[APUS_DECIMALS_MAX + 1] = {
    1,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    10000000,
    100000000,
    1000000000,
    10000000000,
    100000000000,
    1000000000000,
    10000000000000,
    100000000000000,
    1000000000000000,
    10000000000000000,
    100000000000000000,
    1000000000000000000,
};

// An exponent beyond this is of no use to any number that fits: it is held there, so that sums cannot overflow.
#define EXPONENT_MAX 100000

static bool is_digit(uint8_t c) {
    return (uint8_t)(c - '0') < 10;
}

static int fail(int error, size_t offset, size_t* error_offset) {
    if (error_offset != NULL) *error_offset = offset;
    return error;
}

// The parts of a number's text, as offsets.
typedef struct parts {
    size_t first; // first digit or the point
    size_t point; // of the point, or the end of the digits
    size_t end;   // of the digits
    int64_t exponent;
    bool negative;
} parts;

static int read_exponent(const uint8_t* text, size_t length, size_t at, parts* parts, size_t* error_offset) {
    bool negative = at < length && text[at] == '-';
    if (at < length && (text[at] == '-' || text[at] == '+')) at++;
    if (at == length || !is_digit(text[at])) return fail(-EINVAL, at, error_offset);
    int64_t exponent = 0;
    for (; at < length && is_digit(text[at]); at++) {
        if (exponent < EXPONENT_MAX) exponent = exponent * 10 + (text[at] - '0');
    }
    parts->exponent = negative ? -exponent : exponent;
    return at == length ? 0 : fail(-EINVAL, at, error_offset);
}

static int split(const uint8_t* text, size_t length, parts* parts, size_t* error_offset) {
    size_t at = 0;
    *parts = (struct parts){.negative = length > 0 && text[0] == '-'};
    if (parts->negative) at++;
    parts->first = at;
    while (at < length && is_digit(text[at])) {
        at++;
    }
    size_t digits = at - parts->first;
    parts->point = at;
    if (at < length && text[at] == '.') {
        size_t fraction = ++at;
        while (at < length && is_digit(text[at])) {
            at++;
        }
        if (at == fraction) return fail(-EINVAL, at, error_offset);
        digits += at - fraction;
    }
    parts->end = at;
    if (digits == 0) return fail(-EINVAL, at, error_offset);
    if (at == length) return 0;
    if (text[at] != 'e' && text[at] != 'E') return fail(-EINVAL, at, error_offset);
    return read_exponent(text, length, at + 1, parts, error_offset);
}

int apus_decimal_parse(const uint8_t* text, size_t length, uint32_t decimals, int64_t* value, size_t* error_offset) {
    parts parts;
    int error = split(text, length, &parts, error_offset);
    if (error < 0) return error;
    // The digit at distance d before the point counts 10^(d + exponent + decimals) units.
    int64_t power = (int64_t)(parts.point - parts.first) - 1 + parts.exponent + (int64_t)decimals;
    uint64_t units = 0;
    for (size_t at = parts.first; at < parts.end; at++) {
        if (text[at] == '.') continue;
        uint8_t digit = (uint8_t)(text[at] - '0');
        if (power < 0) {
            if (digit != 0) return fail(-EDOM, at, error_offset);
        } else if (units != 0 || digit != 0) {
            if (__builtin_mul_overflow(units, 10, &units) || __builtin_add_overflow(units, digit, &units)) {
                return fail(-ERANGE, at, error_offset);
            }
        }
        power--;
    }
    for (; power >= 0 && units != 0; power--) {
        if (__builtin_mul_overflow(units, 10, &units)) return fail(-ERANGE, parts.first, error_offset);
    }
    uint64_t limit = parts.negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    if (units > limit) return fail(-ERANGE, parts.first, error_offset);
    *value = parts.negative ? (int64_t)(0 - units) : (int64_t)units;
    return 0;
}

size_t apus_u64_format(uint64_t value, char* out) {
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    for (size_t i = 0; i < count; i++) {
        out[i] = digits[count - 1 - i];
    }
    return count;
}

size_t apus_decimal_format(int64_t value, uint32_t decimals, char* out) {
    size_t at = 0;
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint64_t unit = (uint64_t)apus_powers_of_ten[decimals];
    if (value < 0) out[at++] = '-';
    at += apus_u64_format(magnitude / unit, out + at);
    if (decimals == 0) return at;
    out[at++] = '.';
    uint64_t fraction = magnitude % unit;
    for (uint32_t i = decimals; i > 0; i--) {
        out[at + i - 1] = (char)('0' + fraction % 10);
        fraction /= 10;
    }
    return at + decimals;
}

int apus_u64_parse(const uint8_t* text, size_t length, uint64_t* value) {
    if (length == 0 || (length > 1 && text[0] == '0')) return -EINVAL;
    uint64_t result = 0;
    for (size_t i = 0; i < length; i++) {
        if (!is_digit(text[i])) return -EINVAL;
        if (__builtin_mul_overflow(result, 10, &result)
            || __builtin_add_overflow(result, (uint64_t)(text[i] - '0'), &result)) {
            return -ERANGE;
        }
    }
    *value = result;
    return 0;
}
