// Texts and numbers: UTF-8, ASCII, byte positions, JSON, decimals, HMAC, waits.
#include "check.h"

#include "apus_ascii.h"
#include "apus_backoff.h"
#include "apus_decimal.h"
#include "apus_hmac.h"
#include "apus_json.h"
#include "apus_random.h"
#include "apus_utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// MARK: UTF-8 and ASCII

// From RFC 3629: the first and last of each length, and what must not be.
static void utf8_known_texts(void) {
    static const struct {
        const char* text;
        bool valid;
        size_t bad_at;
    } rows[] = {
        {"", true, 0},
        {"plain", true, 0},
        {"\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", true, 0},
        {"\xED\x9F\xBF\xEE\x80\x80", true, 0},
        {"a\xC0\x80", false, 1},        // overlong
        {"a\xC1\xBF", false, 1},        // overlong
        {"\xE0\x9F\xBF", false, 1},     // overlong
        {"\xF0\x8F\xBF\xBF", false, 1}, // overlong
        {"\xED\xA0\x80", false, 1},     // surrogate
        {"\xF4\x90\x80\x80", false, 1}, // above U+10FFFF
        {"\xF5\x80\x80\x80", false, 0}, //
        {"\x80", false, 0},             // continuation of nothing
        {"\xC2"
         "A",
         false, 1}, // no continuation
        {"\xE2\x82"
         "A",
         false, 2}, //
        {"0123456789abcdef\xFF", false, 16},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const uint8_t* bytes = (const uint8_t*)rows[i].text;
        size_t length = strlen(rows[i].text);
        apus_utf8_state state = 0;
        CHECK_EQUAL(apus_utf8_valid(bytes, length), rows[i].valid);
        CHECK_EQUAL(apus_utf8_feed(&state, bytes, length), rows[i].valid ? length : rows[i].bad_at);
        // Byte by byte the same.
        state = 0;
        size_t good = 0;
        while (good < length && apus_utf8_feed(&state, bytes + good, 1) == 1)
            good++;
        CHECK_EQUAL(good, rows[i].valid ? length : rows[i].bad_at);
    }
    apus_utf8_state state = 0;
    CHECK_EQUAL(apus_utf8_feed(&state, (const uint8_t*)"\xE2\x82", 2), 2);
    CHECK(state != 0);
    CHECK(!apus_utf8_valid((const uint8_t*)"\xE2\x82", 2));
}

static void ascii_at_every_level(void) {
    enum { LENGTH = 200 };
    uint8_t bytes[LENGTH + 1];
    memset(bytes, 'a', sizeof bytes);
    uint32_t wrong = 0;
    for (uint8_t level = 0; level <= apus_ascii_best(); level++) {
        for (size_t length = 0; length <= LENGTH; length++) {
            if (!apus_ascii_only_at(level, bytes, length)) wrong++;
            for (size_t at = 0; at <= length; at += at < 70 ? 1 : 13) {
                bytes[at] = 0x80;
                if (apus_ascii_only_at(level, bytes, length) != (at == length)) wrong++;
                bytes[at] = 'a';
            }
        }
    }
    CHECK_EQUAL(wrong, 0);
    CHECK(apus_ascii_only((const uint8_t*)"plain", 5));
    CHECK(!apus_ascii_only((const uint8_t*)"pl\xC3\xA4in", 6));
}

static void positions_in(apus_vector vector) {
    enum { LENGTH = 1000 };
    uint8_t bytes[LENGTH + APUS_PADDING];
    uint32_t positions[LENGTH + 16];
    apus_random random;
    apus_random_seed(&random, 9);
    for (uint64_t density = 1; density <= 100; density = density * 3 + 1) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = apus_random_below(&random, density) == 0 ? ',' : (uint8_t)apus_random_below(&random, 256);
        static const size_t lengths[] = {0, 1, 63, 64, 65, 200, LENGTH};
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            size_t count = apus_byte_positions(vector, bytes, lengths[i], ',', positions), expected = 0, wrong = 0;
            for (uint32_t at = 0; at < lengths[i]; at++) {
                if (bytes[at] != ',') continue;
                if (expected >= count || positions[expected] != at) wrong++;
                expected++;
            }
            CHECK_EQUAL(count, expected);
            CHECK_EQUAL(wrong, 0);
        }
    }
}

static void byte_positions(void) {
    check_each_vector(positions_in);
}

// MARK: JSON

// Writes the tokens of a text shortly: { } [ ] k: 'string' number t f n; an error as "!fault@offset".
static void json_tokens(const char* text, size_t length, char* out, size_t room) {
    apus_json json;
    size_t used = 0;
    apus_json_init(&json, text, length);
    for (;;) {
        apus_json_token token = apus_json_next(&json);
        const char* at = text + json.text_start;
        int size = (int)json.text_length;
        if (token == APUS_JSON_END || used + 64 > room) break;
        if (token == APUS_JSON_ERROR) {
            used += (size_t)snprintf(out + used, room - used, "!%d@%zu", json.fault, json.error_offset);
            break;
        }
        if (token == APUS_JSON_KEY) {
            used += (size_t)snprintf(out + used, room - used, "%.*s:", size, at);
        } else if (token == APUS_JSON_STRING) {
            used += (size_t)snprintf(out + used, room - used, "'%.*s'", size, at);
        } else if (token == APUS_JSON_NUMBER) {
            used += (size_t)snprintf(out + used, room - used, "%.*s ", size, at);
        } else {
            static const char marks[] = "?{}[]???tfn";
            out[used++] = marks[token];
        }
    }
    out[used] = 0;
}

static void json_values_and_faults(void) {
    static const struct {
        const char* text;
        const char* tokens;
    } rows[] = {
        {" {\"a\" : [1,-2.5e+3 ,true,false,null, \"x\"],\"b\":{ },\"c\":[ ]}\r\n\t", "{a:[1 -2.5e+3 tfn'x']b:{}c:[]}"},
        {"7", "7 "},
        {"\"\"", "''"},
        {"\"\\u00e9\\n\"", "'\\u00e9\\n'"},
        {"", "!1@0"},
        {"{", "{!1@1"},
        {"[1", "[1 !1@2"},
        {"tru", "!1@3"},
        {"{\"a\":1,}", "{a:1 !2@7"},
        {"[1,]", "[1 !2@3"},
        {"{1:2}", "{!2@1"},
        {"[1 2]", "[1 !2@3"},
        {"[1}", "[1 !2@2"},
        {"\"\\x\"", "!3@2"},
        {"\"a\x01\"", "!4@2"},
        {"01", "!5@1"},
        {"1.x", "!5@2"},
        {"1 1", "1 !7@2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char tokens[256];
        json_tokens(rows[i].text, strlen(rows[i].text), tokens, sizeof tokens);
        CHECK_TEXT(tokens, strlen(tokens), rows[i].tokens);
    }
    char deep[APUS_JSON_DEPTH_MAX + 2], tokens[512];
    memset(deep, '[', sizeof deep);
    json_tokens(deep, APUS_JSON_DEPTH_MAX + 1, tokens, sizeof tokens);
    CHECK(strstr(tokens, "!6@64") != NULL);
}

static void json_escapes(void) {
    static const struct {
        const char* raw;
        const char* text;
    } rows[] = {
        {"\"\\u0041\\n\\t\\\"\\\\\\/\\b\\f\\r\"", "A\n\t\"\\/\b\f\r"},
        {"\"\\u00e9\\u20ac\"", "\xC3\xA9\xE2\x82\xAC"},
        {"\"\\ud83d\\ude00\"", "\xF0\x9F\x98\x80"},
        {"\"\\ud83d\"", "\xEF\xBF\xBD"},
        {"\"\\ud83d\\u0041\"", "\xEF\xBF\xBD"
                               "A"},
        {"\"as it is\"", "as it is"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        apus_json json;
        uint8_t scratch[64];
        const uint8_t* text;
        size_t length;
        apus_json_init(&json, rows[i].raw, strlen(rows[i].raw));
        CHECK_EQUAL(apus_json_next(&json), APUS_JSON_STRING);
        CHECK_EQUAL(apus_json_text(&json, scratch, sizeof scratch, &text, &length), 0);
        CHECK_TEXT(text, length, rows[i].text);
        CHECK(apus_json_equals(&json, rows[i].text, strlen(rows[i].text)));
        CHECK(!apus_json_equals(&json, "another", 7));
    }
    apus_json json;
    apus_json_init(&json, "[{\"a\":[1,{\"b\":2}]},3]", 21);
    CHECK_EQUAL(apus_json_next(&json), APUS_JSON_ARRAY_BEGIN);
    CHECK_EQUAL(apus_json_next(&json), APUS_JSON_OBJECT_BEGIN);
    CHECK(apus_json_skip(&json, APUS_JSON_OBJECT_BEGIN));
    CHECK_EQUAL(apus_json_next(&json), APUS_JSON_NUMBER);
    CHECK_EQUAL(apus_json_next(&json), APUS_JSON_ARRAY_END);
    CHECK_EQUAL(apus_json_next(&json), APUS_JSON_END);
}

// MARK: decimals

static void decimals_are_exact_or_an_error(void) {
    static const struct {
        const char* text;
        uint32_t decimals;
        int error;
        int64_t value;
    } rows[] = {
        {"61496.50", 2, 0, 6149650},
        {"0.3510", 3, 0, 351},
        {"-3", 0, 0, -3},
        {".5", 1, 0, 5},
        {"1.5e3", 0, 0, 1500},
        {"12e-1", 1, 0, 12},
        {"9223372036854775807", 0, 0, INT64_MAX},
        {"-9223372036854775808", 0, 0, INT64_MIN},
        {"0.000000000000000001", 18, 0, 1},
        {"9223372036854775808", 0, -ERANGE, 0},
        {"0.3511", 3, -EDOM, 0},
        {"", 2, -EINVAL, 0},
        {"-", 2, -EINVAL, 0},
        {"1.2.3", 2, -EINVAL, 0},
        {"1x", 2, -EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t value = 0;
        const uint8_t* text = (const uint8_t*)rows[i].text;
        check_context = rows[i].text;
        CHECK_EQUAL(apus_decimal_parse(text, strlen(rows[i].text), rows[i].decimals, &value, NULL), rows[i].error);
        if (rows[i].error == 0) CHECK_EQUAL(value, rows[i].value);
    }
    check_context = NULL;
    char out[APUS_DECIMAL_TEXT_BYTES];
    CHECK_TEXT(out, apus_decimal_format(6149650, 2, out), "61496.50");
    CHECK_TEXT(out, apus_decimal_format(-5, 3, out), "-0.005");
    CHECK_TEXT(out, apus_decimal_format(INT64_MIN, 0, out), "-9223372036854775808");
    CHECK_TEXT(out, apus_u64_format(UINT64_MAX, out), "18446744073709551615");
    uint64_t number = 0;
    CHECK_EQUAL(apus_u64_parse((const uint8_t*)"18446744073709551615", 20, &number), 0);
    CHECK(number == UINT64_MAX);
    CHECK_EQUAL(apus_u64_parse((const uint8_t*)"18446744073709551616", 20, &number), -ERANGE);
    CHECK_EQUAL(apus_u64_parse((const uint8_t*)"01", 2, &number), -EINVAL);
}

static void every_decimal_comes_back(void) {
    apus_random random;
    apus_random_seed(&random, 11);
    uint32_t wrong = 0;
    for (int i = 0; i < 20000; i++) {
        int64_t value = (int64_t)(apus_random_next(&random) >> apus_random_below(&random, 64)), read = 0;
        uint32_t decimals = (uint32_t)apus_random_below(&random, APUS_DECIMALS_MAX + 1);
        if (i & 1) value = -value;
        char text[APUS_DECIMAL_TEXT_BYTES];
        size_t length = apus_decimal_format(value, decimals, text);
        if (apus_decimal_parse((const uint8_t*)text, length, decimals, &read, NULL) != 0 || read != value) wrong++;
    }
    CHECK_EQUAL(wrong, 0);
}

// MARK: HMAC

// RFC 4231, test cases 1, 2, 3, 6 and 7.
static void hmac_vectors(void) {
    static const struct {
        const char *key, *text, *digest;
        size_t key_fill, text_fill;
    } rows[] = {
        {"\x0b", "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", 20, 0},
        {"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", 0,
         0},
        {"\xaa", "\xdd", "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe", 20, 50},
        {"\xaa", "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", 131, 0},
        {"\xaa",
         "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
         "hashed before being used by the HMAC algorithm.",
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2", 131, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char key[256], text[256], hex[64];
        uint8_t digest[32];
        size_t key_length = rows[i].key_fill ? rows[i].key_fill : strlen(rows[i].key);
        size_t text_length = rows[i].text_fill ? rows[i].text_fill : strlen(rows[i].text);
        for (size_t k = 0; k < key_length; k++)
            key[k] = rows[i].key_fill ? rows[i].key[0] : rows[i].key[k];
        for (size_t k = 0; k < text_length; k++)
            text[k] = rows[i].text_fill ? rows[i].text[0] : rows[i].text[k];
        apus_hmac_key prepared;
        apus_hmac_prepare(&prepared, key, key_length);
        for (int again = 0; again < 2; again++) {
            apus_hmac_sign(&prepared, text, text_length, digest);
            apus_hex32(digest, hex);
            CHECK_TEXT(hex, sizeof hex, rows[i].digest);
        }
        apus_hmac_wipe(&prepared);
        uint64_t left = 0;
        for (size_t k = 0; k < APUS_HMAC_STATE_BYTES / 8; k++)
            left |= prepared.inner[k] | prepared.outer[k];
        CHECK(left == 0);
    }
}

// MARK: waits

static void backoff_is_bounded_and_spread(void) {
    apus_random random;
    apus_random_seed(&random, 3);
    for (uint32_t failures = 0; failures < 70; failures++) {
        uint64_t most = 0, limit = failures < 7 ? 250ull << failures : 30000;
        if (limit > 30000) limit = 30000;
        for (int i = 0; i < 2000; i++) {
            uint64_t wait = apus_backoff(&random, 250, 30000, failures);
            if (wait > most) most = wait;
        }
        CHECK(most <= limit && most > limit / 10 * 9);
    }
    CHECK(apus_time_after(UINT64_MAX - 5, 6) == UINT64_MAX);
    CHECK_EQUAL(apus_time_after(5, 6), 11);
    CHECK(apus_time_limit(5, 0) == UINT64_MAX);
    CHECK_EQUAL(apus_time_earlier(3, 4), 3);
    CHECK_EQUAL(apus_time_later(3, 4), 4);
}

// The first outputs of xoshiro256** for seed 42 through splitmix64, as its reference gives them.
static void random_numbers_are_the_same_everywhere(void) {
    apus_random random;
    apus_random_seed(&random, 42);
    CHECK(apus_random_next(&random) == 0x15780B2E0C2EC716u);
    CHECK(apus_random_next(&random) == 0x6104D9866D113A7Eu);
    for (int i = 0; i < 1000; i++) {
        CHECK(apus_random_below(&random, 7) < 7);
    }
    CHECK_EQUAL(apus_random_below(&random, 0), 0);
}

const check_test text_tests[] = {
    {"utf-8: known texts, whole and byte by byte", utf8_known_texts},
    {"ascii: every level finds a byte at every place", ascii_at_every_level},
    {"bytes: every variant finds every one", byte_positions},
    {"json: values, and faults with their places", json_values_and_faults},
    {"json: escapes and skipping", json_escapes},
    {"decimals: exact or an error", decimals_are_exact_or_an_error},
    {"decimals: every one comes back", every_decimal_comes_back},
    {"hmac: RFC 4231", hmac_vectors},
    {"backoff: bounded and spread", backoff_is_bounded_and_spread},
    {"random: the same numbers everywhere", random_numbers_are_the_same_everywhere},
    {0},
};
