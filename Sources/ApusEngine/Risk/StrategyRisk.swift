internal import Apus

/// What one of several strategies may do, and what it has used of that. Decision thread only.
struct StrategyRisk {
    /// Open orders; `.max`: only the account's limit holds.
    var openOrders: Int
    var gross: Int128
    var net: Int128
    var rate: TokenBucket
    var watch: DayWatch
    /// Of all its instruments together.
    var totals = StrategyValue()
    var placed: UInt64 = 0
    var modified: UInt64 = 0
    var refused: UInt64 = 0

    init(_ own: StrategyLimits, _ limits: RiskLimits) {
        openOrders = own.maxOpenOrders ?? .max
        gross = own.maxGrossExposure?.atoms ?? .max
        net = own.maxNetExposure?.atoms ?? .max
        rate = Self.rate(own)
        watch = DayWatch(hour: limits.dayStartHour, maxLoss: own.maxDailyLoss, maxDrawdown: own.maxDrawdown)
    }

    private static func rate(_ own: StrategyLimits) -> TokenBucket {
        TokenBucket(perMinute: own.ordersPerMinute ?? Int(ResolvedLimits.fastest))
    }

    mutating func tighten(_ own: StrategyLimits, _ limits: RiskLimits) {
        let new = StrategyRisk(own, limits)
        (openOrders, gross, net) = (new.openOrders, new.gross, new.net)
        rate.tighten(to: new.rate)
        watch.tighten(maxLoss: own.maxDailyLoss, maxDrawdown: own.maxDrawdown)
    }
}

/// What a strategy's position and open orders in one instrument come to, or in all of them: quote value, 10^-18.
struct StrategyValue: Equatable {
    var long: Int128 = 0
    var short: Int128 = 0
    var gross: Int128 = 0
    var result: Int128 = 0
}

/// A strategy's limits in one instrument's own units, as in `ResolvedLimits`.
struct StrategyInstrumentLimits {
    let orderParts: Int128
    let positionParts: Int128
    let orderQuantity: Int64
    let position: Int64

    init(_ own: StrategyLimits, of name: String, _ instrument: Instrument) throws(RiskLimitError) {
        func units(_ value: ExactDecimal?, _ key: String) throws(RiskLimitError) -> Int64 {
            try ResolvedLimits.units(value, "strategies.\(name).\(key)", instrument)
        }
        let economics = instrument.record.pointee.economics
        orderParts = economics.most(worth: (own.maxOrderNotional ?? .greatest).atoms)
        positionParts = economics.most(worth: (own.maxPositionNotional ?? .greatest).atoms)
        orderQuantity = try units(own.maxOrderQuantity, "maxOrderQuantity")
        position = try units(own.maxPosition, "maxPosition")
    }

    /// The first limit that lets more through than before.
    func looser(than old: StrategyInstrumentLimits) -> String? {
        if orderParts > old.orderParts { return "maxOrderNotional" }
        if positionParts > old.positionParts { return "maxPositionNotional" }
        if orderQuantity > old.orderQuantity { return "maxOrderQuantity" }
        return position > old.position ? "maxPosition" : nil
    }
}

// MARK: The rules

extension RiskGate {
    /// Limits of the strategy, which it has besides the account's. Only where the account is split.
    func checkStrategy(_ request: OrderRequest, _ place: Place) -> Refusal? {
        let strategy = Int(request.strategy)
        let limit = ownLimits + bucket(place.record, request.strategy)
        if request.quantity > limit.pointee.orderQuantity { return .quantityAboveMaximumOfStrategy }
        let economics = place.record.pointee.economics
        if economics.parts(place.price, request.quantity) > limit.pointee.orderParts {
            return .notionalAboveMaximumOfStrategy
        }
        let row = rows.row(request.strategy, place.record)
        let pending =
            (request.side == .buy ? row.pointee.openBuys : row.pointee.openSells)
            - (place.replaced.reserved &+ place.replaced.filled)
        let held = row.pointee.position.quantity &* request.side.sign
        let (open, overflow) = pending.addingReportingOverflow(request.quantity)
        let (worst, overflow2) = held.addingReportingOverflow(open)
        if overflow || overflow2 { return .positionAboveMaximumOfStrategy }
        if request.isReduceOnly && (worst > 0 || held >= 0) { return .notReducing }
        if account.funding == .cash && request.side == .sell && worst > 0 { return .notHeld }
        if worst > 0, let refusal = checkGrowth(request, place, worst, row, limit) { return refusal }
        guard place.isNew else { return nil }
        // An order that waited for the rate is among the open ones already.
        let own = place.replaced.id.value == 0 ? 0 : 1
        let isFull = Int(orders.byStrategy[strategy]) - own >= shares[strategy].openOrders
        return isFull ? .tooManyOpenOrdersOfStrategy : nil
    }

    /// The side of the strategy's position that the order enlarges.
    private func checkGrowth(
        _ request: OrderRequest, _ place: Place, _ worst: Int64, _ row: UnsafeMutablePointer<StrategyRow>,
        _ limit: UnsafeMutablePointer<StrategyInstrumentLimits>
    ) -> Refusal? {
        if worst > limit.pointee.position { return .positionAboveMaximumOfStrategy }
        let economics = place.record.pointee.economics
        let mark = RiskLedger.mark(place.record, before: ledger.rows[Int(place.record.pointee.index)].mark)
        let parts = economics.parts(mark, worst)
        if parts > limit.pointee.positionParts { return .positionAboveMaximumOfStrategy }
        let value = RiskLedger.bounded(parts.multipliedSaturating(by: economics.scale))
        let share = shares + Int(request.strategy)
        let before = row.pointee.value, totals = share.pointee.totals
        let growth = value - before.gross
        if growth > 0 && totals.gross + growth > share.pointee.gross { return .grossExposureAboveMaximumOfStrategy }
        let net =
            request.side == .buy ? totals.long - before.long + value : before.short - totals.short + value
        return net > share.pointee.net ? .netExposureAboveMaximumOfStrategy : nil
    }
}
