import Apus
import Foundation

extension VenueMetadata {
    /// Asks the venue.
    ///
    /// - Parameters:
    ///   - addresses: where the venue is; nil parts are its documented ones.
    ///   - caFile: certificates to trust in place of the system's.
    ///   - currency: the account's, where the venue prices in it.
    package static func fetch(
        _ kind: VenueKind, symbols: [String], addresses: VenueAddresses, caFile: String?, currency: String = "USD"
    ) async throws -> VenueMetadata {
        let rest = addresses.rest
        let address: String
        switch kind {
        case .binanceUSDM: address = base(rest, "https://fapi.binance.com") + "/fapi/v1/exchangeInfo"
        case .binanceCOINM: address = base(rest, "https://dapi.binance.com") + "/dapi/v1/exchangeInfo"
        case .binanceSpot: address = base(rest, "https://api.binance.com") + "/api/v3/exchangeInfo"
        case .polymarket:
            address = base(addresses.metadata, "https://gamma-api.polymarket.com") + "/markets"
            return try await polymarket(symbols, address, caFile: caFile)
        case .deriv, .derivV3:
            return try await deriv(kind, symbols: symbols, addresses: addresses, caFile: caFile, currency: currency)
        }
        let info = try ExchangeInfo(json: try await get(address, caFile: caFile), source: address)
        let instruments = try info.definitions(of: symbols, venue: kind)
        return VenueMetadata(
            instruments: instruments, settlementAsset: symbols.first.flatMap(info.settlementAsset) ?? "USDT",
            requestLimits: info.requestLimits)
    }

    private static func base(_ rest: VenueAddress?, _ standard: String) -> String {
        guard let rest else { return standard }
        return "\(rest)".hasSuffix("/") ? String("\(rest)".dropLast()) : "\(rest)"
    }

    // Tokens of one question; a longer address may be refused.
    private static let tokensOfARequest = 20

    private static func polymarket(
        _ tokens: [String], _ address: String, caFile: String?
    ) async throws -> VenueMetadata {
        var instruments: [InstrumentDefinition] = []
        var listings: [PolymarketListing] = []
        for start in stride(from: 0, to: tokens.count, by: tokensOfARequest) {
            let some = tokens[start..<min(start + tokensOfARequest, tokens.count)]
            if let token = some.first(where: { !$0.utf8.allSatisfy { (48...57).contains($0) } || $0.isEmpty }) {
                throw LiveError("venue.symbols: \"\(token)\" is no outcome token's id, which has digits alone")
            }
            let query = some.map { "clob_token_ids=\($0)" }.joined(separator: "&")
            let source = "\(address)?\(query)"
            let markets = try GammaMarkets(json: try await get(source, caFile: caFile), source: address)
            for token in some {
                let (definition, listing) = try markets.definition(of: token)
                instruments.append(definition)
                listings.append(listing)
            }
        }
        return VenueMetadata(instruments: instruments, settlementAsset: "USDC", listings: listings)
    }

    // Asked again while there is no answer or the venue is not well: an engine that starts is not to fail by one lost answer.
    private static func get(_ address: String, caFile: String?) async throws -> Data {
        let transport = AccountTransport(caFile: caFile)
        let queue = WorkQueue(WorkQueueOptions("metadata"))
        let outcome: Result<Data, WorkError>
        do throws(WorkError) {
            outcome = .success(
                try await queue.run(isRepeatable: true) { () throws(AccountError) in
                    let what = "GET \(address)"
                    let response = try await transport.send("GET", address, what: what, timeout: .seconds(15))
                    guard response.status == 200 else { throw response.error(what, reason: nil) }
                    return response.body
                })
        } catch { outcome = .failure(error) }
        await transport.close()
        do { return try outcome.get() } catch { throw LiveError(error.description) }
    }
}
