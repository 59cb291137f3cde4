package import Apus
package import CApusRing

/// What an engine has done, for people and for `--json`.
package struct EngineSummary: Codable, Sendable, Equatable {
    package var events: UInt64 = 0
    package var eventsLost: UInt64 = 0
    /// Orders placed, without changes and cancels.
    package var orders: UInt64 = 0
    package var modifies: UInt64 = 0
    package var cancels: UInt64 = 0
    package var queries: UInt64 = 0
    package var fills: UInt64 = 0
    /// Orders that the venue or the guard refused.
    package var rejections: UInt64 = 0
    /// What the risk gate refused, by rule; rules that refused nothing are left out.
    package var blocked: [String: UInt64] = [:]
    /// Reports that brought nothing new, and reports of orders that are not ours.
    package var duplicateReports: UInt64 = 0
    package var strangeReports: UInt64 = 0
    package var overfills: UInt64 = 0
    package var openOrders = 0
    /// From the start to the newest turn.
    package var seconds: Double = 0
    /// Net profit and loss, rounded to a binary fraction; `profit` has it exactly.
    package var pnl: Double = 0
    package var profit = ProfitSummary()
    /// Instruments that were traded.
    package var positions: [PositionSummary] = []
    /// Each strategy's part.
    package var strategies: [StrategySummary] = []
    package var hops: [String: HopSummary] = [:]

    package init() {}
}

/// What one strategy has done, and what of the account is its own.
package struct StrategySummary: Codable, Sendable, Equatable {
    package var name: String
    package var orders: UInt64 = 0
    package var modifies: UInt64 = 0
    package var fills: UInt64 = 0
    /// What the risk gate refused of it.
    package var blocked: UInt64 = 0
    package var openOrders = 0
    package var pnl: Double = 0
    package var profit = ProfitSummary()
    package var positions: [PositionSummary] = []
}

/// Exact amounts in the settlement asset.
package struct ProfitSummary: Codable, Sendable, Equatable {
    package var realised = Money.zero
    package var unrealised = Money.zero
    package var fees = Money.zero
    package var net = Money.zero

    init(_ profit: Profit) {
        (realised, unrealised, fees, net) = (profit.realised, profit.unrealised, profit.fees, profit.net)
    }

    package init() {}
}

/// A position, its numbers in digits.
package struct PositionSummary: Codable, Sendable, Equatable {
    package var instrument: String
    package var quantity: String
    package var averagePrice: String?
    package var realised: Money
    package var unrealised: Money
    package var fees: Money
}

/// One hop of a message's way: nanoseconds.
///
/// A quantile is at most 1.6 % above the value it stands for and never below it; below 128 ns it is exact, and so is the maximum.
package struct HopSummary: Codable, Sendable, Equatable {
    /// Values that were zero or more. The quantiles and the maximum are theirs, and 0 when there were none.
    package var count: UInt64 = 0
    package var p50: UInt64 = 0
    package var p99: UInt64 = 0
    package var p999: UInt64 = 0
    package var max: UInt64 = 0
    /// Values below zero: the clock that stamped the hop's begin was ahead of the one that stamped its end. They are in no quantile.
    package var skewed: UInt64 = 0
    /// By how much at worst.
    package var worstSkew: UInt64 = 0

    package init() {}

    package init(_ histogram: UnsafePointer<apus_histogram>) {
        count = apus_histogram_count(histogram)
        p50 = apus_histogram_quantile(histogram, 0.5)
        p99 = apus_histogram_quantile(histogram, 0.99)
        p999 = apus_histogram_quantile(histogram, 0.999)
        max = apus_histogram_maximum(histogram)
        skewed = apus_histogram_negative(histogram)
        worstSkew = apus_histogram_negative_worst(histogram)
    }

    /// Whether the hop was ever recorded, with whatever result.
    package var isUsed: Bool { count > 0 || skewed > 0 }

    /// The names of the hops, in a message's order.
    package static let names: [(name: String, hop: apus_hop)] = [
        ("venue_kernel", APUS_HOP_VENUE_KERNEL), ("kernel_receive", APUS_HOP_KERNEL_RECEIVE),
        ("receive_publish", APUS_HOP_RECEIVE_PUBLISH), ("publish_decide", APUS_HOP_PUBLISH_DECIDE),
        ("decide_order", APUS_HOP_DECIDE_ORDER), ("order_sent", APUS_HOP_ORDER_SENT),
        ("sent_answer", APUS_HOP_SENT_ANSWER),
    ]

    /// All hops of a counter page that have recorded something. Any thread.
    package static func all(_ counters: UnsafeMutablePointer<apus_counters>) -> [String: HopSummary] {
        var hops: [String: HopSummary] = [:]
        for (name, hop) in names {
            let summary = HopSummary(apus_counters_hop(counters, hop.rawValue))
            if summary.isUsed { hops[name] = summary }
        }
        return hops
    }
}

extension DecisionAgent {
    /// Open orders with what names them at the venue. Between turns, by the thread that runs them, or after the last.
    package var openRecords: [OrderRecord] { (0..<orders.openCount).map { orders.records[Int(orders.open[$0])] } }

    /// What it has done so far. Between turns, by the thread that runs them, or after the last.
    package var summary: EngineSummary {
        var summary = EngineSummary()
        summary.events = state.pointee.events
        summary.eventsLost = state.pointee.reader.lost
        summary.orders = state.pointee.orders
        summary.modifies = state.pointee.modifies
        summary.cancels = state.pointee.cancels
        summary.queries = state.pointee.queries
        summary.fills = life.pointee.fills
        summary.rejections = life.pointee.rejections
        for refusal in Refusal.allCases where gate.pointee.count(refusal) > 0 {
            summary.blocked["\(refusal)"] = gate.pointee.count(refusal)
        }
        summary.duplicateReports = life.pointee.duplicates
        summary.strangeReports = life.pointee.strangers
        summary.overfills = life.pointee.overfills
        summary.openOrders = orders.openCount
        let end = max(state.pointee.turnTime, core.pointee.now)
        summary.seconds = Double(end - min(state.pointee.startTime, end)) / 1e9
        summary.profit = ProfitSummary(context.profit)
        summary.pnl = summary.profit.net.double
        summary.positions = positions(context)
        summary.strategies = settings.indices.map { strategySummary($0, summary) }
        summary.hops = HopSummary.all(counters)
        return summary
    }

    /// What of an order is known to be filled, but not at which price. Between turns.
    package func assumed(_ id: OrderID) -> Int64 { orders.find(id)?.pointee.assumed ?? 0 }

    private func strategySummary(_ number: Int, _ whole: EngineSummary) -> StrategySummary {
        var summary = StrategySummary(name: settings[number].name)
        guard let fanOut else {
            (summary.orders, summary.modifies, summary.fills) = (whole.orders, whole.modifies, whole.fills)
            summary.blocked = Refusal.allCases.reduce(0) { $0 + gate.pointee.count($1) }
            summary.openOrders = whole.openOrders
            (summary.pnl, summary.profit, summary.positions) = (whole.pnl, whole.profit, whole.positions)
            return summary
        }
        let share = gate.pointee.shares[number], context = fanOut.context(number)
        (summary.orders, summary.modifies, summary.blocked) = (share.placed, share.modified, share.refused)
        let rows = life.pointee.rows.block(UInt8(number))
        summary.fills = (0..<table.count).reduce(0) { $0 + rows[$1].fills }
        summary.openOrders = context.openOrders.count
        summary.profit = ProfitSummary(context.profit)
        summary.pnl = summary.profit.net.double
        summary.positions = positions(context)
        return summary
    }

    private func positions(_ context: Context) -> [PositionSummary] {
        context.instruments.compactMap { instrument in
            let position = context.position(of: instrument)
            guard position.bought != .zero || position.sold != .zero else { return nil }
            return PositionSummary(
                instrument: instrument.symbol, quantity: instrument.text(position.quantity),
                averagePrice: position.averagePrice.map { instrument.text($0) }, realised: position.realised,
                unrealised: position.unrealised, fees: position.fees)
        }
    }
}
