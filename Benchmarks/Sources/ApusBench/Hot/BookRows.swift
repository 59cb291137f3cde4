import CBench
import Foundation

/// The book on the deltas that every peer is measured on.
struct BookOnL2: Benchmark {
    let name = "book-l2"
    let goal = "at most 1.0 × the C++ ladder with bitmap"
    // gen_l2.py, seed 42.
    private static let checksum: UInt64 = 320_000_943_235_103

    func run(_ session: Session) throws -> [Row] {
        let path = try session.l2()
        var deltas = bench_deltas()
        guard bench_deltas_read_l2(path, &deltas) == 0 else { throw BenchmarkError("\(path) cannot be read") }
        defer { bench_deltas_free(&deltas) }
        let count = Double(deltas.count)
        var ladders: [Double] = []
        let samples = try pinned(to: session.cpu) {
            try session.alternate(
                session.repetitions(15),
                [
                    {
                        var sum: UInt64 = 0
                        let time = bench_book_run(&deltas, 1, &sum)
                        guard sum == Self.checksum else { throw BenchmarkError("checksum \(sum) is wrong") }
                        return Double(time) / count
                    },
                    {
                        var sum: UInt64 = 0
                        return Double(bench_book_floor(&deltas, &sum)) / count
                    },
                    { try ladder(session, path, &ladders) },
                ])
        }
        var row = Row(
            name: name,
            work: "One delta of l2.bin applied and both best prices read: exact integers, unbounded prices.",
            unit: "ns/update", ours: Figure("", of: samples[0]), floor: Figure("reading the deltas", of: samples[1]))
        if ladders.isEmpty {
            row.missing = ["the peer `books` was not built: ../shared/peers"]
        } else {
            row.peers = [Figure("tick-indexed + bitmap", of: Array(ladders.dropFirst()))]
        }
        row.goals = [.atMost(1, row.ratioToPeer, "× the ladder, which holds a window of fixed prices")]
        return [row]
    }

    // Once through all of the program's books; the ladder's line counts.
    private func ladder(_ session: Session, _ path: String, _ ladders: inout [Double]) throws -> Double {
        guard let books = session.peer("books") else { return .nan }
        let text = try books.output([path, "1"], cpu: session.cpu)
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("tick-indexed + bitmap") }),
            line.hasSuffix("OK"), let value = number(after: "med", in: line)
        else { throw BenchmarkError("`books` printed no ladder: \(text.suffix(200))") }
        ladders.append(value)
        return value
    }
}

/// The book on a real instrument's depth.
struct BookOnDepth: Benchmark {
    let name = "book-depth"
    let goal = "at most 0.7 × the best of std::map, Abseil's B-tree and a vector searched from the touch"

    func run(_ session: Session) throws -> [Row] {
        let corpus = try Corpus.recording(session.recording())
        let market = try BenchMarket()
        try market.add("BTCUSDT", 2, 3, tick: 10)
        var deltas = bench_deltas()
        guard bench_deltas_decode(market.market, corpus.messages, &deltas) == 0 else {
            throw BenchmarkError("the recording cannot be decoded")
        }
        defer { bench_deltas_free(&deltas) }
        let scratch = try Scratch()
        let file = scratch.file("depth")
        guard bench_deltas_write(&deltas, file) == 0 else { throw BenchmarkError("cannot write \(file)") }
        let count = Double(deltas.count)
        var sums: Set<UInt64> = []
        var peers: [String: [Double]] = [:]
        let samples = try pinned(to: session.cpu) {
            try session.alternate(
                session.repetitions(15),
                [
                    {
                        var sum: UInt64 = 0
                        let time = bench_book_run(&deltas, 10, &sum)
                        sums.insert(sum)
                        return Double(time) / count
                    },
                    { try trees(session, file, &peers, &sums) },
                ])
        }
        guard sums.count == 1 else { throw BenchmarkError("the books differ: checksums \(sums.sorted())") }
        var row = Row(
            name: name,
            work:
                "The recorded BTCUSDT depth, \(deltas.count) levels with the snapshot among them, applied one by one.",
            unit: "ns/update", ours: Figure("", of: samples[0]))
        row.peers = peers.map { Figure($0.key, of: Array($0.value.dropFirst())) }.sorted { $0.name < $1.name }
        if peers.isEmpty { row.missing = ["the peer `depth_books` was not built: Benchmarks/Peers"] }
        row.goals = [.atMost(0.7, row.ratioToPeer, "× the best of three careful books")]
        return [row]
    }

    private func trees(
        _ session: Session, _ file: String, _ peers: inout [String: [Double]], _ sums: inout Set<UInt64>
    ) throws -> Double {
        guard let program = session.peer("depth_books") else { return .nan }
        for line in try program.output([file, "1"], cpu: session.cpu).split(separator: "\n") {
            let name = String(line.prefix { $0 != "(" }.split(separator: ": ")[0])
            guard let value = number(after: name, in: line), let sum = number(after: "checksum", in: line) else {
                continue
            }
            peers[name, default: []].append(value)
            sums.insert(UInt64(sum))
        }
        return 0
    }
}

/// One to ten thousand books in turn.
struct BooksInTurn: Benchmark {
    let name = "book-instruments"
    let goal = "at most 3 × the time of one at 1,000"

    func run(_ session: Session) throws -> [Row] {
        let path = try session.l2()
        var deltas = bench_deltas()
        guard bench_deltas_read_l2(path, &deltas) == 0 else { throw BenchmarkError("\(path) cannot be read") }
        defer { bench_deltas_free(&deltas) }
        let counts: [UInt32] = [1, 10, 100, 1000, 10_000]
        let warm = 1000, updates = session.isQuick ? 400_000 : 1_000_000
        var bytes: [UInt64] = counts.map { _ in 0 }
        let samples = try pinned(to: session.cpu) {
            try session.alternate(
                session.repetitions(5),
                counts.indices.map { index in
                    {
                        let time = bench_books_in_turn(&deltas, counts[index], warm, updates, &bytes[index])
                        guard time > 0 else { throw BenchmarkError("\(counts[index]) books could not be made") }
                        return Double(time) / Double(updates)
                    }
                })
        }
        let medians = samples.map(median)
        let ratio = medians[3] / medians[0]
        var row = Row(
            name: name,
            work:
                "Books take a delta each, one after the other, every book its own part of l2.bin: with many books an update finds nothing of "
                + "its book in the near caches.",
            unit: "ns/update at 1,000", ours: Figure("", of: samples[3]), floor: Figure("one book", of: samples[0]))
        row.goals = [.atMost(3, ratio, "× one book, at 1,000 instruments")]
        row.note =
            zip(counts, zip(medians, bytes)).map { "\($0) instruments: \(short($1.0)) ns, \($1.1 >> 10) KiB each" }
            .joined(separator: "; ") + "."
        row.plot = Plot(
            title: "Books in turn", axis: .logarithmic, xLabel: "instruments", yLabel: "ns for each update",
            lines: [.init(name: "Apus", points: zip(counts, medians).map { [Double($0), $1] })])
        return [row]
    }
}
