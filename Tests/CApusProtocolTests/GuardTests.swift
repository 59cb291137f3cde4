import CApusProtocol
import CApusRing
import Testing

/// Each reason of the last guard, with everything else in order.
@Suite struct GuardTests {
    private let trading = UnsafeMutablePointer<UInt64>.allocate(capacity: Int(APUS_TRADING_WORDS.rawValue))

    private func order(_ change: (inout apus_order) -> Void = { _ in }) -> apus_order {
        var order = apus_order()
        order.client_id = 1
        order.action = UInt8(APUS_ORDER_PLACE.rawValue)
        order.price = 10_000
        order.quantity = 5
        order.band_low = 9_900
        order.band_high = 10_100
        order.decided_ns = 1_000
        change(&order)
        return order
    }

    private func verdict(
        _ stage: MarketStage, now: UInt64 = 1_500, state: UInt64 = 0, word: apus_trading_word = APUS_TRADING_CONTROL,
        _ change: (inout apus_order) -> Void = { _ in }
    ) -> UInt32 {
        trading.initialize(repeating: 0, count: Int(APUS_TRADING_WORDS.rawValue))
        trading[Int(word.rawValue)] = state
        var guarding = apus_guard()
        guarding.trading = UnsafePointer(trading)
        guarding.market = UnsafePointer(stage.market)
        guarding.max_age_ns = 1_000
        var order = order(change)
        return UInt32(apus_guard_check(&guarding, &order, now))
    }

    @Test func aSoundOrderPasses() {
        let stage = MarketStage()
        stage.live()
        #expect(verdict(stage) == APUS_GUARD_PASSED.rawValue)
        #expect(verdict(stage, now: 2_000) == APUS_GUARD_PASSED.rawValue, "exactly as old as allowed")
        #expect(verdict(stage, now: 10) == APUS_GUARD_PASSED.rawValue, "decided after now: clocks of two threads")
        #expect(verdict(stage) { $0.price = 9_900 } == APUS_GUARD_PASSED.rawValue)
        #expect(verdict(stage) { $0.price = 10_100 } == APUS_GUARD_PASSED.rawValue)
        #expect(verdict(stage) { $0.quantity = 1_000_000 } == APUS_GUARD_PASSED.rawValue)
    }

    @Test func eachReason() {
        let stage = MarketStage()
        stage.live()
        #expect(verdict(stage, state: 2) == APUS_GUARD_KILLED.rawValue)
        #expect(verdict(stage, now: 2_001) == APUS_GUARD_AGE.rawValue)
        #expect(verdict(stage) { $0.price = 9_899 } == APUS_GUARD_PRICE_BAND.rawValue)
        #expect(verdict(stage) { $0.price = 10_101 } == APUS_GUARD_PRICE_BAND.rawValue)
        #expect(verdict(stage) { $0.quantity = 0 } == APUS_GUARD_QUANTITY.rawValue)
        #expect(verdict(stage) { $0.quantity = -5 } == APUS_GUARD_QUANTITY.rawValue)
        #expect(verdict(stage) { $0.quantity = 1_000_001 } == APUS_GUARD_QUANTITY.rawValue)
        #expect(verdict(stage) { $0.instrument = 2 } == APUS_GUARD_INSTRUMENT.rawValue)
        #expect(verdict(stage) { $0.instrument = 1 } == APUS_GUARD_BOOK_STATE.rawValue, "never opened")
        stage.depth(500, 510, previous: 490)
        #expect(verdict(stage) == APUS_GUARD_BOOK_STATE.rawValue, "stale")
    }

    @Test func whileReducingOnlyOrdersThatReducePass() {
        let stage = MarketStage()
        stage.live()
        #expect(verdict(stage, state: 1) == APUS_GUARD_REDUCING.rawValue)
        #expect(
            verdict(stage, state: 1) { $0.flags = UInt8(APUS_ORDER_REDUCE_ONLY.rawValue) } == APUS_GUARD_PASSED.rawValue
        )
        #expect(
            verdict(stage, state: 2) { $0.flags = UInt8(APUS_ORDER_REDUCE_ONLY.rawValue) } == APUS_GUARD_KILLED.rawValue
        )
        #expect(verdict(stage, state: 3) == APUS_GUARD_KILLED.rawValue, "a state that nobody knows halts")
    }

    @Test func theStrictestWordHolds() {
        let stage = MarketStage()
        stage.live()
        for word in [APUS_TRADING_CONTROL, APUS_TRADING_JOURNAL, APUS_TRADING_LIMITS] {
            #expect(verdict(stage, state: 1, word: word) == APUS_GUARD_REDUCING.rawValue)
            #expect(verdict(stage, state: 2, word: word) == APUS_GUARD_KILLED.rawValue)
        }
    }

    /// By the wall clock, which is the monotonic time and its offset.
    @Test func anOrderThatHasExpiredDoesNotLeave() {
        let stage = MarketStage()
        stage.live()
        stage.market.pointee.out.pointee.realtime_offset = 7_000_000_000
        let wall: UInt64 = 7_000
        #expect(verdict(stage) { $0.expire_ms = wall } == APUS_GUARD_EXPIRED.rawValue)
        #expect(verdict(stage) { $0.expire_ms = wall + 1 } == APUS_GUARD_PASSED.rawValue)
        #expect(
            verdict(stage) {
                $0.expire_ms = 1
                $0.action = UInt8(APUS_ORDER_CANCEL.rawValue)
            } == APUS_GUARD_PASSED.rawValue)
    }

    @Test func aDecisionThreadThatStandsStillIsNoticedAndThatItGoesOn() {
        let stage = MarketStage()
        stage.live()
        let decided = UnsafeMutablePointer<UInt64>.allocate(capacity: Int(APUS_TRADING_WORDS.rawValue))
        decided.initialize(to: 0)
        defer { decided.deallocate() }
        var guarding = apus_guard()
        guarding.decided = UnsafePointer(decided)
        guarding.market = UnsafePointer(stage.market)
        guarding.stall_ns = 1_000
        func look(_ now: UInt64) -> UInt32 { UInt32(apus_guard_watch(&guarding, now)) }
        func check(_ now: UInt64, _ action: apus_order_action = APUS_ORDER_PLACE) -> UInt32 {
            var order = order {
                $0.decided_ns = now
                $0.action = UInt8(action.rawValue)
            }
            return UInt32(apus_guard_check(&guarding, &order, now))
        }
        #expect(look(9_000) == APUS_GUARD_NO_CHANGE.rawValue, "it has not begun")
        decided.pointee = 10_000
        #expect(look(11_000) == APUS_GUARD_NO_CHANGE.rawValue && check(11_000) == APUS_GUARD_PASSED.rawValue)
        #expect(check(11_001) == APUS_GUARD_STALLED.rawValue && check(11_001, APUS_ORDER_CANCEL) == 0)
        #expect(look(11_001) == APUS_GUARD_NO_CHANGE.rawValue, "not in each turn")
        #expect(apus_guard_deadline(&guarding) == 11_250)
        #expect(look(11_250) == APUS_GUARD_STALL_BEGAN.rawValue && look(12_000) == APUS_GUARD_NO_CHANGE.rawValue)
        decided.pointee = 12_100
        #expect(check(12_200) == APUS_GUARD_PASSED.rawValue)
        #expect(look(12_250) == APUS_GUARD_STALL_ENDED.rawValue && look(12_500) == APUS_GUARD_NO_CHANGE.rawValue)
        guarding.stall_ns = 0
        #expect(look(.max) == APUS_GUARD_NO_CHANGE.rawValue && check(.max) == APUS_GUARD_PASSED.rawValue)
        #expect(apus_guard_deadline(&guarding) == .max)
    }

    @Test func aChangeIsCheckedLikeAnOrder() {
        let stage = MarketStage()
        stage.live()
        func change(_ order: inout apus_order) {
            order.action = UInt8(APUS_ORDER_MODIFY.rawValue)
            order.target_id = 1
        }
        #expect(verdict(stage) { change(&$0) } == APUS_GUARD_PASSED.rawValue)
        #expect(
            verdict(stage) {
                change(&$0)
                $0.price = 10_101
            } == APUS_GUARD_PRICE_BAND.rawValue)
        #expect(verdict(stage, state: 2) { change(&$0) } == APUS_GUARD_KILLED.rawValue)
    }

    @Test func aMarketOrderHasNoPriceToCheck() {
        let stage = MarketStage()
        stage.live()
        #expect(
            verdict(stage) {
                $0.type = UInt8(APUS_MARKET.rawValue)
                $0.price = 0
            } == APUS_GUARD_PASSED.rawValue)
    }

    @Test(arguments: [APUS_ORDER_CANCEL, APUS_ORDER_QUERY])
    func cancelsAndQuestionsPassWhateverHolds(action: apus_order_action) {
        let stage = MarketStage()
        stage.live()
        stage.depth(500, 510, previous: 490)
        #expect(
            verdict(stage, now: .max, state: 2) {
                $0.action = UInt8(action.rawValue)
                $0.quantity = 0
            } == APUS_GUARD_PASSED.rawValue)
        #expect(
            verdict(stage) {
                $0.action = UInt8(action.rawValue)
                $0.instrument = 9
            } == APUS_GUARD_INSTRUMENT.rawValue)
    }

    @Test func everyReasonHasWords() {
        let texts = (0...15).map { String(cString: apus_guard_reason_text(UInt8($0))) }
        #expect(Set(texts).count == 16)
        #expect(String(cString: apus_guard_reason_text(200)) == "unknown reason")
    }
}
