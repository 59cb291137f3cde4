import Apus
import ApusEngine
import ApusLive
import ApusVenue
import CApusProtocol
import CApusRing

/// An engine on Polymarket.
final class PolymarketEngine: EngineHost {
    static let maxOpenOrders = 30
    /// Of each token, `10^-6`.
    static let maxPosition: Int64 = 400_000_000
    /// What the wallet begins with, `10^-6` of the collateral.
    static let collateral: Int64 = 5_000_000_000

    let marketSession: UnsafeMutablePointer<apus_polymarket_session>
    let orderSession: UnsafeMutablePointer<apus_polymarket_orders>
    private let wallet: PolymarketWallet

    /// - Parameters:
    ///   - part: which sequence of random numbers is this engine's.
    ///   - records: what the disk holds of earlier runs.
    init(
        _ character: Character, _ wallet: PolymarketWallet, part: UInt64 = 2, wallOffset: Int64, runTag: UInt32 = 7,
        disk: SimulatedDisk, records: UInt64 = 0, trader: @escaping @Sendable () -> PolymarketTrader
    ) throws {
        let count = wallet.definitions.count
        let memory = try EngineMemory(
            character, venue: "polymarket", instruments: UInt32(count), boardDepth: 8, arenaBytes: 24 << 20,
            wallOffset: wallOffset)
        for definition in wallet.definitions {
            var entry = try protocolInstrument(definition)
            try check(
                apus_instrument_add(memory.table, definition.symbol, definition.symbol.utf8.count, &entry),
                "apus_instrument_add")
        }
        self.wallet = wallet
        marketSession = EngineMemory.one(apus_polymarket_session())
        orderSession = EngineMemory.one(apus_polymarket_orders())
        var dice = Dice(seed: character.seed, part: part)
        try Self.makeMarkets(marketSession, memory, wallet, &dice)
        try Self.makeOrders(orderSession, memory, wallet, &dice)
        let journal = disk.begin(records: records, run: runTag, rings: memory.queues)
        let agent = try Self.makeAgent(memory, wallet, wallOffset: wallOffset, runTag: runTag, journal, trader)
        super.init(memory, sessions: [Self.session(marketSession), Self.session(orderSession)], agent: agent)
    }

    deinit {
        apus_polymarket_signer_wipe(&orderSession.pointee.signer)
        marketSession.deallocate()
        orderSession.deallocate()
    }

    // MARK: Making

    /// The sessions as they are in life, but with times that fit into a life of some seconds.
    private static func makeMarkets(
        _ session: UnsafeMutablePointer<apus_polymarket_session>, _ memory: EngineMemory, _ wallet: PolymarketWallet,
        _ dice: inout Dice
    ) throws {
        var config = apus_polymarket_config()
        apus_polymarket_config_default(&config)
        config.lanes = 1
        config.rx_bytes = 512 << 10
        config.command_interval_ns = 50 * millisecond
        config.book_timeout_ns = second
        config.probe_interval_ns = second
        config.probe_spacing_ns = 50 * millisecond
        hasten(&config.link)
        config.link.data_timeout_ns = 3 * second
        var random = dice.fork()
        try check(apus_polymarket_session_init(session, &config, memory.market, &random), "the market session")
        for (number, listing) in wallet.listings.enumerated() {
            try check(apus_polymarket_session_subscribe(session, UInt16(number), 0), "the subscription")
            try check(
                apus_polymarket_market_configure(
                    &session.pointee.polymarket, UInt16(number), listing.minOrderSize, listing.isNegRisk), "the market")
        }
        session.pointee.session.number = 0
    }

    private static func makeOrders(
        _ session: UnsafeMutablePointer<apus_polymarket_orders>, _ memory: EngineMemory, _ wallet: PolymarketWallet,
        _ dice: inout Dice
    ) throws {
        var config = apus_polymarket_orders_config()
        apus_polymarket_orders_config_default(&config)
        config.lines = 3
        config.connect_timeout_ns = 2 * second
        config.answer_timeout_ns = second
        config.backoff_min_ns = 50 * millisecond
        config.backoff_max_ns = second
        config.heartbeat_interval_ns = PolymarketLife.heartbeat / 2
        config.post_only_ns = PolymarketLife.postOnly
        config.trades_overlap_s = 5
        config.trades_audit_ns = 2 * second
        config.trades_settle_s = 30
        config.pool.probe_interval_ns = second
        config.pool.stall_ns = 300 * millisecond
        config.rx_bytes = 256 << 10
        hasten(&config.user_link)
        var signer = apus_polymarket_signer()
        try wallet.credentials.prepare(&signer)
        defer { apus_polymarket_signer_wipe(&signer) }
        var random = dice.fork()
        try check(
            apus_polymarket_orders_init(session, &config, memory.market, memory.queues, &signer, &random),
            "the order session")
        for (number, listing) in wallet.listings.enumerated() {
            try check(
                apus_polymarket_orders_list(
                    session, UInt16(number), listing.condition, listing.isNegRisk, listing.version), "the listing")
        }
        session.pointee.session.number = 1
    }

    private static func makeAgent(
        _ memory: EngineMemory, _ wallet: PolymarketWallet, wallOffset: Int64, runTag: UInt32, _ journal: JournalPort,
        _ trader: @escaping @Sendable () -> PolymarketTrader
    ) throws -> DecisionAgent {
        var configuration = EngineConfiguration(runTag: runTag)
        configuration.limits.funding = .cash
        configuration.startBalance = Money(ExactDecimal(digits: collateral, decimals: 6))
        configuration.limits.maxOpenOrders = maxOpenOrders
        for definition in wallet.definitions {
            var own = InstrumentLimits()
            own.maxPosition = ExactDecimal(digits: maxPosition, decimals: 6)
            configuration.limits.instruments[definition.symbol] = own
        }
        configuration.limits.priceBandPpm = 200_000
        configuration.limits.ordersPerSecond = 100
        configuration.limits.orderBurst = 50
        configuration.limits.ordersPerMinute = 6_000
        configuration.limits.maxDailyLoss = nil
        configuration.reconcilePause = 2 * second
        configuration.eventBatch = 64
        configuration.reportBatch = 16
        let strategy = StrategyDescription(name: "random", summary: "Trades outcomes at random") { _ in trader() }
        return try DecisionAgent(
            strategy: strategy, instruments: wallet.definitions, feed: SimulatedFeed(memory.view),
            sink: SimulatedSink(memory.queues), time: .simulated(realtimeOffset: wallOffset),
            configuration: configuration, journal: journal)
    }

    override var condition: String {
        let orders = orderSession.pointee
        let lines = [orders.lines.0, orders.lines.1, orders.lines.2].map { [$0.state, $0.job.kind] }
        let names = [orders.user_link, marketSession.pointee.lanes[0].link].map {
            String(cString: apus_link_state_name($0.state))
        }
        return "user and market stream \(names), greeted \(orders.greeted), lines \(lines), waiting "
            + "\(orders.waiting_count), trades due \(orders.trades_due), decode errors \(orders.decode_errors), "
            + super.condition
    }
}
