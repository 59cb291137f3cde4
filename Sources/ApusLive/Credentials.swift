import Foundation

/// What an account signs with, by venue. It has no description that would show a secret.
package enum Credentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    case binance(BinanceCredentials)
    case deriv(DerivCredentials)
    case polymarket(PolymarketCredentials)

    package var description: String { "credentials" }
    package var debugDescription: String { "credentials" }

    /// Tells accounts apart, and shows nothing: the name of a journal's owner.
    package var account: UInt64 {
        switch self {
        case .binance(let credentials): stableHash("binance \(credentials.key)")
        case .deriv(let credentials):
            // v3 knows the account by its token alone.
            stableHash("deriv \(credentials.account.isEmpty ? credentials.token : credentials.account)")
        case .polymarket(let credentials): stableHash("polymarket \(credentials.wallet)")
        }
    }

    /// What that venue's account needs, from the environment, the only place it is read from.
    package init(_ venue: VenueKind, environment: [String: String]) throws(LiveError) {
        switch venue {
        case .binanceUSDM: self = .binance(try BinanceCredentials(environment: environment))
        case .polymarket: self = .polymarket(try PolymarketCredentials(environment: environment))
        case .deriv, .derivV3: self = .deriv(try DerivCredentials(venue, environment: environment))
        case .binanceCOINM, .binanceSpot:
            throw LiveError("orders cannot be sent to \(venue.rawValue) yet; use mode: paper")
        }
    }
}

/// A Binance account's key and what it signs with.
package struct BinanceCredentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    enum Secret: Sendable {
        case hmac(String)
        /// A private key, PKCS #8 as PEM.
        case ed25519(String)
    }

    let key: String
    let secret: Secret

    package init(key: String, secret: String) {
        self.key = key
        self.secret = .hmac(secret)
    }

    package init(key: String, ed25519PrivateKey: String) {
        self.key = key
        secret = .ed25519(ed25519PrivateKey)
    }

    /// From `APUS_BINANCE_API_KEY` and one of `APUS_BINANCE_API_SECRET`, `APUS_BINANCE_PRIVATE_KEY` (the text of a PEM file) and
    /// `APUS_BINANCE_PRIVATE_KEY_FILE` (its path).
    package init(environment: [String: String]) throws(LiveError) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let names = ["APUS_BINANCE_API_SECRET", "APUS_BINANCE_PRIVATE_KEY", "APUS_BINANCE_PRIVATE_KEY_FILE"]
        let given = names.filter { value($0) != nil }
        guard let key = value("APUS_BINANCE_API_KEY"), let name = given.first else {
            throw LiveError(
                "live orders need APUS_BINANCE_API_KEY and one of \(names.joined(separator: ", ")) in the environment")
        }
        guard given.count == 1 else {
            throw LiveError(
                "\(given.joined(separator: " and ")) are both set; leave the one that belongs to the API key")
        }
        let text = value(name) ?? ""
        switch name {
        case names[0]: self.init(key: key, secret: text)
        case names[1]: self.init(key: key, ed25519PrivateKey: text)
        default:
            guard let pem = try? String(contentsOfFile: text, encoding: .utf8) else {
                throw LiveError("\(name): cannot read the file \(text)")
            }
            self.init(key: key, ed25519PrivateKey: pem)
        }
    }

    package var description: String { "credentials" }
    package var debugDescription: String { "credentials" }
}
