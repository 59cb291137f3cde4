package import Apus
package import CApusRing

/// A venue made of the live (or recorded) book and a model of what our orders would meet in it. An agent and an
/// `OrderSink`.
///
/// The model, in short:
/// - An order reaches the venue `orderLatency` after it was decided; its reports are back `reportLatency` after that.
/// - An order that can take at its arrival sweeps the board's levels, each once until that book changes again. It
///   does not move the market.
/// - An order that rests joins its level behind all that stands there. Trades at its price first use up what is
///   ahead, then fill it. Of cancellations only those count that cannot have been behind: the queue ahead is never
///   longer than what the level shows.
/// - A trade beyond its price, or an opposite touch at or through it, fills it whole at its own price.
/// - A price deeper than the board shows has an unknown queue, which becomes the whole level when it comes into view.
/// - Our orders never meet each other: one that would is rejected.
///
/// It draws time from `turn` and from event stamps only and randomness from its seed only: the same inputs give the
/// same fills. Unchecked: it is made by one thread and handed to the one that runs its turns; two threads never use
/// it at once.
package final class PaperVenue: Agent, OrderSink, @unchecked Sendable {
    package let queues: UnsafeMutablePointer<apus_private>
    let table: InstrumentTable
    let configuration: PaperConfiguration
    let state: UnsafeMutablePointer<PaperState>
    let markets: UnsafeMutablePointer<PaperMarket>
    let board: apus_board
    // The view must stay mapped while the reader in `state` lives.
    private let feed: any FeedSource

    /// A venue that follows the feed from its newest event.
    /// - Throws: `InstrumentError`; `PaperError` when there is no memory.
    package init(
        feed: any FeedSource, instruments: [InstrumentDefinition],
        configuration: PaperConfiguration = PaperConfiguration()
    ) throws {
        self.feed = feed
        board = feed.view.pointee.board
        self.configuration = configuration
        table = InstrumentTable(board: feed.view.pointee.board)
        for definition in instruments { try table.add(definition) }
        queues = .allocate(capacity: 1)
        queues.initialize(to: apus_private())
        let failure = apus_private_create(queues)
        markets = .allocate(capacity: max(table.capacity, 1))
        markets.initialize(repeating: PaperMarket(), count: max(table.capacity, 1))
        state = .allocate(capacity: 1)
        state.initialize(
            to: PaperState(reader: apus_public_reader(feed.view, false), seed: configuration.seed))
        guard failure == 0 else { throw PaperError(code: failure) }
        state.pointee.instrumentCount = table.count
        for index in 0..<table.count { adoptBoard(index) }
    }

    deinit {
        apus_private_close(queues)
        queues.deallocate()
        markets.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// Adds an instrument that was subscribed while running. Between turns.
    package func add(_ definition: InstrumentDefinition) throws {
        try table.add(definition)
        state.pointee.instrumentCount = table.count
        adoptBoard(table.count - 1)
    }

    /// Reads orders, then goes through arrivals and market events in the order of their times, then delivers reports.
    package func turn(_ now: UInt64) -> Int {
        var work = takeOrders(now)
        work += followFeed(now)
        work += admit(now)
        return work + deliver(now)
    }

    /// When the next order arrives or the next report is due.
    package var nextDue: UInt64? { due == .max ? nil : due }

    /// As `nextDue`; `.max` for nil.
    @inline(__always)
    var due: UInt64 { state.pointee.due }

    /// Whether orders wait in the ring.
    @inline(__always)
    var hasRequests: Bool { apus_queue_waiting(queues.pointee.orders) }

    /// Whether orders whose time has come are let in.
    @inline(__always)
    var hasReportRoom: Bool { state.pointee.hasReportRoom }

    /// Whether another turn at that time would find something to do. Simulated time only, where nobody else writes.
    @inline(__always)
    func isBusy(_ now: UInt64) -> Bool { due <= now || hasRequests || apus_feed_waiting(&state.pointee.reader) }

    // MARK: Messages on their way

    private func takeOrders(_ now: UInt64) -> Int {
        let state = self.state
        var taken = 0
        while !state.pointee.arriving.isFull, apus_order_pop(queues.pointee.orders, &state.pointee.order) {
            let sent = state.pointee.order.decided_ns == 0 ? now : state.pointee.order.decided_ns
            let delay = configuration.orderLatency + state.pointee.random.upTo(configuration.jitter)
            state.pointee.arriving.send(state.pointee.order, due: sent + delay)
            state.pointee.renewDue()
            tellSent(state.pointee.order, at: sent)
            taken += 1
        }
        return taken
    }

    /// Lets orders in whose time has come. One order may need many reports: it waits while those may not fit.
    @inline(__always)
    func admit(_ now: UInt64) -> Int {
        let admitted = state.pointee.arriving.due <= now ? admitArrived(now) : 0
        return state.pointee.nextExpiry <= now ? admitted + expireResting(now) : admitted
    }

    @inline(never)
    private func admitArrived(_ now: UInt64) -> Int {
        let state = self.state
        var done = 0
        while hasReportRoom, state.pointee.arriving.due <= now {
            let (time, order) = state.pointee.arriving.first.pointee
            state.pointee.arriving.drop()
            state.pointee.renewDue()
            state.pointee.time = max(state.pointee.time, time)
            handle(order)
            done += 1
        }
        return done
    }

    /// Puts reports into the ring when they are due. When the ring is full they wait: none is dropped.
    @inline(__always)
    private func deliver(_ now: UInt64) -> Int {
        let state = self.state
        var done = 0
        while state.pointee.leaving.due <= now {
            let first = state.pointee.leaving.first
            first.pointee.message.receive_ns = first.pointee.due
            if apus_report_push(queues.pointee.reports, &first.pointee.message) != 0 { break }
            state.pointee.leaving.drop()
            state.pointee.renewDue()
            done += 1
        }
        return done
    }

    /// Our own machine says at once that it has sent an order. Should the ring be full, this takes the venue's way.
    private func tellSent(_ order: apus_order, at time: UInt64) {
        var report = answer(APUS_REPORT_SENT, order)
        report.receive_ns = time
        if apus_report_push(queues.pointee.reports, &report) != 0 { send(report, at: time) }
    }

    /// Sends a report; it arrives after the report latency.
    func send(_ report: apus_report, at time: UInt64) {
        let delay = configuration.reportLatency + state.pointee.random.upTo(configuration.jitter)
        state.pointee.leaving.send(report, due: time + delay)
        state.pointee.renewDue()
    }

    /// An answer to a request that the venue has no order for.
    func answer(_ kind: apus_report_kind, _ order: apus_order, code: Int32 = 0) -> apus_report {
        var report = apus_report()
        report.client_id = order.client_id
        report.instrument = order.instrument
        report.kind = UInt8(truncatingIfNeeded: kind.rawValue)
        report.side = order.side
        report.action = order.action
        report.price = order.price
        report.quantity = order.quantity
        report.code = code
        report.sent_ns = order.decided_ns
        report.decided_ns = order.decided_ns
        return report
    }
}

/// The paper venue could not be made.
package struct PaperError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A negative errno.
    package let code: Int32

    package var description: String { "no memory for the paper venue's rings (error \(-code))" }
}

/// What changes with every message.
struct PaperState: ~Copyable {
    var reader: apus_feed_reader
    /// When the next message on its way arrives.
    private(set) var due = UInt64.max
    /// When the first resting order ends by itself.
    private(set) var nextExpiry = UInt64.max
    var instrumentCount = 0
    var order = apus_order()
    /// Its newest time.
    var time: UInt64 = 0
    var random: SplitMix64
    var arriving = DelayLine<apus_order>(capacity: Int(APUS_ORDER_SLOTS))
    var leaving = DelayLine<apus_report>(capacity: 4 * Int(APUS_REPORT_SLOTS))
    var orders = PaperOrders()
    var nextVenueID: UInt64 = 1
    var nextTradeID: UInt64 = 1

    /// Above so many reports on their way no order is let in: a sweep makes at most one for each level, and each
    /// resting order may fill.
    var hasReportRoom: Bool { leaving.count < Int(APUS_REPORT_SLOTS) }

    /// After every change of the lines.
    mutating func renewDue() { due = hasReportRoom ? min(arriving.due, leaving.due, nextExpiry) : leaving.due }

    /// A resting order ends by itself at that time.
    mutating func expireNoLater(than time: UInt64) {
        if time < nextExpiry { setNextExpiry(time) }
    }

    mutating func setNextExpiry(_ time: UInt64) {
        nextExpiry = time
        renewDue()
    }

    init(reader: apus_feed_reader, seed: UInt64) {
        self.reader = reader
        random = SplitMix64(seed: seed)
    }
}
