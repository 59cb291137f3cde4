import ApusEngine
import ApusLive
import Foundation
import Glibc
import Testing

@testable import ApusCommand
@testable import ApusVenue

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

    @Test func theVenueCancelsWhenEngineAndSupervisorAreBothGone() async throws {
        try await onThread {
            let run = try CrashRun("dead-man")
            let process = try run.start([
                "--strategy", "crasher", "--set", "strategy.parameters.how=stay", "--set",
                "strategy.parameters.away=5000",
                "--set", "supervisor.dead_man_seconds=6",
            ])
            try run.waitForOpenOrders(2)
            let armed = try run.deadline(after: 0)
            _ = try run.deadline(after: armed)
            let supervisor = try #require(try children(of: process.processIdentifier).first)
            // Stopped, it does not see the engine's end.
            kill(supervisor, SIGSTOP)
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            kill(supervisor, SIGKILL)
            #expect(try run.venue.orders().open == 2)
            try run.waitForOpenOrders(0)
            #expect(try run.deadline() == nil)
            #expect(!Files.names(in: run.journal).contains { $0.hasPrefix("supervisor-") })
            try run.venue.stop()
        }
    }
}
