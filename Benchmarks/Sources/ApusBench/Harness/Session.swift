import CBench
import Foundation
import Glibc

/// What all measurements of a run share.
struct Session {
    let isQuick: Bool
    /// Whether memory is watched for the full hour.
    let isHour: Bool
    /// Programs built from the shared peers and from Benchmarks/Peers.
    let peers: Folder
    let shared: Folder
    /// The release binary.
    let apus: String
    /// The processor that measures; the other one sends.
    let cpu: Int32 = 1
    let otherCPU: Int32 = 0

    /// `full` repetitions, or fewer in a quick run.
    func repetitions(_ full: Int) -> Int { isQuick ? max(3, full / 4) : full }

    /// Runs things in turns, so that what disturbs one disturbs all alike, and gives back the samples of each in order. The first
    /// round warms up and does not count.
    func alternate(_ rounds: Int, _ things: [() throws -> Double]) throws -> [[Double]] {
        var samples = [[Double]](repeating: [], count: things.count)
        for round in 0...rounds {
            for (index, thing) in things.enumerated() {
                let value = try thing()
                if round > 0 { samples[index].append(value) }
            }
        }
        return samples
    }

    /// A peer's program, nil when it was not built.
    func peer(_ name: String) -> Program? {
        let path = peers.path(name)
        return FileManager.default.isExecutableFile(atPath: path) ? Program(path) : nil
    }

    /// Python with the shared peers' packages; nil when they were not all installed.
    var python: Program? {
        FileManager.default.fileExists(atPath: peers.path("venv/ready")) ? peer("venv/bin/python") : nil
    }

    /// A file that peers or shared hold; an error says what to do.
    func input(_ path: String, _ how: String) throws -> String {
        if FileManager.default.fileExists(atPath: path) { return path }
        throw BenchmarkError("\(path) is not there; \(how)", isMissing: true)
    }

    /// The deltas that the shared peers are measured on.
    func l2() throws -> String {
        try input(peers.path("l2.bin"), "make bench makes it from ../shared/peers (gen_l2.py, seed 42)")
    }

    /// The recorded depth of BTCUSDT.
    func recording() throws -> String {
        try input(
            shared.path("recordings/binance-usdm-btcusdt-20240808.gz"), "put the shared folder beside the repository")
    }
}

/// A folder by its path.
struct Folder {
    let base: String
    init(_ base: String) { self.base = base }
    func path(_ name: String) -> String { base + "/" + name }
}

/// Puts the calling thread on a processor while `body` runs.
func pinned<Result>(to cpu: Int32, _ body: () throws -> Result) throws -> Result {
    var before: UInt64 = 0
    let result = bench_pin(cpu, &before)
    guard result == 0 else {
        throw BenchmarkError(
            "cannot run on processor \(cpu): \(String(cString: strerror(-result))); the benchmarks need 0 and 1 (taskset -p $$)"
        )
    }
    defer { bench_unpin(before) }
    return try body()
}

/// What is being done, on the terminal's last line; nothing where standard error is none.
enum Progress {
    private static let isShown = isatty(2) == 1

    static func show(_ text: String) {
        if isShown { FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8)) }
    }

    static func clear() {
        if isShown { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    }
}
