import CApusRing
import Testing

@testable import Apus
@testable import ApusEngine

/// Rules about prices, ends, own orders, counts and rates: an order that only this rule refuses, and one just inside it.
@Suite struct RiskRulesTests {
    private func bench(
        _ instrument: InstrumentDefinition = definition(), _ change: (inout RiskLimits) -> Void = { _ in }
    ) throws -> Bench {
        var limits = wideLimits()
        change(&limits)
        let bench = try Bench(instruments: [instrument], limits: limits)
        bench.open()
        return bench
    }

    @Test func everyRefusalHasItsOwnWords() {
        #expect(Set(Refusal.allCases.map(\.reason)).count == Refusal.allCases.count)
        #expect(Refusal.allCases.map(\.rawValue) == Array(0..<UInt8(Refusal.allCases.count)), "the counters' places")
    }

    @Test func bandAroundTheNewestTrade() throws {
        let bench = try bench { $0.tradeBandPpm = 10_000 }
        #expect(bench.buy(at: 5_000).id != nil, "without a trade there is nothing to compare with")
        bench.feed.trade(10_000, 1, taker: .buy)
        bench.turn()
        #expect(bench.buy(at: 9_899).refusal == .priceFarFromTrade)
        #expect(bench.buy(at: 9_900).id != nil)
        #expect(bench.sell(at: 10_101).refusal == .priceFarFromTrade)
        #expect(bench.sell(at: 10_100).id != nil)
        _ = bench.sink.next()
        let order = try #require(bench.sink.next())
        #expect(order.band_low == 9_900 && order.band_high == 10_100, "the guard holds it against the same")
        let outcome = try self.bench(outcome()) { $0.tradeBandPpm = nil }
        outcome.feed.book([(40, 1_000)], [(60, 1_000)])
        outcome.feed.trade(10, 1, taker: .buy)
        outcome.turn()
        #expect(outcome.buy(1_000, at: 40).id != nil, "outcomes leap: no bound unless one is set")
    }

    private func outcome() -> InstrumentDefinition {
        InstrumentDefinition(
            symbol: "YES", venue: "test", contract: .binary, priceDecimals: 2, quantityDecimals: 2,
            tick: ExactDecimal(digits: 1, decimals: 2), lot: ExactDecimal(digits: 1, decimals: 2))
    }

    /// A market order's limit is an edge of its band, and an outcome's price a tick.
    @Test(
        arguments: [(2_900, 3_000, 2_800, 3_100), (9_700, 9_800, 9_300, 9_900), (100, 200, 100, 200)]
            as [(Int64, Int64, Int64, Int64)])
    func edgesOfAnOutcomesBand(bid: Int64, ask: Int64, low: Int64, high: Int64) throws {
        let definition = InstrumentDefinition(
            symbol: "YES", venue: "test", contract: .binary, priceDecimals: 4, quantityDecimals: 2,
            tick: ExactDecimal(digits: 1, decimals: 2), lot: ExactDecimal(digits: 1, decimals: 2))
        let bench = try bench(definition) { $0.priceBandPpm = 50_000 }
        bench.feed.book([(bid, 1_000)], [(ask, 1_000)])
        bench.turn()
        #expect(bench.context.market(.buy, Quantity(units: 100), of: bench.instrument).id != nil)
        let order = try #require(bench.sink.next())
        #expect(order.band_low == low && order.band_high == high)
    }

    @Test func priceBoundsOfTheVenue() throws {
        var bounded = definition()
        bounded.minPrice = ExactDecimal(digits: 50)
        bounded.maxPrice = ExactDecimal(digits: 150)
        let bench = try bench(bounded)
        #expect(bench.buy(at: 4_999).refusal == .priceBelowMinimum)
        #expect(bench.buy(at: 5_000).id != nil)
        #expect(bench.sell(at: 15_001).refusal == .priceAboveMaximum)
        #expect(bench.sell(at: 15_000).id != nil)
        let outcome = try self.bench(outcome())
        outcome.feed.book([(98, 1_000)], [])
        outcome.turn()
        #expect(outcome.sell(100, at: 100).refusal == .priceAboveMaximum, "an outcome is worth less than 1")
        #expect(outcome.sell(100, at: 99).id != nil)
    }

    @Test func valueBoundsOfTheVenueAndTheUser() throws {
        var bounded = definition()
        bounded.maxNotional = ExactDecimal(digits: 10)
        let bench = try bench(bounded) { $0.minOrderNotional = Money(whole: 2) }
        #expect(bench.buy(101).refusal == .notionalAboveMaximum)
        #expect(bench.buy(100).id != nil)
        #expect(bench.buy(19).refusal == .notionalBelowMinimum)
        #expect(bench.buy(20).id != nil)
    }

    @Test func ageOfTheBook() throws {
        let bench = try bench { $0.maxBookAgeMs = 5 }
        bench.feed.now += 5_000_000
        bench.feed.trade(10_000, 1, taker: .buy)
        bench.turn()
        #expect(bench.buy().id != nil)
        bench.feed.now += 1
        bench.feed.trade(10_000, 1, taker: .buy)
        bench.turn()
        #expect(bench.buy().refusal == .bookTooOld)
        bench.open()
        #expect(bench.buy().id != nil)
        let patient = try self.bench()
        patient.turn(3_600_000_000_000)
        patient.feed.now = 3_600_000_000_000
        patient.feed.trade(10_000, 1, taker: .buy)
        patient.turn()
        #expect(patient.buy().id != nil, "a quiet book is not stale")
    }

    @Test func orderWithAnEndOfItsOwn() throws {
        var patient = definition()
        patient.minLifetimeSeconds = 60
        let bench = try Bench(instruments: [patient], time: .simulated(realtimeOffset: 5_000_000_000))
        bench.open()
        func place(_ end: Duration, _ timeInForce: TimeInForce = .goodTillCanceled) -> Placement {
            bench.context.limit(
                .buy, Quantity(units: 10), of: bench.instrument, at: Price(units: 10_000), timeInForce,
                expiresAfter: end)
        }
        #expect(place(.milliseconds(59_999)).refusal == .expiryTooSoon)
        #expect(place(.zero).refusal == .expiryTooSoon)
        #expect(place(.seconds(-1)).refusal == .expiryTooSoon)
        #expect(place(.seconds(60), .immediateOrCancel).refusal == .expiryWithoutRest)
        #expect(place(.seconds(60), .fillOrKill).refusal == .expiryWithoutRest)
        let id = try #require(place(.seconds(60), .postOnly).id)
        let order = try #require(bench.sink.next())
        #expect(order.expire_ms == 65_000, "on the wall clock")
        #expect(bench.context.order(id)?.expiry == bench.context.now + 60_000_000_000)
        #expect(bench.buy().id.flatMap { bench.context.order($0)?.expiry } == nil)
    }

    @Test func postOnlyThatWouldTake() throws {
        let bench = try bench()
        func place(_ side: Side, _ price: Int64) -> Placement {
            bench.context.limit(
                side, Quantity(units: 10), of: bench.instrument, at: Price(units: price), .postOnly)
        }
        #expect(place(.buy, 10_100).refusal == .postOnlyWouldTake)
        #expect(place(.buy, 10_099).id != nil)
        #expect(place(.sell, 10_000).refusal == .postOnlyWouldTake)
        #expect(place(.sell, 10_100).id != nil)
    }

    @Test func ownOrdersNeverMeet() throws {
        let bench = try bench()
        let sell = try bench.resting(side: .sell)
        #expect(bench.buy(at: 10_100).refusal == .wouldMeetOwnOrder)
        #expect(bench.context.market(.buy, Quantity(units: 1), of: bench.instrument).refusal == .wouldMeetOwnOrder)
        #expect(bench.buy(at: 10_099).id != nil)
        bench.context.cancel(sell)
        #expect(bench.buy(at: 10_100).refusal == .wouldMeetOwnOrder, "until the venue says so it is there")
        bench.sink.report(APUS_REPORT_CANCELED, sell)
        bench.turn()
        #expect(bench.buy(at: 10_100).id != nil)
        #expect(bench.sell(at: 10_100).refusal == .wouldMeetOwnOrder)
    }

    @Test func bothPricesOfAChangeThatIsUnderWayCount() throws {
        let bench = try bench()
        let sell = try bench.resting(side: .sell)
        #expect(bench.context.modify(sell, price: Price(units: 10_050), quantity: Quantity(units: 10)).id != nil)
        #expect(bench.buy(at: 10_050).refusal == .wouldMeetOwnOrder)
        bench.sink.report(APUS_REPORT_MODIFY_REJECTED, sell) {
            $0.action = UInt8(APUS_ORDER_MODIFY.rawValue)
            $0.status = UInt8(APUS_STATUS_NEW.rawValue)
        }
        bench.turn()
        #expect(bench.buy(at: 10_050).id != nil)
    }

    @Test func openOrdersOfAnInstrument() throws {
        var limits = wideLimits()
        limits.maxInstrumentOrders = 2
        limits.instruments["ETHUSDT"] = InstrumentLimits()
        limits.instruments["ETHUSDT"]?.maxInstrumentOrders = 1
        let bench = try Bench(instruments: [definition(), definition("ETHUSDT")], limits: limits)
        bench.open()
        bench.feed.live(1)
        bench.feed.book([(10_000, 5)], [(10_100, 5)], 1)
        bench.turn()
        func other() -> Placement {
            bench.context.limit(
                .buy, Quantity(units: 1), of: bench.context.instruments[1], at: Price(units: 10_000))
        }
        #expect(bench.buy().id != nil)
        let second = try bench.resting()
        #expect(bench.buy().refusal == .tooManyOpenOrdersOfInstrument)
        #expect(other().id != nil)
        #expect(other().refusal == .tooManyOpenOrdersOfInstrument)
        #expect(bench.context.modify(second, price: Price(units: 9_990), quantity: Quantity(units: 9)).id != nil)
        bench.sink.report(APUS_REPORT_CANCELED, second)
        bench.turn()
        #expect(bench.buy().id != nil)
    }

    @Test func rateOfOneInstrument() throws {
        let bench = try bench { $0.ordersPerMinute = 3 }
        for _ in 0..<3 { #expect(bench.buy().id != nil) }
        #expect(bench.buy().refusal == .instrumentRateExceeded)
        bench.feed.now += 19_999_999_999
        bench.open()
        #expect(bench.buy().refusal == .instrumentRateExceeded)
        bench.feed.now += 1
        bench.open()
        #expect(bench.buy().id != nil)
        #expect(bench.buy().refusal == .instrumentRateExceeded)
        #expect(RiskLimits().ordersPerMinute == 60)
    }

    @Test func cancelsAreCountedAndPass() throws {
        let bench = try bench { $0.cancelsPerSecond = 2 }
        for _ in 0..<3 { #expect(bench.context.cancel(try bench.resting()).id != nil) }
        let report = bench.agent.risk
        #expect(report.cancels == 3 && report.cancelsOverRate == 1)
    }

    @Test func aNumberThatIsKnownAlready() throws {
        let bench = try bench()
        let id = try #require(bench.buy().id)
        bench.agent.state.pointee.nextOrder -= 1
        #expect(bench.buy().refusal == .duplicateIdentifier)
        #expect(bench.context.order(id) != nil)
    }

    @Test func reducingLetsOnlyReductionsThrough() throws {
        let bench = try bench()
        let id = try bench.resting(10)
        bench.fill(id, 10, trade: 1, cumulative: 10)
        bench.turn()
        apus_flag_set(bench.sink.queues.pointee.trading, 1)
        #expect(bench.agent.tradingState == .reducing)
        #expect(bench.sell().refusal == .onlyReducing)
        func reduce(_ quantity: Int64) -> Placement {
            bench.context.limit(
                .sell, Quantity(units: quantity), of: bench.instrument, at: Price(units: 10_100), reduceOnly: true)
        }
        #expect(reduce(11).refusal == .notReducing)
        let reducing = try #require(reduce(10).id)
        #expect(bench.context.cancel(reducing).id != nil)
        apus_flag_set(bench.sink.queues.pointee.trading, 99)
        #expect(bench.agent.tradingState == .halted, "a word that is not known halts")
    }

    @Test func theStrictestWordHolds() throws {
        let bench = try bench()
        #expect(bench.agent.set(.halted, ofStrategy: "test"))
        #expect(!bench.agent.set(.halted, ofStrategy: "nobody"))
        #expect(bench.buy().refusal == .killed)
        #expect(bench.agent.set(.reducing, ofStrategy: "test"))
        #expect(bench.buy().refusal == .onlyReducing)
        apus_flag_set(bench.sink.queues.pointee.trading, 2)
        bench.turn()
        #expect(bench.buy().refusal == .killed)
        #expect(bench.agent.set(.active, ofStrategy: "test"))
        apus_flag_set(bench.sink.queues.pointee.trading, 0)
        bench.turn()
        #expect(bench.buy().id != nil)
        let causes = (UInt64(0)..<20).compactMap { number -> RiskStateChange.Cause? in
            let change = bench.agent.stateChange(after: number)
            return change?.number == number + 1 ? change?.cause : nil
        }
        #expect(causes == [.newDay, .strategy, .strategy, .control, .strategy, .control])
    }
}

/// The venue's circuit breaker at the gate.
@Suite struct GateBreakerTests {
    private let second: UInt64 = 1_000_000_000

    private func bench(_ breakers: CircuitBreakers) throws -> Bench {
        let bench = try Bench {
            $0.breakers = breakers
            $0.venueBreaker = "venue"
        }
        bench.open()
        return bench
    }

    private func fail(_ bench: Bench, _ id: OrderID, _ now: UInt64) {
        bench.sink.report(APUS_REPORT_UNKNOWN, id) { $0.receive_ns = now }
        bench.turn()
    }

    @Test func lostAnswersOpenItAndCancelsPass() throws {
        let breakers = CircuitBreakers(["venue": BreakerConfiguration(failureThreshold: 2, timeoutSeconds: 10)])
        let bench = try bench(breakers)
        let ids = [try bench.resting(), try bench.resting(), try bench.resting()]
        fail(bench, ids[0], bench.feed.now)
        #expect(bench.buy().id != nil)
        fail(bench, ids[1], bench.feed.now + 1)
        #expect(bench.buy().refusal == .breakerOpen)
        #expect(bench.context.cancel(ids[2]).id != nil)
        #expect(bench.agent.risk.breaker == .open)
        bench.feed.now += 11 * second
        bench.open()
        let probe = try #require(bench.buy().id)
        #expect(breakers.named("venue").state == .halfOpen)
        bench.sink.report(APUS_REPORT_ACCEPTED, probe)
        bench.turn()
        let another = try #require(bench.buy().id)
        bench.sink.report(APUS_REPORT_ACCEPTED, another)
        bench.turn()
        #expect(breakers.named("venue").state == .closed)
    }

    @Test func aQuietMarketAndOurOwnFaultsOpenNothing() throws {
        let breakers = CircuitBreakers(["venue": BreakerConfiguration(failureThreshold: 1, timeoutSeconds: 10)])
        let bench = try bench(breakers)
        for _ in 0..<20 {
            let id = try #require(bench.buy().id)
            bench.sink.report(APUS_REPORT_REJECTED, id) { $0.code = -2010 }
            bench.turn()
        }
        bench.turn(3_600 * second)
        bench.feed.now = 3_600 * second
        bench.open()
        #expect(bench.buy().id != nil)
        #expect(breakers.log.count == 0)
    }
}

/// Orders that wait for the rate.
@Suite struct WaitingOrderTests {
    private let second: UInt64 = 1_000_000_000

    private func bench(
        journal: MemoryJournal? = nil, _ change: (inout RiskLimits) -> Void = { _ in }
    ) throws -> Bench {
        var limits = wideLimits()
        limits.ordersPerMinute = 2
        change(&limits)
        let port = journal.map { JournalPort($0.writer, holdsOrders: false, segmentRecords: 400) }
        let bench = try Bench(limits: limits, journal: port)
        bench.open()
        for _ in 0..<2 { #expect(bench.buy().id != nil) }
        while bench.sink.next() != nil {}
        return bench
    }

    private func queue(_ bench: Bench, _ quantity: Int64 = 10, at price: Int64 = 10_000) -> Placement {
        bench.context.limit(
            .buy, Quantity(units: quantity), of: bench.instrument, at: Price(units: price), whenLimited: .queue)
    }

    @Test func itLeavesWhenThereIsAToken() throws {
        let bench = try bench()
        #expect(bench.buy().refusal == .instrumentRateExceeded, "refused unless it asks to wait")
        let first = try #require(queue(bench).id), second = try #require(queue(bench).id)
        #expect(bench.state(first) == .pendingNew && bench.context.openOrders.count == 4)
        #expect(bench.sink.next() == nil)
        let due = try #require(bench.agent.nextDue)
        #expect(due == bench.context.now + 30 * self.second)
        bench.turn(due - 1)
        #expect(bench.sink.next() == nil)
        bench.turn(due)
        #expect(bench.sink.next()?.client_id == first.value)
        #expect(bench.sink.next() == nil, "one token, one order")
        bench.turn(due + 30 * self.second)
        #expect(bench.sink.next()?.client_id == second.value)
        #expect(bench.context.openOrders.count == 4, "they were open all the time")
    }

    @Test func itIsCheckedAnewWhenItLeaves() throws {
        let bench = try bench { $0.priceBandPpm = 10_000 }
        let id = try #require(queue(bench).id)
        bench.feed.now += 29 * second
        bench.open(bid: 12_000, ask: 12_100)
        bench.turn(bench.feed.now + second)
        #expect(bench.sink.next() == nil)
        #expect(bench.state(id) == .rejected)
        let report = try #require(bench.recorder.reports.last)
        #expect(report.kind == .refused)
        #expect(report.code == Refusal.firstCode + Int32(Refusal.priceOutsideBand.rawValue))
        #expect(bench.instrument.record.pointee.openBuys == 20)
    }

    /// Its number stands in the journal then: with another intent of the same number that could not be read again.
    @Test func itEndsWhereTheRingIsFull() throws {
        let journal = MemoryJournal(capacity: 400, segments: 1)
        _ = apus_journal_offer(journal.writer, journal.memory[0] + MemoryJournal.record, 400)
        let bench = try bench(journal: journal)
        let id = try #require(queue(bench).id)
        var filler = apus_order()
        while apus_order_push(bench.sink.queues.pointee.orders, &filler) == 0 {}
        for _ in 0..<2 { bench.turn(bench.context.now + 30 * second) }
        #expect(bench.state(id) == .rejected && bench.recorder.reports.last?.kind == .refused)
        let state = JournalState(orderCapacity: 64)
        #expect(try state.replay(JournalReader(journal.segments)) == .clean)
        #expect(state.orders.find(id)?.pointee.order.state == .rejected)
    }

    @Test func itCanBeCanceledWhileItWaits() throws {
        let bench = try bench()
        let id = try #require(queue(bench).id)
        #expect(
            bench.context.modify(id, price: Price(units: 9_000), quantity: Quantity(units: 1)).refusal == .changePending
        )
        #expect(bench.context.cancel(id).id == id)
        bench.turn()
        #expect(bench.state(id) == .canceled)
        #expect(bench.recorder.reports.last?.kind == .canceled)
        bench.turn(bench.feed.now + 60 * second)
        #expect(bench.sink.next() == nil, "nothing of it ever went out")
    }

    @Test func itCountsTowardsTheLimits() throws {
        let bench = try bench { $0.maxPosition = ExactDecimal(digits: 40, decimals: 3) }
        #expect(queue(bench).id != nil)
        #expect(queue(bench, 11).refusal == .positionAboveMaximum)
        #expect(queue(bench).id != nil)
        #expect(queue(bench, 1).refusal == .positionAboveMaximum)
    }

    @Test func soManyMayWait() throws {
        let bench = try bench()
        for _ in 0..<64 { #expect(queue(bench, 1).id != nil) }
        #expect(queue(bench, 1).refusal == .queueFull)
    }

    @Test func whatOnlyTheSecondHoldsUpWaitsToo() throws {
        let bench = try bench {
            $0.ordersPerMinute = 60_000
            ($0.ordersPerSecond, $0.orderBurst) = (1, 2)
        }
        let id = try #require(queue(bench).id)
        bench.turn(bench.context.now + second)
        #expect(bench.sink.next()?.client_id == id.value)
    }
}

/// Several strategies share an account's gate: each has its own part of the rate and its own open orders.
@Suite struct StrategySharesTests {
    private struct Desk {
        let feed = TestFeed()
        let table: InstrumentTable
        let orders = OrderTable(capacity: 64)
        let ledger = StrategyLedger(strategies: 2, instruments: 4)
        let trading = UnsafeMutablePointer<UInt64>.allocate(capacity: Int(APUS_TRADING_WORDS.rawValue))
        let gate = UnsafeMutablePointer<RiskGate>.allocate(capacity: 1)
        var life: OrderLife
        var next: UInt64 = 1

        init(_ change: (inout RiskLimits) -> Void) throws {
            table = InstrumentTable(board: feed.view.pointee.board)
            trading.initialize(repeating: 0, count: Int(APUS_TRADING_WORDS.rawValue))
            var limits = wideLimits()
            change(&limits)
            var made = try RiskGate(
                limits, instruments: table, orders: orders, trading: trading, strategies: ["maker", "taker"],
                rows: ledger.rows)
            let instrument = try table.add(definition())
            try made.add(instrument)
            gate.initialize(to: made)
            life = OrderLife(orders, rows: ledger.rows)
            instrument.record.pointee.state = .live
            instrument.record.pointee.touch = Touch(10_000, 1_000, 10_100, 1_000)
        }

        mutating func place(_ strategy: UInt8, now: UInt64 = 0) -> Refusal? {
            let request = OrderRequest(
                instrument: table[0], side: .buy, type: .limit, timeInForce: .goodTillCanceled, isReduceOnly: false,
                price: 10_000, quantity: 10, strategy: strategy)
            let id = OrderID(next)
            let verdict = gate.pointee.approve(request, id: id, openOrders: orders.openCount, now: now)
            switch consume verdict {
            case .refused(let refusal): return refusal
            case .approved(let order):
                #expect(order.request.strategy == strategy)
                next += 1
                life.place(Order(id: id, request), now: now)
                return nil
            }
        }

        func close() {
            gate.deinitialize(count: 1)
            gate.deallocate()
            trading.deallocate()
        }
    }

    @Test func oneCannotStarveTheOther() throws {
        var desk = try Desk {
            $0.ordersPerMinute = 8
            $0.strategies["maker"] = StrategyLimits()
            $0.strategies["maker"]?.rateShare = 3
        }
        defer { desk.close() }
        for _ in 0..<6 { #expect(desk.place(0) == nil) }
        #expect(desk.place(0) == .instrumentRateExceeded, "three quarters of eight")
        for _ in 0..<2 { #expect(desk.place(1) == nil) }
        #expect(desk.place(1) == .instrumentRateExceeded)
        #expect(desk.place(0, now: 10_000_000_000) == nil)
        #expect(desk.place(1, now: 10_000_000_000) == .instrumentRateExceeded)
        #expect(desk.place(1, now: 30_000_000_000) == nil)
    }

    @Test func eachHasItsOwnOpenOrdersAndState() throws {
        var desk = try Desk {
            $0.maxOpenOrders = 4
            $0.strategies["taker"] = StrategyLimits()
            $0.strategies["taker"]?.maxOpenOrders = 1
        }
        defer { desk.close() }
        #expect(desk.place(1) == nil)
        #expect(desk.place(1) == .tooManyOpenOrdersOfStrategy)
        for _ in 0..<3 { #expect(desk.place(0) == nil) }
        #expect(desk.place(0) == .tooManyOpenOrders)
        desk.gate.pointee.set(.halted, ofStrategy: 1, now: 0)
        #expect(desk.place(1) == .killed)
        #expect(desk.place(0) == .tooManyOpenOrders, "the other goes on")
        #expect(desk.gate.pointee.state(of: 0) == .active && desk.gate.pointee.state(of: 1) == .halted)
    }
}
