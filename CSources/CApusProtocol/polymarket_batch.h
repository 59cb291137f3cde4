// What the files of Polymarket's market layer share: states, prices, proofs, batches. Internal; the hot thread.
#ifndef POLYMARKET_BATCH_H
#define POLYMARKET_BATCH_H

#include "polymarket_hash.h"

// The next tick has something to do at this time.
void apus_polymarket_wake_by(apus_polymarket_market* polymarket, uint64_t at_ns);

// The opened book of a market's token, or NULL.
apus_market_book* apus_polymarket_token_book(const apus_polymarket_market* polymarket,
                                             const apus_polymarket_condition* condition, int token);

// MARK: states

void apus_polymarket_compare(apus_polymarket_market* polymarket, apus_market_book* book, uint64_t compared,
                             uint64_t equal);

// Pending proofs have been made.
void apus_polymarket_settle(apus_polymarket_market* polymarket, apus_market_book* book);

// The hash agreed: the whole book is right, and with it everything before. LIVE, published.
void apus_polymarket_proven(apus_polymarket_market* polymarket, apus_market_book* book, uint8_t flags);

// The book is not to be trusted any more, and a new one is wanted: STALE.
void apus_polymarket_forsake(apus_polymarket_market* polymarket, apus_market_book* book, uint8_t reason);

// The same, counted as a gap.
void apus_polymarket_broken(apus_polymarket_market* polymarket, apus_market_book* book, uint8_t reason);

// MARK: last trade prices

void apus_polymarket_take_price(apus_polymarket_price* to, const uint8_t* text, size_t length);

// A message has told the last trade price. An older one than the known is ignored.
void apus_polymarket_adopt(apus_polymarket_condition* condition, const uint8_t* text, size_t length, uint64_t ms);

// Something was taken away at this price: it may have been traded.
void apus_polymarket_note_candidate(apus_polymarket_condition* condition, const uint8_t* text, size_t length);

// MARK: proofs

// Tries the hash of the book as it is now. An arena without room for the text ends the book.
bool apus_polymarket_prove(apus_polymarket_market* polymarket, apus_market_book* book, const uint8_t* hash,
                           uint64_t ms);

// Whether a hash that did not agree may be for want of the last trade price alone.
bool apus_polymarket_may_wait(const apus_polymarket_market* polymarket, const apus_market_book* book,
                              bool price_unsure);

// The newest attempt's hash becomes a pending proof.
void apus_polymarket_wait_for_proof(apus_polymarket_market* polymarket, apus_market_book* book, uint64_t ms);

// MARK: batches

// Ends a token's part of its market's batch.
void apus_polymarket_end_token(apus_polymarket_market* polymarket, apus_market_book* book, uint64_t ms);

void apus_polymarket_end_batch(apus_polymarket_market* polymarket, apus_polymarket_condition* condition);

// Goes on with the batch of this timestamp, after ending another one.
void apus_polymarket_begin_batch(apus_polymarket_market* polymarket, apus_polymarket_condition* condition, uint64_t ms);

#endif
