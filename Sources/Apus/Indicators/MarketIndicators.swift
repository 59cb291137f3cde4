/// The volume-weighted average price: Σ price · quantity / Σ quantity, exact in 128 bits, since the last `reset`. O(1).
/// Source: Berkowitz, Logue, Noser, "The total cost of transactions on the NYSE", 1988.
///
/// ```swift
/// mutating func trade(_ trade: Trade, _ context: Context) {
///     vwap.update(trade.price, trade.quantity)
/// }
/// ```
public struct VWAP: Sendable {
    private var turnover: Int128 = 0
    /// The quantity traded since the reset.
    public private(set) var volume = Quantity.zero

    /// An average without trades.
    public init() {}

    /// Takes in a trade. Past 2^63 quantity units it stays as it is: reset it, for example, each day.
    public mutating func update(_ price: Price, _ quantity: Quantity) {
        let (sum, overflow) = volume.units.addingReportingOverflow(quantity.units)
        guard !overflow, quantity > .zero else { return }
        volume = Quantity(units: sum)
        turnover += Int128(price.units) * Int128(quantity.units)
    }

    /// Begins anew.
    public mutating func reset() { self = VWAP() }

    /// The average, rounded to the nearest price unit; nil without trades.
    public var value: Price? {
        guard volume > .zero else { return nil }
        return Int64(exactly: turnover.dividedNearest(by: Int128(volume.units))).map { Price(units: $0) }
    }
}

/// The imbalance of a book's best `levels` levels, smoothed: i = (B - A) / (B + A), B and A the quantities bid and
/// asked there. With one level it reads the touch alone and costs a few nanoseconds; with more it asks the board for
/// depth. O(levels). Source: Cont, Kukanov, Stoikov, "The price impact of order book events", 2014; Cartea et al.,
/// "Enhancing trading strategies with order book signals", 2018.
///
/// ```swift
/// var imbalance = BookImbalance(levels: 5, period: 10)
/// mutating func book(_ book: BookView, _ context: Context) {
///     if let value = imbalance.update(book), value > 0.4 { print("buyers press") }
/// }
/// ```
public struct BookImbalance: Sendable {
    /// How many levels of a side count.
    public let levels: Int
    private var average: EMA

    /// An imbalance of that many levels, smoothed over `period` updates (1: not at all).
    public init(levels: Int = 1, period: Int = 1) {
        precondition(levels >= 1, "an imbalance needs at least one level")
        self.levels = levels
        average = EMA(period: period)
    }

    /// The newest value, -1 (all ask) to 1 (all bid).
    public var value: Double { average.value }

    /// Takes in a book; returns nil, and takes in nothing, when that is empty or not live.
    public mutating func update(_ book: BookView) -> Double? {
        guard book.isLive else { return nil }
        if levels == 1 { return book.imbalance.map { average.update($0) } }
        guard let depth = book.depth else { return nil }
        return update(bids: depth.bids.quantity(levels: levels), asks: depth.asks.quantity(levels: levels))
    }

    /// Takes in the quantities of both sides.
    public mutating func update(bids: Quantity, asks: Quantity) -> Double? {
        let sum = Double(bids.units) + Double(asks.units)
        guard sum > 0 else { return nil }
        return average.update((Double(bids.units) - Double(asks.units)) / sum)
    }
}
