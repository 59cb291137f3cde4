import CApusRing
import Testing

@testable import Apus
@testable import ApusEngine

@Suite struct OrderLifeTests {
    /// What a status tells and what a fill shows to be missing is assumed at one price, and corrected from it (the
    /// difference is earned, not held).
    @Test func theOrderInWhichFillsAreLearnedDoesNotChangeTheirCost() throws {
        func cost(_ tell: (Bench, OrderID) -> Void) throws -> Int128 {
            let bench = try Bench()
            bench.open()
            let id = try bench.resting(10)
            tell(bench, id)
            bench.turn()
            #expect(bench.context.order(id)?.filled == Quantity(units: 5))
            let position = bench.instrument.record.pointee.position
            return position.cost - position.realised
        }
        let right = try cost { bench, id in
            bench.fill(id, 2, trade: 1, cumulative: 2, price: 9_980)
            bench.fill(id, 2, trade: 2, cumulative: 4, price: 9_970)
            bench.fill(id, 1, trade: 3, cumulative: 5, price: 9_990)
        }
        for hasTotals in [true, false] {
            let learned = try cost { bench, id in
                bench.sink.report(APUS_REPORT_STATUS, id) {
                    ($0.cumulative, $0.price, $0.quantity) = (2, 10_000, 10)
                    $0.status = UInt8(APUS_STATUS_PARTIALLY_FILLED.rawValue)
                }
                bench.fill(id, 1, trade: 3, cumulative: 5, price: 9_990)
                bench.fill(id, 2, trade: 1, cumulative: hasTotals ? 2 : 0, price: 9_980)
                bench.fill(id, 2, trade: 2, cumulative: hasTotals ? 4 : 0, price: 9_970)
            }
            #expect(learned == right)
        }
    }

    @Test func anOrdinaryLife() throws {
        let bench = try Bench.opened()
        let id = try #require(bench.buy(10).id)
        #expect(bench.state(id) == .pendingNew)
        bench.sink.report(APUS_REPORT_SENT, id)
        bench.turn()
        #expect(bench.state(id) == .sent)
        bench.sink.report(APUS_REPORT_ACCEPTED, id)
        bench.turn()
        #expect(bench.state(id) == .live)
        bench.fill(id, 4, trade: 1, cumulative: 4, fee: 50_000_000)
        bench.turn()
        #expect(bench.state(id) == .partiallyFilled)
        #expect(bench.held == 4)
        bench.fill(id, 6, trade: 2, cumulative: 10)
        bench.turn()
        #expect(bench.state(id) == .filled)
        #expect(bench.held == 10)
        #expect(bench.context.openOrders.count == 0)
        #expect(bench.context.position(of: bench.instrument).fees == (try Money("0.5")))
        #expect(bench.recorder.reports.map(\.kind) == [.sent, .accepted, .fill, .fill])
        #expect(bench.instrument.record.pointee.openBuys == 0)
        #expect(bench.agent.summary.fills == 2)
    }

    @Test func fillsBeforeTheAccept() throws {
        let bench = try Bench.opened()
        let id = try #require(bench.buy(10).id)
        bench.fill(id, 4, trade: 1, cumulative: 4)
        bench.sink.report(APUS_REPORT_ACCEPTED, id)
        bench.turn()
        #expect(bench.state(id) == .partiallyFilled)
        #expect(bench.recorder.reports.map(\.kind) == [.fill, .accepted])
        bench.fill(id, 6, trade: 2, cumulative: 10)
        bench.sink.report(APUS_REPORT_SENT, id)
        bench.sink.report(APUS_REPORT_ACCEPTED, id)
        bench.turn()
        #expect(bench.state(id) == .filled)
        #expect(bench.agent.summary.duplicateReports == 1)
    }

    @Test func aDoubledFillCountsOnce() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(100)
        for _ in 0..<3 { bench.fill(id, 4, trade: 9, cumulative: 4) }
        bench.turn()
        #expect(bench.held == 4)
        #expect(bench.recorder.reports.filter { $0.kind == .fill }.count == 1)
    }

    @Test func aDoubledFillCountsOnceWhenItsNumberIsForgotten() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(100)
        for trade in 1...40 { bench.fill(id, 1, trade: UInt64(trade), cumulative: Int64(trade)) }
        for trade in 1...40 { bench.fill(id, 1, trade: UInt64(trade), cumulative: Int64(trade)) }
        bench.turn()
        #expect(bench.held == 40)
    }

    @Test func fillsOutOfOrderAllCount() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.fill(id, 3, trade: 2, cumulative: 5)
        bench.fill(id, 2, trade: 1, cumulative: 2)
        bench.fill(id, 2, trade: 1, cumulative: 2)
        bench.turn()
        #expect(bench.held == 5)
        bench.fill(id, 5, trade: 3, cumulative: 10)
        bench.turn()
        #expect(bench.state(id) == .filled)
    }

    @Test func fillAfterCancelCounts() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.context.cancel(id)
        #expect(bench.state(id) == .pendingCancel)
        #expect(bench.context.cancel(id).refusal == .changePending)
        bench.sink.report(APUS_REPORT_CANCELED, id) { $0.cumulative = 4 }
        bench.turn()
        #expect(bench.state(id) == .canceled)
        #expect(bench.held == 4, "filled at the venue, not yet told")
        #expect(bench.recorder.reports.last?.fill?.quantity == Quantity(units: 4))
        bench.fill(id, 4, trade: 1, cumulative: 4, fee: 5)
        bench.turn()
        #expect(bench.held == 4)
        #expect(bench.context.position(of: bench.instrument).fees == (try Money("0.00000005")))
        #expect(bench.state(id) == .canceled)
        #expect(bench.instrument.record.pointee.openBuys == 0)
        #expect(bench.recorder.reports.map(\.kind) == [.accepted, .canceled])
    }

    @Test func cancelRejectedBecauseFilled() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.context.cancel(id)
        bench.fill(id, 10, trade: 1, cumulative: 10)
        bench.sink.report(APUS_REPORT_CANCEL_REJECTED, id) { $0.action = UInt8(APUS_ORDER_CANCEL.rawValue) }
        bench.turn()
        #expect(bench.state(id) == .filled)
        #expect(bench.context.cancel(id).refusal == .noSuchOrder)
    }

    @Test func cancelRejectedBeforeTheFillIsHeardOfAsks() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.context.cancel(id)
        _ = bench.sink.next()
        bench.sink.report(APUS_REPORT_CANCEL_REJECTED, id) { $0.action = UInt8(APUS_ORDER_CANCEL.rawValue) }
        bench.turn()
        #expect(bench.state(id) == .unknown)
        #expect(bench.sink.next().map { UInt32($0.action) } == APUS_ORDER_QUERY.rawValue)
        bench.fill(id, 10, trade: 1, cumulative: 10)
        bench.turn()
        #expect(bench.state(id) == .filled)
        bench.sink.report(APUS_REPORT_STATUS, id) {
            $0.status = UInt8(APUS_STATUS_FILLED.rawValue)
            $0.cumulative = 10
        }
        bench.turn()
        #expect(bench.held == 10)
    }

    @Test func cancelRejectedWhileTheOrderStands() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.context.cancel(id)
        bench.sink.report(APUS_REPORT_CANCEL_REJECTED, id) {
            $0.action = UInt8(APUS_ORDER_CANCEL.rawValue)
            $0.status = UInt8(APUS_STATUS_NEW.rawValue)
        }
        bench.turn()
        #expect(bench.state(id) == .live)
    }

    @Test func aCancelThatTheGuardRefusedLeavesTheOrder() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.context.cancel(id)
        bench.sink.report(APUS_REPORT_REFUSED, id) { $0.action = UInt8(APUS_ORDER_CANCEL.rawValue) }
        bench.turn()
        #expect(bench.state(id) == .live)
        #expect(bench.agent.summary.rejections == 0)
    }

    @Test(arguments: [APUS_REPORT_REJECTED, APUS_REPORT_REFUSED])
    func rejected(kind: apus_report_kind) throws {
        let bench = try Bench.opened()
        let id = try #require(bench.buy(10).id)
        bench.sink.report(kind, id) { $0.code = -2010 }
        bench.turn()
        #expect(bench.state(id) == .rejected)
        #expect(bench.recorder.reports.last?.code == -2010)
        #expect(bench.instrument.record.pointee.openBuys == 0)
        #expect(bench.agent.summary.rejections == 1)
    }

    @Test func expired() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.fill(id, 3, trade: 1, cumulative: 3)
        bench.sink.report(APUS_REPORT_EXPIRED, id) { $0.cumulative = 3 }
        bench.turn()
        #expect(bench.state(id) == .expired)
        #expect(bench.held == 3)
        #expect(bench.instrument.record.pointee.openBuys == 0)
    }

    @Test func modifyReservesTheLargerUntilAnswered() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        #expect(bench.context.modify(id, price: Price(units: 9_990), quantity: Quantity(units: 15)).id == id)
        #expect(bench.state(id) == .pendingModify)
        #expect(bench.instrument.record.pointee.openBuys == 15)
        #expect(
            bench.context.modify(id, price: Price(units: 9_980), quantity: Quantity(units: 5)).refusal == .changePending
        )
        let order = try #require(bench.sink.next())
        #expect(UInt32(order.action) == APUS_ORDER_MODIFY.rawValue)
        #expect(order.target_id == id.value)
        #expect(order.quantity == 15)
        bench.sink.report(APUS_REPORT_MODIFIED, id) {
            $0.price = 9_990
            $0.quantity = 15
        }
        bench.turn()
        #expect(bench.state(id) == .live)
        #expect(bench.context.order(id)?.price == Price(units: 9_990))
        #expect(bench.context.modify(id, price: Price(units: 9_990), quantity: Quantity(units: 5)).id == id)
        #expect(bench.instrument.record.pointee.openBuys == 15)
        bench.sink.report(APUS_REPORT_MODIFY_REJECTED, id) {
            $0.action = UInt8(APUS_ORDER_MODIFY.rawValue)
            $0.status = UInt8(APUS_STATUS_NEW.rawValue)
        }
        bench.turn()
        #expect(bench.state(id) == .live)
        #expect(bench.instrument.record.pointee.openBuys == 15)
        #expect(bench.context.modify(id, price: Price(units: 9_990), quantity: .zero).refusal == .quantityNotPositive)
    }

    @Test func aFillShowsThatOneBeforeItWasMissed() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(20)
        bench.fill(id, 5, trade: 2, cumulative: 15)
        bench.turn()
        #expect(bench.held == 15)
        bench.fill(id, 10, trade: 1, cumulative: 10, fee: 3)
        bench.turn()
        #expect(bench.held == 15, "it was counted when it was found missing")
        #expect(bench.context.position(of: bench.instrument).fees == (try Money("0.00000003")))
        bench.fill(id, 5, trade: 3, cumulative: 20)
        bench.turn()
        #expect(bench.held == 20)
        #expect(bench.state(id) == .filled)
    }

    @Test func whatWasAssumedDoesNotSwallowALaterFill() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(20)
        bench.sink.report(APUS_REPORT_STATUS, id) {
            $0.status = UInt8(APUS_STATUS_PARTIALLY_FILLED.rawValue)
            $0.cumulative = 10
        }
        bench.fill(id, 5, trade: 2, cumulative: 15)
        bench.turn()
        #expect(bench.held == 15)
    }

    @Test("a status that ends an order is believed whatever is under way", arguments: [true, false])
    func aStatusEnds(isCanceling: Bool) throws {
        let ends: [(apus_order_status, OrderState)] = [
            (APUS_STATUS_FILLED, .filled), (APUS_STATUS_CANCELED, .canceled), (APUS_STATUS_EXPIRED, .expired),
            (APUS_STATUS_REJECTED, .rejected),
        ]
        for (status, state) in ends {
            let bench = try Bench.opened()
            let id = try bench.resting(10)
            bench.context.modify(id, price: Price(units: 9_990), quantity: Quantity(units: 20))
            if isCanceling { bench.context.cancel(id) }
            let filled: Int64 = state == .filled ? 20 : 4
            bench.sink.report(APUS_REPORT_STATUS, id) {
                $0.action = UInt8(APUS_ORDER_QUERY.rawValue)
                $0.status = UInt8(status.rawValue)
                ($0.price, $0.quantity, $0.cumulative) = (9_990, 20, filled)
            }
            bench.turn()
            #expect(bench.state(id) == state && bench.held == filled)
            #expect(bench.context.order(id)?.quantity == Quantity(units: 20), "the change was carried out before")
            #expect(bench.context.openOrders.count == 0 && bench.instrument.record.pointee.openBuys == 0)
            #expect(bench.agent.summary.overfills == 0)
        }
    }

    @Test("whatever the venue says of an order shows that it has arrived")
    func arrived() throws {
        for lost in [true, false] {
            let bench = try Bench.opened()
            let id = try #require(bench.buy(10).id)
            bench.sink.report(APUS_REPORT_SENT, id)
            if lost { bench.sink.report(APUS_REPORT_UNKNOWN, id) }
            bench.sink.report(APUS_REPORT_STATUS, id) { $0.status = UInt8(APUS_STATUS_NEW.rawValue) }
            bench.turn()
            #expect(bench.state(id) == .live)
            bench.sink.report(APUS_REPORT_ACCEPTED, id)
            bench.turn()
            #expect(bench.state(id) == .live && bench.agent.summary.duplicateReports == 1)
        }
        for kind in [APUS_REPORT_CANCEL_REJECTED, APUS_REPORT_MODIFIED] {
            let bench = try Bench.opened()
            let id = try #require(bench.buy(10).id)
            bench.context.cancel(id)
            bench.sink.report(APUS_REPORT_UNKNOWN, id)
            bench.sink.report(kind, id) {
                $0.status = UInt8(APUS_STATUS_NEW.rawValue)
                $0.sent_ns = bench.feed.now
            }
            bench.turn()
            // It is not there any more, so that it must have ended; an order that never came would be rejected.
            bench.sink.report(APUS_REPORT_MISSED, OrderID(0))
            bench.sink.report(APUS_REPORT_NOT_FOUND, id) {
                $0.sent_ns = bench.feed.now + EngineConfiguration.lateArrival
            }
            bench.turn()
            #expect(bench.state(id) == .canceled)
        }
    }

    @Test func statusTellsOfFillsThatWereMissed() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.sink.report(APUS_REPORT_UNKNOWN, id)
        bench.sink.report(APUS_REPORT_STATUS, id) {
            $0.status = UInt8(APUS_STATUS_FILLED.rawValue)
            $0.cumulative = 10
        }
        bench.turn()
        #expect(bench.state(id) == .filled)
        #expect(bench.held == 10)
        #expect(bench.recorder.reports.last?.fill?.quantity == Quantity(units: 10))
        #expect(bench.instrument.record.pointee.openBuys == 0)
        // The fill report comes after all, at a better price and with a fee: 0.010 · 0.10 better.
        bench.fill(id, 10, trade: 5, cumulative: 10, price: 9_990, fee: 7)
        bench.turn()
        #expect(bench.held == 10)
        #expect(bench.context.position(of: bench.instrument).realised == (try Money("0.001")))
        #expect(bench.context.position(of: bench.instrument).fees == (try Money("0.00000007")))
        bench.fill(id, 10, trade: 5, cumulative: 10, price: 9_990, fee: 7)
        bench.turn()
        #expect(bench.context.position(of: bench.instrument).fees == (try Money("0.00000007")))
    }

    @Test func notFoundEndsAndALateAcceptRevives() throws {
        let bench = try Bench.opened()
        let id = try #require(bench.buy(10).id)
        bench.sink.report(APUS_REPORT_NOT_FOUND, id)
        bench.turn()
        #expect(bench.state(id) == .pendingNew, "only an order that was asked about can be not found")
        bench.sink.report(APUS_REPORT_UNKNOWN, id)
        let late = bench.feed.now + EngineConfiguration.lateArrival
        bench.sink.report(APUS_REPORT_NOT_FOUND, id) { $0.sent_ns = late - 1 }
        bench.turn()
        #expect(bench.state(id) == .unknown, "the order itself may still be on its way")
        bench.sink.report(APUS_REPORT_NOT_FOUND, id) { $0.sent_ns = late }
        bench.turn()
        #expect(bench.state(id) == .rejected)
        #expect(bench.context.openOrders.count == 0)
        bench.sink.report(APUS_REPORT_ACCEPTED, id)
        bench.turn()
        #expect(bench.state(id) == .live)
        #expect(bench.context.openOrders.count == 1)
        #expect(bench.instrument.record.pointee.openBuys == 10)
    }

    @Test func foreignReportsTouchNothing() throws {
        let bench = try Bench.opened()
        bench.fill(OrderID(99), 10, trade: 1, cumulative: 10)
        bench.sink.report(apus_report_kind(200), OrderID(99))
        bench.turn()
        #expect(bench.held == 0)
        #expect(bench.agent.summary.strangeReports == 2)
        #expect(bench.recorder.reports.isEmpty)
    }

    @Test func overfillsAreCountedIntoThePosition() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.fill(id, 12, trade: 1, cumulative: 12)
        bench.turn()
        #expect(bench.held == 12)
        #expect(bench.agent.summary.overfills == 1)
        #expect(bench.instrument.record.pointee.openBuys == 0)
    }

    @Test func feesInAnotherAssetAreNotMoney() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.sink.report(APUS_REPORT_FILL, id) {
            $0.quantity = 10
            $0.price = 10_000
            $0.trade_id = 1
            $0.fee = 1_000
            $0.flags = UInt8(APUS_REPORT_FEE_OTHER_ASSET.rawValue)
        }
        bench.turn()
        #expect(bench.context.position(of: bench.instrument).fees == .zero)
    }

    @Test func cancelAllAsksForEachOnce() throws {
        let bench = try Bench.opened()
        for _ in 0..<5 { _ = try bench.resting(1) }
        #expect(bench.context.cancelAll() == 5)
        #expect(bench.context.cancelAll() == 0)
        var count = 0
        while let order = bench.sink.next() {
            #expect(UInt32(order.action) == APUS_ORDER_CANCEL.rawValue)
            count += 1
        }
        #expect(count == 5)
    }
}
