internal import Apus
internal import CApusRing

extension DecisionAgent {
    /// Goes on from what recovery has found: positions, open orders, trades that count no more, a halt. Before `start`, with the
    /// journal of the new run opened after it by `openJournal` and `write`.
    /// - Throws: `JournalError` when the journal knows more open orders than this engine has room for, or when a strategy holds or has
    ///   open what it does not trade any more.
    package func restore(_ state: JournalState, wall now: UInt64, monotonic: UInt64) throws(JournalError) {
        guard state.orders.openCount <= orders.capacity else {
            throw JournalError("\(state.orders.openCount) orders are open, more than the engine's \(orders.capacity)")
        }
        for setting in settings where !setting.symbols.isEmpty { try Self.check(setting, state) }
        for index in 0..<table.count {
            guard let known = state.instrument(table[index].symbol) else { continue }
            table.records[index].position = known.record.pointee.position
            if fanOut != nil { restoreRows(state, table[index], known) }
        }
        for var record in state.openOrders {
            guard let instrument = own(record.order.instrument) else { continue }
            record.order.strategy = number(state.owner(record.order.strategy))
            // Times of the last run's clock mean nothing in this one.
            let age = now > record.wall * 1_000_000 ? now - record.wall * 1_000_000 : 0
            let end = record.expire * 1_000_000
            life.pointee.restore(
                record, instrument, decided: monotonic > age ? monotonic - age : 0, now: monotonic,
                expiry: end == 0 ? 0 : monotonic + (end > now ? end - now : 0))
        }
        // Each run numbers its instruments anew.
        state.trades.copy(to: life.pointee.trades) { order in
            OrderLife.renamed(order) { number in
                number < state.instruments.count ? instrument(state.instruments[number].symbol)?.index : nil
            }
        }
        life.pointee.walletBalance = state.life.walletBalance
        if state.trading != APUS_TRADING_ACTIVE {
            apus_flag_set(sink.queues.pointee.trading, UInt64(state.trading.rawValue))
        }
        for (number, setting) in settings.enumerated() {
            guard let word = state.strategies.words[setting.name], word != .active else { continue }
            gate.pointee.set(word, ofStrategy: number, now: monotonic)
        }
        self.state.pointee.nextQuery = 0
        shareOrders()
    }

    /// What a strategy could not trade any more would stay with it and count in its result for ever.
    private static func check(_ setting: StrategySetting, _ state: JournalState) throws(JournalError) {
        for index in 0..<state.instruments.count {
            let instrument = state.instruments[index]
            if setting.symbols.contains(instrument.symbol) { continue }
            let held = state.position(of: setting.name, instrument, among: [setting.name]).quantity
            if held != 0 {
                throw JournalError(
                    "strategy \(setting.name) holds \(instrument.text(Quantity(units: held))) of \(instrument.symbol), which "
                        + "is not among its symbols any more: list it again, or run the strategy as before until it "
                        + "holds nothing")
            }
            let isOpen = state.openOrders.contains {
                $0.order.instrument == instrument && state.owner($0.order.strategy) == setting.name
            }
            if isOpen {
                throw JournalError(
                    "strategy \(setting.name) has an order of \(instrument.symbol) open, which is not among its symbols any "
                        + "more: list it again, or let recovery cancel what is open (recovery.open_orders: cancel)")
            }
        }
    }

    /// Each strategy gets back what is its own; what belongs to none of them is nobody's.
    private func restoreRows(_ state: JournalState, _ own: Instrument, _ known: Instrument) {
        let names = settings.map(\.name), rows = life.pointee.rows
        for (number, name) in names.enumerated() {
            rows.row(UInt8(number), own.record).pointee.position = state.position(of: name, known, among: names)
        }
        rows.row(Order.nobody, own.record).pointee.position = state.position(of: nil, known, among: names)
    }

    /// The number of the strategy of that name in this run.
    private func number(_ name: String?) -> UInt8 {
        guard fanOut != nil else { return 0 }
        return settings.firstIndex { $0.name == name }.map(UInt8.init) ?? Order.nobody
    }

    /// Writes into the new run's journal what recovery took over, so that the next recovery starts from it. After `openJournal`.
    package func write(_ corrections: [Correction], _ now: UInt64) {
        guard let journal else { return }
        for correction in corrections {
            switch correction {
            case .adopted(var order, let symbol):
                guard let instrument = instrument(symbol) else { continue }
                order.instrument = UInt16(instrument.index)
                order.strategy = orders.find(OrderID(order.client_id))?.pointee.order.strategy ?? number(nil)
                journal.append(APUS_JOURNAL_ADOPTED, &order, now, wall(now))
            case .report(var report, let symbol):
                guard let instrument = instrument(symbol) else { continue }
                report.instrument = UInt16(instrument.index)
                journal.append(APUS_JOURNAL_REPORT, &report, now, wall(now))
            case .position(let quantity, let price, let time, let symbol):
                guard let instrument = instrument(symbol) else { continue }
                var change = apus_journal_state()
                change.subject = UInt8(APUS_SUBJECT_POSITION.rawValue)
                change.number = UInt16(instrument.index)
                change.values = (quantity, price, Int64(bitPattern: time), 0)
                note(change, now)
            }
        }
    }

    private func instrument(_ symbol: String) -> Instrument? {
        for index in 0..<table.count where table.records[index].symbol == symbol { return table[index] }
        return nil
    }

    private func own(_ instrument: Instrument) -> Instrument? { self.instrument(instrument.symbol) }
}

extension OrderLife {
    /// An order of an earlier run that may still be open: the venue is asked about it at once.
    mutating func restore(
        _ known: OrderRecord, _ instrument: Instrument, decided: UInt64, now: UInt64, expiry: UInt64
    ) {
        var order = known.order
        order.instrument = instrument
        order.state = .unknown
        order.expiryTime = expiry
        let record = table.insert(order)
        record.pointee.reported = known.reported
        record.pointee.assumed = known.assumed
        record.pointee.assumedPrice = known.assumedPrice
        record.pointee.venueID = known.venueID
        record.pointee.wantedPrice = known.wantedPrice
        record.pointee.wantedQuantity = known.wantedQuantity
        record.pointee.wall = known.wall
        record.pointee.expire = known.expire
        record.pointee.limit = known.limit
        record.pointee.wasAccepted = known.wasAccepted
        record.pointee.isChangeInDoubt = known.isChangeInDoubt
        record.pointee.decided = decided
        record.pointee.changed = now  // when exactly, only the last run's clock knew
        record.pointee.queryTime = 0
        reserve(record, known.reserved)
    }
}
