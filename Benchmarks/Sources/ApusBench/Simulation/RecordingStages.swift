import Apus
import ApusEngine
import ApusReplay
import CApusProtocol
import CApusRing
import Glibc

/// A recording through everything: how fast, and where the time goes. Stages are switched on one after the other.
struct RecordingStages: Benchmark {
    let name = "recording"
    let goal = "the rate, and what share each stage takes"

    func run(_ session: Session) throws -> [Row] {
        let path = try session.recording()
        var rates: [Double] = [], result = ReplayResult()
        var passes: [(String, () throws -> Double)] = Stage.allCases.map { stage in
            (stage.title, { try RecordingPass(path, stage).nanoseconds() })
        }
        passes.append(
            (
                "replay",
                {
                    let tally = Tally()
                    var configuration = ReplayConfiguration(path: path)
                    configuration.limits = { _ in .wide }
                    result = try Replay.run(
                        configuration,
                        strategies: [
                            StrategySetting(
                                Quoter.description(
                                    every: RecordingPass.pace, quantity: RecordingPass.quantity, tally))
                        ])
                    let rate = Double(result.events) / result.seconds / 1e6
                    rates.append(rate)
                    return rate
                }
            ))
        let samples = try pinned(to: session.cpu) {
            try session.alternate(session.repetitions(8), passes.map { $0.1 })
        }
        let least = samples.dropLast().map { $0.min() ?? .nan }
        return rows(least, Array(rates.dropFirst()), result, samples)
    }

    private func rows(_ least: [Double], _ rates: [Double], _ result: ReplayResult, _ samples: [[Double]]) -> [Row] {
        let whole = least.last ?? .nan
        let parts = least.indices.map { least[$0] - ($0 > 0 ? least[$0 - 1] : 0) }
        let shares = zip(Stage.allCases, parts).map { "\($0.title) \(short($1 / whole * 100)) %" }
        var total = Row(
            name: name,
            work: """
                The BTCUSDT recording (\(result.frames) messages, gzip) through decoder, book, ring, decision loop, a strategy that \
                replaces its two quotes ten times a second, risk gate and paper venue, as `apus replay` does it.
                """,
            unit: "M events/s", isRate: true, ours: Figure("", of: rates, isRate: true))
        total.note = """
            \(short(Double(result.frames) / Double(result.events) * total.ours.median)) M messages/s; \(result.orders) orders, \
            \(result.fills) fills. Shares of the stages, each switched on after the one before (processor time, the least of the repetitions): \(shares.joined(separator: ", ")). \
            `apus replay` also looks at the first 4,096 messages beforehand.
            """
        let messages = Double(max(result.frames, 1))
        return [total]
            + zip(Stage.allCases, parts).map { stage, part in
                Row(
                    name: "\(name)-\(stage)", work: "Of that: \(stage.title).", unit: "ns/message",
                    ours: Figure("", median: part / messages, repetitions: samples[0].count),
                    note: "\(short(part / whole * 100)) % of the way.")
            }
    }
}

/// How far a pass goes; each stage contains those before it.
private enum Stage: Int, CaseIterable {
    case read, decode, book, publish, decide, trade

    var title: String {
        switch self {
        case .read: "reading and inflating"
        case .decode: "decoding"
        case .book: "applying to the book"
        case .publish: "continuity, ticker check and publishing"
        case .decide: "ring, decision loop, a strategy that reads the touch, and the idle paper venue"
        case .trade: "trading: timers, risk gate, order table, paper fills"
        }
    }
}

/// One pass over a recording of one Binance instrument.
private final class RecordingPass {
    static let pace = Duration.milliseconds(100)
    static let quantity = Quantity(units: 10)

    private let path: String
    private let stage: Stage
    private let memory: MarketMemory
    private let number: UInt16
    private let binance: UnsafeMutablePointer<apus_binance_market>
    private let levels: UnsafeMutablePointer<apus_level>
    private let decision: DecisionAgent
    private let loop: SimulatedLoop

    init(_ path: String, _ stage: Stage) throws {
        self.path = path
        self.stage = stage
        memory = try MarketMemory(
            venue: "binance-usdm", capacity: 1024, boardDepth: 20, feedSlots: 65536, arenaBytes: 1 << 34)
        try memory.deferBoard()
        let definition = InstrumentDefinition(
            symbol: "BTCUSDT", venue: "binance-usdm", priceDecimals: 2, quantityDecimals: 3,
            tick: ExactDecimal(digits: 1, decimals: 1), lot: ExactDecimal(digits: 1, decimals: 3))
        number = try memory.add(definition)
        levels = .allocate(capacity: Int(APUS_MESSAGE_LEVELS_MAX))
        binance = .allocate(capacity: 1)
        apus_binance_market_init(binance, memory.market, levels, APUS_MESSAGE_LEVELS_MAX)
        let paper = try PaperVenue(feed: memory, instruments: [definition])
        var engine = EngineConfiguration(runTag: 1)
        engine.limits = .wide
        let strategy = Quoter.description(every: stage == .trade ? Self.pace : nil, quantity: Self.quantity, Tally())
        decision = try DecisionAgent(
            strategy: strategy, instruments: [definition], feed: memory, sink: paper, time: .simulated,
            configuration: engine)
        loop = SimulatedLoop(decision: decision, paper: paper)
        guard apus_binance_market_open(binance, number) != nil else { throw BenchmarkError("no memory for the book") }
    }

    deinit {
        binance.deallocate()
        levels.deallocate()
    }

    func nanoseconds() throws -> Double {
        let begin = Self.threadTime()
        let reader = try Recording(path: path).reader()
        var isFirst = true
        while let message = try reader.next() {
            if isFirst { try decision.start(message.time) }
            isFirst = false
            switch stage {
            case .read: break
            case .decode: decode(message)
            case .book: apply(message)
            case .publish: take(message)
            case .decide, .trade:
                loop.advance(to: message.time)
                take(message)
                loop.settle(message.time)
            }
        }
        return Double(Self.threadTime() - begin)
    }

    /// What this thread has used of its processor: stages are differences, and what interrupts a pass must not count.
    private static func threadTime() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// A snapshot says nothing of its instrument.
    private func decode(_ message: RecordedMessage) {
        let bytes = message.bytes.bindMemory(to: UInt8.self)
        let number = message.kind == .snapshot ? number : UInt16.max
        apus_binance_decode(&binance.pointee.decoder, bytes.baseAddress, bytes.count, number, &binance.pointee.last)
        if isUnnamed {
            apus_binance_decode(
                &binance.pointee.decoder, bytes.baseAddress, bytes.count, self.number, &binance.pointee.last)
        }
    }

    private var isUnnamed: Bool {
        UInt32(binance.pointee.last.kind) == APUS_BINANCE_UNKNOWN.rawValue
            && UInt32(binance.pointee.last.unknown_reason) == APUS_BINANCE_UNKNOWN_SYMBOL.rawValue
    }

    /// The book alone: nothing is held against the sequence, nothing is published.
    private func apply(_ message: RecordedMessage) {
        decode(message)
        guard let book = apus_market_at(memory.market, number) else { return }
        let kind = UInt32(binance.pointee.last.kind)
        let bids = binance.pointee.last.bid_count, asks = binance.pointee.last.ask_count
        guard kind == APUS_BINANCE_DEPTH.rawValue || kind == APUS_BINANCE_SNAPSHOT.rawValue,
            let levels = binance.pointee.last.levels
        else { return }
        if kind == APUS_BINANCE_SNAPSHOT.rawValue { apus_book_clear(&book.pointee.book) }
        _ = apus_market_apply(memory.market, book, levels, bids, levels + Int(bids), asks)
    }

    private func take(_ message: RecordedMessage) {
        let bytes = message.bytes.bindMemory(to: UInt8.self)
        if message.kind == .snapshot { return snapshot(bytes, message.time) }
        _ = apus_binance_market_message(
            binance, bytes.baseAddress, bytes.count, message.time, message.kernelTime)
        if isUnnamed { snapshot(bytes, message.time) }
    }

    private func snapshot(_ bytes: UnsafeBufferPointer<UInt8>, _ time: UInt64) {
        _ = apus_binance_market_snapshot(binance, number, bytes.baseAddress, bytes.count, time)
    }
}
