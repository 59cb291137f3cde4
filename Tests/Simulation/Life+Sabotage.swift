import Apus
import ApusEngine
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
    func sabotageEngine() {
        guard !isSabotaged, now > 13 * second else { return }
        switch sabotage {
        case .wrongLevel:
            guard let book = engine.book(0), book.pointee.state == UInt8(APUS_STATE_LIVE.rawValue) else { return }
            let deep = apus_book_best_level(&book.pointee.book, UInt32(APUS_SIDE_BID)).price - 7_000
            if apus_book_set(&book.pointee.book, UInt32(APUS_SIDE_BID), deep, 123) >= 0 { isSabotaged = true }
        case .strangeOrder, .hugeOrder:
            guard let order = strangeOrder(quantity: sabotage == .hugeOrder ? 2 * EngineSide.maxPositions[0] : 5)
            else { return }
            isSabotaged = withUnsafePointer(to: order) { apus_order_push(engine.queues.pointee.orders, $0) == 0 }
        case .inventedFill:
            guard let id = ledger.placed.last, let order = engine.agent.context.order(OrderID(id)), order.isOpen,
                order.remaining.units > 1
            else { return }
            var report = apus_report()
            report.client_id = id
            report.kind = UInt8(APUS_REPORT_FILL.rawValue)
            report.price = order.price.units
            report.quantity = 1
            report.cumulative = order.filled.units + 1
            report.trade_id = 99
            isSabotaged = withUnsafePointer(to: report) { apus_report_push(engine.queues.pointee.reports, $0) == 0 }
        case .dropJournalWrite: dropIntent()
        case .retryPlace:
            guard let order = engine.agent.context.openOrders.first(where: { $0.state == .unknown }) else { return }
            var copy = copy(of: order)
            isSabotaged = withUnsafePointer(to: &copy) { apus_order_push(engine.queues.pointee.orders, $0) == 0 }
        default: break
        }
    }

    /// Takes the newest record back out of the journal if it is an intent, as if it had never been written.
    private func dropIntent() {
        let writer = disk.writer
        guard let place = writer.pointee.place, writer.pointee.left < disk.segmentRecords else { return }
        let newest = place - Int(APUS_JOURNAL_RECORD)
        let isPlacement = newest.withMemoryRebound(to: apus_journal_record.self, capacity: 1) { record in
            record.pointee.kind == UInt16(APUS_JOURNAL_INTENT.rawValue)
                && UInt8(truncatingIfNeeded: record.pointee.payload.1 >> 16) == UInt8(APUS_ORDER_PLACE.rawValue)
        }
        guard isPlacement else { return }
        newest.update(repeating: 0, count: Int(APUS_JOURNAL_RECORD))
        writer.pointee.place = newest
        writer.pointee.left += 1
        writer.pointee.next -= 1
        writer.pointee.published -= 1
        isSabotaged = true
    }

    private func copy(of order: Order) -> apus_order {
        var copy = apus_order()
        copy.client_id = order.id.value ^ 1 << 30
        copy.instrument = UInt16(order.instrument.index)
        copy.action = UInt8(APUS_ORDER_PLACE.rawValue)
        copy.side = order.side.rawValue
        copy.type = order.type.rawValue
        copy.time_in_force = order.timeInForce.rawValue
        copy.price = order.price.units
        copy.quantity = order.quantity.units
        copy.band_high = .max
        copy.decided_ns = now
        copy.wall_ms = UInt64(Int64(now) + wallOffset) / 1_000_000
        return copy
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

    /// Changes what the engine is told, before it is told.
    func sabotageReports() {
        guard sabotage == .skipCorrection, let reports = engine.queues.pointee.reports else { return }
        var told: [apus_report] = []
        var report = apus_report()
        while apus_report_pop(reports, &report) { told.append(report) }
        for var report in told {
            let isCorrection =
                report.kind == UInt8(APUS_REPORT_FILL.rawValue) && engine.agent.assumed(OrderID(report.client_id)) > 0
            if isCorrection {
                report.fee = 0
                isSabotaged = true
            }
            _ = apus_report_push(reports, &report)
        }
    }
}
