import Testing

@testable import Apus

private func economics(
    _ contract: ContractKind, price: Int, quantity: Int, multiplier: Int64 = 1
) -> Economics {
    Economics(
        InstrumentDefinition(
            symbol: "X", venue: "test", contract: contract, priceDecimals: price, quantityDecimals: quantity,
            tick: ExactDecimal(digits: 1), lot: ExactDecimal(digits: 1), multiplier: multiplier))
}

private func money(_ text: String) -> Int128 {
    (try? Money(text))?.atoms ?? .min
}

@Suite struct PositionLedgerTests {
    @Test func linearLongAndShort() {
        let rules = economics(.linear, price: 2, quantity: 3)
        var ledger = PositionLedger()
        // Buys 1 at 100.00 and 2 at 103.00: cost 306, average 102.
        ledger.apply(.buy, price: 10_000, quantity: 1_000, fee: money("0.1"), rules)
        ledger.apply(.buy, price: 10_300, quantity: 2_000, fee: money("0.2"), rules)
        #expect(ledger.quantity == 3_000)
        #expect(ledger.cost == money("306"))
        #expect(rules.price(ofValue: ledger.cost, ledger.quantity) == 10_200)
        // Sells 1 at 105: earns 3.
        ledger.apply(.sell, price: 10_500, quantity: 1_000, fee: 0, rules)
        #expect(ledger.realised == money("3"))
        #expect(ledger.cost == money("204"))
        // Sells 5 at 101: the remaining 2 lose 2; 3 are short at 101.
        ledger.apply(.sell, price: 10_100, quantity: 5_000, fee: 0, rules)
        #expect(ledger.realised == money("1"))
        #expect(ledger.quantity == -3_000)
        #expect(ledger.cost == money("-303"))
        // Covers 3 at 100: earns 3.
        ledger.apply(.buy, price: 10_000, quantity: 3_000, fee: money("-0.05"), rules)
        #expect(ledger.realised == money("4"))
        #expect(ledger.quantity == 0)
        #expect(ledger.cost == 0)
        #expect(ledger.fees == money("0.25"))
        #expect(ledger.bought == 6_000)
        #expect(ledger.sold == 6_000)
    }

    @Test func unrealisedAtTheMiddle() {
        let rules = economics(.linear, price: 2, quantity: 0)
        var ledger = PositionLedger()
        ledger.apply(.buy, price: 10_000, quantity: 2, fee: 0, rules)
        #expect(ledger.unrealised(Touch(10_100, 1, 10_201, 1), rules) == money("3.01"))
        #expect(ledger.unrealised(Touch(10_100, 1, 0, 0), rules) == money("2"))
        #expect(ledger.unrealised(.empty, rules) == 0)
        ledger.apply(.sell, price: 10_000, quantity: 5, fee: 0, rules)
        #expect(ledger.unrealised(Touch(9_900, 1, 9_900, 1), rules) == money("3"))
    }

    /// Binance COIN-M: 10 contracts of 100 USD, long from 10,000 to 12,500: 1000 · (1/10000 - 1/12500) = 0.02 BTC.
    @Test func inverseLongAndShort() {
        let rules = economics(.inverse, price: 1, quantity: 0, multiplier: 100)
        var long = PositionLedger()
        long.apply(.buy, price: 100_000, quantity: 10, fee: 0, rules)
        #expect(long.cost == money("0.1"))
        #expect(rules.price(ofValue: long.cost, 10) == 100_000)
        #expect(long.unrealised(Touch(125_000, 1, 125_000, 1), rules) == money("0.02"))
        long.apply(.sell, price: 125_000, quantity: 10, fee: 0, rules)
        #expect(long.realised == money("0.02"))
        var short = PositionLedger()
        short.apply(.sell, price: 125_000, quantity: 10, fee: 0, rules)
        short.apply(.buy, price: 100_000, quantity: 10, fee: 0, rules)
        #expect(short.realised == money("0.02"))
        #expect(rules.notional(100_000, 10) == money("1000"))
    }

    @Test func binaryPaysOneOrNothing() {
        let rules = economics(.binary, price: 3, quantity: 6)
        var ledger = PositionLedger()
        ledger.apply(.buy, price: 420, quantity: 10_000_000, fee: 0, rules)
        #expect(ledger.cost == money("4.2"))
        ledger.apply(.sell, price: 1_000, quantity: 10_000_000, fee: 0, rules)
        #expect(ledger.realised == money("5.8"))
    }

    /// Whatever the order of fills: what is realised when flat is exactly what came in minus what went out.
    @Test func nothingIsLostInRounding() {
        let rules = economics(.linear, price: 2, quantity: 3)
        var seed: UInt64 = 7
        func random(_ limit: Int64) -> Int64 {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int64(seed >> 33) % limit
        }
        var ledger = PositionLedger()
        var cash = Int128(0)
        for _ in 0..<10_000 {
            let side: Side = random(2) == 0 ? .buy : .sell
            let price = 1 + random(1_000_000), quantity = 1 + random(5_000)
            ledger.apply(side, price: price, quantity: quantity, fee: 0, rules)
            cash -= rules.value(price, quantity) * Int128(side.sign)
            #expect((ledger.cost < 0) == (ledger.quantity < 0) || ledger.cost == 0)
        }
        let held = ledger.quantity
        if held != 0 {
            ledger.apply(held > 0 ? .sell : .buy, price: 777, quantity: abs(held), fee: 0, rules)
            cash += rules.value(777, held)
        }
        #expect(ledger.quantity == 0)
        #expect(ledger.realised == cash)
    }

    @Test func extremeFillsSaturateInsteadOfTrapping() {
        let rules = economics(.linear, price: 0, quantity: 0, multiplier: 1_000)
        var ledger = PositionLedger()
        ledger.apply(.buy, price: .max, quantity: .max, fee: 0, rules)
        ledger.apply(.buy, price: .max, quantity: .max, fee: .max, rules)
        ledger.apply(.sell, price: 1, quantity: .max, fee: .max, rules)
        #expect(ledger.quantity == 0)
        #expect(ledger.fees == .max)
    }

    @Test func correctionMovesTheDifferenceOnly() {
        let rules = economics(.linear, price: 2, quantity: 0)
        var ledger = PositionLedger()
        ledger.apply(.buy, price: 10_000, quantity: 10, fee: 0, rules)
        ledger.correct(.buy, from: 10_000, to: 9_990, quantity: 10, fee: money("0.3"), rules)
        ledger.apply(.sell, price: 10_000, quantity: 10, fee: 0, rules)
        #expect(ledger.realised == money("1"))
        #expect(ledger.fees == money("0.3"))
    }
}
