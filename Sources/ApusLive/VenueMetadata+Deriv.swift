import Apus
import Foundation

/// What Deriv says of its underlyings. A contract's shape needs no more than its underlying to exist: its price is money.
extension VenueMetadata {
    /// Asks the venue's public socket.
    ///
    /// - Parameters:
    ///   - addresses: where the venue is; nil parts are its documented ones.
    ///   - currency: the account's; contracts are priced in it.
    static func deriv(
        _ kind: VenueKind, symbols: [String], addresses: VenueAddresses, caFile: String?, currency: String
    ) async throws -> VenueMetadata {
        let api = DerivAPI(kind, addresses: addresses, caFile: caFile, appID: nil)
        let answer: [UInt8]
        do {
            let socket = try await api.openPublic()
            let asked = try await socket.ask("{\"active_symbols\":\"brief\"")
            await socket.close()
            answer = asked.message
        } catch {
            throw LiveError("active_symbols: \(error)")
        }
        let active = try DerivSymbols(json: Data(answer))
        return VenueMetadata(
            instruments: try symbols.map { try active.definition(of: $0, venue: kind, currency: currency) },
            settlementAsset: currency)
    }
}

/// The answer to `active_symbols`, of both APIs.
struct DerivSymbols: Decodable {
    struct Symbol: Decodable {
        /// v3's name for it, and the current API's.
        let symbol: String?
        let underlyingSymbol: String?
        let pip: DerivNumber?
        let pipSize: DerivNumber?
        let isTradingSuspended: DerivNumber?

        enum CodingKeys: String, CodingKey {
            case symbol, pip
            case underlyingSymbol = "underlying_symbol"
            case pipSize = "pip_size"
            case isTradingSuspended = "is_trading_suspended"
        }

        var name: String { underlyingSymbol ?? symbol ?? "" }

        /// Decimals of its quotes: of the least step, or as a number of them.
        var decimals: Int? {
            guard let text = (pipSize ?? pip)?.text, let step = try? ExactDecimal(text), step.digits > 0 else {
                return nil
            }
            guard text.contains(".") else { return step.digits <= 12 && step.digits > 1 ? Int(step.digits) : 0 }
            return step.decimals
        }
    }

    let symbols: [Symbol]

    enum CodingKeys: String, CodingKey { case symbols = "active_symbols" }

    /// A number with or without quotes, as its text.
    struct DerivNumber: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self.text = text
            } else {
                text = "\(try container.decode(Decimal.self))"
            }
        }
    }

    init(json: Data) throws(LiveError) {
        do { self = try JSONDecoder().decode(DerivSymbols.self, from: json) } catch {
            throw LiveError("active_symbols: the answer is not what it should be: \(error)")
        }
    }

    /// - Throws: `LiveError` for a symbol that cannot be read or whose underlying the venue does not have.
    func definition(of symbol: String, venue: VenueKind, currency: String) throws(LiveError) -> InstrumentDefinition {
        let money = Self.decimals(of: currency)
        let shape = try DerivShape(symbol, decimals: money)
        guard let known = symbols.first(where: { $0.name == shape.underlying }) else {
            let similar = symbols.map(\.name).filter { $0.hasPrefix(shape.underlying.prefix(2)) }.prefix(5)
            let hint = similar.isEmpty ? "" : "; there are \(similar.joined(separator: ", "))"
            throw LiveError("\(venue.rawValue) has no underlying \(shape.underlying)\(hint)")
        }
        guard known.isTradingSuspended?.text != "1" else { throw LiveError("\(symbol) is not being traded now") }
        guard let decimals = shape.isContract ? money : known.decimals else {
            throw LiveError("active_symbols does not tell the decimals of \(shape.underlying)")
        }
        let one = ExactDecimal(digits: 1)
        return InstrumentDefinition(
            symbol: symbol, venue: venue.rawValue, contract: .linear, priceDecimals: decimals, quantityDecimals: 0,
            tick: ExactDecimal(digits: 1, decimals: decimals), lot: one, minQuantity: one,
            maxQuantity: shape.isContract ? one : nil)
    }

    /// Decimals of money in a currency: eight for coins, two for the rest.
    static func decimals(of currency: String) -> Int { ["BTC", "ETH", "LTC"].contains(currency) ? 8 : 2 }
}
