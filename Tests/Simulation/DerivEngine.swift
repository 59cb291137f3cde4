import ApusVenue
import CApusProtocol
import CApusRing

/// The memory and the two sessions of one process.
final class DerivEngine {
    static let underlying = "1HZ10V"
    /// Instruments from 1 on.
    static let shapes = [
        "1HZ10V/CALL/5t/stake/10", "1HZ10V/PUT/15s/payout/20", "1HZ10V/DIGITEVEN/2t/stake/5",
    ]

    let view = UnsafeMutablePointer<apus_public>.allocate(capacity: 1)
    let queues = UnsafeMutablePointer<apus_private>.allocate(capacity: 1)
    let orders = UnsafeMutablePointer<apus_deriv_orders>.allocate(capacity: 1)
    let markets = UnsafeMutablePointer<apus_deriv_session>.allocate(capacity: 1)
    let market = UnsafeMutablePointer<apus_market>.allocate(capacity: 1)
    let channels: [UnsafeMutablePointer<apus_channel>]
    /// Seconds of the ticks that were told.
    private(set) var ticks: [Int64] = []
    private let out = UnsafeMutablePointer<apus_publisher>.allocate(capacity: 1)
    private let arena = UnsafeMutablePointer<apus_arena>.allocate(capacity: 1)
    private let table = UnsafeMutablePointer<apus_instrument_table>.allocate(capacity: 1)
    private let memory = UnsafeMutableRawPointer.allocate(byteCount: 8 << 20, alignment: 64)
    private let tableMemory = UnsafeMutableRawPointer.allocate(
        byteCount: apus_instrument_table_bytes(8), alignment: 64)
    private let name = UnsafeMutablePointer<CChar>.allocate(capacity: 8)
    private var reader: apus_feed_reader

    init(isV3: Bool, dice: inout Dice) throws {
        view.initialize(to: apus_public())
        queues.initialize(to: apus_private())
        var mapping = apus_public_config(name: nil, feed_slots: 4096, instruments: 8, board_depth: 4)
        try check(apus_public_create(view, &mapping), "apus_public_create")
        try check(apus_private_create(queues), "apus_private_create")
        queues.pointee.reports.pointee.mask = dice.once(in: 4) ? 15 : 255
        out.initialize(to: apus_publisher_make(view, nil))
        out.pointee.realtime_offset = DerivLife.wallOffset
        reader = apus_public_reader(view, false)
        arena.initialize(to: apus_arena())
        apus_arena_init(arena, memory, 8 << 20)
        table.initialize(to: apus_instrument_table())
        try check(apus_instrument_table_init(table, tableMemory, 8), "apus_instrument_table_init")
        for symbol in [Self.underlying] + Self.shapes {
            var entry = apus_instrument()
            entry.price_decimals = 2
            entry.tick_units = 1
            entry.lot_units = 1
            entry.contract_multiplier = 1
            try check(
                apus_instrument_add(table, symbol, symbol.utf8.count, &entry), "apus_instrument_add")
        }
        for (index, byte) in "deriv".utf8CString.enumerated() { name[index] = byte }
        market.initialize(to: apus_market())
        try check(apus_market_init(market, out, arena, table, name), "apus_market_init")
        markets.initialize(to: apus_deriv_session())
        orders.initialize(to: apus_deriv_orders())
        try Self.makeSessions(markets, orders, market, queues, isV3, &dice)
        channels = [
            markets.pointee.session.channels[0]!, orders.pointee.session.channels[0]!,
            orders.pointee.session.channels[1]!,
        ]
    }

    deinit {
        apus_public_close(view)
        apus_private_close(queues)
        for block in [memory, tableMemory] { block.deallocate() }
        name.deallocate()
        view.deallocate()
        queues.deallocate()
        orders.deallocate()
        markets.deallocate()
        market.deallocate()
        out.deallocate()
        arena.deallocate()
        table.deallocate()
    }

    private static func makeSessions(
        _ markets: UnsafeMutablePointer<apus_deriv_session>,
        _ orders: UnsafeMutablePointer<apus_deriv_orders>,
        _ market: UnsafeMutablePointer<apus_market>, _ queues: UnsafeMutablePointer<apus_private>,
        _ isV3: Bool,
        _ dice: inout Dice
    ) throws {
        let api = UInt8(isV3 ? APUS_DERIV_V3.rawValue : APUS_DERIV_CURRENT.rawValue)
        var config = apus_deriv_config()
        apus_deriv_config_default(&config, api, "1089")
        config.rx_bytes = 512 << 10
        config.link.max_message_bytes = 256 << 10
        var random = dice.fork()
        try check(apus_deriv_session_init(markets, &config, market, &random), "apus_deriv_session_init")
        var orderConfig = apus_deriv_orders_config()
        apus_deriv_orders_config_default(&orderConfig, api, DerivLife.account, "1089")
        orderConfig.line.rx_bytes = 512 << 10
        orderConfig.line.link.max_message_bytes = 256 << 10
        random = dice.fork()
        try check(
            apus_deriv_orders_init(orders, &orderConfig, market, queues, DerivLife.token, &random),
            "apus_deriv_orders_init")
        try check(apus_deriv_line_subscribe(&markets.pointee.line, 0), "apus_deriv_line_subscribe")
        for index in 1...shapes.count {
            try check(apus_deriv_orders_subscribe(orders, UInt16(index)), "apus_deriv_orders_subscribe")
        }
        orders.pointee.session.number = 1
    }

    func start(_ now: UInt64) {
        markets.pointee.session.ops.pointee.start(&markets.pointee.session, now)
        orders.pointee.session.ops.pointee.start(&orders.pointee.session, now)
    }

    func turn(_ now: UInt64) {
        _ = markets.pointee.session.ops.pointee.turn(&markets.pointee.session, now)
        _ = orders.pointee.session.ops.pointee.turn(&orders.pointee.session, now)
        var event = apus_event()
        while apus_feed_read(&reader, &event) == APUS_FEED_EVENT {
            if UInt32(event.kind) == APUS_EVENT_TRADE.rawValue { ticks.append(event.ask_price) }
        }
    }

    /// What the newest proposal asks for a shape; nil while its book is not live.
    func ask(_ instrument: UInt16) -> Int64? {
        guard let book = apus_market_at(market, instrument),
            book.pointee.state == UInt8(APUS_STATE_LIVE.rawValue)
        else {
            return nil
        }
        let touch = apus_book_best(&book.pointee.book)
        return touch.ask_quantity > 0 ? touch.ask_price : nil
    }

    /// Every tick once and in order; at the end up to the newest but a few.
    func tickProblems(_ venue: DerivVenue, isFinal: Bool) -> [Problem] {
        // How far apart ticks are is known once two of them came in a row.
        let known = ticks.indices.dropLast().first { ticks[$0 + 1] - ticks[$0] == 1 }
        guard let known, let last = ticks.last else {
            return isFinal ? [Problem(.ticks, "no two in a row were told")] : []
        }
        let told = Array(ticks[known...])
        let right = venue.ticks(Self.underlying).map(\.epoch).filter { $0 >= told[0] && $0 <= last }
        var problems: [Problem] = []
        if told != right {
            let missing = Set(right).subtracting(told).sorted().prefix(5)
            problems.append(Problem(.ticks, "\(told.count) told, \(right.count) were; missing \(missing)"))
        }
        let newest = venue.ticks(Self.underlying).last?.epoch ?? 0
        if isFinal && newest - last > 3 {
            problems.append(Problem(.ticks, "the newest that was told is \(newest - last) s old"))
        }
        return problems
    }

    func push(_ order: apus_order) -> Bool {
        var order = order
        return apus_order_push(queues.pointee.orders, &order) == 0
    }

    func pop() -> apus_report? {
        var report = apus_report()
        return apus_report_pop(queues.pointee.reports, &report) ? report : nil
    }
}
