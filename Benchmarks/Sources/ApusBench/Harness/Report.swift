import Foundation

/// All that a run has measured.
struct Report: Codable {
    let machine: MachineDescription
    let isQuick: Bool
    var rows: [Row] = []
    var failures: [Failure] = []
    /// Not measured, as their input is not there.
    var missing: [Failure] = []
}

/// A benchmark that was not run, and why.
struct Failure: Codable {
    let name: String
    let reason: String
}

/// Where it was measured.
struct MachineDescription: Codable {
    let processor: String
    let cores: Int
    let kernel: String
    let date: String

    static func this() -> MachineDescription {
        let information = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let model = information.split(separator: "\n").first { $0.hasPrefix("model name") }
        let name = model?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
        let kernel = try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8)
        let has512 = information.contains("avx512bw") ? "with AVX-512" : "without AVX-512"
        return MachineDescription(
            processor: "\(name ?? "unknown processor") \(has512)", cores: ProcessInfo.processInfo.activeProcessorCount,
            kernel: kernel?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown",
            date: Date().formatted(.iso8601.year().month().day()))
    }
}

/// The table for people.
struct Table {
    private let report: Report

    init(_ report: Report) { self.report = report }

    static let heading = ["work", "unit", "ours", "p99", "floor", "peer", "× floor", "× peer", "goal"]

    /// The cells of a row, as `heading` names them.
    static func cells(_ row: Row) -> [String] {
        func named(_ figure: Figure?) -> String { figure.map { "\(short($0.median)) \($0.name)" } ?? "-" }
        return [
            row.name, row.unit, short(row.ours.median), row.ours.p99.map(short) ?? "-", named(row.floor),
            named(row.bestPeer), row.ratioToFloor.map(short) ?? "-", row.ratioToPeer.map(short) ?? "-",
            row.goals.map(verdict).joined(separator: "; "),
        ]
    }

    private static func verdict(_ goal: Goal) -> String {
        let value = goal.value.map { " (\(short($0)))" } ?? ""
        switch goal.isMet {
        case true?: return "met: \(goal.text)\(value)"
        case false?: return "MISSED: \(goal.text)\(value)"
        case nil: return "not judged: \(goal.text)"
        }
    }

    var text: String {
        let rows = [Self.heading] + report.rows.map(Self.cells)
        var widths = [Int](repeating: 0, count: Self.heading.count)
        for row in rows { for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.count) } }
        var lines = rows.map { row in
            row.enumerated().map { column, cell in
                column + 1 == row.count ? cell : cell.padding(to: widths[column] + 1)
            }.joined(separator: " ")
        }
        for row in report.rows {
            for missing in row.missing { lines.append("\(row.name): \(missing)") }
            if !row.note.isEmpty { lines.append("\(row.name): \(row.note)") }
        }
        for missing in report.missing { lines.append("\(missing.name) not measured: \(missing.reason)") }
        for failure in report.failures { lines.append("\(failure.name) FAILED: \(failure.reason)") }
        return lines.joined(separator: "\n")
    }
}
