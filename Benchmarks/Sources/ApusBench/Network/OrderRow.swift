import Apus
import ApusEngine
import ApusLive
import CApusProtocol
import CApusRing
import CBench
import Foundation

/// From a book message that leaves the venue to the order that it causes there: the whole engine, with risk gate, guard and signature.
struct TickToOrder: Benchmark {
    let name = "tick-to-order"
    let goal = "at most 1.35 × a C echo of the same bytes, plus the measured cost of HMAC"
    private static let ticks = 3000
    private static let perSecond = 2000
    private static let rounds = 5

    func run(_ session: Session) throws -> [Row] {
        try withPriority {
            let venue = try BenchVenue(session)
            return try Carrier.allCases.map { try row(session, venue, $0) }
        }
    }

    private func row(_ session: Session, _ venue: BenchVenue, _ carrier: Carrier) throws -> Row {
        var ours: [[Double]] = [], echo: [[Double]] = [], signing: [Double] = []
        var hops: [String] = []
        for round in 0...session.repetitions(Self.rounds) {
            let engine = try answer(session, venue, carrier, hops: &hops)
            let floor = try reflect(session, venue, carrier)
            let hmac = try pinned(to: session.cpu) { Self.signingMicroseconds(bytes: venue.record.requestBytes) }
            // The first round warms up, and tells how long a request is.
            if round == 0 { continue }
            ours.append(engine)
            echo.append(floor)
            signing.append(hmac)
        }
        func figure(_ name: String, _ rounds: [[Double]]) -> Figure {
            Figure(
                name, median: median(rounds.map { median($0) }),
                p99: median(rounds.map { quantile($0.sorted(), 0.99) }),
                repetitions: rounds.count)
        }
        var row = Row(
            name: "\(name)-\(carrier)",
            work: """
                a depth message leaves the venue, the order that answers it arrives there (\(carrier), loopback): one thread, \
                HMAC signing, risk gate and guard on; the floor sends as many bytes back and computes nothing
                """,
            unit: "µs", ours: figure("apus", ours))
        let floor = figure("C echo", echo)
        let hmac = median(signing)
        row.floor = floor
        row.goals = [
            .atMost(
                1, row.ours.median / (1.35 * floor.median + hmac), "× (1.35 × the echo + \(short(hmac)) µs for HMAC)")
        ]
        row.note = """
            An order has \(venue.record.requestBytes) bytes; \(Self.perSecond) messages a second, each answered. The engine's own \
            medians of the last round, in ns: \(hops.joined(separator: ", ")).
            """
        row.plot = Plot(
            title: "tick to order, \(carrier)", axis: .percentile, xLabel: "percentile",
            yLabel: "µs from the message's send to the order's arrival",
            lines: [
                Plot.distribution("apus", ours.flatMap { $0 }), Plot.distribution("C echo", echo.flatMap { $0 }),
            ])
        return row
    }

    // MARK: The engine

    private func answer(
        _ session: Session, _ venue: BenchVenue, _ carrier: Carrier, hops: inout [String]
    ) throws -> [Double] {
        let record = venue.record
        let feeds = record.feeds
        let engine = try LiveEngine(
            configuration(session, venue, carrier), Self.metadata(),
            strategies: [StrategySetting(Answerer.description)])
        try engine.start()
        let end = bench_now() + 20_000_000_000
        while record.feeds == feeds || record.arrived < Self.ticks, engine.isRunning, bench_now() < end {
            usleep(1000)
        }
        let arrived = record.arrived, summary = engine.stop()
        hops = HopSummary.names.compactMap { name, _ in summary.hops[name].map { "\(name) \($0.p50)" } }
        guard arrived == Self.ticks else {
            throw BenchmarkError(
                """
                \(arrived) orders arrived for \(record.sent) of \(Self.ticks) messages: \(summary.events) events, \
                \(summary.orders) orders placed, \(summary.rejections) rejected, refused \(summary.blocked)
                """)
        }
        return try delays(record, signed: true)
    }

    private func configuration(_ session: Session, _ venue: BenchVenue, _ carrier: Carrier) -> LiveConfiguration {
        var engine = EngineConfiguration(runTag: UInt32(truncatingIfNeeded: bench_now() >> 20))
        engine.limits.ordersPerSecond = 100_000
        engine.limits.orderBurst = 100_000
        engine.limits.maxOpenOrders = 1000
        engine.limits.maxInstrumentOrders = 1000
        engine.limits.ordersPerMinute = 60_000_000
        engine.startBalance = Money(whole: 1_000_000)
        var live = LiveConfiguration(
            venue: .binanceUSDM, symbols: ["BTCUSDT"],
            orders: .live(.binance(BinanceCredentials(key: BenchVenue.key, secret: BenchVenue.secret))), engine: engine)
        live.addresses = .loopback(port: venue.port(carrier), isSecure: carrier == .tls)
        live.addresses.stream = VenueAddress(
            host: "127.0.0.1", port: UInt16(venue.port(carrier)), isSecure: carrier == .tls,
            path: "/stream/paced/\(Self.ticks)/\(Self.perSecond)")
        live.caFile = venue.caFile
        live.placement = .shared
        live.idle = .spin
        live.hotCPU = Int(session.cpu)
        live.name = "apus-bench-engine-\(getpid())"
        live.instruments = 4
        return live
    }

    private static func metadata() throws -> VenueMetadata {
        let instrument = InstrumentDefinition(
            symbol: "BTCUSDT", venue: VenueKind.binanceUSDM.rawValue, priceDecimals: 2, quantityDecimals: 3,
            tick: try ExactDecimal("0.10"), lot: try ExactDecimal("0.001"), minQuantity: try ExactDecimal("0.001"),
            maxQuantity: try ExactDecimal("1000"), minNotional: try ExactDecimal("5"))
        return VenueMetadata(instruments: [instrument], settlementAsset: "USDT")
    }

    /// One IOC order for each book event, at the best bid, where it cannot be filled.
    struct Answerer: Strategy {
        static let description = StrategyDescription(name: "answerer", summary: "Answers each book event with an order")
        {
            _ in Answerer()
        }
        private var quantity = Quantity.zero

        mutating func start(_ context: Context) throws {
            quantity = try context.instruments[0].quantity("0.001")
        }

        mutating func book(_ book: BookView, _ context: Context) {
            // The snapshot is not a message of the stream.
            guard UInt32(book.record.pointee.flags) & APUS_BOOK_SNAPSHOT.rawValue == 0, let bid = book.bid else {
                return
            }
            context.limit(.buy, quantity, of: book.instrument, at: bid, .immediateOrCancel)
        }
    }

    // MARK: The echo

    private func reflect(_ session: Session, _ venue: BenchVenue, _ carrier: Carrier) throws -> [Double] {
        _ = try Program(venue.path).output(
            [
                "echo-client", "127.0.0.1", "\(venue.port(carrier))", carrier.rawValue, "\(Self.ticks)",
                "\(Self.perSecond)", "\(venue.record.requestBytes)", "\(session.cpu)",
            ])
        try wait(seconds: 2, for: "the last echo") { venue.record.arrived >= Self.ticks }
        return try delays(venue.record, signed: false)
    }

    /// From each message's send to its order's arrival, in µs, without the first twentieth.
    private func delays(_ record: VenueRecord, signed: Bool) throws -> [Double] {
        guard record.sent == Self.ticks, record.arrived == Self.ticks, record.refused == 0 else {
            throw BenchmarkError("\(record.arrived) orders arrived for \(record.sent) messages")
        }
        if signed, record.badSignatures > 0 {
            throw BenchmarkError("\(record.badSignatures) orders were signed wrongly")
        }
        return (Self.ticks / 20..<Self.ticks).map {
            (Double(record.arrivalTime($0)) - Double(record.sentTime($0))) / 1e3
        }
    }

    // MARK: The signature

    /// What one signature over a request of that length costs, in µs.
    private static func signingMicroseconds(bytes: Int) -> Double {
        var key = apus_hmac_key()
        apus_hmac_prepare(&key, BenchVenue.secret, BenchVenue.secret.utf8.count)
        // The signed query is the request without its JSON: quotes, braces, method and the signature itself.
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: max(64, bytes - 200))
        var digest = [UInt8](repeating: 0, count: 32)
        var hex = [CChar](repeating: 0, count: 64)
        let times = (0..<2000).map { _ in
            let begin = bench_now()
            apus_hmac_sign(&key, text, text.count, &digest)
            apus_hex32(digest, &hex)
            return Double(bench_now() - begin) / 1e3
        }
        apus_hmac_wipe(&key)
        return median(times)
    }
}
