/// A venue that speaks Polymarket's CLOB protocol, version 2; see `VenueCore` for how it is driven.
///
/// - Both outcomes of a market share one book; a pair of tokens is minted when two buyers meet, merged when two sellers do.
/// - Money and tokens move when a trade is matched. One that fails later is undone; its orders stay as matched as they were,
///   as what was taken from the book does not come back. Open orders that are not covered any more are cancelled.
/// - A trade has one price: an order that takes several levels makes several trades.
/// - An account never trades with itself: its resting order is cancelled and the new one goes on.
/// - There are no fees.
package final class PolymarketVenue: VenueCore {
    /// What happens later.
    enum Appointment {
        case settle(PolymarketTrade)
        case expire(PolymarketOrder)
        case restart
    }

    let configuration: PolymarketConfiguration
    let hub: ConnectionHub<PolymarketVenue>
    let ledger: OutcomeLedger
    let recovery = SignatureRecovery()
    private(set) var markets: [OutcomeMarket] = []
    private(set) var feeds: [OutcomeFeed] = []
    private(set) var accounts: [PolymarketAccount] = []
    private var crowds: [OutcomeCrowd] = []
    private let accountsBySigner: [EthereumAddress: PolymarketAccount]
    /// By API key.
    var accountsByKey: [String: PolymarketAccount] = [:]
    let tokens: [String: (market: Int, token: Int)]
    var orders: [String: PolymarketOrder] = [:]
    /// Orders that rest, by their numbers.
    var resting: [Int64: PolymarketOrder] = [:]
    var closed = RingList<PolymarketOrder>(limit: 50_000)
    var appointments = TimerQueue<Appointment>()
    var random: DeterministicRandom
    let keySeed: [UInt8]
    var postOnlyUntil: VenueTime = .min
    private var heartbeatDeadline: VenueTime = .min

    /// - Parameter now: The venue's first moment; its markets begin there.
    package init(_ configuration: PolymarketConfiguration, now: VenueTime) throws(VenueConfigurationError) {
        try configuration.validate()
        self.configuration = configuration
        hub = ConnectionHub(heartbeat: .none, faults: configuration.faults, seed: configuration.seed, now: now)
        ledger = OutcomeLedger(markets: configuration.markets.count)
        random = DeterministicRandom(seed: configuration.seed, stream: 0x901)
        keySeed = word(configuration.seed)
        var bySigner: [EthereumAddress: PolymarketAccount] = [:]
        for account in configuration.accounts {
            let index = ledger.addOwner(collateral: account.collateral, pairs: account.tokens * tokenUnit)
            let created = PolymarketAccount(index: index, configuration: account, limits: configuration.rateLimits)
            accounts.append(created)
            bySigner[account.signer] = created
        }
        accountsBySigner = bySigner
        var tokens: [String: (market: Int, token: Int)] = [:]
        for (index, market) in configuration.markets.enumerated() {
            for token in 0..<2 { tokens[market.tokens[token]] = (index, token) }
        }
        self.tokens = tokens
        hub.owner = self
        for (index, market) in configuration.markets.enumerated() { addMarket(index, market, now) }
        if let first = configuration.timing.weeklyRestart { appointments.add(.restart, at: later(now, by: first)) }
    }

    private func addMarket(_ index: Int, _ configuration: OutcomeMarketConfiguration, _ now: VenueTime) {
        let market = OutcomeMarket(index: index, configuration: configuration)
        // Participants do not run out of money, nor of tokens: what they hold counts, what they may hold does not.
        var crowd = OutcomeCrowd(
            configuration: configuration, speed: self.configuration.speed, seed: self.configuration.seed, index: index,
            time: now,
            addOwner: { ledger.addOwner(collateral: 1_000_000_000 * tokenUnit, pairs: 100_000_000 * tokenUnit) }
        )
        crowd.open(market)
        _ = market.takeChanges()
        markets.append(market)
        crowds.append(crowd)
        let feed = OutcomeFeed(market: market)
        // The feed lives no longer than the venue that owns it.
        feed.deliver = { [unowned self] connection, stream, frame in
            self.hub.sendStream(frame, to: connection, stream: stream)
        }
        feeds.append(feed)
    }

    // MARK: Driving

    /// The time of what is being done.
    var now: VenueTime { hub.now }

    package func connect(now: VenueTime) -> ConnectionID {
        advance(to: now)
        return hub.connect()
    }

    package func receive(_ id: ConnectionID, _ bytes: [UInt8], now: VenueTime) {
        advance(to: now)
        hub.receive(id, bytes)
    }

    package func disconnect(_ id: ConnectionID, now: VenueTime) {
        advance(to: now)
        hub.disconnect(id)
    }

    package func takeOutputs() -> [VenueOutput] { hub.takeOutputs() }

    package func advance(to now: VenueTime) {
        while true {
            var due = min(hub.nextTime, appointments.nextTime, nextHeartbeat)
            var dueMarket = -1
            for index in crowds.indices where crowds[index].nextTime < due {
                due = crowds[index].nextTime
                dueMarket = index
            }
            guard due <= now else { break }
            hub.moveTime(to: due)
            if dueMarket < 0 { runTimers() } else { runCrowd(dueMarket) }
        }
        hub.moveTime(to: now)
    }

    package func dropMarket(before time: VenueTime) {
        for index in crowds.indices where crowds[index].nextTime < time {
            crowds[index].skip(to: time)
            hub.statistics.marketDrops += 1
        }
    }

    package var nextDeadline: VenueTime? {
        var due = min(hub.nextTime, appointments.nextTime, nextHeartbeat)
        for crowd in crowds { due = min(due, crowd.nextTime) }
        return due == .max ? nil : due
    }

    private func runCrowd(_ index: Int) {
        hub.statistics.participantActions += 1
        let market = markets[index]
        if let taker = crowds[index].act(market, time: now) { matchParticipant(taker, market) }
        publish(market)
    }

    private func runTimers() {
        if hub.nextTime <= now { hub.runTimers() }
        while let appointment = appointments.take(until: now) {
            switch appointment {
            case .settle(let trade): settle(trade)
            case .expire(let order): if order.status == .live { cancel(order) }
            case .restart:
                appointments.add(.restart, at: later(now, by: 7 * 24 * 3600 * second))
                restart(outage: configuration.timing.restartOutage, status: 425)
            }
        }
        if nextHeartbeat <= now { stopSilent() }
    }

    // MARK: Heartbeats

    private var nextHeartbeat: VenueTime {
        if heartbeatDeadline == .min {
            heartbeatDeadline = accounts.reduce(.max) { min($0, $1.heartbeatDeadline) }
        }
        return heartbeatDeadline
    }

    /// Deadlines must be looked at again: one has changed.
    func heartbeatsChanged() { heartbeatDeadline = .min }

    /// Cancels the open orders of those whose heartbeats have stopped.
    private func stopSilent() {
        heartbeatsChanged()
        for account in accounts where account.heartbeatDeadline <= now {
            account.heartbeatDeadline = .max
            account.heartbeatID = nil
            for order in account.open { cancel(order) }
        }
    }

    // MARK: What there is

    func account(signer: EthereumAddress) -> PolymarketAccount? { accountsBySigner[signer] }

    /// The account of an owner number of the ledger; nil for a participant.
    func account(owner: Int32) -> PolymarketAccount? {
        Int(owner) < accounts.count ? accounts[Int(owner)] : nil
    }

    func market(conditionID: String) -> OutcomeMarket? {
        markets.first { $0.configuration.conditionID == conditionID }
    }

    /// Tells what the operation in hand has changed, and makes the tick finer near the ends of the range.
    func publish(_ market: OutcomeMarket) {
        feeds[market.index].publish(market.takeChanges(), now)
        feeds[market.index].publishTrades(now)
        let touch = market.touch(0)
        if market.tickSize == 100 && (touch.bid >= 9_600 || touch.ask <= 400) {
            feeds[market.index].changeTick(to: 10, now)
        }
    }

    func stopParticipants() {
        for index in crowds.indices { crowds[index].stop() }
    }

    package func restart(outage: VenueTime, status: Int?) { hub.restart(outage: outage, status: status) }

    func restarted(until: VenueTime, status: Int?) {
        if status == 425 { postOnlyUntil = later(until, by: configuration.timing.postOnlyAfterRestart) }
        // Nobody could beat meanwhile.
        for account in accounts where account.heartbeatDeadline != .max {
            account.heartbeatDeadline = max(account.heartbeatDeadline, later(until, by: configuration.timing.heartbeat))
        }
        heartbeatsChanged()
    }
}
