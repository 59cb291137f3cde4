#include "apus_http.h"

#include "apus_http_text.h"

#include <errno.h>
#include <string.h>

//   HEAD ─▶ FIXED ──────────────────────────────────▶ answer ─▶ HEAD
//     │ ─▶ UNTIL_END ──────── end of the stream ────▶ answer ─▶ FINISHED
//     │ ─▶ CHUNK_SIZE ─▶ CHUNK_DATA ─▶ CHUNK_END ─┐
//     │        │  ▲───────────────────────────────┘
//     │        └─▶ TRAILER ─────────────────────────▶ answer ─▶ HEAD
//     └─ interim answer: skipped ─▶ HEAD            an error ─▶ FINISHED
enum { HEAD = 0, FIXED, UNTIL_END, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, FINISHED };

// Longest line of a chunk's size with its extensions, and of a trailer.
enum { CHUNK_LINE_MAX = 256, TRAILER_LINE_MAX = 8192 };

typedef struct head_facts {
    uint64_t content_length;
    uint16_t status;
    bool minor_version; // HTTP/1.1, not 1.0
    bool has_length;
    bool has_encoding;
    bool chunked;
    bool close;
    bool keep_alive;
} head_facts;

void apus_http_init(apus_http* http, size_t max_body) {
    *http = (apus_http){.max_body = max_body};
}

static int fail(apus_http* http, int error, uint64_t offset, const char* what) {
    http->mode = FINISHED;
    http->what = what;
    http->what_offset = offset;
    return error;
}

static size_t taken(const apus_http* http) {
    return http->head_size + http->body_size + http->gap;
}

// Stream offset of the first byte not yet looked at. The gap closes in the buffer, not in the stream, so the framing
// that was removed is counted in `removed`.
static uint64_t here(const apus_http* http) {
    return http->offset + http->head_size + http->body_size + http->removed;
}

static void skip_framing(apus_http* http, size_t bytes) {
    http->gap += bytes;
    http->removed += bytes;
}

// Returns the length of the line at `at` with its CR LF, 0 when its end has not arrived, or -EPROTO with the index of
// a byte that has no place in a line.
static int64_t find_line(const uint8_t* at, size_t have, size_t* wrong) {
    for (size_t i = 0; i < have; i++) {
        if (at[i] == '\r') {
            if (i + 1 == have) return 0;
            if (at[i + 1] == '\n') return (int64_t)i + 2;
        }
        if ((at[i] < 0x20 && at[i] != '\t') || at[i] == 0x7f) {
            *wrong = i;
            return -EPROTO;
        }
    }
    return 0;
}

// "HTTP/1.x NNN reason"
static const char* read_status(const char* line, size_t size, head_facts* facts) {
    if (size < 12 || memcmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' ')
        return "not an HTTP/1 status line";
    uint32_t status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line[i] < '0' || line[i] > '9') return "status is not a number";
        status = status * 10 + (uint32_t)(line[i] - '0');
    }
    if (status < 100 || (size > 12 && line[12] != ' ')) return "status is not a number of three digits";
    facts->status = (uint16_t)status;
    facts->minor_version = line[7] == '1';
    return NULL;
}

static const char* read_length(const char* value, size_t length, head_facts* facts) {
    uint64_t number = 0;
    if (length == 0 || length > 18) return "Content-Length is not a number";
    for (size_t i = 0; i < length; i++) {
        if (value[i] < '0' || value[i] > '9') return "Content-Length is not a number";
        number = number * 10 + (uint64_t)(value[i] - '0');
    }
    if (facts->has_length) return "second Content-Length";
    facts->has_length = true;
    facts->content_length = number;
    return NULL;
}

static const char* read_header_line(const char* line, size_t size, head_facts* facts) {
    apus_http_field field;
    const char* what = apus_http_split_field(line, size, &field);
    if (what) return what;
    if (apus_http_name_is(&field, "content-length")) return read_length(field.value, field.value_size, facts);
    if (apus_http_name_is(&field, "transfer-encoding")) {
        if (facts->has_encoding || !apus_http_text_is(field.value, field.value_size, "chunked"))
            return "transfer encoding other than chunked";
        facts->has_encoding = facts->chunked = true;
    }
    if (apus_http_name_is(&field, "connection")) {
        if (apus_http_list_has(field.value, field.value_size, "close")) facts->close = true;
        if (apus_http_list_has(field.value, field.value_size, "keep-alive")) facts->keep_alive = true;
    }
    return NULL;
}

// Reads a complete head. Returns 0 or an error.
static int read_head(apus_http* http, const char* head, head_facts* facts) {
    size_t at = 0, lines = 0;
    while (at + 2 < http->head_size) {
        const char* end = memchr(head + at, '\r', http->head_size - at);
        size_t size = (size_t)(end - head) - at;
        const char* what = lines == 0 ? read_status(head + at, size, facts) : read_header_line(head + at, size, facts);
        if (what) return fail(http, -EPROTO, http->offset + at, what);
        if (++lines > APUS_HTTP_HEADERS_MAX + 1)
            return fail(http, -EMSGSIZE, http->offset + at, "more header lines than the limit");
        at += size + 2;
    }
    if (lines == 0) return fail(http, -EPROTO, http->offset, "empty line instead of a status line");
    if (facts->has_length && facts->has_encoding)
        return fail(http, -EPROTO, http->offset, "Content-Length together with Transfer-Encoding");
    return 0;
}

// Looks for the empty line that ends the head, line by line. Returns 1 when it is there, 0 or an error.
static int find_head(apus_http* http, const apus_buffer* rx) {
    const uint8_t* head = rx->base + rx->start;
    size_t have = rx->end - rx->start;
    // Nothing beyond the limit is looked at, so that the outcome does not depend on how the bytes arrived.
    if (have > APUS_HTTP_HEAD_BYTES_MAX) have = APUS_HTTP_HEAD_BYTES_MAX;
    for (;;) {
        size_t wrong = 0;
        int64_t line = find_line(head + http->scanned, have - http->scanned, &wrong);
        if (line < 0) return fail(http, -EPROTO, http->offset + http->scanned + wrong, "control character in the head");
        if (line == 0) {
            if (have < APUS_HTTP_HEAD_BYTES_MAX) return 0;
            return fail(http, -EMSGSIZE, http->offset, "head larger than the limit");
        }
        http->scanned += (size_t)line;
        if (line == 2) break;
    }
    http->head_size = http->scanned;
    return 1;
}

static void next_answer(apus_http* http) {
    http->offset = here(http);
    http->scanned = http->head_size = http->body_size = http->gap = 0;
    http->removed = 0;
    http->status = 0;
    http->trailers = 0;
    http->mode = HEAD;
}

// Decides how the body is framed (RFC 9112, section 6.3).
static int begin_body(apus_http* http, const head_facts* facts) {
    bool empty = facts->status < 200 || facts->status == 204 || facts->status == 304;
    http->status = facts->status;
    http->keep_alive = facts->close ? false : facts->minor_version || facts->keep_alive;
    if (facts->chunked && !empty) {
        http->mode = CHUNK_SIZE;
    } else if (empty || facts->has_length) {
        http->mode = FIXED;
        http->remaining = empty ? 0 : facts->content_length;
        if (http->remaining > http->max_body) return fail(http, -EMSGSIZE, http->offset, "body larger than the limit");
    } else {
        http->mode = UNTIL_END;
        http->keep_alive = false;
    }
    return 1;
}

// Steps return 1 to go on, 0 for need more, or an error.
static int step_head(apus_http* http, apus_buffer* rx) {
    int found = find_head(http, rx);
    if (found <= 0) return found;
    head_facts facts = {0};
    int result = read_head(http, (const char*)rx->base + rx->start, &facts);
    if (result < 0) return result;
    if (facts.status < 200 && facts.status != 101) {
        rx->start += http->head_size;
        next_answer(http);
        return 1;
    }
    return begin_body(http, &facts);
}

// Joins body bytes to what is there.
static int step_body(apus_http* http, apus_buffer* rx) {
    uint8_t* to = rx->base + rx->start + http->head_size + http->body_size;
    size_t have = rx->end - rx->start - taken(http);
    size_t bytes = have;
    if (http->mode != UNTIL_END && http->remaining < bytes) bytes = (size_t)http->remaining;
    if (bytes > http->max_body - http->body_size)
        return fail(http, -EMSGSIZE, http->offset, "body larger than the limit");
    if (http->gap > 0 && bytes > 0) memmove(to, to + http->gap, bytes);
    http->body_size += bytes;
    if (http->mode == UNTIL_END) return 0;
    http->remaining -= bytes;
    return http->remaining == 0;
}

// Takes one line of framing. Returns its length without CR LF, -EAGAIN for need more, or an error.
static int64_t framing_line(apus_http* http, const apus_buffer* rx, size_t limit, const uint8_t** line) {
    size_t wrong = 0, have = rx->end - rx->start - taken(http);
    *line = rx->base + rx->start + taken(http);
    int64_t size = find_line(*line, have < limit + 2 ? have : limit + 2, &wrong);
    if (size < 0) return fail(http, -EPROTO, here(http) + wrong, "control character in chunk framing");
    if (size > 0) {
        skip_framing(http, (size_t)size);
        return size - 2;
    }
    if (have >= limit + 2) return fail(http, -EMSGSIZE, here(http), "line of chunk framing longer than the limit");
    return -EAGAIN;
}

static int hex_digit(uint8_t byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f') return (byte | 0x20) - 'a' + 10;
    return -1;
}

static int step_chunk_size(apus_http* http, apus_buffer* rx) {
    uint64_t place = here(http), number = 0;
    const uint8_t* line;
    int64_t size = framing_line(http, rx, CHUNK_LINE_MAX, &line);
    if (size < 0) return size == -EAGAIN ? 0 : (int)size;
    int64_t i = 0;
    for (; i < size && hex_digit(line[i]) >= 0; i++) {
        if (number >> 56) return fail(http, -EPROTO, place, "chunk size overflows");
        number = number << 4 | (uint64_t)hex_digit(line[i]);
    }
    if (i == 0) return fail(http, -EPROTO, place, "chunk size is not a hexadecimal number");
    while (i < size && (line[i] == ' ' || line[i] == '\t'))
        i++;
    if (i < size && line[i] != ';') return fail(http, -EPROTO, place + (uint64_t)i, "text after a chunk size");
    if (number > http->max_body - http->body_size) return fail(http, -EMSGSIZE, place, "body larger than the limit");
    http->remaining = number;
    http->mode = number == 0 ? TRAILER : CHUNK_DATA;
    return 1;
}

static int step_chunk_end(apus_http* http, apus_buffer* rx) {
    size_t have = rx->end - rx->start - taken(http);
    const uint8_t* at = rx->base + rx->start + taken(http);
    if (have >= 1 && at[0] != '\r') return fail(http, -EPROTO, here(http), "chunk longer than its size");
    if (have < 2) return 0;
    if (at[1] != '\n') return fail(http, -EPROTO, here(http) + 1, "chunk without its line end");
    skip_framing(http, 2);
    http->mode = CHUNK_SIZE;
    return 1;
}

// Returns 2 at the end of the trailer, which is the end of the answer.
static int step_trailer(apus_http* http, apus_buffer* rx) {
    const uint8_t* line;
    int64_t size = framing_line(http, rx, TRAILER_LINE_MAX, &line);
    if (size < 0) return size == -EAGAIN ? 0 : (int)size;
    if (size == 0) return 2;
    if (++http->trailers > APUS_HTTP_HEADERS_MAX)
        return fail(http, -EMSGSIZE, here(http), "more trailer lines than the limit");
    return 1;
}

bool apus_http_peek(const apus_http* http, const apus_buffer* rx, apus_http_response* response) {
    if (http->status == 0) return false; // no head, or not a sound one
    *response = (apus_http_response){
        .head = (const char*)rx->base + rx->start,
        .head_size = http->head_size,
        .status = http->status,
        .keep_alive = http->keep_alive,
    };
    size_t length;
    const char* value = apus_http_header(response, "retry-after", &length);
    if (value) response->retry_after_s = apus_http_seconds(value, length);
    return true;
}

static int give_answer(apus_http* http, apus_buffer* rx, apus_http_response* response) {
    apus_http_peek(http, rx, response);
    response->body = rx->base + rx->start + http->head_size;
    response->body_size = http->body_size;
    rx->start += taken(http);
    bool last = http->mode == UNTIL_END || !http->keep_alive;
    next_answer(http);
    if (last && response->status != 101) http->mode = FINISHED;
    return 1;
}

// The parser needs bytes. Closes the gap; tells when they can never come.
static int need_more(apus_http* http, apus_buffer* rx, bool ended) {
    if (http->gap > 0) {
        uint8_t* to = rx->base + rx->start + http->head_size + http->body_size;
        memmove(to, to + http->gap, rx->end - rx->start - taken(http));
        rx->end -= http->gap;
        http->gap = 0;
    }
    if (ended) return fail(http, -EPIPE, http->offset + (rx->end - rx->start), "stream ended inside an answer");
    if (rx->end - rx->start == rx->capacity)
        return fail(http, -EMSGSIZE, http->offset, "answer larger than the receive buffer");
    return 0;
}

int apus_http_next(apus_http* http, apus_buffer* rx, bool ended, apus_http_response* response) {
    for (;;) {
        int result = 0;
        switch (http->mode) {
        case HEAD:
            result = step_head(http, rx);
            break;
        case FIXED:
            result = step_body(http, rx);
            if (result == 1) result = 2;
            break;
        case UNTIL_END:
            result = step_body(http, rx);
            if (result == 0 && ended) result = 2;
            break;
        case CHUNK_SIZE:
            result = step_chunk_size(http, rx);
            break;
        case CHUNK_DATA:
            result = step_body(http, rx);
            if (result == 1) http->mode = CHUNK_END;
            break;
        case CHUNK_END:
            result = step_chunk_end(http, rx);
            break;
        case TRAILER:
            result = step_trailer(http, rx);
            break;
        default:
            if (http->what == NULL) fail(http, -EPIPE, here(http), "bytes after the last answer of a connection");
            return -EPIPE;
        }
        if (result == 2) return give_answer(http, rx, response);
        if (result < 0) return result;
        if (result == 0) return need_more(http, rx, ended);
    }
}

const char* apus_http_header(const apus_http_response* response, const char* name, size_t* length) {
    apus_http_field field;
    size_t at = 0;
    while (apus_http_next_field(response->head, response->head_size, &at, &field)) {
        if (!apus_http_name_is(&field, name)) continue;
        *length = field.value_size;
        return field.value;
    }
    return NULL;
}

bool apus_http_header_has(const apus_http_response* response, const char* name, const char* token) {
    apus_http_field field;
    size_t at = 0;
    while (apus_http_next_field(response->head, response->head_size, &at, &field)) {
        if (apus_http_name_is(&field, name) && apus_http_list_has(field.value, field.value_size, token)) return true;
    }
    return false;
}
