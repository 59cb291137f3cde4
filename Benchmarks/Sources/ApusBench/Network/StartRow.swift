import CApusRing
import CBench
import Foundation

/// The release binary as a whole: how soon its first book is live, and what memory it needs and goes on needing.
struct Start: Benchmark {
    let name = "start"
    let goal = "first live book on loopback within 300 ms; memory flat at 10,000 messages/s"
    private static let perSecond = 10_000
    private static let rounds = 5
    private static let settledSeconds = 10.0
    private static let shortSeconds = 30.0
    private static let longSeconds = 3600.0
    /// Growth that still counts as flat: pages of fixed rings and tables that are touched for the first time.
    private static let flatMiB = 1.0

    func run(_ session: Session) throws -> [Row] {
        guard FileManager.default.isExecutableFile(atPath: session.apus) else {
            throw BenchmarkError("\(session.apus) is not there; build it with `make build`, or name it by --apus")
        }
        let venue = try BenchVenue(session)
        return [try timeToBook(session, venue), try memory(session, venue)]
    }

    private func timeToBook(_ session: Session, _ venue: BenchVenue) throws -> Row {
        var times: [Double] = []
        for round in 0...session.repetitions(Self.rounds) {
            let engine = try RunningEngine(session, venue, perSecond: Self.perSecond)
            let milliseconds = try engine.waitUntilLive()
            if round > 0 { times.append(milliseconds) }
        }
        var row = Row(
            name: "start-first-book",
            work: """
                apus run, from the start of the process to a live book that another process sees in /dev/shm: loading, \
                exchangeInfo over REST, memory, clock, connecting, subscription, snapshot of 1,000 levels a side
                """,
            unit: "ms", ours: Figure("apus run", of: times))
        row.goals = [.atMost(300, row.ours.median, "ms")]
        return row
    }

    private func memory(_ session: Session, _ venue: BenchVenue) throws -> Row {
        let quiet = try RunningEngine(session, venue, perSecond: 1)
        _ = try quiet.waitUntilLive()
        let atRest = try quiet.residentMiB()
        quiet.stop()
        let busy = try RunningEngine(session, venue, perSecond: Self.perSecond)
        _ = try busy.waitUntilLive()
        Thread.sleep(forTimeInterval: Self.settledSeconds)
        let seconds = session.isHour ? Self.longSeconds : session.isQuick ? 5 : Self.shortSeconds
        let settled = try busy.residentMiB()
        let begin = Date(), eventsBefore = busy.events
        var highest = settled
        while Date().timeIntervalSince(begin) < seconds {
            Thread.sleep(forTimeInterval: 1)
            highest = max(highest, try busy.residentMiB())
        }
        let events = busy.events - eventsBefore
        let growth = highest - settled
        guard Double(events) > 0.9 * seconds * Double(Self.perSecond) else {
            throw BenchmarkError(
                "the engine took \(events) messages in \(short(seconds)) s, not \(Self.perSecond) a second")
        }
        var row = Row(
            name: "start-memory",
            work:
                "apus run: resident memory with a quiet market, and its growth while \(Self.perSecond) messages/s come",
            unit: "MiB", ours: Figure("apus run at rest", median: atRest, repetitions: 1))
        row.goals = [
            .atMost(Self.flatMiB, growth, "MiB of growth in \(short(seconds)) s (\(events) messages)")
        ]
        row.note =
            "\(short(settled)) MiB \(short(Self.settledSeconds)) s after the first live book, at most \(short(highest)) later."
        return row
    }
}

/// A process of `apus run` against bench-venue.
private final class RunningEngine {
    private let process: Process
    private let name: String
    private let configuration: String
    private let begin: UInt64
    private var view = apus_public()
    private static let patience: UInt64 = 10_000_000_000

    init(_ session: Session, _ venue: BenchVenue, perSecond: Int) throws {
        name = "apus-bench-run-\(getpid())-\(bench_now() % 1_000_000)"
        configuration = NSTemporaryDirectory() + "/\(name).yaml"
        let address = "127.0.0.1:\(venue.port)"
        let text = """
            mode: paper
            engine: {name: \(name), idle: yield, hot_cpu: \(session.cpu)}
            venue:
              kind: binance-usdm
              symbols: [BTCUSDT]
              rest: http://\(address)
              stream: ws://\(address)/stream/live/0/\(perSecond)
            """
        try text.write(toFile: configuration, atomically: true, encoding: .utf8)
        begin = bench_now()
        // Its summary is read by nobody.
        process = try Program(session.apus).start(
            ["run", "--config", configuration, "--plain", "--quiet"], output: Pipe())
    }

    deinit { stop() }

    /// Milliseconds from the start of the process.
    func waitUntilLive() throws -> Double {
        while true {
            if view.header == nil { _ = apus_public_attach(&view, name) }
            if view.header != nil, isLive { return Double(bench_now() - begin) / 1e6 }
            guard process.isRunning, bench_now() - begin < Self.patience else {
                throw BenchmarkError(
                    """
                    apus run had no live book within \(Self.patience / 1_000_000_000) s; a binary that is older than this program \
                    shows it in another layout: make build
                    """)
            }
            usleep(100)
        }
    }

    private var isLive: Bool {
        guard apus_flag(&view.header.pointee.instrument_count) > 0 else { return false }
        var header = apus_board_header()
        let depth = Int(view.board.depth)
        return withUnsafeTemporaryAllocation(of: apus_level.self, capacity: 2 * depth) { levels in
            let bids = levels.baseAddress!
            return apus_board_read(&view.board, 0, &header, bids, bids + depth) == 0
                && header.state == APUS_STATE_LIVE.rawValue
        }
    }

    var events: UInt64 { apus_counter(apus_counters_hot(view.counters, APUS_COUNT_DEPTH_APPLIED.rawValue)) }

    func residentMiB() throws -> Double {
        let status = try String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
        guard let kib = number(after: "VmRSS:\t", in: status) else { throw BenchmarkError("apus run has ended") }
        return kib / 1024
    }

    func stop() {
        if view.header != nil { apus_public_close(&view) }
        if process.isRunning {
            process.terminate()
            process.waitUntilExit()
        }
        unlink(configuration)
    }
}
