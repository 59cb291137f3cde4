/// The newest trades that were taken in, by order and trade number: a trade counts once, also when it is told again by another
/// stream, after a reconnect or after a restart. Decision thread only; fixed size, the oldest are forgotten first.
///
/// A trade belongs to an order, since one trade may fill two orders of one account; what belongs to no order has the order 0.
package final class TradeTable {
    package enum Knowledge: Sendable {
        case new
        /// Taken in.
        case taken
        /// Taken back by the venue, or told to be before it was told itself: it never counts again.
        case undone
    }

    private struct Entry {
        var order: UInt64
        var trade: UInt64
        var isUndone: Bool
    }

    package let capacity: Int
    /// In the order of their coming, as a ring.
    private let entries: UnsafeMutablePointer<Entry>
    /// Open addressing: places in the ring plus one; 0 is empty.
    private let slots: UnsafeMutablePointer<UInt32>
    private let slotMask: Int
    private let slotShift: UInt64
    // In memory of its own: no exclusivity checks.
    private let used: UnsafeMutablePointer<Int>

    /// - Parameter capacity: a power of two.
    package init(capacity: Int) {
        precondition(capacity > 0 && capacity & (capacity - 1) == 0, "the trade table's size is a power of two")
        self.capacity = capacity
        entries = .allocate(capacity: capacity)
        slots = .allocate(capacity: 2 * capacity)
        slots.initialize(repeating: 0, count: 2 * capacity)
        slotMask = 2 * capacity - 1
        slotShift = UInt64(64 - (2 * capacity).trailingZeroBitCount)
        used = .allocate(capacity: 1)
        used.initialize(to: 0)
    }

    deinit {
        entries.deallocate()
        slots.deallocate()
        used.deallocate()
    }

    package func knowledge(of trade: UInt64, order: UInt64) -> Knowledge {
        guard trade != 0, let slot = find(order, trade) else { return .new }
        return entries[Int(slots[slot] - 1)].isUndone ? .undone : .taken
    }

    /// The order of a trade whose number no other order's has; nil when it is not known. It looks at all that are.
    package func order(of trade: UInt64) -> UInt64? {
        guard trade != 0 else { return nil }
        return (0..<min(used.pointee, capacity)).first { entries[$0].trade == trade }.map { entries[$0].order }
    }

    /// Notes a trade as taken in or as undone. A trade without a number cannot be known again.
    package func note(_ trade: UInt64, order: UInt64, isUndone: Bool = false) {
        guard trade != 0 else { return }
        if let slot = find(order, trade) {
            entries[Int(slots[slot] - 1)].isUndone = isUndone
            return
        }
        let place = used.pointee & (capacity - 1)
        if used.pointee >= capacity { forget(entries[place]) }
        entries[place] = Entry(order: order, trade: trade, isUndone: isUndone)
        used.pointee += 1
        var slot = home(order, trade)
        while slots[slot] != 0 { slot = (slot + 1) & slotMask }
        slots[slot] = UInt32(place + 1)
    }

    /// Notes all that this one knows in another, oldest first.
    /// - Parameter renamed: what an order is called there.
    package func copy(to other: TradeTable, renamed: (UInt64) -> UInt64) {
        for number in max(used.pointee - capacity, 0)..<used.pointee {
            let entry = entries[number & (capacity - 1)]
            other.note(entry.trade, order: renamed(entry.order), isUndone: entry.isUndone)
        }
    }

    // Multiplied by 2^64 / φ, numbers that count up lie evenly apart; the order is turned so that it does not meet the trade's bits.
    private func home(_ order: UInt64, _ trade: UInt64) -> Int {
        let mixed = (trade ^ (order << 32 | order >> 32)) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: mixed >> slotShift)
    }

    private func find(_ order: UInt64, _ trade: UInt64) -> Int? {
        var slot = home(order, trade)
        while slots[slot] != 0 {
            let entry = entries + Int(slots[slot] - 1)
            if entry.pointee.trade == trade && entry.pointee.order == order { return slot }
            slot = (slot + 1) & slotMask
        }
        return nil
    }

    /// Empties a slot and moves later ones of its chain back.
    private func forget(_ entry: Entry) {
        guard var gap = find(entry.order, entry.trade) else { return }
        var slot = (gap + 1) & slotMask
        while slots[slot] != 0 {
            let other = entries[Int(slots[slot] - 1)]
            if (slot - home(other.order, other.trade)) & slotMask >= (slot - gap) & slotMask {
                slots[gap] = slots[slot]
                gap = slot
            }
            slot = (slot + 1) & slotMask
        }
        slots[gap] = 0
    }
}
