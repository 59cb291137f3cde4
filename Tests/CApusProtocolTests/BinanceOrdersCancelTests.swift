import CApusProtocol
import CApusRing
import Testing

/// What the hot thread cancels by itself, and what the account's events become.
@Suite struct BinanceOrdersCancelTests {
    private func cancels(_ session: BinanceStage) -> [String] {
        session.texts(session.api).filter { $0.contains("order.cancel") }.compactMap { text in
            text.firstRange(of: "\"origClientOrderId\":\"apus").map { String(text[$0.upperBound...].prefix(16)) }
        }.map { String(Int($0, radix: 16) ?? -1) }
    }

    private func event(_ session: BinanceStage, _ id: Int, _ execution: String, _ status: String) {
        let client = "apus" + String(repeating: "0", count: 15) + String(id, radix: 16)
        session.tell(session.user, BinanceOrdersAnswerTests.event(execution, status, client: client))
    }

    private func command(_ session: BinanceStage) -> Int32 {
        var command = apus_command()
        command.kind = UInt8(APUS_COMMAND_CANCEL_ALL.rawValue)
        defer { session.turn() }
        return session.orders.pointee.session.ops.pointee.command(
            &session.orders.pointee.session, &command, session.now)
    }

    @Test func cancelAllCancelsWhatMayBeOpenAndNothingThatHasEnded() {
        let session = BinanceStage()
        session.openOrders()
        for id in 1...5 as ClosedRange<UInt64> { session.order(id) }
        _ = session.texts(session.api)
        event(session, 1, "NEW", "NEW")
        event(session, 2, "TRADE", "FILLED")
        event(session, 2, "NEW", "NEW")  // told late
        session.tell(session.api, "{\"id\":\"4\",\"status\":400,\"error\":{\"code\":-2019,\"msg\":\"x\"}}")
        event(session, 9, "NEW", "NEW")  // of an earlier run
        #expect(command(session) == 0)
        #expect(Set(cancels(session)) == ["1", "4", "5", "9"])
        session.turn()
        #expect(cancels(session).isEmpty, "once")
        #expect(command(session) == 0)
        #expect(cancels(session).count == 4, "unless it is asked for again")
    }

    @Test func cancelAllWaitsForAConnection() {
        let session = BinanceStage()
        session.openOrders()
        session.order(1)
        session.close(session.api)
        #expect(command(session) == 0)
        session.advance(0.4)
        session.open(session.api, session.apiLink())
        session.advance(0.1)
        #expect(cancels(session) == ["1"])
    }

    @Test func anOrderIsForgottenWhenTheVenueSaysThatItEnded() {
        for (execution, status) in [("CANCELED", "CANCELED"), ("EXPIRED", "EXPIRED"), ("TRADE", "FILLED")] {
            let session = BinanceStage()
            session.openOrders()
            session.order(1)
            #expect(session.orders.pointee.open.count == 1)
            event(session, 1, execution, status)
            #expect(session.orders.pointee.open.count == 0)
        }
    }

    /// "Not found" says nothing while the placement may still be travelling.
    @Test func anOrderThatIsNotFoundIsForgottenOnlyWhenItCannotArriveAnyMore() {
        let session = BinanceStage()
        session.openOrders()
        let wall = (session.now + UInt64(session.stage.market.pointee.out.pointee.realtime_offset)) / 1_000_000
        session.order(1) { $0.wall_ms = wall }
        for (number, wait, left) in [(3, 0.1, 1), (4, 8, 0)] as [(Int, Double, UInt32)] {
            session.advance(wait)
            session.order(1) {
                $0.action = UInt8(APUS_ORDER_QUERY.rawValue)
                $0.target_id = 1
            }
            session.tell(session.api, "{\"id\":\"\(number)\",\"status\":400,\"error\":{\"code\":-2013,\"msg\":\"x\"}}")
            #expect(session.orders.pointee.open.count == left)
        }
    }

    @Test func aDecisionThreadThatStandsStillHasItsOrdersCanceledOnce() {
        let session = BinanceStage { _ in
        } configureOrders: {
            $0.stall_ns = BinanceStage.second
        }
        session.openOrders()
        let decided = session.queues.pointee.decided!
        decided.pointee = session.now
        for id in 1...3 as ClosedRange<UInt64> { session.order(id) }
        event(session, 3, "CANCELED", "CANCELED")
        _ = session.texts(session.api)
        _ = session.reports()
        session.advance(1)
        #expect(cancels(session).isEmpty)
        session.advance(0.3)
        #expect(Set(cancels(session)) == ["1", "2"])
        let report = session.reports()
        #expect(report.map { [Int($0.kind), Int($0.code)] } == [[Int(APUS_REPORT_STALLED.rawValue), 2]])
        session.order(4)
        #expect(session.reports().map(\.code) == [Int32(APUS_GUARD_STALLED.rawValue)])
        session.advance(0.5)
        #expect(cancels(session).isEmpty)
        decided.pointee = session.now
        session.order(5)
        #expect(session.texts(session.api).count == 1 && session.reports().isEmpty, "it goes on")
    }

    @Test func fundingAndBalancesAreToldByTheirOwnReports() throws {
        let session = BinanceStage()
        session.openOrders()
        func tell(_ reason: String, _ change: String, time: Int = 5) -> [apus_report] {
            session.tell(
                session.user,
                "{\"e\":\"ACCOUNT_UPDATE\",\"T\":\(time),\"a\":{\"m\":\"\(reason)\",\"B\":[{\"a\":\"USDT\",\"wb\":\"12.5\","
                    + "\"bc\":\"\(change)\"}],\"P\":[{\"s\":\"AAAUSDT\"}]}}")
            return session.reports()
        }
        let paid = tell("FUNDING_FEE", "-0.25")
        try #require(paid.count == 2)
        #expect(UInt32(paid[0].kind) == APUS_REPORT_FUNDING.rawValue && paid[0].fee == 25_000_000)
        #expect(paid[0].instrument == 0 && paid[0].trade_id != 0 && paid[0].venue_ns == 5_000_000)
        #expect(UInt32(paid[1].kind) == APUS_REPORT_BALANCE.rawValue && paid[1].fee == 1_250_000_000)
        #expect(tell("FUNDING_FEE", "-0.25")[0].trade_id == paid[0].trade_id, "told twice, it is one payment")
        #expect(tell("FUNDING_FEE", "-0.25", time: 6)[0].trade_id != paid[0].trade_id)
        #expect(tell("FUNDING_FEE", "0.1")[0].fee == -10_000_000, "received")
        #expect(tell("ORDER", "0").map { UInt32($0.kind) } == [APUS_REPORT_BALANCE.rawValue])
    }

    @Test func whatTheVenueHasNoRequestForIsRefused() {
        let session = BinanceStage()
        session.openOrders()
        let wall = (session.now + UInt64(session.stage.market.pointee.out.pointee.realtime_offset)) / 1_000_000
        session.order(1) {
            $0.expire_ms = wall + 3_600_000
            $0.time_in_force = UInt8(APUS_POST_ONLY.rawValue)
        }
        #expect(session.reports().map(\.code) == [Int32(APUS_GUARD_UNSUPPORTED.rawValue)])
        session.order(2) { $0.expire_ms = wall + 3_600_000 }
        let text = session.texts(session.api).first ?? ""
        #expect(text.contains("\"goodTillDate\":\(wall + 3_600_000),") && text.contains("\"timeInForce\":\"GTD\""))
    }
}
