/// Where an order stands.
package enum OrderStatus: String, Sendable {
    case new = "NEW"
    case partiallyFilled = "PARTIALLY_FILLED"
    case filled = "FILLED"
    case canceled = "CANCELED"
    case expired = "EXPIRED"
    case expiredInMatch = "EXPIRED_IN_MATCH"

    /// Whether the order can still trade.
    package var isOpen: Bool { self == .new || self == .partiallyFilled }
}

enum OrderType: String { case limit = "LIMIT", market = "MARKET" }

enum TimeInForce: String {
    case gtc = "GTC", ioc = "IOC", fok = "FOK", gtx = "GTX", gtd = "GTD"

    /// Whether what is left of an order rests.
    var rests: Bool { self == .gtc || self == .gtx || self == .gtd }
}

/// An account's order through its whole life. The book knows only the id; this is the rest.
final class AccountOrder {
    let id: Int64
    let clientID: String
    let symbol: Int
    let side: Side
    let type: OrderType
    let timeInForce: TimeInForce
    let isReduceOnly: Bool
    let prevention: SelfTradePrevention
    let createTime: VenueTime
    /// When it ends by itself (GTD); 0: never.
    let goodTill: VenueTime
    /// Zero for a market order.
    var price: Int64
    var quantity: Int64
    var executed: Int64 = 0
    /// `10^-8` quote.
    var cumulativeQuote: Int64 = 0
    var status: OrderStatus = .new
    var updateTime: VenueTime
    /// Slot in the book while the order rests.
    var slot: Int32 = -1

    init(
        id: Int64, clientID: String, symbol: Int, side: Side, type: OrderType, timeInForce: TimeInForce,
        isReduceOnly: Bool, prevention: SelfTradePrevention, price: Int64, quantity: Int64, time: VenueTime,
        goodTill: VenueTime
    ) {
        self.id = id
        self.clientID = clientID
        self.symbol = symbol
        self.side = side
        self.type = type
        self.timeInForce = timeInForce
        self.isReduceOnly = isReduceOnly
        self.prevention = prevention
        self.price = price
        self.quantity = quantity
        createTime = time
        self.goodTill = goodTill
        updateTime = time
    }

    var remaining: Int64 { quantity - executed }
}

/// One side of a trade as its account sees it.
package struct AccountTrade: Sendable, Equatable {
    package var tradeID: Int64
    package var orderID: Int64
    package var clientOrderID: String
    package var symbol: String
    package var side: Side
    package var price: Int64
    package var quantity: Int64
    /// `10^-8` quote; negative is a rebate.
    package var fee: Int64
    /// `10^-8` quote, without the fee.
    package var realisedProfit: Int64
    package var isMaker: Bool
    package var time: VenueTime
}

/// A trading account: its orders, its key, its user stream. Its owner number in the ledger is its index.
final class Account {
    let index: Int32
    let configuration: BinanceAccountConfiguration
    /// Open orders by id, oldest first.
    private(set) var open: [AccountOrder] = []
    private var byID: [Int64: AccountOrder] = [:]
    /// The newest order of each client id.
    private var byClientID: [String: AccountOrder] = [:]
    private var closed: RingList<AccountOrder>
    private(set) var trades: RingList<AccountTrade>
    var listenKey: String?
    var listenKeyExpiry: VenueTime = 0
    /// When every open order of a symbol is canceled unless the client has asked for another countdown, by symbol.
    var countdowns: [Int: VenueTime] = [:]
    var listeners: [BinanceConnection] = []
    var orderTimes = OrderCounter()

    init(index: Int32, configuration: BinanceAccountConfiguration) {
        self.index = index
        self.configuration = configuration
        closed = RingList(limit: 50_000)
        trades = RingList(limit: 50_000)
    }

    func order(id: Int64) -> AccountOrder? { byID[id] }

    /// Orders that are known, open and ended.
    var orderCount: Int { byID.count }

    func order(clientID: String) -> AccountOrder? { byClientID[clientID] }

    func add(_ order: AccountOrder) {
        open.append(order)
        byID[order.id] = order
        byClientID[order.clientID] = order
    }

    /// Moves an order that has ended to the history; the history forgets its oldest when it is full.
    func close(_ order: AccountOrder) {
        open.removeAll { $0 === order }
        guard let forgotten = closed.append(order) else { return }
        byID[forgotten.id] = nil
        if byClientID[forgotten.clientID] === forgotten { byClientID[forgotten.clientID] = nil }
    }

    func add(_ trade: AccountTrade) { trades.append(trade) }
}

/// Counts orders in ten seconds and in a minute by fixed windows, as the venue's counters do.
struct OrderCounter {
    private(set) var tenSeconds = WindowCounter(length: 10 * second)
    private(set) var minute = WindowCounter(length: 60 * second)

    mutating func add(_ now: VenueTime) {
        tenSeconds.add(1, now)
        minute.add(1, now)
    }
}
