import Foundation
import Testing

@testable import Apus
@testable import ApusEngine

/// Random streams of orders, changes, cancels, fills, books, trades and funding, each order judged by the gate and by
/// `RiskModel`. What the gate approves breaks no rule of the model, and what it refuses breaks the rule that it names.
///
/// A failing seed prints the command that replays it.
@Suite struct RiskPropertyTests {
    /// Where the seeds begin, how many there are and how long each is: `APUS_RISK_SEED`, `APUS_RISK_SEEDS`,
    /// `APUS_RISK_STEPS`.
    private static func setting(_ name: String, _ usual: UInt64) -> UInt64 {
        ProcessInfo.processInfo.environment["APUS_RISK_\(name)"].flatMap { UInt64($0) } ?? usual
    }
    private static var seeds: [UInt64] {
        let first = setting("SEED", 1), count = setting("SEEDS", setting("SEED", 0) == 0 ? 3 : 1)
        return (0..<count).map { first + $0 }
    }

    @Test(arguments: seeds, [Funding.unchecked, .margin, .cash])
    func noApprovedSequenceBreaksALimit(_ seed: UInt64, _ funding: Funding) throws {
        var life = try RiskLife(seed: seed, funding: funding)
        for _ in 0..<Self.setting("STEPS", 3_000) where life.problems.isEmpty { try life.step() }
        #expect(life.approved > (funding == .cash ? 20 : 60), "seed \(seed): the market must let something through")
        for problem in life.problems {
            Issue.record(
                "\(problem)\nAPUS_RISK_SEED=\(seed) swift test --filter RiskPropertyTests/noApprovedSequenceBreaksALimit"
            )
        }
    }

    /// The same with several strategies: each has limits of its own, held against a model of what it alone has done.
    @Test(arguments: seeds, [Funding.unchecked, .margin, .cash])
    func noStrategyBreaksItsOwnLimits(_ seed: UInt64, _ funding: Funding) throws {
        var life = try RiskLife(seed: seed, funding: funding, strategies: RiskShare.names)
        for _ in 0..<Self.setting("STEPS", 3_000) where life.problems.isEmpty { try life.step() }
        #expect(life.approved > (funding == .cash ? 10 : 60), "seed \(seed): the market must let something through")
        for problem in life.problems {
            Issue.record(
                "\(problem)\nAPUS_RISK_SEED=\(seed) swift test --filter RiskPropertyTests/noStrategyBreaksItsOwnLimits")
        }
    }

    /// The model must be able to see what it looks for: the gate gets a limit that is too wide, and an approval that breaks
    /// the right one is found.
    @Test(arguments: Weakness.allCases)
    func aWeakenedRuleIsSeen(_ weakness: Weakness) throws {
        var found: Set<Refusal> = []
        for seed in 1...12 where !found.contains(weakness.refusal) {
            var life = try RiskLife(
                seed: UInt64(seed), funding: weakness.funding, weakness: weakness,
                strategies: weakness.isOwn ? RiskShare.names : [])
            for _ in 0..<1_500 where !found.contains(weakness.refusal) {
                try life.step()
                found.formUnion(life.missed)
            }
        }
        #expect(found.contains(weakness.refusal), "the model sees nothing; it saw \(found)")
    }
}

/// A limit of the gate that is made too wide.
enum Weakness: CaseIterable {
    case orderValue, leastValue, orderQuantity, position, positionValue, band, tradeBand, bookAge, instrumentOrders
    case orders, gross, net, perSecond, perMinute, margin, cash, notHeld, dailyLoss, drawdown, life
    case ownOrderValue, ownPositionValue, ownGross, ownNet, ownOrders, ownPerMinute, ownDailyLoss, ownDrawdown

    /// Whether it is one of a strategy's own.
    var isOwn: Bool { RiskShare.refusals.values.contains(refusal) || refusal == .dayLossOfStrategyReached }

    var refusal: Refusal {
        switch self {
        case .orderValue: .notionalAboveMaximum
        case .leastValue: .notionalBelowMinimum
        case .orderQuantity: .quantityAboveMaximum
        case .position, .positionValue: .positionAboveMaximum
        case .band: .priceOutsideBand
        case .tradeBand: .priceFarFromTrade
        case .bookAge: .bookTooOld
        case .instrumentOrders: .tooManyOpenOrdersOfInstrument
        case .orders: .tooManyOpenOrders
        case .gross: .grossExposureAboveMaximum
        case .net: .netExposureAboveMaximum
        case .perSecond: .rateExceeded
        case .perMinute: .instrumentRateExceeded
        case .margin, .cash: .balanceTooLow
        case .notHeld: .notHeld
        case .dailyLoss, .drawdown: .dayLossReached
        case .life: .expiryTooSoon
        case .ownOrderValue: .notionalAboveMaximumOfStrategy
        case .ownPositionValue: .positionAboveMaximumOfStrategy
        case .ownGross: .grossExposureAboveMaximumOfStrategy
        case .ownNet: .netExposureAboveMaximumOfStrategy
        case .ownOrders: .tooManyOpenOrdersOfStrategy
        case .ownPerMinute: .strategyRateExceeded
        case .ownDailyLoss, .ownDrawdown: .dayLossOfStrategyReached
        }
    }

    var funding: Funding {
        switch self {
        case .margin: .margin
        case .cash, .notHeld: .cash
        default: .unchecked
        }
    }

    func weaken(_ limits: inout RiskLimits) {
        switch self {
        case .orderValue: limits.maxOrderNotional += Money(whole: 10)
        case .leastValue: limits.minOrderNotional = nil
        case .position: limits.instruments["LINEAR"]?.maxPosition = ExactDecimal(digits: 2, decimals: 0)
        case .positionValue: limits.maxPositionNotional = Money(whole: 150)
        case .band: limits.priceBandPpm = 60_000
        case .tradeBand: limits.tradeBandPpm = 60_000
        case .bookAge: limits.maxBookAgeMs = 60_000
        case .instrumentOrders: limits.maxInstrumentOrders += 1
        case .orders: limits.maxOpenOrders += 1
        case .gross: limits.maxGrossExposure += Money(whole: 40)
        case .net: limits.maxNetExposure += Money(whole: 20)
        case .perSecond: limits.orderBurst += 2
        case .perMinute: limits.ordersPerMinute *= 2
        case .margin: limits.leverage += 1
        case .notHeld: limits.funding = .margin
        case .dailyLoss: (limits.maxDailyLoss, limits.maxDrawdown) = (nil, nil)
        case .drawdown: limits.maxDrawdown = nil
        case .orderQuantity, .cash, .life: break
        case .ownOrderValue: weakenOwn(&limits) { $0.maxOrderNotional = nil }
        case .ownPositionValue: weakenOwn(&limits) { $0.maxPositionNotional = nil }
        case .ownGross: weakenOwn(&limits) { $0.maxGrossExposure = nil }
        case .ownNet: weakenOwn(&limits) { $0.maxNetExposure = nil }
        case .ownOrders: weakenOwn(&limits) { $0.maxOpenOrders = nil }
        case .ownPerMinute: weakenOwn(&limits) { $0.ordersPerMinute = nil }
        case .ownDailyLoss: weakenOwn(&limits) { ($0.maxDailyLoss, $0.maxDrawdown) = (nil, nil) }
        case .ownDrawdown: weakenOwn(&limits) { $0.maxDrawdown = nil }
        }
    }

    private func weakenOwn(_ limits: inout RiskLimits, _ change: (inout StrategyLimits) -> Void) {
        for name in RiskShare.names { change(&limits.strategies[name]!) }
    }
}
