// Order entry: what an order must be before it may trade, in the order in which the venue looks.

/// What became of an accepted order, for its answer.
struct PolymarketOutcome {
    var order: PolymarketOrder
    var status: String { order.matched > 0 ? "matched" : "live" }
}

extension PolymarketVenue {
    /// Takes one order.
    func place(_ json: JSONValue, _ caller: Caller) throws(PolymarketError) -> PolymarketOutcome {
        let request = try PolymarketOrderRequest(json)
        let account = caller.account
        guard request.owner == caller.key else { throw .notOwner }
        guard request.signed.maker == account.configuration.funder else { throw .notOwner }
        let isWallet = account.configuration.signatureType == .poly1271
        guard request.signed.signer == (isWallet ? account.configuration.funder : account.configuration.signer),
            request.signed.signatureType == account.configuration.signatureType
        else { throw .notSigner }
        guard let place = tokens[request.tokenText] else { throw .noBook }
        let market = markets[place.market]
        let id = hexString(try verify(request, account, market))
        guard orders[id] == nil else { throw .invalid(id, "Duplicated.") }
        if postOnlyUntil > now && !request.isPostOnly { throw .onlyPostOnly }
        let price = try check(request, id, market)
        try checkFunds(account, request, market, place.token, price)
        return try accept(request, id, caller, market, place.token, price)
    }

    // MARK: Signature

    /// The domains that an order for a market could have been signed for; the first one is right.
    private func domains(_ market: OutcomeMarket) -> [ExchangeDomain] {
        let contracts = configuration.contracts
        let second = market.configuration.isNegRisk ? contracts.negRiskExchange : contracts.exchange
        let all = [("2", second), ("3", contracts.exchangeV3)].compactMap { version, text in
            EthereumAddress(text).map { ExchangeDomain(version: version, chainID: contracts.chainID, contract: $0) }
        }
        return market.configuration.exchangeVersion == "3" ? all.reversed() : all
    }

    /// The order's hash when its signer is the account's.
    private func verify(
        _ request: PolymarketOrderRequest, _ account: PolymarketAccount, _ market: OutcomeMarket
    ) throws(PolymarketError) -> [UInt8] {
        let owner = account.configuration.signer
        let candidates = domains(market)
        if request.signed.signer(request.signature, candidates[0], recovery) == owner {
            return request.signed.hash(candidates[0])
        }
        for other in candidates.dropFirst()
        where request.signed.signer(request.signature, other, recovery) == owner { throw .versionMismatch }
        throw .badSignature
    }

    // MARK: Rules

    /// Checks everything that does not depend on the book, and returns the price.
    private func check(
        _ request: PolymarketOrderRequest, _ id: String, _ market: OutcomeMarket
    ) throws(PolymarketError) -> Int64 {
        guard let rules = PriceRules.forTick(market.tickSize) else { throw .noMarket }
        func text(_ price: Int64) -> String { shortDecimalText(price, decimals: outcomePriceDecimals) }
        let (price, isExact) = request.price(rules)
        guard isExact else {
            let seen = Int64(clamping: Int128(request.value) * 1_000_000 / Int128(request.size))
            throw .invalid(
                id,
                "Price (\(shortDecimalText(seen, decimals: 6))) breaks minimum tick size rule: \(text(rules.tick))")
        }
        guard price >= rules.tick, price <= wholePrice - rules.tick else {
            throw .invalid(
                id, "Price (\(text(price))) is not between \(text(rules.tick)) and \(text(wholePrice - rules.tick))")
        }
        try checkAmounts(request, id, market, rules)
        try checkExpiration(request)
        guard !request.isPostOnly || request.type.rests else { throw .postOnlyType }
        return price
    }

    private func checkAmounts(
        _ request: PolymarketOrderRequest, _ id: String, _ market: OutcomeMarket, _ rules: PriceRules
    ) throws(PolymarketError) {
        // A buyer who takes at once names money, all others name tokens: that amount has the few decimals.
        let namesMoney = !request.type.rests && request.signed.side == .buy
        let coarse = namesMoney ? request.value : request.size
        let fine = namesMoney ? request.size : request.value
        let isLimitShaped =
            rules.hasDecimals(request.size, rules.sizeDecimals)
            && rules.hasDecimals(request.value, rules.amountDecimals)
        guard
            isLimitShaped
                || (rules.hasDecimals(coarse, rules.sizeDecimals) && rules.hasDecimals(fine, rules.amountDecimals))
        else {
            throw .invalid(
                id,
                "Amounts have more than \(rules.sizeDecimals) and \(rules.amountDecimals) decimals.")
        }
        if request.type.rests {
            guard request.size >= market.configuration.minOrderSize * tokenUnit else {
                let size = shortDecimalText(request.size, decimals: tokenDecimals)
                throw .invalid(id, "Size (\(size)) lower than the minimum: \(market.configuration.minOrderSize)")
            }
        } else if request.value < tokenUnit {
            let value = shortDecimalText(request.value, decimals: tokenDecimals)
            throw .invalid(id, "Value ($\(value)) lower than the minimum: $1")
        }
    }

    private func checkExpiration(_ request: PolymarketOrderRequest) throws(PolymarketError) {
        if request.type == .gtd {
            guard request.expiration < 1 << 33, request.expiration * second >= now + 60 * second else {
                throw .badExpiration
            }
        } else if request.expiration != 0 {
            throw .badExpiration
        }
    }

    private func checkFunds(
        _ account: PolymarketAccount, _ request: PolymarketOrderRequest, _ market: OutcomeMarket, _ token: Int,
        _ price: Int64
    ) throws(PolymarketError) {
        let needed: Int64
        let free: Int64
        if request.signed.side == .buy {
            needed = costBound(price: price, quantity: request.size)
            let held = ledger.owners[Int(account.index)].collateral
            free = min(held, account.configuration.allowance) - account.reservedCollateral
        } else {
            needed = request.size
            free =
                ledger.tokens(account.index, market: market.index, token: token)
                - account.reservedTokens(market: market.index, token: token)
        }
        guard needed <= free else { throw .notEnough }
    }

    // MARK: Execution

    private func accept(
        _ request: PolymarketOrderRequest, _ id: String, _ caller: Caller, _ market: OutcomeMarket, _ token: Int,
        _ price: Int64
    ) throws(PolymarketError) -> PolymarketOutcome {
        let order = PolymarketOrder(
            id: id, number: market.takeNumber(token: token), account: caller.account, key: caller.key, market: market,
            token: token, side: request.signed.side, price: price, size: request.size, type: request.type,
            expiration: request.expiration, created: now,
            salt: request.signed.salt[24...].reduce(0) { $0 << 8 | UInt64($1) })
        let taker = OutcomeTaker(
            number: order.number, owner: caller.account.index, side: order.bookSide, limit: order.bookPrice,
            quantity: order.size)
        if request.isPostOnly && market.crosses(taker.side, price: taker.limit) { throw .postOnlyCrosses }
        if !request.type.rests {
            let matchable = market.matchable(taker)
            if request.type == .fok && matchable < order.size { throw .notFilled }
            if matchable == 0 { throw .noMatch }
        }
        orders[id] = order
        caller.account.add(order)
        sendOrderEvent(order, .placement)
        match(order, taker)
        if order.status == .live { restOrEnd(order) }
        publish(market)
        return PolymarketOutcome(order: order)
    }

    private func restOrEnd(_ order: PolymarketOrder) {
        guard order.type.rests else { return cancel(order) }
        order.slot = order.market.rest(
            number: order.number, owner: order.account.index, side: order.bookSide, price: order.bookPrice,
            quantity: order.remaining)
        resting[order.number] = order
        if order.type == .gtd { appointments.add(.expire(order), at: order.expiration * second) }
    }

    /// Ends an order that has not been filled, takes it from the book if it rests, and tells the account.
    func cancel(_ order: PolymarketOrder) {
        if order.slot >= 0 { order.market.cancel(slot: order.slot, number: order.number) }
        end(order, .canceled)
        sendOrderEvent(order, .cancellation)
        publish(order.market)
    }

    /// Takes an order out of what is open; its history forgets its oldest when it is full.
    func end(_ order: PolymarketOrder, _ status: PolymarketOrderStatus) {
        order.status = status
        order.slot = -1
        resting[order.number] = nil
        order.account.close(order)
        if let forgotten = closed.append(order) { orders[forgotten.id] = nil }
    }
}
