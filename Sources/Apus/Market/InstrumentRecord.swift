package import CApusRing

/// All that the decision thread knows of one instrument, in memory of an `InstrumentTable`. Views (`Instrument`,
/// `BookView`) point at it. Only the thread that runs the agent touches it.
@usableFromInline
package struct InstrumentRecord {
    // The event's word first: what each event writes and a strategy reads lies on the first lines.
    @usableFromInline package var touch = Touch.empty
    @usableFromInline package var eventNumber: UInt64 = 0
    @usableFromInline package var publishTime: UInt64 = 0
    @usableFromInline package var ticker = Touch.empty
    @usableFromInline package var index: UInt16 = 0
    @usableFromInline package var state: BookState = .syncing
    @usableFromInline package var flags: UInt8 = 0
    package var needsResync = false
    /// Whether the risk ledger holds a value of it that the next touch changes.
    package var valuation = Valuation.none
    /// Whether its value changes with its touch also where the account holds nothing: what was earned in a base asset, and what
    /// strategies hold against each other.
    package var isAlwaysValued = false
    /// Book events below this number are older than what the board has shown.
    package var knownBefore: UInt64 = 0

    @usableFromInline package var position = PositionLedger()
    package var openBuys: Int64 = 0
    package var openSells: Int64 = 0
    /// Open orders of either side.
    package var openOrders: Int32 = 0
    /// Whether what open buys would cost is kept in `openCost`: where an account pays in full.
    package var isPaidInFull = false
    /// What open buys would cost, in the settlement asset.
    package var openCost: Int128 = 0
    /// Price of the newest trade; 0 when there was none.
    package var lastTrade: Int64 = 0

    @usableFromInline package var tick: Int64
    @usableFromInline package var lot: Int64
    @usableFromInline package var priceDecimals: Int
    @usableFromInline package var quantityDecimals: Int
    @usableFromInline package var minQuantity: Int64
    @usableFromInline package var maxQuantity: Int64
    @usableFromInline package var minNotional: Money
    package var maxNotional: Money
    package var minPrice: Int64
    package var maxPrice: Int64
    private let venueMaxPrice: Int64
    /// Nanoseconds that an order with an end of its own must have before it.
    package var minLifetime: UInt64
    package var settlementAsset: String
    /// What one unit of the other asset that fees are paid in is worth in the settlement asset; zero: nobody knows.
    package var otherFeeRate = Money.zero
    @usableFromInline package var economics: Economics
    @usableFromInline package var symbol: String
    @usableFromInline package var venue: String

    package var depth: DepthCopy

    package init(_ definition: InstrumentDefinition, index: Int, depth: DepthCopy) throws(InstrumentError) {
        func units(_ value: ExactDecimal, _ decimals: Int, _ field: String) throws(InstrumentError) -> Int64 {
            do {
                return try value.units(decimals: decimals)
            } catch {
                throw InstrumentError(symbol: definition.symbol, field: field, reason: error.description)
            }
        }
        func require(_ holds: Bool, _ field: String, _ reason: String) throws(InstrumentError) {
            if !holds { throw InstrumentError(symbol: definition.symbol, field: field, reason: reason) }
        }
        try require(!definition.symbol.isEmpty, "symbol", "is empty")
        try require(
            definition.symbol.utf8.count < Int(APUS_SYMBOL_BYTES), "symbol",
            "has more than \(APUS_SYMBOL_BYTES - 1) bytes")
        try require((0...18).contains(definition.priceDecimals), "priceDecimals", "must be 0 to 18")
        try require((0...18).contains(definition.quantityDecimals), "quantityDecimals", "must be 0 to 18")
        try require(
            definition.priceDecimals + definition.quantityDecimals <= 18, "quantityDecimals",
            "price and quantity decimals together must not exceed 18, so that a value stays exact")
        try require(definition.multiplier > 0, "multiplier", "must be positive")
        tick = try units(definition.tick, definition.priceDecimals, "tick")
        lot = try units(definition.lot, definition.quantityDecimals, "lot")
        try require(tick > 0, "tick", "must be positive")
        try require(lot > 0, "lot", "must be positive")
        let least = definition.minQuantity ?? definition.lot
        minQuantity = try units(least, definition.quantityDecimals, "minQuantity")
        maxQuantity = .max
        if let most = definition.maxQuantity {
            maxQuantity = try units(most, definition.quantityDecimals, "maxQuantity")
        }
        try require(minQuantity >= 0 && minQuantity <= maxQuantity, "minQuantity", "must lie between 0 and maxQuantity")
        minNotional = definition.minNotional.map { Money($0) } ?? .zero
        maxNotional = definition.maxNotional.map { Money($0) } ?? .greatest
        try require(maxNotional >= minNotional, "maxNotional", "must not be below minNotional")
        minPrice = 1
        if let least = definition.minPrice { minPrice = try units(least, definition.priceDecimals, "minPrice") }
        var most = Int64.max
        if let price = definition.maxPrice { most = try units(price, definition.priceDecimals, "maxPrice") }
        try require(minPrice <= most, "maxPrice", "must not be below minPrice")
        (venueMaxPrice, maxPrice) = (most, most)
        try require((definition.minLifetimeSeconds ?? 0) >= 0, "minLifetimeSeconds", "must not be negative")
        minLifetime = UInt64(definition.minLifetimeSeconds ?? 0) * 1_000_000_000
        settlementAsset = definition.settlementAsset ?? ""
        priceDecimals = definition.priceDecimals
        quantityDecimals = definition.quantityDecimals
        economics = Economics(definition)
        symbol = definition.symbol
        venue = definition.venue
        self.index = UInt16(index)
        self.depth = depth
        change(tick: tick)
    }

    /// A new tick; the largest price of an outcome is one tick below 1.
    package mutating func change(tick new: Int64) {
        tick = new
        guard economics.contract == .binary else { return }
        maxPrice = min(venueMaxPrice, Int64(economics.priceOne) - new)
    }

    /// What a fee of so many 10^-8 in another asset than profit and loss is worth; nil: no rate is known.
    package func worth(ofOtherFee fee: Int64) -> Money? {
        if otherFeeRate == .zero { return nil }
        let worth = Money(atoms: otherFeeRate.atoms.scaled(by: fee.magnitude, over: 100_000_000))
        return fee < 0 ? -worth : worth
    }
}

/// What the risk ledger holds of an instrument.
package enum Valuation: UInt8 {
    /// Nothing: it is flat and has no open orders.
    case none
    /// A value at the newest touch.
    case fresh
    /// A value that a touch, an order or a fill has made old.
    case old
}

/// The decision thread's copy of one board entry, made when a strategy asks for depth.
package struct DepthCopy {
    package let bids: UnsafeMutablePointer<Level>
    package let asks: UnsafeMutablePointer<Level>
    package let board: UnsafePointer<apus_board>
    package var header = apus_board_header()
    /// The event after which the copy was made; `.max` when there is none.
    package var madeAfter: UInt64 = .max

    /// Copies the entry unless that was done since the event. False when the writer was in its midst at every try.
    package mutating func refresh(_ index: UInt16, after event: UInt64) -> Bool {
        if madeAfter == event { return true }
        let depth = Int(board.pointee.depth)
        let failure = bids.withMemoryRebound(to: apus_level.self, capacity: depth) { bids in
            asks.withMemoryRebound(to: apus_level.self, capacity: depth) { asks in
                apus_board_read(board, UInt32(index), &header, bids, asks)
            }
        }
        madeAfter = failure == 0 ? event : .max
        return failure == 0
    }
}
