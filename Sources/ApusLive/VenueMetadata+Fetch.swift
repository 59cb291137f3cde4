import Apus
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOSSL

extension VenueMetadata {
    /// Asks the venue.
    ///
    /// - Parameter caFile: certificates to trust in place of the system's.
    package static func fetch(
        _ kind: VenueKind, symbols: [String], rest: VenueAddress?, caFile: String?
    ) async throws -> VenueMetadata {
        let address: String
        switch kind {
        case .binanceUSDM: address = base(rest, "https://fapi.binance.com") + "/fapi/v1/exchangeInfo"
        case .binanceCOINM: address = base(rest, "https://dapi.binance.com") + "/dapi/v1/exchangeInfo"
        case .binanceSpot: address = base(rest, "https://api.binance.com") + "/api/v3/exchangeInfo"
        case .polymarket: return polymarket(symbols)
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

    // Every outcome token has the same rules but for its tick, which the stream tells; prices have at most four decimals.
    private static func polymarket(_ tokens: [String]) -> VenueMetadata {
        let instruments = tokens.map {
            InstrumentDefinition(
                symbol: $0, venue: VenueKind.polymarket.rawValue, contract: .binary, priceDecimals: 4,
                quantityDecimals: 6,
                tick: ExactDecimal(digits: 1, decimals: 2), lot: ExactDecimal(digits: 1, decimals: 2),
                minQuantity: ExactDecimal(digits: 5))
        }
        return VenueMetadata(instruments: instruments, settlementAsset: "USDC")
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
