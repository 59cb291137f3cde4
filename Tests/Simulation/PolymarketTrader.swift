import Apus

/// Buys, sells and cancels outcomes at random, in every way that an order may rest or take.
struct PolymarketTrader: RandomStrategy {
    let ledger: Ledger
    var dice: Dice
    let pause: UInt64

    mutating func act(_ context: Context) {
        let instrument = context.instruments[dice.below(context.instruments.count)]
        switch dice.below(100) {
        case 0..<58: place(instrument, context)
        case 58..<76: if let order = anyOrder(context) { context.cancel(order.id) }
        case 76..<88: note(context.market(side(instrument, context), quantity(), of: instrument))
        case 88..<91: context.cancelAll(instrument)
        default: reduce(instrument, context)
        }
    }

    /// What is not held cannot be sold.
    private mutating func side(_ instrument: Instrument, _ context: Context) -> Side {
        context.position(of: instrument).quantity > .zero && dice.below(2) == 0 ? .sell : .buy
    }

    /// Hundredths of tokens.
    private mutating func quantity() -> Quantity { Quantity(units: Int64(dice.between(500, 6_000)) * 10_000) }

    /// From three ticks through the touch to eight behind it.
    private mutating func price(_ side: Side, _ instrument: Instrument, _ context: Context) -> Price? {
        let book = context.book(of: instrument)
        guard let bid = book.bid, let ask = book.ask else { return nil }
        let away = (Int64(dice.below(12)) - 3) * instrument.tick.units
        return Price(units: side == .buy ? bid.units - away : ask.units + away)
    }

    private mutating func place(_ instrument: Instrument, _ context: Context) {
        let side = side(instrument, context)
        guard let price = price(side, instrument, context) else { return }
        let force: [TimeInForce] = [.goodTillCanceled, .goodTillCanceled, .postOnly, .immediateOrCancel, .fillOrKill]
        let chosen = force[dice.below(5)]
        let expires: Duration? = chosen == .goodTillCanceled && dice.once(in: 5) ? .seconds(70) : nil
        note(context.limit(side, quantity(), of: instrument, at: price, chosen, expiresAfter: expires))
    }

    private mutating func reduce(_ instrument: Instrument, _ context: Context) {
        let held = context.position(of: instrument).quantity.units / 10_000 * 10_000
        guard held > 0 else { return }
        note(
            context.market(
                .sell, Quantity(units: max(held / 20_000 * 10_000, 10_000)), of: instrument, reduceOnly: true))
    }
}
