import Apus
import ApusSamples
import Foundation
import Testing

@testable import ApusReplay

/// Replays of recordings that the tests write themselves.
@Suite struct ReplayTests {
    private func depth(
        _ time: Int, _ first: Int, _ last: Int, _ previous: Int?, bids: String, asks: String = "[]",
        symbol: String = "BTCUSDT"
    )
        -> String
    {
        let pu = previous.map { ",\"pu\":\($0)" } ?? ""
        return
            "\(time) {\"e\":\"depthUpdate\",\"E\":1,\"T\":1,\"s\":\"\(symbol)\",\"U\":\(first),\"u\":\(last)\(pu),\"b\":\(bids),\"a\":\(asks)}\n"
    }

    private let snapshot =
        "{\"lastUpdateId\":10,\"bids\":[[\"100.50\",\"1.000\"],[\"99.00\",\"2\"]],\"asks\":[[\"101.00\",\"3\"]]}"

    private func replay(_ text: String, _ configure: (inout ReplayConfiguration) -> Void = { _ in }) throws
        -> ReplayResult
    {
        let scratch = try Scratch()
        var configuration = ReplayConfiguration(path: try scratch.file("recording", text))
        configure(&configuration)
        return try Replay.run(configuration)
    }

    @Test func aFuturesBookIsKeptByItsIds() throws {
        let result = try replay(
            depth(1, 8, 9, 7, bids: "[[\"1\",\"1\"]]") + depth(2, 10, 12, 9, bids: "[[\"100.6\",\"4\"]]")
                + "3 \(snapshot)\n"
                + depth(4, 13, 14, 12, bids: "[[\"99.00\",\"0\"]]"))
        #expect(result.venue == .binanceUSDM)
        #expect(result.books.map(\.instrument) == ["BTCUSDT"])
        let book = try #require(result.books.first)
        #expect(book.state == "live" && book.applied == 2 && book.levels == [2, 1] && book.gaps == 0)
        #expect(book.best == [10_060, 4_000, 10_100, 3_000])
    }

    @Test func aSnapshotThatComesFirstIsHeldForItsInstrument() throws {
        let result = try replay("1 \(snapshot)\n" + depth(2, 10, 12, 9, bids: "[[\"100.6\",\"4\"]]"))
        #expect(result.books.first?.state == "live" && result.books.first?.levels == [3, 1])
    }

    @Test func aGapIsCountedAndHealedByTheNextSnapshot() throws {
        let events = depth(1, 8, 10, 7, bids: "[]") + "2 \(snapshot)\n" + depth(3, 11, 12, 10, bids: "[]")
        let broken = events + depth(4, 15, 16, 14, bids: "[]")
        let lost = try replay(broken)
        #expect(lost.books.first?.state == "stale" && lost.books.first?.gaps == 1)
        let later = snapshot.replacing("\"lastUpdateId\":10", with: "\"lastUpdateId\":16")
        let healed = try replay(broken + "5 \(later)\n" + depth(6, 17, 18, 16, bids: "[[\"100.6\",\"4\"]]"))
        #expect(healed.books.first?.state == "live" && healed.books.first?.resyncs == 1)
    }

    @Test func theVenueIsToldByTheMessages() throws {
        #expect(try replay(depth(1, 1, 2, nil, bids: "[]")).venue == .binanceSpot)
        let inverse = depth(1, 1, 2, 0, bids: "[]", symbol: "BTCUSD_PERP").replacing(
            "\"U\"", with: "\"ps\":\"BTCUSD\",\"U\"")
        #expect(try replay(inverse).venue == .binanceCOINM)
        #expect(try replay(depth(1, 1, 2, 0, bids: "[]")).venue == .binanceUSDM)
        #expect(try replay(depth(1, 1, 2, 0, bids: "[]")) { $0.venue = .binanceSpot }.venue == .binanceSpot)
        #expect(throws: ReplayError.self) { _ = try replay("1 {\"hello\":1}\n") }
    }

    @Test func manyInstrumentsAreTakenAsTheyCome() throws {
        var text = ""
        for index in 0..<30 { text += depth(index + 1, 1, 2, 0, bids: "[]", symbol: "S\(index)USDT") }
        // One that appears only after everything that was looked at beforehand.
        for index in 0..<Survey.messages { text += depth(100 + index, 1, 2, 0, bids: "[]", symbol: "S0USDT") }
        text += depth(90_000, 1, 2, 0, bids: "[]", symbol: "ALATEUSDT")
        let scratch = try Scratch()
        let configuration = ReplayConfiguration(path: try scratch.file("recording", text))
        let result = try Replay.run(configuration, strategies: [StrategySetting(try #require(Samples.all.first))])
        #expect(result.books.count == 31 && result.books.first?.instrument == "ALATEUSDT")
        #expect(result.books.map(\.instrument) == result.books.map(\.instrument).sorted())
        #expect(throws: ReplayError.instruments(limit: 8)) {
            var small = configuration
            small.capacity = 8
            _ = try Replay.run(small)
        }
    }

    @Test func theTickIsThatOfTheSnapshot() throws {
        let scratch = try Scratch()
        let text = depth(1, 8, 10, 7, bids: "[]") + "2 \(snapshot)\n"
        var configuration = ReplayConfiguration(path: try scratch.file("recording", text))
        let recording = try Recording(path: configuration.path)
        #expect(try Survey(recording, configuration).instruments.map(\.tick) == [ExactDecimal(digits: 50, decimals: 2)])
        configuration.tickSize = try ExactDecimal("0.1")
        #expect(try Survey(recording, configuration).instruments.map(\.tick) == [ExactDecimal(digits: 1, decimals: 1)])
        for wrong in ["0", "-1", "0.001"] {
            configuration.tickSize = try ExactDecimal(wrong)
            let error = #expect(throws: ReplayError.self) { _ = try Replay.run(configuration) }
            #expect("\(try #require(error))".hasPrefix("--tick-size: "))
        }
    }

    @Test func aMessageThatCannotBeReadIsNamedAndTheRestGoesOn() throws {
        let events = depth(1, 8, 10, 7, bids: "[]") + "2 \(snapshot)\n"
        let result = try replay(
            events + "3 {\"e\":\"depthUpdate\",\n" + depth(4, 11, 12, 10, bids: "[[\"100.5\",\"x\"]]")
                + depth(5, 13, 14, 12, bids: "[[\"100.123\",\"1\"]]"))
        #expect(result.frames == 5 && result.unreadable == 3)
        #expect(result.problems.count == 3)
        for (problem, line) in zip(result.problems, 3...) { #expect(problem.contains("recording, line \(line): ")) }
        #expect(result.problems[2].contains("more decimals"))
        #expect(result.books.first?.state == "stale")
    }

    /// Another venue's messages are all unknown, which is no result.
    @Test func theWrongVenueIsTold() throws {
        let error = #expect(throws: ReplayError.self) {
            _ = try replay(depth(1, 1, 2, 0, bids: "[]")) { $0.venue = .polymarket }
        }
        #expect(error?.description.contains("no message is one of polymarket's") == true)
    }

    @Test func optionsAreChecked() throws {
        let text = depth(1, 1, 2, 0, bids: "[]")
        for (price, quantity) in [(19, 0), (-1, 0), (10, 9), (0, 19)] {
            #expect(throws: ReplayError.self) {
                _ = try replay(text) {
                    $0.priceDecimals = price
                    $0.quantityDecimals = quantity
                }
            }
        }
        let book =
            "1 {\"event_type\":\"book\",\"market\":\"m\",\"asset_id\":\"7\",\"timestamp\":\"1\",\"bids\":[],\"asks\":[]}\n"
        #expect(throws: ReplayError.self) { _ = try replay(book) { $0.minOrderSize = "some" } }
    }

    @Test func theAnswerHasTheAgreedKeys() throws {
        let result = try replay(depth(1, 8, 10, 7, bids: "[]"))
        let data = try JSONEncoder().encode(result)
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(Set(object.keys) == ["frames", "events", "seconds", "orders", "fills", "books"])
        let book = try #require((object["books"] as? [[String: Any]])?.first)
        #expect(
            Set(book.keys) == [
                "instrument", "state", "applied", "levels", "best", "digest", "ticker", "hash", "gaps", "resyncs",
            ])
        #expect(book["best"] is NSNull)
        #expect(book["state"] as? String == "syncing")
        #expect(book["digest"] as? String == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test func recordedSpeedChangesNothingButTheTimeItTakes() throws {
        var text = depth(1_000_000_000, 8, 10, 7, bids: "[]") + "1000000001 \(snapshot)\n"
        for index in 0..<10 {
            text += depth(
                1_000_000_002 + 10_000_000 * index, 11 + index, 11 + index, 10 + index,
                bids: "[[\"100.6\",\"\(index)\"]]")
        }
        let fast = try replay(text)
        let paced = try replay(text) { $0.speed = 2 }
        #expect(fast.books == paced.books && fast.events == paced.events)
        #expect(paced.seconds >= 0.045, "90 ms at twice the speed")
    }

    @Test func aReplayCanBeEnded() throws {
        var text = ""
        for index in 0..<9000 { text += depth(index + 1, 1, 2, 0, bids: "[]") }
        let scratch = try Scratch()
        var seen: [UInt64] = []
        let result = try Replay.run(ReplayConfiguration(path: try scratch.file("recording", text))) {
            seen.append($0.frames)
            return $0.frames < 8000
        }
        #expect(seen == [4096, 8192] && result.frames == 8192)
    }
}
