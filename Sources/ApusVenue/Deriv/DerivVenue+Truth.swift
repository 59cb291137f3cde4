// What is true inside the venue, for tests and simulations, and what a simulation may do to it. Nothing here is reached by a
// client.

/// A contract as the venue knows it.
package struct TrueContract: Sendable, Equatable {
    package var id: Int64
    package var symbol: String
    package var kind: DerivContractKind
    package var barrier: DerivBarrier
    package var duration: DerivDuration
    package var status: DerivContractStatus
    /// Cents.
    package var buyPrice: Int64
    package var payout: Int64
    /// Zero while it is open.
    package var sellPrice: Int64
    /// Whole seconds since 1970.
    package var purchaseTime: Int64
    package var sellTime: Int64
    package var buyTransaction: Int64
    package var sellTransaction: Int64
    package var entry: DerivTick?
    package var exit: DerivTick?
}

extension DerivVenue {
    private func account(_ id: String) -> DerivAccount? { accounts.first { $0.configuration.id == id } }

    /// Open and ended contracts of an account (the newest 50,000 of the ended), in the order of their purchase.
    package func contracts(account id: String) -> [TrueContract] {
        guard let account = account(id) else { return [] }
        return (account.closed.elements + account.open).sorted { $0.id < $1.id }.map(truth)
    }

    /// Open contracts of an account, oldest first.
    package func openContracts(account id: String) -> [TrueContract] { account(id)?.open.map(truth) ?? [] }

    private func truth(_ contract: DerivContract) -> TrueContract {
        TrueContract(
            id: contract.id, symbol: indices[contract.terms.symbol].symbol.name, kind: contract.terms.kind,
            barrier: contract.terms.barrier, duration: contract.terms.duration, status: contract.status,
            buyPrice: contract.buyPrice, payout: contract.payout, sellPrice: contract.sellPrice,
            purchaseTime: contract.purchaseTime, sellTime: contract.sellTime, buyTransaction: contract.buyTransaction,
            sellTransaction: contract.sellTransaction, entry: contract.entry, exit: contract.exit)
    }

    /// The account's newest movements of money (100,000 are kept), oldest first.
    package func transactions(account id: String) -> [DerivTransaction] { account(id)?.transactions.elements ?? [] }

    /// The account's balance in cents; nil for an account the venue does not have.
    package func balance(account id: String) -> Int64? { account(id)?.balance }

    /// How many contracts the account has ever bought.
    package func purchases(account id: String) -> Int { account(id)?.purchases ?? 0 }

    /// The quotes of an index that the venue remembers, oldest first.
    package func ticks(_ symbol: String) -> [DerivTick] { index(named: symbol)?.ticks ?? [] }

    /// Puts money on an account from outside, in cents, as a deposit does; listeners of the balance are told by the next
    /// movement.
    package func deposit(_ amount: Int64, account id: String) {
        guard let account = account(id) else { return }
        _ = account.book(.deposit, amount, id: newTransactionID(), time: epoch, contract: 0)
    }

    package var statistics: VenueStatistics { hub.statistics }

    package var faultLog: [FaultRecord] { hub.injector.log }

    package func stopFaults() -> [FaultRecord] { hub.stopFaults() }

    /// The indices are nobody's activity and go on: contracts could not end without them.
    package func quieten() {}

    /// Accounts, contracts and one-time passwords are kept; proposals and subscriptions are not.
    package func restart(outage: VenueTime, status: Int?) { hub.restart(outage: outage, status: status) }

    package func role(of id: ConnectionID) -> ConnectionRole? { hub.connection(id)?.role }

    package var openConnections: [ConnectionID] { hub.connections.map(\.id) }
}
