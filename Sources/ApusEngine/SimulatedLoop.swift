internal import CApusRing

/// Runs a decision agent and its paper venue in one thread on simulated time: every due time of either is visited in
/// order. No threads, no clock.
///
///     let loop = SimulatedLoop(decision: decision, paper: paper)
///     for message in recording {
///         loop.advance(to: message.time)          // what is due before the message
///         session.receive(message)                // publishes events
///         loop.settle(message.time)               // and what follows from it
///     }
///
/// The paper venue moves before the decision, so that what a message does to resting orders is known to it, and after
/// it. What has nothing to do is left out; the order of what is done stays the same.
package struct SimulatedLoop {
    private let decision: DecisionAgent
    private let paper: PaperVenue

    package init(decision: DecisionAgent, paper: PaperVenue) {
        self.decision = decision
        self.paper = paper
    }

    /// Visits all due times before `end`.
    package func advance(to end: UInt64) {
        if nextDue < end { visitDue(before: end) }
    }

    @inline(never)
    private func visitDue(before end: UInt64) {
        while nextDue < end { settle(nextDue) }
    }

    /// Visits all due times until none is left, or until `limit`: repeating timers never end.
    package func finish(limit: UInt64) {
        while nextDue != .max, nextDue <= limit { settle(nextDue) }
    }

    /// Turns until nothing is left to do at that time.
    package func settle(_ now: UInt64) {
        if !takeSingle(now) { turnUntilIdle(now) }
    }

    /// Most of simulated time: one event came and nothing else is due. It is looked at where it lies, without the turns
    /// around it. False when more may be left to do.
    @inline(__always)
    private func takeSingle(_ now: UInt64) -> Bool {
        guard nextDue > now, paper.hasReportRoom, !paper.hasRequests, let event = decision.onlyEvent(paper.nextEvent)
        else { return false }
        if !event.isBook { return takeOther(event, now) }
        paper.takeBook(event)
        guard paper.due > now else { return false }
        decision.takeBook(event, now)
        return decision.due > now && !paper.hasRequests
    }

    @inline(never)
    private func takeOther(_ event: RingEvent, _ now: UInt64) -> Bool {
        paper.take(event)
        guard paper.due > now else { return false }
        decision.take(event, now)
        return decision.due > now && !paper.hasRequests
    }

    @inline(never)
    private func turnUntilIdle(_ now: UInt64) {
        repeat {
            var work = paper.turn(now)
            work += decision.turn(now)
            if paper.hasRequests { work += paper.turn(now) }
            if work == 0 { return }
        } while decision.isBusy(now) || paper.isBusy(now)
    }

    @inline(__always)
    private var nextDue: UInt64 { min(decision.due, paper.due) }
}
