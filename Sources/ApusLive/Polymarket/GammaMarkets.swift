import Apus
import Foundation

/// What the Gamma API's `GET /markets` says of outcome tokens. Its lists are texts that hold JSON.
struct GammaMarkets {
    private struct Market: Decodable {
        let conditionId: String
        let clobTokenIds: String
        let orderPriceMinTickSize: Decimal?
        let orderMinSize: Decimal?
        let negRisk: Bool?
        let closed: Bool?
        let acceptingOrders: Bool?
        let version: Version?
    }

    /// A number, or a text of one.
    private struct Version: Decodable {
        let number: UInt8

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let number = try? value.decode(UInt8.self) {
                self.number = number
            } else {
                self.number = UInt8(try value.decode(String.self)) ?? 0
            }
        }
    }

    private let markets: [Market]

    init(json: Data, source: String) throws(LiveError) {
        do { markets = try JSONDecoder().decode([Market].self, from: json) } catch {
            throw LiveError("\(source): the answer is not a list of markets: \(error)")
        }
    }

    /// The definition and the listing of one token.
    func definition(of token: String) throws(LiveError) -> (InstrumentDefinition, PolymarketListing) {
        let quoted = "\"\(token)\""
        guard let market = markets.first(where: { $0.clobTokenIds.contains(quoted) }) else {
            throw LiveError("polymarket has no outcome token \(token): venue.symbols must be token ids (clobTokenIds)")
        }
        if market.closed == true || market.acceptingOrders == false {
            throw LiveError("the market of token \(token) takes no orders: it is closed")
        }
        guard let tick = market.orderPriceMinTickSize.flatMap({ try? ExactDecimal("\($0)") }) else {
            throw LiveError("the market of token \(token) has no orderPriceMinTickSize")
        }
        let smallest = market.orderMinSize.map { "\($0)" } ?? "5"
        let version = market.version?.number ?? 0
        guard [0, 2, 3].contains(version) else {
            throw LiveError("the market of token \(token) is of exchange version \(version), which is not known")
        }
        var definition = InstrumentDefinition(
            symbol: token, venue: VenueKind.polymarket.rawValue, contract: .binary, priceDecimals: 4,
            quantityDecimals: 6, tick: tick, lot: ExactDecimal(digits: 1, decimals: 2),
            minQuantity: try? ExactDecimal(smallest))
        definition.minLifetimeSeconds = 60
        let listing = PolymarketListing(
            condition: market.conditionId, isNegRisk: market.negRisk ?? false, version: version, minOrderSize: smallest)
        return (definition, listing)
    }
}
