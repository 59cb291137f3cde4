import ApusEngine
import Foundation
import Glibc
import Testing

@testable import ApusCommand
@testable import ApusLive

/// A run of the program of `Tests/Crash` in a process of its own, against a venue of this one.
private final class CrashRun {
    let venue: RigVenue
    let folder: String
    let name: String

    init(_ name: String) throws {
        venue = try RigVenue()
        var template = Array("/tmp/apus-test-XXXXXX".utf8CString)
        folder = String(cString: mkdtemp(&template))
        self.name = "apus-test-\(name)-\(getpid())"
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    var journal: String { "\(folder)/journal" }

    private var settings: [String] {
        let address = "http://127.0.0.1:\(venue.port)"
        return [
            "mode=live", "venue.kind=binance-usdm", "venue.rest=\(address)", "venue.stream=\(address)",
            "venue.user=\(address)", "venue.orders=\(address)", "engine.name=\(name)", "engine.socket=\(folder)/c.sock",
            "journal.path=\(journal)", "journal.segment_mb=1", "supervisor.stall_seconds=1",
            "risk.price_band_ppm=100000",
        ]
    }

    /// Starts it; the environment holds the account's keys.
    func start(_ arguments: [String]) throws -> Process {
        let process = Process()
        let here = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        process.executableURL = here.appendingPathComponent("ApusCrash")
        process.arguments = ["run", "--plain"] + settings.flatMap { ["--set", $0] } + arguments
        var environment = ProcessInfo.processInfo.environment
        environment["APUS_BINANCE_API_KEY"] = venue.key
        environment["APUS_BINANCE_API_SECRET"] = venue.secret
        environment["SWIFT_BACKTRACE"] = "enable=no"
        process.environment = environment
        try process.run()
        return process
    }

    func waitForOpenOrders(_ count: Int) throws {
        let end = ContinuousClock.now + .seconds(120)
        while try venue.orders().open != count {
            try #require(ContinuousClock.now < end, "there are never \(count) orders open")
            usleep(10_000)
        }
    }

    /// What the engine says of itself, once that is as it should be.
    func status(_ isAsExpected: (ControlReply) -> Bool) throws -> ControlReply {
        let end = ContinuousClock.now + .seconds(120)
        while true {
            let status = try ControlClient.ask(
                ControlRequest(.status), at: "\(folder)/c.sock", patience: .seconds(30)
            ).reply
            if isAsExpected(status) { return status }
            try #require(ContinuousClock.now < end, "the engine's last word: \(status)")
            usleep(10_000)
        }
    }

    /// The reports that the supervisor leaves; waits for as many.
    func reports(_ count: Int = 1) throws -> [RescueReport] {
        let end = ContinuousClock.now + .seconds(120)
        while true {
            let files = Files.names(in: journal).filter { $0.hasPrefix("supervisor-") }
            if files.count >= count {
                return try files.map {
                    try JSONDecoder().decode(
                        RescueReport.self, from: Data(contentsOf: URL(fileURLWithPath: "\(journal)/\($0)")))
                }
            }
            try #require(ContinuousClock.now < end, "the supervisor has left \(files.count) reports, not \(count)")
            usleep(20_000)
        }
    }
}

@Suite(.serialized) struct SupervisorTests {
    @Test(arguments: ["trap", "kill"])
    func cancelsWhatACrashLeavesOpenAndTheNextRunGoesOn(_ how: String) async throws {
        try await onThread {
            let run = try CrashRun("crash-\(how)")
            let process = try run.start(["--strategy", "crasher", "--set", "strategy.parameters.how=\(how)"])
            process.waitUntilExit()
            #expect(process.terminationReason == .uncaughtSignal)
            let report = try #require(try run.reports().first)
            #expect(report.isComplete && report.unconfirmed.isEmpty && report.problems.isEmpty)
            #expect(report.orders.count == 2 && report.orders.allSatisfy { $0.outcome == .canceled })
            #expect(try run.venue.orders().all == 2 && run.venue.orders().open == 0)

            let next = try run.start(["--strategy", "watcher", "--seconds", "1"])
            next.waitUntilExit()
            #expect(next.terminationReason == .exit && next.terminationStatus == ExitStatus.success)
            let opened = try OpenedJournal(
                JournalConfiguration(
                    path: run.journal,
                    account: Credentials.binance(BinanceCredentials(key: run.venue.key, secret: "")).account),
                access: .read)
            #expect(opened.openOrders.isEmpty && opened.state.runs == 2 && opened.state.wasStopped)
            #expect(opened.state.runTags.count == 2)
            try run.venue.stop()
        }
    }

    @Test func signalsHaltAndStopInOrder() async throws {
        try await onThread {
            let run = try CrashRun("signals")
            let process = try run.start(["--strategy", "crasher", "--set", "strategy.parameters.how=stay"])
            try run.waitForOpenOrders(2)
            kill(process.processIdentifier, SIGUSR2)
            kill(process.processIdentifier, SIGUSR1)
            try run.waitForOpenOrders(0)
            // The engine hears of it a little later.
            let status = try run.status { $0.openOrders == 0 }
            #expect(status.ok && status.trading == "halted")
            #expect((status.journal?.written ?? 0) > 4 && status.journal?.path == run.journal)
            #expect(ApusProgram.run(["resume", run.name, "--socket", "\(run.folder)/c.sock"], strategies: []) == 0)
            kill(process.processIdentifier, SIGTERM)
            process.waitUntilExit()
            #expect(process.terminationReason == .exit && process.terminationStatus == ExitStatus.success)
            // The supervisor was told: it leaves no report.
            #expect(!Files.names(in: run.journal).contains { $0.hasPrefix("supervisor-") })
            #expect(ApusProgram.run(["halt", run.name, "--socket", "\(run.folder)/c.sock"], strategies: []) == 69)
            try run.venue.stop()
        }
    }

    @Test func cancelsForAnEngineThatHangs() async throws {
        try await onThread {
            let run = try CrashRun("hang")
            let process = try run.start(["--strategy", "crasher", "--set", "strategy.parameters.how=hang"])
            let report = try #require(try run.reports().first)
            #expect(process.isRunning)
            #expect(report.isComplete && report.reason.contains("no heartbeat"))
            #expect(try run.venue.orders().open == 0)
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            // It looks once more when the engine is gone.
            #expect(try run.reports(2).allSatisfy(\.isComplete))
            try run.venue.stop()
        }
    }
}
