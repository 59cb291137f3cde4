// `proposal_open_contract`: a contract as it stands, and each change of it.

extension DerivVenue {
    func openContract(
        _ request: DerivRequest, _ connection: DerivConnection, _ account: DerivAccount
    ) throws(DerivError) {
        guard let id = request.integer("contract_id") else {
            return try openContracts(request, connection, account)
        }
        guard let contract = account.contract(id) else {
            // The venue knows no such contract of this account, and says so with nothing.
            return answer(request, connection, body: [("proposal_open_contract", .object([]))])
        }
        var subscription: JSONValue?
        if request.isSet("subscribe"), contract.status == .open {
            subscription = try subscribe(connection, to: .contract(id), request)
        }
        let body = render(contract, request.api, id: subscription?["id"]?.string)
        answer(request, connection, body: [("proposal_open_contract", body), ("subscription", subscription)])
    }

    /// Without an id every open contract is told, and with a subscription every later one too.
    private func openContracts(
        _ request: DerivRequest, _ connection: DerivConnection, _ account: DerivAccount
    ) throws(DerivError) {
        let subscription = request.isSet("subscribe") ? try subscribe(connection, to: .allContracts, request) : nil
        let id = subscription?["id"]?.string
        let bodies =
            account.open.isEmpty ? [JSONValue.object([])] : account.open.map { render($0, request.api, id: id) }
        for body in bodies {
            answer(request, connection, body: [("proposal_open_contract", body), ("subscription", subscription)])
        }
    }

    /// Tells one contract to a subscription.
    func tell(_ contract: DerivContract, _ subscription: DerivSubscription, _ connection: DerivConnection) {
        let body = render(contract, connection.api, id: subscription.id)
        tell(
            subscription, connection, type: "proposal_open_contract", body: [("proposal_open_contract", body)])
    }

    /// Tells the open contracts on an index after its quote.
    func tellContracts(_ index: DerivIndex) {
        let told = openContracts.filter { $0.terms.symbol == index.place }
        guard !told.isEmpty else { return }
        for connection in hub.connections {
            for subscription in connection.subscriptions {
                for contract in told where contract.account === connection.account {
                    switch subscription.topic {
                    case .contract(contract.id), .allContracts: tell(contract, subscription, connection)
                    default: continue
                    }
                }
            }
        }
    }

    // MARK: Rendering

    func render(_ contract: DerivContract, _ api: DerivAPI, id: String?) -> JSONValue {
        let index = indices[contract.terms.symbol]
        let isOpen = contract.status == .open
        let worth = isOpen ? bid(contract) : contract.sellPrice
        let profit = worth - contract.buyPrice
        let expiry = contract.expiry(index.symbol)
        let obstacle = isOpen ? obstacle(contract) : nil
        var out = DerivObject([
            ("bid_price", price(worth, api)), ("buy_price", price(contract.buyPrice, api)),
            ("contract_id", .integer(contract.id)), ("contract_type", .string(contract.terms.kind.rawValue)),
            ("currency", .string("USD")), ("current_spot", price(index.text(index.newest.quote), api)),
            ("current_spot_time", .integer(index.newest.epoch)), ("date_expiry", .integer(expiry)),
            ("date_settlement", .integer(expiry)), ("date_start", .integer(contract.purchaseTime)),
            ("expiry_time", .integer(expiry)), ("id", id.map(JSONValue.string)),
            ("is_expired", .flag(contract.status == .won || contract.status == .lost)), ("is_intraday", .integer(1)),
            ("is_path_dependent", .integer(0)), ("is_settleable", .flag(!isOpen)), ("is_sold", .flag(!isOpen)),
            ("is_valid_to_cancel", .integer(0)), ("is_valid_to_sell", .flag(isOpen && obstacle == nil)),
            ("longcode", .string(contract.longcode)), ("payout", payout(contract.payout, api)),
            ("profit", price(profit, api)), ("profit_percentage", percentage(profit, of: contract.buyPrice)),
            ("purchase_time", .integer(contract.purchaseTime)), ("shortcode", .string(contract.shortcode)),
            ("status", .string(contract.status.rawValue)), ("transaction_ids", transactions(contract)),
        ])
        out[api == .v3 ? "underlying" : "underlying_symbol"] = .string(index.symbol.name)
        if let obstacle {
            out["validation_error"] = .string(obstacle.message)
            out["validation_error_code"] = .string(obstacle.code)
        }
        if !isOpen {
            out["sell_price"] = price(contract.sellPrice, api)
            out["sell_time"] = .integer(contract.sellTime)
        }
        appendSpots(&out, contract, index, api)
        if api == .v3 { appendDisplay(&out, contract, index) }
        return out.value
    }

    private func transactions(_ contract: DerivContract) -> JSONValue {
        var out = DerivObject([("buy", .integer(contract.buyTransaction))])
        if contract.status != .open { out["sell"] = .integer(contract.sellTransaction) }
        return out.value
    }

    /// Per cent with two decimals, towards zero.
    private func percentage(_ profit: Int64, of price: Int64) -> JSONValue {
        .number(decimalText(profit * 10_000 / price, decimals: 2))
    }

    private func appendSpots(_ out: inout DerivObject, _ contract: DerivContract, _ index: DerivIndex, _ api: DerivAPI)
    {
        if let barrier = contract.barrier {
            out["barrier"] = .string(index.text(barrier))
            out["barrier_count"] = .integer(1)
        } else if contract.terms.kind.needsDigit {
            out["barrier"] = .string(String(contract.digit))
            out["barrier_count"] = .integer(1)
        }
        if let entry = contract.entry {
            out["entry_spot"] = price(index.text(entry.quote), api)
            out[api == .v3 ? "entry_tick_time" : "entry_spot_time"] = .integer(entry.epoch)
        }
        if let exit = contract.exit {
            out[api == .v3 ? "exit_tick" : "exit_spot"] = price(index.text(exit.quote), api)
            out[api == .v3 ? "exit_tick_time" : "exit_spot_time"] = .integer(exit.epoch)
        }
        guard case .ticks(let count) = contract.terms.duration else { return }
        out["tick_count"] = .integer(Int64(count))
        let stream = contract.ticks.map { tick in
            DerivObject([
                ("epoch", .integer(tick.epoch)), ("tick", .number(index.text(tick.quote))),
                ("tick_display_value", .string(index.text(tick.quote))),
            ]).value
        }
        out["tick_stream"] = .array(stream)
    }

    /// Fields that only the older API has.
    private func appendDisplay(_ out: inout DerivObject, _ contract: DerivContract, _ index: DerivIndex) {
        out["account_id"] = .integer(Int64(contract.account.place) + 1)
        out["current_spot_display_value"] = .string(index.text(index.newest.quote))
        out["display_name"] = .string(index.symbol.displayName)
        out["is_forward_starting"] = .integer(0)
        if let entry = contract.entry {
            out["entry_spot_display_value"] = .string(index.text(entry.quote))
            out["entry_tick"] = .number(index.text(entry.quote))
            out["entry_tick_display_value"] = .string(index.text(entry.quote))
        }
        if let exit = contract.exit { out["exit_tick_display_value"] = .string(index.text(exit.quote)) }
    }
}
