/// A stream a connection listens to.
struct Subscription {
    enum Target {
        case market(Int, StreamKind)
        case user(Account)
    }
    var name: String
    var target: Target
}

/// A connection with its streams:
///
///     rest ── upgrade /ws, /stream ──▶ market ── a listen key ──▶ user
///       └──── upgrade /ws-fapi/v1 ───▶ api
final class BinanceConnection: Connection {
    /// Whether stream data come wrapped with their stream's name.
    var isCombined = false
    var subscriptions: [Subscription] = []
    var incoming = WindowCounter(length: second)
}
