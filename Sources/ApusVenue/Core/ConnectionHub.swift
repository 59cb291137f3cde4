/// An HTTP answer before it is bytes.
struct HTTPReply {
    var status = 200
    var headers: [NamedText] = []
    var body: [UInt8]
}

/// Why a request never reaches the venue's own rules.
enum HTTPProblem {
    case unreadable(HTTPError)
    /// An upgrade that is none.
    case noUpgrade
    case webSocketVersion
    /// A fault, or an outage, answers with this status.
    case unavailable(Int)

    var status: Int {
        switch self {
        case .unreadable(let error): error.status
        case .noUpgrade: 400
        case .webSocketVersion: 426
        case .unavailable(let status): status
        }
    }

    var reason: String {
        switch self {
        case .unreadable(let error): error.reason
        case .noUpgrade: "This is no WebSocket upgrade."
        case .webSocketVersion: "WebSocket version 13 is needed."
        case .unavailable: "The service is not available."
        }
    }
}

/// The venue behind a hub: what requests, upgrades and messages mean.
protocol HubOwner: AnyObject {
    associatedtype Member: Connection

    /// Answers a request through `hub.answer`.
    func take(_ request: HTTPRequest, _ connection: Member)
    /// Sets the role of a connection that asks for an upgrade; what is returned refuses it.
    func route(_ upgrade: HTTPRequest, _ connection: Member) -> HTTPReply?
    /// The upgrade has been answered.
    func opened(_ upgrade: HTTPRequest, _ connection: Member)
    /// Whether another text or ping may come in; a connection whose owner says no has been closed by it.
    func admits(_ connection: Member) -> Bool
    /// A text message.
    func take(_ text: [UInt8], _ connection: Member)
    /// How this venue says it.
    func reply(to problem: HTTPProblem) -> HTTPReply
    /// The connection is no more.
    func left(_ connection: Member)
    /// The venue has cut its connections and accepts none until then; with a status it answers so.
    func restarted(until: VenueTime, status: Int?)
}

extension HubOwner {
    func restarted(until: VenueTime, status: Int?) {}
}

/// The connections of a venue: HTTP and WebSocket in both directions, heartbeat, outages, and the faults that strike them.
///
/// Every venue has one and is its owner; what stands on the wire is the owner's, how it gets there is the hub's.
final class ConnectionHub<Owner: HubOwner> {
    typealias Member = Owner.Member

    private struct DelayedAnswer {
        var time: VenueTime
        var connection: Member
        var bytes: [UInt8]
        var closes: Bool
    }

    /// In the order they were opened, so that every walk over them is the same in every run.
    private(set) var connections: [Member] = []
    private var outputs: [VenueOutput] = []
    private var delayed: [DelayedAnswer] = []
    private var nextID = 1
    private var deadline: VenueTime = .min
    private var outage: (until: VenueTime, status: Int?) = (.min, nil)
    private let heartbeat: HeartbeatConfiguration
    private let seed: UInt64
    private(set) var now: VenueTime
    private(set) var injector: FaultInjector
    var statistics = VenueStatistics()
    /// Set once, by the owner's init; the owner outlives its hub.
    unowned var owner: Owner?

    init(heartbeat: HeartbeatConfiguration, faults: FaultPlan, seed: UInt64, now: VenueTime) {
        self.heartbeat = heartbeat
        self.seed = seed
        self.now = now
        injector = FaultInjector(plan: faults, seed: seed, start: now)
    }

    // MARK: Driving

    /// The time of what is done from here on; it never goes back.
    func moveTime(to time: VenueTime) { now = max(time, now) }

    func connect() -> ConnectionID {
        let connection = Member(id: ConnectionID(value: nextID), now: now)
        nextID += 1
        connections.append(connection)
        timersChanged()
        if outage.until > now && outage.status == nil { abort(connection) }
        return connection.id
    }

    func receive(_ id: ConnectionID, _ bytes: [UInt8]) {
        guard let connection = connection(id) else { return }
        read(connection, bytes)
        timersChanged()
    }

    func disconnect(_ id: ConnectionID) {
        guard let connection = connection(id) else { return }
        forget(connection)
    }

    func takeOutputs() -> [VenueOutput] {
        defer { outputs.removeAll(keepingCapacity: true) }
        return outputs
    }

    func connection(_ id: ConnectionID) -> Member? { connections.first { $0.id == id && !$0.isClosed } }

    // MARK: Timers

    /// When `runTimers` has something to do; the far future when nothing waits.
    var nextTime: VenueTime {
        if deadline == .min { deadline = computeDeadline() }
        return deadline
    }

    /// Timers must be looked at again: something was added.
    func timersChanged() { deadline = .min }

    private func computeDeadline() -> VenueTime {
        var due = injector.nextTime ?? .max
        for connection in connections {
            due = min(due, connection.nextPing, connection.pongDeadline)
            due = min(due, later(connection.openedAt, by: heartbeat.connectionLifetime))
            if let trickle = connection.fault.trickle { due = min(due, trickle.nextRelease) }
        }
        for item in delayed { due = min(due, item.time) }
        return due
    }

    /// Does what is due now.
    func runTimers() {
        timersChanged()
        for (connection, kind) in injector.takeDue(now, connections) { strike(connection, kind, stream: nil) }
        for connection in connections where !connection.isClosed { runTimers(connection) }
        let due = delayed.filter { $0.time <= now }
        delayed.removeAll { $0.time <= now }
        for item in due where !item.connection.isClosed {
            send(item.bytes, to: item.connection)
            if item.closes { closeAfterSending(item.connection) }
        }
    }

    private func runTimers(_ connection: Member) {
        if connection.pongDeadline <= now { return abort(connection) }
        if later(connection.openedAt, by: heartbeat.connectionLifetime) <= now {
            return connection.isUpgraded ? close(connection, 1001, "the connection is 24 hours old") : abort(connection)
        }
        if connection.nextPing <= now {
            connection.nextPing = later(now, by: heartbeat.interval)
            connection.pongDeadline = min(connection.pongDeadline, later(now, by: heartbeat.timeout))
            send(WebSocketCodec.frame(.ping, Array(String(now / millisecond).utf8)), to: connection)
        }
        if let trickle = connection.fault.trickle, trickle.nextRelease <= now { release(connection, trickle) }
    }

    private func release(_ connection: Member, _ trickle: ConnectionFault.Trickle) {
        var trickle = trickle
        let isOver = trickle.ends <= now
        let count = isOver ? trickle.pending.count : min(trickle.bytesPerMillisecond, trickle.pending.count)
        if count > 0 {
            outputs.append(VenueOutput(connection: connection.id, action: .bytes(Array(trickle.pending[..<count]))))
            trickle.pending.removeFirst(count)
        }
        trickle.nextRelease = min(now + millisecond, max(trickle.ends, now + 1))
        connection.fault.trickle = isOver ? nil : trickle
        if isOver { outputs.append(VenueOutput(connection: connection.id, action: .resumeReading)) }
    }

    // MARK: Reading

    private func read(_ connection: Member, _ bytes: [UInt8]) {
        guard !connection.isUpgraded else { return readFrames(connection, bytes) }
        connection.http.feed(bytes)
        while !connection.isClosed && !connection.isUpgraded {
            do throws(HTTPError) {
                guard let request = try connection.http.next() else { return }
                handle(request, connection)
            } catch {
                guard let reply = owner?.reply(to: .unreadable(error)) else { return }
                send(HTTPCodec.response(status: reply.status, body: reply.body, close: true), to: connection)
                return closeAfterSending(connection)
            }
        }
        if connection.isUpgraded && !connection.isClosed {
            let rest = connection.http.takeRest()
            if !rest.isEmpty { readFrames(connection, rest) }
        }
    }

    private func handle(_ request: HTTPRequest, _ connection: Member) {
        statistics.requests += 1
        if outage.until > now, let status = outage.status { return answer(.unavailable(status), request, connection) }
        if injector.isActive,
            let kind = injector.strikeRequest(connection, request: request.operation, now),
            case .httpStatus(let status) = kind
        {
            injector.record(kind, connection, stream: nil, now)
            return answer(.unavailable(status), request, connection)
        }
        if request.header("upgrade")?.lowercased() == "websocket" { return upgrade(request, connection) }
        owner?.take(request, connection)
    }

    private func upgrade(_ request: HTTPRequest, _ connection: Member) {
        guard request.method == "GET", request.header("connection", contains: "upgrade"),
            let key = request.header("sec-websocket-key"), key.utf8.count == 24
        else { return answer(.noUpgrade, request, connection) }
        guard request.header("sec-websocket-version") == "13" else {
            return answer(.webSocketVersion, request, connection)
        }
        if let refusal = owner?.route(request, connection) { return answer(refusal, request, connection) }
        send(HTTPCodec.upgradeResponse(key: key), to: connection)
        connection.isUpgraded = true
        connection.nextPing = later(now, by: heartbeat.interval)
        owner?.opened(request, connection)
    }

    private func readFrames(_ connection: Member, _ bytes: [UInt8]) {
        connection.webSocket.feed(bytes)
        while !connection.isClosed, let input = connection.webSocket.next() {
            switch input {
            case .text(let text):
                guard owner?.admits(connection) == true else { return }
                statistics.requests += 1
                owner?.take(text, connection)
            case .binary: close(connection, 1003, "only text is understood")
            case .ping(let payload):
                guard owner?.admits(connection) == true else { return }
                send(WebSocketCodec.frame(.pong, payload), to: connection)
            case .pong:
                connection.pongDeadline = .max
                timersChanged()
            case .close(let code): close(connection, code ?? 1000, "")
            case .violation(let code, let reason): close(connection, code, reason)
            }
        }
    }

    // MARK: Answering

    /// Answers a request, unless a fault strikes the answer.
    func answer(_ reply: HTTPReply, _ request: HTTPRequest, _ connection: Member) {
        let close = request.wantsClose
        func bytes(_ reply: HTTPReply) -> [UInt8] {
            HTTPCodec.response(status: reply.status, headers: reply.headers, body: reply.body, close: close)
        }
        sendAnswer(bytes(reply), to: connection, request: request.operation, closes: close) { [owner] status in
            owner.map { bytes($0.reply(to: .unavailable(status))) } ?? []
        }
    }

    private func answer(_ problem: HTTPProblem, _ request: HTTPRequest, _ connection: Member) {
        guard var reply = owner?.reply(to: problem) else { return }
        if case .webSocketVersion = problem {
            reply.headers.append(NamedText(name: "Sec-WebSocket-Version", value: "13"))
        }
        answer(reply, request, connection)
    }

    /// Sends the answer to a request, unless a fault strikes it.
    ///
    /// - Parameters:
    ///   - request: What was asked, as `FaultTarget.request` names it.
    ///   - closes: The connection is closed after the answer.
    ///   - failed: The answer's bytes when it is to say that the venue failed with an HTTP status.
    func sendAnswer(
        _ bytes: [UInt8], to connection: Member, request: String, closes: Bool = false, failed: (Int) -> [UInt8]
    ) {
        if connection.isClosed || (injector.isActive && connection.fault.frozenUntil > now) { return }
        guard injector.isActive, let kind = injector.strikeAnswer(connection, request: request, now) else {
            return finish(bytes, connection, closes)
        }
        switch kind {
        case .lostAnswer:
            injector.record(kind, connection, stream: nil, now)
            // HTTP answers come in the order of their requests: without this one there can be no later one.
            if !connection.isUpgraded { connection.fault.answersFrom = .max }
        case .delayedAnswer(let delay):
            injector.record(kind, connection, stream: nil, now)
            delayAnswer(bytes, connection, closes, until: later(now, by: delay))
            if !connection.isUpgraded { connection.fault.answersFrom = later(now, by: delay) }
        case .failedAnswer(let status):
            injector.record(kind, connection, stream: nil, now)
            finish(failed(status), connection, closes)
        case .corrupt(let how) where connection.isUpgraded:
            injector.record(kind, connection, stream: nil, now)
            send(FaultInjector.corrupted(bytes, how), to: connection)
        default: strike(connection, kind, stream: nil)
        }
    }

    private func finish(_ bytes: [UInt8], _ connection: Member, _ closes: Bool) {
        if connection.fault.answersFrom == .max { return }
        if connection.fault.answersFrom > now {
            return delayAnswer(bytes, connection, closes, until: connection.fault.answersFrom)
        }
        send(bytes, to: connection)
        if closes { closeAfterSending(connection) }
    }

    private func delayAnswer(_ bytes: [UInt8], _ connection: Member, _ closes: Bool, until time: VenueTime) {
        delayed.append(DelayedAnswer(time: time, connection: connection, bytes: bytes, closes: closes))
        timersChanged()
    }

    // MARK: Sending

    /// Sends bytes; on a connection that trickles they queue.
    func send(_ bytes: [UInt8], to connection: Member) {
        if connection.fault.trickle != nil {
            connection.fault.trickle?.pending.append(contentsOf: bytes)
            return
        }
        outputs.append(VenueOutput(connection: connection.id, action: .bytes(bytes)))
    }

    /// Sends a message of a stream, unless a fault strikes it.
    func sendStream(_ frame: [UInt8], to connection: Member, stream: String) {
        if connection.isClosed { return }
        statistics.streamMessages += 1
        guard injector.isActive else { return send(frame, to: connection) }
        if connection.fault.frozenUntil > now { return }
        if let kind = injector.strikeMessage(connection, stream: stream, now) {
            return strikeMessage(frame, connection, stream, kind)
        }
        send(frame, to: connection)
        releaseHeld(connection, stream)
    }

    private func releaseHeld(_ connection: Member, _ stream: String) {
        guard let held = connection.fault.held, held.stream == stream else { return }
        connection.fault.held = nil
        send(held.frame, to: connection)
    }

    private func strikeMessage(_ frame: [UInt8], _ connection: Member, _ stream: String, _ kind: FaultKind) {
        switch kind {
        case .gap: injector.record(kind, connection, stream: stream, now)
        case .duplicate:
            injector.record(kind, connection, stream: stream, now)
            send(frame, to: connection)
            send(frame, to: connection)
        case .reorder:
            releaseHeld(connection, stream)
            injector.record(kind, connection, stream: stream, now)
            connection.fault.held = (stream, frame)
        case .corrupt(let how):
            injector.record(kind, connection, stream: stream, now)
            send(FaultInjector.corrupted(frame, how), to: connection)
        default:
            if case .slowReader = kind { send(frame, to: connection) }
            strike(connection, kind, stream: stream)
        }
    }

    /// Carries out a fault of a connection, or of the venue.
    private func strike(_ connection: Member?, _ kind: FaultKind, stream: String?) {
        injector.record(kind, connection, stream: stream, now)
        if case .restart(let length, let status) = kind { return restart(outage: length, status: status) }
        guard let connection else { return }
        switch kind {
        case .disconnect, .cutAnswer: abort(connection)
        case .freeze(let length): connection.fault.frozenUntil = later(now, by: length)
        case .slowReader(let length, let rate):
            let trickle = ConnectionFault.Trickle(
                bytesPerMillisecond: max(rate, 1), nextRelease: now + millisecond, ends: now + length)
            if connection.fault.trickle == nil { connection.fault.trickle = trickle }
            outputs.append(VenueOutput(connection: connection.id, action: .pauseReading))
            timersChanged()
        default: break
        }
    }

    // MARK: Ending

    /// Closes a WebSocket with a code.
    func close(_ connection: Member, _ code: UInt16, _ reason: String) {
        if connection.isClosed { return }
        send(WebSocketCodec.closeFrame(code, reason), to: connection)
        closeAfterSending(connection)
    }

    func closeAfterSending(_ connection: Member) {
        if connection.isClosed { return }
        if let pending = connection.fault.trickle?.pending {
            outputs.append(VenueOutput(connection: connection.id, action: .bytes(pending)))
        }
        outputs.append(VenueOutput(connection: connection.id, action: .close))
        forget(connection)
    }

    func abort(_ connection: Member) {
        if connection.isClosed { return }
        outputs.append(VenueOutput(connection: connection.id, action: .abort))
        forget(connection)
    }

    private func forget(_ connection: Member) {
        connection.isClosed = true
        owner?.left(connection)
        connections.removeAll { $0 === connection }
        timersChanged()
    }

    // MARK: Faults

    /// Whether this trade is to fail later.
    func takeTradeFailure() -> Bool { injector.isActive && injector.strikeTrade(now) }

    func restart(outage length: VenueTime, status: Int?) {
        for connection in connections { abort(connection) }
        delayed = []
        outage = (later(now, by: length), status)
        owner?.restarted(until: outage.until, status: status)
    }

    /// Ends random and scripted faults. The log of those that happened is returned.
    func stopFaults() -> [FaultRecord] {
        let log = injector.log
        injector = FaultInjector(plan: FaultPlan(), seed: seed, start: now)
        timersChanged()
        return log
    }
}
