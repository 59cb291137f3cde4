/// One price of a book and what stands there.
@frozen
public struct Level: Sendable, Hashable {
    /// The price.
    public var price: Price
    /// The quantity at it.
    public var quantity: Quantity

    /// A level.
    @inlinable
    public init(price: Price, quantity: Quantity) {
        self.price = price
        self.quantity = quantity
    }
}

/// The best bid and the best ask. An absent side has quantity zero.
///
/// ```swift
/// if let bid = touch.bid, let ask = touch.ask { print(ask.price - bid.price) }
/// ```
@frozen
public struct Touch: Sendable, Hashable {
    @usableFromInline package var bidPrice: Int64
    @usableFromInline package var bidQuantity: Int64
    @usableFromInline package var askPrice: Int64
    @usableFromInline package var askQuantity: Int64

    @inlinable
    package init(_ bidPrice: Int64, _ bidQuantity: Int64, _ askPrice: Int64, _ askQuantity: Int64) {
        self.bidPrice = bidPrice
        self.bidQuantity = bidQuantity
        self.askPrice = askPrice
        self.askQuantity = askQuantity
    }

    /// A touch; nil where a side is empty.
    @inlinable
    public init(bid: Level?, ask: Level?) {
        self.init(
            bid?.price.units ?? 0, bid?.quantity.units ?? 0, ask?.price.units ?? 0, ask?.quantity.units ?? 0)
    }

    /// Neither bid nor ask.
    @inlinable
    public static var empty: Touch { Touch(0, 0, 0, 0) }

    /// The best bid; nil when nobody bids.
    @inlinable
    public var bid: Level? {
        bidQuantity == 0 ? nil : Level(price: Price(units: bidPrice), quantity: Quantity(units: bidQuantity))
    }
    /// The best ask; nil when nobody offers.
    @inlinable
    public var ask: Level? {
        askQuantity == 0 ? nil : Level(price: Price(units: askPrice), quantity: Quantity(units: askQuantity))
    }
}

/// How far a book can be trusted.
@frozen
public enum BookState: UInt8, Sendable, Codable {
    /// There is no proven book yet.
    case syncing = 0
    /// The book is whole and proven.
    case live = 1
    /// Continuity was lost; the book resyncs by itself.
    case stale = 2
    /// The instrument is no longer subscribed.
    case dropped = 3
}

/// The book of one instrument: its touch at once, its depth when asked.
///
/// It is a view, not a copy: it always shows the newest book that the strategy has been told of. Keep prices, not
/// views.
///
/// ```swift
/// mutating func book(_ book: BookView, _ context: Context) {
///     guard book.isLive, let spread = book.spread, spread > book.instrument.tick else { return }
///     if let imbalance = book.imbalance, imbalance > 0.6 { buy(book, context) }
/// }
/// ```
@frozen
public struct BookView {
    @usableFromInline package let record: UnsafeMutablePointer<InstrumentRecord>

    @inlinable
    package init(_ record: UnsafeMutablePointer<InstrumentRecord>) { self.record = record }

    /// The instrument.
    @inlinable
    public var instrument: Instrument { Instrument(record) }
    /// Best bid and ask.
    @inlinable
    public var touch: Touch { record.pointee.touch }
    /// The venue's own best bid and ask stream, where there is one: often a little ahead of the book, never part of it.
    @inlinable
    public var ticker: Touch { record.pointee.ticker }
    /// How far it can be trusted.
    @inlinable
    public var state: BookState { record.pointee.state }
    /// Whether it is whole and proven.
    @inlinable
    public var isLive: Bool { record.pointee.state == .live }
    /// Whether the best bid is above or at the best ask: venues show that for a moment now and then.
    @inlinable
    public var isCrossed: Bool {
        let touch = record.pointee.touch
        return touch.bidQuantity != 0 && touch.askQuantity != 0 && touch.bidPrice >= touch.askPrice
    }
    /// The best bid price.
    @inlinable
    public var bid: Price? {
        record.pointee.touch.bidQuantity == 0 ? nil : Price(units: record.pointee.touch.bidPrice)
    }
    /// The best ask price.
    @inlinable
    public var ask: Price? {
        record.pointee.touch.askQuantity == 0 ? nil : Price(units: record.pointee.touch.askPrice)
    }
    /// The quantity at the best bid.
    @inlinable
    public var bidQuantity: Quantity { Quantity(units: record.pointee.touch.bidQuantity) }
    /// The quantity at the best ask.
    @inlinable
    public var askQuantity: Quantity { Quantity(units: record.pointee.touch.askQuantity) }
    /// Best ask minus best bid.
    @inlinable
    public var spread: Price? {
        guard let bid, let ask else { return nil }
        return ask - bid
    }
    /// The middle of the touch, rounded down to a whole price unit.
    @inlinable
    public var mid: Price? {
        guard let bid, let ask else { return nil }
        return Price(units: bid.units + (ask.units - bid.units) >> 1)
    }
    /// (bid quantity - ask quantity) / (bid quantity + ask quantity) at the touch: 1 is all bid, -1 all ask.
    /// Source: Cont, Kukanov, Stoikov, "The price impact of order book events", 2014.
    @inlinable
    public var imbalance: Double? {
        let bid = record.pointee.touch.bidQuantity, ask = record.pointee.touch.askQuantity
        guard bid != 0 || ask != 0 else { return nil }
        return (Double(bid) - Double(ask)) / (Double(bid) + Double(ask))
    }
    /// When this book was published: nanoseconds, monotonic.
    @inlinable
    public var time: UInt64 { record.pointee.publishTime }

    /// The levels behind the touch, to the engine's configured depth. Copied from the board once for each event; nil
    /// when the writer was busy with it at every try, which a strategy may treat like a book that is not live.
    public var depth: DepthView? {
        guard record.pointee.depth.refresh(record.pointee.index, after: record.pointee.eventNumber) else { return nil }
        return DepthView(record: record)
    }
}
