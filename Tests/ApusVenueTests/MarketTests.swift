import Testing

@testable import ApusVenue

/// Remembers what a market tells.
private final class Recorder: MarketObserver {
    var fills: [Fill] = []
    var prevented: [Int64] = []

    func market(_ market: Market, filled fill: Fill) { fills.append(fill) }
    func market(_ market: Market, preventedSelfTradeOf id: Int64, owner: Int32) { prevented.append(id) }
}

@Suite struct MarketTests {
    private let recorder = Recorder()
    private let market: Market

    init() throws {
        market = Market(
            index: 0, configuration: try .btcusdt(), seed: 1, depthInterval: 0, time: testStart, observer: recorder)
    }

    private func take(
        _ side: Side, _ quantity: Int64, limit: Int64?, owner: Int32 = 9, prevention: SelfTradePrevention = .expireMaker
    ) -> MatchResult {
        market.match(
            Taker(id: 1000, owner: owner, side: side, limit: limit, quantity: quantity, prevention: prevention))
    }

    @Test func betterPriceTradesFirstThenOlderOrder() {
        _ = market.rest(id: 1, owner: 1, side: .sell, price: 1010, quantity: 5)
        _ = market.rest(id: 2, owner: 2, side: .sell, price: 1000, quantity: 5)
        _ = market.rest(id: 3, owner: 3, side: .sell, price: 1000, quantity: 5)
        let result = take(.buy, 12, limit: nil)
        #expect(result.remaining == 0)
        #expect(recorder.fills.map(\.makerID) == [2, 3, 1])
        #expect(recorder.fills.map(\.quantity) == [5, 5, 2])
        #expect(recorder.fills.map(\.price) == [1000, 1000, 1010])
        #expect(recorder.fills.map(\.makerRemaining) == [0, 0, 3])
        #expect(market.book.quantity(.sell, at: 1010) == 3)
        #expect(market.book.quantity(.sell, at: 1000) == 0)
    }

    @Test func limitStopsAtItsPrice() {
        _ = market.rest(id: 1, owner: 1, side: .buy, price: 1000, quantity: 5)
        _ = market.rest(id: 2, owner: 1, side: .buy, price: 990, quantity: 5)
        let result = take(.sell, 8, limit: 1000)
        #expect(result.remaining == 3)
        #expect(recorder.fills.map(\.makerID) == [1])
    }

    @Test func shrinkingKeepsThePlaceInTheQueue() {
        let slot = market.rest(id: 1, owner: 1, side: .sell, price: 1000, quantity: 5)
        _ = market.rest(id: 2, owner: 2, side: .sell, price: 1000, quantity: 5)
        market.shrink(slot: slot, by: 3)
        #expect(market.book.quantity(.sell, at: 1000) == 7)
        _ = take(.buy, 3, limit: nil)
        #expect(recorder.fills.map(\.makerID) == [1, 2])
        #expect(recorder.fills.map(\.quantity) == [2, 1])
    }

    @Test func cancelInTheMiddleOfAQueueLeavesTheOthers() {
        _ = market.rest(id: 1, owner: 1, side: .buy, price: 1000, quantity: 1)
        let middle = market.rest(id: 2, owner: 1, side: .buy, price: 1000, quantity: 2)
        _ = market.rest(id: 3, owner: 1, side: .buy, price: 1000, quantity: 4)
        #expect(market.cancel(slot: middle, id: 2))
        #expect(!market.cancel(slot: middle, id: 2))
        #expect(market.book.quantity(.buy, at: 1000) == 5)
        _ = take(.sell, 5, limit: nil)
        #expect(recorder.fills.map(\.makerID) == [1, 3])
        #expect(market.book.best(.buy) == nil)
    }

    @Test func aSlotThatWasReusedIsNotCancelledByItsOldId() {
        let first = market.rest(id: 1, owner: 1, side: .buy, price: 1000, quantity: 1)
        market.cancel(slot: first, id: 1)
        let second = market.rest(id: 2, owner: 1, side: .buy, price: 1010, quantity: 1)
        #expect(first == second)
        #expect(!market.cancel(slot: first, id: 1))
        #expect(market.book.quantity(.buy, at: 1010) == 1)
    }

    @Test(arguments: [SelfTradePrevention.expireMaker, .expireTaker, .expireBoth])
    func anOwnerNeverTradesWithItself(_ prevention: SelfTradePrevention) {
        _ = market.rest(id: 1, owner: 9, side: .sell, price: 1000, quantity: 5)
        _ = market.rest(id: 2, owner: 1, side: .sell, price: 1000, quantity: 5)
        let result = take(.buy, 6, limit: nil, prevention: prevention)
        switch prevention {
        case .expireMaker:
            #expect(recorder.prevented == [1])
            #expect(recorder.fills.map(\.makerID) == [2])
            #expect(result.remaining == 1 && !result.takerExpired)
        case .expireTaker:
            #expect(recorder.prevented.isEmpty && recorder.fills.isEmpty)
            #expect(result.takerExpired)
            #expect(market.book.quantity(.sell, at: 1000) == 10)
        case .expireBoth:
            #expect(recorder.prevented == [1] && recorder.fills.isEmpty)
            #expect(result.takerExpired)
            #expect(market.book.quantity(.sell, at: 1000) == 5)
        }
    }

    @Test func fillOrKillDoesNotCountOwnOrdersOrWorsePrices() {
        _ = market.rest(id: 1, owner: 9, side: .sell, price: 1000, quantity: 5)
        _ = market.rest(id: 2, owner: 1, side: .sell, price: 1010, quantity: 5)
        _ = market.rest(id: 3, owner: 1, side: .sell, price: 1020, quantity: 5)
        func can(_ quantity: Int64, _ limit: Int64, _ prevention: SelfTradePrevention = .expireMaker) -> Bool {
            market.canFillCompletely(
                Taker(id: 7, owner: 9, side: .buy, limit: limit, quantity: quantity, prevention: prevention))
        }
        #expect(can(5, 1010))
        #expect(!can(6, 1010))
        #expect(can(10, 1020))
        #expect(!can(5, 1010, .expireTaker))
    }

    /// The book against a plain model: lists of orders in dictionaries, searched from end to end.
    @Test(arguments: [1 as UInt64, 2, 3, 4])
    func randomOperationsAgreeWithAPlainModel(_ seed: UInt64) {
        struct Order: Equatable {
            var id: Int64
            var price: Int64
            var left: Int64
        }
        var random = DeterministicRandom(seed: seed, stream: 99)
        var model: [Side: [Order]] = [.buy: [], .sell: []]
        var slots: [Int64: Int32] = [:]
        var nextID: Int64 = 1
        for _ in 0..<4000 {
            let side: Side = random.below(2) == 0 ? .buy : .sell
            let price = Int64(1000 + (side == .buy ? -1 : 1) * (random.below(200) - 20)) * 10
            let quantity = Int64(1 + random.below(9))
            if random.below(3) == 0, let victim = model[side]!.randomElement(&random) {
                market.cancel(slot: slots[victim.id]!, id: victim.id)
                model[side]!.removeAll { $0.id == victim.id }
                continue
            }
            recorder.fills = []
            var left = market.match(
                Taker(id: nextID, owner: 1, side: side, limit: price, quantity: quantity)
            ).remaining
            var expected = quantity
            var makers: [Int64] = []
            while expected > 0, let best = bestIndex(model[side.opposite]!.map(\.price), side.opposite),
                side == .buy ? model[side.opposite]![best].price <= price : model[side.opposite]![best].price >= price
            {
                let traded = min(expected, model[side.opposite]![best].left)
                expected -= traded
                makers.append(model[side.opposite]![best].id)
                model[side.opposite]![best].left -= traded
                if model[side.opposite]![best].left == 0 { model[side.opposite]!.remove(at: best) }
            }
            #expect(left == expected)
            #expect(recorder.fills.map(\.makerID) == makers)
            if left > 0 {
                slots[nextID] = market.rest(id: nextID, owner: 2, side: side, price: price, quantity: left)
                model[side]!.append(Order(id: nextID, price: price, left: left))
                left = 0
            }
            nextID += 1
        }
        for side in [Side.buy, .sell] {
            var sums: [Int64: Int64] = [:]
            for order in model[side]! { sums[order.price, default: 0] += order.left }
            let levels = market.book.side(side).levels
            #expect(levels.count == sums.count)
            for level in levels { #expect(sums[level.price] == level.quantity) }
            let prices = levels.map(\.price)
            #expect(prices == prices.sorted { side == .buy ? $0 < $1 : $0 > $1 })
        }
    }

    private func bestIndex(_ prices: [Int64], _ side: Side) -> Int? {
        guard let best = side == .buy ? prices.max() : prices.min() else { return nil }
        return prices.firstIndex(of: best)
    }
}

extension Array {
    fileprivate func randomElement(_ random: inout DeterministicRandom) -> Element? {
        isEmpty ? nil : self[random.below(count)]
    }
}
