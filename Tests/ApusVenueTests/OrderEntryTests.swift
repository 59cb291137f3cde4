import Testing

@testable import ApusVenue

@Suite struct OrderEntryTests {
    private let harness: Harness

    init() throws { harness = try Harness() }

    private func order(_ id: String, key: String = firstKey) -> TrueOrder? {
        harness.venue.order(apiKey: key, clientOrderID: id)
    }

    @Test func aLimitOrderRestsAndIsCancelled() {
        let placed = harness.limit("BUY", "0.010", at: "60000.00", id: "a")
        #expect(placed.status == 200 && placed["status"] == "NEW")
        #expect(placed["price"] == "60000.00" && placed["origQty"] == "0.010" && placed["executedQty"] == "0.000")
        #expect(harness.venue.book("BTCUSDT")!.bids.contains(TrueLevel(price: 6_000_000, quantity: 10)))
        let cancelled = harness.signed("DELETE", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=a")
        #expect(cancelled["status"] == "CANCELED")
        #expect(!harness.venue.book("BTCUSDT")!.bids.contains { $0.price == 6_000_000 })
        #expect(harness.venue.openOrders(apiKey: firstKey).isEmpty)
    }

    @Test func aMarketOrderTakesTheTouchAndPaysTheTakerFee() throws {
        let best = harness.venue.book("BTCUSDT")!.asks[0]
        let answer = harness.place("side=BUY&type=MARKET&quantity=0.001&newClientOrderId=m&newOrderRespType=RESULT")
        #expect(answer["status"] == "FILLED" && answer["avgPrice"] == decimalText(best.price, decimals: 2))
        let trade = try #require(harness.venue.trades(apiKey: firstKey).last)
        #expect(!trade.isMaker && trade.price == best.price)
        // One thousandth of the price times 500 millionths, in 10^-8: price units (1/100) * 1000 * 500 / 10^6.
        #expect(trade.fee == best.price * 1000 * 500 / 1_000_000)
        #expect(harness.venue.wallet(apiKey: firstKey) == 10_000_000_000_000 - Int128(trade.fee))
        #expect(harness.venue.position(apiKey: firstKey, symbol: "BTCUSDT")?.quantity == 1)
    }

    @Test func immediateOrCancelTakesWhatThereIsAndExpires() {
        let book = harness.venue.book("BTCUSDT")!
        let wanted = book.asks[0].quantity + 5
        let answer = harness.limit(
            "BUY", decimalText(wanted, decimals: 3), at: harness.touch(.sell), tif: "IOC", id: "i",
            extra: "&newOrderRespType=RESULT")
        #expect(answer["status"] == "EXPIRED")
        #expect(order("i")?.executed == book.asks[0].quantity)
        #expect(harness.venue.openOrders(apiKey: firstKey).isEmpty)
    }

    @Test func fillOrKillFillsAllOrNothing() {
        let book = harness.venue.book("BTCUSDT")!
        let tooMuch = decimalText(book.asks[0].quantity + 1, decimals: 3)
        _ = harness.limit("BUY", tooMuch, at: harness.touch(.sell), tif: "FOK", id: "f1")
        #expect(order("f1")?.status == .expired && order("f1")?.executed == 0)
        #expect(harness.venue.book("BTCUSDT")!.asks == book.asks)
        _ = harness.limit(
            "BUY", decimalText(book.asks[0].quantity, decimals: 3), at: harness.touch(.sell), tif: "FOK", id: "f2")
        #expect(order("f2")?.status == .filled)
    }

    @Test func goodTillDateRestsUntilThen() {
        harness.venue.stopParticipants()
        func place(_ seconds: Int64?, tif: String = "GTD", id: String) -> Answer {
            let date = seconds.map { "&goodTillDate=\(harness.now / millisecond + $0 * 1000 + 1)" } ?? ""
            return harness.limit("BUY", "0.010", at: "60000.00", tif: tif, id: id, extra: date)
        }
        #expect(place(nil, id: "none")["code"] == "-1102")
        #expect(place(600, id: "late")["code"] == nil)
        #expect(place(599, id: "soon")["code"] == "-5040")
        #expect(place(700, tif: "GTC", id: "gtc")["code"] == "-1106")
        #expect(place(700, id: "d")["status"] == "NEW")
        harness.advance(by: 699 * second)
        #expect(order("d")?.status == .new)
        harness.advance(by: 2 * second)
        #expect(order("d")?.status == .expired)
        #expect(!harness.venue.book("BTCUSDT")!.bids.contains { $0.price == 6_000_000 })
        #expect(harness.venue.openOrders(apiKey: firstKey).isEmpty)
    }

    @Test func postOnlyNeverTakes() {
        let crossing = harness.limit("BUY", "0.010", at: harness.touch(.sell), tif: "GTX", id: "p")
        #expect(crossing.status == 400 && crossing.code == -5022)
        #expect(order("p") == nil)
        harness.openGap()
        #expect(
            harness.limit("BUY", "0.010", at: harness.touch(.sell, ticks: -1), tif: "GTX", id: "q")["status"] == "NEW")
    }

    @Test func anAccountsOrdersDoNotTradeWithEachOther() {
        harness.openGap()
        let price = harness.touch(.sell, ticks: -1)
        _ = harness.limit("SELL", "0.010", at: price, id: "maker")
        _ = harness.limit("BUY", "0.010", at: price, id: "taker")
        #expect(order("maker")?.status == .expiredInMatch)
        #expect(order("taker")?.executed == 0 && order("taker")?.status == .new)
        #expect(harness.venue.trades(apiKey: firstKey).isEmpty)
    }

    @Test func expireTakerKeepsTheRestingOrder() {
        harness.openGap()
        let price = harness.touch(.sell, ticks: -1)
        _ = harness.limit("SELL", "0.010", at: price, id: "maker")
        _ = harness.limit("BUY", "0.010", at: price, id: "taker", extra: "&selfTradePreventionMode=EXPIRE_TAKER")
        #expect(order("maker")?.status == .new)
        #expect(order("taker")?.status == .expiredInMatch)
    }

    @Test func twoAccountsTradeInTheOrderOfTime() {
        // Both join an empty price between the touch and beyond; the first account was there first.
        harness.openGap()
        let price = harness.touch(.sell, ticks: -1)
        _ = harness.limit("SELL", "0.010", at: price, id: "one", key: firstKey)
        _ = harness.limit("SELL", "0.010", at: price, id: "two", key: secondKey)
        _ = harness.signed(
            "POST", "/fapi/v1/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001&newClientOrderId=hit",
            key: secondKey)
        #expect(order("one")?.executed == 1)
        #expect(order("two", key: secondKey)?.executed == 0)
    }

    // MARK: Modify

    private func modify(_ id: String, _ side: String, _ quantity: String, _ price: String) -> Answer {
        harness.signed(
            "PUT", "/fapi/v1/order",
            "symbol=BTCUSDT&side=\(side)&quantity=\(quantity)&price=\(price)&origClientOrderId=\(id)")
    }

    @Test func aSmallerQuantityKeepsThePlaceALargerOneLosesIt() {
        harness.openGap()
        let price = harness.touch(.sell, ticks: -1)
        _ = harness.limit("SELL", "0.010", at: price, id: "one")
        _ = harness.limit("SELL", "0.010", at: price, id: "two", key: secondKey)
        #expect(modify("one", "SELL", "0.009", price)["origQty"] == "0.009")
        let hit = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001"
        _ = harness.signed("POST", "/fapi/v1/order", hit, key: secondKey)
        #expect(order("one")?.executed == 1)
        #expect(modify("one", "SELL", "0.020", price)["origQty"] == "0.020")
        #expect(order("one")?.id == harness.venue.openOrders(apiKey: firstKey)[0].id)
        // Now the second account's order is first, and its owner's own taker would expire it: a third must hit.
        _ = harness.place("side=BUY&type=MARKET&quantity=0.001&selfTradePreventionMode=EXPIRE_TAKER")
        #expect(order("two", key: secondKey)?.executed == 1)
        #expect(order("one")?.executed == 1)
    }

    @Test func modifyToACrossingPriceTrades() {
        _ = harness.limit("BUY", "0.001", at: "60000", id: "a")
        let answer = modify("a", "BUY", "0.001", harness.touch(.sell))
        #expect(answer["status"] == "FILLED")
    }

    @Test func modifyOfPostOnlyToACrossingPriceCancels() {
        _ = harness.limit("BUY", "0.010", at: "60000", tif: "GTX", id: "a")
        #expect(modify("a", "BUY", "0.010", harness.touch(.sell))["status"] == "CANCELED")
        #expect(order("a")?.executed == 0)
    }

    @Test func modifyToWhatIsAlreadyFilledCancels() {
        harness.openGap()
        let price = harness.touch(.sell, ticks: -1)
        _ = harness.limit("SELL", "0.010", at: price, id: "a")
        _ = harness.signed(
            "POST", "/fapi/v1/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.004", key: secondKey)
        #expect(order("a")?.executed == 4)
        #expect(modify("a", "SELL", "0.004", price)["status"] == "CANCELED")
    }

    // MARK: Reduce only

    @Test func reduceOnlyNeedsAPositionAndIsCutToIt() {
        let none = harness.limit("SELL", "0.010", at: "62500", extra: "&reduceOnly=true")
        #expect(none.code == -2022)
        _ = harness.place("side=BUY&type=MARKET&quantity=0.005")
        let cut = harness.limit("SELL", "0.010", at: "62500", id: "r", extra: "&reduceOnly=true")
        #expect(cut["origQty"] == "0.005" && cut["reduceOnly"] == "true")
        #expect(harness.limit("BUY", "0.010", at: "60000", extra: "&reduceOnly=true").code == -2022)
    }

    @Test func reduceOnlyOrdersShrinkAndExpireWithThePosition() {
        _ = harness.place("side=BUY&type=MARKET&quantity=0.005")
        _ = harness.limit("SELL", "0.005", at: "62500", id: "r", extra: "&reduceOnly=true")
        _ = harness.place("side=SELL&type=MARKET&quantity=0.002")
        #expect(order("r")?.quantity == 3 && order("r")?.status == .new)
        #expect(harness.venue.book("BTCUSDT")!.asks.contains(TrueLevel(price: 6_250_000, quantity: 3)))
        _ = harness.place("side=SELL&type=MARKET&quantity=0.003")
        #expect(order("r")?.status == .expired)
        #expect(harness.venue.position(apiKey: firstKey, symbol: "BTCUSDT")?.quantity == 0)
    }

    // MARK: Asking

    @Test func listsTellOrdersTradesBalanceAndPosition() throws {
        _ = harness.limit("BUY", "0.010", at: "60000", id: "a")
        _ = harness.limit("BUY", "0.010", at: "60001", id: "b")
        guard case .array(let open) = harness.signed("GET", "/fapi/v1/openOrders", "symbol=BTCUSDT").body else {
            Issue.record("openOrders is no list")
            return
        }
        #expect(open.map { text($0, "clientOrderId") } == ["a", "b"])
        #expect(harness.signed("GET", "/fapi/v1/openOrder", "symbol=BTCUSDT&origClientOrderId=a")["status"] == "NEW")
        _ = harness.place("side=BUY&type=MARKET&quantity=0.003")
        guard case .array(let trades) = harness.signed("GET", "/fapi/v1/userTrades", "symbol=BTCUSDT").body,
            case .array(let positions) = harness.signed("GET", "/fapi/v3/positionRisk").body,
            case .array(let balances) = harness.signed("GET", "/fapi/v3/balance").body
        else {
            Issue.record("an answer is no list")
            return
        }
        #expect(trades.reduce(0) { $0 + ((try? parseDecimal(text($1, "qty") ?? "", decimals: 3)) ?? 0) } == 3)
        #expect(positions.map { text($0, "positionAmt") } == ["0.003"])
        #expect(text(balances[0], "asset") == "USDT")
        #expect(harness.signed("GET", "/fapi/v3/account")["totalWalletBalance"] == text(balances[0], "balance"))
        #expect(harness.signed("DELETE", "/fapi/v1/allOpenOrders", "symbol=BTCUSDT").code == 200)
        #expect(harness.venue.openOrders(apiKey: firstKey).isEmpty)
    }
}
