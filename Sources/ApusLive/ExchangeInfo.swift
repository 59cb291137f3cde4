import Apus
import Foundation

/// What `GET exchangeInfo` says of instruments, for the three Binance markets.
struct ExchangeInfo: Decodable {
    struct Symbol: Decodable {
        let symbol: String
        let status: String?
        /// COIN-M's name for the status.
        let contractStatus: String?
        /// COIN-M: what one contract stands for, in dollars.
        let contractSize: Int64?
        let pricePrecision: Int?
        let quantityPrecision: Int?
        let marginAsset: String?
        let quoteAsset: String
        let filters: [Filter]
    }

    /// One filter; each kind uses some of the fields.
    struct Filter: Decodable {
        let filterType: String
        let tickSize: String?
        let stepSize: String?
        let minQty: String?
        let maxQty: String?
        /// USDⓈ-M writes `notional`, spot `minNotional`.
        let notional: String?
        let minNotional: String?
    }

    /// A request budget.
    struct RateLimit: Decodable {
        let rateLimitType: String
        let interval: String
        let intervalNum: UInt64
        let limit: UInt32
    }

    let symbols: [Symbol]
    let rateLimits: [RateLimit]?

    /// Reads the answer's body.
    init(json: Data, source: String) throws(LiveError) {
        do {
            self = try JSONDecoder().decode(ExchangeInfo.self, from: json)
        } catch {
            throw LiveError("\(source): the answer is not what exchangeInfo should be: \(error)")
        }
    }

    /// The instruments of those names, in that order.
    func definitions(of names: [String], venue: VenueKind) throws(LiveError) -> [InstrumentDefinition] {
        var definitions: [InstrumentDefinition] = []
        for name in names {
            guard let symbol = symbols.first(where: { $0.symbol == name }) else {
                throw LiveError("\(venue.rawValue) has no instrument \(name)\(hint(for: name))")
            }
            let status = symbol.status ?? symbol.contractStatus ?? "TRADING"
            guard status == "TRADING" else { throw LiveError("\(name) is not being traded: its status is \(status)") }
            definitions.append(try definition(of: symbol, venue: venue))
        }
        return definitions
    }

    /// The asset that fees and profits of an instrument are paid in.
    func settlementAsset(of name: String) -> String? {
        symbols.first { $0.symbol == name }.map { $0.marginAsset ?? $0.quoteAsset }
    }

    /// The budgets of kinds that are known; others do not touch what the engine asks for.
    var requestLimits: [RequestLimit] {
        (rateLimits ?? []).compactMap { row in
            let kinds: [String: RequestLimit.Kind] = ["REQUEST_WEIGHT": .weight, "ORDERS": .orders]
            let seconds: [String: UInt64] = ["SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86_400]
            guard let kind = kinds[row.rateLimitType], let unit = seconds[row.interval], row.limit > 0,
                (1..<1000).contains(row.intervalNum)
            else { return nil }
            return RequestLimit(kind, limit: row.limit, windowSeconds: unit * row.intervalNum)
        }
    }

    private func hint(for name: String) -> String {
        if symbols.contains(where: { $0.symbol == name.uppercased() }) { return "; did you mean \(name.uppercased())?" }
        let similar = symbols.map(\.symbol).filter { $0.hasPrefix(name.prefix(3)) }.prefix(5)
        return similar.isEmpty ? "" : "; there are \(similar.joined(separator: ", "))"
    }

    private func definition(of symbol: Symbol, venue: VenueKind) throws(LiveError) -> InstrumentDefinition {
        func text(_ type: String, _ field: KeyPath<Filter, String?>, _ name: String) throws(LiveError) -> String {
            guard let value = symbol.filters.first(where: { $0.filterType == type })?[keyPath: field] else {
                throw LiveError("exchangeInfo of \(symbol.symbol) has no \(type).\(name)")
            }
            return value
        }
        func decimal(_ text: String, _ name: String) throws(LiveError) -> ExactDecimal {
            do { return try ExactDecimal(text) } catch {
                throw LiveError("exchangeInfo of \(symbol.symbol): \(name) \"\(text)\": \(error)")
            }
        }
        let tick = try text("PRICE_FILTER", \.tickSize, "tickSize")
        let step = try text("LOT_SIZE", \.stepSize, "stepSize")
        let notional = symbol.filters.compactMap { $0.notional ?? $0.minNotional }.first
        // Prices and quantities on the wire have as many decimals as the larger of the filter's and the stated precision.
        var definition = InstrumentDefinition(
            symbol: symbol.symbol, venue: venue.rawValue, contract: symbol.contractSize == nil ? .linear : .inverse,
            priceDecimals: max(decimals(of: tick), symbol.pricePrecision ?? 0),
            quantityDecimals: max(decimals(of: step), symbol.quantityPrecision ?? 0),
            tick: try decimal(tick, "tickSize"), lot: try decimal(step, "stepSize"),
            minQuantity: try decimal(try text("LOT_SIZE", \.minQty, "minQty"), "minQty"),
            maxQuantity: try decimal(try text("LOT_SIZE", \.maxQty, "maxQty"), "maxQty"),
            minNotional: try notional.map { text throws(LiveError) in try decimal(text, "minNotional") },
            multiplier: symbol.contractSize ?? 1)
        // A GTD order must end more than 600 s after it arrives, in whole seconds.
        definition.minLifetimeSeconds = 605
        return definition
    }

    private func decimals(of text: String) -> Int {
        text.firstIndex(of: ".").map { text.distance(from: $0, to: text.endIndex) - 1 } ?? 0
    }
}
