internal import Apus
internal import CApusRing

extension DecisionAgent {
    /// Counts up whenever a fill is taken in that no trade has told of: its price is the order's, its fee not known. Between turns, by
    /// the thread that runs them.
    package var assumptions: UInt64 { life.pointee.assumptions }

    /// Orders of which something is assumed. Between turns, by the thread that runs them.
    package var assumedOrders: [KnownOrder] { orders.assumed.map(KnownOrder.init) }

    /// Takes in what the venue says that was traded of those orders, all of it since each was placed: what was assumed gets the price and
    /// the fee of its trade, and what has been told before changes nothing. Between turns, by the thread that runs them.
    package func take(_ trades: [VenueTrade], of asked: [KnownOrder]) {
        for known in asked {
            var cumulative: Int64 = 0
            for trade in trades where trade.isOf(known) && !trade.isUndone {
                guard let record = orders.find(OrderID(known.clientID)),
                    case let instrument = record.pointee.order.instrument,
                    let price = try? trade.price.units(decimals: instrument.priceDecimals),
                    let quantity = try? trade.quantity.units(decimals: instrument.quantityDecimals)
                else { continue }
                cumulative += quantity
                guard case .new = life.pointee.trades.knowledge(of: trade.tradeID, order: known.clientID) else {
                    continue
                }
                var report = apus_report(trade, price: price, quantity: quantity, instrument: instrument)
                report.kind = UInt8(APUS_REPORT_FILL.rawValue)
                report.client_id = known.clientID
                report.cumulative = cumulative
                report.status = UInt8(APUS_STATUS_PARTIALLY_FILLED.rawValue)
                report.receive_ns = state.pointee.turnTime
                take(&report)
            }
        }
    }
}

extension VenueTrade {
    /// Whether it is a trade of that order.
    func isOf(_ order: KnownOrder) -> Bool {
        if let clientID { return clientID == order.clientID }
        return order.venueID != 0 && venueID == order.venueID && symbol == order.symbol
    }
}

extension apus_report {
    /// What a trade says, of whatever order.
    init(_ trade: VenueTrade, price: Int64, quantity: Int64, instrument: Instrument) {
        self.init()
        trade_id = trade.tradeID
        venue_order_id = trade.venueID
        self.instrument = UInt16(instrument.index)
        side = trade.side.rawValue
        self.price = price
        self.quantity = quantity
        fee = Int64(clamping: trade.fee.atoms / 10_000_000_000)
        flags = trade.isMaker ? UInt8(APUS_REPORT_MAKER.rawValue) : 0
        if trade.isFeeInOtherAsset { flags |= UInt8(APUS_REPORT_FEE_OTHER_ASSET.rawValue) }
        venue_ns = trade.time
    }
}
