import Apus
import ApusReplay
import ArgumentParser

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Run recorded market data through the decoder, the book, the ring, the engine and a strategy.",
        discussion: """
            RECORDING is told apart by itself: lines `<local_ns> <raw JSON>` (plain or gzip), a folder of REST snapshots and
            frames, a JSON array of messages, or a capture of apus record. Orders are filled by the paper model. The same
            recording gives the same result every time. Exit code 69 when it cannot be read.
            """)

    @Argument(help: "A file or a folder.")
    var recording: String

    @OptionGroup var options: ConfigurationOptions

    @Option(
        help: ArgumentHelp(
            "The venue; default: told by the messages.", valueName: "binance-usdm|binance-coinm|binance-spot|polymarket"
        ))
    var venue: String?

    @Option(help: ArgumentHelp("The strategy, or none; default: the program's first.", valueName: "name"))
    var strategy: String?

    @Option(help: ArgumentHelp("Decimals of prices.", valueName: "count"))
    var priceDecimals: Int?

    @Option(help: ArgumentHelp("Decimals of quantities.", valueName: "count"))
    var quantityDecimals: Int?

    @Option(help: ArgumentHelp("The price step; default: from the data.", valueName: "decimal"))
    var tickSize: String?

    @Option(help: ArgumentHelp("Polymarket: what the books' hashes take as smallest order.", valueName: "decimal"))
    var minOrderSize = "5"

    @Option(help: ArgumentHelp("Polymarket: whether the market is a negative-risk one.", valueName: "true|false"))
    var negRisk = false

    @Option(help: ArgumentHelp("1: at recorded speed; default: as fast as possible.", valueName: "factor"))
    var speed: Double?

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        var store = try options.load()
        if let strategy, strategy != "none" { try store.set("strategy.name", to: strategy, flag: "--strategy") }
        let isTrading = strategy != "none" && !ApusProgram.strategies.isEmpty
        let plan = isTrading ? try RunPlan(store, strategies: ApusProgram.strategies, allowLive: false) : nil
        let configuration = try makeConfiguration(store)
        let wasAsked =
            store.text("strategy.name") != nil || !store.table("strategies").isEmpty
            || !store.table("strategy.parameters").isEmpty
        let report = ReplayReport(try replay(configuration, plan, wasAsked: wasAsked))
        Output.line(json ? report.json.description : report.text)
    }

    /// A strategy that nobody asked for by name may not suit the recording's instruments; then the books alone are replayed.
    private func replay(
        _ configuration: ReplayConfiguration, _ plan: RunPlan?, wasAsked: Bool
    ) throws -> ReplayResult {
        do {
            return try Replay.run(configuration, strategies: plan?.strategies ?? [])
        } catch let error as ReplayError {
            throw CommandFailure(ExitStatus.usage, "\(error)")
        } catch let error as RecordingError {
            throw CommandFailure(ExitStatus.unavailable, "\(error)")
        } catch {
            guard let plan else { throw error }
            if wasAsked { let _: Void = try plan.locating { throw error } }
            Output.note(
                "apus: \(plan.names) does not suit this recording (\(error)); replaying without a strategy")
            return try replay(configuration, nil, wasAsked: true)
        }
    }

    private func makeConfiguration(_ store: ConfigurationStore) throws -> ReplayConfiguration {
        var configuration = ReplayConfiguration(path: recording)
        if let venue {
            guard let kind = ReplayVenue(rawValue: venue) else {
                let names = ReplayVenue.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--venue: there is no venue \(venue); there are: \(names)")
            }
            configuration.venue = kind
        }
        configuration.priceDecimals = priceDecimals
        configuration.quantityDecimals = quantityDecimals
        if let tickSize {
            do { configuration.tickSize = try ExactDecimal(tickSize) } catch {
                throw ValidationError("--tick-size: \"\(tickSize)\": \(error)")
            }
        }
        configuration.minOrderSize = minOrderSize
        configuration.negRisk = negRisk
        if let speed {
            guard speed > 0, speed.isFinite else { throw ValidationError("--speed must be above 0") }
            configuration.speed = speed
        }
        configuration.limits = { [store] in try RunPlan.limits(store, venue: $0.rawValue) }
        _ = try configuration.limits(.binanceUSDM)  // what is wrong in them is told before anything is read
        configuration.boardDepth = store.integer("engine.board_depth") ?? configuration.boardDepth
        return configuration
    }
}
