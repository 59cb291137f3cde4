package import Apus

/// What the risk gate allows and what of it is used: for people and for `--json`.
package struct RiskReport: Codable, Sendable, Equatable {
    /// A limit and its use, both in digits. Without a limit nothing bounds the use; without a use it is a bound of single
    /// orders.
    package struct Line: Codable, Sendable, Equatable {
        package var key: String
        package var limit: String?
        package var use: String?
    }

    package struct StrategyLine: Codable, Sendable, Equatable {
        package var name: String
        package var state: TradingState
        package var openOrders: Int
        /// Its own limits and what of them is used; empty where one strategy has everything.
        package var limits: [Line] = []
        package var trip: TradingDay.Trip?
        package var dayResult: Money?
        package var dayPeak: Money?
        package var refused: UInt64?

        enum CodingKeys: String, CodingKey {
            case name, state, limits, trip, refused
            case openOrders = "open_orders"
            case dayResult = "day_result"
            case dayPeak = "day_peak"
        }
    }

    package struct InstrumentLine: Codable, Sendable, Equatable {
        package var symbol: String
        package var limits: [Line]
        /// Fees paid in another asset: how much of it, and how many of them are in no result since no rate is known.
        package var otherFees: Money
        package var unvaluedFees: Int

        enum CodingKeys: String, CodingKey {
            case symbol, limits
            case otherFees = "other_fees"
            case unvaluedFees = "unvalued_fees"
        }
    }

    package struct Balance: Codable, Sendable, Equatable {
        /// The settlement asset; "" where the instruments name none.
        package var asset: String
        /// nil: nobody has said.
        package var balance: Money?
        package var used: Money
    }

    /// In force for the whole, and what each of those who have a say wants.
    package var state = TradingState.active
    package var control = TradingState.active
    package var own = TradingState.active
    /// The venue's circuit breaker; nil: it has none.
    package var breaker: BreakerState?
    package var trip: TradingDay.Trip?
    package var day = Int64(0)
    package var dayResult = Money.zero
    package var dayPeak = Money.zero
    package var limits: [Line] = []
    package var instruments: [InstrumentLine] = []
    package var strategies: [StrategyLine] = []
    package var balances: [Balance] = []
    /// By rule; rules that refused nothing are left out.
    package var refusals: [String: UInt64] = [:]
    package var cancels: UInt64 = 0
    package var cancelsOverRate: UInt64 = 0

    enum CodingKeys: String, CodingKey {
        case state, control, own, breaker, trip, day, limits, instruments, strategies, balances, refusals, cancels
        case dayResult = "day_result"
        case dayPeak = "day_peak"
        case cancelsOverRate = "cancels_over_rate"
    }

    package init() {}
}

extension RiskGate {
    /// Between turns, by the thread that runs them.
    package mutating func report(openOrders: Int, now: UInt64) -> RiskReport {
        judge(now)
        var report = RiskReport()
        report.control = controlState
        report.own = states.own
        report.breaker = breaker?.takeUnretainedValue().state
        report.state = max(report.control, report.own)
        report.trip = watch.day.trip
        report.day = watch.day.number
        let result = Money(atoms: ledger.totals.pointee.result)
        report.dayResult = result - watch.day.start
        report.dayPeak = watch.day.peak - watch.day.start
        report.limits = accountLines(result, openOrders, now)
        report.instruments = (0..<instruments.count).map { instrumentLine(instruments[$0], now) }
        report.strategies = strategies.indices.map { strategyLine($0, now) }
        report.balances = (0..<ledger.purseCount).map { balance($0) }
        for refusal in Refusal.allCases where count(refusal) > 0 { report.refusals["\(refusal)"] = count(refusal) }
        (report.cancels, report.cancelsOverRate) = (cancels, cancelsOverRate)
        return report
    }

    private func line(_ name: String, _ limit: (any CustomStringConvertible)?, _ use: (any CustomStringConvertible)?)
        -> RiskReport.Line
    {
        RiskReport.Line(
            key: RiskLimits.configurationKey(name), limit: limit.map { "\($0)" }, use: use.map { "\($0)" })
    }

    private func accountLines(_ result: Money, _ openOrders: Int, _ now: UInt64) -> [RiskReport.Line] {
        let totals = ledger.totals.pointee
        let loss = max(watch.day.start - result, .zero), fall = max(watch.day.peak - result, .zero)
        let inSecond = max(Int64(limits.orderBurst) - Int64(rate.available(now)), 0)
        return [
            line("maxOpenOrders", account.openOrders, openOrders),
            line("maxGrossExposure", limits.maxGrossExposure, Money(atoms: totals.gross)),
            line("maxNetExposure", limits.maxNetExposure, Money(atoms: max(totals.long, -totals.short, 0))),
            line("maxDailyLoss", limits.maxDailyLoss, loss),
            line("maxDrawdown", limits.maxDrawdown, fall),
            line("lossState", "\(limits.lossState)", nil),
            line("dayStartHour", limits.dayStartHour, nil),
            line("funding", limits.funding.rawValue, nil),
            line("leverage", limits.leverage, nil),
            line("ordersPerSecond", limits.ordersPerSecond, nil),
            line("orderBurst", limits.orderBurst, inSecond),
            line("cancelsPerSecond", limits.cancelsPerSecond, nil),
        ]
    }

    private func instrumentLine(_ instrument: Instrument, _ now: UInt64) -> RiskReport.InstrumentLine {
        let record = instrument.record, limit = resolved[instrument.index]
        let row = ledger.rows[instrument.index]
        let economics = record.pointee.economics
        func money(_ parts: Int128) -> Money { Money(atoms: parts.multipliedSaturating(by: economics.scale)) }
        func quantity(_ units: Int64) -> String? { units == .max ? nil : instrument.text(Quantity(units: units)) }
        let held = record.pointee.position.quantity
        let worst = max(held &+ record.pointee.openBuys, record.pointee.openSells &- held, 0)
        let free = (0..<strategies.count).reduce(UInt64(0)) {
            $0 + rates[instrument.index * strategies.count + $1].available(now)
        }
        let used = max(Int64(limit.ordersPerMinute) - Int64(clamping: free), 0)
        return RiskReport.InstrumentLine(
            symbol: instrument.symbol,
            limits: [
                line("minOrderNotional", money(limit.minOrderParts), nil),
                line("maxOrderNotional", money(limit.orderParts), nil),
                line("maxOrderQuantity", quantity(limit.orderQuantity), nil),
                line("priceBandPpm", limit.bandPpm, nil), line("tradeBandPpm", limit.tradeBandPpm, nil),
                line("maxBookAgeMs", limit.bookAge == .max ? 0 : limit.bookAge / 1_000_000, nil),
                line("maxPositionNotional", money(limit.positionParts), Money(atoms: row.gross)),
                line("maxPosition", quantity(limit.position), instrument.text(Quantity(units: worst))),
                line("maxInstrumentOrders", limit.openOrders, record.pointee.openOrders),
                line("ordersPerMinute", limit.ordersPerMinute, used),
            ], otherFees: Money(atoms: record.pointee.position.otherFees),
            unvaluedFees: record.pointee.position.unvaluedFees)
    }

    private func strategyLine(_ number: Int, _ now: UInt64) -> RiskReport.StrategyLine {
        var line = strategyState(number)
        guard rows.isSplit else { return line }
        let own = limits.strategies[line.name] ?? StrategyLimits()
        line.limits = strategyLimits(line.name, own, shares[number], line.openOrders, now)
        return line
    }

    /// What a strategy does and has brought, without its limits, as it was valued last.
    func strategyState(_ number: Int) -> RiskReport.StrategyLine {
        var line = RiskReport.StrategyLine(
            name: strategies[number], state: state(of: number), openOrders: Int(orders.byStrategy[number]))
        guard rows.isSplit else { return line }
        let share = shares[number], result = Money(atoms: share.totals.result), day = share.watch.day
        line.trip = day.trip
        line.dayResult = result - day.start
        line.dayPeak = day.peak - day.start
        line.refused = share.refused
        return line
    }

    private func strategyLimits(
        _ name: String, _ own: StrategyLimits, _ share: StrategyRisk, _ openOrders: Int, _ now: UInt64
    ) -> [RiskReport.Line] {
        func line(
            _ key: String, _ limit: (any CustomStringConvertible)?, _ use: (any CustomStringConvertible)?
        ) -> RiskReport.Line { self.line("strategies.\(name).\(key)", limit, use) }
        let totals = share.totals, day = share.watch.day, result = Money(atoms: totals.result)
        let used = own.ordersPerMinute.map { max(Int64($0) - Int64(clamping: share.rate.available(now)), 0) }
        return [
            line("maxOrderNotional", own.maxOrderNotional, nil), line("maxOrderQuantity", own.maxOrderQuantity, nil),
            line("maxPositionNotional", own.maxPositionNotional, nil), line("maxPosition", own.maxPosition, nil),
            line("maxOpenOrders", own.maxOpenOrders, openOrders),
            line("maxGrossExposure", own.maxGrossExposure, Money(atoms: totals.gross)),
            line("maxNetExposure", own.maxNetExposure, Money(atoms: max(totals.long, -totals.short, 0))),
            line("maxDailyLoss", own.maxDailyLoss, max(day.start - result, .zero)),
            line("maxDrawdown", own.maxDrawdown, max(day.peak - result, .zero)),
            line("ordersPerMinute", own.ordersPerMinute, used), line("rateShare", own.rateShare ?? 1, nil),
        ]
    }

    private func balance(_ purse: Int) -> RiskReport.Balance {
        let place = ledger.purses[purse]
        let used = limits.funding == .margin ? place.used / Int128(account.leverage) : place.used
        return RiskReport.Balance(
            asset: ledger.asset(purse), balance: place.isKnown ? Money(atoms: place.balance) : nil,
            used: Money(atoms: used))
    }
}
