import CApusRing
import Testing

@testable import Apus
@testable import ApusEngine

/// Limits of one of several strategies: each refuses by its own name, and leaves the others alone.
@Suite struct StrategyLimitsTests {
    private func team(
        _ change: (inout StrategyLimits) -> Void, account: (inout RiskLimits) -> Void = { _ in }
    ) throws -> Team {
        var limits = wideLimits(), own = StrategyLimits()
        change(&own)
        limits.strategies["maker"] = own
        account(&limits)
        let team = try Team(limits: limits)
        team.open(0)
        team.open(1, bid: 10_000, ask: 10_100)
        return team
    }

    /// The first strategy is refused, the second one is not, for the same order.
    private func expect(_ refusal: Refusal, _ team: Team, _ side: Side = .buy, _ quantity: Int64, of index: Int = 0) {
        #expect(team.limit(0, side, quantity, of: index).refusal == refusal)
        #expect(team.limit(1, side, quantity, of: index).id != nil)
        #expect(team.agent.gate.pointee.count(refusal) == 1)
        #expect(team.agent.risk.strategies.map(\.refused) == [1, 0])
    }

    @Test func oneOrder() throws {
        let byQuantity = try team { $0.maxOrderQuantity = ExactDecimal(digits: 10, decimals: 3) }
        #expect(byQuantity.limit(0, .buy, 10).id != nil)
        expect(.quantityAboveMaximumOfStrategy, byQuantity, .buy, 11)
        let byValue = try team { $0.maxOrderNotional = Money(whole: 1) }
        #expect(byValue.limit(0, .buy, 10).id != nil, "10 / 1000 at 100.00")
        expect(.notionalAboveMaximumOfStrategy, byValue, .buy, 11)
    }

    @Test func positionCountsItsOwnOrdersAndFillsAlone() throws {
        let team = try team { $0.maxPosition = ExactDecimal(digits: 20, decimals: 3) }
        try team.trade(1, .buy, 500, trade: 1)
        #expect(team.limit(0, .buy, 15).id != nil)
        #expect(team.limit(0, .buy, 6).refusal == .positionAboveMaximumOfStrategy)
        #expect(team.limit(0, .buy, 5, at: 9_990).id != nil)
        // The account is long; the strategy's own sale makes it short.
        #expect(team.limit(0, .sell, 21).refusal == .positionAboveMaximumOfStrategy)
        let byValue = try self.team { $0.maxPositionNotional = Money(whole: 2) }
        #expect(byValue.limit(0, .buy, 19).id != nil, "valued at the ask")
        expect(.positionAboveMaximumOfStrategy, byValue, .buy, 5)
    }

    @Test func exposures() throws {
        let gross = try team { $0.maxGrossExposure = Money(whole: 3) }
        try gross.trade(1, .buy, 900, trade: 1)
        #expect(gross.limit(0, .buy, 19).id != nil)
        #expect(gross.limit(0, .sell, 10, at: 10_100, of: 1).id != nil)
        #expect(gross.limit(0, .sell, 2, at: 10_100, of: 1).refusal == .grossExposureAboveMaximumOfStrategy)
        #expect(gross.limit(1, .sell, 2, at: 10_100, of: 1).id != nil)
        let net = try team { $0.maxNetExposure = Money(whole: 2) }
        #expect(net.limit(0, .buy, 19).id != nil)
        #expect(net.limit(0, .buy, 2, of: 1).refusal == .netExposureAboveMaximumOfStrategy)
        #expect(net.limit(0, .sell, 19, of: 1).id != nil, "the other direction has its own worst case")
    }

    @Test func reducingIsAboutItsOwnPosition() throws {
        let team = try team { _ in }
        try team.trade(0, .buy, 10, trade: 1)
        try team.trade(1, .sell, 4, trade: 2)
        #expect(team.limit(0, .sell, 6, reduceOnly: true).id != nil)
        #expect(team.limit(1, .sell, 2, reduceOnly: true).refusal == .notReducing, "it is short")
        #expect(team.limit(1, .buy, 2, at: 9_990, reduceOnly: true).refusal == .notReducing, "the account is long")
    }

    @Test func cashIsSoldByItsHolderAlone() throws {
        let team = try team { _ in
        } account: {
            $0.funding = .cash
        }
        try team.trade(0, .buy, 10, trade: 1)
        #expect(team.limit(1, .sell, 5).refusal == .notHeld, "the account holds it, the strategy does not")
        #expect(team.limit(0, .sell, 10).id != nil)
    }

    @Test func openOrdersAndRate() throws {
        let open = try team { $0.maxOpenOrders = 2 }
        for _ in 0..<2 { #expect(open.limit(0, .buy, 1).id != nil) }
        expect(.tooManyOpenOrdersOfStrategy, open, .buy, 1)
        let rate = try team { $0.ordersPerMinute = 2 }
        for index in 0..<2 { #expect(rate.limit(0, .buy, 1, of: index).id != nil) }
        expect(.strategyRateExceeded, rate, .buy, 1)
        let waiting = try #require(rate.limit(0, .buy, 1, whenLimited: .queue).id)
        #expect(rate.context(0).order(waiting)?.state == .pendingNew)
        while rate.sink.next() != nil {}
        rate.feed.now += 30_000_000_000
        rate.turn()
        #expect(rate.sink.next()?.client_id == waiting.value)
    }

    @Test func aLossOfItsOwnHaltsItAlone() throws {
        let team = try team { $0.maxDailyLoss = Money(whole: 1) }
        try team.trade(0, .buy, 100, trade: 1)
        try team.trade(1, .sell, 100, trade: 2)
        let resting = try #require(team.limit(0, .buy, 1, at: 8_000).id),
            other = try #require(team.limit(1, .buy, 1, at: 8_000).id)
        for id in [resting, other] { team.sink.report(APUS_REPORT_ACCEPTED, id) }
        team.turn()
        while team.sink.next() != nil {}
        // The account holds nothing and so loses nothing.
        team.feed.now += 1_000
        team.feed.book([(8_900, 1_000)], [(8_900, 1_000)])
        team.turn()
        team.feed.now += 200_000_000
        team.turn()
        #expect(team.limit(0, .buy, 1, at: 8_900).refusal == .dayLossOfStrategyReached)
        #expect(team.limit(1, .buy, 1, at: 8_900).id != nil)
        var canceled: [UInt64] = []
        while let order = team.sink.next() {
            if UInt32(order.action) == APUS_ORDER_CANCEL.rawValue { canceled.append(order.target_id) }
        }
        #expect(canceled == [resting.value])
        let report = team.agent.risk
        #expect(report.trip == nil && report.strategies.map(\.trip) == [.dailyLoss, nil])
        #expect(report.strategies[0].dayResult == -Money(ExactDecimal(digits: 11, decimals: 1)))
        #expect(report.strategies.map(\.state) == [.halted, .active])
        team.agent.resumeAfterTrip()
        #expect(team.agent.strategies[0].state == .halted, "the whole's resume is not its own")
        team.agent.resumeAfterTrip(ofStrategy: "maker")
        #expect(team.limit(0, .buy, 1, at: 8_900).id != nil)
        let changes = (UInt64(0)..<9).compactMap { number -> RiskStateChange? in
            team.agent.stateChange(after: number).flatMap { $0.number == number + 1 ? $0 : nil }
        }
        #expect(changes.filter { $0.strategy == 0 }.map(\.cause) == [.newDay, .dailyLoss, .resumed])
    }

    @Test func aDrawdownOfItsOwnHaltsItAndIsRestored() throws {
        let team = try team { $0.maxDrawdown = Money(whole: 1) }
        try team.trade(0, .buy, 1_000, trade: 1)
        for price: Int64 in [10_200, 10_050] {
            team.feed.now += 200_000_000
            team.feed.book([(price, 1_000)], [(price, 1_000)])
            team.turn()
            team.feed.now += 200_000_000
            team.turn()
        }
        #expect(team.limit(0, .buy, 1, at: 10_050).refusal == .dayLossOfStrategyReached)
        let day = team.agent.gate.pointee.day(of: 0)
        #expect(day.trip == .drawdown)
        var limits = wideLimits()
        limits.strategies["maker"] = StrategyLimits()
        let next = try Team(limits: limits) { $0.strategyDays = ["maker": day] }
        next.open()
        #expect(next.limit(0, .buy, 1).refusal == .dayLossOfStrategyReached, "a restart forgets no loss")
        #expect(next.limit(1, .buy, 1).id != nil)
    }

    @Test func aStrategyAloneHasLimitsOfItsOwnToo() throws {
        var limits = wideLimits()
        limits.strategies["test"] = StrategyLimits()
        limits.strategies["test"]?.maxOpenOrders = 1
        let bench = try Bench(limits: limits)
        bench.open()
        let context = bench.context(of: 0)
        func place() -> Placement {
            context.limit(.buy, Quantity(units: 1), of: bench.instrument, at: Price(units: 10_000))
        }
        #expect(place().id != nil)
        #expect(place().refusal == .tooManyOpenOrdersOfStrategy)
    }

    @Test func limitsAreTightenedAndNeverLoosened() throws {
        let team = try team {
            ($0.maxOpenOrders, $0.maxPosition) = (5, ExactDecimal(digits: 20, decimals: 3))
        }
        var limits = team.agent.gate.pointee.limits
        limits.strategies["maker"]?.maxPosition = ExactDecimal(digits: 10, decimals: 3)
        limits.strategies["maker"]?.maxOrderNotional = Money(whole: 5)
        try team.agent.tighten(limits)
        #expect(team.limit(0, .buy, 11).refusal == .positionAboveMaximumOfStrategy)
        for change: (inout StrategyLimits) -> Void in [
            { $0.maxPosition = nil }, { $0.maxOpenOrders = 6 }, { $0.maxOrderNotional = Money(whole: 6) },
        ] {
            var looser = limits
            change(&looser.strategies["maker"]!)
            #expect(throws: RiskLimitError.self) { try team.agent.tighten(looser) }
        }
        var unknown = limits
        unknown.strategies["nobody"] = StrategyLimits()
        let error = #expect(throws: RiskLimitError.self) { try team.agent.tighten(unknown) }
        #expect(error?.configurationKey == "risk.strategies.nobody")
        var negative = limits
        negative.strategies["maker"]?.maxDailyLoss = -Money(whole: 1)
        #expect(
            #expect(throws: RiskLimitError.self) { try team.agent.tighten(negative) }?.configurationKey
                == "risk.strategies.maker.max_daily_loss")
    }

    @Test func theReportShowsEachOnesUse() throws {
        let team = try team { ($0.maxOpenOrders, $0.maxGrossExposure) = (5, Money(whole: 50)) }
        try team.trade(0, .buy, 100, trade: 1)
        _ = team.limit(0, .buy, 1)
        let lines = team.agent.risk.strategies[0].limits
        func line(_ key: String) -> RiskReport.Line? { lines.first { $0.key == "risk.strategies.maker.\(key)" } }
        #expect(line("max_open_orders")?.limit == "5" && line("max_open_orders")?.use == "1")
        #expect(line("max_gross_exposure")?.use == "\(Money(ExactDecimal(digits: 10_201, decimals: 3)))")
        #expect(line("max_daily_loss")?.limit == nil && line("rate_share")?.limit == "1")
    }
}
