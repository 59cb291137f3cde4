package import Apus
package import CApusRing

extension DecisionAgent {
    /// Position, open orders or touch of an instrument have changed: it is valued anew with the next order, the next fill
    /// or after a pause.
    @inline(__always)
    func valueLater(_ record: UnsafeMutablePointer<InstrumentRecord>) {
        if record.pointee.valuation == .old { return }
        gate.pointee.ledger.note(record)
        // Without a position the result stays as it is, unless it is in a base asset or strategies hold against each other.
        if record.pointee.position.quantity != 0 || record.pointee.isAlwaysValued {
            riskNoLater(than: core.pointee.now &+ configuration.riskPause)
        }
    }

    func riskNoLater(than time: UInt64) {
        if time < state.pointee.nextRisk { state.pointee.nextRisk = time }
    }

    /// At the start, after positions and orders were restored: own prices, balance, rates and the trading day.
    func prepareAccount(_ now: UInt64) {
        for index in 0..<table.count { apply(rates: configuration, table[index]) }
        for place in 0..<orders.openCount { gate.pointee.adopt(orders.records + Int(orders.open[place])) }
        gate.pointee.ledger.settleEverything(count: table.count)
        if let balance = life.pointee.walletBalance ?? configuration.startBalance {
            // What earlier runs have brought is in it already.
            core.pointee.startBalance += balance - context.balance
            if table.count > 0 { gate.pointee.set(balance: balance, of: table[0]) }
        }
        gate.pointee.begin(now)
        if let time = gate.pointee.unpricedUntil(now) { riskNoLater(than: time) }
        if let day = configuration.day { gate.pointee.restore(day, now: now) } else { gate.pointee.judge(now) }
        guard fanOut != nil else { return }
        for (number, setting) in settings.enumerated() {
            if let day = configuration.strategyDays[setting.name] {
                gate.pointee.restore(day, of: number, now: now)
            }
        }
    }

    func apply(rates configuration: EngineConfiguration, _ instrument: Instrument) {
        instrument.record.pointee.otherFeeRate = configuration.otherFeeRate
    }

    /// What is due without news: the result is held against the day's limits; when one was reached, what is open is
    /// canceled, again every second until it is gone.
    func lookAfterRisk(_ now: UInt64) -> Int {
        advance(now)
        state.pointee.nextRisk = .max
        gate.pointee.judge(now)
        if let time = gate.pointee.unpricedUntil(now) { riskNoLater(than: time) }
        notePeaks(now)
        let canceled = cancelAfterTrip(now)
        return state.pointee.waiting.count == 0 ? canceled : canceled + releaseWaiting(now)
    }

    private static var cancelPause: UInt64 { 1_000_000_000 }

    private func cancelAfterTrip(_ now: UInt64) -> Int {
        gate.pointee.mustCancel = false
        guard gate.pointee.hasTrip else { return 0 }
        var canceled = 0
        for order in context.openOrders where gate.pointee.isHaltedByTrip(order.strategy) {
            riskNoLater(than: now &+ Self.cancelPause)
            if order.state != .pendingCancel, context.cancel(order.id).id != nil { canceled += 1 }
        }
        return canceled
    }

    /// The account has changed, and not by an order.
    func takeOfAccount(_ report: UnsafePointer<apus_report>) {
        let number = Int(report.pointee.instrument)
        if UInt32(report.pointee.kind) == APUS_REPORT_BALANCE.rawValue {
            // The wallet's is told of no instrument.
            guard table.count > 0 else { return }
            let balance = Money(hundredMillionths: report.pointee.fee)
            gate.pointee.set(balance: balance, of: table[number < table.count ? number : 0])
        } else if number < table.count {
            valueLater(table[number].record)
            judge()
        }
    }

    /// Holds the result against the day's limits at once.
    func judge() {
        gate.pointee.judge(core.pointee.now)
        if journal != nil && gate.pointee.owesPeak { riskNoLater(than: state.pointee.nextPeak) }
    }

    // MARK: What the journal is told

    /// Writes down what has changed of the trading states since the last time; the shared word is written down by itself.
    func noteStateChanges(_ now: UInt64) {
        while let change = gate.pointee.stateChange(after: state.pointee.notedChange) {
            state.pointee.notedChange = change.number
            if change.cause != .control { note(journaled(change), now) }
        }
    }

    private static var peakPause: UInt64 { 1_000_000_000 }

    /// Writes down each day whose peak has risen, so that a restart does not loosen its drawdown: at most once a second, and not from
    /// the journal's reserve.
    private func notePeaks(_ now: UInt64) {
        guard journal != nil, gate.pointee.owesPeak else { return }
        guard now >= state.pointee.nextPeak else { return riskNoLater(than: state.pointee.nextPeak) }
        state.pointee.nextPeak = now &+ Self.peakPause
        guard hasJournalRoom else { return riskNoLater(than: state.pointee.nextPeak) }
        if gate.pointee.watch.owesPeak {
            gate.pointee.watch.wrote()
            noteDay(of: nil, now)
        }
        guard fanOut != nil else { return }
        for number in settings.indices where gate.pointee.shares[number].watch.owesPeak {
            gate.pointee.shares[number].watch.wrote()
            noteDay(of: number, now)
        }
    }

    /// Writes every day down that has begun.
    func noteDays(_ now: UInt64) {
        if gate.pointee.day.number != .min { noteDay(of: nil, now) }
        guard fanOut != nil else { return }
        for number in settings.indices where gate.pointee.day(of: number).number != .min { noteDay(of: number, now) }
    }

    private func noteDay(of strategy: Int?, _ now: UInt64) {
        let state = strategy.map { gate.pointee.states.trip($0) } ?? gate.pointee.states.own
        let change = RiskStateChange(
            number: 0, time: now, cause: .peak, from: state, to: state, strategy: strategy.map { UInt8($0) })
        note(journaled(change), now)
    }

    private func journaled(_ change: RiskStateChange) -> apus_journal_state {
        guard let strategy = change.strategy.map(Int.init) else {
            return apus_journal_state(change, gate.pointee.day)
        }
        if change.cause == .strategy {
            var word = apus_journal_state(change, strategy: strategy, settings[strategy].name)
            word.values.0 = fanOut == nil ? 0 : 1
            return word
        }
        var day = apus_journal_state(change, gate.pointee.day(of: strategy))
        day.subject = UInt8(APUS_SUBJECT_STRATEGY_DAY.rawValue)
        day.write(name: settings[strategy].name)
        return day
    }

    /// Writes down every transition of a circuit breaker, also those that the control plane has caused.
    func noteTransitions(_ now: UInt64) {
        guard let breakers else { return }
        while let transition = breakers.next(after: state.pointee.notedTransition) {
            state.pointee.notedTransition = transition.number
            var change = apus_journal_state()
            change.subject = UInt8(APUS_SUBJECT_BREAKER.rawValue)
            change.before = transition.from.rawValue
            change.after = transition.to.rawValue
            change.number = UInt16(transition.breaker)
            change.reason = UInt16(transition.reason.rawValue)
            change.write(name: breakers.name(of: transition.breaker))
            note(change, now)
        }
    }

    /// Tells the venue's breaker what a report says about the venue.
    func tell(_ breaker: Unmanaged<CircuitBreaker>, _ report: UnsafePointer<apus_report>) {
        guard let outcome = CallOutcome(report, venueFamily) else { return }
        breaker._withUnsafeGuaranteedRef { $0.record(outcome, report.pointee.receive_ns) }
    }

    // MARK: For the control plane, between turns, by the thread that runs them

    /// Limits, what of them is used, and what was refused.
    package var risk: RiskReport { gate.pointee.report(openOrders: orders.openCount, now: core.pointee.now) }

    /// What each of several strategies does and has brought; empty where one runs alone.
    package var strategies: [RiskReport.StrategyLine] {
        settings.count > 1 ? settings.indices.map { gate.pointee.strategyState($0) } : []
    }

    /// The trading day, for the journal.
    package var day: TradingDay { gate.pointee.day }

    /// What may be sent now; of one of several strategies its own says.
    package var tradingState: TradingState {
        fanOut == nil ? gate.pointee.state() : gate.pointee.wholeState
    }

    /// Replaces the limits by tighter ones, in force on the next order.
    package func tighten(_ limits: RiskLimits) throws(RiskLimitError) {
        try gate.pointee.tighten(limits)
        riskNoLater(than: core.pointee.now)
    }

    /// The oldest change of what may be sent after that number, of the newest that are kept: for log, metrics and alerts.
    package func stateChange(after number: UInt64) -> RiskStateChange? { gate.pointee.stateChange(after: number) }

    /// A strategy's own word. False when there is no such strategy.
    package func set(_ trading: TradingState, ofStrategy name: String) -> Bool {
        guard let number = gate.pointee.strategies.firstIndex(of: name) else { return false }
        gate.pointee.set(trading, ofStrategy: number, now: core.pointee.now)
        return true
    }

    /// A person lets trading go on after a day's limit was reached: the account's, or one of that strategy.
    package func resumeAfterTrip(ofStrategy name: String? = nil) {
        guard let name else { return gate.pointee.resume(core.pointee.now) }
        guard let number = gate.pointee.strategies.firstIndex(of: name) else { return }
        gate.pointee.resume(strategy: number, core.pointee.now)
    }

    /// What keeps back whom a person has just let go on, the whole or one strategy, and what ends that; nil: nothing does.
    package func hold(ofStrategy name: String? = nil) -> String? {
        gate.pointee.hold(of: name.flatMap { gate.pointee.strategies.firstIndex(of: $0) })
    }
}

extension apus_journal_state {
    private init(_ change: RiskStateChange) {
        self.init()
        before = change.from.rawValue
        after = change.to.rawValue
        reason = UInt16(change.cause.rawValue)
    }

    /// A strategy's own word.
    init(_ change: RiskStateChange, strategy: Int, _ name: String) {
        self.init(change)
        subject = UInt8(APUS_SUBJECT_STRATEGY.rawValue)
        number = UInt16(strategy)
        write(name: name)
    }

    /// Every other change tells the trading day as it is then: its number, its start and its peak, each in two halves, and in
    /// `reason` why.
    init(_ change: RiskStateChange, _ day: TradingDay) {
        self.init(change)
        subject = UInt8(APUS_SUBJECT_DAY.rawValue)
        number = UInt16(truncatingIfNeeded: day.number)
        reserved = day.trip?.rawValue ?? 0
        values.0 = Int64(truncatingIfNeeded: day.start.atoms)
        values.1 = Int64(truncatingIfNeeded: day.start.atoms >> 64)
        values.2 = Int64(truncatingIfNeeded: day.peak.atoms)
        values.3 = Int64(truncatingIfNeeded: day.peak.atoms >> 64)
    }
}

extension apus_journal_state {
    /// As much of it as fits.
    mutating func write(name text: String) {
        withUnsafeMutableBytes(of: &name) { $0.copyBytes(from: text.utf8.prefix($0.count - 1)) }
    }
}

extension TradingDay {
    /// The day that a journal's record tells; nil when it tells of something else.
    package init?(_ state: apus_journal_state) {
        let subjects = [APUS_SUBJECT_DAY.rawValue, APUS_SUBJECT_STRATEGY_DAY.rawValue]
        guard subjects.contains(UInt32(state.subject)) else { return nil }
        self.init()
        number = Int64(Int16(bitPattern: state.number))
        start = Money(low: state.values.0, high: state.values.1)
        peak = Money(low: state.values.2, high: state.values.3)
        trip = Trip(rawValue: state.reserved)
    }
}

extension Money {
    /// Of its two halves in a journal's record.
    package init(low: Int64, high: Int64) { self.init(atoms: Int128(high) << 64 | Int128(UInt64(bitPattern: low))) }
}
