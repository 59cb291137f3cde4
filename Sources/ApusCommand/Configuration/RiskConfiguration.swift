import Apus
import ApusEngine

// No built-in values here: the risk gate has its own, and what nobody sets stays with it.
let riskFields = [
    ConfigurationField("risk.min_order_notional", .decimal, nil, "Quote value of one order, at least"),
    ConfigurationField("risk.max_order_notional", .decimal, nil, "Quote value of one order"),
    ConfigurationField("risk.max_order_quantity", .decimal, nil, "Quantity of one order"),
    ConfigurationField(
        "risk.price_band_ppm", .integer(0...1_000_000), nil, "How far outside the touch a price may be, in millionths"),
    ConfigurationField(
        "risk.trade_band_ppm", .integer(0...1_000_000), nil,
        "How far from the last trade a price may be, in millionths; 1000000: anywhere"),
    ConfigurationField(
        "risk.max_book_age_ms", .integer(0...1_000_000_000), nil,
        "Age at which a book is too old to trade on; 0: a quiet market is healthy"),
    ConfigurationField(
        "risk.max_position_notional", .decimal, nil, "Quote value of a position with all open orders of one side filled"
    ),
    ConfigurationField(
        "risk.max_position", .decimal, nil, "Quantity of a position with all open orders of one side filled"),
    ConfigurationField(
        "risk.max_instrument_orders", .integer(0...4096), nil, "Open orders of one instrument"),
    ConfigurationField(
        "risk.orders_per_minute", .integer(0...60_000_000), nil, "New and changed orders of one instrument in a minute"),
    ConfigurationField("risk.max_open_orders", .integer(0...4096), nil, "Open orders of all instruments together"),
    ConfigurationField(
        "risk.max_gross_exposure", .decimal, nil,
        "Quote value of all positions together, each with all open orders of its worse side filled"),
    ConfigurationField(
        "risk.max_net_exposure", .decimal, nil,
        "Longs minus shorts in quote value, or shorts minus longs, with the open orders of that direction filled"),
    ConfigurationField("risk.max_daily_loss", .decimal, nil, "Loss of a trading day, open positions and fees included"),
    ConfigurationField("risk.max_drawdown", .decimal, nil, "Fall of a trading day's result from its peak"),
    ConfigurationField(
        "risk.loss_state", .choice(["reducing", "halted"]), nil,
        "What a reached loss limit sets until a person resumes"),
    ConfigurationField("risk.day_start_hour", .integer(0...23), nil, "UTC hour at which a trading day begins"),
    ConfigurationField(
        "risk.funding", .choice(Funding.allCases.map(\.rawValue)), nil,
        "How the balance is used up. cash: paid in full. margin: by the leverage. Default: cash on spot and Polymarket, margin on futures, unchecked on Deriv"
    ),
    ConfigurationField(
        "risk.leverage", .integer(1...1000), nil, "Margin: value of positions for one unit of balance"),
    ConfigurationField("risk.orders_per_second", .integer(1...100_000), nil, "New and changed orders in a second"),
    ConfigurationField("risk.order_burst", .integer(1...100_000), nil, "New and changed orders at once"),
    ConfigurationField(
        "risk.cancels_per_second", .integer(0...100_000), nil,
        "Cancels above this are counted as too many; they pass all the same"),
    ConfigurationField(
        "risk.other_fee_rate", .decimal, nil,
        "Worth of one unit of another asset that fees are paid in (BNB), in the settlement asset; default: not known"),
    ConfigurationField(
        "risk.instruments", .table, .table([]),
        "Limits of single instruments, as SYMBOL.limit: value, for example BTCUSDT.max_position: 0.5"),
    ConfigurationField(
        "risk.strategies", .table, .table([]),
        "Limits of single strategies besides the account's, as NAME.limit: value, for example maker.max_open_orders: 4"),
]

/// Reads the risk gate's limits from a configuration.
enum RiskConfiguration {
    /// - Parameter venue: whose protocol is spoken.
    static func limits(_ store: ConfigurationStore, venue: String) throws -> RiskLimits {
        let store = Reader(store: store)
        var limits = RiskLimits()
        limits.minOrderNotional = try store.money("min_order_notional")
        limits.maxOrderNotional = try store.money("max_order_notional") ?? limits.maxOrderNotional
        limits.maxPositionNotional = try store.money("max_position_notional") ?? limits.maxPositionNotional
        limits.maxOrderQuantity = try store.decimal("max_order_quantity")
        limits.maxPosition = try store.decimal("max_position")
        limits.maxGrossExposure = try store.money("max_gross_exposure") ?? limits.maxGrossExposure
        limits.maxNetExposure = try store.money("max_net_exposure") ?? limits.maxNetExposure
        limits.maxDailyLoss = try store.money("max_daily_loss") ?? limits.maxDailyLoss
        limits.maxDrawdown = try store.money("max_drawdown")
        limits.priceBandPpm = store.integer("price_band_ppm").map(Int64.init) ?? limits.priceBandPpm
        limits.tradeBandPpm = store.integer("trade_band_ppm").map(Int64.init)
        limits.maxBookAgeMs = store.integer("max_book_age_ms") ?? limits.maxBookAgeMs
        limits.maxInstrumentOrders = store.integer("max_instrument_orders") ?? limits.maxInstrumentOrders
        limits.ordersPerMinute = store.integer("orders_per_minute") ?? limits.ordersPerMinute
        limits.maxOpenOrders = store.integer("max_open_orders") ?? limits.maxOpenOrders
        limits.dayStartHour = store.integer("day_start_hour") ?? limits.dayStartHour
        limits.leverage = store.integer("leverage") ?? limits.leverage
        limits.ordersPerSecond = store.integer("orders_per_second") ?? limits.ordersPerSecond
        limits.orderBurst = store.integer("order_burst") ?? limits.orderBurst
        limits.cancelsPerSecond = store.integer("cancels_per_second") ?? limits.cancelsPerSecond
        limits.lossState = store.text("loss_state") == "reducing" ? .reducing : limits.lossState
        limits.funding = store.text("funding").flatMap(Funding.init) ?? usualFunding(venue)
        for entry in store.store.table("risk.instruments") { try read(entry, into: &limits) }
        for entry in store.store.table("strategies") {
            let parts = entry.name.split(separator: ".", maxSplits: 2).map(String.init)
            guard parts.count == 3, parts[1] == "limits" else { continue }
            try readOfStrategy(entry, "strategies.\(entry.name)", parts[0], parts[2], into: &limits)
        }
        for entry in store.store.table("risk.strategies") {
            let key = "risk.strategies.\(entry.name)"
            guard let dot = entry.name.lastIndex(of: "."), dot != entry.name.startIndex else {
                throw ConfigurationError(entry.origin, key: key, "write NAME.limit, for example maker.max_open_orders")
            }
            let limit = String(entry.name[entry.name.index(after: dot)...])
            try readOfStrategy(entry, key, String(entry.name[..<dot]), limit, into: &limits)
        }
        return limits
    }

    /// What one unit of another asset that fees are paid in is worth.
    static func otherFeeRate(_ store: ConfigurationStore) throws -> Money {
        try Reader(store: store).money("other_fee_rate") ?? .zero
    }

    /// How the venue's own accounts are funded.
    private static func usualFunding(_ venue: String) -> Funding {
        switch venue {
        case "binance-spot", "polymarket": .cash
        case "binance-usdm", "binance-coinm": .margin
        default: .unchecked
        }
    }

    private static func read(_ entry: ConfigurationParameter, into limits: inout RiskLimits) throws {
        func refuse(_ reason: String) -> ConfigurationError {
            ConfigurationError(entry.origin, key: "risk.instruments.\(entry.name)", reason)
        }
        guard let dot = entry.name.lastIndex(of: "."), dot != entry.name.startIndex else {
            throw refuse("write SYMBOL.limit, for example BTCUSDT.max_position")
        }
        let symbol = String(entry.name[..<dot]), name = String(entry.name[entry.name.index(after: dot)...])
        var own = limits.instruments[symbol] ?? InstrumentLimits()
        func decimal() throws -> ExactDecimal { try Self.decimal(entry, "risk.instruments.\(entry.name)") }
        func integer() throws -> Int { try Self.integer(entry, "risk.instruments.\(entry.name)") }
        switch name {
        case "min_order_notional": own.minOrderNotional = Money(try decimal())
        case "max_order_notional": own.maxOrderNotional = Money(try decimal())
        case "max_position_notional": own.maxPositionNotional = Money(try decimal())
        case "max_order_quantity": own.maxOrderQuantity = try decimal()
        case "max_position": own.maxPosition = try decimal()
        case "price_band_ppm": own.priceBandPpm = Int64(try integer())
        case "trade_band_ppm": own.tradeBandPpm = Int64(try integer())
        case "max_book_age_ms": own.maxBookAgeMs = try integer()
        case "max_instrument_orders": own.maxInstrumentOrders = try integer()
        case "orders_per_minute": own.ordersPerMinute = try integer()
        default: throw refuse("\"\(name)\" is no limit of an instrument; there are: \(names.joined(separator: ", "))")
        }
        limits.instruments[symbol] = own
    }

    private static let names = [
        "min_order_notional", "max_order_notional", "max_position_notional", "max_order_quantity", "max_position",
        "price_band_ppm", "trade_band_ppm", "max_book_age_ms", "max_instrument_orders", "orders_per_minute",
    ]

    private static func readOfStrategy(
        _ entry: ConfigurationParameter, _ key: String, _ strategy: String, _ limit: String,
        into limits: inout RiskLimits
    ) throws {
        var own = limits.strategies[strategy] ?? StrategyLimits()
        func money() throws -> Money { Money(try decimal(entry, key)) }
        switch limit {
        case "max_order_notional": own.maxOrderNotional = try money()
        case "max_order_quantity": own.maxOrderQuantity = try decimal(entry, key)
        case "max_position_notional": own.maxPositionNotional = try money()
        case "max_position": own.maxPosition = try decimal(entry, key)
        case "max_gross_exposure": own.maxGrossExposure = try money()
        case "max_net_exposure": own.maxNetExposure = try money()
        case "max_daily_loss": own.maxDailyLoss = try money()
        case "max_drawdown": own.maxDrawdown = try money()
        case "max_open_orders": own.maxOpenOrders = try integer(entry, key)
        case "orders_per_minute": own.ordersPerMinute = try integer(entry, key)
        case "rate_share": own.rateShare = try integer(entry, key)
        default:
            throw ConfigurationError(
                entry.origin, key: key,
                "\"\(limit)\" is no limit of a strategy; there are: \(strategyNames.joined(separator: ", "))")
        }
        limits.strategies[strategy] = own
    }

    private static let strategyNames = [
        "max_order_notional", "max_order_quantity", "max_position_notional", "max_position", "max_gross_exposure",
        "max_net_exposure", "max_daily_loss", "max_drawdown", "max_open_orders", "orders_per_minute", "rate_share",
    ]

    private static func decimal(_ entry: ConfigurationParameter, _ key: String) throws -> ExactDecimal {
        guard let value = try? ExactDecimal(entry.value), value.digits >= 0 else {
            throw ConfigurationError(entry.origin, key: key, "\"\(entry.value)\" is no decimal number, zero or more")
        }
        return value
    }

    private static func integer(_ entry: ConfigurationParameter, _ key: String) throws -> Int {
        guard let value = Int(entry.value), value >= 0 else {
            throw ConfigurationError(entry.origin, key: key, "\"\(entry.value)\" is no whole number, zero or more")
        }
        return value
    }

    /// A strategy that has limits and does not run is a name that was mistyped.
    static func check(_ store: ConfigurationStore, names: [String]) throws {
        try check(store, "risk.strategies", names, "there is no strategy")
    }

    /// Refuses limits of an instrument that the engine does not have.
    static func check(_ store: ConfigurationStore, symbols: [String]) throws {
        try check(store, "risk.instruments", symbols, "the engine has no instrument")
    }

    /// Refuses what a table says of a name that there is not.
    private static func check(
        _ store: ConfigurationStore, _ table: String, _ names: [String], _ refusal: String
    ) throws {
        for entry in store.table(table) {
            let name = String(entry.name[..<(entry.name.lastIndex(of: ".") ?? entry.name.endIndex)])
            if names.contains(name) { continue }
            throw ConfigurationError(
                entry.origin, key: "\(table).\(entry.name)",
                "\(refusal) \"\(name)\"; there are: \(names.joined(separator: ", "))")
        }
    }

    /// The keys below `risk.`.
    private struct Reader {
        let store: ConfigurationStore

        func text(_ name: String) -> String? { store.text("risk.\(name)") }
        func integer(_ name: String) -> Int? { store.integer("risk.\(name)") }

        func decimal(_ name: String) throws -> ExactDecimal? {
            guard let text = text(name) else { return nil }
            do { return try ExactDecimal(text) } catch { throw store.error("risk.\(name)", "\(error)") }
        }

        func money(_ name: String) throws -> Money? { try decimal(name).map { Money($0) } }
    }
}
