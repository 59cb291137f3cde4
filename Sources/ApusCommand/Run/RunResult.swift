import Apus
import ApusEngine
import ApusLive

/// How a run ended, for `--json` and for people.
struct RunResult {
    let summary: EngineSummary
    /// Orders that the venue has not confirmed as ended.
    let unconfirmed: [OpenOrderLine]
    /// Wall time from the start to the stop.
    let seconds: Double
    let strategy: String
    let venue: String
    /// Allocations from the end of the warm-up to the stop; nil when the run was too short or jemalloc is not there.
    let steady: Allocations?

    /// `events, orders, fills, seconds, pnl, hops` and some more; what a hop took in nanoseconds.
    var json: JSONText {
        .object([
            ("events", .unsigned(summary.events)), ("orders", .unsigned(summary.orders)),
            ("fills", .unsigned(summary.fills)), ("seconds", .number(rounded(seconds))),
            ("pnl", .number(summary.profit.net.text(decimals: 8))), ("hops", hops), ("strategy", .string(strategy)),
            ("venue", .string(venue)), ("events_lost", .unsigned(summary.eventsLost)),
            ("cancels", .unsigned(summary.cancels)), ("rejections", .unsigned(summary.rejections)),
            ("open_orders", .integer(Int64(summary.openOrders))),
            ("unconfirmed", .array(unconfirmed.map(\.json))), ("allocated", allocated),
            ("blocked", .object(summary.blocked.sorted { $0.key < $1.key }.map { ($0.key, .unsigned($0.value)) })),
            ("strategies", .array(summary.strategies.map(\.json))),
        ])
    }

    /// Bytes in steady state, by thread.
    private var allocated: JSONText {
        guard let steady else { return .null }
        return .object([
            ("hot", .unsigned(steady.hot)), ("decide", .unsigned(steady.decide)), ("events", .unsigned(steady.events)),
        ])
    }

    private var hops: JSONText { .object(usedHops.map { ($0.name, $0.times.json) }) }

    private var usedHops: [EngineSample.Hop] {
        HopSummary.names.compactMap { name, _ in summary.hops[name].map { .init(name: name, times: $0) } }
    }

    private func rounded(_ seconds: Double) -> String {
        let thousandths = Int64((seconds * 1000).rounded())
        return decimalText(thousandths, decimals: 3)
    }

    /// The summary that a run ends with.
    var text: String {
        let profit = summary.profit
        func money(_ money: Money) -> String { money.text(decimals: 4) }
        var lines = [
            "\(strategy) on \(venue), \(rounded(seconds)) s",
            "events     \(countText(summary.events)) (\(countText(UInt64(Double(summary.events) / max(seconds, 0.001))))/s), lost \(countText(summary.eventsLost))",
            "orders     \(countText(summary.orders)) placed, \(countText(summary.modifies)) changed, \(countText(summary.cancels)) canceled, \(countText(summary.rejections)) rejected",
            "fills      \(countText(summary.fills))",
            "P&L        \(money(profit.net)) = realised \(money(profit.realised)) + unrealised \(money(profit.unrealised)) - fees \(money(profit.fees))",
        ]
        for position in summary.positions {
            lines.append("position   \(position.instrument) \(position.quantity) at \(position.averagePrice ?? "-")")
        }
        if summary.strategies.count > 1 { lines += summary.strategies.map(\.text) }
        if !summary.blocked.isEmpty {
            let blocked = summary.blocked.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            lines.append("risk gate  refused: " + blocked.joined(separator: ", "))
        }
        if !unconfirmed.isEmpty { lines.append(unconfirmedText(unconfirmed)) }
        return (lines + hopTable(usedHops).map(\.plain)).joined(separator: "\n")
    }
}

extension OpenOrderLine {
    /// As the control socket tells it.
    var json: JSONText {
        .object([
            ("id", .string(id)), ("client_id", .unsigned(clientID)), ("symbol", .string(symbol)),
            ("side", .string(side)),
            ("price", .number(price)), ("quantity", .number(quantity)), ("filled", .number(filled)),
            ("state", .string(state)),
        ])
    }
}

extension StrategySummary {
    /// What one strategy has done, and what it holds.
    var json: JSONText {
        .object([
            ("name", .string(name)), ("orders", .unsigned(orders)), ("fills", .unsigned(fills)),
            ("blocked", .unsigned(blocked)), ("open_orders", .integer(Int64(openOrders))),
            ("pnl", .number(profit.net.text(decimals: 8))),
            ("positions", .object(positions.map { ($0.instrument, .number($0.quantity)) })),
        ])
    }

    /// One line for people.
    var text: String {
        let held = positions.map { "\($0.instrument) \($0.quantity)" }.joined(separator: ", ")
        return
            "strategy   \(name): orders \(countText(orders)), fills \(countText(fills)), P&L \(profit.net.text(decimals: 4)), "
            + "holds \(held.isEmpty ? "nothing" : held)"
    }
}
