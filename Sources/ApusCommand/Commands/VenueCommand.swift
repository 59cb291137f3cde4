import ApusVenue
import ApusVenueServer
import ArgumentParser

struct VenueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "venue",
        abstract: "Run a venue on loopback that speaks a real venue's protocol.",
        discussion: """
            Market streams, order entry and user stream on one port, with a matching engine and simulated participants behind
            them; or, with --play, a recording. It listens on 127.0.0.1 alone. Ctrl-C ends it.

            Faults: \(FaultOptions.names).
            """)

    @Option(
        help: ArgumentHelp(
            "The protocol: \(VenueProtocol.names.joined(separator: ", ")).", valueName: "protocol"))
    var kind = VenueProtocol.binanceUSDM

    @Option(help: ArgumentHelp("Port for plain connections; 0 takes a free one.", valueName: "port"))
    var port = 9080

    @Option(help: ArgumentHelp("Port for TLS connections; 0 takes a free one. Default: none.", valueName: "port"))
    var tlsPort: Int?

    @Option(help: ArgumentHelp("Where to write the certificate that clients must trust, PEM.", valueName: "file"))
    var certificate: String?

    @Option(
        help: ArgumentHelp(
            """
            Instruments with commas between; binance-usdm: BTCUSDT (the default), ETHUSDT, SOLUSDT; polymarket: token ids, or \
            any names to make markets of; deriv: R_10, R_50, R_100, 1HZ10V, 1HZ100V (the default: all).
            """,
            valueName: "names"))
    var symbols: String?

    @Option(help: ArgumentHelp("What the participants do follows from it.", valueName: "number"))
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("How busy the market is: still, calm, real, brisk, fast.", valueName: "name"))
    var speed = "real"

    @Option(
        help: ArgumentHelp("Random faults in a million messages, such as gap=100,disconnect=5.", valueName: "rates"))
    var faults: String?

    @Option(
        help: ArgumentHelp(
            "One fault at a time or after a count of messages, such as freeze@2s or gap@1000; may be repeated.",
            valueName: "fault@when"))
    var fault: [String] = []

    @Option(
        help: ArgumentHelp("binance-usdm: play a recording in place of the simulated market.", valueName: "recording"))
    var play: String?

    @Option(help: ArgumentHelp("Recorded seconds that pass in one; 0: as fast as possible.", valueName: "factor"))
    var playSpeed = 1.0

    @Option(
        help: ArgumentHelp(
            """
            An account; may be repeated. Default: one with new keys. binance-usdm: key:secret or key:ed25519:PUBLIC_KEY; polymarket: 0xSIGNER or \
            0xSIGNER:TYPE:0xFUNDER; deriv: id:token, with an id that begins with VR for a demo account.
            """, valueName: "account"))
    var account: [String] = []

    @Flag(help: "Enforce the real venue's rate limits.")
    var limits = false

    @Flag(help: "Print where it listens and the accounts as one JSON object.")
    var json = false

    func validate() throws {
        for port in [port, tlsPort].compactMap({ $0 }) where !(0...65_535).contains(port) {
            throw ValidationError("--port and --tls-port must be 0 to 65535")
        }
    }

    func run() throws {
        let signals = StopSignals()
        let venue = try start()
        announce(venue)
        while signals.wait(milliseconds: 60_000, keys: false) != .stop {}
        try venue.stop()
    }

    private func start() throws -> LaunchedVenue {
        guard let pace = MarketSpeed.named(speed) else {
            throw ValidationError("--speed: there is no speed \(speed); there are: still, calm, real, brisk, fast")
        }
        var plan = FaultPlan(rules: try fault.map(FaultOptions.rule))
        if let faults { plan.rates = try FaultOptions.rates(faults) }
        let names = (symbols ?? "").split(separator: ",").map { $0.filter { !$0.isWhitespace } }
        let launch = VenueLaunch(
            symbols: names, accounts: account, seed: seed, speed: pace, faults: plan, enforcesLimits: limits,
            server: VenueServerConfiguration(port: port, tlsPort: tlsPort, certificatePath: certificate))
        guard let play else { return try launch.start(kind) }
        guard kind == .binanceUSDM else { throw ValidationError("--play: only binance-usdm plays recordings") }
        return try launch.startBinance(
            playing: VenuePlayback(path: play, speed: playSpeed == 0 ? .infinity : playSpeed))
    }

    private func announce(_ venue: LaunchedVenue) {
        if json {
            func rows(_ list: [[(name: String, value: String)]]) -> JSONText {
                .array(list.map { row in JSONText.object(row.map { ($0.name, .string($0.value)) }) })
            }
            let object: [(String, JSONText)] = [
                ("kind", .string(kind.rawValue)), ("port", venue.port.map { .integer(Int64($0)) } ?? .null),
                ("tls_port", venue.tlsPort.map { .integer(Int64($0)) } ?? .null),
                ("certificate", .optional(certificate)), ("accounts", rows(venue.accounts)),
                ("instruments", rows(venue.instruments)),
            ]
            return Output.line(JSONText.object(object).description)
        }
        if let port = venue.port { Output.line("plain    http://127.0.0.1:\(port)   ws://127.0.0.1:\(port)") }
        if let port = venue.tlsPort { Output.line("TLS      https://127.0.0.1:\(port)   wss://127.0.0.1:\(port)") }
        if let certificate { Output.line("trust    \(certificate)") }
        for (title, rows) in [("account ", venue.accounts), ("trades  ", venue.instruments)] {
            for row in rows {
                for (index, field) in row.enumerated() {
                    Output.line("\(index == 0 ? title : "        ") \(field.name) \(field.value)")
                }
            }
        }
        Output.line("Ctrl-C ends it")
    }
}
