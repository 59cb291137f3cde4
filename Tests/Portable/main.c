// The unit tests of the rings and the protocol in plain C, for processors and compilers that have no Swift: each reader that
// knows several widths of instruction is run in all that this processor has, and must give the same.
//
//   portable [--list] [--self-check] [--recording FILE APPLIED DIGEST]
//
// --self-check adds a test that cannot pass, so that whoever believes this program has seen it fail.
// Ends with "N passed, M failed"; the exit code is 0 when nothing failed, 64 for a wrong command line.
#include "check.h"

#include "apus_limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char* check_context;

static unsigned failures;
static unsigned checks;

static void failed(const char* file, int line) {
    const char* name = strrchr(file, '/');
    failures++;
    printf("  %s:%d: ", name ? name + 1 : file, line);
    if (check_context) printf("[%s] ", check_context);
}

void check_true(bool holds, const char* what, const char* file, int line) {
    checks++;
    if (holds) return;
    failed(file, line);
    printf("%s does not hold\n", what);
}

void check_equal(int64_t value, int64_t expected, const char* what, const char* file, int line) {
    checks++;
    if (value == expected) return;
    failed(file, line);
    printf("%s is %lld, not %lld\n", what, (long long)value, (long long)expected);
}

void check_bytes(const void* bytes, size_t length, const char* expected, const char* what, const char* file, int line) {
    checks++;
    size_t wanted = strlen(expected);
    if (length == wanted && (length == 0 || memcmp(bytes, expected, length) == 0)) return;
    failed(file, line);
    printf("%s is \"%.*s\", not \"%s\"\n", what, (int)length, length ? (const char*)bytes : "", expected);
}

void check_each_vector(void (*body)(apus_vector vector)) {
    for (int vector = APUS_VECTOR_PORTABLE; vector <= APUS_VECTOR_AVX512; vector++) {
        if (!apus_vector_available((apus_vector)vector)) continue;
        check_context = apus_vector_name((apus_vector)vector);
        body((apus_vector)vector);
        check_context = NULL;
    }
}

void* check_memory(size_t bytes) {
    void* memory = aligned_alloc(APUS_CACHE_LINE, (bytes + APUS_CACHE_LINE - 1) & ~(size_t)(APUS_CACHE_LINE - 1));
    if (memory == NULL) {
        fputs("no memory\n", stderr);
        exit(70);
    }
    return memset(memory, 0, bytes);
}

uint8_t* check_padded(const void* text, size_t length) {
    uint8_t* bytes = malloc(length + APUS_PADDING);
    if (bytes == NULL) {
        fputs("no memory\n", stderr);
        exit(70);
    }
    if (length > 0) memcpy(bytes, text, length);
    memset(bytes + length, '"', APUS_PADDING);
    return bytes;
}

static void cannot_pass(void) {
    CHECK_EQUAL(2 + 2, 5);
}

static const check_test self_check[] = {{"a test that cannot pass", cannot_pass}, {0}};
static replay_expected recording;

static void recorded(void) {
    replay_recording(&recording);
}

static const check_test recording_tests[] = {{"a recording ends in the reference's book", recorded}, {0}};

typedef struct totals {
    unsigned passed, failed;
    bool list;
} totals;

static void run(const check_test* table, totals* totals) {
    for (; table->run != NULL; table++) {
        if (totals->list) {
            puts(table->name);
            continue;
        }
        unsigned before = failures, checks_before = checks;
        check_context = NULL;
        table->run();
        if (checks == checks_before) {
            printf("  %s checks nothing\n", table->name);
            failures++;
        }
        if (failures == before) {
            totals->passed++;
        } else {
            totals->failed++;
            printf("FAILED %s\n", table->name);
        }
    }
}

static int usage(void) {
    fputs("usage: portable [--list] [--self-check] [--recording FILE APPLIED DIGEST]\n", stderr);
    return 64;
}

int main(int count, char** arguments) {
    totals totals = {0};
    bool fails = false;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--list") == 0) {
            totals.list = true;
        } else if (strcmp(arguments[i], "--self-check") == 0) {
            fails = true;
        } else if (strcmp(arguments[i], "--recording") == 0 && i + 3 < count) {
            recording.path = arguments[i + 1];
            recording.applied = strtoull(arguments[i + 2], NULL, 10);
            recording.digest = arguments[i + 3];
            i += 3;
        } else {
            return usage();
        }
    }
    static const check_test* const tables[] = {ring_tests, shared_tests, text_tests,    frame_tests,     http_tests,
                                               link_tests, book_tests,   binance_tests, polymarket_tests};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        run(tables[i], &totals);
    if (recording.path != NULL) run(recording_tests, &totals);
    if (fails) run(self_check, &totals);
    if (totals.list) return 0;
    printf("best instructions: %s; %u checks\n", apus_vector_name(apus_vector_best()), checks);
    printf("%u passed, %u failed\n", totals.passed, totals.failed);
    return totals.failed == 0 ? 0 : 1;
}
