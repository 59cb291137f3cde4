import Apus
import ApusEngine
import ApusVenue
import CApusRing

/// What is known of the orders of earlier runs, when the engine has died and risen.
struct Aftermath {
    /// Orders that had ended when their journal was replayed.
    var ended: [UInt64: (state: OrderState, filled: Int64)] = [:]
    /// Orders whose intent was lost with the machine.
    var lost: Set<UInt64> = []
    /// A fill was never told with its price and fee, or positions were taken over whole.
    var isMoneyInDoubt = false
}

extension Life {
    // MARK: Dying

    /// Lives on until an order, a change or a cancel is on its way, for half a second at most.
    func awaitFlight() {
        let end = now + 500 * millisecond
        let states: Set<OrderState> = [.pendingNew, .sent, .pendingCancel, .pendingModify]
        while now < end, !engine.agent.context.openOrders.contains(where: { states.contains($0.state) }) {
            run(until: now + 500 * microsecond)
        }
    }

    /// The engine's process is gone, or its whole machine.
    func die(withMachine: Bool) {
        noteDeath(withMachine)
        isDown = true
        nextEngine = .max
        for index in pipes.indices {
            guard let pipe = pipes[index] else { continue }
            // The machine's death is not told to anybody: the venue keeps a connection on which nothing comes any more.
            if withMachine && network.once(in: 2) {
                pipes[index] = nil
                (pipe.isLeft, pipe.isDead) = (true, true)
            } else {
                leave(index)
            }
        }
        disk.die(withMachine: withMachine)
        diedWithMachine = withMachine
        states = [0, 0]
        checkedUpdates = [0, 0]
        ledger.touches.removeAll()
    }

    private func noteDeath(_ withMachine: Bool) {
        counts.add(engine.agent.summary)
        counts.deaths += 1
        if withMachine { counts.machineDeaths += 1 }
        let states = Set(engine.agent.context.openOrders.map(\.state))
        if !states.isDisjoint(with: [.pendingNew, .sent]) { counts.deathsInFlight += 1 }
        if !states.isDisjoint(with: [.pendingCancel, .pendingModify]) { counts.deathsInChange += 1 }
        if states.contains(.unknown) { counts.deathsInDoubt += 1 }
    }

    // MARK: Rising

    /// Replays the journal, asks the venue until both agree, and starts another engine.
    func rise() throws {
        let state = JournalState(orderCapacity: 1 << 12)
        let reader = try disk.reader()
        let end = try state.replay(reader)
        checkEnd(end)
        if let place = end.place { disk.cut(place) }
        if state.records == 0 { aftermath.isMoneyInDoubt = true }
        if sabotage == .forgetOpenOrder { forgetful = true }
        checkIntents(state)
        let recovery = try Reconciliation(state, RecoveryRule.simulated, instruments: EngineSide.definitions())
        try reconcile(recovery)
        noteEnded(state)
        let tag = state.freshRunTag(7 + UInt32(counts.deaths))
        runTag = tag
        let seed = character.seed, part = UInt64(100 + counts.deaths), pause = character.traderPause
        let ledger = self.ledger
        engine = try EngineSide(
            character, part: part, wallOffset: wallOffset, runTag: tag, disk: disk, records: state.records
        ) { RandomTrader(ledger: ledger, dice: Dice(seed: seed, part: part + 1), pause: pause) }
        try engine.agent.restore(state, wall: UInt64(Int64(now) + wallOffset), monotonic: now)
        engine.openJournal(tag, disk, now)
        engine.agent.write(recovery.corrections, now)
        isDown = false
        nextEngine = now
        try engine.start(now)
    }

    private func checkEnd(_ end: JournalEnd) {
        if end != .clean { counts.tornTails += 1 }
        switch end {
        case .clean: break
        case .torn, .unsynced:
            if !diedWithMachine { ledger.problem(.journal, "the journal is torn though only the process died: \(end)") }
        case .damaged:
            if diedWithMachine && disk.policy == .never {
                // Nobody said what was safe, so a hole looks like damage: a person would look. Here, the rest is given up.
                break
            } else {
                ledger.problem(.journal, "the journal is damaged: \(end)")
            }
        }
    }

    /// An order that the venue has must be in the journal, unless the machine died before its intent was durable.
    private func checkIntents(_ state: JournalState) {
        let mayLose = diedWithMachine && disk.losesOrders
        for id in ledger.placed
        where aftermath.ended[id] == nil && !aftermath.lost.contains(id) && state.orders.find(OrderID(id)) == nil {
            let theirs = venue.order(apiKey: EngineSide.apiKey, clientOrderID: Self.clientText(id))
            if mayLose {
                aftermath.lost.insert(id)
                counts.lostIntents += 1
            } else if theirs != nil {
                ledger.problem(.journal, "order \(OrderID(id)) was sent, and its intent is not in the journal")
            } else if !diedWithMachine {
                ledger.problem(.journal, "order \(OrderID(id)) was placed, and its intent is not in the journal")
            } else {
                aftermath.lost.insert(id)  // never sent: the guard still held it
            }
        }
    }

    /// Rounds, while the venue lives on, until both sides agree.
    private func reconcile(_ recovery: Reconciliation) throws {
        let since = recovery.since(UInt64(wall))
        var round = ReconciliationRound()
        for _ in 0..<120 {
            var snapshot = snapshot(since: since)
            var answers = answers(recovery.questions(snapshot))
            if forgetful, let order = snapshot.openOrders.first, let client = order.clientID {
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
            counts.missedTrades += round.differences.count { $0.kind == .missedTrade }
            counts.adopted += round.differences.count { $0.kind == .lostOrder }
            if round.differences.contains(where: { $0.kind == .onItsWay }) { counts.waits += 1 }
            if round.isAgreed || round.needsPerson { break }
            run(until: now + 500 * millisecond)
        }
        if !round.isAgreed {
            // What no trade explains is a position that recovery has got wrong.
            let isPosition = round.differences.contains { $0.kind == .position && $0.needsPerson }
            ledger.problem(
                isPosition ? .position : .recovery,
                "recovery does not come to an end: \(round.differences.map(\.description))")
        }
    }

    private func noteEnded(_ state: JournalState) {
        for id in ledger.placed where aftermath.ended[id] == nil {
            guard let record = state.orders.find(OrderID(id)) else { continue }
            aftermath.lost.remove(id)
            if record.pointee.assumed > 0 { aftermath.isMoneyInDoubt = true }
            if record.pointee.order.isOpen {
                ledger.told[id] = record.pointee.order.filled.units
            } else {
                aftermath.ended[id] = (record.pointee.order.state, record.pointee.order.filled.units)
            }
        }
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

extension RecoveryRule {
    /// Nobody cancels in a simulated recovery: what is found open is gone on with.
    static var simulated: RecoveryRule {
        var rule = RecoveryRule()
        rule.lostOrders = .adopt
        return rule
    }
}
