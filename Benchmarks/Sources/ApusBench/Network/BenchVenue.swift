import CApusRing
import Foundation
import Glibc

/// The sender of the network benchmarks: the program `bench-venue` on the other processor, and the memory through which it tells
/// what it sent and what arrived.
final class BenchVenue {
    let port: Int
    let securePort: Int
    /// The certificate to trust.
    let caFile: String
    let record: VenueRecord
    let path: String
    private let process: Process

    /// As long as the venue's own.
    static let secret = String(repeating: "benchmark-secret", count: 4)
    static let key = String(repeating: "benchmark-apikey", count: 4)
    /// What one stream message carries, and its frame.
    static let payloadBytes = 309

    /// Starts it and waits until it listens.
    init(_ session: Session, levels: Int = 5000) throws {
        path = try Self.program()
        let name = "apus-bench-\(getpid())"
        caFile = NSTemporaryDirectory() + "/\(name).pem"
        let output = Pipe()
        process = try Program(path).start(
            [
                "--cpu", "\(session.otherCPU)", "--levels", "\(levels)", "--record", name, "--ca", caFile,
                "--secret", Self.secret,
            ], output: output)
        guard let line = Self.firstLine(output), let port = number(after: "\"port\":", in: line),
            let securePort = number(after: "\"tls_port\":", in: line)
        else {
            process.terminate()
            throw BenchmarkError("\(path) did not start: it printed no ports")
        }
        self.port = Int(port)
        self.securePort = Int(securePort)
        record = try VenueRecord(name: name)
    }

    deinit {
        process.terminate()
        process.waitUntilExit()
        unlink(caFile)
    }

    func port(_ carrier: Carrier) -> Int { carrier == .tls ? securePort : port }

    private static func firstLine(_ pipe: Pipe) -> String? {
        var bytes = Data()
        while bytes.last != UInt8(ascii: "\n") {
            let more = pipe.fileHandleForReading.availableData
            if more.isEmpty { return nil }
            bytes += more
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // It is built into the folder of this program.
    private static func program() throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let path = (own as NSString).deletingLastPathComponent + "/bench-venue"
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw BenchmarkError("\(path) is not there; make bench builds it")
        }
        return path
    }
}

/// What the bytes go through.
enum Carrier: String, CaseIterable {
    case plain, tls

    var scheme: String { self == .tls ? "wss" : "ws" }
}

/// The memory that bench-venue writes: `record_header` in its venue.h, as 64-bit words.
final class VenueRecord {
    private let words: UnsafeMutablePointer<UInt64>
    private let bytes: Int

    private enum Word: Int {
        case capacity = 1, feeds, sent, arrived, firstUpdate, updateStep, firstTime, lastTime, goodSignatures,
            badSignatures, refused, bids, asks, bestBid, bestBidQuantity, bestAsk, bestAskQuantity, digest
        case finished = 27
        case writes, waits, requestBytes
    }
    private static let headerWords = 64
    private static let digestDigits = 64

    init(name: String) throws {
        let path = "/dev/shm/\(name)"
        let file = open(path, O_RDONLY)
        guard file >= 0 else { throw BenchmarkError("cannot open \(path): \(String(cString: strerror(errno)))") }
        defer { close(file) }
        bytes = Int(lseek(file, 0, SEEK_END))
        guard let base = mmap(nil, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0),
            base != MAP_FAILED
        else { throw BenchmarkError("cannot map \(path)") }
        words = base.assumingMemoryBound(to: UInt64.self)
    }

    deinit { munmap(words, bytes) }

    // Another process writes: every read goes to memory.
    private func read(_ word: Word) -> UInt64 { apus_flag(words + word.rawValue) }

    private var capacity: Int { Int(read(.capacity)) }
    var feeds: UInt64 { read(.feeds) }
    var sent: Int { Int(read(.sent)) }
    var arrived: Int { Int(read(.arrived)) }
    var firstUpdate: UInt64 { read(.firstUpdate) }
    var updateStep: UInt64 { read(.updateStep) }
    var isFinished: Bool { read(.finished) == 1 }
    var goodSignatures: Int { Int(read(.goodSignatures)) }
    var badSignatures: Int { Int(read(.badSignatures)) }
    var refused: Int { Int(read(.refused)) }
    var requestBytes: Int { Int(read(.requestBytes)) }
    var bids: Int { Int(read(.bids)) }
    var asks: Int { Int(read(.asks)) }
    var bestBid: Int64 { Int64(bitPattern: read(.bestBid)) }
    var bestAsk: Int64 { Int64(bitPattern: read(.bestAsk)) }
    /// The share of a flood's writes that found the socket full: how much faster the sender was than the receiver.
    var waitShare: Double { Double(read(.waits)) / max(1, Double(read(.writes))) }

    /// The fingerprint of the final book, as `apus_book_digest` makes it.
    var digest: String {
        let text = UnsafeRawPointer(words + Word.digest.rawValue)
        return String(decoding: UnsafeRawBufferPointer(start: text, count: Self.digestDigits), as: UTF8.self)
    }

    /// When message `number` was handed to the kernel, CLOCK_MONOTONIC.
    @inline(__always)
    func sentTime(_ number: Int) -> UInt64 { apus_counter(words + Self.headerWords + number & (capacity - 1)) }

    /// When order `number` had arrived.
    func arrivalTime(_ number: Int) -> UInt64 {
        apus_counter(words + Self.headerWords + capacity + number & (capacity - 1))
    }

    /// Where the send times lie, for a loop that must not call.
    var sentTimes: UnsafePointer<UInt64> { UnsafePointer(words + Self.headerWords) }
    var mask: Int { capacity - 1 }
}
