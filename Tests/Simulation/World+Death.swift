import Apus
import ApusEngine
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

extension World {
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
        died()
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

    /// Replays the journal and cuts it where it ends.
    func readJournal() throws -> JournalState {
        let state = JournalState(orderCapacity: 1 << 12)
        let end = try state.replay(try disk.reader())
        checkEnd(end)
        if let place = end.place { disk.cut(place) }
        if state.records == 0 { aftermath.isMoneyInDoubt = true }
        return state
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
    func checkIntents(_ state: JournalState) {
        let mayLose = diedWithMachine && disk.losesOrders
        for id in ledger.placed
        where aftermath.ended[id] == nil && !aftermath.lost.contains(id) && state.orders.find(OrderID(id)) == nil {
            if mayLose {
                aftermath.lost.insert(id)
                counts.lostIntents += 1
            } else if isAtVenue(id) {
                ledger.problem(.journal, "order \(OrderID(id)) was sent, and its intent is not in the journal")
            } else if !diedWithMachine {
                ledger.problem(.journal, "order \(OrderID(id)) was placed, and its intent is not in the journal")
            } else {
                aftermath.lost.insert(id)  // never sent: the guard still held it
            }
        }
    }

    /// What a round of recovery has found.
    func note(_ round: ReconciliationRound) {
        counts.missedTrades += round.differences.count { $0.kind == .missedTrade }
        counts.adopted += round.differences.count { $0.kind == .lostOrder }
        if round.differences.contains(where: { $0.kind == .onItsWay }) { counts.waits += 1 }
    }

    /// Recovery's last round agrees.
    func checkAgreed(_ round: ReconciliationRound) {
        if round.isAgreed { return }
        // What no trade explains is a position that recovery has got wrong.
        let isPosition = round.differences.contains { $0.kind == .position && $0.needsPerson }
        ledger.problem(
            isPosition ? .position : .recovery,
            "recovery does not come to an end: \(round.differences.map(\.description))")
    }

    /// What had ended before, and what goes on.
    func noteEnded(_ state: JournalState) {
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

    /// The next engine goes on with what the journal and the venue have told.
    func goOn(with next: Engine, _ state: JournalState, _ recovery: Reconciliation) throws {
        engine = next
        try engine.agent.restore(state, wall: UInt64(Int64(now) + wallOffset), monotonic: now)
        engine.openJournal(runTag, disk, now)
        engine.agent.write(recovery.corrections, now)
        isDown = false
        nextEngine = now
        try engine.start(now)
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
