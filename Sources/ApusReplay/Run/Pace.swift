internal import CApusRing
import Glibc

/// The wall clock, for how long a replay took. What is replayed never sees it.
func wallSeconds() -> Double { Double(apus_clock_monotonic()) / 1e9 }

/// Holds a replay back to the recorded speed, or a multiple of it. What is replayed does not depend on it.
struct Pace {
    private let speed: Double
    private var start: (wall: UInt64, recorded: UInt64)?

    init(speed: Double) { self.speed = speed }

    /// Sleeps until the message's turn.
    mutating func wait(until time: UInt64) {
        guard let start else {
            start = (apus_clock_monotonic(), time)
            return
        }
        let due = start.wall + UInt64(Double(time - start.recorded) / speed)
        var wake = timespec(tv_sec: Int(due / 1_000_000_000), tv_nsec: Int(due % 1_000_000_000))
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, nil) == EINTR {}
    }
}
