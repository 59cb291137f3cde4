import ApusLive
import ArgumentParser

/// The engine that a command is for, and how its answer is shown.
struct ControlOptions: ParsableArguments {
    @Argument(help: "The engine's name (engine.name); default: the one that is running.")
    var engine: String?

    @Option(help: ArgumentHelp("The engine's control socket; default: found by its name.", valueName: "path"))
    var socket: String?

    @Flag(help: "Print the engine's answer, one JSON object.")
    var json = false

    /// Sends the request and shows the answer; one that was not done as asked ends with exit code 1.
    func ask(
        _ request: ControlRequest, patience: Duration = .seconds(10), text: (ControlReply) -> String
    ) throws {
        let name = try EngineMonitor.choose(engine)
        let path = socket ?? ControlSocket.path(engine: name, environment: Environment.all())
        let (line, reply) = try ControlClient.ask(request, at: path, patience: patience)
        Output.line(json ? line : text(reply))
        if !reply.ok { throw ExitCode(ExitStatus.failure) }
    }
}

/// What people read of an answer: the state, what was not done, and orders that may still be open.
func controlText(_ reply: ControlReply) -> String {
    if reply.openOrders == nil, let error = reply.error { return "\(reply.engine): NOT DONE: \(error)" }
    var lines = [
        "\(reply.engine): trading is \(reply.trading), \(reply.openOrders.map(String.init) ?? "?") orders open"
    ]
    for strategy in reply.strategies ?? [] where "\(strategy.state)" != reply.trading {
        lines.append("strategy \(strategy.name) is \(strategy.state), \(strategy.openOrders) orders open")
    }
    if let error = reply.error { lines.append("NOT DONE: \(error)") }
    if let unconfirmed = reply.unconfirmed, !unconfirmed.isEmpty { lines.append(unconfirmedText(unconfirmed)) }
    return lines.joined(separator: "\n")
}

/// The orders that may still be open at the venue, and what to do about them.
func unconfirmedText(_ orders: [OpenOrderLine]) -> String {
    let count = "\(orders.count) order\(orders.count == 1 ? " is" : "s are")"
    return
        (["WARNING    \(count) not confirmed as ended:"] + orders.map { "  \($0.text)" }
        + [
            "  look at the venue's list of open orders and cancel them there; or stop the engine and run apus reconcile --apply"
        ])
        .joined(separator: "\n")
}

struct HaltCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "halt",
        abstract: "Let no new order out of a running engine, and cancel what is open.",
        discussion: """
            In force before the command returns, also for orders that were already decided. Cancels always pass. The command
            waits until the venue has confirmed that nothing is open and lists what it has not confirmed; exit code 1 then.
            apus resume opens trading again. The signal SIGUSR1 does the same without an answer.
            """)

    @OptionGroup var options: ControlOptions

    @Option(help: ArgumentHelp("Only this strategy.", valueName: "name"))
    var strategy: String?

    @Flag(help: "Cancel open orders; the default.")
    var cancel = false

    @Flag(help: "Leave open orders where they are.")
    var keepOrders = false

    @Option(help: ArgumentHelp("Why, for the log.", valueName: "text"))
    var reason: String?

    @Option(help: ArgumentHelp("How long to wait for the venue.", valueName: "seconds"))
    var wait = 5.0

    func validate() throws {
        guard !(cancel && keepOrders) else { throw ValidationError("--cancel and --keep-orders exclude each other") }
        guard (0...600).contains(wait) else { throw ValidationError("--wait must be 0 to 600") }
    }

    func run() throws {
        var request = ControlRequest(.halt)
        request.strategy = strategy
        request.cancel = !keepOrders
        request.reason = reason ?? "apus halt"
        request.patienceMilliseconds = Int(wait * 1000)
        try options.ask(request, patience: .seconds(wait + 10), text: controlText)
    }
}

struct ReduceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reduce",
        abstract: "Let only orders out of a running engine that make positions smaller.",
        discussion: "Open orders stay. apus resume ends it.")

    @OptionGroup var options: ControlOptions

    @Option(help: ArgumentHelp("Only this strategy.", valueName: "name"))
    var strategy: String?

    @Option(help: ArgumentHelp("Why, for the log.", valueName: "text"))
    var reason: String?

    func run() throws {
        var request = ControlRequest(.reduce)
        request.strategy = strategy
        request.reason = reason ?? "apus reduce"
        try options.ask(request, text: controlText)
    }
}

struct ResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Open trading again after apus halt or apus reduce.",
        discussion: "Exit code 1 when something else keeps trading closed, which it names: a strategy's own halt, say.")

    @OptionGroup var options: ControlOptions

    @Option(help: ArgumentHelp("Only this strategy.", valueName: "name"))
    var strategy: String?

    @Option(help: ArgumentHelp("Why, for the log.", valueName: "text"))
    var reason: String?

    func run() throws {
        var request = ControlRequest(.resume)
        request.strategy = strategy
        request.reason = reason ?? "apus resume"
        try options.ask(request, text: controlText)
    }
}
