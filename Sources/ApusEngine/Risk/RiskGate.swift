package import Apus
package import CApusRing

/// An order that the risk gate has let through. Nothing else can make one, and nothing else can be pushed to an order
/// ring.
///
/// It stands in the gate's own memory until it is pushed: 128 bytes that would otherwise be moved from hand to hand. So
/// there is one at a time.
package struct ApprovedOrder: ~Copyable {
    fileprivate let place: UnsafeMutablePointer<ApprovedPlace>

    fileprivate init(_ place: UnsafeMutablePointer<ApprovedPlace>) {
        precondition(!place.pointee.isTaken, "an approved order is pushed or dropped before the next one is made")
        place.pointee.isTaken = true
        self.place = place
    }

    deinit { place.pointee.isTaken = false }

    /// The request, for tests and journals.
    package var request: apus_order { place.pointee.order }

    /// The request where it stands.
    @inline(__always)
    package func withRequest<Result>(_ body: (UnsafePointer<apus_order>) -> Result) -> Result {
        body(place.pointer(to: \.order)!)
    }

    /// Stamps the time at which it goes out.
    package func decide(at now: UInt64) { place.pointee.order.decided_ns = now }

    /// What names the order that it places or means at a venue, besides its number. Nothing that the gate has checked can be
    /// changed.
    package func identify(wall: UInt64, expire: UInt64, venue: UInt64) {
        place.pointee.order.wall_ms = wall
        place.pointee.order.expire_ms = expire
        place.pointee.order.venue_id = venue
    }

    /// The journal record that must be durable before it leaves.
    package func hold(until record: UInt64) { place.pointee.order.journal = record }
}

private struct ApprovedPlace {
    var order = apus_order()
    var isTaken = false
}

/// The sending end of the order ring. Decision thread only.
package struct OrderProducer {
    private let queue: UnsafeMutablePointer<apus_queue>

    package init(_ queues: UnsafeMutablePointer<apus_private>) { queue = queues.pointee.orders }

    /// False when the ring is full: nothing was pushed.
    package func push(_ approved: consuming ApprovedOrder) -> Bool {
        apus_order_push(queue, approved.place.pointer(to: \.order)!) == 0
    }
}

/// What became of a request at the gate.
package enum Verdict: ~Copyable {
    case approved(ApprovedOrder)
    case refused(Refusal)
}

/// The first risk gate. Each rule has a reason in `Refusal` and a counter. Decision thread only.
///
/// Cancels and queries always pass. New orders and changes are checked in this order: trading state, book, quantity,
/// price, value, reducing, position, open orders, rate. A change is checked like a new order in place of the old one.
package struct RiskGate: ~Copyable {
    private let limits: UnsafeMutablePointer<ResolvedLimits>
    private let capacity: Int
    private let common: RiskLimits
    private let trading: UnsafeMutablePointer<UInt64>
    private let maxOpenOrders: Int
    private var rate: TokenBucket
    private let refusals: UnsafeMutablePointer<UInt64>
    private let approved: UnsafeMutablePointer<ApprovedPlace>
    /// No new orders any more: the strategy has been stopped.
    var isStopped = false

    package init(
        _ limits: RiskLimits, instruments: InstrumentTable, trading: UnsafeMutablePointer<UInt64>
    ) throws(RiskLimitError) {
        guard limits.maxOpenOrders >= 0 else {
            throw RiskLimitError(key: "maxOpenOrders", reason: "must not be negative")
        }
        common = limits
        maxOpenOrders = limits.maxOpenOrders
        self.trading = trading
        rate = TokenBucket(perSecond: limits.ordersPerSecond, burst: limits.orderBurst)
        capacity = instruments.capacity
        self.limits = .allocate(capacity: max(capacity, 1))
        refusals = .allocate(capacity: Refusal.allCases.count)
        refusals.initialize(repeating: 0, count: Refusal.allCases.count)
        approved = .allocate(capacity: 1)
        approved.initialize(to: ApprovedPlace())
    }

    deinit {
        limits.deallocate()
        refusals.deallocate()
        approved.deallocate()
    }

    /// Resolves the limits of an instrument that was added to the table.
    package mutating func add(_ instrument: Instrument) throws(RiskLimitError) {
        try (limits + instrument.index).initialize(to: ResolvedLimits(common, instrument))
    }

    /// How often each rule refused.
    package func count(_ refusal: Refusal) -> UInt64 { refusals[Int(refusal.rawValue)] }

    /// Counts a refusal, also one that was found elsewhere.
    mutating func refuse(_ refusal: Refusal) -> Verdict {
        count(refused: refusal)
        return .refused(refusal)
    }

    mutating func count(refused refusal: Refusal) { refusals[Int(refusal.rawValue)] &+= 1 }

    /// Checks a new order, or one that takes the place of `replaced` open quantity, and makes it an approved one.
    package mutating func approve(
        _ request: OrderRequest, action: apus_order_action = APUS_ORDER_PLACE, id: OrderID,
        replacing replaced: Int64 = 0, openOrders: Int, now: UInt64
    ) -> Verdict {
        let record = request.instrument.record
        let limit = limits + Int(record.pointee.index)
        let band = band(record.pointee.touch, limit.pointee.bandPpm)
        let price = request.type == .market ? marketPrice(request) : request.price
        if let refusal = check(request, price, band, replaced, action, openOrders, now) { return refuse(refusal) }
        rate.take(now)
        let approval = ApprovedOrder(approved)
        let order = approved.pointer(to: \.order)!
        order.pointee.client_id = id.value
        order.pointee.target_id = action == APUS_ORDER_PLACE ? 0 : id.value
        order.pointee.instrument = record.pointee.index
        order.pointee.action = UInt8(truncatingIfNeeded: action.rawValue)
        order.pointee.side = request.side.rawValue
        order.pointee.type = request.type.rawValue
        order.pointee.time_in_force = request.timeInForce.rawValue
        order.pointee.flags = request.isReduceOnly ? UInt8(APUS_ORDER_REDUCE_ONLY.rawValue) : 0
        order.pointee.price = price
        order.pointee.quantity = request.quantity
        order.pointee.band_low = band.low
        order.pointee.band_high = band.high
        order.pointee.event_ns = record.pointee.publishTime
        order.pointee.event_number = record.pointee.eventNumber
        order.pointee.decided_ns = 0
        return .approved(approval)
    }

    /// A cancel or a query: it always passes, also when trading is halted.
    package func pass(_ order: Order, action: apus_order_action) -> ApprovedOrder {
        let approval = ApprovedOrder(approved)
        let request = approved.pointer(to: \.order)!
        request.pointee = apus_order()
        request.pointee.client_id = order.id.value
        request.pointee.target_id = order.id.value
        request.pointee.instrument = UInt16(truncatingIfNeeded: order.instrument.index)
        request.pointee.action = UInt8(truncatingIfNeeded: action.rawValue)
        request.pointee.side = order.side.rawValue
        request.pointee.type = order.type.rawValue
        request.pointee.time_in_force = order.timeInForce.rawValue
        request.pointee.price = order.price.units
        request.pointee.quantity = order.quantity.units
        return approval
    }

    // MARK: The rules

    private func check(
        _ request: OrderRequest, _ price: Int64, _ band: (low: Int64, high: Int64), _ replaced: Int64,
        _ action: apus_order_action, _ openOrders: Int, _ now: UInt64
    ) -> Refusal? {
        let record = request.instrument.record
        let limit = limits + Int(record.pointee.index)
        if isStopped || apus_flag(trading) == UInt64(APUS_TRADING_HALTED.rawValue) { return .killed }
        if record.pointee.state != .live { return .bookNotLive }
        if let refusal = checkQuantity(request.quantity, record, limit) { return refusal }
        if let refusal = checkPrice(request, price, band, record, limit) { return refusal }
        if let refusal = checkExposure(request, replaced, record, limit) { return refusal }
        if action == APUS_ORDER_PLACE && openOrders >= maxOpenOrders { return .tooManyOpenOrders }
        if !rate.allows(now) { return .rateExceeded }
        return nil
    }

    private func checkQuantity(
        _ quantity: Int64, _ record: UnsafeMutablePointer<InstrumentRecord>,
        _ limit: UnsafeMutablePointer<ResolvedLimits>
    ) -> Refusal? {
        if quantity <= 0 { return .quantityNotPositive }
        let lot = record.pointee.lot
        if lot != 1 && quantity % lot != 0 { return .quantityOffLot }
        if quantity > limit.pointee.orderQuantity || quantity > record.pointee.maxQuantity {
            return .quantityAboveMaximum
        }
        if quantity < record.pointee.minQuantity { return .quantityBelowMinimum }
        return nil
    }

    private func checkPrice(
        _ request: OrderRequest, _ price: Int64, _ band: (low: Int64, high: Int64),
        _ record: UnsafeMutablePointer<InstrumentRecord>, _ limit: UnsafeMutablePointer<ResolvedLimits>
    ) -> Refusal? {
        if request.type == .market {
            if price == 0 { return .priceOutsideBand }
        } else {
            if price <= 0 { return .priceNotPositive }
            let tick = record.pointee.tick
            if tick != 1 && price % tick != 0 { return .priceOffTick }
        }
        if price < band.low || price > band.high { return .priceOutsideBand }
        let parts = record.pointee.economics.parts(price, request.quantity)
        if parts > limit.pointee.orderParts { return .notionalAboveMaximum }
        if parts < limit.pointee.minOrderParts && !request.isReduceOnly { return .notionalBelowMinimum }
        return nil
    }

    private func checkExposure(
        _ request: OrderRequest, _ replaced: Int64, _ record: UnsafeMutablePointer<InstrumentRecord>,
        _ limit: UnsafeMutablePointer<ResolvedLimits>
    ) -> Refusal? {
        let sign = request.side.sign
        let pending = (request.side == .buy ? record.pointee.openBuys : record.pointee.openSells) - replaced
        let held = record.pointee.position.quantity &* sign
        let (open, overflow) = pending.addingReportingOverflow(request.quantity)
        let (worst, overflow2) = held.addingReportingOverflow(open)
        if overflow || overflow2 { return .positionAboveMaximum }
        if request.isReduceOnly { return worst > 0 || held >= 0 ? .notReducing : nil }
        if worst <= 0 { return nil }
        if worst > limit.pointee.position { return .positionAboveMaximum }
        let touch = record.pointee.touch
        let price = touch.askQuantity != 0 ? max(touch.askPrice, touch.bidPrice) : touch.bidPrice
        if record.pointee.economics.parts(price, worst) > limit.pointee.positionParts {
            return .positionAboveMaximum
        }
        return nil
    }

    /// What a market order meets first; 0 when nobody is there.
    private func marketPrice(_ request: OrderRequest) -> Int64 {
        let touch = request.instrument.record.pointee.touch
        if request.side == .buy { return touch.askQuantity != 0 ? touch.askPrice : 0 }
        return touch.bidQuantity != 0 ? touch.bidPrice : 0
    }

    /// From so far below the best bid to so far above the best ask, rounded inwards; empty when the book is.
    private func band(_ touch: Touch, _ ppm: Int64) -> (low: Int64, high: Int64) {
        if touch.bidQuantity == 0 && touch.askQuantity == 0 { return (1, 0) }
        let bid = touch.bidQuantity != 0 ? touch.bidPrice : touch.askPrice
        let ask = touch.askQuantity != 0 ? touch.askPrice : touch.bidPrice
        let low = min(bid, ask), high = max(bid, ask)
        return (low - part(low, ppm), high.addingReportingOverflow(part(high, ppm)).partialValue)
    }

    /// price · ppm / 10^6, rounded down, without overflow for any price that is not negative.
    private func part(_ price: Int64, _ ppm: Int64) -> Int64 {
        let whole = price / 1_000_000, rest = price % 1_000_000
        return whole * ppm + rest * ppm / 1_000_000
    }
}
