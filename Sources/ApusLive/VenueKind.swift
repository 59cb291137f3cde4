/// The venues that the engine can talk to.
package enum VenueKind: String, Sendable, CaseIterable {
    case binanceUSDM = "binance-usdm"
    case binanceCOINM = "binance-coinm"
    case binanceSpot = "binance-spot"
    case polymarket
    case deriv
    /// Deriv's older API.
    case derivV3 = "deriv-v3"

    /// Whether orders can be sent there; the others are for market data and paper trading.
    package var takesOrders: Bool { [.binanceUSDM, .polymarket, .deriv, .derivV3].contains(self) }
}

/// A live engine that cannot be made or has failed, in words that say what to do.
package struct LiveError: Error, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
