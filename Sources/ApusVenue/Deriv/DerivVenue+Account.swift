// What an account is told of its money: balance, transactions, open and ended contracts.

extension DerivVenue {
    // MARK: Balance

    func balance(
        _ request: DerivRequest, _ connection: DerivConnection, _ account: DerivAccount
    ) throws(DerivError) {
        let subscription = request.isSet("subscribe") ? try subscribe(connection, to: .balance, request) : nil
        let id = subscription?["id"]?.string
        answer(
            request, connection,
            body: [("balance", render(account, request.api, id: id)), ("subscription", subscription)])
    }

    private func render(_ account: DerivAccount, _ api: DerivAPI, id: String?) -> JSONValue {
        DerivObject([
            ("balance", price(account.balance, api)), ("currency", .string("USD")), ("id", id.map(JSONValue.string)),
            ("loginid", .string(account.configuration.id)),
        ]).value
    }

    // MARK: Transactions

    func transactions(
        _ request: DerivRequest, _ connection: DerivConnection, _ account: DerivAccount
    ) throws(DerivError) {
        guard request.isSet("subscribe") else {
            return answer(request, connection, body: [("transaction", .object([]))])
        }
        let subscription = try subscribe(connection, to: .transactions, request)
        let body = DerivObject([("id", subscription["id"])]).value
        answer(request, connection, body: [("transaction", body), ("subscription", subscription)])
    }

    private func render(
        _ transaction: DerivTransaction, _ contract: DerivContract, _ api: DerivAPI, id: String
    ) -> JSONValue {
        let index = indices[contract.terms.symbol]
        var out = DerivObject([
            ("action", .string(transaction.action.rawValue)), ("amount", price(transaction.amount, api)),
            ("balance", price(transaction.balanceAfter, api)), ("contract_id", .integer(transaction.contract)),
            ("currency", .string("USD")), ("date_expiry", .integer(contract.expiry(index.symbol))),
            ("id", .string(id)), ("longcode", .string(contract.longcode)),
            ("purchase_time", .integer(contract.purchaseTime)),
            (api.symbolKey, .string(index.symbol.name)), ("transaction_id", .integer(transaction.id)),
            ("transaction_time", .integer(transaction.time)),
        ])
        if api == .v3 { out["display_name"] = .string(index.symbol.displayName) }
        return out.value
    }

    /// Tells everybody who listens to the account what a purchase, a sale or an expiry has done.
    func announce(_ contract: DerivContract, _ transaction: DerivTransaction) {
        let account = contract.account
        for connection in hub.connections where connection.account === account {
            for subscription in connection.subscriptions {
                switch subscription.topic {
                case .transactions:
                    let body = render(transaction, contract, connection.api, id: subscription.id)
                    tell(subscription, connection, type: "transaction", body: [("transaction", body)])
                case .balance:
                    let body = render(account, connection.api, id: subscription.id)
                    tell(subscription, connection, type: "balance", body: [("balance", body)])
                case .contract(contract.id), .allContracts: tell(contract, subscription, connection)
                default: continue
                }
            }
            // A contract that has ended has nothing more to tell.
            if contract.status != .open { connection.subscriptions.removeAll { $0.topic == .contract(contract.id) } }
        }
    }

    // MARK: Portfolio

    func portfolio(_ account: DerivAccount, _ request: DerivRequest) -> JSONValue {
        let contracts = account.open.filter { wants($0, request) }.map { contract in
            let index = indices[contract.terms.symbol]
            return DerivObject([
                ("app_id", .integer(contract.appID)), ("buy_price", price(contract.buyPrice, request.api)),
                ("contract_id", .integer(contract.id)), ("contract_type", .string(contract.terms.kind.rawValue)),
                ("currency", .string("USD")), ("date_start", .integer(contract.purchaseTime)),
                ("expiry_time", .integer(contract.expiry(index.symbol))), ("longcode", .string(contract.longcode)),
                ("payout", payout(contract.payout, request.api)), ("purchase_time", .integer(contract.purchaseTime)),
                ("shortcode", .string(contract.shortcode)), (request.api.symbolKey, .string(index.symbol.name)),
                ("transaction_id", .integer(contract.buyTransaction)),
            ]).value
        }
        return DerivObject([("contracts", .array(contracts))]).value
    }

    /// Whether a request's list of types, if it has one, names the contract's.
    private func wants(_ contract: DerivContract, _ request: DerivRequest) -> Bool {
        switch request.json["contract_type"] {
        case .array(let types)?: types.contains(.string(contract.terms.kind.rawValue))
        case .string(let type)?: type == contract.terms.kind.rawValue
        default: true
        }
    }

    // MARK: History

    func profitTable(_ account: DerivAccount, _ request: DerivRequest) -> JSONValue {
        let ended = account.closed.elements.filter { wants($0, request) && isWithin($0.purchaseTime, request) }
        let sorted = request.text("sort") == "ASC" ? ended : ended.reversed()
        let rows = page(sorted, request, most: 500).map { contract in
            var out = DerivObject([
                ("app_id", .integer(contract.appID)), ("buy_price", price(contract.buyPrice, request.api)),
                ("contract_id", .integer(contract.id)), ("contract_type", .string(contract.terms.kind.rawValue)),
                ("payout", payout(contract.payout, request.api)), ("purchase_time", .integer(contract.purchaseTime)),
                ("sell_price", price(contract.sellPrice, request.api)), ("sell_time", .integer(contract.sellTime)),
                ("transaction_id", .integer(contract.buyTransaction)),
            ])
            describe(&out, contract, request)
            return out.value
        }
        return DerivObject([("count", .integer(Int64(rows.count))), ("transactions", .array(rows))]).value
    }

    func statement(_ account: DerivAccount, _ request: DerivRequest) -> JSONValue {
        let action = request.text("action_type")
        let moved = account.transactions.elements.filter {
            (action == nil || action == $0.action.rawValue) && isWithin($0.time, request)
        }
        let rows = page(moved.reversed(), request, most: 999).map { transaction in
            var out = DerivObject([
                ("action_type", .string(transaction.action.rawValue)),
                ("amount", price(transaction.amount, request.api)),
                ("balance_after", price(transaction.balanceAfter, request.api)),
                ("transaction_id", .integer(transaction.id)), ("transaction_time", .integer(transaction.time)),
            ])
            guard let contract = account.contract(transaction.contract) else { return out.value }
            out["app_id"] = .integer(contract.appID)
            out["contract_id"] = .integer(contract.id)
            out["payout"] = payout(contract.payout, request.api)
            out["purchase_time"] = .integer(contract.purchaseTime)
            if transaction.reference != 0 { out["reference_id"] = .integer(transaction.reference) }
            describe(&out, contract, request)
            return out.value
        }
        return DerivObject([("count", .integer(Int64(rows.count))), ("transactions", .array(rows))]).value
    }

    /// The codes are told when the request asks for a description; the short one names what a lost purchase has bought.
    private func describe(_ out: inout DerivObject, _ contract: DerivContract, _ request: DerivRequest) {
        guard request.isSet("description") else { return }
        out["longcode"] = .string(contract.longcode)
        out["shortcode"] = .string(contract.shortcode)
        if request.api == .current {
            out["underlying_symbol"] = .string(indices[contract.terms.symbol].symbol.name)
        }
    }

    private func isWithin(_ epoch: Int64, _ request: DerivRequest) -> Bool {
        (request.epoch("date_from") ?? .min) <= epoch && epoch <= (request.epoch("date_to") ?? .max)
    }

    private func page<Row>(_ rows: [Row], _ request: DerivRequest, most: Int64) -> ArraySlice<Row> {
        let limit = Int(min(request.integer("limit") ?? 50, most))
        return rows.dropFirst(Int(request.integer("offset") ?? 0)).prefix(limit)
    }
}
