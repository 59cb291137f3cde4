import ApusReplay
import ApusVenue
import ApusVenueServer
import ArgumentParser

struct VenueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "venue",
        abstract: "Run a venue on loopback that speaks the Binance USDⓈ-M protocol.",
        discussion: """
            Market streams, REST, WebSocket API and user stream on one port, with a matching engine and simulated participants
            behind them; or, with --play, a recording. It listens on 127.0.0.1 alone. Ctrl-C ends it.

            Faults: \(FaultOptions.names).
            """)

    @Option(help: ArgumentHelp("Port for plain connections; 0 takes a free one.", valueName: "port"))
    var port = 9080

    @Option(help: ArgumentHelp("Port for TLS connections; 0 takes a free one. Default: none.", valueName: "port"))
    var tlsPort: Int?

    @Option(help: ArgumentHelp("Where to write the certificate that clients must trust, PEM.", valueName: "file"))
    var certificate: String?

    @Option(help: ArgumentHelp("Instruments with commas between: BTCUSDT, ETHUSDT, SOLUSDT.", valueName: "names"))
    var symbols = "BTCUSDT"

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

    @Option(help: ArgumentHelp("Play a recording in place of the simulated market.", valueName: "recording"))
    var play: String?

    @Option(help: ArgumentHelp("Recorded seconds that pass in one; 0: as fast as possible.", valueName: "factor"))
    var playSpeed = 1.0

    @Option(
        help: ArgumentHelp(
            "An account, key:secret; may be repeated. Default: one with a new key.", valueName: "key:secret"))
    var account: [String] = []

    @Flag(help: "Enforce the real venue's rate limits.")
    var limits = false

    @Flag(help: "Print where it listens and the accounts as one JSON object.")
    var json = false

    func run() throws {
        let signals = StopSignals()
        let accounts = try makeAccounts()
        let server = try start(accounts)
        announce(server, accounts)
        while signals.wait(milliseconds: 60_000, keys: false) != .stop {}
        try blocking { try await server.stop() }
    }

    private func makeAccounts() throws -> [AccountConfiguration] {
        if account.isEmpty { return [AccountConfiguration(apiKey: randomHex(64), secret: randomHex(64))] }
        return try account.map { text in
            let pair = text.split(separator: ":", maxSplits: 1).map(String.init)
            guard pair.count == 2 else { throw ValidationError("--account: expected key:secret") }
            return AccountConfiguration(apiKey: pair[0], secret: pair[1])
        }
    }

    private func start(_ accounts: [AccountConfiguration]) throws -> VenueServer {
        guard let pace = MarketSpeed.named(speed) else {
            throw ValidationError("--speed: there is no speed \(speed); there are: still, calm, real, brisk, fast")
        }
        let names = symbols.split(separator: ",").map { $0.filter { !$0.isWhitespace } }
        var plan = FaultPlan(rules: try fault.map(FaultOptions.rule))
        if let faults { plan.rates = try FaultOptions.rates(faults) }
        let configuration = VenueConfiguration(
            symbols: try names.map(symbolConfiguration), accounts: accounts, seed: seed, speed: pace,
            rateLimits: RateLimitConfiguration(enforced: limits), faults: plan)
        let server = VenueServerConfiguration(
            venue: configuration, port: port, tlsPort: tlsPort, certificatePath: certificate)
        let factor = playSpeed == 0 ? .infinity : playSpeed
        let path = play
        if let path { _ = try Recording(path: path) }  // a bad path is told here, not by the venue's thread
        do {
            return try blocking {
                try await VenueServer.start(server) { venue in
                    if let path { playRecording(path, on: venue, speed: factor) }
                }
            }
        } catch let error as VenueConfigurationError {
            throw CommandFailure(ExitStatus.usage, "\(error)")
        } catch {
            throw CommandFailure(ExitStatus.unavailable, "cannot start the venue: \(error)")
        }
    }

    private func announce(_ server: VenueServer, _ accounts: [AccountConfiguration]) {
        if json {
            let rows = accounts.map {
                JSONText.object([("api_key", .string($0.apiKey)), ("secret", .string($0.secret))])
            }
            let object: [(String, JSONText)] = [
                ("port", server.port.map { .integer(Int64($0)) } ?? .null),
                ("tls_port", server.tlsPort.map { .integer(Int64($0)) } ?? .null),
                ("certificate", .optional(certificate)), ("accounts", .array(rows)),
            ]
            return Output.line(JSONText.object(object).description)
        }
        if let port = server.port { Output.line("plain    http://127.0.0.1:\(port)   ws://127.0.0.1:\(port)") }
        if let port = server.tlsPort { Output.line("TLS      https://127.0.0.1:\(port)   wss://127.0.0.1:\(port)") }
        if let certificate { Output.line("trust    \(certificate)") }
        for account in accounts { Output.line("account  key \(account.apiKey)\n         secret \(account.secret)") }
        Output.line("Ctrl-C ends it")
    }
}

/// Lets the venue play a recording; what cannot be read ends the playback with a word on standard error.
private func playRecording(_ path: String, on venue: Venue, speed: Double) {
    do {
        let reader = try Recording(path: path).reader()
        venue.play(speed: speed) {
            do {
                return try reader.next().map { RecordedLine(time: Int64($0.time), payload: Array($0.bytes)) }
            } catch {
                Output.note("apus: \(error)")
                return nil
            }
        }
    } catch {
        Output.note("apus: \(error)")
    }
}
