import ApusLive
import ApusReplay
import ArgumentParser

struct RecordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "record",
        abstract: "Write what the market sockets receive, byte for byte, with timestamps.",
        discussion: """
            The capture can be replayed with apus replay. Venue and instruments come from the configuration (venue.kind,
            venue.symbols, ...); without one a loopback venue in this process is recorded. Ctrl-C ends it.
            """)

    @Argument(help: "The file to make; it must not exist.")
    var path: String

    @OptionGroup var options: ConfigurationOptions

    @Option(help: ArgumentHelp("Instruments with commas between (venue.symbols).", valueName: "names"))
    var symbols: String?

    @Option(help: ArgumentHelp("End after this time.", valueName: "seconds"))
    var seconds: Double?

    @Flag(help: "Print what was written as one JSON object: {path, messages, bytes, missing, seconds}.")
    var json = false

    func validate() throws {
        if let seconds, !(seconds > 0 && seconds <= 1e9) { throw ValidationError("--seconds must be above 0") }
    }

    func run() throws {
        var store = try options.load()
        if let symbols { try store.set("venue.symbols", to: symbols, flag: "--symbols") }
        let plan = try RunPlan(store, strategies: ApusProgram.strategies, allowLive: false)
        let signals = StopSignals()
        let log = Log()
        let loopback = plan.isLoopback ? try plan.startLoopback() : nil
        defer { try? loopback?.stop() }
        let configuration = try plan.live(loopback: loopback)
        let metadata = try plan.metadata(configuration, log: log, signals: signals)
        let recording = try EngineRecording(path: path, venue: configuration.venue.rawValue)
        let recorder = try LiveRecorder(configuration, metadata, tap: recording.tap)
        try recorder.start()
        log.info(
            "recording \(plan.symbols.joined(separator: ", ")) from \(plan.isLoopback ? "loopback" : plan.venueKind) to \(path)"
        )
        let narrator = try EventNarrator(attachingTo: configuration.name, symbols: plan.symbols, log: log)
        let clock = ContinuousClock()
        let begin = clock.now
        while recorder.isRunning, seconds.map({ clock.now - begin < .seconds($0) }) ?? true {
            narrator.follow()
            try recording.drain()
            if signals.wait(milliseconds: 20, keys: false) == .stop { break }
        }
        recorder.stop()
        try recording.close()
        report(recording, seconds: (clock.now - begin) / .seconds(1))
    }

    private func report(_ recording: EngineRecording, seconds: Double) {
        let passed = decimalText(Int64(seconds * 1000), decimals: 3)
        if json {
            let object: [(String, JSONText)] = [
                ("path", .string(path)), ("messages", .unsigned(recording.messages)),
                ("bytes", .unsigned(recording.bytes)),
                ("missing", .unsigned(recording.missing)), ("seconds", .number(passed)),
            ]
            return Output.line(JSONText.object(object).description)
        }
        Output.line("\(countText(recording.messages)) messages, \(bytes(recording.bytes)) in \(passed) s: \(path)")
        if recording.missing > 0 {
            Output.note(
                "apus: \(countText(recording.missing)) messages found no room and are missing; the capture says where")
        }
    }
}
