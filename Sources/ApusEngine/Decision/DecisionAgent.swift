package import Apus
internal import CApusRing

/// The decision loop: events and reports in, the strategies' decisions out, through the risk gate alone.
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
    /// The strategy; several as one.
    let box: AnyStrategyBox
    /// The same, where the account is split among several.
    let fanOut: StrategyFanOut?
    private let ledger: StrategyLedger?
    package let settings: [StrategySetting]
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
    /// - Throws: `InstrumentError`, `RiskLimitError`, `StrategySettingError`, or what a strategy's `make` throws; each names
    ///   the key.
    package init(
        strategies: [StrategySetting], instruments: [InstrumentDefinition], feed: any FeedSource, sink: any OrderSink,
        time: TimeSource, configuration: EngineConfiguration, journal: JournalPort? = nil
    ) throws {
        try Self.check(strategies, instruments)
        let made = try strategies.map { setting in
            let (box, parameters) = try setting.blaming { try setting.description.instantiate(setting.parameters) }
            return (setting: setting, box: box, parameters: parameters)
        }
        let table = InstrumentTable(board: feed.view.pointee.board)
        let orders = OrderTable(capacity: configuration.orderCapacity)
        let ledger =
            Self.isSplit(strategies, configuration)
            ? StrategyLedger(strategies: strategies.count, instruments: table.capacity) : nil
        let rows = ledger?.rows ?? StrategyRows()
        var gate = try RiskGate(
            configuration.limits, instruments: table, orders: orders, trading: sink.queues.pointee.trading,
            strategies: strategies.map(\.name), rows: rows)
        gate.wallOffset = time.realtimeOffset
        if let breakers = configuration.breakers, !configuration.venueBreaker.isEmpty {
            gate.attach(breakers.named(configuration.venueBreaker))
        }
        for definition in instruments { try gate.add(table.add(definition)) }
        self.feed = feed
        self.sink = sink
        settings = strategies
        self.ledger = ledger
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
                orders, reconcilePause: configuration.reconcilePause, lateArrival: configuration.lateArrival,
                rows: rows))
        self.gate = .allocate(capacity: 1)
        self.gate.initialize(to: gate)
        timers = .allocate(capacity: 1)
        timers.initialize(to: TimerTable(strategies: strategies.count))
        state = .allocate(capacity: 1)
        state.initialize(to: DecisionState(reader: apus_public_reader(feed.view, false), time: time))
        core = .allocate(capacity: 1)
        fanOut = rows.isSplit ? StrategyFanOut(made, capacity: table.capacity) : nil
        box = fanOut ?? made[0].box
        core.initialize(
            to: ContextCore(
                at: core, instruments: table, orders: orders.records, open: orders.open,
                desk: Self.desk(Unmanaged.passUnretained(self).toOpaque()), parameters: made[0].parameters))
        if let fanOut {
            fanOut.open(
                core.pointee, table,
                positions: strategies.indices.map { rows.block(UInt8($0)).pointer(to: \.position)! },
                stride: MemoryLayout<StrategyRow>.stride, openCounts: orders.openByStrategy)
            core.pointee.strategy = Order.nobody
        }
    }

    /// An engine of one strategy.
    package convenience init(
        strategy: StrategyDescription, parameters: [String: String] = [:], instruments: [InstrumentDefinition],
        feed: any FeedSource, sink: any OrderSink, time: TimeSource, configuration: EngineConfiguration,
        journal: JournalPort? = nil
    ) throws {
        try self.init(
            strategies: [StrategySetting(strategy, parameters: parameters)], instruments: instruments, feed: feed,
            sink: sink, time: time, configuration: configuration, journal: journal)
    }

    /// Whether what is whose must be told apart: one strategy without limits of its own that trades everything has everything.
    package static func isSplit(_ strategies: [StrategySetting], _ configuration: EngineConfiguration) -> Bool {
        configuration.keepsApart || strategies.count > 1 || !strategies[0].symbols.isEmpty
            || configuration.limits.strategies[strategies[0].name] != nil
    }

    private static func check(_ strategies: [StrategySetting], _ instruments: [InstrumentDefinition]) throws {
        precondition(!strategies.isEmpty, "an engine runs a strategy")
        var names: Set<String> = []
        for setting in strategies {
            func refuse(_ reason: String) -> StrategySettingError {
                StrategySettingError(strategy: setting.name, reason: reason)
            }
            guard names.insert(setting.name).inserted else { throw refuse("another one has that name") }
            for symbol in setting.symbols where !instruments.contains(where: { $0.symbol == symbol }) {
                throw refuse("the engine has no instrument \(symbol)")
            }
        }
        guard strategies.count <= APUS_STRATEGIES_MAX else {
            throw StrategySettingError(
                strategy: strategies[Int(APUS_STRATEGIES_MAX)].name,
                reason: "an engine runs at most \(APUS_STRATEGIES_MAX)")
        }
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
    /// What the whole account sees; one strategy that has everything sees the same.
    package var context: Context { Context(core) }
    /// What the strategy of that name sees; nil: there is none.
    package func context(of strategy: String) -> Context? {
        guard let number = settings.firstIndex(where: { $0.name == strategy }) else { return nil }
        return fanOut?.context(number) ?? context
    }
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
        fanOut?.add(instrument)
        note(instrument: table.count - 1, core.pointee.now)
    }

    // MARK: Its life

    /// Tells the strategies to start; books that are already live follow in the first turn. Once, before the first turn.
    /// - Throws: what a strategy throws: it does not want to run.
    package func start(_ now: UInt64) throws {
        advance(now)
        state.pointee.startTime = now
        prepareAccount(now)
        markAllForResync()
        if fanOut != nil { try box.start(context) } else { try settings[0].blaming { try box.start(context) } }
        shareOrders()
    }

    /// Tells the strategies to stop. New orders are refused from now on; cancels pass. Turns may follow, for the last
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
    /// When a day's peak may be written down again.
    var nextPeak: UInt64 = 0
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
