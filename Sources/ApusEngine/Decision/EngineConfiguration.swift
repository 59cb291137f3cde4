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
    /// Events of one turn at most.
    package var eventBatch = 256
    /// Reports of one turn at most.
    package var reportBatch = 256

    package init(runTag: UInt32) { self.runTag = runTag }
}
