package import Apus
package import CApusRing

/// An order that the risk gate has let through. Nothing else can make one, and nothing else can be pushed to an order
/// ring.
package struct ApprovedOrder: ~Copyable {
    fileprivate var order: apus_order

    fileprivate init(_ order: apus_order) { self.order = order }

    /// The request, for tests and journals.
    package var request: apus_order { order }

    /// Stamps the time at which it goes out; nothing else of it can be changed.
    package mutating func decide(at now: UInt64) { order.decided_ns = now }
}

/// The sending end of the order ring. Decision thread only.
package struct OrderProducer {
    private let queue: UnsafeMutablePointer<apus_queue>

    package init(_ queues: UnsafeMutablePointer<apus_private>) { queue = queues.pointee.orders }

    /// False when the ring is full: nothing was pushed.
    package func push(_ approved: consuming ApprovedOrder) -> Bool {
        withUnsafePointer(to: approved.order) { apus_order_push(queue, $0) == 0 }
    }
}

/// What became of a request at the gate.
package enum Verdict: ~Copyable {
    case approved(ApprovedOrder)
    case refused(Refusal)
}

/// The first risk gate. Each rule has a reason in `Refusal` and a counter. Decision thread only.
///
/// Cancels and queries always pass. New orders and changes are checked in this order: kill switch, book, quantity,
/// price, value, reducing, position, open orders, rate. A change is checked like a new order in place of the old one.
package struct RiskGate: ~Copyable {
    private let limits: UnsafeMutablePointer<ResolvedLimits>
    private let capacity: Int
    private let common: RiskLimits
    private let kill: UnsafeMutablePointer<UInt64>
    private let maxOpenOrders: Int
    private var rate: TokenBucket
    private let refusals: UnsafeMutablePointer<UInt64>
    /// No new orders any more: the strategy has been stopped.
    var isStopped = false

    package init(
        _ limits: RiskLimits, instruments: InstrumentTable, kill: UnsafeMutablePointer<UInt64>
    ) throws(RiskLimitError) {
        guard limits.maxOpenOrders >= 0 else {
            throw RiskLimitError(key: "maxOpenOrders", reason: "must not be negative")
        }
        common = limits
        maxOpenOrders = limits.maxOpenOrders
        self.kill = kill
        rate = TokenBucket(perSecond: limits.ordersPerSecond, burst: limits.orderBurst)
        capacity = instruments.capacity
        self.limits = .allocate(capacity: max(capacity, 1))
        refusals = .allocate(capacity: Refusal.allCases.count)
        refusals.initialize(repeating: 0, count: Refusal.allCases.count)
    }

    deinit {
        limits.deallocate()
        refusals.deallocate()
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
        var order = apus_order()
        order.client_id = id.value
        order.target_id = action == APUS_ORDER_PLACE ? 0 : id.value
        order.instrument = record.pointee.index
        order.action = UInt8(truncatingIfNeeded: action.rawValue)
        order.side = request.side.rawValue
        order.type = request.type.rawValue
        order.time_in_force = request.timeInForce.rawValue
        order.flags = request.isReduceOnly ? UInt8(APUS_ORDER_REDUCE_ONLY.rawValue) : 0
        order.price = price
        order.quantity = request.quantity
        order.band_low = band.low
        order.band_high = band.high
        order.event_ns = record.pointee.publishTime
        order.event_number = record.pointee.eventNumber
        return .approved(ApprovedOrder(order))
    }

    /// A cancel or a query: it always passes, also when killed.
    package func pass(_ order: Order, action: apus_order_action) -> ApprovedOrder {
        var request = apus_order()
        request.client_id = order.id.value
        request.target_id = order.id.value
        request.instrument = UInt16(truncatingIfNeeded: order.instrument.index)
        request.action = UInt8(truncatingIfNeeded: action.rawValue)
        request.side = order.side.rawValue
        request.type = order.type.rawValue
        request.time_in_force = order.timeInForce.rawValue
        request.price = order.price.units
        request.quantity = order.quantity.units
        return ApprovedOrder(request)
    }

    // MARK: The rules

    private func check(
        _ request: OrderRequest, _ price: Int64, _ band: (low: Int64, high: Int64), _ replaced: Int64,
        _ action: apus_order_action, _ openOrders: Int, _ now: UInt64
    ) -> Refusal? {
        let record = request.instrument.record
        let limit = limits + Int(record.pointee.index)
        if isStopped || apus_flag(kill) != 0 { return .killed }
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
