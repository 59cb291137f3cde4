import Glibc

/// A terminal in full-screen mode: draws whole frames, reads single keys, and leaves the screen as it found it.
///
/// It belongs to one thread.
package final class Terminal {
    private var saved = termios()
    private let keysReadable: Bool
    private var isOpen = false

    package init() {
        keysReadable = tcgetattr(STDIN_FILENO, &saved) == 0
    }

    deinit { close() }

    /// Switches to the alternate screen and to reading keys one by one.
    package func open() {
        guard !isOpen else { return }
        isOpen = true
        if keysReadable {
            var raw = saved
            raw.c_lflag &= ~tcflag_t(ICANON | ECHO)  // ISIG stays: Ctrl-C comes as a signal wherever it is typed
            tcsetattr(STDIN_FILENO, TCSANOW, &raw)
        }
        Output.raw("\u{1B}[?1049h\u{1B}[?25l")
    }

    /// Gives the screen back. Safe to call twice.
    package func close() {
        guard isOpen else { return }
        isOpen = false
        if keysReadable { tcsetattr(STDIN_FILENO, TCSANOW, &saved) }
        Output.raw("\u{1B}[?25h\u{1B}[?1049l")
    }

    /// Rows and columns as they are now, so that a resized window is right at the next frame.
    package var size: (rows: Int, columns: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0, size.ws_col > 0 else {
            return (24, 80)
        }
        return (Int(size.ws_row), Int(size.ws_col))
    }

    /// Replaces what is on the screen. One write, so that nothing flickers.
    package func draw(_ lines: [StyledLine]) {
        let (rows, columns) = size
        var frame = "\u{1B}[H"
        for (row, line) in lines.prefix(rows).enumerated() {
            if row > 0 { frame += "\r\n" }
            frame += line.coloured(width: columns) + "\u{1B}[K"
        }
        Output.raw(frame + "\u{1B}[J")
    }
}
