import ApusVenue
import CApusProtocol
import CApusRing

/// Stands for the engine: it places orders, asks about those it does not know the end of, and remembers what it was told.
struct DerivTrader {
    enum State { case placed, unknown, filled, refused }

    struct Order {
        var id: UInt64
        var instrument: UInt16
        var isBuy: Bool
        var isMarket: Bool
        var price: Int64
        var wall: UInt64
        var state = State.placed
        var venueID: UInt64 = 0
        var trade: UInt64 = 0
        var askAt: UInt64 = 0
    }

    /// Known purchases and ends, by contract.
    private struct Contract {
        var order: UInt64
        var instrument: UInt16
        var buyTrade: UInt64
        var buyPrice: Int64
        var sellTrade: UInt64 = 0
        var sellPrice: Int64 = 0
        /// The order that was told to have sold it; 0: it ended by itself.
        var seller: UInt64 = 0
    }

    /// Reports that are changed or left out on purpose.
    var interfere: (inout apus_report) -> Bool = { _ in true }
    private var orders: [UInt64: Order] = [:]
    private var contracts: [UInt64: Contract] = [:]
    /// Ends that were told before their purchase.
    private var ends: [UInt64: (trade: UInt64, price: Int64)] = [:]
    private var next: UInt64 = 1
    private var run: UInt64 = 1
    private var dice: Dice
    private var nextOrder: UInt64 = 0
    private(set) var problems: [Problem] = []
    private(set) var balance: Int64?
    private(set) var unknowns = 0
    private(set) var notFound = 0
    private(set) var settlements = 0
    private(set) var sales = 0
    var isQuiet = false

    init(dice: Dice) { self.dice = dice }

    var openOrders: [UInt64] {
        orders.values.filter { $0.state == .placed || $0.state == .unknown }.map(\.id).sorted()
    }
    var isSettled: Bool { openOrders.isEmpty && contracts.values.allSatisfy { $0.sellTrade != 0 } }
    var waitingBuys: Int { orders.values.count { $0.isBuy && $0.state == .placed } }
    var waitingSells: Int { orders.values.count { !$0.isBuy && $0.state == .placed } }
    var openContracts: Int { contracts.values.count { $0.sellTrade == 0 } }
    var filledBuys: Int { orders.values.filter { $0.isBuy && $0.state == .filled }.count }

    // MARK: A process begins

    /// Nothing is known of orders that were under way; those that were told are not forgotten.
    mutating func restart(_ engine: DerivEngine) {
        run += 1
        for id in openOrders { orders[id]?.state = .unknown; orders[id]?.askAt = 0 }
        balance = nil
        for (id, contract) in contracts.sorted(by: { $0.key < $1.key }) {
            var holding = apus_deriv_holding()
            (holding.contract_id, holding.client_id) = (id, contract.order)
            (holding.buy_trade, holding.buy_price) = (contract.buyTrade, contract.buyPrice)
            holding.bought_at = (orders[contract.order]?.wall ?? 0) / 1000
            holding.ended = contract.sellTrade != 0
            let result = apus_deriv_orders_adopt(engine.orders, contract.instrument, &holding)
            if result < 0 { problems.append(Problem(.memory, "contract \(id) cannot be adopted")) }
        }
        apus_deriv_orders_recovered(engine.orders)
    }

    // MARK: A turn

    mutating func turn(_ engine: DerivEngine, _ now: UInt64, _ wall: Int64) {
        while var report = engine.pop() {
            if interfere(&report) { take(report) }
        }
        for id in openOrders where orders[id]?.state == .unknown { ask(id, engine, now) }
        guard !isQuiet, now >= nextOrder else { return }
        nextOrder = now + dice.between(100 * millisecond, 3 * second)
        // As the engine does: nothing new while what an earlier process did is in doubt.
        if openOrders.contains(where: { $0 >> 32 != run }) { return }
        place(engine, now, wall)
    }

    private mutating func ask(_ id: UInt64, _ engine: DerivEngine, _ now: UInt64) {
        guard let order = orders[id], now >= order.askAt else { return }
        var query = apus_order()
        query.target_id = id
        query.instrument = order.instrument
        query.action = UInt8(APUS_ORDER_QUERY.rawValue)
        query.side = UInt8(order.isBuy ? APUS_BUY.rawValue : APUS_SELL.rawValue)
        query.type = UInt8(order.isMarket ? APUS_MARKET.rawValue : APUS_LIMIT.rawValue)
        query.price = order.price
        query.quantity = 1
        query.wall_ms = order.wall
        query.venue_id = order.venueID
        if engine.push(query) { orders[id]?.askAt = now + 2 * second }
    }

    private mutating func place(_ engine: DerivEngine, _ now: UInt64, _ wall: Int64) {
        let instrument = UInt16(1 + dice.below(DerivEngine.shapes.count))
        let held = contracts.values.filter { $0.instrument == instrument && $0.sellTrade == 0 }
        let sells = !held.isEmpty && dice.once(in: 3)
        guard let ask = engine.ask(instrument) else { return }
        var order = apus_order()
        order.client_id = run << 32 | next
        order.instrument = instrument
        order.action = UInt8(APUS_ORDER_PLACE.rawValue)
        order.side = UInt8(sells ? APUS_SELL.rawValue : APUS_BUY.rawValue)
        order.type = UInt8(dice.once(in: 4) ? APUS_MARKET.rawValue : APUS_LIMIT.rawValue)
        order.price = sells ? (dice.once(in: 4) ? 100_000 : 1) : ask
        // A market order's price is what was asked when it was decided, which binds nobody.
        if order.type == UInt8(APUS_MARKET.rawValue) { order.price = max(order.price - 1, 1) }
        order.quantity = 1
        order.band_high = .max
        order.decided_ns = now
        order.wall_ms = UInt64(wall / 1_000_000)
        order.flags = sells ? UInt8(APUS_ORDER_REDUCE_ONLY.rawValue) : 0
        guard engine.push(order) else { return }
        next += 1
        orders[order.client_id] = Order(
            id: order.client_id, instrument: instrument, isBuy: !sells,
            isMarket: order.type == UInt8(APUS_MARKET.rawValue), price: order.price, wall: order.wall_ms)
    }

    // MARK: Reports

    private mutating func take(_ report: apus_report) {
        let id = report.client_id
        switch apus_report_kind(UInt32(report.kind)) {
        case APUS_REPORT_SENT: orders[id]?.venueID = report.venue_order_id
        case APUS_REPORT_FILL: fill(report)
        case APUS_REPORT_REJECTED: end(id, .refused, "rejected")
        case APUS_REPORT_REFUSED:
            if report.action == UInt8(APUS_ORDER_PLACE.rawValue) { end(id, .refused, "refused") }
        case APUS_REPORT_NOT_FOUND:
            notFound += 1
            end(id, .refused, "not found")
        case APUS_REPORT_UNKNOWN:
            unknowns += 1
            if orders[id]?.state == .placed { orders[id]?.state = .unknown }
        case APUS_REPORT_SETTLED:
            settlements += 1
            close(report.venue_order_id, report)
        case APUS_REPORT_BALANCE: balance = report.fee
        default: break
        }
    }

    private mutating func end(_ id: UInt64, _ state: State, _ what: String) {
        guard let order = orders[id] else {
            return problems.append(Problem(.approval, "order \(id) was never placed and is \(what)"))
        }
        if order.state == .filled { problems.append(Problem(.order, "\(id) was filled and is \(what)")) }
        orders[id]?.state = state
    }

    private mutating func fill(_ report: apus_report) {
        let id = report.client_id, contract = report.venue_order_id & ~(UInt64(1) << 63)
        guard let order = orders[id] else {
            return problems.append(Problem(.approval, "order \(id) was never placed and is filled"))
        }
        if order.state == .filled {
            if order.trade != report.trade_id { problems.append(Problem(.fill, "order \(id) is filled twice")) }
            return
        }
        if order.state == .refused { problems.append(Problem(.order, "\(id) was refused and is filled")) }
        orders[id]?.state = .filled
        orders[id]?.trade = report.trade_id
        guard order.isBuy else {
            sales += 1
            return close(contract, report)
        }
        if let known = contracts[contract] {
            return problems.append(Problem(.fill, "contract \(contract) is that of \(known.order) and \(id)"))
        }
        var bought = Contract(
            order: id, instrument: order.instrument, buyTrade: report.trade_id, buyPrice: report.price)
        if let end = ends.removeValue(forKey: contract) { (bought.sellTrade, bought.sellPrice) = end }
        contracts[contract] = bought
    }

    /// A contract ended. The same end told again, by its number, is no news.
    private mutating func close(_ contract: UInt64, _ report: apus_report) {
        guard let known = contracts[contract] else {
            if let end = ends[contract], end.trade != report.trade_id {
                problems.append(Problem(.fill, "contract \(contract) ends twice"))
            }
            ends[contract] = (report.trade_id, report.price)
            return
        }
        if known.sellTrade != 0 {
            if known.sellTrade != report.trade_id {
                problems.append(Problem(.fill, "contract \(contract) ends twice"))
            }
            return
        }
        contracts[contract]?.sellTrade = report.trade_id
        contracts[contract]?.sellPrice = report.price
        contracts[contract]?.seller = report.client_id
    }

    // MARK: The end

    /// What purchases and ends have moved, as they were told, in cents.
    var moved: Int64 { contracts.values.reduce(0) { $0 + $1.sellPrice - $1.buyPrice } }

    /// What differs from the venue's contract.
    func compare(_ truth: TrueContract) -> [Problem] {
        guard let known = contracts[UInt64(truth.id)] else {
            return [Problem(.memory, "contract \(truth.id) is forgotten")]
        }
        var problems: [Problem] = []
        if known.buyTrade != UInt64(truth.buyTransaction) || known.buyPrice != truth.buyPrice {
            problems.append(Problem(.fill, "contract \(truth.id) was bought otherwise"))
        }
        if known.sellTrade != UInt64(truth.sellTransaction) || known.sellPrice != truth.sellPrice {
            problems.append(
                Problem(
                    .fill,
                    "contract \(truth.id) ended otherwise: \(known.sellTrade) at \(known.sellPrice), not "
                        + "\(truth.sellTransaction) at \(truth.sellPrice)"))
        }
        if truth.status == .sold && known.seller == 0 {
            problems.append(Problem(.order, "the sale of \(truth.id) is told as its own end"))
        }
        if truth.status != .sold && known.seller != 0 {
            problems.append(Problem(.order, "the end of \(truth.id) is told as a sale"))
        }
        return problems
    }
}
