/// Where a circuit breaker stands.
package enum BreakerState: UInt8, Sendable, Codable, CaseIterable {
    /// Calls pass.
    case closed = 0
    /// No call passes until the timeout is over.
    case open = 1
    /// A few calls pass, to see whether it works again.
    case halfOpen = 2

    /// By its name.
    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let found = Self.allCases.first(where: { "\($0)" == text }) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "\(text) is none of \(Self.allCases)"))
        }
        self = found
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode("\(self)")
    }
}

/// How a call ended. Only the first two failures count: they alone say that the other side does not work.
package enum CallOutcome: UInt8, Sendable, Codable, CaseIterable {
    case success
    /// The venue says that it is broken, overloaded or shutting down.
    case venueError
    /// No answer in time.
    case timeOut
    /// The venue works and refuses what we asked for.
    case ourFault
    /// The venue works and wants us to wait: rate limits look after that.
    case rateLimited
    /// It was given up before it went out.
    case notMade

    /// Whether it counts as a failure.
    package var isFailure: Bool { self == .venueError || self == .timeOut }
}

package struct BreakerConfiguration: Sendable, Equatable, Codable {
    /// So many failures in a row open it.
    package var failureThreshold: Int
    /// So many successes in a row close it, once it is half open.
    package var successThreshold: Int
    /// Seconds that it stays open.
    package var timeoutSeconds: Int
    /// Calls under way at once while it is half open.
    package var halfOpenMaxCalls: Int

    package init(
        failureThreshold: Int = 5, timeoutSeconds: Int = 30, successThreshold: Int = 2, halfOpenMaxCalls: Int = 3
    ) {
        self.failureThreshold = failureThreshold
        self.successThreshold = successThreshold
        self.timeoutSeconds = timeoutSeconds
        self.halfOpenMaxCalls = halfOpenMaxCalls
    }

    /// Those that are there without being configured.
    package static let readyMade: [(name: String, configuration: BreakerConfiguration)] = [
        ("deriv_api", BreakerConfiguration(failureThreshold: 3, timeoutSeconds: 30)),
        ("ml_predictor", BreakerConfiguration(failureThreshold: 5, timeoutSeconds: 60)),
        ("trading_engine", BreakerConfiguration(failureThreshold: 2, timeoutSeconds: 120)),
    ]
}

/// The rules of a circuit breaker: time and outcomes in, permissions and transitions out.
///
///     CLOSED ─failureThreshold failures in a row→ OPEN ─a call after the timeout→ HALF_OPEN
///        ↑                                          ↑                               │  │
///        └───────successThreshold successes─────────┼───────────────────────────────┘  │
///                                                   └──────────────a failure───────────┘
///
/// It hears of calls alone: a market in which nothing happens moves nothing.
struct BreakerCore {
    typealias Reason = BreakerTransition.Reason

    let configuration: BreakerConfiguration
    private(set) var state = BreakerState.closed
    /// In a row, while it is closed. What fails at one moment counts once: a lost connection ends all calls on it together.
    private(set) var failures = 0
    private var failed: UInt64?
    private(set) var successes = 0
    /// Calls under way while it is half open.
    private(set) var probes = 0
    private var opened: UInt64 = 0
    private var probed: UInt64 = 0

    init(_ configuration: BreakerConfiguration) { self.configuration = configuration }

    private var timeout: UInt64 { UInt64(configuration.timeoutSeconds) * 1_000_000_000 }

    /// Whether a call may be made now; if so its outcome is to be told, once.
    mutating func allow(_ now: UInt64) -> (isAllowed: Bool, Reason?) {
        switch state {
        case .closed: return (true, nil)
        case .open:
            guard now >= opened &+ timeout else { return (false, nil) }
            state = .halfOpen
            (successes, probes, probed) = (0, 1, now)
            return (true, .timeoutOver)
        case .halfOpen:
            // Outcomes that nobody tells do not hold it half open for ever.
            if now >= probed &+ timeout { probes = 0 }
            guard probes < configuration.halfOpenMaxCalls else { return (false, nil) }
            probes += 1
            probed = now
            return (true, nil)
        }
    }

    /// Takes in how a call ended. What was begun before it opened says nothing new.
    mutating func record(_ outcome: CallOutcome, _ now: UInt64) -> Reason? {
        switch state {
        case .closed:
            if outcome == .success { failures = 0 }
            guard outcome.isFailure, now != failed else { return nil }
            failed = now
            failures += 1
            return failures >= configuration.failureThreshold ? open(now, .failures) : nil
        case .open: return nil
        case .halfOpen:
            probes = max(probes - 1, 0)
            if outcome.isFailure { return open(now, .failedProbe) }
            guard outcome == .success else { return nil }
            successes += 1
            guard successes >= configuration.successThreshold else { return nil }
            reset()
            return .successes
        }
    }

    private mutating func open(_ now: UInt64, _ reason: Reason) -> Reason {
        state = .open
        opened = now
        failures = 0
        return reason
    }

    /// Closed, with nothing behind it.
    mutating func reset() {
        state = .closed
        (failures, successes, probes, failed) = (0, 0, 0, nil)
    }
}
