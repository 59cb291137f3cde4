/// A venue that speaks Deriv's options protocol, the current API and v3: bytes and time in, bytes out.
///
/// Its synthetic indices are seeded random walks with a quote each one or two seconds; accounts buy rises and falls,
/// highers and lowers and digit contracts, priced by the formula of `DerivPricing`. A contract's entry spot is the next
/// quote after its purchase. One of so many ticks ends with its last quote, one of so many seconds with the newest
/// quote at its expiry; it then pays its payout or nothing, and the balance moves by exactly that. The same
/// configuration and the same calls give the same bytes.
package final class DerivVenue: VenueCore {
    let configuration: DerivVenueConfiguration
    let hub: ConnectionHub<DerivVenue>
    let pricing: DerivPricing
    private(set) var indices: [DerivIndex] = []
    private(set) var accounts: [DerivAccount] = []
    private(set) var users: [DerivUser] = []
    /// Open contracts of all accounts, oldest first.
    var openContracts: [DerivContract] = []
    /// One-time passwords that wait for their connection, oldest first.
    var passwords: [DerivPassword] = []
    /// What unauthorised sockets have asked for; on loopback they come from one address.
    var publicBudgets = DerivBudgets()
    var restRequests = WindowCounter(length: 60 * second)
    var idRandom: DeterministicRandom
    /// Decides which prices are written as strings.
    var styleRandom: DeterministicRandom
    private var nextContract: Int64 = 250_000_000_008
    private var nextTransaction: Int64 = 500_000_000_008

    /// - Parameter now: The venue's first moment; its indices have a history before it.
    package init(_ configuration: DerivVenueConfiguration, now: VenueTime) throws(VenueConfigurationError) {
        try configuration.validate()
        self.configuration = configuration
        pricing = DerivPricing(marginPpm: configuration.marginPpm)
        hub = ConnectionHub(heartbeat: .none, faults: configuration.faults, seed: configuration.seed, now: now)
        idRandom = DeterministicRandom(seed: configuration.seed, stream: 0xDE11)
        styleRandom = DeterministicRandom(seed: configuration.seed, stream: 0xDE12)
        for (place, symbol) in configuration.symbols.enumerated() {
            indices.append(DerivIndex(place: place, symbol: symbol, seed: configuration.seed, now: now))
        }
        for account in configuration.accounts { add(account) }
        hub.owner = self
    }

    private func add(_ configuration: DerivAccountConfiguration) {
        let account = DerivAccount(place: accounts.count, configuration: configuration)
        accounts.append(account)
        if let user = users.first(where: { $0.token == configuration.token }) {
            user.accounts.append(account)
        } else {
            let user = DerivUser(token: configuration.token, kind: configuration.tokenKind)
            user.accounts.append(account)
            users.append(user)
        }
    }

    // MARK: Driving

    package func connect(now: VenueTime) -> ConnectionID { connect(now: now, isSecure: false) }

    /// - Parameter isSecure: Whether the client came over TLS: the address with its one-time password says so.
    package func connect(now: VenueTime, isSecure: Bool) -> ConnectionID {
        advance(to: now)
        let id = hub.connect()
        hub.connection(id)?.isSecure = isSecure
        return id
    }

    package func receive(_ id: ConnectionID, _ bytes: [UInt8], now: VenueTime) {
        advance(to: now)
        hub.receive(id, bytes)
    }

    package func disconnect(_ id: ConnectionID, now: VenueTime) {
        advance(to: now)
        hub.disconnect(id)
    }

    /// Runs quotes, expiries and timers up to that time, in the order of their times. A quote comes before what ends at its
    /// moment, so that an expiry sees it.
    package func advance(to now: VenueTime) {
        while let due = nextDeadline, due <= now {
            hub.moveTime(to: due)
            if let index = indices.first(where: { $0.nextTime <= due }) {
                tick(index)
            } else if let contract = openContracts.first(where: { expiryTime($0) <= due }) {
                settleAtExpiry(contract)
            } else {
                closeIdle()
                hub.runTimers()
            }
        }
        hub.moveTime(to: now)
    }

    package var nextDeadline: VenueTime? {
        var due = hub.nextTime
        for index in indices { due = min(due, index.nextTime) }
        for contract in openContracts { due = min(due, expiryTime(contract)) }
        for connection in hub.connections where isLimited(connection) {
            due = min(due, later(connection.lastHeard, by: configuration.idleLimit))
        }
        return due == .max ? nil : due
    }

    package func takeOutputs() -> [VenueOutput] { hub.takeOutputs() }

    var now: VenueTime { hub.now }

    /// Whole seconds since 1970.
    var epoch: Int64 { now / second }

    /// When a contract ends by the clock; the far future for one that counts quotes.
    private func expiryTime(_ contract: DerivContract) -> VenueTime {
        guard case .seconds(let length) = contract.terms.duration else { return .max }
        return (contract.purchaseTime + length) * second
    }

    // MARK: Idle connections

    private func isLimited(_ connection: DerivConnection) -> Bool { connection.isUpgraded && connection.api == .v3 }

    private func closeIdle() {
        for connection in hub.connections
        where isLimited(connection) && later(connection.lastHeard, by: configuration.idleLimit) <= now {
            hub.close(connection, 1000, "the connection was silent for too long")
        }
    }

    // MARK: Numbers

    func index(named name: String) -> DerivIndex? { indices.first { $0.symbol.name == name } }

    func newContractID() -> Int64 {
        defer { nextContract += 20 }
        return nextContract
    }

    func newTransactionID() -> Int64 {
        defer { nextTransaction += 20 }
        return nextTransaction
    }

    // MARK: Quotes

    /// The next quote of an index: contracts see it, then everybody who listens.
    private func tick(_ index: DerivIndex) {
        index.tick()
        hub.statistics.participantActions += 1
        let tick = index.newest
        tellTick(index)
        for contract in openContracts where contract.terms.symbol == index.place {
            if contract.observe(tick) { settle(contract, exit: tick) }
        }
        tellContracts(index)
        tellProposals(index)
    }
}
