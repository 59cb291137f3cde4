import CApusProtocol
import CApusRing
import Testing

@testable import Apus
@testable import ApusEngine
@testable import ApusReplay

/// In simulated time the board is written when it is read, and the paper venue looks at a queue when its level has changed.
/// Neither may be told from a board that is written at every event.
@Suite struct DeferredBoardTests {
    @Test(arguments: [UInt64(1), 2, 3, 4])
    func aBoardOnDemandGivesTheSameDepthsAndFills(_ seed: UInt64) throws {
        let eager = try MarketOfDeltas(deferred: false, seed: seed),
            deferred = try MarketOfDeltas(deferred: true, seed: seed)
        let wanted = try eager.run(20_000), found = try deferred.run(20_000)
        #expect(wanted.reports == found.reports)
        #expect(wanted.depths == found.depths)
        #expect(wanted.reports.filter { $0.contains("fill") }.count > 100)
        #expect(wanted.depths.count > 1_000)
        // Some orders were deeper than the board shows, so that their queues had to come into view.
        #expect(wanted.deepest > MarketOfDeltas.depth)
    }
}

/// What a strategy was told.
private final class Diary {
    var reports: [String] = []
    var depths: [[Int64]] = []
    var deepest = 0
}

/// Places, changes and cancels at random prices, up to eight levels from the touch.
private struct Wanderer: Strategy {
    let diary: Diary
    var random: SplitMix64
    var events = 0

    mutating func start(_ context: Context) throws { context.setTimer(after: .nanoseconds(5_000), repeats: true) }

    mutating func book(_ book: BookView, _ context: Context) {
        events += 1
        guard events % 16 == 0, let depth = book.depth else { return }
        diary.depths.append((Array(depth.bids) + Array(depth.asks)).flatMap { [$0.price.units, $0.quantity.units] })
    }

    mutating func report(_ report: Report, _ context: Context) {
        let fill = report.fill.map { "\($0.price.units) \($0.quantity.units) \($0.isMaker)" } ?? ""
        diary.reports.append("\(report.time) \(report.order.id) \(report.kind) \(report.order.state) \(fill)")
    }

    mutating func timer(_ timer: TimerID, _ context: Context) {
        let instrument = context.instruments[0]
        guard let bid = context.book(of: instrument).bid, let ask = context.book(of: instrument).ask else { return }
        for order in context.openOrders {
            switch random.upTo(3) {
            case 0: context.cancel(order.id)
            case 1: context.modify(order.id, price: order.price, quantity: order.quantity + Quantity(units: 1))
            default: break
            }
        }
        let away = Int64(random.upTo(8))
        diary.deepest = max(diary.deepest, Int(away))
        let size = Quantity(units: 1 + Int64(random.upTo(20)))
        context.limit(.buy, size, of: instrument, at: Price(units: bid.units - away), .postOnly)
        context.limit(.sell, size, of: instrument, at: Price(units: ask.units + away), .postOnly)
        if random.upTo(9) == 0 { context.limit(.buy, size, of: instrument, at: ask, .immediateOrCancel) }
    }
}

/// A random walk of one book, with trades, in simulated time.
private final class MarketOfDeltas {
    static let depth = 5

    private let memory: MarketMemory
    private let decision: DecisionAgent
    private let loop: SimulatedLoop
    private let book: UnsafeMutablePointer<apus_market_book>
    private let diary = Diary()
    private var random: SplitMix64
    private var mid: Int64 = 10_000
    private var time: UInt64 = 1_000

    init(deferred: Bool, seed: UInt64) throws {
        random = SplitMix64(seed: seed)
        memory = try MarketMemory(
            venue: "test", capacity: 2, boardDepth: Self.depth, feedSlots: 1_024, arenaBytes: 1 << 24)
        if deferred { try memory.deferBoard() }
        let definition = InstrumentDefinition(
            symbol: "A", venue: "test", priceDecimals: 2, quantityDecimals: 3,
            tick: ExactDecimal(digits: 1, decimals: 2),
            lot: ExactDecimal(digits: 1, decimals: 3))
        book = try #require(apus_market_open(memory.market, try memory.add(definition)))
        var model = PaperConfiguration()
        (model.orderLatency, model.reportLatency, model.jitter) = (3_000, 2_000, 500)
        let paper = try PaperVenue(feed: memory, instruments: [definition], configuration: model)
        var engine = EngineConfiguration(runTag: 1)
        engine.limits.priceBandPpm = 1_000_000
        engine.limits.maxOpenOrders = 64
        engine.limits.maxInstrumentOrders = 64
        engine.limits.ordersPerMinute = 60_000_000_000
        engine.limits.maxDailyLoss = nil
        engine.limits.ordersPerSecond = 1_000_000_000
        engine.limits.orderBurst = 1_000_000
        // The test has one thread.
        nonisolated(unsafe) let diary = diary
        decision = try DecisionAgent(
            strategy: StrategyDescription(name: "t", summary: "t") { _ in
                Wanderer(diary: diary, random: SplitMix64(seed: seed &+ 100))
            }, instruments: [definition], feed: memory, sink: paper, time: .simulated, configuration: engine)
        loop = SimulatedLoop(decision: decision, paper: paper)
    }

    func run(_ events: Int) throws -> Diary {
        apus_publisher_message(memory.publisher, time, 0)
        apus_market_state(
            memory.market, book, UInt8(APUS_STATE_LIVE.rawValue), UInt8(APUS_BOOK_REASON_SNAPSHOT.rawValue))
        try decision.start(time)
        for _ in 0..<events {
            time += 1 + random.upTo(999)
            loop.advance(to: time)
            apus_publisher_message(memory.publisher, time, 0)
            random.upTo(9) == 0 ? trade() : change()
            loop.settle(time)
        }
        decision.stop(time)
        return diary
    }

    /// One level is set or deleted; now and then the market moves first, and the level it moves over goes.
    private func change() {
        let isAsk = random.upTo(1) == 1
        if random.upTo(19) == 0 {
            mid += isAsk ? 1 : -1
            set(isAsk, mid, 0)
        }
        let away = 1 + Int64(random.upTo(11))
        let quantity = random.upTo(3) == 0 ? 0 : 1 + Int64(random.upTo(49))
        set(isAsk, isAsk ? mid + away : mid - away, quantity)
        apus_market_publish(memory.market, book, 0)
    }

    private func set(_ isAsk: Bool, _ price: Int64, _ quantity: Int64) {
        var level = apus_level(price: price, quantity: quantity)
        _ =
            isAsk
            ? apus_market_apply(memory.market, book, nil, 0, &level, 1)
            : apus_market_apply(memory.market, book, &level, 1, nil, 0)
    }

    private func trade() {
        let touch = apus_book_best(&book.pointee.book)
        let isSale = random.upTo(1) == 0
        let price = isSale ? touch.bid_price : touch.ask_price
        guard price > 0 else { return }
        apus_market_trade(memory.market, book, price, 1 + Int64(random.upTo(29)), time, isSale)
    }
}
