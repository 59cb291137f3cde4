package import CApusRing

/// The instruments of one engine in the order of the feed's numbers, in memory that does not move.
/// One thread at a time; it must outlive every `Instrument` and `BookView` made from it.
package final class InstrumentTable {
    package let records: UnsafeMutablePointer<InstrumentRecord>
    package let capacity: Int
    package var count: Int { used.pointee }
    // In memory of its own: no exclusivity checks.
    private let used: UnsafeMutablePointer<Int>
    private let board: UnsafeMutablePointer<apus_board>

    /// - Parameter board: the board that depth is read from; it must stay mapped as long as the table lives.
    package init(board: apus_board) {
        capacity = Int(board.instruments)
        records = .allocate(capacity: max(capacity, 1))
        used = .allocate(capacity: 1)
        used.initialize(to: 0)
        self.board = .allocate(capacity: 1)
        self.board.initialize(to: board)
    }

    /// Adds the instrument with the feed number `count`.
    @discardableResult
    package func add(_ definition: InstrumentDefinition) throws(InstrumentError) -> Instrument {
        guard count < capacity else {
            throw InstrumentError(
                symbol: definition.symbol, field: "symbol", reason: "the engine has room for \(capacity) instruments")
        }
        let depth = Int(board.pointee.depth)
        let levels = UnsafeMutablePointer<Level>.allocate(capacity: 2 * depth + 1)
        levels.initialize(repeating: Level(price: .zero, quantity: .zero), count: 2 * depth + 1)
        let copy = DepthCopy(bids: levels, asks: levels + depth, board: UnsafePointer(board))
        do {
            try (records + count).initialize(to: InstrumentRecord(definition, index: count, depth: copy))
        } catch {
            levels.deallocate()
            throw error
        }
        used.pointee += 1
        return self[count - 1]
    }

    package subscript(_ index: Int) -> Instrument {
        precondition(index < count, "no such instrument")
        return Instrument(records + index)
    }

    deinit {
        for index in 0..<count { records[index].depth.bids.deallocate() }
        records.deinitialize(count: count)
        records.deallocate()
        used.deallocate()
        board.deallocate()
    }
}
