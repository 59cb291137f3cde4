import Testing

@testable import ApusVenue

/// The simulated market as a whole.
@Suite struct MarketLifeTests {
    /// Every byte of a run with two trading accounts, as a digest.
    private func run(seed: UInt64, stepsOf step: VenueTime) throws -> (texts: [[UInt8]], book: TrueBook) {
        let harness = try Harness(try testConfiguration(speed: .real, seed: seed))
        let client = harness.webSocket("/stream?streams=btcusdt@depth@0ms/btcusdt@bookTicker/btcusdt@trade")
        for turn in 0..<10 {
            for _ in 0..<(200 * millisecond / step) { harness.advance(by: step) }
            _ = harness.limit("BUY", "0.010", at: harness.touch(.buy), id: "a\(turn)")
            _ = harness.limit("SELL", "0.010", at: harness.touch(.sell), id: "b\(turn)", key: secondKey)
        }
        return (client.takeTexts(), harness.venue.book("BTCUSDT")!)
    }

    @Test func theSameSeedGivesTheSameBytesHoweverTimeIsCut() throws {
        let first = try run(seed: 5, stepsOf: 200 * millisecond)
        let second = try run(seed: 5, stepsOf: millisecond)
        #expect(first.texts.count > 500)
        let same = first.texts == second.texts && first.book == second.book
        #expect(same)
    }

    @Test func anotherSeedGivesAnotherMarket() throws {
        let differ = try run(seed: 5, stepsOf: 100 * millisecond).book != run(seed: 6, stepsOf: 100 * millisecond).book
        #expect(differ)
    }

    @Test func aMarketThatFellBehindGoesOnFromTheGivenTime() throws {
        let harness = try Harness(speed: .brisk)
        harness.advance(by: 100 * millisecond)
        let before = harness.venue.statistics
        harness.venue.dropMarket(before: harness.now)
        #expect(harness.venue.statistics == before, "it is on time")
        harness.venue.dropMarket(before: harness.now + 60 * second)
        harness.advance(by: 60 * second - 1)
        #expect(harness.venue.statistics.participantActions == before.participantActions)
        #expect(harness.venue.statistics.marketDrops == 2)
        harness.advance(by: second)
        #expect(harness.venue.statistics.participantActions > before.participantActions + 20)
    }

    @Test func theBookIsNeverEmptyOrCrossedAndThePriceStaysReal() throws {
        let harness = try Harness(speed: .brisk)
        var spreads: [Int64] = []
        for _ in 0..<100 {
            harness.advance(by: 200 * millisecond)
            let book = harness.venue.book("BTCUSDT")!
            let bid = try #require(book.bids.first)
            let ask = try #require(book.asks.first)
            #expect(bid.price < ask.price)
            #expect(book.bids.count > 500 && book.asks.count > 500)
            #expect(bid.price > 6_000_000 && ask.price < 6_360_000)
            let isSound = book.bids.allSatisfy { $0.quantity > 0 && $0.price % 10 == 0 && $0.price > 0 }
            #expect(isSound)
            spreads.append(ask.price - bid.price)
        }
        #expect(spreads.sorted()[spreads.count / 2] <= 30)
        #expect(harness.venue.statistics.fills > 1000)
    }

    @Test func moneyAndPositionsAreConserved() throws {
        let harness = try Harness(speed: .brisk)
        for turn in 0..<60 {
            harness.advance(by: 50 * millisecond)
            let key = turn % 2 == 0 ? firstKey : secondKey
            _ = harness.place("side=\(turn % 3 == 0 ? "SELL" : "BUY")&type=MARKET&quantity=0.050", key: key)
            _ = harness.limit("SELL", "0.020", at: harness.touch(.sell), key: key)
            _ = harness.limit("BUY", "0.020", at: harness.touch(.buy), key: key)
        }
        let ledger = harness.venue.ledger
        #expect(harness.venue.trades(apiKey: firstKey).contains { $0.isMaker })
        for symbol in 0..<2 {
            #expect(ledger.owners.reduce(0) { $0 + $1.positions[symbol].quantity } == 0)
            // What one has gained or put into positions another has lost or taken out, to the last unit.
            let money = ledger.owners.reduce(Int128(0)) {
                $0 + $1.positions[symbol].realised - $1.positions[symbol].openCost
            }
            #expect(money == 0)
        }
        let start = Int128(20_000_000_000_000)
        let wallets = ledger.owners.reduce(Int128(0)) { $0 + $1.wallet }
        let open = ledger.owners.reduce(Int128(0)) { $0 + $1.positions[0].openCost + $1.positions[1].openCost }
        #expect(wallets + ledger.feesCollected - open == start)
        #expect(ledger.feesCollected > 0)
        #expect(ledger.owners.reduce(Int128(0)) { $0 + $1.feesPaid } == ledger.feesCollected)
    }

    @Test func aRestingOrderAtTheTouchIsFilledByTheMarket() throws {
        let harness = try Harness(speed: .real)
        var fills = 0
        for turn in 0..<50 where fills == 0 {
            _ = harness.limit("BUY", "0.010", at: harness.touch(.buy), tif: "GTX", id: "q\(turn)")
            harness.advance(by: 500 * millisecond)
            fills = harness.venue.trades(apiKey: firstKey).count
        }
        #expect(fills > 0)
        #expect(harness.venue.trades(apiKey: firstKey).allSatisfy { $0.isMaker && $0.clientOrderID.hasPrefix("q") })
    }

    @Test func positionsTakeProfitInProportion() {
        var position = Position()
        #expect(position.apply(signedQuantity: 3, signedNotional: 301) == 0)
        #expect(position.apply(signedQuantity: -1, signedNotional: -110) == 10)
        #expect(position == Position(quantity: 2, openCost: 201, realised: 10))
        // Two are closed, one is opened short.
        #expect(position.apply(signedQuantity: -3, signedNotional: -300) == -1)
        #expect(position == Position(quantity: -1, openCost: -100, realised: 9))
        #expect(position.apply(signedQuantity: 1, signedNotional: 90) == 10)
        #expect(position == Position(quantity: 0, openCost: 0, realised: 19))
    }

    @Test func badConfigurationsAreRefused() throws {
        func refused(_ change: (inout BinanceConfiguration) throws -> Void) throws -> Bool {
            var configuration = try testConfiguration()
            try change(&configuration)
            do {
                _ = try BinanceVenue(configuration, now: testStart)
                return false
            } catch {
                return true
            }
        }
        #expect(try !refused { _ in })
        #expect(try refused { $0.symbols = [] })
        #expect(try refused { $0.symbols.append($0.symbols[0]) })
        #expect(try refused { $0.symbols[0].tickSize = 0 })
        #expect(try refused { $0.symbols[0].startPrice += 1 })
        #expect(try refused { $0.symbols[0].priceDecimals = 6 })
        #expect(try refused { $0.symbols[0].farLevels = 1 })
        #expect(try refused { $0.accounts.append($0.accounts[0]) })
        #expect(try refused { $0.accounts[0].secret = "" })
        #expect(try refused { $0.speed = MarketSpeed(actionsPerSecond: -1, depthInterval: 0) })
        #expect(throws: VenueConfigurationError.self) {
            try SymbolConfiguration(
                name: "X", baseAsset: "X", priceDecimals: 2, quantityDecimals: 2, tickSize: "0.001", lotStep: "1",
                maxQuantity: "1", minNotional: "1", startPrice: "1", typicalQuantity: "1")
        }
    }
}
