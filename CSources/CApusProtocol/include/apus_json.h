// A strict pull scanner for JSON (RFC 8259): no memory of its own, every error with its byte offset.
//
// It is what a decoder falls back to when a message is not written the way the venue always writes it. A scanner belongs to
// one thread; the text stays the caller's and must live as long as tokens are used. Nothing is read beyond the text.
//
//     apus_json json;
//     apus_json_init(&json, bytes, length);
//     while ((token = apus_json_next(&json)) > APUS_JSON_END) ...     // APUS_JSON_END: one whole value was read
//
// Strings are checked (escapes, control characters) but stay as they are in the text; apus_json_text gives the decoded form.
// UTF-8 is not checked: the WebSocket layer has done so. Nesting is limited to APUS_JSON_DEPTH_MAX.
#ifndef APUS_JSON_H
#define APUS_JSON_H

#include "apus_limits.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum apus_json_token {
    APUS_JSON_ERROR = -1, // see error and error_offset; every later call gives the same
    APUS_JSON_END = 0,    // one value and nothing but white space behind it
    APUS_JSON_OBJECT_BEGIN,
    APUS_JSON_OBJECT_END,
    APUS_JSON_ARRAY_BEGIN,
    APUS_JSON_ARRAY_END,
    APUS_JSON_KEY,    // text: between the quotes
    APUS_JSON_STRING, // text: between the quotes
    APUS_JSON_NUMBER, // text: the number
    APUS_JSON_TRUE,
    APUS_JSON_FALSE,
    APUS_JSON_NULL,
} apus_json_token;

// What is wrong with a text.
typedef enum apus_json_fault {
    APUS_JSON_FAULT_NONE = 0,
    APUS_JSON_FAULT_TRUNCATED,  // the text ends inside a value
    APUS_JSON_FAULT_UNEXPECTED, // a byte that cannot stand there
    APUS_JSON_FAULT_ESCAPE,     // a bad escape in a string
    APUS_JSON_FAULT_CONTROL,    // a control character in a string
    APUS_JSON_FAULT_NUMBER,     // a number not of JSON's form
    APUS_JSON_FAULT_DEPTH,      // nested deeper than APUS_JSON_DEPTH_MAX
    APUS_JSON_FAULT_TRAILING,   // something behind the value
} apus_json_fault;

typedef struct apus_json {
    const uint8_t* bytes;
    size_t length;
    size_t position; // of the next unread byte
    // The newest token's text (key, string, number), by offset.
    size_t text_start;
    size_t text_length;
    uint64_t objects; // bit n: the level n + 1 is an object, not an array
    size_t error_offset;
    uint32_t depth;
    uint8_t fault; // apus_json_fault
    uint8_t expect;
    bool escaped; // the newest key or string has escapes
} apus_json;

void apus_json_init(apus_json* json, const void* bytes, size_t length);

// The next token.
apus_json_token apus_json_next(apus_json* json);

// Passes over the rest of the value whose first token was just given: to its end for OBJECT_BEGIN and ARRAY_BEGIN, nothing
// for a scalar. After a KEY it passes over the key's value. Returns false on an error.
bool apus_json_skip(apus_json* json, apus_json_token token);

// Whether the newest key or string, decoded, is `text` (of at most 64 bytes).
bool apus_json_equals(const apus_json* json, const char* text, size_t length);

// The newest key or string, decoded. Without escapes *text points into the message; else it is decoded into `scratch`.
// Returns 0, or -ENOBUFS when the decoded text is longer than `capacity`.
int apus_json_text(const apus_json* json, uint8_t* scratch, size_t capacity, const uint8_t** text, size_t* length);

// Decodes the escapes of a string that the scanner has accepted. A lone surrogate becomes U+FFFD. Returns the length, or
// -ENOBUFS when it is longer than `capacity`.
int64_t apus_json_unescape(const uint8_t* raw, size_t length, uint8_t* out, size_t capacity);

// A sentence's end for a fault, such as "control character in a string".
const char* apus_json_fault_text(uint8_t fault);

#endif
