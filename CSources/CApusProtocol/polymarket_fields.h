// Reading answers and events by the general scanner: members of one object by name. Internal.
#ifndef POLYMARKET_FIELDS_H
#define POLYMARKET_FIELDS_H

#include "apus_json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A member's value: the text of a scalar, or the whole text of an object or array with its brackets.
typedef struct apus_field {
    const uint8_t* text;
    size_t length;
    apus_json_token token; // APUS_JSON_END: absent
} apus_field;

// Reads the members of the object whose names are given; others are passed over, the last of a repeated name counts. Returns 0,
// or -EBADMSG for what is no object.
int apus_fields_read(const uint8_t* text, size_t length, const char* const* names, apus_field* fields, size_t count);

// Takes an array apart: `next` is called with each element until it returns false. Returns 0 or -EBADMSG.
typedef bool apus_fields_visit(void* context, const apus_field* element);
int apus_fields_each(const uint8_t* text, size_t length, apus_fields_visit* next, void* context);

bool apus_field_is(const apus_field* field, const char* text);
static inline bool apus_field_has(const apus_field* field) {
    return field->token != APUS_JSON_END && field->token != APUS_JSON_NULL;
}
// A number or a string of one, in units of 10^-decimals. What is absent is 0. Returns 0 or -EBADMSG.
int apus_field_decimal(const apus_field* field, uint32_t decimals, int64_t* value);
int apus_field_u64(const apus_field* field, uint64_t* value);

#endif
