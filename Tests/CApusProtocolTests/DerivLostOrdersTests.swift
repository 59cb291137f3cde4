import CApusProtocol
import CApusRing
import Testing

/// What became of buys and sells whose answers were lost: nothing twice, nothing forgotten.
@Suite struct DerivLostOrdersTests {
    private static let fill = DerivOrdersSessionTests.fill
    private static let settled = DerivOrdersSessionTests.settled
    private static let unknown = Int64(APUS_REPORT_UNKNOWN.rawValue)
    private static let notFound = Int64(APUS_REPORT_NOT_FOUND.rawValue)

    /// The connection ends and a new one shows that portfolio.
    private func reconnect(_ stage: DerivStage, after seconds: Double = 8, portfolio: String = "[]") {
        if stage.account.pointee.state != UInt8(APUS_CHANNEL_CLOSED) { stage.close(stage.account) }
        stage.forgetRequests()
        stage.advance(seconds)
        stage.connectAccount()
        stage.sync(portfolio)
    }

    /// Answers the portfolio and the profit table that are asked for.
    private func look(_ stage: DerivStage, portfolio: String = "[]", table: String = "[]") {
        stage.advance(4.1)
        #expect(stage.answer("portfolio", "\"portfolio\":{\"contracts\":\(portfolio)}") != nil)
        stage.advance(0.01)
        _ = stage.answer("profit_table", "\"profit_table\":{\"count\":1,\"transactions\":\(table)}")
    }

    @Test(arguments: [false, true])
    func aLostBuyIsFoundInThePortfolio(v3: Bool) {
        let stage = DerivStage(v3: v3)
        stage.openOrders()
        let bought = stage.epoch
        stage.order(1)
        #expect(stage.take("buy") != nil)
        stage.close(stage.account)
        #expect(stage.news() == [[Self.unknown, 1, 1000, 0]])
        reconnect(stage, portfolio: "[\(DerivStage.row(55, bought: bought, trade: 71))]")
        #expect(stage.news() == [[Self.fill, 1, 1000, 71]])
        stage.propose()
        #expect(stage.take("buy") == nil, "nothing is sent again")
        stage.order(2)
        #expect(stage.take("buy") != nil, "the next buy passes")
    }

    @Test func aLostBuyHoldsUpItsShapeUntilItIsResolved() {
        let stage = DerivStage()
        stage.openOrders()
        let wall = stage.wallMilliseconds
        stage.order(1)
        stage.close(stage.account)
        _ = stage.reports()
        reconnect(stage)
        stage.propose(suffix: "b")
        _ = stage.reports()
        stage.order(2)
        #expect(stage.code() == Int32(APUS_GUARD_UNRESOLVED.rawValue))
        stage.query(1, wall: wall)
        look(stage)
        #expect(stage.news() == [[Self.notFound, 1, 1000, 0]], "its connection is gone for more than 10 s")
        stage.propose(suffix: "c")
        stage.order(3)
        #expect(stage.take("buy") != nil)
    }

    @Test func notFoundIsSaidOnlyWhenNothingCanArriveAnyMore() {
        let stage = DerivStage { _ in
        } configureOrders: {
            $0.late_arrival_ns = 60 * DerivStage.second
        }
        stage.openOrders()
        let wall = stage.wallMilliseconds
        stage.order(1)
        stage.close(stage.account)
        _ = stage.reports()
        reconnect(stage)
        stage.query(1, wall: wall)
        look(stage)
        #expect(stage.news() == [[Self.unknown, 1, 1000, 0]])
        stage.query(1, wall: wall)
        look(stage, portfolio: "[\(DerivStage.row(55, bought: wall / 1000 + 20, trade: 71))]")
        #expect(stage.news() == [[Self.fill, 1, 1000, 71]], "it came late")
    }

    @Test func aContractThatEndedMeanwhileIsFoundInTheTable() throws {
        let stage = DerivStage()
        stage.openOrders()
        let wall = stage.wallMilliseconds
        stage.order(1)
        stage.close(stage.account)
        _ = stage.reports()
        reconnect(stage)
        stage.query(1, wall: wall)
        look(stage, table: "[\(DerivStage.row(55, bought: wall / 1000, trade: 999))]")
        #expect(stage.news().isEmpty, "the table does not say of which trade its number is")
        stage.propose(suffix: "b")
        stage.order(2)
        #expect(stage.code() == Int32(APUS_GUARD_UNRESOLVED.rawValue), "two of one shape would be in doubt at once")
        stage.advance(0.06)
        stage.answer(
            "proposal_open_contract",
            DerivStage.state(55, status: "lost", sellPrice: "0", trade: 74, buyTrade: 71, bought: wall / 1000))
        #expect(stage.news() == [[Self.fill, 1, 1000, 71], [Self.settled, 0, 0, 74]])
    }

    @Test func onlyAContractOfThatTimeAndShapeIsItsFill() {
        let rows = [
            ("another shape", 0, "10", 6), ("too early", -20, "10", 5), ("too late", 60, "10", 5),
            ("dearer than its price", 0, "10.01", 5),
        ]
        for (what, offset, price, ticks) in rows {
            let stage = DerivStage()
            stage.openOrders()
            let wall = stage.wallMilliseconds
            stage.order(1)
            stage.close(stage.account)
            _ = stage.reports()
            let bought = UInt64(Int64(stage.epoch) + Int64(offset))
            reconnect(
                stage, portfolio: "[\(DerivStage.row(55, bought: bought, trade: 71, price: price, ticks: ticks))]")
            stage.query(1, wall: wall)
            look(stage)
            #expect(stage.news() == [[Self.notFound, 1, 1000, 0]], "\(what)")
        }
    }

    @Test func aContractOfAnotherOrderIsNotItsFill() {
        let stage = DerivStage()
        stage.openOrders()
        stage.buy(1, contract: 55, trade: 71)
        let bought = stage.epoch
        let wall = stage.wallMilliseconds
        stage.order(2)
        stage.close(stage.account)
        _ = stage.reports()
        reconnect(stage, portfolio: "[\(DerivStage.row(55, bought: bought, trade: 71))]")
        stage.query(2, wall: wall)
        look(stage, portfolio: "[\(DerivStage.row(55, bought: bought, trade: 71))]")
        #expect(stage.news() == [[Self.notFound, 2, 1000, 0]])
    }

    @Test func aLateAnswerEndsTheDoubt() {
        let stage = DerivStage()
        stage.openOrders()
        stage.order(1)
        stage.advance(5.1)
        #expect(stage.news() == [[Self.unknown, 1, 1000, 0]])
        #expect(stage.orders.pointee.line.link.state == UInt8(APUS_LINK_OPEN))
        stage.answer("buy", "\"buy\":{\"contract_id\":55,\"transaction_id\":71,\"buy_price\":10,\"purchase_time\":1}")
        #expect(stage.news() == [[Self.fill, 1, 1000, 71]])
        #expect(stage.orders.pointee.resolved == 1)
    }

    @Test func aConnectionThatDoesNotAnswerIsGivenUp() {
        let stage = DerivStage()
        stage.openOrders()
        stage.order(1)
        stage.advance(5.1)
        stage.advance(5.1)
        #expect(stage.orders.pointee.line.link.state == UInt8(APUS_LINK_CLOSING))
    }

    @Test(arguments: ["InternalServerError", "SomethingNew"])
    func anAnswerThatLeavesItOpenIsLookedUp(code: String) {
        let stage = DerivStage()
        stage.openOrders()
        let wall = stage.wallMilliseconds
        stage.order(1)
        stage.refuse("buy", code)
        #expect(stage.news() == [[Self.unknown, 1, 1000, 0]])
        stage.query(1, wall: wall)
        look(stage, portfolio: "[\(DerivStage.row(55, bought: wall / 1000, trade: 71))]")
        #expect(stage.news() == [[Self.fill, 1, 1000, 71]])
    }

    @Test func whatIsSoldOrEndsWhileAwayIsToldOnce() {
        let stage = DerivStage()
        stage.openOrders()
        stage.buy(1, contract: 55, trade: 71)
        _ = stage.reports()
        reconnect(stage)
        stage.advance(0.06)
        stage.answer("proposal_open_contract", DerivStage.state(55, status: "won", sellPrice: "19.53", trade: 74))
        #expect(stage.news() == [[Self.settled, 0, 1953, 74]])
        reconnect(stage)
        stage.advance(0.06)
        #expect(stage.take("proposal_open_contract") == nil && stage.news().isEmpty)
    }

    @Test func aLostSellThatWasCarriedOutIsItsFill() {
        let stage = DerivStage()
        stage.openOrders()
        stage.buy(1, contract: 55, trade: 71)
        stage.sell(2)
        _ = stage.reports()
        stage.close(stage.account)
        #expect(stage.news() == [[Self.unknown, 2, 900, 0]])
        reconnect(stage)
        stage.advance(0.06)
        stage.answer("proposal_open_contract", DerivStage.state(55, status: "sold", sellPrice: "9.2", trade: 74))
        #expect(stage.news() == [[Self.fill, 2, 920, 74]])
    }

    @Test func aLostSellOfAContractThatIsOpenWasNotCarriedOut() {
        let stage = DerivStage()
        stage.openOrders()
        let wall = stage.wallMilliseconds
        stage.buy(1, contract: 55, trade: 71)
        stage.sell(2)
        stage.close(stage.account)
        _ = stage.reports()
        reconnect(stage, after: 12, portfolio: "[\(DerivStage.row(55, bought: stage.epoch, trade: 71))]")
        stage.advance(0.06)
        stage.answer("proposal_open_contract", "\"subscription\":{\"id\":\"C\"},\(DerivStage.state(55))")
        stage.query(2, wall: wall) { $0.side = UInt8(APUS_SELL.rawValue) }
        stage.advance(2.1)
        stage.answer("proposal_open_contract", DerivStage.state(55))
        #expect(stage.news() == [[Self.notFound, 2, 900, 0]])
        stage.propose(suffix: "z")
        stage.sell(3)
        #expect(stage.take("sell")?.text.hasPrefix("{\"sell\":55,") == true)
    }

    // MARK: After a restart

    @Test func aBuyOfAnEarlierProcessIsFound() {
        let stage = DerivStage()
        let wall = stage.wallMilliseconds - 3000
        stage.startOrders()
        stage.connectAccount()
        stage.query(9, wall: wall) { $0.price = 1000 }
        stage.sync("[\(DerivStage.row(55, bought: wall / 1000, trade: 71))]")
        #expect(stage.news() == [[Self.fill, 9, 1000, 71]])
    }

    /// Contract 55 of order 8, bought for 10.
    private func adopt(_ stage: DerivStage, bought: UInt64) -> Int32 {
        var holding = apus_deriv_holding(
            contract_id: 55, client_id: 8, buy_trade: 71, bought_at: bought, buy_price: 1000, ended: false)
        return apus_deriv_orders_adopt(stage.orders, 1, &holding)
    }

    @Test("with what recovery found held, nothing else of the first connection is the engine's")
    func recovered() {
        let stage = DerivStage()
        #expect(adopt(stage, bought: 100) == 0)
        apus_deriv_orders_recovered(stage.orders)
        stage.startOrders()
        let started = stage.epoch
        stage.advance(3)
        stage.connectAccount()
        // One that was bought since, and one that was held and has ended since: recovery has seen the end, or a stranger bought it.
        var ended = DerivStage.row(57, bought: started - 9, trade: 73)
        ended.removeLast()
        stage.sync(
            "[\(DerivStage.row(55, bought: 100, trade: 71)),\(DerivStage.row(56, bought: started + 1, trade: 72))]",
            ended: "[\(ended),\"sell_price\":\"0\",\"sell_time\":\(started + 1)}]")
        stage.advance(0.06)
        stage.answer("proposal_open_contract", "\"subscription\":{\"id\":\"C\"},\(DerivStage.state(55))")
        stage.advance(0.06)
        #expect(stage.take("proposal_open_contract") == nil && stage.orders.pointee.foreign_contracts == 1)
        #expect(stage.news().isEmpty)
        // Asked about, it is what it was bought for; and it ends once.
        stage.query(8, wall: 100_000)
        stage.stream(DerivStage.state(55, status: "won", sellPrice: "19.53", trade: 74))
        stage.stream(DerivStage.state(55, status: "won", sellPrice: "19.53", trade: 74))
        #expect(stage.news() == [[Self.fill, 8, 1000, 71], [Self.settled, 0, 1953, 74]])
    }

    @Test func whatAnEarlierProcessHasSeenFilledIsNotALostBuys() {
        let stage = DerivStage()
        let wall = stage.wallMilliseconds - 3000
        #expect(adopt(stage, bought: wall / 1000) == 0)
        #expect(adopt(stage, bought: wall / 1000) == -EINVAL)
        stage.startOrders()
        stage.connectAccount()
        stage.query(9, wall: wall)
        let row = "[\(DerivStage.row(55, bought: wall / 1000, trade: 71))]"
        stage.sync(row)
        #expect(stage.news() == [[Self.unknown, 9, 1000, 0]], "it may still arrive")
        stage.advance(0.06)
        stage.answer("proposal_open_contract", "\"subscription\":{\"id\":\"C\"},\(DerivStage.state(55))")
        stage.propose()
        look(stage, portfolio: row)
        stage.advance(5)
        _ = stage.news()
        stage.query(9, wall: wall)
        look(stage, portfolio: row)
        #expect(stage.news() == [[Self.notFound, 9, 1000, 0]])
    }

    @Test func anAdoptedContractThatEndedBeforeTheFirstConnectionIsSettled() {
        let stage = DerivStage()
        #expect(adopt(stage, bought: 100) == 0)
        stage.startOrders()
        stage.connectAccount()
        stage.sync()
        stage.advance(0.06)
        stage.answer("proposal_open_contract", DerivStage.state(55, status: "won", sellPrice: "19.53", trade: 74))
        #expect(stage.news() == [[Self.settled, 0, 1953, 74]])
    }

    @Test func whatWasHeldAtTheStartAndEndedBeforeTheFirstPortfolioIsSettled() {
        let stage = DerivStage()
        stage.startOrders()
        let started = stage.epoch
        stage.advance(3)
        stage.connectAccount()
        func row(_ contract: Int, bought: UInt64, sold: UInt64) -> String {
            var row = DerivStage.row(contract, bought: bought, trade: contract)
            row.removeLast()
            return row + ",\"sell_price\":\"0\",\"sell_time\":\(sold)}"
        }
        let ended = [
            row(55, bought: started - 9, sold: started + 1), row(56, bought: started - 9, sold: started - 1),
            row(57, bought: started + 1, sold: started + 2),
        ]
        stage.sync(ended: "[\(ended.joined(separator: ","))]")
        stage.advance(0.06)
        stage.answer("proposal_open_contract", DerivStage.state(55, status: "lost", sellPrice: "0", trade: 74))
        #expect(stage.news() == [[Self.settled, 0, 0, 74]])
        stage.advance(0.06)
        #expect(stage.take("proposal_open_contract") == nil, "the others had ended before, or began later")
    }

    @Test func aContractOfTheFirstPortfolioIsHeldAndLaterOnesAreOthers() {
        let stage = DerivStage()
        stage.openOrders("[\(DerivStage.row(55, bought: stage.epoch, trade: 71))]")
        stage.advance(0.06)
        #expect(stage.take("proposal_open_contract")?.text.contains("\"contract_id\":55,") == true)
        stage.sell(2)
        #expect(stage.take("sell")?.text.hasPrefix("{\"sell\":55,") == true)
        reconnect(
            stage,
            portfolio:
                "[\(DerivStage.row(55, bought: 1, trade: 71)),\(DerivStage.row(56, bought: stage.epoch, trade: 80))]")
        stage.advance(0.06)
        #expect(stage.take("proposal_open_contract")?.text.contains("\"contract_id\":55,") == true)
        #expect(stage.take("proposal_open_contract") == nil)
        #expect(stage.orders.pointee.foreign_contracts == 1)
    }

    @Test func aSellOfAnEarlierProcessIsFoundByItsContract() {
        let stage = DerivStage()
        let wall = stage.wallMilliseconds - 3000
        stage.openOrders()
        stage.query(9, wall: wall) {
            $0.side = UInt8(APUS_SELL.rawValue)
            $0.venue_id = 55
        }
        stage.advance(0.06)
        stage.answer("proposal_open_contract", DerivStage.state(55, status: "sold", sellPrice: "9.2", trade: 74))
        #expect(stage.news() == [[Self.fill, 9, 920, 74]])
    }

    @Test("a sell whose contract nobody knows is the sale that is told of a held one")
    func aSellOfAHeldContract() {
        let stage = DerivStage()
        let wall = stage.wallMilliseconds - 3000
        #expect(adopt(stage, bought: 100) == 0)
        apus_deriv_orders_recovered(stage.orders)
        stage.startOrders()
        stage.query(9, wall: wall) {
            $0.side = UInt8(APUS_SELL.rawValue)
            $0.price = 900
        }
        stage.connectAccount()
        stage.sync()
        stage.advance(0.06)
        let sold = DerivStage.state(55, status: "sold", sellPrice: "9.2", trade: 74).dropLast()
        stage.answer("proposal_open_contract", "\(sold),\"sell_time\":\(wall / 1000 + 1)}")
        #expect(stage.news().filter { $0[0] != Self.unknown } == [[Self.fill, 9, 920, 74]])
    }

    @Test func aSellWhoseContractNobodyKnowsIsFoundInTheTable() {
        let stage = DerivStage()
        let wall = stage.wallMilliseconds - 3000
        stage.openOrders()
        stage.query(9, wall: wall) {
            $0.side = UInt8(APUS_SELL.rawValue)
            $0.price = 900
        }
        var row = DerivStage.row(55, bought: wall / 1000 - 60, trade: 71)
        row.removeLast()
        look(stage, table: "[\(row),\"sell_price\":\"9.2\",\"sell_time\":\(wall / 1000)}]")
        stage.advance(0.06)
        stage.answer("proposal_open_contract", DerivStage.state(55, status: "sold", sellPrice: "9.2", trade: 74))
        #expect(stage.news() == [[Self.fill, 9, 920, 74]])
    }

    @Test func aQuestionAboutWhatWasToldIsAnsweredAgain() {
        let stage = DerivStage()
        stage.openOrders()
        let wall = stage.wallMilliseconds
        stage.buy(1, contract: 55, trade: 71)
        _ = stage.reports()
        stage.query(1, wall: wall)
        stage.turn()
        #expect(stage.news() == [[Self.fill, 1, 1000, 71]], "by the same trade, which counts once")
        stage.order(2)
        #expect(stage.take("buy") != nil, "and nothing is held up")
    }

    @Test func aLostAnswerHoldsUpNoOtherRequest() {
        let stage = DerivStage()
        stage.openOrders()
        let line = stage.orders.pointer(to: \.line)!
        var request = apus_deriv_request()
        func send(_ action: apus_deriv_action) -> UInt64 {
            request.action = UInt8(action.rawValue)
            stage.forgetRequests()
            return apus_deriv_line_send(
                line, UInt8(APUS_DERIV_ROW_TRADE.rawValue), &request, "{\"sell\":1", 9, stage.now)
        }
        let lost = send(APUS_DERIV_ASK_CONTRACT), places = UInt64(APUS_DERIV_REQUESTS)
        let sent = (0..<places).map { _ in send(APUS_DERIV_ASK_SELL) }
        #expect(sent.first == lost + 1 && sent.last == lost + places + 1, "the place of the lost one is left out")
        #expect(!sent.contains(0) && !sent.contains(lost + places))
    }
}
