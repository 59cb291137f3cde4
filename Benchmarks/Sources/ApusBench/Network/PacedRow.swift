import CApusRing
import CApusWire
import CBench
import Foundation

/// 10,000 messages a second, one by one: how old a message is when its book can be read from the feed ring.
struct WebSocketPaced: Benchmark {
    let name = "ws-paced"
    let goal = "spin at most 1.35 × the busy-polling floor, and at least 4 × below picows"
    private static let perSecond = 10_000
    private static let messages = 10_000
    private static let rounds = 3

    func run(_ session: Session) throws -> [Row] {
        try withPriority {
            let venue = try BenchVenue(session)
            return try Carrier.allCases.flatMap { try rows(session, venue, $0) }
        }
    }

    /// The latencies of one program over all repetitions, in µs.
    private struct Samples {
        var p50: [Double] = []
        var p99: [Double] = []
        var all: [Double] = []

        mutating func add(_ latency: Receiver.Latency) {
            p50.append(latency.p50)
            p99.append(latency.p99)
        }

        func figure(_ name: String) -> Figure {
            Figure(name, median: median(p50), p99: median(p99), repetitions: p50.count)
        }
    }

    private func rows(_ session: Session, _ venue: BenchVenue, _ carrier: Carrier) throws -> [Row] {
        let (peers, missing) = Receiver.peers(session)
        let polling = Receiver.floor(session, polls: true), blocking = Receiver.floor(session, polls: false)
        let receivers = [polling, blocking].compactMap { $0 } + peers
        var ours = [WireFeed.Idle: Samples](), theirs = [String: Samples]()
        for _ in 0..<session.repetitions(Self.rounds) {
            for idle in WireFeed.Idle.allCases {
                let values = try pinned(to: session.cpu) { try receive(venue, carrier, idle) }.sorted()
                ours[idle, default: Samples()].add(.init(p50: quantile(values, 0.5), p99: quantile(values, 0.99)))
                ours[idle]?.all += values
            }
            for receiver in receivers {
                let latency = try receiver.latency(
                    venue, carrier, messages: Self.messages, perSecond: Self.perSecond)
                theirs[receiver.name, default: Samples()].add(latency)
            }
        }
        func figure(_ receiver: Receiver?) -> Figure? {
            receiver.flatMap { receiver in theirs[receiver.name].map { $0.figure(receiver.name) } }
        }
        return WireFeed.Idle.allCases.map { idle in
            var row = Row(
                name: "\(name)-\(carrier)-\(idle)",
                work: """
                    \(Self.perSecond) depth messages a second through a WebSocket (\(carrier)), from the venue's send to the \
                    book in the feed ring, idling by \(idle); the others only receive
                    """,
                unit: "µs", ours: ours[idle]!.figure("apus, \(idle)"))
            // Whoever sleeps in the kernel is held against the floor that does.
            row.floor = figure(idle == .spin ? polling : blocking)
            row.peers = peers.compactMap(figure)
            row.missing = missing + (polling == nil ? ["the C floor: build ../shared/peers with `make peers`"] : [])
            if idle == .spin {
                let picows = row.peers.first { $0.name == "picows" }
                row.goals = [
                    .atMost(1.35, row.ratioToFloor, "× the floor"),
                    .atLeast(4, picows.map { $0.median / row.ours.median }, "× below picows"),
                ]
                row.plot = Plot(
                    title: "WebSocket at \(Self.perSecond) messages/s, \(carrier)", axis: .percentile,
                    xLabel: "percentile", yLabel: "µs from the venue's send to the book",
                    lines: WireFeed.Idle.allCases.map { Plot.distribution("apus, \($0)", ours[$0]!.all) })
            }
            return row
        }
    }

    /// The age of each message when its event was read, in µs, without the first twentieth, as the peers measure it.
    private func receive(_ venue: BenchVenue, _ carrier: Carrier, _ idle: WireFeed.Idle) throws -> [Double] {
        let feed = try WireFeed(
            venue, carrier, path: "/stream/paced/\(Self.messages)/\(Self.perSecond)", idle: idle)
        let record = venue.record
        let first = UInt32(truncatingIfNeeded: record.firstUpdate), step = UInt32(record.updateStep)
        var reader = feed.reader(), event = apus_event()
        var ages = [UInt64](repeating: 0, count: Self.messages)
        var seen = 0
        let patience = bench_now() + 20_000_000_000
        while seen < Self.messages {
            feed.turn()
            var now: UInt64 = 0
            while apus_feed_read(&reader, &event) == APUS_FEED_EVENT {
                if UInt32(event.kind) != APUS_EVENT_BOOK.rawValue { continue }
                if UInt32(event.flags) & APUS_BOOK_SNAPSHOT.rawValue != 0 { continue }
                now = bench_now()
                let number = Int((event.update_id &- first) / step)
                if number < Self.messages { ages[number] = now &- record.sentTime(number) }
                seen += 1
            }
            if now == 0, bench_now() > patience { break }
        }
        try wait(seconds: 2, for: "the venue's final book") { record.isFinished }
        if let fault = feed.fault(record, messages: Self.messages) { throw BenchmarkError(fault) }
        feed.stop()
        return ages.dropFirst(Self.messages / 20).map { Double($0) / 1e3 }
    }
}
