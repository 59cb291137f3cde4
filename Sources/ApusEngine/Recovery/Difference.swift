internal import Apus
package import CApusRing

/// What is done about what differs between the journal and the venue. Every default keeps the engine's knowledge equal to the venue's
/// without trading; what nothing explains needs a person.
package struct RecoveryRule: Sendable, Equatable, Codable {
    package enum Orders: String, Sendable, Codable, CaseIterable {
        /// The engine goes on with it.
        case adopt
        /// It is canceled before trading starts.
        case cancel
    }

    package enum Strangers: String, Sendable, Codable, CaseIterable {
        case ignore
        case cancel
        /// A person must say what to do.
        case stop
    }

    package enum Positions: String, Sendable, Codable, CaseIterable {
        /// The venue's position is taken.
        case adopt
        case stop
    }

    /// Orders that the journal knows and that are still open.
    package var openOrders = Orders.adopt
    /// Orders with a number of ours that the journal does not know: their intents were lost with the machine.
    package var lostOrders = Orders.cancel
    /// Orders that are not ours.
    package var foreignOrders = Strangers.ignore
    /// A position that no trade explains.
    package var positions = Positions.stop

    package init() {}
}

/// One thing in which the journal and the venue differ, and what is done about it.
package struct Difference: Sendable, Equatable, Codable, CustomStringConvertible {
    package enum Kind: String, Sendable, Codable, CaseIterable {
        /// Open in both; what the journal was not told of it is taken over.
        case openOrder
        /// Open at the venue under a number of ours that the journal does not know.
        case lostOrder
        /// Open at the venue and not ours.
        case foreignOrder
        /// Open in the journal and at the venue no more.
        case endedOrder
        /// Open in the journal; the venue says that it does not know it, too soon to be believed.
        case undecidedOrder
        /// The last run did not end in order, so recently that what it sent last may still be on its way.
        case onItsWay
        /// A trade that the journal does not have.
        case missedTrade
        /// A trade of an order that is not ours.
        case foreignTrade
        /// A trade that the journal has and the venue has taken back.
        case undoneTrade
        case position
        case balance
        /// Something that the venue told cannot be expressed in the instrument's units.
        case unreadable
    }

    package enum Action: String, Sendable, Codable, CaseIterable {
        case adopt, cancel, close, apply, undo, note, wait, ask
    }

    package var kind: Kind
    package var action: Action
    package var symbol: String
    package var clientID: UInt64?
    package var venueID: UInt64?
    /// What the journal says, and what the venue says.
    package var journal: String
    package var venue: String

    /// What a difference is about: the same one is met again, with other numbers, while what explains it is waited for.
    package struct Subject: Hashable, Sendable {
        var kind: Kind
        var action: Action
        var symbol: String
        var clientID: UInt64?
        var venueID: UInt64?
    }

    package var subject: Subject {
        Subject(kind: kind, action: action, symbol: symbol, clientID: clientID, venueID: venueID)
    }

    /// Whether it is none any more once its action is done.
    package var isSettled: Bool { action != .note && action != .wait && action != .ask }

    /// Whether a person must say what to do.
    package var needsPerson: Bool { action == .ask }

    package var description: String {
        let order = clientID.map { " \(OrderID($0))" } ?? venueID.map { " \($0)" } ?? ""
        return "\(symbol): \(title)\(order): journal \(journal), venue \(venue): \(doing)"
    }

    private var title: String {
        switch kind {
        case .openOrder: "open order"
        case .lostOrder: "order that the journal has lost"
        case .foreignOrder: "order that is not ours"
        case .endedOrder: "order that has ended"
        case .undecidedOrder: "order that the venue does not know yet"
        case .onItsWay: "orders that may still be on their way"
        case .missedTrade: "trade of order"
        case .foreignTrade: "trade that is not ours"
        case .undoneTrade: "trade taken back, of order"
        case .position: "position"
        case .balance: "balance"
        case .unreadable: "number that does not fit"
        }
    }

    private var doing: String {
        switch action {
        case .adopt: "taken over"
        case .cancel: "canceled"
        case .close: "closed in the journal"
        case .apply: "applied"
        case .undo: "undone"
        case .note: "left alone"
        case .wait: "asked again"
        case .ask: "a person must decide"
        }
    }
}

/// What has to be written into the journal so that it says what the venue says. Symbols, since each run numbers its instruments anew.
package enum Correction: Sendable {
    case adopted(apus_order, symbol: String)
    case report(apus_report, symbol: String)
    /// At that price (0: not known), with the trades up to that time of the venue's.
    case position(Int64, price: Int64, time: UInt64, symbol: String)
}

/// One comparison.
package struct ReconciliationRound: Sendable {
    package var differences: [Difference] = []
    /// To be canceled at the venue before the next round.
    package var cancels: [KnownOrder] = []

    package init() {}

    /// Both sides agree: trading may start. What is only noted does not stand in the way.
    package var isAgreed: Bool { cancels.isEmpty && differences.allSatisfy { $0.action == .note } }
    /// No further round would change anything.
    package var needsPerson: Bool { differences.contains(where: \.needsPerson) }
}
