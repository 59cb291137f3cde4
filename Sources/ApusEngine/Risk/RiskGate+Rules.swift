internal import Apus
internal import CApusRing

/// One order on its way through the rules.
struct Place {
    let record: UnsafeMutablePointer<InstrumentRecord>
    let limit: UnsafeMutablePointer<ResolvedLimits>
    /// The order's price; of a market order what it meets first.
    let price: Int64
    let replaced: Replaced
    let isNew: Bool
    let openOrders: Int
    let now: UInt64
}

/// The prices that an order may have: around the touch, and around the newest trade. The guard in C holds the order
/// against it once more.
struct PriceBand {
    /// Within both.
    let low: Int64
    let high: Int64
    private let bookLow: Int64
    private let bookHigh: Int64

    /// Rounded inwards; empty when the book is.
    @inline(__always)
    init(_ record: UnsafeMutablePointer<InstrumentRecord>, _ limit: UnsafeMutablePointer<ResolvedLimits>) {
        let touch = record.pointee.touch
        if touch.bidQuantity == 0 && touch.askQuantity == 0 {
            (low, high, bookLow, bookHigh) = (1, 0, 1, 0)
            return
        }
        let bid = touch.bidQuantity != 0 ? touch.bidPrice : touch.askPrice
        let ask = touch.askQuantity != 0 ? touch.askPrice : touch.bidPrice
        let least = min(bid, ask), most = max(bid, ask)
        bookLow = least - Self.part(least, limit.pointee.bandPpm)
        bookHigh = most.addingReportingOverflow(Self.part(most, limit.pointee.bandPpm)).partialValue
        let trade = record.pointee.lastTrade, ppm = limit.pointee.tradeBandPpm
        if trade <= 0 || ppm == 1_000_000 {
            (low, high) = (bookLow, bookHigh)
        } else {
            low = max(bookLow, trade - Self.part(trade, ppm))
            high = min(bookHigh, trade.addingReportingOverflow(Self.part(trade, ppm)).partialValue)
        }
    }

    /// The edges as prices that an order of that instrument can have. Of an outcome they are ticks, as a market order's limit is one of
    /// them and names it: a finer tick that comes later changes nothing of it.
    @inline(__always)
    func edges(_ record: UnsafeMutablePointer<InstrumentRecord>) -> (low: Int64, high: Int64) {
        guard record.pointee.economics.contract == .binary else { return (low, high) }
        let tick = record.pointee.tick
        let lowest = max(low, tick), highest = min(high, record.pointee.maxPrice)
        return (lowest + (tick - lowest % tick) % tick, highest - highest % tick)
    }

    @inline(__always)
    func refusal(_ price: Int64) -> Refusal? {
        if price >= low && price <= high { return nil }
        return price < bookLow || price > bookHigh ? .priceOutsideBand : .priceFarFromTrade
    }

    /// price · ppm / 10^6, rounded down, without overflow for any price that is not negative.
    @inline(__always)
    private static func part(_ price: Int64, _ ppm: Int64) -> Int64 {
        let whole = price / 1_000_000, rest = price % 1_000_000
        return whole * ppm + rest * ppm / 1_000_000
    }
}

/// Limits of the account, and how its order rates are shared out, made ready.
struct AccountLimits {
    let openOrders: Int
    let gross: Int128
    let net: Int128
    let leverage: Int
    let funding: Funding
    private let shares: [Int]
    private let wholeShare: Int

    init(_ limits: RiskLimits, strategies: [String]) {
        let own = strategies.map { limits.strategies[$0] ?? StrategyLimits() }
        shares = own.map { $0.rateShare ?? 1 }
        wholeShare = max(shares.reduce(0, +), 1)
        gross = limits.maxGrossExposure.atoms
        net = limits.maxNetExposure.atoms
        leverage = limits.leverage
        funding = limits.funding
        openOrders = limits.maxOpenOrders
    }

    /// A strategy's part of an instrument's order rate.
    func bucket(_ perMinute: Int, _ strategy: Int) -> TokenBucket {
        TokenBucket(perMinute: perMinute, share: shares[strategy], of: wholeShare)
    }
}

/// Between which prices none of our own resting orders of an instrument stands. The bounds may be too narrow: then the
/// open orders are looked through, and the bounds set anew.
struct OwnPrices {
    var highestBuy = Int64.min
    var lowestSell = Int64.max
}

/// The open orders, without counting references.
struct OpenOrderView {
    let records: UnsafeMutablePointer<OrderRecord>
    let open: UnsafeMutablePointer<UInt32>
    let byStrategy: UnsafeMutablePointer<Int32>

    init(_ table: OrderTable) {
        records = table.records
        open = table.open
        byStrategy = table.openByStrategy
    }
}

extension RiskGate {
    func check(_ request: OrderRequest, _ place: Place, _ band: PriceBand) -> Refusal? {
        if let refusal = checkState(request, place) { return refusal }
        if let refusal = checkBook(place) { return refusal }
        if let refusal = checkQuantity(request.quantity, place) { return refusal }
        if let refusal = checkPrice(request, place, band) { return refusal }
        if request.expiry != 0, let refusal = checkExpiry(request, place) { return refusal }
        if let refusal = checkOwnOrders(request, place, band) { return refusal }
        if let refusal = checkExposure(request, place) { return refusal }
        if rows.isSplit, let refusal = checkStrategy(request, place) { return refusal }
        if place.isNew, let refusal = checkOpenOrders(request, place) { return refusal }
        return checkRates(request, place)
    }

    @inline(__always)
    private func checkState(_ request: OrderRequest, _ place: Place) -> Refusal? {
        let state = state(of: Int(request.strategy))
        if state != .active {
            if state == .halted || !request.isReduceOnly {
                if watch.day.trip != nil { return .dayLossReached }
                if rows.isSplit && hasTripped(request.strategy) { return .dayLossOfStrategyReached }
                return state == .halted ? .killed : .onlyReducing
            }
        }
        if isStopped { return .killed }
        return nil
    }

    @inline(__always)
    private func checkBook(_ place: Place) -> Refusal? {
        let record = place.record
        if record.pointee.state != .live { return .bookNotLive }
        let published = record.pointee.publishTime
        if place.now > published && place.now - published > place.limit.pointee.bookAge { return .bookTooOld }
        return nil
    }

    @inline(__always)
    private func checkQuantity(_ quantity: Int64, _ place: Place) -> Refusal? {
        if quantity <= 0 { return .quantityNotPositive }
        let lot = place.record.pointee.lot
        if lot != 1 && quantity % lot != 0 { return .quantityOffLot }
        if quantity > place.limit.pointee.orderQuantity { return .quantityAboveMaximum }
        if quantity < place.record.pointee.minQuantity { return .quantityBelowMinimum }
        return nil
    }

    @inline(__always)
    private func checkPrice(_ request: OrderRequest, _ place: Place, _ band: PriceBand) -> Refusal? {
        let record = place.record, price = place.price
        if request.type == .market {
            if price == 0 { return .priceOutsideBand }
        } else {
            if price <= 0 { return .priceNotPositive }
            let tick = record.pointee.tick
            if tick != 1 && price % tick != 0 { return .priceOffTick }
            if price < record.pointee.minPrice { return .priceBelowMinimum }
            if price > record.pointee.maxPrice { return .priceAboveMaximum }
        }
        if let refusal = band.refusal(price) { return refusal }
        if request.timeInForce == .postOnly && wouldTake(request.side, price, record.pointee.touch) {
            return .postOnlyWouldTake
        }
        let parts = record.pointee.economics.parts(price, request.quantity)
        if parts > place.limit.pointee.orderParts { return .notionalAboveMaximum }
        if parts < place.limit.pointee.minOrderParts && !request.isReduceOnly { return .notionalBelowMinimum }
        return nil
    }

    private func wouldTake(_ side: Side, _ price: Int64, _ touch: Touch) -> Bool {
        side == .buy
            ? touch.askQuantity != 0 && price >= touch.askPrice : touch.bidQuantity != 0 && price <= touch.bidPrice
    }

    private func checkExpiry(_ request: OrderRequest, _ place: Place) -> Refusal? {
        guard request.type == .limit, request.timeInForce == .goodTillCanceled || request.timeInForce == .postOnly
        else { return .expiryWithoutRest }
        let rest = request.expiry > place.now ? request.expiry - place.now : 0
        // A change leaves the end where it is.
        let least = place.isNew ? place.record.pointee.minLifetime : 0
        return rest == 0 || rest < least ? .expiryTooSoon : nil
    }

    // MARK: Own orders

    @inline(__always)
    private func checkOwnOrders(_ request: OrderRequest, _ place: Place, _ band: PriceBand) -> Refusal? {
        let own = ownPrices[Int(place.record.pointee.index)]
        if request.side == .buy {
            let reach = request.type == .market ? band.high : place.price
            return reach < own.lowestSell ? nil : lookForOwn(request, place, reach)
        }
        let reach = request.type == .market ? band.low : place.price
        return reach > own.highestBuy ? nil : lookForOwn(request, place, reach)
    }

    /// Looks through the open orders for one on the other side that the order could reach.
    private func lookForOwn(_ request: OrderRequest, _ place: Place, _ reach: Int64) -> Refusal? {
        var best = request.side == .buy ? Int64.max : Int64.min
        for at in 0..<place.openOrders {
            let record = orders.records + Int(orders.open[at])
            let order = record.pointer(to: \.order)!
            guard order.pointee.instrument == request.instrument, order.pointee.side != request.side,
                order.pointee.mayRest
            else { continue }
            let price = order.pointee.price.units
            let wanted = record.pointee.mayHaveChanged ? record.pointee.wantedPrice : price
            best = request.side == .buy ? min(best, price, wanted) : max(best, price, wanted)
        }
        let own = ownPrices + Int(place.record.pointee.index)
        if request.side == .buy { own.pointee.lowestSell = best } else { own.pointee.highestBuy = best }
        let isReached = request.side == .buy ? reach >= best : reach <= best
        return isReached ? .wouldMeetOwnOrder : nil
    }

    /// An order that may rest is looked for from now on.
    @inline(__always)
    func remember(_ request: OrderRequest, _ record: UnsafeMutablePointer<InstrumentRecord>) {
        if request.timeInForce == .goodTillCanceled || request.timeInForce == .postOnly {
            noteResting(request.side, request.price, record)
        }
    }

    /// An order that was not approved here: of an earlier run.
    func adopt(_ record: UnsafeMutablePointer<OrderRecord>) {
        let order = record.pointee.order
        guard order.mayRest else { return }
        noteResting(order.side, order.price.units, order.instrument.record)
        if record.pointee.mayHaveChanged {
            noteResting(order.side, record.pointee.wantedPrice, order.instrument.record)
        }
    }

    @inline(__always)
    private func noteResting(_ side: Side, _ price: Int64, _ record: UnsafeMutablePointer<InstrumentRecord>) {
        let own = ownPrices + Int(record.pointee.index)
        if side == .buy {
            own.pointee.highestBuy = max(own.pointee.highestBuy, price)
        } else {
            own.pointee.lowestSell = min(own.pointee.lowestSell, price)
        }
    }

    // MARK: What it could come to

    @inline(__always)
    private func checkExposure(_ request: OrderRequest, _ place: Place) -> Refusal? {
        let record = place.record, replaced = place.replaced
        let pending =
            (request.side == .buy ? record.pointee.openBuys : record.pointee.openSells)
            - (replaced.reserved &+ replaced.filled)
        let held = record.pointee.position.quantity &* request.side.sign
        let (open, overflow) = pending.addingReportingOverflow(request.quantity)
        let (worst, overflow2) = held.addingReportingOverflow(open)
        if overflow || overflow2 { return .positionAboveMaximum }
        if request.isReduceOnly && (worst > 0 || held >= 0) { return .notReducing }
        if account.funding == .cash, let refusal = checkCash(request, place, worst) { return refusal }
        return worst > 0 ? checkGrowth(request, place, worst) : nil
    }

    /// The side of the position that the order enlarges.
    @inline(__always)
    private func checkGrowth(_ request: OrderRequest, _ place: Place, _ worst: Int64) -> Refusal? {
        if worst > place.limit.pointee.position { return .positionAboveMaximum }
        let economics = place.record.pointee.economics
        let row = ledger.rows + Int(place.record.pointee.index)
        let mark = RiskLedger.mark(place.record, before: row.pointee.mark)
        let parts = economics.parts(mark, worst)
        if parts > place.limit.pointee.positionParts { return .positionAboveMaximum }
        // No overflow: so many parts are worth at most the limit of the position.
        let value = RiskLedger.bounded(parts &* economics.scale)
        let totals = ledger.totals
        let growth = value - row.pointee.gross
        if growth > 0 && totals.pointee.gross + growth > account.gross { return .grossExposureAboveMaximum }
        let net =
            request.side == .buy
            ? totals.pointee.long - row.pointee.long + value : row.pointee.short - totals.pointee.short + value
        if net > account.net { return .netExposureAboveMaximum }
        if account.funding == .margin { return checkMargin(place, mark, worst, value) }
        return nil
    }

    private func checkMargin(_ place: Place, _ mark: Int64, _ worst: Int64, _ value: Int128) -> Refusal? {
        let row = ledger.rows + Int(place.record.pointee.index)
        let purse = ledger.purses + row.pointee.purse
        guard purse.pointee.isKnown else { return nil }
        let economics = place.record.pointee.economics
        let used = economics.isInverse ? RiskLedger.bounded(economics.value(mark, worst)) : value
        let growth = used - row.pointee.used
        return growth > 0 && purse.pointee.used + growth > purse.pointee.cover(account.leverage) ? .balanceTooLow : nil
    }

    private func checkCash(_ request: OrderRequest, _ place: Place, _ worst: Int64) -> Refusal? {
        if request.side == .sell { return worst > 0 ? .notHeld : nil }
        let row = ledger.rows + Int(place.record.pointee.index)
        let purse = ledger.purses + row.pointee.purse
        guard purse.pointee.isKnown else { return nil }
        let price = max(place.price, place.replaced.price)
        let quantity = max(request.quantity, place.replaced.quantity) - place.replaced.filled
        let cost = RiskLedger.bounded(place.record.pointee.economics.value(price, quantity))
        return purse.pointee.used - place.replaced.cost + cost > purse.pointee.balance ? .balanceTooLow : nil
    }

    // MARK: How many, how often

    @inline(__always)
    private func checkOpenOrders(_ request: OrderRequest, _ place: Place) -> Refusal? {
        // An order that waited for the rate is among the open ones already.
        let own = place.replaced.id.value == 0 ? 0 : 1
        if place.openOrders - own >= account.openOrders { return .tooManyOpenOrders }
        if place.record.pointee.openOrders - Int32(own) >= place.limit.pointee.openOrders {
            return .tooManyOpenOrdersOfInstrument
        }
        return nil
    }

    @inline(__always)
    private func checkRates(_ request: OrderRequest, _ place: Place) -> Refusal? {
        if !rate.allows(place.now) { return .rateExceeded }
        if !rates[bucket(place.record, request.strategy)].allows(place.now) { return .instrumentRateExceeded }
        if rows.isSplit && !shares[Int(request.strategy)].rate.allows(place.now) { return .strategyRateExceeded }
        return breakerCondition == nil ? nil : checkBreaker(place)
    }

    /// The last of all: an order that passes a half-open breaker is one of its few probes.
    @inline(__always)
    private func checkBreaker(_ place: Place) -> Refusal? {
        guard let breakerCondition, let breaker, apus_flag(breakerCondition) & 0xFF != 0 else { return nil }
        return breaker._withUnsafeGuaranteedRef { $0.allows(place.now) } ? nil : .breakerOpen
    }
}

extension OrderRecord {
    /// Whether a change may have reached the venue that is not confirmed.
    var mayHaveChanged: Bool { order.state == .pendingModify || isChangeInDoubt }
}

extension Order {
    /// Whether it stays in the book when it cannot be filled at once.
    var mayRest: Bool { timeInForce == .goodTillCanceled || timeInForce == .postOnly }
}
