/// One instrument that the engine trades: what its numbers mean, and the rules that its orders obey.
///
/// A small handle, copied freely; valid while the engine runs.
///
/// ```swift
/// mutating func book(_ book: BookView, _ context: Context) {
///     let instrument = book.instrument
///     guard let bid = book.bid else { return }
///     print(instrument.symbol, instrument.text(bid))
/// }
/// ```
@frozen
public struct Instrument: Hashable {
    @usableFromInline package let record: UnsafeMutablePointer<InstrumentRecord>

    @inlinable
    package init(_ record: UnsafeMutablePointer<InstrumentRecord>) { self.record = record }

    /// Its number in this engine, from 0: use it as an index into arrays of your own.
    @inlinable
    public var index: Int { Int(record.pointee.index) }
    /// The venue's name for it.
    public var symbol: String { record.pointee.symbol }
    /// The venue.
    public var venue: String { record.pointee.venue }
    /// How its price becomes money.
    public var contract: ContractKind { record.pointee.economics.contract }
    /// What one contract stands for: base coins (linear) or quote value (inverse).
    public var multiplier: Int64 { record.pointee.economics.multiplier }
    /// Decimals of its prices.
    @inlinable
    public var priceDecimals: Int { record.pointee.priceDecimals }
    /// Decimals of its quantities.
    @inlinable
    public var quantityDecimals: Int { record.pointee.quantityDecimals }
    /// The least distance of two prices. Some venues change it: `Strategy.tickSize` tells.
    @inlinable
    public var tick: Price { Price(units: record.pointee.tick) }
    /// The least distance of two quantities.
    @inlinable
    public var lot: Quantity { Quantity(units: record.pointee.lot) }
    /// The least quantity of an order.
    @inlinable
    public var minQuantity: Quantity { Quantity(units: record.pointee.minQuantity) }
    /// The least quote value of an order.
    @inlinable
    public var minNotional: Money { record.pointee.minNotional }

    /// Reads a price; an error when it has more decimals than the instrument.
    public func price(_ text: some StringProtocol) throws(DecimalError) -> Price {
        try Price(text, decimals: priceDecimals)
    }
    /// The price of that decimal number.
    public func price(_ decimal: ExactDecimal) throws(DecimalError) -> Price {
        Price(units: try decimal.units(decimals: priceDecimals))
    }
    /// Reads a quantity; an error when it has more decimals than the instrument.
    public func quantity(_ text: some StringProtocol) throws(DecimalError) -> Quantity {
        try Quantity(text, decimals: quantityDecimals)
    }
    /// The quantity of that decimal number.
    public func quantity(_ decimal: ExactDecimal) throws(DecimalError) -> Quantity {
        Quantity(units: try decimal.units(decimals: quantityDecimals))
    }
    /// The price in digits.
    public func text(_ price: Price) -> String { price.text(decimals: priceDecimals) }
    /// The quantity in digits.
    public func text(_ quantity: Quantity) -> String { quantity.text(decimals: quantityDecimals) }

    /// The value in the quote asset of so much at that price, exact; it stops at `Money.greatest`.
    /// linear, binary: price · quantity · multiplier; inverse: quantity · multiplier.
    @inlinable
    public func notional(_ price: Price, _ quantity: Quantity) -> Money {
        Money(atoms: record.pointee.economics.notional(price.units, quantity.units))
    }

    /// The largest whole number of lots that costs at most `money` at that price: 0 when that is less than one lot.
    public func quantity(worth money: Money, at price: Price) -> Quantity {
        let one = record.pointee.economics.notional(price.units, record.pointee.lot)
        guard one > 0, money > .zero else { return .zero }
        let lots = min(money.atoms / one, Int128(Int64.max / record.pointee.lot))
        return Quantity(units: Int64(lots) * record.pointee.lot)
    }
}
