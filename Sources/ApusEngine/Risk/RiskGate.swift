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

    /// The worst price of the market order that it means, from which a venue's name for it may follow.
    package func bound(to limit: Int64) {
        place.pointee.order.band_low = limit
        place.pointee.order.band_high = limit
    }

    /// The journal record that must be durable before it leaves.
    package func hold(until record: UInt64) { place.pointee.order.journal = record }
}

struct ApprovedPlace {
    fileprivate(set) var order = apus_order()
    fileprivate(set) var isTaken = false
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

/// The risk gate: the only maker of an approved order. Each rule has a reason in `Refusal`, a counter and a test;
/// `docs/RISK.md` lists them. Decision thread only; nothing is allocated for an order.
///
/// Cancels and queries always pass. New orders and changes are checked in this order: trading state, book, quantity,
/// price, end, value, own orders, position, exposure, balance, the strategy's own limits, open orders, rates, the venue's
/// breaker. A change is checked like a new order in place of the old one.
package struct RiskGate: ~Copyable {
    let resolved: UnsafeMutablePointer<ResolvedLimits>
    let instruments: InstrumentTable
    let orders: OpenOrderView
    package internal(set) var limits: RiskLimits
    /// The strategies' names, by their number.
    let strategies: [String]
    private let trading: UnsafeMutablePointer<UInt64>
    private let refusals: UnsafeMutablePointer<UInt64>
    private let approved: UnsafeMutablePointer<ApprovedPlace>
    package internal(set) var ledger: RiskLedger
    var account: AccountLimits
    var rate: TokenBucket
    var cancelRate: TokenBucket
    /// By instrument and strategy.
    let rates: UnsafeMutablePointer<TokenBucket>
    /// What each of several strategies holds and has open; what it may do, by its number, and by instrument and number.
    let rows: StrategyRows
    let shares: UnsafeMutablePointer<StrategyRisk>
    let ownLimits: UnsafeMutablePointer<StrategyInstrumentLimits>
    let ownPrices: UnsafeMutablePointer<OwnPrices>
    var states = RiskStates()
    var watch: DayWatch
    /// The venue's circuit breaker; the agent's configuration keeps it alive.
    private(set) var breaker: Unmanaged<CircuitBreaker>?
    /// Its condition, looked at for every order; without a breaker nil.
    private(set) var breakerCondition: UnsafePointer<UInt64>?
    /// Cancels, and those beyond the rate. All of them passed.
    package internal(set) var cancels: UInt64 = 0
    package internal(set) var cancelsOverRate: UInt64 = 0
    /// Nanoseconds from the engine's time to the wall clock.
    package var wallOffset: Int64 = 0
    /// From when on the result counts even where something that is held has no price.
    var pricedFrom: UInt64 = 0
    /// A day's limit was just reached: open orders are to be canceled.
    var mustCancel = false
    /// No new orders any more: the strategy has been stopped.
    var isStopped = false

    package init(
        _ limits: RiskLimits, instruments: InstrumentTable, orders: OrderTable, trading: UnsafeMutablePointer<UInt64>,
        strategies: [String] = [""], rows: StrategyRows = StrategyRows()
    ) throws(RiskLimitError) {
        precondition(strategies.count == (rows.isSplit ? rows.count : 1), "several strategies have a row each")
        try limits.check(strategies)
        self.limits = limits
        self.instruments = instruments
        self.orders = OpenOrderView(orders)
        self.strategies = strategies
        self.trading = trading
        account = AccountLimits(limits, strategies: strategies)
        rate = TokenBucket(perSecond: limits.ordersPerSecond, burst: limits.orderBurst)
        cancelRate = TokenBucket(perSecond: limits.cancelsPerSecond, burst: limits.cancelsPerSecond)
        watch = DayWatch(
            hour: limits.dayStartHour, maxLoss: limits.maxDailyLoss, maxDrawdown: limits.maxDrawdown)
        let capacity = max(instruments.capacity, 1)
        self.rows = rows
        shares = .allocate(capacity: strategies.count)
        for (number, name) in strategies.enumerated() {
            (shares + number).initialize(to: StrategyRisk(limits.strategies[name] ?? StrategyLimits(), limits))
        }
        ownLimits = .allocate(capacity: capacity * strategies.count)
        ledger = RiskLedger(instruments, rows, shares)
        resolved = .allocate(capacity: capacity)
        rates = .allocate(capacity: capacity * strategies.count)
        ownPrices = .allocate(capacity: capacity)
        ownPrices.initialize(repeating: OwnPrices(), count: capacity)
        refusals = .allocate(capacity: Refusal.allCases.count)
        refusals.initialize(repeating: 0, count: Refusal.allCases.count)
        approved = .allocate(capacity: 1)
        approved.initialize(to: ApprovedPlace())
    }

    deinit {
        resolved.deallocate()
        rates.deallocate()
        shares.deallocate()
        ownLimits.deallocate()
        ownPrices.deallocate()
        refusals.deallocate()
        approved.deallocate()
    }

    /// From now on nothing passes while that breaker is open, and only probes while it is half open.
    mutating func attach(_ breaker: CircuitBreaker) {
        self.breaker = .passUnretained(breaker)
        breakerCondition = breaker.condition
    }

    /// Resolves the limits of an instrument that was added to the table.
    package mutating func add(_ instrument: Instrument) throws(RiskLimitError) {
        let own = try ResolvedLimits(limits, instrument)
        (resolved + instrument.index).initialize(to: own)
        for (strategy, name) in strategies.enumerated() {
            let place = instrument.index * strategies.count + strategy
            (rates + place).initialize(to: account.bucket(own.ordersPerMinute, strategy))
            let share = limits.strategies[name] ?? StrategyLimits()
            (ownLimits + place).initialize(to: try StrategyInstrumentLimits(share, of: name, instrument))
        }
        ledger.add(instrument, isPaidInFull: limits.funding == .cash)
    }

    /// How often each rule refused.
    package func count(_ refusal: Refusal) -> UInt64 { refusals[Int(refusal.rawValue)] }

    private mutating func refuse(_ refusal: Refusal, of strategy: UInt8) -> Verdict {
        count(refused: refusal, of: strategy)
        return .refused(refusal)
    }

    /// Counts a refusal, also one that was found elsewhere.
    mutating func count(refused refusal: Refusal, of strategy: UInt8) {
        refusals[Int(refusal.rawValue)] &+= 1
        if hasShare(strategy) { shares[Int(strategy)].refused &+= 1 }
    }

    /// Counts an order that the strategy has placed, also one that waits.
    mutating func countPlaced(of strategy: UInt8) { if hasShare(strategy) { shares[Int(strategy)].placed &+= 1 } }

    /// Counts a change that was sent.
    mutating func countModified(of strategy: UInt8) { if hasShare(strategy) { shares[Int(strategy)].modified &+= 1 } }

    private func hasShare(_ strategy: UInt8) -> Bool { rows.isSplit && strategy != Order.nobody }

    /// Counts a cancel: it passes, whatever the rate.
    mutating func countCancel(_ now: UInt64) {
        cancels &+= 1
        if cancelRate.allows(now) { cancelRate.take(now) } else { cancelsOverRate &+= 1 }
    }

    /// What others have set: a person, a signal, the control plane, a disk that failed.
    var controlState: TradingState { TradingState(rawValue: UInt8(clamping: apus_trading_outside(trading))) ?? .halted }

    /// The gate's own state, in force also for what waits in the order ring: the guard reads it there.
    mutating func set(own state: TradingState, because cause: RiskStateChange.Cause, at now: UInt64) {
        states.set(own: state, because: cause, at: now)
        apus_flag_set(trading + Int(APUS_TRADING_LIMITS.rawValue), UInt64(state.rawValue))
    }

    /// What any strategy may send now at most.
    var wholeState: TradingState { max(controlState, states.own) }

    /// What a strategy may send now.
    package func state(of strategy: Int = 0) -> TradingState { max(controlState, states.effective[strategy]) }

    // MARK: Approval

    /// Checks a new order, or one that takes the place of `replaced`, and makes it an approved one.
    package mutating func approve(
        _ request: OrderRequest, action: apus_order_action = APUS_ORDER_PLACE, id: OrderID,
        replacing replaced: Replaced = Replaced(), openOrders: Int, now: UInt64
    ) -> Verdict {
        if ledger.settle() { judgeResult(now) }
        if now >= watch.end { enterDay(now) }
        let record = request.instrument.record
        let limit = resolved + Int(record.pointee.index)
        let band = PriceBand(record, limit)
        let price = request.type == .market ? marketPrice(request) : request.price
        let place = Place(
            record: record, limit: limit, price: price, replaced: replaced, isNew: action == APUS_ORDER_PLACE,
            openOrders: openOrders, now: now)
        if let refusal = check(request, place, band) { return refuse(refusal, of: request.strategy) }
        takeTokens(request, record)
        remember(request, record)
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
        order.pointee.strategy = request.strategy
        order.pointee.price = price
        order.pointee.quantity = request.quantity
        (order.pointee.band_low, order.pointee.band_high) = band.edges(record)
        order.pointee.event_ns = record.pointee.publishTime
        order.pointee.event_number = record.pointee.eventNumber
        order.pointee.decided_ns = 0
        return .approved(approval)

        func takeTokens(_ request: OrderRequest, _ record: UnsafeMutablePointer<InstrumentRecord>) {
            rate.take(now)
            rates[bucket(record, request.strategy)].take(now)
            if rows.isSplit { shares[Int(request.strategy)].rate.take(now) }
        }
    }

    @inline(__always)
    func bucket(_ record: UnsafeMutablePointer<InstrumentRecord>, _ strategy: UInt8) -> Int {
        Int(record.pointee.index) * strategies.count + Int(strategy)
    }

    /// Whether an order of that instrument would find a token, and when the next one will be there.
    func nextToken(_ request: OrderRequest, _ now: UInt64) -> UInt64 {
        let token = max(rate.next(now), rates[bucket(request.instrument.record, request.strategy)].next(now))
        return rows.isSplit ? max(token, shares[Int(request.strategy)].rate.next(now)) : token
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
        request.pointee.strategy = order.strategy
        request.pointee.price = order.price.units
        request.pointee.quantity = order.quantity.units
        return approval
    }

    /// What a market order meets first; 0 when nobody is there.
    private func marketPrice(_ request: OrderRequest) -> Int64 {
        let touch = request.instrument.record.pointee.touch
        if request.side == .buy { return touch.askQuantity != 0 ? touch.askPrice : 0 }
        return touch.bidQuantity != 0 ? touch.bidPrice : 0
    }
}

/// What an order takes the place of: nothing, or the order that is changed.
package struct Replaced {
    package var id = OrderID(0)
    /// What is counted as still to come of it, and what is filled.
    package var reserved: Int64 = 0
    package var filled: Int64 = 0
    package var cost: Int128 = 0
    /// Price and whole quantity that may still hold at the venue.
    package var price: Int64 = 0
    package var quantity: Int64 = 0

    package init() {}

    package init(_ record: UnsafeMutablePointer<OrderRecord>) {
        id = record.pointee.order.id
        reserved = record.pointee.reserved
        filled = record.pointee.order.filled.units
        cost = record.pointee.reservedCost
        price = record.pointee.order.price.units
        quantity = record.pointee.order.quantity.units
    }
}
