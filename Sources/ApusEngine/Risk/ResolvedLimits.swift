internal import Apus

/// The limits of one instrument in its own units, the venue's among them. A notional limit L on parts worth s each is
/// kept as ⌊L / s⌋ parts, which is the same limit without the multiplication.
struct ResolvedLimits {
    /// The venue's and the user's minimum; an order that only reduces may be smaller.
    let minOrderParts: Int128
    let orderParts: Int128
    let positionParts: Int128
    let orderQuantity: Int64
    let position: Int64
    let bandPpm: Int64
    /// 1,000,000: no bound.
    let tradeBandPpm: Int64
    /// Nanoseconds; `.max`: a book is never too old.
    let bookAge: UInt64
    let openOrders: Int32
    let ordersPerMinute: Int

    init(_ limits: RiskLimits, _ instrument: Instrument) throws(RiskLimitError) {
        let own = limits.instruments[instrument.symbol] ?? InstrumentLimits()
        func units(_ value: ExactDecimal?, _ key: String) throws(RiskLimitError) -> Int64 {
            try Self.units(value, key, instrument)
        }
        func within(_ value: Int64, _ range: ClosedRange<Int64>, _ key: String) throws(RiskLimitError) -> Int64 {
            try Self.within(value, range, key)
        }
        let record = instrument.record
        let economics = record.pointee.economics
        let most = min(own.maxOrderNotional ?? limits.maxOrderNotional, record.pointee.maxNotional)
        let least = max(own.minOrderNotional ?? limits.minOrderNotional ?? .zero, record.pointee.minNotional)
        orderParts = economics.most(worth: most.atoms)
        minOrderParts = economics.least(worth: least.atoms)
        positionParts = economics.most(worth: (own.maxPositionNotional ?? limits.maxPositionNotional).atoms)
        let quantity = try units(own.maxOrderQuantity ?? limits.maxOrderQuantity, "maxOrderQuantity")
        orderQuantity = min(quantity, record.pointee.maxQuantity)
        position = try units(own.maxPosition ?? limits.maxPosition, "maxPosition")
        bandPpm = try within(own.priceBandPpm ?? limits.priceBandPpm, 0...1_000_000, "priceBandPpm")
        let usual: Int64 = instrument.contract == .binary ? 1_000_000 : 100_000
        tradeBandPpm = try within(
            own.tradeBandPpm ?? limits.tradeBandPpm ?? usual, 0...1_000_000, "tradeBandPpm")
        let age = try within(Int64(own.maxBookAgeMs ?? limits.maxBookAgeMs), 0...1_000_000_000, "maxBookAgeMs")
        bookAge = age == 0 ? .max : UInt64(age) * 1_000_000
        let orders = Int64(own.maxInstrumentOrders ?? limits.maxInstrumentOrders)
        openOrders = Int32(try within(orders, 0...Int64(Int32.max), "maxInstrumentOrders"))
        let rate = Int64(own.ordersPerMinute ?? limits.ordersPerMinute)
        ordersPerMinute = Int(try within(rate, 0...Self.fastest, "ordersPerMinute"))
    }

    /// A quantity in the instrument's units; nil: no bound.
    static func units(
        _ value: ExactDecimal?, _ key: String, _ instrument: Instrument
    ) throws(RiskLimitError) -> Int64 {
        guard let value else { return .max }
        let units: Int64
        do {
            units = try instrument.quantity(value).units
        } catch .overflow {
            return .max
        } catch {
            throw RiskLimitError(key: key, reason: "\(value) for \(instrument.symbol): \(error.description)")
        }
        return try within(units, 0 ... .max, key)
    }

    private static func within(
        _ value: Int64, _ range: ClosedRange<Int64>, _ key: String
    ) throws(RiskLimitError) -> Int64 {
        guard range.contains(value) else {
            let bounds = "\(range.lowerBound) to \(range.upperBound)"
            throw RiskLimitError(key: key, reason: "\(value) is not within \(bounds)")
        }
        return value
    }

    /// One order a nanosecond: as good as no limit.
    static var fastest: Int64 { 60_000_000_000 }

    /// The first limit that lets more through than before.
    func looser(than old: ResolvedLimits) -> String? {
        if minOrderParts < old.minOrderParts { return "minOrderNotional" }
        if orderParts > old.orderParts { return "maxOrderNotional" }
        if positionParts > old.positionParts { return "maxPositionNotional" }
        if orderQuantity > old.orderQuantity { return "maxOrderQuantity" }
        if position > old.position { return "maxPosition" }
        if bandPpm > old.bandPpm { return "priceBandPpm" }
        if tradeBandPpm > old.tradeBandPpm { return "tradeBandPpm" }
        if bookAge > old.bookAge { return "maxBookAgeMs" }
        if openOrders > old.openOrders { return "maxInstrumentOrders" }
        if ordersPerMinute > old.ordersPerMinute { return "ordersPerMinute" }
        return nil
    }
}
