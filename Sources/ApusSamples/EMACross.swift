import Apus

/// Follows the trend of the middle price: long while the fast average is above the slow one, short while it is below.
/// Each crossing turns the position round with one order. Source: Appel, "Technical Analysis", 2005.
public struct EMACross: Strategy {
    private var fast: EMA
    private var slow: EMA
    private var instrument: Instrument?
    private var quantity = Quantity.zero
    /// The order on its way: one at a time.
    private var working: OrderID?

    /// The strategy as the command line offers it.
    public static let description = StrategyDescription(
        name: "ema-cross", summary: "Long above, short below the crossing of two moving averages",
        parameters: [
            ParameterDescription("symbol", .text, default: "", "the instrument; empty: the engine's first"),
            ParameterDescription("size", .decimal, default: "0.002", "quantity of the position"),
            ParameterDescription("fast", .integer, default: "50", "period of the fast average, in book updates"),
            ParameterDescription("slow", .integer, default: "400", "period of the slow average, in book updates"),
        ]
    ) { try EMACross($0) }

    /// A trend follower with these parameters.
    public init(_ parameters: Parameters) throws {
        fast = EMA(period: try parameters.integer("fast", in: 1...1_000_000))
        slow = EMA(period: try parameters.integer("slow", in: 1...1_000_000))
        guard fast.period < slow.period else { throw ParameterError(key: "fast", reason: "must be less than \"slow\"") }
    }

    /// Looks up the instrument.
    public mutating func start(_ context: Context) throws {
        let instrument = try context.parameters.instrument("symbol", context)
        quantity = try context.parameters.quantity("size", of: instrument)
        self.instrument = instrument
    }

    /// Decides.
    public mutating func book(_ book: BookView, _ context: Context) {
        guard book.instrument == instrument, book.isLive, let bid = book.bid, let ask = book.ask else { return }
        let middle = Double(bid.units + ask.units) / 2
        let trend = fast.update(middle) - slow.update(middle)
        guard slow.isReady, working == nil, trend != 0 else { return }
        let wanted = trend > 0 ? quantity : -quantity
        let missing = wanted - context.position(of: book.instrument).quantity
        if missing > .zero {
            working = context.limit(.buy, missing, of: book.instrument, at: ask, .immediateOrCancel).id
        } else if missing < .zero {
            working = context.limit(.sell, -missing, of: book.instrument, at: bid, .immediateOrCancel).id
        }
    }

    /// Follows the order's life.
    public mutating func report(_ report: Report, _ context: Context) {
        if report.order.id == working, !report.order.isOpen { working = nil }
    }

    /// Withdraws.
    public mutating func stop(_ context: Context) { context.cancelAll() }
}
