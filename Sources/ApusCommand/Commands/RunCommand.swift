import ArgumentParser

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Trade: connect, run a strategy, show what happens, end with a summary.",
        discussion: """
            Without a configuration it starts a venue on loopback in this process, which speaks the Binance USDⓈ-M protocol
            over real sockets, and lets the program's first strategy trade there. No account and no internet are needed.

            On a real venue orders are filled by a model inside the engine (mode: paper) unless the configuration says
            mode: live and --live is given. Ctrl-C, q or SIGTERM lets no new order out, cancels what is open, and prints the
            summary; exit code 1 when the venue has not confirmed that everything is canceled. apus halt, or SIGUSR1, halts
            trading and leaves the engine running; SIGUSR2 does nothing.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Option(help: ArgumentHelp("End after this time.", valueName: "seconds"))
    var seconds: Double?

    @Option(help: ArgumentHelp("The strategy (strategy.name).", valueName: "name"))
    var strategy: String?

    @Option(help: ArgumentHelp("Instruments with commas between (venue.symbols).", valueName: "names"))
    var symbols: String?

    @Flag(help: "Allow live orders on a real venue; mode: live is needed too.")
    var live = false

    @Flag(help: "Print the summary as one JSON object; log lines go to standard error.")
    var json = false

    @Flag(help: "No terminal view: log lines instead.")
    var plain = false

    @Flag(help: "Log only warnings and errors.")
    var quiet = false

    func validate() throws {
        if let seconds, !(seconds > 0 && seconds <= 1e9) { throw ValidationError("--seconds must be above 0") }
    }

    func run() throws {
        var store = try options.load()
        if let strategy { try store.set("strategy.name", to: strategy, flag: "--strategy") }
        if let symbols { try store.set("venue.symbols", to: symbols, flag: "--symbols") }
        let plan = try RunPlan(store, strategies: ApusProgram.strategies, allowLive: live)
        // Signals first: the threads that follow must not be ended by them.
        let signals = StopSignals(halts: true)
        let log = Log(level: quiet ? .warning : .info)
        let hasView = !json && !plain && Output.isTerminal
        let session = RunSession(plan, log: log, signals: signals, seconds: seconds, hasView: hasView)
        let result = try session.run()
        Output.line(json ? result.json.description : result.text)
        if !result.unconfirmed.isEmpty { throw ExitCode(ExitStatus.failure) }
    }
}
