import Apus
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOSSL

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

    private static func get(_ address: String, caFile: String?) async throws -> Data {
        var configuration = HTTPClient.Configuration.singletonConfiguration
        if let caFile {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .file(caFile)
            configuration.tlsConfiguration = tls
        }
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let body = try await get(address, by: client)
            try await client.shutdown()
            return body
        } catch {
            try? await client.shutdown()
            if let error = error as? LiveError { throw error }
            throw LiveError("GET \(address): \(error)")
        }
    }

    private static func get(_ address: String, by client: HTTPClient) async throws -> Data {
        let response = try await client.execute(HTTPClientRequest(url: address), timeout: .seconds(15))
        let body = try await response.body.collect(upTo: 64 << 20)
        guard response.status == .ok else {
            let text = String(decoding: body.readableBytesView.prefix(200), as: UTF8.self)
            throw LiveError("GET \(address): the venue answered \(response.status): \(text)")
        }
        return Data(body.readableBytesView)
    }
}
