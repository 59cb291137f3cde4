import ArgumentParser
import CApusRing

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what costs latency on this machine, how to mend it, and what the engine can reach here.",
        discussion: """
            Measures the machine's floor for about two seconds: a cache line between two cores, clocks, loopback, a wake-up,
            memory, and the pauses in which something else had the core. The cores are those of engine.hot_cpu and
            engine.decide_cpu, or two of its own choice. Whatever else runs meanwhile shows in the figures.

            Exit code 0 unless something makes running impossible; then 69.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Flag(
        name: [.customLong("quick"), .customLong("no-measure")],
        help: "Measure nothing; look at the system's settings alone.")
    var quick = false

    @Option(help: ArgumentHelp("How long to measure; longer shows rarer pauses.", valueName: "seconds"))
    var seconds = 2.0

    @Flag(
        help: """
            Print JSON: {findings: [{name, value, status, why, mend}], ok, floor, reach}; times in nanoseconds, floor and \
            reach null with --quick.
            """)
    var json = false

    func validate() throws {
        guard (0.1...3600).contains(seconds) else { throw ValidationError("--seconds must be 0.1 to 3600") }
    }

    func run() throws {
        let store = try options.load()
        try RunPlan.checkProcessors(store)
        let machine = Machine.this()
        let findings = Doctor(machine, mappedBytes: mappedBytes(store)).examine()
        let possible = !findings.contains { $0.status == .bad }
        let report = quick ? nil : measure(store, machine)
        if json {
            let members: [(String, JSONText)] = [
                ("findings", .array(findings.map(\.json))), ("ok", .bool(possible)),
                ("floor", report?.floorJSON ?? .null), ("reach", report?.reachJSON ?? .null),
            ]
            Output.line(JSONText.object(members).description)
        } else {
            Output.line(table(findings) + (report.map { "\n\n" + $0.text } ?? ""))
        }
        if !possible { throw ExitCode(ExitStatus.unavailable) }
    }

    private func measure(_ store: ConfigurationStore, _ machine: Machine) -> FloorReport {
        func cpu(_ key: String) -> Int32 { Int32(store.integer(key) ?? -1) }
        let allowed = FloorMeasurement.allowed(machine)
        let cpus = FloorCPUs(
            allowed: allowed, hot: cpu("engine.hot_cpu"), decide: cpu("engine.decide_cpu"), machine: machine)
        let floor = FloorMeasurement(cpus, seconds: seconds) { Output.progress("measuring: \($0)") }.run()
        Output.progress("")
        return FloorReport(floor, Reach(floor, allowedCores: allowed.count, machine: machine))
    }

    private func table(_ findings: [Finding]) -> String {
        let rows = findings.map { [$0.status.rawValue, $0.name, $0.value] }
        let lines = TextTable(columns: ["", "WHAT", "FOUND"], rows: rows).text.split(
            separator: "\n", omittingEmptySubsequences: false)
        return zip(lines, [nil] + findings.map(Optional.some)).map { line, finding in
            guard let finding, finding.status != .ok else { return String(line) }
            return "\(line)\n        \(finding.why)\n        mend: \(finding.mend)"
        }.joined(separator: "\n")
    }

    // What apus_public_create and apus_private_create map, but for the rounding to pages.
    private func mappedBytes(_ store: ConfigurationStore) -> UInt64 {
        let slots = UInt64(store.integer("engine.feed_slots") ?? Int(APUS_FEED_SLOTS_DEFAULT))
        let instruments = UInt64(store.integer("engine.instruments") ?? Int(APUS_INSTRUMENTS_DEFAULT))
        let depth = UInt32(store.integer("engine.board_depth") ?? Int(APUS_BOARD_DEPTH_DEFAULT))
        let entry = apus_board_stride(depth) + UInt64(MemoryLayout<apus_directory_entry>.size)
        let words = UInt64(APUS_HOT_COUNTERS.rawValue + APUS_DECIDE_COUNTERS.rawValue) * 8
        let counters = words + UInt64(APUS_HOPS.rawValue) * UInt64(MemoryLayout<apus_histogram>.size)
        let queues = [APUS_ORDER_SLOTS, APUS_REPORT_SLOTS, APUS_COMMAND_SLOTS].reduce(0) { $0 + apus_queue_bytes($1) }
        return slots * UInt64(APUS_CACHE_LINE) + instruments * entry + counters + UInt64(queues) + 8 * UInt64(APUS_PAGE)
    }
}
