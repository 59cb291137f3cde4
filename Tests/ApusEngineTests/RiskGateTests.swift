import CApusRing
import Testing

@testable import Apus
@testable import ApusEngine

/// Each rule on its own: an order that only this rule refuses, and one just inside it that passes.
@Suite struct RiskGateTests {
    private func limited(_ change: (inout RiskLimits) -> Void) throws -> Bench {
        var limits = wideLimits()
        change(&limits)
        let bench = try Bench(limits: limits)
        bench.open()
        return bench
    }

    private func expect(_ bench: Bench, _ refusal: Refusal, _ placement: Placement) {
        #expect(placement == .refused(refusal))
        #expect(bench.agent.summary.blocked["\(refusal)"] == 1)
        #expect(
            apus_counter(apus_counters_decide(bench.feed.view.pointee.counters, APUS_COUNT_ORDERS_BLOCKED.rawValue))
                == 1)
        #expect(bench.sink.next() == nil, "a refused order never reaches the ring")
    }

    @Test func killSwitch() throws {
        let bench = try limited { _ in }
        apus_flag_set(bench.sink.queues.pointee.trading, 2)
        expect(bench, .killed, bench.buy())
        apus_flag_set(bench.sink.queues.pointee.trading, 0)
        #expect(bench.buy().id != nil)
    }

    @Test func cancelsPassWhenKilled() throws {
        let bench = try limited { _ in }
        let id = try bench.resting()
        apus_flag_set(bench.sink.queues.pointee.trading, 2)
        #expect(bench.context.modify(id, price: Price(units: 9_000), quantity: Quantity(units: 5)).refusal == .killed)
        #expect(bench.context.cancel(id) == .placed(id))
        let order = try #require(bench.sink.next())
        #expect(UInt32(order.action) == APUS_ORDER_CANCEL.rawValue)
        #expect(order.target_id == id.value)
    }

    @Test func stoppedEngine() throws {
        let bench = try limited { _ in }
        bench.agent.stop(bench.feed.now)
        expect(bench, .killed, bench.buy())
    }

    @Test func bookNotLive() throws {
        let bench = try limited { _ in }
        bench.feed.stale()
        bench.turn()
        expect(bench, .bookNotLive, bench.buy())
        bench.feed.live()
        bench.turn()
        #expect(bench.buy().id != nil)
    }

    @Test(arguments: [0, -5])
    func quantityNotPositive(quantity: Int64) throws {
        let bench = try limited { _ in }
        expect(bench, .quantityNotPositive, bench.buy(quantity))
    }

    @Test func quantityRules() throws {
        var strict = definition()
        strict.lot = ExactDecimal(digits: 5, decimals: 3)
        strict.minQuantity = ExactDecimal(digits: 10, decimals: 3)
        strict.maxQuantity = ExactDecimal(digits: 100, decimals: 3)
        let bench = try Bench(instruments: [strict])
        bench.open()
        #expect(bench.buy(11).refusal == .quantityOffLot)
        #expect(bench.buy(5).refusal == .quantityBelowMinimum)
        #expect(bench.buy(105).refusal == .quantityAboveMaximum)
        #expect(bench.buy(10).id != nil)
        #expect(bench.buy(100).id != nil)
    }

    @Test func ownMaximumQuantity() throws {
        let bench = try limited { $0.maxOrderQuantity = ExactDecimal(digits: 20, decimals: 3) }
        expect(bench, .quantityAboveMaximum, bench.buy(21))
        #expect(bench.buy(20).id != nil)
    }

    @Test(arguments: [0, -10_000])
    func priceNotPositive(price: Int64) throws {
        let bench = try limited { _ in }
        expect(bench, .priceNotPositive, bench.buy(at: price))
    }

    @Test func priceOffTick() throws {
        let bench = try Bench(instruments: [definition(tick: 10)])
        bench.open()
        expect(bench, .priceOffTick, bench.buy(at: 9_995))
        #expect(bench.buy(at: 9_990).id != nil)
        bench.feed.publish(APUS_EVENT_TICK_SIZE, 0, 10, 0, 5)
        bench.turn()
        #expect(bench.buy(at: 9_995).id != nil)
    }

    @Test func notionalBounds() throws {
        var strict = definition()
        strict.minNotional = ExactDecimal(digits: 5)
        var limits = wideLimits()
        limits.maxOrderNotional = Money(whole: 10)
        let bench = try Bench(instruments: [strict], limits: limits)
        bench.open()
        #expect(bench.buy(100).id != nil)  // 0.100 at 100.00
        #expect(bench.buy(101).refusal == .notionalAboveMaximum)
        #expect(bench.buy(50).id != nil)
        #expect(bench.buy(49).refusal == .notionalBelowMinimum)
    }

    @Test func notionalIsComputedIn128Bits() throws {
        let bench = try limited { $0.maxOrderNotional = Money(whole: 1_000) }
        // 92,233,720,368,547,758 whole units at 100.00: the product of the units alone overflows 64 bits.
        expect(bench, .notionalAboveMaximum, bench.buy(.max))
    }

    @Test func priceBand() throws {
        let bench = try limited { $0.priceBandPpm = 10_000 }
        #expect(bench.buy(at: 9_900).id != nil)
        #expect(bench.buy(at: 9_899).refusal == .priceOutsideBand)
        #expect(bench.sell(at: 10_201).id != nil)
        #expect(bench.sell(at: 10_202).refusal == .priceOutsideBand)
        let order = try #require(bench.sink.next())
        #expect(order.band_low == 9_900)
        #expect(order.band_high == 10_201)
    }

    @Test func marketOrdersNeedSomebodyToMeet() throws {
        let bench = try limited { _ in }
        bench.feed.book([(10_000, 5)], [])
        bench.turn()
        let instrument = bench.instrument
        expect(bench, .priceOutsideBand, bench.context.market(.buy, Quantity(units: 1), of: instrument))
        #expect(bench.context.market(.sell, Quantity(units: 1), of: instrument).id != nil)
        let order = try #require(bench.sink.next())
        #expect(order.price == 10_000)
        #expect(UInt32(order.type) == APUS_MARKET.rawValue)
    }

    @Test func emptyBookHasNoBand() throws {
        let bench = try limited { _ in }
        bench.feed.book([], [])
        bench.turn()
        expect(bench, .priceOutsideBand, bench.buy())
    }

    @Test func positionWithAllOpenOrdersFilled() throws {
        let bench = try limited { $0.maxPosition = ExactDecimal(digits: 30, decimals: 3) }
        let first = try bench.resting(20)
        #expect(bench.buy(11).refusal == .positionAboveMaximum)
        #expect(bench.sell(30).id != nil)
        #expect(bench.sell(1).refusal == .positionAboveMaximum)
        bench.fill(first, 20, trade: 1, cumulative: 20)
        bench.turn()
        #expect(bench.held == 20)
        #expect(bench.buy(11).refusal == .positionAboveMaximum)
        #expect(bench.buy(10).id != nil)
    }

    @Test func canceledOrdersFreeTheirShare() throws {
        let bench = try limited { $0.maxPosition = ExactDecimal(digits: 30, decimals: 3) }
        let first = try bench.resting(30)
        #expect(bench.buy(1).refusal == .positionAboveMaximum)
        bench.context.cancel(first)
        #expect(bench.buy(1).refusal == .positionAboveMaximum, "until the venue says so it may be filled")
        bench.sink.report(APUS_REPORT_CANCELED, first)
        bench.turn()
        #expect(bench.buy(30).id != nil)
    }

    @Test func positionNotional() throws {
        let bench = try limited { $0.maxPositionNotional = Money(whole: 5) }
        #expect(bench.buy(49).id != nil)  // 0.049 at the ask of 101.00
        #expect(bench.buy(1).refusal == .positionAboveMaximum)
    }

    @Test func tooLargeASumIsRefusedNotWrapped() throws {
        let bench = try limited {
            $0.maxOrderNotional = .greatest
            $0.maxPositionNotional = .greatest
            $0.maxGrossExposure = .greatest
            $0.maxNetExposure = .greatest
        }
        #expect(bench.buy(.max - 10).id != nil)
        #expect(bench.buy(20).refusal == .positionAboveMaximum)
    }

    @Test func openOrders() throws {
        let bench = try limited { $0.maxOpenOrders = 2 }
        #expect(bench.buy().id != nil)
        let second = try bench.resting()
        #expect(bench.buy().refusal == .tooManyOpenOrders)
        // A change of an open order is none more.
        #expect(bench.context.modify(second, price: Price(units: 9_990), quantity: Quantity(units: 9)).id != nil)
    }

    @Test func orderRate() throws {
        let bench = try limited {
            $0.ordersPerSecond = 10
            $0.orderBurst = 3
        }
        for _ in 0..<3 { #expect(bench.buy().id != nil) }
        #expect(bench.buy().refusal == .rateExceeded)
        bench.feed.now += 99_999_999
        bench.open()
        #expect(bench.buy().refusal == .rateExceeded)
        bench.feed.now += 1
        bench.open()
        #expect(bench.buy().id != nil)
        #expect(bench.buy().refusal == .rateExceeded)
        bench.feed.now += 10_000_000_000
        bench.open()
        for _ in 0..<3 { #expect(bench.buy().id != nil) }
        #expect(bench.buy().refusal == .rateExceeded)
    }

    @Test func zeroRateLetsNothingThrough() throws {
        let bench = try limited { $0.ordersPerSecond = 0 }
        expect(bench, .rateExceeded, bench.buy())
    }

    @Test func reduceOnlyTrulyReduces() throws {
        let bench = try limited { _ in }
        func reduce(_ side: Side, _ quantity: Int64) -> Placement {
            bench.context.limit(
                side, Quantity(units: quantity), of: bench.instrument, at: Price(units: 10_050), reduceOnly: true)
        }
        #expect(reduce(.sell, 1).refusal == .notReducing)
        let id = try bench.resting(10)
        bench.fill(id, 10, trade: 1, cumulative: 10)
        bench.turn()
        #expect(reduce(.buy, 1).refusal == .notReducing)
        #expect(reduce(.sell, 11).refusal == .notReducing)
        #expect(reduce(.sell, 6).id != nil)
        #expect(reduce(.sell, 5).refusal == .notReducing, "together they would turn the position")
        #expect(reduce(.sell, 4).id != nil)
    }

    @Test func numbersAreNeverGivenTwice() throws {
        let bench = try limited { _ in }
        var seen = Set<UInt64>()
        for _ in 0..<1_000 {
            let id = try #require(bench.buy(1).id)
            #expect(seen.insert(id.value).inserted)
            #expect(id.value >> 32 == 7)
            #expect(bench.sink.next()?.client_id == id.value)
        }
    }

    @Test func exhaustedNumbers() throws {
        let bench = try limited { _ in }
        bench.agent.state.pointee.nextOrder = .max - 1
        #expect(bench.buy().id != nil)
        #expect(bench.buy().refusal == .identifiersExhausted)
    }

    @Test func fullRingAndFullTable() throws {
        let bench = try limited { _ in }
        for _ in 0..<APUS_ORDER_SLOTS { #expect(bench.buy(1).id != nil) }
        #expect(bench.buy(1).refusal == .orderRingFull)
        #expect(bench.context.openOrders.count == Int(APUS_ORDER_SLOTS), "what was not pushed is no order")
        let small = try Bench { $0.orderCapacity = 2 }
        small.open()
        #expect(small.buy().id != nil)
        #expect(small.buy().id != nil)
        #expect(small.buy().refusal == .orderTableFull)
    }

    @Test func foreignInstrument() throws {
        let bench = try limited { _ in }
        let other = try limited { _ in }
        let placement = bench.context.limit(.buy, Quantity(units: 1), of: other.instrument, at: Price(units: 10_000))
        expect(bench, .unknownInstrument, placement)
    }

    @Test func limitsOfOneInstrumentAndTheirErrors() throws {
        let bench = try limited {
            $0.instruments["BTCUSDT"] = InstrumentLimits()
            $0.instruments["BTCUSDT"]?.maxOrderQuantity = ExactDecimal(digits: 5, decimals: 3)
        }
        #expect(bench.buy(6).refusal == .quantityAboveMaximum)
        var limits = wideLimits()
        limits.maxPosition = ExactDecimal(digits: 1, decimals: 9)
        #expect { try Bench(limits: limits) } throws: { ($0 as? RiskLimitError)?.key == "maxPosition" }
        limits = wideLimits()
        limits.priceBandPpm = -1
        #expect { try Bench(limits: limits) } throws: { ($0 as? RiskLimitError)?.key == "priceBandPpm" }
    }
}
