/// A connection of this venue: REST, or one of the two streams.
final class PolymarketConnection: Connection {
    /// Tokens it listens to, by market and outcome.
    var tokens: Set<Int> = []
    /// Whether the messages of `custom_feature_enabled` are sent to it.
    var wantsFeatures = false
    /// Whose user stream it is, once it has authenticated.
    var account: PolymarketAccount?
    /// Condition ids whose events it asked for; empty for all.
    var markets: [String] = []
}

/// Renders one market's stream. A message is rendered once and its bytes are shared by all who hear it; a market that
/// nobody hears costs nothing.
final class OutcomeFeed {
    let market: OutcomeMarket
    private(set) var listeners: [PolymarketConnection] = []
    private var pendingTrades: [(token: Int, side: Side, price: Int64, size: Int64)] = []
    private var sentTouch: [(bid: Int64, ask: Int64)] = [(-1, -1), (-1, -1)]
    /// Where finished frames go; set by the venue.
    var deliver: (PolymarketConnection, String, [UInt8]) -> Void = { _, _, _ in }

    init(market: OutcomeMarket) { self.market = market }

    func add(_ connection: PolymarketConnection) {
        if !listeners.contains(where: { $0 === connection }) { listeners.append(connection) }
    }

    func remove(_ connection: PolymarketConnection) { listeners.removeAll { $0 === connection } }

    /// Sends what one finished operation changed: one message for each level, all with the same time and the final hashes.
    func publish(_ changes: [OutcomeMarket.Change], _ now: VenueTime) {
        guard !listeners.isEmpty, !changes.isEmpty else { return }
        let time = now / millisecond
        let hashes = (0..<2).map { market.hash(token: $0, milliseconds: time) }
        for change in changes {
            send("price_change", priceChange(change, hashes, time))
        }
        publishTouch(time)
    }

    private func priceChange(_ change: OutcomeMarket.Change, _ hashes: [[UInt8]], _ time: Int64) -> [UInt8] {
        var out = begin()
        out.append(",\"price_changes\":[")
        let size = market.book.quantity(change.side, at: change.price)
        for (index, token) in [change.token, 1 - change.token].enumerated() {
            let view = OutcomeMarket.view(change.price, change.side, token: token)
            let touch = market.touch(token)
            if index > 0 { out.append(44) }
            out.append("{\"asset_id\":\"")
            out.append(text: market.configuration.tokens[token])
            append(&out, "\",\"price\":", price: view.price)
            out.append(",\"size\":")
            out.append(quotedShortDecimal: size, decimals: tokenDecimals)
            out.append(view.side == .buy ? ",\"side\":\"BUY\",\"hash\":\"" : ",\"side\":\"SELL\",\"hash\":\"")
            out.append(contentsOf: hashes[token])
            append(&out, "\",\"best_bid\":", price: touch.bid)
            append(&out, ",\"best_ask\":", price: touch.ask)
            out.append(125)
        }
        out.append("],")
        end(&out, "price_change", time)
        return out
    }

    private func publishTouch(_ time: Int64) {
        for token in 0..<2 {
            let touch = market.touch(token)
            if touch == sentTouch[token] { continue }
            sentTouch[token] = touch
            var out = begin()
            appendToken(&out, token)
            append(&out, ",\"best_bid\":", price: touch.bid)
            append(&out, ",\"best_ask\":", price: touch.ask)
            append(&out, ",\"spread\":", price: touch.ask - touch.bid)
            out.append(44)
            end(&out, "best_bid_ask", time)
            send("best_bid_ask", out) { $0.wantsFeatures && $0.tokens.contains(self.market.index * 2 + token) }
        }
    }

    /// Remembers a trade of the operation in hand, in terms of the token that the resting order named. Its price goes into
    /// the hashes from now on, before it is told.
    func addTrade(token: Int, side: Side, price: Int64, size: Int64) {
        market.setLastTrade(shortDecimalText(price, decimals: outcomePriceDecimals))
        pendingTrades.append((token, side, price, size))
    }

    /// Sends the trades of an operation, and whole books after it: a book sent after a trade has neither tick size nor last
    /// trade price.
    func publishTrades(_ now: VenueTime) {
        defer { pendingTrades.removeAll(keepingCapacity: true) }
        guard !listeners.isEmpty, !pendingTrades.isEmpty else { return }
        let time = now / millisecond
        for trade in pendingTrades {
            var out = begin()
            appendToken(&out, trade.token)
            append(&out, ",\"price\":", price: trade.price)
            out.append(",\"size\":")
            out.append(quotedShortDecimal: trade.size, decimals: tokenDecimals)
            out.append(trade.side == .buy ? ",\"side\":\"BUY\"" : ",\"side\":\"SELL\"")
            out.append(",\"fee_rate_bps\":\"0\",")
            end(&out, "last_trade_price", time)
            send("last_trade_price", out)
        }
        for token in 0..<2 {
            let out = book(token: token, isOpening: false, now)
            send("book", out) { $0.tokens.contains(self.market.index * 2 + token) }
        }
    }

    /// Makes the tick finer: the books are void until the next ones, which follow at once.
    func changeTick(to tick: Int64, _ now: VenueTime) {
        let old = market.tickSize
        market.tickSize = tick
        guard !listeners.isEmpty else { return }
        for token in 0..<2 {
            var out = begin()
            appendToken(&out, token)
            append(&out, ",\"old_tick_size\":", price: old)
            append(&out, ",\"new_tick_size\":", price: tick)
            out.append(44)
            end(&out, "tick_size_change", now / millisecond)
            send("tick_size_change", out) { $0.tokens.contains(self.market.index * 2 + token) }
            let opening = book(token: token, isOpening: true, now)
            send("book", opening) { $0.tokens.contains(self.market.index * 2 + token) }
        }
    }

    /// A whole book.
    func book(token: Int, isOpening: Bool, _ now: VenueTime) -> [UInt8] {
        let time = now / millisecond
        var out = begin()
        appendToken(&out, token)
        out.append(",\"hash\":\"")
        out.append(contentsOf: market.hash(token: token, milliseconds: time))
        out.append("\",")
        market.appendLevels(&out, token: token)
        if isOpening {
            append(&out, ",\"tick_size\":", price: market.tickSize)
            out.append(",\"last_trade_price\":")
            out.append(quotedText: market.lastTradeText)
        }
        out.append(44)
        end(&out, "book", time)
        return out
    }

    // MARK: Text

    private func begin() -> [UInt8] {
        var out: [UInt8] = []
        out.append("{\"market\":\"")
        out.append(text: market.configuration.conditionID)
        out.append(34)
        return out
    }

    private func end(_ out: inout [UInt8], _ type: StaticString, _ time: Int64) {
        out.append("\"timestamp\":\"")
        out.append(integer: time)
        out.append("\",\"event_type\":\"")
        out.append(type)
        out.append("\"}")
    }

    private func appendToken(_ out: inout [UInt8], _ token: Int) {
        out.append(",\"asset_id\":\"")
        out.append(text: market.configuration.tokens[token])
        out.append(34)
    }

    private func append(_ out: inout [UInt8], _ key: StaticString, price: Int64) {
        out.append(key)
        out.append(quotedShortDecimal: price, decimals: outcomePriceDecimals)
    }

    private func send(_ stream: String, _ text: [UInt8], to wanted: (PolymarketConnection) -> Bool = { _ in true }) {
        let frame = WebSocketCodec.frame(.text, text)
        for connection in listeners where wanted(connection) { deliver(connection, stream, frame) }
    }
}
