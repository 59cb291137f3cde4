internal import Apus
package import ApusEngine
internal import CApusRing

/// Fills the history from the journal: every record goes through the rules that the engine itself lives by (`JournalState`), and what
/// it changed becomes rows. Control side; one thread at a time.
///
///     let filler = try HistoryFiller(HistoryStore(path: "history.db"))
///     try filler.follow("journal")     // now and then while the engine runs, and once at its end
package final class HistoryFiller {
    private let store: HistoryStore
    private let state = JournalState()
    /// What is in the store; nil: nothing.
    private var progress: HistoryProgress?
    private var written: UInt64 { progress?.record ?? 0 }
    private var account: String?
    /// Of the newest record that was read.
    private var checksum: UInt32 = 0
    private var batch = HistoryBatch()
    private var orders: [UInt64: HistoryOrder] = [:]
    private var changedOrders: Set<UInt64> = []
    private var changedInstruments: Set<Int> = []
    private var days: [DayKey: DayTotals] = [:]
    private var changedDays: Set<DayKey> = []
    private static let recordsOfABatch: UInt64 = 1 << 16
    /// Far fewer than the state knows at once: it forgets those that ended first, and they must have been written by then.
    private static let ordersOfABatch = 4096

    private struct DayKey: Hashable {
        var day: Int64
        var instrument: Int
    }

    private struct DayTotals {
        var orders = 0
        var fills = 0
        var bought: Int64 = 0
        var sold: Int64 = 0
        var realised = Money.zero
        var fees = Money.zero
    }

    /// - Throws: `HistoryError` when the store cannot be read.
    package init(_ store: HistoryStore) throws(HistoryError) {
        self.store = store
        progress = try store.progress()
        account = progress?.account
    }

    /// How many records have been read.
    package var records: UInt64 { state.records }

    /// Takes in what the journal in that folder has grown by since the last time. Returns how it ends.
    ///
    /// - Throws: `JournalError`, or `HistoryError` when the history is another account's, holds records that were cut off the journal, or
    ///   cannot be written.
    @discardableResult
    package func follow(_ path: String) throws -> JournalEnd {
        let folder = try JournalFolder(path: path, access: .read)
        defer { folder.close() }
        let reader = try folder.reader()
        if let segment = reader.segments.first { try claim(String(segment.account, radix: 16), path) }
        let end = try reader.read(from: state.records + 1) { record in
            try take(record)
            checksum = record.pointee.checksum
            if state.records == written { try compare(path) }
            if state.records % Self.recordsOfABatch == 0 || changedOrders.count >= Self.ordersOfABatch { try write() }
        }.end
        switch end {
        case .damaged: break  // that is told first
        case .clean, .torn, .unsynced: if state.records < written { throw foreign(path) }
        }
        try write()
        return end
    }

    /// The journal's tail may have been cut behind what a history had read of it already: other records have those numbers now.
    private func compare(_ path: String) throws(HistoryError) {
        if let progress, progress.checksum != checksum { throw foreign(path) }
    }

    private func foreign(_ path: String) -> HistoryError {
        HistoryError(
            "\(store.path) holds records that the journal \(path) has not: its tail was lost with the machine; make the history "
                + "anew with apus history --rebuild")
    }

    private func claim(_ found: String, _ path: String) throws(HistoryError) {
        if let account, account != found {
            throw HistoryError(
                "\(store.path) is the history of another account than the journal \(path): choose another file")
        }
        account = found
    }

    // MARK: Records

    /// What of an instrument a record may change.
    private struct Holding: Equatable {
        var quantity: Int64 = 0
        var realised: Int128 = 0
        var fees: Int128 = 0

        init(_ instrument: Instrument?) {
            guard let instrument else { return }
            quantity = instrument.record.pointee.position.quantity
            realised = instrument.record.pointee.position.realised
            fees = instrument.record.pointee.position.fees
        }
    }

    private func take(_ record: UnsafePointer<apus_journal_record>) throws(JournalError) {
        switch UInt32(record.pointee.kind) {
        case APUS_JOURNAL_INTENT.rawValue, APUS_JOURNAL_ADOPTED.rawValue: try takeIntent(record)
        case APUS_JOURNAL_REPORT.rawValue: try takeReport(record)
        case APUS_JOURNAL_STATE.rawValue: try takeState(record)
        default: try state.take(record)
        }
    }

    /// A position that was taken over from the venue, or strategies that are kept apart from now on.
    private func takeState(_ record: UnsafePointer<apus_journal_record>) throws(JournalError) {
        let wasSplit = state.strategies.isSplit
        try state.take(record)
        let change = payload(record).load(as: apus_journal_state.self)
        if UInt32(change.subject) == APUS_SUBJECT_POSITION.rawValue,
            let instrument = state.instrument(journaled: change.number)
        {
            changedInstruments.insert(instrument.index)
        }
        if state.strategies.isSplit && !wasSplit { changedInstruments.formUnion(0..<state.instruments.count) }
    }

    private func takeIntent(_ record: UnsafePointer<apus_journal_record>) throws(JournalError) {
        try state.take(record)
        let intent = payload(record).load(as: apus_order.self)
        let isNew = UInt32(intent.action) == APUS_ORDER_PLACE.rawValue
        let id = isNew ? intent.client_id : intent.target_id
        guard let known = state.orders.find(OrderID(id)) else { return }
        let instrument = known.pointee.order.instrument
        if orders[id] == nil { orders[id] = row(known, Int64(clamping: record.pointee.wall_ns)) }
        changedOrders.insert(id)
        if isNew { change(record, instrument) { $0.orders += 1 } }
    }

    private func takeReport(_ record: UnsafePointer<apus_journal_record>) throws(JournalError) {
        let report = payload(record).load(as: apus_report.self)
        let known = state.orders.find(OrderID(report.client_id))
        let ours = known?.pointee.order.instrument ?? state.instrument(journaled: report.instrument)
        let before = Holding(ours)
        let filled = known?.pointee.order.filled.units ?? 0
        try state.take(record)
        if let known {
            let id = known.pointee.order.id.value
            changedOrders.insert(id)
            if report.code != 0 { orders[id]?.code = Int(report.code) }
        }
        guard let instrument = ours else { return }
        let after = Holding(instrument)
        let quantity = (known?.pointee.order.filled.units ?? 0) - filled
        guard quantity != 0 || after != before else { return }
        let fees = Money(atoms: after.fees) - Money(atoms: before.fees)
        note(record, report, instrument, order: known?.pointee.order, quantity: quantity, fees: fees)
        change(record, instrument) { day in
            if quantity != 0 || UInt32(report.kind) == APUS_REPORT_SETTLED.rawValue {
                day.fills += quantity < 0 ? -1 : 1
            }
            if known?.pointee.order.side == .buy { day.bought += quantity } else { day.sold += quantity }
            day.realised += Money(atoms: after.realised) - Money(atoms: before.realised)
            day.fees += fees
        }
    }

    private func payload(_ record: UnsafePointer<apus_journal_record>) -> UnsafeRawPointer {
        UnsafeRawPointer(record) + (Int(APUS_JOURNAL_RECORD) - Int(APUS_JOURNAL_PAYLOAD))
    }

    // MARK: Rows

    private func note(
        _ record: UnsafePointer<apus_journal_record>, _ report: apus_report, _ instrument: Instrument, order: Order?,
        quantity: Int64, fees: Money
    ) {
        changedInstruments.insert(instrument.index)
        let kind: HistoryFill.Kind =
            switch UInt32(report.kind) {
            case APUS_REPORT_SETTLED.rawValue: .settled
            case APUS_REPORT_FUNDING.rawValue: .funding
            default: quantity < 0 ? .undone : quantity == 0 ? .corrected : .fill
            }
        guard record.pointee.number > written else { return }
        let told = quantity == 0 ? report.quantity : Int64(clamping: quantity.magnitude)
        batch.fills.append(
            HistoryFill(
                record: Int64(bitPattern: record.pointee.number), kind: kind.rawValue,
                orderID: order.map { Int64(bitPattern: $0.id.value) },
                strategy: order.flatMap { orders[$0.id.value]?.strategy }, symbol: instrument.symbol,
                side: "\(order?.side ?? Side(rawValue: report.side) ?? .buy)",
                price: text(report.price > 0 ? report.price : order?.price.units ?? 0, instrument.priceDecimals),
                quantity: text(told, instrument.quantityDecimals), fee: fees.description,
                isMaker: report.flags & UInt8(APUS_REPORT_MAKER.rawValue) != 0,
                tradeID: Int64(bitPattern: report.trade_id), time: Int64(clamping: record.pointee.wall_ns)))
    }

    private func change(
        _ record: UnsafePointer<apus_journal_record>, _ instrument: Instrument, _ body: (inout DayTotals) -> Void
    ) {
        let day = Int64(clamping: record.pointee.wall_ns / 86_400_000_000_000)
        let key = DayKey(day: day, instrument: instrument.index)
        body(&days[key, default: DayTotals()])
        changedDays.insert(key)
    }

    private func row(_ known: UnsafeMutablePointer<OrderRecord>, _ time: Int64) -> HistoryOrder {
        let order = known.pointee.order
        // Now: a later run may give its number to another one.
        let strategy = state.owner(order.strategy).flatMap { $0.isEmpty ? nil : $0 }
        return HistoryOrder(
            id: Int64(bitPattern: order.id.value), name: order.id.description, strategy: strategy,
            symbol: order.instrument.symbol, side: "\(order.side)", type: "\(order.type)",
            timeInForce: "\(order.timeInForce)", isReduceOnly: order.isReduceOnly,
            price: text(order.price.units, order.instrument.priceDecimals),
            quantity: text(order.quantity.units, order.instrument.quantityDecimals), filled: "0", state: "", code: 0,
            venueID: 0, decidedAt: time, changedAt: time)
    }

    private func text(_ units: Int64, _ decimals: Int) -> String {
        ExactDecimal(digits: units, decimals: decimals).description
    }

    // MARK: Writing

    /// Writes what changed. An order that has ended and was written is forgotten here; the state keeps it for late reports.
    private func write() throws(HistoryError) {
        let now = Int64(clamping: state.lastWall)
        for id in changedOrders {
            guard var row = orders[id], let known = state.orders.find(OrderID(id)) else { continue }
            let order = known.pointee.order
            row.price = text(order.price.units, order.instrument.priceDecimals)
            row.quantity = text(order.quantity.units, order.instrument.quantityDecimals)
            row.filled = text(order.filled.units, order.instrument.quantityDecimals)
            row.state = "\(order.state)"
            row.venueID = Int64(bitPattern: known.pointee.venueID)
            row.changedAt = now
            orders[id] = row
            batch.orders.append(row)
        }
        for index in changedInstruments { batch.positions += positions(state.instruments[index], now) }
        for key in changedDays { if let totals = days[key] { batch.days.append(day(key, totals)) } }
        if state.records > written, let account {
            let through = HistoryProgress(record: state.records, checksum: checksum, account: account)
            try store.write(batch, through: through)
            progress = through
        }
        batch = HistoryBatch()
        changedOrders = []
        changedInstruments = []
        changedDays = []
        if orders.count > 4 * state.orders.capacity {
            orders = orders.filter { state.orders.find(OrderID($0.key)) != nil }
        }
    }

    /// The account's, and the part of each strategy.
    private func positions(_ instrument: Instrument, _ now: Int64) -> [HistoryPosition] {
        [position(Position(instrument.record), of: "", instrument, now)]
            + state.positions(of: instrument).map { position($0.position, of: $0.strategy, instrument, now) }
    }

    private func position(
        _ position: Position, of strategy: String, _ instrument: Instrument, _ now: Int64
    ) -> HistoryPosition {
        HistoryPosition(
            strategy: strategy, symbol: instrument.symbol,
            quantity: text(position.quantity.units, instrument.quantityDecimals),
            averagePrice: position.averagePrice.map { text($0.units, instrument.priceDecimals) },
            realised: position.realised.description, fees: position.fees.description, changedAt: now)
    }

    private func day(_ key: DayKey, _ totals: DayTotals) -> HistoryDay {
        let instrument = state.instruments[key.instrument]
        return HistoryDay(
            day: Self.date(key.day), symbol: instrument.symbol, orders: totals.orders, fills: totals.fills,
            bought: text(totals.bought, instrument.quantityDecimals),
            sold: text(totals.sold, instrument.quantityDecimals), realised: totals.realised.description,
            fees: totals.fees.description)
    }

    /// A day since 1970 as `2026-11-26` (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
    static func date(_ day: Int64) -> String {
        let shifted = day + 719_468
        let era = shifted / 146_097
        let ofEra = shifted - era * 146_097
        let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let part = (5 * ofYear + 2) / 153
        let dayOfMonth = ofYear - (153 * part + 2) / 5 + 1
        let month = part < 10 ? part + 3 : part - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(year)-\(two(month))-\(two(dayOfMonth))"
    }
}
