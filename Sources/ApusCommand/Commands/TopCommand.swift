import ApusLive
import ArgumentParser

struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Look into a running engine: books, rates, losses, latency of each hop.",
        discussion: """
            Attaches read-only to the engine's mapping in /dev/shm; the engine does not notice. Where several strategies run it is
            asked for them once a second over its control socket. Without NAME the one running engine is taken; when there are
            several they are listed. In the view, q leaves.
            Exit code 69 when there is no such engine.
            """)

    @Argument(help: "The engine's name (engine.name).")
    var name: String?

    @Option(help: ArgumentHelp("The engine's control socket; default: found by its name.", valueName: "path"))
    var socket: String?

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
        let engine = try EngineMonitor.choose(name)
        let monitor = try EngineMonitor(attachingTo: engine)
        var questions = StrategyQuestions(
            at: socket ?? ControlSocket.path(engine: engine, environment: Environment.all()))
        let look = {
            var sample = monitor.sample(levels: depth)
            sample.strategies = questions.answer()
            return sample
        }
        if once || (!json && !Output.isTerminal) {
            let sample = look()
            return Output.line(json ? sample.json.description : plain(sample))
        }
        json ? stream(look) : show(look)
    }

    private func plain(_ sample: EngineSample) -> String {
        TopView(sample, previous: nil).lines(depth: depth).map(\.plain).joined(separator: "\n")
    }

    private func stream(_ look: () -> EngineSample) {
        let signals = StopSignals()
        repeat {
            Output.line(look().json.description)
        } while signals.wait(milliseconds: interval, keys: false) != .stop
    }

    private func show(_ look: () -> EngineSample) {
        let signals = StopSignals()
        let terminal = Terminal()
        terminal.open()
        defer { terminal.close() }
        var previous: EngineSample?
        while true {
            let sample = look()
            terminal.draw(TopView(sample, previous: previous).lines(depth: depth))
            previous = sample
            let wakeup = signals.wait(milliseconds: interval, keys: true)
            if wakeup == .stop || wakeup == .key(UInt8(ascii: "q")) { return }
        }
    }
}
