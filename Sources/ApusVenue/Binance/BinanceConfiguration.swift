/// Decimals of balances, fees and notionals, as the venue shows them.
let moneyDecimals = 8

/// One instrument and the character of its market.
package struct SymbolConfiguration: Sendable {
    /// Upper-case name, for example `BTCUSDT`.
    package var name: String
    package var baseAsset: String
    package var quoteAsset: String
    /// Decimals of prices on the wire; a price is an integer of `10^-priceDecimals`.
    package var priceDecimals: Int
    /// Decimals of quantities on the wire; a quantity is an integer of `10^-quantityDecimals`.
    package var quantityDecimals: Int
    /// Price units.
    package var tickSize: Int64
    /// Quantity units.
    package var lotStep: Int64
    /// Quantity units; larger orders are refused.
    package var maxQuantity: Int64
    /// Smallest order value in `10^-8` of the quote asset; reduce-only orders may be smaller.
    package var minNotional: Int64
    /// Price units.
    package var startPrice: Int64
    /// Mean size of a participant's order, in quantity units.
    package var typicalQuantity: Int64
    /// How far the fundamental value moves in one second, in millionths of the price (one standard deviation).
    package var volatilityPpm: Double
    /// Far passive levels on each side.
    package var farLevels: Int

    /// An instrument from decimal texts, as a person writes them.
    package init(
        name: String, baseAsset: String, quoteAsset: String = "USDT", priceDecimals: Int, quantityDecimals: Int,
        tickSize: String, lotStep: String, maxQuantity: String, minNotional: String, startPrice: String,
        typicalQuantity: String, volatilityPpm: Double = 20, farLevels: Int = 1000
    ) throws(VenueConfigurationError) {
        func units(_ text: String, _ decimals: Int, _ field: String) throws(VenueConfigurationError) -> Int64 {
            do { return try parseDecimal(text, decimals: decimals) } catch {
                throw VenueConfigurationError(
                    description:
                        "symbol \(name): \(field) \"\(text)\" is no decimal with \(decimals) decimals (\(error))")
            }
        }
        self.name = name
        self.baseAsset = baseAsset
        self.quoteAsset = quoteAsset
        self.priceDecimals = priceDecimals
        self.quantityDecimals = quantityDecimals
        self.tickSize = try units(tickSize, priceDecimals, "tickSize")
        self.lotStep = try units(lotStep, quantityDecimals, "lotStep")
        self.maxQuantity = try units(maxQuantity, quantityDecimals, "maxQuantity")
        self.minNotional = try units(minNotional, moneyDecimals, "minNotional")
        self.startPrice = try units(startPrice, priceDecimals, "startPrice")
        self.typicalQuantity = try units(typicalQuantity, quantityDecimals, "typicalQuantity")
        self.volatilityPpm = volatilityPpm
        self.farLevels = farLevels
    }

    /// BTCUSDT as the real venue lists it, near 61,800.
    package static func btcusdt() throws(VenueConfigurationError) -> SymbolConfiguration {
        try SymbolConfiguration(
            name: "BTCUSDT", baseAsset: "BTC", priceDecimals: 2, quantityDecimals: 3, tickSize: "0.10",
            lotStep: "0.001", maxQuantity: "1000", minNotional: "50", startPrice: "61800.00", typicalQuantity: "0.120")
    }

    /// ETHUSDT, near 2,650.
    package static func ethusdt() throws(VenueConfigurationError) -> SymbolConfiguration {
        try SymbolConfiguration(
            name: "ETHUSDT", baseAsset: "ETH", priceDecimals: 2, quantityDecimals: 3, tickSize: "0.01",
            lotStep: "0.001", maxQuantity: "10000", minNotional: "20", startPrice: "2650.00", typicalQuantity: "1.500")
    }

    /// SOLUSDT, near 155.
    package static func solusdt() throws(VenueConfigurationError) -> SymbolConfiguration {
        try SymbolConfiguration(
            name: "SOLUSDT", baseAsset: "SOL", priceDecimals: 4, quantityDecimals: 0, tickSize: "0.0100",
            lotStep: "1", maxQuantity: "1000000", minNotional: "5", startPrice: "155.0000", typicalQuantity: "25")
    }

    func validate() throws(VenueConfigurationError) {
        func require(_ condition: Bool, _ text: String) throws(VenueConfigurationError) {
            if !condition { throw VenueConfigurationError(description: "symbol \(name): \(text)") }
        }
        try require(!name.isEmpty && name == name.uppercased(), "the name must be upper case")
        try require(priceDecimals >= 0 && quantityDecimals >= 0, "decimals must not be negative")
        try require(
            priceDecimals + quantityDecimals <= moneyDecimals, "price and quantity decimals must add to 8 at most")
        try require(tickSize > 0 && lotStep > 0, "tickSize and lotStep must be above zero")
        try require(startPrice > 0 && startPrice % tickSize == 0, "startPrice must be a positive multiple of tickSize")
        try require(startPrice / tickSize >= 1000, "startPrice must be at least 1,000 ticks")
        try require(typicalQuantity >= lotStep, "typicalQuantity must be at least lotStep")
        try require(maxQuantity >= typicalQuantity, "maxQuantity must be at least typicalQuantity")
        let largest = Int128(startPrice) * 20 * Int128(maxQuantity) * Int128(notionalScale)
        try require(largest < Int128(Int64.max / 8), "startPrice times maxQuantity is too large for 64 bits")
        try require(farLevels >= 10 && farLevels <= 20_000, "farLevels must be 10 to 20000")
        try require(volatilityPpm >= 0 && volatilityPpm <= 10_000, "volatilityPpm must be 0 to 10000")
    }
}

/// One trading account with its key.
package struct BinanceAccountConfiguration: Sendable {
    package var apiKey: String
    /// The HMAC secret; empty for a key that signs with Ed25519.
    package var secret: String
    /// The Ed25519 public key that signatures are checked with, 32 bytes; empty for a key with a secret.
    package var publicKey: [UInt8] = []
    /// Starting wallet in `10^-8` of the quote asset.
    package var balance: Int64
    /// Position and order margin is notional divided by this.
    package var leverage: Int

    package init(apiKey: String, secret: String, balance: Int64 = 10_000_000_000_000, leverage: Int = 20) {
        self.apiKey = apiKey
        self.secret = secret
        self.balance = balance
        self.leverage = leverage
    }

    /// A key that signs with Ed25519.
    package init(
        apiKey: String, publicKey: [UInt8], balance: Int64 = 10_000_000_000_000, leverage: Int = 20
    ) {
        self.init(apiKey: apiKey, secret: "", balance: balance, leverage: leverage)
        self.publicKey = publicKey
    }

    /// Whether there is one thing, and one alone, to check signatures with.
    fileprivate var canSign: Bool { secret.isEmpty ? publicKey.count == 32 : publicKey.isEmpty }
}

/// Limits by which the venue refuses work.
package struct BinanceRateLimits: Sendable {
    /// Whether limits are enforced. Use is counted in either case; limits are announced only where they are enforced, since
    /// clients hold themselves to what is announced.
    package var enforced: Bool
    /// Request weight for a minute.
    package var weightPerMinute = 2400
    /// Orders for ten seconds.
    package var ordersPerTenSeconds = 300
    /// Orders for a minute.
    package var ordersPerMinute = 1200
    /// Incoming messages a second on a stream connection; more closes it.
    package var messagesPerSecond = 5
    /// Streams for a connection.
    package var streamsPerConnection = 1024

    package init(enforced: Bool = false) { self.enforced = enforced }
}

/// Everything a venue is made from. The same configuration, inputs and times give the same output, byte for byte.
package struct BinanceConfiguration: Sendable {
    package var symbols: [SymbolConfiguration]
    package var accounts: [BinanceAccountConfiguration]
    package var seed: UInt64
    package var speed: MarketSpeed
    /// Parts per million of notional; a negative maker fee is a rebate.
    package var makerFeePpm: Int64
    package var takerFeePpm: Int64
    package var rateLimits: BinanceRateLimits
    package var heartbeat: HeartbeatConfiguration
    package var faults: FaultPlan

    package init(
        symbols: [SymbolConfiguration], accounts: [BinanceAccountConfiguration], seed: UInt64 = 1,
        speed: MarketSpeed = .real, makerFeePpm: Int64 = 200, takerFeePpm: Int64 = 500,
        rateLimits: BinanceRateLimits = BinanceRateLimits(),
        heartbeat: HeartbeatConfiguration = HeartbeatConfiguration(), faults: FaultPlan = FaultPlan()
    ) {
        self.symbols = symbols
        self.accounts = accounts
        self.seed = seed
        self.speed = speed
        self.makerFeePpm = makerFeePpm
        self.takerFeePpm = takerFeePpm
        self.rateLimits = rateLimits
        self.heartbeat = heartbeat
        self.faults = faults
    }

    func validate() throws(VenueConfigurationError) {
        guard !symbols.isEmpty else { throw VenueConfigurationError(description: "symbols: at least one is needed") }
        for symbol in symbols { try symbol.validate() }
        guard Set(symbols.map(\.name)).count == symbols.count else {
            throw VenueConfigurationError(description: "symbols: a name occurs twice")
        }
        guard Set(accounts.map(\.apiKey)).count == accounts.count else {
            throw VenueConfigurationError(description: "accounts: an apiKey occurs twice")
        }
        for account in accounts where account.apiKey.isEmpty || !account.canSign || account.leverage < 1 {
            throw VenueConfigurationError(
                description:
                    "account \"\(account.apiKey)\": apiKey, a secret or an Ed25519 public key, and a leverage of at least 1 are needed"
            )
        }
        for account in accounts {
            let (power, overflow) = account.balance.multipliedReportingOverflow(by: Int64(account.leverage))
            guard account.balance >= 0, !overflow, power < Int64.max / 8 else {
                throw VenueConfigurationError(
                    description: "account \"\(account.apiKey)\": balance times leverage must be 0 to 10^18 (in 10^-8)")
            }
        }
        try speed.validate()
    }
}
