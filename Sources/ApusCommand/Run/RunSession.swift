import Apus
import ApusEngine
import ApusLive

/// One run from start to summary: venue, engine, view, stop.
final class RunSession {
    private let plan: RunPlan
    private let log: Log
    private let signals: StopSignals
    private let seconds: Double?
    private let hasView: Bool
    private let clock = ContinuousClock()
    /// Where the steady state begins: connections are made and every path has run.
    private var steadyStart: Allocations?
    private static let warmUpEvents = 10_000

    init(_ plan: RunPlan, log: Log, signals: StopSignals, seconds: Double?, hasView: Bool) {
        self.plan = plan
        self.log = log
        self.signals = signals
        self.seconds = seconds
        self.hasView = hasView
    }

    func run() throws -> RunResult {
        // Before anything starts threads: they inherit it.
        if !avoid(processors: plan.pinnedCPUs) {
            log.warning("no processor is left beside those of the engine: its own threads will get in its way")
        }
        let loopback = plan.isLoopback ? try startLoopback() : nil
        do {
            let result = try trade(loopback)
            try loopback?.stop()
            return result
        } catch {
            try? loopback?.stop()
            throw error
        }
    }

    private func startLoopback() throws -> LoopbackVenue {
        let venue = try plan.startLoopback()
        log.info("venue on loopback: \(venue.addresses.rest.map(String.init(describing:)) ?? "")")
        return venue
    }

    private func trade(_ loopback: LoopbackVenue?) throws -> RunResult {
        var configuration = try plan.live(loopback: loopback)
        try plan.check(symbols: configuration.symbols)
        let metadata = try plan.metadata(configuration, log: log, signals: signals)
        let recording = try plan.recording(configuration)
        let account = try LiveAccount(plan, configuration, metadata)
        defer { account?.close() }
        let journal = try account.map {
            try plan.recover($0, &configuration, metadata, log: log) {
                signals.wait(milliseconds: Int($0 / .milliseconds(1)), keys: false) != .stop
            }.journal
        }
        let engine = try plan.locating {
            try LiveEngine(
                configuration, metadata, strategies: plan.strategies, tap: recording?.tap, journal: journal)
        }
        let desk = try ControlDesk(
            engine, path: plan.controlPath(engine.name), limits: plan.tighterLimits, log: log)
        defer { desk.close() }
        let supervisor = try account.flatMap { try plan.startSupervisor($0, configuration, log: log) }
        defer { supervisor?.finish() }
        let check = account.flatMap { plan.accountCheck(engine, $0) }
        let trades = account.map { TradeCheck(engine, $0.client) }
        let begin = clock.now
        try plan.locating { try engine.start() }
        if desk.control.trading != .active {
            log.warning("trading is \(desk.control.trading), as it was when the last run ended; apus resume opens it")
        }
        log.info("engine \(engine.name) runs \(plan.title); look into it with: apus top \(engine.name)")
        do {
            try watch(engine, recording, desk, supervisor, check, trades, until: seconds.map { begin + .seconds($0) })
        } catch {
            _ = engine.stop()
            throw error
        }
        let steady = steadyStart.flatMap { start in engine.allocations().map { $0.since(start) } }
        desk.control.end()
        log.info("stopping: canceling open orders")
        let summary = engine.stop()
        try recording?.close()
        let unconfirmed = stillOpen(engine, account)
        let passed = (clock.now - begin) / .nanoseconds(1) / 1e9
        return RunResult(
            summary: summary, unconfirmed: unconfirmed, seconds: passed, strategy: plan.names,
            venue: plan.venueKind, steady: steady)
    }

    /// What the venue did not confirm in time is asked for once more, in the other way there is to it.
    private func stillOpen(_ engine: LiveEngine, _ account: LiveAccount?) -> [OpenOrderLine] {
        let orders = engine.unconfirmed
        guard !orders.isEmpty, let client = account?.client else { return orders }
        log.warning("\(orders.count) orders are not confirmed as canceled; asking the venue over REST")
        do {
            let known = engine.unconfirmedOrders
            let left = Set(try asked { try await client.cancel(known) }.map(\.clientID))
            return orders.filter { left.contains($0.clientID) }
        } catch {
            log.error("\(error)")
            return orders
        }
    }

    private func noteSteadyStart(_ engine: LiveEngine) {
        guard steadyStart == nil, let now = engine.allocations(), now.events >= Self.warmUpEvents else { return }
        steadyStart = now
    }

    /// Draws and narrates until the time is over, the user ends it, or the engine has ended by itself.
    private func watch(
        _ engine: LiveEngine, _ recording: EngineRecording?, _ desk: ControlDesk, _ supervisor: SupervisorLink?,
        _ check: AccountCheck?, _ trades: TradeCheck?, until end: ContinuousClock.Instant?
    ) throws {
        let symbols = engine.instruments.map(\.symbol)
        let narrator = try EventNarrator(attachingTo: engine.name, symbols: symbols, log: log)
        let account = AccountNarrator(engine.instruments, log: log)
        let screen = hasView ? try RunScreen(engine, title: plan.title, log: log) : nil
        defer {
            screen?.close()
            narrator.follow()
        }
        while engine.isRunning && !desk.control.isStopAsked {
            narrator.follow()
            desk.narrate()
            supervisor?.check()
            check?.follow(desk.control, log: log)
            if let status = engine.status() {
                account.follow(status)
                trades?.follow(status, log: log)
            }
            noteSteadyStart(engine)
            try recording?.drain()
            let left = end.map { $0 - clock.now }
            if let left, left <= .zero { return }
            screen?.draw(account.status, secondsLeft: left.map { Int($0.components.seconds) })
            let pause = min(left ?? .milliseconds(150), .milliseconds(150)) / .milliseconds(1)
            switch signals.wait(milliseconds: Int(pause.rounded(.up)), keys: hasView) {
            case .stop, .key(UInt8(ascii: "q")): return
            case .halt: desk.haltBySignal()
            default: break
            }
        }
        if !engine.isRunning { log.error("the engine has ended by itself") }
    }
}
