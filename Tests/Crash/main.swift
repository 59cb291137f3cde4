import Apus
import ApusCommand
import Glibc

/// Puts an order on each side of the book, and when the venue has both, ends badly, or stays.
struct Crasher: Strategy {
    static let description = StrategyDescription(
        name: "crasher", summary: "Leaves two orders open and ends badly",
        parameters: [
            ParameterDescription("how", .text, default: "trap", "trap, kill, hang or stay"),
            ParameterDescription("away", .integer, default: "200", "ticks from the touch"),
        ]
    ) { parameters in
        Crasher(how: try parameters.text("how"), away: Int64(try parameters.integer("away")))
    }

    let how: String
    let away: Int64
    private var isPlaced = false

    init(how: String, away: Int64) {
        self.how = how
        self.away = away
    }

    mutating func book(_ book: BookView, _ context: Context) {
        guard !isPlaced, book.isLive, let bid = book.bid, let ask = book.ask else { return }
        isPlaced = true
        let away = away * book.instrument.tick.units
        let quantity = Quantity(units: 2 * book.instrument.minQuantity.units)
        for side in [Side.buy, .sell] where !context.openOrders.contains(where: { $0.side == side }) {
            let price = side == .buy ? bid.units - away : ask.units + away
            context.limit(side, quantity, of: book.instrument, at: Price(units: price), .postOnly)
        }
    }

    mutating func report(_ report: Report, _ context: Context) {
        // The order connection was not up yet.
        if report.order.state == .rejected { isPlaced = false }
        guard context.openOrders.filter({ $0.state == .live }).count == 2 else { return }
        switch how {
        case "kill": kill(getpid(), SIGKILL)
        case "hang": while true { usleep(1000) }
        case "stay": break
        default: fatalError("as the test wants it")
        }
    }
}

/// Looks on.
struct Watcher: Strategy {
    static let description = StrategyDescription(name: "watcher", summary: "Does nothing") { _ in Watcher() }
}

ApusProgram.main(strategies: [Crasher.description, Watcher.description])
