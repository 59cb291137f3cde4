import CBench
import Foundation

/// WebSocket frames on the client's side.
struct FrameParsing: Benchmark {
    let name = "frame"
    let goal = "at most 12 ns for a frame of 309 bytes"

    func run(_ session: Session) throws -> [Row] {
        var maker = MessageMaker(seed: 11)
        let stream = try Stream(maker.stream(2000))
        let market = try StreamMarket()
        let samples = try pinned(to: session.cpu) {
            try session.alternate(
                session.repetitions(31), [{ try stream.parse(market) }, { stream.read(market) }])
        }
        var row = Row(
            name: name,
            work:
                "Text frames of \(Int(stream.meanLength)) bytes cut out of what was read, with UTF-8 validation, 16 KiB at a time.",
            unit: "ns/frame", ours: Figure("", of: samples[0]), floor: Figure("reading the bytes", of: samples[1]))
        row.goals = [.atMost(12, row.ours.median, "ns for a frame of 309 bytes")]
        return [row]
    }
}

/// Bytes to the published event, and its parts.
struct Pipeline: Benchmark {
    let name = "pipeline"
    let goal = "at most 1.1 × the sum of its parts"

    func run(_ session: Session) throws -> [Row] {
        var maker = MessageMaker(seed: 11)
        let corpus = try maker.stream(2000)
        let stream = try Stream(corpus)
        let whole = try StreamMarket(), parts = try StreamMarket()
        let samples = try pinned(to: session.cpu) {
            try session.alternate(
                session.repetitions(21),
                [
                    { try stream.publish(whole) },
                    { try stream.parse(parts) },
                    { try parts.decode(corpus) },
                    { try parts.publish(corpus) },
                ])
        }
        let sums = zip(samples[1], zip(samples[2], samples[3])).map { $0 + $1.0 + $1.1 }
        var row = Row(
            name: name,
            work:
                "Frames of \(Int(stream.meanLength)) bytes with eight levels: frame, decode, continuity, book, ticker check, board, ring, hop histograms, real "
                + "publish times. Its floor is the sum of the parts, measured apart in the same run.",
            unit: "ns/message", ours: Figure("", of: samples[0]), floor: Figure("sum of the parts", of: sums))
        row.note =
            "Frame \(short(median(samples[1]))) ns, decoding \(short(median(samples[2]))) ns, book, ticker check and publishing "
            + "\(short(median(samples[3]))) ns."
        row.goals = [.atMost(1.1, row.ratioToFloor, "× the sum of its parts")]
        return [row]
    }
}

/// What the latency histograms of the hot thread cost.
struct HopCost: Benchmark {
    let name = "hops"
    let goal = "under 15 ns for an event"

    func run(_ session: Session) throws -> [Row] {
        let market = try StreamMarket()
        let count: UInt64 = 2_000_000
        let samples = try pinned(to: session.cpu) {
            try session.alternate(
                session.repetitions(15),
                [
                    { Double(bench_hops(market.market, count, true)) / Double(count) },
                    { Double(bench_hops(market.market, count, false)) / Double(count) },
                ])
        }
        let cost = zip(samples[0], samples[1]).map { $0 - $1 }
        var row = Row(
            name: name,
            work:
                "All hop histograms of an event: venue to kernel, kernel to receive, receive to publish, publish to decide; delays that "
                + "spread over the buckets as live ones do.",
            unit: "ns/event", ours: Figure("", of: cost))
        row.goals = [.atMost(15, row.ours.median, "ns for an event")]
        return [row]
    }
}

/// A corpus as the bytes of a connection, given 16 KiB at a time.
private final class Stream {
    private let bytes: [UInt8]
    private let count: Int
    let meanLength: Double
    private static let chunk = 16_384

    init(_ corpus: Corpus) throws {
        bytes = corpus.frames()
        count = corpus.count
        meanLength = corpus.meanLength
    }

    func parse(_ market: StreamMarket) throws -> Double {
        var messages: UInt64 = 0
        _ = bench_frames_parsed(market.market, bytes, bytes.count, Self.chunk, &messages)
        let time = bench_frames_parsed(market.market, bytes, bytes.count, Self.chunk, &messages)
        guard messages == count else { throw BenchmarkError("\(messages) messages of \(count) were cut out") }
        return Double(time) / Double(count)
    }

    func read(_ market: StreamMarket) -> Double {
        var sum: UInt64 = 0
        return Double(bench_frames_read(market.market, bytes, bytes.count, Self.chunk, &sum)) / Double(count)
    }

    func publish(_ market: StreamMarket) throws -> Double {
        var published: UInt64 = 0
        try market.synchronise()
        _ = bench_frames_published(market.market, bytes, bytes.count, Self.chunk, &published)
        try market.synchronise()
        let time = bench_frames_published(market.market, bytes, bytes.count, Self.chunk, &published)
        guard published == count else { throw BenchmarkError("\(published) events of \(count) messages") }
        return Double(time) / Double(count)
    }
}

/// A market whose book has been synchronised to the start of a stream.
private final class StreamMarket {
    private let owner: BenchMarket
    var market: OpaquePointer { owner.market }

    init() throws {
        owner = try BenchMarket(withClock: true)
        try owner.add("BTCUSDT", 2, 3)
        try synchronise()
    }

    /// Puts the book where the stream begins.
    func synchronise() throws {
        let padding = [UInt8](repeating: 0, count: Int(APUS_PADDING))
        let snapshot = Array(MessageMaker.streamSnapshot.utf8), first = Array(MessageMaker.beforeStream.utf8)
        let result = bench_market_snapshot(market, 0, first + padding, first.count, snapshot + padding, snapshot.count)
        guard result == 0 else { throw BenchmarkError("the book could not be synchronised") }
    }

    func decode(_ corpus: Corpus) throws -> Double {
        var levels: UInt64 = 0, failed: UInt64 = 0
        _ = bench_decode_binance(market, corpus.messages, &levels, &failed)
        let time = bench_decode_binance(market, corpus.messages, &levels, &failed)
        guard failed == 0 else { throw BenchmarkError("\(failed) messages could not be read") }
        return Double(time) / Double(corpus.count)
    }

    func publish(_ corpus: Corpus) throws -> Double {
        var published: UInt64 = 0
        _ = bench_levels_published(market, corpus.messages, &published)
        let time = bench_levels_published(market, corpus.messages, &published)
        guard published == corpus.count else { throw BenchmarkError("\(published) events of \(corpus.count) messages") }
        return Double(time) / Double(corpus.count)
    }
}
