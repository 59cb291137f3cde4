import CApusRing
import Testing

@testable import Apus
@testable import ApusEngine

/// A feed that a test writes itself.
final class TestFeed: FeedSource {
    let view: UnsafeMutablePointer<apus_public>
    private var writer: apus_feed_writer
    var now: UInt64 = 1_000

    init(slots: UInt32 = 1_024, instruments: UInt32 = 4, depth: UInt32 = 5) {
        view = .allocate(capacity: 1)
        view.initialize(to: apus_public())
        var configuration = apus_public_config(
            name: nil, feed_slots: slots, instruments: instruments, board_depth: depth)
        precondition(apus_public_create(view, &configuration) == 0)
        writer = apus_public_writer(view)
    }

    deinit {
        apus_public_close(view)
        view.deallocate()
    }

    func turn(_ now: UInt64) -> Int { 0 }

    @discardableResult
    func publish(
        _ kind: apus_event_kind, _ instrument: UInt16 = 0, flags: UInt32 = 0, _ a: Int64 = 0, _ b: Int64 = 0,
        _ c: Int64 = 0, _ d: Int64 = 0
    ) -> UInt64 {
        var event = apus_event()
        event.kind = UInt8(kind.rawValue)
        event.instrument = instrument
        event.flags = UInt8(flags)
        (event.bid_price, event.bid_quantity, event.ask_price, event.ask_quantity) = (a, b, c, d)
        event.publish_ns = now
        return apus_feed_publish(&writer, &event)
    }

    /// Writes the board and publishes the event that announces it, as the hot thread does.
    func book(_ bids: [(Int64, Int64)], _ asks: [(Int64, Int64)], _ instrument: UInt16 = 0) {
        board(bids, asks, instrument)
        publish(
            APUS_EVENT_BOOK, instrument, bids.first?.0 ?? 0, bids.first?.1 ?? 0, asks.first?.0 ?? 0, asks.first?.1 ?? 0)
    }

    func board(
        _ bids: [(Int64, Int64)], _ asks: [(Int64, Int64)], _ instrument: UInt16 = 0,
        state: apus_book_state = APUS_STATE_LIVE
    ) {
        var header = apus_board_header()
        header.event_number = writer.next
        header.publish_ns = now
        header.bids = UInt32(bids.count)
        header.asks = UInt32(asks.count)
        header.total_bids = header.bids
        header.total_asks = header.asks
        header.state = state.rawValue
        let low = bids.map { apus_level(price: $0.0, quantity: $0.1) }
        let high = asks.map { apus_level(price: $0.0, quantity: $0.1) }
        apus_board_write(&view.pointee.board, UInt32(instrument), &header, low, high)
    }

    func live(_ instrument: UInt16 = 0) {
        publish(
            APUS_EVENT_BOOK_STATE, instrument, flags: APUS_STATE_LIVE.rawValue,
            Int64(APUS_BOOK_REASON_SNAPSHOT.rawValue))
    }

    func stale(_ instrument: UInt16 = 0) {
        publish(
            APUS_EVENT_BOOK_STATE, instrument, flags: APUS_STATE_STALE.rawValue, Int64(APUS_BOOK_REASON_GAP.rawValue))
    }

    func trade(_ price: Int64, _ quantity: Int64, taker: Side, _ instrument: UInt16 = 0) {
        let flags = taker == .sell ? APUS_TRADE_SELL.rawValue : 0
        publish(APUS_EVENT_TRADE, instrument, flags: flags, price, quantity, 1)
    }
}

/// A sink whose other end the test holds.
final class TestSink: OrderSink {
    let queues: UnsafeMutablePointer<apus_private>

    init() {
        queues = .allocate(capacity: 1)
        queues.initialize(to: apus_private())
        precondition(apus_private_create(queues) == 0)
    }

    deinit {
        apus_private_close(queues)
        queues.deallocate()
    }

    func next() -> apus_order? {
        var order = apus_order()
        return apus_order_pop(queues.pointee.orders, &order) ? order : nil
    }

    func report(_ kind: apus_report_kind, _ id: OrderID, _ change: (inout apus_report) -> Void = { _ in }) {
        var report = apus_report()
        report.kind = UInt8(kind.rawValue)
        report.client_id = id.value
        report.action = UInt8(APUS_ORDER_PLACE.rawValue)
        change(&report)
        precondition(apus_report_push(queues.pointee.reports, &report) == 0)
    }
}

/// Writes down what it is told; what it does is given by the test.
final class Recorder {
    var calls: [String] = []
    var reports: [Report] = []
    var onBook: (BookView, Context) -> Void = { _, _ in }
    var onTimer: (TimerID, Context) -> Void = { _, _ in }
    var onReport: (Report, Context) -> Void = { _, _ in }
    var context: Context?
}

struct RecordingStrategy: Strategy {
    let recorder: Recorder

    mutating func start(_ context: Context) throws {
        recorder.context = context
        recorder.calls.append("start")
    }
    mutating func book(_ book: BookView, _ context: Context) {
        recorder.calls.append("book \(book.instrument.index) \(book.touch.bidPrice)/\(book.touch.askPrice)")
        recorder.onBook(book, context)
    }
    mutating func ticker(_ touch: Touch, of instrument: Instrument, _ context: Context) {
        recorder.calls.append("ticker \(instrument.index) \(touch.bidPrice)/\(touch.askPrice)")
    }
    mutating func trade(_ trade: Trade, _ context: Context) {
        recorder.calls.append("trade \(trade.taker) \(trade.quantity.units) at \(trade.price.units)")
    }
    mutating func report(_ report: Report, _ context: Context) {
        recorder.calls.append("report \(report.kind) \(report.order.state)")
        recorder.reports.append(report)
        recorder.onReport(report, context)
    }
    mutating func timer(_ timer: TimerID, _ context: Context) {
        recorder.calls.append("timer \(timer.value) at \(context.now)")
        recorder.onTimer(timer, context)
    }
    mutating func bookState(_ change: BookStateChange, _ context: Context) {
        recorder.calls.append("state \(change.previous) to \(change.state) \(change.reason)")
    }
    mutating func tickSize(_ instrument: Instrument, previous: Price, _ context: Context) {
        recorder.calls.append("tick \(previous.units) to \(instrument.tick.units)")
    }
    mutating func loss(_ loss: Loss, _ context: Context) {
        recorder.calls.append("loss \(loss.events) of \(loss.total)")
    }
    mutating func connection(_ change: ConnectionChange, _ context: Context) {
        recorder.calls.append("connection \(change.connection) \(change.state) \(change.reason) \(change.code)")
    }
    mutating func stop(_ context: Context) { recorder.calls.append("stop") }
}

/// Prices with two decimals and a tick of 1 unit, quantities with three and a lot of 1 unit.
func definition(_ symbol: String = "BTCUSDT", tick: Int64 = 1) -> InstrumentDefinition {
    InstrumentDefinition(
        symbol: symbol, venue: "test", priceDecimals: 2, quantityDecimals: 3,
        tick: ExactDecimal(digits: tick, decimals: 2), lot: ExactDecimal(digits: 1, decimals: 3))
}

/// Limits that are in nobody's way.
func wideLimits() -> RiskLimits {
    var limits = RiskLimits()
    limits.maxOrderNotional = Money(whole: 1_000_000_000)
    limits.maxPositionNotional = Money(whole: 1_000_000_000)
    limits.priceBandPpm = 1_000_000
    limits.maxOpenOrders = 4_096
    limits.maxInstrumentOrders = 4_096
    limits.tradeBandPpm = 1_000_000
    limits.maxGrossExposure = Money(whole: 1_000_000_000)
    limits.maxNetExposure = Money(whole: 1_000_000_000)
    limits.maxDailyLoss = Money(whole: 1_000_000_000)
    limits.ordersPerMinute = 60_000_000_000
    limits.ordersPerSecond = 1_000_000_000
    limits.orderBurst = 1_000_000
    return limits
}

/// An engine on a test feed and a test sink, in simulated time.
struct Bench {
    let feed: TestFeed
    let sink = TestSink()
    let recorder = Recorder()
    let agent: DecisionAgent
    private let names: [String]

    /// - Parameter strategies: their names; they write into one recorder.
    init(
        slots: UInt32 = 1_024, instruments: [InstrumentDefinition] = [definition()], limits: RiskLimits = wideLimits(),
        time: TimeSource = .simulated, journal: JournalPort? = nil, strategies: [String] = ["test"],
        configure: (inout EngineConfiguration) -> Void = { _ in }
    ) throws {
        feed = TestFeed(slots: slots)
        var configuration = EngineConfiguration(runTag: 7)
        configuration.limits = limits
        configuration.reconcilePause = 0
        configure(&configuration)
        // The recorder is used by the test's own thread alone.
        nonisolated(unsafe) let recorder = recorder
        let strategy = StrategyDescription(name: "test", summary: "test") { _ in
            RecordingStrategy(recorder: recorder)
        }
        names = strategies
        agent = try DecisionAgent(
            strategies: strategies.map { StrategySetting(strategy, name: $0) }, instruments: instruments, feed: feed,
            sink: sink, time: time, configuration: configuration, journal: journal)
        var run = apus_journal_run()
        run.run_tag = configuration.runTag
        agent.openJournal(run, feed.now)
        try agent.start(feed.now)
    }

    var context: Context { agent.context }
    func context(of number: Int) -> Context { agent.context(of: names[number])! }
    var instrument: Instrument { agent.instruments[0] }

    @discardableResult
    func turn(_ now: UInt64? = nil) -> Int { agent.turn(now ?? feed.now) }

    /// A bench with the book of `open`.
    static func opened() throws -> Bench {
        let bench = try Bench()
        bench.open()
        return bench
    }

    /// A live book of 100.00 to 101.00 with one whole unit on each side.
    func open(bid: Int64 = 10_000, ask: Int64 = 10_100) {
        feed.live()
        feed.book([(bid, 1_000)], [(ask, 1_000)])
        turn()
    }

    func buy(_ quantity: Int64 = 10, at price: Int64 = 10_000) -> Placement {
        context.limit(.buy, Quantity(units: quantity), of: instrument, at: Price(units: price))
    }

    func sell(_ quantity: Int64 = 10, at price: Int64 = 10_100) -> Placement {
        context.limit(.sell, Quantity(units: quantity), of: instrument, at: Price(units: price))
    }

    /// An order that the venue has.
    func resting(_ quantity: Int64 = 10, side: Side = .buy) throws -> OrderID {
        let placement = side == .buy ? buy(quantity) : sell(quantity)
        let id = try #require(placement.id)
        _ = sink.next()
        sink.report(APUS_REPORT_ACCEPTED, id)
        turn()
        return id
    }

    func fill(
        _ id: OrderID, _ quantity: Int64, trade: UInt64, cumulative: Int64 = 0, price: Int64 = 10_000, fee: Int64 = 0,
        isOther: Bool = false
    ) {
        sink.report(APUS_REPORT_FILL, id) {
            $0.quantity = quantity
            $0.price = price
            $0.trade_id = trade
            $0.cumulative = cumulative
            $0.fee = fee
            $0.flags = isOther ? UInt8(APUS_REPORT_FEE_OTHER_ASSET.rawValue) : 0
        }
    }

    func state(_ id: OrderID) -> OrderState? { context.order(id)?.state }
    var held: Int64 { context.position(of: instrument).quantity.units }
}
