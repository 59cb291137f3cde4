/// A JSON value whose objects keep the order in which they were made, and whose numbers keep their digits.
package indirect enum JSONText: Sendable, CustomStringConvertible {
    case null
    case bool(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    /// A number that was already written out, such as an exact decimal.
    case number(String)
    case string(String)
    case array([JSONText])
    case object([(String, JSONText)])

    /// A floating-point number with as many digits as it needs; null where JSON has no word for it.
    package static func double(_ value: Double) -> JSONText { value.isFinite ? .number("\(value)") : .null }

    /// A text, or null.
    package static func optional(_ text: String?) -> JSONText { text.map { .string($0) } ?? .null }

    /// The whole value on one line.
    package var description: String {
        var text = ""
        write(to: &text)
        return text
    }

    private func write(to text: inout String) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += "\(value)"
        case .unsigned(let value): text += "\(value)"
        case .number(let digits): text += digits
        case .string(let value): text += quoted(value)
        case .array(let items): writeRow(items, "[", "]", to: &text) { $0.write(to: &$1) }
        case .object(let members):
            writeRow(members, "{", "}", to: &text) { member, text in
                text += quoted(member.0) + ":"
                member.1.write(to: &text)
            }
        }
    }
}

private func writeRow<Item>(
    _ items: [Item], _ open: String, _ close: String, to text: inout String, item write: (Item, inout String) -> Void
) {
    text += open
    for (index, item) in items.enumerated() {
        if index > 0 { text += "," }
        write(item, &text)
    }
    text += close
}

private func quoted(_ value: String) -> String {
    var text = "\""
    for scalar in value.unicodeScalars {
        switch scalar {
        case "\"": text += "\\\""
        case "\\": text += "\\\\"
        case "\n": text += "\\n"
        case "\t": text += "\\t"
        case _ where scalar.value < 0x20:
            let digits = String(scalar.value, radix: 16)
            text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: text.unicodeScalars.append(scalar)
        }
    }
    return text + "\""
}
