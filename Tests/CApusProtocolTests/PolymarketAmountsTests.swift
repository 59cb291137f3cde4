import CApusProtocol
import Testing

/// The venue's rule as its documents state it, on decimal texts: the price to its decimals, the size down, the amount up at four
/// extra decimals and then down. Numbers are counted in 10^-12, so that nothing is lost on the way.
private enum Rule {
    static let scale: Int64 = 1_000_000_000_000

    static func power(_ exponent: Int) -> Int64 { (0..<exponent).reduce(1) { value, _ in value * 10 } }

    static func amounts(side: UInt8, price: Int64, size: Int64, decimals: (Int, Int, Int)) -> (UInt64, UInt64) {
        let size = size / (scale / power(decimals.1)) * (scale / power(decimals.1))
        // size * price has up to 24 decimals.
        let exact = Int128(size) * Int128(price)
        let fine = Int128(scale) * Int128(scale) / Int128(power(decimals.2 + 4))
        let coarse = fine * 10_000
        let up = (exact + fine - 1) / fine * fine
        let amount = exact % coarse == 0 ? exact : up / coarse * coarse
        let collateral = UInt64(amount / (Int128(scale) * Int128(scale) / 1_000_000))
        let tokens = UInt64(size / (scale / 1_000_000))
        return side == 0 ? (collateral, tokens) : (tokens, collateral)
    }
}

@Suite struct PolymarketAmountsTests {
    struct Row: Sendable {
        var tick: Int64
        var decimals: [UInt8]
    }

    /// Ticks in 10^-4.
    static let rows = [
        Row(tick: 1000, decimals: [1, 2, 3]), Row(tick: 100, decimals: [2, 2, 4]), Row(tick: 50, decimals: [3, 2, 5]),
        Row(tick: 25, decimals: [4, 2, 6]), Row(tick: 10, decimals: [3, 2, 5]), Row(tick: 1, decimals: [4, 2, 6]),
    ]

    private func amounts(
        _ side: UInt8, price: Int64, quantity: Int64, tick: Int64, priceDecimals: UInt8 = 4, quantityDecimals: UInt8 = 6
    ) -> (code: Int32, maker: UInt64, taker: UInt64) {
        var terms = apus_polymarket_terms()
        terms.side = side
        terms.price = price
        terms.quantity = quantity
        terms.tick = tick
        terms.price_decimals = priceDecimals
        terms.quantity_decimals = quantityDecimals
        var size = apus_polymarket_size()
        let code = apus_polymarket_amounts(&terms, &size)
        return (code, size.maker, size.taker)
    }

    @Test(arguments: rows) func aRow(_ row: Row) {
        var rounding = apus_polymarket_rounding()
        #expect(apus_polymarket_rounding_of(row.tick, 4, &rounding) == 0)
        #expect([rounding.price, rounding.size, rounding.amount] == row.decimals)
        #expect(apus_polymarket_rounding_of(row.tick * 100, 6, &rounding) == 0)
        #expect([rounding.price, rounding.size, rounding.amount] == row.decimals)
    }

    @Test(arguments: rows, [UInt8(0), 1]) func everyPriceOfARow(_ row: Row, _ side: UInt8) {
        let decimals = (Int(row.decimals[0]), Int(row.decimals[1]), Int(row.decimals[2]))
        for price in stride(from: row.tick, through: 10_000 - row.tick, by: Int(row.tick)) {
            for quantity: Int64 in [10_000, 1_239_999, 5_000_000, 21_040_000, 123_456_789, 999_999_990_000] {
                let answer = amounts(side, price: price, quantity: quantity, tick: row.tick)
                let expected = Rule.amounts(
                    side: side, price: price * (Rule.scale / 10_000), size: quantity * (Rule.scale / 1_000_000),
                    decimals: decimals)
                #expect(answer.code == 0)
                #expect(answer.maker == expected.0 && answer.taker == expected.1, "\(price) \(quantity)")
            }
        }
    }

    /// Answers of the venue's client for one price and size of each row, both sides.
    @Test(
        arguments: [
            (1000, 5000, 21_040_000, 10_520_000), (100, 5600, 21_040_000, 11_782_400),
            (50, 5050, 21_040_000, 10_625_200),
            (25, 5025, 21_040_000, 10_572_600), (10, 560, 21_040_000, 1_178_240), (1, 56, 21_040_000, 117_824),
        ] as [(Int64, Int64, Int64, UInt64)])
    func knownAmounts(tick: Int64, price: Int64, quantity: Int64, collateral: UInt64) {
        let bought = amounts(0, price: price, quantity: quantity, tick: tick)
        #expect(bought.maker == collateral && bought.taker == UInt64(quantity))
        let sold = amounts(1, price: price, quantity: quantity, tick: tick)
        #expect(sold.maker == UInt64(quantity) && sold.taker == collateral)
    }

    @Test func pricesGoToTheNearestTickAndSizesDown() {
        #expect(amounts(0, price: 5649, quantity: 10_019_999, tick: 100).maker == 5_605_600)
        #expect(amounts(0, price: 5650, quantity: 10_019_999, tick: 100).maker == 5_705_700)
        #expect(amounts(0, price: 5037, quantity: 1_000_000, tick: 25).maker == 502_500)
        #expect(amounts(0, price: 5038, quantity: 1_000_000, tick: 25).maker == 505_000)
    }

    @Test func otherUnitsOfTheSameNumbers() {
        let fine = amounts(1, price: 123_400_000, quantity: 777, tick: 100_000, priceDecimals: 9, quantityDecimals: 2)
        let coarse = amounts(1, price: 1234, quantity: 7_770_000, tick: 1)
        #expect(fine.code == 0 && fine.maker == coarse.maker && fine.taker == coarse.taker)
        #expect(amounts(0, price: 5, quantity: 3, tick: 1, priceDecimals: 1, quantityDecimals: 0).maker == 1_500_000)
    }

    @Test(arguments: rows) func pricesOutOfRange(_ row: Row) {
        for price in [-1, 0, 10_000, 10_001, Int64.max, Int64.min] {
            #expect(amounts(0, price: price, quantity: 1_000_000, tick: row.tick).code == -ERANGE, "\(price)")
        }
        #expect(amounts(0, price: row.tick, quantity: 1_000_000, tick: row.tick).code == 0)
        #expect(amounts(0, price: 10_000 - row.tick, quantity: 1_000_000, tick: row.tick).code == 0)
    }

    @Test func whatCannotBeAnOrder() {
        #expect(amounts(0, price: 5000, quantity: 9_999, tick: 100).code == -EDOM)
        #expect(amounts(0, price: 5000, quantity: 0, tick: 100).code == -EDOM)
        #expect(amounts(0, price: 5000, quantity: -5, tick: 100).code == -ERANGE)
        #expect(amounts(0, price: 5, quantity: .max, tick: 1, priceDecimals: 1, quantityDecimals: 0).code == -EDOM)
        for tick: Int64 in [0, -100, 2, 20, 30, 2000, 10_000] {
            #expect(amounts(0, price: 5000, quantity: 1_000_000, tick: tick).code == -EINVAL, "\(tick)")
        }
        #expect(amounts(0, price: 5, quantity: 1, tick: 1, priceDecimals: 19).code == -EINVAL)
        #expect(amounts(0, price: 5, quantity: 1, tick: 1, quantityDecimals: 19).code == -EINVAL)
    }
}
