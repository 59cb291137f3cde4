// What is true inside the venue, for tests and for the summary at the end of a run.

/// An account's order as the venue knows it.
package struct TrueOrder: Sendable, Equatable {
    package var id: Int64
    package var clientOrderID: String
    package var symbol: String
    package var side: Side
    package var price: Int64
    package var quantity: Int64
    package var executed: Int64
    package var status: OrderStatus
}

extension BinanceVenue {
    /// The book of a symbol with all its levels; nil for a symbol the venue does not have.
    package func book(_ symbol: String) -> TrueBook? {
        guard let market = market(named: symbol) else { return nil }
        func levels(_ side: Side) -> [TrueLevel] {
            market.book.side(side).levels.reversed().map { TrueLevel(price: $0.price, quantity: $0.quantity) }
        }
        return TrueBook(updateID: market.updateID, bids: levels(.buy), asks: levels(.sell))
    }

    /// Open orders of an account, oldest first.
    package func openOrders(apiKey: String) -> [TrueOrder] {
        account(forKey: apiKey)?.open.map(trueOrder) ?? []
    }

    /// The newest order with that client id, open or ended.
    package func order(apiKey: String, clientOrderID: String) -> TrueOrder? {
        account(forKey: apiKey)?.order(clientID: clientOrderID).map(trueOrder)
    }

    private func trueOrder(_ order: AccountOrder) -> TrueOrder {
        TrueOrder(
            id: order.id, clientOrderID: order.clientID, symbol: configuration.symbols[order.symbol].name,
            side: order.side,
            price: order.price, quantity: order.quantity, executed: order.executed, status: order.status)
    }

    /// The account's newest trades (50,000 are kept), oldest first.
    package func trades(apiKey: String) -> [AccountTrade] { account(forKey: apiKey)?.trades.elements ?? [] }

    /// What the account holds of a symbol.
    package func position(apiKey: String, symbol: String) -> Position? {
        guard let account = account(forKey: apiKey), let market = market(named: symbol) else { return nil }
        return ledger.position(account.index, symbol: market.index)
    }

    /// The account's wallet, `10^-8` quote.
    package func wallet(apiKey: String) -> Int128? {
        account(forKey: apiKey).map { ledger.owners[Int($0.index)].wallet }
    }

    package var statistics: VenueStatistics { hub.statistics }

    package var faultLog: [FaultRecord] { hub.injector.log }

    package func role(of id: ConnectionID) -> ConnectionRole? { hub.connection(id)?.role }

    package var openConnections: [ConnectionID] { hub.connections.map(\.id) }
}
