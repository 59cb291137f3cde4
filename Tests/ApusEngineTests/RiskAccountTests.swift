import CApusRing
import Testing

@testable import Apus
@testable import ApusEngine

/// Rules about the whole account: exposures, balances, the trading day, limits that change.
@Suite struct RiskAccountTests {
    private func bench(
        _ instruments: [InstrumentDefinition] = [definition(), definition("ETHUSDT")], balance: Int64? = nil,
        _ change: (inout RiskLimits) -> Void
    ) throws -> Bench {
        var limits = wideLimits()
        change(&limits)
        let bench = try Bench(instruments: instruments, limits: limits) {
            $0.startBalance = balance.map { Money(whole: $0) }
        }
        for index in instruments.indices {
            bench.feed.live(UInt16(index))
            bench.feed.book([(10_000, 1_000)], [(10_000, 1_000)], UInt16(index))
        }
        bench.turn()
        return bench
    }

    private func place(_ bench: Bench, _ index: Int, _ side: Side, _ quantity: Int64, at price: Int64 = 10_000)
        -> Placement
    {
        bench.context.limit(
            side, Quantity(units: quantity), of: bench.context.instruments[index], at: Price(units: price),
            .immediateOrCancel)
    }

    private func filled(_ bench: Bench, _ index: Int, _ side: Side, _ quantity: Int64, at price: Int64 = 10_000) throws
    {
        let id = try #require(place(bench, index, side, quantity).id)
        bench.fill(id, quantity, trade: id.value, cumulative: quantity, price: price)
        bench.turn()
    }

    private func move(_ bench: Bench, _ index: Int, to price: Int64) {
        bench.feed.book([(price, 1_000)], [(price, 1_000)], UInt16(index))
        bench.turn()
    }

    @Test func grossExposureOfAllInstruments() throws {
        let bench = try bench {
            $0.maxGrossExposure = Money(whole: 100)
        }
        #expect(place(bench, 0, .buy, 600).id != nil)  // 60
        #expect(place(bench, 1, .sell, 401).refusal == .grossExposureAboveMaximum)
        #expect(place(bench, 1, .sell, 400).id != nil)
        #expect(place(bench, 0, .sell, 600).id != nil, "the other side of what is open adds nothing")
        #expect(place(bench, 0, .sell, 1).refusal == .grossExposureAboveMaximum)
    }

    @Test func exposuresFollowTheMarket() throws {
        let bench = try bench { $0.maxGrossExposure = Money(whole: 100) }
        try filled(bench, 0, .buy, 500)  // 50
        move(bench, 0, to: 12_000)  // 60
        #expect(place(bench, 1, .buy, 401).refusal == .grossExposureAboveMaximum)
        #expect(place(bench, 1, .buy, 400).id != nil)
        #expect(place(bench, 0, .sell, 500, at: 12_000).id != nil, "what only reduces passes")
    }

    @Test func netExposureOfAllInstruments() throws {
        let bench = try bench { $0.maxNetExposure = Money(whole: 50) }
        try filled(bench, 0, .buy, 500)
        #expect(place(bench, 1, .buy, 1).refusal == .netExposureAboveMaximum)
        #expect(place(bench, 1, .sell, 1_001).refusal == .netExposureAboveMaximum, "50 long, 100.1 short")
        #expect(place(bench, 1, .sell, 1_000).id != nil)
    }

    @Test func marginOfAllOpenOrders() throws {
        let bench = try bench(balance: 10) {
            $0.funding = .margin
            $0.leverage = 5
        }
        #expect(place(bench, 0, .buy, 300).id != nil)
        #expect(place(bench, 1, .sell, 201).refusal == .balanceTooLow)
        #expect(place(bench, 1, .sell, 200).id != nil)
        #expect(place(bench, 0, .buy, 1).refusal == .balanceTooLow)
    }

    @Test func anOpenLossUsesUpTheBalance() throws {
        let bench = try bench(balance: 10) { $0.funding = .margin }
        try filled(bench, 0, .buy, 50)  // 5
        move(bench, 0, to: 9_000)  // 4.5 used, 0.5 lost
        #expect(place(bench, 1, .buy, 51).refusal == .balanceTooLow)
        #expect(place(bench, 1, .buy, 50).id != nil)
    }

    @Test func inverseContractsUseTheirBaseAsset() throws {
        var inverse = definition()
        (inverse.contract, inverse.multiplier, inverse.quantityDecimals) = (.inverse, 100, 0)
        (inverse.lot, inverse.settlementAsset) = (ExactDecimal(digits: 1), "BTC")
        let bench = try bench([inverse]) { $0.funding = .margin }
        bench.sink.report(APUS_REPORT_BALANCE, OrderID(0)) { $0.fee = 1_000_000_000 }  // 10 BTC
        bench.turn()
        // A contract of 100 at a price of 100 is one coin.
        #expect(place(bench, 0, .buy, 11).refusal == .balanceTooLow)
        #expect(place(bench, 0, .buy, 10).id != nil)
        #expect(bench.agent.risk.balances == [.init(asset: "BTC", balance: Money(whole: 10), used: Money(whole: 10))])
    }

    @Test func cashIsSpentOnce() throws {
        let bench = try bench(balance: 10) { $0.funding = .cash }
        func buy(_ quantity: Int64) -> Placement { bench.buy(quantity, at: 9_900) }
        let first = try #require(buy(50).id)  // 4.95
        #expect(buy(52).refusal == .balanceTooLow)
        let second = try #require(buy(51).id)  // 5.049
        bench.fill(first, 50, trade: 1, cumulative: 50, price: 9_900, fee: 10_000_000)
        bench.sink.report(APUS_REPORT_CANCELED, second)
        bench.turn()
        #expect(buy(51).refusal == .balanceTooLow, "4.95 are spent, and a fee of 0.10")
        #expect(buy(50).id != nil)
        #expect(bench.sell(51).refusal == .notHeld)
        #expect(bench.sell(50).id != nil)
        #expect(bench.sell(1).refusal == .notHeld)
    }

    @Test func aChangeThatIsUnderWayCostsTheMost() throws {
        let bench = try bench(balance: 10) { $0.funding = .cash }
        let id = try #require(bench.buy(50, at: 9_900).id)
        bench.sink.report(APUS_REPORT_ACCEPTED, id)
        bench.turn()
        // Until the venue has answered it may be 100 at 99.00.
        #expect(
            bench.context.modify(id, price: Price(units: 5_000), quantity: Quantity(units: 102)).refusal
                == .balanceTooLow)
        #expect(bench.context.modify(id, price: Price(units: 5_000), quantity: Quantity(units: 101)).id != nil)
        #expect(bench.buy(1, at: 9_900).refusal == .balanceTooLow)
    }

    @Test func whatNobodyHasSaidBoundsNothingAndNothingBoundsEverything() throws {
        let unknown = try bench { $0.funding = .margin }
        #expect(place(unknown, 0, .buy, 100_000).id != nil)
        #expect(unknown.context.balance == .zero && unknown.agent.risk.balances.first?.balance == nil)
        let empty = try bench(balance: 0) { $0.funding = .margin }
        #expect(place(empty, 0, .buy, 1).refusal == .balanceTooLow)
        #expect(empty.agent.risk.balances.first?.balance == .zero)
    }

    @Test func theVenueKnowsTheBalanceBest() throws {
        let bench = try bench { $0.funding = .margin }
        #expect(place(bench, 0, .buy, 100_000).id != nil, "nobody has said what there is")
        bench.sink.report(APUS_REPORT_BALANCE, OrderID(0)) {
            // As the sessions tell it: of no instrument.
            ($0.fee, $0.instrument) = (100_000_000, UInt16.max)
        }
        bench.turn()
        #expect(place(bench, 0, .buy, 1).refusal == .balanceTooLow)
    }

    // MARK: The day

    @Test func theDaysLossHaltsAndCancels() throws {
        let bench = try bench { $0.maxDailyLoss = Money(whole: 5) }
        let resting = try #require(
            bench.context.limit(
                .buy, Quantity(units: 1), of: bench.context.instruments[1], at: Price(units: 5_000)
            ).id)
        try filled(bench, 0, .buy, 100)
        while bench.sink.next() != nil {}
        move(bench, 0, to: 5_000)  // a loss of 5 reaches the limit and does not pass it
        #expect(place(bench, 1, .buy, 1).id != nil)
        move(bench, 0, to: 4_999)
        bench.turn(bench.feed.now + 100_000_000)
        #expect(bench.agent.tradingState == .halted)
        let words = UnsafePointer(bench.sink.queues.pointee.trading)
        #expect(apus_trading(words) == 2, "the guard refuses what still waits in the ring")
        #expect(apus_trading_outside(words) == 0, "nobody else has halted")
        _ = bench.sink.next()
        let cancels = [bench.sink.next(), bench.sink.next()].compactMap(\.self)
        #expect(cancels.allSatisfy { UInt32($0.action) == APUS_ORDER_CANCEL.rawValue })
        #expect(cancels.map(\.target_id).contains(resting.value))
        #expect(place(bench, 1, .buy, 1).refusal == .dayLossReached)
        move(bench, 0, to: 10_000)
        #expect(place(bench, 1, .buy, 1).refusal == .dayLossReached, "a recovery does not resume")
        move(bench, 0, to: 4_000)
        bench.agent.resumeAfterTrip()
        #expect(apus_trading(words) == 0)
        #expect(place(bench, 1, .buy, 1).id != nil, "a person has accepted the loss")
        let causes = (UInt64(0)..<20).compactMap { number -> RiskStateChange.Cause? in
            let change = bench.agent.stateChange(after: number)
            return change?.number == number + 1 ? change?.cause : nil
        }
        #expect(causes == [.newDay, .dailyLoss, .resumed])
    }

    @Test func theVeryNextOrderIsHeldAgainstTheLoss() throws {
        let bench = try bench {
            $0.maxDailyLoss = Money(whole: 5)
            $0.lossState = .reducing
        }
        try filled(bench, 0, .buy, 100)
        bench.feed.book([(4_000, 1_000)], [(4_000, 1_000)])
        bench.turn()  // not valued yet
        #expect(place(bench, 1, .buy, 1).refusal == .dayLossReached)
        let reduce = bench.context.market(.sell, Quantity(units: 100), of: bench.instrument, reduceOnly: true)
        #expect(reduce.id != nil, "the position may be closed")
    }

    @Test func feesFundingAndOtherAssetsEnterTheResult() throws {
        var limits = wideLimits()
        limits.maxDailyLoss = Money(whole: 5)
        let bench = try Bench(limits: limits) { $0.otherFeeRate = Money(whole: 2) }
        bench.open(bid: 10_000, ask: 10_000)
        let id = try #require(place(bench, 0, .buy, 10).id)
        bench.fill(id, 5, trade: 1, cumulative: 5, fee: 100_000_000)
        bench.sink.report(APUS_REPORT_FILL, id) {
            ($0.quantity, $0.price, $0.trade_id, $0.cumulative, $0.fee) = (5, 10_000, 2, 10, 100_000_000)
            $0.flags = UInt8(APUS_REPORT_FEE_OTHER_ASSET.rawValue)
        }
        bench.sink.report(APUS_REPORT_FUNDING, OrderID(0)) { $0.fee = 200_000_000 }
        bench.turn()
        #expect(bench.agent.risk.dayResult == -Money(whole: 5))
        #expect(bench.context.profit.net == -Money(whole: 5))
        #expect(bench.context.position(of: bench.instrument).otherFees == Money(whole: 1))
        #expect(bench.agent.tradingState == .active)
        bench.sink.report(APUS_REPORT_FUNDING, OrderID(0)) { $0.fee = 1 }
        bench.turn()
        #expect(bench.agent.tradingState == .halted)
    }

    @Test func feesOfAnUnknownRateAreShown() throws {
        let bench = try Bench()
        bench.open(bid: 10_000, ask: 10_000)
        let id = try #require(place(bench, 0, .buy, 10).id)
        bench.sink.report(APUS_REPORT_FILL, id) {
            ($0.quantity, $0.price, $0.trade_id, $0.cumulative, $0.fee) = (10, 10_000, 2, 10, 300_000_000)
            $0.flags = UInt8(APUS_REPORT_FEE_OTHER_ASSET.rawValue)
        }
        bench.turn()
        let line = try #require(bench.agent.risk.instruments.first)
        #expect(line.otherFees == Money(whole: 3) && line.unvaluedFees == 1)
        #expect(bench.context.profit.fees == .zero)
    }

    @Test func drawdownFromTheDaysPeak() throws {
        let bench = try bench { $0.maxDrawdown = Money(whole: 3) }
        try filled(bench, 0, .buy, 100)
        move(bench, 0, to: 14_000)
        #expect(place(bench, 1, .buy, 1).id != nil)
        move(bench, 0, to: 11_000)
        #expect(place(bench, 1, .buy, 1).id != nil)
        move(bench, 0, to: 10_999)
        #expect(place(bench, 1, .buy, 1).refusal == .dayLossReached, "the day is in profit, and has lost 3.001 of 4")
        #expect(bench.agent.risk.trip == .drawdown)
    }

    @Test func aNewDayCountsAnewButDoesNotResume() throws {
        let hour: UInt64 = 3_600_000_000_000
        let bench = try bench {
            $0.maxDailyLoss = Money(whole: 5)
            $0.dayStartHour = 2
        }
        try filled(bench, 0, .buy, 100)
        move(bench, 0, to: 6_000)
        #expect(bench.agent.risk.dayResult == -Money(whole: 4))
        #expect(bench.agent.day.number == -1, "before 2 o'clock it is still the day before")
        bench.feed.now = 2 * hour
        move(bench, 0, to: 6_000)
        #expect(bench.agent.risk.dayResult == .zero)
        #expect(bench.agent.day.number == 0)
        move(bench, 0, to: 999)
        #expect(place(bench, 1, .buy, 1).refusal == .dayLossReached)
        bench.feed.now = 26 * hour
        move(bench, 0, to: 999)
        #expect(bench.agent.risk.day == 1)
        #expect(place(bench, 1, .buy, 1).refusal == .dayLossReached, "only a person resumes")
    }

    @Test func aRestartDoesNotForgetTheDay() throws {
        var day = TradingDay()
        (day.number, day.start, day.peak) = (0, Money(whole: 4), Money(whole: 9))
        var limits = wideLimits()
        limits.maxDailyLoss = Money(whole: 5)
        let bench = try Bench(limits: limits) { $0.day = day }
        #expect(bench.agent.risk.dayResult == -Money(whole: 4))
        #expect(bench.agent.risk.dayPeak == Money(whole: 5))
        #expect(bench.agent.tradingState == .active)
        day.trip = .dailyLoss
        let tripped = try Bench(limits: limits) { $0.day = day }
        #expect(tripped.agent.tradingState == .halted)
        day = TradingDay()
        (day.number, day.start, day.peak) = (0, Money(whole: 6), Money(whole: 6))
        #expect(try Bench(limits: limits) { $0.day = day }.agent.tradingState == .halted, "the loss is there already")
    }

    // MARK: Changing limits

    @Test func limitsAreTightenedWhileRunning() throws {
        let bench = try bench { $0.maxOrderQuantity = ExactDecimal(digits: 20, decimals: 3) }
        var limits = bench.agent.gate.pointee.limits
        limits.maxOrderQuantity = ExactDecimal(digits: 10, decimals: 3)
        limits.maxOpenOrders = 1
        limits.ordersPerMinute = 2
        try bench.agent.tighten(limits)
        #expect(place(bench, 0, .buy, 11).refusal == .quantityAboveMaximum)
        #expect(place(bench, 0, .buy, 10).id != nil)
        #expect(place(bench, 0, .buy, 10).refusal == .tooManyOpenOrders)
    }

    @Test(arguments: [
        "maxOrderNotional", "maxPositionNotional", "maxOrderQuantity", "maxPosition", "priceBandPpm", "tradeBandPpm",
        "maxBookAgeMs", "maxInstrumentOrders", "ordersPerMinute", "minOrderNotional", "maxOpenOrders",
        "maxGrossExposure", "maxNetExposure", "maxDailyLoss", "maxDrawdown", "lossState", "dayStartHour", "funding",
        "leverage", "ordersPerSecond", "orderBurst",
    ])
    func nothingIsLoosenedWhileRunning(_ key: String) throws {
        var limits = RiskLimits()
        limits.maxOrderQuantity = ExactDecimal(digits: 1)
        limits.maxPosition = ExactDecimal(digits: 1)
        limits.maxDrawdown = Money(whole: 10)
        limits.minOrderNotional = Money(whole: 1)
        limits.maxBookAgeMs = 10
        limits.tradeBandPpm = 500
        let bench = try Bench(limits: limits)
        try bench.agent.tighten(limits)
        let tight = limits
        switch key {
        case "maxOrderNotional": limits.maxOrderNotional += Money(atoms: 1_000_000_000_000_000)
        case "maxPositionNotional": limits.maxPositionNotional += Money(whole: 1)
        case "maxOrderQuantity": limits.maxOrderQuantity = nil
        case "maxPosition": limits.maxPosition = ExactDecimal(digits: 1_001, decimals: 3)
        case "priceBandPpm": limits.priceBandPpm += 1
        case "tradeBandPpm": limits.tradeBandPpm = nil
        case "maxBookAgeMs": limits.maxBookAgeMs = 0
        case "maxInstrumentOrders": limits.maxInstrumentOrders += 1
        case "ordersPerMinute": limits.ordersPerMinute += 1
        case "minOrderNotional": limits.minOrderNotional = nil
        case "maxOpenOrders": limits.maxOpenOrders += 1
        case "maxGrossExposure": limits.maxGrossExposure += Money(atoms: 1)
        case "maxNetExposure": limits.maxNetExposure += Money(atoms: 1)
        case "maxDailyLoss": limits.maxDailyLoss = nil
        case "maxDrawdown": limits.maxDrawdown = Money(whole: 11)
        case "lossState": limits.lossState = .reducing
        case "dayStartHour": limits.dayStartHour = 1
        case "funding": limits.funding = .cash
        case "leverage": limits.leverage = 2
        case "ordersPerSecond": limits.ordersPerSecond += 1
        default: limits.orderBurst += 1
        }
        let error = #expect(throws: RiskLimitError.self) { try bench.agent.tighten(limits) }
        #expect(error?.key == key)
        #expect(bench.agent.gate.pointee.limits == tight, "nothing has changed")
    }

    @Test func anInstrumentsOwnLimitIsHeldToo() throws {
        var limits = wideLimits()
        limits.instruments["BTCUSDT"] = InstrumentLimits()
        limits.instruments["BTCUSDT"]?.priceBandPpm = 10
        let bench = try Bench(limits: limits)
        limits.instruments = [:]
        let error = #expect(throws: RiskLimitError.self) { try bench.agent.tighten(limits) }
        #expect(error?.key == "priceBandPpm")
        #expect(error?.configurationKey == "risk.price_band_ppm")
        #expect(error?.description.contains("BTCUSDT") == true)
    }

    @Test(arguments: [
        "maxOpenOrders", "maxGrossExposure", "maxNetExposure", "maxDailyLoss", "maxDrawdown", "lossState",
        "dayStartHour", "leverage", "ordersPerSecond", "orderBurst", "cancelsPerSecond",
    ])
    func limitsThatMakeNoSense(_ key: String) throws {
        var limits = RiskLimits()
        switch key {
        case "maxOpenOrders": limits.maxOpenOrders = -1
        case "maxGrossExposure": limits.maxGrossExposure = Money(whole: -1)
        case "maxNetExposure": limits.maxNetExposure = Money(whole: -1)
        case "maxDailyLoss": limits.maxDailyLoss = Money(whole: -1)
        case "maxDrawdown": limits.maxDrawdown = Money(whole: -1)
        case "lossState": limits.lossState = .active
        case "dayStartHour": limits.dayStartHour = 24
        case "leverage": limits.leverage = 0
        case "ordersPerSecond": limits.ordersPerSecond = -1
        case "orderBurst": limits.orderBurst = -1
        default: limits.cancelsPerSecond = -1
        }
        #expect { try Bench(limits: limits) } throws: { ($0 as? RiskLimitError)?.key == key }
    }

    @Test func theReportShowsLimitsAndTheirUse() throws {
        let bench = try bench(balance: 1_000) { $0.funding = .margin }
        try filled(bench, 0, .buy, 100)
        #expect(place(bench, 0, .buy, 50).id != nil)
        _ = place(bench, 0, .buy, 0)
        let report = bench.agent.risk
        func use(_ key: String) -> String? { report.limits.first { $0.key == key }?.use }
        #expect(use("risk.max_open_orders") == "1")
        #expect(use("risk.max_gross_exposure") == Money(whole: 15).description)
        #expect(use("risk.max_net_exposure") == Money(whole: 15).description)
        let own = try #require(report.instruments.first)
        #expect(own.limits.first { $0.key == "risk.max_position" }?.use == "0.150")
        #expect(own.limits.first { $0.key == "risk.max_instrument_orders" }?.use == "1")
        #expect(report.refusals == ["quantityNotPositive": 1])
        #expect(report.strategies == [.init(name: "test", state: .active, openOrders: 1)])
        #expect(report.balances.first?.used == Money(whole: 15))
    }
}
