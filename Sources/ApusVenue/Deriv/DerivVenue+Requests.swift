// A message of a socket becomes a request here: its method found, its budget paid, its shape checked, its account looked for.

extension DerivVenue {
    func take(_ text: [UInt8], _ connection: DerivConnection) {
        let json: JSONValue
        do throws(JSONError) { json = try JSONParser.parse(text) } catch {
            return refuse(message: nil, type: "error", connection, .badRequest)
        }
        guard let method = DerivRequest.method(of: json), method.exists(in: connection.api) else {
            return refuse(message: json, type: "error", connection, .unrecognised)
        }
        guard pays(method, connection) else {
            return refuse(message: json, type: method.rawValue, connection, .rateLimit(method.rawValue))
        }
        let request: DerivRequest
        do throws(DerivError) {
            request = try DerivRequest(json, method: method, api: connection.api)
        } catch {
            return refuse(message: json, type: method.rawValue, connection, error)
        }
        do throws(DerivError) {
            if method.isPrivate {
                guard let account = connection.account else { throw .pleaseLogIn }
                try perform(request, connection, account)
            } else {
                try perform(request, connection)
            }
        } catch {
            refuse(request, connection, error)
        }
    }

    private func pays(_ method: DerivMethod, _ connection: DerivConnection) -> Bool {
        let limits = configuration.budgets
        guard let row = method.row else {
            connection.pings.add(1, now)
            return !limits.enforced || connection.pings.count(now) <= limits.pingsPerSecond
        }
        if let account = connection.account { return account.budgets.take(row, limits, now) }
        return publicBudgets.take(row, limits, now)
    }

    private func perform(_ request: DerivRequest, _ connection: DerivConnection) throws(DerivError) {
        switch request.method {
        case .ping: answer(request, connection, body: [("ping", .string("pong"))])
        case .time: answer(request, connection, body: [("time", .integer(epoch))])
        case .authorize: try authorize(request, connection)
        case .logout: logOut(request, connection)
        case .ticks: try ticks(request, connection)
        case .ticksHistory: try history(request, connection)
        case .activeSymbols: answer(request, connection, body: [("active_symbols", activeSymbols(request.api))])
        case .contractsFor: try contractsFor(request, connection)
        case .tradingTimes: answer(request, connection, body: [("trading_times", tradingTimes)])
        case .websiteStatus: answer(request, connection, body: [("website_status", websiteStatus)])
        case .payoutCurrencies:
            answer(request, connection, body: [("payout_currencies", .array([.string("USD")]))])
        case .proposal: try propose(request, connection)
        case .forget: forget(request, connection)
        case .forgetAll: try forgetAll(request, connection)
        default: throw .unrecognised
        }
    }

    private func perform(
        _ request: DerivRequest, _ connection: DerivConnection, _ account: DerivAccount
    ) throws(DerivError) {
        switch request.method {
        case .buy: try buy(request, connection, account)
        case .sell: try sell(request, connection, account)
        case .openContract: try openContract(request, connection, account)
        case .portfolio: answer(request, connection, body: [("portfolio", portfolio(account, request))])
        case .profitTable: answer(request, connection, body: [("profit_table", profitTable(account, request))])
        case .statement: answer(request, connection, body: [("statement", statement(account, request))])
        case .balance: try balance(request, connection, account)
        case .transaction: try transactions(request, connection, account)
        default: throw .unrecognised
        }
    }

    // MARK: Accounts

    private func authorize(_ request: DerivRequest, _ connection: DerivConnection) throws(DerivError) {
        guard let user = users.first(where: { $0.token == request.text("authorize") }),
            let account = user.accounts.first
        else { throw .invalidToken }
        if connection.account !== account { endPrivate(connection) }
        connection.account = account
        connection.role = .user
        answer(request, connection, body: [("authorize", description(account, user))])
    }

    private func logOut(_ request: DerivRequest, _ connection: DerivConnection) {
        endPrivate(connection)
        connection.account = nil
        connection.role = .market
        answer(request, connection, body: [("logout", .integer(1))])
    }

    /// What is of one account must not reach the next.
    private func endPrivate(_ connection: DerivConnection) {
        connection.proposals = []
        connection.subscriptions.removeAll {
            switch $0.topic {
            case .ticks, .history, .candles: false
            default: true
            }
        }
    }

    private func description(_ account: DerivAccount, _ user: DerivUser) -> JSONValue {
        let list = user.accounts.map { account in
            DerivObject([
                ("account_type", .string("binary")), ("currency", .string("USD")), ("is_disabled", .integer(0)),
                ("is_virtual", .flag(account.configuration.isDemo)),
                ("landing_company_name", .string(account.company)), ("loginid", .string(account.configuration.id)),
            ]).value
        }
        return DerivObject([
            ("account_list", .array(list)), ("balance", .money(account.balance)), ("country", .string("za")),
            ("currency", .string("USD")), ("email", .string("trader@example.com")), ("fullname", .string("Trader")),
            ("is_virtual", .flag(account.configuration.isDemo)), ("landing_company_name", .string(account.company)),
            ("local_currencies", .object([])), ("loginid", .string(account.configuration.id)),
            ("preferred_language", .string("EN")), ("scopes", .array([.string("read"), .string("trade")])),
            ("upgradeable_landing_companies", .array([])), ("user_id", .integer(Int64(account.place) + 1)),
        ]).value
    }

    // MARK: Subscriptions

    /// Adds a subscription to a connection; one with the same topic is an error.
    func subscribe(
        _ connection: DerivConnection, to topic: DerivTopic, _ request: DerivRequest, id: String? = nil
    ) throws(DerivError) -> JSONValue {
        guard connection.subscriptions.count < DerivConnection.limit else { throw .tooManySubscriptions }
        let isTaken = topic != .proposal && connection.subscriptions.contains { $0.topic == topic }
        guard !isTaken else {
            throw .alreadySubscribed(request.text(request.method.rawValue) ?? request.method.rawValue)
        }
        let id = id ?? newID()
        connection.subscriptions.append(DerivSubscription(id: id, topic: topic, request: request))
        return DerivObject([("id", .string(id))]).value
    }

    private func forget(_ request: DerivRequest, _ connection: DerivConnection) {
        let id = request.text("forget")
        let before = connection.subscriptions.count
        connection.subscriptions.removeAll { $0.id == id }
        connection.proposals.removeAll { $0.id == id }
        answer(request, connection, body: [("forget", .flag(connection.subscriptions.count < before))])
    }

    private func forgetAll(_ request: DerivRequest, _ connection: DerivConnection) throws(DerivError) {
        var names: [String] = []
        if case .array(let values)? = request.json["forget_all"] { names = values.compactMap(\.string) }
        if let name = request.text("forget_all") { names = [name] }
        let known = ["ticks", "candles", "proposal", "proposal_open_contract", "balance", "transaction"]
        guard names.allSatisfy(known.contains) else { throw .invalid("forget_all") }
        let ended = connection.subscriptions.filter { names.contains($0.topic.name) }.map(\.id)
        connection.subscriptions.removeAll { ended.contains($0.id) }
        connection.proposals.removeAll { ended.contains($0.id) }
        answer(request, connection, body: [("forget_all", .array(ended.map(JSONValue.string)))])
    }
}

extension DerivAccount {
    var company: String { configuration.isDemo ? "virtual" : "svg" }
}
