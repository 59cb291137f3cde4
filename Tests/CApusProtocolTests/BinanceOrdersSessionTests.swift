import CApusProtocol
import CApusRing
import Testing

/// The order session on its connections.
@Suite struct BinanceOrdersSessionTests {
    private static func good(_ id: Int, client: String = "apus0000000000000001", status: String = "NEW") -> String {
        "{\"id\":\"\(id)\",\"status\":200,\"result\":{\"orderId\":9,\"symbol\":\"AAAUSDT\",\"status\":\"\(status)\","
            + "\"clientOrderId\":\"\(client)\",\"price\":\"100.00\",\"origQty\":\"0.005\",\"executedQty\":\"0\",\"updateTime\":1}}"
    }

    private static func bad(_ id: Int, _ code: Int, status: Int = 400) -> String {
        "{\"id\":\"\(id)\",\"status\":\(status),\"error\":{\"code\":\(code),\"msg\":\"x\"}}"
    }

    private func kinds(_ session: BinanceStage) -> [UInt32] { session.reports().map { UInt32($0.kind) } }

    @Test func theListenKeyOpensTheUserStreamAndNewsMayBeMissing() {
        let session = BinanceStage()
        session.stage.live()
        session.startOrders()
        #expect(session.user.pointee.want == UInt8(APUS_WANT_NOTHING), "no key yet")
        #expect(session.open(session.api, session.apiLink()).hasPrefix("GET /ws-fapi/v1 "))
        #expect(
            session.texts(session.api) == [
                "{\"id\":\"1\",\"method\":\"userDataStream.start\",\"params\":{\"apiKey\":\"key\"}}"
            ])
        session.order(5)
        #expect(
            session.reports().map { [UInt32($0.kind), UInt32($0.code)] } == [
                [APUS_REPORT_REFUSED.rawValue, APUS_GUARD_NOT_CONNECTED.rawValue]
            ])
        session.tell(session.api, "{\"id\":\"1\",\"status\":200,\"result\":{\"listenKey\":\"abc\"}}")
        #expect(session.open(session.user, session.userLink()).hasPrefix("GET /private/ws/abc "))
        #expect(kinds(session) == [APUS_REPORT_MISSED.rawValue])
    }

    @Test func anOrderGoesOutAndItsAnswerAndFillComeBack() throws {
        let session = BinanceStage()
        session.openOrders()
        session.order(1)
        let text = try #require(session.texts(session.api).first)
        #expect(text.hasPrefix("{\"id\":\"2\",\"method\":\"order.place\",\"params\":{\"apiKey\":\"key\","))
        session.now += 1_000_000
        session.tell(session.api, Self.good(2))
        let answer = try #require(session.reports().first)
        #expect(UInt32(answer.kind) == APUS_REPORT_ACCEPTED.rawValue && answer.client_id == 1)
        #expect(answer.venue_order_id == 9 && answer.sent_ns == session.now - 1_000_000)
        session.tell(
            session.user,
            BinanceOrdersAnswerTests.event(
                "TRADE", "PARTIALLY_FILLED", client: "apus0000000000000001", cumulative: "0.002", last: "0.002",
                lastPrice: "99.90", fee: "0.01", maker: true, trade: 77))
        let fill = try #require(session.reports().first)
        #expect(UInt32(fill.kind) == APUS_REPORT_FILL.rawValue && fill.client_id == 1 && fill.trade_id == 77)
        #expect(fill.price == 9_990 && fill.quantity == 2 && fill.cumulative == 2 && fill.fee == 1_000_000)
        #expect(fill.flags == UInt8(APUS_REPORT_MAKER.rawValue))
    }

    @Test(arguments: [
        (APUS_ORDER_PLACE, APUS_REPORT_ACCEPTED, APUS_REPORT_REJECTED),
        (APUS_ORDER_CANCEL, APUS_REPORT_CANCELED, APUS_REPORT_CANCEL_REJECTED),
        (APUS_ORDER_MODIFY, APUS_REPORT_MODIFIED, APUS_REPORT_MODIFY_REJECTED),
        (APUS_ORDER_QUERY, APUS_REPORT_STATUS, APUS_REPORT_UNKNOWN),
    ])
    func answersOfEachAction(action: apus_order_action, good: apus_report_kind, bad: apus_report_kind) {
        let session = BinanceStage()
        session.openOrders()
        func ask() {
            session.order(3) {
                $0.action = UInt8(action.rawValue)
                $0.target_id = 3
            }
        }
        ask()
        session.tell(session.api, Self.good(2))
        ask()
        session.tell(session.api, Self.bad(3, -2010))
        ask()
        session.tell(session.api, Self.bad(4, -1007, status: 408))
        ask()
        session.tell(session.api, Self.bad(5, -1000, status: 503))
        #expect(
            kinds(session) == [good, bad, APUS_REPORT_UNKNOWN, APUS_REPORT_UNKNOWN].map(\.rawValue),
            "a time-out and a server error leave open whether it was carried out")
    }

    @Test func anUnknownOrderIsNotFound() {
        let session = BinanceStage()
        session.openOrders()
        session.order(3) {
            $0.action = UInt8(APUS_ORDER_QUERY.rawValue)
            $0.target_id = 3
        }
        session.tell(session.api, Self.bad(2, -2013))
        #expect(session.news() == [[UInt64(APUS_REPORT_NOT_FOUND.rawValue), 3]])
    }

    @Test func aLateAnswerIsUnknownAndThenIgnored() {
        let session = BinanceStage()
        session.openOrders()
        session.order(1)
        session.advance(3)
        #expect(session.news().isEmpty)
        session.advance(0.1)
        #expect(session.news() == [[UInt64(APUS_REPORT_UNKNOWN.rawValue), 1]])
        session.tell(session.api, Self.good(2))
        #expect(session.news().isEmpty)
    }

    @Test func whatWaitsOnALostConnectionIsUnknownInOrder() {
        let session = BinanceStage()
        session.openOrders()
        for id in 1...3 { session.order(UInt64(id)) }
        session.tell(session.api, Self.good(3, client: "apus0000000000000002"))
        _ = session.reports()
        session.close(session.api)
        #expect(session.news() == [[11, 1], [11, 3]])
        session.order(4)
        #expect(session.reports().first?.code == Int32(APUS_GUARD_NOT_CONNECTED.rawValue))
    }

    @Test func withoutTheUserStreamOnlyCancelsAndQuestionsPass() {
        let session = BinanceStage()
        session.openOrders()
        session.close(session.user)
        _ = session.texts(session.api)
        session.order(1)
        #expect(session.reports().first?.code == Int32(APUS_GUARD_NOT_CONNECTED.rawValue))
        for action in [APUS_ORDER_CANCEL, APUS_ORDER_QUERY] {
            session.order(1) {
                $0.action = UInt8(action.rawValue)
                $0.target_id = 1
            }
        }
        #expect(session.texts(session.api).count == 2)
    }

    @Test func everyConnectionOfTheUserStreamAsksForItsKey() {
        let session = BinanceStage()
        session.openOrders()
        _ = session.texts(session.api)
        session.close(session.user)
        let request = session.texts(session.api).first ?? ""
        #expect(request.contains("userDataStream.start"))
        session.advance(1)
        #expect(session.user.pointee.want == UInt8(APUS_WANT_NOTHING), "not with a key that may have expired")
        session.tell(session.api, "{\"id\":\"2\",\"status\":200,\"result\":{\"listenKey\":\"K2\"}}")
        session.advance(0.3)
        #expect(session.open(session.user, session.userLink()).hasPrefix("GET /private/ws/K2 "))
        #expect(kinds(session) == [APUS_REPORT_MISSED.rawValue])
    }

    @Test func theKeyIsRenewedAndAFailedRenewalStartsAnew() {
        let session = BinanceStage()
        session.openOrders()
        _ = session.texts(session.api)
        session.now += 1800 * BinanceStage.second
        session.turn()
        // The long silence ended the links' patience as well: what matters is what the session asked for.
        #expect(
            session.texts(session.api).contains { $0.contains("userDataStream.ping") }
                || session.apiLink().pointee.state != UInt8(APUS_LINK_OPEN))
    }

    @Test func anExpiredKeyClosesTheUserStream() {
        let session = BinanceStage()
        session.openOrders()
        _ = session.texts(session.api)
        session.tell(session.user, "{\"e\":\"listenKeyExpired\",\"E\":1}")
        #expect(session.userLink().pointee.state == UInt8(APUS_LINK_CLOSING))
        #expect(session.texts(session.api).first?.contains("userDataStream.start") == true)
        session.order(1)
        #expect(session.reports().first?.code == Int32(APUS_GUARD_NOT_CONNECTED.rawValue))
    }

    @Test func anUnreadableEventMayHaveBeenNews() {
        let session = BinanceStage()
        session.openOrders()
        session.tell(session.user, "{\"e\":\"ORDER_TRADE_UPD")
        #expect(kinds(session) == [APUS_REPORT_MISSED.rawValue])
        session.tell(session.api, "{\"id\":")
        #expect(session.reports().isEmpty && session.orders.pointee.decode_errors == 2)
    }

    @Test func aUserStreamThatDoesNotTellWhatWasDoneIsFrozen() {
        let session = BinanceStage()
        session.openOrders()
        session.order(1)
        session.tell(session.api, Self.good(2))
        session.advance(4.9)
        #expect(session.userLink().pointee.state == UInt8(APUS_LINK_OPEN))
        session.advance(0.2)
        #expect(session.userLink().pointee.state == UInt8(APUS_LINK_CLOSING))
        #expect(session.orders.pointee.freezes == 1)
    }

    @Test func whatWasAnsweredWhileItWasDownDoesNotCloseTheUserStreamAgain() {
        let session = BinanceStage()
        session.openOrders()
        session.order(1)
        _ = session.texts(session.api)
        session.close(session.user)
        session.tell(session.api, Self.good(2))
        session.tell(session.api, "{\"id\":\"3\",\"status\":200,\"result\":{\"listenKey\":\"K2\"}}")
        session.advance(6)
        #expect(session.open(session.user, session.userLink()).hasPrefix("GET /private/ws/K2 "))
        session.advance(0.1)
        #expect(session.userLink().pointee.state == UInt8(APUS_LINK_OPEN) && session.orders.pointee.freezes == 0)
    }

    @Test(arguments: [true, false])
    func anEventBeforeOrAfterTheAnswerProvesTheStream(eventFirst: Bool) {
        let session = BinanceStage()
        session.openOrders()
        session.order(1)
        let event = BinanceOrdersAnswerTests.event("NEW", "NEW", client: "apus0000000000000001")
        if eventFirst { session.tell(session.user, event) }
        session.tell(session.api, Self.good(2))
        if !eventFirst { session.tell(session.user, event) }
        session.advance(8)
        #expect(session.orders.pointee.freezes == 0)
    }

    @Test func aFullReportRingStopsReadingAndLosesNothing() {
        let session = BinanceStage()
        session.openOrders()
        session.queues.pointee.reports.pointee.mask = 1  // two reports
        let event = BinanceOrdersAnswerTests.event("NEW", "NEW", client: "apus0000000000000001")
        for _ in 0..<5 { session.receive(session.user, serverFrame(1, event.utf8)) }
        #expect(session.user.pointee.paused && session.api.pointee.paused)
        #expect(session.orders.pointee.halts == 1)
        var order = apus_order()
        order.action = UInt8(APUS_ORDER_PLACE.rawValue)
        #expect(apus_order_push(session.queues.pointee.orders, &order) == 0)
        session.turn()
        #expect(session.texts(session.api).isEmpty, "no order is taken without room for its report")
        var found = 0
        for _ in 0..<5 {
            found += session.reports().count
            session.turn()
        }
        found += session.reports().count
        #expect(found == 6, "five events and the guard's refusal")
        session.turn()
        #expect(!session.user.pointee.paused)
    }

    @Test func tooManyWaitingRequestsAreRefused() {
        let session = BinanceStage { _ in
        } configureOrders: {
            $0.tx_bytes = 2 << 20
        }
        session.openOrders()
        for id in 0..<1025 {
            session.order(UInt64(id + 10))
            _ = session.sent(session.api)
        }
        let refusals = session.reports()
        #expect(refusals.map { $0.code } == [Int32(APUS_GUARD_IN_FLIGHT_FULL.rawValue)])
    }

    /// Its place in the table comes round again and again while it waits.
    @Test func aLostAnswerHoldsUpNoOtherOrder() {
        let session = BinanceStage()
        session.openOrders()
        session.order(10)
        _ = session.sent(session.api)
        let waiting = session.orders.pointee.next_request - 1
        _ = session.reports()
        for turn in 1...2100 as ClosedRange<UInt64> {
            let number = session.orders.pointee.next_request
            session.order(10 + turn)
            _ = session.sent(session.api)
            let used = session.orders.pointee.next_request - 1
            #expect(used == number || (used == number + 1 && (number - waiting) % 1024 == 0))
            session.tell(session.api, "{\"id\":\"\(used)\",\"status\":400,\"error\":{\"code\":-2010,\"msg\":\"x\"}}")
            let kinds = session.reports().map { UInt32($0.kind) }
            #expect(!kinds.contains(APUS_REPORT_REFUSED.rawValue) && kinds.contains(APUS_REPORT_REJECTED.rawValue))
        }
        session.advance(6)
        #expect(session.reports().map(\.client_id).contains(10), "the one that waited is told as unknown")
    }

    @Test func aFullSendBufferRefuses() {
        let session = BinanceStage { _ in
        } configureOrders: {
            $0.tx_bytes = 8 << 10
        }
        session.openOrders()
        for id in 0..<30 { session.order(UInt64(id + 10)) }
        let refusals = session.reports()
        #expect(!refusals.isEmpty && refusals.allSatisfy { $0.code == Int32(APUS_GUARD_BUFFER_FULL.rawValue) })
        #expect(session.texts(session.api).count + refusals.count == 30)
    }
}
