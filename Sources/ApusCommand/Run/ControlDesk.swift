import ApusLive

/// Where a running engine takes orders from people: its control socket, and a signal that halts it. Control thread.
final class ControlDesk {
    let control: EngineControl
    private let server: ControlServer
    private let log: Log

    /// Listens at `path`.
    init(_ engine: LiveEngine, path: String, log: Log) throws {
        let control = EngineControl(engine)
        server = try ControlServer(path: path, answer: { control.answer($0) }, refuse: { control.refuse($0) })
        try server.start()
        self.control = control
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
    }

    func close() {
        server.stop()
        narrate()
    }
}
