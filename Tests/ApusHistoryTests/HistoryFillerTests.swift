import Apus
import ApusEngine
import CApusRing
import Glibc
import Testing

@testable import ApusHistory

/// A journal in a folder of its own, written record by record.
private final class JournalBench {
    let path: String
    private let rings: UnsafeMutablePointer<apus_private>
    private let keeper: JournalKeeper
    private static let day: UInt64 = 86_400_000_000_000
    static let run: UInt32 = 7

    init() throws {
        path = "/tmp/apus-history-\(UInt64.random(in: 0 ... .max))"
        rings = .allocate(capacity: 1)
        rings.initialize(to: apus_private())
        precondition(apus_private_create(rings) == 0)
        var configuration = JournalConfiguration(path: path, account: 0xABC)
        configuration.policy = .never
        keeper = try JournalKeeper(
            configuration, JournalFolder(path: path, access: .write), records: 0, run: Self.run, rings: rings, wall: 1)
        begin(Self.run, strategies: [], day: 0)
    }

    private static let instrument = {
        var instrument = apus_journal_instrument()
        (instrument.tick, instrument.lot, instrument.multiplier) = (10, 1, 1)
        (instrument.price_decimals, instrument.quantity_decimals) = (2, 3)
        withUnsafeMutableBytes(of: &instrument.symbol) { $0.copyBytes(from: "BTCUSDT".utf8) }
        return instrument
    }()

    deinit {
        keeper.close()
        apus_private_close(rings)
        rings.deallocate()
        for name in ["/00000001.journal", "/00000002.journal", "/lock"] { unlink(path + name) }
        rmdir(path)
    }

    func append<Payload>(_ kind: apus_journal_kind, _ payload: Payload, day: UInt64) {
        withUnsafeBytes(of: payload) { bytes in
            let number = apus_journal_append(
                keeper.writer, UInt16(kind.rawValue), bytes.baseAddress, 1, day * Self.day + 5)
            precondition(number != 0)
        }
    }

    static func id(_ number: UInt64) -> UInt64 { UInt64(run) << 32 | number }

    /// A run, with its strategies by their numbers; one alone has everything.
    func begin(_ run: UInt32, strategies: [String], day: UInt64) {
        var start = apus_journal_run()
        start.run_tag = run
        append(APUS_JOURNAL_RUN_START, start, day: day)
        append(APUS_JOURNAL_INSTRUMENT, Self.instrument, day: day)
        for (number, name) in strategies.enumerated() {
            var told = apus_journal_state()
            told.subject = UInt8(APUS_SUBJECT_STRATEGY.rawValue)
            told.number = UInt16(number)
            told.values.0 = strategies.count > 1 ? 1 : 0
            withUnsafeMutableBytes(of: &told.name) { $0.copyBytes(from: name.utf8) }
            append(APUS_JOURNAL_STATE, told, day: day)
        }
    }

    func place(
        _ number: UInt64, _ side: Side, _ price: Int64, _ quantity: Int64, of strategy: UInt8 = 0, day: UInt64
    ) {
        var order = apus_order()
        order.strategy = strategy
        order.client_id = Self.id(number)
        order.action = UInt8(APUS_ORDER_PLACE.rawValue)
        order.side = side.rawValue
        (order.price, order.quantity) = (price, quantity)
        append(APUS_JOURNAL_INTENT, order, day: day)
    }

    func report(
        _ kind: apus_report_kind, _ number: UInt64, day: UInt64, _ change: (inout apus_report) -> Void = { _ in }
    ) {
        var report = apus_report()
        report.client_id = Self.id(number)
        report.kind = UInt8(kind.rawValue)
        change(&report)
        append(APUS_JOURNAL_REPORT, report, day: day)
    }

    func fill(_ number: UInt64, _ trade: UInt64, _ price: Int64, _ quantity: Int64, of total: Int64, day: UInt64) {
        report(APUS_REPORT_FILL, number, day: day) {
            ($0.trade_id, $0.price, $0.quantity, $0.cumulative) = (trade, price, quantity, total)
            $0.fee = 1_000_000  // 0.01
        }
    }
}

@Suite struct HistoryFillerTests {
    private func store() throws -> HistoryStore { try HistoryStore(path: ":memory:") }

    @Test func ordersFillsPositionsAndDaysFollowTheJournal() throws {
        let bench = try JournalBench(), store = try store()
        bench.place(1, .buy, 6_000_000, 10, day: 1)
        bench.report(APUS_REPORT_ACCEPTED, 1, day: 1) { $0.venue_order_id = 55 }
        bench.fill(1, 900, 6_000_000, 4, of: 4, day: 1)
        let filler = try HistoryFiller(store)
        #expect(try filler.follow(bench.path) == .clean)
        let open = try #require(try store.orders(symbol: nil, since: 0, limit: 9).first)
        #expect(open.name == "7-1" && open.state == "partiallyFilled" && open.filled == "0.004" && open.venueID == 55)

        bench.fill(1, 900, 6_000_000, 4, of: 4, day: 1)  // told twice
        bench.report(APUS_REPORT_CANCELED, 1, day: 1) { $0.cumulative = 4 }
        bench.place(2, .sell, 6_100_000, 4, day: 2)
        bench.fill(2, 901, 6_100_000, 4, of: 4, day: 2)
        try filler.follow(bench.path)
        #expect(try store.fills(symbol: nil, since: 0, limit: 9).map(\.tradeID) == [901, 900])
        #expect(try store.orders(symbol: nil, since: 0, limit: 9).map(\.state) == ["filled", "canceled"])
        let position = try #require(try store.positions().first)
        #expect(position.quantity == "0.000" && position.realised == "4.000000000000000000")
        #expect(position.fees == "0.020000000000000000")
        let days = try store.days(limit: 9)
        #expect(days.map(\.day) == ["1970-01-03", "1970-01-02"])
        #expect(days.map(\.realised) == ["4.000000000000000000", "0.000000000000000000"])
        #expect(days.map(\.fills) == [1, 1] && days.map(\.bought) == ["0.000", "0.004"])
    }

    @Test func whoseItIsIsToldByName() throws {
        let bench = try JournalBench(), store = try store()
        bench.begin(8, strategies: ["maker"], day: 1)
        bench.place(1, .buy, 6_000_000, 10, day: 1)
        bench.fill(1, 900, 6_000_000, 10, of: 10, day: 1)
        try HistoryFiller(store).follow(bench.path)
        #expect(try store.positions().map(\.strategy) == [""])
        // The same name has another number now.
        bench.begin(9, strategies: ["taker", "maker"], day: 2)
        bench.place(2, .sell, 6_000_000, 4, of: 0, day: 2)
        bench.fill(2, 901, 6_000_000, 4, of: 4, day: 2)
        bench.place(3, .buy, 6_000_000, 1, of: 1, day: 2)
        try HistoryFiller(store).follow(bench.path)
        #expect(try store.orders(symbol: nil, since: 0, limit: 9).map(\.strategy) == ["maker", "taker", "maker"])
        #expect(try store.fills(symbol: nil, since: 0, limit: 9).map(\.strategy) == ["taker", "maker"])
        #expect(try store.fills(symbol: nil, strategy: "taker", since: 0, limit: 9).map(\.tradeID) == [901])
        #expect(try store.positions().map(\.strategy) == ["", "maker", "taker"])
        #expect(try store.positions().map(\.quantity) == ["0.006", "0.010", "-0.004"])
        #expect(try store.positions(strategy: "taker").map(\.quantity) == ["-0.004"])
    }

    @Test func aPositionThatWasTakenOverIsOne() throws {
        let bench = try JournalBench(), store = try store()
        var told = apus_journal_state()
        told.subject = UInt8(APUS_SUBJECT_POSITION.rawValue)
        (told.values.0, told.values.1) = (25, 6_000_000)
        bench.append(APUS_JOURNAL_STATE, told, day: 1)
        try HistoryFiller(store).follow(bench.path)
        #expect(try store.positions().map(\.quantity) == ["0.025"])
    }

    @Test func aNewFillerGoesOnWhereTheStoreIs() throws {
        let bench = try JournalBench(), store = try store()
        bench.place(1, .buy, 6_000_000, 10, day: 1)
        bench.fill(1, 900, 6_000_000, 4, of: 4, day: 1)
        try HistoryFiller(store).follow(bench.path)
        bench.fill(1, 902, 6_000_000, 6, of: 10, day: 1)
        let second = try HistoryFiller(store)
        try second.follow(bench.path)
        let other = try self.store()
        try HistoryFiller(other).follow(bench.path)
        #expect(try store.fills(symbol: nil, since: 0, limit: 9) == other.fills(symbol: nil, since: 0, limit: 9))
        #expect(try store.days(limit: 9) == other.days(limit: 9), "made anew, it is the same")
        #expect(try store.positions() == other.positions())
        #expect(try store.progress()?.record == second.records)
    }

    @Test func aFillThatIsTakenBackIsARowOfItsOwn() throws {
        let bench = try JournalBench(), store = try store()
        bench.place(1, .buy, 6_000_000, 10, day: 1)
        bench.fill(1, 900, 6_000_000, 4, of: 4, day: 1)
        bench.report(APUS_REPORT_UNDONE, 1, day: 1) { ($0.trade_id, $0.price, $0.quantity) = (900, 6_000_000, 4) }
        try HistoryFiller(store).follow(bench.path)
        let fills = try store.fills(symbol: nil, since: 0, limit: 9)
        #expect(fills.map(\.kind) == ["undone", "fill"] && fills.map(\.quantity) == ["0.004", "0.004"])
        #expect(try store.positions().first?.quantity == "0.000")
        #expect(try store.days(limit: 9).first?.fills == 0)
    }

    /// More than the state knows at once, so that each end must be in the history before its order is forgotten.
    @Test func noOrderOfALongJournalIsLeftOut() throws {
        let bench = try JournalBench(), store = try store(), orders = 3 * JournalState().orders.capacity
        for number in 1...UInt64(orders) {
            bench.place(number, .buy, 6_000_000, 10, day: 1)
            bench.report(APUS_REPORT_REJECTED, number, day: 1) { $0.code = -2010 }
        }
        #expect(try HistoryFiller(store).follow(bench.path) == .clean)
        let rows = try store.orders(symbol: nil, since: 0, limit: .max)
        #expect(rows.count == orders)
        #expect(rows.allSatisfy { $0.state == "rejected" && $0.code == -2010 })
    }

    /// The machine's death may take records that a history has read already; others get their numbers.
    @Test(arguments: [1, 2]) func aJournalThatLostItsTailIsToldToBeMadeAnew(places: UInt64) throws {
        let before = try JournalBench(), after = try JournalBench(), store = try store()
        before.place(1, .buy, 6_000_000, 10, day: 1)
        before.place(2, .buy, 6_000_000, 10, day: 1)
        try HistoryFiller(store).follow(before.path)
        after.place(1, .buy, 6_000_000, 10, day: 1)
        for number in 3..<(2 + places) { after.place(number, .buy, 6_000_000, 10, day: 1) }
        let filler = try HistoryFiller(store)
        let error = #expect(throws: HistoryError.self) { try filler.follow(after.path) }
        #expect(error?.description.contains("--rebuild") == true)
        try HistoryFiller(store).follow(before.path)
    }

    @Test func anotherAccountsHistoryIsRefused() throws {
        let bench = try JournalBench(), store = try store()
        try store.write(HistoryBatch(), through: HistoryProgress(record: 1, checksum: 0, account: "other"))
        let filler = try HistoryFiller(store)
        #expect(throws: HistoryError.self) { try filler.follow(bench.path) }
    }

    @Test func daysOfTheCalendar() {
        #expect(HistoryFiller.date(0) == "1970-01-01")
        #expect(HistoryFiller.date(11_016) == "2000-02-29")
        #expect(HistoryFiller.date(20_783) == "2026-11-26")
    }
}
