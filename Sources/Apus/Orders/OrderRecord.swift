/// An order in the engine's table: what strategies see, and what only the engine needs.
package struct OrderRecord {
    package var order: Order
    /// The largest cumulative quantity that the venue has reported.
    package var reported: Int64 = 0
    /// Filled according to a status answer, with no fill report for it yet.
    package var assumed: Int64 = 0
    package var assumedPrice: Int64 = 0
    package var venueID: UInt64 = 0
    /// The quantity that the risk gate counts as still to come: with a change under way the larger one.
    package var reserved: Int64 = 0
    /// What of the instrument's `openCost` is this order's.
    package var reservedCost: Int128 = 0
    package var wantedPrice: Int64 = 0
    package var wantedQuantity: Int64 = 0
    /// When it was sent to the venue, or decided to be; and the newest change of it.
    package var decided: UInt64 = 0
    package var changed: UInt64 = 0
    /// The venue's time of the newest price and quantity that it told: an answer that was made before says nothing.
    package var termsTime: UInt64 = 0
    /// When the order is asked about next, and, while its state is unknown, how long to wait after that.
    package var queryTime: UInt64 = .max
    package var queryPause: UInt64 = 0
    package var openPlace: UInt32 = 0
    /// Wall clock of the placement, and of the order's own end (0: none), in milliseconds.
    package var wall: UInt64 = 0
    package var expire: UInt64 = 0
    /// The worst price of a market order: the edge of its band when it was decided; 0 of others.
    package var limit: Int64 = 0
    /// It waits in the engine for the rate; the venue has never heard of it.
    package var isWaiting = false
    package var wasNotFound = false
    package var wasAccepted = false
    /// The answer to a change was lost: price and quantity may be others than they are known to be.
    package var isChangeInDoubt = false

    package init(_ order: Order) { self.order = order }

    /// Makes it the record of another order, in place.
    package mutating func renew(_ order: Order) {
        self.order = order
        (reported, assumed, assumedPrice, reserved) = (0, 0, 0, 0)
        reservedCost = 0
        (wantedPrice, wantedQuantity) = (0, 0)
        (venueID, decided, changed, termsTime) = (0, 0, 0, 0)
        (queryTime, queryPause) = (.max, 0)
        (openPlace, wall, expire, limit) = (0, 0, 0, 0)
        (isWaiting, wasNotFound, wasAccepted, isChangeInDoubt) = (false, false, false, false)
    }
}

/// What happens to an order when the rate of orders is used up.
@frozen
public enum WhenLimited: UInt8, Sendable, Codable, CaseIterable {
    /// It is refused, as `Refusal.rateExceeded`.
    case refuse
    /// It waits in the engine, in the state `pendingNew`, until the rate allows it; then it is checked anew and sent. It
    /// counts as open, and can be canceled, while it waits.
    case queue
}

/// What a strategy asks for, before any check.
@usableFromInline
package struct OrderRequest {
    package var instrument: Instrument
    package var side: Side
    package var type: OrderType
    package var timeInForce: TimeInForce
    package var isReduceOnly: Bool
    package var whenLimited: WhenLimited
    package var strategy: UInt8
    package var price: Int64
    package var quantity: Int64
    /// When it ends by itself, on the scale of `Context.now`; 0: never.
    package var expiry: UInt64

    @usableFromInline
    package init(
        instrument: Instrument, side: Side, type: OrderType, timeInForce: TimeInForce, isReduceOnly: Bool, price: Int64,
        quantity: Int64, expiry: UInt64 = 0, whenLimited: WhenLimited = .refuse, strategy: UInt8
    ) {
        self.expiry = expiry
        self.whenLimited = whenLimited
        self.instrument = instrument
        self.side = side
        self.type = type
        self.timeInForce = timeInForce
        self.isReduceOnly = isReduceOnly
        self.price = price
        self.quantity = quantity
        self.strategy = strategy
    }
}

extension OrderRequest {
    /// What would place that order once more.
    package init(_ order: Order) {
        self.init(
            instrument: order.instrument, side: order.side, type: order.type, timeInForce: order.timeInForce,
            isReduceOnly: order.isReduceOnly, price: order.price.units, quantity: order.quantity.units,
            expiry: order.expiryTime, strategy: order.strategy)
    }
}

extension Order {
    /// The order that a request becomes under that number.
    package init(id: OrderID, _ request: OrderRequest) {
        self.init(
            id: id, instrument: request.instrument, side: request.side, type: request.type,
            timeInForce: request.timeInForce, isReduceOnly: request.isReduceOnly, price: Price(units: request.price),
            quantity: Quantity(units: request.quantity))
        strategy = request.strategy
        expiryTime = request.expiry
    }
}
