import Testing

@testable import ApusVenue

/// A client's book, by the documentation of the venue's streams: buffer, snapshot, drop, first event, then every `pu`.
struct ClientBook {
    private(set) var bids: [Int64: Int64] = [:]
    private(set) var asks: [Int64: Int64] = [:]
    private(set) var lastID: Int64 = 0
    private(set) var gaps = 0
    private(set) var applied = 0
    private var isFirst = true

    init(snapshot: JSONValue) {
        lastID = number(snapshot, "lastUpdateId")
        set(snapshot["bids"], in: &bids)
        set(snapshot["asks"], in: &asks)
    }

    mutating func apply(_ event: JSONValue) {
        let last = number(event, "u")
        if isFirst {
            if last < lastID { return }
            if number(event, "U") > lastID { gaps += 1 }
            isFirst = false
        } else if number(event, "pu") != lastID {
            gaps += 1
        }
        set(event["b"], in: &bids)
        set(event["a"], in: &asks)
        lastID = last
        applied += 1
    }

    private func set(_ rows: JSONValue?, in levels: inout [Int64: Int64]) {
        guard case .array(let rows)? = rows else { return }
        for case .array(let row) in rows {
            let price = (try? parseDecimal(row[0].string ?? "", decimals: 2)) ?? -1
            let quantity = (try? parseDecimal(row[1].string ?? "", decimals: 3)) ?? -1
            levels[price] = quantity == 0 ? nil : quantity
        }
    }

    func levels(_ side: Side, best count: Int) -> [TrueLevel] {
        let sorted = side == .buy ? bids.sorted { $0.key > $1.key } : asks.sorted { $0.key < $1.key }
        return sorted.prefix(count).map { TrueLevel(price: $0.key, quantity: $0.value) }
    }
}

func number(_ value: JSONValue, _ key: String) -> Int64 { value[key]?.parameterText.flatMap { Int64($0) } ?? -1 }

@Suite struct StreamTests {
    /// With an event for every change ten thousand come quickly; the slower streams collect many changes into one.
    @Test(arguments: [("depth@0ms", 10_000), ("depth@100ms", 20), ("depth", 8), ("depth@500ms", 5)])
    func theBookIsRebuiltFromSnapshotAndEvents(_ stream: String, _ wanted: Int) throws {
        let harness = try Harness(speed: MarketSpeed(actionsPerSecond: 5000, depthInterval: 0))
        let client = harness.webSocket("/stream?streams=btcusdt@\(stream)")
        harness.advance(by: 700 * millisecond)
        var book = ClientBook(snapshot: harness.rest.request("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000").body)
        for turn in 0..<100 where book.applied < wanted {
            harness.advance(by: 100 * millisecond)
            for message in client.takeMessages() {
                if turn == 0 { #expect(text(message, "stream") == "btcusdt@\(stream)") }
                book.apply(message["data"] ?? .null)
            }
        }
        // Let what is still being collected come, then compare with the truth.
        harness.venue.stopParticipants()
        harness.advance(by: second)
        for message in client.takeMessages() { book.apply(message["data"] ?? .null) }
        #expect(book.applied >= wanted && book.gaps == 0)
        let truth = harness.venue.book("BTCUSDT")!
        #expect(book.lastID == truth.updateID)
        // The snapshot had the best thousand; levels beyond were only learnt where they changed.
        let agree =
            book.levels(.buy, best: 200) == Array(truth.bids.prefix(200))
            && book.levels(.sell, best: 200) == Array(truth.asks.prefix(200))
        #expect(agree)
    }

    @Test func messagesHaveExactlyTheRealShapes() throws {
        let harness = try Harness()
        let client = harness.webSocket(
            "/stream?streams=btcusdt@depth@0ms/btcusdt@bookTicker/btcusdt@trade/btcusdt@aggTrade")
        let book = harness.venue.book("BTCUSDT")!
        let quantity = book.asks[0].quantity + 1
        _ = harness.place("side=BUY&type=MARKET&quantity=\(decimalText(quantity, decimals: 3))")
        let texts = client.takeTexts().map { String(decoding: $0, as: UTF8.self) }
        let after = harness.venue.book("BTCUSDT")!
        let ms = testStart / millisecond
        func price(_ units: Int64) -> String { decimalText(units, decimals: 2) }
        func size(_ units: Int64) -> String { decimalText(units, decimals: 3) }
        let trades = texts.filter { $0.contains("\"e\":\"trade\"") }
        let firstTrade = try #require(trades.first)
        let tradeID = number(try JSONParser.parse(Array(firstTrade.utf8))["data"]!, "t")
        let firstQuantity = text(try JSONParser.parse(Array(firstTrade.utf8)), "data", "q")!
        #expect(
            firstTrade == """
                {"stream":"btcusdt@trade","data":{"e":"trade","E":\(ms),"T":\(ms),"s":"BTCUSDT","t":\(tradeID),\
                "p":"\(price(book.asks[0].price))","q":"\(firstQuantity)","X":"MARKET","m":false}}
                """)
        #expect(
            texts.contains(
                """
                {"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":\(after.updateID),"s":"BTCUSDT",\
                "b":"\(price(after.bids[0].price))","B":"\(size(after.bids[0].quantity))","a":"\(price(after.asks[0].price))",\
                "A":"\(size(after.asks[0].quantity))","T":\(ms),"E":\(ms)}}
                """))
        let depth = try #require(texts.first { $0.contains("depthUpdate") })
        let data = try JSONParser.parse(Array(depth.utf8))["data"]!
        #expect(
            depth == """
                {"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":\(ms),"T":\(ms),"s":"BTCUSDT",\
                "U":\(number(data, "U")),"u":\(after.updateID),"pu":\(book.updateID),"b":[],\
                "a":[["\(price(book.asks[0].price))","0.000"],["\(price(after.asks[0].price))","\(size(after.asks[0].quantity))"]]}}
                """)
        #expect(number(data, "U") > book.updateID && number(data, "U") <= after.updateID)
        #expect(texts.filter { $0.contains("aggTrade") }.count == 2)
    }

    @Test func theSnapshotHasTheRealShape() throws {
        let harness = try Harness()
        let answer = harness.rest.request("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=5")
        guard case .object(let members) = answer.body else {
            Issue.record("the snapshot is no object")
            return
        }
        #expect(members.map(\.key) == ["lastUpdateId", "E", "T", "bids", "asks"])
        let truth = harness.venue.book("BTCUSDT")!
        #expect(number(answer.body, "lastUpdateId") == truth.updateID)
        #expect(ClientBook(snapshot: answer.body).levels(.buy, best: 5) == Array(truth.bids.prefix(5)))
        #expect(ClientBook(snapshot: answer.body).levels(.sell, best: 9) == Array(truth.asks.prefix(5)))
    }

    /// The free check that the real venue allows: a ticker with a depth event's id equals the book at that id.
    @Test func tickersEqualTheBookOfTheirId() throws {
        let harness = try Harness(speed: MarketSpeed(actionsPerSecond: 1000, depthInterval: 10 * millisecond))
        let client = harness.webSocket("/stream?streams=btcusdt@depth@0ms/btcusdt@bookTicker")
        harness.advance(by: 100 * millisecond)
        var book = ClientBook(snapshot: harness.rest.request("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000").body)
        var tickers: [Int64: JSONValue] = [:]
        var compared = 0
        for _ in 0..<40 {
            harness.advance(by: 100 * millisecond)
            for message in client.takeMessages() {
                let data = message["data"]!
                if text(data, "e") == "bookTicker" {
                    tickers[number(data, "u")] = data
                    continue
                }
                book.apply(data)
                guard book.lastID == number(data, "u"), let ticker = tickers[book.lastID] else { continue }
                compared += 1
                let bid = book.levels(.buy, best: 1)[0]
                let ask = book.levels(.sell, best: 1)[0]
                #expect(text(ticker, "b") == decimalText(bid.price, decimals: 2))
                #expect(text(ticker, "B") == decimalText(bid.quantity, decimals: 3))
                #expect(text(ticker, "a") == decimalText(ask.price, decimals: 2))
                #expect(text(ticker, "A") == decimalText(ask.quantity, decimals: 3))
            }
        }
        #expect(compared > 20 && book.gaps == 0)
    }

    @Test func rawStreamsAndSubscriptionsByMessage() throws {
        let harness = try Harness()
        let raw = harness.webSocket("/ws/btcusdt@trade")
        let client = harness.webSocket("/market/stream")
        client.sendText("{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@trade\",\"btcusdt@trade\"],\"id\":\"s-1\"}")
        #expect(client.takeTexts() == [Array("{\"result\":null,\"id\":\"s-1\"}".utf8)])
        client.sendText("{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":3}")
        #expect(client.takeTexts() == [Array("{\"result\":[\"btcusdt@trade\"],\"id\":3}".utf8)])
        _ = harness.place("side=BUY&type=MARKET&quantity=0.001")
        #expect(raw.takeMessages().map { text($0, "e") } == ["trade"])
        #expect(client.takeMessages().map { text($0, "stream") } == ["btcusdt@trade"])
        client.sendText("{\"method\":\"UNSUBSCRIBE\",\"params\":[\"btcusdt@trade\"],\"id\":4}")
        _ = client.takeTexts()
        _ = harness.place("side=BUY&type=MARKET&quantity=0.001")
        #expect(client.takeMessages().isEmpty && raw.takeMessages().count == 1)
        for bad in [
            "{\"method\":\"SUBSCRIBE\",\"params\":[\"x@y\"],\"id\":1}", "{\"method\":\"DANCE\",\"id\":1}", "{", "[1]",
            "{\"method\":\"SUBSCRIBE\",\"params\":\"btcusdt@trade\",\"id\":1}",
        ] {
            client.sendText(bad)
            #expect(client.takeMessages().allSatisfy { $0["error"] != nil }, "\(bad)")
        }
        #expect(!client.isClosed)
        #expect(harness.connect().upgrade("/public/ws/btcusdt@bookTicker") == 101)
        #expect(harness.connect().upgrade("/public/stream?streams=btcusdt@bookTicker/ethusdt@bookTicker") == 101)
    }

    @Test func aConnectionThatLeftHearsNothing() throws {
        let harness = try Harness()
        let client = harness.webSocket("/ws/btcusdt@trade")
        harness.leave(client)
        _ = harness.place("side=BUY&type=MARKET&quantity=0.001")
        #expect(client.takeTexts().isEmpty)
        #expect(harness.venue.role(of: client.id) == nil)
    }
}
