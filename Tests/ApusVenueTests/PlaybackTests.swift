import Foundation
import Testing

@testable import ApusVenue

@Suite struct PlaybackTests {
    private static func line(_ ms: Int64, _ text: String) -> RecordedLine {
        RecordedLine(time: ms * millisecond, payload: Array(text.utf8))
    }

    private static func depth(_ first: Int, _ last: Int, _ previous: Int, _ bids: String) -> String {
        "{\"stream\":\"btcusdt@depth@0ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":1,\"T\":1,\"s\":\"BTCUSDT\",\"U\":\(first),\"u\":\(last),\"pu\":\(previous),\"b\":\(bids),\"a\":[]}}"
    }

    private static let lines = [
        line(1000, depth(1, 10, 0, "[[\"100.00\",\"1.000\"]]")),
        line(1010, "{\"stream\":\"btcusdt@trade\",\"data\":{\"e\":\"trade\"}}"),
        line(1020, depth(11, 20, 10, "[[\"101.00\",\"2.000\"]]")),
        line(
            1030,
            "{\"lastUpdateId\":15,\"bids\":[[\"100.00\",\"9.000\"],[\"99.00\",\"1.000\"]],\"asks\":[[\"102.00\",\"1.000\"]]}"
        ),
        line(1040, depth(21, 30, 20, "[[\"99.00\",\"0.000\"]]")),
    ]

    private func player(speed: Double = 1) throws -> Harness {
        let harness = try Harness()
        var lines = Self.lines.makeIterator()
        harness.venue.play(speed: speed) { lines.next() }
        return harness
    }

    @Test func framesComeAsRecordedAtTheirTimes() throws {
        let harness = try player()
        harness.advance(by: second)
        let client = harness.webSocket("/stream?streams=btcusdt@depth@0ms")
        let raw = harness.webSocket("/ws/btcusdt@trade")
        harness.advance(by: 9 * millisecond)
        #expect(client.takeTexts() == [Self.lines[0].payload])
        #expect(raw.takeTexts().isEmpty)
        harness.advance(by: millisecond)
        #expect(raw.takeTexts() == [Array("{\"e\":\"trade\"}".utf8)])
        harness.advance(by: second)
        #expect(client.takeTexts() == [Self.lines[2].payload, Self.lines[4].payload])
        #expect(harness.venue.isPlaybackFinished)
    }

    @Test func depthAnswersWithTheRecordedBook() throws {
        let harness = try player()
        func snapshot() -> Answer { harness.rest.request("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=5") }
        // Nothing has been played: the snapshot that will come is told, for a client that buffers.
        #expect(snapshot()["lastUpdateId"] == "15")
        _ = harness.webSocket("/ws/btcusdt@trade")
        harness.advance(by: 35 * millisecond)
        let middle = snapshot()
        #expect(middle["lastUpdateId"] == "20")
        #expect(ClientBook(snapshot: middle.body).bids == [10_000: 9000, 9900: 1000, 10_100: 2000])
        harness.advance(by: second)
        #expect(ClientBook(snapshot: snapshot().body).bids == [10_000: 9000, 10_100: 2000])
    }

    @Test func noOrdersAreTaken() throws {
        let harness = try player()
        #expect(harness.limit("BUY", "0.010", at: "60000").code == -2010)
        #expect(harness.rest.request("GET", "/fapi/v1/depth?symbol=ETHUSDT").status == 503)
    }

    /// A client that follows the documentation ends with the book that the recording leads to.
    @Test(
        .enabled(
            if: PlaybackTests.hasRecording || PlaybackTests.isCI, "the recording is not here: \(recordingURL.path)"))
    func theRealRecordingLeadsAClientToARealBook() throws {
        let lines = try Self.readRecording(limit: 4000)
        let harness = try Harness()
        var iterator = lines.makeIterator()
        harness.venue.play { iterator.next() }
        let client = harness.webSocket("/stream?streams=btcusdt@depth@0ms/btcusdt@bookTicker")
        let snapshot = harness.rest.request("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000")
        var book = ClientBook(snapshot: snapshot.body)
        var frames = 0
        while !harness.venue.isPlaybackFinished {
            harness.advance(by: 100 * millisecond)
            for message in client.takeMessages() {
                frames += 1
                if let data = message["data"], text(data, "e") == "depthUpdate" { book.apply(data) }
            }
        }
        #expect(frames > 2500 && book.gaps == 0 && book.applied > 100)
        let bid = try #require(book.levels(.buy, best: 1).first)
        let ask = try #require(book.levels(.sell, best: 1).first)
        #expect(bid.price < ask.price && bid.price > 6_000_000)
    }

    static var recordingURL: URL {
        URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../../shared/recordings/binance-usdm-btcusdt-20240808.gz"
        ).standardized
    }

    /// Where the tests must be complete, a missing recording is a failure.
    static var isCI: Bool { ProcessInfo.processInfo.environment["CI"] == "true" }

    static var hasRecording: Bool { FileManager.default.fileExists(atPath: recordingURL.path) }

    private static func readRecording(limit: Int) throws -> [RecordedLine] {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", "zcat '\(recordingURL.path)' | head -n \(limit)"]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Array(data).split(separator: 10).compactMap { line in
            guard let space = line.firstIndex(of: 32), let time = Int64(String(decoding: line[..<space], as: UTF8.self))
            else { return nil }
            return RecordedLine(time: time, payload: Array(line[(space + 1)...]))
        }
    }
}
