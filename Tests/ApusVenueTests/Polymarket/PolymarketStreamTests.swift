import Crypto
import Testing

@testable import ApusVenue

/// A client's copy of one token's book, held by the stream alone, with the hash computed independently of the venue.
private struct Mirror {
    var levels: [String: [String: String]] = ["BUY": [:], "SELL": [:]]
    var market = ""
    var asset = ""
    var tickSize = ""
    var lastTradePrice = ""

    mutating func take(book: JSONValue) {
        levels = ["BUY": [:], "SELL": [:]]
        for (side, key) in [("BUY", "bids"), ("SELL", "asks")] {
            guard case .array(let rows)? = book[key] else { continue }
            for row in rows { levels[side]![text(row, "price")!] = text(row, "size")! }
        }
        market = text(book, "market")!
        asset = text(book, "asset_id")!
        tickSize = text(book, "tick_size") ?? tickSize
        lastTradePrice = text(book, "last_trade_price") ?? lastTradePrice
    }

    mutating func take(change: JSONValue) {
        let side = text(change, "side")!, price = text(change, "price")!, size = text(change, "size")!
        levels[side]![price] = size == "0" ? nil : size
    }

    func hash(timestamp: String, lastTradePrice: String? = nil) -> String {
        func rows(_ side: String) -> String {
            levels[side]!.sorted { (side == "BUY") == (Double($0.key)! < Double($1.key)!) }
                .map { "{\"price\":\"\($0.key)\",\"size\":\"\($0.value)\"}" }.joined(separator: ",")
        }
        let body = """
            {"market":"\(market)","asset_id":"\(asset)","timestamp":"\(timestamp)","hash":"","bids":[\(rows("BUY"))],\
            "asks":[\(rows("SELL"))],"min_order_size":"5","tick_size":"\(tickSize)","neg_risk":false,\
            "last_trade_price":"\(lastTradePrice ?? self.lastTradePrice)"}
            """
        return Insecure.SHA1.hash(data: Array(body.utf8)).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}

@Suite struct PolymarketStreamTests {
    private func flat(_ messages: [JSONValue]) -> [JSONValue] {
        messages.flatMap { message -> [JSONValue] in
            if case .array(let items) = message { return items }
            return [message]
        }
    }

    @Test(arguments: [0, 1]) func everyHashHoldsOnTheBookThatTheStreamTells(_ token: Int) throws {
        let harness = try PolymarketHarness(speed: .real, seed: UInt64(3 + token))
        let client = harness.marketStream([token])
        var mirror = Mirror()
        var proofs = 0, trades = 0
        for _ in 0..<40 {
            harness.advance(by: 250 * millisecond)
            let messages = flat(client.takeMessages())
            for (index, message) in messages.enumerated() {
                let timestamp = text(message, "timestamp")!
                switch text(message, "event_type") {
                case "book"?:
                    mirror.take(book: message)
                    #expect(mirror.hash(timestamp: timestamp) == text(message, "hash"))
                    proofs += 1
                case "last_trade_price"?:
                    mirror.lastTradePrice = text(message, "price")!
                    trades += 1
                case "price_change"?:
                    guard case .array(let changes)? = message["price_changes"],
                        let change = changes.first(where: { text($0, "asset_id") == harness.token(token) })
                    else { continue }
                    #expect(changes.count == 2)
                    mirror.take(change: change)
                    // All changes of one operation carry the final hash: it holds at the end of their batch.
                    let following = messages[(index + 1)...]
                    if let next = following.first, text(next, "event_type") == "price_change",
                        text(next, "timestamp") == timestamp
                    {
                        continue
                    }
                    let trade = following.prefix { text($0, "event_type") == "last_trade_price" }.last
                    let price = trade.flatMap { text($0, "price") }
                    #expect(mirror.hash(timestamp: timestamp, lastTradePrice: price) == text(change, "hash"))
                    let book = harness.book(token)
                    if following.isEmpty {
                        #expect(text(change, "best_bid") == shortDecimalText(book.bids[0].price, decimals: 4))
                        #expect(text(change, "best_ask") == shortDecimalText(book.asks[0].price, decimals: 4))
                    }
                    proofs += 1
                default: break
                }
            }
        }
        #expect(proofs > 200 && trades > 10)
        #expect(harness.problems().isEmpty)
    }

    @Test func theBookOverRESTHasTheSameHash() throws {
        let harness = try PolymarketHarness()
        let book = harness.rest.request("GET", "/book?token_id=\(harness.token(0))").body
        var mirror = Mirror()
        mirror.take(book: book)
        #expect(mirror.hash(timestamp: text(book, "timestamp")!) == text(book, "hash"))
        #expect(harness.rest.request("GET", "/book?token_id=12").status == 404)
        #expect(harness.rest.request("GET", "/book?token_id=x").status == 400)
        #expect(harness.rest.request("GET", "/book").status == 400)
        let both = "[{\"token_id\":\"\(harness.token(0))\"},{\"token_id\":\"\(harness.token(1))\"}]"
        guard case .array(let books) = harness.rest.request("POST", "/books", body: both).body else {
            Issue.record("the answer is no array")
            return
        }
        #expect(books.count == 2)
    }

    @Test func subscriptionsComeAndGo() throws {
        let harness = try PolymarketHarness(speed: .real)
        let client = harness.marketStream([0])
        #expect(flat(client.takeMessages()).map { text($0, "event_type") } == ["book"])
        client.sendText("PING")
        #expect(client.takeTexts().map { String(decoding: $0, as: UTF8.self) } == ["PONG"])
        client.sendText("{\"assets_ids\":[\"\(harness.token(0))\",\"5\"],\"operation\":\"subscribe\"}")
        #expect(client.takeTexts().map { String(decoding: $0, as: UTF8.self) } == ["NO NEW ASSETS"])
        client.sendText("{\"assets_ids\":[\"\(harness.token(0))\"],\"operation\":\"unsubscribe\"}")
        harness.advance(by: second)
        #expect(client.takeMessages().isEmpty)
        client.sendText("{\"assets_ids\":[\"\(harness.token(0))\"],\"operation\":\"subscribe\"}")
        #expect(flat(client.takeMessages()).map { text($0, "asset_id") } == [harness.token(0)])
        harness.advance(by: second)
        #expect(!client.takeMessages().isEmpty)
    }

    @Test(arguments: [
        "{\"type\":\"market\"}", "nonsense", "{\"assets_ids\":[1]}", "{\"assets_ids\":[],\"type\":\"x\"}",
    ])
    func whatIsNoSubscriptionEndsTheConnection(_ text: String) throws {
        let harness = try PolymarketHarness()
        let client = harness.webSocket("/ws/market")
        client.sendText(text)
        #expect(client.isClosed)
        #expect(harness.connect().upgrade("/ws/nothing") == 404)
    }

    @Test func aTickThatChangesVoidsTheBookUntilTheNextOne() throws {
        let harness = try PolymarketHarness()
        let client = harness.marketStream([0], features: true)
        _ = client.takeMessages()
        harness.venue.changeTick(conditionID: harness.configuration.markets[0].conditionID, to: 10)
        harness.advance(by: millisecond)
        let messages = client.takeMessages()
        try #require(messages.map { text($0, "event_type") } == ["tick_size_change", "book"])
        #expect(text(messages[0], "old_tick_size") == "0.01" && text(messages[0], "new_tick_size") == "0.001")
        var mirror = Mirror()
        mirror.take(book: messages[1])
        #expect(
            mirror.tickSize == "0.001"
                && mirror.hash(timestamp: text(messages[1], "timestamp")!) == text(messages[1], "hash"))
        #expect(harness.place(OrderPlan(price: 110)).status == 200)
        // The first change of a new book says the best prices too.
        #expect(client.takeMessages().map { text($0, "event_type") } == ["price_change", "best_bid_ask"])
        let best = harness.book(0).bids[0].price + 10
        #expect(harness.place(OrderPlan(price: best)).status == 200)
        #expect(client.takeMessages().map { text($0, "event_type") } == ["price_change", "best_bid_ask"])
    }

    // MARK: User stream

    @Test func aTradeIsToldFromMatchedToConfirmed() throws {
        let harness = try PolymarketHarness()
        let stream = harness.userStream()
        let ask = harness.book(0).asks[0].price
        let id = harness.place(OrderPlan(price: ask, size: 500))["orderID"]!
        let first = stream.takeMessages()
        try #require(first.map { text($0, "event_type") } == ["order", "trade", "order"])
        #expect(first.map { text($0, "type") } == ["PLACEMENT", "TRADE", "UPDATE"])
        #expect(text(first[1], "taker_order_id") == id && text(first[1], "status") == "MATCHED")
        #expect(text(first[2], "size_matched") == "5" && text(first[2], "status") == "MATCHED")
        harness.advance(by: 10 * second)
        let later = stream.takeMessages()
        #expect(later.map { text($0, "status") } == ["MINED", "CONFIRMED"])
        #expect(
            later.allSatisfy { text($0, "id") == text(first[1], "id") && text($0, "transaction_hash")!.count == 66 })
        #expect(harness.venue.fills(signer: harness.wallets[0].address).map(\.status) == [.confirmed])
    }

    @Test func theMakerIsToldItsPart() throws {
        let harness = try PolymarketHarness()
        let price = harness.openGap()
        let maker = harness.userStream(0)
        let other = harness.userStream(0, markets: "[\"0x00\"]")
        let id = harness.place(OrderPlan(price: price, size: 1_000))["orderID"]!
        _ = maker.takeMessages()
        harness.place(OrderPlan(token: 1, price: wholePrice - price, size: 600), wallet: 1)
        let events = maker.takeMessages()
        try #require(events.map { text($0, "event_type") } == ["trade", "order"])
        #expect(text(events[0], "trader_side") == "MAKER" && text(events[0], "asset_id") == harness.token(1))
        guard case .array(let parts)? = events[0]["maker_orders"] else {
            Issue.record("there are no maker orders")
            return
        }
        let part = parts.first { text($0, "order_id") == id }
        #expect(
            part.flatMap { text($0, "matched_amount") } == "6"
                && part.flatMap { text($0, "asset_id") } == harness.token(0))
        #expect(text(events[1], "size_matched") == "6" && text(events[1], "status") == "LIVE")
        #expect(other.takeMessages().isEmpty && !other.isClosed)
    }

    @Test func aFailedTradeIsUndoneAndTold() throws {
        let harness = try PolymarketHarness(faults: FaultPlan(rules: [FaultRule(.failedTrade, .afterMessages(0))]))
        let stream = harness.userStream()
        let before = harness.totals().money
        let ask = harness.book(0).asks[0].price
        harness.place(OrderPlan(price: ask, size: 500))
        #expect(harness.held(0) == 1_005 * tokenUnit && harness.money() < 10_000 * tokenUnit)
        harness.advance(by: 10 * second)
        let statuses = stream.takeMessages().filter { text($0, "event_type") == "trade" }.map { text($0, "status") }
        #expect(statuses == ["MATCHED", "RETRYING", "FAILED"])
        #expect(harness.held(0) == 1_000 * tokenUnit && harness.money() == 10_000 * tokenUnit)
        #expect(harness.venue.faultLog.map(\.kind) == [.failedTrade])
        #expect(harness.totals().money == before && harness.problems().isEmpty)
        harness.place(OrderPlan(price: ask, size: 500))
        harness.advance(by: 10 * second)
        #expect(harness.held(0) == 1_005 * tokenUnit)
    }

    @Test func whatIsSpentAlreadyIsNotUndone() throws {
        let harness = try PolymarketHarness(
            wallets: [TestWallet(1), TestWallet(2)],
            faults: FaultPlan(rules: [FaultRule(.failedTrade, .afterMessages(0))])
        ) { $0.accounts[0].tokens = 0 }
        let ask = harness.book(0).asks[0].price
        harness.place(OrderPlan(price: ask, size: 500))
        harness.place(OrderPlan(side: .sell, price: 100, size: 500))
        #expect(harness.held(0) == 0)
        harness.advance(by: 20 * second)
        #expect(harness.venue.fills(signer: harness.wallets[0].address).map(\.status) == [.confirmed, .confirmed])
        #expect(harness.problems().isEmpty)
    }

    @Test func ordersThatAnUndoneTradeLeavesUncoveredAreCancelled() throws {
        let harness = try PolymarketHarness(faults: FaultPlan(rules: [FaultRule(.failedTrade, .afterMessages(0))])) {
            $0.accounts[0].tokens = 0
        }
        harness.place(OrderPlan(price: harness.book(0).asks[0].price, size: 500))
        let id = harness.place(OrderPlan(side: .sell, price: 9_800, size: 500))["orderID"]!
        #expect(harness.venue.order(id: id)?.status == .live)
        harness.advance(by: 10 * second)
        #expect(harness.venue.order(id: id)?.status == .canceled && harness.held(0) == 0)
        #expect(harness.problems().isEmpty)
    }

    @Test func aUserStreamNeedsItsKey() throws {
        let harness = try PolymarketHarness()
        let key = harness.key()
        for wrong in ["apiKey", "secret", "passphrase"] {
            let client = harness.webSocket("/ws/user")
            let fields = ["apiKey", "secret", "passphrase"].map {
                "\"\($0)\":\"\($0 == wrong ? "x" : text(key, $0)!)\""
            }
            client.sendText("{\"auth\":{\(fields.joined(separator: ","))},\"type\":\"user\"}")
            #expect(client.closeCode == 1008, "\(wrong)")
        }
        let silent = harness.webSocket("/ws/user")
        harness.place(OrderPlan())
        #expect(silent.takeMessages().isEmpty)
    }
}
