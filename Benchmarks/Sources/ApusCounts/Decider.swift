import Apus
import ApusEngine
import CApusRing

/// Reads the touch at every book, and every so often places an order: what the cheapest strategy does.
struct TouchReader: Strategy {
    let memory: UnsafeMutablePointer<Memory>

    /// What the program looks at from outside.
    struct Memory {
        var sum: Int64 = 0
        var books: UInt64 = 0
        /// An order at every so many books; 0: never.
        var orderEvery: UInt64 = 0
        var orders: UInt64 = 0
        var refused: UInt64 = 0
    }

    mutating func book(_ book: BookView, _ context: Context) {
        let touch = book.touch
        memory.pointee.sum &+= touch.bidPrice &+ touch.askPrice
        memory.pointee.books &+= 1
        guard memory.pointee.orderEvery != 0, memory.pointee.books % memory.pointee.orderEvery == 0 else { return }
        let placement = context.limit(.buy, book.instrument.lot, of: book.instrument, at: Price(units: touch.bidPrice))
        if placement.id == nil { memory.pointee.refused &+= 1 } else { memory.pointee.orders &+= 1 }
    }
}

/// The decision side on a mapping that somebody else publishes to, with a sink whose other end is in here.
final class Decider: FeedSource, OrderSink {
    let view: UnsafeMutablePointer<apus_public>
    let queues: UnsafeMutablePointer<apus_private>
    let memory: UnsafeMutablePointer<TouchReader.Memory>
    private(set) var agent: DecisionAgent!

    init(_ view: UnsafeMutablePointer<apus_public>) throws {
        self.view = view
        queues = .allocate(capacity: 1)
        queues.initialize(to: apus_private())
        guard apus_private_create(queues) == 0 else { fail("no memory for rings") }
        memory = .allocate(capacity: 1)
        memory.initialize(to: TouchReader.Memory())
        var configuration = EngineConfiguration(runTag: 1)
        configuration.reconcilePause = 0
        configuration.limits = Self.limits
        // This program has one thread.
        nonisolated(unsafe) let memory = memory
        agent = try DecisionAgent(
            strategy: StrategyDescription(name: "touch-reader", summary: "Reads the touch") { _ in
                TouchReader(memory: memory)
            },
            instruments: [
                InstrumentDefinition(
                    symbol: "BTCUSDT", venue: "counts", priceDecimals: 2, quantityDecimals: 3,
                    tick: ExactDecimal(digits: 1, decimals: 2), lot: ExactDecimal(digits: 1, decimals: 3))
            ], feed: self, sink: self, time: .live(), configuration: configuration)
        try agent.start(apus_clock_monotonic())
        _ = agent.turn(apus_clock_monotonic())
    }

    // In nobody's way, but looked at: each check is made.
    private static var limits: RiskLimits {
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

    func turn(_ now: UInt64) -> Int { 0 }

    /// The venue's part: takes every order from its ring and reports it accepted and then cancelled. Returns how many there were.
    @discardableResult
    func answerOrders() -> UInt64 {
        var order = apus_order()
        var count: UInt64 = 0
        while apus_order_pop(queues.pointee.orders, &order) {
            for kind in [APUS_REPORT_ACCEPTED, APUS_REPORT_CANCELED] { report(kind, order) }
            count += 1
        }
        return count
    }

    @inline(__always)
    private func report(_ kind: apus_report_kind, _ order: apus_order) {
        var report = apus_report()
        report.kind = UInt8(kind.rawValue)
        report.client_id = order.client_id
        report.action = UInt8(APUS_ORDER_PLACE.rawValue)
        report.instrument = order.instrument
        if apus_report_push(queues.pointee.reports, &report) != 0 { fail("the report ring is full") }
    }
}
