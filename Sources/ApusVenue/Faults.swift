/// How a frame is damaged.
package enum Corruption: String, Sendable, CaseIterable {
    /// The JSON text loses its last bytes; the frame itself is right.
    case truncatedJSON
    /// A digit or letter inside becomes a control character: valid UTF-8, invalid JSON.
    case invalidJSON
    /// A byte that UTF-8 forbids.
    case invalidUTF8
    /// A reserved bit of the frame header is set.
    case invalidFrame
}

/// What goes wrong.
package enum FaultKind: Sendable, Equatable {
    /// The connection is cut without a close frame.
    case disconnect
    /// The connection stays open and pings are answered, but data stop for this long. What would have been sent is lost.
    case freeze(VenueTime)
    /// A message is not sent.
    case gap
    /// A message is sent twice.
    case duplicate
    /// A message is sent after the next one of its stream.
    case reorder
    case corrupt(Corruption)
    /// For this long the venue reads nothing and writes that many bytes a millisecond.
    case slowReader(VenueTime, bytesPerMillisecond: Int)
    /// A request or an upgrade is answered with this HTTP status and nothing else is done.
    case httpStatus(Int)
    /// The request is carried out and its answer never sent.
    case lostAnswer
    /// The request is carried out and its answer sent that much later.
    case delayedAnswer(VenueTime)

    /// Whether it happens to a connection, not to a single message.
    var isOfConnection: Bool {
        switch self {
        case .disconnect, .freeze, .slowReader: true
        default: false
        }
    }

    /// Whether it can happen to an answer; the others can happen to a stream's message.
    var isOfAnswer: Bool {
        switch self {
        case .lostAnswer, .delayedAnswer: true
        default: false
        }
    }
}

/// Where a fault may strike. Nil is any.
package struct FaultTarget: Sendable, Equatable {
    package var role: ConnectionRole?
    package var connection: ConnectionID?
    /// The end of a stream's name, for example `depth@0ms` or `bookTicker`.
    package var stream: String?

    package init(role: ConnectionRole? = nil, connection: ConnectionID? = nil, stream: String? = nil) {
        self.role = role
        self.connection = connection
        self.stream = stream
    }

    func matches(_ candidate: Connection, stream name: String?) -> Bool {
        (role == nil || role == candidate.role) && (connection == nil || connection == candidate.id)
            && (stream == nil || stream == name)
    }
}

/// One scripted fault.
package struct FaultRule: Sendable, Equatable {
    package enum Trigger: Sendable, Equatable {
        /// This long after the venue began. A fault of a connection strikes every matching one at that moment; another
        /// one strikes the next matching message.
        case after(VenueTime)
        /// With the message, answer or request that follows this many matching ones.
        case afterMessages(Int)
    }
    package var kind: FaultKind
    package var trigger: Trigger
    package var target: FaultTarget
    /// How many messages in a row it strikes; for faults of a message.
    package var repeats: Int

    package init(_ kind: FaultKind, _ trigger: Trigger, target: FaultTarget = FaultTarget(), repeats: Int = 1) {
        self.kind = kind
        self.trigger = trigger
        self.target = target
        self.repeats = repeats
    }
}

/// Random faults, each with its rate in a million messages (or requests and answers for the last four).
package struct FaultRates: Sendable, Equatable {
    package var disconnect = 0
    package var freeze = 0
    package var gap = 0
    package var duplicate = 0
    package var reorder = 0
    package var corrupt = 0
    package var slowReader = 0
    package var tooManyRequests = 0
    package var serverError = 0
    package var lostAnswer = 0
    package var delayedAnswer = 0

    package init() {}

    var ofMessages: [(Int, FaultKind)] {
        [
            (disconnect, .disconnect), (freeze, .freeze(3 * second)), (gap, .gap), (duplicate, .duplicate),
            (reorder, .reorder), (corrupt, .corrupt(.invalidJSON)),
            (slowReader, .slowReader(second, bytesPerMillisecond: 64)),
        ]
    }
    var ofAnswers: [(Int, FaultKind)] {
        [(lostAnswer, .lostAnswer), (delayedAnswer, .delayedAnswer(500 * millisecond))]
    }
    var ofRequests: [(Int, FaultKind)] { [(tooManyRequests, .httpStatus(429)), (serverError, .httpStatus(503))] }
}

/// All faults of a run.
package struct FaultPlan: Sendable, Equatable {
    package var rates = FaultRates()
    package var rules: [FaultRule] = []

    package init(rates: FaultRates = FaultRates(), rules: [FaultRule] = []) {
        self.rates = rates
        self.rules = rules
    }
}

/// A fault that has happened.
package struct FaultRecord: Sendable, Equatable {
    package var time: VenueTime
    package var connection: ConnectionID
    package var role: ConnectionRole
    package var kind: FaultKind
    /// The stream whose message was struck.
    package var stream: String?
}

/// An answer that a fault holds back.
struct DelayedAnswer {
    var time: VenueTime
    var connection: Connection
    var bytes: [UInt8]
}

/// What faults have done to one connection.
struct ConnectionFault {
    var frozenUntil: VenueTime = .min
    /// A message waiting to be sent after the next one of its stream.
    var held: (stream: String, frame: [UInt8])?
    var trickle: Trickle?

    /// Bytes that leave a few at a time.
    struct Trickle {
        var pending: [UInt8] = []
        var bytesPerMillisecond: Int
        var nextRelease: VenueTime
        var ends: VenueTime
    }
}

/// Decides which message is struck. Rules are counted on the messages they match; rates are drawn from the seed.
struct FaultInjector {
    private struct ArmedRule {
        var rule: FaultRule
        var seen = 0
        var left: Int
    }

    private let start: VenueTime
    private let rates: FaultRates
    private var rules: [ArmedRule]
    private var random: DeterministicRandom
    private(set) var log: [FaultRecord] = []
    /// Whether anything can happen at all: without faults no message is looked at.
    let isActive: Bool

    init(plan: FaultPlan, seed: UInt64, start: VenueTime) {
        self.start = start
        rates = plan.rates
        rules = plan.rules.map { ArmedRule(rule: $0, left: max($0.repeats, 1)) }
        random = DeterministicRandom(seed: seed, stream: 0xFA17)
        isActive = plan != FaultPlan()
    }

    /// When the next fault of a connection is due by the clock.
    var nextTime: VenueTime? {
        var result: VenueTime?
        for armed in rules where armed.left > 0 && armed.rule.kind.isOfConnection {
            if case .after(let delay) = armed.rule.trigger { result = min(result ?? .max, start + delay) }
        }
        return result
    }

    /// Faults of connections that are due by the clock, with what they strike.
    mutating func takeDue(_ now: VenueTime, _ connections: [Connection]) -> [(Connection, FaultKind)] {
        var due: [(Connection, FaultKind)] = []
        for index in rules.indices where rules[index].left > 0 && rules[index].rule.kind.isOfConnection {
            guard case .after(let delay) = rules[index].rule.trigger, start + delay <= now else { continue }
            rules[index].left = 0
            for connection in connections
            where !connection.isClosed
                && rules[index].rule.target.matches(connection, stream: rules[index].rule.target.stream)
            {
                due.append((connection, rules[index].rule.kind))
            }
        }
        return due
    }

    /// The fault that strikes this message of a stream, if any.
    mutating func strikeMessage(_ connection: Connection, stream: String, _ now: VenueTime) -> FaultKind? {
        strike(connection, stream, now, rates.ofMessages) {
            if case .httpStatus = $0 { return false }
            return !$0.isOfAnswer
        }
    }

    /// The fault that strikes this answer, if any.
    mutating func strikeAnswer(_ connection: Connection, _ now: VenueTime) -> FaultKind? {
        strike(connection, nil, now, rates.ofAnswers) { kind in
            switch kind {
            case .lostAnswer, .delayedAnswer, .corrupt, .disconnect, .freeze, .slowReader: true
            default: false
            }
        }
    }

    /// The fault that strikes this request or upgrade, if any.
    mutating func strikeRequest(_ connection: Connection, _ now: VenueTime) -> FaultKind? {
        strike(connection, nil, now, rates.ofRequests) {
            if case .httpStatus = $0 { return true }
            return false
        }
    }

    mutating func record(_ kind: FaultKind, _ connection: Connection, stream: String?, _ now: VenueTime) {
        log.append(FaultRecord(time: now, connection: connection.id, role: connection.role, kind: kind, stream: stream))
    }

    private mutating func strike(
        _ connection: Connection, _ stream: String?, _ now: VenueTime, _ drawn: [(Int, FaultKind)],
        fits: (FaultKind) -> Bool
    ) -> FaultKind? {
        for index in rules.indices where rules[index].left > 0 {
            let rule = rules[index].rule
            guard fits(rule.kind), rule.target.matches(connection, stream: stream) else { continue }
            switch rule.trigger {
            case .after(let delay):
                // A fault of a connection with a time strikes by the clock, see takeDue.
                guard !rule.kind.isOfConnection, start + delay <= now else { continue }
            case .afterMessages(let count):
                rules[index].seen += 1
                guard rules[index].seen > count else { continue }
            }
            rules[index].left -= 1
            return rule.kind
        }
        for (rate, kind) in drawn where rate > 0 && random.below(1_000_000) < rate {
            guard case .corrupt = kind else { return kind }
            return .corrupt(Corruption.allCases[random.below(Corruption.allCases.count)])
        }
        return nil
    }

    /// A damaged copy of a finished server frame.
    static func corrupted(_ frame: [UInt8], _ how: Corruption) -> [UInt8] {
        let header = frame.count < 2 ? 0 : frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : 10
        guard frame.count > header + 4 else { return frame }
        var damaged = frame
        switch how {
        case .truncatedJSON: return WebSocketCodec.frame(.text, Array(frame[header..<(frame.count - 3)]))
        case .invalidJSON: damaged[header + (frame.count - header) / 2] = 1
        case .invalidUTF8: damaged[header + (frame.count - header) / 2] = 0xFF
        case .invalidFrame: damaged[0] |= 0x40
        }
        return damaged
    }
}
