/// A simulated synthetic index: a seeded random walk with a tick each one or two seconds.
package struct DerivSymbol: Sendable, Equatable {
    /// As the venue writes it, for example `R_100`.
    package var name: String
    package var displayName: String
    /// Decimals of a quote; a quote is an integer of `10^-decimals`.
    package var decimals: Int
    /// Whole seconds between two ticks; ticks come at multiples of it.
    package var interval: Int64
    /// Quote units.
    package var startQuote: Int64
    /// One standard deviation of a year's return, in per cent.
    package var volatility: Double

    package init(
        name: String, displayName: String, decimals: Int, interval: Int64, startQuote: Int64, volatility: Double
    ) {
        self.name = name
        self.displayName = displayName
        self.decimals = decimals
        self.interval = interval
        self.startQuote = startQuote
        self.volatility = volatility
    }

    /// The volatility indices that the venue is known for.
    package static let all: [DerivSymbol] = [
        DerivSymbol(
            name: "R_10", displayName: "Volatility 10 Index", decimals: 3, interval: 2, startQuote: 6_214_512,
            volatility: 10),
        DerivSymbol(
            name: "R_50", displayName: "Volatility 50 Index", decimals: 4, interval: 2, startQuote: 2_186_404,
            volatility: 50),
        DerivSymbol(
            name: "R_100", displayName: "Volatility 100 Index", decimals: 2, interval: 2, startQuote: 141_706,
            volatility: 100),
        DerivSymbol(
            name: "1HZ10V", displayName: "Volatility 10 (1s) Index", decimals: 2, interval: 1, startQuote: 962_485,
            volatility: 10),
        DerivSymbol(
            name: "1HZ100V", displayName: "Volatility 100 (1s) Index", decimals: 2, interval: 1, startQuote: 187_365,
            volatility: 100),
    ]

    /// The index of that name.
    package static func named(_ name: String) -> DerivSymbol? { all.first { $0.name == name } }

    func validate() throws(VenueConfigurationError) {
        func require(_ condition: Bool, _ text: String) throws(VenueConfigurationError) {
            if !condition { throw VenueConfigurationError(description: "symbol \(name): \(text)") }
        }
        let isName = (2...30).contains(name.utf8.count) && name.utf8.allSatisfy(isWordByte)
        try require(isName, "the name must be 2 to 30 letters, digits and underscores")
        try require((0...6).contains(decimals), "decimals must be 0 to 6")
        try require((1...60).contains(interval), "interval must be 1 to 60 seconds")
        try require(
            (1000...1_000_000_000_000).contains(startQuote), "startQuote must be 1000 to 10^12 units")
        try require(volatility > 0 && volatility <= 1000, "volatility must be above 0 and at most 1000 per cent")
    }
}

/// How a token may be used over REST.
package enum DerivTokenKind: String, Sendable {
    /// A personal access token, which needs the header `Deriv-App-ID` beside it.
    case personal
    /// A bearer token of OAuth 2.0, which needs none.
    case oauth
}

/// One options account and the token that opens it. Accounts with the same token belong to the same user.
package struct DerivAccountConfiguration: Sendable, Equatable {
    /// For example `CR90000001`, or `VRTC90000001` for a demo account.
    package var id: String
    package var token: String
    package var isDemo: Bool
    package var tokenKind: DerivTokenKind
    /// Starting balance in cents.
    package var balance: Int64

    package init(
        id: String, token: String, isDemo: Bool = true, tokenKind: DerivTokenKind = .personal,
        balance: Int64 = 1_000_000
    ) {
        self.id = id
        self.token = token
        self.isDemo = isDemo
        self.tokenKind = tokenKind
        self.balance = balance
    }
}

/// Limits by which the venue refuses work; each row has one counter for a minute and one for an hour.
package struct DerivBudgetConfiguration: Sendable, Equatable {
    /// What one row allows.
    package struct Row: Sendable, Equatable {
        package var perMinute: Int
        package var perHour: Int

        package init(perMinute: Int, perHour: Int) {
            self.perMinute = perMinute
            self.perHour = perHour
        }
    }

    /// Whether limits are enforced; `website_status` tells them in either case.
    package var enforced: Bool
    /// `proposal`, `proposal_open_contract`, `buy`, `sell`.
    package var pricing = Row(perMinute: 360, perHour: 14_400)
    /// `balance`, `statement`.
    package var balance = Row(perMinute: 100, perHour: 2_000)
    /// `portfolio`, `profit_table`.
    package var portfolio = Row(perMinute: 30, perHour: 1_500)
    /// Everything else together.
    package var others = Row(perMinute: 220, perHour: 14_400)
    /// `ping` on one connection, outside the rows.
    package var pingsPerSecond = 10
    /// REST requests of an address; the venue on loopback has one.
    package var restPerMinuteForAddress = 300
    /// REST requests of a user.
    package var restPerMinuteForUser = 80

    package init(enforced: Bool = false) { self.enforced = enforced }
}

/// Everything a Deriv venue is made from. The same configuration, inputs and times give the same output, byte for byte.
package struct DerivVenueConfiguration: Sendable {
    package var symbols: [DerivSymbol]
    package var accounts: [DerivAccountConfiguration]
    /// The application id that `Deriv-App-ID` and `app_id` must name; nil takes any.
    package var appID: String?
    package var seed: UInt64
    /// What the house adds to the chance of winning when it sells a contract and takes off when it buys one back, in
    /// millionths of the payout.
    package var marginPpm: Int64
    package var budgets: DerivBudgetConfiguration
    /// How long a one-time password may wait for its connection.
    package var passwordLife: VenueTime
    /// How long a connection of the older API may be silent.
    package var idleLimit: VenueTime
    package var faults: FaultPlan

    package init(
        symbols: [DerivSymbol] = DerivSymbol.all, accounts: [DerivAccountConfiguration], appID: String? = nil,
        seed: UInt64 = 1, marginPpm: Int64 = 12_500, budgets: DerivBudgetConfiguration = DerivBudgetConfiguration(),
        passwordLife: VenueTime = 120 * 1_000_000_000, idleLimit: VenueTime = 120 * 1_000_000_000,
        faults: FaultPlan = FaultPlan()
    ) {
        self.symbols = symbols
        self.accounts = accounts
        self.appID = appID
        self.seed = seed
        self.marginPpm = marginPpm
        self.budgets = budgets
        self.passwordLife = passwordLife
        self.idleLimit = idleLimit
        self.faults = faults
    }

    func validate() throws(VenueConfigurationError) {
        guard !symbols.isEmpty else { throw VenueConfigurationError(description: "symbols: at least one is needed") }
        for symbol in symbols { try symbol.validate() }
        guard Set(symbols.map(\.name)).count == symbols.count else {
            throw VenueConfigurationError(description: "symbols: a name occurs twice")
        }
        guard Set(accounts.map(\.id)).count == accounts.count else {
            throw VenueConfigurationError(description: "accounts: an id occurs twice")
        }
        for account in accounts { try account.validate() }
        guard (0...200_000).contains(marginPpm) else {
            throw VenueConfigurationError(description: "marginPpm must be 0 to 200000")
        }
        guard passwordLife > 0, idleLimit > 0 else {
            throw VenueConfigurationError(description: "passwordLife and idleLimit must be above zero")
        }
    }
}

extension DerivAccountConfiguration {
    fileprivate func validate() throws(VenueConfigurationError) {
        func require(_ condition: Bool, _ text: String) throws(VenueConfigurationError) {
            if !condition { throw VenueConfigurationError(description: "account \"\(id)\": \(text)") }
        }
        try require(isAccountID(id), "the id must be 2 to 4 capital letters and 1 to 10 digits")
        let isToken = (1...128).contains(token.utf8.count) && token.utf8.allSatisfy { isWordByte($0) || $0 == 45 }
        try require(isToken, "the token must be 1 to 128 letters, digits, underscores and hyphens")
        try require((0...1_000_000_000_000).contains(balance), "the balance must be 0 to 10^12 cents")
    }
}

/// Letters, digits and the underscore.
func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 48...57, 65...90, 95, 97...122: true
    default: false
    }
}

/// Two to four capital letters, then one to ten digits.
func isAccountID(_ text: String) -> Bool {
    let letters = text.utf8.prefix { (65...90).contains($0) }
    let digits = text.utf8.dropFirst(letters.count)
    return (2...4).contains(letters.count) && (1...10).contains(digits.count)
        && digits.allSatisfy { (48...57).contains($0) }
}
