// The fast reader, included once for each vector variant with these macros set:
//   FAST(name)   the variant's name for a function
//   TARGET       its function attribute
//   MASK(p, c)   which of the 64 bytes at p equal c
//   PAIR(...)    the two numbers of a level, see below
//
// It takes only what the venue writes: this key order, no space, no escape. Whatever differs makes it give up, and the general
// reader starts over; so nothing here needs to say what is wrong. No load goes further than APUS_PADDING behind `end`.

typedef struct FAST(cursor) {
    const uint8_t* at;
    const uint8_t* end;
} FAST(cursor);

// Passes a literal of at most 16 bytes.
TARGET static inline bool FAST(pass)(FAST(cursor) * cursor, const char* literal, size_t length) {
    if (cursor->at >= cursor->end || memcmp(cursor->at, literal, length) != 0) return false;
    cursor->at += length;
    return true;
}

#define PASS(cursor, literal) FAST(pass)((cursor), literal, sizeof(literal) - 1)

// Reads an unsigned integer of JSON's form of up to 16 digits.
TARGET static inline bool FAST(unsigned)(FAST(cursor) * cursor, uint64_t* value) {
    const uint8_t* at = cursor->at;
    if (at >= cursor->end) return false;
    uint64_t high = 0, word, low;
    memcpy(&word, at, 8);
    size_t before = 0;
    if (apus_eight_digits(word, &high)) {
        before = 8;
        memcpy(&word, at + 8, 8);
    }
    // How many digits the word begins with: a byte that is no digit has its high bit set in one of the two terms.
    uint64_t digits = word - 0x3030303030303030u;
    uint64_t others = ((digits + 0x7676767676767676u) | digits) & 0x8080808080808080u;
    size_t count = others == 0 ? 8 : (size_t)__builtin_ctzll(others) >> 3;
    if (before + count == 0 || (before == 0 && count == 8)) return false;
    if (at[0] == '0' && before + count > 1) return false;
    if (count == 0) {
        *value = high;
    } else {
        // Zeros in front make it eight digits.
        uint64_t shifted = count == 8 ? word : word << (64 - 8 * count) | 0x3030303030303030u >> (8 * count);
        if (!apus_eight_digits(shifted, &low)) return false;
        *value = high * (uint64_t)apus_powers_of_ten[count] + low;
    }
    cursor->at = at + before + count;
    return true;
}

// Passes a name between quotes, without escapes and control characters, of at most 62 bytes; the opening quote is passed.
TARGET static inline bool FAST(name)(FAST(cursor) * cursor, const uint8_t** text, uint32_t* length) {
    if (cursor->at >= cursor->end) return false;
    uint64_t quotes = MASK(cursor->at, '"');
    if (quotes == 0) return false;
    uint64_t inside = (quotes & (0 - quotes)) - 1;
    if (MASK(cursor->at, '\\') & inside) return false;
    *text = cursor->at;
    *length = (uint32_t)__builtin_ctzll(quotes);
    for (uint32_t i = 0; i < *length; i++) {
        if (cursor->at[i] < 0x20) return false;
    }
    cursor->at += *length + 1;
    return true;
}

// Finds the instrument of a name between quotes; the opening quote is passed.
TARGET static inline const apus_instrument* FAST(symbol)(const apus_binance_decoder* decoder, FAST(cursor) * cursor,
                                                         apus_binance_message* message) {
    if (cursor->at >= cursor->end) return NULL;
    uint64_t quotes = MASK(cursor->at, '"');
    if (quotes == 0) return NULL;
    message->symbol = cursor->at;
    message->symbol_length = (uint32_t)__builtin_ctzll(quotes);
    if (message->symbol_length == 0) return NULL;
    message->instrument = apus_instrument_find_padded(decoder->instruments, message->symbol, message->symbol_length);
    if (message->instrument == APUS_INSTRUMENT_NONE) return NULL;
    cursor->at += message->symbol_length + 1;
    return apus_instrument_at(decoder->instruments, message->instrument);
}

// MARK: levels

// Reads `["price","quantity"],` and so on up to the closing bracket of the array; its opening bracket is passed.
TARGET static inline bool FAST(levels)(FAST(cursor) * cursor, const pair_form* form, apus_level* out, uint32_t room,
                                       uint32_t* count) {
    const uint8_t* at = cursor->at;
    uint32_t filled = 0;
    if (at < cursor->end && *at == ']') {
        cursor->at = at + 1;
        *count = 0;
        return true;
    }
    for (;;) {
        if (at >= cursor->end || filled == room) return false;
        uint64_t quotes = MASK(at, '"');
        uint64_t second = quotes & (quotes - 1), third = second & (second - 1), fourth = third & (third - 1);
        if (fourth == 0) return false;
        size_t open = (size_t)__builtin_ctzll(quotes), close = (size_t)__builtin_ctzll(second);
        size_t open2 = (size_t)__builtin_ctzll(third), close2 = (size_t)__builtin_ctzll(fourth);
        if (at[0] != '[' || open != 1 || open2 != close + 2 || at[close + 1] != ',' || at[close2 + 1] != ']') {
            return false;
        }
        if (!PAIR(at + 2, close - 2, at + open2 + 1, close2 - open2 - 1, form, &out[filled])) return false;
        filled++;
        at += close2 + 2;
        if (*at == ']') break;
        if (*at != ',') return false;
        at++;
    }
    cursor->at = at + 1;
    *count = filled;
    return true;
}

// Both sides with `name` in front of each.
TARGET static inline bool FAST(sides)(apus_binance_decoder* decoder, FAST(cursor) * cursor, const char* bids,
                                      size_t bids_length, const char* asks, size_t asks_length,
                                      const apus_instrument* instrument, apus_binance_message* message) {
    pair_form form = pair_form_of(instrument->price_decimals, instrument->quantity_decimals);
    message->levels = decoder->levels;
    if (!FAST(pass)(cursor, bids, bids_length)) return false;
    if (!FAST(levels)(cursor, &form, decoder->levels, decoder->level_capacity, &message->bid_count)) return false;
    if (!FAST(pass)(cursor, asks, asks_length)) return false;
    return FAST(levels)(cursor, &form, decoder->levels + message->bid_count,
                        decoder->level_capacity - message->bid_count, &message->ask_count);
}

// MARK: messages

TARGET static inline bool FAST(depth)(apus_binance_decoder* decoder, FAST(cursor) * cursor,
                                      apus_binance_message* message) {
    if (!PASS(cursor, "\"E\":") || !FAST(unsigned)(cursor, &message->event_time)) return false;
    if (PASS(cursor, ",\"T\":") && !FAST(unsigned)(cursor, &message->transaction_time)) return false;
    if (!PASS(cursor, ",\"s\":\"")) return false;
    const apus_instrument* instrument = FAST(symbol)(decoder, cursor, message);
    if (instrument == NULL) return false;
    const uint8_t* pair;
    uint32_t pair_length;
    if (PASS(cursor, ",\"ps\":\"") && !FAST(name)(cursor, &pair, &pair_length)) return false;
    if (!PASS(cursor, ",\"U\":") || !FAST(unsigned)(cursor, &message->first_update)) return false;
    if (!PASS(cursor, ",\"u\":") || !FAST(unsigned)(cursor, &message->last_update)) return false;
    if (PASS(cursor, ",\"pu\":")) {
        message->has_previous = true;
        if (!FAST(unsigned)(cursor, &message->previous_update)) return false;
    }
    message->kind = APUS_BINANCE_DEPTH;
    return FAST(sides)(decoder, cursor, ",\"b\":[", 6, ",\"a\":[", 6, instrument, message) && PASS(cursor, "}");
}

// Two quoted numbers with the text between them: price and quantity.
TARGET static inline bool FAST(quoted_pair)(FAST(cursor) * cursor, const char* between, size_t between_length,
                                            const pair_form* form, apus_level* level) {
    if (cursor->at >= cursor->end) return false;
    const uint8_t* at = cursor->at;
    uint64_t quotes = MASK(at, '"');
    if (quotes == 0) return false;
    size_t close = (size_t)__builtin_ctzll(quotes);
    const uint8_t* second = at + close + 1 + between_length;
    if (second >= cursor->end || memcmp(at + close + 1, between, between_length) != 0) return false;
    quotes = MASK(second, '"');
    if (quotes == 0) return false;
    size_t length = (size_t)__builtin_ctzll(quotes);
    cursor->at = second + length + 1;
    return cursor->at < cursor->end && PAIR(at, close, second, length, form, level);
}

TARGET static inline bool FAST(ticker)(apus_binance_decoder* decoder, FAST(cursor) * cursor,
                                       apus_binance_message* message) {
    if (!PASS(cursor, "\"u\":") || !FAST(unsigned)(cursor, &message->last_update)) return false;
    if (!PASS(cursor, ",\"s\":\"")) return false;
    const apus_instrument* instrument = FAST(symbol)(decoder, cursor, message);
    if (instrument == NULL) return false;
    const uint8_t* pair;
    uint32_t pair_length;
    if (PASS(cursor, ",\"ps\":\"") && !FAST(name)(cursor, &pair, &pair_length)) return false;
    pair_form form = pair_form_of(instrument->price_decimals, instrument->quantity_decimals);
    if (!PASS(cursor, ",\"b\":\"") || !FAST(quoted_pair)(cursor, ",\"B\":\"", 6, &form, &message->bid)) return false;
    if (!PASS(cursor, ",\"a\":\"") || !FAST(quoted_pair)(cursor, ",\"A\":\"", 6, &form, &message->ask)) return false;
    if (PASS(cursor, ",\"T\":")) {
        if (!FAST(unsigned)(cursor, &message->transaction_time) || !PASS(cursor, ",\"E\":")
            || !FAST(unsigned)(cursor, &message->event_time)) {
            return false;
        }
    }
    message->kind = APUS_BINANCE_TICKER;
    return PASS(cursor, "}");
}

// Futures and spot trades; spot's order numbers ("b", "a" before 2024) are left to the general reader.
TARGET static inline bool FAST(trade)(apus_binance_decoder* decoder, FAST(cursor) * cursor,
                                      apus_binance_message* message) {
    if (!PASS(cursor, "\"E\":") || !FAST(unsigned)(cursor, &message->event_time)) return false;
    if (PASS(cursor, ",\"T\":") && !FAST(unsigned)(cursor, &message->transaction_time)) return false;
    if (!PASS(cursor, ",\"s\":\"")) return false;
    const apus_instrument* instrument = FAST(symbol)(decoder, cursor, message);
    if (instrument == NULL) return false;
    pair_form form = pair_form_of(instrument->price_decimals, instrument->quantity_decimals);
    if (!PASS(cursor, ",\"t\":") || !FAST(unsigned)(cursor, &message->trade_id)) return false;
    if (!PASS(cursor, ",\"p\":\"") || !FAST(quoted_pair)(cursor, ",\"q\":\"", 6, &form, &message->bid)) return false;
    if (PASS(cursor, ",\"X\":\"") && !PASS(cursor, "MARKET\"")) return false;
    if (message->transaction_time == 0 && PASS(cursor, ",\"T\":")
        && !FAST(unsigned)(cursor, &message->transaction_time)) {
        return false;
    }
    if (!PASS(cursor, ",\"m\":")) return false;
    message->buyer_is_maker = PASS(cursor, "true");
    if (!message->buyer_is_maker && !PASS(cursor, "false")) return false;
    if (PASS(cursor, ",\"M\":true")) message->aggregate = false; // spot: always so, without meaning
    message->kind = APUS_BINANCE_TRADE;
    return PASS(cursor, "}");
}

TARGET static inline bool FAST(snapshot)(apus_binance_decoder* decoder, FAST(cursor) * cursor, uint16_t number,
                                         apus_binance_message* message) {
    if (number >= decoder->instruments->count) return false;
    message->instrument = number;
    if (!FAST(unsigned)(cursor, &message->last_update)) return false;
    if (PASS(cursor, ",\"E\":") && !FAST(unsigned)(cursor, &message->event_time)) return false;
    if (PASS(cursor, ",\"T\":") && !FAST(unsigned)(cursor, &message->transaction_time)) return false;
    message->kind = APUS_BINANCE_SNAPSHOT;
    return FAST(sides)(decoder, cursor, ",\"bids\":[", 9, ",\"asks\":[", 9,
                       apus_instrument_at(decoder->instruments, number), message)
           && PASS(cursor, "}");
}

TARGET static inline bool FAST(event)(apus_binance_decoder* decoder, FAST(cursor) * cursor, uint16_t number,
                                      apus_binance_message* message) {
    if (PASS(cursor, "{\"lastUpdateId\":")) return FAST(snapshot)(decoder, cursor, number, message);
    if (!PASS(cursor, "{\"e\":\"")) return PASS(cursor, "{") && FAST(ticker)(decoder, cursor, message);
    message->event_type = cursor->at;
    if (PASS(cursor, "bookTicker\",")) {
        message->event_type_length = 10;
        return FAST(ticker)(decoder, cursor, message);
    }
    if (PASS(cursor, "depthUpdate\",")) {
        message->event_type_length = 11;
        return FAST(depth)(decoder, cursor, message);
    }
    if (!PASS(cursor, "trade\",")) return false;
    message->event_type_length = 5;
    return FAST(trade)(decoder, cursor, message);
}

TARGET bool FAST(apus_binance_fast)(apus_binance_decoder* decoder, const uint8_t* bytes, size_t length,
                                    uint16_t instrument, apus_binance_message* message) {
    FAST(cursor) cursor = {.at = bytes, .end = bytes + length};
    if (length < 24) return false;
    if (!PASS(&cursor, "{\"stream\":\"")) {
        return FAST(event)(decoder, &cursor, instrument, message) && cursor.at == cursor.end;
    }
    if (!FAST(name)(&cursor, &message->stream, &message->stream_length) || !PASS(&cursor, ",\"data\":")) return false;
    return FAST(event)(decoder, &cursor, instrument, message) && PASS(&cursor, "}") && cursor.at == cursor.end;
}

#undef PASS
#undef FAST
#undef TARGET
#undef MASK
#undef PAIR
