package import Apus
internal import ApusEngine
internal import CApusProtocol
internal import CApusRing
import Glibc

/// How far a replay is.
package struct ReplayProgress: Sendable {
    package let frames: UInt64
    package let events: UInt64
    /// The recording's time of the newest message, in nanoseconds.
    package let time: UInt64
    package let recordedSeconds: Double
}

/// Runs a recording through the decoders, books, ring, engine and strategy that run live, in one thread and on the
/// recording's time.
///
/// ```swift
/// var configuration = ReplayConfiguration(path: "day.gz")
/// let result = try Replay.run(configuration, strategies: [StrategySetting(MarketMaker.description)])
/// ```
package enum Replay {
    /// - Parameters:
    ///   - strategies: none: nobody trades, only the books are built.
    ///   - progress: called now and then; false ends the replay early.
    /// - Throws: `RecordingError`, `ReplayError`, or what engine and strategy say about their configuration.
    package static func run(
        _ configuration: ReplayConfiguration, strategies: [StrategySetting] = [],
        progress: ((ReplayProgress) -> Bool)? = nil
    ) throws -> ReplayResult {
        let started = wallSeconds()
        let run = try ReplayRun(configuration, strategies)
        try run.go(progress)
        var result = run.result
        result.seconds = wallSeconds() - started
        return result
    }
}

/// One replay.
private final class ReplayRun {
    private static let progressMessages: UInt64 = 4096
    private static let problemsKept = 20
    /// How long reports of a last order may take.
    private static let afterwards: UInt64 = 10_000_000_000

    private let configuration: ReplayConfiguration
    private let recording: Recording
    private let survey: Survey
    private let memory: MarketMemory
    private let market: any RecordedMarket
    private var decision: DecisionAgent?
    private var paper: PaperVenue?
    private var loop: SimulatedLoop?
    private(set) var result = ReplayResult()
    private var firstTime: UInt64?
    private var lastTime: UInt64 = 0

    init(_ configuration: ReplayConfiguration, _ strategies: [StrategySetting]) throws {
        self.configuration = configuration
        recording = try Recording(path: configuration.path)
        survey = try Survey(recording, configuration)
        memory = try MarketMemory(
            venue: survey.venue.rawValue, capacity: configuration.capacity, boardDepth: configuration.boardDepth,
            feedSlots: configuration.feedSlots, arenaBytes: configuration.arenaBytes)
        market =
            survey.venue == .polymarket
            ? try PolymarketMarket(memory, minOrderSize: configuration.minOrderSize, negRisk: configuration.negRisk)
            : BinanceMarket(memory)
        if survey.venue != .polymarket { try memory.deferBoard() }
        result.venue = survey.venue
        result.form = recording.form
        if !strategies.isEmpty { try attach(strategies) }
        for definition in survey.instruments { try add(definition, isNew: false) }
    }

    private func attach(_ strategies: [StrategySetting]) throws {
        var engine = EngineConfiguration(runTag: 1)
        engine.limits = try configuration.limits(survey.venue)
        engine.startBalance = configuration.startBalance
        let paper = try PaperVenue(feed: memory, instruments: survey.instruments, configuration: configuration.paper)
        let decision = try DecisionAgent(
            strategies: strategies, instruments: survey.instruments, feed: memory, sink: paper, time: .simulated,
            configuration: engine)
        self.paper = paper
        self.decision = decision
        loop = SimulatedLoop(decision: decision, paper: paper)
    }

    private func add(_ definition: InstrumentDefinition, isNew: Bool) throws {
        let number = try memory.add(definition)
        if isNew {
            try paper?.add(definition)
            try decision?.add(definition)
        }
        try market.open(number)
    }

    // MARK: The way through

    func go(_ progress: ((ReplayProgress) -> Bool)?) throws {
        let reader = try recording.reader()
        var pace = configuration.speed.map { Pace(speed: $0) }
        var message = try reader.next()
        if let message {
            firstTime = message.time
            lastTime = message.time
            try decision?.start(message.time)
        }
        while let current = message {
            lastTime = current.time
            pace?.wait(until: current.time)
            advance(to: current.time)
            try take(current)
            loop?.settle(current.time)
            result.frames += 1
            if result.frames % Self.progressMessages == 0, let progress, !progress(standing) { break }
            message = try reader.next()
        }
        finish()
        if configuration.venue != nil && result.frames > 0 && memory.count == 0 {
            throw ReplayError.foreign(path: configuration.path, survey.venue)
        }
        if let tail = reader.tail { result.problems.append(tail) }
    }

    /// What the books, the strategy and the paper venue do by themselves until then, in the order of its times.
    private func advance(to end: UInt64) {
        while let due = market.deadline, due < end {
            loop?.advance(to: due)
            market.tick(due)
            loop?.settle(due)
        }
        loop?.advance(to: end)
    }

    private func take(_ message: RecordedMessage) throws {
        while true {
            switch market.take(message) {
            case .done: return
            case .fault(let reason):
                result.unreadable += 1
                if result.unreadable <= Self.problemsKept { result.problems.append("\(message.place): \(reason)") }
                return
            case .stranger(let symbol):
                try add(try survey.definition(symbol, in: recording, configuration), isNew: true)
            }
        }
    }

    private func finish() {
        market.finish()
        loop?.settle(lastTime)
        if let decision, let loop {
            decision.stop(lastTime)
            loop.settle(lastTime)
            loop.finish(limit: lastTime + Self.afterwards)
            result.summary = decision.summary
            result.orders = decision.summary.orders
            result.fills = decision.summary.fills
        }
        result.events = memory.events
        result.recordedSeconds = standing.recordedSeconds
        result.books = (0..<UInt16(memory.count)).compactMap { book($0) }
        if survey.venue != .polymarket { result.books.sort { $0.instrument < $1.instrument } }
    }

    private var standing: ReplayProgress {
        ReplayProgress(
            frames: result.frames, events: memory.events, time: lastTime,
            recordedSeconds: Double(lastTime - (firstTime ?? lastTime)) / 1e9)
    }

    // MARK: The end

    private func book(_ number: UInt16) -> ReplayBook? {
        guard let entry = memory.book(number) else { return nil }
        let book = UnsafePointer(entry)
        return withUnsafePointer(to: &entry.pointee.book) { levels in
            let touch = apus_book_best(levels)
            let isWhole = touch.bid_quantity != 0 && touch.ask_quantity != 0
            let digest = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(APUS_BOOK_DIGEST_BYTES)) {
                apus_book_digest(levels, $0.baseAddress)
                return String(cString: $0.baseAddress!)
            }
            return ReplayBook(
                instrument: memory.symbol(number), state: stateName(book.pointee.state), applied: book.pointee.applied,
                levels: [
                    Int(apus_book_level_count(levels, UInt32(APUS_SIDE_BID))),
                    Int(apus_book_level_count(levels, UInt32(APUS_SIDE_ASK))),
                ],
                best: isWhole
                    ? [touch.bid_price, touch.bid_quantity, touch.ask_price, touch.ask_quantity] : nil,
                digest: digest, ticker: [book.pointee.ticker_equal, book.pointee.ticker_compared],
                hash: [book.pointee.hash_equal, book.pointee.hash_compared], gaps: book.pointee.gaps,
                resyncs: book.pointee.resyncs)
        }
    }

    private func stateName(_ state: UInt8) -> String {
        switch UInt32(state) {
        case APUS_STATE_LIVE.rawValue: "live"
        case APUS_STATE_STALE.rawValue: "stale"
        case APUS_STATE_DROPPED.rawValue: "dropped"
        default: "syncing"
        }
    }
}
