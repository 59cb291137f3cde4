import Foundation
import FoundationXML
import Testing

@testable import apus_bench

@Suite struct ReportTests {
    private func row(_ ours: Double, peers: [Double], isRate: Bool = false) -> Row {
        var row = Row(
            name: "a", work: "work", unit: "ns", ours: Figure("", median: ours), floor: Figure("floor", median: 2))
        row.isRate = isRate
        row.peers = peers.map { Figure("p\($0)", median: $0) }
        return row
    }

    @Test func theHardestPeerCounts() {
        #expect(row(5, peers: [20, 10]).ratioToPeer == 0.5)
        #expect(row(20, peers: [20, 10], isRate: true).ratioToPeer == 1)
        #expect(row(5, peers: []).ratioToPeer == nil)
        #expect(row(5, peers: []).ratioToFloor == 2.5)
    }

    @Test func medianAndTailOfRepetitions() {
        let values = (1...100).map(Double.init).shuffled()
        let latency = Figure("x", of: values), rate = Figure("x", of: values, isRate: true)
        #expect(latency.median == 51 && latency.p99 == 100)
        // The worse tail of a rate is its low end.
        #expect(rate.median == 50 && rate.p99 == 1)
        #expect(quantile([], 0.5).isNaN)
    }

    @Test func goalsAreMetMissedOrNotJudged() {
        #expect(Goal.atMost(1, 1, "").isMet == true)
        #expect(Goal.atMost(1, 1.01, "").isMet == false)
        #expect(Goal.atLeast(2, 1.9, "").isMet == false)
        #expect(Goal.atLeast(2, nil, "").isMet == nil)
        var missed = row(5, peers: [1])
        missed.goals = [.atMost(1, missed.ratioToPeer, "× it")]
        #expect(missed.isMissed)
        missed.goals = [.atMost(1, nil, "× it")]
        #expect(!missed.isMissed)
    }

    @Test func theTableNamesWhatIsMissing() {
        var row = row(5, peers: [])
        row.missing = ["the peer `x` was not built"]
        row.goals = [.atMost(1, nil, "× x")]
        var report = Report(machine: .this(), isQuick: true)
        report.rows = [row]
        report.failures = [Failure(name: "b", reason: "no memory")]
        report.missing = [Failure(name: "c", reason: "l2.bin is not there")]
        let text = Table(report).text
        #expect(text.contains("a: the peer `x` was not built"))
        #expect(text.contains("not judged: at most 1.00 × x"))
        #expect(text.contains("b FAILED: no memory"))
        #expect(text.contains("c not measured: l2.bin is not there"))
    }

    @Test func numbersBehindLabels() {
        let line = "tick-indexed + bitmap      ns/update min 6.15 med 6.31 max 6.22  -> 162.3 M/s  checksum OK"
        #expect(number(after: "med", in: line) == 6.31)
        #expect(number(after: "levels:", in: "ns: 1.5 levels: 120000 checksum: 7") == 120_000)
        #expect(number(after: "nothing", in: line) == nil)
    }

    @Test func whatIsNotThereIsNoFailure() throws {
        let scratch = try Scratch()
        let session = Session(
            isQuick: true, isHour: false, peers: Folder(scratch.path), shared: Folder(scratch.path), apus: "")
        let error = #expect(throws: BenchmarkError.self) { try BookOnL2().run(session) }
        #expect(error?.isMissing == true)
        #expect(session.peer("books") == nil)
    }

    @Test func unknownNamesAreRefused() {
        #expect(throws: BenchmarkError.self) { try Registry.rows(named: ["no-such-row"]) }
        #expect((try? Registry.rows(named: ["book"]).map(\.name)) == ["book-l2", "book-depth", "book-instruments"])
        #expect(Set(Registry.all.map(\.name)).count == Registry.all.count)
    }
}

@Suite struct DrawingTests {
    @Test func aPictureIsWellFormed() throws {
        let values = (1...10_000).map { Double($0) }
        let plot = Plot(
            title: "a < b & \"c\"", axis: .percentile, xLabel: "share", yLabel: "µs",
            lines: [Plot.distribution("ours", values), Plot.distribution("theirs", values.map { $0 * 3 })])
        let svg = Drawing(plot).svg
        let parser = XMLParser(data: Data(svg.utf8))
        #expect(parser.parse(), "\(String(describing: parser.parserError))")
        #expect(svg.components(separatedBy: "<polyline").count == 3)
        #expect(!svg.contains("nan") && !svg.contains("inf"))
    }

    @Test func tailsWithFewValuesAreNotDrawn() {
        let line = Plot.distribution("x", (1...1000).map(Double.init))
        #expect(line.points.last?[0] == 0.995)
    }

    @Test func aFlatLineHasAScale() {
        let plot = Plot(
            title: "t", axis: .logarithmic, xLabel: "n", yLabel: "ns",
            lines: [.init(name: "x", points: [[1, 5], [10, 5]])])
        #expect(!Drawing(plot).svg.contains("nan"))
    }
}

@Suite struct DocumentTests {
    private func page(_ text: String) throws -> (Document, Scratch) {
        let scratch = try Scratch()
        try text.write(toFile: scratch.file("PERFORMANCE.md"), atomically: true, encoding: .utf8)
        return (Document(folder: scratch.path), scratch)
    }

    private var report: Report {
        var report = Report(machine: .this(), isQuick: false)
        report.rows = [Row(name: "a", work: "Work.", unit: "ns", ours: Figure("", median: 1))]
        return report
    }

    @Test func onlyWhatIsBetweenTheMarksChanges() throws {
        let (document, scratch) = try page(
            "# Title\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nText by people.\n")
        try document.renew(report, isComplete: true)
        let text = try String(contentsOfFile: scratch.file("PERFORMANCE.md"), encoding: .utf8)
        #expect(text.hasPrefix("# Title\n") && text.hasSuffix("Text by people.\n"))
        #expect(!text.contains("old") && text.contains("### a"))
    }

    @Test func aPartialRunIsNotShown() throws {
        let (document, first) = try page("<!-- measured: begin --><!-- measured: end -->")
        let (unmarked, second) = try page("no marks")
        withExtendedLifetime((first, second)) {
            #expect(throws: BenchmarkError.self) { try document.renew(report, isComplete: false) }
            #expect(throws: BenchmarkError.self) { try unmarked.renew(report, isComplete: true) }
        }
    }
}

@Suite struct MessageTests {
    @Test func messagesHaveTheSizesThatTheRowsName() throws {
        var maker = MessageMaker(seed: 7)
        #expect(abs(try maker.binance(2000).meanLength - 283) < 2)
        #expect(abs(try maker.polymarket(2000).meanLength - 377) < 2)
        #expect(abs(try maker.stream(2000).meanLength - 309) < 4)
    }

    @Test func framesAreThoseOfAServer() throws {
        let corpus = try Corpus()
        try corpus.add("abc")
        try corpus.add(String(repeating: "x", count: 300))
        #expect(Array(corpus.frames().prefix(8)) == [0x81, 3, 97, 98, 99, 0x81, 126, 1])
    }
}
