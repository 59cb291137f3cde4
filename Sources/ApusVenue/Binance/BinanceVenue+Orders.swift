// Orders of accounts: placing, changing, cancelling, asking.

extension BinanceVenue {
    // MARK: Place

    func placeOrder(_ account: Account, _ parameters: Parameters) throws(BinanceError) -> [UInt8] {
        let request = try orderRequest(parameters)
        try takeOrder(account)
        if playback != nil { throw .rejected("This venue plays a recording; it takes no orders.") }
        if let id = request.clientID, account.order(clientID: id)?.status.isOpen == true { throw .duplicateClientID }
        var quantity = request.quantity
        if request.isReduceOnly {
            quantity = min(quantity, reducible(account, request.market, request.side))
            guard quantity > 0 else { throw .reduceOnlyRejected }
        } else {
            try checkMargin(account, request.market, request.side, price: request.price, quantity: quantity)
        }
        if request.timeInForce == .gtx && request.market.crosses(request.side, price: request.price) {
            throw .postOnlyRejected
        }
        let order = accept(account, request, quantity: quantity)
        let acknowledgement = renderOrder(order, .place)
        execute(account, order)
        return request.wantsResult ? renderOrder(order, .place) : acknowledgement
    }

    /// How much an order of this side may reduce.
    private func reducible(_ account: Account, _ market: Market, _ side: Side) -> Int64 {
        let held = ledger.position(account.index, symbol: market.index).quantity
        return side == .buy ? max(-held, 0) : max(held, 0)
    }

    private func accept(_ account: Account, _ request: OrderRequest, quantity: Int64) -> AccountOrder {
        let id = request.market.takeOrderID()
        let order = AccountOrder(
            id: id, clientID: request.clientID ?? "venue-\(id)", symbol: request.market.index, side: request.side,
            type: request.type, timeInForce: request.timeInForce, isReduceOnly: request.isReduceOnly,
            prevention: request.prevention, price: request.price, quantity: quantity, time: now,
            goodTill: request.goodTill)
        request.market.time = now
        account.add(order)
        sendOrderEvent(account, order, .new)
        return order
    }

    /// Lets an accepted order trade and rests or ends what remains of it.
    private func execute(_ account: Account, _ order: AccountOrder) {
        let market = markets[order.symbol]
        market.time = now
        let taker = Taker(
            id: order.id, owner: account.index, side: order.side, limit: order.type == .market ? nil : order.price,
            quantity: order.remaining, prevention: order.prevention)
        if order.timeInForce == .fok && !market.canFillCompletely(taker) {
            end(account, order, .expired)
        } else {
            let result = market.match(taker)
            if result.takerExpired {
                end(account, order, .expiredInMatch)
            } else if order.status.isOpen {
                if order.type == .limit && order.timeInForce.rests {
                    rest(account, order)
                } else {
                    end(account, order, .expired)
                }
            }
        }
        market.feed.publish(market)
    }

    private func rest(_ account: Account, _ order: AccountOrder) {
        if order.goodTill != 0 { timersChanged() }
        order.slot = markets[order.symbol].rest(
            id: order.id, owner: account.index, side: order.side, price: order.price, quantity: order.remaining)
    }

    /// Ends an order that has not been filled, takes it from the book if it rests, and tells the account.
    func end(_ account: Account, _ order: AccountOrder, _ status: OrderStatus) {
        if order.slot >= 0 { markets[order.symbol].cancel(slot: order.slot, id: order.id) }
        order.slot = -1
        order.status = status
        order.updateTime = now
        account.close(order)
        sendOrderEvent(account, order, status == .canceled ? .canceled : .expired)
    }

    // MARK: Modify

    /// Changes price or quantity. A smaller quantity keeps the place in the queue; everything else loses it. An
    /// amendment to no more than what is filled, or of a post-only order to a crossing price, cancels the order.
    func modifyOrder(_ account: Account, _ parameters: Parameters) throws(BinanceError) -> [UInt8] {
        let market = try market(parameters)
        let side = try parseSide(parameters)
        let order = try findOrder(account, parameters)
        guard order.status.isOpen else { throw .noSuchOrder }
        guard order.side == side else { throw .invalidSide }
        let price = try parsePrice(parameters, market, side)
        let quantity = try parseQuantity(parameters, market)
        try checkNotional(market, price: price, quantity: quantity, isReduceOnly: order.isReduceOnly)
        guard price != order.price || quantity != order.quantity else { throw .noNeedToModify }
        try takeOrder(account)
        market.time = now
        let wouldCross = order.timeInForce == .gtx && market.crosses(side, price: price)
        if quantity <= order.executed || wouldCross {
            end(account, order, .canceled)
            market.feed.publish(market)
            return renderOrder(order, .modify)
        }
        if !order.isReduceOnly {
            let more = price == order.price ? quantity - order.quantity : quantity - order.executed
            if more > 0 { try checkMarginOfChange(account, market, order, price: price, quantity: quantity) }
        }
        amend(account, order, market, price: price, quantity: quantity)
        return renderOrder(order, .modify)
    }

    /// The order's own margin is free while it is replaced.
    private func checkMarginOfChange(
        _ account: Account, _ market: Market, _ order: AccountOrder, price: Int64, quantity: Int64
    ) throws(BinanceError) {
        let before = market.configuration.notional(price: order.price, quantity: order.remaining)
        let after = market.configuration.notional(price: price, quantity: quantity - order.executed)
        let extra = Int128(after - before) / Int128(account.configuration.leverage)
        guard extra <= 0 || extra <= availableBalance(account) else { throw .insufficientMargin }
    }

    private func amend(_ account: Account, _ order: AccountOrder, _ market: Market, price: Int64, quantity: Int64) {
        let keepsPlace = price == order.price && quantity < order.quantity
        if keepsPlace {
            market.shrink(slot: order.slot, by: order.quantity - quantity)
        } else {
            market.cancel(slot: order.slot, id: order.id)
            order.slot = -1
        }
        order.price = price
        order.quantity = quantity
        order.updateTime = now
        sendOrderEvent(account, order, .amendment)
        if keepsPlace { market.feed.publish(market) } else { execute(account, order) }
    }

    // MARK: Cancel and ask

    func cancelOrder(_ account: Account, _ parameters: Parameters) throws(BinanceError) -> [UInt8] {
        let order: AccountOrder
        do throws(BinanceError) { order = try findOrder(account, parameters) } catch {
            throw error == .noSuchOrder ? .unknownOrderSent : error
        }
        guard order.status.isOpen else { throw .unknownOrderSent }
        cancel(account, order)
        return renderOrder(order, .cancel)
    }

    private func cancel(_ account: Account, _ order: AccountOrder) {
        let market = markets[order.symbol]
        market.time = now
        end(account, order, .canceled)
        market.feed.publish(market)
    }

    func cancelAllOrders(_ account: Account, _ parameters: Parameters) throws(BinanceError) -> [UInt8] {
        let market = try market(parameters)
        for order in account.open where order.symbol == market.index { cancel(account, order) }
        return Array(#"{"code":200,"msg":"The operation of cancel all open order is done."}"#.utf8)
    }

    /// The dead-man switch: without another call within `countdownTime` milliseconds the symbol's open orders are canceled. Zero
    /// ends it.
    func countDown(_ account: Account, _ parameters: Parameters) throws(BinanceError) -> [UInt8] {
        let market = try market(parameters)
        guard let milliseconds = try parameters.integer("countdownTime") else { throw .mandatory("countdownTime") }
        guard milliseconds >= 0, milliseconds < 1 << 40 else { throw .malformed("countdownTime is out of range.") }
        account.countdowns[market.index] = milliseconds == 0 ? nil : now + milliseconds * millisecond
        timersChanged()
        var out = Array(#"{"symbol":"#.utf8)
        out.append(quotedText: market.configuration.name)
        out.append(contentsOf: Array(#","countdownTime":""#.utf8))
        out.append(integer: milliseconds)
        out.append(contentsOf: Array(#""}"#.utf8))
        return out
    }

    /// Cancels what belongs to countdowns that have run out.
    func endCountdowns(_ account: Account) {
        for symbol in account.countdowns.filter({ $0.value <= now }).keys.sorted() {
            account.countdowns[symbol] = nil
            for order in account.open where order.symbol == symbol { cancel(account, order) }
        }
    }

    /// Ends what was to rest until now.
    func endOutdated(_ account: Account) {
        for order in account.open where order.goodTill != 0 && order.goodTill <= now {
            let market = markets[order.symbol]
            market.time = now
            end(account, order, .expired)
            market.feed.publish(market)
        }
    }

    /// The order named by `orderId` or `origClientOrderId`.
    func findOrder(_ account: Account, _ parameters: Parameters) throws(BinanceError) -> AccountOrder {
        let market = try market(parameters)
        let id = try parameters.integer("orderId")
        let clientID = parameters["origClientOrderId"]
        guard id != nil || clientID != nil else { throw .oneOf("origClientOrderId", "orderId") }
        let found = id.flatMap { account.order(id: $0) } ?? clientID.flatMap { account.order(clientID: $0) }
        guard let found, found.symbol == market.index else { throw .noSuchOrder }
        return found
    }

    func openOrder(_ account: Account, _ parameters: Parameters) throws(BinanceError) -> [UInt8] {
        let order = try findOrder(account, parameters)
        guard order.status.isOpen else { throw .noSuchOrder }
        return renderOrder(order, .query)
    }

    func openOrders(_ account: Account, _ parameters: Parameters) throws(BinanceError) -> [UInt8] {
        let wanted = parameters["symbol"] == nil ? nil : try market(parameters).index
        let orders = account.open.filter { wanted == nil || $0.symbol == wanted }
        return renderList(orders) { out, order in out.append(contentsOf: self.renderOrder(order, .query)) }
    }
}

// MARK: Settlement

extension BinanceVenue: MarketObserver {
    /// Books a fill for both owners, publishes the trade, and tells the accounts among them: first the one that was
    /// resting, then the one that came.
    func market(_ market: Market, filled fill: Fill) {
        hub.statistics.fills += 1
        market.feed.publishTrade(fill, market: market)
        settle(fill, market, owner: fill.makerOwner, orderID: fill.makerID, isMaker: true)
        settle(fill, market, owner: fill.taker.owner, orderID: fill.taker.id, isMaker: false)
    }

    func market(_ market: Market, preventedSelfTradeOf id: Int64, owner: Int32) {
        guard Int(owner) < accounts.count, let order = accounts[Int(owner)].order(id: id) else { return }
        order.slot = -1
        end(accounts[Int(owner)], order, .expiredInMatch)
    }

    private func settle(_ fill: Fill, _ market: Market, owner: Int32, orderID: Int64, isMaker: Bool) {
        let side = isMaker ? fill.taker.side.opposite : fill.taker.side
        let value = market.configuration.notional(price: fill.price, quantity: fill.quantity)
        let booking = ledger.book(
            owner: owner, symbol: market.index, side: side, quantity: fill.quantity, notional: value,
            feePpm: isMaker ? configuration.makerFeePpm : configuration.takerFeePpm)
        guard Int(owner) < accounts.count else { return }
        let account = accounts[Int(owner)]
        guard let order = account.order(id: orderID) else { return }
        order.executed += fill.quantity
        order.cumulativeQuote += value
        order.status = order.remaining == 0 ? .filled : .partiallyFilled
        order.updateTime = now
        let trade = AccountTrade(
            tradeID: fill.tradeID, orderID: orderID, clientOrderID: order.clientID, symbol: market.configuration.name,
            side: side, price: fill.price, quantity: fill.quantity, fee: booking.fee,
            realisedProfit: Int64(booking.profit), isMaker: isMaker, time: now)
        account.add(trade)
        if order.status == .filled {
            order.slot = -1
            account.close(order)
        }
        sendAccountUpdate(account, market)
        sendOrderEvent(account, order, .trade(trade))
        enforceReduceOnly(account, market)
    }

    /// A reduce-only order must never be able to open: what the position no longer covers is taken back at once.
    private func enforceReduceOnly(_ account: Account, _ market: Market) {
        for order in account.open where order.isReduceOnly && order.symbol == market.index && order.slot >= 0 {
            let allowed = reducible(account, market, order.side)
            if allowed == 0 {
                end(account, order, .expired)
            } else if order.remaining > allowed {
                market.shrink(slot: order.slot, by: order.remaining - allowed)
                order.quantity = order.executed + allowed
                order.updateTime = now
                sendOrderEvent(account, order, .amendment)
            }
        }
    }
}
