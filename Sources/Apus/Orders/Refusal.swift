/// Why the engine did not let an order out. Nothing was sent.
@frozen
public enum Refusal: UInt8, Sendable, Codable, CaseIterable, Error {
    /// The kill switch is on.
    case killed = 0
    /// The book is not live: nothing says what the price is.
    case bookNotLive
    /// The quantity is zero or negative.
    case quantityNotPositive
    /// The quantity is no whole number of lots.
    case quantityOffLot
    /// More than one order may have.
    case quantityAboveMaximum
    /// Less than the venue takes.
    case quantityBelowMinimum
    /// The price is zero or negative.
    case priceNotPositive
    /// The price is no whole number of ticks.
    case priceOffTick
    /// Worth more than one order may be.
    case notionalAboveMaximum
    /// Worth less than the venue takes.
    case notionalBelowMinimum
    /// Too far from the book; or the book has no price to compare with.
    case priceOutsideBand
    /// With all open orders filled, the position would be larger than allowed.
    case positionAboveMaximum
    /// A reduce-only order that would not only reduce.
    case notReducing
    /// As many orders are open as may be.
    case tooManyOpenOrders
    /// More orders in a short time than allowed.
    case rateExceeded
    /// The order table is full of open orders.
    case orderTableFull
    /// The ring to the sending thread is full: it is stalled.
    case orderRingFull
    /// This run has given out all its order numbers.
    case identifiersExhausted
    /// There is no such open order to change or cancel.
    case noSuchOrder
    /// A change or a cancel of that order is already on its way.
    case changePending
    /// The instrument does not belong to this engine.
    case unknownInstrument
    /// The journal has no room for another order, or its disk fails.
    case journalFull

    /// The reason in words.
    public var reason: String {
        switch self {
        case .killed: "the kill switch is on"
        case .bookNotLive: "the book is not live"
        case .quantityNotPositive: "the quantity is not positive"
        case .quantityOffLot: "the quantity is no multiple of the lot"
        case .quantityAboveMaximum: "the quantity is above the maximum"
        case .quantityBelowMinimum: "the quantity is below the minimum"
        case .priceNotPositive: "the price is not positive"
        case .priceOffTick: "the price is no multiple of the tick"
        case .notionalAboveMaximum: "the value is above the maximum"
        case .notionalBelowMinimum: "the value is below the minimum"
        case .priceOutsideBand: "the price is too far from the book"
        case .positionAboveMaximum: "the position could exceed its maximum"
        case .notReducing: "a reduce-only order would not reduce"
        case .tooManyOpenOrders: "too many orders are open"
        case .rateExceeded: "too many orders in a short time"
        case .orderTableFull: "the order table is full"
        case .orderRingFull: "the order ring is full"
        case .identifiersExhausted: "no order numbers are left in this run"
        case .noSuchOrder: "there is no such open order"
        case .changePending: "a change of the order is on its way"
        case .unknownInstrument: "the instrument is unknown"
        case .journalFull: "the journal has no room for another order"
        }
    }
}

/// What became of a wish to place or change an order: its number, or the rule that it broke.
///
/// ```swift
/// switch context.limit(.buy, size, of: book.instrument, at: price) {
/// case .placed(let id): quote = id
/// case .refused(let refusal): print(refusal.reason)
/// }
/// ```
@frozen
public enum Placement: Sendable, Equatable {
    /// On its way to the venue under this number.
    case placed(OrderID)
    /// Not sent.
    case refused(Refusal)

    /// The number, if it was placed.
    @inlinable
    public var id: OrderID? {
        if case .placed(let id) = self { return id }
        return nil
    }
    /// The broken rule, if it was refused.
    @inlinable
    public var refusal: Refusal? {
        if case .refused(let refusal) = self { return refusal }
        return nil
    }
}
