import Crypto

/// An order while it looks for a counterpart, in terms of the first token.
struct OutcomeTaker {
    var number: Int64
    var owner: Int32
    var side: Side
    /// Worst price it accepts.
    var limit: Int64
    var quantity: Int64

    func accepts(_ price: Int64) -> Bool { side == .buy ? price <= limit : price >= limit }
}

/// One meeting of a taker with a resting order, in terms of the first token.
struct OutcomeFill {
    var price: Int64
    var quantity: Int64
    var maker: RestingOrder
    var makerRemaining: Int64
}

/// One market: both outcomes in one book.
///
/// Buying the second token at p is selling the first at 1 − p, and the other way round: so one book of the first token holds
/// all orders, and the second token's book is its mirror. The lowest bit of an order's number says which token it names.
///
/// Invariant between two calls: the book is not crossed.
final class OutcomeMarket {
    /// A level that an operation has changed.
    struct Change: Equatable {
        var side: Side
        var price: Int64
        /// The token in whose terms it is told first.
        var token: Int
    }

    let index: Int
    let configuration: OutcomeMarketConfiguration
    private(set) var book = OrderBook()
    var tickSize: Int64
    /// The price of the newest trade as it was told.
    private(set) var lastTradeText: String
    private(set) var lastPrice: Int64
    private var nextNumber: Int64
    /// What the operation in hand has changed, in the order in which it is told.
    private(set) var changes: [Change] = []

    init(index: Int, configuration: OutcomeMarketConfiguration) {
        self.index = index
        self.configuration = configuration
        tickSize = configuration.tickSize
        lastPrice = configuration.startPrice
        lastTradeText = shortDecimalText(configuration.startPrice, decimals: outcomePriceDecimals)
        // No two markets share a number.
        nextNumber = Int64(index) << 48
    }

    /// The number of a new order.
    func takeNumber(token: Int) -> Int64 {
        nextNumber += 2
        return nextNumber | Int64(token)
    }

    static func token(ofNumber number: Int64) -> Int { Int(number & 1) }

    func crosses(_ side: Side, price: Int64) -> Bool {
        guard let best = book.best(side.opposite) else { return false }
        return side == .buy ? price >= best.price : price <= best.price
    }

    /// Trades as much as the prices allow; what remains is returned and not put into the book. An owner never trades with
    /// itself: its resting order leaves instead.
    func match(_ taker: OutcomeTaker, filled: (OutcomeFill) -> Void, ownOrderLeft: (RestingOrder) -> Void) -> Int64 {
        var remaining = taker.quantity
        while remaining > 0, let best = book.best(taker.side.opposite), taker.accepts(best.price) {
            let maker = book[best.head]
            if maker.owner == taker.owner {
                take(best.head)
                ownOrderLeft(maker)
                continue
            }
            let quantity = min(remaining, maker.remaining)
            remaining -= quantity
            book.reduce(slot: best.head, by: quantity)
            record(Change(side: maker.side, price: maker.price, token: Self.token(ofNumber: maker.id)))
            lastPrice = maker.price
            filled(
                OutcomeFill(
                    price: maker.price, quantity: quantity, maker: maker, makerRemaining: maker.remaining - quantity))
        }
        return remaining
    }

    /// How much would trade now, up to the taker's quantity.
    func matchable(_ taker: OutcomeTaker) -> Int64 {
        var wanted = taker.quantity
        for level in book.side(taker.side.opposite).levels.reversed() where wanted > 0 {
            guard taker.accepts(level.price) else { break }
            var slot: Int32? = level.head
            while let current = slot, wanted > 0 {
                let order = book[current]
                if order.owner != taker.owner { wanted -= min(order.remaining, wanted) }
                slot = book.next(after: current)
            }
        }
        return taker.quantity - wanted
    }

    /// Puts an order that does not cross behind the others of its price; returns its slot. It is told before what it took.
    func rest(number: Int64, owner: Int32, side: Side, price: Int64, quantity: Int64) -> Int32 {
        precondition(!crosses(side, price: price), "a crossing order must match before it rests")
        let slot = book.add(RestingOrder(id: number, price: price, remaining: quantity, owner: owner, side: side))
        let change = Change(side: side, price: price, token: Self.token(ofNumber: number))
        if !isRecorded(change) { changes.insert(change, at: 0) }
        return slot
    }

    /// Takes an order out if it is still there.
    @discardableResult
    func cancel(slot: Int32, number: Int64) -> Bool {
        guard book.holds(slot: slot, id: number) else { return false }
        take(slot)
        return true
    }

    private func take(_ slot: Int32) {
        let order = book[slot]
        book.remove(slot: slot)
        record(Change(side: order.side, price: order.price, token: Self.token(ofNumber: order.id)))
    }

    private func record(_ change: Change) {
        if !isRecorded(change) { changes.append(change) }
    }

    private func isRecorded(_ change: Change) -> Bool {
        changes.contains { $0.side == change.side && $0.price == change.price }
    }

    /// The changes since the last call.
    func takeChanges() -> [Change] {
        defer { changes.removeAll(keepingCapacity: true) }
        return changes
    }

    /// A trade has been told at this price of one of the tokens.
    func setLastTrade(_ text: String) { lastTradeText = text }

    // MARK: Texts

    /// Price and side of a level as one of the tokens shows them.
    static func view(_ price: Int64, _ side: Side, token: Int) -> (price: Int64, side: Side) {
        token == 0 ? (price, side) : (wholePrice - price, side.opposite)
    }

    /// Best bid and best ask of a token; 0 and 1 where there is none.
    func touch(_ token: Int) -> (bid: Int64, ask: Int64) {
        let bid = book.best(.buy)?.price ?? 0
        let ask = book.best(.sell)?.price ?? wholePrice
        return token == 0 ? (bid, ask) : (wholePrice - ask, wholePrice - bid)
    }

    /// Appends `"bids":[..],"asks":[..]` of a token, the best level last.
    func appendLevels(_ out: inout [UInt8], token: Int) {
        out.append("\"bids\":[")
        append(&out, book.side(token == 0 ? .buy : .sell), token)
        out.append("],\"asks\":[")
        append(&out, book.side(token == 0 ? .sell : .buy), token)
        out.append(93)
    }

    private func append(_ out: inout [UInt8], _ side: BookSide, _ token: Int) {
        for (index, level) in side.levels.enumerated() {
            out.append(index == 0 ? "{\"price\":" : ",{\"price\":")
            let price = token == 0 ? level.price : wholePrice - level.price
            out.append(quotedShortDecimal: price, decimals: outcomePriceDecimals)
            out.append(",\"size\":")
            out.append(quotedShortDecimal: level.quantity, decimals: tokenDecimals)
            out.append(125)
        }
    }

    /// The venue's hash of a token's book at a time in milliseconds: lower-case SHA-1 of the book as compact JSON.
    func hash(token: Int, milliseconds: Int64) -> [UInt8] {
        var text: [UInt8] = []
        text.append("{\"market\":\"")
        text.append(text: configuration.conditionID)
        text.append("\",\"asset_id\":\"")
        text.append(text: configuration.tokens[token])
        text.append("\",\"timestamp\":\"")
        text.append(integer: milliseconds)
        text.append("\",\"hash\":\"\",")
        appendLevels(&text, token: token)
        text.append(",\"min_order_size\":\"")
        text.append(integer: configuration.minOrderSize)
        text.append("\",\"tick_size\":")
        text.append(quotedShortDecimal: tickSize, decimals: outcomePriceDecimals)
        text.append(",\"neg_risk\":")
        text.append(bool: configuration.isNegRisk)
        text.append(",\"last_trade_price\":")
        text.append(quotedText: lastTradeText)
        text.append(125)
        return hexText(Insecure.SHA1.hash(data: text))
    }
}
