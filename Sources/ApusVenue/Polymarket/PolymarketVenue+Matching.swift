import Crypto

// From orders that meet to trades that are settled.

extension PolymarketVenue {
    /// Lets an account's order trade.
    func match(_ order: PolymarketOrder, _ taker: OutcomeTaker) {
        match(taker, order.market, party(of: order), order)
    }

    /// Lets a participant's order trade; what remains is gone.
    func matchParticipant(_ taker: OutcomeTaker, _ market: OutcomeMarket) {
        let token = OutcomeMarket.token(ofNumber: taker.number)
        let side = OutcomeMarket.view(taker.limit, taker.side, token: token).side
        match(taker, market, participant(taker.owner, number: taker.number, token: token, side: side), nil)
    }

    private func match(
        _ taker: OutcomeTaker, _ market: OutcomeMarket, _ party: TradeParty, _ order: PolymarketOrder?
    ) {
        var level: [OutcomeFill] = []
        _ = market.match(
            taker,
            filled: { fill in
                if let last = level.last, last.price != fill.price {
                    self.trade(level, market, party, order)
                    level = []
                }
                level.append(fill)
            },
            ownOrderLeft: { own in
                guard let left = self.resting[own.id] else { return }
                self.end(left, .canceled)
                self.sendOrderEvent(left, .cancellation)
            })
        if !level.isEmpty { trade(level, market, party, order) }
    }

    /// Books what was taken at one price.
    private func trade(
        _ fills: [OutcomeFill], _ market: OutcomeMarket, _ taker: TradeParty, _ order: PolymarketOrder?
    ) {
        let makers = fills.map { fill -> TradeMaker in
            let token = OutcomeMarket.token(ofNumber: fill.maker.id)
            let view = OutcomeMarket.view(fill.price, fill.maker.side, token: token)
            let party =
                resting[fill.maker.id].map(self.party)
                ?? participant(fill.maker.owner, number: fill.maker.id, token: token, side: view.side)
            return TradeMaker(party: party, price: view.price, quantity: fill.quantity)
        }
        let transfers = makers.map { maker in
            ledger.transfer(
                market: market.index, quantity: maker.quantity, makerPrice: maker.price,
                taker: OutcomeParty(owner: taker.owner, token: taker.token, side: taker.side),
                maker: OutcomeParty(owner: maker.party.owner, token: maker.party.token, side: maker.party.side))
        }
        for transfer in transfers { ledger.book(transfer) }
        hub.statistics.fills += fills.count
        let last = makers[makers.count - 1]
        feeds[market.index].addTrade(
            token: last.party.token, side: last.party.side.opposite, price: last.price,
            size: makers.reduce(0) { $0 + $1.quantity })
        let involved = [taker.owner] + makers.map(\.party.owner)
        guard involved.contains(where: { account(owner: $0) != nil }) else { return }
        let trade = PolymarketTrade(
            id: uuidText(randomBytes()), market: market, taker: taker,
            price: OutcomeMarket.view(fills[0].price, .buy, token: taker.token).price, makers: makers,
            transfers: transfers, time: now, willFail: hub.takeTradeFailure())
        apply(trade, fills, order)
    }

    /// Tells the accounts among those who traded, and begins the settlement.
    private func apply(_ trade: PolymarketTrade, _ fills: [OutcomeFill], _ taker: PolymarketOrder?) {
        var told: [PolymarketOrder] = []
        for (index, fill) in fills.enumerated() {
            guard let order = resting[fill.maker.id] else { continue }
            add(trade, to: order, quantity: fill.quantity, cash: trade.transfers[index].makerCash)
            if fill.makerRemaining == 0 { end(order, .matched) }
            told.append(order)
        }
        if let taker {
            add(trade, to: taker, quantity: trade.size, cash: trade.transfers.reduce(0) { $0 + $1.takerCash })
            if taker.remaining == 0 { end(taker, .matched) }
            told.append(taker)
        }
        for account in accounts(of: trade) {
            account.add(trade)
            sendTradeEvent(trade, account)
        }
        for order in told { sendOrderEvent(order, .update) }
        let mining = configuration.timing.mining
        appointments.add(.settle(trade), at: now + mining + VenueTime(random.unit() * Double(mining) / 2))
    }

    private func add(_ trade: PolymarketTrade, to order: PolymarketOrder, quantity: Int64, cash: Int64) {
        order.matched += quantity
        order.cash += cash
        order.trades.append(trade.id)
    }

    /// The accounts that took part, each once, the incoming order's first.
    private func accounts(of trade: PolymarketTrade) -> [PolymarketAccount] {
        var found: [PolymarketAccount] = []
        for owner in [trade.taker.owner] + trade.makers.map(\.party.owner) {
            if let account = account(owner: owner), !found.contains(where: { $0 === account }) { found.append(account) }
        }
        return found
    }

    // MARK: Settlement

    /// Takes a trade one step further.
    func settle(_ trade: PolymarketTrade) {
        let timing = configuration.timing
        switch trade.status {
        case .matched where trade.willFail:
            tell(trade, .retrying)
            appointments.add(.settle(trade), at: later(now, by: timing.retrying))
        case .retrying where ledger.canUndo(trade.transfers):
            for transfer in trade.transfers { ledger.undo(transfer) }
            tell(trade, .failed)
            for account in accounts(of: trade) { cancelUncovered(account) }
        case .matched, .retrying:
            trade.transactionHash = hexString(digest("transaction \(trade.id)"))
            tell(trade, .mined)
            appointments.add(.settle(trade), at: later(now, by: timing.confirmation))
        case .mined: tell(trade, .confirmed)
        case .confirmed, .failed: break
        }
    }

    private func tell(_ trade: PolymarketTrade, _ status: TradeStatus) {
        trade.status = status
        trade.updated = now
        for account in accounts(of: trade) { sendTradeEvent(trade, account) }
    }

    /// Cancels the newest open orders for which there is not enough any more.
    private func cancelUncovered(_ account: PolymarketAccount) {
        for order in account.open.reversed() where !isCovered(order) { cancel(order) }
    }

    private func isCovered(_ order: PolymarketOrder) -> Bool {
        let account = order.account
        if order.side == .buy {
            return account.reservedCollateral <= ledger.owners[Int(account.index)].collateral
        }
        let market = order.market.index
        return account.reservedTokens(market: market, token: order.token)
            <= ledger.tokens(account.index, market: market, token: order.token)
    }

    // MARK: Who

    private func party(of order: PolymarketOrder) -> TradeParty {
        TradeParty(
            owner: order.account.index, orderID: order.id, key: order.key,
            address: order.account.configuration.funder.description, token: order.token, side: order.side)
    }

    /// A participant has no order that anybody signed; it is shown with names that follow from its number.
    private func participant(_ owner: Int32, number: Int64, token: Int, side: Side) -> TradeParty {
        let name = digest("participant \(owner)")
        return TradeParty(
            owner: owner, orderID: hexString(digest("order \(number)")), key: uuidText(name),
            address: hexString(Array(name[12...])), token: token, side: side)
    }

    /// 32 bytes for a name that nobody has signed.
    private func digest(_ text: String) -> [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }

    private func randomBytes() -> [UInt8] { Array(word(random.next())[24...] + word(random.next())[24...]) }
}
