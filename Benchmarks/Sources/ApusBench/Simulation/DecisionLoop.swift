import Apus
import ApusEngine
import CApusRing
import CBench

/// The decision loop alone: reading the ring, the strategy's call, risk gate and order table. The events lie in the ring and the
/// reports' ring is empty before time is taken.
struct DecisionLoop: Benchmark {
    let name = "decision"
    let goal = "under 25 ns for an event without an order, under 250 ns with one"

    func run(_ session: Session) throws -> [Row] {
        let watchers = try [TimeSource.live(), .simulated].map { try DecisionBench(places: false, time: $0) }
        let traders = try [TimeSource.live(), .simulated].map { try DecisionBench(places: true, time: $0) }
        let samples = try pinned(to: session.cpu) {
            try session.alternate(
                session.repetitions(400), (watchers + traders).map { bench in { try bench.nanoseconds(batches: 40) } })
        }
        let how = ["as in production, clock readings and hop histograms included", "in simulated time"]
        return samples.indices.map { index in
            let places = index > 1
            var row = Row(
                name: name + (places ? "-order" : "-event") + (index % 2 == 0 ? "" : "-simulated"),
                work: (places
                    ? "An event on which the strategy places an order: ring, strategy, risk gate, order table, order ring"
                    : "An event on which the strategy reads the touch: ring, bookkeeping, strategy")
                    + "; \(how[index % 2]).",
                unit: places ? "ns/order" : "ns/event", ours: Figure("", of: samples[index]))
            row.goals = [.atMost(places ? 250 : 25, row.ours.median, "ns")]
            return row
        }
    }
}

/// A decision agent between a ring that is filled beforehand and an order ring that is emptied afterwards.
private final class DecisionBench: FeedSource, OrderSink {
    let view: UnsafeMutablePointer<apus_public>
    let queues: UnsafeMutablePointer<apus_private>
    private var writer = apus_feed_writer()
    private var agent: DecisionAgent?
    private let isLive: Bool
    private let places: Bool
    private var price: Int64 = 5_000_000
    // Of one turn: no event waits when the loop goes on to the next batch.
    private static let batch = 64

    init(places: Bool, time: TimeSource) throws {
        self.places = places
        isLive = !time.isSimulated
        view = .allocate(capacity: 1)
        view.initialize(to: apus_public())
        queues = .allocate(capacity: 1)
        queues.initialize(to: apus_private())
        var configuration = apus_public_config(name: nil, feed_slots: 65536, instruments: 4, board_depth: 20)
        guard apus_public_create(view, &configuration) == 0, apus_private_create(queues) == 0 else {
            throw BenchmarkError("no memory for the rings")
        }
        writer = apus_public_writer(view)
        let definition = InstrumentDefinition(
            symbol: "L2", venue: "binance-usdm", priceDecimals: 2, quantityDecimals: 3,
            tick: ExactDecimal(digits: 1, decimals: 2), lot: ExactDecimal(digits: 1, decimals: 3))
        var engine = EngineConfiguration(runTag: 1)
        engine.limits = .wide
        let places = self.places
        let strategy = StrategyDescription(name: "bench", summary: "Reads touches and may order") { _ in
            TouchReader(places: places)
        }
        let agent = try DecisionAgent(
            strategy: strategy, instruments: [definition], feed: self, sink: self, time: time, configuration: engine)
        self.agent = agent
        try agent.start(apus_clock_monotonic())
        publish(APUS_EVENT_BOOK_STATE, flags: UInt8(APUS_STATE_LIVE.rawValue))
        while agent.turn(apus_clock_monotonic()) > 0 {}
    }

    deinit {
        agent = nil
        apus_public_close(view)
        apus_private_close(queues)
        view.deallocate()
        queues.deallocate()
    }

    func turn(_ now: UInt64) -> Int { 0 }

    /// For each event, over so many batches.
    func nanoseconds(batches: Int) throws -> Double {
        guard let agent else { return .nan }
        var total: UInt64 = 0
        for _ in 0..<batches {
            for _ in 0..<Self.batch { publishBook() }
            let now = apus_clock_monotonic()
            let begin = bench_now()
            let work = agent.turn(now)
            total += bench_now() - begin
            guard work == Self.batch else { throw BenchmarkError("\(work) of \(Self.batch) events were read") }
            if places { try end() }
        }
        return Double(total) / Double(batches * Self.batch)
    }

    private func publishBook() {
        price = 5_000_000 + (price + 1) % 16
        publish(APUS_EVENT_BOOK, price, 1_000, price + 1, 2_000)
    }

    private func publish(
        _ kind: apus_event_kind, flags: UInt8 = 0, _ a: Int64 = 0, _ b: Int64 = 0, _ c: Int64 = 0, _ d: Int64 = 0
    ) {
        var event = apus_event()
        event.kind = UInt8(kind.rawValue)
        event.flags = flags
        (event.bid_price, event.bid_quantity, event.ask_price, event.ask_quantity) = (a, b, c, d)
        event.publish_ns = apus_clock_monotonic()
        apus_feed_publish(&writer, &event)
    }

    /// The venue cancels every order, and the agent hears of it; not timed.
    private func end() throws {
        var order = apus_order()
        var count = 0
        while apus_order_pop(queues.pointee.orders, &order) {
            var report = apus_report()
            report.client_id = order.client_id
            report.kind = UInt8(APUS_REPORT_CANCELED.rawValue)
            report.status = UInt8(APUS_STATUS_CANCELED.rawValue)
            report.receive_ns = apus_clock_monotonic()
            apus_report_push(queues.pointee.reports, &report)
            count += 1
        }
        guard count == Self.batch, let agent else {
            throw BenchmarkError("\(count) of \(Self.batch) orders were placed: \(agent?.summary.blocked ?? [:])")
        }
        while agent.turn(apus_clock_monotonic()) > 0 {}
    }
}

private struct TouchReader: Strategy {
    let places: Bool
    private var sum: Int64 = 0

    init(places: Bool) { self.places = places }

    mutating func book(_ book: BookView, _ context: Context) {
        guard let bid = book.bid, let ask = book.ask else { return }
        sum &+= bid.units &* 31 &+ ask.units
        guard places else { return }
        // A little away from the touch, so that no order meets one of the other side that is still open.
        let away = 20 * book.instrument.tick.units
        if bid.units & 1 == 0 {
            context.limit(.buy, Quantity(units: 10), of: book.instrument, at: Price(units: bid.units - away))
        } else {
            context.limit(.sell, Quantity(units: 10), of: book.instrument, at: Price(units: ask.units + away))
        }
    }
}
