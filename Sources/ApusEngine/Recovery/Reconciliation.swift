package import Apus
internal import CApusRing

/// Holds what the journal says against what the venue says, round after round, until both agree.
///
///     let recovery = Reconciliation(state, rule, instruments: definitions)
///     repeat {
///         let snapshot = venue.snapshot(since: recovery.since)
///         let answers = recovery.questions(snapshot).map { ($0.clientID, venue.order($0)) }
///         round = recovery.compare(snapshot, answers, now: wallClock)
///         venue.cancel(round.cancels)
///     } while !round.isAgreed && !round.needsPerson && there is patience left
///
/// Each round takes over what it found into `state`, through the same rules that reports go through, and keeps it as corrections that the
/// new run writes into its journal. It places nothing. Pure; control side.
package final class Reconciliation {
    package let state: JournalState
    package let rule: RecoveryRule
    package private(set) var corrections: [Correction] = []
    /// The contracts that the account held in the newest round, with the orders that bought them: the session of the new run tells the end
    /// of each.
    package private(set) var contracts: [VenueContract] = []
    private let strategies: [String]?
    /// By instrument, what journal and venue held when they differed last.
    private var positionsSeen: [Int: [Int64]] = [:]
    private var round = ReconciliationRound()
    /// Nothing that the last run sent can arrive any more.
    private var isQuiet = false
    /// Quantities of the trades that the venue has taken back.
    private var takenBack: [UInt64: ExactDecimal] = [:]
    /// There was no journal: what the account holds is where the engine starts from.
    private let isFresh: Bool

    /// - Parameters:
    ///   - instruments: those of the new run.
    ///   - strategies: the new run's, where what is whose is kept apart: orders of others are canceled. nil: one has everything.
    ///   - otherFeeRate: the new run's, behind which its corrections are journaled.
    /// - Throws: `JournalError` when an instrument's numbers mean something else now, or when an order or a position of an instrument
    ///   that the new run does not trade is open.
    package init(
        _ state: JournalState, _ rule: RecoveryRule, instruments: [InstrumentDefinition], strategies: [String]? = nil,
        otherFeeRate: Money = .zero
    ) throws(JournalError) {
        self.strategies = strategies
        self.state = state
        self.rule = rule
        isFresh = state.records == 0
        // Before anything is settled: the next replay will keep it apart from here on too.
        if strategies != nil { state.keepApart(isFirst: state.runs == 0) }
        for definition in instruments { try state.add(definition) }
        for index in 0..<state.instruments.count {
            let instrument = state.instruments[index], record = instrument.record
            record.pointee.otherFeeRate = otherFeeRate
            if instruments.contains(where: { $0.symbol == instrument.symbol }) { continue }
            let isOpen = state.openOrders.contains { $0.order.instrument == instrument }
            if record.pointee.position.quantity != 0 || isOpen {
                throw JournalError(
                    "the journal has a position or an open order of \(instrument.symbol), which is not among the "
                        + "instruments (venue.symbols): add it, or close what is open")
            }
        }
        state.doubt()
    }

    /// From when on trades are to be asked for: wall clock, nanoseconds.
    /// Where there is no journal, those that the venue may still take back.
    package func since(_ now: UInt64) -> UInt64 { state.tradesSince ?? now - min(now, JournalState.tradesMargin) }

    /// Orders that the journal holds for open and that the venue does not: what has become of them must be asked.
    package func questions(_ snapshot: AccountSnapshot) -> [KnownOrder] {
        var others: [Int: [UInt64]] = [:]
        let unseen = state.openOrders.filter { record in !snapshot.openOrders.contains { isSame($0, record) } }
        return unseen.map { record in
            var order = KnownOrder(record)
            let instrument = record.order.instrument
            if record.venueID == 0 {
                order.others = others[instrument.index] ?? state.orders.venueIDs(of: instrument)
                others[instrument.index] = order.others
            }
            return order
        }
    }

    private func isSame(_ order: VenueOrder, _ record: OrderRecord) -> Bool {
        if let client = order.clientID { return client == record.order.id.value }
        return order.venueID != 0 && order.venueID == record.venueID
    }

    /// Compares once.
    /// - Parameters:
    ///   - answers: by client number, what the venue said of the `questions`; nil: it does not know the order.
    ///   - now: wall clock, nanoseconds.
    package func compare(
        _ snapshot: AccountSnapshot, answers: [UInt64: VenueOrder?], now: UInt64
    ) -> ReconciliationRound {
        round = ReconciliationRound()
        let quiet = state.quietFrom
        isQuiet = now >= quiet
        takenBack = snapshot.trades.reduce(into: [:]) { back, trade in
            if trade.isUndone { back[trade.tradeID] = trade.quantity }
        }
        let answers = own(answers)
        // Numbers of orders first, so that trades find theirs.
        for order in snapshot.openOrders { meet(order) }
        for (client, answer) in answers.sorted(by: { $0.key < $1.key }) {
            if let answer, let record = state.orders.find(OrderID(client)) {
                state.learn(venueID: answer.venueID, of: record)
            }
        }
        for trade in snapshot.trades { take(trade) }
        for order in snapshot.openOrders { stand(order) }
        for (client, answer) in answers.sorted(by: { $0.key < $1.key }) { end(client, answer, now) }
        for index in 0..<state.instruments.count { comparePosition(state.instruments[index], snapshot) }
        contracts = snapshot.contracts.map { contract in
            var contract = contract
            contract.clientID = state.order(venueID: contract.id)
            return contract
        }
        compareBalance(snapshot)
        if !isQuiet {
            add(.onItsWay, .wait, "account", nil, nil, "\((quiet - now) / 1_000_000 + 1) ms more", "may get some")
        }
        return round
    }

    // MARK: Orders

    /// A venue that does not know our numbers may answer with what is another order's: then it does not know the one in question.
    private func own(_ answers: [UInt64: VenueOrder?]) -> [UInt64: VenueOrder?] {
        answers.reduce(into: [:]) { own, answer in
            let owner = answer.value.flatMap { state.order(venueID: $0.venueID) } ?? answer.key
            own[answer.key] = .some(owner == answer.key ? answer.value : nil)
        }
    }

    private func known(_ order: VenueOrder) -> UnsafeMutablePointer<OrderRecord>? {
        if let client = order.clientID { return state.orders.find(OrderID(client)) }
        return state.order(venueID: order.venueID).flatMap { state.orders.find(OrderID($0)) }
    }

    /// An open order of ours that the journal does not know is known from now on.
    private func meet(_ order: VenueOrder) {
        if let record = known(order) { return state.learn(venueID: order.venueID, of: record) }
        guard order.clientID != nil else { return }
        adopt(order, quantity: order.quantity, isOpen: true)
    }

    @discardableResult
    private func adopt(
        _ order: VenueOrder, quantity: ExactDecimal, isOpen: Bool
    ) -> UnsafeMutablePointer<OrderRecord>? {
        guard let client = order.clientID, let instrument = instrument(order.symbol) else { return nil }
        guard let price = units(order.price, instrument.priceDecimals, order.symbol),
            let quantity = units(quantity, instrument.quantityDecimals, order.symbol)
        else { return nil }
        var intent = apus_order()
        intent.client_id = client
        intent.instrument = UInt16(instrument.index)
        intent.action = UInt8(APUS_ORDER_PLACE.rawValue)
        intent.side = order.side.rawValue
        intent.type = price > 0 ? OrderType.limit.rawValue : OrderType.market.rawValue
        intent.price = price
        intent.quantity = quantity
        intent.venue_id = order.venueID
        intent.strategy = strategies == nil ? 0 : Order.nobody
        do { try state.adopt(intent, instrument, state.records) } catch {
            add(.unreadable, .ask, order.symbol, client, order.venueID, error.description, "")
            return nil
        }
        corrections.append(.adopted(intent, symbol: order.symbol))
        if !isOpen { return state.orders.find(OrderID(client)) }
        add(
            .lostOrder, rule.lostOrders == .cancel ? .cancel : .adopt, order.symbol, client, order.venueID, "nothing",
            text(order))
        return state.orders.find(OrderID(client))
    }

    /// An order that is open at the venue.
    private func stand(_ order: VenueOrder) {
        guard let record = known(order) else {
            if order.clientID == nil { meetStranger(order) }
            return
        }
        let before = record.pointee
        guard tell(record, APUS_STATUS_PARTIALLY_FILLED, order) else { return }
        let wasLost = round.differences.contains { $0.kind == .lostOrder && $0.clientID == before.order.id.value }
        let rule = isUnowned(before.order) ? .cancel : wasLost ? rule.lostOrders : rule.openOrders
        if rule == .cancel { round.cancels.append(KnownOrder(record.pointee)) }
        let after = record.pointee.order
        // Of one that is the same on both sides there is nothing to settle.
        let isSame =
            before.order.filled == after.filled && before.order.price == after.price
            && before.order.quantity == after.quantity
        if wasLost || (isSame && before.order.state != .unknown && rule != .cancel) { return }
        add(
            .openOrder, rule == .cancel ? .cancel : isSame ? .note : .adopt, order.symbol, after.id.value,
            order.venueID, text(before.order), text(order))
    }

    /// Whether an order's strategy does not run any more.
    private func isUnowned(_ order: Order) -> Bool {
        guard let strategies else { return false }
        return state.owner(order.strategy).map { !strategies.contains($0) } ?? true
    }

    private func meetStranger(_ order: VenueOrder) {
        switch rule.foreignOrders {
        case .ignore: add(.foreignOrder, .note, order.symbol, nil, order.venueID, "nothing", text(order))
        case .stop: add(.foreignOrder, .ask, order.symbol, nil, order.venueID, "nothing", text(order))
        case .cancel:
            add(.foreignOrder, .cancel, order.symbol, nil, order.venueID, "nothing", text(order))
            round.cancels.append(
                KnownOrder(
                    clientID: 0, venueID: order.venueID, symbol: order.symbol, side: order.side, price: order.price,
                    quantity: order.quantity, wallMilliseconds: 0, expireMilliseconds: 0,
                    timeInForce: .goodTillCanceled))
        }
    }

    /// An order that the journal holds for open and the venue does not list.
    private func end(_ client: UInt64, _ answer: VenueOrder?, _ now: UInt64) {
        guard let record = state.orders.find(OrderID(client)), record.pointee.order.isOpen else { return }
        let before = text(record.pointee.order), symbol = record.pointee.order.instrument.symbol
        guard let answer else { return notKnown(record, before, now) }
        let status: apus_order_status
        switch answer.end {
        case .filled: status = APUS_STATUS_FILLED
        case .canceled: status = APUS_STATUS_CANCELED
        case .expired: status = APUS_STATUS_EXPIRED
        case .rejected: status = APUS_STATUS_REJECTED
        default:
            // Opened between the two questions: the next round sees it.
            return add(.undecidedOrder, .wait, symbol, client, answer.venueID, before, text(answer))
        }
        if tell(record, status, answer) {
            add(.endedOrder, .close, symbol, client, answer.venueID, before, text(answer))
        }
    }

    private func notKnown(_ record: UnsafeMutablePointer<OrderRecord>, _ before: String, _ now: UInt64) {
        let order = record.pointee.order
        if record.pointee.wall * 1_000_000 + state.lateArrival > now {
            return add(
                .undecidedOrder, .wait, order.instrument.symbol, order.id.value, nil, before, "does not know it")
        }
        var report = apus_report()
        report.client_id = order.id.value
        report.instrument = UInt16(order.instrument.index)
        report.kind = UInt8(APUS_REPORT_NOT_FOUND.rawValue)
        report.action = UInt8(APUS_ORDER_QUERY.rawValue)
        // Asked after the last moment at which it could have arrived.
        report.sent_ns = .max
        apply(report, order.instrument.symbol)
        add(.endedOrder, .close, order.instrument.symbol, order.id.value, nil, before, "does not know it")
    }

    /// Tells what the venue says of an order as if it had answered a query.
    private func tell(
        _ record: UnsafeMutablePointer<OrderRecord>, _ told: apus_order_status, _ order: VenueOrder
    ) -> Bool {
        let known = record.pointee.order, instrument = known.instrument
        guard let price = units(order.price, instrument.priceDecimals, order.symbol),
            let quantity = units(order.quantity, instrument.quantityDecimals, order.symbol),
            let filled = filled(order, instrument)
        else { return false }
        var status = told
        if status == APUS_STATUS_PARTIALLY_FILLED && filled == 0 { status = APUS_STATUS_NEW }
        // Of a whole order of which something was taken back the rest has ended.
        if status == APUS_STATUS_FILLED && filled < quantity { status = APUS_STATUS_EXPIRED }
        let isOld =
            known.isOpen && known.state != .unknown && known.filled.units == filled && known.quantity.units == quantity
            && (known.price.units == price || known.type == .market)
            && !(record.pointee.isChangeInDoubt && isQuiet)
        if isOld && status.rawValue <= APUS_STATUS_PARTIALLY_FILLED.rawValue { return true }
        var report = apus_report()
        report.client_id = known.id.value
        report.venue_order_id = order.venueID
        report.instrument = UInt16(instrument.index)
        report.kind = UInt8(APUS_REPORT_STATUS.rawValue)
        report.status = UInt8(status.rawValue)
        report.action = UInt8(APUS_ORDER_QUERY.rawValue)
        report.side = known.side.rawValue
        report.price = price
        report.quantity = quantity
        report.cumulative = filled
        // Asked after the last moment at which a change could have arrived.
        if isQuiet { report.sent_ns = .max }
        apply(report, order.symbol)
        return true
    }

    /// What is filled of an order, without what the venue has taken back.
    private func filled(_ order: VenueOrder, _ instrument: Instrument) -> Int64? {
        var filled = units(order.filled, instrument.quantityDecimals, order.symbol)
        for trade in order.trades {
            guard let back = takenBack[trade] else { continue }
            guard let known = filled, let quantity = units(back, instrument.quantityDecimals, order.symbol) else {
                return nil
            }
            filled = known - quantity
        }
        return filled
    }

    func apply(_ report: apus_report, _ symbol: String) {
        var report = report
        state.apply(&report)
        corrections.append(.report(report, symbol: symbol))
    }

    func correct(_ correction: Correction) { corrections.append(correction) }

    // MARK: Trades

    private func take(_ trade: VenueTrade) {
        guard let instrument = instrument(trade.symbol) else { return }
        let owners = state.owners(of: trade.tradeID, trade.side, instrument)
        let client = trade.clientID ?? state.order(venueID: trade.venueID)
        let isOwned = client.map { owners.contains($0) } ?? !owners.isEmpty
        let isTaken = isOwned || state.isHeld(trade.tradeID, trade.side, instrument)
        if trade.isUndone { return undo(trade, client ?? owners.first, instrument) }
        // Some venues tell whole seconds: what a position that was taken over holds of its last one is known by number (`know`).
        let isOld = trade.time + 1_000_000_000 <= state.heldSince[instrument.index] ?? 0
        if isTaken || isOld || needsBaseline(instrument.index) { return }
        guard let price = units(trade.price, instrument.priceDecimals, trade.symbol),
            let quantity = units(trade.quantity, instrument.quantityDecimals, trade.symbol)
        else { return }
        var report = apus_report(trade, price: price, quantity: quantity, instrument: instrument)
        if let client, let record = owner(client, trade) {
            report.kind = UInt8(APUS_REPORT_FILL.rawValue)
            report.client_id = client
            // Of what was only learned from a status the trade tells price and fee; the rest of it is new.
            let known = record.pointee.order.filled.units
            report.cumulative = known + max(quantity - record.pointee.assumed, 0)
            report.status = UInt8(APUS_STATUS_PARTIALLY_FILLED.rawValue)
            add(.missedTrade, .apply, trade.symbol, client, trade.venueID, "nothing", text(trade))
        } else if client == nil && mayBeOurs(trade, instrument) {
            return add(.foreignTrade, .wait, trade.symbol, nil, trade.venueID, "nothing", text(trade))
        } else {
            report.kind = UInt8(APUS_REPORT_SETTLED.rawValue)
            add(.foreignTrade, .apply, trade.symbol, nil, trade.venueID, "nothing", text(trade))
        }
        apply(report, trade.symbol)
    }

    /// Whether a trade that names no order may be of one that is not decided yet.
    private func mayBeOurs(_ trade: VenueTrade, _ instrument: Instrument) -> Bool {
        state.openOrders.contains { record in
            record.venueID == 0 && record.order.instrument == instrument && record.order.side == trade.side
        }
    }

    /// The order that a trade belongs to. One that the journal has lost and that is open no more is made known with what is traded of it.
    private func owner(_ client: UInt64, _ trade: VenueTrade) -> UnsafeMutablePointer<OrderRecord>? {
        if let record = state.orders.find(OrderID(client)) { return record }
        let order = VenueOrder(
            clientID: client, venueID: trade.venueID, venueText: "", symbol: trade.symbol, side: trade.side,
            price: trade.price, quantity: trade.quantity, filled: ExactDecimal(digits: 0))
        return adopt(order, quantity: trade.quantity, isOpen: false)
    }

    /// Of an order of ours also what was only learned from a status; 0 stands for no order.
    private func undo(_ trade: VenueTrade, _ client: UInt64?, _ instrument: Instrument) {
        guard let client else { return }
        let record = state.orders.find(OrderID(client))
        let knowledge =
            client == 0
            ? state.trades.order(of: trade.tradeID).map { state.trades.knowledge(of: trade.tradeID, order: $0) } ?? .new
            : state.trades.knowledge(of: trade.tradeID, order: client)
        let isHeld = knowledge == .taken || (knowledge == .new && record.map { $0.pointee.assumed > 0 } == true)
        guard isHeld, let price = units(trade.price, instrument.priceDecimals, trade.symbol),
            let quantity = units(trade.quantity, instrument.quantityDecimals, trade.symbol)
        else { return }
        var report = apus_report(trade, price: price, quantity: quantity, instrument: instrument)
        report.kind = UInt8(APUS_REPORT_UNDONE.rawValue)
        // Of an order that is known no more only the position has it still.
        report.client_id = record == nil ? 0 : client
        add(.undoneTrade, .undo, trade.symbol, client, trade.venueID, text(trade), "taken back")
        apply(report, trade.symbol)
    }

    // MARK: What is still to be seen

    var takesPositions: Bool { isFresh || rule.positions == .adopt }

    /// The first journal of an account says what was held at its begin, so that no trade from before is ever taken in.
    func needsBaseline(_ instrument: Int) -> Bool { isFresh && state.heldSince[instrument] == nil }

    /// Whether an order of that instrument is not decided yet, or whose a trade is.
    func isUndecided(_ instrument: Instrument) -> Bool {
        round.differences.contains {
            ($0.kind == .undecidedOrder || $0.kind == .foreignTrade && $0.action == .wait)
                && $0.symbol == instrument.symbol
        }
    }

    /// Whether that difference of positions was not there in the round before.
    func isNew(_ instrument: Int, _ journal: Int64, _ venue: Int64) -> Bool {
        let found = [journal, venue]
        defer { positionsSeen[instrument] = found }
        return positionsSeen[instrument] != found
    }

    // MARK: Differences

    func add(
        _ kind: Difference.Kind, _ action: Difference.Action, _ symbol: String, _ client: UInt64?, _ venue: UInt64?,
        _ journal: String, _ told: String
    ) {
        round.differences.append(
            Difference(
                kind: kind, action: action, symbol: symbol, clientID: client, venueID: venue, journal: journal,
                venue: told))
    }

    /// The instrument; one that the new run does not trade is none of ours.
    private func instrument(_ symbol: String) -> Instrument? { state.instrument(symbol) }

    func units(_ value: ExactDecimal, _ decimals: Int, _ symbol: String) -> Int64? {
        do { return try value.units(decimals: decimals) } catch {
            add(.unreadable, .ask, symbol, nil, nil, "\(decimals) decimals", "\(value)")
            return nil
        }
    }
}
