import ApusEngine
import CApusProtocol
import CApusRing
import Foundation

/// Requests to the CLOB with the headers that they need: level 1 by the wallet's key, level 2 by the API key.
final class PolymarketRequests: Sendable {
    private let transport: AccountTransport
    private let credentials: PolymarketCredentials
    private let settings: PolymarketSettings
    private let base: String
    private static let noMorePages = "LTE="

    init(
        _ credentials: PolymarketCredentials, settings: PolymarketSettings, addresses: VenueAddresses, caFile: String?
    ) {
        self.credentials = credentials
        self.settings = settings
        let address = (addresses.orders ?? addresses.rest).map {
            VenueAddress(host: $0.host, port: $0.port, isSecure: $0.isSecure)
        }
        base = address.map { "\($0)" } ?? "https://clob.polymarket.com"
        transport = AccountTransport(caFile: caFile)
    }

    func close() async { await transport.close() }

    private var seconds: UInt64 { apus_clock_realtime() / 1_000_000_000 }

    // MARK: Level 2

    /// Sends a request of the API key. The signature covers the path without its query.
    func send(
        _ method: String, _ path: String, query: [(String, String)] = [],
        body: (some Encodable & Sendable)? = String?.none
    ) async throws(AccountError) -> AccountTransport.Response {
        guard let api = credentials.apiKey else { throw AccountError(.refused, "the API key has not been derived yet") }
        let text = body.flatMap { try? JSONEncoder().encode($0) }.map { String(decoding: $0, as: UTF8.self) }
        let time = "\(seconds)"
        guard let signature = api.signature(of: "\(time)\(method)\(path)\(text ?? "")") else {
            throw AccountError(.refused, "APUS_POLYMARKET_API_SECRET is no base64")
        }
        var headers = [
            ("POLY_ADDRESS", credentials.key.address), ("POLY_SIGNATURE", signature), ("POLY_TIMESTAMP", time),
            ("POLY_API_KEY", api.key), ("POLY_PASSPHRASE", api.passphrase),
        ]
        if text != nil { headers.append(("Content-Type", "application/json")) }
        let parameters = query.map { "\($0)=\($1)" }.joined(separator: "&")
        return try await transport.send(
            method, "\(base)\(path)\(parameters.isEmpty ? "" : "?\(parameters)")", what: "\(method) \(path)",
            headers: headers, body: text)
    }

    /// Reads an answer that must be good.
    func read<Answer: Decodable>(_ response: AccountTransport.Response, _ what: String) throws(AccountError) -> Answer {
        guard response.status == 200 else {
            let reason = try? JSONDecoder().decode(RefusalAnswer.self, from: response.body).error
            throw response.error(what, reason: reason)
        }
        do {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Answer.self, from: response.body)
        } catch {
            throw AccountError(.venue, "\(what): the answer is not what it should be: \(error)")
        }
    }

    /// All pages of a list.
    func pages<Element: Decodable>(
        _ path: String, _ query: [(String, String)]
    ) async throws(AccountError) -> [Element] {
        var elements: [Element] = []
        var cursor = "MA=="
        while true {
            let page: Page<Element> = try read(
                try await send("GET", path, query: query + [("next_cursor", cursor)]), "GET \(path)")
            elements += page.data ?? []
            guard let next = page.nextCursor, next != Self.noMorePages, !next.isEmpty, next != cursor else {
                return elements
            }
            cursor = next
        }
    }

    // MARK: Level 1

    /// The wallet's API key: the one that it has, else a new one.
    func deriveKey() async throws(AccountError) -> PolymarketAPIKey {
        let derived = try await wallet("GET", "/auth/derive-api-key")
        if derived.status == 200 { return try read(derived, "GET /auth/derive-api-key") }
        // Only a wallet without a key gets a new one: a venue that is busy or down is not asked for another.
        guard (400..<500).contains(derived.status), ![425, 429].contains(derived.status) else {
            throw derived.error("GET /auth/derive-api-key", reason: nil)
        }
        return try read(try await wallet("POST", "/auth/api-key"), "POST /auth/api-key")
    }

    private func wallet(_ method: String, _ path: String) async throws(AccountError) -> AccountTransport.Response {
        let time = seconds
        let signature = credentials.key.authSignature(chain: settings.chain, timestamp: time, nonce: 0)
        return try await transport.send(
            method, "\(base)\(path)", what: "\(method) \(path)",
            headers: [
                ("POLY_ADDRESS", credentials.key.address), ("POLY_SIGNATURE", signature),
                ("POLY_TIMESTAMP", "\(time)"), ("POLY_NONCE", "0"),
            ])
    }
}

extension LiveConfiguration {
    /// Fetches what live orders need besides the environment: Polymarket's API key, where none was given.
    package func prepareCredentials() async throws {
        guard case .live(.polymarket(let credentials)) = orders, credentials.apiKey == nil else { return }
        let requests = PolymarketRequests(credentials, settings: polymarket, addresses: addresses, caFile: caFile)
        let queue = WorkQueue(WorkQueueOptions("credentials"))
        do throws(WorkError) {
            // Safe to repeat: a key whose answer was lost is the one that is derived the next time.
            credentials.take(
                try await queue.run(patience: 30_000_000_000, isRepeatable: true) {
                    () throws(AccountError) in try await requests.deriveKey()
                })
            await requests.close()
        } catch {
            await requests.close()
            throw LiveError("the Polymarket API key cannot be derived: \(error)")
        }
    }
}

private struct RefusalAnswer: Decodable { let error: String }

private struct Page<Element: Decodable>: Decodable {
    let data: [Element]?
    let nextCursor: String?
}
