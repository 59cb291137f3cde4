// Proofs and batches of Polymarket books; polymarket_market.c draws their states.
#include "polymarket_batch.h"

#include <string.h>

void apus_polymarket_wake_by(apus_polymarket_market* polymarket, uint64_t at_ns) {
    if (at_ns < polymarket->deadline_ns) polymarket->deadline_ns = at_ns;
}

apus_market_book* apus_polymarket_token_book(const apus_polymarket_market* polymarket,
                                             const apus_polymarket_condition* condition, int token) {
    uint16_t number = condition->pair.instruments[token];
    if (number == APUS_INSTRUMENT_NONE) return NULL;
    apus_market_book* book = apus_market_at(polymarket->market, number);
    if (book == NULL || book->venue == NULL || book->state == APUS_STATE_DROPPED) return NULL;
    return apus_polymarket_proof_of(book)->condition == condition ? book : NULL;
}

// MARK: counting and states

void apus_polymarket_compare(apus_polymarket_market* polymarket, apus_market_book* book, uint64_t compared,
                             uint64_t equal) {
    book->hash_compared += compared;
    book->hash_equal += equal;
    apus_publisher_count(polymarket->market->out, APUS_COUNT_HASH_COMPARED, compared);
    apus_publisher_count(polymarket->market->out, APUS_COUNT_HASH_EQUAL, equal);
}

void apus_polymarket_settle(apus_polymarket_market* polymarket, apus_market_book* book) {
    apus_polymarket_proof* proof = book->venue;
    apus_polymarket_compare(polymarket, book, 0, proof->pending);
    proof->pending = 0;
}

void apus_polymarket_proven(apus_polymarket_market* polymarket, apus_market_book* book, uint8_t flags) {
    apus_polymarket_proof* proof = book->venue;
    apus_polymarket_settle(polymarket, book);
    proof->damage_seen = polymarket->damage;
    proof->proven_ns = polymarket->proof_ns = polymarket->market->out->receive_ns;
    polymarket->proofs++;
    apus_market_state(polymarket->market, book, APUS_STATE_LIVE, APUS_BOOK_REASON_SNAPSHOT);
    apus_market_publish(polymarket->market, book, flags);
}

void apus_polymarket_forsake(apus_polymarket_market* polymarket, apus_market_book* book, uint8_t reason) {
    apus_polymarket_proof* proof = book->venue;
    proof->batch = APUS_POLYMARKET_BATCH_NONE;
    proof->reduced = proof->has_book = false;
    proof->pending = 0;
    proof->wants_snapshot = true;
    apus_market_state(polymarket->market, book, APUS_STATE_STALE, reason);
}

void apus_polymarket_broken(apus_polymarket_market* polymarket, apus_market_book* book, uint8_t reason) {
    book->gaps++;
    apus_publisher_count(polymarket->market->out, APUS_COUNT_GAPS, 1);
    apus_polymarket_forsake(polymarket, book, reason);
}

// MARK: last trade prices

static bool same_price(const apus_polymarket_price* price, const uint8_t* text, size_t length) {
    return price->length == length && memcmp(price->text, text, length) == 0;
}

void apus_polymarket_take_price(apus_polymarket_price* to, const uint8_t* text, size_t length) {
    if (length > 0) memcpy(to->text, text, length);
    to->length = (uint8_t)length;
}

void apus_polymarket_adopt(apus_polymarket_condition* condition, const uint8_t* text, size_t length, uint64_t ms) {
    if (condition->last_trade_price.length != 0 && ms < condition->price_ms) return;
    apus_polymarket_take_price(&condition->last_trade_price, text, length);
    condition->price_ms = ms;
}

void apus_polymarket_note_candidate(apus_polymarket_condition* condition, const uint8_t* text, size_t length) {
    uint32_t newest = (condition->candidate_count - 1) % APUS_POLYMARKET_CANDIDATES;
    if (condition->candidate_count > 0 && same_price(&condition->candidates[newest], text, length)) return;
    apus_polymarket_take_price(&condition->candidates[condition->candidate_count++ % APUS_POLYMARKET_CANDIDATES], text,
                               length);
}

// MARK: proofs

bool apus_polymarket_prove(apus_polymarket_market* polymarket, apus_market_book* book, const uint8_t* hash,
                           uint64_t ms) {
    apus_polymarket_proof* proof = book->venue;
    apus_polymarket_condition* condition = proof->condition;
    if (apus_polymarket_hash_begin(polymarket, book, ms, &proof->tried) < 0) {
        apus_polymarket_forsake(polymarket, book, APUS_BOOK_REASON_ARENA);
        return false;
    }
    if (apus_polymarket_hash_equals(&proof->tried, &condition->last_trade_price, hash)) return true;
    uint32_t count = condition->candidate_count;
    uint32_t oldest = count > APUS_POLYMARKET_CANDIDATES ? count - APUS_POLYMARKET_CANDIDATES : 0;
    for (uint32_t i = count; i > oldest; i--) {
        const apus_polymarket_price* price = &condition->candidates[(i - 1) % APUS_POLYMARKET_CANDIDATES];
        if (!apus_polymarket_hash_equals(&proof->tried, price, hash)) continue;
        condition->last_trade_price = *price;
        condition->price_ms = ms;
        return true;
    }
    return false;
}

bool apus_polymarket_may_wait(const apus_polymarket_market* polymarket, const apus_market_book* book,
                              bool price_unsure) {
    const apus_polymarket_proof* proof = book->venue;
    return (price_unsure || proof->pending > 0) && proof->damage_seen == polymarket->damage
           && !apus_book_crossed(&book->book);
}

void apus_polymarket_wait_for_proof(apus_polymarket_market* polymarket, apus_market_book* book, uint64_t ms) {
    apus_polymarket_proof* proof = book->venue;
    if (proof->pending++ == 0) {
        proof->pending_until_ns = polymarket->market->out->receive_ns + polymarket->proof_timeout_ns;
        apus_polymarket_wake_by(polymarket, proof->pending_until_ns);
    }
    proof->pending_ms = ms;
    proof->waiting = proof->tried;
    memcpy(proof->pending_hash, proof->hash, sizeof proof->hash);
}

// MARK: batches

void apus_polymarket_end_token(apus_polymarket_market* polymarket, apus_market_book* book, uint64_t ms) {
    apus_polymarket_proof* proof = book->venue;
    uint8_t batch = proof->batch;
    bool reduced = proof->reduced;
    proof->batch = APUS_POLYMARKET_BATCH_NONE;
    proof->reduced = false;
    if (batch == APUS_POLYMARKET_BATCH_NONE) return;
    if (batch == APUS_POLYMARKET_BATCH_PROVEN) {
        apus_polymarket_compare(polymarket, book, 1, 1);
        return;
    }
    if (proof->has_hash) apus_polymarket_compare(polymarket, book, 1, 0);
    if (!apus_polymarket_may_wait(polymarket, book, reduced || !proof->has_hash)) {
        apus_polymarket_broken(polymarket, book, APUS_BOOK_REASON_HASH);
        return;
    }
    if (proof->has_hash) apus_polymarket_wait_for_proof(polymarket, book, ms);
    apus_publisher_venue_ms(polymarket->market->out, ms);
    apus_market_publish(polymarket->market, book, 0);
}

void apus_polymarket_end_batch(apus_polymarket_market* polymarket, apus_polymarket_condition* condition) {
    if (!condition->batch_open) return;
    condition->batch_open = false;
    bool price_proven = false;
    for (int token = 0; token < 2; token++) {
        apus_market_book* book = apus_polymarket_token_book(polymarket, condition, token);
        if (book == NULL) continue;
        price_proven |= apus_polymarket_proof_of(book)->batch == APUS_POLYMARKET_BATCH_PROVEN;
        apus_polymarket_end_token(polymarket, book, condition->batch_ms);
    }
    if (price_proven) condition->candidate_count = 0;
}

void apus_polymarket_begin_batch(apus_polymarket_market* polymarket, apus_polymarket_condition* condition,
                                 uint64_t ms) {
    if (condition->batch_open && condition->batch_ms != ms) apus_polymarket_end_batch(polymarket, condition);
    condition->batch_open = true;
    condition->batch_ms = ms;
    condition->batch_until_ns = polymarket->market->out->receive_ns + polymarket->batch_hold_ns;
    apus_polymarket_wake_by(polymarket, condition->batch_until_ns);
}
