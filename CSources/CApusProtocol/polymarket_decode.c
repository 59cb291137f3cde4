// The decoder's own state, frames, and which reader an object goes to.
#include "polymarket_decode.h"

#include "polymarket_number.h"

#include <string.h>

#define NEEDLE_HEAD "{\"asset_id\":\""
#define NEEDLE_TAIL "\",\"price\":\""

// MARK: the decoder

void apus_polymarket_decoder_init(apus_polymarket_decoder* decoder, const apus_instrument_table* instruments,
                                  apus_polymarket_level* levels, uint32_t level_capacity, apus_polymarket_pair** pairs,
                                  uint32_t places) {
    *decoder = (apus_polymarket_decoder){
        .instruments = instruments,
        .levels = levels,
        .level_capacity = level_capacity,
        .pairs = pairs,
        .pair_mask = places - 1,
    };
    memset(pairs, 0, places * sizeof *pairs);
    if (apus_polymarket_decoder_force(decoder, APUS_VECTOR_AVX2, false) != 0) decoder->wide = false;
}

int apus_polymarket_decoder_force(apus_polymarket_decoder* decoder, apus_vector vector, bool general_only) {
    bool wide = vector != APUS_VECTOR_PORTABLE;
#if APUS_POLYMARKET_WIDE
    if (wide) {
        __builtin_cpu_init();
        if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi")) {
            return -ENOTSUP;
        }
    }
#else
    if (wide) return -ENOTSUP;
#endif
    decoder->wide = wide;
    decoder->general_only = general_only;
    return 0;
}

// MARK: markets

uint32_t apus_polymarket_pair_places(uint32_t capacity) {
    uint32_t places = 16;
    while (places < 2 * capacity)
        places *= 2;
    return places;
}

int apus_polymarket_decoder_learn(apus_polymarket_decoder* decoder, apus_polymarket_pair* pair) {
    if (decoder->pair_count > decoder->pair_mask / 4 * 3) return -ENOSPC;
    uint64_t at = apus_polymarket_place(pair->id);
    while (decoder->pairs[at & decoder->pair_mask] != NULL)
        at++;
    decoder->pairs[at & decoder->pair_mask] = pair;
    decoder->pair_count++;
    return 0;
}

apus_polymarket_pair* apus_polymarket_decoder_pair(const apus_polymarket_decoder* decoder, const uint8_t* id,
                                                   size_t length) {
    if (length != APUS_POLYMARKET_ID_BYTES) return NULL;
    for (uint64_t at = apus_polymarket_place(id);; at++) {
        apus_polymarket_pair* pair = decoder->pairs[at & decoder->pair_mask];
        if (pair == NULL || memcmp(pair->id, id, length) == 0) return pair;
    }
}

bool apus_polymarket_pair_token(apus_polymarket_pair* pair, const uint8_t* asset, size_t length, uint16_t instrument) {
    size_t head = sizeof NEEDLE_HEAD - 1, tail = sizeof NEEDLE_TAIL - 1;
    if (length == 0 || length + head + tail > APUS_POLYMARKET_NEEDLE_BYTES) return false;
    for (int token = 0; token < 2; token++) {
        uint8_t* needle = pair->needle[token];
        if (pair->needle_length[token] == 0) {
            memcpy(needle, NEEDLE_HEAD, head);
            memcpy(needle + head, asset, length);
            memcpy(needle + head + length, NEEDLE_TAIL, tail);
            pair->needle_length[token] = (uint8_t)(head + length + tail);
        } else if (pair->needle_length[token] != head + length + tail || memcmp(needle + head, asset, length) != 0) {
            continue;
        }
        pair->instruments[token] = instrument;
        return true;
    }
    return false;
}

// MARK: frames

enum form { FORM_OBJECT, FORM_ARRAY, FORM_TEXT };

static bool is_space(uint8_t byte) {
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

void apus_polymarket_frame_begin(apus_polymarket_frame* frame, const uint8_t* bytes, size_t length) {
    frame->bytes = bytes;
    frame->length = length;
    frame->done = false;
    size_t at = 0;
    while (at < length && is_space(bytes[at]))
        at++;
    if (at < length && bytes[at] == '[') {
        frame->form = FORM_ARRAY;
        apus_json_init(&frame->json, bytes, length);
    } else {
        frame->form = at < length && bytes[at] == '{' ? FORM_OBJECT : FORM_TEXT;
    }
}

bool apus_polymarket_frame_many(const apus_polymarket_frame* frame) {
    return frame->form == FORM_ARRAY;
}

static int bad_json(apus_polymarket_frame* frame, apus_polymarket_message* message, uint8_t fault, size_t offset) {
    frame->done = true;
    message->fault = APUS_POLYMARKET_FAULT_JSON;
    message->json_fault = fault;
    message->error_offset = offset;
    return -EBADMSG;
}

static int next_text(apus_polymarket_frame* frame, apus_polymarket_message* message) {
    frame->done = true;
    static const char* const known[] = {"PONG", "PING", "NO NEW ASSETS"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (frame->length == strlen(known[i]) && memcmp(frame->bytes, known[i], frame->length) == 0) {
            message->kind = APUS_POLYMARKET_CONTROL;
            message->event_type = (apus_polymarket_text){frame->bytes, (uint32_t)frame->length};
            return 1;
        }
    }
    return bad_json(frame, message, APUS_JSON_FAULT_UNEXPECTED, 0);
}

static int next_element(apus_polymarket_decoder* decoder, apus_polymarket_frame* frame,
                        apus_polymarket_message* message) {
    apus_json* json = &frame->json;
    apus_json_token token = apus_json_next(json);
    // The array's own bracket, at the first call.
    if (token == APUS_JSON_ARRAY_BEGIN && json->depth == 1) token = apus_json_next(json);
    if (token == APUS_JSON_ARRAY_END) {
        token = apus_json_next(json);
        if (token == APUS_JSON_END) {
            frame->done = true;
            return 0;
        }
    }
    if (token == APUS_JSON_ERROR) return bad_json(frame, message, json->fault, json->error_offset);
    size_t start = json->position - 1;
    if (token != APUS_JSON_OBJECT_BEGIN) {
        frame->done = true;
        message->fault = APUS_POLYMARKET_FAULT_TYPE;
        message->error_offset = token >= APUS_JSON_KEY && token <= APUS_JSON_NUMBER ? json->text_start : start;
        return -EBADMSG;
    }
    if (!apus_json_skip(json, token)) return bad_json(frame, message, json->fault, json->error_offset);
    decoder->general++;
    int error = apus_polymarket_general(decoder, frame->bytes, start, json->position, message);
    if (error < 0) frame->done = true;
    return error < 0 ? error : 1;
}

static void clear(apus_polymarket_message* message) {
    memset(message, 0, sizeof *message);
    message->instrument = APUS_INSTRUMENT_NONE;
}

int apus_polymarket_frame_next(apus_polymarket_decoder* decoder, apus_polymarket_frame* frame,
                               apus_polymarket_message* message) {
    if (frame->done) return 0;
    if (frame->form == FORM_OBJECT && !decoder->general_only && frame->length <= APUS_MESSAGE_BYTES_MAX
        && apus_polymarket_fast(decoder, frame->bytes, frame->length, message)) {
        frame->done = true;
        decoder->fast++;
        return 1;
    }
    clear(message);
    decoder->text_used = 0;
    if (frame->length > APUS_MESSAGE_BYTES_MAX) {
        frame->done = true;
        message->fault = APUS_POLYMARKET_FAULT_SIZE;
        message->error_offset = APUS_MESSAGE_BYTES_MAX;
        return -ENOBUFS;
    }
    if (frame->form == FORM_TEXT) return next_text(frame, message);
    if (frame->form == FORM_ARRAY) return next_element(decoder, frame, message);
    frame->done = true;
    decoder->general++;
    int error = apus_polymarket_general(decoder, frame->bytes, 0, frame->length, message);
    return error < 0 ? error : 1;
}

const char* apus_polymarket_fault_text(uint8_t fault) {
    static const char* const texts[] = {
        [APUS_POLYMARKET_FAULT_NONE] = "no fault",
        [APUS_POLYMARKET_FAULT_JSON] = "no JSON",
        [APUS_POLYMARKET_FAULT_TYPE] = "a value of the wrong type",
        [APUS_POLYMARKET_FAULT_MISSING] = "a field is missing",
        [APUS_POLYMARKET_FAULT_NUMBER] = "a text that is no decimal number of zero or more",
        [APUS_POLYMARKET_FAULT_DECIMALS] = "more decimals than the instrument has",
        [APUS_POLYMARKET_FAULT_RANGE] = "a number that does not fit in 64 bits",
        [APUS_POLYMARKET_FAULT_LEVELS] = "more levels in one message than the decoder has room for",
        [APUS_POLYMARKET_FAULT_TEXT] = "a text longer than its limit",
        [APUS_POLYMARKET_FAULT_SIDE] = "a side that is neither BUY nor SELL",
        [APUS_POLYMARKET_FAULT_SIZE] = "a message longer than APUS_MESSAGE_BYTES_MAX",
    };
    return fault < sizeof texts / sizeof *texts ? texts[fault] : "an unknown fault";
}
