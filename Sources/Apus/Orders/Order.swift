/// Which way an order or a trade goes.
@frozen
public enum Side: UInt8, Sendable, Codable, CaseIterable {
    /// To buy.
    case buy = 0
    /// To sell.
    case sell = 1

    /// The other one.
    @inlinable
    public var opposite: Side { self == .buy ? .sell : .buy }
    /// 1 for buy, -1 for sell.
    @inlinable
    public var sign: Int64 { self == .buy ? 1 : -1 }
}

/// How long an order stays.
@frozen
public enum TimeInForce: UInt8, Sendable, Codable, CaseIterable {
    /// Until it is canceled.
    case goodTillCanceled = 0
    /// What cannot be filled at once is given up.
    case immediateOrCancel = 1
    /// All at once or nothing.
    case fillOrKill = 2
    /// Refused by the venue if it would take: it only ever makes.
    case postOnly = 3
}

/// Limit or market.
@frozen
public enum OrderType: UInt8, Sendable, Codable, CaseIterable {
    /// At its price or better.
    case limit = 0
    /// At what the book offers.
    case market = 1
}

/// An order's number, known before it is sent and never given twice: the run in the high half, the order in the low
/// half.
@frozen
public struct OrderID: Sendable, Hashable, CustomStringConvertible {
    /// The number as the venue gets it.
    public let value: UInt64

    /// An order number.
    @inlinable
    public init(_ value: UInt64) { self.value = value }

    /// Run and order, as in `7-1`.
    public var description: String { "\(value >> 32)-\(value & 0xFFFF_FFFF)" }
}

/// Where an order is in its life. The transitions are drawn in `OrderTable`.
@frozen
public enum OrderState: UInt8, Sendable, Codable, CaseIterable {
    /// Approved, on its way to the thread that sends.
    case pendingNew = 0
    /// Handed to the network.
    case sent
    /// The venue has it.
    case live
    /// The venue has it, part of it is filled.
    case partiallyFilled
    /// A cancel is on its way.
    case pendingCancel
    /// A change is on its way.
    case pendingModify
    /// An answer was lost; the engine is asking the venue.
    case unknown
    /// Filled. Final.
    case filled
    /// Canceled. Final.
    case canceled
    /// The time in force ended it. Final.
    case expired
    /// The venue or the last guard refused it. Final.
    case rejected

    /// Whether it may still be filled.
    @inlinable
    public var isOpen: Bool { rawValue < OrderState.filled.rawValue }
}

/// An order as the engine knows it now: a copy that does not change any more.
///
/// ```swift
/// for order in context.openOrders where order.side == .buy && order.price < limit {
///     context.cancel(order.id)
/// }
/// ```
@frozen
public struct Order {
    /// Its number.
    public package(set) var id: OrderID
    /// The instrument.
    public package(set) var instrument: Instrument
    /// Its price; for a market order zero.
    public package(set) var price: Price
    /// Its whole quantity.
    public package(set) var quantity: Quantity
    /// What of it is filled.
    public package(set) var filled: Quantity
    /// Which way it goes.
    public package(set) var side: Side
    /// Limit or market.
    public package(set) var type: OrderType
    /// How long it stays.
    public package(set) var timeInForce: TimeInForce
    /// Whether it may only make the position smaller.
    public package(set) var isReduceOnly: Bool
    /// Which strategy of the engine placed it; `nobody`: one that the engine does not run any more.
    @usableFromInline package var strategy: UInt8 = 0
    package static var nobody: UInt8 { .max }
    /// Where it is in its life.
    public package(set) var state: OrderState

    /// When it ends by itself; 0: never.
    package var expiryTime: UInt64 = 0

    /// When it ends by itself, on the scale of `Context.now`; nil: never.
    public var expiry: UInt64? { expiryTime == 0 ? nil : expiryTime }
    /// What is not filled yet.
    @inlinable
    public var remaining: Quantity { quantity - filled }
    /// Whether it may still be filled.
    @inlinable
    public var isOpen: Bool { state.isOpen }

    package init(
        id: OrderID, instrument: Instrument, side: Side, type: OrderType, timeInForce: TimeInForce, isReduceOnly: Bool,
        price: Price, quantity: Quantity
    ) {
        self.id = id
        self.instrument = instrument
        self.price = price
        self.quantity = quantity
        filled = .zero
        self.side = side
        self.type = type
        self.timeInForce = timeInForce
        self.isReduceOnly = isReduceOnly
        state = .pendingNew
    }
}
