import Apus
import ApusEngine
import CApusProtocol
import CApusRing

/// An engine on Binance.
final class EngineSide: EngineHost {
    static let symbols = ["BTCUSDT", "ETHUSDT"]
    static let apiKey = "simulatedKey"
    static let secret = "simulatedSecret"
    static let boardDepth: UInt32 = 10
    static let maxOpenOrders = 40
    /// Quantity units of each symbol that may be held with all open orders of one side filled.
    static let maxPositions: [Int64] = [400, 6000]

    let marketSession: UnsafeMutablePointer<apus_binance_session>
    let orderSession: UnsafeMutablePointer<apus_binance_orders>

    /// - Parameters:
    ///   - part: which sequence of random numbers is this engine's.
    ///   - records: what the disk holds of earlier runs.
    init(
        _ character: Character, part: UInt64 = 2, wallOffset: Int64, runTag: UInt32 = 7, disk: SimulatedDisk,
        records: UInt64 = 0, trader: @escaping @Sendable () -> RandomTrader
    ) throws {
        let memory = try EngineMemory(
            character, venue: "binance-usdm", instruments: 2, boardDepth: Self.boardDepth, arenaBytes: 12 << 20,
            wallOffset: wallOffset)
        try Self.addInstruments(memory.table)
        marketSession = EngineMemory.one(apus_binance_session())
        orderSession = EngineMemory.one(apus_binance_orders())
        var dice = Dice(seed: character.seed, part: part)
        try Self.makeSessions(marketSession, orderSession, memory.market, memory.queues, &dice)
        for index in 0..<2 {
            try check(apus_binance_session_subscribe(marketSession, UInt16(index)), "apus_binance_session_subscribe")
        }
        let journal = disk.begin(records: records, run: runTag, rings: memory.queues)
        let agent = try Self.makeAgent(
            SimulatedFeed(memory.view), SimulatedSink(memory.queues), wallOffset: wallOffset, runTag: runTag, journal,
            trader)
        super.init(
            memory, sessions: [Self.session(marketSession), Self.session(orderSession)], agent: agent)
    }

    deinit {
        marketSession.deallocate()
        orderSession.deallocate()
    }

    // MARK: Making

    private static func addInstruments(_ table: UnsafeMutablePointer<apus_instrument_table>) throws {
        for (index, symbol) in symbols.enumerated() {
            var instrument = apus_instrument()
            instrument.price_decimals = 2
            instrument.quantity_decimals = 3
            instrument.contract_kind = UInt8(APUS_CONTRACT_LINEAR.rawValue)
            instrument.tick_units = index == 0 ? 10 : 1
            instrument.lot_units = 1
            instrument.contract_multiplier = 1
            try check(apus_instrument_add(table, symbol, symbol.utf8.count, &instrument), "apus_instrument_add")
        }
    }

    /// The sessions as they are in life, but with times that fit into a life of some seconds.
    private static func makeSessions(
        _ marketSession: UnsafeMutablePointer<apus_binance_session>,
        _ orderSession: UnsafeMutablePointer<apus_binance_orders>,
        _ market: UnsafeMutablePointer<apus_market>, _ queues: UnsafeMutablePointer<apus_private>, _ dice: inout Dice
    ) throws {
        var config = apus_binance_config()
        apus_binance_config_usdm(&config)
        config.rx_bytes = 512 << 10
        config.tx_bytes = 64 << 10
        config.snapshot_retry_ns = 200 * millisecond
        config.probe_interval_ns = second
        config.probe_grace_ns = 500 * millisecond
        config.command_interval_ns = 50 * millisecond
        config.command_timeout_ns = 2 * second
        hasten(&config.link)
        config.fetch.max_body_bytes = 256 << 10
        config.fetch.connect_timeout_ns = 2 * second
        config.fetch.timeout_ns = 2 * second
        config.fetch.backoff_min_ns = 50 * millisecond
        config.fetch.backoff_max_ns = second
        var random = dice.fork()
        try check(apus_binance_session_init(marketSession, &config, market, &random), "apus_binance_session_init")

        var signer = apus_binance_signer()
        try check(apus_binance_signer_init(&signer, apiKey, secret), "apus_binance_signer_init")
        var orders = apus_binance_orders_config()
        apus_binance_orders_config_usdm(&orders)
        orders.rx_bytes = 256 << 10
        orders.tx_bytes = 64 << 10
        orders.answer_timeout_ns = second
        orders.key_renewal_ns = 3 * second
        orders.event_grace_ns = 1500 * millisecond
        orders.api_count = 3
        orders.pool.probe_interval_ns = second
        orders.pool.stall_ns = 300 * millisecond
        orders.user_overlap_ns = 500 * millisecond
        orders.clock_renewal_ns = 3 * second
        hasten(&orders.api_link)
        hasten(&orders.user_link)
        random = dice.fork()
        try check(
            apus_binance_orders_init(orderSession, &orders, market, queues, &signer, &random),
            "apus_binance_orders_init")
        marketSession.pointee.session.number = 0
        orderSession.pointee.session.number = 1
    }

    private static func makeAgent(
        _ feed: SimulatedFeed, _ sink: SimulatedSink, wallOffset: Int64, runTag: UInt32, _ journal: JournalPort,
        _ trader: @escaping @Sendable () -> RandomTrader
    ) throws -> DecisionAgent {
        var configuration = EngineConfiguration(runTag: runTag)
        configuration.limits.maxOpenOrders = maxOpenOrders
        for (symbol, most) in zip(symbols, maxPositions) {
            var own = InstrumentLimits()
            own.maxPosition = ExactDecimal(digits: most, decimals: 3)
            configuration.limits.instruments[symbol] = own
        }
        configuration.limits.maxOrderNotional = Money(whole: 100_000)
        configuration.limits.maxPositionNotional = Money(whole: 400_000)
        configuration.limits.priceBandPpm = 50_000
        configuration.limits.ordersPerSecond = 100
        configuration.limits.orderBurst = 50
        configuration.limits.ordersPerMinute = 6_000
        configuration.limits.maxGrossExposure = Money(whole: 800_000)
        configuration.limits.maxNetExposure = Money(whole: 600_000)
        configuration.limits.maxDailyLoss = nil
        configuration.reconcilePause = 2 * second
        configuration.eventBatch = 64
        configuration.reportBatch = 16
        let strategy = StrategyDescription(name: "random", summary: "Trades at random") { _ in trader() }
        return try DecisionAgent(
            strategy: strategy, instruments: try definitions(), feed: feed, sink: sink,
            time: .simulated(realtimeOffset: wallOffset), configuration: configuration, journal: journal)
    }

    static func definitions() throws -> [InstrumentDefinition] {
        try symbols.enumerated().map { index, symbol in
            InstrumentDefinition(
                symbol: symbol, venue: "binance-usdm", priceDecimals: 2, quantityDecimals: 3,
                tick: try ExactDecimal(index == 0 ? "0.10" : "0.01"), lot: try ExactDecimal("0.001"),
                minNotional: try ExactDecimal(index == 0 ? "50" : "20"))
        }
    }

    /// Where the sessions stand, for the report of a life that did not end well.
    override var condition: String {
        let users = orderSession.pointee.users, lines = orderSession.pointee.api
        let links = [
            marketSession.pointee.link, users.0.link, users.1.link, lines.0.link, lines.1.link, lines.2.link,
        ]
        let names = links.map { String(cString: apus_link_state_name($0.state)) }
        let books = (0..<2).map { index -> String in
            guard let book = book(index) else { return "none" }
            let sync = apus_binance_sync_of(book).pointee
            return
                "wanted \(marketSession.pointee.wanted[index]), applied \(sync.snapshot_applied), bridged \(sync.bridged), "
                + "wants \(sync.wants_snapshot), in flight \(sync.in_flight)"
        }
        return "links \(names), channels \(channels.map { [$0.pointee.state, $0.pointee.want] }), books \(books), "
            + "REST from \(Double(marketSession.pointee.next_rest_ns) / 1e9) s, command sent "
            + "\(Double(marketSession.pointee.command_sent_ns) / 1e9) s, opened \(Double(marketSession.pointee.link.open_ns) / 1e9) s, "
            + "fetch state \(marketSession.pointee.fetch.state), key \(orderSession.pointee.has_key)"
    }
}
