import CApusRing
import Testing

@testable import Apus
@testable import ApusEngine

/// An engine of several strategies, each with its recorder.
struct Team {
    let feed = TestFeed()
    let sink = TestSink()
    let recorders: [Recorder]
    let names: [String]
    let agent: DecisionAgent

    /// - Parameters:
    ///   - symbols: by strategy; empty: all.
    ///   - state: what it goes on from.
    init(
        _ names: [String] = ["maker", "taker"], symbols: [String: [String]] = [:],
        instruments: [InstrumentDefinition] = [definition(), definition("ETHUSDT")], limits: RiskLimits = wideLimits(),
        journal: JournalPort? = nil, restoring state: JournalState? = nil,
        configure: (inout EngineConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = EngineConfiguration(runTag: 7)
        configuration.limits = limits
        configuration.reconcilePause = 0
        configure(&configuration)
        // The recorders are used by the test's own thread alone.
        nonisolated(unsafe) let made = names.map { _ in Recorder() }
        recorders = made
        self.names = names
        let settings = names.enumerated().map { number, name in
            StrategySetting(
                StrategyDescription(name: "test", summary: "test") { _ in RecordingStrategy(recorder: made[number]) },
                name: name, symbols: symbols[name] ?? [])
        }
        agent = try DecisionAgent(
            strategies: settings, instruments: instruments, feed: feed, sink: sink, time: .simulated,
            configuration: configuration, journal: journal)
        if let state { try agent.restore(state, wall: feed.now, monotonic: feed.now) }
        var run = apus_journal_run()
        run.run_tag = configuration.runTag
        agent.openJournal(run, feed.now)
        try agent.start(feed.now)
    }

    func context(_ number: Int) -> Context { agent.context(of: names[number])! }
    var instrument: Instrument { agent.instruments[0] }

    func turn() { _ = agent.turn(feed.now) }

    /// A live book of 100.00 to 101.00 with one whole unit on each side.
    func open(_ index: UInt16 = 0, bid: Int64 = 10_000, ask: Int64 = 10_100) {
        feed.live(index)
        feed.book([(bid, 1_000)], [(ask, 1_000)], index)
        turn()
    }

    func limit(
        _ number: Int, _ side: Side, _ quantity: Int64 = 10, at price: Int64? = nil, of index: Int = 0,
        reduceOnly: Bool = false, whenLimited: WhenLimited = .refuse
    ) -> Placement {
        context(number).limit(
            side, Quantity(units: quantity), of: agent.instruments[index],
            at: Price(units: price ?? (side == .buy ? 10_000 : 10_100)), reduceOnly: reduceOnly,
            whenLimited: whenLimited)
    }

    /// An order that is filled at once.
    func trade(
        _ number: Int, _ side: Side, _ quantity: Int64, at price: Int64 = 10_000, fee: Int64 = 0, of index: Int = 0,
        trade: UInt64
    ) throws {
        let id = try #require(limit(number, side, quantity, at: price, of: index).id)
        fill(id, quantity, trade: trade, price: price, fee: fee)
        sink.report(APUS_REPORT_STATUS, id) {
            $0.status = UInt8(APUS_STATUS_FILLED.rawValue)
            $0.cumulative = quantity
        }
        turn()
    }

    func fill(_ id: OrderID, _ quantity: Int64, trade: UInt64, price: Int64 = 10_000, fee: Int64 = 0) {
        sink.report(APUS_REPORT_FILL, id) {
            ($0.quantity, $0.price, $0.trade_id, $0.fee) = (quantity, price, trade, fee)
        }
    }

    func held(_ number: Int, _ index: Int = 0) -> Int64 {
        context(number).position(of: agent.instruments[index]).quantity.units
    }

    var whole: Int64 { agent.context.position(of: instrument).quantity.units }
    var nobodys: Int64 { agent.life.pointee.rows.row(Order.nobody, instrument.record).pointee.position.quantity }
}

/// Several strategies on one decision thread: each is told in order, and sees what is its own.
@Suite struct StrategiesTests {
    private let second: UInt64 = 1_000_000_000

    @Test func eventsComeInTheConfiguredOrder() throws {
        let team = try Team(["first", "second", "third"])
        // The test has one thread.
        nonisolated(unsafe) var order: [String] = []
        for (number, recorder) in team.recorders.enumerated() {
            recorder.onBook = { book, _ in order.append("\(number) \(book.touch.bidPrice)") }
        }
        team.open()
        order = []
        for bid: Int64 in [10_001, 10_002] { team.feed.book([(bid, 1_000)], [(10_100, 1_000)]) }
        team.turn()
        #expect(order == ["0 10001", "1 10001", "2 10001", "0 10002", "1 10002", "2 10002"])
        team.agent.stop(team.feed.now)
        for recorder in team.recorders {
            #expect(recorder.calls.first == "start")
            #expect(recorder.calls.last == "stop")
            #expect(recorder.context?.now == team.agent.context.now)
        }
    }

    @Test func ordersAreSeenByTheirOwnStrategyAlone() throws {
        let team = try Team()
        team.open()
        let id = try #require(team.limit(0, .buy).id)
        #expect(team.sink.next()?.strategy == 0)
        team.sink.report(APUS_REPORT_ACCEPTED, id)
        team.turn()
        #expect(team.recorders[0].reports.map(\.kind) == [.accepted])
        #expect(team.recorders[1].reports.isEmpty)
        #expect(team.context(0).openOrders.count == 1 && team.context(0).openOrders.map(\.id) == [id])
        #expect(team.context(1).openOrders.count == 0 && team.context(1).openOrders.map(\.id).isEmpty)
        #expect(team.context(0).order(id) != nil && team.context(1).order(id) == nil)
        #expect(team.context(1).cancel(id).refusal == .noSuchOrder)
        #expect(
            team.context(1).modify(id, price: Price(units: 9_999), quantity: Quantity(units: 5)).refusal
                == .noSuchOrder)
        #expect(team.context(1).cancelAll() == 0)
        let other = try #require(team.limit(1, .buy, at: 9_990).id)
        #expect(team.sink.next()?.strategy == 1)
        #expect(team.context(1).openOrders.map(\.id) == [other])
        #expect(team.agent.context.openOrders.count == 2, "the account has both")
        #expect(team.context(0).cancelAll() == 1)
        #expect(team.sink.next()?.client_id == id.value)
    }

    @Test func positionsAddUpToTheAccounts() throws {
        let team = try Team()
        team.open()
        try team.trade(0, .buy, 10, at: 10_000, fee: 100_000_000, trade: 1)
        try team.trade(1, .sell, 4, at: 10_000, trade: 2)
        #expect([team.held(0), team.held(1), team.whole] == [10, -4, 6])
        #expect(team.context(0).position(of: team.instrument).fees == Money(whole: 1))
        #expect(team.context(1).position(of: team.instrument).fees == .zero)
        // The account's sale closed; to the second strategy it was an opening.
        #expect(team.context(1).position(of: team.instrument).averagePrice == Price(units: 10_000))
        try team.trade(1, .buy, 4, at: 9_000, trade: 3)
        #expect(team.context(1).position(of: team.instrument).realised == Money(ExactDecimal(digits: 40, decimals: 3)))
        team.feed.book([(11_000, 1_000)], [(11_000, 1_000)])
        team.turn()
        let parts = team.context(0).profit.net + team.context(1).profit.net
        #expect(parts == team.agent.context.profit.net, "sums of realised and unrealised agree")
        let summary = team.agent.summary
        #expect(summary.strategies.map(\.name) == ["maker", "taker"])
        #expect(summary.strategies.map(\.orders) == [1, 2] && summary.strategies.map(\.fills) == [1, 2])
        #expect(summary.strategies.map(\.positions.count) == [1, 1])
    }

    @Test func fillsThatAreTakenBackOrCorrectedAreTheOwners() throws {
        let team = try Team()
        team.open()
        let id = try #require(team.limit(1, .buy, 10).id)
        team.sink.report(APUS_REPORT_STATUS, id) {
            ($0.status, $0.cumulative, $0.quantity) = (UInt8(APUS_STATUS_PARTIALLY_FILLED.rawValue), 4, 10)
        }
        team.turn()
        #expect([team.held(0), team.held(1)] == [0, 4])
        team.sink.report(APUS_REPORT_FILL, id) {
            ($0.quantity, $0.price, $0.trade_id, $0.cumulative) = (4, 9_000, 1, 4)
        }
        team.turn()
        let realised = team.context(1).position(of: team.instrument).realised
        #expect(realised == team.agent.context.position(of: team.instrument).realised && realised > .zero)
        team.sink.report(APUS_REPORT_UNDONE, id) {
            ($0.quantity, $0.price, $0.trade_id, $0.status) = (4, 9_000, 1, UInt8(APUS_STATUS_NEW.rawValue))
        }
        team.turn()
        #expect([team.held(0), team.held(1), team.whole] == [0, 0, 0])
        #expect(team.recorders[1].reports.last?.kind == .fillUndone && team.recorders[0].reports.isEmpty)
    }

    @Test func whatHappensToTheAccountIsSharedOut() throws {
        let team = try Team()
        team.open()
        try team.trade(0, .buy, 10, trade: 1)
        try team.trade(1, .sell, 4, trade: 2)
        team.sink.report(APUS_REPORT_FUNDING, OrderID(0)) { ($0.fee, $0.trade_id) = (600_000_000, 1) }
        team.turn()
        let funding = [0, 1].map { team.context($0).position(of: team.instrument).funding }
        #expect(funding == [Money(whole: 10), -Money(whole: 4)], "who is short receives what who is long pays")
        // A trade of no order closes half of what the account holds.
        func settle(_ side: Side, _ quantity: Int64, _ trade: UInt64) {
            team.sink.report(APUS_REPORT_SETTLED, OrderID(0)) {
                ($0.side, $0.price, $0.quantity, $0.trade_id) = (side.rawValue, 10_000, quantity, trade)
            }
            team.turn()
        }
        settle(.sell, 3, 10)
        #expect([team.held(0), team.held(1), team.nobodys, team.whole] == [5, -2, 0, 3])
        settle(.buy, 7, 11)
        #expect([team.held(0), team.held(1), team.nobodys, team.whole] == [5, -2, 7, 10], "nobody ordered it")
        settle(.sell, 12, 12)
        #expect([team.held(0), team.held(1), team.nobodys, team.whole] == [0, 0, -2, -2])
    }

    @Test func timersAreOwn() throws {
        let team = try Team()
        let first = try #require(team.context(0).setTimer(after: .seconds(1)))
        let second = try #require(team.context(1).setTimer(after: .seconds(2)))
        #expect(first != second)
        #expect(!team.context(1).cancelTimer(first), "another's")
        for _ in 1..<64 { #expect(team.context(0).setTimer(after: .seconds(5)) != nil) }
        #expect(team.context(0).setTimer(after: .seconds(5)) == nil)
        #expect(team.context(1).setTimer(after: .seconds(9)) != nil, "one cannot take the other's places")
        team.feed.now += 3 * self.second
        team.turn()
        #expect(team.recorders[0].calls.filter { $0.hasPrefix("timer") } == ["timer \(first.value) at 1000001000"])
        #expect(team.recorders[1].calls.filter { $0.hasPrefix("timer") } == ["timer \(second.value) at 2000001000"])
        #expect(!team.context(1).cancelTimer(second), "it has fired")
    }

    @Test func symbolsSayWhatOneIsToldOfAndTrades() throws {
        let team = try Team(symbols: ["taker": ["ETHUSDT"]])
        team.open(0)
        team.open(1, bid: 500, ask: 501)
        #expect(team.recorders[0].calls.contains("book 0 10000/10100"))
        #expect(team.recorders[0].calls.contains("book 1 500/501"))
        #expect(!team.recorders[1].calls.contains { $0.hasPrefix("book 0") })
        #expect(team.recorders[1].calls.contains("book 1 500/501"))
        #expect(team.context(1).instruments.map(\.symbol) == ["ETHUSDT"])
        #expect(team.context(1).instruments[0].index == 1, "it keeps its number")
        #expect(team.context(1).instrument("BTCUSDT") == nil)
        #expect(team.limit(1, .buy).refusal == .unknownInstrument)
        #expect(team.limit(1, .buy, at: 500, of: 1).id != nil)
        try team.agent.add(definition("SOLUSDT"))
        #expect(team.context(0).instruments.count == 3 && team.context(1).instruments.count == 1)
    }

    @Test func oneIsHaltedAndTheOtherGoesOn() throws {
        let team = try Team()
        team.open()
        #expect(team.agent.set(.halted, ofStrategy: "maker"))
        #expect(team.limit(0, .buy).refusal == .killed)
        #expect(team.limit(1, .buy).id != nil)
        #expect(team.agent.strategies.map(\.state) == [.halted, .active])
        #expect(team.agent.tradingState == .active, "the whole trades")
        #expect(team.agent.set(.active, ofStrategy: "maker"))
        #expect(team.limit(0, .buy).id != nil)
        #expect(
            team.agent.context.limit(.buy, Quantity(units: 1), of: team.instrument, at: Price(units: 10_000)).refusal
                == .killed, "nobody places nothing")
    }

    @Test func waitingOrdersEndAtTheirOwner() throws {
        var limits = wideLimits()
        (limits.ordersPerSecond, limits.orderBurst) = (1, 1)
        let team = try Team(limits: limits)
        team.open()
        _ = team.limit(0, .buy)
        let id = try #require(team.limit(1, .buy, whenLimited: .queue).id)
        #expect(team.context(1).cancel(id).id != nil)
        team.turn()
        #expect(team.recorders[1].reports.map(\.kind) == [.canceled] && team.recorders[0].reports.isEmpty)
    }

    @Test func badSettingsAreNamed() throws {
        #expect(throws: StrategySettingError(strategy: "a", reason: "another one has that name")) {
            _ = try Team(["a", "a"])
        }
        #expect(throws: StrategySettingError(strategy: "b", reason: "the engine has no instrument XRPUSDT")) {
            _ = try Team(["a", "b"], symbols: ["b": ["XRPUSDT"]])
        }
        #expect { _ = try Team((0...64).map { "s\($0)" }) } throws: {
            ($0 as? StrategySettingError)?.reason == "an engine runs at most 64"
        }
        let feed = TestFeed(), sink = TestSink()
        // The test has one thread.
        nonisolated(unsafe) let recorder = Recorder()
        let plain = StrategyDescription(name: "plain", summary: "") { _ in RecordingStrategy(recorder: recorder) }
        #expect {
            _ = try DecisionAgent(
                strategies: [StrategySetting(plain), StrategySetting(plain, name: "b", parameters: ["size": "1"])],
                instruments: [definition()], feed: feed, sink: sink, time: .simulated,
                configuration: EngineConfiguration(runTag: 1))
        } throws: { ($0 as? ParameterError)?.strategy == "b" && ($0 as? ParameterError)?.key == "size" }
    }

    @Test func whatTheyDoAddsUpToTheAccounts() throws {
        var limits = wideLimits()
        limits.strategies["maker"] = StrategyLimits()
        limits.strategies["maker"]?.ordersPerMinute = 2
        let team = try Team(symbols: ["taker": ["ETHUSDT"]], limits: limits)
        team.open(0)
        team.open(1)
        #expect(team.limit(1, .buy, 1).refusal == .unknownInstrument)
        let id = try #require(team.limit(0, .buy, 1).id)
        team.sink.report(APUS_REPORT_ACCEPTED, id)
        team.turn()
        #expect(team.context(0).modify(id, price: Price(units: 9_990), quantity: Quantity(units: 2)).id != nil)
        #expect(team.context(0).modify(id, price: Price(units: 9_990), quantity: Quantity(units: 3)).id == nil)
        #expect(team.context(0).cancel(OrderID(99)).refusal == .noSuchOrder)
        let waiting = try #require(team.limit(0, .buy, 1, whenLimited: .queue).id)
        team.context(0).cancel(waiting)
        var refusal: Refusal?
        while refusal == nil { refusal = team.limit(1, .buy, 1, of: 1).refusal }
        #expect(refusal == .orderRingFull)
        team.turn()
        let whole = team.agent.summary, parts = whole.strategies
        #expect(parts.map(\.orders) == [2, whole.orders - 2])
        #expect(parts.map(\.modifies) == [1, 0] && whole.modifies == 1)
        #expect(parts.map(\.blocked) == [3, 2] && whole.blocked.values.reduce(0, +) == 5)
    }
}
