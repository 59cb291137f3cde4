import CApusRing
import Testing

@testable import ApusEngine

@Suite struct CircuitBreakerTests {
    private let second: UInt64 = 1_000_000_000

    private func breaker(_ configuration: BreakerConfiguration) -> (CircuitBreaker, BreakerLog) {
        let log = BreakerLog()
        return (CircuitBreaker("venue", configuration, log: log), log)
    }

    @Test func theReadyMadeOnes() {
        let breakers = CircuitBreakers(["ml_predictor": BreakerConfiguration(failureThreshold: 9, timeoutSeconds: 1)])
        func configured(_ name: String) -> [Int] {
            let configuration = breakers.named(name).configuration
            return [configuration.failureThreshold, configuration.timeoutSeconds]
        }
        #expect(configured("deriv_api") == [3, 30])
        #expect(configured("ml_predictor") == [9, 1], "as configured")
        #expect(configured("trading_engine") == [2, 120])
        #expect(breakers.named("binance-usdm").state == .closed, "one for each venue connection")
        #expect(breakers.named("binance-usdm") === breakers.named("binance-usdm"))
        #expect(breakers.all.map(\.name) == ["deriv_api", "ml_predictor", "trading_engine", "binance-usdm"])
    }

    @Test func failuresInARowOpenIt() {
        let (breaker, log) = breaker(BreakerConfiguration(failureThreshold: 3, timeoutSeconds: 30))
        breaker.record(.venueError, 1)
        breaker.record(.timeOut, 2)
        breaker.record(.success, 3)
        breaker.record(.venueError, 4)
        breaker.record(.venueError, 5)
        #expect(breaker.state == .closed && breaker.allows(6) && breaker.failures == 2)
        breaker.record(.timeOut, 7)
        #expect(breaker.state == .open && !breaker.allows(8))
        #expect(
            log.transitions(after: 0) == [
                BreakerTransition(number: 1, time: 7, breaker: 0, from: .closed, to: .open, reason: .failures)
            ])
        #expect(log.name(of: 0) == "venue")
    }

    @Test func aLostConnectionIsOneFailureHoweverManyCallsWereOnIt() {
        let (breaker, _) = breaker(BreakerConfiguration(failureThreshold: 3, timeoutSeconds: 30))
        for time in [1, 1, 1, 1, 2, 2] as [UInt64] { breaker.record(.timeOut, time) }
        #expect(breaker.state == .closed && breaker.failures == 2)
        breaker.record(.timeOut, 3)
        #expect(breaker.state == .open)
    }

    @Test(arguments: [CallOutcome.ourFault, .rateLimited, .notMade, .success])
    func othersAreNoFailures(_ outcome: CallOutcome) {
        let (breaker, log) = breaker(BreakerConfiguration(failureThreshold: 1, timeoutSeconds: 30))
        for time in 0..<100 { breaker.record(outcome, UInt64(time)) }
        #expect(breaker.state == .closed && log.count == 0)
        breaker.record(.venueError, 101)
        #expect(breaker.state == .open, "the same breaker opens")
    }

    @Test func halfOpenLetsAFewThroughAndClosesAfterSuccesses() {
        let (breaker, log) = breaker(
            BreakerConfiguration(failureThreshold: 1, timeoutSeconds: 30, successThreshold: 2, halfOpenMaxCalls: 2))
        breaker.record(.timeOut, 0)
        #expect(!breaker.allows(30 * second - 1))
        #expect(breaker.allows(30 * second))
        #expect(breaker.state == .halfOpen)
        #expect(breaker.allows(30 * second))
        #expect(!breaker.allows(30 * second), "two are under way")
        breaker.record(.ourFault, 31 * second)
        #expect(breaker.state == .halfOpen, "it says nothing, but makes room")
        #expect(breaker.allows(31 * second))
        breaker.record(.success, 32 * second)
        #expect(breaker.state == .halfOpen)
        breaker.record(.success, 33 * second)
        #expect(breaker.state == .closed && breaker.failures == 0)
        #expect(log.transitions(after: 1).map(\.reason) == [.timeoutOver, .successes])
        #expect(log.next(after: 1)?.to == .halfOpen)
        #expect(log.next(after: 3) == nil)
    }

    @Test func aFailedProbeOpensItAgain() {
        let (breaker, log) = breaker(BreakerConfiguration(failureThreshold: 1, timeoutSeconds: 10))
        breaker.record(.venueError, 0)
        #expect(breaker.allows(10 * second))
        breaker.record(.timeOut, 11 * second)
        #expect(breaker.state == .open && !breaker.allows(20 * second))
        #expect(breaker.allows(21 * second), "the timeout has begun anew")
        #expect(log.transitions(after: 0).map(\.reason) == [.failures, .timeoutOver, .failedProbe, .timeoutOver])
    }

    @Test func whatWasUnderWayWhenItOpenedChangesNothing() {
        let (breaker, _) = breaker(BreakerConfiguration(failureThreshold: 1, timeoutSeconds: 10))
        breaker.record(.venueError, 0)
        breaker.record(.venueError, 9 * second)
        breaker.record(.success, 9 * second)
        #expect(breaker.state == .open)
        #expect(breaker.allows(10 * second), "late failures do not prolong it")
    }

    @Test func probesThatNobodyReportsAreForgotten() {
        let (breaker, _) = breaker(
            BreakerConfiguration(failureThreshold: 1, timeoutSeconds: 10, halfOpenMaxCalls: 1))
        breaker.record(.venueError, 0)
        #expect(breaker.allows(10 * second))
        #expect(!breaker.allows(19 * second))
        #expect(breaker.allows(20 * second))
    }

    @Test func aPersonMayCloseIt() {
        let (breaker, log) = breaker(BreakerConfiguration(failureThreshold: 1, timeoutSeconds: 10))
        breaker.close(1)
        #expect(log.count == 0)
        breaker.record(.venueError, 2)
        breaker.close(3)
        #expect(breaker.allows(4) && breaker.state == .closed)
        #expect(log.transitions(after: 1).map(\.reason) == [.person])
    }

    @Test func theLogKeepsTheNewest() {
        let (breaker, log) = breaker(BreakerConfiguration(failureThreshold: 1, timeoutSeconds: 1))
        for time in 0..<400 {
            breaker.record(.venueError, UInt64(time))
            breaker.close(UInt64(time))
        }
        #expect(log.count == 800)
        #expect(log.transitions(after: 0).map(\.number) == Array(545...800))
        #expect(log.next(after: 0)?.number == 545)
        #expect(log.next(after: 799)?.number == 800)
    }

    @Test func manyThreadsMayTell() async {
        let (breaker, log) = breaker(BreakerConfiguration(failureThreshold: 1_000, timeoutSeconds: 1))
        await withTaskGroup(of: Void.self) { group in
            for first in stride(from: 0, to: 1_000, by: 250) {
                group.addTask { for time in first..<first + 250 { breaker.record(.timeOut, UInt64(time)) } }
            }
        }
        #expect(breaker.state == .open && log.count == 1, "every failure was counted, and the last of them opened it")
    }

    @Test(arguments: [
        (VenueFamily.binance, Int32(-1007), CallOutcome.timeOut), (.binance, -1003, .rateLimited),
        (.binance, -1015, .rateLimited), (.binance, -1001, .venueError), (.binance, -1008, .venueError),
        (.binance, -2010, .ourFault), (.binance, -2019, .ourFault), (.binance, 503, .venueError),
        (.polymarket, 425, .venueError), (.polymarket, 429, .rateLimited), (.polymarket, 400, .ourFault),
        (.polymarket, -1007, .ourFault), (.deriv, 0, .ourFault), (.other, 500, .venueError),
        (.deriv, 3, .rateLimited), (.deriv, 24, .venueError), (.deriv, 8, .ourFault), (.binance, 3, .ourFault),
    ])
    func refusalsAreClassified(_ family: VenueFamily, _ code: Int32, _ outcome: CallOutcome) {
        #expect(family.outcome(ofCode: code) == outcome)
    }

    @Test func reportsAreClassified() {
        func outcome(_ kind: apus_report_kind, _ code: Int32 = 0) -> CallOutcome? {
            var report = apus_report()
            report.kind = UInt8(kind.rawValue)
            report.code = code
            return CallOutcome(&report, VenueFamily(venue: "binance-usdm"))
        }
        #expect(outcome(APUS_REPORT_ACCEPTED) == .success)
        #expect(outcome(APUS_REPORT_UNKNOWN) == .timeOut)
        #expect(outcome(APUS_REPORT_REJECTED, -2010) == .ourFault)
        #expect(outcome(APUS_REPORT_CANCEL_REJECTED, -1001) == .venueError)
        #expect(outcome(APUS_REPORT_REFUSED, Int32(APUS_GUARD_NOT_CONNECTED.rawValue)) == .notMade)
        #expect(outcome(APUS_REPORT_REFUSED, Int32(APUS_GUARD_AGE.rawValue)) == .notMade)
        #expect(outcome(APUS_REPORT_SENT) == nil)
        #expect(outcome(APUS_REPORT_FUNDING) == nil)
    }
}
