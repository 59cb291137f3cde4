import CApusProtocol
import CApusRing
import Testing

private typealias Stage = PolymarketOrdersStage

/// Fills: once each, undone when their trade fails.
@Suite struct PolymarketOrdersFillTests {
    @Test func aTakerAndAMakerOfOneTrade() throws {
        let stage = Stage()
        stage.open()
        let maker = stage.rest(stage.make(1))
        let taker = stage.rest(stage.make(2) { $0.side = UInt8(APUS_SELL.rawValue) })
        stage.tell(
            polymarketTrade(
                "t1", taker: taker, size: "6", price: "0.3", makers: [(maker, "4", "0.3"), ("0x12", "2", "0.3")]))
        let fills = stage.reports()
        #expect(fills.map(\.client_id) == [2, 1] && fills.map(\.quantity) == [6_000_000, 4_000_000])
        #expect(fills.map { UInt32($0.flags) } == [0, APUS_REPORT_MAKER.rawValue])
        #expect(fills[0].trade_id != fills[1].trade_id && fills[0].trade_id != 0)
        let number = Array("t1".utf8).withUnsafeBufferPointer {
            apus_polymarket_trade_id($0.baseAddress, $0.count, fills[1].venue_order_id)
        }
        #expect(fills[1].trade_id == number)
    }

    @Test func aTradeCountsOnceWhateverComesTwice() {
        let stage = Stage()
        stage.open()
        let id = stage.rest(stage.make(1))
        for status in ["MATCHED", "MATCHED", "MINED", "CONFIRMED", "MATCHED"] {
            stage.tell(
                polymarketTrade("t1", taker: "0x1", size: "4", price: "0.3", status: status, makers: [(id, "4", "0.3")])
            )
        }
        stage.tell(
            polymarketTrade("t2", taker: "0x1", size: "6", price: "0.3", status: "MINED", makers: [(id, "6", "0.3")]))
        #expect(stage.news() == ["fill 1: 4000000@3000 of 4000000", "fill 1: 6000000@3000 of 10000000"])
    }

    @Test func aFailedTradeIsUndoneOnce() {
        let stage = Stage()
        stage.open()
        let id = stage.rest(stage.make(1))
        for status in ["MATCHED", "RETRYING", "FAILED", "FAILED", "MATCHED"] {
            stage.tell(
                polymarketTrade("t1", taker: "0x1", size: "4", price: "0.3", status: status, makers: [(id, "4", "0.3")])
            )
        }
        // The venue may still count the failed trade, or not: both mean the same.
        stage.tell(polymarketOrder(id, "UPDATE", matched: "4", trades: ["t1"]))
        stage.tell(polymarketTrade("t2", taker: "0x1", size: "1", price: "0.3", makers: [(id, "1", "0.3")]))
        stage.tell(polymarketOrder(id, "CANCELLATION", status: "CANCELED", matched: "1", trades: ["t2"]))
        #expect(
            stage.news() == [
                "fill 1: 4000000@3000 of 4000000", "undone 1: 4000000@3000 of 0", "fill 1: 1000000@3000 of 1000000",
                "canceled 1: 1000000 is 4",
            ])
    }

    @Test func aFailureOfATradeThatWasNeverToldUndoesNothing() {
        let stage = Stage()
        stage.open()
        let id = stage.rest(stage.make(1))
        stage.tell(
            polymarketTrade("t1", taker: "0x1", size: "4", price: "0.3", status: "FAILED", makers: [(id, "4", "0.3")]))
        stage.tell(polymarketTrade("t1", taker: "0x1", size: "4", price: "0.3", makers: [(id, "4", "0.3")]))
        #expect(stage.news().isEmpty)
    }

    /// After a restart the venue's answer tells what is filled; the trades behind it add nothing when their events come late.
    @Test func whatAnAnswerToldIsNotCountedAgain() {
        let stage = Stage()
        stage.open()
        let earlier = stage.make(1)
        let id = stage.hash(earlier)
        stage.ask(APUS_ORDER_QUERY, earlier)
        stage.answer(200, polymarketOrder(id, nil, matched: "7", trades: ["t1", "t2"]))
        for (name, size) in [("t2", "3"), ("t1", "4"), ("t3", "2")] {
            stage.tell(polymarketTrade(name, taker: "0x1", size: size, price: "0.29", makers: [(id, size, "0.29")]))
        }
        stage.tell(
            polymarketTrade("t0", taker: "0x1", size: "1", price: "0.3", status: "FAILED", makers: [(id, "1", "0.3")]))
        #expect(
            stage.news() == [
                "status 1: 7000000 is 2", "fill 1: 3000000@2900 of 7000000", "fill 1: 4000000@2900 of 7000000",
                "fill 1: 2000000@2900 of 9000000", "undone 1: 1000000@3000 of 8000000",
            ])
    }

    /// The venue counts a failed trade among what was matched; a session that begins later must not.
    @Test func aFailureBeforeTheStartIsNotCounted() {
        let stage = Stage()
        let earlier = stage.make(1)
        let id = stage.hash(earlier)
        let failed = polymarketTrade(
            "t1", taker: "0x1", size: "4", price: "0.3", status: "FAILED", makers: [(id, "4", "0.3")])
        stage.answers["GET /data/trades"] = (200, "{\"data\":[\(failed)],\"next_cursor\":\"LTE=\"}")
        stage.open()
        stage.ask(APUS_ORDER_QUERY, earlier)
        stage.answer(200, polymarketOrder(id, nil, matched: "7", trades: ["t1", "t2"]))
        #expect(stage.news() == ["status 1: 3000000 is 2"])
    }

    @Test func eventsOfOrders() {
        let stage = Stage()
        stage.open()
        let first = stage.rest(stage.make(1))
        let second = stage.rest(stage.make(2))
        stage.tell(
            "[\(polymarketOrder(first, "PLACEMENT")),\(polymarketOrder(second, "CANCELLATION", status: "CANCELED", matched: "2"))]"
        )
        stage.tell(polymarketOrder("0x" + String(repeating: "ab", count: 32), "PLACEMENT"))
        stage.tell("PONG")
        #expect(stage.news() == ["accepted 1", "canceled 2: 2000000 is 4"])
        #expect(stage.orders.pointee.foreign_events == 1 && stage.orders.pointee.decode_errors == 0)
    }

    @Test func anEventThatCannotBeReadMayHaveBeenNews() {
        let stage = Stage()
        stage.open()
        let id = stage.rest(stage.make(1))
        for text in [
            "{\"event_type\":\"trade\"", "{\"event_type\":\"order\",\"type\":\"UPDATE\"}",
            polymarketTrade("t1", taker: "0x1", size: "4", price: "0.3", makers: [(id, "four", "0.3")]), "[1]",
        ] {
            stage.tell(text)
            #expect(stage.news() == ["missed 0"], "\(text)")
        }
        #expect(stage.orders.pointee.decode_errors == 4)
        stage.wait(1.1)
        #expect(stage.own.contains { $0.path == "/data/trades" })
    }

    @Test func tradesThatWereMissedAreFoundPageByPage() {
        let stage = Stage()
        stage.open()
        let id = stage.rest(stage.make(1))
        stage.tell(polymarketTrade("t1", taker: "0x1", size: "1", price: "0.3", makers: [(id, "1", "0.3")]))
        stage.answers["GET /data/trades"] = nil
        stage.drop(0)
        stage.wait(1)
        #expect(stage.requests.first?.target == "/data/trades?after=1699999945&next_cursor=MA==")
        stage.answer(
            200,
            "{\"data\":[\(polymarketTrade("t1", taker: "0x1", size: "1", price: "0.3", makers: [(id, "1", "0.3")])),"
                + "\(polymarketTrade("t2", taker: "0x1", size: "2", price: "0.3", makers: [(id, "2", "0.3")]))],\"next_cursor\":\"Mg==\"}"
        )
        #expect(stage.requests.first?.target == "/data/trades?after=1699999945&next_cursor=Mg==")
        stage.answer(
            200, "{\"data\":[\(polymarketTrade("t3", taker: id, size: "3", price: "0.3"))],\"next_cursor\":\"LTE=\"}")
        #expect(
            stage.news() == [
                "fill 1: 1000000@3000 of 1000000", "missed 0", "fill 1: 2000000@3000 of 3000000",
                "fill 1: 3000000@3000 of 6000000",
            ])
        #expect(stage.requests.isEmpty)
    }

    @Test func aPageThatCannotBeReadIsAskedForAgain() {
        let stage = Stage()
        stage.answers["GET /data/trades"] = nil
        stage.start()
        stage.answer(500, "")
        #expect(stage.requests.isEmpty)
        stage.wait(1.1)
        #expect(stage.requests.map(\.path) == ["/data/trades"])
    }
}

/// Connections: what is lost, what goes on.
@Suite struct PolymarketOrdersConnectionTests {
    @Test func aLostAnswerIsUnknownAndNeverSentAgain() {
        let stage = Stage()
        stage.open()
        stage.place(1)
        let line = stage.requests[0].line
        stage.drop(line + 1)
        #expect(stage.news() == ["unknown 1"])
        stage.wait(3)
        #expect(stage.requests.isEmpty)
    }

    @Test func aLateAnswerIsUnknown() {
        let stage = Stage()
        stage.open()
        let placed = stage.make(1)
        stage.push([placed])
        stage.ask(APUS_ORDER_CANCEL, placed)
        stage.wait(4.9)
        #expect(stage.news().isEmpty)
        stage.wait(0.2)
        #expect(stage.news() == ["unknown 1"])
        #expect(stage.requests.last?.name == "DELETE /order", "the cancel waits for the order's answer no more")
    }

    @Test func whatDidNotLeaveGoesOutOnAnotherConnection() {
        let stage = Stage()
        stage.open()
        stage.takesBytes = false
        stage.place(1)
        let busy = (1...4).first { stage.channel($0).pointee.tx.start != stage.channel($0).pointee.tx.end }
        stage.takesBytes = true
        stage.drop(busy ?? 1)
        #expect(stage.requests.map(\.name) == ["POST /order"])
        #expect(stage.requests.first.map { $0.line + 1 } != busy)
        #expect(stage.orders.pointee.failovers == 1)
        stage.answer(200, polymarketGood)
        #expect(stage.news() == ["accepted 1"])
    }

    @Test func aStalledConnectionHoldsNoOtherUp() {
        let stage = Stage()
        stage.open()
        stage.place(1)
        stage.place(2)
        stage.place(3)
        #expect(Set(stage.requests.map(\.line)).count == 3)
        let earlier = stage.make(77)
        stage.place(4)
        stage.ask(APUS_ORDER_CANCEL, earlier)
        #expect(stage.requests.map(\.name).suffix(1) == ["DELETE /order"], "the last connection is kept for cancels")
        stage.answer(200, polymarketGood)
        stage.answer(200, polymarketGood)
        #expect(stage.requests.map(\.name) == ["POST /order", "DELETE /order", "POST /order"])
    }

    @Test func withoutTheUserStreamOnlyCancelsAndQuestionsPass() {
        let stage = Stage()
        stage.open()
        stage.isReachable = false
        stage.drop(0)
        stage.place(1)
        stage.ask(APUS_ORDER_CANCEL, stage.make(2))
        #expect(stage.news() == ["refused 1: the order connection or the user stream is down"])
        #expect(stage.requests.map(\.name) == ["DELETE /order"])
    }

    @Test func withoutConnectionsEverythingIsRefused() {
        let stage = Stage()
        stage.open()
        stage.isReachable = false
        for number in 1...4 { stage.drop(number) }
        stage.place(1)
        stage.ask(APUS_ORDER_CANCEL, stage.make(2))
        #expect(
            stage.news() == [1, 2].map { "refused \($0): the order connection or the user stream is down" })
        stage.isReachable = true
        stage.wait(30)
        stage.place(3)
        #expect(stage.requests.map(\.name) == ["POST /order"])
    }

    @Test func heartbeatsAreChainedAndBegunAnewWhenRefused() {
        let stage = Stage()
        stage.open()
        stage.wait(5.1)
        #expect(stage.own.last { $0.path == "/v1/heartbeats" }?.body == "{\"heartbeat_id\":\"beat\"}")
        stage.answers["POST /v1/heartbeats"] = (400, "{\"heartbeat_id\":\"other\",\"error\":\"Invalid Heartbeat ID\"}")
        stage.wait(5)
        stage.answers["POST /v1/heartbeats"] = (200, "{\"heartbeat_id\":\"next\"}")
        stage.wait(1.1)
        #expect(stage.own.last { $0.path == "/v1/heartbeats" }?.body == "{\"heartbeat_id\":\"other\"}")
    }

    @Test func everythingIsCanceledAfterThePlacementsOnTheirWay() {
        let stage = Stage()
        stage.open()
        stage.place(1)
        #expect(stage.command(APUS_COMMAND_CANCEL_ALL) == 0)
        #expect(!stage.own.contains { $0.path == "/cancel-all" })
        stage.place(2)
        #expect(stage.requests.count == 1, "no new order before it")
        stage.answer(200, polymarketGood)
        #expect(stage.own.last?.name == "DELETE /cancel-all")
        #expect(stage.requests.map(\.name) == ["POST /order"])
        stage.answers["DELETE /cancel-all"] = (500, "")
        #expect(stage.command(APUS_COMMAND_CANCEL_ALL) == 0)
        stage.answer(200, polymarketGood)
        let before = stage.own.count { $0.path == "/cancel-all" }
        stage.wait(1.1)
        #expect(stage.own.count { $0.path == "/cancel-all" } > before, "until the venue has said yes")
    }

    @Test func aDecisionThreadThatStandsStillEndsInACancelOfEverything() {
        let stage = Stage { $0.stall_ns = Stage.second }
        apus_flag_set(stage.queues.pointee.decided, stage.now)
        stage.open()
        stage.rest(stage.make(1))
        stage.wait(2)
        #expect(stage.reports().map { [UInt32($0.kind), UInt32($0.code)] } == [[APUS_REPORT_STALLED.rawValue, 1]])
        #expect(stage.own.contains { $0.name == "DELETE /cancel-all" })
        stage.place(2)
        #expect(stage.news() == ["refused 2: the decision thread stands still"])
    }

    @Test func aFullReportRingStopsReadingAndLosesNothing() {
        let stage = Stage()
        stage.open()
        let id = stage.rest(stage.make(1))
        stage.place(2)
        stage.queues.pointee.reports.pointee.mask = 15  // sixteen reports: less than a batch may need
        stage.answer(200, polymarketGood)
        stage.tell(polymarketTrade("t1", taker: "0x1", size: "4", price: "0.3", makers: [(id, "4", "0.3")]))
        #expect(stage.news().isEmpty && stage.orders.pointee.halts > 0)
        #expect(stage.channel(0).pointee.paused)
        stage.queues.pointee.reports.pointee.mask = UInt64(APUS_REPORT_SLOTS) - 1
        stage.settle()
        #expect(Set(stage.news()) == ["accepted 2", "fill 1: 4000000@3000 of 4000000"])
    }

    @Test func stoppingWaitsForTheAnswerUnderWay() {
        let stage = Stage()
        stage.open()
        stage.place(1)
        stage.stop()
        #expect(!stage.isStopped)
        stage.answer(200, polymarketGood)
        stage.wait(6)
        #expect(stage.isStopped && stage.news() == ["accepted 1"])
    }

    @Test func configurationsThatCannotWork() {
        let stage = Stage()
        func code(_ change: (inout apus_polymarket_orders_config) -> Void) -> Int32 {
            var config = apus_polymarket_orders_config()
            apus_polymarket_orders_config_default(&config)
            change(&config)
            let orders = UnsafeMutablePointer<apus_polymarket_orders>.allocate(capacity: 1)
            defer { orders.deallocate() }
            orders.initialize(to: apus_polymarket_orders())
            var random = seeded(1)
            return apus_polymarket_orders_init(
                orders, &config, stage.books.market, stage.queues, &stage.orders.pointee.signer, &random)
        }
        #expect(code { $0.lines = 0 } == -EINVAL)
        #expect(code { $0.lines = 8 } == -EINVAL)
        #expect(code { $0.version = 1 } == -EINVAL)
        #expect(code { $0.orders_burst = 0 } == -EINVAL)
        #expect(code { $0.tx_bytes = 1000 } == -EINVAL)
        #expect(code { $0.pool.max_in_flight = 2 } == -EINVAL)
        #expect(apus_polymarket_orders_list(stage.orders, 9, nil, false, 0) == -ENOENT)
        #expect(apus_polymarket_orders_list(stage.orders, 0, "0x12", false, 0) == -EINVAL)
        #expect(apus_polymarket_orders_list(stage.orders, 0, nil, false, 4) == -EINVAL)
    }

    @Test(arguments: [
        ("", Stage.secret, "p", UInt32(0)), ("k", "", "p", 0), ("k", "!!", "p", 0), ("k", Stage.secret, "p\"", 0),
        ("k", Stage.secret, "p", 4), ("k y", Stage.secret, "p", 0),
    ])
    func signersThatCannotWork(_ key: String, _ secret: String, _ passphrase: String, _ type: UInt32) {
        let stage = Stage()
        var signer = apus_polymarket_signer()
        #expect(
            apus_polymarket_signer_init(&signer, stage.signingKey, UInt8(type), nil, key, secret, passphrase) == -EINVAL
        )
        let other = [UInt8](repeating: 1, count: 20)
        #expect(apus_polymarket_signer_init(&signer, stage.signingKey, 0, other, "k", Stage.secret, "p") == -EINVAL)
        #expect(apus_polymarket_signer_init(&signer, stage.signingKey, 2, other, "k", Stage.secret, "p") == 0)
    }
}
