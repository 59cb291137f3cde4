package import Apus
package import CApusRing

/// What a journal says of an account: open orders, positions, trades and the state of trading after its last record.
///
/// It is made by taking the records through `OrderLife`, the same rules that the engine lives by: a replayed journal cannot come to
/// another result than the engine that wrote it. Control side; one thread at a time.
package final class JournalState {
    package let instruments: InstrumentTable
    package let orders: OrderTable
    package let trades: TradeTable
    package internal(set) var life: OrderLife
    /// The high halves of the order numbers of all runs.
    package private(set) var runTags: Set<UInt32> = []
    package private(set) var runs = 0
    package private(set) var records: UInt64 = 0
    /// Wall clock of the newest record, in nanoseconds; 0: there is none.
    package private(set) var lastWall: UInt64 = 0
    /// As it was in force last: a halt holds across a restart.
    package private(set) var trading = APUS_TRADING_ACTIVE
    /// Whether the last run ended in order.
    package private(set) var wasStopped = true
    /// How long before the machine's death the newest record that is gone may have been written, in nanoseconds.
    package private(set) var lossWindow: UInt64 = 0
    /// The newest trading day that was written down; nil: none was.
    package private(set) var day: apus_journal_state?
    /// Whose is what.
    package internal(set) var strategies = JournaledStrategies()
    /// By instrument, the venue's time up to which its trades are part of a position that was taken over whole.
    private(set) var heldSince: [Int: UInt64] = [:]
    /// How long after its placement an order may still reach the venue, in nanoseconds: before that "not known" says nothing.
    let lateArrival: UInt64
    /// Which order a trade belongs to: some venues name a trade's order only by their own number, or not at all.
    private var owners: [TradeKey: [UInt64]] = [:]
    /// Trades that are part of a position which was taken over whole, whatever orders they are of.
    private var heldTrades: Set<TradeKey> = []
    private var byVenueID: [UInt64: UInt64] = [:]
    /// What fees in another asset are worth in the present run.
    private var otherFeeRate = Money.zero
    /// The journal's numbers of instruments, which each run gives anew.
    private var numbers: [UInt16: Int] = [:]

    private struct TradeKey: Hashable {
        var instrument: UInt16
        var side: UInt8
        var trade: UInt64

        init(_ report: UnsafePointer<apus_report>) {
            (instrument, side, trade) = (report.pointee.instrument, report.pointee.side, report.pointee.trade_id)
        }

        init(_ trade: UInt64, _ side: Side, _ instrument: Instrument) {
            (self.instrument, self.side, self.trade) = (UInt16(instrument.index), side.rawValue, trade)
        }
    }

    /// - Parameters:
    ///   - orderCapacity: open orders and lately ended ones that are known at once; a power of two.
    ///   - lateArrival: as the engine that wrote the journal had it: "not found" means nothing before.
    package init(orderCapacity: Int = 1 << 14, lateArrival: UInt64 = EngineConfiguration.lateArrival) {
        var board = apus_board()
        board.instruments = UInt32(APUS_INSTRUMENTS_MAX)
        instruments = InstrumentTable(board: board)
        orders = OrderTable(capacity: orderCapacity)
        trades = TradeTable(capacity: 4 * orderCapacity)
        self.lateArrival = lateArrival
        life = OrderLife(orders, trades: trades, lateArrival: lateArrival)
    }

    /// Reads a whole journal. Returns how it ends; a damaged record stops it there.
    /// - Throws: `JournalError` when the records contradict each other.
    package func replay(_ reader: JournalReader) throws(JournalError) -> JournalEnd {
        let (_, end) = try reader.read { (record) throws(JournalError) in try self.take(record) }
        return end
    }

    /// Takes in the next record.
    package func take(_ record: UnsafePointer<apus_journal_record>) throws(JournalError) {
        records = record.pointee.number
        lastWall = max(lastWall, record.pointee.wall_ns)
        let payload = UnsafeRawPointer(record) + (Int(APUS_JOURNAL_RECORD) - Int(APUS_JOURNAL_PAYLOAD))
        switch UInt32(record.pointee.kind) {
        case APUS_JOURNAL_RUN_START.rawValue: begin(payload.load(as: apus_journal_run.self))
        case APUS_JOURNAL_INSTRUMENT.rawValue:
            let instrument = payload.load(as: apus_journal_instrument.self)
            let known = try add(instrument, at: record.pointee.number)
            known.record.pointee.otherFeeRate = otherFeeRate
            numbers[instrument.index] = known.index
        case APUS_JOURNAL_INTENT.rawValue:
            let order = payload.load(as: apus_order.self)
            try intend(order, record.pointee, try instrument(order.instrument, record.pointee.number))
        case APUS_JOURNAL_ADOPTED.rawValue:
            let order = payload.load(as: apus_order.self)
            try adopt(order, try instrument(order.instrument, record.pointee.number), record.pointee.number)
        case APUS_JOURNAL_REPORT.rawValue:
            var report = payload.load(as: apus_report.self)
            if let number = numbers[report.instrument] { report.instrument = UInt16(number) }
            apply(&report)
        case APUS_JOURNAL_STATE.rawValue: try note(payload.load(as: apus_journal_state.self))
        case APUS_JOURNAL_CLEAN_STOP.rawValue: wasStopped = true
        case APUS_JOURNAL_TEXT.rawValue: break
        default:
            throw JournalError("record \(record.pointee.number) is of the kind \(record.pointee.kind), unknown here")
        }
    }

    // MARK: Runs and instruments

    /// A run begins: whatever was open before is in doubt until the venue has been asked.
    private func begin(_ run: apus_journal_run) {
        runTags.insert(run.run_tag)
        runs += 1
        wasStopped = false
        lossWindow =
            switch UInt32(run.policy) {
            case APUS_FSYNC_EACH.rawValue: 0
            case APUS_FSYNC_INTERVAL.rawValue: UInt64(run.interval_ms) * 1_000_000
            // As long as Linux lets a page wait before it writes it (vm.dirty_expire_centisecs).
            default: 30_000_000_000
            }
        numbers.removeAll(keepingCapacity: true)
        strategies.begin()
        otherFeeRate = .zero
        doubt()
    }

    /// Nothing is known for certain of any open order.
    package func doubt() {
        for place in 0..<orders.openCount {
            let record = orders.records + Int(orders.open[place])
            if record.pointee.order.state == .pendingModify { record.pointee.isChangeInDoubt = true }
            life.ask(record)
        }
    }

    private func instrument(_ number: UInt16, _ record: UInt64) throws(JournalError) -> Instrument {
        guard let index = numbers[number] else {
            throw JournalError("record \(record) names instrument \(number), which its run has not described")
        }
        return instruments[index]
    }

    private func add(_ journaled: apus_journal_instrument, at record: UInt64) throws(JournalError) -> Instrument {
        var journaled = journaled
        let symbol = withUnsafeBytes(of: &journaled.symbol) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        let kinds = ContractKind.allCases
        guard Int(journaled.contract) < kinds.count, journaled.price_decimals <= 18, journaled.quantity_decimals <= 18
        else { throw JournalError("record \(record) describes an impossible instrument") }
        return try add(
            InstrumentDefinition(
                symbol: symbol, venue: "", contract: kinds[Int(journaled.contract)],
                priceDecimals: Int(journaled.price_decimals), quantityDecimals: Int(journaled.quantity_decimals),
                tick: ExactDecimal(digits: journaled.tick, decimals: Int(journaled.price_decimals)),
                lot: ExactDecimal(digits: journaled.lot, decimals: Int(journaled.quantity_decimals)),
                multiplier: journaled.multiplier))
    }

    /// What the records of the present run mean by that number; nil: the run has not described it.
    package func instrument(journaled number: UInt16) -> Instrument? { numbers[number].map { instruments[$0] } }

    /// The instrument of that symbol.
    package func instrument(_ symbol: String) -> Instrument? {
        for index in 0..<instruments.count where instruments.records[index].symbol == symbol {
            return instruments[index]
        }
        return nil
    }

    /// Adds an instrument unless it is known; one whose numbers mean something else now must be flat and without open orders.
    @discardableResult
    package func add(_ definition: InstrumentDefinition) throws(JournalError) -> Instrument {
        do {
            guard let known = instrument(definition.symbol) else { return try instruments.add(definition) }
            let isSame =
                known.priceDecimals == definition.priceDecimals && known.quantityDecimals == definition.quantityDecimals
                && known.multiplier == definition.multiplier && known.contract == definition.contract
            if isSame { return known }
            let record = known.record
            let isHeld = (0...Order.nobody).contains { place in
                guard let rows = strategies.ledger?.rows, owner(place) != nil || place == Order.nobody else {
                    return false
                }
                return rows.row(place, record).pointee.position.quantity != 0
            }
            guard record.pointee.position.quantity == 0, record.pointee.openBuys == 0, record.pointee.openSells == 0,
                !isHeld
            else {
                throw JournalError(
                    "the numbers of \(definition.symbol) mean something else now than in the journal (decimals or "
                        + "multiplier), while a position or an order is open: close it with the old ones first")
            }
            let position = record.pointee.position
            record.pointee = try InstrumentRecord(definition, index: known.index, depth: record.pointee.depth)
            record.pointee.position = position
            return known
        } catch let error as InstrumentError {
            throw JournalError(error.description)
        } catch let error as JournalError {
            throw error
        } catch {
            throw JournalError("\(error)")
        }
    }

    // MARK: Orders

    private func intend(
        _ order: apus_order, _ record: apus_journal_record, _ instrument: Instrument
    ) throws(JournalError) {
        if UInt32(order.action) == APUS_ORDER_PLACE.rawValue {
            try place(order, instrument, record.number, now: record.monotonic_ns)
            return
        }
        guard let known = orders.find(OrderID(order.target_id)), known.pointee.order.isOpen else { return }
        switch UInt32(order.action) {
        case APUS_ORDER_CANCEL.rawValue: life.cancelSent(known)
        case APUS_ORDER_MODIFY.rawValue:
            life.modifySent(known, price: order.price, quantity: order.quantity, now: record.monotonic_ns)
        default: break
        }
    }

    private func place(
        _ order: apus_order, _ instrument: Instrument, _ record: UInt64, now: UInt64
    ) throws(JournalError) {
        let id = OrderID(order.client_id)
        guard orders.find(id) == nil else { throw JournalError("record \(record) places the order \(id) again") }
        guard orders.hasRoom else {
            throw JournalError("record \(record): more than \(orders.capacity) orders are open")
        }
        guard let side = Side(rawValue: order.side), let type = OrderType(rawValue: order.type),
            let force = TimeInForce(rawValue: order.time_in_force), order.quantity > 0
        else { throw JournalError("record \(record) holds an impossible order") }
        runTags.insert(UInt32(truncatingIfNeeded: order.client_id >> 32))
        var placed = Order(
            id: id, instrument: instrument, side: side, type: type, timeInForce: force,
            isReduceOnly: order.flags & UInt8(APUS_ORDER_REDUCE_ONLY.rawValue) != 0,
            price: Price(units: type == .market ? 0 : order.price), quantity: Quantity(units: order.quantity))
        placed.strategy = strategies.place(order.strategy)
        life.place(placed, now: now)
        guard let known = orders.find(id) else { return }
        known.pointee.wall = order.wall_ms
        known.pointee.expire = order.expire_ms
        known.pointee.limit = order.limit
        known.pointee.venueID = order.venue_id
    }

    /// An order of ours that no intent told of.
    func adopt(_ order: apus_order, _ instrument: Instrument, _ record: UInt64) throws(JournalError) {
        try place(order, instrument, record, now: 0)
        if let known = orders.find(OrderID(order.client_id)) { life.ask(known) }
        if order.venue_id != 0 { byVenueID[order.venue_id] = order.client_id }
    }

    // MARK: Reports

    /// Takes in a report whose instrument number is that of `instruments`.
    func apply(_ report: UnsafeMutablePointer<apus_report>) {
        switch UInt32(report.pointee.kind) {
        case APUS_REPORT_MISSED.rawValue, APUS_REPORT_STALLED.rawValue: life.missed()
        case APUS_REPORT_SETTLED.rawValue, APUS_REPORT_FUNDING.rawValue, APUS_REPORT_BALANCE.rawValue:
            if life.account(report, instruments) { own(report, 0) }
            let isTrade = UInt32(report.pointee.kind) == APUS_REPORT_SETTLED.rawValue
            if isTrade && report.pointee.quantity == 0 { heldTrades.insert(TradeKey(report)) }
        case APUS_REPORT_UNDONE.rawValue where report.pointee.client_id == 0: _ = life.account(report, instruments)
        default:
            let (_, record) = life.apply(report)
            guard let record else { return }
            let id = record.pointee.order.id.value
            if record.pointee.venueID != 0 { byVenueID[record.pointee.venueID] = id }
            report.pointee.side = record.pointee.order.side.rawValue
            report.pointee.instrument = UInt16(record.pointee.order.instrument.index)
            if UInt32(report.pointee.kind) == APUS_REPORT_FILL.rawValue { own(report, id) }
        }
    }

    private func own(_ report: UnsafePointer<apus_report>, _ order: UInt64) {
        let key = TradeKey(report)
        if key.trade == 0 || owners[key]?.contains(order) == true { return }
        owners[key, default: []].append(order)
    }

    /// The orders that a trade was taken in for; 0 stands for none.
    func owners(of trade: UInt64, _ side: Side, _ instrument: Instrument) -> [UInt64] {
        owners[TradeKey(trade, side, instrument)] ?? []
    }

    /// Whether a trade is part of a position that was taken over whole.
    func isHeld(_ trade: UInt64, _ side: Side, _ instrument: Instrument) -> Bool {
        heldTrades.contains(TradeKey(trade, side, instrument))
    }

    /// The order that the venue has under that number; nil: none that is known.
    func order(venueID: UInt64) -> UInt64? { venueID == 0 ? nil : byVenueID[venueID] }

    func learn(venueID: UInt64, of record: UnsafeMutablePointer<OrderRecord>) {
        guard venueID != 0 else { return }
        record.pointee.venueID = venueID
        byVenueID[venueID] = record.pointee.order.id.value
    }

    // MARK: States

    private func note(_ change: apus_journal_state) throws(JournalError) {
        switch UInt32(change.subject) {
        case APUS_SUBJECT_TRADING.rawValue:
            trading = apus_trading_state(rawValue: UInt32(change.after))
        case APUS_SUBJECT_DAY.rawValue: day = change
        case APUS_SUBJECT_STRATEGY.rawValue: try name(change)
        case APUS_SUBJECT_STRATEGY_DAY.rawValue: day(change)
        case APUS_SUBJECT_FEE_RATE.rawValue: otherFeeRate = Money(low: change.values.0, high: change.values.1)
        case APUS_SUBJECT_POSITION.rawValue:
            guard let index = numbers[change.number] else { return }
            hold(
                instruments[index], change.values.0, at: change.values.1, since: UInt64(bitPattern: change.values.2))
        default: break
        }
    }

    /// Sets what is held of an instrument, since the venue says so; at that price, 0 where none is known. It holds the trades up to that
    /// time of the venue's.
    func hold(_ instrument: Instrument, _ quantity: Int64, at price: Int64, since time: UInt64) {
        heldSince[instrument.index] = time
        instrument.record.pointee.position.hold(quantity, at: price, instrument.record.pointee.economics)
        strategies.ledger?.rows.takeOver(instrument.record.pointee.position, price: price, instrument.record)
    }

    /// Open orders, oldest first.
    package var openOrders: [OrderRecord] {
        (0..<orders.openCount).map { orders.records[Int(orders.open[$0])] }
            .sorted { ($0.wall, $0.order.id.value) < ($1.wall, $1.order.id.value) }
    }

    /// A run tag that no run of this journal had.
    package func freshRunTag(_ wanted: UInt32) -> UInt32 {
        var tag = wanted
        while runTags.contains(tag) || tag == 0 { tag &+= 1 }
        return tag
    }

    /// The wall-clock time after which nothing that the last run sent can still arrive at the venue.
    package var quietFrom: UInt64 { wasStopped ? 0 : lastWall + lossWindow + lateArrival }

    /// From when on the venue is asked for trades, in wall-clock nanoseconds: with a margin for clocks that differ and for
    /// records that were lost with the machine. Nil: there is no journal yet, and what was before is the venue's position.
    package var tradesSince: UInt64? {
        guard lastWall > 0 else { return nil }
        let oldest = (openOrders + orders.assumed).map { $0.wall * 1_000_000 }.filter { $0 > 0 }.min() ?? lastWall
        let start = min(oldest, lastWall)
        return start - min(start, Self.tradesMargin)
    }

    /// Also as long as a venue may take a trade back (Polymarket).
    static let tradesMargin: UInt64 = 600_000_000_000
}

extension apus_order {
    /// The worst price of a market order: the edge of its band; 0 of others.
    var limit: Int64 {
        if type != OrderType.market.rawValue { return 0 }
        return side == Side.buy.rawValue ? band_high : band_low
    }
}

extension KnownOrder {
    /// What names that order at every venue.
    package init(_ record: OrderRecord) {
        let order = record.order, instrument = order.instrument
        self.init(
            clientID: order.id.value, venueID: record.venueID, symbol: instrument.symbol, side: order.side,
            price: ExactDecimal(digits: order.price.units, decimals: instrument.priceDecimals),
            quantity: ExactDecimal(digits: order.quantity.units, decimals: instrument.quantityDecimals),
            wallMilliseconds: record.wall, expireMilliseconds: record.expire, timeInForce: order.timeInForce,
            limit: order.type == .market
                ? ExactDecimal(digits: record.limit, decimals: instrument.priceDecimals) : nil)
    }
}
