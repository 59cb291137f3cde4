import ApusLive

/// What of Polymarket its documents may change. The built-in values are the documented ones.
let polymarketFields: [ConfigurationField] = {
    let standard = PolymarketSettings()
    func number(_ key: String, _ range: ClosedRange<Int>, _ value: Int, _ help: String) -> ConfigurationField {
        ConfigurationField("venue.polymarket.\(key)", .integer(range), .scalar("\(value)"), help)
    }
    func contract(_ key: String, _ value: String, _ help: String) -> ConfigurationField {
        ConfigurationField("venue.polymarket.\(key)", .text, .scalar(value), help)
    }
    return [
        number("chain_id", 1...Int.max, Int(standard.chain), "Chain that orders are signed for"),
        contract("exchange", standard.exchange, "Exchange contract, version 2"),
        contract("neg_risk_exchange", standard.negRiskExchange, "Exchange contract of neg-risk markets, version 2"),
        contract("exchange_v3", standard.exchangeV3, "Exchange contract, version 3"),
        number("connections", 1...7, standard.connections, "Warm connections for orders"),
        number(
            "heartbeat_seconds", 0...60, standard.heartbeatSeconds,
            "Between two heartbeats, half of the venue's patience: without them it cancels what is open; 0: none are sent"
        ),
        number("posts_per_10s", 1...1_000_000, standard.postsPerTenSeconds, "Requests with new orders, of an address"),
        number(
            "posts_per_10min", 1...10_000_000, standard.postsPerTenMinutes, "Requests with new orders, of an address"),
        number("orders_per_second", 1...100_000, standard.ordersPerSecond, "New orders of a signer"),
        number("order_burst", 1...100_000, standard.orderBurst, "New orders of a signer at once"),
        number("cancels_per_second", 1...100_000, standard.cancelsPerSecond, "Cancels of a signer"),
        number("cancel_burst", 1...100_000, standard.cancelBurst, "Cancels of a signer at once"),
    ]
}()

extension ConfigurationStore {
    /// The settings as they were configured.
    var polymarketSettings: PolymarketSettings {
        var settings = PolymarketSettings()
        func number(_ key: String, _ value: inout Int) { value = integer("venue.polymarket.\(key)") ?? value }
        settings.chain = integer("venue.polymarket.chain_id").map(UInt64.init) ?? settings.chain
        settings.exchange = text("venue.polymarket.exchange") ?? settings.exchange
        settings.negRiskExchange = text("venue.polymarket.neg_risk_exchange") ?? settings.negRiskExchange
        settings.exchangeV3 = text("venue.polymarket.exchange_v3") ?? settings.exchangeV3
        number("connections", &settings.connections)
        number("heartbeat_seconds", &settings.heartbeatSeconds)
        number("posts_per_10s", &settings.postsPerTenSeconds)
        number("posts_per_10min", &settings.postsPerTenMinutes)
        number("orders_per_second", &settings.ordersPerSecond)
        number("order_burst", &settings.orderBurst)
        number("cancels_per_second", &settings.cancelsPerSecond)
        number("cancel_burst", &settings.cancelBurst)
        return settings
    }
}
