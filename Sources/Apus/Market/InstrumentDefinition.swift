/// How a contract turns a change of its price into money. Formulas: `Position`.
public enum ContractKind: String, Sendable, Codable, CaseIterable {
    /// A coin or a share, or a contract settled in the quote asset (Binance spot and USDⓈ-M).
    case linear
    /// A contract of a fixed quote value settled in the base asset (Binance COIN-M).
    case inverse
    /// An outcome that pays 0 or 1 (Polymarket).
    case binary
}

/// What is known about an instrument before the engine runs: from the venue's metadata or from a configuration.
///
/// ```swift
/// let definition = InstrumentDefinition(
///     symbol: "BTCUSDT", venue: "binance-usdm", priceDecimals: 2, quantityDecimals: 3,
///     tick: try ExactDecimal("0.10"), lot: try ExactDecimal("0.001"))
/// ```
public struct InstrumentDefinition: Sendable, Hashable, Codable {
    /// The venue's name for it.
    public var symbol: String
    /// The venue.
    public var venue: String
    /// How its price becomes money.
    public var contract: ContractKind
    /// Decimals of its prices.
    public var priceDecimals: Int
    /// Decimals of its quantities.
    public var quantityDecimals: Int
    /// The least distance of two prices.
    public var tick: ExactDecimal
    /// The least distance of two quantities.
    public var lot: ExactDecimal
    /// The least quantity of an order; nil: one lot.
    public var minQuantity: ExactDecimal?
    /// The largest quantity of an order that the venue takes; nil: it names none.
    public var maxQuantity: ExactDecimal?
    /// The least quote value of an order; nil: the venue names none.
    public var minNotional: ExactDecimal?
    /// What one contract stands for: base coins (linear) or quote value (inverse).
    public var multiplier: Int64
    /// The largest quote value of an order that the venue takes; nil: it names none.
    public var maxNotional: ExactDecimal?
    /// The least and the largest price of an order that the venue takes; nil: it names none. An outcome's price always
    /// lies in tick to 1 - tick.
    public var minPrice: ExactDecimal?
    /// See `minPrice`.
    public var maxPrice: ExactDecimal?
    /// Seconds that an order with an end of its own must have before it (Polymarket: 60, Binance: 605); nil: the venue names none.
    public var minLifetimeSeconds: Int?
    /// The asset that profit, loss and margin are paid in. Instruments of one asset share its balance; nil: the asset
    /// that most instruments of the account settle in.
    public var settlementAsset: String?

    /// A definition; whether it is sound shows `InstrumentError` when an engine takes it.
    public init(
        symbol: String, venue: String, contract: ContractKind = .linear, priceDecimals: Int, quantityDecimals: Int,
        tick: ExactDecimal, lot: ExactDecimal, minQuantity: ExactDecimal? = nil, maxQuantity: ExactDecimal? = nil,
        minNotional: ExactDecimal? = nil, multiplier: Int64 = 1
    ) {
        self.symbol = symbol
        self.venue = venue
        self.contract = contract
        self.priceDecimals = priceDecimals
        self.quantityDecimals = quantityDecimals
        self.tick = tick
        self.lot = lot
        self.minQuantity = minQuantity
        self.maxQuantity = maxQuantity
        self.minNotional = minNotional
        self.multiplier = multiplier
    }
}

/// Why an engine does not take an instrument: the field, and what is wrong with it.
public struct InstrumentError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The symbol.
    public let symbol: String
    /// The field of `InstrumentDefinition`.
    public let field: String
    /// What is wrong.
    public let reason: String

    /// The error in words.
    public var description: String { "instrument \(symbol), \(field): \(reason)" }
}
