import Apus

/// Places and cancels as fast as it is told to, around the market and into it: for soaks, not for money.
///
/// Most orders rest a little away from the market and are canceled soon; some take what is there, against what is held, so that
/// positions come and go. Which of the two is next follows from the count of orders alone.
struct OrderStorm: Strategy {
    static let description = StrategyDescription(
        name: "order-storm", summary: "Places and cancels at a steady rate, for soaks",
        parameters: [
            ParameterDescription("rate", .integer, default: "2000", "orders in a second"),
            ParameterDescription("resting", .integer, default: "40", "orders that rest at once, at most"),
            ParameterDescription("takes", .integer, default: "20", "one order in so many takes"),
            ParameterDescription("size", .decimal, default: "0.002", "quantity of each order"),
            ParameterDescription("distance", .integer, default: "60", "ticks between a resting order and the touch"),
        ]
    ) { try OrderStorm($0) }

    private let rate: UInt64
    private let resting: Int
    private let takes: UInt64
    private let size: ExactDecimal
    private let distance: Int64
    private var begin: UInt64 = 0
    private var placed: UInt64 = 0
    private var count: UInt64 = 0
    private var resters: [OrderID] = []

    init(_ parameters: Parameters) throws {
        rate = UInt64(try parameters.integer("rate", in: 1...100_000))
        resting = try parameters.integer("resting", in: 1...1000)
        takes = UInt64(try parameters.integer("takes", in: 1...1_000_000))
        size = try parameters.decimal("size")
        distance = Int64(try parameters.integer("distance", in: 1...10_000))
        resters.reserveCapacity(resting + 1)
    }

    mutating func start(_ context: Context) throws {
        context.setTimer(after: .milliseconds(1), repeats: true)
    }

    mutating func timer(_ timer: TimerID, _ context: Context) {
        if begin == 0 { begin = context.now }
        // What was due while trading was not possible is not made up for.
        let due = (context.now - begin) / 1000 * rate / 1_000_000
        if due > placed + rate { placed = due }
        while placed < due {
            placed += 1
            place(context.instruments[Int(placed % UInt64(context.instruments.count))], context)
        }
    }

    private mutating func place(_ instrument: Instrument, _ context: Context) {
        let book = context.book(of: instrument)
        guard book.isLive, let bid = book.bid, let ask = book.ask, let quantity = try? instrument.quantity(size) else {
            return
        }
        count += 1
        if count % takes == 0 {
            let held = context.position(of: instrument).quantity
            let side: Side = held > .zero ? .sell : held < .zero ? .buy : count % (2 * takes) == 0 ? .buy : .sell
            context.limit(side, quantity, of: instrument, at: side == .buy ? ask : bid, .immediateOrCancel)
            return
        }
        let side: Side = count % 2 == 0 ? .buy : .sell
        let away = Int64(distance) * instrument.tick.units
        let price = Price(units: side == .buy ? bid.units - away : ask.units + away)
        if let id = context.limit(side, quantity, of: instrument, at: price, .postOnly).id { resters.append(id) }
        if resters.count > resting { context.cancel(resters.removeFirst()) }
    }

    mutating func report(_ report: Report, _ context: Context) {
        if !report.order.isOpen { resters.removeAll { $0 == report.order.id } }
    }
}
