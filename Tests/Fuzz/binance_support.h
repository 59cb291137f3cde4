// What the fuzzers of the Binance decoder share: decoders for each variant over the same instruments, and comparing messages.
#ifndef BINANCE_SUPPORT_H
#define BINANCE_SUPPORT_H

#include "apus_binance_decode.h"
#include "apus_json.h"

#include <stdlib.h>

enum { SUPPORT_LEVELS = 4096 };

static inline void check(int condition) {
    if (!condition) abort();
}

typedef struct support_decoder {
    apus_binance_decoder decoder;
    apus_level levels[SUPPORT_LEVELS];
} support_decoder;

// Instruments of the recordings and of the documentation's examples, with the decimals that the venue writes.
static inline void support_instruments(apus_instrument_table* table) {
    static const struct {
        const char* symbol;
        uint8_t price_decimals, quantity_decimals;
    } rows[] = {{"BTCUSDT", 2, 3}, {"NKNUSDT", 8, 8}, {"BTCUSD_200626", 1, 0}, {"BNBBTC", 8, 8}, {"X", 4, 12}};
    void* memory = aligned_alloc(64, 1 << 14);
    check(apus_instrument_table_bytes(16) <= 1 << 14 && apus_instrument_table_init(table, memory, 16) == 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        apus_instrument instrument = {.price_decimals = rows[i].price_decimals,
                                      .quantity_decimals = rows[i].quantity_decimals,
                                      .tick_units = 1,
                                      .lot_units = 1};
        check(apus_instrument_add(table, rows[i].symbol, strlen(rows[i].symbol), &instrument) == (int)i);
    }
}

static inline support_decoder* support_decoder_make(const apus_instrument_table* table, int vector, bool general) {
    support_decoder* made = malloc(sizeof *made);
    apus_binance_decoder_init(&made->decoder, table, made->levels, SUPPORT_LEVELS);
    if (apus_binance_decoder_force(&made->decoder, (apus_vector)vector) != 0) {
        free(made);
        return NULL;
    }
    apus_binance_decoder_force_general(&made->decoder, general);
    return made;
}

static inline bool same_text(const uint8_t* a, uint32_t a_length, const uint8_t* b, uint32_t b_length) {
    return (a == NULL) == (b == NULL) && a_length == b_length && (a == NULL || memcmp(a, b, a_length) == 0);
}

// Whether two readers gave the same. The text pointers may point into different copies of the message.
static inline bool same_message(const apus_binance_message* a, const apus_binance_message* b) {
    if (a->kind != b->kind || a->unknown_reason != b->unknown_reason || a->instrument != b->instrument
        || a->has_previous != b->has_previous || a->aggregate != b->aggregate || a->not_market != b->not_market
        || a->buyer_is_maker != b->buyer_is_maker || a->succeeded != b->succeeded || a->event_time != b->event_time
        || a->transaction_time != b->transaction_time || a->first_update != b->first_update
        || a->last_update != b->last_update || a->previous_update != b->previous_update || a->bid_count != b->bid_count
        || a->ask_count != b->ask_count || a->bid.price != b->bid.price || a->bid.quantity != b->bid.quantity
        || a->ask.price != b->ask.price || a->ask.quantity != b->ask.quantity || a->trade_id != b->trade_id
        || a->answer_id != b->answer_id || a->answer_code != b->answer_code) {
        return false;
    }
    size_t bytes = ((size_t)a->bid_count + a->ask_count) * sizeof(apus_level);
    return (bytes == 0 || memcmp(a->levels, b->levels, bytes) == 0)
           && same_text(a->symbol, a->symbol_length, b->symbol, b->symbol_length)
           && same_text(a->stream, a->stream_length, b->stream, b->stream_length)
           && same_text(a->event_type, a->event_type_length, b->event_type, b->event_type_length)
           && same_text(a->answer_text, a->answer_text_length, b->answer_text, b->answer_text_length);
}

#endif
