import Apus
import ApusEngine
import ApusVenue
import CApusRing

extension PolymarketLife {
    // MARK: Rising

    /// Replays the journal, asks the venue until both agree, and starts another engine.
    func riseAgain() throws {
        let state = try readJournal()
        checkIntents(state)
        let recovery = try Reconciliation(state, Self.rule, instruments: wallet.definitions)
        try reconcile(recovery)
        noteEnded(state)
        runTag = state.freshRunTag(7 + UInt32(counts.deaths))
        let seed = character.seed, part = UInt64(100 + counts.deaths), pause = character.traderPause
        let ledger = self.ledger
        let next = try PolymarketEngine(
            character, wallet, part: part, wallOffset: wallOffset, runTag: runTag, disk: disk, records: state.records
        ) { PolymarketTrader(ledger: ledger, dice: Dice(seed: seed, part: part + 1), pause: pause) }
        try goOn(with: next, state, recovery)
    }

    /// The venue knows no numbers of ours: an order whose intent was lost with the machine cannot be told from a stranger's.
    private static var rule: RecoveryRule {
        var rule = RecoveryRule()
        rule.foreignOrders = .cancel
        return rule
    }

    /// Rounds, while the venue lives on, until both sides agree.
    private func reconcile(_ recovery: Reconciliation) throws {
        let since = recovery.since(UInt64(wall))
        var round = ReconciliationRound()
        for _ in 0..<120 {
            venue.advance(to: wall)
            afterVenue()
            var snapshot = snapshot(since: since)
            let forgotten = forget(&snapshot)
            var answers = try answers(recovery.questions(snapshot))
            for (client, answer) in answers where forgotten != nil && answer?.venueID == forgotten {
                answers[client]??.end = .canceled
            }
            renumber(&snapshot.trades)
            round = recovery.compare(snapshot, answers: answers, now: UInt64(wall))
            note(round)
            if round.isAgreed || round.needsPerson { break }
            cancel(round.cancels)
            run(until: now + 500 * millisecond)
        }
        checkAgreed(round)
    }

    private func cancel(_ orders: [KnownOrder]) {
        let numbers = orders.map(\.venueID)
        let names = venue.openOrders(signer: wallet.signer).map(\.id).filter {
            numbers.contains(PolymarketWallet.number(of: $0))
        }
        if names.isEmpty { return }
        let list = names.map { "\"\($0)\"" }.joined(separator: ",")
        let id = venue.connect(now: wall)
        venue.receive(
            id, wallet.request("DELETE", "/orders", "[\(list)]", seconds: UInt64(wall) / second), now: wall)
        afterVenue()
        venue.disconnect(id, now: wall)
    }

    // MARK: The venue's account

    private func snapshot(since: UInt64) -> AccountSnapshot {
        var snapshot = AccountSnapshot(time: UInt64(wall))
        snapshot.openOrders = venue.openOrders(signer: wallet.signer).map { venueOrder($0) }
        snapshot.trades = venue.fills(signer: wallet.signer)
            .filter { UInt64($0.time) / second >= since / second }.map { trade($0) }
        snapshot.positions = wallet.definitions.map { definition in
            VenuePosition(
                symbol: definition.symbol,
                quantity: ExactDecimal(
                    digits: venue.tokens(signer: wallet.signer, tokenID: definition.symbol) ?? 0, decimals: 6))
        }
        snapshot.balance = Money(
            ExactDecimal(digits: venue.collateral(signer: wallet.signer) ?? 0, decimals: 6))
        return snapshot
    }

    /// The venue tells times of trades in whole seconds.
    private func trade(_ fill: TruePolymarketFill) -> VenueTrade {
        VenueTrade(
            tradeID: PolymarketWallet.number(ofTrade: fill.tradeID, order: fill.orderID), clientID: nil,
            venueID: PolymarketWallet.number(of: fill.orderID), symbol: fill.tokenID,
            side: fill.side == .buy ? .buy : .sell, price: ExactDecimal(digits: fill.price, decimals: 4),
            quantity: ExactDecimal(digits: fill.quantity, decimals: 6), fee: .zero, isMaker: fill.isMaker,
            time: UInt64(fill.time) / second * second, isUndone: fill.status == .failed)
    }

    private func answers(_ questions: [KnownOrder]) throws -> [UInt64: VenueOrder?] {
        var answers: [UInt64: VenueOrder?] = [:]
        for question in questions {
            let theirs = venue.order(id: try wallet.name(of: question))
            answers[question.clientID] = .some(theirs.map { venueOrder($0) })
        }
        return answers
    }

    /// As the account's client reads it: what is matched in part and rests no more has expired.
    private func venueOrder(_ order: TruePolymarketOrder) -> VenueOrder {
        let end: OrderState? =
            switch order.status {
            case .live: nil
            case .matched: order.matched >= order.size ? .filled : .expired
            case .canceled: .canceled
            }
        return VenueOrder(
            clientID: nil, venueID: PolymarketWallet.number(of: order.id), venueText: order.id, symbol: order.tokenID,
            side: order.side == .buy ? .buy : .sell, price: ExactDecimal(digits: order.price, decimals: 4),
            quantity: ExactDecimal(digits: order.size, decimals: 6),
            filled: ExactDecimal(digits: order.matched, decimals: 6),
            trades: order.trades.map { PolymarketWallet.number(ofTrade: $0, order: order.id) }, end: end)
    }
}
