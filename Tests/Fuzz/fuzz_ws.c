// WebSocket frames: any bytes, cut anywhere, give the same items at the same offsets as the same bytes in one piece; every
// text is UTF-8 by an independent rule; every message comes back from our own encoder under its mask.
#include "apus_utf8.h"
#include "apus_ws.h"

#include <stdlib.h>
#include <string.h>

enum { ITEMS_MAX = 512, MESSAGE_MAX = 2048 };

typedef struct seen { // without padding, as it is compared byte by byte
    int32_t kind;
    uint32_t code;
    uint64_t offset; // of an error
    size_t size;
    uint64_t hash;
} seen;

typedef struct history {
    seen items[ITEMS_MAX];
    uint32_t count;
} history;

static void check(int condition) {
    if (!condition) abort();
}

static uint64_t hash(const uint8_t* bytes, size_t size) {
    uint64_t value = 1469598103934665603u;
    for (size_t i = 0; i < size; i++)
        value = (value ^ bytes[i]) * 1099511628211u;
    return value;
}

// Decodes code points and looks at their values, where apus_utf8 looks at ranges of bytes.
static int is_text(const uint8_t* bytes, size_t size) {
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    for (size_t i = 0; i < size;) {
        uint32_t more = bytes[i] < 0x80       ? 0
                        : bytes[i] >> 5 == 6  ? 1
                        : bytes[i] >> 4 == 14 ? 2
                        : bytes[i] >> 3 == 30 ? 3
                                              : 4;
        if (more == 4 || size - i <= more) return 0;
        uint32_t point = more == 0 ? bytes[i] : bytes[i] & (0x3fu >> more);
        for (uint32_t k = 1; k <= more; k++) {
            if (bytes[i + k] >> 6 != 2) return 0;
            point = point << 6 | (bytes[i + k] & 0x3f);
        }
        if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return 0;
        i += more + 1;
    }
    return 1;
}

static void unmask_equals(const apus_buffer* tx, uint8_t opcode, const uint8_t* payload, size_t size) {
    const uint8_t* at = tx->base + tx->start;
    size_t header = apus_ws_header_bytes(size);
    check(apus_buffer_used(tx) == header + size && at[0] == (0x80 | opcode) && (at[1] & 0x80));
    uint64_t length = at[1] & 0x7f;
    if (length == 126) length = (uint64_t)at[2] << 8 | at[3];
    check(length == size);
    for (size_t i = 0; i < size; i++)
        check((at[header + i] ^ at[header - 4 + (i & 3)]) == payload[i]);
}

static void encode_again(const apus_ws_item* item, uint8_t opcode, apus_random* random) {
    uint8_t* memory = malloc(MESSAGE_MAX + 64 + APUS_PADDING);
    apus_buffer tx;
    apus_buffer_init(&tx, memory, MESSAGE_MAX + 64 + APUS_PADDING);
    check(apus_ws_send(&tx, random, opcode, item->data, item->size) == 0);
    unmask_equals(&tx, opcode, item->data, item->size);
    tx.start = tx.end;
    uint8_t* place = apus_ws_reserve(&tx, MESSAGE_MAX);
    check(place != NULL);
    memcpy(place, item->data, item->size);
    apus_ws_seal(&tx, random, opcode, place, MESSAGE_MAX, item->size);
    unmask_equals(&tx, opcode, item->data, item->size);
    free(memory);
}

static void drain(apus_ws* ws, apus_buffer* rx, apus_random* random, history* out) {
    apus_ws_item item;
    int kind;
    while ((kind = apus_ws_next(ws, rx, &item)) != APUS_WS_NEED_MORE) {
        seen now = {.kind = kind};
        if (kind == APUS_WS_ERROR) {
            check(item.what != NULL);
            now.code = item.code;
            now.offset = item.offset;
        } else {
            check(item.data >= rx->base && item.data + item.size <= rx->base + rx->end);
            now.size = item.size;
            now.hash = hash(item.data, item.size);
            if (kind == APUS_WS_CLOSE) now.code = item.code;
            if (kind == APUS_WS_TEXT || kind == APUS_WS_CLOSE) check(is_text(item.data, item.size));
            if (kind == APUS_WS_TEXT || kind == APUS_WS_BINARY) encode_again(&item, (uint8_t)kind, random);
        }
        if (out->count < ITEMS_MAX) out->items[out->count++] = now;
        check(rx->start <= rx->end && rx->end <= rx->capacity);
    }
}

static void run(const uint8_t* bytes, size_t size, size_t capacity, uint64_t seed, int cut, history* out) {
    // A memory of exactly this size lets AddressSanitizer see every step beyond it.
    uint8_t* memory = malloc(capacity + APUS_PADDING);
    memset(memory, 0x81, capacity + APUS_PADDING);
    apus_channel channel = {0};
    apus_buffer_init(&channel.rx, memory, capacity + APUS_PADDING);
    apus_random random;
    apus_random_seed(&random, seed);
    apus_ws ws;
    apus_ws_init(&ws, MESSAGE_MAX);
    out->count = 0;
    while (size > 0) {
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
        drain(&ws, &channel.rx, &random, out);
        if (cut && apus_random_below(&random, 4) == 0) apus_buffer_compact(&channel.rx);
    }
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 1) return 0;
    static history whole, pieces;
    run(data + 1, size - 1, size + 16, data[0], 0, &whole);
    run(data + 1, size - 1, MESSAGE_MAX + APUS_WS_OVERHEAD, data[0], 1, &pieces);
    check(whole.count == pieces.count);
    check(memcmp(whole.items, pieces.items, whole.count * sizeof(seen)) == 0);
    return 0;
}
