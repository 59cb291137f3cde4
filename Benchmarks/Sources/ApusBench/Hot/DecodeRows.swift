import CBench
import Foundation

/// Bytes to decoded levels: one kind of message beside simdjson.
struct Decoding: Benchmark {
    enum Kind: String {
        case binance, polymarket
    }

    let name: String
    let goal: String
    private let kind: Kind
    /// Nanoseconds on a machine where the ladder takes 6.3.
    private let bound: Double

    init(_ kind: Kind, bound: Double) {
        self.kind = kind
        self.bound = bound
        name = "decode-\(kind.rawValue)"
        goal = "at most \(short(bound)) ns where the ladder takes 6.3"
    }

    func run(_ session: Session) throws -> [Row] {
        var maker = MessageMaker(seed: 7)
        let corpus = try kind == .binance ? maker.binance(2000) : maker.polymarket(2000)
        let decimals: (UInt8, UInt8) = kind == .binance ? (8, 8) : (4, 6)
        let market = try BenchMarket()
        try market.add(kind == .binance ? "BTCUSDT" : MessageMaker.token, decimals.0, decimals.1)
        if kind == .polymarket { try market.learn(MessageMaker.market, MessageMaker.token) }
        let race = try Race(session, corpus, form: kind.rawValue, decimals)
        let samples = try race.run(session.repetitions(21)) { levels, failed in
            kind == .binance
                ? bench_decode_binance(market.market, corpus.messages, &levels, &failed)
                : bench_decode_polymarket(market.market, corpus.messages, &levels, &failed)
        }
        var row = Row(
            name: name,
            work:
                "\(kind == .binance ? "Binance depthUpdate" : "Polymarket price_change") of \(Int(corpus.meanLength.rounded())) "
                + "bytes to whole numbers; 2,000 different messages, which the caches hold as they hold what has just been received.",
            unit: "ns/message", ours: Figure("", of: samples.ours))
        race.complete(&row)
        if let ladder = try? Ladder.time(session) {
            let scaled = row.ours.median * 6.3 / ladder
            row.goals = [.atMost(bound, scaled, "ns, scaled to a ladder of 6.3 ns (here \(short(ladder)))")]
        } else {
            row.goals = [.atMost(bound, nil, "ns, scaled by the ladder, which was not built")]
        }
        if kind == .binance { row.note = try others(session, corpus) }
        return [row]
    }

    // What the other ways to read the same cost.
    private func others(_ session: Session, _ corpus: Corpus) throws -> String {
        var maker = MessageMaker(seed: 7)
        let strange = try maker.binanceInAnotherOrder(2000)
        var texts: [String] = []
        for vector in [APUS_VECTOR_PORTABLE, APUS_VECTOR_AVX2, APUS_VECTOR_AVX512] where apus_vector_available(vector) {
            let time = try time(session, corpus, vector)
            texts.append("\(String(cString: apus_vector_name(vector))) \(short(time)) ns")
        }
        return texts.joined(separator: ", ") + "; another key order with spaces (read by the JSON scanner): "
            + "\(short(try time(session, strange, nil))) ns for \(Int(strange.meanLength.rounded())) bytes."
    }

    private func time(_ session: Session, _ corpus: Corpus, _ vector: apus_vector?) throws -> Double {
        let market = try BenchMarket(vector: vector)
        try market.add("BTCUSDT", 8, 8)
        return try pinned(to: session.cpu) {
            median(
                (0..<session.repetitions(9)).map { _ in
                    var levels: UInt64 = 0, failed: UInt64 = 0
                    let time = bench_decode_binance(market.market, corpus.messages, &levels, &failed)
                    return Double(time) / Double(corpus.count)
                })
        }
    }
}

/// All frames of the recording.
struct DecodingOfRecording: Benchmark {
    let name = "decode-recording"
    let goal = "at most 0.35 × simdjson on demand"

    func run(_ session: Session) throws -> [Row] {
        let corpus = try Corpus.recording(session.recording())
        let market = try BenchMarket()
        try market.add("BTCUSDT", 2, 3, tick: 10)
        let race = try Race(session, corpus, form: "wrapped", (2, 3))
        let samples = try race.run(session.repetitions(15)) { levels, failed in
            bench_decode_binance(market.market, corpus.messages, &levels, &failed)
        }
        var row = Row(
            name: name,
            work:
                "Every message of the BTCUSDT recording (\(corpus.count), \(Int(corpus.meanLength.rounded())) bytes on average) to "
                + "whole numbers: depth, tickers, trades, the snapshot.",
            unit: "ns/message", ours: Figure("", of: samples.ours))
        race.complete(&row)
        row.goals = [.atMost(0.35, row.ratioToPeer, "× simdjson")]
        return [row]
    }
}

/// Our decoder and simdjson's program over the same messages, in turns; both must find the same levels.
private final class Race {
    private let session: Session
    private let corpus: Corpus
    private let form: String
    private let decimals: (UInt8, UInt8)
    private let scratch: Scratch
    private let program: Program?
    private var theirs: [Double] = []

    init(_ session: Session, _ corpus: Corpus, form: String, _ decimals: (UInt8, UInt8)) throws {
        self.session = session
        self.corpus = corpus
        self.form = form
        self.decimals = decimals
        scratch = try Scratch()
        program = session.peer("json_simdjson")
        try corpus.write(to: scratch.file("messages"))
    }

    func run(
        _ rounds: Int, _ decode: @escaping (_ levels: inout UInt64, _ failed: inout UInt64) -> UInt64
    ) throws -> (ours: [Double], theirs: [Double]) {
        var found: UInt64 = 0
        let samples = try pinned(to: session.cpu) {
            try session.alternate(
                rounds,
                [
                    {
                        var failed: UInt64 = 0
                        // The peer, another process, has had the caches: once without the clock.
                        _ = decode(&found, &failed)
                        let time = decode(&found, &failed)
                        guard failed == 0 else { throw BenchmarkError("\(failed) messages could not be read") }
                        return Double(time) / Double(self.corpus.count)
                    },
                    { try self.peer(found) },
                ])
        }
        theirs = samples[1]
        return (samples[0], samples[1])
    }

    private func peer(_ found: UInt64) throws -> Double {
        guard let program else { return .nan }
        let text = try program.output(
            [form, scratch.file("messages"), "5", "\(decimals.0)", "\(decimals.1)"], cpu: session.cpu)
        guard let time = number(after: "ns:", in: text), let levels = number(after: "levels:", in: text) else {
            throw BenchmarkError("json_simdjson printed \(text)")
        }
        guard UInt64(levels) == found else { throw BenchmarkError("we read \(found) levels, simdjson \(Int(levels))") }
        return time
    }

    func complete(_ row: inout Row) {
        if program == nil {
            row.missing = ["the peer `json_simdjson` was not built: Benchmarks/Peers"]
        } else {
            row.peers = [Figure("simdjson on demand", of: theirs)]
        }
    }
}

/// What the shared ladder takes here: the yardstick for goals in nanoseconds.
enum Ladder {
    static func time(_ session: Session) throws -> Double {
        guard let books = session.peer("books") else { throw BenchmarkError("`books` was not built") }
        let text = try books.output([try session.l2(), "3"], cpu: session.cpu)
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("tick-indexed + bitmap") }),
            let value = number(after: "med", in: line)
        else { throw BenchmarkError("`books` printed no ladder") }
        return value
    }
}
