import CApusProtocol
import CApusRing
import CApusWire
import Foundation
import Glibc

/// The engine's receiving side as it is live, in the thread that calls it: the shell with its sockets and TLS, the Binance session,
/// the book, the feed ring. No decision side.
final class WireFeed {
    enum Idle: String, CaseIterable { case spin, yield, park }

    let wire: OpaquePointer
    let market: UnsafeMutablePointer<apus_market>
    private let session: UnsafeMutablePointer<apus_binance_session>
    private let view: UnsafeMutablePointer<apus_public>
    private let publisher: UnsafeMutablePointer<apus_publisher>
    private let idle: Idle
    private let base: UnsafeMutableRawPointer
    private static let memoryBytes = 1 << 30
    private static let presentBytes = 64 << 20

    /// - Parameter path: the stream's, which tells bench-venue what to send.
    init(_ venue: BenchVenue, _ carrier: Carrier, path: String, idle: Idle) throws {
        self.idle = idle
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let base = mmap(nil, Self.memoryBytes, PROT_READ | PROT_WRITE, flags, -1, 0), base != MAP_FAILED else {
            throw BenchmarkError("no memory for books")
        }
        self.base = base
        // As the engine does: MADV_POPULATE_WRITE, so that no page faults while time is taken.
        _ = madvise(base, Self.presentBytes, 23)
        let arena = UnsafeMutablePointer<apus_arena>.allocate(capacity: 1)
        apus_arena_init(arena, base, Self.memoryBytes)
        view = Self.make(arena)
        var mapping = apus_public_config(name: nil, feed_slots: 65_536, instruments: 4, board_depth: 20)
        try Self.check(apus_public_create(view, &mapping), "cannot make the mapping")
        wire = try Self.makeWire(venue, view, idle)
        publisher = Self.make(arena)
        publisher.pointee = apus_publisher_make(view, apus_wire_clock(wire))
        apus_wire_set_publisher(wire, publisher)
        market = Self.make(arena)
        try Self.check(
            apus_market_init(market, publisher, arena, try Self.makeTable(arena), Self.venueName()), "cannot make books"
        )
        // As in placement shared.
        try Self.check(apus_market_batch_board(market), "cannot make books")
        session = Self.make(arena)
        try startSession(venue, carrier, path: path)
    }

    deinit {
        apus_wire_destroy(wire)
        apus_public_close(view)
        market.pointee.arena.deallocate()
        munmap(base, Self.memoryBytes)
    }

    // MARK: Making

    // The market keeps the pointer; a literal never moves.
    private static func venueName() -> UnsafePointer<CChar> {
        let text: StaticString = "binance-usdm"
        return UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
    }

    static func check(_ result: Int32, _ what: String) throws {
        if result < 0 { throw BenchmarkError("\(what): \(String(cString: strerror(-result)))") }
    }

    private static func make<Record>(_ arena: UnsafeMutablePointer<apus_arena>) -> UnsafeMutablePointer<Record> {
        let block = apus_arena_alloc(arena, MemoryLayout<Record>.stride)!
        memset(block, 0, MemoryLayout<Record>.stride)
        return block.bindMemory(to: Record.self, capacity: 1)
    }

    private static func makeWire(
        _ venue: BenchVenue, _ view: UnsafeMutablePointer<apus_public>, _ idle: Idle
    ) throws -> OpaquePointer {
        var config = apus_wire_config()
        apus_wire_config_default(&config)
        config.idle = UInt8(idle == .spin ? APUS_IDLE_SPIN : idle == .yield ? APUS_IDLE_YIELD : APUS_IDLE_PARK)
        var wire: OpaquePointer?
        let result = venue.caFile.withCString { file in
            config.ca_file = file
            return apus_wire_create(&wire, &config, view, nil)
        }
        try check(result, "cannot make the shell")
        return wire!
    }

    private static func makeTable(
        _ arena: UnsafeMutablePointer<apus_arena>
    ) throws -> UnsafeMutablePointer<apus_instrument_table> {
        let table: UnsafeMutablePointer<apus_instrument_table> = make(arena)
        let bytes = apus_instrument_table_bytes(4)
        try check(apus_instrument_table_init(table, apus_arena_alloc(arena, bytes), 4), "cannot make a table")
        var entry = apus_instrument()
        entry.price_decimals = 2
        entry.quantity_decimals = 3
        entry.contract_kind = UInt8(APUS_CONTRACT_LINEAR.rawValue)
        entry.tick_units = 10
        entry.lot_units = 1
        entry.contract_multiplier = 1
        try check(apus_instrument_add(table, "BTCUSDT", 7, &entry), "cannot add the instrument")
        return table
    }

    private func startSession(_ venue: BenchVenue, _ carrier: Carrier, path: String) throws {
        var config = apus_binance_config()
        apus_binance_config_usdm(&config)
        for endpoint in [\apus_binance_config.stream, \apus_binance_config.rest] {
            config[keyPath: endpoint].port = UInt16(venue.port(carrier))
            config[keyPath: endpoint].tls = carrier == .tls
            Self.copy("127.0.0.1", to: &config[keyPath: endpoint].host)
        }
        Self.copy(path, to: &config.stream_path)
        // The whole book of the venue, so that the two can be compared to the last level.
        config.snapshot_limit = 20_000
        var random = apus_random()
        apus_random_seed(&random, apus_clock_monotonic())
        try Self.check(apus_binance_session_init(session, &config, market, &random), "cannot make the session")
        try Self.check(apus_binance_session_subscribe(session, 0), "cannot subscribe")
        let served = UnsafeMutableRawPointer(session).assumingMemoryBound(to: apus_session.self)
        try Self.check(apus_wire_add(wire, served), "cannot add the session")
    }

    private static func copy<Storage>(_ text: String, to storage: inout Storage) {
        withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.initializeMemory(as: UInt8.self, repeating: 0)
            bytes.copyBytes(from: text.utf8.prefix(bytes.count - 1))
        }
    }

    // MARK: Running

    /// One turn, and the idling that is configured when it found nothing.
    @inline(__always)
    func turn() {
        if apus_wire_turn(wire) > 0 { return }
        switch idle {
        case .spin: break
        case .yield: sched_yield()
        case .park: apus_wire_park(wire, 50_000_000)
        }
    }

    /// Messages that the live book has taken.
    @inline(__always)
    var applied: UInt64 { market.pointee.books[0].map { $0.pointee.applied } ?? 0 }

    var book: UnsafeMutablePointer<apus_market_book>? { market.pointee.books[0] }
    /// When the newest bytes of the stream were read.
    var receiveTime: UInt64 { session.pointee.stream.receive_ns }
    var isLive: Bool { book.map { UInt32($0.pointee.state) == APUS_STATE_LIVE.rawValue } ?? false }

    /// A reader of the feed ring from here on.
    func reader() -> apus_feed_reader { apus_public_reader(view, false) }

    /// Ends the connections in order.
    func stop() { _ = apus_wire_stop(wire, 1_000_000_000) }

    /// What is wrong with the book, or nil when it is the venue's to the last level.
    func fault(_ record: VenueRecord, messages: Int) -> String? {
        guard let book, isLive else { return "the book is not live" }
        if book.pointee.applied != messages { return "\(book.pointee.applied) of \(messages) messages were applied" }
        if book.pointee.gaps != 0 { return "the book had \(book.pointee.gaps) gaps" }
        var text = [CChar](repeating: 0, count: Int(APUS_BOOK_DIGEST_BYTES))
        apus_book_digest(&book.pointee.book, &text)
        let digest = String(decoding: text.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return digest == record.digest ? nil : "the applied book is not the venue's"
    }
}
