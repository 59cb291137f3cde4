// Keeping Polymarket books by their hashes.
//
// A price_change carries the hash of the book as it is when all changes with its timestamp are in (a "batch"), computed
// with the newest last trade price, which may reach the stream later or never. For each token of a market:
//
//   NONE ── change ──▶ HELD ── hash agrees ──▶ PROVEN: published     (a further change of the batch: HELD again)
//   PROVEN ── batch ends ──▶ NONE, counted as equal
//   HELD ── batch ends; it took something away: perhaps only the trade price is missing ──▶ NONE, published, PENDING
//   HELD ── batch ends otherwise, or the book is crossed ──▶ NONE, the book is STALE
//   PENDING ── a later batch, book or trade agrees ──▶ proven
//   PENDING ── a trade or book disagrees, or proof_timeout_ns is over ──▶ STALE
//
// When does a batch end? Nothing in the stream says so. After each message the hash is computed at once (a few
// microseconds for a usual book): where it agrees the book is whole, whether or not more follows, and is published
// without waiting. Where it does not the book is inside a batch (and may be crossed): it is held back until a message
// of that market with another timestamp or a book of that token ends the batch, or until batch_hold_ns after its last
// message. So no update waits but one that cannot be proven.
//
// The hash is tried with the last trade price that is known, and then with the prices that batches took something away
// from, newest first; one that agrees is the last trade price from then on, for both tokens.
//
// A token is SYNCING until a book of it is proven. A book that comes without a last trade price may be pending too.
// Without a book changes are not applied and claim nothing. tick_size_change voids the book until the next one.
#include "polymarket_batch.h"

#include <string.h>

// Levels handed to the book at a time.
#define CHUNK 256u

// MARK: markets and their tokens

static apus_polymarket_condition* make_condition(apus_polymarket_market* polymarket, const apus_polymarket_text* id) {
    if (id->length != APUS_POLYMARKET_ID_BYTES) return NULL;
    apus_polymarket_condition* condition = apus_arena_alloc(polymarket->market->arena, sizeof *condition);
    if (condition == NULL) return NULL;
    memset(condition, 0, sizeof *condition);
    memcpy(condition->pair.id, id->bytes, id->length);
    condition->pair.instruments[0] = condition->pair.instruments[1] = APUS_INSTRUMENT_NONE;
    if (apus_polymarket_decoder_learn(&polymarket->decoder, &condition->pair) < 0) {
        apus_arena_free(polymarket->market->arena, condition, sizeof *condition);
        return NULL;
    }
    condition->next = polymarket->conditions;
    polymarket->conditions = condition;
    return condition;
}

// The market of a message, made when it is new and one of our tokens is in it. NULL: none, or the arena is full.
static apus_polymarket_condition* condition_of(apus_polymarket_market* polymarket) {
    apus_polymarket_message* message = &polymarket->last;
    if (message->pair == NULL) {
        apus_polymarket_condition* made = make_condition(polymarket, &message->market);
        if (made == NULL) return NULL;
        message->pair = &made->pair;
    }
    return (apus_polymarket_condition*)message->pair;
}

// Notes that a token is of this market. A token keeps its market; only a whole book, which its hash proves, can move
// it.
static void bind(apus_polymarket_market* polymarket, apus_polymarket_condition* condition,
                 const apus_polymarket_text* asset, uint16_t instrument, bool may_move) {
    apus_polymarket_pair_token(&condition->pair, asset->bytes, asset->length, instrument);
    apus_market_book* book = instrument == APUS_INSTRUMENT_NONE ? NULL : apus_market_at(polymarket->market, instrument);
    apus_polymarket_proof* proof = book == NULL ? NULL : book->venue;
    if (proof == NULL || proof->condition == condition || (proof->condition != NULL && !may_move)) return;
    proof->condition = condition;
    proof->batch = APUS_POLYMARKET_BATCH_NONE;
    proof->reduced = false;
    proof->pending = 0;
}

// The opened book that the message is about, when the message's market is its own.
static apus_market_book* message_book(apus_polymarket_market* polymarket) {
    apus_polymarket_message* message = &polymarket->last;
    if (message->instrument == APUS_INSTRUMENT_NONE) return NULL;
    apus_market_book* book = apus_market_at(polymarket->market, message->instrument);
    if (book == NULL || book->venue == NULL || book->state == APUS_STATE_DROPPED) return NULL;
    apus_polymarket_condition* condition = condition_of(polymarket);
    if (condition == NULL) return NULL;
    bind(polymarket, condition, &message->asset, message->instrument, message->kind == APUS_POLYMARKET_BOOK);
    return apus_polymarket_proof_of(book)->condition == condition ? book : NULL;
}

// MARK: price_change

// Applies one change. Returns whether the book has it.
static bool apply_change(apus_polymarket_market* polymarket, apus_market_book* book,
                         const apus_polymarket_level* change) {
    apus_polymarket_proof* proof = book->venue;
    apus_market* market = polymarket->market;
    bool reduces = change->size < apus_book_quantity(&book->book, change->side, change->price);
    if (reduces) {
        proof->reduced = true;
        apus_polymarket_note_candidate(proof->condition, change->price_text, change->price_length);
    }
    apus_level level = {change->price, change->size};
    bool bid = change->side == APUS_SIDE_BID;
    int error = apus_market_apply(market, book, &level, bid, &level, !bid);
    if (error == 0) error = apus_polymarket_rows_set(market->arena, &proof->rows[change->side], change->side, change);
    if (error < 0) {
        apus_polymarket_forsake(polymarket, book, APUS_BOOK_REASON_ARENA);
        return false;
    }
    proof->has_hash = change->hash != NULL;
    if (proof->has_hash) memcpy(proof->hash, change->hash, sizeof proof->hash);
    proof->batch = APUS_POLYMARKET_BATCH_HELD;
    return true;
}

// After a message: proves and publishes each token that it changed, where that can be done.
static void try_batch(apus_polymarket_market* polymarket, apus_polymarket_condition* condition) {
    for (int token = 0; token < 2; token++) {
        apus_market_book* book = apus_polymarket_token_book(polymarket, condition, token);
        if (book == NULL) continue;
        apus_polymarket_proof* proof = book->venue;
        if (proof->batch != APUS_POLYMARKET_BATCH_HELD) continue;
        if (!proof->has_hash) {
            if (!apus_book_crossed(&book->book)) apus_market_publish(polymarket->market, book, 0);
        } else if (apus_polymarket_prove(polymarket, book, proof->hash, condition->batch_ms)) {
            proof->batch = APUS_POLYMARKET_BATCH_PROVEN;
            apus_polymarket_proven(polymarket, book, 0);
        }
    }
}

static void take_changes(apus_polymarket_market* polymarket) {
    apus_polymarket_message* message = &polymarket->last;
    const apus_polymarket_level* changes = message->levels;
    bool ours = message->fast;
    for (uint32_t i = 0; i < message->change_count && !ours; i++)
        ours = changes[i].instrument != APUS_INSTRUMENT_NONE;
    apus_polymarket_condition* condition = ours ? condition_of(polymarket) : NULL;
    if (condition == NULL) {
        apus_publisher_count(polymarket->market->out, APUS_COUNT_UNKNOWN, 1);
        return;
    }
    apus_polymarket_begin_batch(polymarket, condition, message->timestamp);
    apus_publisher_venue_ms(polymarket->market->out, message->timestamp);
    apus_market_book* counted = NULL;
    for (uint32_t i = 0; i < message->change_count; i++) {
        const apus_polymarket_level* change = &changes[i];
        if (!message->fast) bind(polymarket, condition, &change->asset, change->instrument, false);
        apus_market_book* book =
            change->instrument == APUS_INSTRUMENT_NONE ? NULL : apus_market_at(polymarket->market, change->instrument);
        if (book == NULL || book->venue == NULL || !apus_polymarket_proof_of(book)->has_book) continue;
        if (apus_polymarket_proof_of(book)->condition != condition) continue;
        if (!apply_change(polymarket, book, change) || book == counted) continue;
        book->update_id = message->timestamp;
        book->applied_ns = polymarket->market->out->receive_ns;
        book->applied++;
        apus_publisher_count(polymarket->market->out, APUS_COUNT_DEPTH_APPLIED, 1);
        counted = book;
    }
    try_batch(polymarket, condition);
}

// MARK: book

static int apply_levels(apus_polymarket_market* polymarket, apus_market_book* book, uint8_t side,
                        const apus_polymarket_level* levels, uint32_t count) {
    apus_polymarket_rows* rows = &apus_polymarket_proof_of(book)->rows[side];
    apus_level chunk[CHUNK];
    while (count > 0) {
        uint32_t part = count < CHUNK ? count : CHUNK;
        for (uint32_t i = 0; i < part; i++) {
            chunk[i] = (apus_level){levels[i].price, levels[i].size};
            if (apus_polymarket_rows_set(polymarket->market->arena, rows, side, &levels[i]) < 0) return -ENOMEM;
        }
        bool bid = side == APUS_SIDE_BID;
        int error = apus_market_apply(polymarket->market, book, chunk, bid ? part : 0, chunk, bid ? 0 : part);
        if (error < 0) return error;
        levels += part;
        count -= part;
    }
    return 0;
}

// Puts the message's levels in the place of the book's.
static bool replace_book(apus_polymarket_market* polymarket, apus_market_book* book) {
    const apus_polymarket_message* message = &polymarket->last;
    apus_polymarket_proof* proof = book->venue;
    apus_market* market = polymarket->market;
    apus_book_clear(&book->book);
    apus_market_replaced(book);
    for (int side = 0; side < 2; side++)
        apus_polymarket_rows_clear(market->arena, &proof->rows[side]);
    int error = 0;
    if (message->tick != 0 && message->tick != apus_instrument_at(market->instruments, book->instrument)->tick_units) {
        error = apus_market_tick_size(market, book, message->tick);
    }
    if (message->tick != 0)
        apus_polymarket_take_price(&proof->tick_size, message->tick_size.bytes, message->tick_size.length);
    if (error == 0) error = apply_levels(polymarket, book, APUS_SIDE_BID, message->levels, message->bid_count);
    if (error == 0) {
        error = apply_levels(polymarket, book, APUS_SIDE_ASK, message->levels + message->bid_count, message->ask_count);
    }
    if (error < 0) {
        apus_polymarket_forsake(polymarket, book, APUS_BOOK_REASON_ARENA);
        return false;
    }
    book->update_id = message->timestamp;
    book->applied_ns = market->out->receive_ns;
    proof->book_ns = market->out->receive_ns;
    polymarket->books++;
    proof->has_book = true;
    proof->wants_snapshot = false;
    return true;
}

// Holds a pending proof against a price that has become known.
static bool pending_agrees(const apus_polymarket_proof* proof, const apus_polymarket_price* price) {
    return apus_polymarket_hash_equals(&proof->waiting, price, proof->pending_hash);
}

// Whether the venue's book bears out what is pending: the price that it proves also proves that, or, when it proves
// none for want of the same price, it is the very book that waits.
static bool settled_by_book(const apus_polymarket_proof* proof, bool agrees) {
    if (agrees) return pending_agrees(proof, &proof->condition->last_trade_price);
    return apus_polymarket_hash_same(&proof->tried, &proof->waiting);
}

static void take_book(apus_polymarket_market* polymarket) {
    const apus_polymarket_message* message = &polymarket->last;
    apus_market_book* book = message_book(polymarket);
    apus_polymarket_proof* proof = book != NULL ? book->venue : NULL;
    if (proof == NULL) {
        apus_publisher_count(polymarket->market->out, APUS_COUNT_UNKNOWN, 1);
        return;
    }
    apus_polymarket_condition* condition = proof->condition;
    if (condition->batch_open && condition->batch_ms != message->timestamp) {
        apus_polymarket_end_batch(polymarket, condition);
    } else if (condition->batch_open) {
        apus_polymarket_end_token(polymarket, book, condition->batch_ms);
    }
    apus_publisher_venue_ms(polymarket->market->out, message->timestamp);
    apus_polymarket_text price = message->last_trade_price;
    if (price.length != 0) apus_polymarket_adopt(condition, price.bytes, price.length, message->timestamp);
    if (message->min_order_size.length != 0) {
        apus_polymarket_take_price(&proof->min_order_size, message->min_order_size.bytes,
                                   message->min_order_size.length);
    }
    if (message->has_neg_risk) proof->neg_risk = message->neg_risk;
    if (!replace_book(polymarket, book)) return;
    proof->has_hash = message->hash.length != 0;
    if (proof->has_hash) memcpy(proof->hash, message->hash.bytes, sizeof proof->hash);
    bool agrees = proof->has_hash && apus_polymarket_prove(polymarket, book, proof->hash, message->timestamp);
    if (!proof->has_book) return; // the arena was full
    if (proof->pending > 0 && !settled_by_book(proof, agrees)) {
        // What was shown until now was wrong; what has come may be right all the same.
        apus_polymarket_broken(polymarket, book, APUS_BOOK_REASON_HASH);
        proof->has_book = true;
        proof->wants_snapshot = false;
    }
    // The whole book has just come: an unreadable frame before it does no harm any more.
    proof->damage_seen = polymarket->damage;
    if (proof->has_hash) apus_polymarket_compare(polymarket, book, 1, agrees);
    if (agrees) {
        apus_polymarket_proven(polymarket, book, APUS_BOOK_SNAPSHOT);
    } else if (proof->has_hash && !apus_polymarket_may_wait(polymarket, book, price.length == 0)) {
        apus_polymarket_broken(polymarket, book, APUS_BOOK_REASON_HASH);
    } else {
        if (proof->has_hash) apus_polymarket_wait_for_proof(polymarket, book, message->timestamp);
        apus_market_publish(polymarket->market, book, APUS_BOOK_SNAPSHOT);
    }
}

// MARK: trades, tickers, ticks

// A trade's price settles what waits for it.
static void settle_by_trade(apus_polymarket_market* polymarket, apus_market_book* book,
                            const apus_polymarket_price* price, uint64_t ms) {
    apus_polymarket_proof* proof = book->venue;
    if (!proof->has_book) return;
    if (proof->batch == APUS_POLYMARKET_BATCH_HELD && proof->has_hash
        && apus_polymarket_hash_equals(&proof->tried, price, proof->hash)) {
        proof->batch = APUS_POLYMARKET_BATCH_PROVEN;
        apus_polymarket_proven(polymarket, book, 0);
        return;
    }
    if (proof->pending == 0) return;
    if (pending_agrees(proof, price)) {
        if (proof->batch == APUS_POLYMARKET_BATCH_NONE) {
            apus_polymarket_proven(polymarket, book, 0);
        } else {
            apus_polymarket_settle(polymarket, book);
        }
    } else if (ms >= proof->pending_ms) {
        apus_polymarket_broken(polymarket, book, APUS_BOOK_REASON_HASH);
    }
}

static void take_trade(apus_polymarket_market* polymarket) {
    const apus_polymarket_message* message = &polymarket->last;
    apus_market_book* book = message_book(polymarket);
    apus_publisher_venue_ms(polymarket->market->out, message->timestamp);
    // The venue numbers its trades by a transaction's hash at most: no id.
    if (book != NULL) {
        apus_market_trade(polymarket->market, book, message->price, message->size, 0, message->side == APUS_SIDE_ASK);
    }
    // The price counts for both tokens, whichever was traded.
    apus_polymarket_condition* condition = (apus_polymarket_condition*)message->pair;
    if (condition == NULL) {
        apus_publisher_count(polymarket->market->out, APUS_COUNT_UNKNOWN, 1);
        return;
    }
    apus_polymarket_price price;
    apus_polymarket_take_price(&price, message->last_trade_price.bytes, message->last_trade_price.length);
    apus_polymarket_adopt(condition, price.text, price.length, message->timestamp);
    for (int token = 0; token < 2; token++) {
        book = apus_polymarket_token_book(polymarket, condition, token);
        if (book != NULL) settle_by_trade(polymarket, book, &price, message->timestamp);
    }
}

// The venue tells prices only: the quantities are those of our book at these prices, 0 where it has none.
static void take_ticker(apus_polymarket_market* polymarket) {
    const apus_polymarket_message* message = &polymarket->last;
    apus_market_book* book = message_book(polymarket);
    if (book == NULL) {
        apus_publisher_count(polymarket->market->out, APUS_COUNT_UNKNOWN, 1);
        return;
    }
    apus_publisher* out = polymarket->market->out;
    apus_publisher_venue_ms(out, message->timestamp);
    apus_event event = {
        .instrument = book->instrument,
        .kind = APUS_EVENT_TICKER,
        .update_id = (uint32_t)message->timestamp,
        .bid_price = message->price,
        .bid_quantity = apus_book_quantity(&book->book, APUS_SIDE_BID, message->price),
        .ask_price = message->ask,
        .ask_quantity = apus_book_quantity(&book->book, APUS_SIDE_ASK, message->ask),
    };
    apus_publisher_emit(out, &event);
    apus_publisher_count(out, APUS_COUNT_EVENTS, 1);
}

static void take_tick_size(apus_polymarket_market* polymarket) {
    const apus_polymarket_message* message = &polymarket->last;
    apus_market_book* book = message_book(polymarket);
    apus_polymarket_proof* proof = book != NULL ? book->venue : NULL;
    if (proof == NULL) {
        apus_publisher_count(polymarket->market->out, APUS_COUNT_UNKNOWN, 1);
        return;
    }
    if (proof->condition != NULL && proof->condition->batch_open)
        apus_polymarket_end_batch(polymarket, proof->condition);
    apus_publisher_venue_ms(polymarket->market->out, message->timestamp);
    apus_polymarket_take_price(&proof->tick_size, message->tick_size.bytes, message->tick_size.length);
    int64_t tick = apus_instrument_at(polymarket->market->instruments, book->instrument)->tick_units;
    bool synced = proof->has_book;
    // The levels stand until the next book replaces them, but nobody is told that they are right.
    if (message->ask != tick) apus_market_tick_size(polymarket->market, book, message->ask);
    if (book->state == APUS_STATE_LIVE || synced) apus_polymarket_forsake(polymarket, book, APUS_BOOK_REASON_TICK_SIZE);
    proof->wants_snapshot = true;
}

// MARK: frames

static void take(apus_polymarket_market* polymarket) {
    apus_probe_decoded(&polymarket->last.instrument, &polymarket->last.timestamp);
    switch (polymarket->last.kind) {
    case APUS_POLYMARKET_CHANGE:
        take_changes(polymarket);
        break;
    case APUS_POLYMARKET_BOOK:
        take_book(polymarket);
        break;
    case APUS_POLYMARKET_TRADE:
        take_trade(polymarket);
        break;
    case APUS_POLYMARKET_TICKER:
        take_ticker(polymarket);
        break;
    case APUS_POLYMARKET_TICK_SIZE:
        take_tick_size(polymarket);
        break;
    case APUS_POLYMARKET_CONTROL:
        polymarket->controls++;
        break;
    default:
        apus_publisher_count(polymarket->market->out, APUS_COUNT_UNKNOWN, 1);
        break;
    }
}

// A frame that could not be read may have changed a book: that of the token or market it names, else any.
static int failed(apus_polymarket_market* polymarket, int error) {
    const apus_polymarket_message* message = &polymarket->last;
    apus_publisher_count(polymarket->market->out, APUS_COUNT_DECODE_ERRORS, 1);
    if (message->kind == APUS_POLYMARKET_TRADE || message->kind == APUS_POLYMARKET_TICKER) return error;
    if (message->pair != NULL) {
        for (int token = 0; token < 2; token++) {
            apus_market_book* book =
                apus_polymarket_token_book(polymarket, (apus_polymarket_condition*)message->pair, token);
            bool meant = message->kind == APUS_POLYMARKET_CHANGE || message->instrument == APUS_INSTRUMENT_NONE
                         || (book != NULL && message->instrument == book->instrument);
            if (book != NULL && meant)
                apus_polymarket_market_void(polymarket, book->instrument, APUS_BOOK_REASON_DECODE);
        }
    } else if (message->instrument != APUS_INSTRUMENT_NONE) {
        apus_polymarket_market_void(polymarket, message->instrument, APUS_BOOK_REASON_DECODE);
    } else {
        polymarket->damage++;
    }
    return error;
}

// An array is read through before any of it is applied.
static int check(apus_polymarket_market* polymarket, const uint8_t* bytes, size_t length) {
    apus_polymarket_decoder* decoder = &polymarket->decoder;
    uint64_t general = decoder->general;
    apus_polymarket_frame frame;
    apus_polymarket_frame_begin(&frame, bytes, length);
    int result;
    while ((result = apus_polymarket_frame_next(decoder, &frame, &polymarket->last)) > 0) {
    }
    decoder->general = general;
    return result;
}

int apus_polymarket_market_message(apus_polymarket_market* polymarket, const uint8_t* bytes, size_t length,
                                   uint64_t receive_ns, uint64_t kernel_ns) {
    apus_publisher* out = polymarket->market->out;
    apus_polymarket_market_tick(polymarket, receive_ns);
    apus_publisher_message(out, receive_ns, kernel_ns);
    apus_publisher_count(out, APUS_COUNT_FRAMES, 1);
    apus_polymarket_frame frame;
    apus_polymarket_frame_begin(&frame, bytes, length);
    apus_probe_frame(length, receive_ns);
    int result = apus_polymarket_frame_many(&frame) ? check(polymarket, bytes, length) : 0;
    if (result < 0) return failed(polymarket, result);
    while ((result = apus_polymarket_frame_next(&polymarket->decoder, &frame, &polymarket->last)) > 0)
        take(polymarket);
    return result < 0 ? failed(polymarket, result) : 0;
}
