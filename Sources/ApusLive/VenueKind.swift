import CApusProtocol

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

    /// How long after its decision an order may still reach the venue, in nanoseconds.
    /// - Parameter receiveWindow: what Binance is told to take a request for, in milliseconds.
    package func lateArrival(receiveWindow: Int) -> UInt64 {
        switch self {
        case .deriv, .derivV3:
            var config = apus_deriv_orders_config()
            apus_deriv_orders_config_default(&config, UInt8(APUS_DERIV_CURRENT.rawValue), "", "")
            return apus_deriv_late_arrival_ms(&config) * 1_000_000
        // It takes what comes whenever it comes, which is as long as TCP sends it again.
        case .polymarket: return apus_late_arrival_ms(UInt64(APUS_SENT_AGAIN_MS)) * 1_000_000
        case .binanceUSDM, .binanceCOINM, .binanceSpot: return apus_late_arrival_ms(UInt64(receiveWindow)) * 1_000_000
        }
    }
}

/// A live engine that cannot be made or has failed, in words that say what to do.
package struct LiveError: Error, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
