/// A venue that speaks Binance's USDⓈ-M protocol; see `VenueCore` for how it is driven.
///
/// Self-trade prevention: an account never trades with itself. The default is `EXPIRE_MAKER` (the resting order expires
/// and the new one goes on); `EXPIRE_TAKER` and `EXPIRE_BOTH` can be asked for with an order; `NONE` is taken as the default.
package final class BinanceVenue: VenueCore {
    let configuration: BinanceConfiguration
    let ledger: Ledger
    private(set) var markets: [Market] = []
    private var participants: [Participants] = []
    private(set) var accounts: [Account] = []
    private let accountsByKey: [String: Account]
    private var timerDeadline: VenueTime = .min
    let hub: ConnectionHub<BinanceVenue>
    var requestWeight = WindowCounter(length: 60 * second)
    var keyRandom: DeterministicRandom
    var playback: Playback?

    /// - Parameter now: The venue's first moment; its market begins there.
    package init(_ configuration: BinanceConfiguration, now: VenueTime) throws(VenueConfigurationError) {
        try configuration.validate()
        self.configuration = configuration
        hub = ConnectionHub(
            heartbeat: configuration.heartbeat, faults: configuration.faults, seed: configuration.seed, now: now)
        ledger = Ledger(symbolCount: configuration.symbols.count)
        keyRandom = DeterministicRandom(seed: configuration.seed, stream: 0x6E7)
        var byKey: [String: Account] = [:]
        for account in configuration.accounts {
            let created = Account(index: ledger.addOwner(balance: account.balance), configuration: account)
            accounts.append(created)
            byKey[account.apiKey] = created
        }
        accountsByKey = byKey
        hub.owner = self
        for (index, symbol) in configuration.symbols.enumerated() { addMarket(index, symbol) }
    }

    private func addMarket(_ index: Int, _ symbol: SymbolConfiguration) {
        let market = Market(
            index: index, configuration: symbol, seed: configuration.seed,
            depthInterval: configuration.speed.depthInterval, time: now, observer: self)
        // The feed lives no longer than the venue that owns it.
        market.feed.deliver = { [unowned self] connection, kind, frame in
            self.hub.sendStream(frame, to: connection, stream: kind.suffix)
        }
        markets.append(market)
        var crowd = Participants(
            configuration: symbol, speed: configuration.speed, seed: configuration.seed, index: index, time: now,
            addOwner: { ledger.addOwner(balance: 0) })
        crowd.open(market)
        participants.append(crowd)
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

    package func advance(to now: VenueTime) {
        while true {
            if timerDeadline == .min { timerDeadline = computeTimerDeadline() }
            var due = min(timerDeadline, hub.nextTime)
            var dueMarket = -1
            for index in markets.indices {
                let time = min(participants[index].nextTime, markets[index].feed.nextDepthTime)
                if time < due {
                    due = time
                    dueMarket = index
                }
            }
            guard due <= now else { break }
            hub.moveTime(to: due)
            if dueMarket < 0 { runTimers() } else { runMarket(dueMarket) }
        }
        hub.moveTime(to: now)
    }

    package func dropMarket(before time: VenueTime) {
        for index in participants.indices where participants[index].nextTime < time {
            participants[index].skip(to: time)
            hub.statistics.marketDrops += 1
        }
    }

    package var nextDeadline: VenueTime? {
        if timerDeadline == .min { timerDeadline = computeTimerDeadline() }
        var due = min(timerDeadline, hub.nextTime)
        for index in markets.indices {
            due = min(due, participants[index].nextTime, markets[index].feed.nextDepthTime)
        }
        return due == .max ? nil : due
    }

    package func takeOutputs() -> [VenueOutput] { hub.takeOutputs() }

    private func runMarket(_ index: Int) {
        let market = markets[index]
        market.time = now
        if participants[index].nextTime <= now {
            participants[index].act(market, ledger: ledger)
            hub.statistics.participantActions += 1
        }
        market.feed.publish(market)
    }

    // MARK: Timers

    private func computeTimerDeadline() -> VenueTime {
        var due = VenueTime.max
        for account in accounts where account.listenKey != nil { due = min(due, account.listenKeyExpiry) }
        for account in accounts {
            for time in account.countdowns.values { due = min(due, time) }
            for order in account.open where order.goodTill != 0 { due = min(due, order.goodTill) }
        }
        if let playback { due = min(due, playback.nextTime) }
        return due
    }

    private func runTimers() {
        timersChanged()
        if hub.nextTime <= now { hub.runTimers() }
        for account in accounts where account.listenKey != nil && account.listenKeyExpiry <= now {
            expireListenKey(account)
        }
        for account in accounts where !account.countdowns.isEmpty { endCountdowns(account) }
        for account in accounts { endOutdated(account) }
        runPlayback()
    }

    /// The venue's own timers must be looked at again: something was added.
    func timersChanged() { timerDeadline = .min }

    func account(forKey key: String) -> Account? { accountsByKey[key] }

    func market(named name: String) -> Market? { markets.first { $0.configuration.name == name } }

    func stopParticipants() {
        for index in participants.indices { participants[index].stop() }
    }
}
