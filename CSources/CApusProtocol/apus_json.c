#include "apus_json.h"

#include <string.h>

// What may come next.
enum { EXPECT_VALUE, EXPECT_VALUE_OR_END, EXPECT_KEY_OR_END, EXPECT_COMMA_OR_END, EXPECT_NOTHING };

void apus_json_init(apus_json* json, const void* bytes, size_t length) {
    *json = (apus_json){.bytes = bytes, .length = length, .expect = EXPECT_VALUE};
}

static apus_json_token fail(apus_json* json, apus_json_fault fault, size_t offset) {
    json->fault = (uint8_t)fault;
    json->error_offset = offset;
    return APUS_JSON_ERROR;
}

static apus_json_token unexpected(apus_json* json) {
    bool end = json->position >= json->length;
    return fail(json, end ? APUS_JSON_FAULT_TRUNCATED : APUS_JSON_FAULT_UNEXPECTED, json->position);
}

static void skip_space(apus_json* json) {
    while (json->position < json->length) {
        uint8_t c = json->bytes[json->position];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
        json->position++;
    }
}

static bool in_object(const apus_json* json) {
    return json->depth > 0 && (json->objects >> (json->depth - 1) & 1);
}

static void value_done(apus_json* json) {
    json->expect = json->depth == 0 ? EXPECT_NOTHING : EXPECT_COMMA_OR_END;
}

// MARK: strings

static bool is_hex(uint8_t c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Passes one escape; position is on the backslash. Returns false after an error.
static bool pass_escape(apus_json* json) {
    size_t at = json->position + 1;
    if (at >= json->length) {
        fail(json, APUS_JSON_FAULT_TRUNCATED, at);
        return false;
    }
    uint8_t c = json->bytes[at];
    if (c == 'u') {
        for (size_t i = 1; i <= 4; i++) {
            if (at + i >= json->length) {
                fail(json, APUS_JSON_FAULT_TRUNCATED, at + i);
                return false;
            }
            if (!is_hex(json->bytes[at + i])) {
                fail(json, APUS_JSON_FAULT_ESCAPE, at + i);
                return false;
            }
        }
        json->position = at + 5;
        return true;
    }
    if (c == 0 || strchr("\"\\/bfnrt", c) == NULL) {
        fail(json, APUS_JSON_FAULT_ESCAPE, at);
        return false;
    }
    json->position = at + 1;
    return true;
}

// Position is behind the opening quote.
static bool pass_string(apus_json* json) {
    json->text_start = json->position;
    json->escaped = false;
    while (json->position < json->length) {
        uint8_t c = json->bytes[json->position];
        if (c == '"') {
            json->text_length = json->position - json->text_start;
            json->position++;
            return true;
        }
        if (c < 0x20) {
            fail(json, APUS_JSON_FAULT_CONTROL, json->position);
            return false;
        }
        if (c == '\\') {
            json->escaped = true;
            if (!pass_escape(json)) return false;
        } else {
            json->position++;
        }
    }
    fail(json, APUS_JSON_FAULT_TRUNCATED, json->position);
    return false;
}

// MARK: numbers and words

static bool digit_at(const apus_json* json, size_t at) {
    return at < json->length && (uint8_t)(json->bytes[at] - '0') < 10;
}

static bool is_at(const apus_json* json, size_t at, uint8_t c) {
    return at < json->length && json->bytes[at] == c;
}

static apus_json_token number_fault(apus_json* json, size_t at) {
    return fail(json, at >= json->length ? APUS_JSON_FAULT_TRUNCATED : APUS_JSON_FAULT_NUMBER, at);
}

static apus_json_token take_number(apus_json* json) {
    size_t at = json->position;
    json->text_start = at;
    if (is_at(json, at, '-')) at++;
    if (!digit_at(json, at)) return number_fault(json, at);
    if (is_at(json, at, '0') && digit_at(json, at + 1)) return number_fault(json, at + 1);
    while (digit_at(json, at)) {
        at++;
    }
    if (is_at(json, at, '.')) {
        if (!digit_at(json, ++at)) return number_fault(json, at);
        while (digit_at(json, at)) {
            at++;
        }
    }
    if (is_at(json, at, 'e') || is_at(json, at, 'E')) {
        at++;
        if (is_at(json, at, '+') || is_at(json, at, '-')) at++;
        if (!digit_at(json, at)) return number_fault(json, at);
        while (digit_at(json, at)) {
            at++;
        }
    }
    json->text_length = at - json->text_start;
    json->position = at;
    json->escaped = false;
    value_done(json);
    return APUS_JSON_NUMBER;
}

static apus_json_token take_word(apus_json* json, const char* word, apus_json_token token) {
    for (size_t i = 0; word[i] != 0; i++) {
        if (!is_at(json, json->position + i, (uint8_t)word[i])) {
            json->position += i;
            return unexpected(json);
        }
    }
    json->text_start = json->position;
    json->text_length = strlen(word);
    json->position += json->text_length;
    value_done(json);
    return token;
}

// MARK: structure

static apus_json_token begin(apus_json* json, bool object) {
    if (json->depth == APUS_JSON_DEPTH_MAX) return fail(json, APUS_JSON_FAULT_DEPTH, json->position);
    uint64_t bit = 1ull << json->depth;
    json->objects = object ? json->objects | bit : json->objects & ~bit;
    json->depth++;
    json->position++;
    json->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    return object ? APUS_JSON_OBJECT_BEGIN : APUS_JSON_ARRAY_BEGIN;
}

static apus_json_token end(apus_json* json) {
    apus_json_token token = in_object(json) ? APUS_JSON_OBJECT_END : APUS_JSON_ARRAY_END;
    json->depth--;
    json->position++;
    value_done(json);
    return token;
}

static apus_json_token take_value(apus_json* json) {
    if (json->position >= json->length) return unexpected(json);
    switch (json->bytes[json->position]) {
    case '{':
        return begin(json, true);
    case '[':
        return begin(json, false);
    case '"':
        json->position++;
        if (!pass_string(json)) return APUS_JSON_ERROR;
        value_done(json);
        return APUS_JSON_STRING;
    case 't':
        return take_word(json, "true", APUS_JSON_TRUE);
    case 'f':
        return take_word(json, "false", APUS_JSON_FALSE);
    case 'n':
        return take_word(json, "null", APUS_JSON_NULL);
    case '-':
    case '0' ... '9':
        return take_number(json);
    default:
        return unexpected(json);
    }
}

static apus_json_token take_key(apus_json* json) {
    if (!is_at(json, json->position, '"')) return unexpected(json);
    json->position++;
    if (!pass_string(json)) return APUS_JSON_ERROR;
    skip_space(json);
    if (!is_at(json, json->position, ':')) return unexpected(json);
    json->position++;
    json->expect = EXPECT_VALUE;
    return APUS_JSON_KEY;
}

apus_json_token apus_json_next(apus_json* json) {
    if (json->fault != APUS_JSON_FAULT_NONE) return APUS_JSON_ERROR;
    skip_space(json);
    uint8_t closing = in_object(json) ? '}' : ']';
    switch (json->expect) {
    case EXPECT_NOTHING:
        if (json->position < json->length) return fail(json, APUS_JSON_FAULT_TRAILING, json->position);
        return APUS_JSON_END;
    case EXPECT_COMMA_OR_END:
        if (is_at(json, json->position, closing)) return end(json);
        if (!is_at(json, json->position, ',')) return unexpected(json);
        json->position++;
        skip_space(json);
        return in_object(json) ? take_key(json) : take_value(json);
    case EXPECT_KEY_OR_END:
        return is_at(json, json->position, '}') ? end(json) : take_key(json);
    case EXPECT_VALUE_OR_END:
        return is_at(json, json->position, ']') ? end(json) : take_value(json);
    default:
        return take_value(json);
    }
}

bool apus_json_skip(apus_json* json, apus_json_token token) {
    if (token == APUS_JSON_KEY) token = apus_json_next(json);
    if (token == APUS_JSON_ERROR) return false;
    if (token != APUS_JSON_OBJECT_BEGIN && token != APUS_JSON_ARRAY_BEGIN) return true;
    uint32_t outside = json->depth - 1;
    while (json->depth > outside) {
        if (apus_json_next(json) == APUS_JSON_ERROR) return false;
    }
    return true;
}

// MARK: texts

bool apus_json_equals(const apus_json* json, const char* text, size_t length) {
    const uint8_t* raw = json->bytes + json->text_start;
    if (!json->escaped) return json->text_length == length && memcmp(raw, text, length) == 0;
    uint8_t decoded[64];
    int64_t count = apus_json_unescape(raw, json->text_length, decoded, sizeof decoded);
    return count == (int64_t)length && memcmp(decoded, text, length) == 0;
}

int apus_json_text(const apus_json* json, uint8_t* scratch, size_t capacity, const uint8_t** text, size_t* length) {
    const uint8_t* raw = json->bytes + json->text_start;
    *text = raw;
    *length = json->text_length;
    if (!json->escaped) return 0;
    int64_t count = apus_json_unescape(raw, json->text_length, scratch, capacity);
    if (count < 0) return (int)count;
    *text = scratch;
    *length = (size_t)count;
    return 0;
}

static uint32_t hex4(const uint8_t* at) {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; i++) {
        uint8_t c = at[i];
        uint32_t digit = c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a' + 10);
        value = value << 4 | digit;
    }
    return value;
}

static size_t utf8(uint32_t point, uint8_t out[4]) {
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    size_t count = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = count - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (point & 0x3F));
        point >>= 6;
    }
    out[0] = (uint8_t)(lead[count] | point);
    return count;
}

// Decodes the escape at raw[at] (the backslash) and moves `at` behind it. Returns the code point.
static uint32_t unescape_one(const uint8_t* raw, size_t length, size_t* at) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint8_t c = raw[*at + 1];
    if (c != 'u') {
        *at += 2;
        return (uint8_t)to[strchr(from, c) - from];
    }
    uint32_t point = hex4(raw + *at + 2);
    *at += 6;
    if (point < 0xD800 || point > 0xDFFF) return point;
    bool pair = point < 0xDC00 && *at + 6 <= length && raw[*at] == '\\' && raw[*at + 1] == 'u';
    uint32_t low = pair ? hex4(raw + *at + 2) : 0;
    if (low < 0xDC00 || low > 0xDFFF) return 0xFFFD;
    *at += 6;
    return 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
}

int64_t apus_json_unescape(const uint8_t* raw, size_t length, uint8_t* out, size_t capacity) {
    size_t count = 0;
    for (size_t at = 0; at < length;) {
        uint8_t bytes[4] = {raw[at]};
        size_t size = 1;
        if (raw[at] == '\\')
            size = utf8(unescape_one(raw, length, &at), bytes);
        else
            at++;
        if (count + size > capacity) return -ENOBUFS;
        memcpy(out + count, bytes, size);
        count += size;
    }
    return (int64_t)count;
}

const char* apus_json_fault_text(uint8_t fault) {
    switch (fault) {
    case APUS_JSON_FAULT_NONE:
        return "nothing wrong";
    case APUS_JSON_FAULT_TRUNCATED:
        return "the text ends inside a value";
    case APUS_JSON_FAULT_UNEXPECTED:
        return "a byte that cannot stand there";
    case APUS_JSON_FAULT_ESCAPE:
        return "a bad escape in a string";
    case APUS_JSON_FAULT_CONTROL:
        return "a control character in a string";
    case APUS_JSON_FAULT_NUMBER:
        return "a number not of JSON's form";
    case APUS_JSON_FAULT_DEPTH:
        return "nested deeper than APUS_JSON_DEPTH_MAX";
    default:
        return "something behind the value";
    }
}
