import ApusSamples
import CApusRing
import Testing

@testable import Apus
@testable import ApusEngine

/// The samples on the paper venue, in a market made of a seeded walk with trades on both sides.
@Suite struct SampleTests {
    private struct Market {
        let feed = TestFeed(slots: 4_096, depth: 10)
        let paper: PaperVenue
        let agent: DecisionAgent
        let loop: SimulatedLoop
        var random = SplitMix64(seed: 11)
        var price: Int64 = 6_000_000

        init(_ strategy: StrategyDescription, _ parameters: [String: String]) throws {
            let instrument = definition(tick: 10)
            paper = try PaperVenue(feed: feed, instruments: [instrument])
            agent = try DecisionAgent(
                strategy: strategy, parameters: parameters, instruments: [instrument], feed: feed, sink: paper,
                time: .simulated, configuration: EngineConfiguration(runTag: 3))
            loop = SimulatedLoop(decision: agent, paper: paper)
            feed.live()
            try agent.start(feed.now)
        }

        mutating func run(_ steps: Int, trend: Int64 = 0, lean: Int64 = 0, check: (Context) -> Void) {
            for step in 0..<steps {
                price += (Int64(random.upTo(4)) - 2) * 10 + trend
                if step % 400 == 0 { price += 500 * (step % 800 == 0 ? 1 : -1) }
                let base = price
                let bids = (0..<10).map { (base - 100 - 10 * Int64($0), 40 + Int64(random.upTo(100)) + max(lean, 0)) }
                let asks = (0..<10).map { (base + 100 + 10 * Int64($0), 40 + Int64(random.upTo(100)) - min(lean, 0)) }
                feed.book(bids, asks)
                let isBuy = random.upTo(1) == 0
                feed.trade(isBuy ? asks[0].0 : bids[0].0, Int64(random.upTo(150)), taker: isBuy ? .buy : .sell)
                loop.settle(feed.now)
                feed.now += 5_000_000
                loop.advance(to: feed.now)
                check(agent.context)
            }
            agent.stop(feed.now)
            loop.settle(feed.now)
            feed.now += 1_000_000_000
            loop.advance(to: feed.now)
        }
    }

    @Test func namesAreUnique() {
        #expect(Set(Samples.all.map(\.name)).count == Samples.all.count)
    }

    @Test func marketMakerQuotesBothSidesWithinItsInventory() throws {
        var market = try Market(
            MarketMaker.description, ["size": "0.002", "max-inventory": "0.006", "half-spread": "8"])
        var most: Int64 = 0
        var sides = Set<Side>()
        market.run(3_000) { context in
            most = max(most, context.position(of: context.instruments[0]).quantity.magnitude.units)
            for order in context.openOrders {
                sides.insert(order.side)
                #expect(order.timeInForce == .postOnly)
                #expect(order.price.isMultiple(of: order.instrument.tick))
            }
            #expect(context.openOrders.count <= 2)
        }
        let summary = market.agent.summary
        #expect(sides == [.buy, .sell])
        #expect(summary.fills > 20)
        #expect(most >= 2 && most <= 6)
        #expect(summary.openOrders == 0, "it withdraws at the end")
        #expect(summary.positions.first?.instrument == "BTCUSDT")
        #expect(summary.modifies > 0)
        #expect(summary.strangeReports == 0 && summary.overfills == 0)
    }

    @Test func imbalanceTakerFollowsTheLeanAndCloses() throws {
        var market = try Market(BookImbalanceTaker.description, ["size": "0.002", "threshold": "0.3"])
        var held: Int64 = 0
        market.run(500, lean: 300) { held = max(held, $0.position(of: $0.instruments[0]).quantity.units) }
        #expect(held == 2)
        var other = try Market(BookImbalanceTaker.description, ["size": "0.002", "threshold": "0.3"])
        other.run(500, lean: -300) { held = min(held, $0.position(of: $0.instruments[0]).quantity.units) }
        #expect(held == -2)
    }

    @Test func emaCrossIsLongInARisingMarket() throws {
        var market = try Market(EMACross.description, ["size": "0.002", "fast": "5", "slow": "50"])
        var last: Int64 = 0
        market.run(300, trend: 20) { last = $0.position(of: $0.instruments[0]).quantity.units }
        #expect(last == 2)
        var falling = try Market(EMACross.description, ["size": "0.002", "fast": "5", "slow": "50"])
        falling.run(300, trend: -20) { last = $0.position(of: $0.instruments[0]).quantity.units }
        #expect(last == -2)
    }

    @Test(arguments: [
        ("market-maker", "symbol", "NOSUCH"), ("market-maker", "size", "0.0001"), ("market-maker", "half-spread", "0"),
        ("imbalance-taker", "threshold", "1.5"), ("ema-cross", "fast", "400"), ("ema-cross", "size", "0"),
    ])
    func badParametersNameTheirKey(strategy: String, key: String, value: String) throws {
        let description = try #require(Samples.all.first { $0.name == strategy })
        #expect { _ = try Market(description, [key: value]) } throws: { ($0 as? ParameterError)?.key == key }
    }
}
