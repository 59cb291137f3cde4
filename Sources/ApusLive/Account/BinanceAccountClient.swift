import Apus
import ApusEngine
import CApusProtocol
import CApusRing
import Foundation
import Synchronization

/// A Binance USDⓈ-M account over REST.
///
/// Documented at developers.binance.com, USDⓈ-M futures, "Account" and "Trade": openOrders, order, userTrades, v3/positionRisk,
/// v3/balance, countdownCancelAll. Trades name their order by the venue's number alone.
package final class BinanceAccountClient: AccountClient {
    private let transport: AccountTransport
    private let signer: BinanceSigner
    private let key: String
    private let base: String
    private let symbols: [String]
    private let settlementAsset: String
    /// Venue's clock minus ours, in milliseconds; asked for when the venue finds our stamps wrong.
    private let clockOffset = Mutex<Int64>(0)
    /// Trades of one answer at most, as documented.
    private static let tradesOfAPage = 1000
    /// Milliseconds that a request by time may cover, a little less than documented.
    private static let longestSpan: Int64 = 7 * 86_400_000 - 1000
    private static let noSuchOrder = -2013
    private static let unknownOrderSent = -2011
    private static let badTimestamp = -1021

    package init(
        _ credentials: BinanceCredentials, rest: VenueAddress?, symbols: [String], settlementAsset: String,
        caFile: String?
    ) throws(LiveError) {
        signer = try BinanceSigner(credentials)
        key = credentials.key
        self.symbols = symbols
        self.settlementAsset = settlementAsset
        let address = rest.map { "\($0)" } ?? "https://fapi.binance.com"
        base = address.hasSuffix("/") ? String(address.dropLast()) : address
        transport = AccountTransport(caFile: caFile)
    }

    package func close() async { await transport.close() }

    // MARK: Looking

    package func snapshot(since: UInt64) async throws(AccountError) -> AccountSnapshot {
        var snapshot = AccountSnapshot(time: UInt64(now) * 1_000_000)
        for symbol in symbols {
            let orders: [OrderAnswer] = try await ask("GET", "/fapi/v1/openOrders", [("symbol", symbol)])
            for order in orders { snapshot.openOrders.append(try venueOrder(order)) }
            snapshot.trades += try await trades(symbol, since: since)
            let positions: [PositionAnswer] = try await ask("GET", "/fapi/v3/positionRisk", [("symbol", symbol)])
            for position in positions { snapshot.positions.append(try venuePosition(position)) }
        }
        snapshot.trades.sort { ($0.time, $0.tradeID) < ($1.time, $1.tradeID) }
        let balances: [BalanceAnswer] = try await ask("GET", "/fapi/v3/balance", [])
        if let own = balances.first(where: { $0.asset == settlementAsset }) {
            snapshot.balance = Money(try decimal(own.balance))
        }
        return snapshot
    }

    package func order(_ order: KnownOrder) async throws(AccountError) -> VenueOrder? {
        do throws(BinanceRefusal) {
            let answer: OrderAnswer = try await request("GET", "/fapi/v1/order", name(of: order))
            return try venueOrder(answer, as: BinanceRefusal.self)
        } catch {
            if error.code == Self.noSuchOrder { return nil }
            throw error.error
        }
    }

    // A request by time covers seven days at most. After the first trades the rest goes by their numbers, up to the newest: a page
    // by time could end within a millisecond.
    private func trades(_ symbol: String, since: UInt64) async throws(AccountError) -> [VenueTrade] {
        var start = Int64(since / 1_000_000)
        repeat {
            let end = start + Self.longestSpan
            let page = try await page(
                symbol, [("startTime", "\(start)"), ("endTime", "\(end)"), ("limit", "\(Self.tradesOfAPage)")])
            if !page.isEmpty { return try await following(page, symbol) }
            start = end + 1
        } while start <= now
        return []
    }

    private func following(_ first: [VenueTrade], _ symbol: String) async throws(AccountError) -> [VenueTrade] {
        var trades = first
        while let newest = trades.last?.tradeID {
            let page = try await page(symbol, [("fromId", "\(newest + 1)"), ("limit", "\(Self.tradesOfAPage)")])
            if page.isEmpty { break }
            trades += page
        }
        return trades
    }

    private func page(
        _ symbol: String, _ parameters: [(String, String)]
    ) async throws(AccountError) -> [VenueTrade] {
        let answers: [TradeAnswer] = try await ask("GET", "/fapi/v1/userTrades", [("symbol", symbol)] + parameters)
        var trades: [VenueTrade] = []
        for answer in answers { trades.append(try venueTrade(answer)) }
        return trades.sorted { $0.tradeID < $1.tradeID }
    }

    // MARK: Canceling

    package func cancel(_ orders: [KnownOrder]) async throws(AccountError) -> [KnownOrder] {
        var left: [KnownOrder] = []
        for order in orders {
            do throws(BinanceRefusal) {
                let _: OrderAnswer = try await request("DELETE", "/fapi/v1/order", name(of: order))
            } catch {
                guard error.code == Self.unknownOrderSent else { throw error.error }
                // It has ended, or has not arrived yet: only the venue's word for its end is one.
                if try await self.order(order)?.end == nil { left.append(order) }
            }
        }
        return left
    }

    package func cancelAll() async throws(AccountError) {
        for symbol in symbols {
            let _: AnyAnswer = try await ask("DELETE", "/fapi/v1/allOpenOrders", [("symbol", symbol)])
        }
    }

    package func armDeadManSwitch(seconds: Int) async throws(AccountError) -> Bool {
        for symbol in symbols {
            do throws(BinanceRefusal) {
                let _: AnyAnswer = try await request(
                    "POST", "/fapi/v1/countdownCancelAll",
                    [("symbol", symbol), ("countdownTime", "\(seconds * 1000)")])
            } catch {
                if error.status == 404 { return false }
                throw error.error
            }
        }
        return true
    }

    // MARK: Asking

    private var now: Int64 {
        Int64(apus_clock_realtime() / 1_000_000) + clockOffset.withLock { $0 }
    }

    private func name(of order: KnownOrder) -> [(String, String)] {
        if order.clientID == 0 { return [("symbol", order.symbol), ("orderId", "\(order.venueID)")] }
        var text = [CChar](repeating: 0, count: Int(APUS_BINANCE_CLIENT_ID_BYTES) + 1)
        apus_binance_client_id(order.clientID, &text)
        let name = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return [("symbol", order.symbol), ("origClientOrderId", name)]
    }

    private func ask<Answer: Decodable>(
        _ method: String, _ path: String, _ parameters: [(String, String)]
    ) async throws(AccountError) -> Answer {
        do throws(BinanceRefusal) {
            return try await request(method, path, parameters)
        } catch { throw error.error }
    }

    /// Signs and asks. A stamp that the venue finds wrong is made anew once, by the venue's own clock.
    private func request<Answer: Decodable>(
        _ method: String, _ path: String, _ parameters: [(String, String)]
    ) async throws(BinanceRefusal) -> Answer {
        do throws(BinanceRefusal) {
            return try await send(method, path, parameters)
        } catch {
            guard error.code == Self.badTimestamp else { throw error }
        }
        let response = try await call("GET", "/fapi/v1/time", query: "")
        let answer: TimeAnswer = try decode(response, "GET", "/fapi/v1/time")
        clockOffset.withLock { $0 = answer.serverTime - Int64(apus_clock_realtime() / 1_000_000) }
        return try await send(method, path, parameters)
    }

    private func send<Answer: Decodable>(
        _ method: String, _ path: String, _ parameters: [(String, String)]
    ) async throws(BinanceRefusal) -> Answer {
        let stamped = parameters + [("recvWindow", "5000"), ("timestamp", "\(now)")]
        let query = stamped.map { "\($0)=\($1)" }.joined(separator: "&")
        let response = try await call(method, path, query: "\(query)&signature=\(try sign(query))")
        return try decode(response, method, path)
    }

    private func sign(_ query: String) throws(BinanceRefusal) -> String {
        guard let signature = signer.sign(query) else {
            throw BinanceRefusal(
                status: 0, code: 0, error: AccountError(.refused, "the private key signs nothing; check the key"))
        }
        // Base64 has three characters that mean something else in a query.
        return signature.replacing("+", with: "%2B").replacing("/", with: "%2F").replacing("=", with: "%3D")
    }

    private func call(
        _ method: String, _ path: String, query: String
    ) async throws(BinanceRefusal) -> AccountTransport.Response {
        do throws(AccountError) {
            return try await transport.send(
                method, "\(base)\(path)\(query.isEmpty ? "" : "?\(query)")", what: "\(method) \(path)",
                headers: [("X-MBX-APIKEY", key)])
        } catch { throw BinanceRefusal(status: 0, code: 0, error: error) }
    }

    private func decode<Answer: Decodable>(
        _ response: AccountTransport.Response, _ method: String, _ path: String
    ) throws(BinanceRefusal) -> Answer {
        guard response.status == 200 else {
            let refusal = try? JSONDecoder().decode(RefusalAnswer.self, from: response.body)
            throw BinanceRefusal(
                status: response.status, code: refusal?.code ?? 0,
                error: response.error("\(method) \(path)", reason: refusal.map { "\($0.msg) (\($0.code))" }))
        }
        do {
            return try JSONDecoder().decode(Answer.self, from: response.body)
        } catch {
            throw BinanceRefusal(
                status: 200, code: 0,
                error: AccountError(.venue, "\(method) \(path): the answer is not what it should be: \(error)"))
        }
    }

    // MARK: Reading

    private func decimal(_ text: String) throws(AccountError) -> ExactDecimal {
        do { return try ExactDecimal(text) } catch { throw AccountError(.venue, "\"\(text)\" is no number: \(error)") }
    }

    private func venueOrder(
        _ answer: OrderAnswer, as: BinanceRefusal.Type
    ) throws(BinanceRefusal) -> VenueOrder {
        do { return try venueOrder(answer) } catch { throw BinanceRefusal(status: 200, code: 0, error: error) }
    }

    private func venueOrder(_ answer: OrderAnswer) throws(AccountError) -> VenueOrder {
        var number: UInt64 = 0
        let name = Array(answer.clientOrderId.utf8)
        let isOurs = apus_binance_parse_client_id(name, name.count, &number)
        return VenueOrder(
            clientID: isOurs ? number : nil, venueID: UInt64(answer.orderId), venueText: "\(answer.orderId)",
            symbol: answer.symbol, side: answer.side == "BUY" ? .buy : .sell, price: try decimal(answer.price),
            quantity: try decimal(answer.origQty), filled: try decimal(answer.executedQty), end: answer.end)
    }

    private func venueTrade(_ answer: TradeAnswer) throws(AccountError) -> VenueTrade {
        VenueTrade(
            tradeID: UInt64(answer.id), clientID: nil, venueID: UInt64(answer.orderId), symbol: answer.symbol,
            side: answer.side == "BUY" ? .buy : .sell, price: try decimal(answer.price),
            quantity: try decimal(answer.qty),
            fee: Money(try decimal(answer.commission)), isMaker: answer.maker, time: UInt64(answer.time) * 1_000_000,
            isFeeInOtherAsset: answer.commissionAsset != settlementAsset)
    }

    private func venuePosition(_ answer: PositionAnswer) throws(AccountError) -> VenuePosition {
        let quantity = try decimal(answer.positionAmt)
        return VenuePosition(
            symbol: answer.symbol, quantity: quantity,
            averagePrice: quantity.digits == 0 ? nil : try decimal(answer.entryPrice))
    }
}

/// A refusal with what is needed to tell it from others.
private struct BinanceRefusal: Error {
    let status: Int
    let code: Int
    let error: AccountError
}

private struct RefusalAnswer: Decodable {
    let code: Int
    let msg: String
}

private struct TimeAnswer: Decodable { let serverTime: Int64 }

/// Any JSON: that it came is all there is to know.
private struct AnyAnswer: Decodable { init(from decoder: any Decoder) throws {} }

private struct OrderAnswer: Decodable {
    let orderId: Int64
    let clientOrderId: String
    let symbol: String
    let side: String
    let status: String
    let price: String
    let origQty: String
    let executedQty: String

    /// How it ended; nil while it is open.
    var end: OrderState? {
        switch status {
        case "FILLED": .filled
        case "CANCELED": .canceled
        case "EXPIRED", "EXPIRED_IN_MATCH": .expired
        case "REJECTED": .rejected
        default: nil
        }
    }
}

private struct TradeAnswer: Decodable {
    let symbol: String
    let id: Int64
    let orderId: Int64
    let side: String
    let price: String
    let qty: String
    let commission: String
    let commissionAsset: String
    let time: Int64
    let maker: Bool
}

private struct PositionAnswer: Decodable {
    let symbol: String
    let positionAmt: String
    let entryPrice: String
}

private struct BalanceAnswer: Decodable {
    let asset: String
    let balance: String
}
