package import Apus

/// What the risk gate allows. Every default is small enough to be survived; `docs/RISK.md` lists them with their keys.
package struct RiskLimits: Codable, Sendable, Equatable {
    // MARK: One order

    /// Quote value of one order, at least; nil: only the venue's minimum holds.
    package var minOrderNotional: Money?
    /// Quote value of one order.
    package var maxOrderNotional = Money(whole: 1_000)
    /// Quantity of one order; nil: only the venue's limit and the notional bound it.
    package var maxOrderQuantity: ExactDecimal?
    /// How far outside the touch a price may be, in millionths of it.
    package var priceBandPpm: Int64 = 10_000
    /// How far from the newest trade a price may be, in millionths of that; nil: 100,000, and no bound for outcomes.
    package var tradeBandPpm: Int64?
    /// Milliseconds after which a book's newest touch is too old to trade on; 0: it never is. A quiet market is healthy.
    package var maxBookAgeMs = 0

    // MARK: One instrument

    /// Quote value of a position with all open orders of one side filled.
    package var maxPositionNotional = Money(whole: 5_000)
    /// Quantity of a position with all open orders of one side filled; nil: only the notional bounds it.
    package var maxPosition: ExactDecimal?
    /// Open orders of one instrument.
    package var maxInstrumentOrders = 50
    /// New and changed orders of one instrument in a minute, shared out among the strategies.
    package var ordersPerMinute = 60
    /// Limits of single instruments, by symbol, in place of the common ones.
    package var instruments: [String: InstrumentLimits] = [:]

    // MARK: The account

    /// Open orders of all instruments together.
    package var maxOpenOrders = 50
    /// Sum of the quote values of all positions, each with all open orders of its worse side filled.
    package var maxGrossExposure = Money(whole: 20_000)
    /// Longs minus shorts, or shorts minus longs, in quote value with all open orders of that direction filled.
    package var maxNetExposure = Money(whole: 10_000)
    /// Loss of a trading day, realised and unrealised with fees and funding; nil: no limit.
    package var maxDailyLoss: Money? = Money(whole: 1_000)
    /// Fall of a trading day's result from its peak; nil: no limit.
    package var maxDrawdown: Money?
    /// What reaching one of the two sets, until a person resumes.
    package var lossState = TradingState.halted
    /// UTC hour at which a trading day begins.
    package var dayStartHour = 0
    /// How open orders and positions use up the balance.
    package var funding = Funding.unchecked
    /// Margin accounts: the value of positions for one unit of balance.
    package var leverage = 1
    /// New and changed orders in a second, in the long run. Cancels are free.
    package var ordersPerSecond = 20
    /// New and changed orders at once.
    package var orderBurst = 20
    /// Cancels in a second above which they are counted as too many. They pass all the same.
    package var cancelsPerSecond = 50

    // MARK: One strategy

    /// What each strategy may use of the account; by its name.
    package var strategies: [String: StrategyLimits] = [:]

    package init() {}

    package init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        self.init()
        func read<Value: Decodable>(_ value: inout Value, _ key: CodingKeys) throws {
            value = try keys.decodeIfPresent(Value.self, forKey: key) ?? value
        }
        func readOptional<Value: Decodable>(_ value: inout Value?, _ key: CodingKeys) throws {
            if keys.contains(key) { value = try keys.decodeIfPresent(Value.self, forKey: key) }
        }
        try readOptional(&minOrderNotional, .minOrderNotional)
        try read(&maxOrderNotional, .maxOrderNotional)
        try readOptional(&maxOrderQuantity, .maxOrderQuantity)
        try read(&priceBandPpm, .priceBandPpm)
        try readOptional(&tradeBandPpm, .tradeBandPpm)
        try read(&maxBookAgeMs, .maxBookAgeMs)
        try read(&maxPositionNotional, .maxPositionNotional)
        try readOptional(&maxPosition, .maxPosition)
        try read(&maxInstrumentOrders, .maxInstrumentOrders)
        try read(&ordersPerMinute, .ordersPerMinute)
        try read(&instruments, .instruments)
        try read(&maxOpenOrders, .maxOpenOrders)
        try read(&maxGrossExposure, .maxGrossExposure)
        try read(&maxNetExposure, .maxNetExposure)
        try readOptional(&maxDailyLoss, .maxDailyLoss)
        try readOptional(&maxDrawdown, .maxDrawdown)
        try read(&lossState, .lossState)
        try read(&dayStartHour, .dayStartHour)
        try read(&funding, .funding)
        try read(&leverage, .leverage)
        try read(&ordersPerSecond, .ordersPerSecond)
        try read(&orderBurst, .orderBurst)
        try read(&cancelsPerSecond, .cancelsPerSecond)
        try read(&strategies, .strategies)
    }
}

/// How open orders and positions use up the balance of their settlement asset.
package enum Funding: String, Codable, Sendable, CaseIterable {
    /// Nobody asks.
    case unchecked
    /// Bought in full, and only what is held is sold (spot, outcomes).
    case cash
    /// Positions with all open orders of their worse side filled, divided by the leverage.
    case margin
}

/// Limits of one instrument; nil: the common limit holds.
package struct InstrumentLimits: Codable, Sendable, Equatable {
    package var minOrderNotional: Money?
    package var maxOrderNotional: Money?
    package var maxPositionNotional: Money?
    package var maxOrderQuantity: ExactDecimal?
    package var maxPosition: ExactDecimal?
    package var priceBandPpm: Int64?
    package var tradeBandPpm: Int64?
    package var maxBookAgeMs: Int?
    package var maxInstrumentOrders: Int?
    package var ordersPerMinute: Int?

    package init() {}
}

/// What a strategy may use of the account, besides the account's own limits; nil: only those hold.
package struct StrategyLimits: Codable, Sendable, Equatable {
    /// Quote value and quantity of one order.
    package var maxOrderNotional: Money?
    package var maxOrderQuantity: ExactDecimal?
    /// Its own position in one instrument, with all its open orders of one side filled.
    package var maxPositionNotional: Money?
    package var maxPosition: ExactDecimal?
    /// Its own positions together.
    package var maxGrossExposure: Money?
    package var maxNetExposure: Money?
    /// Its own result of a trading day.
    package var maxDailyLoss: Money?
    package var maxDrawdown: Money?
    /// Its open orders.
    package var maxOpenOrders: Int?
    /// Its new and changed orders of all instruments in a minute.
    package var ordersPerMinute: Int?
    /// Its part of each instrument's order rate; the parts of all strategies together are the whole. nil: one part.
    package var rateShare: Int?

    package init() {}
}

/// A limit that makes no sense, or that may not be changed so. It names the key.
package struct RiskLimitError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The limit's name, as in `RiskLimits`.
    package let key: String
    package let reason: String

    package init(key: String, reason: String) {
        self.key = key
        self.reason = reason
    }

    /// The key as it stands in a configuration.
    package var configurationKey: String { RiskLimits.configurationKey(key) }

    package var description: String { "\(configurationKey): \(reason)" }
}

extension RiskLimits {
    /// `maxPosition` is `risk.max_position` in a configuration.
    package static func configurationKey(_ name: String) -> String {
        // A strategy's name stays as it is.
        let parts = name.split(separator: ".", maxSplits: 2)
        if parts.count == 2 { return "risk." + name }
        let own = parts.last?.startIndex ?? name.startIndex
        return name[own...].reduce(into: "risk." + name[..<own]) { key, letter in
            if letter.isUppercase { key += "_" }
            key += letter.lowercased()
        }
    }

    /// What cannot be meant, whatever the instruments. `names` are those of the engine's strategies.
    func check(_ names: [String]) throws(RiskLimitError) {
        func require(_ holds: Bool, _ key: String, _ reason: String) throws(RiskLimitError) {
            if !holds { throw RiskLimitError(key: key, reason: reason) }
        }
        let negative = "must not be negative"
        try require(maxOpenOrders >= 0, "maxOpenOrders", negative)
        try require(maxGrossExposure >= .zero, "maxGrossExposure", negative)
        try require(maxNetExposure >= .zero, "maxNetExposure", negative)
        try require(maxDailyLoss ?? .zero >= .zero, "maxDailyLoss", negative)
        try require(maxDrawdown ?? .zero >= .zero, "maxDrawdown", negative)
        try require(lossState != .active, "lossState", "must be reducing or halted")
        try require((0...23).contains(dayStartHour), "dayStartHour", "\(dayStartHour) is not within 0 to 23")
        try require((1...1_000).contains(leverage), "leverage", "\(leverage) is not within 1 to 1000")
        try require(ordersPerSecond >= 0, "ordersPerSecond", negative)
        try require(orderBurst >= 0, "orderBurst", negative)
        try require(cancelsPerSecond >= 0, "cancelsPerSecond", negative)
        for (name, limits) in strategies.sorted(by: { $0.key < $1.key }) {
            let key = "strategies.\(name)"
            try require(
                names.contains(name), key, "there is no such strategy; there are: \(names.joined(separator: ", "))")
            try require(limits.maxOrderNotional ?? .zero >= .zero, "\(key).maxOrderNotional", negative)
            try require(limits.maxPositionNotional ?? .zero >= .zero, "\(key).maxPositionNotional", negative)
            try require(limits.maxGrossExposure ?? .zero >= .zero, "\(key).maxGrossExposure", negative)
            try require(limits.maxNetExposure ?? .zero >= .zero, "\(key).maxNetExposure", negative)
            try require(limits.maxDailyLoss ?? .zero >= .zero, "\(key).maxDailyLoss", negative)
            try require(limits.maxDrawdown ?? .zero >= .zero, "\(key).maxDrawdown", negative)
            try require(limits.maxOpenOrders ?? 0 >= 0, "\(key).maxOpenOrders", negative)
            try require(limits.ordersPerMinute ?? 0 >= 0, "\(key).ordersPerMinute", negative)
            try require(limits.rateShare ?? 1 >= 1, "\(key).rateShare", "must be 1 or more")
        }
    }
}
