internal import GRDB

// Amounts are exact decimal texts, as everywhere else in the engine: SQLite's numbers are binary fractions. Sums for people are made by
// `CAST(... AS REAL)`, as the views do.

/// One order of one run, from its intent to its end.
package struct HistoryOrder: Codable, Sendable, Equatable, FetchableRecord, PersistableRecord {
    package static let databaseTableName = "orders"

    /// The order's number, its bits as a signed integer: SQLite has no unsigned ones.
    package var id: Int64
    /// The number as people see it, `run-order`.
    package var name: String
    /// The name of the strategy that placed it; nil: nobody's.
    package var strategy: String?
    package var symbol: String
    package var side: String
    package var type: String
    package var timeInForce: String
    package var isReduceOnly: Bool
    package var price: String
    package var quantity: String
    package var filled: String
    package var state: String
    /// Of a refusal: the venue's code, or the guard's reason; 0: none.
    package var code: Int
    /// The venue's number, its bits as a signed integer; 0: not known.
    package var venueID: Int64
    /// Wall clock, nanoseconds since 1970 UTC.
    package var decidedAt: Int64
    package var changedAt: Int64

    package enum CodingKeys: String, CodingKey {
        case id, name, strategy, symbol, side, type, price, quantity, filled, state, code
        case timeInForce = "time_in_force"
        case isReduceOnly = "reduce_only"
        case venueID = "venue_id"
        case decidedAt = "decided_at"
        case changedAt = "changed_at"
    }
}

/// One change of a position: a fill, what its trade was found to be later, one that the venue has taken back, a settlement or a
/// funding payment.
package struct HistoryFill: Codable, Sendable, Equatable, FetchableRecord, PersistableRecord {
    package static let databaseTableName = "fills"

    /// What the change was.
    package enum Kind: String, Codable, Sendable, CaseIterable {
        case fill, corrected, undone, settled, funding
    }

    /// The journal record that told of it.
    package var record: Int64
    package var kind: String
    /// The order's number; nil: of no order.
    package var orderID: Int64?
    /// The name of the strategy that placed the order; nil: nobody's.
    package var strategy: String?
    package var symbol: String
    package var side: String
    package var price: String
    package var quantity: String
    /// In the settlement asset; negative was received.
    package var fee: String
    package var isMaker: Bool
    /// The venue's number of the trade, its bits as a signed integer; 0: a status answer told of the fill, not the trade.
    package var tradeID: Int64
    package var time: Int64

    package enum CodingKeys: String, CodingKey {
        case record, kind, strategy, symbol, side, price, quantity, fee, time
        case orderID = "order_id"
        case isMaker = "maker"
        case tradeID = "trade_id"
    }
}

/// What is held of an instrument, as of the newest record.
package struct HistoryPosition: Codable, Sendable, Equatable, FetchableRecord, PersistableRecord {
    package static let databaseTableName = "positions"

    /// The name of the strategy whose part it is, where what is whose is kept apart; "": the account's, all parts together.
    package var strategy: String
    package var symbol: String
    package var quantity: String
    package var averagePrice: String?
    package var realised: String
    package var fees: String
    package var changedAt: Int64

    package enum CodingKeys: String, CodingKey {
        case strategy, symbol, quantity, realised, fees
        case averagePrice = "average_price"
        case changedAt = "changed_at"
    }
}

/// What one instrument brought on one day (UTC).
package struct HistoryDay: Codable, Sendable, Equatable, FetchableRecord, PersistableRecord {
    package static let databaseTableName = "days"

    /// As in `2026-11-26`.
    package var day: String
    package var symbol: String
    package var orders: Int
    package var fills: Int
    package var bought: String
    package var sold: String
    /// Of the day alone, before fees.
    package var realised: String
    package var fees: String
}
