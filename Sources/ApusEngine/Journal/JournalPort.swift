package import CApusRing

/// The decision thread's end of a journal. What it appends to is memory that the journal thread, or a simulated disk, gives.
package struct JournalPort {
    let writer: UnsafeMutablePointer<apus_journal>
    /// Orders leave only after their intent is durable.
    let holdsOrders: Bool
    /// Records that orders may not use: they are for reports, cancels and changes of state.
    let reserve: UInt64

    /// - Parameter segmentRecords: how many records a segment has.
    package init(_ writer: UnsafeMutablePointer<apus_journal>, holdsOrders: Bool, segmentRecords: UInt64) {
        self.writer = writer
        self.holdsOrders = holdsOrders
        reserve = min(UInt64(APUS_JOURNAL_RESERVE), segmentRecords / 4)
    }

    /// Whether one more order may be written down.
    @inline(__always)
    var hasRoom: Bool { apus_journal_room(writer) > reserve }

    /// Writes an intent down, held where the policy says so. Cancels are never held. Returns the record's number; 0: no room.
    @inline(__always)
    func intent(_ order: borrowing ApprovedOrder, _ action: apus_order_action, now: UInt64, wall: UInt64) -> UInt64 {
        if holdsOrders && action != APUS_ORDER_CANCEL { order.hold(until: apus_journal_next(writer)) }
        return order.withRequest { append(APUS_JOURNAL_INTENT, $0, now, wall) }
    }

    @inline(__always)
    func report(_ report: UnsafePointer<apus_report>, now: UInt64, wall: UInt64) {
        _ = append(APUS_JOURNAL_REPORT, report, now, wall)
    }

    @discardableResult
    @inline(__always)
    func append(
        _ kind: apus_journal_kind, _ payload: UnsafeRawPointer, _ now: UInt64, _ wall: UInt64
    ) -> UInt64 {
        apus_journal_append(writer, UInt16(truncatingIfNeeded: kind.rawValue), payload, now, wall)
    }
}
