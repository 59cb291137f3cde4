import Apus
import ApusEngine
import CApusProtocol
import CApusWire
import Glibc

/// Market data from sockets: the public mapping, the books, the venue's session, and the shell under them.
///
/// Unchecked: it is made by one thread and handed to the one that takes its turns; the shell's own rules for threads hold.
package final class LiveFeed: FeedSource, @unchecked Sendable {
    package let view: UnsafeMutablePointer<apus_public>
    let rings: UnsafeMutablePointer<apus_private>
    let wire: OpaquePointer
    let memory: HotMemory
    let market: UnsafeMutablePointer<apus_market>
    let publisher: UnsafeMutablePointer<apus_publisher>
    let configuration: LiveConfiguration
    let tap: UnsafeMutablePointer<apus_tap>?
    /// Secrets, wiped at the end.
    var signers: [UnsafeMutablePointer<apus_binance_signer>] = []

    /// Maps, measures the clock and makes the sessions; connects to nothing yet.
    ///
    /// - Parameter tap: where market messages are copied to for a recorder; it must outlive the feed.
    init(
        _ configuration: LiveConfiguration, _ metadata: VenueMetadata, tap: UnsafeMutablePointer<apus_tap>? = nil
    ) throws {
        self.configuration = configuration
        self.tap = tap
        memory = try HotMemory()
        view = .allocate(capacity: 1)
        view.initialize(to: apus_public())
        rings = .allocate(capacity: 1)
        rings.initialize(to: apus_private())
        try Self.map(view, rings, configuration)
        wire = try Self.makeWire(configuration, view, rings)
        publisher = try memory.make(apus_publisher.self)
        publisher.pointee = apus_publisher_make(view, apus_wire_clock(wire))
        apus_wire_set_publisher(wire, publisher)
        market = try memory.make(apus_market.self)
        let table = try Self.makeTable(memory, configuration, metadata)
        try check(
            apus_market_init(market, publisher, memory.arena, table, Self.venueText(configuration.venue)),
            "cannot make the books")
        // In placement dedicated the decision thread reads while this one writes, and a batch of Polymarket is applied before it is
        // proven: there each event finds its book on the board.
        if configuration.placement == .shared, configuration.venue != .polymarket {
            try check(apus_market_batch_board(market), "cannot make the books")
        }
        try add(try makeMarketSession(metadata), number: 0)
        if case .live(let credentials) = configuration.orders {
            try add(try makeOrderSession(metadata, credentials), number: 1)
        }
    }

    deinit {
        apus_wire_destroy(wire)
        for signer in signers { apus_binance_signer_wipe(signer) }
        apus_private_close(rings)
        apus_public_close(view)
        rings.deallocate()
        view.deallocate()
    }

    package func turn(_ now: UInt64) -> Int {
        configuration.placement == .shared ? Int(apus_wire_turn(wire)) : 0
    }

    // MARK: Making

    private static func map(
        _ view: UnsafeMutablePointer<apus_public>, _ rings: UnsafeMutablePointer<apus_private>,
        _ configuration: LiveConfiguration
    ) throws(LiveError) {
        let name = configuration.name
        let result = name.withCString { text in
            var config = apus_public_config(
                name: text, feed_slots: configuration.feedSlots, instruments: configuration.instruments,
                board_depth: configuration.boardDepth)
            return apus_public_create(view, &config)
        }
        if result == -EEXIST {
            throw LiveError("an engine named \(name) is running already; stop it, or choose another engine.name")
        }
        try check(result, "cannot make the shared memory /dev/shm/\(name)")
        try check(apus_private_create(rings), "cannot make the order rings")
    }

    private static func makeWire(
        _ configuration: LiveConfiguration, _ view: UnsafeMutablePointer<apus_public>,
        _ rings: UnsafeMutablePointer<apus_private>
    ) throws(LiveError) -> OpaquePointer {
        var config = apus_wire_config()
        apus_wire_config_default(&config)
        config.cpu = Int32(configuration.hotCPU ?? -1)
        config.idle =
            switch configuration.idle {
            case .spin: UInt8(APUS_IDLE_SPIN)
            case .yield: UInt8(APUS_IDLE_YIELD)
            case .park: UInt8(APUS_IDLE_PARK)
            }
        var wire: OpaquePointer?
        let result: Int32
        if let file = configuration.caFile {
            result = file.withCString { text in
                config.ca_file = text
                return apus_wire_create(&wire, &config, view, rings)
            }
            if result == -ENOENT {
                throw LiveError("venue.tls.ca_file: \(file) cannot be read or holds no certificate")
            }
        } else {
            result = apus_wire_create(&wire, &config, view, rings)
        }
        try check(result, "cannot make the socket loop")
        guard let wire else { throw LiveError("cannot make the socket loop") }
        return wire
    }

    private static func makeTable(
        _ memory: HotMemory, _ configuration: LiveConfiguration, _ metadata: VenueMetadata
    ) throws -> UnsafeMutablePointer<apus_instrument_table> {
        let table = try memory.make(apus_instrument_table.self)
        let bytes = apus_instrument_table_bytes(configuration.instruments)
        let space = try memory.makeArray(UInt8.self, count: bytes)
        try check(
            apus_instrument_table_init(table, space, configuration.instruments),
            "cannot make a table for \(configuration.instruments) instruments")
        for definition in metadata.instruments {
            var entry = try protocolInstrument(definition)
            let symbol = definition.symbol
            try check(
                apus_instrument_add(table, symbol, symbol.utf8.count, &entry), "cannot take the instrument \(symbol)")
        }
        return table
    }

    // Connections and commands name sessions by these numbers: market data is 0, orders are 1.
    private func add(_ session: UnsafeMutablePointer<apus_session>, number: UInt32) throws(LiveError) {
        session.pointee.number = number
        try check(apus_wire_add(wire, session), "cannot add a session to the socket loop")
    }

    // The market keeps the pointer, so that the text must never move: string literals do not.
    private static func venueText(_ kind: VenueKind) -> UnsafePointer<CChar> {
        let text: StaticString =
            switch kind {
            case .binanceUSDM: "binance-usdm"
            case .binanceCOINM: "binance-coinm"
            case .binanceSpot: "binance-spot"
            case .polymarket: "polymarket"
            case .deriv: "deriv"
            case .derivV3: "deriv-v3"
            }
        return UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
    }

    // MARK: Sessions

    private func makeMarketSession(_ metadata: VenueMetadata) throws -> UnsafeMutablePointer<apus_session> {
        switch configuration.venue {
        case .binanceUSDM, .binanceCOINM, .binanceSpot: return try makeBinanceSession(metadata)
        case .polymarket: return try makePolymarketSession(metadata)
        case .deriv, .derivV3: return try makeDerivSession(metadata)
        }
    }

    private func makeOrderSession(
        _ metadata: VenueMetadata, _ credentials: Credentials
    ) throws -> UnsafeMutablePointer<apus_session> {
        switch credentials {
        case .binance(let credentials): return try makeBinanceOrders(metadata, credentials)
        case .deriv(let credentials): return try makeDerivOrders(metadata, credentials)
        case .polymarket(let credentials): return try makePolymarketOrders(metadata, credentials)
        }
    }
}

/// The definition as the decoders want it.
package func protocolInstrument(_ definition: InstrumentDefinition) throws -> apus_instrument {
    var entry = apus_instrument()
    entry.price_decimals = UInt8(definition.priceDecimals)
    entry.quantity_decimals = UInt8(definition.quantityDecimals)
    entry.contract_kind =
        switch definition.contract {
        case .linear: UInt8(APUS_CONTRACT_LINEAR.rawValue)
        case .inverse: UInt8(APUS_CONTRACT_INVERSE.rawValue)
        case .binary: UInt8(APUS_CONTRACT_BINARY.rawValue)
        }
    entry.tick_units = try definition.tick.units(decimals: definition.priceDecimals)
    entry.lot_units = try definition.lot.units(decimals: definition.quantityDecimals)
    entry.contract_multiplier = definition.multiplier
    entry.minimum_quantity = try definition.minQuantity?.units(decimals: definition.quantityDecimals) ?? 0
    entry.maximum_quantity = try definition.maxQuantity?.units(decimals: definition.quantityDecimals) ?? 0
    entry.minimum_notional = try definition.minNotional?.units(decimals: definition.priceDecimals) ?? 0
    return entry
}

/// A generator seeded by the system.
func freshRandom() -> apus_random {
    var system = SystemRandomNumberGenerator()
    var random = apus_random()
    apus_random_seed(&random, system.next())
    return random
}
