/// What can be asked on a socket, in the order in which a request is searched for its method.
enum DerivMethod: String, CaseIterable {
    case ping, time
    case authorize
    case ticksHistory = "ticks_history"
    case ticks
    case activeSymbols = "active_symbols"
    case contractsFor = "contracts_for"
    case tradingTimes = "trading_times"
    case websiteStatus = "website_status"
    case payoutCurrencies = "payout_currencies"
    case openContract = "proposal_open_contract"
    case proposal, buy, sell
    case profitTable = "profit_table"
    case portfolio, statement, balance, transaction
    case forgetAll = "forget_all"
    case forget
    case logout

    /// The row of the budgets that pays for it; nil for `ping`, which is outside them.
    var row: DerivRow? {
        switch self {
        case .ping: nil
        case .proposal, .openContract, .buy, .sell: .pricing
        case .balance, .statement: .balance
        case .portfolio, .profitTable: .portfolio
        default: .others
        }
    }

    /// Whether it needs an account.
    var isPrivate: Bool {
        switch self {
        case .openContract, .buy, .sell, .profitTable, .portfolio, .statement, .balance, .transaction: true
        default: false
        }
    }

    /// Whether one of the two APIs alone has it.
    func exists(in api: DerivAPI) -> Bool {
        switch self {
        case .authorize, .logout, .websiteStatus, .payoutCurrencies: api == .v3
        default: true
        }
    }
}

/// What a field of a request must be.
enum DerivField {
    /// The number 1.
    case one
    /// 0 or 1 in the current API, 1 alone in the older one.
    case subscribe
    case flag
    case integer(ClosedRange<Int64>)
    case number
    case text(ClosedRange<Int>)
    case word(ClosedRange<Int>)
    case choice([String])
    /// One word or a list of them.
    case words
    case integerOrText
    case object
}

/// A request that has passed the check of its shape.
struct DerivRequest {
    var method: DerivMethod
    var json: JSONValue
    var api: DerivAPI

    var id: JSONValue? { json["req_id"] }
    var passthrough: JSONValue? { json["passthrough"] }

    /// The method of a parsed message; nil when there is none.
    static func method(of json: JSONValue) -> DerivMethod? {
        DerivMethod.allCases.first { json[$0.rawValue] != nil }
    }

    /// Checks the shape: every field known, every value of its kind, nothing missing.
    init(_ json: JSONValue, method: DerivMethod, api: DerivAPI) throws(DerivError) {
        self.method = method
        self.json = json
        self.api = api
        guard case .object(let members) = json else { throw .badRequest }
        try Self.check(members, method.fields(api) + Self.common(api), api)
        for name in method.required(api) where json[name] == nil {
            throw .invalid("Missing required parameter \(name)")
        }
    }

    /// Checks the parameters of a purchase without a proposal, which are a proposal's.
    init(parameters: JSONValue, api: DerivAPI) throws(DerivError) {
        method = .proposal
        json = parameters
        self.api = api
        guard case .object(let members) = parameters else { throw .invalid("parameters") }
        try Self.check(members, DerivMethod.contractFields(api), api)
        for name in ["contract_type", "currency", api.symbolKey] where json[name] == nil {
            throw .invalid("Missing required parameter \(name)")
        }
    }

    private static func common(_ api: DerivAPI) -> [(String, DerivField)] {
        let both: [(String, DerivField)] = [("req_id", .integer(0...Int64.max)), ("passthrough", .object)]
        return api == .v3 ? both + [("loginid", .text(1...30))] : both
    }

    private static func check(
        _ members: [JSONMember], _ fields: [(String, DerivField)], _ api: DerivAPI
    ) throws(DerivError) {
        for member in members {
            guard let field = fields.first(where: { $0.0 == member.key })?.1 else {
                throw .invalid("Properties not allowed: \(member.key)")
            }
            guard field.takes(member.value, api) else { throw .invalid(member.key) }
        }
    }

    // MARK: Values

    func text(_ name: String) -> String? { json[name]?.string }

    func integer(_ name: String) -> Int64? {
        guard case .number(let text)? = json[name] else { return nil }
        return Int64(text)
    }

    /// An epoch that came as a number or as a text.
    func epoch(_ name: String) -> Int64? { json[name]?.parameterText.flatMap { Int64($0) } }

    func isSet(_ name: String) -> Bool { integer(name) == 1 }

    /// A number of cents with two decimals; nil when it is absent.
    func cents(_ name: String) throws(DerivError) -> Int64? {
        guard case .number(let text)? = json[name] else { return nil }
        do { return try parseDecimal(text, decimals: 2) } catch { throw .invalid(name) }
    }

    /// A limit in cents, more decimals cut off; what no account could pay counts as the largest.
    func limitCents(_ name: String) throws(DerivError) -> Int64 {
        guard case .number(let text)? = json[name] else { throw .invalid("Missing required parameter \(name)") }
        do throws(DecimalError) { return try parseDecimal(text, decimals: 8) / 1_000_000 } catch {
            guard error == .overflow else { throw .invalid(name) }
            return .max
        }
    }
}

extension DerivField {
    fileprivate func takes(_ value: JSONValue, _ api: DerivAPI) -> Bool {
        switch self {
        case .one: return value == .number("1")
        case .subscribe: return value == .number("1") || (api == .current && value == .number("0"))
        case .flag: return value == .number("1") || value == .number("0")
        case .integer(let range):
            guard case .number(let text) = value, let number = Int64(text) else { return false }
            return range.contains(number)
        case .number:
            guard case .number(let text) = value else { return false }
            return text.utf8.first != 45 && !text.utf8.contains { $0 | 32 == 101 }
        case .text(let length): return value.string.map { length.contains($0.utf8.count) } ?? false
        case .word(let length): return value.string.map { Self.isWord($0, length) } ?? false
        case .choice(let words): return value.string.map(words.contains) ?? false
        case .words:
            guard case .array(let values) = value else { return value.string.map { Self.isWord($0, 2...30) } ?? false }
            return !values.isEmpty && values.count <= DerivConnection.limit
                && values.allSatisfy { $0.string.map { Self.isWord($0, 2...30) } ?? false }
        case .integerOrText:
            if case .bool = value { return false }
            return value.parameterText != nil
        case .object:
            guard case .object = value else { return false }
            return true
        }
    }

    /// Letters, digits, underscores and hyphens.
    private static func isWord(_ text: String, _ length: ClosedRange<Int>) -> Bool {
        length.contains(text.utf8.count) && text.utf8.allSatisfy { isWordByte($0) || $0 == 45 }
    }
}

extension DerivMethod {
    private static let epochs: ClosedRange<Int64> = 0...9_999_999_999

    /// The fields that shape a contract.
    static func contractFields(_ api: DerivAPI) -> [(String, DerivField)] {
        let both: [(String, DerivField)] = [
            ("amount", .number), ("barrier", .text(1...20)), ("basis", .choice(["payout", "stake"])),
            ("contract_type", .word(1...30)), ("currency", .word(2...20)), ("date_expiry", .integer(epochs)),
            ("duration", .integer(0...99_999_999)), ("duration_unit", .choice(["t", "s", "m", "h", "d"])),
            (api.symbolKey, .word(2...30)),
        ]
        return api == .v3 ? both + [("product_type", .choice(["basic"])), ("date_start", .integer(epochs))] : both
    }

    private static let page: [(String, DerivField)] = [
        ("date_from", .integerOrText), ("date_to", .integerOrText), ("description", .flag),
        ("limit", .integer(0...999)),
        ("offset", .integer(0...1_000_000)),
    ]

    fileprivate func fields(_ api: DerivAPI) -> [(String, DerivField)] {
        let name = rawValue
        switch self {
        case .ping, .time, .websiteStatus, .payoutCurrencies, .logout: return [(name, .one)]
        case .authorize: return [(name, .word(1...128)), ("add_to_login_history", .flag)]
        case .ticks: return [(name, .words), ("subscribe", .subscribe)]
        case .ticksHistory:
            return [
                (name, .word(2...30)), ("adjust_start_time", .flag), ("count", .integer(0...1_000_000)),
                ("end", .text(1...10)), ("granularity", .integer(60...86_400)), ("start", .integer(Self.epochs)),
                ("style", .choice(["candles", "ticks"])), ("subscribe", .subscribe),
            ]
        case .activeSymbols:
            let both: [(String, DerivField)] = [(name, .choice(["brief", "full"])), ("contract_type", .words)]
            return api == .v3
                ? both + [("product_type", .choice(["basic"])), ("landing_company", .word(2...20))] : both
        case .contractsFor:
            let both: [(String, DerivField)] = [(name, .word(2...30)), ("currency", .word(2...20))]
            return api == .v3
                ? both + [("product_type", .choice(["basic"])), ("landing_company", .word(2...20))] : both
        case .tradingTimes: return [(name, .text(1...10))]
        case .proposal: return [(name, .one), ("subscribe", .subscribe)] + Self.contractFields(api)
        case .buy:
            return [
                (name, .word(1...128)), ("price", .number), ("parameters", .object), ("subscribe", .subscribe),
            ]
        case .sell: return [(name, .integer(0...Int64.max)), ("price", .number)]
        case .openContract:
            return [(name, .one), ("contract_id", .integer(0...Int64.max)), ("subscribe", .subscribe)]
        case .portfolio: return [(name, .one), ("contract_type", .words)]
        case .profitTable:
            return [(name, .one), ("sort", .choice(["ASC", "DESC"])), ("contract_type", .words)] + Self.page
        case .statement: return [(name, .one), ("action_type", .word(1...30))] + Self.page
        case .balance:
            let both: [(String, DerivField)] = [(name, .one), ("subscribe", .flag)]
            return api == .v3 ? both + [("account", .word(1...20))] : both
        case .transaction: return [(name, .one), ("subscribe", .subscribe)]
        case .forget: return [(name, .word(32...128))]
        case .forgetAll: return [(name, .words)]
        }
    }

    fileprivate func required(_ api: DerivAPI) -> [String] {
        switch self {
        case .ticksHistory: ["end"]
        case .proposal: ["contract_type", "currency", api.symbolKey]
        case .buy, .sell: ["price"]
        case .transaction: ["subscribe"]
        default: []
        }
    }
}
