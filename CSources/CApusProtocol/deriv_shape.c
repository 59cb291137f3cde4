// The symbols of contracts' shapes, and which contracts are of a shape.
#include "apus_deriv.h"

#include "apus_decimal.h"

#include <string.h>

// The longest part of a symbol or of a shortcode.
#define PARTS 6u
// A contract's life may be a little longer than its duration says: it begins with the tick after its purchase.
#define DAY 86400u

// MARK: symbols

static bool is_word(const apus_deriv_text* text) {
    for (size_t i = 0; i < text->length; i++) {
        uint8_t c = text->bytes[i];
        bool word = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        if (!word) return false;
    }
    return text->length > 0;
}

static bool is_amount(const apus_deriv_text* text) {
    int64_t value;
    if (text->length == 0 || text->bytes[0] < '0' || text->bytes[0] > '9') return false;
    return apus_decimal_parse(text->bytes, text->length, 8, &value, NULL) == 0 && value > 0
           && memchr(text->bytes, 'e', text->length) == NULL && memchr(text->bytes, 'E', text->length) == NULL;
}

static bool is_barrier(const apus_deriv_text* text) {
    int64_t value;
    apus_deriv_text digits = *text;
    if (digits.length > 0 && (digits.bytes[0] == '+' || digits.bytes[0] == '-')) {
        digits.bytes++;
        digits.length--;
    }
    if (digits.length == 0 || digits.bytes[0] < '0' || digits.bytes[0] > '9') return false;
    return apus_decimal_parse(digits.bytes, digits.length, 8, &value, NULL) == 0;
}

static bool read_duration(const apus_deriv_text* text, apus_deriv_shape* shape) {
    uint64_t value;
    if (text->length < 2 || apus_u64_parse(text->bytes, text->length - 1, &value) < 0) return false;
    shape->unit = (char)text->bytes[text->length - 1];
    shape->duration = (uint32_t)value;
    return value > 0 && value <= 10000000 && strchr("tsmhd", shape->unit) != NULL;
}

// Splits at `separator`. Returns the number of parts, or 0 when there are more than PARTS.
static size_t split(const apus_deriv_text* text, uint8_t separator, apus_deriv_text parts[PARTS]) {
    size_t count = 0, from = 0;
    for (size_t i = 0; i <= text->length; i++) {
        if (i < text->length && text->bytes[i] != separator) continue;
        if (count == PARTS) return 0;
        parts[count++] = (apus_deriv_text){text->bytes + from, i - from};
        from = i + 1;
    }
    return count;
}

int apus_deriv_shape_parse(const char* symbol, size_t length, apus_deriv_shape* shape) {
    apus_deriv_text text = {(const uint8_t*)symbol, length};
    apus_deriv_text parts[PARTS];
    memset(shape, 0, sizeof *shape);
    size_t count = split(&text, '/', parts);
    if (count == 0 || !is_word(&parts[0])) return -EINVAL;
    shape->underlying = parts[0];
    if (count == 1) return 0;
    if (count < 5) return -EINVAL;
    shape->pays = apus_deriv_is(&parts[3], "payout", 6);
    bool basis = shape->pays || apus_deriv_is(&parts[3], "stake", 5);
    if (!is_word(&parts[1]) || !read_duration(&parts[2], shape) || !basis || !is_amount(&parts[4])) return -EINVAL;
    if (count == 6 && !is_barrier(&parts[5])) return -EINVAL;
    shape->type = parts[1];
    shape->amount = parts[4];
    if (count == 6) shape->barrier = parts[5];
    return 0;
}

// MARK: contracts

// What a shortcode tells behind type and underlying: TYPE_UNDERLYING_payout_start_end_barrier_barrier, where a contract
// of n ticks has nT for its end. Both names may hold underscores.
typedef struct shortcode {
    apus_deriv_text end;
    apus_deriv_text barrier;
} shortcode;

static bool same_text(const apus_deriv_text* a, const apus_deriv_text* b) {
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

// Underlyings are written in capitals there.
static bool same_capitals(const uint8_t* code, const apus_deriv_text* name) {
    for (size_t i = 0; i < name->length; i++) {
        uint8_t c = name->bytes[i];
        if (c >= 'a' && c <= 'z') c = (uint8_t)(c - 32);
        if (code[i] != c) return false;
    }
    return true;
}

static bool read_shortcode(const apus_deriv_text* code, const apus_deriv_shape* shape, shortcode* parts) {
    size_t head = shape->type.length + shape->underlying.length + 2;
    if (code->length <= head) return false;
    const uint8_t* at = code->bytes;
    if (memcmp(at, shape->type.bytes, shape->type.length) != 0 || at[shape->type.length] != '_') return false;
    if (!same_capitals(at + shape->type.length + 1, &shape->underlying) || at[head - 1] != '_') return false;
    apus_deriv_text tail = {at + head, code->length - head};
    apus_deriv_text rest[PARTS];
    size_t count = split(&tail, '_', rest);
    if (count < 3) return false;
    parts->end = rest[2];
    parts->barrier = count > 3 ? rest[3] : (apus_deriv_text){0};
    return true;
}

// A start or end may carry a letter behind its number (F: forward starting).
static bool read_second(const apus_deriv_text* text, uint64_t* second) {
    size_t digits = 0;
    while (digits < text->length && text->bytes[digits] >= '0' && text->bytes[digits] <= '9')
        digits++;
    return digits > 0 && apus_u64_parse(text->bytes, digits, second) == 0;
}

static bool same_duration(const apus_deriv_shape* shape, const apus_deriv_text* fields, const shortcode* code) {
    uint64_t number, start, end;
    bool ticks = code->end.length > 1 && code->end.bytes[code->end.length - 1] == 'T';
    if (ticks != (shape->unit == 't')) return false;
    if (ticks) return apus_u64_parse(code->end.bytes, code->end.length - 1, &number) == 0 && number == shape->duration;
    if (apus_deriv_whole(&fields[APUS_DERIV_STARTS_AT], &start) < 0
        && apus_deriv_whole(&fields[APUS_DERIV_BOUGHT_AT], &start) < 0) {
        return false;
    }
    if (!read_second(&code->end, &end) || end < start) return false;
    uint64_t life = end - start;
    uint64_t unit = shape->unit == 's' ? 1 : shape->unit == 'm' ? 60 : shape->unit == 'h' ? 3600 : DAY;
    // A contract of whole days ends with a trading day.
    if (unit == DAY) return life / DAY + 1 == shape->duration || life / DAY == shape->duration;
    return life == shape->duration * unit;
}

// The digits of a number without the zeros at both ends: 10 of S10P and +0.1 have the same.
static size_t significant(const apus_deriv_text* text, uint8_t digits[APUS_SYMBOL_BYTES]) {
    size_t count = 0;
    for (size_t i = 0; i < text->length; i++) {
        uint8_t c = text->bytes[i];
        if (c < '0' || c > '9' || (c == '0' && count == 0) || count == APUS_SYMBOL_BYTES) continue;
        digits[count++] = c;
    }
    while (count > 0 && digits[count - 1] == '0')
        count--;
    return count;
}

static bool same_barrier(const apus_deriv_shape* shape, const shortcode* code) {
    uint8_t wanted[APUS_SYMBOL_BYTES], found[APUS_SYMBOL_BYTES];
    bool relative = code->barrier.length > 2 && code->barrier.bytes[0] == 'S';
    // Without a barrier of its own a contract stands on its entry spot, or has none.
    if (shape->barrier.bytes == NULL) {
        return code->barrier.length == 0 || apus_deriv_is(&code->barrier, "S0P", 3)
               || apus_deriv_is(&code->barrier, "0", 1);
    }
    if (code->barrier.length == 0) return false;
    uint8_t sign = shape->barrier.bytes[0];
    bool wants_relative = sign == '+' || sign == '-';
    if (relative != wants_relative) return false;
    if (relative && (sign == '-') != (code->barrier.bytes[1] == '-')) return false;
    size_t count = significant(&shape->barrier, wanted);
    return count == significant(&code->barrier, found) && memcmp(wanted, found, count) == 0;
}

static bool same_amount(const apus_deriv_shape* shape, const apus_deriv_text* fields, uint32_t decimals) {
    int64_t wanted, found;
    const apus_deriv_text* field = &fields[shape->pays ? APUS_DERIV_PAYOUT : APUS_DERIV_BUY_PRICE];
    if (apus_decimal_parse(shape->amount.bytes, shape->amount.length, decimals, &wanted, NULL) < 0) return false;
    return apus_deriv_decimal(field, decimals, &found) == 0 && found == wanted;
}

bool apus_deriv_shape_matches(const apus_deriv_shape* shape, const apus_deriv_text* fields, uint32_t decimals) {
    shortcode code;
    if (!apus_deriv_is_contract(shape) || fields[APUS_DERIV_SHORTCODE].bytes == NULL) return false;
    const apus_deriv_text *type = &fields[APUS_DERIV_TYPE], *symbol = &fields[APUS_DERIV_SYMBOL];
    if (type->bytes != NULL && !same_text(type, &shape->type)) return false;
    if (symbol->bytes != NULL && !same_text(symbol, &shape->underlying)) return false;
    return read_shortcode(&fields[APUS_DERIV_SHORTCODE], shape, &code) && same_duration(shape, fields, &code)
           && same_barrier(shape, &code) && same_amount(shape, fields, decimals);
}
