/// A trade that took place on the venue.
@frozen
public struct Trade {
    /// The instrument.
    public let instrument: Instrument
    /// Its price.
    public let price: Price
    /// Its quantity.
    public let quantity: Quantity
    /// Who came to trade: `.buy` when the taker bought.
    public let taker: Side
    /// The venue's number of the trade.
    public let id: Int64
    /// When it was published to this engine: nanoseconds, monotonic.
    public let time: UInt64

    @inlinable
    package init(instrument: Instrument, price: Price, quantity: Quantity, taker: Side, id: Int64, time: UInt64) {
        self.instrument = instrument
        self.price = price
        self.quantity = quantity
        self.taker = taker
        self.id = id
        self.time = time
    }
}

/// Why a book's state changed.
public enum BookStateReason: UInt8, Sendable, CaseIterable {
    /// No reason was given.
    case none = 0
    /// The instrument was subscribed.
    case subscribed
    /// A snapshot made it whole.
    case snapshot
    /// An update was missing.
    case gap
    /// A message could not be read.
    case decode
    /// The venue's hash of the book differs from ours.
    case hash
    /// The connection was lost.
    case disconnected
    /// The connection was up but silent.
    case frozen
    /// The tick size changed.
    case tickSize
    /// There is no memory for more levels.
    case arena
    /// The instrument was unsubscribed.
    case unsubscribed
    /// The venue's best bid and offer contradicts the book.
    case ticker
}

/// A book became live, stale, or is gone.
public struct BookStateChange {
    /// The instrument.
    public let instrument: Instrument
    /// The state it had.
    public let previous: BookState
    /// The state it has.
    public let state: BookState
    /// Why.
    public let reason: BookStateReason

    package init(instrument: Instrument, previous: BookState, state: BookState, reason: BookStateReason) {
        self.instrument = instrument
        self.previous = previous
        self.state = state
        self.reason = reason
    }
}

/// The strategy was too slow: the feed ring overtook it. The books have been brought up to date from the board; a
/// `book` callback for each live one follows.
public struct Loss: Sendable {
    /// How many events it did not see, exactly.
    public let events: UInt64
    /// How many it did not see since it was started.
    public let total: UInt64

    package init(events: UInt64, total: UInt64) {
        self.events = events
        self.total = total
    }
}

/// What a connection to a venue is doing.
public enum ConnectionState: UInt8, Sendable {
    /// There is none.
    case down = 0
    /// It is being made.
    case connecting
    /// It works.
    case up
    /// It is being closed.
    case closing
    /// It waits before it tries again.
    case waiting
}

/// A connection to a venue changed its state.
public struct ConnectionChange: Sendable {
    /// The engine's number of the connection.
    public let connection: Int
    /// What it does now.
    public let state: ConnectionState
    /// The engine's reason for the change, for logs; 0 when there is none.
    public let reason: Int64
    /// What stands behind the reason: a close code, an HTTP status or an error number; 0 when there is none.
    public let code: Int64

    package init(connection: Int, state: ConnectionState, reason: Int64, code: Int64) {
        self.connection = connection
        self.state = state
        self.reason = reason
        self.code = code
    }
}
