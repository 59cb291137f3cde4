// The small texts of HTTP: header fields, lists, numbers. Internal.
#ifndef APUS_HTTP_TEXT_H
#define APUS_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct apus_http_field {
    const char* name;
    const char* value; // without the blanks around it
    size_t name_size;
    size_t value_size;
} apus_http_field;

// Splits a header line without its CR LF. Returns NULL or what is wrong with it.
const char* apus_http_split_field(const char* line, size_t size, apus_http_field* field);

// Walks over the header lines of a checked head; *at is 0 at the start. Returns false after the last.
bool apus_http_next_field(const char* head, size_t size, size_t* at, apus_http_field* field);

// Comparisons without regard to case; `text` is lower case.
bool apus_http_text_is(const char* value, size_t size, const char* text);
bool apus_http_name_is(const apus_http_field* field, const char* name);
// Whether a comma-separated list holds the token.
bool apus_http_list_has(const char* value, size_t size, const char* token);

// A number of seconds, saturating; 0 when the text is something else.
uint32_t apus_http_seconds(const char* value, size_t size);

#endif
