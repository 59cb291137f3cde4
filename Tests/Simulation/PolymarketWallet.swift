import Apus
import ApusEngine
import ApusLive
import ApusVenue
import CApusProtocol
import CApusRing
import Foundation

/// Whose orders they are, how they are named, and what the venue's metadata says of the tokens that are traded.
///
/// Unchecked: a life is lived by one thread.
final class PolymarketWallet: @unchecked Sendable {
    /// The publicly known first key of Hardhat.
    private static let secret = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"

    /// What a key request answers.
    private struct Key: Decodable {
        let apiKey: String
        let secret: String
        let passphrase: String
    }

    let key: PolymarketKey
    let account: PolymarketAccountConfiguration
    let markets: [OutcomeMarketConfiguration]
    let definitions: [InstrumentDefinition]
    let listings: [PolymarketListing]
    let settings = PolymarketSettings()
    let credentials: PolymarketCredentials
    private var api: Key?

    /// Two markets: both outcomes of the first, one of the second. How it signs and for which exchange follows from the dice.
    init(_ dice: inout Dice) throws {
        key = try PolymarketKey(Self.secret)
        let type = SignatureType.allCases[dice.below(2) == 0 ? 0 : dice.below(4)]
        let funder = type == .eoa ? nil : "0x" + String(repeating: "a\(type.rawValue)", count: 20)
        guard let signer = EthereumAddress(key.address) else { throw SetUpError(description: "no address") }
        account = PolymarketAccountConfiguration(
            signer: signer, funder: funder.flatMap(EthereumAddress.init), signatureType: type,
            collateral: PolymarketEngine.collateral)
        markets = [
            OutcomeMarketConfiguration("rain", typicalSize: 40, volatility: 60, farLevels: 10),
            OutcomeMarketConfiguration(
                "snow", isNegRisk: true, exchangeVersion: dice.once(in: 2) ? "3" : "2", startPrice: 3_000,
                typicalSize: 40, volatility: 40, farLevels: 10),
        ]
        let traded = [(markets[0], 0), (markets[0], 1), (markets[1], 0)]
        definitions = traded.map { market, token in
            InstrumentDefinition(
                symbol: market.tokens[token], venue: "polymarket", contract: .binary, priceDecimals: 4,
                quantityDecimals: 6, tick: ExactDecimal(digits: market.tickSize, decimals: 4),
                lot: ExactDecimal(digits: 1, decimals: 2),
                minQuantity: ExactDecimal(digits: market.minOrderSize))
        }
        listings = traded.map { market, _ in
            PolymarketListing(
                condition: market.conditionID, isNegRisk: market.isNegRisk,
                version: market.exchangeVersion == "3" ? 3 : 2, minOrderSize: "\(market.minOrderSize)")
        }
        credentials = try PolymarketCredentials(
            key: key, funder: funder, signatureType: UInt8(type.rawValue), api: nil)
    }

    var signer: EthereumAddress { account.signer }

    // MARK: Access

    /// The request for an API key, signed by the wallet.
    func keyRequest(_ method: String, _ path: String, seconds: UInt64) -> [UInt8] {
        let signature = key.authSignature(chain: settings.chain, timestamp: seconds, nonce: 0)
        return Array(
            """
            \(method) \(path) HTTP/1.1\r\nHost: v\r\nPOLY_ADDRESS: \(key.address)\r\nPOLY_SIGNATURE: \(signature)\r\n\
            POLY_TIMESTAMP: \(seconds)\r\nPOLY_NONCE: 0\r\n\r\n
            """.utf8)
    }

    /// Takes the key out of an answer. Returns false when it holds none.
    func takeKey(_ answer: [UInt8]) -> Bool {
        guard let start = answer.firstIndex(of: UInt8(ascii: "{")),
            let key = try? JSONDecoder().decode(Key.self, from: Data(answer[start...]))
        else { return false }
        api = key
        credentials.take(PolymarketAPIKey(key: key.apiKey, secret: key.secret, passphrase: key.passphrase))
        return true
    }

    /// A request of the API key.
    func request(_ method: String, _ path: String, _ body: String, seconds: UInt64) -> [UInt8] {
        guard let api, let signature = credentials.apiKey?.signature(of: "\(seconds)\(method)\(path)\(body)") else {
            return []
        }
        return Array(
            """
            \(method) \(path) HTTP/1.1\r\nHost: v\r\nPOLY_ADDRESS: \(key.address)\r\nPOLY_SIGNATURE: \(signature)\r\n\
            POLY_TIMESTAMP: \(seconds)\r\nPOLY_API_KEY: \(api.apiKey)\r\nPOLY_PASSPHRASE: \(api.passphrase)\r\n\
            Content-Length: \(body.utf8.count)\r\n\r\n\(body)
            """.utf8)
    }

    // MARK: Names

    /// The venue's name of an order, made of the engine's own numbers.
    func name(of order: KnownOrder) throws -> String {
        guard let index = definitions.firstIndex(where: { $0.symbol == order.symbol }) else {
            throw SetUpError(description: "\(order.symbol) is not traded")
        }
        let hash = try credentials.hash(
            of: order, definitions[index], listings[index], settings: settings, version: listings[index].version)
        return "0x" + hash.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    /// The number of an order in reports.
    static func number(of name: String) -> UInt64 {
        UInt64(name.dropFirst(2).prefix(16), radix: 16) ?? 0
    }

    /// The number of an order's part in a trade.
    static func number(ofTrade id: String, order: String) -> UInt64 {
        let bytes = Array(id.utf8)
        return apus_polymarket_trade_id(bytes, bytes.count, number(of: order))
    }
}
