/// Runs agents in one thread on simulated time: every due time of any agent is visited in order. No threads, no clock.
///
///     let loop = SimulatedLoop([paper, decision, paper])
///     for message in recording {
///         loop.advance(to: message.time)          // what is due before the message
///         session.receive(message)                // publishes events
///         loop.settle(message.time)               // and what follows from it
///     }
package struct SimulatedLoop {
    private let agents: [any Agent]

    /// The agents in the order in which they have their turns; one may stand there twice.
    package init(_ agents: [any Agent]) { self.agents = agents }

    /// Visits all due times before `end`.
    package func advance(to end: UInt64) {
        while let due = nextDue, due < end { settle(due) }
    }

    /// Visits all due times until none is left, or until `limit`: repeating timers never end.
    package func finish(limit: UInt64) {
        while let due = nextDue, due <= limit { settle(due) }
    }

    /// Turns until nothing is left to do at that time.
    package func settle(_ now: UInt64) {
        var work = 1
        while work > 0 {
            work = 0
            for agent in agents { work += agent.turn(now) }
        }
    }

    private var nextDue: UInt64? {
        var due: UInt64?
        for agent in agents {
            if let next = agent.nextDue { due = min(due ?? .max, next) }
        }
        return due
    }
}
