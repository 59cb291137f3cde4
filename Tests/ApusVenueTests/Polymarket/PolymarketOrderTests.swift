import Testing

@testable import ApusVenue

@Suite struct PolymarketOrderTests {
    private func error(_ answer: Answer) -> String { answer["error"] ?? "" }

    @Test(arguments: SignatureType.allCases)
    func everyKindOfWalletTrades(_ type: SignatureType) throws {
        let harness = try PolymarketHarness(wallets: [TestWallet(5, type: type)])
        for market in 0..<2 {
            let (json, id) = harness.order(OrderPlan(), market: market)
            let answer = harness.call("POST", "/order", json)
            #expect(answer.status == 200 && answer["orderID"] == id && answer["status"] == "live")
            #expect(harness.call("GET", "/data/order/\(id)")["status"] == "LIVE")
        }
        #expect(harness.problems().isEmpty)
    }

    @Test(arguments: SignatureType.allCases)
    func whatWasChangedAfterSigningIsRefused(_ type: SignatureType) throws {
        let harness = try PolymarketHarness(wallets: [TestWallet(5, type: type)])
        let changes: [@Sendable (inout SignedOrder) -> Void] = [
            { $0.makerAmount += 100_000 }, { $0.takerAmount += 10_000_000 }, { $0.timestamp += 1 },
            { $0.salt = word(1) }, { $0.metadata[0] = 1 }, { $0.builder[31] = 1 },
            { $0.side = $0.side.opposite },
        ]
        for change in changes {
            let answer = harness.place(OrderPlan(forge: change))
            #expect(answer.status == 400 && error(answer) == "invalid signature")
        }
        let other = harness.place(OrderPlan(version: "3"))
        #expect(other.status == 400 && error(other) == "order_version_mismatch")
        #expect(harness.venue.openOrders(signer: harness.wallets[0].address).isEmpty)
    }

    @Test func aMarketOfVersionThreeTakesItsOwnSignatures() throws {
        let harness = try PolymarketHarness { $0.markets[0].exchangeVersion = "3" }
        #expect(harness.place(OrderPlan(version: "3")).status == 200)
        #expect(error(harness.place(OrderPlan(version: "2"))) == "order_version_mismatch")
    }

    @Test func anOrderOfTheFirstVersionIsRefused() throws {
        let harness = try PolymarketHarness()
        let old = harness.order(OrderPlan()).json.replacing("\"timestamp\"", with: "\"nonce\"")
        #expect(error(harness.call("POST", "/order", old)) == "order_version_mismatch")
    }

    @Test func ownersAndSignersAreHeldToTheirKey() throws {
        let harness = try PolymarketHarness()
        #expect(error(harness.place(OrderPlan(owner: "somebody"))).contains("owner of the API KEY"))
        let stranger = EthereumAddress("0x" + String(repeating: "9", count: 40))!
        #expect(error(harness.place(OrderPlan(forge: { $0.maker = stranger }))).contains("owner of the API KEY"))
        #expect(error(harness.place(OrderPlan(forge: { $0.signer = stranger }))).contains("signer address"))
        #expect(error(harness.place(OrderPlan(forge: { $0.signatureType = .safe }))).contains("signer address"))
        let foreign = harness.order(OrderPlan(), wallet: 1).json
        #expect(harness.call("POST", "/order", foreign).status == 400)
    }

    @Test(arguments: [
        (OrderPlan(price: 105), "breaks minimum tick size rule: 0.01"),
        (OrderPlan(price: 0, amounts: (1, 10_000_000)), "Price"),
        (OrderPlan(price: 10_000), "is not between 0.01 and 0.99"), (OrderPlan(size: 499), "lower than the minimum: 5"),
        (OrderPlan(amounts: (100_050, 10_005_000)), "decimals"),
        (OrderPlan(price: 9_000, size: 2_000_000), "not enough balance"),
        (OrderPlan(token: 1, side: .sell, price: 9_000, size: 200_000), "not enough balance"),
        (OrderPlan(expiration: testStart / second + 100), "invalid expiration"),
        (OrderPlan(type: "GTD", expiration: testStart / second + 59), "invalid expiration"),
        (OrderPlan(price: 9_900, isPostOnly: true), "order crosses book"),
        (OrderPlan(price: 9_900, type: "FOK", isPostOnly: true), "post-only"),
        (OrderPlan(price: 100, type: "FOK", amounts: (1_000_000, 100_000_000)), "couldn't be fully filled"),
        (OrderPlan(price: 100, type: "FAK", amounts: (1_000_000, 100_000_000)), "no orders found to match"),
        (OrderPlan(price: 9_900, size: 50, type: "FAK"), "Value ($0.495) lower than the minimum"),
        (OrderPlan(type: "IOC"), "Invalid order payload"),
    ])
    func rulesAreHeld(_ plan: OrderPlan, _ why: String) throws {
        let harness = try PolymarketHarness()
        let answer = harness.place(plan)
        #expect(answer.status == 400 && error(answer).contains(why), "\(error(answer))")
        #expect(harness.venue.openOrders(signer: harness.wallets[0].address).isEmpty && harness.problems().isEmpty)
    }

    @Test func theSameOrderIsTakenOnce() throws {
        let harness = try PolymarketHarness()
        let (json, id) = harness.order(OrderPlan())
        #expect(harness.call("POST", "/order", json).status == 200)
        #expect(error(harness.call("POST", "/order", json)) == "order \(id) is invalid. Duplicated.")
        #expect(harness.call("DELETE", "/order", "{\"orderID\":\"\(id)\"}").body["canceled"] == .array([.string(id)]))
        #expect(error(harness.call("POST", "/order", json)).contains("Duplicated"))
    }

    @Test func openOrdersReserveWhatTheyNeed() throws {
        let harness = try PolymarketHarness()
        // 10,000 of collateral carry ten orders of 1,000 and no more; the same with tokens.
        let bid = OrderPlan(price: 1_000, size: 1_000_000)
        for _ in 0..<10 { #expect(harness.place(bid).status == 200) }
        #expect(error(harness.place(OrderPlan(size: 500))) == "not enough balance / allowance")
        let ask = OrderPlan(token: 1, side: .sell, price: 9_800, size: 100_000)
        #expect(harness.place(ask).status == 200)
        #expect(error(harness.place(OrderPlan(token: 1, side: .sell, price: 9_800, size: 500))).contains("not enough"))
        #expect(harness.call("DELETE", "/cancel-all").status == 200)
        #expect(harness.place(bid).status == 200 && harness.place(ask).status == 200)
        let poor = try PolymarketHarness { $0.accounts[0].allowance = 1_000_000 }
        #expect(
            poor.place(OrderPlan()).status == 200 && error(poor.place(OrderPlan(price: 9_800))).contains("not enough"))
    }

    @Test func twoBuyersMintAndTwoSellersMerge() throws {
        let harness = try PolymarketHarness()
        let before = harness.totals()
        // A bid between the touch for the first token, then a buyer of the second at its mirror.
        let price = harness.openGap()
        let locked = harness.venue.ledger.locked[0]
        #expect(harness.place(OrderPlan(price: price, size: 1_000))["status"] == "live")
        #expect(
            harness.place(OrderPlan(token: 1, price: wholePrice - price, size: 1_000), wallet: 1)["status"] == "matched"
        )
        #expect(harness.held(0) == 1_010 * tokenUnit && harness.held(1, wallet: 1) == 1_010 * tokenUnit)
        #expect(harness.venue.ledger.locked[0] == locked + 10 * Int128(tokenUnit))
        #expect(
            harness.money() == 10_000 * tokenUnit - price * 1_000
                && harness.money(1) == 10_000 * tokenUnit - (wholePrice - price) * 1_000)
        // And back: both sell what they bought.
        #expect(harness.place(OrderPlan(side: .sell, price: price, size: 1_000))["status"] == "live")
        let sold = harness.place(OrderPlan(token: 1, side: .sell, price: wholePrice - price, size: 1_000), wallet: 1)
        #expect(sold["status"] == "matched" && harness.venue.ledger.locked[0] == locked)
        #expect(harness.money() == 10_000 * tokenUnit && harness.money(1) == 10_000 * tokenUnit)
        #expect(harness.totals().money == before.money && harness.problems().isEmpty)
    }

    @Test func anOrderTakesLevelByLevelAndTheRestRests() throws {
        let harness = try PolymarketHarness()
        let asks = Array(harness.book(0).asks.prefix(2))
        let wanted = asks[0].quantity + asks[1].quantity / 20_000 * 10_000
        let answer = harness.place(OrderPlan(price: asks[1].price, size: wanted / 10_000))
        #expect(answer["status"] == "matched" && answer["takingAmount"] == shortDecimalText(wanted, decimals: 6))
        let fills = harness.venue.fills(signer: harness.wallets[0].address)
        #expect(
            fills.map(\.price) == asks.map(\.price)
                && fills.map(\.quantity) == [asks[0].quantity, wanted - asks[0].quantity])
        #expect(fills.allSatisfy { !$0.isMaker && $0.status == .matched })
        let cash = fills.reduce(0) { $0 + $1.cash }
        #expect(
            harness.money() == 10_000 * tokenUnit - cash
                && answer["makingAmount"] == shortDecimalText(cash, decimals: 6))
        let deep = harness.place(
            OrderPlan(price: harness.book(0).asks[0].price, size: harness.book(0).asks[0].quantity / 10_000 + 700))
        #expect(deep["status"] == "matched")
        #expect(
            harness.venue.openOrders(signer: harness.wallets[0].address).map { $0.size - $0.matched } == [7_000_000])
        #expect(harness.problems().isEmpty)
    }

    @Test func fillOrKillAndFillAndKill() throws {
        let harness = try PolymarketHarness()
        let ask = harness.book(0).asks[0]
        let more = ask.quantity / 10_000 + 100
        let all = OrderPlan(price: ask.price, size: more, type: "FOK")
        #expect(error(harness.place(all)).contains("FOK"))
        #expect(harness.book(0).asks[0] == ask)
        let some = harness.place(OrderPlan(price: ask.price, size: more, type: "FAK"))
        #expect(some["status"] == "matched" && some["takingAmount"] == shortDecimalText(ask.quantity, decimals: 6))
        #expect(harness.call("GET", "/data/order/\(some["orderID"]!)")["status"] == "CANCELED")
        #expect(harness.venue.openOrders(signer: harness.wallets[0].address).isEmpty && harness.problems().isEmpty)
        // A buyer who names money: the tokens have four decimals, rounded.
        let next = harness.book(0).asks[0]
        let money: Int64 = 10_000_000
        let tokens = money * wholePrice / next.price / 100 * 100
        let market = OrderPlan(price: next.price, type: "FOK", amounts: (money, tokens))
        #expect(harness.place(market)["status"] == "matched" && harness.problems().isEmpty)
    }

    @Test func aGoodTillDateOrderEndsAtItsTime() throws {
        let harness = try PolymarketHarness()
        let stream = harness.userStream()
        let answer = harness.place(OrderPlan(type: "GTD", expiration: testStart / second + 61))
        #expect(answer["status"] == "live")
        harness.advance(by: 60 * second)
        #expect(harness.venue.order(id: answer["orderID"]!)?.status == .live)
        _ = stream.takeMessages()
        harness.advance(by: second)
        #expect(harness.venue.order(id: answer["orderID"]!)?.status == .canceled)
        #expect(stream.takeMessages().map { text($0, "type") } == ["CANCELLATION"])
    }

    @Test func anAccountDoesNotTradeWithItself() throws {
        let harness = try PolymarketHarness()
        let price = harness.openGap()
        let first = harness.place(OrderPlan(price: price))
        let second = harness.place(OrderPlan(token: 1, price: wholePrice - price))
        #expect(harness.venue.order(id: first["orderID"]!)?.status == .canceled)
        #expect(second["status"] == "live" && harness.venue.fills(signer: harness.wallets[0].address).isEmpty)
        #expect(harness.problems().isEmpty)
    }

    @Test func batchesAnswerEachOrder() throws {
        let harness = try PolymarketHarness()
        let orders = [OrderPlan(), OrderPlan(size: 1), OrderPlan(price: 200)].map { harness.order($0).json }
        let answer = harness.call("POST", "/orders", "[" + orders.joined(separator: ",") + "]")
        guard case .array(let rows) = answer.body else {
            Issue.record("the answer is no array")
            return
        }
        #expect(rows.map { $0["success"] } == [.bool(true), .bool(false), .bool(true)])
        #expect(text(rows[1], "errorMsg")?.contains("lower than the minimum") == true)
        let many = "[" + (0..<16).map { _ in harness.order(OrderPlan()).json }.joined(separator: ",") + "]"
        #expect(error(harness.call("POST", "/orders", many)) == "Too many orders in payload: 16, max allowed: 15")
        #expect(harness.venue.openOrders(signer: harness.wallets[0].address).count == 2)
    }

    @Test func cancelsSayWhatTheyDid() throws {
        let harness = try PolymarketHarness()
        let ids = (0..<4).map { harness.place(OrderPlan(token: $0 % 2))["orderID"]! }
        let foreign = harness.place(OrderPlan(), wallet: 1)["orderID"]!
        let unknown = "0x" + String(repeating: "0", count: 64)
        let some = harness.call("DELETE", "/orders", "[\"\(ids[0])\",\"\(ids[0])\",\"\(foreign)\",\"\(unknown)\"]")
        #expect(some.body["canceled"] == .array([.string(ids[0])]))
        #expect(text(some.body, "not_canceled", foreign) != nil && text(some.body, "not_canceled", unknown) != nil)
        let token = harness.call("DELETE", "/cancel-market-orders", "{\"asset_id\":\"\(harness.token(1))\"}")
        #expect(token.body["canceled"] == .array([.string(ids[1]), .string(ids[3])]))
        #expect(harness.call("DELETE", "/cancel-all").body["canceled"] == .array([.string(ids[2])]))
        #expect(harness.call("DELETE", "/order", "{\"orderID\":\"x\"}").status == 400)
        #expect(harness.call("DELETE", "/order", "[").status == 400)
        #expect(harness.venue.openOrders(signer: harness.wallets[1].address).map(\.id) == [foreign])
    }

    @Test func ordersAndTradesAreToldToTheirOwnerAlone() throws {
        let harness = try PolymarketHarness()
        let id = harness.place(OrderPlan())["orderID"]!
        #expect(harness.call("GET", "/data/order/\(id)", wallet: 1).status == 404)
        #expect(harness.call("GET", "/data/order/0x12").status == 400)
        #expect(harness.call("GET", "/data/orders", wallet: 1).body["data"] == .array([]))
        let ask = harness.book(0).asks[0].price
        let trade = harness.place(OrderPlan(price: ask, size: 500), wallet: 1).body["tradeIDs"]
        #expect(trade != .array([]))
        #expect(harness.call("GET", "/data/trades").body["data"] == .array([]))
        guard case .array(let rows)? = harness.call("GET", "/data/trades", wallet: 1).body["data"] else {
            Issue.record("there are no trades")
            return
        }
        #expect(rows.count == 1 && text(rows[0], "trader_side") == "TAKER" && text(rows[0], "size") == "5")
        let later = harness.call("GET", "/data/trades?after=\(harness.now / second + 1)", wallet: 1)
        #expect(later.body["data"] == .array([]) && later["next_cursor"] == "LTE=")
    }

    @Test func longListsComeInPages() throws {
        let harness = try PolymarketHarness { $0.accounts[0].collateral = 1_000_000 * tokenUnit }
        for _ in 0..<501 { harness.place(OrderPlan(size: 500)) }
        let first = harness.call("GET", "/data/orders?next_cursor=MA==")
        #expect(first["count"] == "500" && first["next_cursor"] == "NTAw")
        let last = harness.call("GET", "/data/orders?next_cursor=NTAw")
        #expect(last["count"] == "1" && last["next_cursor"] == "LTE=")
        #expect(harness.call("GET", "/data/orders?next_cursor=!").status == 400)
    }

    @Test func withoutHeartbeatsOpenOrdersAreCancelled() throws {
        let harness = try PolymarketHarness()
        harness.place(OrderPlan())
        harness.advance(by: 60 * second)
        #expect(harness.venue.openOrders(signer: harness.wallets[0].address).count == 1)
        var id = ""
        for _ in 0..<5 {
            let answer = harness.call("POST", "/v1/heartbeats", "{\"heartbeat_id\":\"\(id)\"}")
            #expect(answer.status == 200)
            let wrong = harness.call("POST", "/v1/heartbeats", "{\"heartbeat_id\":\"x\"}")
            #expect(wrong.status == 400 && wrong["heartbeat_id"] == answer["heartbeat_id"])
            id = answer["heartbeat_id"]!
            harness.advance(by: 14 * second)
        }
        #expect(harness.venue.openOrders(signer: harness.wallets[0].address).count == 1)
        harness.advance(by: second)
        #expect(harness.venue.openOrders(signer: harness.wallets[0].address).isEmpty)
        #expect(harness.call("POST", "/v1/heartbeats", "{\"heartbeat_id\":\"\(id)\"}").status == 400)
        #expect(harness.place(OrderPlan()).status == 200)
    }

    @Test func theWeeklyRestartKeepsEverythingAndThenTakesPostOnlyOrders() throws {
        let harness = try PolymarketHarness { $0.timing.weeklyRestart = 10 * second }
        let id = harness.place(OrderPlan())["orderID"]!
        _ = harness.call("POST", "/v1/heartbeats", "{\"heartbeat_id\":\"\"}")
        let stream = harness.userStream()
        harness.advance(by: 10 * second)
        #expect(stream.isAborted && harness.rest.isAborted)
        harness.reconnect()
        let early = harness.call("GET", "/data/orders")
        #expect(early.status == 425 && error(early) == "service not ready")
        harness.advance(by: 90 * second)
        #expect(harness.venue.openOrders(signer: harness.wallets[0].address).map(\.id) == [id])
        #expect(error(harness.place(OrderPlan())).contains("post-only"))
        #expect(harness.place(OrderPlan(isPostOnly: true)).status == 200)
        harness.advance(by: 120 * second)
        #expect(harness.place(OrderPlan()).status == 200)
    }
}
