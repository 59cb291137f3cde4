internal import Apus

/// The venues whose recordings can be replayed.
package enum ReplayVenue: String, CaseIterable, Sendable, Codable {
    case binanceUSDM = "binance-usdm"
    case binanceCOINM = "binance-coinm"
    case binanceSpot = "binance-spot"
    case polymarket

    /// Decimals of prices and quantities unless they are given: those of the reference book builder.
    func decimals(_ form: Recording.Form) -> (price: Int, quantity: Int) {
        switch self {
        case .polymarket: (4, 6)
        default: form == .folder ? (8, 8) : (2, 3)
        }
    }

    /// What is assumed of an instrument that the recording does not describe.
    func definition(symbol: String, priceDecimals: Int, quantityDecimals: Int, tick: ExactDecimal)
        -> InstrumentDefinition
    {
        InstrumentDefinition(
            symbol: symbol, venue: rawValue, contract: contract, priceDecimals: priceDecimals,
            quantityDecimals: quantityDecimals, tick: tick,
            lot: ExactDecimal(digits: 1, decimals: quantityDecimals), multiplier: multiplier(symbol))
    }

    private var contract: ContractKind {
        switch self {
        case .binanceUSDM, .binanceSpot: .linear
        case .binanceCOINM: .inverse
        case .polymarket: .binary
        }
    }

    /// A COIN-M contract stands for 100 dollars of bitcoin and for 10 of any other coin.
    private func multiplier(_ symbol: String) -> Int64 {
        guard self == .binanceCOINM else { return 1 }
        return symbol.hasPrefix("BTCUSD_") ? 100 : 10
    }
}
