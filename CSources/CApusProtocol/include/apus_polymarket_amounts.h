// What an order gives and takes, as Polymarket counts it: both in 10^-6, from a price and a size, rounded by the market's tick.
//
// Integers alone: a product of a price and a size is exact. Any thread; no state.
#ifndef APUS_POLYMARKET_AMOUNTS_H
#define APUS_POLYMARKET_AMOUNTS_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

// Decimals of the venue's amounts, of collateral and of outcome tokens.
#define APUS_POLYMARKET_AMOUNT_DECIMALS 6u

// Decimals of a tick's prices, sizes and amounts (the venue's table).
typedef struct apus_polymarket_rounding {
    uint8_t price;
    uint8_t size;
    uint8_t amount;
} apus_polymarket_rounding;

// The row of a tick of `tick_units` 10^-price_decimals; -EINVAL for a tick that the venue does not have.
int apus_polymarket_rounding_of(int64_t tick_units, uint32_t price_decimals, apus_polymarket_rounding* rounding);

typedef struct apus_polymarket_size {
    uint64_t maker; // what the order gives: collateral when it buys, outcome tokens when it sells
    uint64_t taker; // what it takes
} apus_polymarket_size;

typedef struct apus_polymarket_terms {
    int64_t price;    // price units
    int64_t quantity; // quantity units
    int64_t tick;     // price units
    uint8_t price_decimals;
    uint8_t quantity_decimals;
    uint8_t side;
} apus_polymarket_terms;

// The price goes to the nearest tick (a half up), the size down. Returns 0; -EINVAL for an unknown tick; -ERANGE when the price
// is not in [tick, 1 - tick]; -EDOM when nothing is left of the size, or it is beyond the venue's 64 bits.
int apus_polymarket_amounts(const apus_polymarket_terms* terms, apus_polymarket_size* amounts);

#endif
