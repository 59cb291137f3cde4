import CApusProtocol
import CApusRing
import Testing

/// Buys, sells and the life of contracts on the account's connection.
@Suite struct DerivOrdersSessionTests {
    static let fill = Int64(APUS_REPORT_FILL.rawValue)
    static let sent = Int64(APUS_REPORT_SENT.rawValue)
    static let settled = Int64(APUS_REPORT_SETTLED.rawValue)
    static let rejected = Int64(APUS_REPORT_REJECTED.rawValue)

    // MARK: Access

    @Test func everyConnectionAsksForItsAddress() throws {
        let stage = DerivStage()
        stage.startOrders()
        #expect(stage.account.pointee.want == UInt8(APUS_WANT_NOTHING), "no address yet")
        let request = try #require(stage.takeREST())
        #expect(request.hasPrefix("POST /trading/v1/options/accounts/VRTC1/otp HTTP/1.1\r\n"))
        #expect(
            request.contains("Authorization: Bearer secret-token\r\n") && request.contains("Deriv-App-ID: 1234\r\n"))
        stage.answerAddress("abc")
        let upgrade = stage.open(stage.account, &stage.orders.pointee.line.link)
        #expect(upgrade.hasPrefix("GET /trading/v1/options/ws/demo?otp=abc "))
        stage.close(stage.account)
        stage.advance(0.01)
        #expect(stage.account.pointee.want == UInt8(APUS_WANT_NOTHING), "not with an address that is used up")
        stage.advance(8)
        #expect(try #require(stage.takeREST()).hasPrefix("POST "))
        stage.answerAddress("def")
        #expect(
            stage.open(stage.account, &stage.orders.pointee.line.link).hasPrefix(
                "GET /trading/v1/options/ws/demo?otp=def "))
    }

    @Test(arguments: [(401, 30.0), (429, 7.0), (503, 1.0)])
    func aRefusedAddressIsAskedForLater(status: Int, pause: Double) {
        let stage = DerivStage()
        stage.startOrders()
        _ = stage.takeREST()
        stage.answerREST(status, "{\"errors\":[]}", headers: status == 429 ? "Retry-After: 7\r\n" : "")
        stage.advance(pause - 0.1)
        #expect(stage.takeREST() == nil)
        stage.advance(0.2)
        #expect(stage.takeREST() != nil)
        #expect(stage.orders.pointee.access_refused == (status == 401 ? 1 : 0))
    }

    @Test func v3SaysItsTokenFirst() {
        let stage = DerivStage(v3: true)
        stage.startOrders()
        #expect(stage.open(stage.account, &stage.orders.pointee.line.link).hasPrefix("GET /websockets/v3?app_id=1234 "))
        stage.advance(0.06)
        #expect(stage.take("authorize")?.text == "{\"authorize\":\"secret-token\",\"req_id\":1}")
        #expect(stage.take("portfolio") == nil && stage.take("proposal") == nil, "nothing before the answer")
        stage.tell(stage.account, "{\"msg_type\":\"authorize\",\"req_id\":1,\"authorize\":{\"balance\":10}}")
        stage.sync()
    }

    @Test func v3ARefusedTokenIsNotSaidAgainAtOnce() {
        let stage = DerivStage(v3: true)
        stage.startOrders()
        stage.open(stage.account, &stage.orders.pointee.line.link)
        stage.refuse("authorize", "InvalidToken")
        stage.advance(29)
        #expect(stage.take("authorize") == nil)
        stage.advance(1.1)
        #expect(stage.take("authorize") != nil)
        #expect(stage.orders.pointee.access_refused == 1)
    }

    @Test(arguments: ["", "has space", "quote\"", "line\r\nbreak"])
    func tokensThatNoneIsAreRefused(token: String) {
        let stage = DerivStage()
        var config = stage.orders.pointee.config
        var random = seeded(1)
        let orders = UnsafeMutablePointer<apus_deriv_orders>.allocate(capacity: 1)
        defer { orders.deallocate() }
        #expect(apus_deriv_orders_init(orders, &config, stage.market, stage.queues, token, &random) == -EINVAL)
    }

    // MARK: Buys

    @Test(arguments: [false, true])
    func aBuyIsFilledByItsAnswer(v3: Bool) throws {
        let stage = DerivStage(v3: v3)
        stage.openOrders()
        #expect(stage.state(1) == APUS_STATE_LIVE && stage.touch(1) == [0, 1000] && stage.touch(2) == [0, 950])
        stage.order(7)
        let request = try #require(stage.take("buy"))
        #expect(request.text == "{\"buy\":\"P1\",\"price\":10.00,\"req_id\":\(request.number)}")
        stage.tell(
            stage.account,
            "{\"msg_type\":\"buy\",\"req_id\":\(request.number),\"buy\":{\"contract_id\":55,\"transaction_id\":71,"
                + "\"buy_price\":\"9.99\",\"purchase_time\":\(stage.epoch),\"payout\":\"19.53\"}}")
        let report = try #require(stage.reports().first)
        #expect(Int64(report.kind) == Self.fill && report.client_id == 7 && report.price == 999)
        #expect(report.quantity == 1 && report.cumulative == 1 && report.trade_id == 71 && report.venue_order_id == 55)
        #expect(report.status == UInt8(APUS_STATUS_FILLED.rawValue) && report.side == UInt8(APUS_BUY.rawValue))
        stage.advance(0.06)
        #expect(
            stage.take("proposal_open_contract")?.text.hasPrefix(
                "{\"proposal_open_contract\":1,\"contract_id\":55,\"subscribe\":1") == true)
        #expect(stage.take("forget")?.text.hasPrefix("{\"forget\":\"S1\"") == true)
        #expect(stage.take("proposal") != nil, "a proposal is bought once")
    }

    @Test(arguments: [
        ("PriceMoved", APUS_DERIV_ERROR_PRICE_MOVED), ("InsufficientBalance", APUS_DERIV_ERROR_BALANCE),
        ("InvalidContractProposal", APUS_DERIV_ERROR_PROPOSAL), ("RateLimit", APUS_DERIV_ERROR_RATE_LIMIT),
    ])
    func aRefusedBuyIsRejectedWithItsCode(code: String, error: apus_deriv_error) {
        let stage = DerivStage()
        stage.openOrders()
        stage.order(7)
        stage.refuse("buy", code)
        let reports = stage.reports()
        #expect(reports.count == 1 && Int64(reports[0].kind) == Self.rejected && reports[0].client_id == 7)
        #expect(reports.first?.code == Int32(error.rawValue))
    }

    @Test func theRateLimitStopsTheRow() {
        let stage = DerivStage()
        stage.openOrders()
        stage.order(7)
        stage.refuse("buy", "RateLimit")
        _ = stage.reports()
        stage.order(8)
        #expect(stage.code() == Int32(APUS_GUARD_BUDGET.rawValue))
        stage.advance(10.1)
        stage.order(9)
        #expect(stage.take("buy") != nil)
    }

    @Test func oneBuyOfAShapeWaitsAtATime() {
        let stage = DerivStage()
        stage.openOrders()
        stage.order(1)
        stage.order(2)
        #expect(stage.code() == Int32(APUS_GUARD_UNRESOLVED.rawValue))
        stage.order(3, instrument: 2) { $0.price = 950 }
        #expect(stage.reports().isEmpty, "another shape is not held up")
        #expect(stage.take("buy")?.text.contains("P1") == true && stage.take("buy")?.text.contains("P2") == true)
    }

    private func code(_ stage: DerivStage, _ reason: apus_guard_reason) -> Bool {
        stage.code() == Int32(reason.rawValue)
    }

    @Test func whatTheVenueDoesNotHaveIsRefused() {
        let stage = DerivStage()
        stage.openOrders()
        stage.order(1) { $0.quantity = 2 }
        #expect(code(stage, APUS_GUARD_QUANTITY))
        stage.order(1) { $0.time_in_force = UInt8(APUS_POST_ONLY.rawValue) }
        #expect(code(stage, APUS_GUARD_UNSUPPORTED))
        stage.order(1) { $0.flags = UInt8(APUS_ORDER_REDUCE_ONLY.rawValue) }
        #expect(code(stage, APUS_GUARD_UNSUPPORTED))
        stage.order(1) { $0.action = UInt8(APUS_ORDER_MODIFY.rawValue) }
        #expect(code(stage, APUS_GUARD_UNSUPPORTED))
        stage.order(1) { $0.expire_ms = stage.wallMilliseconds }
        #expect(code(stage, APUS_GUARD_EXPIRED))
        stage.sell(1)
        #expect(code(stage, APUS_GUARD_UNSUPPORTED), "nothing is held")
        stage.order(1, instrument: 0)
        #expect(code(stage, APUS_GUARD_INSTRUMENT), "an underlying cannot be bought")
        stage.order(1, instrument: 99)
        #expect(code(stage, APUS_GUARD_INSTRUMENT))
        #expect(stage.take("buy") == nil && stage.take("sell") == nil)
    }

    @Test func aMarketOrderPaysWhatIsAsked() {
        let stage = DerivStage()
        stage.openOrders()
        stage.order(1, instrument: 2) {
            $0.type = UInt8(APUS_MARKET.rawValue)
            $0.price = 0
        }
        #expect(stage.take("buy")?.text.hasPrefix("{\"buy\":\"P2\",\"price\":9.50") == true)
    }

    @Test func aCancelComesTooLate() {
        let stage = DerivStage()
        stage.openOrders()
        stage.order(1)
        stage.order(2) {
            $0.action = UInt8(APUS_ORDER_CANCEL.rawValue)
            $0.target_id = 1
        }
        #expect(stage.news() == [[Int64(APUS_REPORT_CANCEL_REJECTED.rawValue), 1, 1000, 0]])
    }

    @Test func withoutAConnectionOrAProposalNothingLeaves() {
        let stage = DerivStage()
        stage.startOrders()
        stage.connectAccount()
        stage.propose()
        stage.order(1)
        #expect(code(stage, APUS_GUARD_NOT_CONNECTED), "the portfolio is not known yet")
        let other = DerivStage()
        other.startOrders()
        other.connectAccount()
        other.sync()
        _ = other.reports()
        other.order(1)
        #expect(code(other, APUS_GUARD_BOOK_STATE))
    }

    // MARK: Contracts

    @Test func aSellIsFilledByItsAnswerAndNeverSettled() throws {
        let stage = DerivStage()
        stage.openOrders()
        stage.buy(1, contract: 55, trade: 71)
        _ = stage.reports()
        stage.stream(DerivStage.state(55, bid: "9.10"))
        #expect(stage.touch(1) == [910, 1000])
        stage.sell(2, price: 905)
        let sent = try #require(stage.reports().first)
        #expect(Int64(sent.kind) == Self.sent && sent.client_id == 2)
        #expect(sent.venue_order_id == UInt64(55) | 1 << 63, "its own number beside the buy's")
        #expect(stage.touch(1) == [0, 1000], "what is being sold is not offered twice")
        stage.answer("sell", "\"sell\":{\"contract_id\":55,\"transaction_id\":72,\"sold_for\":9.1,\"reference_id\":71}")
        #expect(stage.news() == [[Self.fill, 2, 910, 72]])
        stage.stream(DerivStage.state(55, status: "sold", sellPrice: "9.10", trade: 72))
        stage.tell(
            stage.account,
            "{\"msg_type\":\"transaction\",\"transaction\":{\"action\":\"sell\",\"contract_id\":55,\"amount\":9.1,\"transaction_id\":72}}"
        )
        #expect(stage.news().isEmpty, "told once")
    }

    @Test func theOldestContractIsSoldFirst() {
        let stage = DerivStage()
        stage.openOrders()
        stage.buy(1, contract: 55, trade: 71)
        stage.advance(2)
        stage.buy(2, contract: 54, trade: 73)
        _ = stage.reports()
        stage.sell(3)
        #expect(stage.take("sell")?.text.hasPrefix("{\"sell\":55,\"price\":9.00") == true)
        stage.sell(4)
        #expect(stage.take("sell")?.text.hasPrefix("{\"sell\":54,") == true)
        _ = stage.reports()
        stage.sell(5)
        #expect(code(stage, APUS_GUARD_UNRESOLVED))
    }

    @Test func anExpiryIsSettledOnceByWhomeverTellsItFirst() {
        for streamFirst in [false, true] {
            let stage = DerivStage()
            stage.openOrders()
            stage.buy(1, contract: 55, trade: 71)
            _ = stage.reports()
            let transaction =
                "{\"msg_type\":\"transaction\",\"transaction\":{\"action\":\"sell\",\"contract_id\":55,\"amount\":\"19.53\","
                + "\"transaction_id\":74,\"transaction_time\":9}}"
            let state = DerivStage.state(55, status: "won", sellPrice: "19.53", trade: 74)
            if streamFirst { stage.stream(state) }
            stage.tell(stage.account, transaction)
            if !streamFirst { stage.stream(state) }
            #expect(stage.news() == [[Self.settled, 0, 1953, 74]])
        }
    }

    @Test func aLossIsSettledAtZero() throws {
        let stage = DerivStage()
        stage.openOrders()
        stage.buy(1, contract: 55, trade: 71)
        _ = stage.reports()
        stage.stream(DerivStage.state(55, status: "lost", sellPrice: "0", trade: 74))
        let report = try #require(stage.reports().first)
        #expect(Int64(report.kind) == Self.settled && report.price == 0 && report.quantity == 1)
        #expect(report.side == UInt8(APUS_SELL.rawValue) && report.instrument == 1 && report.venue_order_id == 55)
    }

    @Test func anExpiryWhileASellIsUnderWay() {
        let stage = DerivStage()
        stage.openOrders()
        stage.buy(1, contract: 55, trade: 71)
        stage.sell(2)
        _ = stage.reports()
        stage.tell(
            stage.account,
            "{\"msg_type\":\"transaction\",\"transaction\":{\"action\":\"sell\",\"contract_id\":55,\"amount\":\"0\",\"transaction_id\":74}}"
        )
        #expect(stage.news().isEmpty, "whose it is, only the contract says")
        stage.stream(DerivStage.state(55, status: "lost", sellPrice: "0", trade: 74))
        #expect(stage.news() == [[Self.settled, 0, 0, 74], [Self.rejected, 2, 900, 0]])
        stage.refuse("sell", "InvalidSellContractProposal")
        #expect(stage.news().isEmpty)
    }

    @Test func anEndWithoutItsNumbersIsAskedAboutUntilTheyAreThere() {
        let stage = DerivStage()
        stage.openOrders()
        stage.buy(1, contract: 55, trade: 71)
        _ = stage.reports()
        stage.forgetRequests()
        stage.tell(
            stage.account,
            "{\"msg_type\":\"proposal_open_contract\",\"req_id\":999,\"proposal_open_contract\":{\"contract_id\":55,\"status\":\"won\",\"is_sold\":1}}"
        )
        #expect(stage.news().isEmpty)
    }

    @Test func theAccountsBalanceIsTold() throws {
        let stage = DerivStage()
        stage.openOrders()
        stage.tell(
            stage.account, "{\"msg_type\":\"balance\",\"balance\":{\"balance\":\"9650.74\",\"currency\":\"USD\"}}")
        let report = try #require(stage.reports().first { UInt32($0.kind) == APUS_REPORT_BALANCE.rawValue })
        #expect(report.fee == 965_074_000_000)
        stage.tell(stage.account, "{\"msg_type\":\"balance\",\"balance\":{\"balance\":9650.74}}")
        #expect(stage.reports().isEmpty, "no news")
        stage.tell(stage.account, "{\"msg_type\":\"balance\",\"balance\":{\"balance\":9640.74}}")
        #expect(stage.reports().count == 1)
    }

    @Test("a balance whose news were lost is asked for")
    func theBalanceIsAskedFor() throws {
        let stage = DerivStage()
        stage.openOrders()
        stage.forgetRequests()
        stage.advance(29)
        #expect(stage.take("balance") == nil)
        stage.advance(1.2)
        #expect(stage.refuse("balance", "InternalServerError") != nil)
        stage.advance(29)
        #expect(stage.take("balance") == nil, "a refusal neither begins the stream anew nor asks at once")
        stage.advance(1.2)
        #expect(stage.answer("balance", "\"balance\":{\"balance\":\"990.00\"}")?.text.contains("subscribe") == false)
        let told = stage.reports().filter { UInt32($0.kind) == APUS_REPORT_BALANCE.rawValue }.map(\.fee)
        #expect(told == [99_000_000_000])
    }

    @Test("a stream that has begun unheard is not begun again, and the balance is asked for")
    func theBalanceStreamsAlready() throws {
        let stage = DerivStage()
        stage.startOrders()
        stage.connectAccount()
        stage.advance(0.06)
        #expect(stage.refuse("balance", "AlreadySubscribed")?.text.contains("subscribe") == true)
        stage.advance(1)
        #expect(stage.answer("balance", "\"balance\":{\"balance\":\"990.00\"}")?.text.contains("subscribe") == false)
        #expect(stage.reports().contains { $0.kind == UInt8(APUS_REPORT_BALANCE.rawValue) })
        stage.advance(20)
        #expect(stage.take("balance") == nil)
    }

    @Test func aFullReportRingLosesNothing() {
        let stage = DerivStage()
        stage.openOrders()
        stage.queues.pointee.reports.pointee.mask = 15
        stage.order(1)
        let buy = stage.take("buy")?.number ?? 0
        var filler = apus_report()
        for _ in 0..<15 { _ = apus_report_push(stage.queues.pointee.reports, &filler) }
        stage.tell(
            stage.account,
            "{\"msg_type\":\"buy\",\"req_id\":\(buy),\"buy\":{\"contract_id\":55,\"transaction_id\":71,\"buy_price\":10,\"purchase_time\":1}}"
        )
        #expect(stage.account.pointee.paused && stage.orders.pointee.halts == 1)
        _ = stage.reports()
        stage.turn()
        #expect(stage.news() == [[Self.fill, 1, 1000, 71]] && !stage.account.pointee.paused)
    }
}
