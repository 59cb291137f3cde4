import CApusProtocol
import CApusRing
import Testing

private typealias Stage = PolymarketOrdersStage

/// Trades that fail: what becomes of their orders, and of those that are not known any more.
@Suite struct PolymarketOrdersUndoneTests {
    /// A failed trade with who owns its parts, as the venue tells it.
    private func failure(
        taker: String, owner: String = "api-key", side: String = "BUY", maker: String? = nil, makerSide: String? = nil
    ) -> String {
        let told = makerSide.map { ",\"side\":\"\($0)\"" } ?? ""
        let makers = maker.map {
            "{\"order_id\":\"\($0)\",\"owner\":\"api-key\",\"matched_amount\":\"3\",\"price\":\"0.3\","
                + "\"asset_id\":\"\(PolymarketStage.first)\"\(told)}"
        }
        return
            "{\"event_type\":\"trade\",\"id\":\"t1\",\"taker_order_id\":\"\(taker)\",\"size\":\"4\",\"price\":\"0.3\","
            + "\"owner\":\"\(owner)\",\"asset_id\":\"\(PolymarketStage.first)\",\"side\":\"\(side)\","
            + "\"status\":\"FAILED\",\"timestamp\":\"1700000005000\",\"maker_orders\":[\(makers ?? "")],"
            + "\"type\":\"TRADE\"}"
    }

    /// An earlier run has filled it and knows nothing of it any more but the trade.
    @Test func aFailureOfAnOrderThatIsNotKnownIsToldByItsTrade() throws {
        let stage = Stage()
        stage.open()
        let order = stage.hash(stage.make(1))
        for _ in 0..<2 { stage.tell(failure(taker: order, side: "SELL")) }
        let reports = stage.reports()
        let report = try #require(reports.first)
        #expect(reports.count == 1 && report.kind == UInt8(APUS_REPORT_UNDONE.rawValue))
        #expect(report.client_id == 0 && report.quantity == 4_000_000 && report.price == 3_000)
        #expect(report.side == UInt8(APUS_SELL.rawValue) && report.instrument == 0)
        let number = Array("t1".utf8).withUnsafeBufferPointer {
            apus_polymarket_trade_id($0.baseAddress, $0.count, report.venue_order_id)
        }
        #expect(report.trade_id == number)
    }

    /// Trades that were listed while its order had no name here were nobody's.
    @Test func tradesOfAnEarlierRunsOrderAreAskedForWhenItIsCanceled() throws {
        let stage = Stage()
        stage.open()
        stage.own.removeAll()
        let order = stage.make(1)
        let traded = polymarketTrade("t1", taker: stage.hash(order), size: "4", price: "0.3")
        stage.answers["GET /data/trades"] = (200, "{\"data\":[\(traded)],\"next_cursor\":\"LTE=\"}")
        stage.ask(APUS_ORDER_CANCEL, order)
        stage.answer(200, "{\"canceled\":[\"\(stage.hash(order))\"],\"not_canceled\":{}}")
        stage.wait(1)
        #expect(stage.own.contains { $0.path == "/data/trades" })
        let fill = try #require(stage.reports().first { $0.kind == UInt8(APUS_REPORT_FILL.rawValue) })
        #expect(fill.client_id == 1 && fill.quantity == 4_000_000 && fill.cumulative == 0)
    }

    @Test func aStrangersFailureIsNotTold() {
        let stage = Stage()
        stage.open()
        stage.tell(failure(taker: stage.hash(stage.make(1)), owner: "somebody"))
        #expect(stage.news().isEmpty && stage.orders.pointee.decode_errors == 0)
    }

    /// Where makers name no side, they stand against the taker.
    @Test(arguments: [("BUY", nil, APUS_SELL), ("SELL", nil, APUS_BUY), ("BUY", "BUY", APUS_BUY)])
    func aMakersFailure(side: String, makerSide: String?, expected: apus_side) {
        let stage = Stage()
        stage.open()
        let order = stage.hash(stage.make(1))
        stage.tell(failure(taker: "0x12", owner: "somebody", side: side, maker: order, makerSide: makerSide))
        #expect(stage.reports().map { UInt32($0.side) } == [expected.rawValue])
    }

    /// What failed stays matched at the venue: nothing is left to trade once the rest is matched.
    @Test func anOrderOfWhichAllWasMatchedOrFailedHasEnded() {
        let stage = Stage()
        stage.open()
        let id = stage.rest(stage.make(1))
        for (name, size, status) in [("t1", "4", "MATCHED"), ("t1", "4", "FAILED"), ("t2", "6", "MATCHED")] {
            stage.tell(
                polymarketTrade(
                    name, taker: "0x1", size: size, price: "0.3", status: status, makers: [(id, size, "0.3")]))
        }
        #expect(
            stage.news() == [
                "fill 1: 4000000@3000 of 4000000", "undone 1: 4000000@3000 of 0", "fill 1: 6000000@3000 of 6000000",
                "expired 1: 6000000 is 5",
            ])
    }

    /// The event of a trade may come before its order is known: only the list of trades tells the price then.
    @Test func tradesThatAnAnswerNamesAreAskedFor() throws {
        let stage = Stage()
        stage.open()
        let earlier = stage.make(1)
        let id = stage.hash(earlier)
        stage.tell(polymarketTrade("t1", taker: "0x1", size: "4", price: "0.29", makers: [(id, "4", "0.29")]))
        stage.answers["GET /data/trades"] = nil
        stage.ask(APUS_ORDER_QUERY, earlier)
        stage.answer(200, polymarketOrder(id, nil, matched: "4", trades: ["t1"]))
        let request = try #require(stage.requests.first)
        #expect(request.target == "/data/trades?after=\(earlier.wall_ms / 1000)&next_cursor=MA==")
        let told = polymarketTrade("t1", taker: "0x1", size: "4", price: "0.29", makers: [(id, "4", "0.29")])
        stage.answer(200, "{\"data\":[\(told)],\"next_cursor\":\"LTE=\"}")
        // What an earlier run's order is filled with, its trades tell alone: some may have failed.
        #expect(stage.news() == ["status 1: 0 is 0", "fill 1: 4000000@2900 of 0"])
        stage.ask(APUS_ORDER_QUERY, earlier)
        stage.answer(200, polymarketOrder(id, nil, matched: "4", trades: ["t1"]))
        #expect(stage.requests.isEmpty, "nothing is new")
    }

    /// The venue goes on counting it as matched, and an earlier run has taken it back already.
    @Test func whatHadFailedOfAnEarlierRunsOrderIsNotFilledAgain() throws {
        let stage = Stage()
        stage.open()
        let earlier = stage.make(1)
        let id = stage.hash(earlier)
        let matched = polymarketOrder(id, nil, matched: "6", trades: ["t1", "t2"])
        stage.answers["GET /data/trades"] = nil
        stage.ask(APUS_ORDER_QUERY, earlier)
        stage.answer(200, matched)
        // Not UNKNOWN, which would count as a failure of the venue.
        #expect(stage.news() == ["status 1: 0 is 0"], "until the trades have been read")
        let failed = polymarketTrade(
            "t1", taker: "0x1", size: "4", price: "0.29", status: "FAILED", makers: [(id, "4", "0.29")])
        let good = polymarketTrade("t2", taker: "0x1", size: "2", price: "0.29", makers: [(id, "2", "0.29")])
        stage.answer(200, "{\"data\":[\(failed),\(good)],\"next_cursor\":\"LTE=\"}")
        #expect(stage.news() == ["undone 1: 4000000@2900 of 0", "fill 1: 2000000@2900 of 0"])
        stage.ask(APUS_ORDER_QUERY, earlier)
        stage.answer(200, matched)
        #expect(stage.news() == ["status 1: 2000000 is 2"])
    }

    /// A stream that loses an event does not say so.
    @Test func aFailureThatTheStreamHasLostIsFound() {
        let stage = Stage()
        stage.open()
        let id = stage.rest(stage.make(1))
        func told(_ status: String) -> String {
            polymarketTrade("t1", taker: "0x1", size: "4", price: "0.3", status: status, makers: [(id, "4", "0.3")])
        }
        stage.own = []
        stage.wait(60)
        #expect(!stage.own.contains { $0.path == "/data/trades" }, "nothing was traded, nothing can fail")
        stage.tell(told("MATCHED"))
        stage.answers["GET /data/trades"] = (200, "{\"data\":[\(told("FAILED"))],\"next_cursor\":\"LTE=\"}")
        stage.wait(31)
        #expect(stage.news() == ["fill 1: 4000000@3000 of 4000000", "undone 1: 4000000@3000 of 0"])
        stage.wait(700)
        stage.own = []
        stage.wait(60)
        #expect(!stage.own.contains { $0.path == "/data/trades" }, "by now every trade is settled")
    }

    /// The same, when it is learned from an answer alone.
    @Test func anAnswerTellsThatNothingIsLeft() {
        let stage = Stage()
        stage.open()
        let placed = stage.make(1)
        let id = stage.rest(placed)
        for status in ["MATCHED", "FAILED"] {
            stage.tell(
                polymarketTrade("t1", taker: "0x1", size: "4", price: "0.3", status: status, makers: [(id, "4", "0.3")])
            )
        }
        _ = stage.news()
        stage.ask(APUS_ORDER_QUERY, placed)
        stage.answer(200, polymarketOrder(id, nil, status: "MATCHED", matched: "10", trades: ["t1", "t2"]))
        #expect(stage.news() == ["status 1: 6000000 is 5"])
    }
}
