import Foundation

/// The page docs/PERFORMANCE.md: its table and pictures are written by the program, everything else by people.
struct Document {
    let folder: String
    private static let begin = "<!-- measured: begin -->", end = "<!-- measured: end -->"

    init(folder: String) { self.folder = folder }

    private var page: String { folder + "/PERFORMANCE.md" }

    /// Replaces what stands between the page's two marks, and draws the plots.
    ///
    /// - Throws: `BenchmarkError` when the page has no such marks, or the run is not a whole one.
    func renew(_ report: Report, isComplete: Bool) throws {
        guard isComplete, report.failures.isEmpty, report.missing.isEmpty else {
            throw BenchmarkError(
                "\(page) shows one whole run: leave out --only and --quick, and mend what failed or is missing")
        }
        let old = try String(contentsOfFile: page, encoding: .utf8)
        guard let begin = old.range(of: Self.begin), let end = old.range(of: Self.end),
            begin.upperBound <= end.lowerBound
        else { throw BenchmarkError("\(page) lacks the lines \(Self.begin) and \(Self.end)") }
        let plots = folder + "/plots"
        try FileManager.default.createDirectory(atPath: plots, withIntermediateDirectories: true)
        for row in report.rows {
            guard let plot = row.plot else { continue }
            try Drawing(plot).svg.write(toFile: "\(plots)/\(row.name).svg", atomically: true, encoding: .utf8)
        }
        let text = old[..<begin.upperBound] + "\n\n" + body(report) + "\n\n" + old[end.lowerBound...]
        try String(text).write(toFile: page, atomically: true, encoding: .utf8)
    }

    private func body(_ report: Report) -> String {
        let machine = report.machine
        var lines = ["\(machine.cores) × \(machine.processor), Linux \(machine.kernel), \(machine.date).", ""]
        lines.append("| " + Table.heading.joined(separator: " | ") + " |")
        lines.append("|" + String(repeating: " --- |", count: Table.heading.count))
        for row in report.rows { lines.append("| " + Table.cells(row).joined(separator: " | ") + " |") }
        for row in report.rows {
            lines += ["", "### \(row.name)", "", row.work]
            if !row.note.isEmpty { lines += ["", row.note] }
            lines += row.missing.flatMap { ["", $0] }
            if row.peers.count > 1 {
                let all = row.peers.map { "\($0.name) \(short($0.median))" }.joined(separator: ", ")
                lines += ["", "All peers, \(row.unit): \(all)."]
            }
            if row.plot != nil { lines += ["", "![\(row.name)](plots/\(row.name).svg)"] }
        }
        return lines.joined(separator: "\n")
    }
}
