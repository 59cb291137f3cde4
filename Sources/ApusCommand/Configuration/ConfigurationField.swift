/// What a configured value may be.
package enum ConfigurationKind: Equatable, Sendable {
    case text
    case choice([String])
    case integer(ClosedRange<Int>)
    /// A power of two in the range.
    case powerOfTwo(ClosedRange<Int>)
    /// A decimal number that is not negative, kept as its text: money is never a floating-point number here.
    case decimal
    case boolean
    /// A list of texts.
    case list
    /// Names and scalars that the user chooses, such as a strategy's parameters.
    case table
    /// A list of sections, each with a `name`; kept as a table with the entries `<name>.<key>`.
    case sections

    /// How a person is told what is expected.
    package var expectation: String {
        switch self {
        case .text: "a text"
        case .choice(let names): "one of " + names.joined(separator: ", ")
        case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .powerOfTwo(let range): "a power of two from \(range.lowerBound) to \(range.upperBound)"
        case .decimal: "a decimal number, zero or more, such as 0.25"
        case .boolean: "true or false"
        case .list: "a list of texts"
        case .table: "a table of names and values"
        case .sections: "a list of sections, each with a name"
        }
    }

    /// Whether it is kept as a table.
    var isTable: Bool { self == .table || self == .sections }

    /// Why a scalar's text is not of this kind, or nil when it is.
    package func refusal(of text: String) -> String? {
        switch self {
        case .text: return text.isEmpty ? "it is empty" : nil
        case .choice(let names):
            if names.contains(text) { return nil }
            let hint = closest(to: text, among: names).map { "; did you mean \($0)?" } ?? ""
            return "\"\(text)\" is not \(expectation)\(hint)"
        case .integer(let range):
            guard let value = Int(text) else { return "\"\(text)\" is not \(expectation)" }
            return range.contains(value) ? nil : "\(value) is out of range: it must be \(expectation)"
        case .powerOfTwo(let range):
            guard let value = Int(text) else { return "\"\(text)\" is not \(expectation)" }
            let fits = range.contains(value) && value > 0 && value & (value - 1) == 0
            return fits ? nil : "\(value) is out of range: it must be \(expectation)"
        case .decimal: return isDecimal(text) ? nil : "\"\(text)\" is not \(expectation)"
        case .boolean: return text == "true" || text == "false" ? nil : "\"\(text)\" is not \(expectation)"
        case .list, .table, .sections: return "it must be \(expectation)"
        }
    }
}

/// One key of the configuration.
package struct ConfigurationField: Sendable {
    /// Dotted, lower case, for example `engine.feed_slots`.
    package let key: String
    package let kind: ConfigurationKind
    /// What holds when nobody sets it; nil when that depends on other keys.
    package let standard: ConfigurationValue?
    /// One line for people.
    package let help: String

    package init(_ key: String, _ kind: ConfigurationKind, _ standard: ConfigurationValue?, _ help: String) {
        self.key = key
        self.kind = kind
        self.standard = standard
        self.help = help
    }

    /// The variable that overrides it: `engine.idle` is `APUS_ENGINE_IDLE`.
    package var variable: String {
        "APUS_" + key.uppercased().map { $0 == "." ? "_" : $0 }.reduce(into: "") { $0.append($1) }
    }
}

/// A value as it was written.
package enum ConfigurationValue: Equatable, Sendable {
    case scalar(String)
    case list([String])
    /// In the order of writing.
    case table([ConfigurationParameter])
}

/// One entry of a table.
package struct ConfigurationParameter: Equatable, Sendable {
    package let name: String
    package let value: String
    package let origin: ConfigurationOrigin

    package init(name: String, value: String, origin: ConfigurationOrigin) {
        self.name = name
        self.value = value
        self.origin = origin
    }
}

private func isDecimal(_ text: String) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count) else { return false }
    return parts.allSatisfy { part in !part.isEmpty && part.utf8.allSatisfy { (48...57).contains($0) } }
}

/// The name nearest to a mistyped one, if it is near at all.
package func closest(to text: String, among names: [String]) -> String? {
    let ranked = names.map { (name: $0, distance: editDistance(text.lowercased(), $0)) }
    guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= max(1, min(text.count, best.name.count) / 3) ? best.name : nil
}

// Levenshtein distance by the two-row method.
private func editDistance(_ first: String, _ second: String) -> Int {
    let left = Array(first), right = Array(second)
    var previous = Array(0...right.count)
    for (row, a) in left.enumerated() {
        var current = [row + 1]
        for (column, b) in right.enumerated() {
            let replaced = previous[column] + (a == b ? 0 : 1)
            current.append(min(replaced, previous[column + 1] + 1, current[column] + 1))
        }
        previous = current
    }
    return previous[right.count]
}
