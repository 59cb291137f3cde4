/// What the engine shares with a `Context`: written by the engine alone, between callbacks. The engine has one that sees the whole
/// account. One strategy that has everything sees by the same; each of several has its own.
@usableFromInline
package struct ContextCore {
    @usableFromInline package var now: UInt64 = 0
    @usableFromInline package var instruments: UnsafeMutablePointer<InstrumentRecord>
    @usableFromInline package var instrumentCount: Int
    package var orders: UnsafeMutablePointer<OrderRecord>
    package var open: UnsafeMutablePointer<UInt32>
    @usableFromInline package var openCount = 0
    package var desk: OrderDesk
    /// The account's balance without what its positions have brought; of the whole account alone.
    package var startBalance = Money.zero
    package var parameters: Parameters
    /// The one of the whole account, which has time and count of open orders; itself where it is that one.
    @usableFromInline package let whole: UnsafeMutablePointer<ContextCore>
    /// The number that its orders carry.
    @usableFromInline package var strategy: UInt8 = 0
    /// The first instrument's position, and how many bytes further each next one is.
    @usableFromInline package var positions: UnsafeMutableRawPointer
    @usableFromInline package var positionStride = MemoryLayout<InstrumentRecord>.stride
    /// Open orders of the strategy; nil: of the account.
    @usableFromInline package var ownOpenCount: UnsafeMutablePointer<Int32>?
    /// The numbers of the instruments that the strategy trades; nil: all.
    @usableFromInline package var numbers: UnsafeMutablePointer<UInt16>?
    /// By instrument, whether the strategy trades it; nil: all.
    @usableFromInline package var isTraded: UnsafeMutablePointer<Bool>?

    /// One that sees the whole account; `place` is where it will stand.
    package init(
        at place: UnsafeMutablePointer<ContextCore>, instruments: InstrumentTable,
        orders: UnsafeMutablePointer<OrderRecord>, open: UnsafeMutablePointer<UInt32>, desk: OrderDesk,
        parameters: Parameters
    ) {
        whole = place
        self.instruments = instruments.records
        instrumentCount = instruments.count
        positions = UnsafeMutableRawPointer(instruments.records.pointer(to: \.position)!)
        self.orders = orders
        self.open = open
        self.desk = desk
        self.parameters = parameters
    }

    @inlinable
    package func position(_ instrument: Int) -> UnsafeMutablePointer<PositionLedger> {
        (positions + instrument * positionStride).assumingMemoryBound(to: PositionLedger.self)
    }

    /// The number of the strategy's instrument at that place.
    @inlinable
    package func number(_ place: Int) -> Int {
        guard let numbers else { return place }
        return Int(numbers[place])
    }

    /// Whether the order is its own.
    @inlinable
    package func sees(_ order: Order) -> Bool { ownOpenCount == nil || order.strategy == strategy }

    /// Whether it may trade that instrument of the engine's.
    @inlinable
    package func trades(_ instrument: Instrument) -> Bool {
        guard instrument.record >= instruments, instrument.record < instruments + whole.pointee.instrumentCount else {
            return false
        }
        return isTraded.map { $0[instrument.index] } ?? true
    }
}
