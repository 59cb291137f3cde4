/// How long an order works.
enum PolymarketOrderType: String {
    case gtc = "GTC"
    case gtd = "GTD"
    case fok = "FOK"
    case fak = "FAK"

    /// Whether what is not matched at once rests in the book.
    var rests: Bool { self == .gtc || self == .gtd }
}

/// Where an order stands.
package enum PolymarketOrderStatus: String, Sendable {
    case live = "LIVE"
    case matched = "MATCHED"
    case canceled = "CANCELED"
}

/// An account's order through its whole life, in terms of its own token. The book knows only its number.
final class PolymarketOrder {
    /// `0x` and the digits of the order's hash.
    let id: String
    let number: Int64
    let account: PolymarketAccount
    /// The API key that placed it.
    let key: String
    let market: OutcomeMarket
    let token: Int
    let side: Side
    /// Price units of its own token.
    let price: Int64
    /// `10^-6` tokens.
    let size: Int64
    let type: PolymarketOrderType
    /// Seconds; zero for none.
    let expiration: Int64
    let created: VenueTime
    /// As its sender chose it.
    let salt: UInt64
    var matched: Int64 = 0
    /// What was paid or got for what was matched, `10^-6` of the collateral.
    var cash: Int64 = 0
    var status = PolymarketOrderStatus.live
    /// Slot in the book while the order rests.
    var slot: Int32 = -1
    /// Ids of its trades.
    var trades: [String] = []

    init(
        id: String, number: Int64, account: PolymarketAccount, key: String, market: OutcomeMarket, token: Int,
        side: Side, price: Int64, size: Int64, type: PolymarketOrderType, expiration: Int64, created: VenueTime,
        salt: UInt64
    ) {
        self.id = id
        self.number = number
        self.account = account
        self.key = key
        self.market = market
        self.token = token
        self.side = side
        self.price = price
        self.size = size
        self.type = type
        self.expiration = expiration
        self.created = created
        self.salt = salt
    }

    var remaining: Int64 { size - matched }

    /// Side and price in the market's book.
    var bookSide: Side { OutcomeMarket.view(price, side, token: token).side }
    var bookPrice: Int64 { OutcomeMarket.view(price, side, token: token).price }

    var tokenID: String { market.configuration.tokens[token] }
    var outcome: String { market.configuration.outcomes[token] }
}

/// The three texts that authenticate a wallet's requests.
struct PolymarketKey {
    let key: String
    let secret: String
    let passphrase: String
}

/// A wallet: its money's owner number in the ledger is its index.
///
///     heartbeat: none ── POST with an empty id ──▶ beating ── too late ──▶ none, open orders cancelled
final class PolymarketAccount {
    let index: Int32
    let configuration: PolymarketAccountConfiguration
    /// By nonce.
    var keys: [String: PolymarketKey] = [:]
    /// Open orders, oldest first.
    private(set) var open: [PolymarketOrder] = []
    /// Newest last; the oldest are forgotten.
    private(set) var trades = RingList<PolymarketTrade>(limit: 50_000)
    var listeners: [PolymarketConnection] = []
    var heartbeatID: String?
    var heartbeatDeadline: VenueTime = .max
    var requests: [WindowCounter] = [WindowCounter(length: 10 * second), WindowCounter(length: 600 * second)]
    var orderTokens: TokenBucket
    var cancelTokens: TokenBucket

    init(index: Int32, configuration: PolymarketAccountConfiguration, limits: PolymarketRateLimits) {
        self.index = index
        self.configuration = configuration
        orderTokens = TokenBucket(perSecond: limits.ordersPerSecond, burst: limits.orderBurst)
        cancelTokens = TokenBucket(perSecond: limits.cancelsPerSecond, burst: limits.cancelBurst)
    }

    func add(_ order: PolymarketOrder) { open.append(order) }

    func close(_ order: PolymarketOrder) { open.removeAll { $0 === order } }

    func add(_ trade: PolymarketTrade) { trades.append(trade) }

    /// Collateral that open orders may still take.
    var reservedCollateral: Int64 {
        open.reduce(0) { $0 + ($1.side == .buy ? costBound(price: $1.price, quantity: $1.remaining) : 0) }
    }

    /// Tokens that open orders may still sell.
    func reservedTokens(market: Int, token: Int) -> Int64 {
        open.reduce(0) {
            $0 + ($1.side == .sell && $1.market.index == market && $1.token == token ? $1.remaining : 0)
        }
    }
}
