internal import Apus
internal import CApusRing

extension Reconciliation {
    // MARK: Positions and balance

    /// After all trades are in: what is still different, nothing explains.
    func comparePosition(_ instrument: Instrument, _ snapshot: AccountSnapshot) {
        let told = snapshot.positions.first { $0.symbol == instrument.symbol }
        let held = instrument.record.pointee.position.quantity
        guard
            let quantity = units(
                told?.quantity ?? ExactDecimal(digits: 0), instrument.quantityDecimals, instrument.symbol),
            quantity != held || needsBaseline(instrument.index)
        else { return }
        let journal = needsBaseline(instrument.index) && held == 0 ? "nothing" : instrument.text(Quantity(units: held))
        let venue = instrument.text(Quantity(units: quantity))
        // Orders that are not decided yet, or a trade between two questions, may explain it in the next round.
        if isUndecided(instrument) || isNew(instrument.index, held, quantity) {
            return add(.position, .wait, instrument.symbol, nil, nil, journal, venue)
        }
        guard takesPositions else { return add(.position, .ask, instrument.symbol, nil, nil, journal, venue) }
        let price = told?.averagePrice.flatMap { Self.nearest($0, instrument.priceDecimals) } ?? 0
        state.hold(instrument, quantity, at: price, since: snapshot.time)
        correct(.position(quantity, price: price, time: snapshot.time, symbol: instrument.symbol))
        for trade in snapshot.trades where trade.symbol == instrument.symbol { know(trade, instrument) }
        if quantity == held { return }
        add(.position, .adopt, instrument.symbol, nil, nil, journal, venue)
    }

    /// A trade that is in a position which was taken over whole: it may still be taken back.
    private func know(_ trade: VenueTrade, _ instrument: Instrument) {
        guard !trade.isUndone, state.owners(of: trade.tradeID, trade.side, instrument).isEmpty,
            let price = units(trade.price, instrument.priceDecimals, trade.symbol)
        else { return }
        var report = apus_report(trade, price: price, quantity: 0, instrument: instrument)
        report.kind = UInt8(APUS_REPORT_SETTLED.rawValue)
        report.fee = 0
        apply(report, trade.symbol)
    }

    /// An average has more decimals than a price: those behind the last are left out.
    private static func nearest(_ price: ExactDecimal, _ decimals: Int) -> Int64? {
        if price.decimals <= decimals { return try? price.units(decimals: decimals) }
        return price.digits / powerOfTen(price.decimals - decimals)
    }

    func compareBalance(_ snapshot: AccountSnapshot) {
        guard let balance = snapshot.balance, balance != state.life.walletBalance else { return }
        add(
            .balance, .note, "account", nil, nil, state.life.walletBalance.map { "\($0)" } ?? "nothing", "\(balance)")
        var report = apus_report()
        report.kind = UInt8(APUS_REPORT_BALANCE.rawValue)
        report.fee = Int64(clamping: balance.atoms / 10_000_000_000)
        guard let symbol = state.instruments.count > 0 ? state.instruments[0].symbol : nil else { return }
        apply(report, symbol)
    }

    // MARK: Texts

    func text(_ order: VenueOrder) -> String {
        let end = order.end.map { " \($0)" } ?? " open"
        return "\(order.side) \(order.quantity) at \(order.price), filled \(order.filled),\(end)"
    }

    func text(_ order: Order) -> String {
        let instrument = order.instrument
        return "\(order.side) \(instrument.text(order.quantity)) at \(instrument.text(order.price)), filled "
            + "\(instrument.text(order.filled)), \(order.state)"
    }

    func text(_ trade: VenueTrade) -> String {
        "\(trade.side) \(trade.quantity) at \(trade.price), trade \(trade.tradeID)"
    }
}
