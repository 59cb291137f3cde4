import Apus
import ApusSamples
import Foundation
import Testing

@testable import ApusReplay

/// Real bytes end in the right books.
@Suite struct RecordedTests {
    private func agrees(_ book: ReplayBook, _ reference: Shared.Reference) -> Bool {
        book.instrument == reference.instrument && book.applied == reference.applied && book.levels == reference.levels
            && book.best == reference.best && book.digest == reference.digest && book.ticker == reference.ticker
            && book.gaps == reference.gaps && book.state == "live"
    }

    @Test(.enabled(if: Shared.isNeeded, "needs ../shared")) func theFuturesRecordingEndsInTheReferenceBook() throws {
        let result = try Replay.run(ReplayConfiguration(path: Shared.futures))
        let reference = try Shared.reference(Shared.futures)
        try #require(result.books.count == 1 && reference.count == 1)
        #expect(agrees(result.books[0], reference[0]), "\(result.books[0]) is not \(reference[0])")
        #expect(result.venue == .binanceUSDM && result.form == .lines)
        #expect(result.frames == 93_954 && result.problems.isEmpty)
        #expect(result.books[0].ticker == [629, 629] && result.books[0].resyncs == 0)
    }

    @Test(.enabled(if: Shared.isNeeded, "needs ../shared")) func theSpotRecordingEndsInTheReferenceBooks() throws {
        let result = try Replay.run(ReplayConfiguration(path: Shared.spot))
        let reference = try Shared.reference(Shared.spot)
        try #require(result.books.count == 4 && reference.count == 4)
        for (book, expected) in zip(result.books, reference) {
            #expect(agrees(book, expected), "\(book) is not \(expected)")
        }
        #expect(result.venue == .binanceSpot && result.form == .folder && result.problems.isEmpty)
    }

    @Test(.enabled(if: Shared.isNeeded, "needs ../shared")) func theCrossingBurstIsProvenAndItsSisterClaimsNothing()
        throws
    {
        let result = try Replay.run(ReplayConfiguration(path: Shared.polymarket))
        try #require(result.books.count == 2)
        #expect(result.venue == .polymarket && result.form == .array && result.frames == 51)
        #expect(result.books[0].instrument.hasPrefix("7667") && result.books[0].state == "live")
        #expect(result.books[0].hash == [49, 49] && result.books[0].gaps == 0)
        #expect(result.books[1].instrument.hasPrefix("5417") && result.books[1].state == "syncing")
        #expect(result.books[1].hash == [0, 0] && result.books[1].levels == [0, 0] && result.books[1].best == nil)
    }

    @Test(.enabled(if: Shared.isNeeded, "needs ../shared")) func aWrongHashConfigurationIsNeverLive() throws {
        var configuration = ReplayConfiguration(path: Shared.polymarket)
        configuration.negRisk = true
        #expect(try Replay.run(configuration).books[0].state == "stale")
        configuration.negRisk = false
        configuration.minOrderSize = "15"
        let result = try Replay.run(configuration)
        #expect(result.books[0].state == "stale" && result.books[0].hash[0] == 0)
    }

    @Test(.enabled(if: Shared.isNeeded, "needs ../shared")) func otherDecimalsGiveTheSameBookInOtherUnits() throws {
        var configuration = ReplayConfiguration(path: Shared.futures)
        configuration.priceDecimals = 4
        configuration.quantityDecimals = 5
        configuration.venue = .binanceUSDM
        let result = try Replay.run(configuration)
        let reference = try Shared.reference(Shared.futures, "--price-decimals", "4", "--quantity-decimals", "5")
        #expect(agrees(result.books[0], try #require(reference.first)))
    }

    @Test(.enabled(if: Shared.isNeeded, "needs ../shared")) func aStrategyTradesTheSameTwice() throws {
        let strategies = [StrategySetting(try #require(Samples.all.first))]
        let first = try Replay.run(ReplayConfiguration(path: Shared.futures), strategies: strategies)
        let second = try Replay.run(ReplayConfiguration(path: Shared.futures), strategies: strategies)
        let alone = try Replay.run(ReplayConfiguration(path: Shared.futures))
        #expect(first.orders > 0 && first.fills > 0)
        #expect(first.summary == second.summary)
        #expect(first.summary?.eventsLost == 0 && first.summary?.overfills == 0)
        #expect(first.books == alone.books, "trading on paper does not move the recorded market")
        #expect(first.summary?.events == first.events)
    }

    @Test(.enabled(if: Shared.isNeeded, "needs ../shared")) func everyFormTellsTheSame() throws {
        let scratch = try Scratch()
        // The Polymarket array as lines, the lines plain and gzip, and as a capture with the same bytes.
        let elements = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: Shared.polymarket)))
                as? [[String: Any]])
        var lines = ""
        for element in elements {
            let data = try JSONSerialization.data(
                withJSONObject: element, options: [.sortedKeys, .withoutEscapingSlashes])
            let time = try #require(element["timestamp"] as? String)
            lines += "\(time)000000 \(String(decoding: data, as: UTF8.self))\n"
        }
        let expected = try Replay.run(ReplayConfiguration(path: Shared.polymarket)).books
        let plain = try scratch.file("lines", lines)
        #expect(try Replay.run(ReplayConfiguration(path: plain)).books == expected)
        let zip = Process()
        zip.executableURL = URL(filePath: "/usr/bin/env")
        zip.arguments = ["gzip", "--keep", plain]
        try zip.run()
        zip.waitUntilExit()
        #expect(try Replay.run(ReplayConfiguration(path: plain + ".gz")).books == expected)
        let capture = try CaptureSupport.capture(of: plain, to: scratch.path + "/capture", venue: "polymarket")
        let replayed = try Replay.run(ReplayConfiguration(path: capture))
        #expect(replayed.books == expected && replayed.form == .capture)
    }
}
