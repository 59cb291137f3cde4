import CApusRing
import Testing

@testable import Apus
@testable import ApusEngine

/// One of several strategies in a random life: a model that knows only what is its own, with its own limits.
struct RiskShare {
    static let names = ["maker", "taker"]
    static let dailyLoss = 7, drawdown = 6
    var model: RiskModel
    var peak: Int128 = 0
    var day = TradingDay()

    /// What a rule of the account's is called where it is a strategy's own.
    static let refusals: [Refusal: Refusal] = [
        .notionalAboveMaximum: .notionalAboveMaximumOfStrategy,
        .positionAboveMaximum: .positionAboveMaximumOfStrategy,
        .grossExposureAboveMaximum: .grossExposureAboveMaximumOfStrategy,
        .netExposureAboveMaximum: .netExposureAboveMaximumOfStrategy,
        .tooManyOpenOrders: .tooManyOpenOrdersOfStrategy, .rateExceeded: .strategyRateExceeded,
    ]
    /// Rules that hold for the account and for each strategy by the same name.
    static let common: Set<Refusal> = [.notReducing, .notHeld, .instrumentRateExceeded]

    init(_ contracts: [RiskModel.Contract], _ funding: Funding) {
        let one: Int128 = 1_000_000_000_000_000_000
        var own = contracts
        for index in own.indices { (own[index].maxQuantity, own[index].maxPosition) = (.max, .max) }
        model = RiskModel(
            own,
            RiskModel.Limits(
                orderValue: 35 * one, leastValue: 0, positionValue: 50 * one, band: 900_000, tradeBand: 1_000_000,
                bookAge: .max, ordersOfInstrument: .max, orders: 3, gross: 100 * one, net: 60 * one,
                perSecond: (15_000_000_000, 4), perMinute: (20_000_000_000, 3), leastLife: 0, funding: funding,
                leverage: 1_000_000, balances: [1_000_000 * one, 1_000_000 * one]))
    }

    /// The same limits for the gate.
    static func limit(_ limits: inout RiskLimits) {
        for name in names {
            var own = StrategyLimits()
            own.maxOrderNotional = Money(whole: 35)
            own.maxPositionNotional = Money(whole: 50)
            own.maxGrossExposure = Money(whole: 100)
            own.maxNetExposure = Money(whole: 60)
            own.maxOpenOrders = 3
            own.ordersPerMinute = 4
            own.maxDailyLoss = Money(whole: Int64(dailyLoss))
            own.maxDrawdown = Money(whole: Int64(drawdown))
            limits.strategies[name] = own
        }
    }

    /// What the wish breaks of the strategy's own, by the names of those rules.
    func broken(_ wish: RiskModel.Wish, changing id: UInt64?, now: UInt64) -> Set<Refusal> {
        let found = model.broken(wish, changing: id, model.account(), now: now)
        return Set(found.compactMap { Self.refusals[$0] }).union(found.intersection(Self.common))
    }
}

/// One random life of an engine, with the model beside it.
struct RiskLife {
    static let symbols = ["LINEAR", "INVERSE", "YES"]
    static let dailyLoss = 12, drawdown = 9
    /// Inverse contracts are rounded once for each fill that turns a position, and once more into quote value.
    static let rounding: Int128 = 100_000

    let bench: Bench
    var model: RiskModel
    /// By strategy; empty where one has everything.
    private var shares: [RiskShare]
    /// Which strategy placed an order.
    private var owners: [UInt64: Int] = [:]
    private(set) var problems: [String] = []
    private(set) var approved = 0
    /// Rules that an approved order has broken, by the model.
    private(set) var missed: Set<Refusal> = []
    private var random: SplitMix64
    private let funding: Funding
    private let weakness: Weakness?
    private var prices: [Int64] = [10_000, 10_000, 50]
    private var nextTrade: UInt64 = 1
    private var peak: Int128 = 0
    private var day = TradingDay()
    /// Answers that the venue owes, by order.
    private var unanswered: [UInt64: apus_report_kind] = [:]

    init(seed: UInt64, funding: Funding, weakness: Weakness? = nil, strategies: [String] = []) throws {
        random = SplitMix64(seed: seed)
        self.funding = funding
        self.weakness = weakness
        var limits = Self.limits
        limits.funding = funding
        limits.leverage = 2
        shares = strategies.map { _ in RiskShare(Self.contracts, funding) }
        if !strategies.isEmpty { RiskShare.limit(&limits) }
        weakness?.weaken(&limits)
        var definitions = Self.definitions
        if weakness == .orderQuantity { definitions[0].maxQuantity = nil }
        if weakness == .life { definitions = definitions.map { Self.patient($0, nil) } }
        bench = try Bench(
            slots: 4_096, instruments: definitions, limits: limits,
            strategies: strategies.isEmpty ? ["test"] : strategies
        ) {
            $0.otherFeeRate = Money(whole: 2)
        }
        model = RiskModel(Self.contracts, Self.modelLimits(funding))
        // Each strategy has its part of an instrument's rate, so that there is no common one.
        if !strategies.isEmpty { model.limits.perMinute = (0, 1) }
        for index in prices.indices { bench.feed.live(UInt16(index)) }
        for index in prices.indices { publishBook(index) }
        let balance = weakness == .cash ? 300 : 60
        bench.sink.report(APUS_REPORT_BALANCE, OrderID(0)) { $0.fee = Int64(balance) * 100_000_000 }
        bench.sink.report(APUS_REPORT_BALANCE, OrderID(0)) {
            $0.fee = 40_000_000
            $0.instrument = 1
        }
        bench.turn()
        // A trading day ends within the life.
        bench.feed.now = 86_400_000_000_000 - 200_000_000_000
        for index in prices.indices { publishBook(index) }
        bench.turn()
        day = bench.agent.day
        for number in shares.indices { shares[number].day = bench.agent.gate.pointee.day(of: number) }
    }

    private static var limits: RiskLimits {
        var limits = RiskLimits()
        limits.minOrderNotional = Money(whole: 2)
        limits.maxOrderNotional = Money(whole: 40)
        limits.maxPositionNotional = Money(whole: 90)
        limits.instruments["LINEAR"] = InstrumentLimits()
        limits.instruments["LINEAR"]?.maxPosition = ExactDecimal(digits: 7, decimals: 1)
        limits.priceBandPpm = 30_000
        limits.tradeBandPpm = 20_000
        limits.maxBookAgeMs = 8_000
        limits.maxInstrumentOrders = 4
        limits.maxOpenOrders = 6
        limits.maxGrossExposure = Money(whole: 170)
        limits.maxNetExposure = Money(whole: 100)
        limits.maxDailyLoss = Money(whole: Int64(dailyLoss))
        limits.maxDrawdown = Money(whole: Int64(drawdown))
        limits.lossState = .reducing
        limits.ordersPerSecond = 2
        limits.orderBurst = 2
        limits.ordersPerMinute = 6
        return limits
    }

    private static func patient(_ definition: InstrumentDefinition, _ seconds: Int?) -> InstrumentDefinition {
        var changed = definition
        changed.minLifetimeSeconds = seconds
        return changed
    }

    private static var definitions: [InstrumentDefinition] {
        var linear = definition("LINEAR")
        linear.maxQuantity = ExactDecimal(digits: 350, decimals: 3)
        var inverse = InstrumentDefinition(
            symbol: "INVERSE", venue: "test", contract: .inverse, priceDecimals: 2, quantityDecimals: 0,
            tick: ExactDecimal(digits: 1, decimals: 1), lot: ExactDecimal(digits: 1), multiplier: 10)
        inverse.settlementAsset = "BTC"
        let outcome = InstrumentDefinition(
            symbol: "YES", venue: "test", contract: .binary, priceDecimals: 2, quantityDecimals: 2,
            tick: ExactDecimal(digits: 1, decimals: 2), lot: ExactDecimal(digits: 5))
        return [linear, inverse, outcome].map { patient($0, 30) }
    }

    private static var contracts: [RiskModel.Contract] {
        [
            .init(kind: .linear, priceDecimals: 2, quantityDecimals: 3, maxQuantity: 350, maxPosition: 700),
            .init(kind: .inverse, priceDecimals: 2, quantityDecimals: 0, multiplier: 10, asset: 1, tick: 10),
            .init(kind: .binary, priceDecimals: 2, quantityDecimals: 2, lot: 500, minQuantity: 500),
        ]
    }

    private static func modelLimits(_ funding: Funding) -> RiskModel.Limits {
        let one: Int128 = 1_000_000_000_000_000_000
        return RiskModel.Limits(
            orderValue: 40 * one, leastValue: 2 * one, positionValue: 90 * one, band: 30_000,
            tradeBand: 20_000, bookAge: 8_000_000_000, ordersOfInstrument: 4, orders: 6, gross: 170 * one,
            net: 100 * one, perSecond: (500_000_000, 2), perMinute: (10_000_000_000, 6), leastLife: 30_000_000_000,
            funding: funding, leverage: 2, balances: [60 * one, 4 * one / 10])
    }

    // MARK: The world

    mutating func step() throws {
        while bench.sink.next() != nil {}
        bench.feed.now += 1 + random.upTo(random.upTo(9) == 0 ? 3_000_000_000 : 400_000_000)
        switch random.upTo(99) {
        case 0..<30: moveBook()
        case 30..<36: trade()
        case 36..<70: place()
        case 70..<77: change()
        case 77..<81: cancel()
        case 81..<94: answer()
        case 94: fund()
        case 95: setState()
        default:
            resume()
            resumeShares()
        }
        try follow()
    }

    private mutating func publishBook(_ index: Int) {
        let bid = prices[index], ask = bid + Int64(1 + random.upTo(2)) * (index == 1 ? 10 : 1)
        bench.feed.book([(bid, 1_000)], [(ask, 1_000)], UInt16(index))
        note(.book(index, bid: bid, ask: ask, time: bench.feed.now))
    }

    /// Inverse contracts are not paid in full.
    private mutating func anyInstrument() -> Int {
        funding == .cash ? 2 * Int(random.upTo(1)) : Int(random.upTo(2))
    }

    private mutating func moveBook() {
        let index = Int(random.upTo(2))
        let most: Int64 = [150, 150, 1][index], step = Int64(random.upTo(UInt64(2 * most))) - most
        let next = prices[index] + (index == 1 ? step / 10 * 10 : step)
        prices[index] = index == 2 ? min(max(next, 5), 95) : min(max(next, 5_000), 20_000)
        publishBook(index)
        bench.turn()
    }

    private mutating func trade() {
        let index = Int(random.upTo(2))
        let away = (Int64(random.upTo(4)) - 2) * [60, 60, 1][index]
        bench.feed.trade(prices[index] + away, 1, taker: .buy, UInt16(index))
        note(.trade(index, prices[index] + away))
        bench.turn()
    }

    private mutating func fund() {
        let index = Int(random.upTo(2)), paid = Int64(random.upTo(10_000_000)) - 4_000_000
        bench.sink.report(APUS_REPORT_FUNDING, OrderID(0)) {
            $0.fee = index == 1 ? paid / 100 : paid
            $0.instrument = UInt16(index)
            $0.trade_id = nextTrade
        }
        nextTrade += 1
        let amount = Int128(index == 1 ? paid / 100 : paid) * 10_000_000_000, held = model.account().held[index]
        model.note(.funding(index, amount))
        for number in shares.indices where held != 0 {
            // By what each one holds, rounded to nearest.
            let twice = 2 * amount * Int128(shares[number].model.account().held[index]) * Int128(held.signum())
            let whole = 2 * Int128(abs(held)), half = twice < 0 ? -whole / 2 : whole / 2
            shares[number].model.note(.funding(index, (twice + half) / whole))
        }
        bench.turn()
    }

    private mutating func setState() {
        apus_flag_set(bench.sink.queues.pointee.trading, random.upTo(3) == 0 ? 1 + random.upTo(1) : 0)
        bench.turn()
    }

    private mutating func resume() {
        if day.trip == nil || random.upTo(2) == 0 { return }
        bench.agent.resumeAfterTrip()
    }

    private mutating func resumeShares() {
        for number in shares.indices where shares[number].day.trip != nil && random.upTo(2) == 0 {
            bench.agent.resumeAfterTrip(ofStrategy: RiskShare.names[number])
        }
    }

    /// An event that the account and every strategy know of.
    private mutating func note(_ event: RiskModel.Event) {
        model.note(event)
        for number in shares.indices { shares[number].model.note(event) }
    }

    /// An event of one order.
    private mutating func note(_ event: RiskModel.Event, of order: UInt64) {
        model.note(event)
        if let owner = owners[order] { shares[owner].model.note(event) }
    }

    // MARK: Orders

    private mutating func quantity(_ index: Int) -> Int64 {
        switch random.upTo(29) {
        case 0: return Int64(random.upTo(4)) - 2
        case 1: return [400, 6, 12_500][index]
        default: return Int64(1 + random.upTo(9)) * [36, 1, 500][index] + (random.upTo(29) == 0 ? 3 : 0)
        }
    }

    private mutating func wish() -> RiskModel.Wish {
        let index = anyInstrument(), side: Side = random.upTo(1) == 0 ? .buy : .sell
        let isMarket = random.upTo(9) == 0 && funding != .cash
        let unit: Int64 = [15, 10, 1][index]
        var price = prices[index] + (Int64(random.upTo(20)) - 10) * unit * (random.upTo(5) == 0 ? 3 : 1)
        if index == 2 { price = prices[index] + Int64(random.upTo(4)) - 2 }
        if random.upTo(60) == 0 { price = random.upTo(1) == 0 ? 0 : price + 3 }
        let forces: [TimeInForce] = [
            .goodTillCanceled, .goodTillCanceled, .goodTillCanceled, .postOnly, .immediateOrCancel, .fillOrKill,
        ]
        let life = random.upTo(9) == 0 && !isMarket ? 1_000_000_000 * (20 + random.upTo(30)) : nil
        return RiskModel.Wish(
            instrument: index, side: side, type: isMarket ? .market : .limit,
            timeInForce: isMarket ? .immediateOrCancel : forces[Int(random.upTo(5))],
            isReduceOnly: random.upTo(6) == 0, price: isMarket ? 0 : price, quantity: quantity(index), life: life)
    }

    private mutating func place() {
        let wish = wish()
        let now = bench.context.now
        let owner = shares.isEmpty ? nil : Int(random.upTo(UInt64(shares.count - 1)))
        let context = owner.map { bench.context(of: $0) } ?? bench.context
        let placement: Placement
        let instrument = bench.context.instruments[wish.instrument]
        if wish.type == .market {
            placement = context.market(
                wish.side, Quantity(units: wish.quantity), of: instrument, reduceOnly: wish.isReduceOnly)
        } else {
            placement = context.limit(
                wish.side, Quantity(units: wish.quantity), of: instrument, at: Price(units: wish.price),
                wish.timeInForce, reduceOnly: wish.isReduceOnly,
                expiresAfter: wish.life.map { .nanoseconds(Int64($0)) })
        }
        judge(placement, wish, nil, now, owner)
        guard let id = placement.id?.value else { return }
        owners[id] = owner
        note(.placed(id, wish), of: id)
        note(.token(wish.instrument, now), of: id)
        unanswered[id] = APUS_REPORT_ACCEPTED
    }

    private mutating func change() {
        guard let order = anyOrder(where: { $0.state == .live || $0.state == .partiallyFilled }) else { return }
        var wish = wish()
        guard let known = model.account().orders[order.id.value] else { return }
        (wish.instrument, wish.side, wish.type) = (known.wish.instrument, known.wish.side, known.wish.type)
        (wish.timeInForce, wish.isReduceOnly) = (known.wish.timeInForce, known.wish.isReduceOnly)
        wish.life = nil
        wish.price = known.wish.price + (Int64(random.upTo(6)) - 3) * [15, 10, 1][wish.instrument]
        wish.quantity = known.filled + quantity(wish.instrument)
        guard wish.quantity > known.filled, order.expiry == nil, unanswered[order.id.value] == nil else { return }
        let now = bench.context.now
        let owner = owners[order.id.value]
        let placement = (owner.map { bench.context(of: $0) } ?? bench.context).modify(
            order.id, price: Price(units: wish.price), quantity: Quantity(units: wish.quantity))
        judge(placement, wish, order.id.value, now, owner)
        guard placement.id != nil else { return }
        note(.changing(order.id.value, price: wish.price, quantity: wish.quantity), of: order.id.value)
        note(.token(wish.instrument, now), of: order.id.value)
        unanswered[order.id.value] = APUS_REPORT_MODIFIED
    }

    private mutating func cancel() {
        guard let order = anyOrder(where: { $0.state != .pendingCancel && $0.state != .pendingModify }) else { return }
        if bench.context.cancel(order.id).id == nil { problems.append("a cancel was refused") }
        unanswered[order.id.value] = APUS_REPORT_CANCELED
    }

    private mutating func anyOrder(where isWanted: (Order) -> Bool) -> Order? {
        let orders = bench.context.openOrders.filter(isWanted)
        return orders.isEmpty ? nil : orders[Int(random.upTo(UInt64(orders.count - 1)))]
    }

    // MARK: The venue

    private mutating func answer() {
        guard let order = anyOrder(where: { _ in true }) else { return }
        let id = order.id.value
        let known = model.account().orders[id]
        switch random.upTo(9) {
        case 0..<6: if let known { fill(order, known) }
        case 6..<9: settle(order)
        default:
            bench.sink.report(APUS_REPORT_EXPIRED, order.id) {
                ($0.cumulative, $0.quantity) = (order.filled.units, 0)
            }
            note(.ended(id), of: id)
            unanswered[id] = nil
        }
        bench.turn()
    }

    private mutating func settle(_ order: Order) {
        let id = order.id.value
        guard let kind = unanswered.removeValue(forKey: id) else { return }
        switch kind {
        case APUS_REPORT_MODIFIED where random.upTo(2) == 0:
            bench.sink.report(APUS_REPORT_MODIFY_REJECTED, order.id) {
                $0.action = UInt8(APUS_ORDER_MODIFY.rawValue)
                $0.status = UInt8(APUS_STATUS_NEW.rawValue)
            }
            note(.changeRefused(id), of: id)
        case APUS_REPORT_MODIFIED:
            let wanted = model.account().orders[id]?.wanted
            bench.sink.report(APUS_REPORT_MODIFIED, order.id) {
                $0.action = UInt8(APUS_ORDER_MODIFY.rawValue)
                ($0.price, $0.quantity) = (wanted?.price ?? 0, wanted?.quantity ?? 0)
                $0.cumulative = order.filled.units
            }
            note(.changed(id), of: id)
        case APUS_REPORT_CANCELED:
            bench.sink.report(kind, order.id) { $0.cumulative = order.filled.units }
            note(.ended(id), of: id)
        default: bench.sink.report(kind, order.id)
        }
    }

    private mutating func fill(_ order: Order, _ known: RiskModel.OpenOrder) {
        let most = min(known.wish.quantity, known.wanted?.quantity ?? .max) - known.filled
        guard most > 0 else { return }
        let index = known.wish.instrument
        let quantity = random.upTo(1) == 0 ? most : 1 + Int64(random.upTo(UInt64(most - 1)))
        let price = known.wish.price > 0 ? known.wish.price : prices[index]
        let isOther = random.upTo(4) == 0, fee = Int64(random.upTo(2_000_000)) - 300_000
        bench.fill(
            order.id, quantity, trade: nextTrade, cumulative: known.filled + quantity, price: price,
            fee: index == 1 ? fee / 100 : fee, isOther: isOther)
        nextTrade += 1
        let paid = Int128(index == 1 ? fee / 100 : fee) * 10_000_000_000
        note(
            .fill(order.id.value, price: price, quantity: quantity, fee: isOther ? 2 * paid : paid),
            of: order.id.value)
    }

    // MARK: Both verdicts

    private mutating func judge(
        _ placement: Placement, _ wish: RiskModel.Wish, _ id: UInt64?, _ now: UInt64, _ owner: Int?
    ) {
        let account = model.account()
        followDay(model.result(account))
        var broken = model.broken(wish, changing: id, account, now: now)
        broken.formUnion(brokenStates(wish, model.result(account)))
        if let owner {
            followDay(ofShare: owner)
            broken.formUnion(shares[owner].broken(wish, changing: id, now: now))
            let isHalted = apus_flag(bench.sink.queues.pointee.trading) >= UInt64(APUS_TRADING_HALTED.rawValue)
            if isLost(owner) && (!wish.isReduceOnly || isHalted) { broken.insert(.dayLossOfStrategyReached) }
        }
        switch placement {
        case .placed:
            approved += 1
            missed.formUnion(broken)
            peak = max(peak, model.result(account))
            for number in shares.indices {
                let own = shares[number].model
                shares[number].peak = max(shares[number].peak, own.result(own.account()))
            }
            if weakness == nil && !broken.isEmpty { problems.append("approved \(wish), which breaks \(broken)") }
        case .refused(let refusal):
            if weakness == nil && !broken.contains(refusal) {
                problems.append("refused \(wish) as \(refusal), which breaks \(broken)")
            }
        }
    }

    private func brokenStates(_ wish: RiskModel.Wish, _ result: Int128) -> Set<Refusal> {
        let word = TradingState(rawValue: UInt8(apus_flag(bench.sink.queues.pointee.trading))) ?? .halted
        let one = Money.one
        let isLost =
            bench.agent.day.trip != nil || result < day.start.atoms - Int128(Self.dailyLoss) * one
            || result < max(peak, day.start.atoms) - Int128(Self.drawdown) * one
        var broken: Set<Refusal> = []
        if isLost && (!wish.isReduceOnly || word == .halted) { broken.insert(.dayLossReached) }
        if word == .halted { broken.insert(.killed) }
        if word == .reducing && !wish.isReduceOnly { broken.insert(.onlyReducing) }
        return broken
    }

    /// As a limit of the day of one strategy's own is reached.
    private func isLost(_ owner: Int) -> Bool {
        let share = shares[owner], one = Money.one, result = share.model.result(share.model.account())
        return share.day.trip != nil || result < share.day.start.atoms - Int128(RiskShare.dailyLoss) * one
            || result < max(share.peak, share.day.start.atoms) - Int128(RiskShare.drawdown) * one
    }

    private mutating func followDay(ofShare owner: Int) {
        let new = bench.agent.gate.pointee.day(of: owner), old = shares[owner].day
        let result = shares[owner].model.result(shares[owner].model.account())
        if new.number != old.number || (old.trip != nil && new.trip == nil) {
            shares[owner].peak = new.start.atoms
        } else if old.trip == nil, let trip = new.trip, weakness == nil {
            let floor =
                trip == .dailyLoss
                ? new.start - Money(whole: Int64(RiskShare.dailyLoss))
                : new.peak - Money(whole: Int64(RiskShare.drawdown))
            if result >= floor.atoms + Self.rounding {
                problems.append("\(RiskShare.names[owner]) tripped by \(trip) at \(result), above \(floor)")
            }
        }
        shares[owner].day = new
    }

    /// What each strategy has, and that all of them together have what the account has.
    private mutating func followShares(_ held: [Int64]) {
        var sums = [Int64](repeating: 0, count: held.count)
        for number in shares.indices {
            let own = shares[number].model, account = own.account(), result = own.result(account)
            let known = bench.agent.gate.pointee.shares[number].totals.result
            let name = RiskShare.names[number]
            if abs(known - result) > Self.rounding {
                problems.append("the result of \(name) is \(result), the gate says \(known)")
            }
            let context = bench.context(of: number)
            let positions = context.instruments.map { context.position(of: $0).quantity.units }
            if positions != account.held { problems.append("\(name) holds \(account.held), not \(positions)") }
            for index in sums.indices { sums[index] += positions[index] }
            if context.openOrders.count != account.orders.count
                || Array(context.openOrders).count != account.orders.count
            {
                problems.append("\(name) has \(account.orders.count) open orders, not \(context.openOrders.count)")
            }
        }
        if !shares.isEmpty && sums != held { problems.append("the strategies hold \(sums), the account \(held)") }
    }

    /// After each step: the result, and what has become of the trading day.
    private mutating func follow() throws {
        let isDue = random.upTo(19) == 0
        let new = bench.agent.day
        for number in shares.indices {
            let own = bench.agent.gate.pointee.day(of: number)
            if own.number != shares[number].day.number || own.trip != shares[number].day.trip {
                followDay(ofShare: number)
            }
        }
        guard isDue || new.number != day.number || new.trip != day.trip else { return }
        let account = model.account()
        let result = model.result(account)
        followDay(result)
        guard isDue else { return }
        _ = bench.agent.gate.pointee.ledger.settle()
        let known = bench.agent.gate.pointee.ledger.totals.pointee.result
        if abs(known - result) > Self.rounding { problems.append("the result is \(result), the gate says \(known)") }
        let held = bench.context.instruments.map { bench.context.position(of: $0).quantity.units }
        if held != account.held { problems.append("held is \(account.held), the engine says \(held)") }
        followShares(held)
        if bench.context.openOrders.count != account.orders.count {
            problems.append(
                "\(account.orders.count) orders are open, the engine says \(bench.context.openOrders.count)")
        }
    }

    /// A day begins at the result of that moment, and a trip is one.
    private mutating func followDay(_ result: Int128) {
        let new = bench.agent.day
        if new.number != day.number || (day.trip != nil && new.trip == nil) {
            peak = new.start.atoms
            if abs(peak - result) > Self.rounding { problems.append("a day begins at \(new.start), not \(result)") }
        } else if day.trip == nil, let trip = new.trip, weakness == nil {
            let floor =
                trip == .dailyLoss
                ? new.start - Money(whole: Int64(Self.dailyLoss)) : new.peak - Money(whole: Int64(Self.drawdown))
            if result >= floor.atoms { problems.append("tripped by \(trip) at \(result), above \(floor)") }
        }
        day = new
    }
}
