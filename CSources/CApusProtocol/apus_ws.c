#include "apus_ws.h"

#include "apus_ascii.h"

#include <errno.h>
#include <string.h>

//            header of a data frame            last payload byte of the final frame: the message is returned
//   BETWEEN ───────────────────────▶ PAYLOAD ──────────────────────────────────────────────────────▶ BETWEEN
//                                      │  ▲
//              last byte of a fragment ▼  │ header of a continuation
//                                     OPEN_MESSAGE
//
//   Control frames are taken whole in BETWEEN and OPEN_MESSAGE. A close frame or an error leads to FINISHED.
//   Invariant in BETWEEN: joined == 0 and gap == 0. Invariant after NEED_MORE: gap == 0.
enum { BETWEEN = 0, OPEN_MESSAGE = 1, PAYLOAD = 2, FINISHED = 3 };

enum { CONTINUATION = 0, FIN = 0x80, RESERVED = 0x70, OPCODE = 0x0f, MASKED = 0x80, CONTROL = 0x08 };

void apus_ws_init(apus_ws* ws, size_t max_message) {
    *ws = (apus_ws){.max_message = max_message, .level = apus_ascii_best()};
}

bool apus_ws_close_code_valid(uint16_t code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static int fail(apus_ws* ws, apus_buffer* rx, apus_ws_item* item, uint16_t code, uint64_t offset, const char* what) {
    ws->mode = FINISHED;
    rx->start = rx->end;
    item->code = code;
    item->offset = offset;
    item->what = what;
    return APUS_WS_ERROR;
}

static const uint8_t* unread(const apus_ws* ws, const apus_buffer* rx) {
    return rx->base + rx->start + ws->joined + ws->gap;
}

static size_t unread_bytes(const apus_ws* ws, const apus_buffer* rx) {
    return rx->end - rx->start - ws->joined - ws->gap;
}

// Closes the gap, so that the headers of a message in many small fragments never fill the buffer.
static int need_more(apus_ws* ws, apus_buffer* rx) {
    if (ws->gap > 0) {
        const uint8_t* from = unread(ws, rx);
        size_t bytes = unread_bytes(ws, rx);
        memmove(rx->base + rx->start + ws->joined, from, bytes);
        rx->end -= ws->gap;
        ws->gap = 0;
    }
    return APUS_WS_NEED_MORE;
}

// Moves on over bytes that are no part of a message.
static void skip(apus_ws* ws, apus_buffer* rx, size_t bytes) {
    if (ws->mode == BETWEEN)
        rx->start += bytes;
    else
        ws->gap += bytes;
    ws->offset += bytes;
}

typedef struct frame {
    uint64_t length;
    size_t header; // bytes; 0: more are needed
    uint8_t opcode;
    bool final;
    uint8_t wrong_at; // with `what`: which byte of the header
    uint16_t code;
    const char* what;
} frame;

static frame wrong(uint8_t at, uint16_t code, const char* what) {
    return (frame){.wrong_at = at, .code = code, .what = what};
}

// Checks as much of a header as is there; a wrong byte is told before the rest has arrived.
static frame read_header(const apus_ws* ws, const uint8_t* at, size_t have) {
    if (have < 1) return (frame){0};
    uint8_t opcode = at[0] & OPCODE;
    bool final = (at[0] & FIN) != 0, control = (opcode & CONTROL) != 0;
    if (at[0] & RESERVED) return wrong(0, APUS_WS_CLOSE_PROTOCOL, "reserved bit set without an extension");
    if ((opcode > APUS_WS_BINARY && opcode < APUS_WS_CLOSE) || opcode > APUS_WS_PONG)
        return wrong(0, APUS_WS_CLOSE_PROTOCOL, "reserved opcode");
    if (control && !final) return wrong(0, APUS_WS_CLOSE_PROTOCOL, "fragmented control frame");
    if (opcode == CONTINUATION && ws->mode == BETWEEN)
        return wrong(0, APUS_WS_CLOSE_PROTOCOL, "continuation without a message");
    if (!control && opcode != CONTINUATION && ws->mode == OPEN_MESSAGE)
        return wrong(0, APUS_WS_CLOSE_PROTOCOL, "new message inside a fragmented one");
    if (have < 2) return (frame){0};
    if (at[1] & MASKED) return wrong(1, APUS_WS_CLOSE_PROTOCOL, "masked frame from a server");
    if (control && at[1] > 125) return wrong(1, APUS_WS_CLOSE_PROTOCOL, "control frame above 125 bytes");
    frame result = {.length = at[1], .header = 2, .opcode = opcode, .final = final};
    size_t extended = at[1] == 126 ? 2 : at[1] == 127 ? 8 : 0;
    if (extended > 0) {
        if (have < 2 + extended) return (frame){0};
        result.length = 0;
        for (size_t i = 0; i < extended; i++)
            result.length = result.length << 8 | at[2 + i];
        result.header += extended;
        if (result.length < (extended == 2 ? 126u : 65536u))
            return wrong(2, APUS_WS_CLOSE_PROTOCOL, "length not in its shortest form");
        if (result.length >> 63) return wrong(2, APUS_WS_CLOSE_PROTOCOL, "length with its highest bit set");
    }
    if (!control && result.length > ws->max_message - ws->joined)
        return wrong(1, APUS_WS_CLOSE_TOO_BIG, "message above the configured size");
    return result;
}

static int read_close(apus_ws* ws, apus_buffer* rx, apus_ws_item* item, const uint8_t* payload, size_t size,
                      size_t header) {
    uint64_t offset = ws->offset + header;
    item->code = APUS_WS_CLOSE_NO_STATUS;
    item->data = payload;
    item->size = 0;
    if (size == 1) return fail(ws, rx, item, APUS_WS_CLOSE_PROTOCOL, offset, "close frame of one byte");
    if (size >= 2) {
        uint16_t code = (uint16_t)(payload[0] << 8 | payload[1]);
        if (!apus_ws_close_code_valid(code))
            return fail(ws, rx, item, APUS_WS_CLOSE_PROTOCOL, offset, "close code that may not be sent");
        apus_utf8_state utf8 = 0;
        size_t good = apus_utf8_feed(&utf8, payload + 2, size - 2);
        if (good != size - 2 || utf8 != 0)
            return fail(ws, rx, item, APUS_WS_CLOSE_INVALID_TEXT, offset + 2 + good, "close reason is not UTF-8");
        item->code = code;
        item->data = payload + 2;
        item->size = size - 2;
    }
    ws->mode = FINISHED;
    rx->start = rx->end;
    return APUS_WS_CLOSE;
}

// A frame's header is complete. Returns a kind to give out, or BETWEEN where there is nothing yet.
static int begin_frame(apus_ws* ws, apus_buffer* rx, apus_ws_item* item, const frame* next, bool* need) {
    if (next->opcode & CONTROL) {
        const uint8_t* payload = unread(ws, rx) + next->header;
        size_t size = (size_t)next->length;
        if (unread_bytes(ws, rx) < next->header + size) {
            *need = true;
            return 0;
        }
        if (next->opcode == APUS_WS_CLOSE) return read_close(ws, rx, item, payload, size, next->header);
        skip(ws, rx, next->header + size);
        item->data = payload;
        item->size = size;
        return next->opcode;
    }
    skip(ws, rx, next->header);
    if (next->opcode != CONTINUATION) {
        ws->message = next->opcode;
        ws->utf8 = 0;
    }
    ws->final = next->final;
    ws->remaining = next->length;
    ws->mode = PAYLOAD;
    return 0;
}

// Joins what has arrived of a payload to its message and validates it.
static int take_payload(apus_ws* ws, apus_buffer* rx, apus_ws_item* item, bool* need) {
    const uint8_t* from = unread(ws, rx);
    uint8_t* to = rx->base + rx->start + ws->joined;
    size_t have = unread_bytes(ws, rx);
    size_t bytes = ws->remaining < have ? (size_t)ws->remaining : have;
    if (ws->gap > 0 && bytes > 0) memmove(to, from, bytes);
    if (ws->message == APUS_WS_TEXT && !(ws->utf8 == 0 && apus_ascii_at(ws->level, to, bytes))) {
        size_t good = apus_utf8_feed(&ws->utf8, to, bytes);
        if (good != bytes)
            return fail(ws, rx, item, APUS_WS_CLOSE_INVALID_TEXT, ws->offset + good, "text is not UTF-8");
    }
    ws->joined += bytes;
    ws->remaining -= bytes;
    ws->offset += bytes;
    if (ws->remaining > 0) {
        *need = true;
        return 0;
    }
    if (!ws->final) {
        ws->mode = OPEN_MESSAGE;
        return 0;
    }
    if (ws->utf8 != 0)
        return fail(ws, rx, item, APUS_WS_CLOSE_INVALID_TEXT, ws->offset, "text ends inside a character");
    item->data = rx->base + rx->start;
    item->size = ws->joined;
    rx->start += ws->joined + ws->gap;
    ws->joined = ws->gap = 0;
    ws->mode = BETWEEN;
    return ws->message;
}

// Every case that the fast path in apus_ws_next does not take.
__attribute__((noinline)) static int next_any(apus_ws* ws, apus_buffer* rx, apus_ws_item* item) {
    for (;;) {
        bool need = false;
        int kind = 0;
        if (ws->mode == FINISHED) {
            rx->start = rx->end;
            return APUS_WS_NEED_MORE;
        }
        if (ws->mode == PAYLOAD) {
            kind = take_payload(ws, rx, item, &need);
        } else {
            frame next = read_header(ws, unread(ws, rx), unread_bytes(ws, rx));
            if (next.what) return fail(ws, rx, item, next.code, ws->offset + next.wrong_at, next.what);
            if (next.header == 0) return need_more(ws, rx);
            kind = begin_frame(ws, rx, item, &next, &need);
        }
        if (kind != 0) return kind;
        if (need) return need_more(ws, rx);
    }
}

// MARK: the short way
// A whole unfragmented ASCII text frame needs four bytes of header looked at and one pass over its payload. Everything
// else, and everything that is not certain at once, goes the general way.

// Returns the header's size where a whole text frame lies at the start, else 0.
static inline __attribute__((always_inline)) size_t whole_text(const apus_ws* ws, const apus_buffer* rx,
                                                               size_t* length) {
    const uint8_t* at = rx->base + rx->start;
    size_t have = rx->end - rx->start, header = 2;
    if (ws->mode != BETWEEN || have < 4 || at[0] != (FIN | APUS_WS_TEXT)) return 0;
    *length = at[1];
    if (*length >= 126) {
        if (*length > 126) return 0;
        *length = (size_t)at[2] << 8 | at[3];
        if (*length < 126) return 0;
        header = 4;
    }
    return have >= header + *length && *length <= ws->max_message ? header : 0;
}

static inline __attribute__((always_inline)) int take_text(apus_ws* ws, apus_buffer* rx, apus_ws_item* item,
                                                           size_t header, size_t length) {
    item->data = rx->base + rx->start + header;
    item->size = length;
    rx->start += header + length;
    ws->offset += header + length;
    return APUS_WS_TEXT;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static int next_avx2(apus_ws* ws, apus_buffer* rx, apus_ws_item* item) {
    size_t length, header = whole_text(ws, rx, &length);
    if (header == 0 || !apus_ascii_avx2(rx->base + rx->start + header, length)) return next_any(ws, rx, item);
    return take_text(ws, rx, item, header, length);
}
#endif

int apus_ws_next(apus_ws* ws, apus_buffer* rx, apus_ws_item* item) {
#if defined(__x86_64__)
    if (ws->level == APUS_ASCII_AVX2) return next_avx2(ws, rx, item);
#endif
    size_t length, header = whole_text(ws, rx, &length);
    if (header == 0 || !apus_ascii_at(ws->level, rx->base + rx->start + header, length)) return next_any(ws, rx, item);
    return take_text(ws, rx, item, header, length);
}
