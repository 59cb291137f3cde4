/// What a tick size allows. Decimals of price, size and amount are the venue's table.
struct PriceRules {
    /// Price units.
    let tick: Int64
    /// Decimals of a resting order's size.
    let sizeDecimals: Int
    /// Decimals of the other amount.
    let amountDecimals: Int

    static func forTick(_ tick: Int64) -> PriceRules? {
        switch tick {
        case 1000: PriceRules(tick: tick, sizeDecimals: 2, amountDecimals: 3)
        case 100: PriceRules(tick: tick, sizeDecimals: 2, amountDecimals: 4)
        case 50: PriceRules(tick: tick, sizeDecimals: 2, amountDecimals: 5)
        case 25: PriceRules(tick: tick, sizeDecimals: 2, amountDecimals: 6)
        case 10: PriceRules(tick: tick, sizeDecimals: 2, amountDecimals: 5)
        case 1: PriceRules(tick: tick, sizeDecimals: 2, amountDecimals: 6)
        default: nil
        }
    }

    func hasDecimals(_ amount: Int64, _ decimals: Int) -> Bool { amount % powerOfTen(tokenDecimals - decimals) == 0 }
}

/// What a quantity of tokens costs at a price, in `10^-6` of the collateral, rounded down.
func cost(price: Int64, quantity: Int64) -> Int64 { Int64(Int128(price) * Int128(quantity) / Int128(wholePrice)) }

/// The same, rounded up: what must be there for an order.
func costBound(price: Int64, quantity: Int64) -> Int64 {
    Int64((Int128(price) * Int128(quantity) + Int128(wholePrice) - 1) / Int128(wholePrice))
}
