import CApusRing
import CBench
import Foundation

/// As many messages as the sender can send: sockets, TLS, frames, decoding, book and feed ring in one thread.
struct WebSocketFlood: Benchmark {
    let name = "ws-flood"
    let goal = "at least 2 × picows plain, 1.4 × TLS, while doing more work"
    private static let messages = 400_000
    private static let rounds = 5

    func run(_ session: Session) throws -> [Row] {
        try withPriority {
            let venue = try BenchVenue(session)
            return try Carrier.allCases.map { try row(session, venue, $0) }
        }
    }

    private func row(_ session: Session, _ venue: BenchVenue, _ carrier: Carrier) throws -> Row {
        let (peers, missing) = Receiver.peers(session)
        let floors = [true, false].compactMap { Receiver.floor(session, polls: $0) }
        var waits: [Double] = []
        var things: [() throws -> Double] = [
            {
                let rate = try pinned(to: session.cpu) { try ours(venue, carrier) }
                waits.append(venue.record.waitShare)
                return rate
            }
        ]
        for receiver in floors + peers {
            things.append { try receiver.rate(venue, carrier, messages: Self.messages) }
        }
        let samples = try session.alternate(session.repetitions(Self.rounds), things)
        let figures = zip(floors + peers, samples.dropFirst()).map { Figure($0.name, of: $1, isRate: true) }
        var row = Row(
            name: "\(name)-\(carrier)",
            work: """
                \(Self.messages) depth messages of \(BenchVenue.payloadBytes) bytes through a WebSocket (\(carrier)); ours ends \
                with the venue's book to the last level, the others only receive
                """,
            unit: "M msgs/s", isRate: true, ours: Figure("apus", of: samples[0], isRate: true))
        row.floor = figures.prefix(floors.count).max { $0.median < $1.median }
        row.peers = Array(figures.dropFirst(floors.count))
        row.missing = missing + (floors.isEmpty ? ["the C floor: build ../shared/peers with `make peers`"] : [])
        let picows = row.peers.first { $0.name == "picows" }
        row.goals = [
            .atLeast(carrier == .tls ? 1.4 : 2, picows.map { row.ours.median / $0.median }, "× picows")
        ]
        row.note = """
            The sender was not what was measured: \(short(median(waits) * 100)) % of its writes to ours found the socket full, \
            and the floor takes \(row.floor.map { short($0.median) } ?? "-") M msgs/s from it.
            """
        return row
    }

    private func ours(_ venue: BenchVenue, _ carrier: Carrier) throws -> Double {
        let feed = try WireFeed(venue, carrier, path: "/stream/flood/\(Self.messages)", idle: .spin)
        let patience = bench_now() + 20_000_000_000
        while feed.applied == 0 {
            feed.turn()
            if bench_now() > patience { throw BenchmarkError("the flood did not begin within 20 s") }
        }
        let begin = feed.receiveTime
        while feed.applied < Self.messages {
            feed.turn()
            if feed.book?.pointee.gaps != 0 || bench_now() > patience { break }
        }
        let end = bench_now()
        try wait(seconds: 2, for: "the venue's final book") { venue.record.isFinished }
        if let fault = feed.fault(venue.record, messages: Self.messages) { throw BenchmarkError(fault) }
        feed.stop()
        return Double(Self.messages) * 1e3 / Double(end - begin)
    }
}
