import Apus
import ApusEngine
import CApusRing
import CApusWire
import Glibc
import Synchronization

/// A change of the trading state, for the log.
package struct TradingTransition: Sendable, Equatable {
    package var from: TradingState
    package var to: TradingState
    /// Who or what changed it, and why.
    package var reason: String
}

/// Carries out what is asked of a running engine: from the control socket, a signal, a breaker or the end of the run.
///
/// The shared word that gate and guard look at is written here and nowhere else, so that a change holds for the very next order.
/// Any thread of the control side; requests that change something come one after the other.
package final class EngineControl: Sendable {
    private let engine: LiveEngine
    private let changes = Mutex<Void>(())
    private let log = Mutex<[TradingTransition]>([])
    private let stopAsked = Atomic<Bool>(false)
    /// The run is ending: nothing opens trading again.
    private let isEnding = Atomic<Bool>(false)
    /// How long the decision thread may take to answer.
    private static let visitPatience = Duration.seconds(2)
    private static let standardPatience = Duration.seconds(5)

    /// The limits that hold with these keys of the risk section set besides; throws what is wrong with them.
    package typealias Limits = @Sendable (_ assignments: [(key: String, value: String)]) throws -> RiskLimits

    private let limits: Limits?
    /// What was tightened so far.
    private let tightened = Mutex<[(key: String, value: String)]>([])

    /// - Parameter limits: reads limits as the configuration does; nil: they cannot be tightened.
    package init(_ engine: LiveEngine, limits: Limits? = nil) {
        self.engine = engine
        self.limits = limits
    }

    /// What the word says now.
    package var trading: TradingState { engine.trading }

    /// Whether somebody has asked for the end of the run.
    package var isStopAsked: Bool { stopAsked.load(ordering: .acquiring) }

    /// The changes since the last call, each once.
    package func takeTransitions() -> [TradingTransition] {
        log.withLock { log in
            defer { log = [] }
            return log
        }
    }

    // MARK: Requests

    /// The answer to a request. Waits for the venue where the request says so.
    package func answer(_ request: ControlRequest) -> ControlReply {
        if let strategy = request.strategy, !engine.strategyNames.contains(strategy) {
            let names = engine.strategyNames.joined(separator: ", ")
            return refuse("there is no strategy \(strategy) in this engine; it runs \(names)")
        }
        switch request.request {
        case .status: return status()
        case .halt: return halt(request)
        case .reduce: return change(to: .reducing, request)
        case .resume: return change(to: .active, request)
        case .risk: return risk()
        case .tighten: return tighten(request)
        case .breakers: return breakers()
        case .cancelAll: return cancelAll(patience(request), of: request.strategy)
        case .stop:
            stopAsked.store(true, ordering: .releasing)
            return status()
        }
    }

    /// An answer that says why nothing was done.
    package func refuse(_ error: String) -> ControlReply { .refusal(error, engine: engine.name, trading: trading) }

    /// Lets no new order out from now on; the guard in front of the sockets looks at the same word. Returns at once.
    package func halt(reason: String) { set(.halted, reason: reason) }

    /// As `halt`, and what is open is canceled; whoever calls does not wait for that.
    package func haltInBackground(reason: String) {
        halt(reason: reason)
        Task.detached { [self] in _ = cancelAll(Self.standardPatience) }
    }

    /// As `halt`, and no request can open trading again.
    package func end() {
        changes.withLock { _ in
            isEnding.store(true, ordering: .releasing)
            engine.end()
        }
    }

    private func status() -> ControlReply {
        let found = engine.visit(patience: Self.visitPatience) { agent in
            (
                open: agent.context.openOrders.count, state: agent.tradingState, room: agent.journalRoom,
                strategies: agent.strategies
            )
        }
        guard let found else { return hangs("its open orders are not known") }
        var reply = ControlReply(engine: engine.name, trading: found.state)
        reply.openOrders = found.open
        if !found.strategies.isEmpty { reply.strategies = found.strategies }
        reply.breakers = engine.breakers?.all.map(BreakerLine.init)
        reply.journal = engine.journalLine(room: found.room ?? 0)
        return reply
    }

    private func change(to state: TradingState, _ request: ControlRequest) -> ControlReply {
        guard set(state, request) else { return refuse("the engine is being stopped") }
        guard state == .active else { return status() }
        let hold = engine.visit(patience: Self.visitPatience) { agent in
            agent.resumeAfterTrip(ofStrategy: request.strategy)
            return agent.hold(ofStrategy: request.strategy)
        }
        var reply = status()
        if let hold = hold.flatMap(\.self) { (reply.ok, reply.error) = (false, hold) }
        return reply
    }

    // MARK: Limits and breakers

    private func risk() -> ControlReply {
        guard let report = engine.visit(patience: Self.visitPatience, { $0.risk }) else {
            return hangs("its limits are not known")
        }
        var reply = ControlReply(engine: engine.name, trading: report.state)
        reply.risk = report
        return reply
    }

    private func tighten(_ request: ControlRequest) -> ControlReply {
        guard let limits else { return refuse("this engine's limits cannot be changed while it runs") }
        guard let key = request.key, let value = request.value else { return refuse("tighten needs a key and a value") }
        return tightened.withLock { tightened in
            let wanted = tightened.filter { $0.key != key } + [(key, value)]
            let new: RiskLimits
            do { new = try limits(wanted) } catch { return refuse("\(error)") }
            let outcome = engine.visit(patience: Self.visitPatience) { agent -> String? in
                do throws(RiskLimitError) {
                    try agent.tighten(new)
                    return nil
                } catch { return error.description }
            }
            guard let outcome else { return hangs("nothing was changed") }
            if let refusal = outcome { return refuse(refusal) }
            tightened = wanted
            return risk()
        }
    }

    private func breakers() -> ControlReply {
        var reply = ControlReply(engine: engine.name, trading: trading)
        reply.breakers = engine.breakers?.all.map(BreakerLine.init) ?? []
        return reply
    }

    // MARK: States

    private func halt(_ request: ControlRequest) -> ControlReply {
        guard set(.halted, request) else { return hangs("\(request.strategy ?? "trading") was not halted") }
        let strategy = request.strategy, patience = patience(request)
        return request.cancel ?? true ? cancelAll(patience, of: strategy) : settle(patience, of: strategy)
    }

    private func words(_ request: ControlRequest, _ standard: String) -> String { request.reason ?? standard }

    private func patience(_ request: ControlRequest) -> Duration {
        request.patienceMilliseconds.map { .milliseconds(max($0, 0)) } ?? Self.standardPatience
    }

    // A strategy's own word is kept by the gate, on the decision thread; the whole's is the shared one.
    private func set(_ state: TradingState, _ request: ControlRequest) -> Bool {
        guard let strategy = request.strategy else { return set(state, reason: words(request, "asked for")) }
        return engine.visit(patience: Self.visitPatience) { $0.set(state, ofStrategy: strategy) } ?? false
    }

    // False when the run is ending and the state would let orders out, or has ended.
    @discardableResult
    private func set(_ state: TradingState, reason: String) -> Bool {
        changes.withLock { _ in
            if state != .halted && isEnding.load(ordering: .acquiring) { return false }
            let before = trading
            guard engine.set(trading: state) else { return false }
            if before != state { log.withLock { $0.append(.init(from: before, to: state, reason: reason)) } }
            return true
        }
    }

    // MARK: Orders

    /// Cancels what is open, of one strategy or of all, again while some is left, until nothing is or the time is over.
    private func cancelAll(_ patience: Duration, of strategy: String? = nil) -> ControlReply {
        let nextCancel = Mutex(ContinuousClock.now)
        return wait(until: .now + patience) { agent in
            nextCancel.withLock { next in
                guard ContinuousClock.now >= next else { return }
                Self.context(agent, strategy).cancelAll()
                next = .now + .milliseconds(500)
            }
            return Self.lines(agent, strategy)
        }
    }

    /// Waits until no order is on its way to the venue any more: then none can arrive there after the answer.
    private func settle(_ patience: Duration, of strategy: String?) -> ControlReply {
        var reply = wait(until: .now + patience) { agent in
            Self.context(agent, strategy).openOrders.filter { [.pendingNew, .sent, .unknown].contains($0.state) }
                .map(OpenOrderLine.init)
        }
        if reply.ok { reply.openOrders = openOrders(of: strategy)?.count }
        return reply
    }

    private static func context(_ agent: DecisionAgent, _ strategy: String?) -> Context {
        strategy.flatMap { agent.context(of: $0) } ?? agent.context
    }

    private func wait(
        until end: ContinuousClock.Instant, _ left: @escaping @Sendable (DecisionAgent) -> [OpenOrderLine]
    ) -> ControlReply {
        while true {
            guard let lines = engine.visit(patience: Self.visitPatience, left) else {
                return hangs("open orders could not be canceled")
            }
            if lines.isEmpty || ContinuousClock.now >= end {
                let state = engine.visit(patience: Self.visitPatience, { $0.tradingState }) ?? trading
                var reply = ControlReply(engine: engine.name, trading: state)
                reply.unconfirmed = lines
                reply.openOrders = lines.count
                reply.ok = lines.isEmpty
                if !lines.isEmpty { reply.error = "the venue has not confirmed everything in time" }
                return reply
            }
            usleep(10_000)
        }
    }

    private func openOrders(of strategy: String?) -> [OpenOrderLine]? {
        engine.visit(patience: Self.visitPatience) { Self.lines($0, strategy) }
    }

    private static func lines(_ agent: DecisionAgent, _ strategy: String?) -> [OpenOrderLine] {
        context(agent, strategy).openOrders.map(OpenOrderLine.init)
    }

    private func hangs(_ consequence: String) -> ControlReply {
        let isGone = !engine.isRunning
        return refuse(
            isGone
                ? "the engine has ended; \(consequence)"
                : "the decision thread does not answer; \(consequence); the last guard holds trading at \(trading)")
    }
}
