package import Apus
package import CApusRing

/// What a report changed.
package enum LifeResult {
    /// Nothing new: a late or doubled report.
    case nothing
    /// Something to tell the strategy.
    case news(kind: ReportKind, fill: Fill?)
}

/// Moves orders through their lives and keeps positions and reservations in step. The diagram stands in `OrderTable`.
package struct OrderLife {
    let table: OrderTable
    let trades: TradeTable
    let reconcilePause: UInt64
    let lateArrival: UInt64
    /// What each strategy holds and has open.
    package internal(set) var rows: StrategyRows
    /// Reports of orders that the table does not know. The position is left alone: a doubled fill cannot be told from
    /// a new one.
    package internal(set) var strangers: UInt64 = 0
    /// Reports that brought nothing new.
    package internal(set) var duplicates: UInt64 = 0
    /// Fills beyond an order's quantity. They are counted into the position, since the venue says that they happened.
    package internal(set) var overfills: UInt64 = 0
    package internal(set) var fills: UInt64 = 0
    package private(set) var rejections: UInt64 = 0
    /// The newest refusal of an order: the venue's code, or the guard's reason.
    package private(set) var newestRejection: (code: Int32, isGuards: Bool) = (0, false)
    /// Fills that the venue took back.
    package internal(set) var undone: UInt64 = 0
    /// The newest wallet balance that the venue told, in the settlement asset; nil: it told none.
    package internal(set) var walletBalance: Money?
    /// How often a fill was taken in that no trade has told of.
    package internal(set) var assumptions: UInt64 = 0

    package init(
        _ table: OrderTable, trades: TradeTable? = nil, reconcilePause: UInt64 = 0, lateArrival: UInt64 = 0,
        rows: StrategyRows = StrategyRows()
    ) {
        self.rows = rows
        self.table = table
        self.trades = trades ?? TradeTable(capacity: 4 * table.capacity)
        self.reconcilePause = reconcilePause
        self.lateArrival = lateArrival
    }

    private static var retryPause: UInt64 { 1_000_000_000 }

    // MARK: What the engine does

    /// An order was pushed to the ring.
    package mutating func place(_ order: Order, now: UInt64) {
        let record = table.insert(order)
        record.pointee.decided = now
        heard(record, now)
        reserve(record, order.quantity.units)
    }

    /// A cancel was pushed. A change that is under way may still be carried out before it.
    package mutating func cancelSent(_ record: UnsafeMutablePointer<OrderRecord>) {
        if record.pointee.order.state == .pendingModify { record.pointee.isChangeInDoubt = true }
        enter(.pendingCancel, record)
    }

    /// A change was pushed. Until the answer comes the larger of both quantities is reserved.
    package mutating func modifySent(
        _ record: UnsafeMutablePointer<OrderRecord>, price: Int64, quantity: Int64, now: UInt64
    ) {
        record.pointee.changed = now
        record.pointee.wantedPrice = price
        record.pointee.wantedQuantity = quantity
        enter(.pendingModify, record)
        let larger = max(quantity, record.pointee.order.quantity.units)
        reserve(record, max(larger - record.pointee.order.filled.units, 0))
    }

    // MARK: What the venue says

    /// News may have been missed: every order that the venue has must be asked about, at once. Those still on their way
    /// to it get their own answer, or the report that it was lost.
    package mutating func missed() {
        for place in 0..<table.openCount {
            let record = table.records + Int(table.open[place])
            switch record.pointee.order.state {
            case .live, .partiallyFilled, .unknown: ask(record)
            case .pendingCancel, .pendingModify: record.pointee.queryTime = 0
            default: break
            }
        }
    }

    /// Something was heard of an order: it need not be asked about for a while.
    func heard(_ record: UnsafeMutablePointer<OrderRecord>, _ now: UInt64) {
        if record.pointee.order.state == .unknown { return }
        record.pointee.queryPause = 0
        record.pointee.queryTime = reconcilePause == 0 ? .max : now &+ reconcilePause
        guard record.pointee.isChangeInDoubt else { return }
        record.pointee.queryTime = min(record.pointee.queryTime, max(record.pointee.changed &+ lateArrival, now))
    }

    /// Takes in a report about a known order.
    package mutating func apply(
        _ report: UnsafePointer<apus_report>
    ) -> (LifeResult, UnsafeMutablePointer<OrderRecord>?) {
        guard let record = table.find(OrderID(report.pointee.client_id)) else {
            strangers += 1
            return (.nothing, nil)
        }
        if report.pointee.venue_order_id != 0 { record.pointee.venueID = report.pointee.venue_order_id }
        guard let kind = ReportKind(rawValue: report.pointee.kind) else {
            duplicates += 1
            return (.nothing, record)
        }
        let result = apply(kind, report, record)
        let isToldOf = kind == .status && report.pointee.status != UInt8(APUS_STATUS_NONE.rawValue)
        if report.pointee.action != UInt8(APUS_ORDER_QUERY.rawValue) || isToldOf {
            heard(record, report.pointee.receive_ns)
        }
        if case .nothing = result, kind != .sent { duplicates += 1 }
        return (result, record)
    }

    private mutating func apply(
        _ kind: ReportKind, _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        switch kind {
        case .sent: sent(report, record)
        case .accepted: accepted(report, record)
        case .fill: filled(report, record)
        case .fillUndone: undo(report, record)
        case .canceled: ended(.canceled, report, record, kind)
        case .expired: ended(.expired, report, record, kind)
        case .rejected, .refused: refused(kind, report, record)
        case .cancelRejected, .modifyRejected: changeRejected(kind, report, record)
        case .modified: modified(report, record)
        case .unknown: lost(report, record)
        case .status: status(report, record)
        case .notFound: notFound(report, record)
        }
    }

    private mutating func sent(
        _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        let isPlace = report.pointee.action == 0 || report.pointee.action == UInt8(APUS_ORDER_PLACE.rawValue)
        guard isPlace, record.pointee.order.state == .pendingNew else { return .nothing }
        enter(.sent, record)
        return .news(kind: .sent, fill: nil)
    }

    private mutating func accepted(
        _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        reviveIfNotFound(record)
        guard record.pointee.order.isOpen, !record.pointee.wasAccepted else { return .nothing }
        record.pointee.wasAccepted = true
        record.pointee.termsTime = max(record.pointee.termsTime, report.pointee.venue_ns)
        switch record.pointee.order.state {
        case .unknown where record.pointee.isChangeInDoubt: break
        case .pendingNew, .sent, .unknown: stand(record)
        default: break  // a fill, a cancel or a change came first
        }
        return .news(kind: .accepted, fill: nil)
    }

    private mutating func refused(
        _ kind: ReportKind, _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        switch UInt32(report.pointee.action) {
        case APUS_ORDER_CANCEL.rawValue: return backToStanding(.cancelRejected, record)
        case APUS_ORDER_MODIFY.rawValue:
            record.pointee.isChangeInDoubt = false
            return backToStanding(.modifyRejected, record)
        case APUS_ORDER_QUERY.rawValue:
            // Not sent: asked again soon, without the growing patience for a venue that does not answer.
            record.pointee.queryPause = 0
            record.pointee.queryTime = report.pointee.receive_ns &+ Self.retryPause
            return .nothing
        default: break
        }
        guard record.pointee.order.isOpen else { return .nothing }
        rejections += 1
        newestRejection = (report.pointee.code, kind == .refused)
        close(.rejected, record)
        return .news(kind: kind, fill: nil)
    }

    /// The request never left, or the venue says that the order still stands: it is as it was before.
    private mutating func backToStanding(
        _ kind: ReportKind, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        let isWaiting = record.pointee.order.state == .pendingCancel || record.pointee.order.state == .pendingModify
        if isWaiting {
            reserveTheRest(record)
            // Whether the venue has it at all was not known before either.
            if record.pointee.wasAccepted { stand(record) } else { ask(record) }
        }
        return .news(kind: kind, fill: nil)
    }

    private mutating func changeRejected(
        _ kind: ReportKind, _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        guard record.pointee.order.isOpen else { return .news(kind: kind, fill: nil) }
        if kind == .modifyRejected { record.pointee.isChangeInDoubt = false }
        switch UInt32(report.pointee.status) {
        case APUS_STATUS_NEW.rawValue, APUS_STATUS_PARTIALLY_FILLED.rawValue:
            record.pointee.wasAccepted = true
            return backToStanding(kind, record)
        default:
            if record.pointee.order.remaining <= .zero { return backToStanding(kind, record) }
            ask(record)
            return .news(kind: kind, fill: nil)
        }
    }

    private mutating func modified(
        _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        guard record.pointee.order.isOpen else { return .nothing }
        record.pointee.wasAccepted = true
        adoptTerms(report, record)
        let fill = missing(report, record)
        // A change to what is filled already, or one that a post-only order may not make, ends the order.
        if let end = Self.end(report) {
            close(end, record)
        } else if record.pointee.order.state != .pendingCancel || record.pointee.order.remaining <= .zero {
            stand(record)
        }
        return .news(kind: .modified, fill: fill)
    }

    /// The final state that a report tells; nil while the order stands or nothing is said.
    private static func end(_ report: UnsafePointer<apus_report>) -> OrderState? {
        switch UInt32(report.pointee.status) {
        case APUS_STATUS_FILLED.rawValue: .filled
        case APUS_STATUS_CANCELED.rawValue: .canceled
        case APUS_STATUS_EXPIRED.rawValue: .expired
        case APUS_STATUS_REJECTED.rawValue: .rejected
        default: nil
        }
    }

    /// The order has ended. What the venue has filled of it is taken in, also where the fill has not been told yet.
    private mutating func ended(
        _ state: OrderState, _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>,
        _ kind: ReportKind
    ) -> LifeResult {
        reviveIfNotFound(record)
        guard record.pointee.order.isOpen else { return .nothing }
        adoptTerms(report, record)
        let fill = missing(report, record)
        close(state, record)
        return .news(kind: kind, fill: fill)
    }

    // MARK: Lost answers

    /// An answer was lost.
    private mutating func lost(
        _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        guard record.pointee.order.isOpen else { return .nothing }
        switch UInt32(report.pointee.action) {
        case APUS_ORDER_QUERY.rawValue:
            askLater(report, record)
            return .nothing
        case APUS_ORDER_MODIFY.rawValue: record.pointee.isChangeInDoubt = true
        default: break
        }
        guard record.pointee.order.state != .unknown else { return .nothing }
        ask(record)
        return .news(kind: .unknown, fill: nil)
    }

    mutating func ask(_ record: UnsafeMutablePointer<OrderRecord>) {
        enter(.unknown, record)
        record.pointee.queryTime = 0
        record.pointee.queryPause = 0
    }

    /// A question brought nothing. An order in doubt is asked about again by its own growing pauses.
    private func askLater(_ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>) {
        guard record.pointee.order.isOpen, record.pointee.order.state != .unknown else { return }
        record.pointee.queryTime = report.pointee.receive_ns &+ Self.retryPause
    }

    private mutating func status(
        _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        reviveIfNotFound(record)
        let before = record.pointee.order, end = Self.end(report)
        // The answer to a change tells its terms; an order that has ended waits for none.
        if before.isOpen && (before.state != .pendingModify || end != nil) { adoptTerms(report, record) }
        let fill = missing(report, record)
        if report.pointee.status == UInt8(APUS_STATUS_NONE.rawValue) {
            askLater(report, record)
        } else if record.pointee.order.isOpen {
            record.pointee.wasAccepted = true
            if let end {
                if end == .rejected { rejections += 1 }
                close(end, record)
            } else {
                arrived(record)
                closeIfFilled(record)
            }
        }
        let after = record.pointee.order
        let isNews =
            fill != nil || after.state != before.state || after.price != before.price
            || after.quantity != before.quantity
        return isNews ? .news(kind: .status, fill: fill) : .nothing
    }

    /// The venue has an order whose own answer has not come (yet), or was lost.
    private mutating func arrived(_ record: UnsafeMutablePointer<OrderRecord>) {
        switch record.pointee.order.state {
        case .pendingNew, .sent, .unknown: stand(record)
        default: break  // a cancel or a change is under way
        }
    }

    /// Price and quantity as the venue has them, unless it told of newer ones already. While a change whose answer was lost may still
    /// arrive, the larger of both quantities stays reserved.
    private func adoptTerms(_ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>) {
        guard report.pointee.venue_ns == 0 || report.pointee.venue_ns >= record.pointee.termsTime else { return }
        record.pointee.termsTime = report.pointee.venue_ns
        if report.pointee.price > 0 && record.pointee.order.type == .limit {
            record.pointee.order.price = Price(units: report.pointee.price)
        }
        if report.pointee.quantity > 0 { record.pointee.order.quantity = Quantity(units: report.pointee.quantity) }
        if isChangeDecided(report, record) { record.pointee.isChangeInDoubt = false }
        reserveTheRest(record)
    }

    /// Whether these terms say what has become of the newest change: they are its own, or it could not arrive any more when they were
    /// asked for.
    private func isChangeDecided(
        _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> Bool {
        let isItsOwn =
            record.pointee.order.price.units == record.pointee.wantedPrice
            && record.pointee.order.quantity.units == record.pointee.wantedQuantity
        return isItsOwn || Self.asked(report) >= record.pointee.changed &+ lateArrival
    }

    /// When what a report answers was asked: what was sent before that and could have arrived by then is part of the answer.
    private static func asked(_ report: UnsafePointer<apus_report>) -> UInt64 {
        report.pointee.sent_ns != 0 ? report.pointee.sent_ns : report.pointee.receive_ns
    }

    /// What the venue has filled and no fill report has told yet. It is taken in at once, at the order's own price,
    /// since the risk gate must know the position; the fill report, should it come, corrects price and fee.
    private mutating func missing(
        _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> Fill? {
        let quantity = report.pointee.cumulative - record.pointee.order.filled.units
        guard quantity > 0 else { return nil }
        record.pointee.reported = max(record.pointee.reported, report.pointee.cumulative)
        let order = record.pointee.order
        let touch = order.instrument.record.pointee.touch
        let market = order.side == .buy ? touch.askPrice : touch.bidPrice
        var price =
            order.price.units > 0 ? order.price.units : (report.pointee.price > 0 ? report.pointee.price : market)
        // One price for all that is assumed, so that it is corrected alike.
        if record.pointee.assumed > 0 { price = record.pointee.assumedPrice }
        record.pointee.assumed += quantity
        record.pointee.assumedPrice = price
        assumptions += 1
        let fill = Fill(
            price: Price(units: price), quantity: Quantity(units: quantity), fee: .zero, isMaker: false, tradeID: 0)
        take(fill, record)
        return fill
    }

    private mutating func notFound(
        _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        switch record.pointee.order.state {
        case .unknown: break
        case .live, .partiallyFilled:
            ask(record)
            return .nothing
        default: return .nothing  // the answer to what is under way will tell
        }
        // The order itself may still be on its way, on a connection that was given up.
        let final = record.pointee.decided &+ lateArrival
        if Self.asked(report) < final {
            record.pointee.queryTime = max(final, report.pointee.receive_ns)
            return .nothing
        }
        record.pointee.wasNotFound = true
        if record.pointee.order.filled > .zero || record.pointee.wasAccepted {
            close(.canceled, record)  // it was there and is there no more
        } else {
            rejections += 1
            close(.rejected, record)
        }
        return .news(kind: .notFound, fill: nil)
    }

    // MARK: Common

    /// The venue has it: open, partly filled, or filled by what is known.
    mutating func stand(_ record: UnsafeMutablePointer<OrderRecord>) {
        guard record.pointee.order.isOpen else { return }
        if record.pointee.order.remaining <= .zero { return close(.filled, record) }
        enter(record.pointee.order.filled > .zero ? .partiallyFilled : .live, record)
    }

    mutating func enter(_ state: OrderState, _ record: UnsafeMutablePointer<OrderRecord>) {
        record.pointee.order.state = state
    }

    /// Ends an order. What the venue has filled and not yet reported stays reserved.
    mutating func close(_ state: OrderState, _ record: UnsafeMutablePointer<OrderRecord>) {
        guard record.pointee.order.isOpen else { return }
        enter(state, record)
        record.pointee.isChangeInDoubt = false
        reserve(record, max(record.pointee.reported - record.pointee.order.filled.units, 0))
        table.end(record)
    }

    /// An order that was not found, and of which the venue speaks after all.
    mutating func reviveIfNotFound(_ record: UnsafeMutablePointer<OrderRecord>) {
        guard record.pointee.wasNotFound, !record.pointee.order.isOpen else { return }
        record.pointee.wasNotFound = false
        record.pointee.order.state = .sent
        reserve(record, record.pointee.order.remaining.units)
        table.reopen(record)
    }

    /// Reserves what an open order may still trade: of the larger quantity while it is in doubt whether a change was carried out.
    func reserveTheRest(_ record: UnsafeMutablePointer<OrderRecord>) {
        let known = record.pointee.order.quantity.units
        let most = record.pointee.isChangeInDoubt ? max(known, record.pointee.wantedQuantity) : known
        reserve(record, max(most - record.pointee.order.filled.units, 0))
    }

    /// Sets what the risk gate counts as still to come from this order.
    func reserve(_ record: UnsafeMutablePointer<OrderRecord>, _ quantity: Int64) {
        let change = quantity - record.pointee.reserved
        record.pointee.reserved = quantity
        let instrument = record.pointee.order.instrument.record
        if record.pointee.order.side == .buy {
            instrument.pointee.openBuys += change
        } else {
            instrument.pointee.openSells += change
        }
        if rows.isSplit {
            let own = rows.row(record)
            if record.pointee.order.side == .buy {
                own.pointee.openBuys += change
            } else {
                own.pointee.openSells += change
            }
        }
        if instrument.pointee.isPaidInFull { reserveCost(record, quantity) }
    }

    /// What a buy may still cost: at its price, the higher one while a change is under way; a market order's at the ask.
    private func reserveCost(_ record: UnsafeMutablePointer<OrderRecord>, _ quantity: Int64) {
        guard record.pointee.order.side == .buy else { return }
        let instrument = record.pointee.order.instrument.record
        var price = record.pointee.order.price.units
        if record.pointee.order.type == .market { price = instrument.pointee.touch.askPrice }
        if record.pointee.mayHaveChanged { price = max(price, record.pointee.wantedPrice) }
        let cost = instrument.pointee.economics.value(price, quantity)
        instrument.pointee.openCost += cost - record.pointee.reservedCost
        record.pointee.reservedCost = cost
    }
}
