import ApusVenue
import Foundation
import Glibc
import Testing

@testable import ApusCommand

/// What a run does about orders that the order connection does not confirm as canceled.
@Suite(.serialized) struct StopTests {
    /// The order connection is lost behind the second order and does not come back.
    private static let lostConnection = [
        FaultRule(.cutAnswer, .afterMessages(1), target: FaultTarget(request: "order.place")),
        FaultRule(.httpStatus(503), .afterMessages(1), target: FaultTarget(request: "GET /ws-fapi/v1"), repeats: .max),
    ]

    /// Stops a run that has lost its order connection with two orders open. Returns what it printed.
    private func stopped(_ run: CrashRun) throws -> (text: String, status: Int32) {
        let pipe = Pipe()
        let process = try run.start(
            ["run", "--plain"],
            [
                "--strategy", "crasher", "--set", "strategy.parameters.how=stay", "--set",
                "strategy.parameters.away=5000",
                "--set", "venue.connections=1",
            ],
            output: pipe)
        try run.waitForOpenOrders(2)
        kill(process.processIdentifier, SIGTERM)
        let text = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        return (text, process.terminationStatus)
    }

    @Test func whatTheOrderConnectionDoesNotCancelIsCanceledOverREST() async throws {
        try await onThread { [self] in
            let run = try CrashRun("rest", faults: FaultPlan(rules: Self.lostConnection))
            let (text, status) = try stopped(run)
            #expect(status == ExitStatus.success && !text.contains("not confirmed"))
            #expect(try run.venue.orders() == (2, 0))
            try run.venue.stop()
        }
    }

    @Test func whatRESTDoesNotCancelEitherIsNamed() async throws {
        try await onThread { [self] in
            let refusal = FaultRule(
                .httpStatus(403), .afterMessages(0), target: FaultTarget(request: "DELETE /fapi/v1/order"),
                repeats: .max)
            let run = try CrashRun("named", faults: FaultPlan(rules: Self.lostConnection + [refusal]))
            let (text, status) = try stopped(run)
            #expect(status == ExitStatus.failure && text.contains("2 orders are not confirmed as ended"))
            for number in try run.venue.openNumbers() { #expect(text.contains("(client id \(number))")) }
            #expect(try run.venue.orders() == (2, 2))
            try run.venue.stop()
        }
    }
}
