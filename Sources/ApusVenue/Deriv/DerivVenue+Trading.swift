// The life of a contract: proposed, bought, and ended by its expiry or by a sale.

extension DerivVenue {
    // MARK: Proposals

    func propose(_ request: DerivRequest, _ connection: DerivConnection) throws(DerivError) {
        let terms = try terms(request)
        let quote = try quote(terms)
        let proposal = DerivProposal(id: newID(), terms: terms)
        let subscription =
            request.isSet("subscribe") ? try subscribe(connection, to: .proposal, request, id: proposal.id) : nil
        if connection.proposals.count >= DerivConnection.limit { dropOldestProposal(connection) }
        connection.proposals.append(proposal)
        let body = render(proposal, quote, request.api)
        answer(request, connection, body: [("proposal", body), ("subscription", subscription)])
    }

    /// The oldest proposal makes room, one that is still told last.
    private func dropOldestProposal(_ connection: DerivConnection) {
        let told = connection.subscriptions.map(\.id)
        let place = connection.proposals.firstIndex { !told.contains($0.id) } ?? 0
        let id = connection.proposals.remove(at: place).id
        connection.subscriptions.removeAll { $0.id == id }
    }

    private func render(_ proposal: DerivProposal, _ quote: DerivQuote, _ api: DerivAPI) -> JSONValue {
        let index = indices[proposal.terms.symbol]
        var out = DerivObject([
            ("ask_price", price(quote.ask, api)), ("date_start", .integer(epoch)),
            ("id", .string(proposal.id)), ("longcode", .string(proposal.terms.longcode(index.symbol))),
            ("payout", payout(quote.payout, api)), ("spot", price(index.text(index.newest.quote), api)),
            ("spot_time", .integer(index.newest.epoch)),
        ])
        if case .seconds(let length) = proposal.terms.duration { out["date_expiry"] = .integer(epoch + length) }
        if api == .v3 { out["display_value"] = .string(moneyText(quote.ask)) }
        return out.value
    }

    /// Tells the new price of every proposal on that index; one that can no longer be offered ends.
    func tellProposals(_ index: DerivIndex) {
        for connection in hub.connections {
            for subscription in connection.subscriptions where subscription.topic == .proposal {
                guard let proposal = connection.proposals.first(where: { $0.id == subscription.id }),
                    proposal.terms.symbol == index.place
                else { continue }
                do throws(DerivError) {
                    let body = render(proposal, try quote(proposal.terms), connection.api)
                    tell(subscription, connection, type: "proposal", body: [("proposal", body)])
                } catch {
                    connection.subscriptions.removeAll { $0.id == subscription.id }
                    connection.proposals.removeAll { $0.id == proposal.id }
                    tell(subscription, connection, type: "proposal", body: [("error", error.value)])
                }
            }
        }
    }

    /// What a contract of these terms costs now.
    func quote(_ terms: DerivTerms) throws(DerivError) -> DerivQuote {
        let index = indices[terms.symbol]
        let spot = index.newest.quote
        let barrier: Int64 =
            switch terms.barrier {
            case .absolute(let quote): quote
            case .relative(let offset): spot + offset
            case .entry, .digit: spot
            }
        let length: Int64 =
            switch terms.duration {
            case .ticks(let count): Int64(count) * index.symbol.interval
            case .seconds(let seconds): seconds
            }
        return try pricing.quote(terms, chance: chance(terms, spot: spot, barrier: barrier, seconds: length))
    }

    private func chance(_ terms: DerivTerms, spot: Int64, barrier: Int64, seconds: Int64) -> Int64 {
        if terms.kind.isDigit {
            if case .digit(let digit) = terms.barrier { return DerivPricing.chance(terms.kind, digit: digit) }
            return DerivPricing.chance(terms.kind, digit: 0)
        }
        let above = DerivPricing.chanceAbove(
            spot: spot, barrier: barrier, seconds: seconds, volatility: indices[terms.symbol].volatilityPerSecond)
        return terms.kind.isHigher ? above : DerivPricing.million - above
    }

    // MARK: Buying

    func buy(
        _ request: DerivRequest, _ connection: DerivConnection, _ account: DerivAccount
    ) throws(DerivError) {
        let terms = try takeTerms(request, connection)
        let limit = try request.limitCents("price")
        let quote = try quote(terms)
        guard quote.ask <= limit else { throw .priceMoved(limit, quote.ask) }
        guard quote.ask <= account.balance else { throw .insufficient(account.balance, quote.ask) }
        if request.isSet("subscribe"), connection.subscriptions.count >= DerivConnection.limit {
            throw .tooManySubscriptions
        }
        let id = newContractID()
        let transaction = account.book(.buy, -quote.ask, id: newTransactionID(), time: epoch, contract: id)
        let contract = DerivContract(
            id: id, account: account, terms: terms, quote: quote, purchaseTime: epoch, index: indices[terms.symbol],
            buyTransaction: transaction.id, appID: connection.appID)
        account.add(contract)
        openContracts.append(contract)
        hub.statistics.fills += 1
        let subscription =
            request.isSet("subscribe") ? try subscribe(connection, to: .contract(id), request.forContract) : nil
        inEitherOrder {
            let body = render(purchase: contract, transaction, request.api)
            answer(request, connection, body: [("buy", body), ("subscription", subscription)])
        } and: {
            announce(contract, transaction)
        }
    }

    /// The terms of a purchase. A proposal is used up by the first purchase that names it, whatever becomes of it.
    private func takeTerms(_ request: DerivRequest, _ connection: DerivConnection) throws(DerivError) -> DerivTerms {
        if request.text("buy") == "1" {
            guard let parameters = request.json["parameters"] else {
                throw .invalid("Missing required parameter parameters")
            }
            return try terms(DerivRequest(parameters: parameters, api: request.api))
        }
        guard let place = connection.proposals.firstIndex(where: { $0.id == request.text("buy") }) else {
            throw .invalidProposal
        }
        let proposal = connection.proposals.remove(at: place)
        connection.subscriptions.removeAll { $0.id == proposal.id }
        return proposal.terms
    }

    /// An answer and the events of what it answers race at the venue; here the seed decides.
    private func inEitherOrder(_ first: () -> Void, and second: () -> Void) {
        let isSwapped = styleRandom.below(4) == 0
        if isSwapped { second() }
        first()
        if !isSwapped { second() }
    }

    private func render(purchase contract: DerivContract, _ transaction: DerivTransaction, _ api: DerivAPI) -> JSONValue
    {
        DerivObject([
            ("balance_after", price(transaction.balanceAfter, api)), ("buy_price", price(contract.buyPrice, api)),
            ("contract_id", .integer(contract.id)), ("longcode", .string(contract.longcode)),
            ("payout", payout(contract.payout, api)), ("purchase_time", .integer(contract.purchaseTime)),
            ("shortcode", .string(contract.shortcode)), ("start_time", .integer(contract.purchaseTime)),
            ("transaction_id", .integer(transaction.id)),
        ]).value
    }

    // MARK: Selling

    func sell(
        _ request: DerivRequest, _ connection: DerivConnection, _ account: DerivAccount
    ) throws(DerivError) {
        guard let contract = account.contract(request.integer("sell") ?? 0) else { throw .unknownSell }
        guard contract.status == .open else { throw .notOpen }
        if let obstacle = obstacle(contract) { throw obstacle }
        let limit = try request.limitCents("price")
        let bid = bid(contract)
        guard bid >= limit else { throw .priceMoved(limit, bid) }
        let transaction = close(contract, .sold, exit: indices[contract.terms.symbol].newest, price: bid)
        inEitherOrder {
            let body = DerivObject([
                ("balance_after", price(transaction.balanceAfter, request.api)), ("contract_id", .integer(contract.id)),
                ("reference_id", .integer(contract.buyTransaction)), ("sold_for", price(bid, request.api)),
                ("transaction_id", .integer(transaction.id)),
            ])
            answer(request, connection, body: [("sell", body.value)])
        } and: {
            announce(contract, transaction)
        }
    }

    /// Why an open contract cannot be sold now; nil when it can.
    func obstacle(_ contract: DerivContract) -> DerivError? {
        guard case .seconds = contract.terms.duration else { return .noResale }
        return contract.entry == nil ? .notStarted : nil
    }

    /// What the house pays for an open contract now.
    func bid(_ contract: DerivContract) -> Int64 {
        let index = indices[contract.terms.symbol]
        let spot = index.newest.quote
        let left = max(contract.expiry(index.symbol) - epoch, 0)
        let chance = chance(contract.terms, spot: spot, barrier: contract.barrier ?? spot, seconds: left)
        return pricing.bid(payout: contract.payout, chance: chance)
    }

    // MARK: Ending

    /// A contract's second has come; its exit is the newest quote, which is not later than it.
    func settleAtExpiry(_ contract: DerivContract) { settle(contract, exit: indices[contract.terms.symbol].newest) }

    /// Ends a contract by its exit.
    func settle(_ contract: DerivContract, exit: DerivTick) {
        let isWon = contract.wins(exit)
        let transaction = close(contract, isWon ? .won : .lost, exit: exit, price: isWon ? contract.payout : 0)
        announce(contract, transaction)
    }

    private func close(
        _ contract: DerivContract, _ status: DerivContractStatus, exit: DerivTick, price: Int64
    ) -> DerivTransaction {
        let account = contract.account
        let transaction = account.book(
            .sell, price, id: newTransactionID(), time: epoch, contract: contract.id,
            reference: contract.buyTransaction)
        contract.close(status, exit: exit, price: price, time: epoch, transaction: transaction.id)
        account.retire(contract)
        openContracts.removeAll { $0 === contract }
        return transaction
    }
}

extension DerivRequest {
    /// The request that messages of a purchase's subscription repeat: they are of its contract.
    fileprivate var forContract: DerivRequest {
        var request = self
        request.method = .openContract
        return request
    }
}
