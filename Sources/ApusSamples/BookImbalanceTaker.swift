import Apus

/// Takes the side that the book leans to: buys at the ask when bids outweigh asks by far, sells when asks do, and
/// closes when the lean is gone. Source of the signal: Cont, Kukanov, Stoikov, "The price impact of order book
/// events", 2014.
public struct BookImbalanceTaker: Strategy {
    private let threshold: Double
    private var imbalance: BookImbalance
    private var instrument: Instrument?
    private var quantity = Quantity.zero
    /// The order on its way: one at a time.
    private var working: OrderID?

    /// The strategy as the command line offers it.
    public static let description = StrategyDescription(
        name: "imbalance-taker", summary: "Takes the side that the book leans to",
        parameters: [
            ParameterDescription("symbol", .text, default: "", "the instrument; empty: the engine's first"),
            ParameterDescription("size", .decimal, default: "0.002", "quantity of one order, and of the position"),
            ParameterDescription("levels", .integer, default: "5", "levels of each side that count"),
            ParameterDescription("period", .integer, default: "20", "updates that the imbalance is smoothed over"),
            ParameterDescription("threshold", .real, default: "0.5", "imbalance that opens a position, 0 to 1"),
        ]
    ) { try BookImbalanceTaker($0) }

    /// A taker with these parameters.
    public init(_ parameters: Parameters) throws {
        threshold = try parameters.real("threshold", in: 0...1)
        imbalance = BookImbalance(
            levels: try parameters.integer("levels", in: 1...1_000),
            period: try parameters.integer("period", in: 1...1_000_000))
    }

    /// Looks up the instrument.
    public mutating func start(_ context: Context) throws {
        let instrument = try context.parameters.instrument("symbol", context)
        quantity = try context.parameters.quantity("size", of: instrument)
        self.instrument = instrument
    }

    /// Decides.
    public mutating func book(_ book: BookView, _ context: Context) {
        guard book.instrument == instrument, let lean = imbalance.update(book), working == nil else { return }
        let held = context.position(of: book.instrument).quantity
        if held == .zero {
            if lean > threshold { take(.buy, quantity, book, context) }
            if lean < -threshold { take(.sell, quantity, book, context) }
        } else if held > .zero && lean < 0 {
            take(.sell, held, book, context, reduceOnly: true)
        } else if held < .zero && lean > 0 {
            take(.buy, -held, book, context, reduceOnly: true)
        }
    }

    private mutating func take(
        _ side: Side, _ quantity: Quantity, _ book: BookView, _ context: Context, reduceOnly: Bool = false
    ) {
        guard let price = side == .buy ? book.ask : book.bid else { return }
        working =
            context.limit(side, quantity, of: book.instrument, at: price, .immediateOrCancel, reduceOnly: reduceOnly).id
    }

    /// Follows the order's life.
    public mutating func report(_ report: Report, _ context: Context) {
        if report.order.id == working, !report.order.isOpen { working = nil }
    }

    /// Withdraws.
    public mutating func stop(_ context: Context) { context.cancelAll() }
}
