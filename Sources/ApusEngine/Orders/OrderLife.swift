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
    /// Reports of orders that the table does not know. The position is left alone: a doubled fill cannot be told from
    /// a new one.
    package private(set) var strangers: UInt64 = 0
    /// Reports that brought nothing new.
    package private(set) var duplicates: UInt64 = 0
    /// Fills beyond an order's quantity. They are counted into the position, since the venue says that they happened.
    package private(set) var overfills: UInt64 = 0
    package private(set) var fills: UInt64 = 0
    package private(set) var rejections: UInt64 = 0
    /// Orders in the state `unknown`.
    package private(set) var unknownCount = 0

    package init(_ table: OrderTable) { self.table = table }

    // MARK: What the engine does

    /// An order was pushed to the ring.
    package mutating func place(_ order: Order) {
        let record = table.insert(order)
        reserve(record, order.quantity.units)
    }

    /// A cancel was pushed.
    package mutating func cancelSent(_ record: UnsafeMutablePointer<OrderRecord>) {
        enter(.pendingCancel, record)
    }

    /// A change was pushed. Until the answer comes the larger of both quantities is reserved.
    package mutating func modifySent(_ record: UnsafeMutablePointer<OrderRecord>, price: Int64, quantity: Int64) {
        record.pointee.wantedPrice = price
        record.pointee.wantedQuantity = quantity
        let larger = max(quantity, record.pointee.order.quantity.units)
        reserve(record, max(larger - record.pointee.order.filled.units, 0))
        enter(.pendingModify, record)
    }

    // MARK: What the venue says

    /// News may have been missed: every order that the venue has must be asked about. Those still on their way to it
    /// get their own answer, or the report that it was lost.
    package mutating func missed() {
        for place in 0..<table.openCount {
            let record = table.records + Int(table.open[place])
            switch record.pointee.order.state {
            case .live, .partiallyFilled: ask(record)
            default: break
            }
        }
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
        if case .nothing = result, kind != .sent { duplicates += 1 }
        return (result, record)
    }

    private mutating func apply(
        _ kind: ReportKind, _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        switch kind {
        case .sent: sent(report, record)
        case .accepted: accepted(record)
        case .fill: filled(report, record)
        case .canceled: ended(.canceled, report, record, kind)
        case .expired: ended(.expired, report, record, kind)
        case .rejected, .refused: refused(kind, report, record)
        case .cancelRejected, .modifyRejected: changeRejected(kind, report, record)
        case .modified: modified(report, record)
        case .unknown: lost(record)
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

    private mutating func accepted(_ record: UnsafeMutablePointer<OrderRecord>) -> LifeResult {
        if record.pointee.wasNotFound && record.pointee.order.state == .rejected {
            revive(record)
        } else if record.pointee.wasAccepted || !record.pointee.order.isOpen {
            return .nothing
        }
        record.pointee.wasAccepted = true
        switch record.pointee.order.state {
        case .pendingNew, .sent, .unknown: enter(standing(record), record)
        default: break  // a fill, a cancel or a change came first
        }
        return .news(kind: .accepted, fill: nil)
    }

    private mutating func refused(
        _ kind: ReportKind, _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        switch UInt32(report.pointee.action) {
        case APUS_ORDER_CANCEL.rawValue: return backToStanding(.cancelRejected, record)
        case APUS_ORDER_MODIFY.rawValue: return backToStanding(.modifyRejected, record)
        case APUS_ORDER_QUERY.rawValue: return .nothing  // it is asked again when its time comes
        default: break
        }
        guard record.pointee.order.isOpen else { return .nothing }
        rejections += 1
        close(.rejected, record)
        return .news(kind: kind, fill: nil)
    }

    /// The request never left, or the venue says that the order still stands: it is as it was before.
    private mutating func backToStanding(
        _ kind: ReportKind, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        let isWaiting = record.pointee.order.state == .pendingCancel || record.pointee.order.state == .pendingModify
        if isWaiting {
            reserve(record, max(record.pointee.order.remaining.units, 0))
            if record.pointee.order.remaining <= .zero {
                close(.filled, record)
            } else {
                enter(standing(record), record)
            }
        }
        return .news(kind: kind, fill: nil)
    }

    private mutating func changeRejected(
        _ kind: ReportKind, _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        guard record.pointee.order.isOpen else { return .news(kind: kind, fill: nil) }
        switch UInt32(report.pointee.status) {
        case APUS_STATUS_NEW.rawValue, APUS_STATUS_PARTIALLY_FILLED.rawValue: return backToStanding(kind, record)
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
        if report.pointee.price > 0 { record.pointee.order.price = Price(units: report.pointee.price) }
        if report.pointee.quantity > 0 { record.pointee.order.quantity = Quantity(units: report.pointee.quantity) }
        reserve(record, max(record.pointee.order.remaining.units, 0))
        if record.pointee.order.remaining <= .zero {
            close(.filled, record)
        } else if record.pointee.order.state != .pendingCancel {
            enter(standing(record), record)
        }
        return .news(kind: .modified, fill: nil)
    }

    private mutating func ended(
        _ state: OrderState, _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>,
        _ kind: ReportKind
    ) -> LifeResult {
        guard record.pointee.order.isOpen else { return .nothing }
        record.pointee.reported = max(record.pointee.reported, report.pointee.cumulative)
        close(state, record)
        return .news(kind: kind, fill: nil)
    }

    // MARK: Fills

    private mutating func filled(
        _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        let quantity = report.pointee.quantity
        guard quantity > 0, isNew(report, record) else { return .nothing }
        remember(report.pointee.trade_id, record)
        record.pointee.reported = max(record.pointee.reported, report.pointee.cumulative)
        let isOther = report.pointee.flags & UInt8(APUS_REPORT_FEE_OTHER_ASSET.rawValue) != 0
        let fee = isOther ? Money.zero : Money(hundredMillionths: report.pointee.fee)
        let assumed = min(record.pointee.assumed, quantity)
        if assumed > 0 {
            correct(record, assumed, report.pointee.price, fee)
            if assumed == quantity { return .nothing }
        }
        let fill = Fill(
            price: Price(units: report.pointee.price), quantity: Quantity(units: quantity - assumed),
            fee: assumed > 0 ? .zero : fee, isMaker: report.pointee.flags & UInt8(APUS_REPORT_MAKER.rawValue) != 0,
            tradeID: report.pointee.trade_id)
        take(fill, record)
        return .news(kind: .fill, fill: fill)
    }

    /// Exactly once: a trade number is taken once, and never more than the venue says is filled altogether.
    private func isNew(_ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>) -> Bool {
        let trade = report.pointee.trade_id
        if trade != 0 {
            for index in 0..<min(record.pointee.tradeCount, 16) where record.pointee.trades[index] == trade {
                return false
            }
        }
        let cumulative = report.pointee.cumulative
        guard cumulative > 0 else { return true }
        let known = record.pointee.order.filled.units - record.pointee.assumed
        return known &+ report.pointee.quantity <= max(record.pointee.reported, cumulative)
    }

    private func remember(_ trade: UInt64, _ record: UnsafeMutablePointer<OrderRecord>) {
        guard trade != 0 else { return }
        record.pointee.trades[record.pointee.tradeCount & 15] = trade
        record.pointee.tradeCount += 1
    }

    private mutating func take(_ fill: Fill, _ record: UnsafeMutablePointer<OrderRecord>) {
        fills += 1
        let instrument = record.pointee.order.instrument.record
        instrument.pointee.position.apply(
            record.pointee.order.side, price: fill.price.units, quantity: fill.quantity.units, fee: fill.fee.atoms,
            instrument.pointee.economics)
        record.pointee.order.filled += fill.quantity
        if record.pointee.order.remaining < .zero { overfills += 1 }
        guard record.pointee.order.isOpen else {
            reserve(record, max(record.pointee.reserved - fill.quantity.units, 0))
            if record.pointee.order.remaining <= .zero { record.pointee.order.state = .filled }
            return
        }
        reserve(record, max(record.pointee.reserved - fill.quantity.units, 0))
        if record.pointee.order.remaining <= .zero && record.pointee.order.state != .pendingModify {
            close(.filled, record)
        } else if record.pointee.order.state.rawValue < OrderState.partiallyFilled.rawValue {
            enter(.partiallyFilled, record)
        }
    }

    /// The fill report of what a status answer had told before: only its price and its fee are news.
    private func correct(
        _ record: UnsafeMutablePointer<OrderRecord>, _ quantity: Int64, _ price: Int64, _ fee: Money
    ) {
        let instrument = record.pointee.order.instrument.record
        instrument.pointee.position.correct(
            record.pointee.order.side, from: record.pointee.assumedPrice, to: price, quantity: quantity, fee: fee.atoms,
            instrument.pointee.economics)
        record.pointee.assumed -= quantity
    }

    // MARK: Lost answers

    /// An answer was lost.
    private mutating func lost(_ record: UnsafeMutablePointer<OrderRecord>) -> LifeResult {
        guard record.pointee.order.isOpen, record.pointee.order.state != .unknown else { return .nothing }
        ask(record)
        return .news(kind: .unknown, fill: nil)
    }

    private mutating func ask(_ record: UnsafeMutablePointer<OrderRecord>) {
        enter(.unknown, record)
        record.pointee.queryTime = 0
        record.pointee.queryPause = 0
    }

    private mutating func status(
        _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        let fill = missing(report, record)
        let wasOpen = record.pointee.order.isOpen
        if wasOpen {
            switch UInt32(report.pointee.status) {
            case APUS_STATUS_NEW.rawValue, APUS_STATUS_PARTIALLY_FILLED.rawValue:
                record.pointee.wasAccepted = true
                if record.pointee.order.state == .unknown {
                    adoptTerms(report, record)
                    enter(standing(record), record)
                }
            case APUS_STATUS_FILLED.rawValue: close(.filled, record)
            case APUS_STATUS_CANCELED.rawValue: close(.canceled, record)
            case APUS_STATUS_EXPIRED.rawValue: close(.expired, record)
            case APUS_STATUS_REJECTED.rawValue:
                rejections += 1
                close(.rejected, record)
            default: break
            }
        }
        return wasOpen || fill != nil ? .news(kind: .status, fill: fill) : .nothing
    }

    /// The answer to a lost change may be that it took place.
    private mutating func adoptTerms(_ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>)
    {
        if report.pointee.price > 0 && record.pointee.order.type == .limit {
            record.pointee.order.price = Price(units: report.pointee.price)
        }
        if report.pointee.quantity > 0 { record.pointee.order.quantity = Quantity(units: report.pointee.quantity) }
        reserve(record, max(record.pointee.order.remaining.units, 0))
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
        let fill = Fill(
            price: Price(units: price), quantity: Quantity(units: quantity), fee: .zero, isMaker: false, tradeID: 0)
        take(fill, record)
        return fill
    }

    private mutating func notFound(
        _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        guard record.pointee.order.isOpen, record.pointee.order.state == .unknown else { return .nothing }
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

    private func standing(_ record: UnsafeMutablePointer<OrderRecord>) -> OrderState {
        record.pointee.order.filled > .zero ? .partiallyFilled : .live
    }

    private mutating func enter(_ state: OrderState, _ record: UnsafeMutablePointer<OrderRecord>) {
        if record.pointee.order.state == .unknown { unknownCount -= 1 }
        if state == .unknown { unknownCount += 1 }
        record.pointee.order.state = state
    }

    /// Ends an order. What the venue has filled and not yet reported stays reserved.
    private mutating func close(_ state: OrderState, _ record: UnsafeMutablePointer<OrderRecord>) {
        guard record.pointee.order.isOpen else { return }
        enter(state, record)
        reserve(record, max(record.pointee.reported - record.pointee.order.filled.units, 0))
        table.end(record)
    }

    private mutating func revive(_ record: UnsafeMutablePointer<OrderRecord>) {
        record.pointee.wasNotFound = false
        record.pointee.order.state = .sent
        reserve(record, record.pointee.order.remaining.units)
        table.reopen(record)
    }

    /// Sets what the risk gate counts as still to come from this order.
    private func reserve(_ record: UnsafeMutablePointer<OrderRecord>, _ quantity: Int64) {
        let change = quantity - record.pointee.reserved
        record.pointee.reserved = quantity
        let instrument = record.pointee.order.instrument.record
        if record.pointee.order.side == .buy {
            instrument.pointee.openBuys += change
        } else {
            instrument.pointee.openSells += change
        }
    }
}
