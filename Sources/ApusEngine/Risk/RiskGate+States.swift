package import Apus

extension RiskGate {
    // MARK: Trading states

    /// A strategy's own word.
    package mutating func set(_ state: TradingState, ofStrategy strategy: Int, now: UInt64) {
        states.set(word: state, of: strategy, at: now)
    }

    /// As `resume`, after a limit of one strategy's own was reached.
    package mutating func resume(strategy: Int, _ now: UInt64) {
        _ = ledger.settle()
        guard rows.isSplit, shares[strategy].watch.day.trip != nil else { return }
        shares[strategy].watch.resume(shares[strategy].totals.result)
        states.set(trip: .active, of: strategy, because: .resumed, at: now)
    }

    /// A person resumes after a day's limit was reached. What was lost so far is accepted: the limits hold from here on.
    package mutating func resume(_ now: UInt64) {
        _ = ledger.settle()
        guard watch.day.trip != nil else { return }
        watch.resume(ledger.totals.pointee.result)
        set(own: .active, because: .resumed, at: now)
    }

    /// What keeps orders of a strategy back, nil: of all, and what ends that; nil: nothing.
    func hold(of strategy: Int?) -> String? {
        if let strategy {
            if wholeState != .active { return "trading is \(wholeState) for all; apus resume opens it" }
            if states.word(strategy) == .active && states.trip(strategy) == .active { return nil }
            return "the strategy \(strategies[strategy]) is \(state(of: strategy))"
        }
        // A person's own word is the caller's, and a limit of the day that was reached is accepted.
        if controlState != .active {
            return "the journal cannot be written, or trading was stopped again meanwhile; the log says more"
        }
        if states.own != .active { return "a limit of the day was reached, or the run ends; apus risk says more" }
        guard strategies.count == 1, states.word(0) != .active else { return nil }
        let name = strategies[0]
        return "the strategy \(name) is \(states.word(0)) by itself; apus resume --strategy \(name) opens it"
    }

    /// Takes note of the shared word.
    @inline(__always)
    mutating func observe(_ now: UInt64) {
        if controlState != states.seen { noteControl(now) }
    }

    private mutating func noteControl(_ now: UInt64) {
        let state = controlState
        states.note(.control, from: states.seen, to: state, at: now)
        states.seen = state
    }

    /// The oldest change of what may be sent after that number, of the newest that are kept.
    package func stateChange(after number: UInt64) -> RiskStateChange? { states.change(after: number) }

    // MARK: The day's result

    /// The trading day, to be journaled with each `RiskStateChange` and when it `owesPeak`.
    package var day: TradingDay { watch.day }

    /// As `day`, one strategy's own.
    package func day(of strategy: Int) -> TradingDay { shares[strategy].watch.day }

    /// Whether a day's peak has risen since it was written down, and a limit depends on it.
    var owesPeak: Bool {
        if watch.owesPeak { return true }
        return rows.isSplit && (0..<strategies.count).contains { shares[$0].watch.owesPeak }
    }

    /// Whether a limit of the strategy's own was reached, and nobody has resumed since.
    func hasTripped(_ strategy: UInt8) -> Bool {
        strategy != Order.nobody && shares[Int(strategy)].watch.day.trip != nil
    }

    /// Takes up a trading day from a journal, after positions and what they have earned were restored.
    package mutating func restore(_ day: TradingDay, now: UInt64) {
        _ = ledger.settle()
        watch.restore(day)
        enterDay(now)
        if let trip = day.trip { stop(trip, now) }
        judgeResult(now)
    }

    /// As `restore`, one strategy's own.
    package mutating func restore(_ day: TradingDay, of strategy: Int, now: UInt64) {
        _ = ledger.settle()
        shares[strategy].watch.restore(day)
        enterDay(now)
        if let trip = day.trip { stop(strategy, trip, now) }
        judgeResult(now)
    }

    /// Until when the result is held against no limit while something that is held has no price yet: after a start it would be counted as
    /// if it had earned nothing, and a day that goes on would seem to have lost that.
    private static var pricePatience: UInt64 { 10_000_000_000 }

    /// The engine starts, with the positions that it goes on with.
    mutating func begin(_ now: UInt64) {
        if ledger.totals.pointee.unpriced > 0 { pricedFrom = now &+ Self.pricePatience }
    }

    private func isUnpriced(_ now: UInt64) -> Bool { now < pricedFrom && ledger.totals.pointee.unpriced > 0 }

    /// When the result counts although something that is held has no price; nil: it counts now.
    func unpricedUntil(_ now: UInt64) -> UInt64? { isUnpriced(now) ? pricedFrom : nil }

    /// Values what has changed and holds the result against the day's limits.
    package mutating func judge(_ now: UInt64) {
        _ = ledger.settle()
        judgeResult(now)
        if now >= watch.end { enterDay(now) }
    }

    mutating func enterDay(_ now: UInt64) {
        if isUnpriced(now) { return }
        if watch.enter(now, wallOffset: wallOffset, result: ledger.totals.pointee.result) {
            states.note(.newDay, from: states.own, to: states.own, at: now)
        }
        if rows.isSplit { enterDayOfEach(now) }
    }

    private mutating func enterDayOfEach(_ now: UInt64) {
        for strategy in 0..<strategies.count {
            let share = shares + strategy
            let isNew = share.pointee.watch.enter(
                now, wallOffset: wallOffset, result: share.pointee.totals.result)
            let state = states.trip(strategy)
            if isNew { states.note(.newDay, from: state, to: state, strategy: UInt8(strategy), at: now) }
        }
    }

    @inline(__always)
    mutating func judgeResult(_ now: UInt64) {
        if isUnpriced(now) { return }
        // Nothing is judged before the first day of this run has begun or gone on.
        if watch.end == 0 { enterDay(now) }
        if let trip = watch.judge(ledger.totals.pointee.result) { stop(trip, now) }
        if rows.isSplit { judgeEach(now) }
    }

    private mutating func judgeEach(_ now: UInt64) {
        for strategy in 0..<strategies.count {
            let share = shares + strategy
            if let trip = share.pointee.watch.judge(share.pointee.totals.result) { stop(strategy, trip, now) }
        }
    }

    private mutating func stop(_ trip: TradingDay.Trip, _ now: UInt64) {
        set(own: max(limits.lossState, states.own), because: Self.cause(trip), at: now)
        mustCancel = mustCancel || states.own == .halted
    }

    private mutating func stop(_ strategy: Int, _ trip: TradingDay.Trip, _ now: UInt64) {
        states.set(trip: limits.lossState, of: strategy, because: Self.cause(trip), at: now)
        mustCancel = mustCancel || limits.lossState == .halted
    }

    private static func cause(_ trip: TradingDay.Trip) -> RiskStateChange.Cause {
        trip == .dailyLoss ? .dailyLoss : .drawdown
    }

    /// Whether any limit of a day was reached, and nobody has resumed since.
    var hasTrip: Bool {
        if watch.day.trip != nil { return true }
        return rows.isSplit && (0..<strategies.count).contains { shares[$0].watch.day.trip != nil }
    }

    /// Whether a limit that was reached wants an order of that strategy canceled.
    func isHaltedByTrip(_ strategy: UInt8) -> Bool {
        if watch.day.trip != nil && states.own == .halted { return true }
        return rows.isSplit && hasTripped(strategy) && states.trip(Int(strategy)) == .halted
    }

    // MARK: Balance

    /// What the venue says of the wallet that an instrument settles in.
    package mutating func set(balance: Money, of instrument: Instrument) {
        ledger.note(instrument.record)
        _ = ledger.settle()
        setBalance(balance, ledger.rows[instrument.index].purse)
    }

    private func setBalance(_ balance: Money, _ purse: Int) {
        let place = ledger.purses + purse
        place.pointee.start = RiskLedger.bounded(balance.atoms) - place.pointee.flow
        place.pointee.isKnown = true
    }

    // MARK: Tighter limits

    /// Replaces the limits by tighter ones, in force on the next order. What is open already stays.
    /// - Throws: an error that names the first limit that would let more through; then nothing has changed. Looser limits
    ///   need a restart.
    package mutating func tighten(_ new: RiskLimits) throws(RiskLimitError) {
        try new.check(strategies)
        if let key = new.looser(than: limits) {
            throw RiskLimitError(key: key, reason: "can be tightened while running, and loosened only by a restart")
        }
        var own: [ResolvedLimits] = []
        for index in 0..<instruments.count {
            let limit = try ResolvedLimits(new, instruments[index])
            if let key = limit.looser(than: resolved[index]) {
                throw RiskLimitError(
                    key: key,
                    reason: "would be looser for \(instruments[index].symbol); limits are loosened only by a restart")
            }
            own.append(limit)
        }
        var shared: [StrategyInstrumentLimits] = []
        for index in 0..<instruments.count {
            for (strategy, name) in strategies.enumerated() {
                let limit = try StrategyInstrumentLimits(
                    new.strategies[name] ?? StrategyLimits(), of: name, instruments[index])
                if let key = limit.looser(than: ownLimits[index * strategies.count + strategy]) {
                    throw RiskLimitError(
                        key: "strategies.\(name).\(key)",
                        reason:
                            "would be looser for \(instruments[index].symbol); limits are loosened only by a restart")
                }
                shared.append(limit)
            }
        }
        limits = new
        for (place, limit) in shared.enumerated() { ownLimits[place] = limit }
        for (strategy, name) in strategies.enumerated() {
            shares[strategy].tighten(new.strategies[name] ?? StrategyLimits(), new)
        }
        account = AccountLimits(new, strategies: strategies)
        rate.tighten(to: TokenBucket(perSecond: new.ordersPerSecond, burst: new.orderBurst))
        watch.tighten(maxLoss: new.maxDailyLoss, maxDrawdown: new.maxDrawdown)
        for (index, limit) in own.enumerated() {
            resolved[index] = limit
            for strategy in 0..<strategies.count {
                rates[index * strategies.count + strategy].tighten(
                    to: account.bucket(limit.ordersPerMinute, strategy))
            }
        }
    }
}

extension RiskLimits {
    /// The first of the account's limits that lets more through than before. Those of instruments are compared where
    /// they are resolved.
    func looser(than old: RiskLimits) -> String? {
        func isLooser(_ new: Money?, _ old: Money?) -> Bool { new ?? .greatest > old ?? .greatest }
        if maxOpenOrders > old.maxOpenOrders { return "maxOpenOrders" }
        if maxGrossExposure > old.maxGrossExposure { return "maxGrossExposure" }
        if maxNetExposure > old.maxNetExposure { return "maxNetExposure" }
        if isLooser(maxDailyLoss, old.maxDailyLoss) { return "maxDailyLoss" }
        if isLooser(maxDrawdown, old.maxDrawdown) { return "maxDrawdown" }
        if lossState < old.lossState { return "lossState" }
        if dayStartHour != old.dayStartHour { return "dayStartHour" }
        if funding != old.funding { return "funding" }
        if leverage > old.leverage { return "leverage" }
        if ordersPerSecond > old.ordersPerSecond { return "ordersPerSecond" }
        if orderBurst > old.orderBurst { return "orderBurst" }
        for name in Set(strategies.keys).union(old.strategies.keys).sorted() {
            let new = strategies[name] ?? StrategyLimits(), old = old.strategies[name] ?? StrategyLimits()
            if let key = new.looser(than: old) { return "strategies.\(name).\(key)" }
        }
        return nil
    }
}

extension StrategyLimits {
    /// The first limit that lets more through than before; those of each instrument are compared where they are resolved.
    func looser(than old: StrategyLimits) -> String? {
        func isLooser(_ new: Money?, _ old: Money?) -> Bool { new ?? .greatest > old ?? .greatest }
        if maxOpenOrders ?? .max > old.maxOpenOrders ?? .max { return "maxOpenOrders" }
        if isLooser(maxGrossExposure, old.maxGrossExposure) { return "maxGrossExposure" }
        if isLooser(maxNetExposure, old.maxNetExposure) { return "maxNetExposure" }
        if isLooser(maxDailyLoss, old.maxDailyLoss) { return "maxDailyLoss" }
        if isLooser(maxDrawdown, old.maxDrawdown) { return "maxDrawdown" }
        if ordersPerMinute ?? .max > old.ordersPerMinute ?? .max { return "ordersPerMinute" }
        return rateShare != old.rateShare ? "rateShare" : nil
    }
}
