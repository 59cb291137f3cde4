// The JSON scanner on any bytes: it ends, its tokens balance, an error names a place in the text, and skipping a value gives what
// reading it gives. Decimals and integers are read from the same bytes, and what is read is written and read again.
#include "apus_decimal.h"
#include "apus_json.h"

#include <stdlib.h>

static void check(int condition) {
    if (!condition) abort();
}

// Reads everything. Returns the last token; *depth is the nesting when it came.
static apus_json_token read_all(apus_json* json, uint32_t* depth) {
    uint8_t decoded[128];
    *depth = 0;
    for (;;) {
        apus_json_token token = apus_json_next(json);
        if (token <= APUS_JSON_END) return token;
        if (token == APUS_JSON_OBJECT_BEGIN || token == APUS_JSON_ARRAY_BEGIN) ++*depth;
        if (token == APUS_JSON_OBJECT_END || token == APUS_JSON_ARRAY_END) {
            check(*depth > 0);
            --*depth;
        }
        check(*depth <= APUS_JSON_DEPTH_MAX && json->position <= json->length);
        if (token != APUS_JSON_KEY && token != APUS_JSON_STRING) continue;
        const uint8_t* text;
        size_t length;
        check(json->text_start + json->text_length < json->length);
        int result = apus_json_text(json, decoded, sizeof decoded, &text, &length);
        check(result == 0 || result == -ENOBUFS);
        if (result == 0 && length <= 64) check(apus_json_equals(json, (const char*)text, length));
    }
}

static void check_decimals(const uint8_t* data, size_t size) {
    for (uint32_t decimals = 0; decimals <= APUS_DECIMALS_MAX; decimals += 6) {
        int64_t value = 0, again = 0;
        size_t offset = 0;
        int result = apus_decimal_parse(data, size, decimals, &value, &offset);
        check(result == 0 || result == -EINVAL || result == -ERANGE || result == -EDOM);
        check(offset <= size);
        if (result != 0) continue;
        char text[APUS_DECIMAL_TEXT_BYTES];
        size_t length = apus_decimal_format(value, decimals, text);
        check(length <= sizeof text);
        check(apus_decimal_parse((const uint8_t*)text, length, decimals, &again, NULL) == 0 && again == value);
    }
    uint64_t number = 0;
    if (apus_u64_parse(data, size, &number) == 0) {
        char text[APUS_DECIMAL_TEXT_BYTES];
        check(apus_u64_format(number, text) == size && memcmp(text, data, size) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    apus_json json;
    uint32_t depth;
    apus_json_init(&json, data, size);
    apus_json_token last = read_all(&json, &depth);
    check(last == APUS_JSON_ERROR || depth == 0);
    check((last == APUS_JSON_ERROR) == (json.fault != APUS_JSON_FAULT_NONE));
    check(json.error_offset <= size && apus_json_fault_text(json.fault)[0] != 0);
    check(apus_json_next(&json) == last);

    apus_json skipped;
    apus_json_init(&skipped, data, size);
    apus_json_token first = apus_json_next(&skipped);
    bool whole =
        first != APUS_JSON_ERROR && apus_json_skip(&skipped, first) && apus_json_next(&skipped) == APUS_JSON_END;
    check(whole == (last == APUS_JSON_END));
    check(skipped.fault == json.fault && skipped.error_offset == json.error_offset);

    if (size <= 64) check_decimals(data, size);
    return 0;
}
