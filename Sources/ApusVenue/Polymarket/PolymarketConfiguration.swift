/// Decimals of money and of outcome tokens.
let tokenDecimals = 6

/// Units of one whole token, and of one unit of collateral.
let tokenUnit: Int64 = 1_000_000

/// Decimals of prices inside the venue; the finest tick is 0.0001.
let outcomePriceDecimals = 4

/// A price of 1.
let wholePrice: Int64 = 10_000

/// One market with its two outcome tokens.
package struct OutcomeMarketConfiguration: Sendable {
    package var slug: String
    package var question: String
    /// `0x` and 64 digits.
    package var conditionID: String
    /// Decimal ids of the two tokens.
    package var tokens: [String]
    package var outcomes: [String]
    /// Price units: 1000, 100, 50, 25, 10 or 1.
    package var tickSize: Int64
    /// Smallest resting order in whole tokens.
    package var minOrderSize: Int64
    package var isNegRisk: Bool
    /// The exchange contract's version, and so the domain that orders are signed for.
    package var exchangeVersion: String
    /// Price units, of the first token.
    package var startPrice: Int64
    /// Mean size of a participant's order, in whole tokens.
    package var typicalSize: Int64
    /// How far the first token's fair price moves in one second, in price units (one standard deviation).
    package var volatility: Double
    /// Far passive levels on each side.
    package var farLevels: Int

    /// A market whose ids follow from its name. A name that is a decimal number is the first token's id.
    package init(
        _ name: String, tickSize: Int64 = 100, minOrderSize: Int64 = 5, isNegRisk: Bool = false,
        exchangeVersion: String = "2", startPrice: Int64 = 5_000, typicalSize: Int64 = 120, volatility: Double = 4,
        farLevels: Int = 24
    ) {
        let isToken = word(decimal: name) != nil
        slug = isToken ? "market-of-\(name.prefix(8))" : name
        question = "Will \(slug) come true?"
        conditionID = hexString(Keccak256.hash("condition \(name)"))
        tokens = [
            isToken ? name : decimalText(ofWord: Keccak256.hash("\(name) yes")),
            decimalText(ofWord: Keccak256.hash("\(name) no")),
        ]
        outcomes = ["Yes", "No"]
        self.tickSize = tickSize
        self.minOrderSize = minOrderSize
        self.isNegRisk = isNegRisk
        self.exchangeVersion = exchangeVersion
        self.startPrice = startPrice
        self.typicalSize = typicalSize
        self.volatility = volatility
        self.farLevels = farLevels
    }

    func validate() throws(VenueConfigurationError) {
        func require(_ condition: Bool, _ text: String) throws(VenueConfigurationError) {
            if !condition { throw VenueConfigurationError(description: "market \(slug): \(text)") }
        }
        try require(hexBytes(conditionID)?.count == 32, "conditionID must be 0x and 64 digits")
        try require(tokens.count == 2 && tokens[0] != tokens[1], "two different tokens are needed")
        try require(tokens.allSatisfy { word(decimal: $0) != nil }, "token ids must be decimal numbers of 256 bits")
        try require(outcomes.count == 2, "two outcomes are needed")
        try require(PriceRules.forTick(tickSize) != nil, "tickSize must be 0.1, 0.01, 0.005, 0.0025, 0.001 or 0.0001")
        try require(["2", "3"].contains(exchangeVersion), "exchangeVersion must be 2 or 3")
        try require(
            startPrice % tickSize == 0 && startPrice >= 10 * tickSize && startPrice <= wholePrice - 10 * tickSize,
            "startPrice must be a multiple of tickSize, ten ticks away from 0 and 1")
        try require((1...1_000_000).contains(minOrderSize), "minOrderSize must be 1 to 1000000")
        try require((minOrderSize...1_000_000).contains(typicalSize), "typicalSize must be minOrderSize to 1000000")
        try require(volatility >= 0 && volatility <= 1000, "volatility must be 0 to 1000")
        try require((4...500).contains(farLevels), "farLevels must be 4 to 500")
    }
}

/// One wallet that may trade.
package struct PolymarketAccountConfiguration: Sendable {
    /// The address of the key that signs; API keys belong to it.
    package var signer: EthereumAddress
    /// The address that holds the money: the signer's own, or that of its proxy, Safe or deposit wallet.
    package var funder: EthereumAddress
    package var signatureType: SignatureType
    /// `10^-6` of the collateral.
    package var collateral: Int64
    /// What the exchange may take of the collateral.
    package var allowance: Int64
    /// How many whole tokens of every outcome it begins with.
    package var tokens: Int64

    package init(
        signer: EthereumAddress, funder: EthereumAddress? = nil, signatureType: SignatureType = .eoa,
        collateral: Int64 = 100_000 * 1_000_000, allowance: Int64 = .max, tokens: Int64 = 0
    ) {
        self.signer = signer
        self.funder = funder ?? signer
        self.signatureType = signatureType
        self.collateral = collateral
        self.allowance = allowance
        self.tokens = tokens
    }
}

/// Limits by which the venue refuses work.
package struct PolymarketRateLimits: Sendable {
    /// Whether limits are enforced; they are counted and reported in either case.
    package var enforced: Bool
    /// `POST /order` and `/orders` of an address.
    package var requestsPerTenSeconds = 3_500
    package var requestsPerTenMinutes = 36_000
    /// Orders of a signer.
    package var ordersPerSecond = 40
    package var orderBurst = 60
    /// Cancels of a signer.
    package var cancelsPerSecond = 80
    package var cancelBurst = 120

    package init(enforced: Bool = false) { self.enforced = enforced }
}

/// How long things take at the venue.
package struct PolymarketTiming: Sendable {
    /// From MATCHED to MINED, or to RETRYING; up to half as much again is added at random.
    package var mining: VenueTime = 1_500 * millisecond
    /// From MINED to CONFIRMED.
    package var confirmation: VenueTime = 2 * second
    /// From RETRYING to FAILED.
    package var retrying: VenueTime = 2 * second
    /// Without a heartbeat for so long, open orders are cancelled: ten seconds and a margin of five.
    package var heartbeat: VenueTime = 15 * second
    /// How far a request's timestamp may be from the venue's time.
    package var timestampTolerance: VenueTime = 60 * second
    /// How far after the start the weekly restart is; nil for none.
    package var weeklyRestart: VenueTime?
    package var restartOutage: VenueTime = 90 * second
    /// After a restart only post-only orders pass for so long.
    package var postOnlyAfterRestart: VenueTime = 120 * second

    package init() {}
}

/// The exchange contracts that orders are signed for.
package struct ExchangeContracts: Sendable {
    package var chainID: UInt64 = 137
    package var exchange = "0xE111180000d2663C0091e4f400237545B87B996B"
    package var negRiskExchange = "0xe2222d279d744050d28e00520010520000310F59"
    package var exchangeV3 = "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa"

    package init() {}
}

/// Everything a Polymarket venue is made from. The same configuration, inputs and times give the same output.
package struct PolymarketConfiguration: Sendable {
    package var markets: [OutcomeMarketConfiguration]
    package var accounts: [PolymarketAccountConfiguration]
    package var seed: UInt64
    package var speed: MarketSpeed
    package var rateLimits = PolymarketRateLimits()
    package var timing = PolymarketTiming()
    package var contracts = ExchangeContracts()
    package var faults: FaultPlan

    package init(
        markets: [OutcomeMarketConfiguration], accounts: [PolymarketAccountConfiguration], seed: UInt64 = 1,
        speed: MarketSpeed = .real, faults: FaultPlan = FaultPlan()
    ) {
        self.markets = markets
        self.accounts = accounts
        self.seed = seed
        self.speed = speed
        self.faults = faults
    }

    func validate() throws(VenueConfigurationError) {
        func refuse(_ text: String) -> VenueConfigurationError { VenueConfigurationError(description: text) }
        guard !markets.isEmpty else { throw refuse("markets: at least one is needed") }
        for market in markets { try market.validate() }
        let tokens = markets.flatMap(\.tokens)
        guard Set(tokens).count == tokens.count, Set(markets.map(\.conditionID)).count == markets.count else {
            throw refuse("markets: a token or a condition occurs twice")
        }
        guard Set(accounts.map(\.signer)).count == accounts.count else {
            throw refuse("accounts: a signer occurs twice")
        }
        for account in accounts {
            guard account.signatureType != .eoa || account.funder == account.signer else {
                throw refuse("account \(account.signer): an EOA holds its money itself")
            }
            guard (0...1_000_000_000_000_000).contains(account.collateral), account.allowance >= 0,
                (0...1_000_000_000).contains(account.tokens)
            else { throw refuse("account \(account.signer): amounts must be positive and below 10^9 whole tokens") }
        }
        for text in [contracts.exchange, contracts.negRiskExchange, contracts.exchangeV3]
        where EthereumAddress(text) == nil { throw refuse("contracts: \(text) is no address") }
        try speed.validate()
    }
}
