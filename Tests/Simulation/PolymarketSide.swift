import CApusProtocol
import CApusRing

/// The engine's side of a Polymarket life: memory, rings, books and the two sessions, which can be made anew as after a restart.
final class PolymarketSide {
    /// Wall clock minus monotonic clock.
    static let wallOffset: Int64 = 1_700_000_000_000_000_000
    private static let arenaBytes = 96 << 20

    let key = UnsafeMutablePointer<apus_signing_key>.allocate(capacity: 1)
    let rings = UnsafeMutablePointer<apus_private>.allocate(capacity: 1)
    private let view = UnsafeMutablePointer<apus_public>.allocate(capacity: 1)
    private let out = UnsafeMutablePointer<apus_publisher>.allocate(capacity: 1)
    private let arena = UnsafeMutablePointer<apus_arena>.allocate(capacity: 1)
    private let table = UnsafeMutablePointer<apus_instrument_table>.allocate(capacity: 1)
    private let market = UnsafeMutablePointer<apus_market>.allocate(capacity: 1)
    private let books = UnsafeMutablePointer<apus_polymarket_session>.allocate(capacity: 1)
    private let orders = UnsafeMutablePointer<apus_polymarket_orders>.allocate(capacity: 1)
    private let region: UnsafeMutableRawPointer
    private let tableMemory: UnsafeMutableRawPointer
    private let name: UnsafeMutablePointer<CChar>
    private let token: String
    private var listing: (condition: String, isNegRisk: Bool) = ("", false)

    init(token: String) throws {
        self.token = token
        region = .allocate(byteCount: Self.arenaBytes, alignment: 64)
        tableMemory = .allocate(byteCount: apus_instrument_table_bytes(4), alignment: 64)
        let text = Array("polymarket".utf8CString)
        name = .allocate(capacity: text.count)
        name.initialize(from: text, count: text.count)
        view.initialize(to: apus_public())
        var config = apus_public_config(name: nil, feed_slots: 65_536, instruments: 4, board_depth: 5)
        precondition(apus_public_create(view, &config) == 0)
        rings.initialize(to: apus_private())
        precondition(apus_private_create(rings) == 0)
        key.initialize(to: apus_signing_key())
        var secret = [UInt8](repeating: 0, count: 32)
        apus_hex_parse(PolymarketLife.key, PolymarketLife.key.utf8.count, &secret, 32)
        precondition(apus_signing_key_init(key, secret, [UInt8](repeating: 1, count: 32)) == 0)
        out.initialize(to: apus_publisher())
        arena.initialize(to: apus_arena())
        table.initialize(to: apus_instrument_table())
        market.initialize(to: apus_market())
        books.initialize(to: apus_polymarket_session())
        orders.initialize(to: apus_polymarket_orders())
        try forget()
    }

    deinit {
        apus_private_close(rings)
        apus_public_close(view)
        region.deallocate()
        tableMemory.deallocate()
        name.deallocate()
        apus_signing_key_wipe(key)
        key.deallocate()
        rings.deallocate()
        view.deallocate()
        out.deallocate()
        arena.deallocate()
        table.deallocate()
        market.deallocate()
        books.deallocate()
        orders.deallocate()
    }

    /// Everything but the rings' mapping is as at the start of a process.
    func forget() throws {
        apus_queue_init(rings.pointee.orders, UInt32(APUS_ORDER_SLOTS))
        apus_queue_init(rings.pointee.reports, UInt32(APUS_REPORT_SLOTS))
        out.pointee = apus_publisher_make(view, nil)
        out.pointee.realtime_offset = Self.wallOffset
        apus_arena_init(arena, region, Self.arenaBytes)
        precondition(apus_instrument_table_init(table, tableMemory, 4) == 0)
        var instrument = apus_instrument()
        instrument.price_decimals = 4
        instrument.quantity_decimals = 6
        instrument.tick_units = 100
        instrument.lot_units = 10_000
        instrument.contract_multiplier = 1
        precondition(apus_instrument_add(table, token, token.utf8.count, &instrument) == 0)
        precondition(apus_market_init(market, out, arena, table, name) == 0)
    }

    // MARK: Sessions

    func makeBooks(seed: UInt64) throws -> UnsafeMutablePointer<apus_polymarket_session> {
        var config = apus_polymarket_config()
        apus_polymarket_config_default(&config)
        config.lanes = 1
        config.rx_bytes = 1 << 20
        config.link.max_message_bytes = 1 << 19
        var random = apus_random()
        apus_random_seed(&random, seed)
        precondition(apus_polymarket_session_init(books, &config, market, &random) == 0)
        precondition(apus_polymarket_session_subscribe(books, 0, 0) == 0)
        return books
    }

    /// - Parameter condition: of the market; nil: as before.
    func makeOrders(
        _ api: [String], condition: String?, isNegRisk: Bool?, seed: UInt64
    ) throws -> UnsafeMutablePointer<apus_polymarket_orders> {
        if let condition, let isNegRisk { listing = (condition, isNegRisk) }
        var signer = apus_polymarket_signer()
        precondition(apus_polymarket_signer_init(&signer, key, 0, nil, api[0], api[1], api[2]) == 0)
        var config = apus_polymarket_orders_config()
        apus_polymarket_orders_config_default(&config)
        config.max_age_ns = 0
        config.orders_each_s = 1000
        config.orders_burst = 1000
        config.cancels_each_s = 1000
        config.cancels_burst = 1000
        var random = apus_random()
        apus_random_seed(&random, seed &+ 1)
        precondition(apus_polymarket_orders_init(orders, &config, market, rings, &signer, &random) == 0)
        precondition(
            apus_polymarket_orders_list(orders, 0, listing.condition, listing.isNegRisk, 0) == 0)
        precondition(
            apus_polymarket_market_configure(&books.pointee.polymarket, 0, "5", listing.isNegRisk) == 0)
        return orders
    }

    var channels: [UnsafeMutablePointer<apus_channel>] {
        [books.pointee.session.channels[0]!]
            + (0..<Int(orders.pointee.session.channel_count)).map { orders.pointee.session.channels[$0]! }
    }

    private func each(_ body: (UnsafeMutablePointer<apus_session>, apus_session_ops) -> Void) {
        for session in [UnsafeMutableRawPointer(books), UnsafeMutableRawPointer(orders)] {
            let session = session.assumingMemoryBound(to: apus_session.self)
            body(session, session.pointee.ops.pointee)
        }
    }

    func start(_ now: UInt64) { each { $1.start($0, now) } }

    func turn(_ now: UInt64) { each { _ = $1.turn($0, now) } }

    /// A command for the order session.
    func command(_ command: inout apus_command, _ now: UInt64) {
        let session = UnsafeMutableRawPointer(orders).assumingMemoryBound(to: apus_session.self)
        _ = session.pointee.ops.pointee.command(session, &command, now)
    }
}
