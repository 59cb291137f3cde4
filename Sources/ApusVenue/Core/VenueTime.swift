/// Nanoseconds since 1970 UTC. The core never asks for the time: every call brings it.
package typealias VenueTime = Int64

/// Nanoseconds in a second.
let second: VenueTime = 1_000_000_000

/// Nanoseconds in a millisecond.
let millisecond: VenueTime = 1_000_000

/// A time that much later; the far future when it does not fit.
func later(_ time: VenueTime, by length: VenueTime) -> VenueTime {
    let (sum, overflow) = time.addingReportingOverflow(length)
    return overflow ? .max : sum
}

/// Why a configuration was refused.
package struct VenueConfigurationError: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}

/// How busy the simulated market is.
package struct MarketSpeed: Sendable, Equatable {
    /// Mean participant actions a second for each instrument; zero switches participants off.
    package var actionsPerSecond: Double
    /// Shortest time between two `@depth@0ms` events; zero sends one after each change.
    package var depthInterval: VenueTime

    package init(actionsPerSecond: Double, depthInterval: VenueTime) {
        self.actionsPerSecond = actionsPerSecond
        self.depthInterval = depthInterval
    }

    /// No participants but the resting book: only accounts trade.
    package static let still = MarketSpeed(actionsPerSecond: 0, depthInterval: 0)
    /// A slow market to look at.
    package static let calm = MarketSpeed(actionsPerSecond: 60, depthInterval: 50 * millisecond)
    /// About the activity of the real BTCUSDT on a busy day.
    package static let real = MarketSpeed(actionsPerSecond: 600, depthInterval: 50 * millisecond)
    /// Several thousand messages a second.
    package static let brisk = MarketSpeed(actionsPerSecond: 5_000, depthInterval: 5 * millisecond)
    /// More than ten thousand messages a second.
    package static let fast = MarketSpeed(actionsPerSecond: 25_000, depthInterval: millisecond)

    /// The speed of that name: `still`, `calm`, `real`, `brisk`, `fast`.
    package static func named(_ name: String) -> MarketSpeed? {
        switch name {
        case "still": still
        case "calm": calm
        case "real": real
        case "brisk": brisk
        case "fast": fast
        default: nil
        }
    }

    func validate() throws(VenueConfigurationError) {
        guard actionsPerSecond >= 0, actionsPerSecond <= 1_000_000, depthInterval >= 0 else {
            throw VenueConfigurationError(description: "speed: actionsPerSecond must be 0 to 1000000")
        }
    }
}

/// Heartbeat of WebSocket connections.
package struct HeartbeatConfiguration: Sendable {
    /// Time between two pings of the server; `.max` for none.
    package var interval: VenueTime = 20 * second
    /// Time in which the client must answer.
    package var timeout: VenueTime = 60 * second
    /// Longest life of a connection; `.max` for no end.
    package var connectionLifetime: VenueTime = 24 * 3600 * second

    package init() {}

    /// A venue that sends no pings and lets connections live.
    package static var none: HeartbeatConfiguration {
        var heartbeat = HeartbeatConfiguration()
        heartbeat.interval = .max
        heartbeat.connectionLifetime = .max
        return heartbeat
    }
}
