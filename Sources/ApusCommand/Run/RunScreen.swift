import ApusLive

/// The terminal view of a run, from the public mapping and the decision side's status.
final class RunScreen {
    private let engine: LiveEngine
    private let title: String
    private let log: Log
    private let monitor: EngineMonitor
    private let terminal = Terminal()
    private var previous: EngineSample?

    init(_ engine: LiveEngine, title: String, log: Log) throws {
        self.engine = engine
        self.title = title
        self.log = log
        monitor = try EngineMonitor(attachingTo: engine.name)
        log.isHeld = true
        terminal.open()
    }

    /// Gives the terminal back; log lines go to standard error again.
    func close() {
        terminal.close()
        log.isHeld = false
    }

    /// One frame.
    func draw(_ status: EngineStatus?, secondsLeft: Int?) {
        let sample = monitor.sample(levels: 8)
        let (rows, columns) = terminal.size
        let view = RunView(
            title: title, instruments: engine.instruments, sample: sample, previous: previous, status: status,
            journal: engine.journalLine(room: status?.journalRoom ?? 0),
            breakers: engine.breakers?.all.map(BreakerLine.init) ?? [],
            log: log.newest(rows), secondsLeft: secondsLeft)
        terminal.draw(view.lines(rows: rows, columns: columns))
        previous = sample
    }
}
