import Apus
import ApusEngine
import ApusVenue
import CApusProtocol
import CApusRing

/// A deliberate mistake, to see that the simulation notices.
enum Sabotage: String, Sendable, CaseIterable {
    case none
    /// A level of the engine's book changes behind everybody's back.
    case wrongLevel
    /// A depth message disappears and the next one claims to follow the one before.
    case hiddenGap
    /// An order goes out that nobody approved.
    case strangeOrder
    /// An order goes out that is larger than the limits allow.
    case hugeOrder
    /// A fill that never was is reported.
    case inventedFill
    /// What a status told of a fill stays as it was assumed: the fill itself brings no fee.
    case skipCorrection
    /// An intent is sent and never written down.
    case dropJournalWrite
    /// After a lost answer the order is sent again, under another number.
    case retryPlace
    /// Recovery does not know which trades it has taken in.
    case skipTradeDedup
    /// Recovery takes an open order for canceled.
    case forgetOpenOrder

    /// What must be found broken; nil: nothing.
    var breaks: Invariant? {
        switch self {
        case .none: nil
        case .wrongLevel, .hiddenGap: .book
        case .strangeOrder, .retryPlace: .approval
        case .hugeOrder: .limit
        case .inventedFill: .fill
        case .skipCorrection: .money
        case .dropJournalWrite: .journal
        case .skipTradeDedup: .position
        case .forgetOpenOrder: .memory
        }
    }
}

extension Life {
    /// Changes what the engine does, once.
    func sabotageOnce() {
        guard !isSabotaged, now > 13 * second else { return }
        switch sabotage {
        case .wrongLevel:
            guard let book = engine.book(0), book.pointee.state == UInt8(APUS_STATE_LIVE.rawValue) else { return }
            let deep = apus_book_best_level(&book.pointee.book, UInt32(APUS_SIDE_BID)).price - 7_000
            if apus_book_set(&book.pointee.book, UInt32(APUS_SIDE_BID), deep, 123) >= 0 { isSabotaged = true }
        case .strangeOrder, .hugeOrder:
            guard let order = strangeOrder(quantity: sabotage == .hugeOrder ? 2 * EngineSide.maxPositions[0] : 5)
            else { return }
            isSabotaged = push(order)
        case .inventedFill:
            guard let id = ledger.placed.last, let order = engine.agent.context.order(OrderID(id)), order.isOpen,
                order.remaining.units > 1
            else { return }
            isSabotaged = inventFill(of: order, quantity: 1)
        case .dropJournalWrite: dropIntent()
        case .retryPlace:
            guard let order = engine.agent.context.openOrders.first(where: { $0.state == .unknown }) else { return }
            isSabotaged = push(copy(of: order))
        default: break
        }
    }

    private func strangeOrder(quantity: Int64) -> apus_order? {
        guard let book = engine.book(0), book.pointee.state == UInt8(APUS_STATE_LIVE.rawValue) else { return nil }
        let session = engine.orderSession.pointee
        let user = session.user == 0 ? session.users.0 : session.users.1
        guard user.link.state == UInt8(APUS_LINK_OPEN) else { return nil }
        var order = apus_order()
        order.client_id = 0x7777
        order.action = UInt8(APUS_ORDER_PLACE.rawValue)
        order.price = apus_book_best_level(&book.pointee.book, UInt32(APUS_SIDE_BID)).price - 1000
        order.quantity = quantity
        order.band_high = .max
        order.decided_ns = now
        return order
    }

    /// Takes the fee out of what corrects an assumed fill.
    func skipCorrections() {
        guard sabotage == .skipCorrection else { return }
        retell { report in
            let isFill = report.kind == UInt8(APUS_REPORT_FILL.rawValue)
            guard isFill, engine.agent.assumed(OrderID(report.client_id)) > 0 else { return [report] }
            isSabotaged = true
            var bare = report
            bare.fee = 0
            return [bare]
        }
    }
}

extension Character {
    mutating func calm(for sabotage: Sabotage) {
        calm()
        switch sabotage {
        case .dropJournalWrite, .skipTradeDedup, .forgetOpenOrder:
            deaths = [Death(after: 6 * second, downtime: second, withMachine: false, withFlight: false)]
        case .retryPlace: rates.lostAnswer = 100_000
        // A fill that overtakes another shows that there is one before it.
        case .skipCorrection: rates.reorderedEvent = 200_000
        default: break
        }
    }
}

/// Swallows one depth message of the first symbol and lets the next one claim to follow the one before.
struct HiddenGap {
    private var count = 0
    /// Whether the message has disappeared.
    var isMade: Bool { count >= 40 }
    private var previous: [UInt8]?

    /// The bytes to send; nil: none.
    mutating func pass(_ bytes: [UInt8]) -> [UInt8]? {
        guard let range = Self.find(Array("\"pu\":".utf8), in: bytes),
            Self.find(Array("btcusdt@depth".utf8), in: bytes) != nil
        else { return bytes }
        count += 1
        let end = bytes[range.upperBound...].firstIndex(of: 44) ?? bytes.endIndex
        if count == 40 {
            previous = Array(bytes[range.upperBound..<end])
            return nil
        }
        guard let previous, previous.count == end - range.upperBound else { return bytes }
        self.previous = nil
        var changed = bytes
        changed.replaceSubrange(range.upperBound..<end, with: previous)
        return changed
    }

    private static func find(_ text: [UInt8], in bytes: [UInt8]) -> Range<Int>? {
        guard bytes.count >= text.count else { return nil }
        for start in 0...(bytes.count - text.count) where bytes[start] == text[0] {
            if Array(bytes[start..<(start + text.count)]) == text { return start..<(start + text.count) }
        }
        return nil
    }
}
