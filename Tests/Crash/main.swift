import Apus
import ApusCommand
import Glibc

/// Puts an order on each side of the book, and when the venue has both, ends badly, or stays.
struct Crasher: Strategy {
    static let description = StrategyDescription(
        name: "crasher", summary: "Leaves two orders open and ends badly",
        parameters: [ParameterDescription("how", .text, default: "trap", "trap, kill, hang or stay")]
    ) { parameters in
        Crasher(how: try parameters.text("how"))
    }

    let how: String
    private var isPlaced = false

    init(how: String) { self.how = how }

    mutating func book(_ book: BookView, _ context: Context) {
        guard !isPlaced, book.isLive, let bid = book.bid, let ask = book.ask else { return }
        isPlaced = true
        let away = Int64(200) * book.instrument.tick.units
        let quantity = Quantity(units: 2 * book.instrument.minQuantity.units)
        context.limit(.buy, quantity, of: book.instrument, at: Price(units: bid.units - away), .postOnly)
        context.limit(.sell, quantity, of: book.instrument, at: Price(units: ask.units + away), .postOnly)
    }

    mutating func report(_ report: Report, _ context: Context) {
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
