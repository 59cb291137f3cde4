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
    /// The request is carried out and the connection cut before the answer.
    case cutAnswer
    /// The request is carried out and answered with this HTTP status, as if it had failed.
    case failedAnswer(Int)
    /// A trade that was told as matched fails later and is undone, on venues whose trades settle later.
    case failedTrade
    /// The venue restarts: connections are cut and none is accepted for that long, or, with a status, requests are answered
    /// with it. What it knows is kept. It strikes after a request is carried out, before the answer.
    case restart(VenueTime, status: Int?)

    /// Whether it happens to a connection, not to a single message.
    var isOfConnection: Bool {
        switch self {
        case .disconnect, .freeze, .slowReader: true
        default: false
        }
    }

    /// Whether a rule with a time strikes at that moment, not the next message.
    var isByClock: Bool {
        if case .restart = self { return true }
        return isOfConnection
    }

    /// What a fault can happen to besides a connection.
    enum Place { case message, answer, request, trade }

    /// Whether it can happen there.
    func canStrike(_ place: Place) -> Bool {
        switch self {
        case .disconnect, .freeze, .slowReader, .corrupt: place == .message || place == .answer
        case .gap, .duplicate, .reorder: place == .message
        case .lostAnswer, .delayedAnswer, .cutAnswer, .failedAnswer, .restart: place == .answer
        case .httpStatus: place == .request
        case .failedTrade: place == .trade
        }
    }
}

/// Where a fault may strike. Nil is any.
package struct FaultTarget: Sendable, Equatable {
    package var role: ConnectionRole?
    package var connection: ConnectionID?
    /// The end of a stream's name, for example `depth@0ms` or `bookTicker`.
    package var stream: String?
    /// What was asked: method and path of a request, for example `POST /order`, or the method of a WebSocket request.
    package var request: String?

    package init(
        role: ConnectionRole? = nil, connection: ConnectionID? = nil, stream: String? = nil, request: String? = nil
    ) {
        self.role = role
        self.connection = connection
        self.stream = stream
        self.request = request
    }

    func matches(_ candidate: Connection, stream name: String? = nil, request asked: String? = nil) -> Bool {
        (role == nil || role == candidate.role) && (connection == nil || connection == candidate.id)
            && (stream == nil || stream == name) && (request == nil || request == asked)
    }
}

/// One scripted fault.
package struct FaultRule: Sendable, Equatable {
    package enum Trigger: Sendable, Equatable {
        /// This long after the venue began. A fault of a connection strikes every matching one at that moment, a restart the
        /// venue; another one strikes the next matching message.
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

/// Random faults, each with its rate in a million messages, and from `tooManyRequests` on in a million requests, answers or
/// trades.
package struct FaultRates: Sendable, Equatable {
    package var disconnect = 0
    package var freeze = 0
    package var gap = 0
    package var duplicate = 0
    package var reorder = 0
    package var corrupt = 0
    package var slowReader = 0
    /// Only events of user streams.
    package var duplicateEvent = 0
    package var reorderedEvent = 0
    package var tooManyRequests = 0
    package var tooEarly = 0
    package var serverError = 0
    package var lostAnswer = 0
    package var delayedAnswer = 0
    package var lateAnswer = 0
    package var cutAnswer = 0
    package var failedAnswer = 0
    package var restart = 0
    package var failedTrade = 0

    package init() {}

    var ofMessages: [(Int, FaultKind)] {
        [
            (disconnect, .disconnect), (freeze, .freeze(3 * second)), (gap, .gap), (duplicate, .duplicate),
            (reorder, .reorder), (corrupt, .corrupt(.invalidJSON)),
            (slowReader, .slowReader(second, bytesPerMillisecond: 64)),
        ]
    }
    var ofUserEvents: [(Int, FaultKind)] { [(duplicateEvent, .duplicate), (reorderedEvent, .reorder)] }
    var ofAnswers: [(Int, FaultKind)] {
        [
            (lostAnswer, .lostAnswer), (delayedAnswer, .delayedAnswer(500 * millisecond)),
            (lateAnswer, .delayedAnswer(3 * second)), (cutAnswer, .cutAnswer), (failedAnswer, .failedAnswer(502)),
            (restart, .restart(2 * second, status: nil)),
        ]
    }
    var ofRequests: [(Int, FaultKind)] {
        [
            (tooManyRequests, .httpStatus(429)), (serverError, .httpStatus(503)), (tooEarly, .httpStatus(425)),
        ]
    }
    var ofTrades: [(Int, FaultKind)] { [(failedTrade, .failedTrade)] }
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
    /// Nil when it struck the venue, not a connection.
    package var connection: ConnectionID?
    package var role: ConnectionRole?
    package var kind: FaultKind
    /// The stream whose message was struck.
    package var stream: String?
}

/// What faults have done to one connection.
struct ConnectionFault {
    var frozenUntil: VenueTime = .min
    /// Of a connection whose answers must keep their order: nothing is answered before.
    var answersFrom: VenueTime = .min
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
