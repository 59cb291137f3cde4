import CApusProtocol
import CApusRing
import Testing

/// The hot thread's table of open orders.
@Suite final class OpenOrdersTests {
    private let memory = UnsafeMutableRawPointer.allocate(byteCount: apus_open_orders_bytes(), alignment: 64)
    private var table = apus_open_orders()

    init() { apus_open_orders_init(&table, memory) }
    deinit { memory.deallocate() }

    private func add(_ id: UInt64, _ change: (inout apus_order) -> Void = { _ in }) -> Bool {
        var order = apus_order()
        order.client_id = id
        order.price = Int64(truncatingIfNeeded: id)
        change(&order)
        return apus_open_orders_add(&table, &order) != nil
    }

    /// Against a dictionary, with ids that crowd into few places.
    @Test func itHoldsWhatWasPutInAndNothingElse() {
        var model: [UInt64: Int64] = [:]
        var random = apus_random()
        apus_random_seed(&random, 11)
        var ended: Set<UInt64> = []
        for round in 0..<60_000 as Range<UInt64> {
            let id = 1 + (round / 60 + apus_random_below(&random, 900)) << 33 | apus_random_below(&random, 3)
            switch apus_random_below(&random, 3) {
            case 0 where !ended.contains(id):
                #expect(add(id))
                model[id] = Int64(bitPattern: id)
            case 1 where model[id] != nil:
                #expect(apus_open_orders_remove(&table, id))
                model[id] = nil
                ended.insert(id)
            default: #expect(apus_open_orders_find(&table, id)?.pointee.price == model[id])
            }
            #expect(Int(table.count) == model.count)
        }
        var cursor = 0
        var found: Set<UInt64> = []
        while let order = apus_open_orders_next(&table, &cursor) { found.insert(order.pointee.client_id) }
        #expect(found == Set(model.keys) && !found.isEmpty)
    }

    @Test func oldNewsDoNotBringAnOrderBack() {
        for id in 1...UInt64(APUS_OPEN_ORDERS_MAX) { #expect(add(id)) }
        for id in 1...UInt64(APUS_OPEN_ORDERS_MAX) { #expect(apus_open_orders_remove(&table, id)) }
        for id in 1...UInt64(APUS_OPEN_ORDERS_MAX) { #expect(!add(id)) }
        #expect(!apus_open_orders_remove(&table, 9_000) && !add(9_000), "its end was told before anything else of it")
        #expect(!apus_open_orders_remove(&table, 0) && table.count == 0)
    }

    @Test func aFullTableTakesNoMoreAndStillFinds() {
        for id in 1...UInt64(APUS_OPEN_ORDERS_MAX) { #expect(add(id)) }
        #expect(!add(UInt64(APUS_OPEN_ORDERS_MAX) + 1) && add(1), "one that is there is no new one")
        #expect(apus_open_orders_find(&table, UInt64(APUS_OPEN_ORDERS_MAX) + 1) == nil)
        #expect(!add(0) && apus_open_orders_find(&table, 0) == nil)
        #expect(apus_open_orders_remove(&table, 77) && add(UInt64(APUS_OPEN_ORDERS_MAX) + 1))
    }

    @Test func aCancelNamesTheOrderInEveryWayAVenueKnows() throws {
        #expect(
            add(5) {
                $0.quantity = 30
                $0.side = UInt8(APUS_SELL.rawValue)
                $0.instrument = 3
                $0.wall_ms = 1_700
                $0.expire_ms = 1_800
                $0.time_in_force = UInt8(APUS_POST_ONLY.rawValue)
            })
        let open = try #require(apus_open_orders_find(&table, 5))
        open.pointee.venue_id = 99
        var cancel = apus_order()
        apus_open_order_cancel(open, 42, &cancel)
        #expect(cancel.action == UInt8(APUS_ORDER_CANCEL.rawValue) && cancel.target_id == 5 && cancel.client_id == 0)
        #expect(cancel.venue_id == 99 && cancel.price == 5 && cancel.quantity == 30 && cancel.instrument == 3)
        #expect(cancel.side == UInt8(APUS_SELL.rawValue) && cancel.wall_ms == 1_700 && cancel.expire_ms == 1_800)
        #expect(cancel.time_in_force == UInt8(APUS_POST_ONLY.rawValue) && cancel.decided_ns == 42)
    }

    @Test func whatIsBeingCanceledIsNotGivenAgain() {
        for id in 1...10 as ClosedRange<UInt64> { #expect(add(id)) }
        var cursor = 0
        while let order = apus_open_orders_next(&table, &cursor) { order.pointee.canceling = true }
        cursor = 0
        #expect(apus_open_orders_next(&table, &cursor) == nil)
        #expect(add(11))
        cursor = 0
        #expect(apus_open_orders_next(&table, &cursor)?.pointee.client_id == 11)
    }
}
