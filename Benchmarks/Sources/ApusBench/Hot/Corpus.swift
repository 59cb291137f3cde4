import ApusReplay
import CBench
import Foundation

/// Messages in the form that the timed loops and the peers read.
final class Corpus {
    let messages: UnsafeMutablePointer<bench_corpus>

    init() throws {
        guard let made = bench_corpus_make() else { throw BenchmarkError("no memory for messages") }
        messages = made
    }

    deinit { bench_corpus_free(messages) }

    var count: Int { messages.pointee.count }

    func add(_ bytes: UnsafeRawBufferPointer) throws {
        let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard bench_corpus_add(messages, base, bytes.count) == 0 else { throw BenchmarkError("no memory for messages") }
    }

    func add(_ text: String) throws {
        try Array(text.utf8).withUnsafeBytes { try add($0) }
    }

    /// Mean length in bytes.
    var meanLength: Double {
        Double((0..<count).reduce(0) { $0 + Int(messages.pointee.lengths[$1]) }) / Double(max(count, 1))
    }

    /// All messages of a recording, in order.
    static func recording(_ path: String) throws -> Corpus {
        let corpus = try Corpus()
        let reader = try Recording(path: path).reader()
        while let message = try reader.next() { try corpus.add(message.bytes) }
        return corpus
    }

    /// Each message as one WebSocket text frame of a server, one behind the other.
    func frames() -> [UInt8] {
        var stream: [UInt8] = []
        forEach { message in
            stream.append(0x81)
            switch message.count {
            case ..<126: stream.append(UInt8(message.count))
            case ..<65_536: stream += [126, UInt8(message.count >> 8), UInt8(message.count & 0xFF)]
            default:
                stream.append(127)
                stream += (0..<8).map { UInt8(truncatingIfNeeded: message.count >> (56 - 8 * $0)) }
            }
            stream += message
        }
        return stream
    }

    func forEach(_ body: (UnsafeBufferPointer<UInt8>) -> Void) {
        var at = UnsafePointer(messages.pointee.bytes!)
        for index in 0..<count {
            let length = Int(messages.pointee.lengths[index])
            body(UnsafeBufferPointer(start: at, count: length))
            at += length + Int(APUS_PADDING)
        }
    }

    /// For a peer: u64 count, then for each message u32 length and its bytes.
    func write(to path: String) throws {
        var data = Data()
        withUnsafeBytes(of: UInt64(count).littleEndian) { data.append(contentsOf: $0) }
        forEach { message in
            withUnsafeBytes(of: UInt32(message.count).littleEndian) { data.append(contentsOf: $0) }
            data.append(message)
        }
        try data.write(to: URL(fileURLWithPath: path))
    }
}

/// Books, decoders and a ring of the engine in memory of their own.
final class BenchMarket {
    let market: OpaquePointer

    /// - Parameter vector: one decoder variant; nil: the best.
    init(withClock: Bool = false, vector: apus_vector? = nil) throws {
        var error: Int32 = 0
        guard let made = bench_market_make(nil, withClock, vector.map { Int32($0.rawValue) } ?? -1, &error) else {
            throw BenchmarkError("cannot make a market: \(String(cString: strerror(-error)))")
        }
        market = made
    }

    deinit { bench_market_free(market) }

    func add(_ symbol: String, _ priceDecimals: UInt8, _ quantityDecimals: UInt8, tick: Int64 = 1) throws {
        guard bench_market_add(market, symbol, priceDecimals, quantityDecimals, tick) >= 0 else {
            throw BenchmarkError("cannot add \(symbol)")
        }
    }
}

extension BenchMarket {
    /// Makes instrument 0 a known token of a Polymarket market.
    func learn(_ id: String, _ token: String) throws {
        guard bench_market_learn(market, id, token) == 0 else { throw BenchmarkError("cannot learn the market \(id)") }
    }
}

/// A folder for files that peers read; gone with it.
final class Scratch {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "apus-bench-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}
