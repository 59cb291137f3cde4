/// Why the engine did not let an order out. Nothing was sent.
@frozen
public enum Refusal: UInt8, Sendable, Codable, CaseIterable, Error {
    /// Trading is halted.
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
    /// Only orders that reduce a position may go out, and this one is not marked as such.
    case onlyReducing
    /// The newest touch of the book is older than allowed.
    case bookTooOld
    /// The price is below the least that the venue takes.
    case priceBelowMinimum
    /// The price is above the largest that the venue takes.
    case priceAboveMaximum
    /// Too far from the newest trade.
    case priceFarFromTrade
    /// Its own end comes too soon, or has come already.
    case expiryTooSoon
    /// An order that does not stay cannot have an end of its own.
    case expiryWithoutRest
    /// A post-only order would take.
    case postOnlyWouldTake
    /// It could meet an open order of this engine on the other side.
    case wouldMeetOwnOrder
    /// As many orders of the instrument are open as may be.
    case tooManyOpenOrdersOfInstrument
    /// As many orders of the strategy are open as may be.
    case tooManyOpenOrdersOfStrategy
    /// With all open orders filled, the value of all positions together would be larger than allowed.
    case grossExposureAboveMaximum
    /// With all open orders of one direction filled, longs and shorts would outweigh each other by more than allowed.
    case netExposureAboveMaximum
    /// The balance does not cover it and all that is open.
    case balanceTooLow
    /// An account that pays in full cannot sell what it does not hold.
    case notHeld
    /// The day's loss, or the fall from its peak, has reached the limit.
    case dayLossReached
    /// The venue's circuit breaker is open.
    case breakerOpen
    /// This order number was given out before.
    case duplicateIdentifier
    /// More orders of this instrument in a short time than allowed.
    case instrumentRateExceeded
    /// As many orders wait for the rate as may.
    case queueFull
    /// More than one order of this strategy may have.
    case quantityAboveMaximumOfStrategy
    /// Worth more than one order of this strategy may be.
    case notionalAboveMaximumOfStrategy
    /// With all its open orders filled, the strategy's position would be larger than it may have.
    case positionAboveMaximumOfStrategy
    /// With all its open orders filled, the value of all the strategy's positions would be larger than it may have.
    case grossExposureAboveMaximumOfStrategy
    /// With all its open orders of one direction filled, the strategy's longs and shorts would outweigh each other too far.
    case netExposureAboveMaximumOfStrategy
    /// The strategy's loss of the day, or its fall from the peak, has reached its limit.
    case dayLossOfStrategyReached
    /// More orders of this strategy in a short time than it may send.
    case strategyRateExceeded

    /// An order that waited for the rate and was refused then is told as `ReportKind.refused`, with this plus the rule's
    /// number as its code; smaller codes are the last guard's.
    public static var firstCode: Int32 { 1_000 }

    /// The reason in words.
    public var reason: String {
        switch self {
        case .killed: "trading is halted"
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
        case .onlyReducing: "only orders that reduce a position pass"
        case .bookTooOld: "the book's newest touch is too old"
        case .priceBelowMinimum: "the price is below the venue's minimum"
        case .priceAboveMaximum: "the price is above the venue's maximum"
        case .priceFarFromTrade: "the price is too far from the last trade"
        case .expiryTooSoon: "the order's own end comes too soon"
        case .expiryWithoutRest: "only an order that rests can have an end of its own"
        case .postOnlyWouldTake: "a post-only order would take"
        case .wouldMeetOwnOrder: "the order could meet an own one"
        case .tooManyOpenOrdersOfInstrument: "too many orders of the instrument are open"
        case .tooManyOpenOrdersOfStrategy: "too many orders of the strategy are open"
        case .grossExposureAboveMaximum: "the gross exposure could exceed its maximum"
        case .netExposureAboveMaximum: "the net exposure could exceed its maximum"
        case .balanceTooLow: "the balance does not cover the order and what is open"
        case .notHeld: "what is not held cannot be sold"
        case .dayLossReached: "the day's loss limit is reached"
        case .breakerOpen: "the venue's circuit breaker is open"
        case .duplicateIdentifier: "the order number was given out before"
        case .instrumentRateExceeded: "too many orders of the instrument in a short time"
        case .queueFull: "too many orders wait for the rate"
        case .quantityAboveMaximumOfStrategy: "the quantity is above the strategy's maximum"
        case .notionalAboveMaximumOfStrategy: "the value is above the strategy's maximum"
        case .positionAboveMaximumOfStrategy: "the strategy's position could exceed its maximum"
        case .grossExposureAboveMaximumOfStrategy: "the strategy's gross exposure could exceed its maximum"
        case .netExposureAboveMaximumOfStrategy: "the strategy's net exposure could exceed its maximum"
        case .dayLossOfStrategyReached: "the strategy's loss limit of the day is reached"
        case .strategyRateExceeded: "too many orders of the strategy in a short time"
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
