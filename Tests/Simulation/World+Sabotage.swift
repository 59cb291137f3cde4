import Apus
import ApusEngine
import CApusProtocol
import CApusRing

/// Mistakes that can be made on purpose on every venue.
extension World {
    /// Takes the newest record back out of the journal if it is an intent, as if it had never been written.
    func dropIntent() {
        let writer = disk.writer
        guard let place = writer.pointee.place, writer.pointee.left < disk.segmentRecords else { return }
        let newest = place - Int(APUS_JOURNAL_RECORD)
        let isPlacement = newest.withMemoryRebound(to: apus_journal_record.self, capacity: 1) { record in
            record.pointee.kind == UInt16(APUS_JOURNAL_INTENT.rawValue)
                && UInt8(truncatingIfNeeded: record.pointee.payload.1 >> 16) == UInt8(APUS_ORDER_PLACE.rawValue)
        }
        guard isPlacement else { return }
        newest.update(repeating: 0, count: Int(APUS_JOURNAL_RECORD))
        writer.pointee.place = newest
        writer.pointee.left += 1
        writer.pointee.next -= 1
        writer.pointee.published -= 1
        isSabotaged = true
    }

    /// The same order once more, under another number.
    func copy(of order: Order) -> apus_order {
        var copy = apus_order()
        copy.client_id = order.id.value ^ 1 << 30
        copy.instrument = UInt16(order.instrument.index)
        copy.action = UInt8(APUS_ORDER_PLACE.rawValue)
        copy.side = order.side.rawValue
        copy.type = order.type.rawValue
        copy.time_in_force = order.timeInForce.rawValue
        copy.price = order.price.units
        copy.quantity = order.quantity.units
        copy.band_high = .max
        copy.decided_ns = now
        copy.wall_ms = UInt64(Int64(now) + wallOffset) / 1_000_000
        return copy
    }

    /// Sends an order past the engine. Returns false when there is no room.
    func push(_ order: apus_order) -> Bool {
        withUnsafePointer(to: order) { apus_order_push(engine.queues.pointee.orders, $0) == 0 }
    }

    /// Tells of a fill that never was. Returns false when there is no room.
    func inventFill(of order: Order, quantity: Int64) -> Bool {
        var report = apus_report()
        report.client_id = order.id.value
        report.kind = UInt8(APUS_REPORT_FILL.rawValue)
        report.price = order.price.units
        report.quantity = quantity
        report.cumulative = order.filled.units + quantity
        report.trade_id = 99
        return apus_report_push(engine.queues.pointee.reports, &report) == 0
    }

    /// Changes what the session has told before the engine takes it in.
    ///
    /// - Parameter body: what is told instead of a report.
    func retell(_ body: (apus_report) -> [apus_report]) {
        guard let reports = engine.queues.pointee.reports else { return }
        var told: [apus_report] = []
        var report = apus_report()
        while apus_report_pop(reports, &report) { told += body(report) }
        for var report in told { _ = apus_report_push(reports, &report) }
    }
}
