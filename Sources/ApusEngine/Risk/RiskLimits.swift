package import Apus

/// What the first risk gate allows. Every default is small enough to be survived.
package struct RiskLimits: Codable, Sendable, Equatable {
    /// Quote value of one order.
    package var maxOrderNotional = Money(whole: 1_000)
    /// Quote value of a position with all open orders of one side filled.
    package var maxPositionNotional = Money(whole: 5_000)
    /// Quantity of one order; nil: only the venue's limit and the notional bound it.
    package var maxOrderQuantity: ExactDecimal?
    /// Quantity of a position with all open orders of one side filled; nil: only the notional bounds it.
    package var maxPosition: ExactDecimal?
    /// How far outside the touch a price may be, in millionths of it.
    package var priceBandPpm: Int64 = 10_000
    /// Open orders of all instruments together.
    package var maxOpenOrders = 50
    /// New and changed orders in a second, in the long run. Cancels are free.
    package var ordersPerSecond = 20
    /// New and changed orders at once.
    package var orderBurst = 20
    /// Limits of single instruments, by symbol, in place of the common ones.
    package var instruments: [String: InstrumentLimits] = [:]

    package init() {}

    package init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        self.init()
        maxOrderNotional = try keys.decodeIfPresent(Money.self, forKey: .maxOrderNotional) ?? maxOrderNotional
        maxPositionNotional = try keys.decodeIfPresent(Money.self, forKey: .maxPositionNotional) ?? maxPositionNotional
        maxOrderQuantity = try keys.decodeIfPresent(ExactDecimal.self, forKey: .maxOrderQuantity)
        maxPosition = try keys.decodeIfPresent(ExactDecimal.self, forKey: .maxPosition)
        priceBandPpm = try keys.decodeIfPresent(Int64.self, forKey: .priceBandPpm) ?? priceBandPpm
        maxOpenOrders = try keys.decodeIfPresent(Int.self, forKey: .maxOpenOrders) ?? maxOpenOrders
        ordersPerSecond = try keys.decodeIfPresent(Int.self, forKey: .ordersPerSecond) ?? ordersPerSecond
        orderBurst = try keys.decodeIfPresent(Int.self, forKey: .orderBurst) ?? orderBurst
        instruments = try keys.decodeIfPresent([String: InstrumentLimits].self, forKey: .instruments) ?? [:]
    }
}

/// Limits of one instrument; nil: the common limit holds.
package struct InstrumentLimits: Codable, Sendable, Equatable {
    package var maxOrderNotional: Money?
    package var maxPositionNotional: Money?
    package var maxOrderQuantity: ExactDecimal?
    package var maxPosition: ExactDecimal?
    package var priceBandPpm: Int64?

    package init() {}
}

/// A limit that makes no sense. It names the key.
package struct RiskLimitError: Error, Equatable, Sendable, CustomStringConvertible {
    package let key: String
    package let reason: String

    package var description: String { "risk limit \"\(key)\": \(reason)" }
}

/// The limits of one instrument in its own units. A notional limit L on parts worth s each is kept as ⌊L / s⌋ parts,
/// which is the same limit without the multiplication.
struct ResolvedLimits {
    let orderParts: Int128
    let minOrderParts: Int128
    let positionParts: Int128
    let orderQuantity: Int64
    let position: Int64
    let bandPpm: Int64

    init(_ limits: RiskLimits, _ instrument: Instrument) throws(RiskLimitError) {
        let own = limits.instruments[instrument.symbol] ?? InstrumentLimits()
        func units(_ value: ExactDecimal?, _ key: String) throws(RiskLimitError) -> Int64 {
            guard let value else { return .max }
            do {
                return try instrument.quantity(value).units
            } catch .overflow {
                return .max
            } catch {
                throw RiskLimitError(key: key, reason: "\(value) for \(instrument.symbol): \(error.description)")
            }
        }
        let economics = instrument.record.pointee.economics
        orderParts = economics.most(worth: (own.maxOrderNotional ?? limits.maxOrderNotional).atoms)
        minOrderParts = economics.least(worth: instrument.minNotional.atoms)
        positionParts = economics.most(worth: (own.maxPositionNotional ?? limits.maxPositionNotional).atoms)
        orderQuantity = try units(own.maxOrderQuantity ?? limits.maxOrderQuantity, "maxOrderQuantity")
        position = try units(own.maxPosition ?? limits.maxPosition, "maxPosition")
        bandPpm = own.priceBandPpm ?? limits.priceBandPpm
        guard (0...1_000_000).contains(bandPpm) else {
            throw RiskLimitError(key: "priceBandPpm", reason: "\(bandPpm) is not within 0 to 1000000")
        }
        guard orderQuantity >= 0 else { throw RiskLimitError(key: "maxOrderQuantity", reason: "must not be negative") }
        guard position >= 0 else { throw RiskLimitError(key: "maxPosition", reason: "must not be negative") }
    }
}
