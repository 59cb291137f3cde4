import Foundation
import Testing

/// What lies beside the project: recordings and the reference book builder. Tests that need it are reported as skipped
/// where it is missing; with `CI=true` they run and fail.
enum Shared {
    static let root: String =
        ProcessInfo.processInfo.environment["APUS_SHARED"]
        ?? URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "shared").path()

    static let isPresent = FileManager.default.fileExists(atPath: root + "/recordings/SOURCES.md")
    static let isNeeded = isPresent || ProcessInfo.processInfo.environment["CI"] == "true"

    static let futures = root + "/recordings/binance-usdm-btcusdt-20240808.gz"
    static let spot = root + "/recordings/binance-spot-2021"
    static let polymarket = root + "/recordings/polymarket-crossing-burst.json"

    /// One line of the reference book builder's answer.
    struct Reference: Decodable, Equatable {
        var instrument: String
        var applied: UInt64
        var levels: [Int]
        var best: [Int64]?
        var digest: String
        var ticker: [UInt64]
        var gaps: UInt64
    }

    /// Runs `book_digest.py` on a recording.
    static func reference(_ arguments: String...) throws -> [Reference] {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", root + "/tools/book_digest.py"] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "book_digest.py failed")
        return try output.split(separator: UInt8(ascii: "\n")).map {
            try JSONDecoder().decode(Reference.self, from: Data($0))
        }
    }
}

/// A folder that is gone when the test is.
final class Scratch {
    let path: String

    init() throws {
        let base = FileManager.default.temporaryDirectory.appending(path: "apus-replay-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: base, withIntermediateDirectories: true)
        path = base.path()
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file into the folder; returns its path.
    func file(_ name: String, _ text: String) throws -> String { try file(name, Data(text.utf8)) }

    func file(_ name: String, _ data: Data) throws -> String {
        let path = self.path + "/" + name
        try data.write(to: URL(filePath: path))
        return path
    }
}
