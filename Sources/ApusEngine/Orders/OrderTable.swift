package import Apus

/// All orders that are open, and the newest of those that have ended, found by number. Decision thread only; fixed
/// size.
///
/// An open-addressing table of 32-bit places leads into a pool of records that never move. Ended orders stay for late
/// and doubled reports until their place is needed, the oldest first; those of which a fill is only assumed are the last to go.
///
/// The life of an order:
///
///     pendingNew ─sent→ sent ─accepted→ live ─fill→ partiallyFilled ─fill→ FILLED
///         │               │               │               │
///         └───────────────┴─rejected,─────┤               ├─canceled, expired→ CANCELED, EXPIRED
///                           refused       │               │
///                             ↓           ├─cancel asked→ pendingCancel ─canceled→ CANCELED
///                          REJECTED       │                 └─cancel rejected→ live, partiallyFilled or unknown
///                                         └─change asked→ pendingModify ─modified, rejected→ live, partiallyFilled
///
///     any open state ─an answer was lost→ unknown ─status→ what the venue says; not found→ REJECTED
///
/// A fill counts in every state, also an ended one, exactly once. A cancel that is rejected without a reason that the
/// order is still there makes it unknown: it may have been filled, and the venue is asked.
package final class OrderTable {
    package let capacity: Int
    package let records: UnsafeMutablePointer<OrderRecord>
    /// The places of open orders, dense.
    package let open: UnsafeMutablePointer<UInt32>
    package var openCount: Int { counts.pointee.open }
    /// Open orders of each strategy, by its number.
    let openByStrategy: UnsafeMutablePointer<Int32>
    // In memory of its own: no exclusivity checks.
    private let counts: UnsafeMutablePointer<Counts>
    private let slots: UnsafeMutablePointer<UInt32>
    private let slotMask: Int
    private let slotShift: UInt64
    private let free: UnsafeMutablePointer<UInt32>
    private let ended: UnsafeMutablePointer<UInt32>
    private let isEnded: UnsafeMutablePointer<Bool>

    private struct Counts {
        var open = 0
        var free: Int
        /// Places from 0 on that have ever held a record.
        var made = 0
        var endedHead = 0
        var ended = 0
    }

    /// - Parameter capacity: a power of two, how many orders are known at once.
    package init(capacity: Int = 4096) {
        precondition(capacity > 0 && capacity & (capacity - 1) == 0, "the order table's size is a power of two")
        self.capacity = capacity
        records = .allocate(capacity: capacity)
        open = .allocate(capacity: capacity)
        free = .allocate(capacity: capacity)
        ended = .allocate(capacity: capacity)
        isEnded = .allocate(capacity: capacity)
        openByStrategy = .allocate(capacity: Int(UInt8.max) + 1)
        openByStrategy.initialize(repeating: 0, count: Int(UInt8.max) + 1)
        slots = .allocate(capacity: 2 * capacity)
        slotMask = 2 * capacity - 1
        slotShift = UInt64(64 - (2 * capacity).trailingZeroBitCount)
        slots.initialize(repeating: 0, count: 2 * capacity)
        isEnded.initialize(repeating: false, count: capacity)
        for index in 0..<capacity { (free + index).initialize(to: UInt32(capacity - 1 - index)) }
        counts = .allocate(capacity: 1)
        counts.initialize(to: Counts(free: capacity))
    }

    deinit {
        records.deallocate()
        open.deallocate()
        free.deallocate()
        ended.deallocate()
        isEnded.deallocate()
        openByStrategy.deallocate()
        slots.deallocate()
        counts.deallocate()
    }

    /// Whether one more order fits: there is a free place, or one of an ended order.
    package var hasRoom: Bool { counts.pointee.free > 0 || openCount < capacity }

    /// The record of that number; nil when it is not known (any more).
    package func find(_ id: OrderID) -> UnsafeMutablePointer<OrderRecord>? {
        guard let slot = findSlot(id) else { return nil }
        return records + Int(slots[slot] - 1)
    }

    /// Where an order is looked for first. Multiplied by 2^64 / φ, numbers that count up lie evenly apart (Knuth, "The
    /// Art of Computer Programming", volume 3, 6.4): without it they were one long chain, and forgetting one of them
    /// took microseconds.
    @inline(__always)
    private func home(_ id: OrderID) -> Int {
        Int(truncatingIfNeeded: (id.value &* 0x9E37_79B9_7F4A_7C15) >> slotShift)
    }

    private func findSlot(_ id: OrderID) -> Int? {
        var slot = home(id)
        while slots[slot] != 0 {
            if records[Int(slots[slot] - 1)].order.id == id { return slot }
            slot = (slot + 1) & slotMask
        }
        return nil
    }

    /// Adds an order. There is room, and the number is new.
    @discardableResult
    package func insert(_ order: Order) -> UnsafeMutablePointer<OrderRecord> {
        if counts.pointee.free == 0 { forgetOldest() }
        precondition(counts.pointee.free > 0, "an order is added only with room")
        counts.pointee.free -= 1
        let place = free[counts.pointee.free]
        let record = records + Int(place)
        if counts.pointee.made > Int(place) {
            record.pointee.renew(order)
        } else {
            record.initialize(to: OrderRecord(order))
            counts.pointee.made = Int(place) + 1  // places are given out from 0 on
        }
        var slot = home(order.id)
        while slots[slot] != 0 {
            precondition(records[Int(slots[slot] - 1)].order.id != order.id, "an order number is used once")
            slot = (slot + 1) & slotMask
        }
        slots[slot] = place + 1
        reopen(record)
        return record
    }

    /// Puts a record among the open ones.
    func reopen(_ record: UnsafeMutablePointer<OrderRecord>) {
        record.pointee.openPlace = UInt32(openCount)
        open[openCount] = UInt32(record - records)
        counts.pointee.open += 1
        openByStrategy[Int(record.pointee.order.strategy)] += 1
        record.pointee.order.instrument.record.pointee.openOrders += 1
    }

    /// Takes a record from among the open ones; it stays known.
    func end(_ record: UnsafeMutablePointer<OrderRecord>) {
        let place = UInt32(record - records)
        let gap = Int(record.pointee.openPlace)
        counts.pointee.open -= 1
        openByStrategy[Int(record.pointee.order.strategy)] -= 1
        record.pointee.order.instrument.record.pointee.openOrders -= 1
        open[gap] = open[openCount]
        records[Int(open[gap])].openPlace = UInt32(gap)
        if isEnded[Int(place)] { return }  // ended, revived and ended again: it already stands in line
        stand(inLine: place)
    }

    private func stand(inLine place: UInt32) {
        isEnded[Int(place)] = true
        ended[(counts.pointee.endedHead + counts.pointee.ended) & (capacity - 1)] = place
        counts.pointee.ended += 1
    }

    /// Orders, open and ended, of which a fill was taken in that no trade has told of. Looks at all of them.
    package var assumed: [OrderRecord] {
        (0..<counts.pointee.made).filter { records[$0].assumed > 0 && find(records[$0].order.id) == records + $0 }
            .map { records[$0] }
    }

    /// The venue's numbers of all orders of an instrument, open and ended. Looks at all orders.
    package func venueIDs(of instrument: Instrument) -> [UInt64] {
        (0..<counts.pointee.made).filter {
            records[$0].venueID != 0 && records[$0].order.instrument == instrument
                && find(records[$0].order.id) == records + $0
        }.map { records[$0].venueID }
    }

    private func forgetOldest() {
        var kept = 0
        while counts.pointee.ended > 0 {
            let place = ended[counts.pointee.endedHead]
            counts.pointee.endedHead = (counts.pointee.endedHead + 1) & (capacity - 1)
            counts.pointee.ended -= 1
            isEnded[Int(place)] = false
            let record = records + Int(place)
            if record.pointee.order.isOpen { continue }  // revived by a late answer
            // The trade that is still to come says at which price and fee: it stands in line again, unless all do.
            if record.pointee.assumed > 0, kept <= counts.pointee.ended {
                stand(inLine: place)
                kept += 1
                continue
            }
            remove(record.pointee.order.id)
            free[counts.pointee.free] = place
            counts.pointee.free += 1
            return
        }
    }

    /// Empties a slot and moves later ones of its chain back, so that no chain is broken and no marks pile up.
    private func remove(_ id: OrderID) {
        guard var gap = findSlot(id) else { return }
        var slot = (gap + 1) & slotMask
        while slots[slot] != 0 {
            let wanted = home(records[Int(slots[slot] - 1)].order.id)
            if (slot - wanted) & slotMask >= (slot - gap) & slotMask {
                slots[gap] = slots[slot]
                gap = slot
            }
            slot = (slot + 1) & slotMask
        }
        slots[gap] = 0
    }
}
