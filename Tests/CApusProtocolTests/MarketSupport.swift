import CApusProtocol
import CApusRing

/// Books of one venue with everything they stand on, and a reader of what they publish.
final class MarketStage {
    let view = UnsafeMutablePointer<apus_public>.allocate(capacity: 1)
    let out = UnsafeMutablePointer<apus_publisher>.allocate(capacity: 1)
    let arena = UnsafeMutablePointer<apus_arena>.allocate(capacity: 1)
    let table = UnsafeMutablePointer<apus_instrument_table>.allocate(capacity: 1)
    let market = UnsafeMutablePointer<apus_market>.allocate(capacity: 1)
    let binance = UnsafeMutablePointer<apus_binance_market>.allocate(capacity: 1)
    private let levels = UnsafeMutablePointer<apus_level>.allocate(capacity: 65_536)
    private let memory: UnsafeMutableRawPointer
    private let tableMemory: UnsafeMutableRawPointer
    private let name: UnsafeMutablePointer<CChar>
    private var reader: apus_feed_reader
    var now: UInt64 = 5_000_000_000

    /// AAAUSDT and BBBUSDT, prices with two decimals and a tick of 0.10, quantities with three.
    init(arenaBytes: Int = 32 << 20, depth: UInt32 = 5) {
        view.initialize(to: apus_public())
        var config = apus_public_config(name: nil, feed_slots: 8192, instruments: 4, board_depth: depth)
        precondition(apus_public_create(view, &config) == 0)
        out.initialize(to: apus_publisher_make(view, nil))
        reader = apus_public_reader(view, false)
        memory = .allocate(byteCount: arenaBytes, alignment: 64)
        arena.initialize(to: apus_arena())
        apus_arena_init(arena, memory, arenaBytes)
        tableMemory = .allocate(byteCount: apus_instrument_table_bytes(4), alignment: 64)
        table.initialize(to: apus_instrument_table())
        precondition(apus_instrument_table_init(table, tableMemory, 4) == 0)
        for symbol in ["AAAUSDT", "BBBUSDT"] {
            var instrument = apus_instrument()
            instrument.price_decimals = 2
            instrument.quantity_decimals = 3
            instrument.tick_units = 10
            instrument.lot_units = 1
            instrument.contract_multiplier = 1
            instrument.maximum_quantity = 1_000_000
            precondition(apus_instrument_add(table, symbol, symbol.utf8.count, &instrument) >= 0)
        }
        let text = Array("binance-usdm".utf8CString)
        name = .allocate(capacity: text.count)
        name.initialize(from: text, count: text.count)
        market.initialize(to: apus_market())
        precondition(apus_market_init(market, out, arena, table, name) == 0)
        binance.initialize(to: apus_binance_market())
        apus_binance_market_init(binance, market, levels, 65_536)
    }

    deinit {
        apus_public_close(view)
        memory.deallocate()
        tableMemory.deallocate()
        levels.deallocate()
        name.deallocate()
        view.deallocate()
        out.deallocate()
        arena.deallocate()
        table.deallocate()
        market.deallocate()
        binance.deallocate()
    }

    // MARK: Messages

    typealias Rows = [(String, String)]

    static func rows(_ rows: Rows) -> String {
        "[" + rows.map { "[\"\($0.0)\",\"\($0.1)\"]" }.joined(separator: ",") + "]"
    }

    static func depthText(
        _ first: UInt64, _ last: UInt64, previous: UInt64? = nil, bids: Rows = [], asks: Rows = [],
        symbol: String = "AAAUSDT"
    ) -> String {
        let pu = previous.map { "\"pu\":\($0)," } ?? ""
        return "{\"e\":\"depthUpdate\",\"E\":1700000000000,\"T\":1700000000000,\"s\":\"\(symbol)\",\"U\":\(first),"
            + "\"u\":\(last),\(pu)\"b\":\(rows(bids)),\"a\":\(rows(asks))}"
    }

    static func snapshotText(_ id: UInt64, bids: Rows = [("100.00", "1.000")], asks: Rows = [("101.00", "2.000")])
        -> String
    {
        "{\"lastUpdateId\":\(id),\"E\":1700000000000,\"T\":1700000000000,\"bids\":\(rows(bids)),\"asks\":\(rows(asks))}"
    }

    static func tickerText(_ id: UInt64, _ bid: (String, String), _ ask: (String, String)) -> String {
        "{\"e\":\"bookTicker\",\"u\":\(id),\"s\":\"AAAUSDT\",\"b\":\"\(bid.0)\",\"B\":\"\(bid.1)\",\"a\":\"\(ask.0)\","
            + "\"A\":\"\(ask.1)\",\"T\":1700000000000,\"E\":1700000000000}"
    }

    @discardableResult
    func send(_ text: String) -> Int32 {
        now += 1_000_000
        return withPadded(text) { apus_binance_market_message(binance, $0, $1, now, 0) }
    }

    @discardableResult
    func depth(
        _ first: UInt64, _ last: UInt64, previous: UInt64? = nil, bids: Rows = [], asks: Rows = [],
        symbol: String = "AAAUSDT"
    ) -> Int32 {
        send(Self.depthText(first, last, previous: previous, bids: bids, asks: asks, symbol: symbol))
    }

    @discardableResult
    func snapshot(
        _ id: UInt64, bids: Rows = [("100.00", "1.000")], asks: Rows = [("101.00", "2.000")], instrument: UInt16 = 0
    ) -> Int32 {
        now += 1_000_000
        return withPadded(Self.snapshotText(id, bids: bids, asks: asks)) {
            apus_binance_market_snapshot(binance, instrument, $0, $1, now)
        }
    }

    func probe(_ id: UInt64, bids: Rows = [("100.00", "1.000")], asks: Rows = [("101.00", "2.000")]) -> Int32 {
        now += 1_000_000
        return withPadded(Self.snapshotText(id, bids: bids, asks: asks)) {
            apus_binance_market_probe(binance, 0, $0, $1, now)
        }
    }

    func ticker(_ id: UInt64, _ bid: (String, String), _ ask: (String, String)) { send(Self.tickerText(id, bid, ask)) }

    /// Opens the first instrument and brings it to LIVE at id 100.
    @discardableResult
    func live() -> UnsafeMutablePointer<apus_market_book> {
        let book = open()
        snapshot(100)
        _ = events()
        return book
    }

    @discardableResult
    func open(_ instrument: UInt16 = 0) -> UnsafeMutablePointer<apus_market_book> {
        guard let book = apus_binance_market_open(binance, instrument) else { preconditionFailure("the arena is full") }
        return book
    }

    // MARK: What came of it

    func book(_ instrument: UInt16 = 0) -> UnsafeMutablePointer<apus_market_book> {
        guard let book = apus_market_at(market, instrument) else { preconditionFailure("never opened") }
        return book
    }

    func sync(_ instrument: UInt16 = 0) -> apus_binance_sync { apus_binance_sync_of(book(instrument)).pointee }

    /// State and reason, as numbers.
    func state(_ instrument: UInt16 = 0) -> [UInt32] {
        [UInt32(book(instrument).pointee.state), UInt32(book(instrument).pointee.reason)]
    }

    static let syncing = [APUS_STATE_SYNCING.rawValue, APUS_BOOK_REASON_SUBSCRIBED.rawValue]
    static let live = [APUS_STATE_LIVE.rawValue, APUS_BOOK_REASON_SNAPSHOT.rawValue]
    static func stale(_ reason: apus_state_reason) -> [UInt32] { [APUS_STATE_STALE.rawValue, reason.rawValue] }

    /// All levels, best first.
    func levels(_ side: Int, _ instrument: UInt16 = 0) -> [[Int64]] {
        var cursor = apus_book_cursor()
        var level = apus_level()
        var found: [[Int64]] = []
        apus_book_cursor_init(&cursor, &book(instrument).pointee.book, UInt32(side))
        while apus_book_cursor_next(&cursor, &level) { found.append([level.price, level.quantity]) }
        return found
    }

    /// What was published since the last call.
    func events() -> [apus_event] {
        var found: [apus_event] = []
        var event = apus_event()
        while apus_feed_read(&reader, &event) == APUS_FEED_EVENT { found.append(event) }
        return found
    }

    func kinds() -> [UInt32] { events().map { UInt32($0.kind) } }

    func count(_ counter: apus_hot_counter) -> UInt64 {
        apus_counter(apus_counters_hot(view.pointee.counters, counter.rawValue))
    }

    /// The board's entry: state, bids and asks.
    func board(_ instrument: UInt16 = 0) -> (header: apus_board_header, bids: [[Int64]], asks: [[Int64]]) {
        let depth = Int(view.pointee.board.depth)
        var header = apus_board_header()
        var bids = [apus_level](repeating: apus_level(), count: depth)
        var asks = bids
        precondition(apus_board_read(&view.pointee.board, UInt32(instrument), &header, &bids, &asks) == 0)
        return (
            header, bids.prefix(Int(header.bids)).map { [$0.price, $0.quantity] },
            asks.prefix(Int(header.asks)).map { [$0.price, $0.quantity] }
        )
    }
}
