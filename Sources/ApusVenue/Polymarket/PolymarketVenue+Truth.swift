// What is true inside the venue, for tests, simulations and the summary at the end of a run.

/// An account's order as the venue knows it.
package struct TruePolymarketOrder: Sendable, Equatable {
    package var id: String
    package var tokenID: String
    package var side: Side
    /// `10^-4` of the collateral.
    package var price: Int64
    /// `10^-6` tokens.
    package var size: Int64
    package var matched: Int64
    package var status: PolymarketOrderStatus
    /// As its sender chose it.
    package var salt: UInt64
    /// Ids of its trades, failed ones included.
    package var trades: [String]
}

/// One order's part of a trade as the venue knows it.
package struct TruePolymarketFill: Sendable, Equatable {
    package var tradeID: String
    package var orderID: String
    package var tokenID: String
    package var side: Side
    /// `10^-4` of the collateral, of that token.
    package var price: Int64
    /// `10^-6` tokens.
    package var quantity: Int64
    /// What was paid or got, `10^-6` of the collateral.
    package var cash: Int64
    package var isMaker: Bool
    package var status: TradeStatus
    package var time: VenueTime
}

extension PolymarketVenue {
    /// The book of a token with all its levels; nil for a token the venue does not have. Prices are `10^-4`, sizes `10^-6`.
    package func book(tokenID: String) -> TrueBook? {
        guard let place = tokens[tokenID] else { return nil }
        let market = markets[place.market]
        func levels(_ side: Side) -> [TrueLevel] {
            let inner = place.token == 0 ? side : side.opposite
            return market.book.side(inner).levels.reversed().map {
                TrueLevel(price: place.token == 0 ? $0.price : wholePrice - $0.price, quantity: $0.quantity)
            }
        }
        return TrueBook(updateID: 0, bids: levels(.buy), asks: levels(.sell))
    }

    /// The hash that a book of this token would have now.
    package func bookHash(tokenID: String) -> String? {
        tokens[tokenID].map {
            String(decoding: markets[$0.market].hash(token: $0.token, milliseconds: now / millisecond), as: UTF8.self)
        }
    }

    /// Open orders of a wallet, oldest first.
    package func openOrders(signer: EthereumAddress) -> [TruePolymarketOrder] {
        account(signer: signer)?.open.map(trueOrder) ?? []
    }

    /// All orders of a wallet that are known, open and ended, in the order in which they came to their markets.
    package func orders(signer: EthereumAddress) -> [TruePolymarketOrder] {
        guard let account = account(signer: signer) else { return [] }
        return orders.values.filter { $0.account === account }.sorted { $0.number < $1.number }.map(trueOrder)
    }

    /// The order of that id, open or ended; nil when the venue does not know it (any more).
    package func order(id: String) -> TruePolymarketOrder? { orders[id].map(trueOrder) }

    private func trueOrder(_ order: PolymarketOrder) -> TruePolymarketOrder {
        TruePolymarketOrder(
            id: order.id, tokenID: order.tokenID, side: order.side, price: order.price, size: order.size,
            matched: order.matched, status: order.status, salt: order.salt, trades: order.trades)
    }

    /// What a wallet's orders have traded (the newest 50,000 trades are kept), oldest first, failed trades included.
    package func fills(signer: EthereumAddress) -> [TruePolymarketFill] {
        guard let account = account(signer: signer) else { return [] }
        return account.trades.elements.flatMap { trade -> [TruePolymarketFill] in
            func fill(_ party: TradeParty, _ price: Int64, _ quantity: Int64, _ cash: Int64, _ isMaker: Bool)
                -> TruePolymarketFill
            {
                TruePolymarketFill(
                    tradeID: trade.id, orderID: party.orderID,
                    tokenID: trade.market.configuration.tokens[party.token], side: party.side, price: price,
                    quantity: quantity, cash: cash, isMaker: isMaker, status: trade.status, time: trade.matchTime)
            }
            var fills: [TruePolymarketFill] = []
            if trade.taker.owner == account.index {
                let cash = trade.transfers.reduce(0) { $0 + $1.takerCash }
                fills.append(fill(trade.taker, trade.price, trade.size, cash, false))
            }
            for (index, maker) in trade.makers.enumerated() where maker.party.owner == account.index {
                fills.append(
                    fill(maker.party, maker.price, maker.quantity, trade.transfers[index].makerCash, true))
            }
            return fills
        }
    }

    /// A wallet's collateral, `10^-6`.
    package func collateral(signer: EthereumAddress) -> Int64? {
        account(signer: signer).map { ledger.owners[Int($0.index)].collateral }
    }

    /// A wallet's tokens of one outcome, `10^-6`.
    package func tokens(signer: EthereumAddress, tokenID: String) -> Int64? {
        guard let account = account(signer: signer), let place = tokens[tokenID] else { return nil }
        return ledger.tokens(account.index, market: place.market, token: place.token)
    }

    package var statistics: VenueStatistics { hub.statistics }

    package var faultLog: [FaultRecord] { hub.injector.log }

    package func stopFaults() -> [FaultRecord] { hub.stopFaults() }

    package func quieten() { stopParticipants() }

    package func role(of id: ConnectionID) -> ConnectionRole? { hub.connection(id)?.role }

    package var openConnections: [ConnectionID] { hub.connections.map(\.id) }

    /// Makes the tick of a market finer, as the venue does when a price comes near 0 or 1.
    package func changeTick(conditionID: String, to tick: Int64) {
        guard let market = market(conditionID: conditionID), tick < market.tickSize, market.tickSize % tick == 0 else {
            return
        }
        feeds[market.index].changeTick(to: tick, now)
    }
}
