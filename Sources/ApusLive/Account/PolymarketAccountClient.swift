import Apus
import ApusEngine
import CApusProtocol
import CApusRing
import Foundation

/// A Polymarket account over REST.
///
/// Documented at docs.polymarket.com, "CLOB": data/orders, data/trades, data/order, orders, cancel-market-orders, balance-allowance,
/// heartbeats. The venue knows no client ids: an order is named by its hash, which follows from the engine's own numbers.
package final class PolymarketAccountClient: AccountClient {
    private let requests: PolymarketRequests
    private let credentials: PolymarketCredentials
    private let settings: PolymarketSettings
    private let instruments: [InstrumentDefinition]
    private let listings: [PolymarketListing]

    package init(
        _ credentials: PolymarketCredentials, settings: PolymarketSettings, metadata: VenueMetadata,
        addresses: VenueAddresses, caFile: String?
    ) {
        self.credentials = credentials
        self.settings = settings
        instruments = metadata.instruments
        listings = metadata.listings
        requests = PolymarketRequests(credentials, settings: settings, addresses: addresses, caFile: caFile)
    }

    package func close() async { await requests.close() }

    // MARK: Looking

    package func snapshot(since: UInt64) async throws(AccountError) -> AccountSnapshot {
        var snapshot = AccountSnapshot(time: apus_clock_realtime())
        snapshot.openOrders = try await openOrders().map { answer throws(AccountError) in try venueOrder(answer) }
        snapshot.trades = try await trades(since: since)
        for instrument in instruments {
            let held = try await balance("CONDITIONAL", token: instrument.symbol)
            if held.digits != 0 {
                snapshot.positions.append(VenuePosition(symbol: instrument.symbol, quantity: held))
            }
        }
        snapshot.balance = Money(try await balance("COLLATERAL", token: nil))
        return snapshot
    }

    package func order(_ order: KnownOrder) async throws(AccountError) -> VenueOrder? {
        for name in try await names(of: order) {
            if let answer = try await find(name) { return try venueOrder(answer) }
        }
        return nil
    }

    private func find(_ name: String) async throws(AccountError) -> OrderAnswer? {
        let response = try await requests.send("GET", "/data/order/\(name)")
        if response.status == 404 || response.body.isEmpty || response.body == Data("null".utf8) { return nil }
        return try requests.read(response, "GET /data/order")
    }

    private func openOrders() async throws(AccountError) -> [OrderAnswer] {
        let all: [OrderAnswer] = try await requests.pages("/data/orders", [])
        return all.filter { answer in instruments.contains { $0.symbol == answer.assetId } }
    }

    private func trades(since: UInt64) async throws(AccountError) -> [VenueTrade] {
        let answers: [TradeAnswer] = try await requests.pages("/data/trades", [("after", "\(since / 1_000_000_000)")])
        var trades: [VenueTrade] = []
        for answer in answers { trades += try venueTrades(answer) }
        return trades.filter { $0.time >= since / 1_000_000_000 * 1_000_000_000 }
            .sorted { ($0.time, $0.tradeID) < ($1.time, $1.tradeID) }
    }

    // In 10^-6, whatever the token.
    private func balance(_ type: String, token: String?) async throws(AccountError) -> ExactDecimal {
        var query = [("asset_type", type), ("signature_type", "\(credentials.signatureType)")]
        if let token { query.append(("token_id", token)) }
        let answer: BalanceAnswer = try requests.read(
            try await requests.send("GET", "/balance-allowance", query: query), "GET /balance-allowance")
        guard let units = Int64(answer.balance) else {
            throw AccountError(.venue, "GET /balance-allowance: \"\(answer.balance)\" is no balance")
        }
        return ExactDecimal(digits: units, decimals: Int(APUS_POLYMARKET_AMOUNT_DECIMALS))
    }

    // MARK: Canceling

    package func cancel(_ orders: [KnownOrder]) async throws(AccountError) -> [KnownOrder] {
        var left: [KnownOrder] = []
        for order in orders {
            let names = try await names(of: order)
            let answer: CancelAnswer = try requests.read(
                try await requests.send("DELETE", "/orders", body: names), "DELETE /orders")
            if answer.canceled.contains(where: { name in names.contains { $0.lowercased() == name.lowercased() } }) {
                continue
            }
            // It has ended, or has not arrived yet: only the venue's word for its end is one.
            if try await self.order(order)?.end == nil { left.append(order) }
        }
        return left
    }

    package func cancelAll() async throws(AccountError) {
        for instrument in instruments {
            let _: CancelAnswer = try requests.read(
                try await requests.send("DELETE", "/cancel-market-orders", body: ["asset_id": instrument.symbol]),
                "DELETE /cancel-market-orders")
        }
    }

    /// The venue's patience is its own, ten seconds and some: another heartbeat must come before, the order session's or one from
    /// here. Where the session sends none, the first one from here would have the venue cancel everything soon after. It cannot be
    /// disarmed: zero sends none.
    package func armDeadManSwitch(seconds: Int) async throws(AccountError) -> Bool {
        if settings.heartbeatSeconds == 0 { return false }
        if seconds == 0 { return true }
        let response = try await requests.send("POST", "/v1/heartbeats", body: ["heartbeat_id": ""])
        if response.status == 404 { return false }
        let _: HeartbeatAnswer = try requests.read(response, "POST /v1/heartbeats")
        return true
    }

    // MARK: Names

    /// The hashes that an order may have at the venue: with its number known one, else one for each version of the exchange.
    private func names(of order: KnownOrder) async throws(AccountError) -> [String] {
        let hashes = try [UInt8(2), 3].map { version throws(AccountError) in try hash(of: order, version: version) }
        if order.venueID == 0 { return hashes.map(hexText) }
        if let known = hashes.first(where: { Self.number($0) == order.venueID }) { return [hexText(known)] }
        // Not made of the engine's numbers: somebody else's, which only the venue can name in full.
        let open = try await openOrders().map(\.id).filter { Self.number(of: $0) == order.venueID }
        guard !open.isEmpty else {
            throw AccountError(.refused, "the venue has no open order whose hash begins with \(order.venueID)")
        }
        return open
    }

    private func hash(of order: KnownOrder, version: UInt8) throws(AccountError) -> [UInt8] {
        guard let index = instruments.firstIndex(where: { $0.symbol == order.symbol }) else {
            throw AccountError(.refused, "\(order.symbol) is not among the instruments")
        }
        do {
            return try credentials.hash(
                of: order, instruments[index], listings[index], settings: settings, version: version)
        } catch { throw AccountError(.refused, "the order's name cannot be made: \(error)") }
    }

    private static func number(_ hash: [UInt8]) -> UInt64 { apus_polymarket_venue_id(hash) }

    private static func number(of text: String) -> UInt64? {
        var hash = [UInt8](repeating: 0, count: 32)
        return apus_hex_parse(text, text.utf8.count, &hash, 32) == 0 ? number(hash) : nil
    }

    private static func number(ofTrade id: String, order: UInt64) -> UInt64 {
        let bytes = Array(id.utf8)
        return apus_polymarket_trade_id(bytes, bytes.count, order)
    }

    // MARK: Reading

    private func decimal(_ text: String) throws(AccountError) -> ExactDecimal {
        do { return try ExactDecimal(text) } catch { throw AccountError(.venue, "\"\(text)\" is no number: \(error)") }
    }

    private func venueOrder(_ answer: OrderAnswer) throws(AccountError) -> VenueOrder {
        guard let number = Self.number(of: answer.id) else {
            throw AccountError(.venue, "\"\(answer.id)\" is no order's hash")
        }
        let quantity = try decimal(answer.originalSize), filled = try decimal(answer.sizeMatched)
        let trades = (answer.associateTrades ?? []).map { Self.number(ofTrade: $0, order: number) }
        return VenueOrder(
            clientID: nil, venueID: number, venueText: answer.id, symbol: answer.assetId,
            side: answer.side == "BUY" ? .buy : .sell, price: try decimal(answer.price), quantity: quantity,
            filled: filled, trades: trades, end: answer.end(isWhole: isWhole(filled, of: quantity)))
    }

    private func isWhole(_ filled: ExactDecimal, of quantity: ExactDecimal) -> Bool {
        let units = [filled, quantity].map { try? $0.units(decimals: Int(APUS_POLYMARKET_AMOUNT_DECIMALS)) }
        guard let some = units[0], let all = units[1] else { return false }
        return some >= all
    }

    /// The account's parts in a trade: as its taker, as makers, or both.
    private func venueTrades(_ answer: TradeAnswer) throws(AccountError) -> [VenueTrade] {
        guard let seconds = UInt64(answer.matchTime) else {
            throw AccountError(.venue, "\"\(answer.matchTime)\" is no trade's time")
        }
        let own = credentials.apiKey?.key
        let isUndone = answer.status.hasSuffix("FAILED")
        var trades: [VenueTrade] = []
        func add(_ order: String, _ token: String, _ side: String, _ size: String, _ price: String, _ isMaker: Bool)
            throws(AccountError)
        {
            guard instruments.contains(where: { $0.symbol == token }), let number = Self.number(of: order) else {
                return
            }
            trades.append(
                VenueTrade(
                    tradeID: Self.number(ofTrade: answer.id, order: number), clientID: nil, venueID: number,
                    symbol: token, side: side == "BUY" ? .buy : .sell, price: try decimal(price),
                    quantity: try decimal(size), fee: .zero, isMaker: isMaker, time: seconds * 1_000_000_000,
                    isUndone: isUndone))
        }
        if answer.owner == own {
            try add(answer.takerOrderId, answer.assetId, answer.side, answer.size, answer.price, false)
        }
        for maker in answer.makerOrders where maker.owner == own {
            let token = maker.assetId ?? answer.assetId
            // Where makers name no side: of the same token they stand against the taker, of the other with it.
            let opposite = answer.side == "BUY" ? "SELL" : "BUY"
            let side = maker.side ?? (token == answer.assetId ? opposite : answer.side)
            try add(maker.orderId, token, side, maker.matchedAmount, maker.price, true)
        }
        return trades
    }
}

private struct OrderAnswer: Decodable {
    let id: String
    let status: String
    let assetId: String
    let side: String
    let price: String
    let originalSize: String
    let sizeMatched: String
    let associateTrades: [String]?

    /// How it ended; nil while it is open. What was matched in part and rests no more has expired.
    func end(isWhole: Bool) -> OrderState? {
        let prefix = "ORDER_STATUS_"
        switch status.hasPrefix(prefix) ? String(status.dropFirst(prefix.count)) : status {
        case "LIVE", "DELAYED": return nil
        case "MATCHED": return isWhole ? .filled : .expired
        case "EXPIRED", "UNMATCHED": return .expired
        default: return .canceled
        }
    }
}

private struct TradeAnswer: Decodable {
    struct Maker: Decodable {
        let orderId: String
        let owner: String
        let matchedAmount: String
        let price: String
        let assetId: String?
        let side: String?
    }

    let id: String
    let status: String
    let takerOrderId: String
    let owner: String
    let assetId: String
    let side: String
    let size: String
    let price: String
    let matchTime: String
    let makerOrders: [Maker]
}

private struct BalanceAnswer: Decodable { let balance: String }

private struct CancelAnswer: Decodable { let canceled: [String] }

private struct HeartbeatAnswer: Decodable { let heartbeatId: String }
