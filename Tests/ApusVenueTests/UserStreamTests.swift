import Testing

@testable import ApusVenue

@Suite struct UserStreamTests {
    private let harness: Harness

    init() throws { harness = try Harness() }

    @Test func orderEventsHaveAllFieldsInTheVenuesOrder() throws {
        let user = harness.userStream()
        _ = harness.limit("BUY", "0.010", at: "60000", tif: "GTX", id: "my-1")
        let order = try #require(harness.venue.openOrders(apiKey: firstKey).first)
        let ms = testStart / millisecond
        #expect(
            user.takeTexts().map { String(decoding: $0, as: UTF8.self) } == [
                """
                {"e":"ORDER_TRADE_UPDATE","T":\(ms),"E":\(ms),"o":{"s":"BTCUSDT","c":"my-1","S":"BUY","o":"LIMIT","f":"GTX",\
                "q":"0.010","p":"60000.00","ap":"0","sp":"0","x":"NEW","X":"NEW","i":\(order.id),"l":"0","z":"0","L":"0",\
                "n":"0","N":"USDT","T":\(ms),"t":0,"b":"600.00000000","a":"0","m":false,"R":false,"wt":"CONTRACT_PRICE",\
                "ot":"LIMIT","ps":"BOTH","cp":false,"rp":"0","pP":false,"si":0,"ss":0,"V":"EXPIRE_MAKER","pm":"NONE","gtd":0}}
                """
            ])
    }

    @Test func aFillTellsTheAccountAndTheOrder() throws {
        let user = harness.userStream()
        let best = harness.venue.book("BTCUSDT")!.asks[0]
        _ = harness.place("side=BUY&type=MARKET&quantity=0.001&newClientOrderId=m")
        let messages = user.takeMessages()
        #expect(messages.map { text($0, "e") } == ["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"])
        let trade = messages[2]["o"]!
        #expect(text(trade, "x") == "TRADE" && text(trade, "X") == "FILLED" && text(trade, "m") == "false")
        #expect(text(trade, "l") == "0.001" && text(trade, "z") == "0.001" && text(trade, "p") == "0")
        #expect(text(trade, "L") == decimalText(best.price, decimals: 2) && text(trade, "ap") == text(trade, "L"))
        #expect(text(trade, "n") == decimalText(best.price * 1000 * 500 / 1_000_000, decimals: 8))
        #expect(number(trade, "t") == harness.venue.trades(apiKey: firstKey)[0].tradeID)
        guard case .array(let positions)? = messages[1]["a"]?["P"], case .array(let balances)? = messages[1]["a"]?["B"]
        else {
            Issue.record("ACCOUNT_UPDATE has no lists")
            return
        }
        #expect(text(positions[0], "pa") == "0.001" && text(positions[0], "s") == "BTCUSDT")
        #expect(text(balances[0], "wb") == decimalText(Int64(harness.venue.wallet(apiKey: firstKey)!), decimals: 8))
    }

    @Test func theEventsOfALifeComeOnceAndInOrder() throws {
        let user = harness.userStream()
        harness.openGap()
        let price = harness.touch(.sell, ticks: -1)
        _ = harness.limit("SELL", "0.010", at: price, id: "o")
        _ = harness.place("side=BUY&type=MARKET&quantity=0.003", key: secondKey)
        _ = harness.signed(
            "PUT", "/fapi/v1/order", "symbol=BTCUSDT&side=SELL&quantity=0.009&price=\(price)&origClientOrderId=o")
        _ = harness.place("side=BUY&type=MARKET&quantity=0.002", key: secondKey)
        _ = harness.signed("DELETE", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=o")
        let events = user.takeMessages().compactMap { $0["o"] }
        #expect(events.map { text($0, "x") } == ["NEW", "TRADE", "AMENDMENT", "TRADE", "CANCELED"])
        #expect(
            events.map { text($0, "X") } == [
                "NEW", "PARTIALLY_FILLED", "PARTIALLY_FILLED", "PARTIALLY_FILLED", "CANCELED",
            ])
        #expect(events.map { text($0, "z") } == ["0", "0.003", "0.003", "0.005", "0.005"])
        #expect(events.map { text($0, "q") } == ["0.010", "0.010", "0.009", "0.009", "0.009"])
        #expect(events[1]["m"] == .bool(true))
        #expect(Set(events.map { number($0, "i") }).count == 1)
    }

    @Test func everyListenerHearsEachEventOnceAndOthersNothing() {
        let first = harness.userStream()
        let second = harness.userStream()
        let stranger = harness.userStream(key: secondKey)
        _ = harness.limit("BUY", "0.010", at: "60000")
        #expect(first.takeTexts().count == 1 && second.takeTexts().count == 1 && stranger.takeTexts().isEmpty)
    }

    @Test func theKeyIsKeptRenewedAndStopped() throws {
        var configuration = try testConfiguration()
        configuration.heartbeat.interval = 100 * 3600 * second
        let harness = try Harness(configuration)
        let api = harness.webSocket("/ws-fapi/v1")
        let key = text(api.call("userDataStream.start", isSigned: false), "result", "listenKey")
        #expect(key?.utf8.count == 64)
        #expect(text(api.call("userDataStream.start", isSigned: false), "result", "listenKey") == key)
        let user = harness.webSocket("/ws/\(key ?? "")")
        let byQuery = harness.webSocket("/private/ws?listenKey=\(key ?? "")")
        harness.advance(by: 50 * 60 * second)
        #expect(text(api.call("userDataStream.ping", isSigned: false), "result", "listenKey") == key)
        harness.advance(by: 50 * 60 * second)
        _ = harness.limit("BUY", "0.010", at: "60000")
        #expect(user.takeTexts().count == 1 && byQuery.takeTexts().count == 1)
        #expect(text(api.call("userDataStream.stop", isSigned: false), "status") == "200")
        _ = harness.limit("BUY", "0.010", at: "60000")
        #expect(user.takeTexts().isEmpty)
        #expect(harness.connect().upgrade("/private/ws/\(key ?? "")") == 400)
        #expect(text(api.call("userDataStream.start", isSigned: false), "result", "listenKey") != key)
    }

    @Test func anExpiredKeyIsAnnounced() throws {
        var configuration = try testConfiguration()
        configuration.heartbeat.interval = 100 * 3600 * second
        let harness = try Harness(configuration)
        let user = harness.userStream()
        let api = harness.webSocket("/ws-fapi/v1")
        harness.advance(by: 3599 * second)
        #expect(user.takeTexts().isEmpty)
        harness.advance(by: second)
        #expect(user.takeMessages().map { text($0, "e") } == ["listenKeyExpired"])
        #expect(text(api.call("userDataStream.ping", isSigned: false), "error", "code") == "-1125")
        _ = harness.limit("BUY", "0.010", at: "60000")
        #expect(user.takeTexts().isEmpty)
    }

    @Test func combinedUserStreamsCarryTheKey() {
        let answer = harness.rest.request("POST", "/fapi/v1/listenKey", headers: "X-MBX-APIKEY: \(firstKey)\r\n")
        let key = answer["listenKey"] ?? ""
        let client = harness.webSocket("/private/stream")
        client.sendText("{\"method\":\"SUBSCRIBE\",\"params\":[\"\(key)\"],\"id\":1}")
        _ = client.takeTexts()
        _ = harness.limit("BUY", "0.010", at: "60000")
        #expect(client.takeMessages().map { text($0, "stream") } == [key])
    }
}
