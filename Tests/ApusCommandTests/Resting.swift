import Apus

/// Keeps one order to buy far below the touch.
struct Resting: Strategy {
    static let description = StrategyDescription(
        name: "resting", summary: "Keeps one order far away",
        parameters: [ParameterDescription("away", .integer, default: "5000", "ticks below the bid")]
    ) { Resting(away: Int64(try $0.integer("away"))) }

    private let away: Int64

    mutating func book(_ book: BookView, _ context: Context) {
        guard book.isLive, let bid = book.bid, context.openOrders.count == 0 else { return }
        let instrument = book.instrument
        context.limit(
            .buy, Quantity(units: 2 * instrument.minQuantity.units), of: instrument,
            at: Price(units: bid.units - away * instrument.tick.units), .postOnly)
    }
}
