/// A market stream of one symbol, as its name ends.
enum StreamKind: Int, CaseIterable {
    case depth0, depth100, depthDefault, depth250, depth500, bookTicker, trade, aggTrade

    /// The name after `<symbol>@`.
    var suffix: String {
        switch self {
        case .depth0: "depth@0ms"
        case .depth100: "depth@100ms"
        case .depthDefault: "depth"
        case .depth250: "depth@250ms"
        case .depth500: "depth@500ms"
        case .bookTicker: "bookTicker"
        case .trade: "trade"
        case .aggTrade: "aggTrade"
        }
    }

    static let depthKinds: [StreamKind] = [.depth0, .depth100, .depthDefault, .depth250, .depth500]

    var isDepth: Bool { rawValue <= StreamKind.depth500.rawValue }

    init?(suffix: Substring) {
        guard let kind = StreamKind.allCases.first(where: { $0.suffix == suffix }) else { return nil }
        self = kind
    }
}

/// Changes of the book since the last depth event of one stream.
private struct DepthBatch {
    let interval: VenueTime
    var isActive = false
    var changedBids: ContiguousArray<Int64> = []
    var changedAsks: ContiguousArray<Int64> = []
    /// `U`, `u` and `pu` of the event in the making.
    var firstID: Int64 = 0
    var lastID: Int64
    var previousID: Int64
    /// Not before this time is the next event sent.
    var earliest: VenueTime = .min

    var isEmpty: Bool { firstID == 0 }

    mutating func record(_ side: Side, price: Int64, updateID: Int64) {
        if firstID == 0 { firstID = updateID }
        lastID = updateID
        if side == .buy { changedBids.append(price) } else { changedAsks.append(price) }
    }

    mutating func clear(at id: Int64) {
        previousID = id
        lastID = id
        firstID = 0
        changedBids.removeAll(keepingCapacity: true)
        changedAsks.removeAll(keepingCapacity: true)
    }
}

/// Renders one symbol's market streams. A message is rendered once and its bytes are shared by all who hear it;
/// a stream nobody hears costs nothing.
final class MarketFeed {
    private let configuration: SymbolConfiguration
    private var batches: [DepthBatch]
    private var listeners: [[BinanceConnection]] = Array(repeating: [], count: StreamKind.allCases.count)
    private var payload: [UInt8] = []
    private var sentBid: BookLevelView?
    private var sentAsk: BookLevelView?
    private var aggregate: AggregateTrade?
    private var aggregateID: Int64 = 2_300_000_000
    private let streamPrefix: [[UInt8]]
    /// Where finished frames go; set by the venue.
    var deliver: (BinanceConnection, StreamKind, [UInt8]) -> Void = { _, _, _ in }

    private struct BookLevelView: Equatable {
        var price: Int64
        var quantity: Int64
    }

    private struct AggregateTrade {
        var price: Int64
        var quantity: Int64
        var first: Int64
        var last: Int64
        var takerSide: Side
        var time: VenueTime
    }

    init(configuration: SymbolConfiguration, depthInterval: VenueTime, updateID: Int64) {
        self.configuration = configuration
        let intervals = [depthInterval, 100 * millisecond, 250 * millisecond, 250 * millisecond, 500 * millisecond]
        batches = intervals.map { DepthBatch(interval: $0, lastID: updateID, previousID: updateID) }
        let symbol = configuration.name.lowercased()
        streamPrefix = StreamKind.allCases.map { Array("{\"stream\":\"\(symbol)@\($0.suffix)\",\"data\":".utf8) }
        payload.reserveCapacity(1 << 16)
    }

    func hasListeners(_ kind: StreamKind) -> Bool { !listeners[kind.rawValue].isEmpty }

    /// Starts a stream for a connection. The first listener of a depth stream starts a fresh batch: what it is told from
    /// then on is complete from that id.
    func subscribe(_ connection: BinanceConnection, to kind: StreamKind, updateID: Int64) {
        if kind.isDepth && listeners[kind.rawValue].isEmpty {
            batches[kind.rawValue].isActive = true
            batches[kind.rawValue].clear(at: updateID)
        }
        listeners[kind.rawValue].append(connection)
    }

    func unsubscribe(_ connection: BinanceConnection, from kind: StreamKind) {
        listeners[kind.rawValue].removeAll { $0 === connection }
        if kind.isDepth && listeners[kind.rawValue].isEmpty { batches[kind.rawValue].isActive = false }
    }

    @inline(__always)
    func recordChange(_ side: Side, price: Int64, updateID: Int64) {
        for index in batches.indices where batches[index].isActive {
            batches[index].record(side, price: price, updateID: updateID)
        }
    }

    /// When the next depth event is due; the far future when nothing waits.
    var nextDepthTime: VenueTime {
        var result = VenueTime.max
        for index in batches.indices where batches[index].isActive && !batches[index].isEmpty {
            result = min(result, batches[index].earliest)
        }
        return result
    }

    /// Sends what one finished operation changed: the ticker if the touch moved, and the depth events that are due.
    func publish(_ market: Market) {
        sendAggregate(market)
        publishTouch(market)
        for kind in StreamKind.depthKinds {
            let index = kind.rawValue
            if batches[index].isActive && !batches[index].isEmpty && batches[index].earliest <= market.time {
                publishDepth(kind, market)
            }
        }
    }

    private func publishTouch(_ market: Market) {
        let bid = market.book.best(.buy).map { BookLevelView(price: $0.price, quantity: $0.quantity) }
        let ask = market.book.best(.sell).map { BookLevelView(price: $0.price, quantity: $0.quantity) }
        if bid == sentBid && ask == sentAsk { return }
        sentBid = bid
        sentAsk = ask
        guard hasListeners(.bookTicker) else { return }
        begin("bookTicker")
        payload.append(",\"u\":")
        payload.append(integer: market.updateID)
        appendSymbol()
        append(",\"b\":", price: bid?.price ?? 0)
        append(",\"B\":", quantity: bid?.quantity ?? 0)
        append(",\"a\":", price: ask?.price ?? 0)
        append(",\"A\":", quantity: ask?.quantity ?? 0)
        append(",\"T\":", milliseconds: market.time)
        append(",\"E\":", milliseconds: market.time)
        payload.append(125)
        send(.bookTicker)
    }

    /// Sends a trade at once, and collects it for the aggregate.
    func publishTrade(_ fill: Fill, market: Market) {
        if hasListeners(.aggTrade) { collect(fill, market) }
        guard hasListeners(.trade) else { return }
        begin("trade")
        append(",\"E\":", milliseconds: market.time)
        append(",\"T\":", milliseconds: market.time)
        appendSymbol()
        payload.append(",\"t\":")
        payload.append(integer: fill.tradeID)
        append(",\"p\":", price: fill.price)
        append(",\"q\":", quantity: fill.quantity)
        payload.append(",\"X\":\"MARKET\",\"m\":")
        payload.append(bool: fill.taker.side == .sell)
        payload.append(125)
        send(.trade)
    }

    private func collect(_ fill: Fill, _ market: Market) {
        if var current = aggregate, current.price == fill.price, current.takerSide == fill.taker.side {
            current.quantity += fill.quantity
            current.last = fill.tradeID
            aggregate = current
            return
        }
        sendAggregate(market)
        aggregate = AggregateTrade(
            price: fill.price, quantity: fill.quantity, first: fill.tradeID, last: fill.tradeID,
            takerSide: fill.taker.side, time: market.time)
    }

    private func sendAggregate(_ market: Market) {
        guard let trade = aggregate else { return }
        aggregate = nil
        aggregateID += 1
        begin("aggTrade")
        append(",\"E\":", milliseconds: market.time)
        appendSymbol()
        payload.append(",\"a\":")
        payload.append(integer: aggregateID)
        append(",\"p\":", price: trade.price)
        append(",\"q\":", quantity: trade.quantity)
        payload.append(",\"f\":")
        payload.append(integer: trade.first)
        payload.append(",\"l\":")
        payload.append(integer: trade.last)
        append(",\"T\":", milliseconds: trade.time)
        payload.append(",\"m\":")
        payload.append(bool: trade.takerSide == .sell)
        payload.append(125)
        send(.aggTrade)
    }

    private func publishDepth(_ kind: StreamKind, _ market: Market) {
        let batch = batches[kind.rawValue]
        begin("depthUpdate")
        append(",\"E\":", milliseconds: market.time)
        append(",\"T\":", milliseconds: market.time)
        appendSymbol()
        payload.append(",\"U\":")
        payload.append(integer: batch.firstID)
        payload.append(",\"u\":")
        payload.append(integer: batch.lastID)
        payload.append(",\"pu\":")
        payload.append(integer: batch.previousID)
        payload.append(",\"b\":[")
        appendChanged(batch.changedBids, in: market.book.side(.buy))
        payload.append("],\"a\":[")
        appendChanged(batch.changedAsks, in: market.book.side(.sell))
        payload.append("]}")
        batches[kind.rawValue].clear(at: batch.lastID)
        batches[kind.rawValue].earliest = market.time + batch.interval
        send(kind)
    }

    private func appendChanged(_ prices: ContiguousArray<Int64>, in side: BookSide) {
        var prices = prices
        prices.sort()
        var previous = Int64.min
        for price in prices where price != previous {
            payload.append(previous == .min ? "[" : ",[")
            previous = price
            payload.append(quotedDecimal: price, decimals: configuration.priceDecimals)
            payload.append(44)
            payload.append(quotedDecimal: side.quantity(at: price), decimals: configuration.quantityDecimals)
            payload.append(93)
        }
    }

    private func begin(_ event: StaticString) {
        payload.removeAll(keepingCapacity: true)
        payload.append("{\"e\":\"")
        payload.append(event)
        payload.append(34)
    }

    private func appendSymbol() {
        payload.append(",\"s\":\"")
        payload.append(text: configuration.name)
        payload.append(34)
    }

    private func append(_ key: StaticString, price: Int64) {
        payload.append(key)
        payload.append(quotedDecimal: price, decimals: configuration.priceDecimals)
    }

    private func append(_ key: StaticString, quantity: Int64) {
        payload.append(key)
        payload.append(quotedDecimal: quantity, decimals: configuration.quantityDecimals)
    }

    private func append(_ key: StaticString, milliseconds time: VenueTime) {
        payload.append(key)
        payload.append(integer: time / millisecond)
    }

    private func send(_ kind: StreamKind) {
        sendPayload(payload, kind)
    }

    /// Sends finished data of a stream to its listeners, wrapped or raw as each connection asked.
    func sendPayload(_ payload: [UInt8], _ kind: StreamKind) {
        var combined: [UInt8] = []
        var raw: [UInt8] = []
        for connection in listeners[kind.rawValue] {
            if connection.isCombined {
                if combined.isEmpty {
                    let prefix = streamPrefix[kind.rawValue]
                    combined.reserveCapacity(prefix.count + payload.count + 11)
                    WebSocketCodec.appendHeader(&combined, opcode: .text, length: prefix.count + payload.count + 1)
                    combined.append(contentsOf: prefix)
                    combined.append(contentsOf: payload)
                    combined.append(125)
                }
                deliver(connection, kind, combined)
            } else {
                if raw.isEmpty {
                    raw.reserveCapacity(payload.count + 10)
                    WebSocketCodec.appendHeader(&raw, opcode: .text, length: payload.count)
                    raw.append(contentsOf: payload)
                }
                deliver(connection, kind, raw)
            }
        }
    }
}
