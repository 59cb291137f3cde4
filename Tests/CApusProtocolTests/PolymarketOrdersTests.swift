import CApusProtocol
import CApusRing
import Testing

private typealias Stage = PolymarketOrdersStage

/// Requests: what leaves, signed and named.
@Suite struct PolymarketOrdersRequestTests {
    @Test func theStreamIsGreetedAndMissedTradesAreAskedFor() throws {
        let stage = Stage()
        stage.start()
        #expect(
            stage.greetings == [
                "{\"auth\":{\"apiKey\":\"api-key\",\"secret\":\"\(Stage.secret)\",\"passphrase\":\"pass\"},"
                    + "\"markets\":[\"\(TokenModel.market)\"],\"type\":\"user\"}"
            ])
        #expect(stage.news() == ["missed 0"])
        let trades = try #require(stage.own.first { $0.path == "/data/trades" })
        #expect(trades.target == "/data/trades?after=1699913605&next_cursor=MA==")
        #expect(stage.own.contains { $0.name == "POST /v1/heartbeats" && $0.body == "{\"heartbeat_id\":\"\"}" })
        #expect(stage.own.filter { $0.name == "GET /version" }.count >= 1)
    }

    @Test func aPlacementIsSignedNamedAndAuthenticated() throws {
        let stage = Stage()
        stage.open()
        let placed = stage.make(7) { $0.side = UInt8(APUS_SELL.rawValue) }
        stage.push([placed])
        let request = try #require(stage.requests.first)
        #expect(request.name == "POST /order")
        let timestamp = try #require(request.headers["poly_timestamp"])
        #expect(timestamp == "1700000005")
        #expect(request.headers["poly_address"] == Stage.address && request.headers["poly_api_key"] == "api-key")
        let text = Array("\(timestamp)POST/order\(request.body)".utf8)
        let mac = IndependentHMAC.authenticate(text, key: Stage.secretBytes)
        #expect(request.headers["poly_signature"] == base64(mac))
        #expect(request.member("makerAmount") == "10000000" && request.member("takerAmount") == "3000000")
        #expect(request.member("side") == "SELL" && request.member("orderType") == "GTC")
        #expect(request.member("postOnly") == "false" && request.member("deferExec") == "false")
        #expect(request.member("salt").flatMap { UInt64($0) }.map { $0 < 1 << 53 } == true)
        #expect(request.member("timestamp") == "\(stage.wallMilliseconds)" && request.member("expiration") == "0")
        #expect(request.member("owner") == "api-key" && request.member("tokenId") == PolymarketStage.first)
        // The signature is of the hash by which the order is named from now on.
        var hash = [UInt8](repeating: 0, count: 32)
        let name = stage.hash(placed)
        #expect(apus_hex_parse(name, name.utf8.count, &hash, 32) == 0)
        var signature = [UInt8](repeating: 0, count: 65)
        let digits = try #require(request.member("signature"))
        #expect(apus_hex_parse(digits, digits.utf8.count, &signature, 65) == 0)
        var address = [UInt8](repeating: 0, count: 20)
        #expect(apus_signature_recover(hash, signature, &address) == 0)
        #expect("0x" + IndependentHMAC.hex(address) == Stage.address.lowercased())
        stage.answer(200, polymarketGood)
        let report = try #require(stage.reports().first)
        #expect(UInt32(report.kind) == APUS_REPORT_ACCEPTED.rawValue && report.client_id == 7)
        #expect(report.venue_order_id == hash.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
    }

    private func base64(_ bytes: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let word = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for place in 0...group.count { text.append(digits[word >> (18 - 6 * place) & 63]) }
            text += String(repeating: "=", count: 3 - group.count)
        }
        return text
    }

    @Test(arguments: [
        (APUS_IOC, UInt64(0), "FAK", "false"), (APUS_FOK, 0, "FOK", "false"), (APUS_POST_ONLY, 0, "GTC", "true"),
        (APUS_GTC, 61_000, "GTD", "false"), (APUS_POST_ONLY, 61_000, "GTD", "true"),
    ])
    func timesInForce(_ tif: apus_time_in_force, _ ahead: UInt64, _ type: String, _ postOnly: String) throws {
        let stage = Stage()
        stage.open()
        stage.place(1) {
            $0.time_in_force = UInt8(tif.rawValue)
            $0.expire_ms = ahead == 0 ? 0 : $0.wall_ms + ahead
        }
        let request = try #require(stage.requests.first)
        #expect(request.member("orderType") == type && request.member("postOnly") == postOnly)
        #expect(request.member("expiration") == (ahead == 0 ? "0" : "1700000066"))
    }

    @Test(arguments: [
        (UInt64(59_000), APUS_GTC, "the order has expired before it was sent"),
        (61_000, APUS_IOC, "the venue has no such request"),
    ])
    func endsThatCannotBe(_ ahead: UInt64, _ tif: apus_time_in_force, _ reason: String) {
        let stage = Stage()
        stage.open()
        stage.place(1) {
            $0.time_in_force = UInt8(tif.rawValue)
            $0.expire_ms = $0.wall_ms + ahead
        }
        #expect(stage.news() == ["refused 1: \(reason)"] && stage.requests.isEmpty)
    }

    @Test func aMarketOrderIsLimitedByItsBandAndItsRestIsAskedFor() throws {
        let stage = Stage()
        stage.open()
        let placed = stage.make(1) {
            $0.type = UInt8(APUS_MARKET.rawValue)
            $0.band_low = 2_871
            $0.band_high = 3_129
        }
        stage.push([placed])
        let bought = try #require(stage.requests.first)
        #expect(bought.member("makerAmount") == "3120000" && bought.member("takerAmount") == "10000000")
        #expect(bought.member("orderType") == "FAK")
        stage.answer(200, "{\"success\":true,\"errorMsg\":\"\",\"status\":\"matched\"}")
        #expect(stage.requests.first?.name == "GET /data/order/\(stage.hash(placed))")
        stage.answer(200, polymarketOrder(stage.hash(placed), nil, status: "MATCHED", matched: "4", trades: ["t1"]))
        #expect(stage.news() == ["accepted 1", "status 1: 4000000 is 5"])
        stage.place(2) {
            $0.type = UInt8(APUS_MARKET.rawValue)
            $0.side = UInt8(APUS_SELL.rawValue)
            $0.band_low = 2_871
            $0.band_high = 3_129
        }
        #expect(stage.requests.first?.member("takerAmount") == "28800000" || stage.requests.isEmpty == false)
        #expect(stage.requests.first?.member("takerAmount") == "2880000")
    }

    @Test func ordersOfOneTurnGoOutTogetherFifteenAtMost() throws {
        let stage = Stage()
        stage.open()
        stage.push((1...20).map { stage.make($0) })
        #expect(stage.requests.map(\.name) == ["POST /orders", "POST /orders"])
        stage.requests.sort { $0.body.count > $1.body.count }  // connections are served in the order of their numbers
        #expect(stage.requests.map { $0.body.components(separatedBy: "\"deferExec\"").count - 1 } == [15, 5])
        #expect(stage.requests[0].body.hasPrefix("[{") && stage.requests[0].body.hasSuffix("}]"))
        #expect(stage.requests[0].line != stage.requests[1].line)
        stage.answer(
            200,
            "[\(Array(repeating: polymarketGood, count: 13).joined(separator: ",")),{\"success\":false,\"errorMsg\":\"no\"}]"
        )
        #expect(
            stage.news() == (1...13).map { "accepted \($0)" } + ["rejected 14", "unknown 15"],
            "an order that the answer does not name may be there")
    }

    @Test func whatCannotBeSentIsRefused() {
        let stage = Stage()
        stage.open()
        stage.place(1) { $0.price = 3_005 }
        stage.place(2) { $0.quantity = 10_005_000 }
        stage.place(3) { $0.instrument = 9 }
        stage.ask(APUS_ORDER_MODIFY, stage.make(4))
        apus_flag_set(stage.queues.pointee.trading, UInt64(APUS_TRADING_HALTED.rawValue))
        stage.place(5)
        #expect(
            stage.news() == [
                "refused 1: the price is outside the band around the book",
                "refused 2: the quantity is not positive or above the instrument's maximum",
                "refused 3: the instrument is not known to the session", "refused 4: the venue has no such request",
                "refused 5: trading is halted",
            ])
        #expect(stage.requests.isEmpty)
    }

    @Test func aTickThatTheStreamToldHolds() {
        let stage = Stage()
        stage.books.receive(
            "{\"market\":\"\(TokenModel.market)\",\"asset_id\":\"\(PolymarketStage.first)\",\"old_tick_size\":\"0.001\","
                + "\"new_tick_size\":\"0.01\",\"timestamp\":\"\(stamp(2_000))\",\"event_type\":\"tick_size_change\"}")
        var token = TokenModel(asset: PolymarketStage.first, tick: "0.01")
        token.bids = [2900: "100"]
        token.asks = [3500: "70"]
        stage.books.receive(token.book(3_000, lastTradePrice: "0.255"))
        stage.open()
        stage.place(1) { $0.price = 3_010 }
        stage.place(2) { $0.price = 3_100 }
        #expect(stage.news() == ["refused 1: the price is outside the band around the book"])
        #expect(stage.requests.count == 1)
    }

    @Test func theMarketAndTheVenueChooseTheExchange() throws {
        let stage = Stage()
        stage.answers["GET /version"] = (200, "{\"version\":3}")
        stage.open()
        let placed = stage.make(1)
        stage.push([placed])
        let signature = try #require(stage.requests.first?.member("signature"))
        var typed = apus_polymarket_typed_order()
        var copy = placed
        #expect(
            apus_polymarket_make_order(
                &stage.orders.pointee.signer, stage.books.table.pointee.entries, stage.orders.pointee.listings, &copy,
                10, &typed) == 0)
        var hash = [UInt8](repeating: 0, count: 32)
        apus_polymarket_order_hash(stage.exchange(2), &typed, &hash)
        var bytes = [UInt8](repeating: 0, count: 65)
        var address = [UInt8](repeating: 0, count: 20)
        #expect(apus_hex_parse(signature, signature.utf8.count, &bytes, 65) == 0)
        #expect(apus_signature_recover(hash, bytes, &address) == 0)
        #expect("0x" + IndependentHMAC.hex(address) == Stage.address.lowercased())
        stage.answer(200, polymarketGood)
        // An order of the exchange that the market had before is found by its number.
        let old = stage.hash(placed)
        stage.ask(APUS_ORDER_QUERY, stage.make(99) { $0.venue_id = 0 })
        stage.requests = []
        var other = stage.make(50)
        other.venue_id = UInt64(stage.hash(other).dropFirst(2).prefix(16), radix: 16) ?? 0
        stage.ask(APUS_ORDER_CANCEL, other)
        #expect(stage.requests.first?.member("orderID") == stage.hash(other))
        #expect(old != "0x" + IndependentHMAC.hex(hash))
    }
}

/// Answers: what becomes of a request.
@Suite struct PolymarketOrdersAnswerTests {
    @Test(arguments: [
        (200, "{\"success\":false,\"errorMsg\":\"not enough balance / allowance\"}", "rejected 1"),
        (400, "{\"error\":\"invalid signature\"}", "rejected 1"), (401, "{\"error\":\"Unauthorized\"}", "rejected 1"),
        (408, "", "unknown 1"), (425, "", "rejected 1"), (429, "", "rejected 1"), (500, "{}", "unknown 1"),
        (502, "<html>", "unknown 1"), (503, "{\"error\":\"Trading is currently post-only.\"}", "rejected 1"),
        (503, "{\"error\":\"down\"}", "unknown 1"), (200, "", "unknown 1"), (200, "[]", "unknown 1"),
        (200, "{\"status\":\"live\"}", "unknown 1"), (302, "", "unknown 1"),
    ])
    func placements(_ status: Int, _ body: String, _ news: String) {
        let stage = Stage()
        stage.open()
        stage.place(1)
        stage.answer(status, body)
        #expect(stage.news() == [news])
        #expect(stage.requests.isEmpty, "nothing is sent again")
    }

    @Test func aRestartLetsPostOnlyOrdersAloneThroughForTwoMinutes() {
        let stage = Stage()
        stage.open()
        stage.place(1)
        stage.answer(425, "")
        stage.place(2)
        stage.place(3) { $0.time_in_force = UInt8(APUS_POST_ONLY.rawValue) }
        stage.answer(200, polymarketGood)
        #expect(
            stage.news() == ["rejected 1", "refused 2: the venue's request budget is used up", "accepted 3"])
        stage.wait(121)
        stage.place(4)
        #expect(stage.requests.count == 1)
    }

    @Test func tooManyRequestsAreWaitedOut() {
        let stage = Stage()
        stage.open()
        let resting = stage.make(9)
        stage.rest(resting)
        stage.place(1)
        stage.answer(429, "", headers: "Retry-After: 3\r\n")
        stage.place(2)
        #expect(stage.news() == ["rejected 1", "refused 2: the venue's request budget is used up"])
        stage.ask(APUS_ORDER_CANCEL, resting)
        #expect(stage.requests.map(\.name) == ["DELETE /order"], "a cancel is not held back by it")
        stage.wait(3.1)
        stage.place(3)
        #expect(stage.requests.count == 2)
    }

    @Test func theSignersBucketHolds() {
        let stage = Stage { $0.orders_burst = 3 }
        stage.open()
        stage.push((1...5).map { stage.make($0) })
        #expect(
            stage.news() == [
                "refused 4: the venue's request budget is used up", "refused 5: the venue's request budget is used up",
            ])
    }

    @Test func aCancelWaitsForItsOrdersAnswer() {
        let stage = Stage()
        stage.open()
        let placed = stage.make(1)
        stage.push([placed])
        stage.ask(APUS_ORDER_CANCEL, placed)
        #expect(stage.requests.map(\.name) == ["POST /order"])
        stage.answer(200, polymarketGood)
        #expect(stage.requests.map(\.name) == ["DELETE /order"])
        #expect(stage.requests[0].body == "{\"orderID\":\"\(stage.hash(placed))\"}")
        stage.answer(200, "{\"canceled\":[\"\(stage.hash(placed))\"],\"not_canceled\":{}}")
        #expect(stage.news() == ["accepted 1", "canceled 1: 0 is 4"])
    }

    @Test func cancelsGoOutTogether() {
        let stage = Stage()
        stage.open()
        let placed = (1...3).map { stage.make($0) }
        for order in placed { stage.rest(order) }
        stage.push(
            placed.map { order in
                var cancel = order
                cancel.action = UInt8(APUS_ORDER_CANCEL.rawValue)
                cancel.target_id = order.client_id
                return cancel
            })
        #expect(stage.requests.map(\.name) == ["DELETE /orders"])
        let names = placed.map { stage.hash($0) }
        #expect(stage.requests[0].body == "[" + names.map { "\"\($0)\"" }.joined(separator: ",") + "]")
        stage.answer(
            200, "{\"canceled\":[\"\(names[0])\",\"\(names[2])\"],\"not_canceled\":{\"\(names[1])\":\"matched\"}}")
        #expect(stage.news() == ["canceled 1: 0 is 4", "cancel rejected 2", "canceled 3: 0 is 4"])
    }

    @Test(arguments: [(200, "{", "unknown 1"), (400, "{}", "cancel rejected 1"), (500, "", "unknown 1")])
    func cancelsThatGoWrong(_ status: Int, _ body: String, _ news: String) {
        let stage = Stage()
        stage.open()
        let placed = stage.make(1)
        stage.rest(placed)
        stage.ask(APUS_ORDER_CANCEL, placed)
        stage.answer(status, body)
        #expect(stage.news() == [news])
    }

    @Test(arguments: [
        (404, "{\"error\":\"order not found\"}", "not found 1"), (200, "null", "not found 1"), (200, "", "not found 1"),
        (200, "[", "unknown 1"), (500, "", "unknown 1"), (401, "{}", "unknown 1"),
    ])
    func questionsAboutAnEarlierRunsOrder(_ status: Int, _ body: String, _ news: String) {
        let stage = Stage()
        stage.open()
        let earlier = stage.make(1)
        stage.ask(APUS_ORDER_QUERY, earlier)
        #expect(stage.requests.first?.target == "/data/order/\(stage.hash(earlier))")
        stage.answer(status, body)
        #expect(stage.news() == [news])
    }

    @Test(arguments: [
        ("LIVE", "0", UInt8(1)), ("ORDER_STATUS_LIVE", "4", 2), ("MATCHED", "10", 3), ("CANCELED", "4", 4),
    ])
    func statusWords(_ word: String, _ matched: String, _ status: UInt8) {
        let stage = Stage()
        stage.open()
        let earlier = stage.make(1)
        stage.ask(APUS_ORDER_QUERY, earlier)
        stage.answer(200, polymarketOrder(stage.hash(earlier), nil, status: word, matched: matched))
        let units = (Int64(matched) ?? 0) * 1_000_000
        #expect(stage.news() == ["status 1: \(units) is \(status)"])
    }
}
