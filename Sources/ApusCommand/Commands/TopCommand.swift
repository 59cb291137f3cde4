import ArgumentParser

struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Look into a running engine: books, rates, losses, latency of each hop.",
        discussion: """
            Attaches read-only to the engine's mapping in /dev/shm; the engine does not notice. Without NAME the one
            running engine is taken; when there are several they are listed. In the view, q leaves.
            Exit code 69 when there is no such engine.
            """)

    @Argument(help: "The engine's name (engine.name).")
    var name: String?

    @Flag(help: "Print one look and end; the default when standard output is not a terminal.")
    var once = false

    @Flag(help: "Print JSON: one object with --once, else one object a line for each look.")
    var json = false

    @Option(help: ArgumentHelp("Time between two looks.", valueName: "milliseconds"))
    var interval = 250

    @Option(help: ArgumentHelp("Levels a side of each book.", valueName: "levels"))
    var depth = 5

    func validate() throws {
        guard (10...60_000).contains(interval) else { throw ValidationError("--interval must be 10 to 60000") }
        guard (0...1024).contains(depth) else { throw ValidationError("--depth must be 0 to 1024") }
    }

    func run() throws {
        let monitor = try EngineMonitor(attachingTo: EngineMonitor.choose(name))
        if once || (!json && !Output.isTerminal) {
            let sample = monitor.sample(levels: depth)
            return Output.line(json ? sample.json.description : plain(sample))
        }
        json ? stream(monitor) : show(monitor)
    }

    private func plain(_ sample: EngineSample) -> String {
        TopView(sample, previous: nil).lines(depth: depth).map(\.plain).joined(separator: "\n")
    }

    private func stream(_ monitor: EngineMonitor) {
        let signals = StopSignals()
        repeat {
            Output.line(monitor.sample(levels: depth).json.description)
        } while signals.wait(milliseconds: interval, keys: false) != .stop
    }

    private func show(_ monitor: EngineMonitor) {
        let signals = StopSignals()
        let terminal = Terminal()
        terminal.open()
        defer { terminal.close() }
        var previous: EngineSample?
        while true {
            let sample = monitor.sample(levels: depth)
            terminal.draw(TopView(sample, previous: previous).lines(depth: depth))
            previous = sample
            let wakeup = signals.wait(milliseconds: interval, keys: true)
            if wakeup == .stop || wakeup == .key(UInt8(ascii: "q")) { return }
        }
    }
}
