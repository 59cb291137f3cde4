import Apus
import ApusEngine
import ApusLive
import Glibc

/// What `apus run` is going to do, made from the configuration: every refusal names the key and where it was written.
struct RunPlan {
    /// Whose protocol is spoken, whether with that venue or with one in this process.
    let venueKind: String
    let isLoopback: Bool
    /// Whether orders go over the wire.
    let isLive: Bool
    let strategies: [StrategySetting]
    let symbols: [String]
    private let loopbackProtocol: VenueProtocol
    let store: ConfigurationStore

    /// - Parameter allowLive: `--live` was given.
    init(_ store: ConfigurationStore, strategies: [StrategyDescription], allowLive: Bool) throws {
        self.store = store
        let kind = store.text("venue.kind") ?? "loopback"
        isLoopback = kind == "loopback"
        loopbackProtocol = store.text("venue.protocol").flatMap(VenueProtocol.init) ?? .binanceUSDM
        venueKind = isLoopback ? loopbackProtocol.rawValue : kind
        symbols = store.list("venue.symbols")
        isLive = try Self.isLive(store, isLoopback: isLoopback, allowLive: allowLive)
        self.strategies = try StrategyConfiguration(store).settings(among: strategies)
        try RiskConfiguration.check(store, names: self.strategies.map(\.name))
    }

    private static func isLive(_ store: ConfigurationStore, isLoopback: Bool, allowLive: Bool) throws -> Bool {
        guard let mode = store.text("mode") else { return isLoopback }
        guard mode == "live", !isLoopback, !allowLive, try !addresses(store).isLoopback else { return mode == "live" }
        throw store.error("mode", "live orders to a real venue need the flag --live as well; nothing was started")
    }

    /// What a strategy says about its settings gets the place where they were written.
    func locating<Value>(_ body: () throws -> Value) throws -> Value {
        do { return try body() } catch let error as ParameterError {
            throw StrategyConfiguration(store).located(error)
        } catch let error as StrategySettingError {
            throw StrategyConfiguration(store).located(error)
        }
    }

    /// The strategies' names.
    var names: String { strategies.map(\.name).joined(separator: ", ") }

    /// What is run where, in a few words.
    var title: String {
        let orders = isLive ? "live orders" : "paper orders"
        return
            "\(names) on \(isLoopback ? "loopback" : venueKind) (\(orders)): \(symbols.joined(separator: ", "))"
    }

    /// Where the engine of that name takes orders from people.
    func controlPath(_ engine: String) -> String {
        store.text("engine.socket") ?? ControlSocket.path(engine: engine, environment: Environment.all())
    }

    /// Starts the venue in this process.
    func startLoopback() throws -> LoopbackVenue {
        try .start(
            loopbackProtocol, symbols: symbols, seed: UInt64(store.integer("venue.seed") ?? 1),
            speed: store.text("venue.speed") ?? "real")
    }

    /// What can be said before the venue is asked: that there are the instruments and processors that the configuration names, and that the
    /// strategies can be made with their parameters.
    /// - Parameter symbols: nil: not known yet.
    func check(symbols: [String]?) throws {
        if let symbols { try RiskConfiguration.check(store, symbols: symbols) }
        try locating {
            for strategy in strategies {
                _ = try strategy.blaming { try strategy.description.instantiate(strategy.parameters) }
            }
        }
        try Self.checkProcessors(store)
    }

    /// That there are the processors that the engine's threads are to be pinned to.
    static func checkProcessors(_ store: ConfigurationStore) throws {
        let processors = sysconf(Int32(_SC_NPROCESSORS_CONF))
        for key in ["engine.hot_cpu", "engine.decide_cpu"] {
            guard let cpu = store.integer(key), cpu >= processors else { continue }
            throw store.error(key, "there is no processor \(cpu); there are 0 to \(processors - 1)")
        }
    }

    /// Asks the venue what must be known of the instruments.
    ///
    /// - Throws: `CommandFailure` when the user has had enough of waiting.
    func metadata(_ configuration: LiveConfiguration, log: Log, signals: StopSignals) throws -> VenueMetadata {
        let begin = ContinuousClock.now
        var isTold = false
        return try blocking(checking: {
            if !isTold && ContinuousClock.now - begin > .seconds(3) {
                isTold = true
                log.warning("the venue has not answered yet: asking it for up to a minute; Ctrl-C ends that")
            }
            if signals.wait(milliseconds: 0, keys: false) != .stop { return }
            throw CommandFailure(
                ExitStatus.failure, "stopped by the user before the venue answered; nothing was started")
        }) { [store] in
            try await configuration.prepareCredentials()
            return try await VenueMetadata.fetch(
                configuration.venue, symbols: configuration.symbols, addresses: configuration.addresses,
                caFile: configuration.caFile, currency: store.text("venue.currency") ?? "USD")
        }
    }

    /// The capture that `record.path` asks for.
    func recording(_ configuration: LiveConfiguration) throws -> EngineRecording? {
        try store.text("record.path").map { try EngineRecording(path: $0, venue: configuration.venue.rawValue) }
    }

    // MARK: The engine

    /// The engine's configuration. `loopback` is the venue that was started for it, if one was.
    func live(loopback: LoopbackVenue?) throws -> LiveConfiguration {
        var engine = EngineConfiguration(runTag: freshRunTag())
        engine.limits = try Self.limits(store, venue: venueKind)
        engine.otherFeeRate = try RiskConfiguration.otherFeeRate(store)
        engine.breakers = BreakerSettings.breakers(store)
        engine.venueBreaker = BreakerSettings.name(venue: venueKind)
        engine.startBalance = isLive ? nil : Money(whole: 100_000)
        var live = LiveConfiguration(
            venue: VenueKind(rawValue: venueKind) ?? .binanceUSDM, symbols: loopback?.symbols ?? symbols,
            orders: try route(loopback), engine: engine)
        live.addresses = try loopback?.addresses ?? Self.addresses(store)
        live.caFile = store.text("venue.tls.ca_file")
        live.placement = Placement(rawValue: store.text("engine.placement") ?? "") ?? .shared
        live.idle = IdleStrategy(rawValue: store.text("engine.idle") ?? "") ?? .yield
        live.hotCPU = cpu("engine.hot_cpu")
        live.decideCPU = cpu("engine.decide_cpu")
        live.name = try name()
        live.feedSlots = UInt32(store.integer("engine.feed_slots") ?? 65_536)
        live.instruments = UInt32(store.integer("engine.instruments") ?? 256)
        live.boardDepth = UInt32(store.integer("engine.board_depth") ?? 20)
        live.polymarket = store.polymarketSettings
        live.stallLimit = UInt64(store.integer("engine.stall_ms") ?? 5_000) * 1_000_000
        live.binance.connections = store.integer("venue.connections") ?? 4
        live.binance.receiveWindow = store.integer("venue.receive_window_ms") ?? 5_000
        live.engine.lateArrival = live.venue.lateArrival(receiveWindow: live.binance.receiveWindow)
        return live
    }

    /// The limits with some of them set besides, as `apus risk --set` writes them.
    var tighterLimits: EngineControl.Limits {
        let store = store, venue = venueKind
        return { assignments in
            var tighter = store
            for (key, value) in assignments { try tighter.set("risk.\(key)", to: value, flag: "apus risk --set") }
            return try Self.limits(tighter, venue: venue)
        }
    }

    private func route(_ loopback: LoopbackVenue?) throws -> OrderRoute {
        guard isLive else { return .paper(PaperConfiguration()) }
        let kind = VenueKind(rawValue: venueKind) ?? .binanceUSDM
        return .live(try loopback?.credentials ?? Credentials(kind, environment: Environment.all()))
    }

    private static func addresses(_ store: ConfigurationStore) throws -> VenueAddresses {
        func address(_ key: String) throws -> VenueAddress? {
            guard let text = store.text(key) else { return nil }
            do { return try VenueAddress(text) } catch { throw store.error(key, error.description) }
        }
        var addresses = VenueAddresses()
        addresses.rest = try address("venue.rest")
        addresses.stream = try address("venue.stream")
        addresses.user = try address("venue.user")
        addresses.orders = try address("venue.orders")
        addresses.metadata = try address("venue.metadata") ?? addresses.rest
        return addresses
    }

    /// Processors that the engine's threads are pinned to.
    var pinnedCPUs: [Int] {
        let isDedicated = store.text("engine.placement") == Placement.dedicated.rawValue
        return [cpu("engine.hot_cpu"), isDedicated ? cpu("engine.decide_cpu") : nil].compactMap { $0 }
    }

    private func cpu(_ key: String) -> Int? { store.integer(key).flatMap { $0 < 0 ? nil : $0 } }

    // The built-in name gives way when another engine has it; a chosen one is an error then.
    func name() throws -> String {
        let name = store.text("engine.name") ?? "apus"
        guard name.utf8.allSatisfy({ $0 > 32 && $0 != UInt8(ascii: "/") && $0 < 127 }), name.utf8.count < 100 else {
            throw store.error("engine.name", "\"\(name)\" cannot name a file in /dev/shm")
        }
        let isTaken = EngineMonitor.engines().contains { $0.name == name && ($0.life == .alive || $0.life == .stalled) }
        return isTaken && store.setting("engine.name")?.origin == .builtIn ? "\(name)-\(getpid())" : name
    }

    /// The risk gate's limits; what nobody set is the gate's own.
    /// - Parameter venue: whose protocol is spoken.
    static func limits(_ store: ConfigurationStore, venue: String) throws -> RiskLimits {
        try RiskConfiguration.limits(store, venue: venue)
    }
}

// Hundredths of a second since 1970: two runs of one account never share a tag unless they start within one of them, or 497
// days apart.
private func freshRunTag() -> UInt32 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return UInt32(truncatingIfNeeded: now.tv_sec * 100 + now.tv_nsec / 10_000_000)
}
