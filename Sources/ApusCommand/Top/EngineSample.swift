import ApusEngine
import CApusRing

/// What one look at an engine's public mapping shows.
package struct EngineSample: Sendable {
    package enum Life: String, Sendable {
        case alive, closed, stalled, dead
    }

    package struct Hop: Sendable {
        package let name: String
        let times: HopSummary
    }

    package struct Level: Sendable, Equatable {
        package let price: String
        package let quantity: String
    }

    package struct Book: Sendable {
        package let symbol: String
        package let venue: String
        package let state: String
        /// Best first.
        package let bids: [Level]
        package let asks: [Level]
        package let totalBids: UInt64
        package let totalAsks: UInt64
        package let updateID: UInt64
        /// Since the snapshot was published.
        package let ageNanoseconds: UInt64
        /// The writer was inside this entry at every try.
        package let torn: Bool
    }

    package struct Connection: Sendable {
        package let number: Int
        package let state: String
    }

    package let name: String
    package let pid: UInt32
    package let life: Life
    package let takenNanoseconds: UInt64
    package let uptimeSeconds: UInt64
    package let heartbeatAgeNanoseconds: UInt64
    package let feedSlots: UInt32
    /// Events ever published.
    package let published: UInt64
    /// By name, in the order of the layout.
    package let counters: [(name: String, value: UInt64)]
    package let hops: [Hop]
    package let books: [Book]
    /// Those whose events were still in the feed ring.
    package let connections: [Connection]
    /// What each of several strategies does and has brought: the mapping does not hold it.
    package var strategies: [RiskReport.StrategyLine] = []

    /// A counter by name; 0 when there is none of that name.
    package func counter(_ name: String) -> UInt64 { counters.first { $0.name == name }?.value ?? 0 }

    /// How fast a counter grew since an earlier sample, such as ` (1,200/s)`; empty without one.
    package func rate(of counter: String, since previous: EngineSample?) -> String {
        guard let previous, takenNanoseconds > previous.takenNanoseconds else { return "" }
        let seconds = Double(takenNanoseconds - previous.takenNanoseconds) / 1e9
        let before = previous.counter(counter), after = self.counter(counter)
        return after < before ? "" : " (\(countText(UInt64(Double(after - before) / seconds + 0.5)))/s)"
    }
}

/// Names of the hot thread's counters, in the order of `apus_hot_counter`.
package let hotCounterNames = [
    "frames", "bytes", "events", "depth_applied", "unknown", "decode_errors", "gaps", "resyncs", "reconnects",
    "ticker_equal", "ticker_compared", "hash_equal", "hash_compared", "orders_sent", "orders_refused", "reports",
    "turns",
    "clock_skew", "arena_bytes",
]

/// Names of the decision thread's counters, in the order of `apus_decide_counter`.
package let decideCounterNames = [
    "events_read", "events_lost", "orders_approved", "orders_blocked", "fills", "decide_turns",
]

extension EngineSample {
    /// The sample as one JSON object; prices and quantities are exact numbers.
    package var json: JSONText {
        .object([
            ("name", .string(name)), ("pid", .unsigned(UInt64(pid))), ("life", .string(life.rawValue)),
            ("uptime_seconds", .unsigned(uptimeSeconds)), ("heartbeat_age_ns", .unsigned(heartbeatAgeNanoseconds)),
            ("feed_slots", .unsigned(UInt64(feedSlots))), ("published", .unsigned(published)),
            ("counters", .object(counters.map { ($0.name, .unsigned($0.value)) })),
            ("hops", .object(hops.map { ($0.name, $0.times.json) })), ("books", .array(books.map(\.json))),
            (
                "connections",
                .array(
                    connections.map { .object([("number", .integer(Int64($0.number))), ("state", .string($0.state))]) })
            ),
            ("strategies", .array(strategies.map(\.topJSON))),
        ])
    }
}

extension RiskReport.StrategyLine {
    fileprivate var topJSON: JSONText {
        .object([
            ("name", .string(name)), ("state", .string("\(state)")), ("open_orders", .integer(Int64(openOrders))),
            ("day_result", dayResult.map { .number("\($0)") } ?? .null),
        ])
    }
}

extension EngineSample.Book {
    fileprivate var json: JSONText {
        func rows(_ levels: [EngineSample.Level]) -> JSONText {
            .array(levels.map { .array([.number($0.price), .number($0.quantity)]) })
        }
        return .object([
            ("instrument", .string(symbol)), ("venue", .string(venue)), ("state", .string(state)),
            ("levels", .array([.unsigned(totalBids), .unsigned(totalAsks)])), ("bids", rows(bids)),
            ("asks", rows(asks)),
            ("update_id", .unsigned(updateID)), ("age_ns", .unsigned(ageNanoseconds)), ("torn", .bool(torn)),
        ])
    }
}
