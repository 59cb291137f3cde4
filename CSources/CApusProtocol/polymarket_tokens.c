// Tokens of Polymarket come and go, and time passes.
#include "polymarket_batch.h"

#include "apus_decimal.h"

#include <string.h>

int apus_polymarket_market_init(apus_polymarket_market* polymarket, apus_market* market, apus_polymarket_level* levels,
                                uint32_t level_capacity) {
    memset(polymarket, 0, sizeof *polymarket);
    polymarket->market = market;
    polymarket->batch_hold_ns = APUS_POLYMARKET_BATCH_HOLD_NS;
    polymarket->proof_timeout_ns = APUS_POLYMARKET_PROOF_TIMEOUT_NS;
    polymarket->deadline_ns = UINT64_MAX;
    uint32_t places = apus_polymarket_pair_places(market->instruments->capacity);
    apus_polymarket_pair** pairs = apus_arena_alloc(market->arena, places * sizeof *pairs);
    if (pairs == NULL) return -ENOMEM;
    apus_polymarket_decoder_init(&polymarket->decoder, market->instruments, levels, level_capacity, pairs, places);
    return 0;
}

// MARK: opening, dropping

static void reset(apus_polymarket_market* polymarket, apus_market_book* book) {
    apus_polymarket_proof* proof = book->venue;
    const apus_instrument* instrument = apus_instrument_at(polymarket->market->instruments, book->instrument);
    for (int side = 0; side < 2; side++)
        apus_polymarket_rows_clear(polymarket->market->arena, &proof->rows[side]);
    memset(proof, 0, sizeof *proof);
    apus_polymarket_take_price(&proof->min_order_size, (const uint8_t*)"5", 1);
    char text[APUS_DECIMAL_TEXT_BYTES];
    size_t length = apus_decimal_format(instrument->tick_units, instrument->price_decimals, text);
    if (instrument->price_decimals > 0) {
        while (text[length - 1] == '0')
            length--;
        if (text[length - 1] == '.') length--;
    }
    apus_polymarket_take_price(&proof->tick_size, (const uint8_t*)text, length);
    proof->wants_snapshot = true;
}

// A market may have met this token before it was in the table.
static void find_market(apus_polymarket_market* polymarket, apus_market_book* book) {
    const apus_instrument* instrument = apus_instrument_at(polymarket->market->instruments, book->instrument);
    static const char head[] = "{\"asset_id\":\"";
    size_t length = instrument->symbol_length, offset = sizeof head - 1;
    for (apus_polymarket_condition* condition = polymarket->conditions; condition != NULL;
         condition = condition->next) {
        for (int token = 0; token < 2; token++) {
            const uint8_t* needle = condition->pair.needle[token];
            if (condition->pair.needle_length[token] <= offset + length || needle[offset + length] != '"'
                || memcmp(needle + offset, instrument->symbol, length) != 0) {
                continue;
            }
            condition->pair.instruments[token] = book->instrument;
            apus_polymarket_proof_of(book)->condition = condition;
            return;
        }
    }
}

apus_market_book* apus_polymarket_market_open(apus_polymarket_market* polymarket, uint16_t instrument) {
    apus_market_book* book = apus_market_open(polymarket->market, instrument);
    if (book == NULL) return NULL;
    if (book->venue == NULL) {
        book->venue = apus_arena_alloc(polymarket->market->arena, sizeof(apus_polymarket_proof));
        if (book->venue == NULL) return NULL;
        memset(book->venue, 0, sizeof(apus_polymarket_proof));
    }
    reset(polymarket, book);
    find_market(polymarket, book);
    return book;
}

int apus_polymarket_market_configure(apus_polymarket_market* polymarket, uint16_t instrument,
                                     const char* min_order_size, bool neg_risk) {
    apus_market_book* book = apus_market_at(polymarket->market, instrument);
    if (book == NULL || book->venue == NULL) return -ENOENT;
    size_t length = strlen(min_order_size);
    int64_t value;
    if (length == 0 || length > APUS_POLYMARKET_NUMBER_BYTES
        || apus_decimal_parse((const uint8_t*)min_order_size, length, APUS_DECIMALS_MAX / 2, &value, NULL) < 0) {
        return -EINVAL;
    }
    apus_polymarket_take_price(&apus_polymarket_proof_of(book)->min_order_size, (const uint8_t*)min_order_size, length);
    apus_polymarket_proof_of(book)->neg_risk = neg_risk;
    return 0;
}

void apus_polymarket_market_drop(apus_polymarket_market* polymarket, uint16_t instrument) {
    apus_market_book* book = apus_market_at(polymarket->market, instrument);
    if (book == NULL || book->venue == NULL || book->state == APUS_STATE_DROPPED) return;
    reset(polymarket, book);
    apus_market_drop(polymarket->market, book);
}

// A book that nobody was told to trust is not worth a word.
static void forget(apus_polymarket_proof* proof) {
    proof->batch = APUS_POLYMARKET_BATCH_NONE;
    proof->reduced = proof->has_book = false;
    proof->pending = 0;
    proof->wants_snapshot = true;
}

void apus_polymarket_market_void(apus_polymarket_market* polymarket, uint16_t instrument, uint8_t reason) {
    apus_market_book* book = apus_market_at(polymarket->market, instrument);
    if (book == NULL || book->venue == NULL || book->state == APUS_STATE_DROPPED) return;
    if (book->state == APUS_STATE_LIVE) {
        apus_polymarket_broken(polymarket, book, reason);
    } else {
        forget(book->venue);
    }
}

void apus_polymarket_market_lost(apus_polymarket_market* polymarket, uint16_t instrument, uint8_t reason) {
    apus_market_book* book = apus_market_at(polymarket->market, instrument);
    if (book == NULL || book->venue == NULL || book->state == APUS_STATE_DROPPED) return;
    apus_polymarket_proof* proof = book->venue;
    if (proof->batch == APUS_POLYMARKET_BATCH_PROVEN) {
        apus_polymarket_end_token(polymarket, book, proof->condition->batch_ms);
    }
    if (book->state == APUS_STATE_LIVE) {
        apus_polymarket_forsake(polymarket, book, reason);
    } else {
        forget(proof);
    }
}

// MARK: strangers

// The first token of the newest object that is not in the table.
static bool find_stranger(const apus_polymarket_message* message, apus_polymarket_text* asset) {
    if (!message->unknown_asset) return false;
    *asset = message->asset;
    for (uint32_t i = 0; i < message->change_count; i++) {
        if (message->levels[i].instrument != APUS_INSTRUMENT_NONE) continue;
        *asset = message->levels[i].asset;
        break;
    }
    return asset->length != 0;
}

bool apus_polymarket_market_stranger(apus_polymarket_market* polymarket, const uint8_t* bytes, size_t length,
                                     apus_polymarket_text* asset) {
    apus_polymarket_decoder* decoder = &polymarket->decoder;
    uint64_t fast = decoder->fast, general = decoder->general;
    apus_polymarket_frame frame;
    apus_polymarket_frame_begin(&frame, bytes, length);
    bool found = false;
    while (!found && apus_polymarket_frame_next(decoder, &frame, &polymarket->last) > 0)
        found = find_stranger(&polymarket->last, asset);
    decoder->fast = fast;
    decoder->general = general;
    return found;
}

// MARK: time

void apus_polymarket_market_tick(apus_polymarket_market* polymarket, uint64_t now_ns) {
    if (now_ns < polymarket->deadline_ns) return;
    apus_publisher_message(polymarket->market->out, now_ns, 0);
    polymarket->deadline_ns = UINT64_MAX;
    for (apus_polymarket_condition* condition = polymarket->conditions; condition != NULL;
         condition = condition->next) {
        if (condition->batch_open) {
            if (now_ns >= condition->batch_until_ns) {
                apus_polymarket_end_batch(polymarket, condition);
            } else {
                apus_polymarket_wake_by(polymarket, condition->batch_until_ns);
            }
        }
        for (int token = 0; token < 2; token++) {
            apus_market_book* book = apus_polymarket_token_book(polymarket, condition, token);
            if (book == NULL || apus_polymarket_proof_of(book)->pending == 0) continue;
            uint64_t until_ns = apus_polymarket_proof_of(book)->pending_until_ns;
            if (now_ns >= until_ns) {
                apus_polymarket_broken(polymarket, book, APUS_BOOK_REASON_HASH);
            } else {
                apus_polymarket_wake_by(polymarket, until_ns);
            }
        }
    }
}

void apus_polymarket_market_flush(apus_polymarket_market* polymarket) {
    for (apus_polymarket_condition* condition = polymarket->conditions; condition != NULL; condition = condition->next)
        apus_polymarket_end_batch(polymarket, condition);
}
