import Apus
import ApusEngine
import ApusVenue
import CApusProtocol
import CApusRing

/// A deliberate mistake, to see that the simulation notices.
enum PolymarketSabotage: String, Sendable, CaseIterable {
    case none
    /// After a lost answer the order is sent again, with another salt.
    case retryPlace
    /// An order goes out that nobody approved.
    case strangeOrder
    /// An order goes out that is larger than the limits allow.
    case hugeOrder
    /// A fill that never was is reported.
    case inventedFill
    /// A trade that has been told is told again, under another number.
    case doubledTrade
    /// What the venue takes back is not told.
    case ignoreUndone
    /// An intent is sent and never written down.
    case dropJournalWrite
    /// Recovery does not know which trades it has taken in.
    case skipTradeDedup
    /// Recovery takes an open order for canceled.
    case forgetOpenOrder

    /// What must be found broken; nil: nothing.
    var breaks: Invariant? {
        switch self {
        case .none: nil
        case .retryPlace, .strangeOrder: .approval
        case .hugeOrder: .limit
        case .inventedFill: .fill
        case .doubledTrade, .ignoreUndone, .skipTradeDedup: .position
        case .dropJournalWrite: .journal
        case .forgetOpenOrder: .memory
        }
    }
}

extension PolymarketLife {
    static func character(_ seed: UInt64) -> Character {
        var character = Character(seed: seed)
        var dice = Dice(seed: seed, part: 9)
        // An event of the user stream, and an answer, find room only where there is some for all that they may tell.
        character.reportSlots = [128, 256, 4096][dice.below(3)]
        // Every change of a book is hashed twice: a slow market is busy enough.
        character.actionsPerSecond /= 4
        character.rates = FaultRates()
        Character.choose(
            &character.rates, &dice,
            of: [
                (\.disconnect, 4_000), (\.freeze, 1_000), (\.duplicate, 50_000), (\.corrupt, 10_000),
                (\.slowReader, 2_000), (\.duplicateEvent, 300_000), (\.reorderedEvent, 200_000),
                (\.tooManyRequests, 100_000), (\.tooEarly, 20_000), (\.serverError, 100_000), (\.lostAnswer, 100_000),
                (\.delayedAnswer, 200_000), (\.lateAnswer, 60_000), (\.cutAnswer, 60_000), (\.failedAnswer, 60_000),
                (\.restart, 3_000), (\.failedTrade, 300_000),
            ])
        return character
    }

    // MARK: While it lives

    func sabotageOnce() {
        if sabotage == .retryPlace { return retryPlaces() }
        guard !isSabotaged, now > 13 * second else { return }
        switch sabotage {
        case .strangeOrder, .hugeOrder:
            guard let order = bid(.live) else { return }
            var copy = copy(of: order)
            if sabotage == .hugeOrder { copy.quantity = 2 * PolymarketEngine.maxPosition }
            isSabotaged = push(copy)
        case .inventedFill:
            guard let order = engine.agent.context.openOrders.first(where: { $0.state == .live }) else { return }
            isSabotaged = inventFill(of: order, quantity: 10_000)
        case .dropJournalWrite: dropIntent()
        default: break
        }
    }

    /// Once for each order: the copy may be refused, as where the connection went down with the answer.
    private func retryPlaces() {
        guard now > 13 * second, let order = bid(.unknown), order.id != retried else { return }
        retried = order.id
        if push(copy(of: order)) { isSabotaged = true }
    }

    /// An open order in that state which the venue would take again: it rests, and needs no tokens.
    private func bid(_ state: OrderState) -> Order? {
        engine.agent.context.openOrders.first {
            $0.state == state && $0.side == .buy && $0.type == .limit && $0.timeInForce == .goodTillCanceled
        }
    }

    /// Changes what the engine is told of trades.
    func changeTrades() {
        guard sabotage == .doubledTrade || sabotage == .ignoreUndone else { return }
        retell { report in
            let kind = UInt32(report.kind)
            if sabotage == .ignoreUndone && kind == APUS_REPORT_UNDONE.rawValue {
                isSabotaged = true
                return []
            }
            guard sabotage == .doubledTrade, kind == APUS_REPORT_FILL.rawValue, !isSabotaged, now > 13 * second else {
                return [report]
            }
            isSabotaged = true
            var other = report
            other.trade_id ^= 1 << 62
            other.cumulative = 0
            return [report, other]
        }
    }

    // MARK: In recovery

    /// Hides an open order from recovery; returns its number.
    func forget(_ snapshot: inout AccountSnapshot) -> UInt64? {
        guard sabotage == .forgetOpenOrder, !snapshot.openOrders.isEmpty else { return nil }
        isSabotaged = true
        return snapshot.openOrders.removeFirst().venueID
    }

    /// Gives trades numbers that recovery cannot know.
    func renumber(_ trades: inout [VenueTrade]) {
        guard sabotage == .skipTradeDedup else { return }
        for index in trades.indices { trades[index].tradeID |= 1 << 62 }
        isSabotaged = true
    }
}

extension Character {
    mutating func calm(for sabotage: PolymarketSabotage) {
        calm()
        switch sabotage {
        case .dropJournalWrite, .skipTradeDedup, .forgetOpenOrder:
            deaths = [Death(after: 6 * second, downtime: second, withMachine: false, withFlight: false)]
        case .retryPlace: rates.lostAnswer = 200_000
        case .ignoreUndone: rates.failedTrade = 500_000
        default: break
        }
    }
}
