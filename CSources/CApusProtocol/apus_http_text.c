#include "apus_http_text.h"

#include <string.h>

// RFC 9110, section 5.6.2.
static bool token_character(uint8_t c) {
    if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')) return true;
    return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool blank(char c) {
    return c == ' ' || c == '\t';
}

static void trim(const char** text, size_t* size) {
    while (*size > 0 && blank(**text)) {
        ++*text;
        --*size;
    }
    while (*size > 0 && blank((*text)[*size - 1]))
        --*size;
}

const char* apus_http_split_field(const char* line, size_t size, apus_http_field* field) {
    if (size > 0 && blank(line[0])) return "folded header line";
    size_t name = 0;
    while (name < size && token_character((uint8_t)line[name]))
        name++;
    if (name == 0 || name == size || line[name] != ':') return "header line without a name and a colon";
    field->name = line;
    field->name_size = name;
    field->value = line + name + 1;
    field->value_size = size - name - 1;
    trim(&field->value, &field->value_size);
    return NULL;
}

bool apus_http_next_field(const char* head, size_t size, size_t* at, apus_http_field* field) {
    if (*at == 0) {
        const char* end = size > 0 ? memchr(head, '\n', size) : NULL;
        if (!end) return false;
        *at = (size_t)(end - head) + 1;
    }
    while (*at < size) {
        const char* line = head + *at;
        const char* end = memchr(line, '\r', size - *at);
        if (!end || end == line) return false;
        *at += (size_t)(end - line) + 2;
        if (apus_http_split_field(line, (size_t)(end - line), field) == NULL) return true;
    }
    return false;
}

bool apus_http_text_is(const char* value, size_t size, const char* text) {
    for (size_t i = 0; i < size; i++) {
        if (text[i] == 0 || lower(value[i]) != lower(text[i])) return false;
    }
    return text[size] == 0;
}

bool apus_http_name_is(const apus_http_field* field, const char* name) {
    return apus_http_text_is(field->name, field->name_size, name);
}

bool apus_http_list_has(const char* value, size_t size, const char* token) {
    while (size > 0) {
        const char* comma = memchr(value, ',', size);
        const char* item = value;
        size_t length = comma ? (size_t)(comma - value) : size;
        size_t step = comma ? length + 1 : length;
        trim(&item, &length);
        if (apus_http_text_is(item, length, token)) return true;
        value += step;
        size -= step;
    }
    return false;
}

uint32_t apus_http_seconds(const char* value, size_t size) {
    uint64_t number = 0;
    if (size == 0) return 0;
    for (size_t i = 0; i < size; i++) {
        if (value[i] < '0' || value[i] > '9') return 0;
        if (number <= UINT32_MAX) number = number * 10 + (uint64_t)(value[i] - '0');
    }
    return number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}
