// HTTP answers: any bytes, cut anywhere, give the same answers and the same errors at the same offsets as in one piece.
#include "apus_http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWERS_MAX = 256, BODY_MAX = 1 << 16 };

typedef struct seen {
    int64_t result;
    uint64_t head_hash;
    uint64_t body_hash;
    uint64_t offset; // of an error
    size_t body_size;
    uint32_t retry_after_s;
    uint16_t status;
    uint16_t keep_alive;
} seen;

typedef struct history {
    seen answers[ANSWERS_MAX];
    uint32_t count;
} history;

static void check(int condition) {
    if (!condition) abort();
}

static uint64_t hash(const void* bytes, size_t size) {
    uint64_t value = 1469598103934665603u;
    for (size_t i = 0; i < size; i++)
        value = (value ^ ((const uint8_t*)bytes)[i]) * 1099511628211u;
    return value;
}

static void look_up(const apus_http_response* response) {
    static const char* const names[] = {"content-length", "retry-after", "x", "connection", "transfer-encoding"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t length = 0;
        const char* value = apus_http_header(response, names[i], &length);
        if (value) check(value >= response->head && value + length <= response->head + response->head_size);
        (void)apus_http_header_has(response, names[i], "close");
    }
    apus_http_upgrade upgrade = {.key = "dGhlIHNhbXBsZSBub25jZQ==", .accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="};
    (void)apus_http_upgrade_check(&upgrade, response);
}

// Returns false after an error.
static int drain(apus_http* http, apus_buffer* rx, int ended, history* out) {
    apus_http_response response;
    int result;
    while ((result = apus_http_next(http, rx, ended, &response)) != 0) {
        seen now = {.result = result};
        if (result == 1) {
            check(response.body + response.body_size <= rx->base + rx->end);
            now.head_hash = hash(response.head, response.head_size);
            now.body_hash = hash(response.body, response.body_size);
            now.body_size = response.body_size;
            now.retry_after_s = response.retry_after_s;
            now.status = response.status;
            now.keep_alive = response.keep_alive;
            look_up(&response);
        } else {
            check(http->what != NULL);
            now.offset = http->what_offset;
        }
        if (out->count < ANSWERS_MAX) out->answers[out->count++] = now;
        if (result < 0 || response.status == 101) return 0;
        check(rx->start <= rx->end && rx->end <= rx->capacity);
    }
    check(!ended);
    return 1;
}

static void run(const uint8_t* bytes, size_t size, uint64_t seed, int cut, history* out) {
    size_t capacity = size + 1;
    uint8_t* memory = malloc(capacity + APUS_PADDING);
    apus_channel channel = {0};
    apus_buffer_init(&channel.rx, memory, capacity + APUS_PADDING);
    apus_random random;
    apus_random_seed(&random, seed);
    apus_http http;
    apus_http_init(&http, BODY_MAX);
    out->count = 0;
    int going = 1;
    while (size > 0 && going) {
        uint8_t* at;
        size_t part = apus_channel_space(&channel, &at);
        check(part > 0);
        if (part > size) part = size;
        if (cut) {
            size_t most = 1 + (size_t)apus_random_below(&random, apus_random_below(&random, 8) == 0 ? 700 : 7);
            if (part > most) part = most;
        }
        memcpy(at, bytes, part);
        apus_channel_received(&channel, part, 1, 0);
        bytes += part;
        size -= part;
        going = drain(&http, &channel.rx, 0, out);
    }
    if (going) drain(&http, &channel.rx, 1, out);
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 1) return 0;
    static history whole, pieces;
    run(data + 1, size - 1, data[0], 0, &whole);
    run(data + 1, size - 1, data[0], 1, &pieces);
    check(whole.count == pieces.count);
    check(memcmp(whole.answers, pieces.answers, whole.count * sizeof(seen)) == 0);
    return 0;
}
