/// A line of a terminal view: pieces of text, each with one style, so that it can be cut to a width before it is coloured.
package struct StyledLine: Equatable, Sendable {
    package enum Style: Equatable, Sendable {
        case plain, faint, strong, good, warning, bad, bid, ask

        fileprivate var code: String {
            switch self {
            case .plain: "0"
            case .faint: "2"
            case .strong: "1"
            case .good, .bid: "32"
            case .warning: "33"
            case .bad, .ask: "31"
            }
        }
    }

    private var pieces: [(text: String, style: Style)] = []

    package init(_ text: String = "", _ style: Style = .plain) {
        if !text.isEmpty { pieces = [(text, style)] }
    }

    /// Adds text behind what is there.
    package mutating func add(_ text: String, _ style: Style = .plain) { pieces.append((text, style)) }

    /// The characters without styles.
    package var plain: String { pieces.map(\.text).joined() }

    /// Characters, not bytes.
    package var width: Int { pieces.reduce(0) { $0 + $1.text.count } }

    /// The line with blanks behind it up to a width.
    package func filled(to width: Int) -> StyledLine {
        var line = self
        let missing = width - self.width
        if missing > 0 { line.add(String(repeating: " ", count: missing)) }
        return line
    }

    /// This line with another one behind it.
    package func followed(by other: StyledLine) -> StyledLine {
        var line = self
        line.pieces += other.pieces
        return line
    }

    /// At most `width` characters of the line, with ANSI colours.
    package func coloured(width: Int) -> String {
        var left = width
        var text = ""
        for piece in pieces where left > 0 {
            let shown = piece.text.prefix(left)
            left -= shown.count
            text += piece.style == .plain ? String(shown) : "\u{1B}[\(piece.style.code)m\(shown)\u{1B}[0m"
        }
        return text
    }

    package static func == (left: StyledLine, right: StyledLine) -> Bool {
        left.pieces.elementsEqual(right.pieces) { $0 == $1 }
    }
}

/// Puts columns of lines beside each other, `gap` blanks apart.
package func sideBySide(_ columns: [[StyledLine]], gap: Int) -> [StyledLine] {
    let widths = columns.map { lines in lines.map(\.width).max() ?? 0 }
    let height = columns.map(\.count).max() ?? 0
    return (0..<height).map { row in
        var line = StyledLine()
        for (column, lines) in columns.enumerated() {
            let cell = row < lines.count ? lines[row] : StyledLine()
            let isLast = column == columns.count - 1
            line = line.followed(by: isLast ? cell : cell.filled(to: widths[column] + gap))
        }
        return line
    }
}
