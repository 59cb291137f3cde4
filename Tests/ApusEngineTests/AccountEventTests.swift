import CApusRing
import Testing

@testable import Apus
@testable import ApusEngine

/// Fills that are taken back, and what the venue tells of no order.
@Suite struct AccountEventTests {
    private func undo(
        _ bench: Bench, _ id: OrderID, _ quantity: Int64, trade: UInt64, fee: Int64 = 0,
        status: apus_order_status = APUS_STATUS_NONE
    ) {
        bench.sink.report(APUS_REPORT_UNDONE, id) {
            $0.quantity = quantity
            $0.price = 10_000
            $0.trade_id = trade
            $0.fee = fee
            $0.status = UInt8(status.rawValue)
        }
        bench.turn()
    }

    @Test("a fill that is taken back leaves nothing behind, once")
    func undone() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.fill(id, 4, trade: 1, cumulative: 4, fee: 300)
        bench.fill(id, 6, trade: 2, cumulative: 10, fee: 500)
        bench.turn()
        #expect(bench.state(id) == .filled && bench.held == 10)
        undo(bench, id, 6, trade: 2, fee: 500)
        #expect(bench.state(id) == .canceled && bench.held == 4)
        let position = bench.context.position(of: bench.instrument)
        #expect(position.fees == Money(hundredMillionths: 300))
        #expect(position.bought == Quantity(units: 4) && position.sold == .zero)
        #expect(position.realised == .zero)
        #expect(bench.recorder.reports.last?.kind == .fillUndone)
        #expect(bench.recorder.reports.last?.fill?.quantity == Quantity(units: 6))
        undo(bench, id, 6, trade: 2, fee: 500)
        bench.fill(id, 6, trade: 2, cumulative: 10)
        bench.turn()
        #expect(bench.held == 4 && bench.recorder.reports.count { $0.kind == .fillUndone } == 1)
    }

    @Test("an order stands again when the venue says so, and is filled by another trade")
    func stands() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.fill(id, 10, trade: 1, cumulative: 10)
        bench.turn()
        undo(bench, id, 10, trade: 1, status: APUS_STATUS_NEW)
        #expect(bench.state(id) == .live && bench.held == 0)
        #expect(bench.instrument.record.pointee.openBuys == 10)
        bench.fill(id, 10, trade: 5, cumulative: 10)
        bench.turn()
        #expect(bench.state(id) == .filled && bench.held == 10 && bench.instrument.record.pointee.openBuys == 0)
    }

    @Test("an undoing that comes before its fill keeps the fill out")
    func undoneFirst() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        undo(bench, id, 4, trade: 3)
        bench.fill(id, 4, trade: 3)
        bench.turn()
        #expect(bench.held == 0 && bench.state(id) == .live)
    }

    @Test("what was only learned from a status is taken back at the price it was assumed at")
    func undoneAssumed() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.sink.report(APUS_REPORT_STATUS, id) {
            $0.status = UInt8(APUS_STATUS_PARTIALLY_FILLED.rawValue)
            $0.cumulative = 4
        }
        bench.turn()
        #expect(bench.held == 4)
        undo(bench, id, 4, trade: 8)
        #expect(bench.held == 0 && bench.context.position(of: bench.instrument).profit == .zero)
    }

    private func tell(_ bench: Bench, _ kind: apus_report_kind, _ change: (inout apus_report) -> Void) {
        bench.sink.report(kind, OrderID(0), change)
        bench.turn()
    }

    @Test("a position that the venue closes is closed once")
    func settled() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        bench.fill(id, 10, trade: 1, cumulative: 10)
        bench.turn()
        for _ in 0..<2 {
            tell(bench, APUS_REPORT_SETTLED) {
                $0.side = Side.sell.rawValue
                $0.price = 12_000
                $0.quantity = 10
                $0.trade_id = 77
            }
        }
        let position = bench.context.position(of: bench.instrument)
        let gain = try Money("0.2")
        #expect(position.isFlat && position.realised == gain)
        #expect(bench.agent.summary.duplicateReports == 1)
    }

    @Test("funding is paid once, and the wallet is what was told last")
    func fundingAndBalance() throws {
        let bench = try Bench.opened()
        for trade in [5, 5, 6] as [UInt64] {
            tell(bench, APUS_REPORT_FUNDING) {
                $0.fee = 100
                $0.trade_id = trade
            }
        }
        #expect(bench.context.position(of: bench.instrument).funding == Money(hundredMillionths: 200))
        tell(bench, APUS_REPORT_BALANCE) { $0.fee = 900 }
        tell(bench, APUS_REPORT_BALANCE) { $0.fee = 700 }
        #expect(bench.agent.life.pointee.walletBalance == Money(hundredMillionths: 700))
        tell(bench, APUS_REPORT_SETTLED) {
            $0.instrument = 9
            $0.quantity = 1
        }
        #expect(bench.agent.summary.strangeReports == 1)
    }

    @Test("funding without an instrument, of cross-margined positions, is that of the largest position")
    func fundingOfCrossMargin() throws {
        let journal = MemoryJournal(capacity: 400, segments: 1)
        _ = apus_journal_offer(journal.writer, journal.memory[0] + MemoryJournal.record, 400)
        let bench = try Bench(
            instruments: [definition("ETHUSDT"), definition()], limits: wideLimits(),
            journal: JournalPort(journal.writer, holdsOrders: false, segmentRecords: 400))
        func pay() {
            tell(bench, APUS_REPORT_FUNDING) {
                ($0.fee, $0.trade_id, $0.instrument) = (100, 5, UInt16.max)
            }
        }
        pay()
        #expect(bench.agent.summary.strangeReports == 1, "nobody holds anything")
        for (instrument, quantity) in [(0, 10), (1, 30)] as [(UInt16, Int64)] {
            tell(bench, APUS_REPORT_SETTLED) {
                ($0.instrument, $0.price, $0.quantity, $0.trade_id) = (instrument, 10_000, quantity, 7)
            }
        }
        pay()
        // Told twice while another position has become the largest.
        tell(bench, APUS_REPORT_SETTLED) {
            ($0.instrument, $0.price, $0.quantity, $0.trade_id) = (0, 10_000, 90, 8)
        }
        pay()
        let paid = bench.context.instruments.map { bench.context.position(of: $0).funding }
        #expect(paid == [.zero, Money(hundredMillionths: 100)])
        let state = JournalState(orderCapacity: 64)
        #expect(try state.replay(JournalReader(journal.segments)) == .clean)
        #expect(state.instrument("BTCUSDT")?.record.pointee.position.funding == Money(hundredMillionths: 100).atoms)
    }

    @Test("a stall has canceled what was open: the venue is asked")
    func stalled() throws {
        let bench = try Bench.opened()
        let id = try bench.resting(10)
        tell(bench, APUS_REPORT_STALLED) { $0.code = 1 }
        #expect(bench.state(id) == .unknown)
        #expect(bench.sink.next()?.action == UInt8(APUS_ORDER_QUERY.rawValue))
    }

    @Test("trades are known again until newer ones have taken their place")
    func tradeTable() {
        let table = TradeTable(capacity: 8)
        for trade in 1...20 as ClosedRange<UInt64> {
            #expect(table.knowledge(of: trade, order: 3) == .new)
            table.note(trade, order: 3)
            #expect(table.knowledge(of: trade, order: 3) == .taken)
            #expect(table.knowledge(of: trade, order: 4) == .new)
        }
        for trade in 1...12 as ClosedRange<UInt64> { #expect(table.knowledge(of: trade, order: 3) == .new) }
        for trade in 13...20 as ClosedRange<UInt64> { #expect(table.knowledge(of: trade, order: 3) == .taken) }
        table.note(15, order: 3, isUndone: true)
        let copy = TradeTable(capacity: 16)
        table.copy(to: copy) { $0 }
        #expect(copy.knowledge(of: 15, order: 3) == .undone && copy.knowledge(of: 20, order: 3) == .taken)
        #expect(copy.knowledge(of: 0, order: 3) == .new)
    }
}
