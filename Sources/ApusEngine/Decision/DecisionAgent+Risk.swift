package import Apus
package import CApusRing

extension DecisionAgent {
    /// Position, open orders or touch of an instrument have changed: it is valued anew with the next order, the next fill
    /// or after a pause.
    @inline(__always)
    func valueLater(_ record: UnsafeMutablePointer<InstrumentRecord>) {
        if record.pointee.valuation == .old { return }
        gate.pointee.ledger.note(record)
        // Without a position the result stays as it is, unless it is in a base asset.
        if record.pointee.position.quantity != 0 || record.pointee.economics.isInverse {
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
        let balance = life.pointee.walletBalance ?? configuration.startBalance
        if balance != .zero, table.count > 0 { gate.pointee.set(balance: balance, of: table[0]) }
        if let day = configuration.day { gate.pointee.restore(day, now: now) } else { gate.pointee.judge(now) }
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
        let canceled = cancelAfterTrip(now)
        return state.pointee.waiting.count == 0 ? canceled : canceled + releaseWaiting(now)
    }

    private static var cancelPause: UInt64 { 1_000_000_000 }

    private func cancelAfterTrip(_ now: UInt64) -> Int {
        gate.pointee.mustCancel = false
        guard gate.pointee.day.trip != nil, gate.pointee.states.own == .halted, orders.openCount > 0 else { return 0 }
        riskNoLater(than: now &+ Self.cancelPause)
        var canceled = 0
        for order in context.openOrders where order.state != .pendingCancel {
            if context.cancel(order.id).id != nil { canceled += 1 }
        }
        return canceled
    }

    /// The account has changed, and not by an order.
    func takeOfAccount(_ report: UnsafePointer<apus_report>) {
        guard Int(report.pointee.instrument) < table.count else { return }
        let instrument = table[Int(report.pointee.instrument)]
        if UInt32(report.pointee.kind) == APUS_REPORT_BALANCE.rawValue {
            gate.pointee.set(balance: Money(hundredMillionths: report.pointee.fee), of: instrument)
        } else {
            valueLater(instrument.record)
            gate.pointee.judge(core.pointee.now)
        }
    }

    // MARK: What the journal is told

    /// Writes down what has changed of the trading states since the last time; the shared word is written down by itself.
    func noteStateChanges(_ now: UInt64) {
        while let change = gate.pointee.stateChange(after: state.pointee.notedChange) {
            state.pointee.notedChange = change.number
            if change.cause != .control { note(apus_journal_state(change, gate.pointee.day), now) }
        }
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
            let name = breakers.name(of: transition.breaker)
            withUnsafeMutableBytes(of: &change.name) { $0.copyBytes(from: name.utf8.prefix($0.count - 1)) }
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

    /// The trading day, for the journal.
    package var day: TradingDay { gate.pointee.day }

    /// What may be sent now.
    package var tradingState: TradingState { gate.pointee.state() }

    /// Replaces the limits by tighter ones, in force on the next order.
    package func tighten(_ limits: RiskLimits) throws(RiskLimitError) { try gate.pointee.tighten(limits) }

    /// The oldest change of what may be sent after that number, of the newest 64: for log, metrics and alerts.
    package func stateChange(after number: UInt64) -> RiskStateChange? { gate.pointee.stateChange(after: number) }

    /// A strategy's own word. False when there is no such strategy.
    package func set(_ trading: TradingState, ofStrategy name: String) -> Bool {
        guard let number = gate.pointee.strategies.firstIndex(of: name) else { return false }
        gate.pointee.set(trading, ofStrategy: number, now: core.pointee.now)
        return true
    }

    /// A person lets trading go on after a day's limit was reached.
    package func resumeAfterTrip() { gate.pointee.resume(core.pointee.now) }
}

extension apus_journal_state {
    /// Every change but a strategy's tells the trading day as it is then: its number, its start and its peak, each in two
    /// halves, and in `reason` why.
    init(_ change: RiskStateChange, _ day: TradingDay) {
        self.init()
        before = change.from.rawValue
        after = change.to.rawValue
        reason = UInt16(change.cause.rawValue)
        if let strategy = change.strategy {
            subject = UInt8(APUS_SUBJECT_STRATEGY.rawValue)
            number = UInt16(strategy)
            return
        }
        subject = UInt8(APUS_SUBJECT_DAY.rawValue)
        number = UInt16(truncatingIfNeeded: day.number)
        reserved = day.trip?.rawValue ?? 0
        values.0 = Int64(truncatingIfNeeded: day.start.atoms)
        values.1 = Int64(truncatingIfNeeded: day.start.atoms >> 64)
        values.2 = Int64(truncatingIfNeeded: day.peak.atoms)
        values.3 = Int64(truncatingIfNeeded: day.peak.atoms >> 64)
    }
}

extension TradingDay {
    /// The day that a journal's record tells; nil when it tells of something else.
    package init?(_ state: apus_journal_state) {
        guard UInt32(state.subject) == APUS_SUBJECT_DAY.rawValue else { return nil }
        func amount(_ low: Int64, _ high: Int64) -> Money {
            Money(atoms: Int128(high) << 64 | Int128(UInt64(bitPattern: low)))
        }
        self.init()
        number = Int64(Int16(bitPattern: state.number))
        start = amount(state.values.0, state.values.1)
        peak = amount(state.values.2, state.values.3)
        trip = Trip(rawValue: state.reserved)
    }
}
