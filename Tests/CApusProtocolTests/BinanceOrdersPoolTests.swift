import CApusProtocol
import CApusRing
import Testing

/// The order session with several API connections, and what keeps them and the user stream fresh.
@Suite struct BinanceOrdersPoolTests {
    private static func good(_ id: Int, client: String = "apus0000000000000001", status: String = "NEW") -> String {
        "{\"id\":\"\(id)\",\"status\":200,\"result\":{\"orderId\":9,\"symbol\":\"AAAUSDT\",\"status\":\"\(status)\","
            + "\"clientOrderId\":\"\(client)\",\"price\":\"100.00\",\"origQty\":\"0.005\",\"executedQty\":\"0\",\"updateTime\":1}}"
    }

    private static func time(_ id: Int, _ milliseconds: UInt64) -> String {
        "{\"id\":\"\(id)\",\"status\":200,\"result\":{\"serverTime\":\(milliseconds)}}"
    }

    private func number(_ text: String) -> Int {
        Int(text.dropFirst("{\"id\":\"".count).prefix { $0.isNumber }) ?? -1
    }

    /// A session with both links of the user stream's key answered and as many API connections open.
    private func session(
        _ connections: UInt32 = 2, _ change: (inout apus_binance_orders_config) -> Void = { _ in }
    ) -> BinanceStage {
        let session = BinanceStage { _ in
        } configureOrders: {
            $0.api_count = connections
            $0.user_link.ping_interval_ns = 0
            $0.user_link.liveness_timeout_ns = 0
            $0.api_link.ping_interval_ns = 0
            $0.api_link.liveness_timeout_ns = 0
            change(&$0)
        }
        session.openOrders()
        for member in 1..<Int(connections) { session.open(session.api(member), session.apiLink(member)) }
        // Each has been probed, and the first is the fastest by a little.
        for member in 0..<connections {
            apus_pool_up(&session.orders.pointee.pool, member, session.now)
            apus_pool_sent(&session.orders.pointee.pool, member, false, session.now)
            let took = 1_000_000 + 10_000 * UInt64(member)
            apus_pool_answered(&session.orders.pointee.pool, member, false, took, session.now)
        }
        return session
    }

    private func codes(_ session: BinanceStage) -> [Int32] { session.reports().map(\.code) }

    @Test func theLossOfOneConnectionReportsWhatWaitedThereAndNothingElse() {
        let session = session()
        session.order(1)
        session.order(2)
        #expect(session.texts(session.api(0)).count == 2)
        session.order(3)
        session.orders.pointee.pool.members.0.state = UInt8(APUS_MEMBER_SUSPECT.rawValue)
        session.order(4)
        #expect(session.texts(session.api(1)).count == 1)
        session.close(session.api(0))
        #expect(session.news() == [[11, 1], [11, 2], [11, 3]])
        session.tell(session.api(1), Self.good(5, client: "apus0000000000000004"))
        #expect(session.news() == [[2, 4]])
        session.order(6)
        #expect(session.texts(session.api(1)).count == 1 && session.reports().isEmpty)
    }

    /// The stall is noticed by the silence; orders go on over the other connection meanwhile.
    @Test func aSilentConnectionHoldsNothingUp() {
        let session = session()
        session.order(1)
        #expect(session.texts(session.api(0)).count == 1)
        session.advance(0.6)
        session.order(2)
        #expect(session.texts(session.api(0)).isEmpty && session.texts(session.api(1)).count == 1)
        session.tell(session.api(1), Self.good(3, client: "apus0000000000000002"))
        #expect(session.news() == [[2, 2]])
        session.advance(3)
        #expect(session.news() == [[11, 1]], "asked about, never sent again")
        #expect(session.texts(session.api(1)).isEmpty)
    }

    @Test func aFullBufferSendsOnAnotherConnectionWithinTheSameCall() {
        let session = session { $0.tx_bytes = 8 << 10 }
        session.orders.pointee.pool.members.1.smooth_ns = 1_000_000_000
        for id in 1...30 as ClosedRange<UInt64> { session.order(id) }
        #expect(session.reports().isEmpty)
        let first = session.texts(session.api(0)).count, second = session.texts(session.api(1)).count
        #expect(first > 0 && second > 0 && first + second == 30)
        #expect(session.orders.pointee.pool.failovers > 0)
    }

    /// A cancel does not overtake the placement it belongs to.
    @Test func requestsAboutOneOrderTakeOneWay() {
        let session = session()
        session.order(1)
        for id in 2...9 as ClosedRange<UInt64> { session.order(id) }
        #expect(session.orders.pointee.pool.newest == 1, "so many waiting requests make the other one faster")
        _ = session.texts(session.api(0))
        _ = session.texts(session.api(1))
        session.order(20) {
            $0.action = UInt8(APUS_ORDER_CANCEL.rawValue)
            $0.target_id = 1
        }
        #expect(session.texts(session.api(0)).first?.contains("order.cancel") == true)
        session.tell(session.api(0), Self.good(2))
        session.tell(session.api(0), Self.good(11, status: "CANCELED"))
        #expect(session.news() == [[2, 1], [6, 1]])
    }

    @Test func idleConnectionsAreReadNowAndThenOnly() {
        let session = session(3)
        session.order(1)
        #expect(!session.api(0).pointee.quiet && session.api(1).pointee.quiet && session.api(2).pointee.quiet)
        #expect(!session.user.pointee.quiet)
    }

    @Test func connectionsAreProbedAndTheVenuesClockIsTaken() throws {
        let session = session(1) { $0.pool.probe_interval_ns = 10 * BinanceStage.second }
        session.now += 40_000_000
        // The connection was probed when it opened. Half of the round trip ago it was 1,700,000,000,000 ms there.
        session.tell(session.api, Self.time(2, 1_700_000_000_000))
        #expect(session.orders.pointee.clock.round_trip_ns == 40_000_000)
        let wall = UInt64(Int64(session.now) + session.orders.pointee.clock.offset_ns)
        #expect(wall == 1_700_000_000_020_500_000)
        #expect(session.orders.pointee.pool.members.0.state == UInt8(APUS_MEMBER_HEALTHY.rawValue))
        session.order(1)
        #expect(session.texts(session.api).first?.contains("\"timestamp\":1700000000020,") == true)
        // A slower measurement within the minute changes nothing, a faster one does, and after the minute any one.
        for (wait, rtt, counts) in [(10.0, 90, false), (10, 10, true), (60, 90, true)] as [(Double, UInt64, Bool)] {
            session.advance(wait)
            let probe = try #require(session.texts(session.api).first { $0.contains("\"time\"") })
            let before = session.orders.pointee.clock.round_trip_ns
            session.now += rtt * 1_000_000
            session.tell(session.api, Self.time(number(probe), 1_700_000_100_000))
            #expect((session.orders.pointee.clock.round_trip_ns != before) == counts)
        }
    }

    @Test func aRefusedStampIsMendedAtOnce() throws {
        let session = session(1) { $0.pool.probe_interval_ns = 1000 * BinanceStage.second }
        session.now += 1_000_000
        session.tell(session.api, Self.time(2, 1_600_000_000_000))
        session.order(1)
        let order = try #require(session.texts(session.api).first)
        session.tell(
            session.api, "{\"id\":\"\(number(order))\",\"status\":400,\"error\":{\"code\":-1021,\"msg\":\"x\"}}")
        let report = try #require(session.reports().first)
        #expect(UInt32(report.kind) == APUS_REPORT_REJECTED.rawValue && report.code == -1021)
        let again = try #require(session.texts(session.api).first)
        #expect(again.contains("\"method\":\"time\""))
        session.now += 300_000_000
        session.tell(session.api, Self.time(number(again), 1_700_000_000_000))
        session.order(2)
        #expect(
            session.texts(session.api).first?.contains("\"timestamp\":170") == true,
            "whatever the measurement's quality"
        )
    }

    // MARK: Age

    /// The successor is open before the old one is closed: no order is refused, nothing counts as missed, and both are read.
    @Test func theUserStreamIsReplacedWithoutAGap() throws {
        let session = session(1) {
            $0.user_link.max_lifetime_ns = 100 * BinanceStage.second
            $0.user_link.lifetime_jitter_ns = 0
            $0.user_overlap_ns = 2 * BinanceStage.second
        }
        _ = session.texts(session.api)
        session.advance(99.9)
        #expect(session.texts(session.api).isEmpty)
        session.advance(0.4)
        let request = try #require(session.texts(session.api).first)
        #expect(request.contains("userDataStream.start"))
        session.tell(session.api, "{\"id\":\"\(number(request))\",\"status\":200,\"result\":{\"listenKey\":\"K1\"}}")
        #expect(session.userLink().pointee.state == UInt8(APUS_LINK_OPEN))
        #expect(session.open(session.nextUser, session.userLink(1)).hasPrefix("GET /private/ws/K1 "))
        #expect(session.orders.pointee.successions == 1 && session.reports().isEmpty)
        let event = BinanceOrdersAnswerTests.event("NEW", "NEW", client: "apus0000000000000001")
        session.tell(session.user, event)
        session.tell(session.nextUser, event)
        #expect(session.news() == [[2, 1], [2, 1]], "told twice, never not at all")
        session.order(5)
        #expect(session.texts(session.api).count == 1)
        session.advance(2.3)
        #expect(session.userLink().pointee.state == UInt8(APUS_LINK_CLOSING))
        session.close(session.user)
        session.advance(0.1)
        session.order(6)
        #expect(session.texts(session.api).count == 1 && session.reports().isEmpty)
    }

    @Test func aUserStreamThatEndsBeforeItsSuccessorIsOpenMissesNews() throws {
        let session = session(1) {
            $0.user_link.max_lifetime_ns = 100 * BinanceStage.second
            $0.user_link.lifetime_jitter_ns = 0
        }
        _ = session.texts(session.api)
        session.advance(100.3)
        let request = try #require(session.texts(session.api).first)
        session.close(session.user)
        session.order(1)
        #expect(codes(session) == [Int32(APUS_GUARD_NOT_CONNECTED.rawValue)])
        session.tell(session.api, "{\"id\":\"\(number(request))\",\"status\":200,\"result\":{\"listenKey\":\"K2\"}}")
        #expect(session.open(session.nextUser, session.userLink(1)).hasPrefix("GET /private/ws/K2 "))
        #expect(session.reports().map { UInt32($0.kind) } == [APUS_REPORT_MISSED.rawValue])
        session.order(2)
        #expect(session.texts(session.api).count == 1)
    }

    @Test func apiConnectionsAreReplacedOneAfterAnotherWhenNothingWaits() {
        let session = session(2) {
            $0.api_link.max_lifetime_ns = 100 * BinanceStage.second
            $0.api_link.lifetime_jitter_ns = 0
            $0.answer_timeout_ns = 1000 * BinanceStage.second
        }
        session.order(1)
        _ = session.texts(session.api(0))
        session.advance(100.3)
        #expect(session.apiLink(0).pointee.state == UInt8(APUS_LINK_OPEN), "an answer is still to come")
        #expect(session.apiLink(1).pointee.state == UInt8(APUS_LINK_OPEN), "one at a time")
        session.order(2)
        #expect(session.texts(session.api(1)).count == 1)
        session.tell(session.api(1), Self.good(3, client: "apus0000000000000002"))
        session.tell(session.api(0), Self.good(2))
        session.advance(0.3)
        #expect(session.apiLink(0).pointee.state == UInt8(APUS_LINK_CLOSING))
        session.advance(0.3)
        #expect(session.apiLink(1).pointee.state == UInt8(APUS_LINK_OPEN))
        session.close(session.api(0))
        session.advance(0.1)
        session.open(session.api(0), session.apiLink(0))
        session.advance(0.3)
        #expect(session.apiLink(1).pointee.state == UInt8(APUS_LINK_CLOSING))
        #expect(session.news() == [[2, 2], [2, 1]], "nothing was lost")
    }

    // MARK: Budgets

    @Test func whatTheBudgetDoesNotAllowIsRefusedAndCancelsPass() {
        let session = session(1) {
            $0.limits.0 = apus_binance_limit(window_ns: 10_000_000_000, limit: 2, used: 0, kind: 2)
            $0.limits.1 = apus_binance_limit(window_ns: 60_000_000_000, limit: 50, used: 0, kind: 1)
            $0.limit_count = 2
        }
        _ = session.texts(session.api)
        for id in 1...3 as ClosedRange<UInt64> { session.order(id) }
        #expect(session.texts(session.api).count == 2)
        #expect(codes(session) == [Int32(APUS_GUARD_BUDGET.rawValue)])
        session.order(9) {
            $0.action = UInt8(APUS_ORDER_CANCEL.rawValue)
            $0.target_id = 1
        }
        #expect(session.texts(session.api).count == 1)
        session.tell(
            session.api,
            Self.good(2).dropLast()
                + ",\"rateLimits\":[{\"rateLimitType\":\"ORDERS\",\"interval\":\"SECOND\",\"intervalNum\":10,\"limit\":4,\"count\":3}]}"
        )
        session.order(4)
        #expect(session.texts(session.api).count == 1, "the venue has raised its limit")
        session.order(5)
        #expect(session.reports().last?.code == Int32(APUS_GUARD_BUDGET.rawValue), "and counts more than we do")
    }

    @Test func aBanHoldsEverythingUntilTheTimeThatTheVenueNames() {
        let session = session(1) { $0.limit_count = 0 }
        _ = session.texts(session.api)
        let wall = (session.now + UInt64(session.stage.market.pointee.out.pointee.realtime_offset)) / 1_000_000
        session.order(1)
        session.tell(
            session.api,
            "{\"id\":\"2\",\"status\":418,\"error\":{\"code\":-1003,\"msg\":\"x\",\"data\":{\"retryAfter\":\(wall + 2000)}}}"
        )
        #expect(session.news() == [[3, 1]])
        _ = session.texts(session.api)
        for action in [APUS_ORDER_PLACE, APUS_ORDER_CANCEL, APUS_ORDER_QUERY] {
            session.order(2) { $0.action = UInt8(action.rawValue) }
        }
        #expect(codes(session) == [Int32](repeating: Int32(APUS_GUARD_BUDGET.rawValue), count: 3))
        session.advance(2.01)
        session.order(3)
        #expect(session.texts(session.api).count == 1)
    }

    /// Also where the venue has announced no limit of orders.
    @Test(arguments: [429, 400]) func tooManyOrdersHoldsOrdersAndChangesBackAndNothingElse(status: Int) {
        let session = session(1) { $0.limit_count = 0 }
        _ = session.texts(session.api)
        let wall = (session.now + UInt64(session.stage.market.pointee.out.pointee.realtime_offset)) / 1_000_000
        session.order(1)
        session.tell(
            session.api,
            "{\"id\":\"2\",\"status\":\(status),\"error\":{\"code\":-1015,\"msg\":\"x\",\"data\":{\"retryAfter\":\(wall + 2000)}}}"
        )
        #expect(session.news() == [[3, 1]])
        _ = session.texts(session.api)
        for action in [APUS_ORDER_PLACE, APUS_ORDER_MODIFY, APUS_ORDER_CANCEL, APUS_ORDER_QUERY] {
            session.order(2) { $0.action = UInt8(action.rawValue) }
        }
        #expect(codes(session) == [Int32](repeating: Int32(APUS_GUARD_BUDGET.rawValue), count: 2))
        #expect(session.texts(session.api).count == 2)
        session.advance(2.01)
        session.order(3)
        #expect(session.texts(session.api).count == 1)
    }

    /// Ten seconds is the shortest of the venue's windows for orders.
    @Test func tooManyOrdersWithoutATimeHoldsBackForTenSeconds() {
        let session = session(1) {
            $0.limit_count = 0
            $0.answer_timeout_ns = 1000 * BinanceStage.second
        }
        _ = session.texts(session.api)
        session.order(1)
        session.tell(session.api, "{\"id\":\"2\",\"status\":429,\"error\":{\"code\":-1015,\"msg\":\"x\"}}")
        _ = session.reports()
        _ = session.texts(session.api)
        session.advance(9.9)
        session.order(2)
        #expect(codes(session) == [Int32(APUS_GUARD_BUDGET.rawValue)])
        _ = session.texts(session.api)
        session.advance(0.2)
        session.order(3)
        #expect(session.texts(session.api).count == 1 && session.reports().isEmpty)
    }
}
