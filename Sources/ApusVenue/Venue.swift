/// A venue that speaks Binance's USDⓈ-M protocol: bytes and time in, bytes out.
///
/// The core opens no socket and asks no clock. Whoever drives it (the NIO shell on real sockets, a simulation in one thread)
/// calls it from one thread, with times that never go back, and carries out `takeOutputs()` in order after every call.
/// The same configuration and the same calls give the same bytes.
///
/// Self-trade prevention: an account never trades with itself. The default is `EXPIRE_MAKER` (the resting order expires
/// and the new one goes on); `EXPIRE_TAKER` and `EXPIRE_BOTH` can be asked for with an order; `NONE` is taken as the default.
package final class Venue {
    let configuration: VenueConfiguration
    let ledger: Ledger
    private(set) var markets: [Market] = []
    private var participants: [Participants] = []
    private(set) var accounts: [Account] = []
    private let accountsByKey: [String: Account]
    /// In the order they were opened, so that every walk over them is the same in every run.
    private(set) var connections: [Connection] = []
    private var outputs: [VenueOutput] = []
    private var delayed: [DelayedAnswer] = []
    private var nextConnection = 1
    private var timerDeadline: VenueTime = .min
    private(set) var now: VenueTime
    var injector: FaultInjector
    var requestWeight = WindowCounter(length: 60 * second)
    var keyRandom: DeterministicRandom
    var playback: Playback?
    package private(set) var statistics = VenueStatistics()

    /// - Parameter now: The venue's first moment; its market begins there.
    package init(_ configuration: VenueConfiguration, now: VenueTime) throws(VenueConfigurationError) {
        try configuration.validate()
        self.configuration = configuration
        self.now = now
        ledger = Ledger(symbolCount: configuration.symbols.count)
        injector = FaultInjector(plan: configuration.faults, seed: configuration.seed, start: now)
        keyRandom = DeterministicRandom(seed: configuration.seed, stream: 0x6E7)
        var byKey: [String: Account] = [:]
        for account in configuration.accounts {
            let created = Account(index: ledger.addOwner(balance: account.balance), configuration: account)
            accounts.append(created)
            byKey[account.apiKey] = created
        }
        accountsByKey = byKey
        for (index, symbol) in configuration.symbols.enumerated() { addMarket(index, symbol) }
    }

    private func addMarket(_ index: Int, _ symbol: SymbolConfiguration) {
        let market = Market(
            index: index, configuration: symbol, seed: configuration.seed,
            depthInterval: configuration.speed.depthInterval, time: now, observer: self)
        // The feed lives no longer than the venue that owns it.
        market.feed.deliver = { [unowned self] connection, kind, frame in
            self.sendStream(frame, to: connection, stream: kind.suffix)
        }
        markets.append(market)
        var crowd = Participants(
            configuration: symbol, speed: configuration.speed, seed: configuration.seed, index: index, time: now,
            addOwner: { ledger.addOwner(balance: 0) })
        crowd.open(market)
        participants.append(crowd)
    }

    // MARK: Driving

    /// A client has connected.
    package func connect(now: VenueTime) -> ConnectionID {
        advance(to: now)
        let connection = Connection(id: ConnectionID(value: nextConnection), now: now)
        nextConnection += 1
        connections.append(connection)
        timerDeadline = .min
        return connection.id
    }

    /// Bytes have come from a client.
    package func receive(_ id: ConnectionID, _ bytes: [UInt8], now: VenueTime) {
        advance(to: now)
        guard let connection = connection(id) else { return }
        read(connection, bytes)
        timerDeadline = .min
    }

    /// A client is gone; nothing is sent to it any more.
    package func disconnect(_ id: ConnectionID, now: VenueTime) {
        advance(to: now)
        guard let connection = connection(id) else { return }
        forget(connection)
    }

    /// Runs participants and timers up to that time, in the order of their times.
    package func advance(to now: VenueTime) {
        while true {
            if timerDeadline == .min { timerDeadline = computeTimerDeadline() }
            var due = timerDeadline
            var dueMarket = -1
            for index in markets.indices {
                let time = min(participants[index].nextTime, markets[index].feed.nextDepthTime)
                if time < due {
                    due = time
                    dueMarket = index
                }
            }
            guard due <= now else { break }
            self.now = max(due, self.now)
            if dueMarket < 0 { runTimers() } else { runMarket(dueMarket) }
        }
        self.now = max(now, self.now)
    }

    /// When `advance` has something to do next; nil when it is idle.
    package var nextDeadline: VenueTime? {
        if timerDeadline == .min { timerDeadline = computeTimerDeadline() }
        var due = timerDeadline
        for index in markets.indices {
            due = min(due, participants[index].nextTime, markets[index].feed.nextDepthTime)
        }
        return due == .max ? nil : due
    }

    /// What is to be carried out, in order; the list is empty afterwards.
    package func takeOutputs() -> [VenueOutput] {
        defer { outputs.removeAll(keepingCapacity: true) }
        return outputs
    }

    private func runMarket(_ index: Int) {
        let market = markets[index]
        market.time = now
        if participants[index].nextTime <= now {
            participants[index].act(market, ledger: ledger)
            statistics.participantActions += 1
        }
        market.feed.publish(market)
    }

    // MARK: Timers

    private func computeTimerDeadline() -> VenueTime {
        var due = injector.nextTime ?? .max
        for connection in connections {
            due = min(due, connection.nextPing, connection.pongDeadline)
            due = min(due, connection.openedAt + configuration.heartbeat.connectionLifetime)
            if let trickle = connection.fault.trickle { due = min(due, trickle.nextRelease) }
        }
        for account in accounts where account.listenKey != nil { due = min(due, account.listenKeyExpiry) }
        for item in delayed { due = min(due, item.time) }
        if let playback { due = min(due, playback.nextTime) }
        return due
    }

    private func runTimers() {
        timerDeadline = .min
        for (connection, kind) in injector.takeDue(now, connections) { strike(connection, kind, stream: nil) }
        for connection in connections where !connection.isClosed { runTimers(connection) }
        for account in accounts where account.listenKey != nil && account.listenKeyExpiry <= now {
            expireListenKey(account)
        }
        let due = delayed.filter { $0.time <= now }
        delayed.removeAll { $0.time <= now }
        for item in due where !item.connection.isClosed { send(item.bytes, to: item.connection) }
        runPlayback()
    }

    private func runTimers(_ connection: Connection) {
        if connection.pongDeadline <= now { return abort(connection) }
        if connection.openedAt + configuration.heartbeat.connectionLifetime <= now {
            return connection.isUpgraded ? close(connection, 1001, "the connection is 24 hours old") : abort(connection)
        }
        if connection.nextPing <= now {
            connection.nextPing = now + configuration.heartbeat.interval
            connection.pongDeadline = min(connection.pongDeadline, now + configuration.heartbeat.timeout)
            send(WebSocketCodec.frame(.ping, Array(String(now / millisecond).utf8)), to: connection)
        }
        if let trickle = connection.fault.trickle, trickle.nextRelease <= now { release(connection, trickle) }
    }

    private func release(_ connection: Connection, _ trickle: ConnectionFault.Trickle) {
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

    // MARK: Connections

    func connection(_ id: ConnectionID) -> Connection? {
        connections.first { $0.id == id && !$0.isClosed }
    }

    func account(forKey key: String) -> Account? { accountsByKey[key] }

    func market(named name: String) -> Market? { markets.first { $0.configuration.name == name } }

    /// Sends bytes; on a connection that trickles they queue.
    func send(_ bytes: [UInt8], to connection: Connection) {
        if connection.fault.trickle != nil {
            connection.fault.trickle?.pending.append(contentsOf: bytes)
            return
        }
        outputs.append(VenueOutput(connection: connection.id, action: .bytes(bytes)))
    }

    /// Sends a message of a stream, unless a fault strikes it.
    func sendStream(_ frame: [UInt8], to connection: Connection, stream: String) {
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

    private func releaseHeld(_ connection: Connection, _ stream: String) {
        guard let held = connection.fault.held, held.stream == stream else { return }
        connection.fault.held = nil
        send(held.frame, to: connection)
    }

    private func strikeMessage(_ frame: [UInt8], _ connection: Connection, _ stream: String, _ kind: FaultKind) {
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
            if kind != .disconnect, case .slowReader = kind { send(frame, to: connection) }
            strike(connection, kind, stream: stream)
        }
    }

    /// Sends the answer to a request, unless a fault strikes it.
    func sendAnswer(_ bytes: [UInt8], to connection: Connection) {
        if connection.isClosed { return }
        guard injector.isActive else { return send(bytes, to: connection) }
        if connection.fault.frozenUntil > now { return }
        guard let kind = injector.strikeAnswer(connection, now) else { return send(bytes, to: connection) }
        switch kind {
        case .lostAnswer: injector.record(kind, connection, stream: nil, now)
        case .delayedAnswer(let delay):
            injector.record(kind, connection, stream: nil, now)
            delayed.append(DelayedAnswer(time: now + delay, connection: connection, bytes: bytes))
            timerDeadline = .min
        case .corrupt(let how) where connection.isUpgraded:
            injector.record(kind, connection, stream: nil, now)
            send(FaultInjector.corrupted(bytes, how), to: connection)
        default: strike(connection, kind, stream: nil)
        }
    }

    /// Carries out a fault of a connection.
    private func strike(_ connection: Connection, _ kind: FaultKind, stream: String?) {
        injector.record(kind, connection, stream: stream, now)
        switch kind {
        case .disconnect: abort(connection)
        case .freeze(let length):
            let (end, overflow) = now.addingReportingOverflow(length)
            connection.fault.frozenUntil = overflow ? .max : end
        case .slowReader(let length, let rate):
            let trickle = ConnectionFault.Trickle(
                bytesPerMillisecond: max(rate, 1), nextRelease: now + millisecond, ends: now + length)
            if connection.fault.trickle == nil { connection.fault.trickle = trickle }
            outputs.append(VenueOutput(connection: connection.id, action: .pauseReading))
            timerDeadline = .min
        default: break
        }
    }

    /// Closes a WebSocket with a code.
    func close(_ connection: Connection, _ code: UInt16, _ reason: String) {
        if connection.isClosed { return }
        send(WebSocketCodec.closeFrame(code, reason), to: connection)
        closeAfterSending(connection)
    }

    func closeAfterSending(_ connection: Connection) {
        if let pending = connection.fault.trickle?.pending {
            outputs.append(VenueOutput(connection: connection.id, action: .bytes(pending)))
        }
        outputs.append(VenueOutput(connection: connection.id, action: .close))
        forget(connection)
    }

    func abort(_ connection: Connection) {
        if connection.isClosed { return }
        outputs.append(VenueOutput(connection: connection.id, action: .abort))
        forget(connection)
    }

    private func forget(_ connection: Connection) {
        connection.isClosed = true
        for subscription in connection.subscriptions { drop(subscription, of: connection) }
        connection.subscriptions = []
        connections.removeAll { $0 === connection }
        timerDeadline = .min
    }

    func stopParticipants() {
        for index in participants.indices { participants[index].stop() }
    }

    /// Timers must be looked at again: something was added.
    func timersChanged() { timerDeadline = .min }

    func countFill() { statistics.fills += 1 }

    func countRequest() { statistics.requests += 1 }

}

/// Counters since the start.
package struct VenueStatistics: Sendable, Equatable {
    package var participantActions = 0
    package var streamMessages = 0
    package var fills = 0
    package var requests = 0
}
