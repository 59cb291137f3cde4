import ArgumentParser
import Foundation

/// The command line of the benchmark program.
struct ApusBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus-bench",
        abstract: "Measures every hop of Apus beside its peer and its floor, in one run.",
        discussion: """
            Peers and floors are built by `make bench` from ../shared/peers and Benchmarks/Peers. Where one is missing, its row \
            says so. Exit codes: 0 done, 1 a measurement failed, 2 done, but with --strict a goal was missed.
            """)

    @Option(help: ArgumentHelp("Run one row or group of rows; may be repeated.", valueName: "name"))
    var only: [String] = []
    @Flag(help: "Print one JSON object in place of the table.") var json = false
    @Flag(help: "Fewer repetitions: for a first look, not for figures.") var quick = false
    @Flag(help: "End with 2 when a goal is missed.") var strict = false
    @Flag(help: "List the rows and their goals, and stop.") var list = false
    @Flag(help: "Measure memory for the full hour instead of half a minute.") var hour = false
    @Option(help: ArgumentHelp("Where the shared peers were built.", valueName: "folder"))
    var peers = "Benchmarks/.build/peers"
    @Option(help: ArgumentHelp("The shared folder: recordings and the peers' sources.", valueName: "folder"))
    var shared = "../shared"
    @Option(help: ArgumentHelp("The release binary for the rows about a whole process.", valueName: "file"))
    var apus = ".build/release/apus"
    @Option(help: ArgumentHelp("Renew the table and the plots of this documentation folder.", valueName: "folder"))
    var document: String?

    func validate() throws {
        if document != nil, quick || !only.isEmpty {
            throw ValidationError("--document shows one whole run: leave out --only and --quick")
        }
    }

    func run() throws {
        let chosen = try Registry.rows(named: only)
        if list {
            for benchmark in chosen { print(benchmark.summary) }
            return
        }
        let session = Session(
            isQuick: quick, isHour: hour, peers: Folder(peers), shared: Folder(shared), apus: apus)
        let report = measure(chosen, session)
        try show(report)
        if let document { try Document(folder: document).renew(report, isComplete: only.isEmpty && !quick) }
        if !report.failures.isEmpty { throw ExitCode(1) }
        if strict, report.rows.contains(where: \.isMissed) { throw ExitCode(2) }
    }

    private func measure(_ chosen: [any Benchmark], _ session: Session) -> Report {
        var report = Report(machine: .this(), isQuick: quick)
        for benchmark in chosen {
            Progress.show("measuring \(benchmark.name)")
            do {
                report.rows += try benchmark.run(session)
            } catch let error as BenchmarkError where error.isMissing {
                report.missing.append(Failure(name: benchmark.name, reason: error.description))
            } catch {
                report.failures.append(Failure(name: benchmark.name, reason: "\(error)"))
            }
        }
        Progress.clear()
        return report
    }

    private func show(_ report: Report) throws {
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            print(Table(report).text)
        }
    }
}
