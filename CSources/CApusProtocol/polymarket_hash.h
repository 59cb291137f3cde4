// The venue's hash of a book: SHA-1 over compact JSON of exactly these keys in this order, every number the venue's own
// text.
//
//   {"market":"..","asset_id":"..","timestamp":"..","hash":"","bids":[{"price":"..","size":".."},..],"asks":[..],
//    "min_order_size":"5","tick_size":"0.001","neg_risk":false,"last_trade_price":"0.255"}
//
// Bids ascend, asks descend. The last trade price stands at the end: several prices are tried for the cost of one.
// Internal.
#ifndef POLYMARKET_HASH_H
#define POLYMARKET_HASH_H

#include "apus_polymarket.h"

// Hashes everything before the last trade price into *begun. Returns 0, or -ENOMEM when the arena has no room for the
// text.
int apus_polymarket_hash_begin(apus_polymarket_market* polymarket, const apus_market_book* book, uint64_t timestamp_ms,
                               apus_polymarket_sha1* begun);

// Whether the book has this hash when the last trade price is `price`. *begun stays as it is.
bool apus_polymarket_hash_equals(const apus_polymarket_sha1* begun, const apus_polymarket_price* price,
                                 const uint8_t* hash);

// Whether both have hashed the same text.
bool apus_polymarket_hash_same(const apus_polymarket_sha1* a, const apus_polymarket_sha1* b);

// MARK: rows

// Sets, renews or removes (size 0) the row of a level. Returns 0, or -ENOMEM.
int apus_polymarket_rows_set(apus_arena* arena, apus_polymarket_rows* rows, uint8_t side,
                             const apus_polymarket_level* level);

// Removes all and gives the memory back.
void apus_polymarket_rows_clear(apus_arena* arena, apus_polymarket_rows* rows);

#endif
