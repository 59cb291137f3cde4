import Testing

@testable import ApusVenue

/// Every refusal the venue can give, with its documented code.
@Suite struct ErrorCodeTests {
    private static let good = "side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price=60000"

    /// Changes of a good order and the code they must give.
    static let refused: [(change: [String: String?], status: Int, code: Int)] = [
        (["symbol": nil], 400, -1102), (["symbol": "NOPE"], 400, -1121), (["side": nil], 400, -1102),
        (["side": "HOLD"], 400, -1117), (["type": nil], 400, -1102), (["type": "STOP"], 400, -1116),
        (["timeInForce": nil], 400, -1102), (["timeInForce": "DAY"], 400, -1115), (["quantity": nil], 400, -1102),
        (["quantity": "ten"], 400, -1100), (["quantity": "1e-2"], 400, -1100), (["quantity": "0.0105"], 400, -1111),
        (["quantity": "0"], 400, -4003), (["quantity": "-1"], 400, -4003), (["quantity": "1001"], 400, -4005),
        (["quantity": "99999999999999999999"], 400, -1111), (["price": nil], 400, -1102),
        (["price": "60000.123"], 400, -1111),
        (["price": "60000.05"], 400, -4014), (["price": "0"], 400, -4001), (["price": "9999999"], 400, -4002),
        (["price": "70000"], 400, -4016), (["side": "SELL", "price": "50000"], 400, -4024),
        (["quantity": "0.000"], 400, -4003), (["price": "20000", "quantity": "0.001"], 400, -4164),
        (["quantity": "1000"], 400, -2019), (["reduceOnly": "true"], 400, -2022),
        (["reduceOnly": "perhaps"], 400, -1100),
        (["timeInForce": "GTX", "price": "64000"], 400, -5022), (["type": "MARKET"], 400, -1106),
        (["newClientOrderId": String(repeating: "x", count: 37)], 400, -4015),
        (["newClientOrderId": "a b"], 400, -1100),
        (["selfTradePreventionMode": "NEVER"], 400, -1130), (["positionSide": "LONG"], 400, -1130),
        (["recvWindow": "60001"], 400, -1131), (["recvWindow": "soon"], 400, -1100),
    ]

    @Test(arguments: refused.indices)
    func aBadOrderIsRefusedOverBothInterfaces(_ index: Int) throws {
        let harness = try Harness()
        let (change, status, code) = Self.refused[index]
        var parameters = [
            "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010",
            "price": "60000",
        ]
        for (name, value) in change { parameters[name] = value }
        let before = harness.venue.book("BTCUSDT")!
        let query = parameters.sorted { $0.key < $1.key }
            .map { "\($0.key)=\($0.value.replacing(" ", with: "%20"))" }.joined(separator: "&")
        let answer = harness.signed("POST", "/fapi/v1/order", query)
        #expect(answer.status == status && answer.code == code, "REST answered \(answer.status) \(answer.body)")
        let socket = harness.webSocket("/ws-fapi/v1").call("order.place", parameters)
        #expect(text(socket, "status") == String(status) && text(socket, "error", "code") == String(code))
        #expect(text(socket, "error", "msg")?.isEmpty == false)
        #expect(harness.venue.book("BTCUSDT") == before)
    }

    @Test func ordersThatDoNotExist() throws {
        let harness = try Harness()
        let api = harness.webSocket("/ws-fapi/v1")
        let named = ["symbol": "BTCUSDT", "origClientOrderId": "nobody"]
        #expect(text(api.call("order.cancel", named), "error", "code") == "-2011")
        #expect(text(api.call("order.status", named), "error", "code") == "-2013")
        #expect(text(api.call("order.cancel", ["symbol": "BTCUSDT"]), "error", "code") == "-1102")
        var change = named
        change["side"] = "BUY"
        change["quantity"] = "0.010"
        change["price"] = "60000"
        #expect(text(api.call("order.modify", change), "error", "code") == "-2013")
        _ = harness.limit("BUY", "0.010", at: "60000", id: "a")
        // Another account's order is nobody's business.
        #expect(
            text(
                api.call("order.cancel", ["symbol": "BTCUSDT", "origClientOrderId": "a"], key: secondKey), "error",
                "code") == "-2011")
        // Another symbol's neither.
        #expect(
            text(api.call("order.status", ["symbol": "ETHUSDT", "origClientOrderId": "a"]), "error", "code") == "-2013")
        change["origClientOrderId"] = "a"
        #expect(text(api.call("order.modify", change), "error", "code") == "-5027")
    }

    @Test func aClientIdIsTakenWhileItsOrderIsOpen() throws {
        let harness = try Harness()
        _ = harness.limit("BUY", "0.010", at: "60000", id: "same")
        #expect(harness.limit("BUY", "0.010", at: "60000", id: "same").code == -4116)
        #expect(harness.limit("BUY", "0.010", at: "60000", id: "same", key: secondKey).status == 200)
        _ = harness.signed("DELETE", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=same")
        #expect(harness.limit("BUY", "0.010", at: "60000", id: "same").status == 200)
    }

    @Test func marginCountsOpenOrdersAndPositions() throws {
        // 1,000 USDT at leverage 20 carry 20,000 USDT: 0.3 BTC near 60,000 fit, another 0.3 do not fit.
        let harness = try Harness(try testConfiguration(balance: 100_000_000_000))
        #expect(harness.limit("BUY", "0.300", at: "60000", id: "a").status == 200)
        #expect(harness.limit("BUY", "0.300", at: "60000").code == -2019)
        _ = harness.signed("DELETE", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=a")
        #expect(harness.place("side=BUY&type=MARKET&quantity=0.300").status == 200)
        #expect(harness.limit("BUY", "0.300", at: "60000").code == -2019)
        // Closing needs no margin.
        #expect(harness.limit("SELL", "0.300", at: "62000").status == 200)
    }

    @Test func unknownPathsMethodsAndStreams() throws {
        let harness = try Harness()
        #expect(harness.rest.request("GET", "/fapi/v1/nothing").status == 404)
        #expect(harness.rest.request("PATCH", "/fapi/v1/order").status == 404)
        #expect(harness.connect().upgrade("/ws/btcusdt@nothing") == 400)
        #expect(harness.connect().upgrade("/ws/BTCUSDT@trade") == 400)
        #expect(harness.connect().upgrade("/ws/nopeusdt@trade") == 400)
        #expect(harness.connect().upgrade("/elsewhere") == 404)
        let api = harness.webSocket("/ws-fapi/v1")
        #expect(text(api.call("order.dance"), "error", "code") == "-1101")
        #expect(text(api.call("session.logon"), "error", "code") == "-4056")
        api.sendText("{\"id\":1,\"method\":")
        #expect(text(api.takeMessages()[0], "error", "code") == "-1100")
        api.sendText("{\"id\":1,\"params\":{}}")
        #expect(text(api.takeMessages()[0], "error", "code") == "-1102")
        api.sendText("{\"id\":1,\"method\":\"time\",\"params\":[]}")
        #expect(text(api.takeMessages()[0], "error", "code") == "-1100")
        api.sendText("{\"id\":\"x\",\"method\":\"time\"}")
        let time = api.takeMessages()[0]
        #expect(text(time, "id") == "x" && text(time, "result", "serverTime") == String(testStart / millisecond))
    }

    @Test func depthChecksItsParameters() throws {
        let harness = try Harness()
        #expect(harness.rest.request("GET", "/fapi/v1/depth").code == -1102)
        #expect(harness.rest.request("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=7").code == -1130)
        #expect(harness.rest.request("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=%zz").status == 400)
    }

    @Test func limitsAreEnforcedWhenAsked() throws {
        var configuration = try testConfiguration()
        configuration.rateLimits = BinanceRateLimits(enforced: true)
        configuration.rateLimits.ordersPerTenSeconds = 3
        configuration.rateLimits.weightPerMinute = 40
        let harness = try Harness(configuration)
        for number in 0..<3 { #expect(harness.limit("BUY", "0.010", at: "60000", id: "n\(number)").status == 200) }
        let refused = harness.limit("BUY", "0.010", at: "60000", id: "n3")
        #expect(refused.status == 429 && refused.code == -1015)
        #expect(refused.headers["retry-after"].flatMap { Int($0) }.map { $0 >= 1 && $0 <= 10 } == true)
        harness.advance(by: 10 * second)
        #expect(harness.limit("BUY", "0.010", at: "60000", id: "n3").status == 200)
        #expect(harness.rest.request("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000").status == 200)
        #expect(
            harness.rest.request("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000").headers["x-mbx-used-weight-1m"]
                == "40")
        let heavy = harness.rest.request("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000")
        #expect(heavy.status == 429 && heavy.code == -1003 && heavy.headers["retry-after"] != nil)
        let api = harness.webSocket("/ws-fapi/v1").call("account.balance")
        #expect(text(api, "status") == "429" && text(api, "error", "code") == "-1003")
    }

    @Test func aStreamConnectionThatTalksTooMuchIsClosed() throws {
        var configuration = try testConfiguration()
        configuration.rateLimits = BinanceRateLimits(enforced: true)
        let harness = try Harness(configuration)
        let client = harness.webSocket("/ws")
        for _ in 0..<5 { client.sendText("{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":1}") }
        #expect(client.takeMessages().count == 5 && !client.isClosed)
        client.sendText("{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":1}")
        #expect(client.isClosed && client.closeCode == 1008)
    }
}
