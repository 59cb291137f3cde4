@testable import Apus
@testable import ApusEngine

/// What a slow and obvious risk department would say: it keeps the history of everything that happened and, for each
/// order, goes through all of it from the beginning, in plain 128-bit numbers. It shares no code with the gate.
struct RiskModel {
    struct Contract {
        var kind: ContractKind
        var priceDecimals: Int
        var quantityDecimals: Int
        var multiplier: Int128 = 1
        var asset = 0
        var tick: Int64 = 1
        var lot: Int64 = 1
        var minQuantity: Int64 = 1
        var maxQuantity: Int64 = .max
        var maxPosition: Int64 = .max

        private func power(_ exponent: Int) -> Int128 { (0..<exponent).reduce(1) { power, _ in power * 10 } }

        /// In the quote asset.
        func quote(_ price: Int64, _ quantity: Int64) -> Int128 {
            if kind == .inverse { return Int128(quantity) * multiplier * power(18 - quantityDecimals) }
            return Int128(price) * Int128(quantity) * multiplier * power(18 - priceDecimals - quantityDecimals)
        }

        /// In the settlement asset, at the middle of two prices.
        func settled(_ low: Int64, _ high: Int64, _ quantity: Int64) -> Int128 {
            let twice = Int128(low) + Int128(high)
            if kind == .inverse {
                return nearest(quote(1, quantity) * 2 * power(priceDecimals), twice)
            }
            return nearest(quote(1, quantity) * twice, 2)
        }

        /// The base asset's worth in the quote asset.
        func quoted(_ amount: Int128, at price: Int64) -> Int128 {
            kind == .inverse ? nearest(amount * Int128(price), power(priceDecimals)) : amount
        }

        private func nearest(_ number: Int128, _ divisor: Int128) -> Int128 {
            let half = number < 0 ? -(divisor / 2) : divisor / 2
            return (number + half) / divisor
        }
    }

    struct Wish {
        var instrument: Int
        var side: Side
        var type: OrderType
        var timeInForce: TimeInForce
        var isReduceOnly: Bool
        var price: Int64
        var quantity: Int64
        /// Nanoseconds from now; nil: none.
        var life: UInt64?
    }

    enum Event {
        case book(Int, bid: Int64, ask: Int64, time: UInt64)
        case trade(Int, Int64)
        case placed(UInt64, Wish)
        case changing(UInt64, price: Int64, quantity: Int64)
        case changed(UInt64)
        case changeRefused(UInt64)
        case ended(UInt64)
        case fill(UInt64, price: Int64, quantity: Int64, fee: Int128)
        case funding(Int, Int128)
        case token(Int, UInt64)
    }

    struct Limits {
        var orderValue: Int128
        var leastValue: Int128
        var positionValue: Int128
        var band: Int128
        var tradeBand: Int128
        var bookAge: UInt64
        var ordersOfInstrument: Int
        var orders: Int
        var gross: Int128
        var net: Int128
        var perSecond: (pause: UInt64, burst: Int)
        var perMinute: (pause: UInt64, burst: Int)
        var leastLife: UInt64
        var funding: Funding
        var leverage: Int128
        var balances: [Int128]
    }

    struct OpenOrder {
        var wish: Wish
        var filled: Int64 = 0
        /// A change that is under way.
        var wanted: (price: Int64, quantity: Int64)?

        var largest: Int64 { max(wish.quantity, wanted?.quantity ?? 0) }
        var rest: Int64 { max(largest - filled, 0) }
        var prices: [Int64] { [wish.price] + (wanted.map { [$0.price] } ?? []) }
        var stays: Bool { wish.timeInForce == .goodTillCanceled || wish.timeInForce == .postOnly }
    }

    struct Account {
        var books: [(bid: Int64, ask: Int64, time: UInt64)?]
        var trades: [Int64]
        var held: [Int64]
        var cost: [Int128]
        var realised: [Int128]
        var fees: [Int128]
        var funding: [Int128]
        var orders: [UInt64: OpenOrder] = [:]
        var tokens: [(instrument: Int, time: UInt64)] = []
    }

    let contracts: [Contract]
    var limits: Limits
    private(set) var history: [Event] = []

    init(_ contracts: [Contract], _ limits: Limits) {
        self.contracts = contracts
        self.limits = limits
    }

    mutating func note(_ event: Event) { history.append(event) }

    // MARK: From the beginning

    func account() -> Account {
        let zeros = [Int128](repeating: 0, count: contracts.count)
        var account = Account(
            books: contracts.map { _ in nil }, trades: contracts.map { _ in 0 }, held: contracts.map { _ in 0 },
            cost: zeros, realised: zeros, fees: zeros, funding: zeros)
        for event in history { apply(event, &account) }
        return account
    }

    private func apply(_ event: Event, _ account: inout Account) {
        switch event {
        case .book(let index, let bid, let ask, let time): account.books[index] = (bid, ask, time)
        case .trade(let index, let price): account.trades[index] = price
        case .placed(let id, let wish): account.orders[id] = OpenOrder(wish: wish)
        case .changing(let id, let price, let quantity): account.orders[id]?.wanted = (price, quantity)
        case .changed(let id):
            guard let wanted = account.orders[id]?.wanted else { return }
            account.orders[id]?.wish.price = wanted.price
            account.orders[id]?.wish.quantity = wanted.quantity
            account.orders[id]?.wanted = nil
            dropIfFilled(id, &account)
        case .changeRefused(let id):
            account.orders[id]?.wanted = nil
            dropIfFilled(id, &account)
        case .ended(let id): account.orders[id] = nil
        case .fill(let id, let price, let quantity, let fee): fill(id, price, quantity, fee, &account)
        case .funding(let index, let amount): account.funding[index] += amount
        case .token(let index, let time): account.tokens.append((index, time))
        }
    }

    private func dropIfFilled(_ id: UInt64, _ account: inout Account) {
        if let order = account.orders[id], order.wanted == nil, order.filled >= order.wish.quantity {
            account.orders[id] = nil
        }
    }

    private func fill(_ id: UInt64, _ price: Int64, _ quantity: Int64, _ fee: Int128, _ account: inout Account) {
        guard let wish = account.orders[id]?.wish else { return }
        let index = wish.instrument, contract = contracts[index]
        let sign: Int64 = wish.side == .buy ? 1 : -1
        let held = account.held[index]
        let closed = held.signum() == -sign ? min(quantity, abs(held)) : 0
        if closed > 0 {
            let whole = account.cost[index] * Int128(closed)
            let half = Int128(abs(held)) / 2
            let part = (whole + (whole < 0 ? -half : half)) / Int128(abs(held))
            let gain = -Int128(sign) * contract.settled(price, price, closed) - part
            account.realised[index] += contract.kind == .inverse ? -gain : gain
            account.cost[index] -= part
        }
        account.cost[index] += Int128(sign) * contract.settled(price, price, quantity - closed)
        account.held[index] += sign * quantity
        account.fees[index] += fee
        account.orders[id]?.filled += quantity
        dropIfFilled(id, &account)
    }

    // MARK: What it comes to

    private func mark(_ index: Int, _ account: Account) -> Int64 { account.books[index]?.ask ?? 0 }

    private func unrealised(_ index: Int, _ account: Account) -> Int128 {
        guard account.held[index] != 0, let book = account.books[index] else { return 0 }
        let gain = contracts[index].settled(book.bid, book.ask, account.held[index]) - account.cost[index]
        return contracts[index].kind == .inverse ? -gain : gain
    }

    private func settledResult(_ index: Int, _ account: Account) -> Int128 {
        account.realised[index] - account.fees[index] - account.funding[index]
    }

    /// In the quote asset.
    func result(_ account: Account) -> Int128 {
        contracts.indices.reduce(0) { sum, index in
            let own = settledResult(index, account) + unrealised(index, account)
            return sum + contracts[index].quoted(own, at: mark(index, account))
        }
    }

    /// The position with all open orders of one side filled, seen from that side; `extra` among them.
    private func worst(
        _ index: Int, _ side: Side, _ account: Account, without id: UInt64?, extra: Int64 = 0
    ) -> Int64 {
        var sum = extra + (side == .buy ? account.held[index] : -account.held[index])
        for (number, order) in account.orders.sorted(by: { $0.key < $1.key })
        where number != id && order.wish.instrument == index && order.wish.side == side {
            sum += order.rest
        }
        return sum
    }

    private struct Sides {
        var buy: Int64
        var sell: Int64
    }

    private func sides(_ account: Account) -> [Sides] {
        contracts.indices.map {
            Sides(
                buy: worst($0, .buy, account, without: nil), sell: worst($0, .sell, account, without: nil))
        }
    }

    private func value(_ index: Int, _ quantity: Int64, _ account: Account) -> Int128 {
        contracts[index].quote(mark(index, account), quantity)
    }

    private func gross(_ sides: [Sides], _ account: Account) -> Int128 {
        sides.indices.reduce(0) { $0 + value($1, max(abs(sides[$1].buy), abs(sides[$1].sell)), account) }
    }

    private func net(_ sides: [Sides], _ side: Side, _ account: Account) -> Int128 {
        sides.indices.reduce(0) { $0 + value($1, side == .buy ? sides[$1].buy : sides[$1].sell, account) }
    }

    /// What margin is asked for, in the settlement asset.
    private func margin(_ sides: [Sides], _ asset: Int, _ account: Account) -> Int128 {
        sides.indices.reduce(0) { sum, index in
            guard contracts[index].asset == asset else { return sum }
            let price = mark(index, account), most = max(abs(sides[index].buy), abs(sides[index].sell))
            return sum
                + (contracts[index].kind == .inverse
                    ? contracts[index].settled(price, price, most) : contracts[index].quote(price, most))
        }
    }

    private func equity(_ asset: Int, _ account: Account) -> Int128 {
        contracts.indices.reduce(limits.balances[asset]) { sum, index in
            guard contracts[index].asset == asset else { return sum }
            let own = settledResult(index, account)
            return limits.funding == .cash
                ? sum + own - account.cost[index] : sum + own + min(unrealised(index, account), 0)
        }
    }

    // MARK: Its verdict

    /// All rules that the wish breaks; a change of `id` is a wish in that order's place.
    func broken(_ wish: Wish, changing id: UInt64? = nil, _ account: Account, now: UInt64) -> Set<Refusal> {
        var broken: Set<Refusal> = []
        func forbid(_ isBroken: Bool, _ refusal: Refusal) { if isBroken { broken.insert(refusal) } }
        guard let book = account.books[wish.instrument] else { return [.bookNotLive] }
        let contract = contracts[wish.instrument]
        forbid(now - min(book.time, now) > limits.bookAge, .bookTooOld)
        if wish.quantity <= 0 { return broken.union([.quantityNotPositive]) }
        forbid(wish.quantity % contract.lot != 0, .quantityOffLot)
        forbid(wish.quantity > contract.maxQuantity, .quantityAboveMaximum)
        forbid(wish.quantity < contract.minQuantity, .quantityBelowMinimum)
        let price = wish.type == .market ? (wish.side == .buy ? book.ask : book.bid) : wish.price
        if price <= 0 { return broken.union([.priceNotPositive]) }
        forbid(price % contract.tick != 0, .priceOffTick)
        let band = prices(wish.instrument, book.bid, book.ask, account.trades[wish.instrument])
        forbid(price < band.book.low || price > band.book.high, .priceOutsideBand)
        forbid(price < band.trade.low || price > band.trade.high, .priceFarFromTrade)
        if contract.kind == .binary { forbid(price > 100 - contract.tick, .priceAboveMaximum) }
        let value = contract.quote(price, wish.quantity)
        forbid(value > limits.orderValue, .notionalAboveMaximum)
        forbid(value < limits.leastValue && !wish.isReduceOnly, .notionalBelowMinimum)
        forbid(
            wish.timeInForce == .postOnly && (wish.side == .buy ? price >= book.ask : price <= book.bid),
            .postOnlyWouldTake)
        if let life = wish.life {
            let stays = wish.type == .limit && (wish.timeInForce == .goodTillCanceled || wish.timeInForce == .postOnly)
            forbid(!stays, .expiryWithoutRest)
            forbid(life < max(id == nil ? limits.leastLife : 0, 1), .expiryTooSoon)
        }
        let reach = wish.type == .market ? (wish.side == .buy ? band.both.high : band.both.low) : price
        forbid(meetsOwn(wish, reach, account), .wouldMeetOwnOrder)
        broken.formUnion(tooMuch(wish, price, id, account))
        if id == nil {
            forbid(account.orders.count >= limits.orders, .tooManyOpenOrders)
            let own = account.orders.values.filter { $0.wish.instrument == wish.instrument }.count
            forbid(own >= limits.ordersOfInstrument, .tooManyOpenOrdersOfInstrument)
        }
        forbid(isTooFast(account.tokens.map(\.time), limits.perSecond, now), .rateExceeded)
        let own = account.tokens.filter { $0.instrument == wish.instrument }.map(\.time)
        forbid(isTooFast(own, limits.perMinute, now), .instrumentRateExceeded)
        return broken
    }

    typealias Range = (low: Int64, high: Int64)

    private func prices(_ index: Int, _ bid: Int64, _ ask: Int64, _ trade: Int64) -> (
        book: Range, trade: Range, both: Range
    ) {
        func part(_ price: Int64, _ ppm: Int128) -> Int64 { Int64(Int128(price) * ppm / 1_000_000) }
        let book = (bid - part(bid, limits.band), ask + part(ask, limits.band))
        var around: Range = (.min, .max)
        if trade > 0 && limits.tradeBand < 1_000_000 {
            around = (trade - part(trade, limits.tradeBand), trade + part(trade, limits.tradeBand))
        }
        return (book, around, (max(book.0, around.low), min(book.1, around.high)))
    }

    private func meetsOwn(_ wish: Wish, _ reach: Int64, _ account: Account) -> Bool {
        account.orders.values.contains { order in
            guard order.wish.instrument == wish.instrument, order.wish.side != wish.side, order.stays else {
                return false
            }
            return order.prices.contains { wish.side == .buy ? $0 <= reach : $0 >= reach }
        }
    }

    private func tooMuch(_ wish: Wish, _ price: Int64, _ id: UInt64?, _ account: Account) -> Set<Refusal> {
        let index = wish.instrument
        let filled = id.flatMap { account.orders[$0]?.filled } ?? 0
        let side = worst(index, wish.side, account, without: id, extra: wish.quantity - filled)
        let held = wish.side == .buy ? account.held[index] : -account.held[index]
        var broken: Set<Refusal> = []
        if wish.isReduceOnly && (side > 0 || held >= 0) { broken.insert(.notReducing) }
        if limits.funding == .cash && wish.side == .sell && side > 0 { broken.insert(.notHeld) }
        if limits.funding == .cash && wish.side == .buy && isUnpaid(wish, price, id, account) {
            broken.insert(.balanceTooLow)
        }
        if side <= 0 { return broken }
        let before = sides(account)
        var after = before
        if wish.side == .buy { after[index].buy = side } else { after[index].sell = side }
        if side > contracts[index].maxPosition || value(index, side, account) > limits.positionValue {
            broken.insert(.positionAboveMaximum)
        }
        let grossAfter = gross(after, account)
        if grossAfter > limits.gross && grossAfter > gross(before, account) {
            broken.insert(.grossExposureAboveMaximum)
        }
        if net(after, wish.side, account) > limits.net { broken.insert(.netExposureAboveMaximum) }
        let asset = contracts[index].asset
        let used = margin(after, asset, account)
        if limits.funding == .margin && used > margin(before, asset, account)
            && used > equity(asset, account) * limits.leverage
        {
            broken.insert(.balanceTooLow)
        }
        return broken
    }

    private func isUnpaid(_ wish: Wish, _ price: Int64, _ id: UInt64?, _ account: Account) -> Bool {
        var cost: Int128 = 0
        for (number, order) in account.orders where order.wish.side == .buy {
            let isOwn = number == id
            let highest = max(order.prices.max() ?? 0, isOwn ? price : 0)
            let most = max(order.largest, isOwn ? wish.quantity : 0) - order.filled
            cost += contracts[order.wish.instrument].settled(highest, highest, most)
        }
        if id == nil { cost += contracts[wish.instrument].settled(price, price, wish.quantity) }
        return cost > equity(0, account)
    }

    private func isTooFast(_ times: [UInt64], _ rate: (pause: UInt64, burst: Int), _ now: UInt64) -> Bool {
        times.enumerated().contains { place, time in
            time + rate.pause * UInt64(times.count - place) > now + rate.pause * UInt64(rate.burst - 1)
        }
    }
}
