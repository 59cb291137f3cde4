import Testing

@testable import ApusVenue

@Suite struct AuthenticationTests {
    /// The example of the venue's documentation.
    @Test func theDocumentedSignatureIsReproduced() {
        let secret = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
        let text =
            "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943"
        let wanted = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
        #expect(BinanceAuthentication.isValid(signature: wanted, of: Array(text.utf8), secret: secret))
        #expect(BinanceAuthentication.isValid(signature: wanted.uppercased(), of: Array(text.utf8), secret: secret))
        #expect(!BinanceAuthentication.isValid(signature: wanted, of: Array((text + "0").utf8), secret: secret))
        #expect(
            !BinanceAuthentication.isValid(signature: String(wanted.dropLast()), of: Array(text.utf8), secret: secret))
    }

    @Test func queryAndBodyAreSignedTogether() {
        let signed = BinanceAuthentication.signedText(
            query: "symbol=BTCUSDT&side=BUY", body: Array("price=1&signature=ab".utf8))
        #expect(String(decoding: signed, as: UTF8.self) == "symbol=BTCUSDT&side=BUYprice=1")
    }

    @Test func aFormBodyIsTakenToo() throws {
        let harness = try Harness()
        let form =
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price=60000&timestamp=\(testStart / millisecond)"
        let signature = BinanceAuthentication.signature(of: Array(form.utf8), secret: secrets[firstKey]!)
        let answer = harness.rest.request(
            "POST", "/fapi/v1/order", headers: "X-MBX-APIKEY: \(firstKey)\r\n",
            body: "\(form)&signature=\(String(decoding: signature, as: UTF8.self))")
        #expect(answer.status == 200 && answer["status"] == "NEW")
    }

    @Test func wrongKeysAndSignaturesAreRefused() throws {
        let harness = try Harness()
        let wrong = harness.signed("GET", "/fapi/v1/openOrders", secret: "secret-two")
        #expect(wrong.status == 400 && wrong.code == -1022)
        let bare = harness.rest.request("GET", "/fapi/v1/openOrders?timestamp=1&signature=00")
        #expect(bare.status == 401 && bare.code == -2014)
        let unknown = harness.rest.request(
            "GET", "/fapi/v1/openOrders?timestamp=1&signature=00", headers: "X-MBX-APIKEY: who\r\n")
        #expect(unknown.status == 401 && unknown.code == -2015)
        let unsigned = harness.rest.request(
            "GET", "/fapi/v1/openOrders?timestamp=1", headers: "X-MBX-APIKEY: \(firstKey)\r\n")
        #expect(unsigned.code == -1102)
        let api = harness.webSocket("/ws-fapi/v1")
        #expect(text(api.call("account.balance", secret: "nonsense"), "error", "code") == "-1022")
        #expect(text(api.call("account.balance", key: "who"), "error", "code") == "-2015")
        #expect(text(api.call("account.balance", isSigned: false), "error", "code") == "-1102")
        #expect(text(api.call("account.balance"), "status") == "200")
    }

    @Test func theTimestampMustBeInItsWindow() throws {
        let harness = try Harness()
        let api = harness.webSocket("/ws-fapi/v1")
        let now = testStart / millisecond
        func code(_ timestamp: Int64, _ window: String? = nil) -> String? {
            var parameters = ["timestamp": String(timestamp)]
            parameters["recvWindow"] = window
            return text(api.call("account.balance", parameters), "error", "code")
        }
        #expect(code(now) == nil)
        #expect(code(now - 5000) == nil)
        #expect(code(now - 5001) == "-1021")
        #expect(code(now - 5001, "6000") == nil)
        #expect(code(now + 999) == nil)
        #expect(code(now + 1000) == "-1021")
        #expect(code(now, "0") == "-1131")
    }

    /// One client signs the values as they are, another percent-encodes them first; both are right for the venue.
    @Test func bothWaysOfWritingValuesAreAccepted() throws {
        let parameters = Parameters(items: [
            NamedText(name: "b", value: "x/y:z"), NamedText(name: "a", value: "1"),
            NamedText(name: "signature", value: "no"),
        ])
        #expect(String(decoding: parameters.signedText(encoded: false), as: UTF8.self) == "a=1&b=x/y:z")
        #expect(String(decoding: parameters.signedText(encoded: true), as: UTF8.self) == "a=1&b=x%2Fy%3Az")
    }

    /// A number in the params is signed as it was written: 0.010 must not become 0.01.
    @Test func numbersKeepTheirText() throws {
        let harness = try Harness()
        let api = harness.webSocket("/ws-fapi/v1")
        let now = testStart / millisecond
        let text =
            "apiKey=\(firstKey)&price=60000.00&quantity=0.010&side=BUY&symbol=BTCUSDT&timeInForce=GTC&timestamp=\(now)&type=LIMIT"
        let signature = String(
            decoding: BinanceAuthentication.signature(of: Array(text.utf8), secret: secrets[firstKey]!), as: UTF8.self)
        api.sendText(
            """
            {"id":5,"method":"order.place","params":{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC",\
            "quantity":0.010,"price":60000.00,"timestamp":\(now),"apiKey":"\(firstKey)","signature":"\(signature)"}}
            """)
        let answer = api.takeMessages()[0]
        #expect(ApusVenueTests.text(answer, "status") == "200")
        #expect(answer["id"] == .number("5"))
    }

    @Test func answersCarryTheirLimits() throws {
        var configuration = try testConfiguration()
        configuration.rateLimits.enforced = true
        let harness = try Harness(configuration)
        let api = harness.webSocket("/ws-fapi/v1")
        let parameters = ["symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"]
        guard case .array(let limits)? = api.call("order.place", parameters)["rateLimits"] else {
            Issue.record("there are no rateLimits")
            return
        }
        #expect(limits.map { text($0, "rateLimitType") } == ["REQUEST_WEIGHT", "ORDERS", "ORDERS"])
        #expect(limits.map { text($0, "count") } == ["0", "1", "1"])
        var silent = parameters
        silent["returnRateLimits"] = "false"
        #expect(api.call("order.place", silent)["rateLimits"] == nil)
        guard case .array(let announced)? = harness.rest.request("GET", "/fapi/v1/exchangeInfo").body["rateLimits"]
        else {
            Issue.record("exchangeInfo has no rateLimits")
            return
        }
        #expect(announced.map { text($0, "limit") } == ["2400", "1200", "300"])
    }

    /// A client holds itself to what is announced, so that what nobody enforces is not.
    @Test func limitsThatNobodyEnforcesAreNotAnnounced() throws {
        let harness = try Harness()
        let order = ["symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"]
        #expect(harness.webSocket("/ws-fapi/v1").call("order.place", order)["rateLimits"] == .array([]))
        #expect(harness.rest.request("GET", "/fapi/v1/exchangeInfo").body["rateLimits"] == .array([]))
    }
}
