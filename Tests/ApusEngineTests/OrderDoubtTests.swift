import CApusRing
import Testing

@testable import Apus
@testable import ApusEngine

/// Orders of which the engine does not know enough, and what it asks then.
@Suite struct OrderDoubtTests {
    @Test func aLostAnswerIsAskedForNeverSentAgain() throws {
        let bench = try Bench.opened()
        let id = try #require(bench.buy(10).id)
        _ = bench.sink.next()
        bench.sink.report(APUS_REPORT_UNKNOWN, id)
        var now = bench.feed.now
        bench.turn(now)
        #expect(bench.state(id) == .unknown)
        var pauses: [UInt64] = []
        for _ in 0..<6 {
            let order = try #require(bench.sink.next())
            #expect(UInt32(order.action) == APUS_ORDER_QUERY.rawValue)
            #expect(order.target_id == id.value)
            #expect(bench.sink.next() == nil)
            let due = try #require(bench.agent.nextDue)
            pauses.append(due - now)
            bench.turn(due - 1)
            #expect(bench.sink.next() == nil)
            now = due
            bench.turn(now)
        }
        let usual: [UInt64] = [1, 2, 4, 8, 16, 30].map { $0 * 1_000_000_000 }
        #expect(zip(pauses, usual).allSatisfy { $0 >= $1 && $0 <= $1 + $1 / 8 }, "with a little jitter: \(pauses)")
        bench.sink.report(APUS_REPORT_STATUS, id) { $0.status = UInt8(APUS_STATUS_NEW.rawValue) }
        bench.turn(now)
        #expect(bench.state(id) == .live)
        _ = bench.sink.next()  // the question that was answered
        let answered: UInt64 = try #require(bench.agent.nextDue)
        bench.turn(answered)
        #expect(bench.sink.next() == nil)
        #expect(bench.agent.nextDue == nil)
    }

    /// The venue has answered, but what it has cannot be told yet.
    @Test func anAnswerThatTellsNothingYetIsAskedForAgain() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.context.cancel(id)
        _ = bench.sink.next()
        bench.sink.report(APUS_REPORT_MISSED, OrderID(0))
        bench.turn()
        #expect(bench.sink.next().map { UInt32($0.action) } == APUS_ORDER_QUERY.rawValue)
        bench.sink.report(APUS_REPORT_STATUS, id) { $0.action = UInt8(APUS_ORDER_QUERY.rawValue) }
        bench.turn()
        #expect(bench.state(id) == .pendingCancel && bench.held == 0)
        #expect(bench.sink.next() == nil)
        let due = try #require(bench.agent.nextDue)
        bench.turn(due)
        let question = try #require(bench.sink.next())
        #expect(UInt32(question.action) == APUS_ORDER_QUERY.rawValue && question.target_id == id.value)
    }

    @Test func missedNewsAskAboutEveryOrderOfTheVenue() throws {
        let bench = try Bench.opened()
        let first = try bench.resting(10), second = try bench.resting(10)
        let third = try #require(bench.buy(10).id)
        _ = bench.sink.next()
        bench.sink.report(APUS_REPORT_MISSED, OrderID(0))
        bench.turn()
        #expect([first, second, third].map { bench.state($0) } == [.unknown, .unknown, .pendingNew])
        let asked = [bench.sink.next()?.target_id, bench.sink.next()?.target_id]
        #expect(Set(asked) == [first.value, second.value])
        #expect(bench.sink.next() == nil)
        bench.sink.report(APUS_REPORT_STATUS, first) {
            $0.status = UInt8(APUS_STATUS_CANCELED.rawValue)
            $0.cumulative = 3
        }
        bench.turn()
        #expect(bench.state(first) == .canceled)
        #expect(bench.held == 3)
    }

    @Test func aSilentOrderIsAskedAbout() throws {
        let bench = try Bench { $0.reconcilePause = 2_000_000_000 }
        bench.open()
        let id = try bench.resting(10)
        let due = try #require(bench.agent.nextDue)
        bench.turn(due - 1)
        #expect(bench.sink.next() == nil)
        bench.turn(due)
        #expect(bench.sink.next().map { UInt32($0.action) } == APUS_ORDER_QUERY.rawValue)
        #expect(bench.state(id) == .live, "asking is not doubting")
        bench.sink.report(APUS_REPORT_STATUS, id) {
            $0.action = UInt8(APUS_ORDER_QUERY.rawValue)
            $0.status = UInt8(APUS_STATUS_EXPIRED.rawValue)
        }
        bench.turn(due)
        #expect(bench.state(id) == .expired)
    }

    @Test func anAnswerThatWasMadeEarlierDoesNotBringBackOldTerms() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.sink.report(APUS_REPORT_MODIFIED, id) {
            ($0.price, $0.quantity, $0.venue_ns) = (9_990, 15, 2_000_000)
        }
        bench.sink.report(APUS_REPORT_STATUS, id) {
            $0.status = UInt8(APUS_STATUS_NEW.rawValue)
            ($0.price, $0.quantity, $0.venue_ns) = (10_000, 10, 1_000_000)
        }
        bench.turn()
        #expect(bench.context.order(id)?.price == Price(units: 9_990))
        #expect(bench.context.order(id)?.quantity == Quantity(units: 15))
    }

    @Test func aLostChangeMayHaveMadeTheOrderLarger() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.context.modify(id, price: Price(units: 9_990), quantity: Quantity(units: 20))
        bench.sink.report(APUS_REPORT_UNKNOWN, id) { $0.action = UInt8(APUS_ORDER_MODIFY.rawValue) }
        bench.fill(id, 10, trade: 1, cumulative: 10)
        bench.turn()
        #expect(bench.state(id) == .unknown, "ten of twenty, or all")
        bench.sink.report(APUS_REPORT_STATUS, id) {
            $0.status = UInt8(APUS_STATUS_PARTIALLY_FILLED.rawValue)
            ($0.price, $0.quantity, $0.cumulative) = (9_990, 20, 10)
        }
        bench.turn()
        #expect(bench.state(id) == .partiallyFilled)
        #expect(bench.context.order(id)?.remaining == Quantity(units: 10))
    }

    @Test("old terms do not decide a change that may still arrive")
    func aLostChangeMayStillArrive() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.context.modify(id, price: Price(units: 9_990), quantity: Quantity(units: 20))
        bench.sink.report(APUS_REPORT_UNKNOWN, id) { $0.action = UInt8(APUS_ORDER_MODIFY.rawValue) }
        let final = bench.feed.now + EngineConfiguration.lateArrival
        func tellOldTerms(asked: UInt64) {
            bench.sink.report(APUS_REPORT_STATUS, id) {
                $0.action = UInt8(APUS_ORDER_QUERY.rawValue)
                $0.status = UInt8(APUS_STATUS_NEW.rawValue)
                ($0.price, $0.quantity, $0.sent_ns) = (10_000, 10, asked)
            }
            bench.turn()
        }
        tellOldTerms(asked: final - 1)
        #expect(bench.state(id) == .live && bench.context.order(id)?.quantity == Quantity(units: 10))
        #expect(bench.instrument.record.pointee.openBuys == 20, "it may become twenty at any moment")
        #expect(
            bench.context.modify(id, price: Price(units: 9_990), quantity: Quantity(units: 12)).refusal
                == .changePending, "the one that may still arrive would undo it")
        #expect(bench.agent.nextDue.map { $0 <= final } == true, "it is asked about as soon as that is decided")
        bench.fill(id, 10, trade: 1, cumulative: 10)
        bench.turn()
        #expect(bench.state(id) != .filled && bench.instrument.record.pointee.openBuys == 10)
        tellOldTerms(asked: final)
        #expect(bench.state(id) == .filled && bench.instrument.record.pointee.openBuys == 0)
    }

    @Test func aChangeThatArrivedLateIsTakenOver() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.context.modify(id, price: Price(units: 9_990), quantity: Quantity(units: 20))
        bench.sink.report(APUS_REPORT_UNKNOWN, id) { $0.action = UInt8(APUS_ORDER_MODIFY.rawValue) }
        for quantity in [10, 20] as [Int64] {
            bench.sink.report(APUS_REPORT_STATUS, id) {
                $0.status = UInt8(APUS_STATUS_NEW.rawValue)
                ($0.price, $0.quantity, $0.sent_ns) = (quantity == 10 ? 10_000 : 9_990, quantity, bench.feed.now)
            }
            bench.turn()
            #expect(bench.instrument.record.pointee.openBuys == 20)
        }
        #expect(bench.context.modify(id, price: Price(units: 9_990), quantity: Quantity(units: 12)).id == id)
    }

    @Test func aCancelLeavesTheChangeBeforeItInDoubt() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.context.modify(id, price: Price(units: 9_990), quantity: Quantity(units: 20))
        bench.context.cancel(id)
        bench.fill(id, 10, trade: 1, cumulative: 10)
        bench.turn()
        #expect(bench.state(id) == .pendingCancel, "ten of twenty, or all")
        #expect(bench.instrument.record.pointee.openBuys == 10)
        bench.sink.report(APUS_REPORT_CANCELED, id) { ($0.quantity, $0.cumulative) = (20, 10) }
        bench.turn()
        #expect(bench.state(id) == .canceled && bench.instrument.record.pointee.openBuys == 0)
    }
}
