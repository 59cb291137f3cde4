// The fast reader, included once for each vector variant with these macros set:
//   FAST(name)    the variant's name for a function (masks and flattening by it are in apus_byte_mask.h)
//   NUMBER(name)  the same for the functions of apus_binance_number.h
//   TARGET        its function attribute
//
// It takes only what the venue writes: this key order, no space, no escape. Whatever differs makes it give up, and the general
// reader starts over; so nothing here needs to say what is wrong.
//
// First the positions of all commas are written down: there are far fewer of them than of quotes. Then each field is cut out
// by them: a number ends at the next comma, a string one byte before it, and a level lies between two commas. So no field's
// place waits for the reading of the one before, and the processor reads many at once. A comma inside a string only cuts it
// wrongly, and then a quote is missing.
//
// No check for the message's end stands in the way. Behind the last comma the list repeats the place of the bracket that ends
// the last value; whatever is read from there on fails, and lies within APUS_PADDING. A message is taken only if reading ends
// exactly where it ends.

typedef struct FAST(reader) {
    const uint8_t* bytes;
    const uint8_t* end;
    const uint8_t* at;
    const uint32_t* comma; // the first comma at or behind `at`
    const uint32_t* commas_end;
    uint32_t* positions;
    size_t mapped; // bytes of the message whose commas have been written down
    bool wrapped;
} FAST(reader);

// Writes the commas of bytes[*mapped, length) behind the `kept` ones that `positions` begins with, as many as there is room for,
// and behind them `behind_all` eight times. Returns the end of the commas.
TARGET static __attribute__((noinline)) uint32_t* FAST(map)(uint32_t* positions, size_t kept, const uint8_t* bytes,
                                                            size_t length, size_t* mapped, uint32_t behind_all) {
    uint32_t* out = positions + kept;
    const uint32_t* room = positions + APUS_BINANCE_POSITIONS - 64;
    size_t at = *mapped;
    for (; at + 64 <= length && out <= room; at += 64)
        out = FAST(apus_flatten)(out, FAST(apus_mask)(bytes + at, ','), (uint32_t)at);
    if (at < length && out <= room) {
        uint64_t inside = UINT64_MAX >> (64 - (length - at));
        out = FAST(apus_flatten)(out, FAST(apus_mask)(bytes + at, ',') & inside, (uint32_t)at);
        at = length;
    }
    for (size_t i = 0; i < 8; i++)
        out[i] = behind_all;
    *mapped = at;
    return out;
}

// Maps what comes next. The commas not used yet move to the front. (The reader's address stays here, so that its parts can live
// in registers.)
TARGET APUS_INLINE void FAST(map_more)(FAST(reader) * reader) {
    size_t kept = (size_t)(reader->commas_end - reader->comma), mapped = reader->mapped;
    size_t length = (size_t)(reader->end - reader->bytes);
    if (kept > 0) memmove(reader->positions, reader->comma, kept * sizeof *reader->positions);
    reader->commas_end =
        FAST(map)(reader->positions, kept, reader->bytes, length, &mapped, (uint32_t)length - 1 - reader->wrapped);
    reader->comma = reader->positions;
    reader->mapped = mapped;
}

// Passes a literal of at most 16 bytes with `commas` commas in it. (Whole words, so that a few instructions do.)
TARGET APUS_INLINE bool FAST(pass)(FAST(reader) * reader, const char* literal, size_t length, uint32_t commas) {
    uint64_t word, wanted = 0, last, last_wanted = 0;
    memcpy(&word, reader->at, 8);
    memcpy(&wanted, literal, length < 8 ? length : 8);
    if (length < 8 ? (word ^ wanted) << (64 - 8 * length) != 0 : word != wanted) return false;
    if (length > 8) {
        memcpy(&last, reader->at + length - 8, 8);
        memcpy(&last_wanted, literal + length - 8, 8);
        if (last != last_wanted) return false;
    }
    reader->at += length;
    reader->comma += commas;
    return true;
}

#define PASS(reader, literal, commas) FAST(pass)((reader), literal, sizeof(literal) - 1, commas)

// MARK: values

// An unsigned integer of JSON's form, of at most 16 digits, with 16 bytes of message before its end.
TARGET APUS_INLINE bool FAST(number)(FAST(reader) * reader, uint64_t* value) {
    const uint8_t* text = reader->at;
    const uint8_t* end = reader->bytes + *reader->comma;
    size_t length = (size_t)(end - text);
    if (length - 1 >= 16 || (text[0] == '0' && length > 1)) return false;
    reader->at = end;
    NUMBER(apus_wrong) wrong = {0};
    *value = NUMBER(apus_unsigned)(text, length, &wrong);
    return !NUMBER(apus_is_wrong)(wrong);
}

// The same so near to the start that the 16 bytes before it may not be the message's.
TARGET APUS_INLINE bool FAST(early_number)(FAST(reader) * reader, uint64_t* value) {
    const uint8_t* text = reader->at;
    reader->at = reader->bytes + *reader->comma;
    size_t length = (size_t)(reader->at - text);
    return length - 1 < 16 && apus_u64_parse(text, length, value) == 0;
}

// A string without escapes; the opening quote is passed.
TARGET APUS_INLINE bool FAST(string)(FAST(reader) * reader, const uint8_t** text, uint32_t* length) {
    const uint8_t* end = reader->bytes + *reader->comma - 1;
    size_t bytes = (size_t)(end - reader->at);
    if (bytes > APUS_PADDING || *end != '"' || !NUMBER(apus_plain)(reader->at, bytes)) return false;
    *text = reader->at;
    *length = (uint32_t)bytes;
    reader->at = end + 1;
    return true;
}

// A string whose text is of no interest.
TARGET APUS_INLINE bool FAST(any_string)(FAST(reader) * reader) {
    const uint8_t* text;
    uint32_t length;
    return FAST(string)(reader, &text, &length);
}

// The instrument of a symbol; the opening quote is passed.
TARGET APUS_INLINE const apus_instrument* FAST(symbol)(const apus_binance_decoder* decoder, FAST(reader) * reader,
                                                       apus_binance_message* message) {
    const uint8_t* end = reader->bytes + *reader->comma - 1;
    size_t length = (size_t)(end - reader->at);
    if (length - 1 >= APUS_SYMBOL_BYTES || *end != '"') return NULL;
    uint16_t number = apus_instrument_find_padded(decoder->instruments, reader->at, length);
    if (number == APUS_INSTRUMENT_NONE) return NULL;
    message->symbol = reader->at;
    message->symbol_length = (uint32_t)length;
    message->instrument = number;
    reader->at = end + 1;
    return apus_instrument_at(decoder->instruments, number);
}

// Two strings that are a price and a quantity; `between` (7 bytes with one comma) is what stands between them, the quotes
// included. The opening quote is passed.
TARGET APUS_INLINE bool FAST(two_numbers)(FAST(reader) * reader, const char* between, const NUMBER(apus_form) * form,
                                          NUMBER(apus_wrong) * wrong, apus_level* level) {
    const uint8_t* price = reader->at;
    const uint8_t* middle = reader->bytes + reader->comma[0] - 1;
    const uint8_t* quantity = middle + 7;
    const uint8_t* end = reader->bytes + reader->comma[1] - 1;
    size_t price_length = (size_t)(middle - price), quantity_length = (size_t)(end - quantity);
    if (((price_length - 1) | (quantity_length - 1)) >= NUMBER(APUS_LENGTH_MAX) || memcmp(middle, between, 7) != 0
        || *end != '"') {
        return false;
    }
    NUMBER(apus_pair)(price, price_length, quantity, quantity_length, form, wrong, level);
    reader->at = end + 1;
    reader->comma++;
    return true;
}

// MARK: levels

// `","`, `"],["` and `"]]` at the high end of a word, as they stand in memory.
#ifndef BETWEEN
#define BETWEEN 0x222C220000000000u
#define NEXT_LEVEL 0x225B2C5D22000000u
#define LAST_LEVEL 0x5D5D220000000000u
#endif

// Reads the levels whose commas lie in [comma, stop) into `out`, until the side's last one has been read or there are no more of
// them. A price and a quantity both begin three bytes behind a comma, and both are four bytes shorter than the way from that comma to
// the next; the last quantity is five, because two brackets end it. `before` is three bytes before the first price. Returns the comma
// to go on at, and with *last that behind the last level; or NULL. A function of its own, so that all it needs fits the registers.
TARGET static __attribute__((noinline)) const uint32_t* FAST(read_levels)(const uint8_t* bytes, const uint32_t* comma,
                                                                          const uint32_t* stop, size_t before,
                                                                          const apus_instrument* instrument,
                                                                          apus_level* out, bool* last) {
    NUMBER(apus_form) form = NUMBER(apus_form_make)(instrument->price_decimals, instrument->quantity_decimals);
    NUMBER(apus_wrong) wrong = {0};
    for (; comma < stop; comma += 2, out++) {
        size_t middle = comma[0], behind = comma[1];
        size_t price_length = middle - before - 4, quantity_length = behind - middle - 4;
        uint64_t between, tail;
        memcpy(&between, bytes + middle - 1, 8);
        memcpy(&tail, bytes + behind - 2, 8);
        if (__builtin_expect(tail << 24 != NEXT_LEVEL, 0)) {
            memcpy(&tail, bytes + behind - 3, 8);
            quantity_length--;
            *last = tail << 40 == LAST_LEVEL;
            if (!*last) return NULL;
        }
        if (((price_length - 1) | (quantity_length - 1)) >= NUMBER(APUS_LENGTH_MAX) || between << 40 != BETWEEN)
            return NULL;
        NUMBER(apus_pair)(bytes + before + 3, price_length, bytes + middle + 2, quantity_length, &form, &wrong, out);
        if (__builtin_expect(tail << 40 == LAST_LEVEL, 0)) return NUMBER(apus_is_wrong)(wrong) ? NULL : comma + 1;
        before = behind;
    }
    return NUMBER(apus_is_wrong)(wrong) ? NULL : comma;
}

// Reads `["price","quantity"],` and so on up to the array's closing bracket; its opening bracket is passed.
TARGET APUS_INLINE bool FAST(levels)(FAST(reader) * reader, const apus_instrument* instrument, apus_level* out,
                                     uint32_t room, uint32_t* count) {
    size_t length = (size_t)(reader->end - reader->bytes), before = (size_t)(reader->at - reader->bytes) - 1;
    *count = 0;
    if (*reader->at == ']') {
        reader->at++;
        return true;
    }
    if (memcmp(reader->at, "[\"", 2) != 0) return false;
    for (;;) {
        // Two commas belong to a level: the one inside, and the one behind it. Behind the last comma of a message the list goes on.
        size_t commas = (size_t)(reader->commas_end - reader->comma);
        bool whole = reader->mapped == length, last = false;
        size_t levels = (commas + whole) / 2, left = room - *count;
        const uint32_t* comma =
            FAST(read_levels)(reader->bytes, reader->comma, reader->comma + 2 * (levels < left ? levels : left), before,
                              instrument, out, &last);
        if (comma == NULL) return false;
        uint32_t read = (uint32_t)(comma - reader->comma + last) / 2;
        *count += read;
        out += read;
        reader->comma = comma;
        if (last) {
            reader->at = reader->bytes + *comma;
            return true;
        }
        if (whole || *count == room) return false;
        if (read > 0) before = comma[-1];
        FAST(map_more)(reader);
    }
}

// The asks behind the bids; `asks` is the text between them, with one comma.
TARGET APUS_INLINE bool FAST(sides)(apus_binance_decoder* decoder, FAST(reader) * reader, const char* asks,
                                    size_t asks_length, const apus_instrument* instrument,
                                    apus_binance_message* message) {
    message->levels = decoder->levels;
    return FAST(levels)(reader, instrument, decoder->levels, decoder->level_capacity, &message->bid_count)
           && FAST(pass)(reader, asks, asks_length, 1)
           && FAST(levels)(reader, instrument, decoder->levels + message->bid_count,
                           decoder->level_capacity - message->bid_count, &message->ask_count);
}

// MARK: messages

// `"E":1,"T":2,"s":"SYMBOL"` and COIN-M's pair: how futures and spot events begin.
TARGET APUS_INLINE const apus_instrument* FAST(opening)(apus_binance_decoder* decoder, FAST(reader) * reader,
                                                        apus_binance_message* message) {
    if (!PASS(reader, "\"E\":", 0) || !FAST(number)(reader, &message->event_time)) return NULL;
    if (PASS(reader, ",\"T\":", 1) && !FAST(number)(reader, &message->transaction_time)) return NULL;
    if (!PASS(reader, ",\"s\":\"", 1)) return NULL;
    const apus_instrument* instrument = FAST(symbol)(decoder, reader, message);
    if (instrument != NULL && PASS(reader, ",\"ps\":\"", 1) && !FAST(any_string)(reader)) return NULL;
    return instrument;
}

TARGET APUS_INLINE bool FAST(depth)(apus_binance_decoder* decoder, FAST(reader) * reader,
                                    apus_binance_message* message) {
    const apus_instrument* instrument = FAST(opening)(decoder, reader, message);
    if (instrument == NULL) return false;
    if (!PASS(reader, ",\"U\":", 1) || !FAST(number)(reader, &message->first_update)) return false;
    if (!PASS(reader, ",\"u\":", 1) || !FAST(number)(reader, &message->last_update)) return false;
    message->has_previous = PASS(reader, ",\"pu\":", 1);
    if (message->has_previous && !FAST(number)(reader, &message->previous_update)) return false;
    message->kind = APUS_BINANCE_DEPTH;
    return PASS(reader, ",\"b\":[", 1) && FAST(sides)(decoder, reader, ",\"a\":[", 6, instrument, message)
           && PASS(reader, "}", 0);
}

TARGET APUS_INLINE bool FAST(ticker)(apus_binance_decoder* decoder, FAST(reader) * reader,
                                     apus_binance_message* message) {
    if (!PASS(reader, "\"u\":", 0)) return false;
    if (!(reader->wrapped ? FAST(number)(reader, &message->last_update)
                          : FAST(early_number)(reader, &message->last_update))) {
        return false;
    }
    if (!PASS(reader, ",\"s\":\"", 1)) return false;
    const apus_instrument* instrument = FAST(symbol)(decoder, reader, message);
    if (instrument == NULL) return false;
    if (PASS(reader, ",\"ps\":\"", 1) && !FAST(any_string)(reader)) return false;
    NUMBER(apus_form) form = NUMBER(apus_form_make)(instrument->price_decimals, instrument->quantity_decimals);
    NUMBER(apus_wrong) wrong = {0};
    if (!PASS(reader, ",\"b\":\"", 1) || !FAST(two_numbers)(reader, "\",\"B\":\"", &form, &wrong, &message->bid)
        || !PASS(reader, ",\"a\":\"", 1) || !FAST(two_numbers)(reader, "\",\"A\":\"", &form, &wrong, &message->ask)
        || NUMBER(apus_is_wrong)(wrong)) {
        return false;
    }
    message->kind = APUS_BINANCE_TICKER;
    if (!PASS(reader, ",\"T\":", 1)) return PASS(reader, "}", 0);
    return FAST(number)(reader, &message->transaction_time) && PASS(reader, ",\"E\":", 1)
           && FAST(number)(reader, &message->event_time) && PASS(reader, "}", 0);
}

// What stands between quantity and maker, which differs: spot's order numbers (until 2024), an aggregate's first and last trade,
// the futures' execution type, spot's trade time.
TARGET APUS_INLINE bool FAST(trade_middle)(FAST(reader) * reader, apus_binance_message* message) {
    uint64_t number;
    if (message->aggregate) {
        if (!PASS(reader, ",\"f\":", 1) || !FAST(number)(reader, &number)) return false;
        if (!PASS(reader, ",\"l\":", 1) || !FAST(number)(reader, &number)) return false;
    } else if (PASS(reader, ",\"X\":\"MARKET\"", 1)) {
        return true;
    } else if (PASS(reader, ",\"b\":", 1)) {
        if (!FAST(number)(reader, &number) || !PASS(reader, ",\"a\":", 1) || !FAST(number)(reader, &number))
            return false;
    }
    return !PASS(reader, ",\"T\":", 1) || FAST(number)(reader, &message->transaction_time);
}

TARGET APUS_INLINE bool FAST(trade)(apus_binance_decoder* decoder, FAST(reader) * reader, bool aggregate,
                                    apus_binance_message* message) {
    message->aggregate = aggregate;
    const apus_instrument* instrument = FAST(opening)(decoder, reader, message);
    if (instrument == NULL) return false;
    NUMBER(apus_form) form = NUMBER(apus_form_make)(instrument->price_decimals, instrument->quantity_decimals);
    NUMBER(apus_wrong) wrong = {0};
    if (!(aggregate ? PASS(reader, ",\"a\":", 1) : PASS(reader, ",\"t\":", 1))) return false;
    if (!FAST(number)(reader, &message->trade_id) || !PASS(reader, ",\"p\":\"", 1)
        || !FAST(two_numbers)(reader, "\",\"q\":\"", &form, &wrong, &message->bid) || NUMBER(apus_is_wrong)(wrong)
        || !FAST(trade_middle)(reader, message) || !PASS(reader, ",\"m\":", 1)) {
        return false;
    }
    message->buyer_is_maker = PASS(reader, "true", 0);
    if (!message->buyer_is_maker && !PASS(reader, "false", 0)) return false;
    // Spot's "M" has no meaning.
    if (PASS(reader, ",\"M\":", 1) && !PASS(reader, "true", 0) && !PASS(reader, "false", 0)) return false;
    message->kind = APUS_BINANCE_TRADE;
    return PASS(reader, "}", 0);
}

TARGET APUS_INLINE bool FAST(snapshot)(apus_binance_decoder* decoder, FAST(reader) * reader, uint16_t number,
                                       apus_binance_message* message) {
    if (number >= decoder->instruments->count) return false;
    message->instrument = number;
    if (!FAST(number)(reader, &message->last_update)) return false;
    if (PASS(reader, ",\"E\":", 1) && !FAST(number)(reader, &message->event_time)) return false;
    if (PASS(reader, ",\"T\":", 1) && !FAST(number)(reader, &message->transaction_time)) return false;
    message->kind = APUS_BINANCE_SNAPSHOT;
    return PASS(reader, ",\"bids\":[", 1)
           && FAST(sides)(decoder, reader, ",\"asks\":[", 9, apus_instrument_at(decoder->instruments, number), message)
           && PASS(reader, "}", 0);
}

TARGET APUS_INLINE bool FAST(event)(apus_binance_decoder* decoder, FAST(reader) * reader, uint16_t number,
                                    apus_binance_message* message) {
    if (!PASS(reader, "{\"e\":\"", 0)) {
        if (PASS(reader, "{\"lastUpdateId\":", 0)) return FAST(snapshot)(decoder, reader, number, message);
        return PASS(reader, "{", 0) && FAST(ticker)(decoder, reader, message);
    }
    message->event_type = reader->at;
    message->event_type_length = (uint32_t)(reader->bytes + *reader->comma - 1 - reader->at);
    if (PASS(reader, "bookTicker\",", 1)) return FAST(ticker)(decoder, reader, message);
    if (PASS(reader, "depthUpdate\",", 1)) return FAST(depth)(decoder, reader, message);
    if (PASS(reader, "trade\",", 1)) return FAST(trade)(decoder, reader, false, message);
    return PASS(reader, "aggTrade\",", 1) && FAST(trade)(decoder, reader, true, message);
}

TARGET bool FAST(apus_binance_fast)(apus_binance_decoder* decoder, const uint8_t* bytes, size_t length,
                                    uint16_t instrument, apus_binance_message* message) {
    FAST(reader) reader = {.bytes = bytes, .end = bytes + length, .at = bytes, .positions = decoder->positions};
    if (length < 24) return false;
    reader.comma = reader.commas_end = reader.positions;
    reader.wrapped = PASS(&reader, "{\"stream\":\"", 0);
    FAST(map_more)(&reader);
    if (reader.wrapped
        && (!FAST(string)(&reader, &message->stream, &message->stream_length) || !PASS(&reader, ",\"data\":", 1))) {
        return false;
    }
    if (!FAST(event)(decoder, &reader, instrument, message)) return false;
    return (!reader.wrapped || PASS(&reader, "}", 0)) && reader.at == reader.end;
}

#undef PASS
#undef FAST
#undef NUMBER
#undef TARGET
