import Apus
import ApusEngine
import ApusVenue
import CApusRing

extension Life {
    // MARK: Rising

    /// Replays the journal, asks the venue until both agree, and starts another engine.
    func riseAgain() throws {
        states = [0, 0]
        checkedUpdates = [0, 0]
        let state = try readJournal()
        checkIntents(state)
        let recovery = try Reconciliation(state, RecoveryRule.simulated, instruments: EngineSide.definitions())
        try reconcile(recovery)
        noteEnded(state)
        runTag = state.freshRunTag(7 + UInt32(counts.deaths))
        let seed = character.seed, part = UInt64(100 + counts.deaths), pause = character.traderPause
        let ledger = self.ledger
        let next = try EngineSide(
            character, part: part, wallOffset: wallOffset, runTag: runTag, disk: disk, records: state.records
        ) { RandomTrader(ledger: ledger, dice: Dice(seed: seed, part: part + 1), pause: pause) }
        try goOn(with: next, state, recovery)
    }

    /// Rounds, while the venue lives on, until both sides agree.
    private func reconcile(_ recovery: Reconciliation) throws {
        let since = recovery.since(UInt64(wall))
        var round = ReconciliationRound()
        for _ in 0..<120 {
            var snapshot = snapshot(since: since)
            var answers = answers(recovery.questions(snapshot))
            if sabotage == .forgetOpenOrder, let order = snapshot.openOrders.first, let client = order.clientID {
                snapshot.openOrders.removeFirst()
                var ended = order
                ended.end = .canceled
                answers[client] = .some(ended)
                isSabotaged = true
            }
            if sabotage == .skipTradeDedup {
                for index in snapshot.trades.indices { snapshot.trades[index].tradeID |= 1 << 62 }
                isSabotaged = true
            }
            round = recovery.compare(snapshot, answers: answers, now: UInt64(wall))
            note(round)
            if round.isAgreed || round.needsPerson { break }
            run(until: now + 500 * millisecond)
        }
        checkAgreed(round)
    }

    // MARK: The venue's account

    private func snapshot(since: UInt64) -> AccountSnapshot {
        let key = EngineSide.apiKey
        var snapshot = AccountSnapshot(time: UInt64(wall))
        snapshot.openOrders = venue.openOrders(apiKey: key).map { venueOrder($0) }
        snapshot.trades = venue.trades(apiKey: key).filter { UInt64($0.time) >= since }.map { trade in
            VenueTrade(
                tradeID: UInt64(trade.tradeID), clientID: Self.clientNumber(trade.clientOrderID),
                venueID: UInt64(trade.orderID), symbol: trade.symbol, side: trade.side == .buy ? .buy : .sell,
                price: ExactDecimal(digits: trade.price, decimals: 2),
                quantity: ExactDecimal(digits: trade.quantity, decimals: 3), fee: Money(hundredMillionths: trade.fee),
                isMaker: trade.isMaker, time: UInt64(trade.time))
        }
        snapshot.positions = EngineSide.symbols.map { symbol in
            VenuePosition(
                symbol: symbol,
                quantity: ExactDecimal(
                    digits: venue.position(apiKey: key, symbol: symbol)?.quantity ?? 0, decimals: 3))
        }
        return snapshot
    }

    private func answers(_ questions: [KnownOrder]) -> [UInt64: VenueOrder?] {
        var answers: [UInt64: VenueOrder?] = [:]
        for question in questions {
            let theirs = venue.order(apiKey: EngineSide.apiKey, clientOrderID: Self.clientText(question.clientID))
            answers[question.clientID] = .some(theirs.map { venueOrder($0) })
        }
        return answers
    }

    private func venueOrder(_ order: TrueOrder) -> VenueOrder {
        let end: OrderState? = order.status.isOpen ? nil : Self.expected(order.status)
        return VenueOrder(
            clientID: Self.clientNumber(order.clientOrderID), venueID: UInt64(order.id), venueText: "\(order.id)",
            symbol: order.symbol, side: order.side == .buy ? .buy : .sell,
            price: ExactDecimal(digits: order.price, decimals: 2),
            quantity: ExactDecimal(digits: order.quantity, decimals: 3),
            filled: ExactDecimal(digits: order.executed, decimals: 3), end: end)
    }

    static func clientNumber(_ text: String) -> UInt64? {
        text.hasPrefix("apus") && text.utf8.count == 20 ? UInt64(text.dropFirst(4), radix: 16) : nil
    }

    // MARK: Balances

    /// The wallet is what it was, and what was earned and paid since: exact, unless a price or a fee was never told.
    func compareMoney(_ found: inout [Problem]) {
        let context = engine.agent.context
        for id in ledger.placed {
            let isOpenQuestion = engine.agent.assumed(OrderID(id)) > 0
            if isOpenQuestion || aftermath.isMoneyInDoubt || aftermath.lost.contains(id) { return }
        }
        // Profit and the cost of what is held: how both share a price that was told late is not the same on both sides.
        var ours = Money.zero
        let wallet = venue.wallet(apiKey: EngineSide.apiKey) ?? 0
        var theirs = Money(atoms: (wallet - Int128(Self.startWallet)) * 10_000_000_000)
        for instrument in context.instruments {
            let position = context.position(of: instrument)
            ours += position.realised - position.fees - Money(atoms: instrument.record.pointee.position.cost)
            let held = venue.position(apiKey: EngineSide.apiKey, symbol: instrument.symbol)
            theirs -= Money(atoms: (held?.openCost ?? 0) * 10_000_000_000)
        }
        // The venue rounds each profit and fee to 10^-8.
        let trades = venue.trades(apiKey: EngineSide.apiKey).count
        let tolerance = Money(hundredMillionths: Int64(2 * trades + 2))
        if ours - theirs > tolerance || theirs - ours > tolerance {
            found.append(Problem(.money, "earned: engine \(ours), venue \(theirs)"))
        }
    }

    static let startWallet: Int64 = 10_000_000_000_000_000

    // MARK: At every event

    /// No limit of the engine is exceeded at the venue, whatever is in flight.
    func checkLimits() {
        let key = EngineSide.apiKey
        let open = venue.openOrders(apiKey: key)
        if open.count > EngineSide.maxOpenOrders {
            ledger.problem(.limit, "\(open.count) orders are open at the venue")
        }
        for (index, symbol) in EngineSide.symbols.enumerated() {
            let held = venue.position(apiKey: key, symbol: symbol)?.quantity ?? 0
            var buys: Int64 = 0, sells: Int64 = 0
            for order in open where order.symbol == symbol {
                if order.side == .buy {
                    buys += order.quantity - order.executed
                } else {
                    sells += order.quantity - order.executed
                }
            }
            let limit = EngineSide.maxPositions[index]
            if max(held, held + buys) > limit || min(held, held - sells) < -limit {
                ledger.problem(.limit, "\(symbol): \(held) held, \(buys) to buy and \(sells) to sell exceed \(limit)")
            }
        }
    }
}
