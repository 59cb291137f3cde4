/// What an account signs with, by venue. It has no description that would show a secret.
package enum Credentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    case binance(BinanceCredentials)

    package var description: String { "credentials" }
    package var debugDescription: String { "credentials" }

    /// Tells accounts apart, and shows nothing: the name of a journal's owner.
    package var account: UInt64 {
        switch self {
        case .binance(let credentials): stableHash("binance \(credentials.key)")
        }
    }

    /// What that venue's account needs, from the environment, the only place it is read from.
    package init(_ venue: VenueKind, environment: [String: String]) throws(LiveError) {
        switch venue {
        case .binanceUSDM: self = .binance(try BinanceCredentials(environment: environment))
        case .binanceCOINM, .binanceSpot, .polymarket:
            throw LiveError("orders cannot be sent to \(venue.rawValue) yet; use mode: paper")
        }
    }
}

/// A Binance account's key and secret.
package struct BinanceCredentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    let key: String
    let secret: String

    package init(key: String, secret: String) {
        self.key = key
        self.secret = secret
    }

    /// From `APUS_BINANCE_API_KEY` and `APUS_BINANCE_API_SECRET`.
    package init(environment: [String: String]) throws(LiveError) {
        guard let key = environment["APUS_BINANCE_API_KEY"], !key.isEmpty,
            let secret = environment["APUS_BINANCE_API_SECRET"], !secret.isEmpty
        else {
            throw LiveError("live orders need APUS_BINANCE_API_KEY and APUS_BINANCE_API_SECRET in the environment")
        }
        self.init(key: key, secret: secret)
    }

    package var description: String { "credentials" }
    package var debugDescription: String { "credentials" }
}
