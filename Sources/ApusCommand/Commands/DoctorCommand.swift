import ArgumentParser
import CApusRing

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what costs latency on this machine, and how to mend it.",
        discussion: "Exit code 0 unless something makes running impossible; then 69.")

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Print JSON: {findings: [{name, value, status, why, mend}], ok}.")
    var json = false

    func run() throws {
        let store = try options.load()
        let findings = Doctor(.this(), mappedBytes: mappedBytes(store)).examine()
        let possible = !findings.contains { $0.status == .bad }
        if json {
            Output.line(
                JSONText.object([("findings", .array(findings.map(\.json))), ("ok", .bool(possible))]).description)
        } else {
            Output.line(table(findings))
        }
        if !possible { throw ExitCode(ExitStatus.unavailable) }
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
