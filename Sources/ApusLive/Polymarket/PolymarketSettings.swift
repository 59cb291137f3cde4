import CApusProtocol

/// What of Polymarket the venue may change: contracts, limits, patience. The values here are its documented ones.
package struct PolymarketSettings: Sendable, Equatable, Codable {
    package var chain: UInt64 = 137
    package var exchange = "0xE111180000d2663C0091e4f400237545B87B996B"
    package var negRiskExchange = "0xe2222d279d744050d28e00520010520000310F59"
    package var exchangeV3 = "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa"
    /// Warm connections for orders.
    package var connections = 4
    /// Between two heartbeats, half of the venue's patience; 0: none, and so no dead-man switch.
    package var heartbeatSeconds = 5
    /// `POST /order` and `/orders` of an address.
    package var postsPerTenSeconds = 3_500
    package var postsPerTenMinutes = 36_000
    /// Of a signer.
    package var ordersPerSecond = 40
    package var orderBurst = 60
    package var cancelsPerSecond = 80
    package var cancelBurst = 120

    package init() {}

    /// Fills in the order session's configuration.
    func apply(to config: UnsafeMutablePointer<apus_polymarket_orders_config>) throws(LiveError) {
        config.pointee.chain_id = chain
        let contracts = try [exchange, negRiskExchange, exchangeV3].map(Self.address)
        withUnsafeMutableBytes(of: &config.pointee.contracts) { $0.copyBytes(from: contracts.joined()) }
        config.pointee.lines = UInt32(connections)
        config.pointee.heartbeat_interval_ns = UInt64(heartbeatSeconds) * 1_000_000_000
        config.pointee.posts_10s = UInt32(postsPerTenSeconds)
        config.pointee.posts_10min = UInt32(postsPerTenMinutes)
        config.pointee.orders_each_s = UInt32(ordersPerSecond)
        config.pointee.orders_burst = UInt32(orderBurst)
        config.pointee.cancels_each_s = UInt32(cancelsPerSecond)
        config.pointee.cancels_burst = UInt32(cancelBurst)
    }

    /// The bytes of a contract's address.
    static func address(_ text: String) throws(LiveError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(APUS_ADDRESS_BYTES))
        guard apus_hex_parse(text, text.utf8.count, &bytes, bytes.count) == 0 else {
            throw LiveError("\"\(text)\" is no contract's address (0x and 40 hexadecimal digits)")
        }
        return bytes
    }

    /// The exchange that orders of a market are signed for; an unknown version counts as the venue's usual one.
    func exchange(_ listing: PolymarketListing, version: UInt8? = nil) throws(LiveError) -> apus_polymarket_exchange {
        let number = version ?? (listing.version == 0 ? 2 : listing.version)
        let contract = try Self.address(
            number == 3 ? exchangeV3 : listing.isNegRisk ? negRiskExchange : exchange)
        var made = apus_polymarket_exchange()
        apus_polymarket_exchange_init(&made, APUS_POLYMARKET_DOMAIN_NAME, "\(number)", chain, contract)
        return made
    }
}

/// What the venue's metadata says of an outcome token's market, beside the instrument's numbers.
package struct PolymarketListing: Sendable, Equatable {
    /// `0x` and 64 digits.
    package var condition: String
    package var isNegRisk: Bool
    /// Of the exchange, 2 or 3; 0: the venue's own.
    package var version: UInt8
    /// As the venue writes it: the hash of a book holds it.
    package var minOrderSize: String

    package init(condition: String, isNegRisk: Bool, version: UInt8, minOrderSize: String) {
        self.condition = condition
        self.isNegRisk = isNegRisk
        self.version = version
        self.minOrderSize = minOrderSize
    }
}
