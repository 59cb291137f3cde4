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

    package init(_ engine: LiveEngine) { self.engine = engine }

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
        if let strategy = request.strategy, strategy != engine.strategyName {
            return refuse("there is no strategy \(strategy) in this engine; it runs \(engine.strategyName)")
        }
        switch request.request {
        case .status: return status()
        case .halt: return halt(request)
        case .reduce: return change(to: .reducing, request)
        case .resume: return change(to: .active, request)
        case .cancelAll: return cancelAll(patience(request))
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
        guard let open = openOrders() else { return hangs("its open orders are not known") }
        var reply = ControlReply(engine: engine.name, trading: trading)
        reply.openOrders = open.count
        return reply
    }

    private func change(to state: TradingState, _ request: ControlRequest) -> ControlReply {
        guard set(state, reason: words(request, "asked for")) else { return refuse("the engine is being stopped") }
        return status()
    }

    private func halt(_ request: ControlRequest) -> ControlReply {
        set(.halted, reason: words(request, "asked for"))
        return request.cancel ?? true ? cancelAll(patience(request)) : settle(patience(request))
    }

    private func words(_ request: ControlRequest, _ standard: String) -> String { request.reason ?? standard }

    private func patience(_ request: ControlRequest) -> Duration {
        request.patienceMilliseconds.map { .milliseconds(max($0, 0)) } ?? Self.standardPatience
    }

    // False when the run is ending and the state would let orders out.
    @discardableResult
    private func set(_ state: TradingState, reason: String) -> Bool {
        changes.withLock { _ in
            if state != .halted && isEnding.load(ordering: .acquiring) { return false }
            let before = trading
            engine.set(trading: state)
            if before != state { log.withLock { $0.append(.init(from: before, to: state, reason: reason)) } }
            return true
        }
    }

    // MARK: Orders

    /// Cancels what is open, again while some is left, until nothing is or the time is over.
    private func cancelAll(_ patience: Duration) -> ControlReply {
        let nextCancel = Mutex(ContinuousClock.now)
        return wait(until: .now + patience) { agent in
            nextCancel.withLock { next in
                guard ContinuousClock.now >= next else { return }
                agent.context.cancelAll()
                next = .now + .milliseconds(500)
            }
            return Self.lines(agent)
        }
    }

    /// Waits until no order is on its way to the venue any more: then none can arrive there after the answer.
    private func settle(_ patience: Duration) -> ControlReply {
        var reply = wait(until: .now + patience) { agent in
            agent.context.openOrders.filter { [.pendingNew, .sent, .unknown].contains($0.state) }.map(
                OpenOrderLine.init)
        }
        if reply.ok { reply.openOrders = openOrders()?.count }
        return reply
    }

    private func wait(
        until end: ContinuousClock.Instant, _ left: @escaping @Sendable (DecisionAgent) -> [OpenOrderLine]
    ) -> ControlReply {
        while true {
            guard let lines = engine.visit(patience: Self.visitPatience, left) else {
                return hangs("open orders could not be canceled")
            }
            if lines.isEmpty || ContinuousClock.now >= end {
                var reply = ControlReply(engine: engine.name, trading: trading)
                reply.unconfirmed = lines
                reply.openOrders = lines.count
                reply.ok = lines.isEmpty
                if !lines.isEmpty { reply.error = "the venue has not confirmed everything in time" }
                return reply
            }
            usleep(10_000)
        }
    }

    private func openOrders() -> [OpenOrderLine]? { engine.visit(patience: Self.visitPatience, Self.lines) }

    private static func lines(_ agent: DecisionAgent) -> [OpenOrderLine] {
        agent.context.openOrders.map(OpenOrderLine.init)
    }

    private func hangs(_ consequence: String) -> ControlReply {
        let isGone = !engine.isRunning
        return refuse(
            isGone
                ? "the engine has ended; \(consequence)"
                : "the decision thread does not answer; \(consequence); the last guard holds trading at \(trading)")
    }
}
