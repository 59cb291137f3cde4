package import CApusRing

/// Where the decision thread's time comes from: the processor's counter, or the simulation.
package struct TimeSource {
    package let isSimulated: Bool
    private var clock: apus_clock
    private var disciplined: UInt64 = 0

    private init(_ clock: apus_clock, isSimulated: Bool) {
        self.clock = clock
        self.isSimulated = isSimulated
    }

    /// A clock of its own for one thread; measured for about 20 ms.
    package static func live() -> TimeSource {
        var clock = apus_clock()
        apus_clock_start(&clock)
        return TimeSource(clock, isSimulated: false)
    }

    /// A clock that was measured elsewhere.
    package static func live(_ clock: apus_clock) -> TimeSource { TimeSource(clock, isSimulated: false) }

    /// Time is what `turn` is told.
    package static var simulated: TimeSource { simulated(realtimeOffset: 0) }

    /// The same, with a wall clock that is so far ahead.
    package static func simulated(realtimeOffset: Int64) -> TimeSource {
        var clock = apus_clock()
        clock.realtime_offset = realtimeOffset
        return TimeSource(clock, isSimulated: true)
    }

    /// Nanoseconds, monotonic. Only where time is not simulated.
    @inline(__always)
    package mutating func read() -> UInt64 { apus_clock_now(&clock) }

    /// Wall clock minus monotonic time, in nanoseconds. Where time is simulated, what it was made with.
    @inline(__always)
    var realtimeOffset: Int64 { clock.realtime_offset }

    /// Steers the clock about once a second; called on idle turns.
    mutating func discipline(_ now: UInt64) {
        guard !isSimulated, now &- disciplined > 1_000_000_000 else { return }
        apus_clock_discipline(&clock)
        disciplined = now
    }
}
