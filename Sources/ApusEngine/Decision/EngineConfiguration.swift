package import Apus
internal import CApusRing

/// What the decision agent is made from, besides its ports.
package struct EngineConfiguration: Sendable {
    /// The high half of every order number: another one for each run, so that a number is never used twice.
    package var runTag: UInt32
    package var limits = RiskLimits()
    /// What the account has at the start; nil: nobody has said, and it bounds no order.
    package var startBalance: Money?
    /// The trading day as a journal has it.
    package var day: TradingDay?
    /// The same of strategies with limits of their own, by name.
    package var strategyDays: [String: TradingDay] = [:]
    /// The journal knows several strategies: also one that runs alone has only what is its own.
    package var keepsApart = false
    /// The program's circuit breakers, and the name of the one that stands before the venue's orders.
    package var breakers: CircuitBreakers?
    package var venueBreaker = ""
    /// What one unit of another asset that fees are paid in is worth in the settlement asset; zero: nobody knows.
    package var otherFeeRate = Money.zero
    /// What positions are valued for, against the day's limits, at the latest: nanoseconds after a change.
    package var riskPause: UInt64 = 100_000_000
    /// Orders known at once, open and lately ended: a power of two.
    package var orderCapacity = 4096
    /// An open order is asked about when nothing was heard of it for so long, in nanoseconds: a stream that loses an
    /// event does not say so. 0: never.
    package var reconcilePause: UInt64 = 30_000_000_000
    /// How long after its decision an order or a change may still reach the venue, in nanoseconds: before that, "not found" and old
    /// terms say nothing (`apus_late_arrival_ms` says why). As Binance has it with its usual receive window, unless set.
    package var lateArrival = EngineConfiguration.lateArrival
    package static let lateArrival = apus_late_arrival_ms(UInt64(APUS_BINANCE_RECEIVE_WINDOW_MS)) * 1_000_000
    /// Events of one turn at most.
    package var eventBatch = 256
    /// Reports of one turn at most.
    package var reportBatch = 256

    package init(runTag: UInt32) { self.runTag = runTag }
}
