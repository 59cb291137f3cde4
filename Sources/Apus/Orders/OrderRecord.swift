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
    package var wantedPrice: Int64 = 0
    package var wantedQuantity: Int64 = 0
    /// When it was sent to the venue, or decided to be.
    package var decided: UInt64 = 0
    /// The venue's time of the newest price and quantity that it told: an answer that was made before says nothing.
    package var termsTime: UInt64 = 0
    /// When the order is asked about next, and, while its state is unknown, how long to wait after that.
    package var queryTime: UInt64 = .max
    package var queryPause: UInt64 = 0
    package var openPlace: UInt32 = 0
    /// Wall clock of the placement, and of the order's own end (0: none), in milliseconds.
    package var wall: UInt64 = 0
    package var expire: UInt64 = 0
    package var wasNotFound = false
    package var wasAccepted = false
    /// The answer to a change was lost: price and quantity may be others than they are known to be.
    package var isChangeInDoubt = false

    package init(_ order: Order) { self.order = order }

    /// Makes it the record of another order, in place.
    package mutating func renew(_ order: Order) {
        self.order = order
        (reported, assumed, assumedPrice, reserved) = (0, 0, 0, 0)
        (wantedPrice, wantedQuantity) = (0, 0)
        (venueID, decided, termsTime) = (0, 0, 0)
        (queryTime, queryPause) = (.max, 0)
        (openPlace, wall, expire) = (0, 0, 0)
        (wasNotFound, wasAccepted, isChangeInDoubt) = (false, false, false)
    }
}

/// What a strategy asks for, before any check.
package struct OrderRequest {
    package var instrument: Instrument
    package var side: Side
    package var type: OrderType
    package var timeInForce: TimeInForce
    package var isReduceOnly: Bool
    package var price: Int64
    package var quantity: Int64

    package init(
        instrument: Instrument, side: Side, type: OrderType, timeInForce: TimeInForce, isReduceOnly: Bool, price: Int64,
        quantity: Int64
    ) {
        self.instrument = instrument
        self.side = side
        self.type = type
        self.timeInForce = timeInForce
        self.isReduceOnly = isReduceOnly
        self.price = price
        self.quantity = quantity
    }
}
