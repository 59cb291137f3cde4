import Apus

/// Quotes both sides of one instrument around its middle and leans against its own inventory.
///
/// With inventory q, in order sizes, the quotes stand around  mid - skew · q  at a distance of `half-spread`, both in
/// ticks: who is long quotes lower, sells sooner and buys later. At the inventory limit the side that would add to it
/// is not quoted. Source of the idea: Ho, Stoll, "Optimal dealer pricing under transactions and return uncertainty",
/// 1981; Avellaneda, Stoikov, "High-frequency trading in a limit order book", 2008.
public struct MarketMaker: Strategy {
    private let halfSpread: Int64
    private let skew: Int64
    private let requote: Int64
    private let pause: UInt64

    private var market: Market?
    private var bid = Quote(side: .buy)
    private var ask = Quote(side: .sell)
    private var nextChange: UInt64 = 0

    /// What was looked up at the start.
    private struct Market {
        let instrument: Instrument
        let size: Quantity
        let maxInventory: Quantity
    }

    /// One of the two orders.
    private struct Quote {
        let side: Side
        var id: OrderID?
        var price = Price.zero
        /// An answer is awaited; until then nothing more is asked.
        var isWaiting = false
    }

    /// The strategy as the command line offers it.
    public static let description = StrategyDescription(
        name: "market-maker", summary: "Quotes both sides and leans against its inventory",
        parameters: [
            ParameterDescription("symbol", .text, default: "", "the instrument; empty: the engine's first"),
            ParameterDescription("size", .decimal, default: "0.002", "quantity of each quote"),
            ParameterDescription("max-inventory", .decimal, default: "0.02", "largest position, either way"),
            ParameterDescription("half-spread", .integer, default: "5", "distance from the middle, in ticks"),
            ParameterDescription("skew", .integer, default: "1", "ticks to move for each order size of inventory"),
            ParameterDescription("requote", .integer, default: "2", "ticks that a quote may be off before it is moved"),
            ParameterDescription("pause", .duration, default: "100ms", "least time between two changes"),
        ]
    ) { try MarketMaker($0) }

    /// A market maker with these parameters.
    public init(_ parameters: Parameters) throws {
        halfSpread = Int64(try parameters.integer("half-spread", in: 1...1_000_000))
        skew = Int64(try parameters.integer("skew", in: 0...1_000_000))
        requote = Int64(try parameters.integer("requote", in: 1...1_000_000))
        let (seconds, attoseconds) = try parameters.duration("pause").components
        pause = UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }

    /// Looks up the instrument.
    public mutating func start(_ context: Context) throws {
        let parameters = context.parameters
        let instrument = try parameters.instrument("symbol", context)
        market = Market(
            instrument: instrument, size: try parameters.quantity("size", of: instrument),
            maxInventory: try parameters.quantity("max-inventory", of: instrument))
    }

    /// Decides.
    public mutating func book(_ book: BookView, _ context: Context) {
        guard let market, book.instrument == market.instrument, book.isLive, !book.isCrossed,
            context.now >= nextChange, let bestBid = book.bid, let bestAsk = book.ask
        else { return }
        let tick = market.instrument.tick.units
        let inventory = context.position(of: market.instrument).quantity
        let lean = skew * tick * inventory.units / market.size.units
        let middle = (bestBid.units + bestAsk.units) / 2 - lean
        // Never at or through the other side: these are makers.
        let low = Price(units: min(middle - halfSpread * tick, bestAsk.units - tick)).roundedDown(
            to: market.instrument.tick)
        let high = Price(units: max(middle + halfSpread * tick, bestBid.units + tick)).roundedUp(
            to: market.instrument.tick)
        let moved = keep(&bid, at: low, isWanted: inventory + market.size <= market.maxInventory, market, context)
        let moved2 = keep(&ask, at: high, isWanted: -inventory + market.size <= market.maxInventory, market, context)
        if moved || moved2 { nextChange = context.now + pause }
    }

    /// Places, moves or withdraws one quote. Returns whether it asked for anything.
    private func keep(
        _ quote: inout Quote, at price: Price, isWanted: Bool, _ market: Market, _ context: Context
    ) -> Bool {
        if quote.isWaiting { return false }
        guard let id = quote.id else {
            guard isWanted, price > .zero else { return false }
            let placement = context.limit(quote.side, market.size, of: market.instrument, at: price, .postOnly)
            quote.id = placement.id
            quote.price = price
            quote.isWaiting = placement.id != nil
            return true
        }
        if !isWanted {
            quote.isWaiting = context.cancel(id).id != nil
            return true
        }
        guard (price - quote.price).magnitude >= market.instrument.tick * Int(requote) else { return false }
        if context.modify(id, price: price, quantity: market.size).id != nil || context.cancel(id).id != nil {
            quote.isWaiting = true
        }
        return true
    }

    /// Follows the order's life.
    public mutating func report(_ report: Report, _ context: Context) {
        if report.order.id == bid.id { follow(report, &bid) } else if report.order.id == ask.id { follow(report, &ask) }
    }

    private func follow(_ report: Report, _ quote: inout Quote) {
        if report.order.isOpen {
            quote.price = report.order.price
            switch report.order.state {
            case .live, .partiallyFilled: quote.isWaiting = false
            default: break
            }
        } else {
            quote.id = nil
            quote.isWaiting = false
        }
    }

    /// Withdraws while the book cannot be trusted.
    public mutating func bookState(_ change: BookStateChange, _ context: Context) {
        if change.instrument == market?.instrument, change.state != .live { context.cancelAll(change.instrument) }
    }

    /// Withdraws.
    public mutating func stop(_ context: Context) { context.cancelAll() }
}
