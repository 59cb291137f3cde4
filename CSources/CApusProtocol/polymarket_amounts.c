#include "apus_decimal.h"
#include "apus_order.h"
#include "apus_polymarket_amounts.h"

// Amounts have as many decimals as price and size together in every row. So their product is exact, and the venue's rounding of
// an amount (up at four extra decimals, then down), which clients that count in floating point need, changes nothing.
static const struct {
    int64_t tick; // 10^-4
    apus_polymarket_rounding rounding;
} rows[] = {
    {1000, {.price = 1, .size = 2, .amount = 3}}, {100, {.price = 2, .size = 2, .amount = 4}},
    {50, {.price = 3, .size = 2, .amount = 5}},   {25, {.price = 4, .size = 2, .amount = 6}},
    {10, {.price = 3, .size = 2, .amount = 5}},   {1, {.price = 4, .size = 2, .amount = 6}},
};

#define TICK_DECIMALS 4u

int apus_polymarket_rounding_of(int64_t tick_units, uint32_t price_decimals, apus_polymarket_rounding* rounding) {
    if (price_decimals > APUS_DECIMALS_MAX) return -EINVAL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        __int128 row = (__int128)rows[i].tick * apus_powers_of_ten[price_decimals];
        if (row != (__int128)tick_units * apus_powers_of_ten[TICK_DECIMALS]) continue;
        *rounding = rows[i].rounding;
        return 0;
    }
    return -EINVAL;
}

int apus_polymarket_amounts(const apus_polymarket_terms* terms, apus_polymarket_size* amounts) {
    apus_polymarket_rounding rounding;
    if (terms->quantity_decimals > APUS_DECIMALS_MAX) return -EINVAL;
    int result = apus_polymarket_rounding_of(terms->tick, terms->price_decimals, &rounding);
    if (result < 0) return result;
    int64_t tick = terms->tick, one = apus_powers_of_ten[terms->price_decimals];
    if (terms->price < 0 || terms->price > one || terms->quantity < 0) return -ERANGE;
    __int128 price = ((__int128)terms->price + tick / 2) / tick * tick;
    if (price < tick || price > one - tick) return -ERANGE;
    // Both in units that the row's decimals allow: hundredths of a token, and the price's own.
    __int128 size =
        (__int128)terms->quantity * apus_powers_of_ten[rounding.size] / apus_powers_of_ten[terms->quantity_decimals];
    __int128 tokens = size * apus_powers_of_ten[APUS_POLYMARKET_AMOUNT_DECIMALS - rounding.size];
    __int128 collateral = size * (price * apus_powers_of_ten[rounding.price] / one)
                          * apus_powers_of_ten[APUS_POLYMARKET_AMOUNT_DECIMALS - rounding.amount];
    if (size == 0 || tokens > INT64_MAX) return -EDOM;
    bool buys = terms->side == APUS_BUY;
    amounts->maker = (uint64_t)(buys ? collateral : tokens);
    amounts->taker = (uint64_t)(buys ? tokens : collateral);
    return 0;
}
