import Glibc

/// What the user is told beside the results: to standard error, or, while a view is open, into the view.
///
/// It belongs to the control thread.
package final class Log {
    package enum Level: Int, Sendable, CaseIterable {
        case error, warning, info

        var name: String {
            switch self {
            case .error: "error"
            case .warning: "warn "
            case .info: "info "
            }
        }
    }

    package struct Line: Sendable {
        package let level: Level
        package let text: String
    }

    /// Lines above this level are dropped.
    package var level: Level
    /// While true, lines are only kept.
    package var isHeld = false
    private var kept: [Line] = []
    private static let room = 200

    package init(level: Level = .info) { self.level = level }

    package func info(_ text: String) { write(.info, text) }
    package func warning(_ text: String) { write(.warning, text) }
    package func error(_ text: String) { write(.error, text) }

    /// The newest lines, oldest first.
    package func newest(_ count: Int) -> [Line] { Array(kept.suffix(count)) }

    private func write(_ level: Level, _ text: String) {
        guard level.rawValue <= self.level.rawValue else { return }
        let line = "\(timeOfDay()) \(level.name) \(text)"
        kept.append(Line(level: level, text: line))
        if kept.count > Self.room { kept.removeFirst(kept.count - Self.room) }
        if !isHeld { Output.note(line) }
    }

    private func timeOfDay() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        localtime_r(&now.tv_sec, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let milliseconds = "\(1000 + now.tv_nsec / 1_000_000)".dropFirst()
        return "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(milliseconds)"
    }
}
