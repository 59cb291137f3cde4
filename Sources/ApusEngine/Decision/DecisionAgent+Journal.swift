internal import Apus
package import CApusRing

extension DecisionAgent {
    /// Wall clock at that monotonic time, in nanoseconds.
    @inline(__always)
    func wall(_ now: UInt64) -> UInt64 {
        UInt64(bitPattern: Int64(bitPattern: now) &+ state.pointee.time.realtimeOffset)
    }

    @inline(__always)
    var wallMilliseconds: UInt64 { wall(core.pointee.now) / 1_000_000 }

    @inline(__always)
    var hasJournalRoom: Bool { journal?.hasRoom ?? true }

    /// Records that still fit into the journal for certain; nil without one. By the thread that runs the turns.
    package var journalRoom: UInt64? { journal.map { apus_journal_room($0.writer) } }

    /// Opens this run in the journal: what it runs for, and what the numbers of its instruments mean. Before `start`.
    package func openJournal(_ run: apus_journal_run, _ now: UInt64) {
        guard let journal else { return }
        withUnsafePointer(to: run) { _ = journal.append(APUS_JOURNAL_RUN_START, $0, now, wall(now)) }
        noteFeeRate(now)
        for index in 0..<table.count { note(instrument: index, now) }
        for number in settings.indices where fanOut != nil || !settings[number].name.isEmpty {
            note(strategy: number, now)
        }
        state.pointee.notedTrading = apus_trading_outside(sink.queues.pointee.trading)
        if state.pointee.notedTrading != UInt64(APUS_TRADING_ACTIVE.rawValue) {
            tell(trading: state.pointee.notedTrading, from: UInt64(APUS_TRADING_ACTIVE.rawValue), now)
        }
    }

    /// Writes down the trading days, and that the run has ended in order. After the last turn.
    package func closeJournal(_ now: UInt64) {
        noteDays(now)
        var stop = apus_journal_state()
        stop.subject = UInt8(APUS_SUBJECT_RECOVERY.rawValue)
        stop.values.0 = Int64(orders.openCount)
        guard let journal else { return }
        withUnsafePointer(to: stop) { _ = journal.append(APUS_JOURNAL_CLEAN_STOP, $0, now, wall(now)) }
    }

    /// Writes a change of state down: a breaker's, a limit's, a day's end. By the thread that runs the turns.
    package func note(_ change: apus_journal_state, _ now: UInt64) {
        guard let journal else { return }
        withUnsafePointer(to: change) { _ = journal.append(APUS_JOURNAL_STATE, $0, now, wall(now)) }
    }

    /// What fees in another asset are worth: a replay counts them as this run does.
    private func noteFeeRate(_ now: UInt64) {
        if configuration.otherFeeRate == .zero { return }
        var told = apus_journal_state()
        told.subject = UInt8(APUS_SUBJECT_FEE_RATE.rawValue)
        told.values.0 = Int64(truncatingIfNeeded: configuration.otherFeeRate.atoms)
        told.values.1 = Int64(truncatingIfNeeded: configuration.otherFeeRate.atoms >> 64)
        note(told, now)
    }

    /// Whose orders carry that number, what its word is, and whether what is whose is kept apart.
    private func note(strategy number: Int, _ now: UInt64) {
        var told = apus_journal_state()
        told.subject = UInt8(APUS_SUBJECT_STRATEGY.rawValue)
        told.number = UInt16(number)
        let word = gate.pointee.states.word(number).rawValue
        (told.before, told.after) = (word, word)
        told.values.0 = fanOut == nil ? 0 : 1
        told.write(name: settings[number].name)
        note(told, now)
    }

    /// What the numbers of an instrument mean, also of one that was added while running.
    func note(instrument index: Int, _ now: UInt64) {
        guard let journal else { return }
        let instrument = apus_journal_instrument(table[index])
        withUnsafePointer(to: instrument) { _ = journal.append(APUS_JOURNAL_INSTRUMENT, $0, now, wall(now)) }
    }

    /// The trading state is changed by others: what was in force for which order is seen in the journal.
    @inline(__always)
    func noteTrading(_ now: UInt64) {
        let trading = apus_trading_outside(sink.queues.pointee.trading)
        guard trading != state.pointee.notedTrading else { return }
        tell(trading: trading, from: state.pointee.notedTrading, now)
        state.pointee.notedTrading = trading
    }

    private func tell(trading: UInt64, from before: UInt64, _ now: UInt64) {
        var change = apus_journal_state()
        change.subject = UInt8(APUS_SUBJECT_TRADING.rawValue)
        change.before = UInt8(truncatingIfNeeded: before)
        change.after = UInt8(truncatingIfNeeded: trading)
        note(change, now)
    }

    /// The ring had no room for what was written down: it was never sent.
    func refusedByRing(_ order: UnsafePointer<apus_order>, _ now: UInt64) {
        guard let journal else { return }
        var report = apus_report()
        report.client_id = order.pointee.client_id
        report.instrument = order.pointee.instrument
        report.kind = UInt8(APUS_REPORT_REFUSED.rawValue)
        report.side = order.pointee.side
        report.action = order.pointee.action
        report.price = order.pointee.price
        report.quantity = order.pointee.quantity
        report.code = Int32(APUS_GUARD_BUFFER_FULL.rawValue)
        report.receive_ns = now
        journal.report(&report, now: now, wall: wall(now))
    }
}

extension apus_journal_instrument {
    init(_ instrument: Instrument) {
        self.init()
        index = UInt16(truncatingIfNeeded: instrument.index)
        tick = instrument.tick.units
        lot = instrument.lot.units
        multiplier = instrument.multiplier
        price_decimals = UInt8(truncatingIfNeeded: instrument.priceDecimals)
        quantity_decimals = UInt8(truncatingIfNeeded: instrument.quantityDecimals)
        contract = UInt8(ContractKind.allCases.firstIndex(of: instrument.contract) ?? 0)
        withUnsafeMutableBytes(of: &symbol) { $0.copyBytes(from: instrument.symbol.utf8.prefix($0.count - 1)) }
    }
}
