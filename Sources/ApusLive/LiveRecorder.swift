import CApusProtocol
import CApusWire

/// Receives market data and copies it to a tap: an engine without strategy and orders.
///
/// Made, started and stopped by the control side; the hot thread is the shell's own.
package final class LiveRecorder {
    private let feed: LiveFeed

    /// Makes the session and connects to nothing. `tap` must outlive the recorder.
    package init(
        _ configuration: LiveConfiguration, _ metadata: VenueMetadata, tap: UnsafeMutablePointer<apus_tap>
    ) throws {
        var configuration = configuration
        configuration.orders = .none
        feed = try LiveFeed(configuration, metadata, tap: tap)
    }

    /// Starts the hot thread; the session connects.
    package func start() throws {
        try check(apus_wire_start(feed.wire), "cannot start the hot thread (engine.hot_cpu)")
    }

    /// Wall clock minus monotonic clock, in nanoseconds.
    package static func realtimeOffset() -> Int64 {
        Int64(bitPattern: apus_clock_realtime() &- apus_clock_monotonic())
    }

    /// Whether the hot thread still works.
    package var isRunning: Bool { !apus_wire_stopped(feed.wire) }

    /// Closes the connections and ends the thread. The tap may hold messages afterwards.
    package func stop() { _ = apus_wire_stop(feed.wire, 2_000_000_000) }
}
