internal import Apus
internal import CApusRing

extension OrderLife {
    mutating func filled(
        _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        let quantity = report.pointee.quantity
        let trade = report.pointee.trade_id, id = record.pointee.order.id.value
        guard quantity > 0, case .new = trades.knowledge(of: trade, order: id) else { return .nothing }
        trades.note(trade, order: id)
        reviveIfNotFound(record)
        // This fill is what lies between `start` and `cumulative`. What of it is known was told by a status or a later
        // fill; what lies before it and is not known was lost on the way, and is assumed until it comes after all.
        // Without a total it is first of all what was assumed.
        let known = record.pointee.order.filled.units, rest = max(quantity - record.pointee.assumed, 0)
        let cumulative = report.pointee.cumulative > 0 ? report.pointee.cumulative : known + rest
        let start = cumulative - quantity
        record.pointee.reported = max(record.pointee.reported, cumulative)
        let told = min(max(known - start, 0), quantity, record.pointee.assumed)
        let fee = told > 0 || cumulative > known ? fee(report, record) : .zero
        if told > 0 {
            correct(record, told, from: record.pointee.assumedPrice, to: report.pointee.price, fee)
            record.pointee.assumed -= told
        }
        let new = cumulative - known
        guard new > 0 else { return .nothing }
        let lost = max(start - known, 0)
        if lost > 0 {
            if record.pointee.assumed == 0 { record.pointee.assumedPrice = report.pointee.price }
            record.pointee.assumed += lost
            assumptions += 1
        }
        let fill = Fill(
            price: Price(units: report.pointee.price), quantity: Quantity(units: new), fee: told > 0 ? .zero : fee,
            isMaker: report.pointee.flags & UInt8(APUS_REPORT_MAKER.rawValue) != 0, tradeID: report.pointee.trade_id)
        take(fill, record)
        // One price for all that is assumed, so that it is corrected alike.
        if lost > 0 { correct(record, lost, from: report.pointee.price, to: record.pointee.assumedPrice, .zero) }
        // More than is known was ordered: a change that was not heard of. Its terms are asked for.
        let stands = UInt32(report.pointee.status) == APUS_STATUS_PARTIALLY_FILLED.rawValue
        if stands && record.pointee.order.isOpen && record.pointee.order.remaining <= .zero { ask(record) }
        if UInt32(report.pointee.status) == APUS_STATUS_FILLED.rawValue {
            // The whole of it, however large a change that was not heard of has made it.
            if record.pointee.order.isOpen && record.pointee.order.remaining < .zero {
                record.pointee.order.quantity = record.pointee.order.filled
            }
            close(.filled, record)
        }
        if !stands { closeIfFilled(record) }
        return .news(kind: .fill, fill: fill)
    }

    /// The fee in the settlement asset.
    private func fee(
        _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>, isUndone: Bool = false
    ) -> Money {
        let fee = Money(hundredMillionths: report.pointee.fee)
        guard report.pointee.flags & UInt8(APUS_REPORT_FEE_OTHER_ASSET.rawValue) != 0 else { return fee }
        let instrument = record.pointee.order.instrument.record
        let worth = instrument.pointee.worth(ofOtherFee: report.pointee.fee), change = (isUndone ? -fee : fee).atoms
        instrument.pointee.position.note(otherFee: change, isUndone: isUndone, isValued: worth != nil)
        if rows.isSplit {
            rows.row(record).pointee.position.note(otherFee: change, isUndone: isUndone, isValued: worth != nil)
        }
        return worth ?? .zero
    }

    mutating func take(_ fill: Fill, _ record: UnsafeMutablePointer<OrderRecord>) {
        fills += 1
        let instrument = record.pointee.order.instrument.record
        instrument.pointee.position.apply(
            record.pointee.order.side, price: fill.price.units, quantity: fill.quantity.units, fee: fill.fee.atoms,
            instrument.pointee.economics)
        if rows.isSplit {
            let own = rows.row(record)
            own.pointee.fills += 1
            own.pointee.position.apply(
                record.pointee.order.side, price: fill.price.units, quantity: fill.quantity.units, fee: fill.fee.atoms,
                instrument.pointee.economics)
        }
        record.pointee.order.filled += fill.quantity
        if record.pointee.order.remaining < .zero { overfills += 1 }
        guard record.pointee.order.isOpen else {
            reserve(record, max(record.pointee.reserved - fill.quantity.units, 0))
            if record.pointee.order.remaining <= .zero { record.pointee.order.state = .filled }
            return
        }
        reserve(record, max(record.pointee.reserved - fill.quantity.units, 0))
        if record.pointee.order.state.rawValue < OrderState.partiallyFilled.rawValue {
            enter(.partiallyFilled, record)
        }
    }

    /// Ends an order of which nothing remains, unless a change may have made it larger.
    mutating func closeIfFilled(_ record: UnsafeMutablePointer<OrderRecord>) {
        guard record.pointee.order.isOpen, record.pointee.order.remaining <= .zero else { return }
        if record.pointee.order.state == .pendingModify || record.pointee.isChangeInDoubt { return }
        close(.filled, record)
    }

    /// What is filled already has another price, and a fee.
    private func correct(
        _ record: UnsafeMutablePointer<OrderRecord>, _ quantity: Int64, from wrong: Int64, to price: Int64, _ fee: Money
    ) {
        let instrument = record.pointee.order.instrument.record
        instrument.pointee.position.correct(
            record.pointee.order.side, from: wrong, to: price, quantity: quantity, fee: fee.atoms,
            instrument.pointee.economics)
        if rows.isSplit {
            rows.row(record).pointee.position.correct(
                record.pointee.order.side, from: wrong, to: price, quantity: quantity, fee: fee.atoms,
                instrument.pointee.economics)
        }
    }

    /// A status of a market order tells no price, and what it tells of fills is taken in at the book's: that is written into the report
    /// before it is journaled, since a later replay has no book.
    func complete(_ report: UnsafeMutablePointer<apus_report>) {
        guard report.pointee.cumulative > 0, report.pointee.price == 0, report.pointee.kind != ReportKind.fill.rawValue,
            let record = table.find(OrderID(report.pointee.client_id)), record.pointee.order.type == .market
        else { return }
        let touch = record.pointee.order.instrument.record.pointee.touch
        report.pointee.price = record.pointee.order.side == .buy ? touch.askPrice : touch.bidPrice
    }

    // MARK: Taken back

    /// The venue has taken a fill back: position, fees and what is filled are as if it had never been. The trade never counts again,
    /// also when its fill is told (again) after this.
    mutating func undo(
        _ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>
    ) -> LifeResult {
        let trade = report.pointee.trade_id, id = record.pointee.order.id.value
        let quantity = report.pointee.quantity
        let knowledge = trades.knowledge(of: trade, order: id)
        guard quantity > 0, knowledge != .undone else { return .nothing }
        trades.note(trade, order: id, isUndone: true)
        // A fill that was only learned from a status answer stands at the assumed price; one that was never heard of changed nothing.
        let isAssumed = knowledge == .new
        let back = isAssumed ? min(quantity, record.pointee.assumed) : min(quantity, record.pointee.order.filled.units)
        guard back > 0 else { return .nothing }
        let fee = isAssumed ? Money.zero : fee(report, record, isUndone: true)
        let price = isAssumed ? record.pointee.assumedPrice : report.pointee.price
        if isAssumed { record.pointee.assumed -= back }
        undone += 1
        let instrument = record.pointee.order.instrument.record
        instrument.pointee.position.undo(
            record.pointee.order.side, price: price, quantity: back, fee: fee.atoms, instrument.pointee.economics)
        if rows.isSplit {
            rows.row(record).pointee.position.undo(
                record.pointee.order.side, price: price, quantity: back, fee: fee.atoms, instrument.pointee.economics)
        }
        record.pointee.order.filled -= Quantity(units: back)
        record.pointee.reported = max(record.pointee.reported - back, record.pointee.order.filled.units)
        settle(report, record)
        return .news(
            kind: .fillUndone,
            fill: Fill(
                price: Price(units: price), quantity: Quantity(units: back), fee: fee,
                isMaker: report.pointee.flags & UInt8(APUS_REPORT_MAKER.rawValue) != 0, tradeID: trade))
    }

    /// Where an order stands after a fill of it was taken back: open again only when the venue says so.
    private mutating func settle(_ report: UnsafePointer<apus_report>, _ record: UnsafeMutablePointer<OrderRecord>) {
        let status = UInt32(report.pointee.status)
        let stands = status == APUS_STATUS_NEW.rawValue || status == APUS_STATUS_PARTIALLY_FILLED.rawValue
        if record.pointee.order.isOpen {
            reserveTheRest(record)
            if record.pointee.order.state == .partiallyFilled && record.pointee.order.filled == .zero {
                enter(.live, record)
            }
        } else if stands {
            record.pointee.order.state = .sent
            reserve(record, max(record.pointee.order.remaining.units, 0))
            table.reopen(record)
            stand(record)
        } else if record.pointee.order.state == .filled {
            record.pointee.order.state = .canceled
        }
    }

    /// A trade that was taken back may be told without its order, which the session does not know any more: the trade knows it. Of an
    /// order that is known no more here, it is the account's. Funding of a cross-margined position is told without its instrument:
    /// it is that of the largest position. Before the report is written down.
    func name(_ report: UnsafeMutablePointer<apus_report>, _ instruments: InstrumentTable) {
        if UInt32(report.pointee.kind) == APUS_REPORT_FUNDING.rawValue,
            Int(report.pointee.instrument) >= instruments.count
        {
            var largest: UInt128 = 0
            for index in 0..<instruments.count where instruments.records[index].position.cost.magnitude > largest {
                largest = instruments.records[index].position.cost.magnitude
                report.pointee.instrument = UInt16(index)
            }
        }
        guard UInt32(report.pointee.kind) == APUS_REPORT_UNDONE.rawValue else { return }
        let told = report.pointee.client_id
        let order = told != 0 ? told : trades.order(of: report.pointee.trade_id) ?? 0
        report.pointee.client_id = table.find(OrderID(order)) == nil ? 0 : order
    }

    /// What was taken back of an order that is known no more, or of none: only the position has it still.
    private mutating func undo(
        _ report: UnsafePointer<apus_report>, fee: Int128, _ instrument: UnsafeMutablePointer<InstrumentRecord>
    ) -> Bool {
        guard report.pointee.quantity > 0, let order = trades.order(of: report.pointee.trade_id),
            case .taken = trades.knowledge(of: report.pointee.trade_id, order: order)
        else {
            duplicates += 1
            return false
        }
        trades.note(report.pointee.trade_id, order: order, isUndone: true)
        undone += 1
        let side = report.pointee.side == Side.buy.rawValue ? Side.buy : .sell
        if rows.isSplit {
            // Nobody knows any more whose it was: as a trade the other way it is shared out.
            rows.share(
                side.opposite, price: report.pointee.price, quantity: report.pointee.quantity, fee: -fee, instrument)
        }
        instrument.pointee.position.undo(
            side, price: report.pointee.price, quantity: report.pointee.quantity, fee: fee, instrument.pointee.economics
        )
        return true
    }

    // MARK: Of the account

    /// Takes in what the venue tells of no order. Returns whether it changed anything.
    mutating func account(_ report: UnsafePointer<apus_report>, _ instruments: InstrumentTable) -> Bool {
        let isOther = report.pointee.flags & UInt8(APUS_REPORT_FEE_OTHER_ASSET.rawValue) != 0
        let amount = isOther ? Money.zero : Money(hundredMillionths: report.pointee.fee)
        if UInt32(report.pointee.kind) == APUS_REPORT_BALANCE.rawValue {
            walletBalance = amount
            return true
        }
        guard Int(report.pointee.instrument) < instruments.count else {
            strangers += 1
            return false
        }
        if UInt32(report.pointee.kind) == APUS_REPORT_UNDONE.rawValue {
            return undo(report, fee: amount.atoms, instruments.records + Int(report.pointee.instrument))
        }
        guard case .new = trades.knowledge(of: report.pointee.trade_id, order: Self.account(report)) else {
            duplicates += 1
            return false
        }
        trades.note(report.pointee.trade_id, order: Self.account(report))
        let record = instruments.records + Int(report.pointee.instrument)
        if UInt32(report.pointee.kind) == APUS_REPORT_FUNDING.rawValue {
            if rows.isSplit { rows.share(funding: amount.atoms, record) }
            record.pointee.position.pay(funding: amount.atoms)
            return true
        }
        // A trade of no quantity is in the position already: it is only known from now on, and may be taken back.
        guard report.pointee.quantity > 0 else { return true }
        let side = report.pointee.side == Side.buy.rawValue ? Side.buy : .sell
        if rows.isSplit {
            rows.share(
                side, price: report.pointee.price, quantity: report.pointee.quantity, fee: amount.atoms, record)
        }
        record.pointee.position.apply(
            side, price: report.pointee.price, quantity: report.pointee.quantity, fee: amount.atoms,
            record.pointee.economics)
        return true
    }

    /// Stands for an order where there is none: closing trades and payments are numbered apart, trades by each instrument. Which
    /// instrument a payment is of is in its number, and it may be told without it.
    private static func account(_ report: UnsafePointer<apus_report>) -> UInt64 {
        let isPayment = UInt32(report.pointee.kind) == APUS_REPORT_FUNDING.rawValue
        return UInt64(report.pointee.kind) << 16 | UInt64(isPayment ? UInt16.max : report.pointee.instrument)
    }

    /// What stands for an order, where instruments have other numbers; an order's own number stays as it is.
    static func renamed(_ order: UInt64, _ number: (Int) -> Int?) -> UInt64 {
        guard order >> 24 == 0, let number = number(Int(order & 0xFFFF)) else { return order }
        return order & ~0xFFFF | UInt64(number)
    }
}
