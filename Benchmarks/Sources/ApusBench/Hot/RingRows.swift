import CApusFloor
import CApusRing
import CBench
import Foundation
import Synchronization

/// The feed ring between two threads, both ends in Swift, beside a ping-pong of one cache line before and after each window.
struct HandOff: Benchmark {
    let name = "hand-off"
    let goal = "at most 1.75 × ping-pong near, 1.45 × far"
    /// A ping-pong below this means that both processors share a cache near by.
    private static let nearBelow = 100.0

    private struct Window {
        let floor: Double
        let oneWay: Double
        let values: [Double]
    }

    func run(_ session: Session) throws -> [Row] {
        let windows = try measure(session)
        let near = windows.filter { $0.floor < Self.nearBelow }, far = windows.filter { $0.floor >= Self.nearBelow }
        let rows = [row("near", near, bound: 1.75), row("far", far, bound: 1.45)].compactMap { $0 }
        if rows.isEmpty { throw BenchmarkError("no window was quiet: other programs use both processors") }
        return rows
    }

    private func measure(_ session: Session) throws -> [Window] {
        let rings = try RingPair(session)
        var windows: [Window] = []
        for _ in 0..<session.repetitions(60) {
            let before = try pingPong(session)
            let trips = try rings.play()
            let after = try pingPong(session)
            // A placement that changed meanwhile says nothing.
            guard (before < Self.nearBelow) == (after < Self.nearBelow), max(before, after) < 1.15 * min(before, after)
            else { continue }
            windows.append(Window(floor: (before + after) / 2, oneWay: median(trips.blocks), values: trips.single))
        }
        return windows
    }

    // Of five short windows, so that other work falls into few of them.
    private func pingPong(_ session: Session) throws -> Double {
        var windows = [Double](repeating: 0, count: 5)
        let count = apus_floor_ping_pong(session.cpu, session.otherCPU, 10_000_000, &windows, 5)
        guard count > 0 else {
            throw BenchmarkError("the ping-pong could not be played: \(String(cString: strerror(-count)))")
        }
        return median(Array(windows.prefix(Int(count))))
    }

    private func row(_ place: String, _ windows: [Window], bound: Double) -> Row? {
        guard !windows.isEmpty else { return nil }
        let values = windows.flatMap(\.values).sorted()
        var row = Row(
            name: "hand-off-\(place)",
            work:
                "One event from a Swift thread to another through the feed ring and back through a second one, halved; the processors "
                + "were \(place) to each other (the placement of these two flips). \(windows.count) windows.",
            unit: "ns one-way",
            ours: Figure("", median: median(windows.map(\.oneWay)), p99: quantile(values, 0.99)),
            floor: Figure("ping-pong", of: windows.map(\.floor)))
        row.goals = [.atMost(bound, median(windows.map { $0.oneWay / $0.floor }), "× ping-pong of the same window")]
        row.plot = Plot(
            title: "Ring hand-off, \(place)", axis: .percentile, xLabel: "share of the events", yLabel: "ns one-way",
            lines: [Plot.distribution("Apus, Swift to Swift", values)])
        return row
    }
}

/// Two rings, and while a window lasts a thread that answers.
private final class RingPair {
    private var there = apus_public(), back = apus_public()
    private let session: Session
    private let stopFlag: UnsafeMutablePointer<UInt64>

    init(_ session: Session) throws {
        self.session = session
        var config = apus_public_config(name: nil, feed_slots: 1024, instruments: 1, board_depth: 1)
        guard apus_public_create(&there, &config) == 0, apus_public_create(&back, &config) == 0 else {
            throw BenchmarkError("the rings could not be mapped")
        }
        stopFlag = .allocate(capacity: 1)
        stopFlag.initialize(to: 0)
    }

    deinit {
        apus_public_close(&there)
        apus_public_close(&back)
        stopFlag.deallocate()
    }

    /// Round trips one after the other; halves of them in nanoseconds: means of blocks, timed as the ping-pong is, and single ones,
    /// each with a clock reading.
    func play() throws -> (blocks: [Double], single: [Double]) {
        apus_flag_set(stopFlag, 0)
        let answer = Answer(
            reader: apus_public_reader(&there, false), writer: apus_public_writer(&back), stop: stopFlag,
            cpu: session.otherCPU)
        let thread = Thread { answer.run() }
        thread.start()
        defer {
            apus_flag_set(stopFlag, 1)
            while !thread.isFinished { sched_yield() }
        }
        return try pinned(to: session.cpu) {
            var end = End(writer: apus_public_writer(&there), reader: apus_public_reader(&back, false))
            _ = end.times(1, of: 2000)
            return (end.times(100, of: 500), end.times(10_000, of: 1))
        }
    }
}

/// The end that is timed.
private struct End {
    private var writer: apus_feed_writer
    private var reader: apus_feed_reader
    private var clock = apus_clock()

    init(writer: apus_feed_writer, reader: apus_feed_reader) {
        self.writer = writer
        self.reader = reader
        apus_clock_start(&clock)
    }

    /// `count` times the mean of `trips` round trips, halved.
    mutating func times(_ count: Int, of trips: Int) -> [Double] {
        var event = apus_event(), answer = apus_event()
        event.kind = UInt8(APUS_EVENT_BOOK.rawValue)
        var last = apus_clock_now(&clock)
        return (0..<count).map { _ in
            for _ in 0..<trips {
                apus_feed_publish(&writer, &event)
                while apus_feed_read(&reader, &answer) != APUS_FEED_EVENT {}
            }
            let now = apus_clock_now(&clock)
            defer { last = now }
            return Double(now &- last) / Double(2 * trips)
        }
    }
}

/// The other end. Unchecked: it is handed to its thread once and used there alone; the flag is an atomic word.
private final class Answer: @unchecked Sendable {
    private var reader: apus_feed_reader
    private var writer: apus_feed_writer
    private let flag: UnsafeMutablePointer<UInt64>
    private let cpu: Int32

    init(reader: apus_feed_reader, writer: apus_feed_writer, stop: UnsafeMutablePointer<UInt64>, cpu: Int32) {
        self.reader = reader
        self.writer = writer
        flag = stop
        self.cpu = cpu
    }

    func run() {
        var before: UInt64 = 0
        guard bench_pin(cpu, &before) == 0 else { return }
        var reader = self.reader, writer = self.writer
        var event = apus_event()
        while apus_flag(flag) == 0 {
            guard apus_feed_read(&reader, &event) == APUS_FEED_EVENT else { continue }
            apus_feed_publish(&writer, &event)
        }
    }
}

/// The writer's cost with readers on the other processor.
struct WriterWithReaders: Benchmark {
    let name = "ring-readers"
    let goal = "a stalled reader costs nothing"

    func run(_ session: Session) throws -> [Row] {
        var view = apus_public()
        var config = apus_public_config(
            name: nil, feed_slots: UInt32(APUS_FEED_SLOTS_DEFAULT), instruments: 1, board_depth: 1)
        guard apus_public_create(&view, &config) == 0 else { throw BenchmarkError("the ring could not be mapped") }
        defer { apus_public_close(&view) }
        var writer = apus_public_writer(&view)
        let counts: [UInt32] = [0, 1, 2, 4, 8]
        let events: UInt64 = session.isQuick ? 500_000 : 2_000_000
        let stalled = counts.count
        let samples = try pinned(to: session.cpu) {
            try session.alternate(
                session.repetitions(11),
                (0...stalled).map { index in
                    {
                        let isStalled = index == stalled
                        var from = apus_public_reader(&view, false)
                        let readers = bench_readers_start(
                            &from, isStalled ? 1 : counts[index], isStalled, session.otherCPU)
                        // Two laps first: the lines still lie where the last round's readers were.
                        _ = bench_publish(&writer, 2 * UInt64(APUS_FEED_SLOTS_DEFAULT))
                        let time = bench_publish(&writer, events)
                        var read: UInt64 = 0
                        bench_readers_stop(readers, &read)
                        if !isStalled, counts[index] > 0, read == 0 { throw BenchmarkError("no reader read anything") }
                        return Double(time) / Double(events)
                    }
                })
        }
        let medians = samples.map(median)
        var row = Row(
            name: name,
            work: "Events published as fast as the writer can, with one stalled reader; the floor is the writer alone.",
            unit: "ns/event", ours: Figure("", of: samples[stalled]), floor: Figure("no reader", of: samples[0]))
        row.goals = [.atMost(1.05, row.ratioToFloor, "× the writer without readers, one of them stalled")]
        row.note =
            zip(counts, medians).map { "\($0) readers: \(short($1)) ns" }.joined(separator: "; ")
            + " (all on the other processor, where they take turns); one stalled reader: \(short(medians[stalled])) ns."
        row.plot = Plot(
            title: "The writer with readers", axis: .logarithmic, xLabel: "readers + 1", yLabel: "ns for each event",
            lines: [.init(name: "Apus", points: zip(counts, medians).map { [Double($0) + 1, $1] })])
        return [row]
    }
}
