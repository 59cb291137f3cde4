package import Apus

/// What the decision agent is made from, besides its ports.
package struct EngineConfiguration: Sendable {
    /// The high half of every order number: another one for each run, so that a number is never used twice.
    package var runTag: UInt32
    package var limits = RiskLimits()
    /// What `Context.balance` starts from.
    package var startBalance = Money.zero
    /// Orders known at once, open and lately ended: a power of two.
    package var orderCapacity = 4096
    /// An open order is asked about when nothing was heard of it for so long, in nanoseconds: a stream that loses an
    /// event does not say so. 0: never.
    package var reconcilePause: UInt64 = 30_000_000_000
    /// How long after its decision an order may still reach the venue, in nanoseconds: before that, "not found" says
    /// nothing. Binance takes a request for 5 s after its stamp, by a clock that may be up to 1 s behind ours.
    package var lateArrival: UInt64 = 6_500_000_000
    /// Events of one turn at most.
    package var eventBatch = 256
    /// Reports of one turn at most.
    package var reportBatch = 256

    package init(runTag: UInt32) { self.runTag = runTag }
}
