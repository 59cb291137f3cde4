import Glibc

/// The process's standard streams by file descriptor, without buffers that could be lost or mixed.
package enum Output {
    /// What was asked for: results, tables, JSON.
    package static func line(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }

    /// What is said beside it: progress, warnings, errors.
    package static func note(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

    /// Text without a line end.
    package static func raw(_ text: String) { write(text, to: STDOUT_FILENO) }

    /// A line on standard error that the next one takes the place of; an empty one takes it away. Said to terminals only.
    package static func progress(_ text: String) {
        if movesCursor(STDERR_FILENO) { write("\r\u{1B}[K" + text, to: STDERR_FILENO) }
    }

    /// Whether standard output is a terminal that understands cursor movement.
    package static var isTerminal: Bool { movesCursor(STDOUT_FILENO) }

    private static func movesCursor(_ descriptor: Int32) -> Bool {
        guard isatty(descriptor) == 1 else { return false }
        return getenv("TERM").map { String(cString: $0) != "dumb" } ?? false
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var waited = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&waited, 1, 1000)
            } else if errno != EINTR {
                return  // nobody reads any more, and there is nobody left to tell
            }
        }
    }
}

/// How a command ends; `apus help` documents the numbers.
package enum ExitStatus {
    /// The job was done.
    package static let success: Int32 = 0
    /// The job failed while it ran.
    package static let failure: Int32 = 1
    /// The command line or the configuration is wrong; nothing was started.
    package static let usage: Int32 = 64
    /// Something that is needed is not there: a file, an engine, a venue.
    package static let unavailable: Int32 = 69
}
