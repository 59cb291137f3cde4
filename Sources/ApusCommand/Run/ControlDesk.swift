import Apus
import ApusEngine
import ApusLive

/// Where a running engine takes orders from people: its control socket, and a signal that halts it. Control thread.
final class ControlDesk {
    let control: EngineControl
    private let engine: LiveEngine
    private let server: ControlServer
    /// The newest transition of a breaker, and change of the gate's states, that was told.
    private var toldTransition: UInt64 = 0
    private var toldChange: UInt64 = 0
    private var journalProblem: String?
    private let log: Log

    /// Listens at `path`.
    init(_ engine: LiveEngine, path: String, limits: EngineControl.Limits?, log: Log) throws {
        let control = EngineControl(engine, limits: limits)
        server = try ControlServer(path: path, answer: { control.answer($0) }, refuse: { control.refuse($0) })
        try server.start()
        self.control = control
        self.engine = engine
        self.log = log
    }

    /// As `apus halt`, without waiting for it.
    func haltBySignal() { control.haltInBackground(reason: "signal SIGUSR1") }

    /// Tells what has changed since the last time, each change once.
    func narrate() {
        for change in control.takeTransitions() {
            let text = "trading was \(change.from) and is now \(change.to): \(change.reason)"
            change.to == .active ? log.info(text) : log.warning(text)
        }
        tellBreakers()
        tellJournal()
        guard engine.isRunning else { return }
        for change in engine.stateChanges(after: toldChange) {
            toldChange = change.number
            tell(change)
        }
    }

    private func tellBreakers() {
        guard let log = engine.breakers?.log else { return }
        for transition in log.transitions(after: toldTransition) {
            toldTransition = transition.number
            let text =
                "circuit breaker \(log.name(of: transition.breaker)) was \(transition.from) and is now \(transition.to)"
            transition.to == .closed
                ? self.log.info("\(text) (\(transition.reason))") : self.log.warning("\(text) (\(transition.reason))")
        }
    }

    private func tellJournal() {
        let problem = engine.journalLine(room: 0)?.problem
        guard problem != journalProblem else { return }
        journalProblem = problem
        if let problem { log.error("journal: \(problem)") } else { log.info("journal: all is well again") }
    }

    private func tell(_ change: RiskStateChange) {
        let who = change.strategy.map { "strategy \(engine.strategyNames[Int($0)])" } ?? "risk gate"
        let resume = change.strategy.map { "apus resume --strategy \(engine.strategyNames[Int($0)])" } ?? "apus resume"
        let text = "\(who): trading was \(change.from) and is now \(change.to)"
        switch change.cause {
        case .control, .peak: break  // told where it was asked for; told to the journal alone
        case .newDay: if change.strategy == nil { log.info("a trading day begins") }
        case .strategy, .resumed: log.info(text)
        case .dailyLoss: log.error("\(text): the daily loss limit was reached; \(resume) accepts what was lost")
        case .drawdown: log.error("\(text): the drawdown limit was reached; \(resume) accepts what was lost")
        }
    }

    func close() {
        server.stop()
        narrate()
    }
}
