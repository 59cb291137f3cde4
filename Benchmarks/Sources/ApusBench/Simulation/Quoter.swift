import Apus
import ApusEngine

/// What a strategy has seen and done.
final class Tally {
    var checksum: UInt64 = 0
    var reads = 0
    var replacements = 0
}

/// Reads the touch at every event and, if wanted, replaces two quotes one tick outside the touch at a steady pace: what the
/// strategies of backtest_hftbacktest.py do.
struct Quoter: Strategy {
    let pace: Duration?
    let quantity: Quantity
    let tally: Tally
    private var checksum: UInt64 = 0
    private var reads = 0

    /// Never used by two threads at once.
    static func description(every pace: Duration?, quantity: Quantity, _ tally: Tally) -> StrategyDescription {
        nonisolated(unsafe) let tally = tally
        return StrategyDescription(name: "quoter", summary: "Reads touches and replaces quotes") { _ in
            Quoter(pace: pace, quantity: quantity, tally: tally)
        }
    }

    private init(pace: Duration?, quantity: Quantity, tally: Tally) {
        self.pace = pace
        self.quantity = quantity
        self.tally = tally
    }

    mutating func start(_ context: Context) throws {
        if let pace { context.setTimer(after: pace, repeats: true) }
    }

    mutating func book(_ book: BookView, _ context: Context) {
        guard let bid = book.bid, let ask = book.ask else { return }
        checksum = checksum &+ UInt64(bitPattern: bid.units) &* 31 &+ UInt64(bitPattern: ask.units)
        reads += 1
    }

    mutating func timer(_ timer: TimerID, _ context: Context) {
        let instrument = context.instruments[0]
        let book = context.book(of: instrument)
        guard book.isLive, let bid = book.bid, let ask = book.ask else { return }
        for order in context.openOrders where order.state != .pendingCancel { context.cancel(order.id) }
        context.limit(.buy, quantity, of: instrument, at: bid - instrument.tick, .postOnly)
        context.limit(.sell, quantity, of: instrument, at: ask + instrument.tick, .postOnly)
        tally.replacements += 1
    }

    mutating func stop(_ context: Context) {
        tally.checksum = checksum
        tally.reads = reads
    }
}

extension RiskLimits {
    /// In nobody's way; every rule is still checked.
    static var wide: RiskLimits {
        var limits = RiskLimits()
        limits.maxOrderNotional = Money(whole: 1_000_000_000)
        limits.maxPositionNotional = Money(whole: 1_000_000_000)
        limits.priceBandPpm = 1_000_000
        limits.maxOpenOrders = 4096
        limits.maxInstrumentOrders = 4096
        limits.tradeBandPpm = 1_000_000
        limits.maxGrossExposure = Money(whole: 1_000_000_000)
        limits.maxNetExposure = Money(whole: 1_000_000_000)
        limits.maxDailyLoss = Money(whole: 1_000_000_000)
        limits.ordersPerMinute = 60_000_000_000
        limits.ordersPerSecond = 1_000_000_000
        limits.orderBurst = 1_000_000
        return limits
    }
}
