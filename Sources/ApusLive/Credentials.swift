/// An account's key and secret. It has no description that would show them.
package struct Credentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    let key: String
    let secret: String

    package init(key: String, secret: String) {
        self.key = key
        self.secret = secret
    }

    /// From `APUS_BINANCE_API_KEY` and `APUS_BINANCE_API_SECRET`, the only place they are read from.
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
