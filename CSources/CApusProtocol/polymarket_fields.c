#include "polymarket_fields.h"
#include "apus_decimal.h"

#include <errno.h>
#include <string.h>

// The value whose first token was just given.
static bool take_value(apus_json* json, apus_json_token token, const uint8_t* text, apus_field* field) {
    bool nested = token == APUS_JSON_OBJECT_BEGIN || token == APUS_JSON_ARRAY_BEGIN;
    size_t start = nested ? json->position - 1 : json->text_start;
    if (!apus_json_skip(json, token)) return false;
    size_t size = nested ? json->position - start : json->text_length;
    *field = (apus_field){.text = text + start, .length = size, .token = token};
    return true;
}

int apus_fields_read(const uint8_t* text, size_t length, const char* const* names, apus_field* fields, size_t count) {
    apus_json json;
    apus_json_init(&json, text, length);
    memset(fields, 0, count * sizeof *fields);
    if (apus_json_next(&json) != APUS_JSON_OBJECT_BEGIN) return -EBADMSG;
    apus_json_token token;
    while ((token = apus_json_next(&json)) == APUS_JSON_KEY) {
        size_t which = 0;
        while (which < count && !apus_json_equals(&json, names[which], strlen(names[which]))) {
            which++;
        }
        apus_field field;
        token = apus_json_next(&json);
        if (!take_value(&json, token, text, &field)) return -EBADMSG;
        if (which < count) fields[which] = field;
    }
    return token == APUS_JSON_OBJECT_END && apus_json_next(&json) == APUS_JSON_END ? 0 : -EBADMSG;
}

int apus_fields_each(const uint8_t* text, size_t length, apus_fields_visit* next, void* context) {
    apus_json json;
    apus_json_init(&json, text, length);
    if (apus_json_next(&json) != APUS_JSON_ARRAY_BEGIN) return -EBADMSG;
    apus_json_token token;
    while ((token = apus_json_next(&json)) > APUS_JSON_END && token != APUS_JSON_ARRAY_END) {
        apus_field element;
        if (!take_value(&json, token, text, &element)) return -EBADMSG;
        if (!next(context, &element)) return 0;
    }
    return token == APUS_JSON_ARRAY_END && apus_json_next(&json) == APUS_JSON_END ? 0 : -EBADMSG;
}

bool apus_field_is(const apus_field* field, const char* text) {
    return field->token == APUS_JSON_STRING && field->length == strlen(text)
           && memcmp(field->text, text, field->length) == 0;
}

static bool scalar(const apus_field* field) {
    return field->token == APUS_JSON_STRING || field->token == APUS_JSON_NUMBER;
}

int apus_field_decimal(const apus_field* field, uint32_t decimals, int64_t* value) {
    *value = 0;
    if (!apus_field_has(field)) return 0;
    return scalar(field) && apus_decimal_parse(field->text, field->length, decimals, value, NULL) == 0 ? 0 : -EBADMSG;
}

int apus_field_u64(const apus_field* field, uint64_t* value) {
    *value = 0;
    if (!apus_field_has(field)) return 0;
    return scalar(field) && apus_u64_parse(field->text, field->length, value) == 0 ? 0 : -EBADMSG;
}
