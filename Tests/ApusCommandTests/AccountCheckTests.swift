import Apus
import ApusEngine
import ApusLive
import Foundation
import Glibc
import Testing

@testable import ApusCommand

/// A running engine's positions are held against the venue's.
@Suite struct AccountCheckTests {
    private static let settings = ["strategy.name=resting", "risk.price_band_ppm=100000"]
    private static let down = AccountError(.venue, "the venue is down")

    private func rig(_ name: String) throws -> TradingRig {
        try TradingRig(name, settings: Self.settings, strategies: [Resting.description])
    }

    /// What one comparison finds, and how often it asks for that.
    private func compared(
        _ rig: TradingRig, _ script: Result<AccountSnapshot, AccountError>...
    ) throws -> (finding: AccountCheck.Finding, questions: Int) {
        let account = ScriptedAccount(script)
        let check = AccountCheck(rig.engine, account, interval: .seconds(60))
        return (try blocking { await check.compare() }, account.asked.count)
    }

    @Test func onlyADifferenceThatStaysIsOne() async throws {
        try await onThread { [self] in
            let rig = try rig("compare")
            let flat = try AccountSnapshot.holding("0"), other = try AccountSnapshot.holding("0.5")
            #expect(try compared(rig, .success(flat)) == (.agrees, 1))
            #expect(try compared(rig, .success(other), .success(other), .success(flat)) == (.agrees, 3))
            #expect(
                try compared(rig, .success(other)) == (.differs("BTCUSDT: 0.000 here, 0.5 there"), 3))
            #expect(try compared(rig, .failure(Self.down)) == (.failed("the venue is down"), 1))
            _ = try rig.stop()
            #expect(try compared(rig, .success(flat)) == (.failed("the decision thread does not answer"), 0))
        }
    }

    @Test func aDifferenceIsToldAndHaltsAndCancels() async throws {
        try await onThread { [self] in
            let rig = try rig("differs")
            try rig.waitForOpenOrders(1)
            let log = Log()
            log.isHeld = true
            let account = ScriptedAccount([.failure(Self.down), .success(try .holding("0.5"))])
            let check = AccountCheck(rig.engine, account, interval: .zero)
            let end = ContinuousClock.now + .seconds(60)
            while rig.control.trading == .active {
                try #require(ContinuousClock.now < end, "the difference does not halt")
                check.follow(rig.control, log: log)
                usleep(5000)
            }
            try rig.waitForOpenOrders(0)
            let reason = "positions differ from the venue's: BTCUSDT: 0.000 here, 0.5 there"
            #expect(rig.control.takeTransitions().map(\.reason) == [reason])
            let lines = log.newest(10).map(\.text)
            #expect(lines.count == 2 && lines[1].hasSuffix(reason))
            #expect(lines[0].hasSuffix("positions could not be compared with the venue's: the venue is down"))
            _ = try rig.stop()
        }
    }
}
