import Apus
import CApusProtocol
import Foundation

/// What the strategy has done and seen, kept outside of the engine.
///
/// Unchecked: a life is lived by one thread, which makes the strategy too.
final class Ledger: @unchecked Sendable {
    /// Numbers of the orders that the engine approved.
    var placed: [UInt64] = []
    /// What fills the strategy was told of, by order.
    var told: [UInt64: Int64] = [:]
    var reports = 0
    /// The strategy places nothing any more.
    var isQuiet = false
    var problems: [Problem] = []
    /// Where the engine stands at the end of a life that did not end well.
    var condition = ""
    var now: UInt64 = 0
    /// Touch of each BOOK event of the newest ones, by its number.
    var touches: [UInt64: Touch] = [:]
    var liveBooksSeen = 0

    /// The low half of the number of an order whose reports are printed: `APUS_SIMULATION_TRACE`.
    let traced = ProcessInfo.processInfo.environment["APUS_SIMULATION_TRACE"].flatMap { UInt64($0) }

    /// Takes in what the strategy was told.
    func take(_ report: Report) {
        reports += 1
        if let traced, traced == report.order.id.value & 0xFFFF_FFFF {
            print(Double(now) / 1e9, report.kind, report.code, report.fill?.quantity.units ?? 0, report.order)
        }
        if let fill = report.fill {
            let change = report.kind == .fillUndone ? -fill.quantity.units : fill.quantity.units
            told[report.order.id.value, default: 0] += change
        }
        // While a change is under way or in doubt, the order may be larger than it is known to be.
        let isInDoubt = report.order.state == .pendingModify || report.order.state == .unknown
        if report.order.filled > report.order.quantity && !isInDoubt {
            problem(.fill, "order \(report.order.id) is filled beyond its quantity")
        }
    }

    func problem(_ invariant: Invariant, _ text: String) {
        if problems.count < 12 { problems.append(Problem(invariant, "\(Double(now) / 1e9) s: \(text)")) }
    }
}

/// A strategy that does something at random every now and then.
protocol RandomStrategy: Strategy {
    var ledger: Ledger { get }
    var dice: Dice { get set }
    var pause: UInt64 { get }

    mutating func act(_ context: Context)
}

extension RandomStrategy {
    mutating func start(_ context: Context) throws { setTimer(context) }

    private mutating func setTimer(_ context: Context) {
        let wait = dice.between(pause / 2, pause * 3 / 2)
        if context.setTimer(after: .nanoseconds(Int64(wait))) == nil {
            ledger.problem(.order, "there is no timer left")
        }
    }

    mutating func timer(_ timer: TimerID, _ context: Context) {
        setTimer(context)
        guard !ledger.isQuiet else { return }
        for _ in 0..<(1 + dice.below(3)) { act(context) }
    }

    mutating func report(_ report: Report, _ context: Context) { ledger.take(report) }

    mutating func anyOrder(_ context: Context) -> Order? {
        let orders = context.openOrders
        guard orders.count > 0 else { return nil }
        var left = dice.below(orders.count)
        for order in orders {
            if left == 0 { return order }
            left -= 1
        }
        return nil
    }

    func note(_ placement: Placement) {
        if case .placed(let id) = placement { ledger.placed.append(id.value) }
    }
}

/// Places, changes and cancels at random: the more it asks for at once, the better.
struct RandomTrader: RandomStrategy {
    let ledger: Ledger
    var dice: Dice
    let pause: UInt64

    mutating func book(_ book: BookView, _ context: Context) {
        guard book.isLive else { return }
        ledger.liveBooksSeen += 1
        guard let published = ledger.touches[book.record.pointee.eventNumber] else { return }
        if published != book.touch {
            ledger.problem(
                .book,
                "the strategy was shown \(book.touch) for event \(book.record.pointee.eventNumber), \(published)")
        }
    }

    // MARK: Doings

    mutating func act(_ context: Context) {
        let instrument = context.instruments[dice.below(2)]
        switch dice.below(100) {
        case 0..<45: place(instrument, context)
        case 45..<65: if let order = anyOrder(context) { context.cancel(order.id) }
        case 65..<87: if let order = anyOrder(context) { change(order, context) }
        case 87..<94: note(context.market(side(), quantity(instrument), of: instrument))
        case 94..<96: context.cancelAll(instrument)
        default: reduce(instrument, context)
        }
    }

    private mutating func side() -> Side { dice.below(2) == 0 ? .buy : .sell }

    private mutating func quantity(_ instrument: Instrument) -> Quantity {
        Quantity(units: instrument.index == 0 ? Int64(dice.between(1, 60)) : Int64(dice.between(10, 900)))
    }

    /// From five ticks through the touch to thirty behind it.
    private mutating func price(_ side: Side, _ instrument: Instrument, _ context: Context) -> Price? {
        let book = context.book(of: instrument)
        guard let bid = book.bid, let ask = book.ask else { return nil }
        let away = (Int64(dice.below(36)) - 5) * instrument.tick.units
        return Price(units: side == .buy ? bid.units - away : ask.units + away)
    }

    private mutating func place(_ instrument: Instrument, _ context: Context) {
        let side = side()
        guard let price = price(side, instrument, context) else { return }
        let force: [TimeInForce] = [.goodTillCanceled, .goodTillCanceled, .postOnly, .immediateOrCancel, .fillOrKill]
        note(context.limit(side, quantity(instrument), of: instrument, at: price, force[dice.below(5)]))
    }

    private mutating func reduce(_ instrument: Instrument, _ context: Context) {
        let held = context.position(of: instrument).quantity
        guard held != .zero else { return }
        let side: Side = held > .zero ? .sell : .buy
        note(context.market(side, Quantity(units: max(abs(held.units) / 2, 1)), of: instrument, reduceOnly: true))
    }

    private mutating func change(_ order: Order, _ context: Context) {
        guard let price = price(order.side, order.instrument, context) else { return }
        let quantity = dice.below(2) == 0 ? order.quantity : order.filled + self.quantity(order.instrument)
        context.modify(order.id, price: price, quantity: quantity)
    }
}
