// WebSocket frames: whole, in pieces, in fragments, with text that is and is not UTF-8, and wrong ones.
#include "check.h"

#include "apus_ascii.h"
#include "apus_ws.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_MAX = 1 << 18, FOUND_MAX = 1 << 12 };

typedef struct stream {
    uint8_t* bytes;
    size_t size;
} stream;

static stream stream_make(void) {
    return (stream){.bytes = check_memory(STREAM_MAX)};
}

static void put(stream* to, const void* bytes, size_t size) {
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

// A server's frame. `first` is the opcode with the FIN bit.
static void put_frame(stream* to, uint8_t first, const void* payload, size_t size) {
    uint8_t header[10] = {first, (uint8_t)size};
    size_t length = 2;
    if (size >= 65536) {
        header[1] = 127;
        for (int i = 0; i < 8; i++)
            header[length++] = (uint8_t)((uint64_t)size >> (56 - 8 * i));
    } else if (size >= 126) {
        header[1] = 126;
        header[length++] = (uint8_t)(size >> 8);
        header[length++] = (uint8_t)size;
    }
    put(to, header, length);
    put(to, payload, size);
}

// Everything that came out of a stream, written one after another: what the ways to read it are compared by.
typedef struct found {
    char text[FOUND_MAX];
    size_t used;
} found;

static uint32_t sum_of(const uint8_t* bytes, size_t size) {
    uint32_t sum = 1;
    for (size_t i = 0; i < size; i++)
        sum = sum * 31 + bytes[i];
    return sum;
}

static void note(found* found, int kind, const apus_ws_item* item) {
    char* at = found->text + found->used;
    size_t room = FOUND_MAX - found->used;
    int length;
    if (kind == APUS_WS_ERROR) {
        length = snprintf(at, room, "error %u @%llu;", item->code, (unsigned long long)item->offset);
    } else if (kind == APUS_WS_CLOSE) {
        length = snprintf(at, room, "close %u %.*s;", item->code, (int)item->size, (const char*)item->data);
    } else if (item->size <= 20 && kind != APUS_WS_BINARY) {
        length = snprintf(at, room, "%d %.*s;", kind, (int)item->size, (const char*)item->data);
    } else {
        length = snprintf(at, room, "%d (%zu %08x);", kind, item->size, sum_of(item->data, item->size));
    }
    found->used += (size_t)length < room ? (size_t)length : 0;
}

// Feeds the stream in pieces into a buffer of `capacity` bytes.
static void read_stream(const stream* from, size_t piece, size_t max_message, size_t capacity, uint8_t level,
                        found* found) {
    uint8_t* memory = check_memory(capacity + APUS_PADDING);
    apus_channel channel = {0};
    apus_buffer_init(&channel.rx, memory, capacity + APUS_PADDING);
    apus_ws ws;
    apus_ws_init(&ws, max_message);
    ws.level = level;
    found->used = 0;
    found->text[0] = 0;
    apus_ws_item item;
    for (size_t at = 0; at < from->size;) {
        uint8_t* to;
        size_t count = apus_channel_space(&channel, &to);
        if (count > piece) count = piece;
        if (count > from->size - at) count = from->size - at;
        if (count == 0) {
            snprintf(found->text, FOUND_MAX, "stalled");
            break;
        }
        memcpy(to, from->bytes + at, count);
        apus_channel_received(&channel, count, 1, 0);
        at += count;
        for (int kind; (kind = apus_ws_next(&ws, &channel.rx, &item)) != APUS_WS_NEED_MORE;)
            note(found, kind, &item);
    }
    free(memory);
}

// Every level of instructions, and many sizes of pieces into a buffer no larger than promised, give `expected`.
static void expect(const stream* from, size_t max_message, const char* expected) {
    static found found;
    static const size_t pieces[] = {1, 2, 3, 5, 7, 64, 127, 1000};
    size_t promised = max_message + APUS_WS_OVERHEAD;
    for (uint8_t level = 0; level <= apus_ascii_best(); level++) {
        size_t whole = from->size > promised ? from->size : promised;
        read_stream(from, from->size, max_message, whole, level, &found);
        CHECK_TEXT(found.text, strlen(found.text), expected);
        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
            if (from->size / pieces[i] > 20000) continue;
            read_stream(from, pieces[i], max_message, promised, level, &found);
            CHECK_TEXT(found.text, strlen(found.text), expected);
        }
    }
}

#define KOSME "\xCE\xBA\xCF\x8C\xCF\x83\xCE\xBC\xCE\xB5"

static void every_form_of_length(void) {
    static const size_t sizes[] = {0,  1,  7,   8,   15,  16,  31,  32,  33,    63,
                                   64, 65, 125, 126, 127, 255, 256, 309, 65535, 65536};
    uint8_t* payload = check_memory(65536);
    for (size_t i = 0; i < 65536; i++)
        payload[i] = (uint8_t)(0x20 + i % 90);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        stream stream = stream_make();
        char expected[128], text[64];
        put_frame(&stream, 0x81, payload, sizes[i]);
        put_frame(&stream, 0x82, payload, sizes[i]);
        uint32_t sum = sum_of(payload, sizes[i]);
        if (sizes[i] <= 20) {
            snprintf(text, sizeof text, "1 %.*s;", (int)sizes[i], (const char*)payload);
        } else {
            snprintf(text, sizeof text, "1 (%zu %08x);", sizes[i], sum);
        }
        snprintf(expected, sizeof expected, "%s2 (%zu %08x);", text, sizes[i], sum);
        expect(&stream, 70000, expected);
        free(stream.bytes);
    }
    free(payload);
}

static void fragments_and_control_frames(void) {
    stream stream = stream_make();
    put_frame(&stream, 0x81, KOSME, 10);
    put_frame(&stream, 0x01, KOSME, 3);
    put_frame(&stream, 0x89, "in between", 10);
    put_frame(&stream, 0x00, &KOSME[3], 4);
    put_frame(&stream, 0x8A, "", 0);
    put_frame(&stream, 0x80, &KOSME[7], 3);
    put_frame(&stream, 0x88,
              "\x03\xE8"
              "bye",
              5);
    put_frame(&stream, 0x81, "late", 4);
    expect(&stream, 1000, "1 " KOSME ";9 in between;10 ;1 " KOSME ";close 1000 bye;");
    free(stream.bytes);
}

static void many_frames_in_a_row(void) {
    stream stream = stream_make();
    uint8_t payload[309];
    for (uint32_t i = 0; i < 500; i++) {
        memset(payload, 'a' + (int)(i % 26), sizeof payload);
        put_frame(&stream, 0x81, payload, sizeof payload);
    }
    size_t capacity = 1000 + APUS_WS_OVERHEAD;
    for (uint8_t level = 0; level <= apus_ascii_best(); level++) {
        uint8_t* memory = check_memory(capacity + APUS_PADDING);
        apus_channel channel = {0};
        apus_buffer_init(&channel.rx, memory, capacity + APUS_PADDING);
        apus_ws ws;
        apus_ws_item item;
        apus_ws_init(&ws, 1000);
        ws.level = level;
        uint32_t messages = 0, wrong = 0;
        for (size_t at = 0; at < stream.size;) {
            uint8_t* to;
            size_t count = apus_channel_space(&channel, &to);
            if (count > 700) count = 700;
            if (count > stream.size - at) count = stream.size - at;
            memcpy(to, stream.bytes + at, count);
            apus_channel_received(&channel, count, 1, 0);
            at += count;
            for (int kind; (kind = apus_ws_next(&ws, &channel.rx, &item)) != APUS_WS_NEED_MORE; messages++) {
                uint8_t letter = (uint8_t)('a' + messages % 26);
                if (kind != APUS_WS_TEXT || item.size != 309 || item.data[0] != letter || item.data[308] != letter)
                    wrong++;
            }
        }
        CHECK_EQUAL(messages, 500);
        CHECK_EQUAL(wrong, 0);
        CHECK_EQUAL(ws.offset, stream.size);
        free(memory);
    }
    free(stream.bytes);
}

static void protocol_errors_name_their_place(void) {
    static const struct {
        const char* bytes;
        size_t size;
        unsigned code, offset;
    } rows[] = {
        {"\xc1\x00", 2, 1002, 0},                                  // reserved bit
        {"\x83\x00", 2, 1002, 0},                                  // reserved data opcode
        {"\x8b\x00", 2, 1002, 0},                                  // reserved control opcode
        {"\x09\x00", 2, 1002, 0},                                  // fragmented ping
        {"\x89\x7e\x00\x7e", 4, 1002, 1},                          // long ping
        {"\x80\x00", 2, 1002, 0},                                  // continuation of nothing
        {"\x01\x00\x81\x00", 4, 1002, 2},                          // message within a message
        {"\x81\x81\x01\x02\x03\x04\x05", 7, 1002, 1},              // masked
        {"\x81\x7e\x00\x7d", 4, 1002, 2},                          // 16-bit length below 126
        {"\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", 10, 1002, 2}, // 64-bit length below 65536
        {"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", 10, 1002, 2}, // negative length
        {"\x82\x7f\x00\x00\x00\x00\x00\x01\x11\x71", 10, 1009, 1}, // too long
        {"\x88\x01\x03", 3, 1002, 2},                              // close of one byte
        {"\x88\x02\x03\xed", 4, 1002, 2},                          // close code 1005
        {"\x88\x04\x03\xe8"
         "a\xff",
         6, 1007, 5},                         // close reason
        {"\x88\x03\x03\xe8\xc3", 5, 1007, 5}, // close reason cut
        {"\x81\x04"
         "a\xed\xa0\x80",
         6, 1007, 4},                     // surrogate
        {"\x81\x02\xe2\x82", 4, 1007, 4}, // character cut
        {"\x01\x01\xe2\x80\x01"
         "A",
         6, 1007, 5}, // cut over fragments
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stream stream = stream_make();
        char expected[64];
        put_frame(&stream, 0x81, "good", 4);
        put(&stream, rows[i].bytes, rows[i].size);
        put_frame(&stream, 0x81, "good", 4);
        snprintf(expected, sizeof expected, "1 good;error %u @%u;", rows[i].code, 6 + rows[i].offset);
        expect(&stream, 70000, expected);
        free(stream.bytes);
    }
    for (unsigned code = 0; code <= 5100; code++) {
        bool registered = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
        bool allowed = registered || (code >= 3000 && code <= 4999);
        if (apus_ws_close_code_valid((uint16_t)code) != allowed) CHECK_EQUAL(code, allowed);
    }
}

static void fragments_do_not_pass_the_limit(void) {
    stream stream = stream_make();
    uint8_t payload[101];
    memset(payload, 1, sizeof payload);
    put_frame(&stream, 0x02, payload, 90);
    put_frame(&stream, 0x80, payload, 11);
    char expected[64];
    snprintf(expected, sizeof expected, "2 (101 %08x);", sum_of(payload, 101));
    expect(&stream, 101, expected);
    expect(&stream, 100, "error 1009 @93;");
    free(stream.bytes);
}

// What is sent is a masked frame that gives the payload back, whatever its length: every way to mask is met.
static void sent_frames_are_masked(void) {
    enum { ROOM = 70000 };
    uint8_t* memory = check_memory(ROOM + APUS_PADDING);
    uint8_t* payload = check_memory(66000);
    for (size_t i = 0; i < 66000; i++)
        payload[i] = (uint8_t)(i * 7 + 3);
    apus_random random;
    apus_random_seed(&random, 5);
    uint32_t wrong = 0;
    for (size_t size = 0; size < 66000; size = size < 300 ? size + 1 : size * 3) {
        apus_buffer tx;
        apus_buffer_init(&tx, memory, ROOM + APUS_PADDING);
        bool in_place = size % 2 == 1;
        if (in_place) {
            uint8_t* at = apus_ws_reserve(&tx, size + 200);
            memcpy(at, payload, size);
            apus_ws_seal(&tx, &random, APUS_WS_TEXT, at, size + 200, size);
        } else {
            CHECK_EQUAL(apus_ws_send(&tx, &random, APUS_WS_TEXT, payload, size), 0);
        }
        const uint8_t* frame = tx.base + tx.start;
        size_t header = apus_ws_header_bytes(size);
        uint64_t length = frame[1] & 0x7F;
        if (length == 126)
            length = (uint64_t)frame[2] << 8 | frame[3];
        else if (length == 127)
            length = (uint64_t)frame[7] << 16 | (uint64_t)frame[8] << 8 | frame[9];
        if (frame[0] != 0x81 || (frame[1] & 0x80) == 0 || length != size || tx.end - tx.start != header + size) wrong++;
        const uint8_t* mask = frame + header - 4;
        for (size_t i = 0; i < size; i++) {
            if ((frame[header + i] ^ mask[i & 3]) != payload[i]) wrong++;
        }
    }
    CHECK_EQUAL(wrong, 0);
    apus_buffer small;
    apus_buffer_init(&small, memory, 20 + APUS_PADDING);
    CHECK_EQUAL(apus_ws_send(&small, &random, APUS_WS_TEXT, payload, 15), -ENOBUFS);
    CHECK_EQUAL(apus_buffer_used(&small), 0);
    CHECK_EQUAL(apus_ws_send(&small, &random, APUS_WS_PING, payload, 126), -EMSGSIZE);
    CHECK_EQUAL(apus_ws_send(&small, &random, APUS_WS_TEXT, payload, 14), 0);
    free(memory);
    free(payload);
}

const check_test frame_tests[] = {
    {"frames: every form of length", every_form_of_length},
    {"frames: fragments with control frames among them", fragments_and_control_frames},
    {"frames: many in a small buffer", many_frames_in_a_row},
    {"frames: errors name code and place", protocol_errors_name_their_place},
    {"frames: fragments do not pass the limit", fragments_do_not_pass_the_limit},
    {"frames: sent ones are masked", sent_frames_are_masked},
    {0},
};
