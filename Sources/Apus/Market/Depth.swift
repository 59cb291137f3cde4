internal import CApusRing

/// The levels of one book, best first, as the board had them when the strategy asked.
///
/// ```swift
/// if let depth = book.depth {
///     let wall = depth.bids.quantity(levels: 5)
///     let cost = depth.asks.notional(of: size, instrument: book.instrument)
/// }
/// ```
public struct DepthView {
    let record: UnsafeMutablePointer<InstrumentRecord>

    /// The bids, highest first.
    public var bids: Levels {
        Levels(base: record.pointee.depth.bids, count: count(record.pointee.depth.header.bids), isBids: true)
    }
    /// The asks, lowest first.
    public var asks: Levels {
        Levels(base: record.pointee.depth.asks, count: count(record.pointee.depth.header.asks), isBids: false)
    }
    /// Bid levels of the whole book, also those deeper than the board.
    public var totalBids: Int { Int(record.pointee.depth.header.total_bids) }
    /// Ask levels of the whole book.
    public var totalAsks: Int { Int(record.pointee.depth.header.total_asks) }
    /// Whether it is already the book of a later event than the one the strategy is being told of.
    public var isNewer: Bool { record.pointee.depth.header.event_number > record.pointee.eventNumber }

    private func count(_ levels: UInt32) -> Int { Int(min(levels, record.pointee.depth.board.pointee.depth)) }
}

/// One side of a book, best first. Valid within the callback that it was asked for in.
@frozen
public struct Levels: RandomAccessCollection {
    @usableFromInline let base: UnsafePointer<Level>
    /// How many levels there are.
    public let count: Int
    @usableFromInline let isBids: Bool

    @inlinable
    package init(base: UnsafePointer<Level>, count: Int, isBids: Bool) {
        self.base = base
        self.count = count
        self.isBids = isBids
    }

    /// The best level.
    @inlinable
    public var startIndex: Int { 0 }
    /// Behind the last level.
    @inlinable
    public var endIndex: Int { count }
    /// The level at that place, 0 is the best.
    @inlinable
    public subscript(_ place: Int) -> Level {
        precondition(place >= 0 && place < count, "no such level")
        return base[place]
    }

    /// What stands in the best `levels` levels together. O(levels).
    @inlinable
    public func quantity(levels: Int) -> Quantity {
        var sum: Int64 = 0
        for place in 0..<Swift.min(Swift.max(levels, 0), count) { sum &+= base[place].quantity.units }
        return Quantity(units: sum)
    }

    /// What stands at `limit` or better. O(levels).
    @inlinable
    public func quantity(to limit: Price) -> Quantity {
        var sum: Int64 = 0
        for place in 0..<count {
            let level = base[place]
            guard isBids ? level.price >= limit : level.price <= limit else { break }
            sum &+= level.quantity.units
        }
        return Quantity(units: sum)
    }

    /// The quote value of taking `quantity` from this side; nil when less than that stands here. O(levels).
    public func notional(of quantity: Quantity, instrument: Instrument) -> Money? {
        var left = quantity
        var value = Money.zero
        for place in 0..<count where left > .zero {
            let part = Swift.min(left, base[place].quantity)
            value += instrument.notional(base[place].price, part)
            left -= part
        }
        return left > .zero ? nil : value
    }
}
