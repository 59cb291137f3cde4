/// Whose order leaves when an account would trade with itself. An account never does; the venue's default is that the
/// resting order expires.
enum SelfTradePrevention: String {
    case expireTaker = "EXPIRE_TAKER"
    case expireMaker = "EXPIRE_MAKER"
    case expireBoth = "EXPIRE_BOTH"
}

/// An order while it looks for a counterpart.
struct Taker {
    var id: Int64
    var owner: Int32
    var side: Side
    /// Worst price it accepts; `nil` for a market order.
    var limit: Int64?
    var quantity: Int64
    var prevention: SelfTradePrevention = .expireMaker

    func accepts(_ price: Int64) -> Bool {
        guard let limit else { return true }
        return side == .buy ? price <= limit : price >= limit
    }
}

/// One trade between a taker and a resting order.
struct Fill {
    var tradeID: Int64
    var price: Int64
    var quantity: Int64
    var taker: Taker
    /// What the taker still wants after this fill.
    var takerRemaining: Int64
    var makerID: Int64
    var makerOwner: Int32
    /// What is left of the resting order after this fill.
    var makerRemaining: Int64
}

/// What a market tells while it matches. Calls come in the order of the events, with the book already changed.
protocol MarketObserver: AnyObject {
    func market(_ market: Market, filled fill: Fill)
    /// A resting order left the book because its owner's other order met it.
    func market(_ market: Market, preventedSelfTradeOf id: Int64, owner: Int32)
}

/// What became of a taker.
struct MatchResult {
    var remaining: Int64
    /// Self-trade prevention took the rest of the taker.
    var takerExpired = false
}

/// One symbol: its book, its matching, its numbering, its feed.
///
/// Invariant between two calls: the book is not crossed, because whatever could trade has traded before it rests.
final class Market {
    let index: Int
    let configuration: SymbolConfiguration
    private(set) var book = OrderBook()
    /// The id of the newest change of the book. Ids grow in uneven steps, as they do where a venue numbers all symbols together.
    private(set) var updateID: Int64
    private(set) var tradeID: Int64
    private(set) var lastPrice: Int64
    private var orderID: Int64
    private var stepRandom: DeterministicRandom
    let feed: MarketFeed
    /// The time of what is being done now; stamps of messages come from it.
    var time: VenueTime
    unowned(unsafe) var observer: any MarketObserver

    init(
        index: Int, configuration: SymbolConfiguration, seed: UInt64, depthInterval: VenueTime, time: VenueTime,
        observer: any MarketObserver
    ) {
        self.index = index
        self.configuration = configuration
        self.time = time
        self.observer = observer
        stepRandom = DeterministicRandom(seed: seed, stream: UInt64(index) * 16 + 1)
        updateID = 5_123_107_832_000 + Int64(stepRandom.below(1_000_000))
        tradeID = 5_266_583_000 + Int64(stepRandom.below(100_000))
        // An account knows its orders by their numbers alone: no two symbols share one.
        orderID = 8_389_765_000 + Int64(index) * 1_000_000_000 + Int64(stepRandom.below(1_000_000))
        lastPrice = configuration.startPrice
        feed = MarketFeed(configuration: configuration, depthInterval: depthInterval, updateID: updateID)
    }

    func takeOrderID() -> Int64 {
        orderID += 1
        return orderID
    }

    /// Middle of the touch, or the last price when a side is empty.
    var midPrice: Int64 {
        guard let bid = book.best(.buy), let ask = book.best(.sell) else { return lastPrice }
        return (bid.price + ask.price) / 2
    }

    /// Whether an order at this price would trade at once.
    func crosses(_ side: Side, price: Int64) -> Bool {
        guard let best = book.best(side.opposite) else { return false }
        return side == .buy ? price >= best.price : price <= best.price
    }

    /// Trades as much as the prices allow. What remains is not put into the book.
    func match(_ taker: Taker) -> MatchResult {
        var remaining = taker.quantity
        let makerSide = taker.side.opposite
        while remaining > 0, let best = book.best(makerSide), taker.accepts(best.price) {
            let slot = best.head
            let maker = book[slot]
            if maker.owner == taker.owner {
                if taker.prevention != .expireTaker { expire(slot: slot, maker: maker) }
                if taker.prevention != .expireMaker { return MatchResult(remaining: remaining, takerExpired: true) }
                continue
            }
            let quantity = min(remaining, maker.remaining)
            remaining -= quantity
            book.reduce(slot: slot, by: quantity)
            recordChange(makerSide, price: maker.price)
            tradeID += 1
            lastPrice = maker.price
            observer.market(
                self,
                filled: Fill(
                    tradeID: tradeID, price: maker.price, quantity: quantity, taker: taker, takerRemaining: remaining,
                    makerID: maker.id, makerOwner: maker.owner, makerRemaining: maker.remaining - quantity))
        }
        return MatchResult(remaining: remaining)
    }

    private func expire(slot: Int32, maker: RestingOrder) {
        book.remove(slot: slot)
        recordChange(maker.side, price: maker.price)
        observer.market(self, preventedSelfTradeOf: maker.id, owner: maker.owner)
    }

    /// Whether the whole quantity would trade now: what fill-or-kill asks.
    func canFillCompletely(_ taker: Taker) -> Bool {
        var wanted = taker.quantity
        for level in book.side(taker.side.opposite).levels.reversed() where wanted > 0 {
            guard taker.accepts(level.price) else { break }
            var slot: Int32? = level.head
            while let current = slot, wanted > 0 {
                let order = book[current]
                if order.owner != taker.owner {
                    wanted -= order.remaining
                } else if taker.prevention != .expireMaker {
                    return false
                }
                slot = book.next(after: current)
            }
        }
        return wanted <= 0
    }

    /// Puts an order that does not cross behind the others of its price; returns its slot.
    func rest(id: Int64, owner: Int32, side: Side, price: Int64, quantity: Int64) -> Int32 {
        precondition(!crosses(side, price: price), "a crossing order must match before it rests")
        let slot = book.add(RestingOrder(id: id, price: price, remaining: quantity, owner: owner, side: side))
        recordChange(side, price: price)
        return slot
    }

    /// Takes an order out if it is still there.
    @discardableResult
    func cancel(slot: Int32, id: Int64) -> Bool {
        guard book.holds(slot: slot, id: id) else { return false }
        let order = book[slot]
        book.remove(slot: slot)
        recordChange(order.side, price: order.price)
        return true
    }

    /// Makes a resting order smaller; it keeps its place in the queue.
    func shrink(slot: Int32, by quantity: Int64) {
        let order = book[slot]
        book.reduce(slot: slot, by: quantity)
        recordChange(order.side, price: order.price)
    }

    private func recordChange(_ side: Side, price: Int64) {
        updateID += 1 + Int64(stepRandom.next() & 63)
        feed.recordChange(side, price: price, updateID: updateID)
    }
}
