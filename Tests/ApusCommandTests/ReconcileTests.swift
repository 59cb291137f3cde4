import ApusEngine
import ApusLive
import Foundation
import Glibc
import Testing

@testable import ApusCommand

/// `apus reconcile` on what a killed engine has left behind.
@Suite(.serialized) struct ReconcileTests {
    private struct Report: Decodable {
        struct Line: Decodable, Equatable {
            var kind: Difference.Kind
            var action: Difference.Action
        }

        var agreed: Bool
        var applied: Bool
        var needsPerson: Bool
        var differences: [Line]

        enum CodingKeys: String, CodingKey {
            case agreed, applied, differences
            case needsPerson = "needs_person"
        }

        func has(_ kind: Difference.Kind, _ action: Difference.Action) -> Bool {
            differences.contains(Line(kind: kind, action: action))
        }
    }

    private func report(_ run: CrashRun, _ arguments: String...) throws -> (Report, Int32) {
        let (text, status) = try run.output(["reconcile", "--json"], arguments)
        return (try JSONDecoder().decode(Report.self, from: Data(text.utf8)), status)
    }

    /// An engine dies with two orders open and nobody beside it, and somebody cancels one of them at the venue.
    private func leftBehind(_ name: String) throws -> CrashRun {
        let run = try CrashRun(name)
        let process = try run.start([
            "--strategy", "crasher", "--set", "strategy.parameters.how=kill", "--set", "strategy.parameters.away=5000",
            "--set", "supervisor.enabled=false",
        ])
        process.waitUntilExit()
        try run.waitForOpenOrders(2)
        try run.venue.cancelByHand()
        return run
    }

    @Test func differencesAreToldSettledByTheRuleAndThenGone() async throws {
        try await onThread { [self] in
            let run = try leftBehind("reconcile"), rule = ["--set", "recovery.open_orders=cancel"]
            let (text, status) = try run.output(["reconcile"], rule)
            #expect(status == ExitStatus.failure && text.contains("open order") && text.contains("canceled"))
            #expect(text.contains("order that has ended") && text.contains("closed in the journal"))
            #expect(text.contains("--apply settles them as said"))
            let (found, code) = try report(run, "--set", "recovery.open_orders=cancel")
            #expect(code == ExitStatus.failure && !found.agreed && !found.applied && !found.needsPerson)
            #expect(found.has(.openOrder, .cancel) && found.has(.endedOrder, .close))
            #expect(try run.venue.orders().open == 1, "nothing is changed without --apply")

            let (settled, done) = try report(run, "--set", "recovery.open_orders=cancel", "--apply")
            #expect(done == ExitStatus.success && settled.agreed && settled.applied)
            #expect(settled.has(.openOrder, .cancel) && settled.has(.endedOrder, .close))
            #expect(try run.venue.orders().open == 0)

            let (again, last) = try report(run)
            #expect(last == ExitStatus.success && again.agreed && again.differences.isEmpty)
            #expect(try run.output(["reconcile"]) == ("journal and venue agree\n", ExitStatus.success))
            try run.venue.stop()
        }
    }

    /// It is a person's word, and settling differences is none.
    @Test func aHaltOutlivesTheSettling() async throws {
        try await onThread {
            let run = try CrashRun("halted")
            let process = try run.start(["--strategy", "watcher"])
            _ = try run.status { $0.openOrders == 0 }
            let socket = "\(run.folder)/c.sock"
            #expect(try ControlClient.ask(ControlRequest(.halt), at: socket, patience: .seconds(30)).reply.ok)
            kill(process.processIdentifier, SIGTERM)
            process.waitUntilExit()
            #expect(try run.output(["reconcile", "--apply"]).status == ExitStatus.success)
            let next = try run.start(["--strategy", "watcher"])
            #expect(try run.status { $0.openOrders == 0 }.trading == "halted")
            kill(next.processIdentifier, SIGTERM)
            next.waitUntilExit()
            try run.venue.stop()
        }
    }

    @Test func whatAPersonMustDecideIsLeftAlone() async throws {
        try await onThread { [self] in
            let run = try leftBehind("person")
            try run.venue.placeByHand(
                "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price=60000.00")
            let stop = ["--set", "recovery.foreign_orders=stop"]
            let (text, status) = try run.output(["reconcile"], stop)
            #expect(status == ExitStatus.failure && text.contains("order that is not ours"))
            #expect(text.contains("a person must decide: settle it at the venue"))
            #expect(try run.output(["reconcile", "--apply"], stop) == ("", ExitStatus.failure))
            #expect(try run.venue.orders().open == 2)

            // What is left alone is told and is no difference.
            let settled = try report(run, "--apply")
            #expect(settled.1 == ExitStatus.success && settled.0.agreed && settled.0.has(.openOrder, .note))
            let again = try report(run)
            #expect(again.1 == ExitStatus.success && again.0.agreed)
            #expect(again.0.has(.foreignOrder, .note) && again.0.has(.openOrder, .note))
            #expect(try run.venue.orders().open == 2)
            try run.venue.stop()
        }
    }
}
