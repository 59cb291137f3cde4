import Testing

@testable import ApusVenue

@Suite struct PolymarketAccessTests {
    @Test func aWalletGetsItsKeyOnceAndDerivesTheSame() throws {
        let harness = try PolymarketHarness()
        #expect(harness.rest.request("GET", "/auth/derive-api-key", headers: harness.walletHeaders()).status == 400)
        let key = harness.key()
        #expect(harness.rest.request("POST", "/auth/api-key", headers: harness.walletHeaders()).status == 400)
        #expect(harness.rest.request("GET", "/auth/derive-api-key", headers: harness.walletHeaders()).body == key)
        let other = harness.rest.request("POST", "/auth/api-key", headers: harness.walletHeaders(nonce: "5"))
        #expect(other.status == 200 && other["apiKey"] != text(key, "apiKey"))
        let again = try PolymarketHarness()
        #expect(again.key() == key)
    }

    @Test func walletsAreRefused() throws {
        let harness = try PolymarketHarness()
        func status(_ headers: String) -> Int { harness.rest.request("POST", "/auth/api-key", headers: headers).status }
        #expect(status("") == 401)
        #expect(status(harness.walletHeaders(by: TestWallet(9))) == 401)
        #expect(status(harness.walletHeaders(late: 61)) == 401)
        #expect(status(harness.walletHeaders(late: -61)) == 401)
        #expect(status(harness.walletHeaders().replacing("POLY_NONCE: 0", with: "POLY_NONCE: 1")) == 401)
        let stranger = try PolymarketHarness(wallets: [TestWallet(1), TestWallet(2), TestWallet(9)]) {
            $0.accounts.removeLast()
        }
        let refused = stranger.rest.request("POST", "/auth/api-key", headers: stranger.walletHeaders(2))
        #expect(refused.status == 401 && refused["error"] == "Invalid L1 Request headers")
    }

    @Test func callersAreRefused() throws {
        let harness = try PolymarketHarness()
        let secret = String(decoding: base64URLText([UInt8](repeating: 1, count: 32)), as: UTF8.self)
        func status(_ headers: String) -> Int { harness.rest.request("GET", "/data/orders", headers: headers).status }
        #expect(status(harness.keyHeaders("GET", "/data/orders", "")) == 200)
        #expect(status("") == 401)
        #expect(status(harness.keyHeaders("GET", "/data/orders", "", key: "nobody")) == 401)
        #expect(status(harness.keyHeaders("GET", "/data/orders", "", secret: secret)) == 401)
        #expect(status(harness.keyHeaders("GET", "/data/orders", "", passphrase: "x")) == 401)
        #expect(status(harness.keyHeaders("GET", "/data/trades", "")) == 401)
        #expect(status(harness.keyHeaders("POST", "/data/orders", "")) == 401)
        #expect(status(harness.keyHeaders("GET", "/data/orders", "", late: 100)) == 401)
        let other = harness.keyHeaders("GET", "/data/orders", "", key: text(harness.key(1), "apiKey"))
        #expect(status(other) == 401)
    }

    @Test func theSignatureIsOverTheBody() throws {
        let harness = try PolymarketHarness()
        let order = harness.order(OrderPlan()).json
        let headers = harness.keyHeaders("POST", "/order", order)
        let changed = order.replacing("\"GTC\"", with: "\"FAK\"")
        #expect(harness.rest.request("POST", "/order", headers: headers, body: changed).status == 401)
        #expect(harness.rest.request("POST", "/order", headers: headers, body: order).status == 200)
    }

    @Test func aDeletedKeyIsNoKeyAnyMore() throws {
        let harness = try PolymarketHarness()
        let stream = harness.userStream()
        #expect(
            harness.call("GET", "/auth/api-keys").body["apiKeys"] == .array([.string(text(harness.key(), "apiKey")!)]))
        #expect(harness.call("DELETE", "/auth/api-key").status == 200)
        #expect(harness.call("GET", "/data/orders").status == 401)
        #expect(stream.closeCode == 1008)
    }

    @Test func budgetsAreToldAndEnforced() throws {
        let harness = try PolymarketHarness { $0.rateLimits.enforced = true }
        for index in 0..<60 {
            let answer = harness.place(OrderPlan())
            #expect(answer.status == 200)
            #expect(answer.headers["poly-ratelimit-remaining"] == String(59 - index))
        }
        let refused = harness.place(OrderPlan())
        #expect(refused.status == 429 && refused["error"] == "Too Many Requests")
        #expect(refused.headers["retry-after"] == "1" && refused.headers["poly-ratelimit-tier"] == "Standard")
        #expect(harness.call("DELETE", "/cancel-all").status == 200)
        harness.advance(by: 100 * millisecond)
        #expect(harness.place(OrderPlan()).status == 200)
        let batch = "[" + (0..<15).map { _ in harness.order(OrderPlan()).json }.joined(separator: ",") + "]"
        #expect(harness.call("POST", "/orders", batch).status == 429)
        #expect(harness.venue.openOrders(signer: harness.wallets[0].address).count == 1)
        harness.advance(by: second)
        #expect(harness.call("POST", "/orders", batch).status == 200)
    }

    @Test func anAddressHasItsRequestsInTenSeconds() throws {
        let harness = try PolymarketHarness {
            $0.rateLimits.enforced = true
            $0.rateLimits.requestsPerTenSeconds = 3
        }
        for _ in 0..<3 { #expect(harness.place(OrderPlan()).status == 200) }
        #expect(harness.place(OrderPlan()).status == 429)
        #expect(harness.place(OrderPlan(), wallet: 1).status == 200)
        harness.advance(by: 10 * second)
        #expect(harness.place(OrderPlan()).status == 200)
    }

    @Test func tokensComeBackEvenly() {
        var bucket = TokenBucket(perSecond: 40, burst: 60)
        let taken = [bucket.take(60, 0), bucket.take(1, 0)]
        #expect(taken == [true, false])
        let wait = bucket.wait(for: 1, 0)
        #expect(wait == 25 * millisecond)
        let again = [bucket.take(1, 25 * millisecond - 1), bucket.take(1, 25 * millisecond)]
        #expect(again == [false, true])
        let full = bucket.tokens(3600 * 24 * second)
        let beyond = bucket.take(61, 3600 * 48 * second)
        #expect(full == 60 && !beyond)
    }
}
