/// What a strategy can ask and do. Given to each callback; valid within it.
///
/// ```swift
/// mutating func timer(_ timer: TimerID, _ context: Context) {
///     for instrument in context.instruments where context.position(of: instrument).isFlat {
///         context.cancelAll(instrument)
///     }
///     context.setTimer(after: .seconds(1))
/// }
/// ```
@frozen
public struct Context {
    @usableFromInline package let core: UnsafeMutablePointer<ContextCore>

    @inlinable
    package init(_ core: UnsafeMutablePointer<ContextCore>) { self.core = core }

    /// The time, in nanoseconds on a monotonic scale: of the event that is being told, simulated in replay and
    /// backtest.
    @inlinable
    public var now: UInt64 { core.pointee.whole.pointee.now }

    // MARK: Instruments and books

    /// The instruments that the strategy trades, in the order of their numbers; all, unless the configuration says which.
    @inlinable
    public var instruments: Instruments { Instruments(core: core) }

    /// The instrument of that name, on that venue if one is named; nil when the engine has none. O(instruments).
    public func instrument(_ symbol: String, venue: String? = nil) -> Instrument? {
        instruments.first { $0.symbol == symbol && (venue == nil || $0.venue == venue) }
    }

    /// The newest book that the strategy has been told of.
    @inlinable
    public func book(of instrument: Instrument) -> BookView { BookView(instrument.record) }

    // MARK: Orders

    /// Places a limit order: at `price` or better.
    /// - Parameters:
    ///   - expiresAfter: the order ends by itself so long from now; only with `.goodTillCanceled` and `.postOnly`. Venues
    ///     count in whole seconds, and some want it to be a minute away.
    ///   - whenLimited: what happens when the instrument's order rate is used up.
    @discardableResult
    @inlinable
    public func limit(
        _ side: Side, _ quantity: Quantity, of instrument: Instrument, at price: Price,
        _ timeInForce: TimeInForce = .goodTillCanceled, reduceOnly: Bool = false, expiresAfter: Duration? = nil,
        whenLimited: WhenLimited = .refuse
    ) -> Placement {
        let expiry = expiresAfter.map { max(now &+ Self.nanoseconds($0), 1) } ?? 0
        return place(
            OrderRequest(
                instrument: instrument, side: side, type: .limit, timeInForce: timeInForce, isReduceOnly: reduceOnly,
                price: price.units, quantity: quantity.units, expiry: expiry, whenLimited: whenLimited,
                strategy: core.pointee.strategy))
    }

    /// Places a market order: at what the book offers, within the risk gate's price band.
    @discardableResult
    @inlinable
    public func market(
        _ side: Side, _ quantity: Quantity, of instrument: Instrument, reduceOnly: Bool = false,
        whenLimited: WhenLimited = .refuse
    ) -> Placement {
        place(
            OrderRequest(
                instrument: instrument, side: side, type: .market, timeInForce: .immediateOrCancel,
                isReduceOnly: reduceOnly, price: 0, quantity: quantity.units, whenLimited: whenLimited,
                strategy: core.pointee.strategy))
    }

    @usableFromInline
    func place(_ request: OrderRequest) -> Placement { core.pointee.desk.place(core, request) }

    @usableFromInline
    static func nanoseconds(_ duration: Duration) -> UInt64 {
        let (seconds, attoseconds) = duration.components
        return UInt64(clamping: seconds) &* 1_000_000_000 &+ UInt64(clamping: attoseconds / 1_000_000_000)
    }

    /// Asks for an order's end. It stays open, and may still be filled, until a report says so.
    @discardableResult
    public func cancel(_ id: OrderID) -> Placement { core.pointee.desk.cancel(core, id) }

    /// Asks for a new price and a new whole quantity (what is already filled included). The order keeps its number.
    @discardableResult
    public func modify(_ id: OrderID, price: Price, quantity: Quantity) -> Placement {
        core.pointee.desk.modify(core, id, price.units, quantity.units)
    }

    /// Asks for the end of every open order, or of one instrument's. Returns how many cancels went out.
    @discardableResult
    public func cancelAll(_ instrument: Instrument? = nil) -> Int {
        var count = 0
        for order in openOrders where instrument == nil || order.instrument == instrument {
            if case .placed = cancel(order.id) { count += 1 }
        }
        return count
    }

    /// The strategy's orders that may still be filled, in no particular order. An order placed meanwhile is not among them.
    @inlinable
    public var openOrders: OpenOrders { OpenOrders(core: core) }

    /// The strategy's order of that number, open or ended lately; nil when the engine does not know it (any more).
    public func order(_ id: OrderID) -> Order? { core.pointee.desk.order(core, id) }

    // MARK: Positions and money

    /// What the strategy holds of an instrument. The positions of all strategies together are the account's.
    @inlinable
    public func position(of instrument: Instrument) -> Position {
        Position(instrument.record, core.pointee.position(instrument.index))
    }

    /// The account's: what it had at the start plus all realised profit since then minus all fees and funding. Where nobody has said what
    /// it had, it counts from zero.
    public var balance: Money {
        let profit = Context(core.pointee.whole).profit
        return core.pointee.whole.pointee.startBalance + profit.realised - profit.fees - profit.funding
    }

    /// The strategy's profit and loss over its instruments. O(instruments).
    public var profit: Profit {
        var sum = Profit()
        for instrument in instruments {
            let position = position(of: instrument)
            sum.realised += position.realised
            sum.unrealised += position.unrealised
            sum.fees += position.fees
            sum.funding += position.funding
        }
        return sum
    }

    // MARK: Timers and parameters

    /// Sets a timer, once or at a steady pace; nil when 64 are set already. `Strategy.timer` gets the number.
    @discardableResult
    public func setTimer(after delay: Duration, repeats: Bool = false) -> TimerID? {
        let wait = Self.nanoseconds(delay)
        return core.pointee.desk.setTimer(core, now &+ wait, repeats ? wait : 0)
    }

    /// Takes a timer back. False when it is not set any more.
    @discardableResult
    public func cancelTimer(_ timer: TimerID) -> Bool { core.pointee.desk.cancelTimer(core, timer) }

    /// The strategy's parameters, as `StrategyDescription` declared them.
    public var parameters: Parameters { core.pointee.parameters }
}

/// The number of a timer.
@frozen
public struct TimerID: Sendable, Hashable {
    /// The strategy's number in the high byte.
    package let value: UInt64

    package init(_ value: UInt64) { self.value = value }

    package init(_ number: UInt64, of strategy: UInt8) { value = UInt64(strategy) << 56 | number }

    /// Whose it is.
    package var strategy: Int { Int(value >> 56) }
}

/// The instruments that a strategy trades.
@frozen
public struct Instruments: RandomAccessCollection {
    @usableFromInline let core: UnsafeMutablePointer<ContextCore>

    @inlinable
    init(core: UnsafeMutablePointer<ContextCore>) { self.core = core }

    /// Zero.
    @inlinable
    public var startIndex: Int { 0 }
    /// How many there are.
    @inlinable
    public var endIndex: Int { core.pointee.instrumentCount }
    /// The instrument with that number.
    @inlinable
    public subscript(_ index: Int) -> Instrument {
        precondition(index >= 0 && index < core.pointee.instrumentCount, "no such instrument")
        return Instrument(core.pointee.instruments + core.pointee.number(index))
    }
}

/// The orders that may still be filled, each as it was when the loop came to it.
@frozen
public struct OpenOrders: Sequence, IteratorProtocol {
    @usableFromInline let core: UnsafeMutablePointer<ContextCore>
    @usableFromInline var place = 0
    // Of all strategies.
    @usableFromInline let end: Int

    /// How many were open when the sequence was made.
    public let count: Int

    @inlinable
    init(core: UnsafeMutablePointer<ContextCore>) {
        self.core = core
        end = core.pointee.whole.pointee.openCount
        count = core.pointee.ownOpenCount.map { Int($0.pointee) } ?? end
    }

    /// The next one.
    public mutating func next() -> Order? {
        while place < end {
            let record = core.pointee.orders + Int(core.pointee.open[place])
            place += 1
            if core.pointee.sees(record.pointee.order) { return record.pointee.order }
        }
        return nil
    }
}
