package import Apus
internal import ApusEngine
package import CApusProtocol
package import CApusRing
import Glibc

/// The hot side of a replay: mapping, publisher, books and their memory. One thread.
package final class MarketMemory: FeedSource {
    package let view: UnsafeMutablePointer<apus_public>
    package let market: UnsafeMutablePointer<apus_market>
    package let publisher: UnsafeMutablePointer<apus_publisher>
    let instruments: UnsafeMutablePointer<apus_instrument_table>
    private let arena: UnsafeMutablePointer<apus_arena>
    private let tableMemory: UnsafeMutableRawPointer
    private let region: UnsafeMutableRawPointer
    private let regionBytes: Int
    private let venueName: UnsafeMutablePointer<CChar>

    /// - Parameter arenaBytes: address space for books; only what they use becomes memory.
    package init(venue: String, capacity: Int, boardDepth: Int, feedSlots: Int, arenaBytes: Int) throws {
        view = .allocate(capacity: 1)
        view.initialize(to: apus_public())
        publisher = .allocate(capacity: 1)
        market = .allocate(capacity: 1)
        market.initialize(to: apus_market())
        instruments = .allocate(capacity: 1)
        instruments.initialize(to: apus_instrument_table())
        arena = .allocate(capacity: 1)
        arena.initialize(to: apus_arena())
        venueName = strdup(venue)
        let tableBytes = apus_instrument_table_bytes(UInt32(capacity))
        tableMemory = .allocate(byteCount: max(tableBytes, 64), alignment: 64)
        regionBytes = arenaBytes
        let reserved = mmap(
            nil, arenaBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        region = reserved ?? UnsafeMutableRawPointer(bitPattern: -1)!
        guard region != MAP_FAILED else { throw ReplayError.memory("address space for the books", errno) }
        var configuration = apus_public_config(
            name: nil, feed_slots: UInt32(feedSlots), instruments: UInt32(capacity), board_depth: UInt32(boardDepth))
        try check(apus_public_create(view, &configuration), "the feed ring")
        publisher.initialize(to: apus_publisher_make(view, nil))
        apus_arena_init(arena, region, arenaBytes)
        try check(apus_instrument_table_init(instruments, tableMemory, UInt32(capacity)), "the instrument table")
        try check(apus_market_init(market, publisher, arena, instruments, venueName), "the books' tables")
    }

    deinit {
        apus_public_close(view)
        if region != MAP_FAILED { munmap(region, regionBytes) }
        tableMemory.deallocate()
        view.deallocate()
        publisher.deallocate()
        market.deallocate()
        instruments.deallocate()
        arena.deallocate()
        free(venueName)
    }

    /// The replay's loop publishes; there is nothing to turn.
    package func turn(_ now: UInt64) -> Int { 0 }

    /// The board is written when it is read, for a venue that publishes every change at once. Before readers are made.
    package func deferBoard() throws {
        try check(apus_market_defer_board(market, &view.pointee.board), "the watched prices")
    }

    /// Events published so far.
    var events: UInt64 { publisher.pointee.feed.next }
    var count: Int { Int(instruments.pointee.count) }

    func hotCounter(_ counter: apus_hot_counter) -> UInt64 {
        apus_counter(apus_counters_hot(view.pointee.counters, counter.rawValue))
    }

    /// Puts an instrument into the table; its number is the next one.
    package func add(_ definition: InstrumentDefinition) throws -> UInt16 {
        var entry = apus_instrument()
        entry.price_decimals = UInt8(definition.priceDecimals)
        entry.quantity_decimals = UInt8(definition.quantityDecimals)
        entry.contract_kind = UInt8(kind(definition.contract).rawValue)
        entry.tick_units = try definition.tick.units(decimals: definition.priceDecimals)
        entry.lot_units = try definition.lot.units(decimals: definition.quantityDecimals)
        entry.contract_multiplier = definition.multiplier
        let number = apus_instrument_add(instruments, definition.symbol, definition.symbol.utf8.count, &entry)
        if number == -ENOSPC { throw ReplayError.instruments(limit: Int(instruments.pointee.capacity)) }
        try check(number, "the instrument \(definition.symbol)")
        return UInt16(number)
    }

    private func kind(_ contract: ContractKind) -> apus_contract_kind {
        switch contract {
        case .linear: APUS_CONTRACT_LINEAR
        case .inverse: APUS_CONTRACT_INVERSE
        case .binary: APUS_CONTRACT_BINARY
        }
    }

    func book(_ number: UInt16) -> UnsafeMutablePointer<apus_market_book>? { apus_market_at(market, number) }

    func symbol(_ number: UInt16) -> String {
        let entry = instruments.pointee.entries + Int(number)
        return withUnsafeBytes(of: &entry.pointee.symbol) {
            String(decoding: $0.prefix(Int(entry.pointee.symbol_length)), as: UTF8.self)
        }
    }

    private func check(_ result: Int32, _ what: String) throws {
        if result < 0 { throw ReplayError.memory(what, -result) }
    }
}
