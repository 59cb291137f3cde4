// A test is a function in a table, under a name. A check that does not hold prints its place and fails the test that it
// stands in; the test goes on.
#ifndef PORTABLE_CHECK_H
#define PORTABLE_CHECK_H

#include "apus_vector.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct check_test {
    const char* name;
    void (*run)(void);
} check_test;

// Each ends with an empty entry.
extern const check_test ring_tests[];
extern const check_test shared_tests[];
extern const check_test text_tests[];
extern const check_test frame_tests[];
extern const check_test http_tests[];
extern const check_test link_tests[];
extern const check_test book_tests[];
extern const check_test binance_tests[];
extern const check_test polymarket_tests[];

// What the checks that fail belong to, such as "avx2"; printed with them. Static text or NULL.
extern const char* check_context;

void check_true(bool holds, const char* what, const char* file, int line);
void check_equal(int64_t value, int64_t expected, const char* what, const char* file, int line);
void check_bytes(const void* bytes, size_t length, const char* expected, const char* what, const char* file, int line);

#define CHECK(condition) check_true((condition), #condition, __FILE__, __LINE__)
#define CHECK_EQUAL(value, expected) check_equal((int64_t)(value), (int64_t)(expected), #value, __FILE__, __LINE__)
#define CHECK_TEXT(bytes, length, expected) check_bytes((bytes), (length), (expected), #bytes, __FILE__, __LINE__)

// Runs `body` for each vector variant of this processor.
void check_each_vector(void (*body)(apus_vector vector));

// Memory that the sanitizers see the ends of; never NULL. Free it with free.
void* check_memory(size_t bytes);

// A text with APUS_PADDING bytes behind it that would be noticed if they were taken for text. Free it with free.
uint8_t* check_padded(const void* text, size_t length);

// Replays `frames` lines "<ns> <message>" of a Binance recording in every vector variant, and holds the book against what the
// reference builder says of the same lines: its digest and how many messages it applied.
typedef struct replay_expected {
    const char* path;
    const char* digest;
    uint64_t applied;
} replay_expected;

void replay_recording(const replay_expected* expected);

#endif
