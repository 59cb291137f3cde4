import CApusRing

/// The time that work queues wait by; a test has one that stands still until it is moved.
package protocol WorkClock: Sendable {
    /// Nanoseconds, monotonic.
    var now: UInt64 { get }
    /// Returns at that time, or throws when the task is canceled before.
    func sleep(until time: UInt64) async throws
}

/// The machine's monotonic clock.
package struct SystemWorkClock: WorkClock {
    package init() {}

    package var now: UInt64 { apus_clock_monotonic() }

    package func sleep(until time: UInt64) async throws {
        let now = self.now
        if time > now { try await Task.sleep(nanoseconds: time - now) }
    }
}
