package import Apus
internal import CApusRing

/// The decision loop: events and reports in, the strategy's decisions out, through the risk gate alone.
///
/// A turn drains reports, then events, then timers, each in a bounded batch. In steady state it does not allocate,
/// count references, lock or make a system call.
///
/// Unchecked: it is made by one thread and handed to the one that runs its turns; two threads never use it at once.
package final class DecisionAgent: Agent, @unchecked Sendable {
    let feed: any FeedSource
    let sink: any OrderSink
    let table: InstrumentTable
    let orders: OrderTable
    let box: AnyStrategyBox
    let configuration: EngineConfiguration
    let producer: OrderProducer
    // Memory of its own for what changes with every event: no exclusivity checks, no moves.
    let life: UnsafeMutablePointer<OrderLife>
    let gate: UnsafeMutablePointer<RiskGate>
    let timers: UnsafeMutablePointer<TimerTable>
    let core: UnsafeMutablePointer<ContextCore>
    let state: UnsafeMutablePointer<DecisionState>
    let reports: UnsafeMutablePointer<apus_queue>
    let counters: UnsafeMutablePointer<apus_counters>
    /// The time of the newest turn, for the hot thread: it cancels what is open when this one stands still.
    private let decided: UnsafeMutablePointer<UInt64>
    /// Where intents, reports and changes of state are written down; nil: nowhere.
    let journal: JournalPort?
    let breakers: BreakerLog?
    let venueFamily: VenueFamily

    /// An agent that starts at the newest event. Instruments are those of the feed's directory, in its order.
    /// - Throws: `InstrumentError`, `RiskLimitError`, or what the strategy's `make` throws; each names the key.
    package init(
        strategy: StrategyDescription, parameters: [String: String] = [:], instruments: [InstrumentDefinition],
        feed: any FeedSource, sink: any OrderSink, time: TimeSource, configuration: EngineConfiguration,
        journal: JournalPort? = nil
    ) throws {
        let (box, complete) = try strategy.instantiate(parameters)
        let table = InstrumentTable(board: feed.view.pointee.board)
        let orders = OrderTable(capacity: configuration.orderCapacity)
        var gate = try RiskGate(
            configuration.limits, instruments: table, orders: orders, trading: sink.queues.pointee.trading,
            strategies: [strategy.name])
        gate.wallOffset = time.realtimeOffset
        if let breakers = configuration.breakers, !configuration.venueBreaker.isEmpty {
            gate.attach(breakers.named(configuration.venueBreaker))
        }
        for definition in instruments { try gate.add(table.add(definition)) }
        self.feed = feed
        self.sink = sink
        self.box = box
        self.table = table
        self.configuration = configuration
        self.journal = journal
        producer = OrderProducer(sink.queues)
        reports = sink.queues.pointee.reports
        counters = feed.view.pointee.counters
        self.orders = orders
        breakers = configuration.breakers?.log
        venueFamily = VenueFamily(venue: instruments.first?.venue ?? "")
        decided = sink.queues.pointee.decided
        life = .allocate(capacity: 1)
        life.initialize(
            to: OrderLife(
                orders, reconcilePause: configuration.reconcilePause, lateArrival: configuration.lateArrival))
        self.gate = .allocate(capacity: 1)
        self.gate.initialize(to: gate)
        timers = .allocate(capacity: 1)
        timers.initialize(to: TimerTable())
        state = .allocate(capacity: 1)
        state.initialize(to: DecisionState(reader: apus_public_reader(feed.view, false), time: time))
        core = .allocate(capacity: 1)
        core.initialize(
            to: ContextCore(
                instruments: table.records, instrumentCount: table.count, orders: orders.records, open: orders.open,
                desk: Self.desk(Unmanaged.passUnretained(self).toOpaque()), startBalance: configuration.startBalance,
                parameters: complete))
    }

    deinit {
        core.deinitialize(count: 1)
        core.deallocate()
        state.deallocate()
        timers.deinitialize(count: 1)
        timers.deallocate()
        gate.deinitialize(count: 1)
        gate.deallocate()
        life.deinitialize(count: 1)
        life.deallocate()
    }

    /// The instruments, for the control plane's tables. Between turns, by the thread that runs them.
    package var instruments: InstrumentTable { table }
    package var context: Context { Context(core) }
    /// Orders that venue or guard refused, and the newest code. Between turns, by the thread that runs them.
    package var rejections: (count: UInt64, code: Int32, isGuards: Bool) {
        let newest = life.pointee.newestRejection
        return (life.pointee.rejections, newest.code, newest.isGuards)
    }

    /// Adds an instrument that was subscribed while running, with the next number. Between turns, by the thread that
    /// runs them.
    package func add(_ definition: InstrumentDefinition) throws {
        let instrument = try table.add(definition)
        try gate.pointee.add(instrument)
        apply(rates: configuration, instrument)
        core.pointee.instrumentCount = table.count
        note(instrument: table.count - 1, core.pointee.now)
    }

    // MARK: Its life

    /// Tells the strategy to start; books that are already live follow in the first turn. Once, before the first turn.
    /// - Throws: what the strategy throws: it does not want to run.
    package func start(_ now: UInt64) throws {
        advance(now)
        state.pointee.startTime = now
        prepareAccount(now)
        markAllForResync()
        try box.start(context)
        shareOrders()
    }

    /// Tells the strategy to stop. New orders are refused from now on; cancels pass. Turns may follow, for the last
    /// reports.
    package func stop(_ now: UInt64) {
        advance(now)
        gate.pointee.isStopped = true
        box.stop(context)
    }

    package func turn(_ now: UInt64) -> Int {
        state.pointee.turnTime = now
        apus_flag_set(decided, now)
        if journal != nil { noteTrading(now) }
        let reports = drainReports()
        let events = drainEvents()
        var work = reports + events
        if state.pointee.resyncs > 0 { work += resync() }
        if timers.pointee.earliest <= now { work += fireTimers(now) }
        if state.pointee.nextQuery <= now { work += askAboutOrders(now) }
        if state.pointee.nextRisk <= now || gate.pointee.mustCancel { work += lookAfterRisk(now) }
        gate.pointee.observe(now)
        if gate.pointee.states.count != state.pointee.notedChange { noteStateChanges(now) }
        if let breakers, apus_flag(breakers.counter) != state.pointee.notedTransition { noteTransitions(now) }
        if work == 0 { state.pointee.time.discipline(now) }
        return work
    }

    package var nextDue: UInt64? { due == .max ? nil : due }

    /// As `nextDue`; `.max` for nil.
    @inline(__always)
    var due: UInt64 { min(timers.pointee.earliest, state.pointee.nextQuery, state.pointee.nextRisk) }

    /// Whether another turn at that time would find something to do. Simulated time only, where nobody else writes.
    @inline(__always)
    func isBusy(_ now: UInt64) -> Bool {
        due <= now || state.pointee.resyncs > 0 || apus_queue_waiting(reports)
            || apus_feed_waiting(&state.pointee.reader)
    }

    // MARK: Time

    /// `Context.now` never runs backwards, whatever the stamps of events and reports.
    @inline(__always)
    func advance(_ time: UInt64) {
        if time > core.pointee.now { core.pointee.now = time }
    }

    /// Starts the measurement of a decision. Returns the time, 0 when it is simulated.
    @inline(__always)
    func beginDecision() -> UInt64 {
        if state.pointee.time.isSimulated { return 0 }
        let now = state.pointee.time.read()
        state.pointee.decisionStart = now
        return now
    }

    // MARK: Timers

    private func fireTimers(_ now: UInt64) -> Int {
        var fired = 0
        while fired < TimerTable.capacity, let (timer, time) = timers.pointee.takeDue(now) {
            advance(state.pointee.time.isSimulated ? time : now)
            _ = beginDecision()
            box.timer(timer, context)
            fired += 1
        }
        return fired
    }
}

/// What changes with every event.
struct DecisionState {
    var reader: apus_feed_reader
    var report = apus_report()
    var time: TimeSource
    var decisionStart: UInt64 = 0
    var turnTime: UInt64 = 0
    var startTime: UInt64 = 0
    /// The trading state that the journal knows.
    var notedTrading: UInt64 = 0
    /// The newest change of the risk gate's states that it knows.
    var notedChange: UInt64 = 0
    /// The newest transition of a circuit breaker that it knows.
    var notedTransition: UInt64 = 0
    /// Instruments whose book must be read from the board.
    var resyncs = 0
    var lostBefore: UInt64 = 0
    var nextQuery: UInt64 = .max
    /// Orders that wait for the rate.
    var waiting = WaitingOrders()
    /// When the result is valued next, and when what waits for the risk gate goes on.
    var nextRisk: UInt64 = .max
    var nextOrder: UInt32 = 1
    var events: UInt64 = 0
    var strangers: UInt64 = 0
    var orders: UInt64 = 0
    var cancels: UInt64 = 0
    var modifies: UInt64 = 0
    var queries: UInt64 = 0

    init(reader: apus_feed_reader, time: TimeSource) {
        self.reader = reader
        self.time = time
    }
}
