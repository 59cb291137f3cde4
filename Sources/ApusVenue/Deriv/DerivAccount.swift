/// The rows of the venue's budgets.
enum DerivRow: Int, CaseIterable {
    case pricing, balance, portfolio, others
}

/// Counts a user's requests, a row at a time.
struct DerivBudgets {
    private struct Counter {
        var minute = WindowCounter(length: 60 * second)
        var hour = WindowCounter(length: 3600 * second)
    }

    private var counters = DerivRow.allCases.map { _ in Counter() }

    /// Counts a request; false when it is beyond the row's limit.
    mutating func take(_ row: DerivRow, _ limits: DerivBudgetConfiguration, _ now: VenueTime) -> Bool {
        counters[row.rawValue].minute.add(1, now)
        counters[row.rawValue].hour.add(1, now)
        guard limits.enforced else { return true }
        let limit = limits.row(row)
        let counter = counters[row.rawValue]
        return counter.minute.count(now) <= limit.perMinute && counter.hour.count(now) <= limit.perHour
    }
}

extension DerivBudgetConfiguration {
    func row(_ row: DerivRow) -> Row {
        switch row {
        case .pricing: pricing
        case .balance: balance
        case .portfolio: portfolio
        case .others: others
        }
    }
}

/// The holder of a token: one or more accounts, and the budget of REST requests.
final class DerivUser {
    let token: String
    let kind: DerivTokenKind
    var accounts: [DerivAccount] = []
    var rest = WindowCounter(length: 60 * second)

    init(token: String, kind: DerivTokenKind) {
        self.token = token
        self.kind = kind
    }
}

/// An options account: its money, its contracts, its budgets.
final class DerivAccount {
    /// So many ended contracts are remembered.
    static let closedLimit = 50_000

    let place: Int
    let configuration: DerivAccountConfiguration
    /// Cents.
    private(set) var balance: Int64
    /// Open contracts, oldest first.
    private(set) var open: [DerivContract] = []
    private(set) var closed = RingList<DerivContract>(limit: closedLimit)
    private(set) var transactions = RingList<DerivTransaction>(limit: 2 * closedLimit)
    private var contracts: [Int64: DerivContract] = [:]
    /// How many contracts were ever bought.
    private(set) var purchases = 0
    var budgets = DerivBudgets()

    init(place: Int, configuration: DerivAccountConfiguration) {
        self.place = place
        self.configuration = configuration
        balance = configuration.balance
    }

    func contract(_ id: Int64) -> DerivContract? { contracts[id] }

    /// Opens a bought contract.
    func add(_ contract: DerivContract) {
        open.append(contract)
        contracts[contract.id] = contract
        purchases += 1
    }

    /// Moves an ended contract to the history; the history forgets its oldest when it is full.
    func retire(_ contract: DerivContract) {
        open.removeAll { $0 === contract }
        if let forgotten = closed.append(contract) { contracts[forgotten.id] = nil }
    }

    /// Moves money and writes down why.
    func book(
        _ action: DerivAction, _ amount: Int64, id: Int64, time: Int64, contract: Int64, reference: Int64 = 0
    ) -> DerivTransaction {
        balance += amount
        let transaction = DerivTransaction(
            id: id, action: action, amount: amount, balanceAfter: balance, time: time, contract: contract,
            reference: reference)
        transactions.append(transaction)
        return transaction
    }
}

/// Which of the venue's two APIs a connection speaks.
enum DerivAPI {
    case current, v3

    /// The name of an index in requests and in most answers.
    var symbolKey: String { self == .current ? "underlying_symbol" : "symbol" }
}

/// What a connection is told until it forgets it.
enum DerivTopic: Equatable {
    case ticks(Int)
    case history(Int)
    /// Bars of that many seconds.
    case candles(Int, Int64)
    /// The proposal with the subscription's id.
    case proposal
    case contract(Int64)
    /// Every contract of the account.
    case allContracts
    case balance
    case transactions

    /// The name under which `forget_all` ends it.
    var name: String {
        switch self {
        case .ticks, .history: "ticks"
        case .candles: "candles"
        case .proposal: "proposal"
        case .contract, .allContracts: "proposal_open_contract"
        case .balance: "balance"
        case .transactions: "transaction"
        }
    }
}

/// A subscription, with the request that every message of it repeats.
struct DerivSubscription {
    var id: String
    var topic: DerivTopic
    var request: DerivRequest
}

/// A priced shape that can be bought once, on the connection that asked for it.
struct DerivProposal {
    var id: String
    var terms: DerivTerms
}

/// The core's side of one connection:
///
///     rest ── upgrade to the public path ──▶ market
///       ├──── upgrade with a password ─────▶ user
///       └──── upgrade to v3 ───────────────▶ market ── authorize ──▶ user
final class DerivConnection: Connection {
    /// Subscriptions and proposals that one connection may hold.
    static let limit = 100

    var api = DerivAPI.current
    /// The account that a password or a token has opened.
    var account: DerivAccount?
    var appID: Int64 = 0
    var isSecure = false
    var subscriptions: [DerivSubscription] = []
    var proposals: [DerivProposal] = []
    var pings = WindowCounter(length: second)
    var lastHeard: VenueTime = 0

    required init(id: ConnectionID, now: VenueTime) {
        super.init(id: id, now: now)
        lastHeard = now
    }
}
