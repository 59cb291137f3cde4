import Apus
import ApusEngine
import CApusProtocol
import CApusWire
import Glibc
import Synchronization

/// A running engine: market data from sockets, strategies, and orders to the venue or to the paper model.
///
/// Made, started and stopped by the control side; in between its agents belong to the threads that it starts. Unchecked for that
/// reason: the agents are handed over at the start and taken back after the threads have ended.
package final class LiveEngine: @unchecked Sendable {
    /// The name of the public mapping.
    package let name: String
    /// In the order of the feed's numbers.
    package let instruments: [InstrumentDefinition]
    let feed: LiveFeed
    let agent: DecisionAgent
    let paper: PaperVenue?
    let configuration: LiveConfiguration
    let mailbox: StatusMailbox
    let door = DecisionDoor()
    /// The names of the strategies that run, by their number.
    package let strategyNames: [String]
    let journal: EngineJournal?
    private let keeper: JournalKeeper?
    private let journalThread = Mutex<JournalThread?>(nil)
    let stopRequested = Atomic<Bool>(false)
    let hasEnded = Atomic<Bool>(false)
    private var threads: [EngineThread] = []
    private var isStarted = false

    /// Makes everything and connects to nothing.
    ///
    /// - Throws: `LiveError`, and what `DecisionAgent` says of strategy, parameters, limits and instruments.
    /// - Parameters:
    ///   - tap: where market messages are copied to for a recorder; it must outlive the engine.
    ///   - journal: where every intent and report is written down; the engine starts from what it holds.
    package init(
        _ configuration: LiveConfiguration, _ metadata: VenueMetadata, strategies: [StrategySetting],
        tap: UnsafeMutablePointer<apus_tap>? = nil, journal: EngineJournal? = nil
    ) throws {
        self.configuration = configuration
        name = configuration.name
        strategyNames = strategies.map(\.name)
        instruments = metadata.instruments
        feed = try LiveFeed(configuration, metadata, tap: tap)
        let sink: any OrderSink
        if case .paper(let model) = configuration.orders {
            let paper = try PaperVenue(feed: feed, instruments: metadata.instruments, configuration: model)
            self.paper = paper
            sink = paper
        } else {
            paper = nil
            sink = LiveOrders(feed)
        }
        self.journal = journal
        keeper = try journal.map { try Self.keeper($0, rings: sink.queues) }
        agent = try DecisionAgent(
            strategies: strategies, instruments: metadata.instruments, feed: feed, sink: sink,
            time: .live(apus_wire_clock(feed.wire).pointee), configuration: configuration.engine,
            journal: keeper.map(Self.port))
        mailbox = StatusMailbox(instruments: Int(configuration.instruments))
    }

    /// Starts the strategy and then the threads; the sessions connect.
    ///
    /// - Throws: what the strategy throws when it does not want to run, or `LiveError`.
    package func start() throws {
        let now = apus_clock_now(apus_wire_clock(feed.wire))
        try restore(now)
        try agent.start(now)
        isStarted = true
        switch configuration.placement {
        case .shared:
            threads = [try .start(name: "apus-engine", cpu: configuration.hotCPU) { [self] in runShared() }]
        case .dedicated:
            try check(apus_wire_start(feed.wire), "cannot start the hot thread (engine.hot_cpu)")
            threads = [try .start(name: "apus-decide", cpu: configuration.decideCPU) { [self] in runDecisions() }]
        }
    }

    /// Positions and orders, or nil when the decision thread has not answered yet. Control side, one thread.
    package func status() -> EngineStatus? { mailbox.take() }

    /// Writes into a journal what recovery has found, without trading: a run that ends as it begins.
    package static func settle(
        _ configuration: LiveConfiguration, _ metadata: VenueMetadata, _ journal: EngineJournal
    ) throws {
        let nobody = StrategyDescription(name: "reconcile", summary: "") { _ in Nobody() }
        var configuration = configuration
        configuration.engine.limits.strategies = [:]
        // What is whose stays so, and what was found is nobody's in every later replay too.
        configuration.engine.keepsApart = journal.opened.state.strategies.isSplit
        let engine = try LiveEngine(
            configuration, metadata, strategies: [StrategySetting(nobody, name: "")], journal: journal)
        try engine.restore(apus_clock_now(apus_wire_clock(engine.feed.wire)))
        engine.closeJournal()
    }

    /// Changes of the gate's states after that number, oldest first; empty when the decision thread does not answer. Control side.
    package func stateChanges(after number: UInt64) -> [RiskStateChange] {
        visit(patience: .milliseconds(100)) { agent in
            var changes: [RiskStateChange] = []
            while let next = agent.stateChange(after: changes.last?.number ?? number) { changes.append(next) }
            return changes
        } ?? []
    }

    /// What is held of each instrument; nil when the decision thread does not answer. Control side.
    package func held() -> [Quantity]? {
        visit(patience: .seconds(2)) { agent in
            agent.context.instruments.map { agent.context.position(of: $0).quantity }
        }
    }

    /// Orders of which a fill is taken in that no trade has told of; nil when the decision thread does not answer. Control side.
    package func assumedOrders() -> [KnownOrder]? { visit(patience: .seconds(2)) { $0.assumedOrders } }

    /// Takes in what the venue says that was traded of those orders. Returns those that are left; nil as above. Control side.
    package func take(_ trades: [VenueTrade], of orders: [KnownOrder]) -> [KnownOrder]? {
        visit(patience: .seconds(2)) { agent in
            agent.take(trades, of: orders)
            return agent.assumedOrders
        }
    }

    private static func keeper(
        _ journal: EngineJournal, rings: UnsafeMutablePointer<apus_private>
    ) throws(LiveError) -> JournalKeeper {
        let opened = journal.opened
        do {
            return try JournalKeeper(
                opened.configuration, opened.folder, records: opened.state.records, run: journal.run.run_tag,
                rings: rings, wall: apus_clock_realtime())
        } catch { throw LiveError("\(error)") }
    }

    private static func port(_ keeper: JournalKeeper) -> JournalPort {
        JournalPort(
            keeper.writer, holdsOrders: keeper.configuration.policy == .each,
            segmentRecords: keeper.configuration.segmentRecords)
    }

    /// Goes on from what recovery has found, and writes that down as the begin of the new run.
    private func restore(_ now: UInt64) throws {
        guard let journal, let keeper else { return }
        do {
            try agent.restore(journal.opened.state, wall: apus_clock_realtime(), monotonic: now)
        } catch { throw LiveError("\(error)") }
        agent.openJournal(journal.run, now)
        agent.write(journal.corrections, now)
        let thread = try JournalThread.start(keeper)
        journalThread.withLock { $0 = thread }
    }

    /// The program's circuit breakers.
    package var breakers: CircuitBreakers? { configuration.engine.breakers }

    /// How far the journal is; nil without one. `room` is what the decision side says of it.
    package func journalLine(room: UInt64) -> JournalLine? {
        guard let keeper, let thread = journalThread.withLock({ $0 }) else { return nil }
        return JournalLine(
            path: keeper.configuration.path, written: apus_journal_published(keeper.writer),
            durable: apus_journal_durable(keeper.writer), room: room, problem: thread.problem)
    }

    /// What a person, a signal and the journal let through; a day's limit and a strategy's own word may be stricter.
    /// Any thread.
    package var trading: TradingState {
        TradingState(rawValue: UInt8(clamping: apus_trading_outside(queues.pointee.trading))) ?? .halted
    }

    /// In force for the very next order, also those that wait in the ring; a halt while the run ends is the next run's too. False when
    /// the journal is closed, so that nobody would remember it. Control side.
    func set(trading state: TradingState) -> Bool {
        ending.withLock { ending in
            if ending.isOver { return false }
            if ending.state != nil && state == .halted { ending.state = .halted }
            apus_flag_set(controlWord, UInt64(state.rawValue))
            return true
        }
    }

    private var controlWord: UnsafeMutablePointer<UInt64> {
        queues.pointee.trading + Int(APUS_TRADING_CONTROL.rawValue)
    }

    private var queues: UnsafeMutablePointer<apus_private> { paper?.queues ?? feed.rings }

    /// Runs `body` between two turns of the decision side, or returns nil when that does not come by in time. Control side.
    func visit<Value: Sendable>(
        patience: Duration, _ body: @escaping @Sendable (DecisionAgent) -> Value
    ) -> Value? {
        guard isRunning else { return nil }
        return door.visit(patience: patience, wake: { apus_wire_wake(feed.wire) }, body)
    }

    /// Bytes that each thread has allocated since it started, and the events that the decision side has read by then; nil where
    /// jemalloc does not count. A moment's view, renewed when the threads are idle.
    package func allocations() -> Allocations? {
        let counters = feed.view.pointee.counters
        let hot = apus_counter(apus_counters_hot(counters, APUS_COUNT_HOT_ALLOCATED.rawValue))
        let decide = apus_counter(apus_counters_decide(counters, APUS_COUNT_DECIDE_ALLOCATED.rawValue))
        guard hot > 0, decide > 0 else { return nil }
        return Allocations(
            hot: hot - 1, decide: decide - 1,
            events: apus_counter(apus_counters_decide(counters, APUS_COUNT_EVENTS_READ.rawValue)))
    }

    /// Whether the engine still works; false also when a command or the stop flag has ended it.
    package var isRunning: Bool { isStarted && !hasEnded.load(ordering: .acquiring) }

    /// Lets no new order out, cancels what is open, waits until the venue has confirmed that or `patience` is over, closes the
    /// connections, and says what was done. Orders that are still open then are in the summary.
    package func stop(patience: Duration = .seconds(3)) -> EngineSummary {
        end()
        stopPatience.store(UInt64(max(patience, .zero) / .nanoseconds(1)), ordering: .relaxed)
        stopRequested.store(true, ordering: .releasing)
        apus_wire_wake(feed.wire)
        for thread in threads { thread.join() }
        threads = []
        if isStarted { _ = apus_wire_stop(feed.wire, Self.closePatience) }
        closeJournal()
        return agent.summary
    }

    /// Lets no new order out any more, also none that waits in the ring. The run ends; `stop` follows. Control side.
    func end() {
        ending.withLock { ending in
            if ending.state == nil {
                ending.state = TradingState(rawValue: UInt8(clamping: apus_flag(controlWord))) ?? .halted
            }
            apus_flag_set(controlWord, UInt64(TradingState.halted.rawValue))
        }
    }

    private func closeJournal() {
        guard let thread = journalThread.withLock({ $0 }) else { return }
        // The halt of this stop is over with it: the next run starts with what a person or a limit has said.
        ending.withLock { ending in
            if let state = ending.state { apus_flag_set(controlWord, UInt64(state.rawValue)) }
            ending.isOver = true
        }
        let now = apus_clock_now(apus_wire_clock(feed.wire))
        _ = agent.turn(now)
        agent.closeJournal(now)
        thread.stop()
        journalThread.withLock { $0 = nil }
    }

    /// Orders that the venue has not confirmed as ended. After `stop`.
    package var unconfirmed: [OpenOrderLine] { agent.context.openOrders.map(OpenOrderLine.init) }

    /// The same, as the account is asked about them.
    package var unconfirmedOrders: [KnownOrder] { agent.openRecords.map(KnownOrder.init) }

    /// What trading was when the run began to end, and whether the journal has been told.
    private let ending = Mutex<(state: TradingState?, isOver: Bool)>((nil, false))
    let stopPatience = Atomic<UInt64>(0)
    static let closePatience: UInt64 = 2_000_000_000
}

/// The order and report rings of the order session.
///
/// Unchecked: it only leads to the rings, each end of which has its own thread.
final class LiveOrders: OrderSink, @unchecked Sendable {
    private let feed: LiveFeed
    var queues: UnsafeMutablePointer<apus_private> { feed.rings }

    init(_ feed: LiveFeed) { self.feed = feed }
}

/// A strategy that does nothing.
private struct Nobody: Strategy {}
