/// A JSON value that keeps the order of keys and the text of numbers: a signature is over the text a client wrote, and
/// a price must not pass through floating point.
enum JSONValue: Equatable {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([JSONMember])

    subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The value as a parameter's text; nil for what no parameter can be.
    var parameterText: String? {
        switch self {
        case .string(let text), .number(let text): text
        case .bool(let value): value ? "true" : "false"
        case .null, .array, .object: nil
        }
    }

    /// Appends the value as JSON.
    func write(to out: inout [UInt8]) {
        switch self {
        case .null: out.append("null")
        case .bool(let value): out.append(bool: value)
        case .number(let text): out.append(text: text)
        case .string(let text): out.append(quotedText: text)
        case .array(let values):
            out.append(91)
            for (index, value) in values.enumerated() {
                if index > 0 { out.append(44) }
                value.write(to: &out)
            }
            out.append(93)
        case .object(let members):
            out.append(123)
            for (index, member) in members.enumerated() {
                if index > 0 { out.append(44) }
                out.append(quotedText: member.key)
                out.append(58)
                member.value.write(to: &out)
            }
            out.append(125)
        }
    }
}

struct JSONMember: Equatable {
    var key: String
    var value: JSONValue
}

/// Where a JSON text broke.
struct JSONError: Error, Equatable {
    var offset: Int
    var reason: String
}

/// A small strict parser, RFC 8259, for the requests of clients.
struct JSONParser {
    static let maxDepth = 16

    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Parses one whole text; anything but spaces after the value is an error.
    static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        var parser = JSONParser(bytes)
        let value = try parser.value()
        parser.skipSpace()
        guard parser.position == bytes.count else { throw parser.error("text after the value") }
        return value
    }

    private func error(_ reason: String) -> JSONError { JSONError(offset: position, reason: reason) }

    private mutating func skipSpace() {
        while position < bytes.count, [32, 9, 10, 13].contains(bytes[position]) { position += 1 }
    }

    private mutating func value() throws(JSONError) -> JSONValue {
        skipSpace()
        guard position < bytes.count else { throw error("a value is missing") }
        switch bytes[position] {
        case 123: return try object()
        case 91: return try array()
        case 34: return .string(try text())
        case 116: return try literal("true", .bool(true))
        case 102: return try literal("false", .bool(false))
        case 110: return try literal("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func literal(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        let end = position + word.utf8CodeUnitCount
        let expected = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        guard end <= bytes.count, bytes[position..<end].elementsEqual(expected) else { throw error("an unknown word") }
        position = end
        return value
    }

    private mutating func object() throws(JSONError) -> JSONValue {
        try enter()
        var members: [JSONMember] = []
        if consume(125) { return leave(.object(members)) }
        repeat {
            skipSpace()
            guard position < bytes.count, bytes[position] == 34 else { throw error("a key is missing") }
            let key = try text()
            guard consume(58) else { throw error("a colon is missing") }
            members.append(JSONMember(key: key, value: try value()))
        } while consume(44)
        guard consume(125) else { throw error("an object is not closed") }
        return leave(.object(members))
    }

    private mutating func array() throws(JSONError) -> JSONValue {
        try enter()
        var values: [JSONValue] = []
        if consume(93) { return leave(.array(values)) }
        repeat { values.append(try value()) } while consume(44)
        guard consume(93) else { throw error("an array is not closed") }
        return leave(.array(values))
    }

    private mutating func enter() throws(JSONError) {
        position += 1
        depth += 1
        guard depth <= Self.maxDepth else { throw error("nested too deeply") }
    }

    private mutating func leave(_ value: JSONValue) -> JSONValue {
        depth -= 1
        return value
    }

    private mutating func consume(_ byte: UInt8) -> Bool {
        skipSpace()
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func number() throws(JSONError) -> String {
        let start = position
        if position < bytes.count, bytes[position] == 45 { position += 1 }
        let whole = digits()
        guard whole > 0 else { throw error("a number has no digits") }
        let first = bytes[position - whole]
        guard whole == 1 || first != 48 else { throw error("a number begins with zero") }
        if position < bytes.count, bytes[position] == 46 {
            position += 1
            guard digits() > 0 else { throw error("a number ends with its point") }
        }
        if position < bytes.count, bytes[position] | 32 == 101 {
            position += 1
            if position < bytes.count, bytes[position] == 43 || bytes[position] == 45 { position += 1 }
            guard digits() > 0 else { throw error("an exponent has no digits") }
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() -> Int {
        let start = position
        while position < bytes.count, (48...57).contains(bytes[position]) { position += 1 }
        return position - start
    }

    private mutating func text() throws(JSONError) -> String {
        position += 1
        var out: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case 34:
                position += 1
                guard let text = String(validating: out, as: UTF8.self) else { throw error("a string is not UTF-8") }
                return text
            case 92:
                position += 1
                try escape(into: &out)
            case 0..<32: throw error("a control character in a string")
            default:
                out.append(byte)
                position += 1
            }
        }
        throw error("a string is not closed")
    }

    private mutating func escape(into out: inout [UInt8]) throws(JSONError) {
        guard position < bytes.count else { throw error("a string is not closed") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case 34, 47, 92: out.append(byte)
        case 98: out.append(8)
        case 102: out.append(12)
        case 110: out.append(10)
        case 114: out.append(13)
        case 116: out.append(9)
        case 117: try unicodeEscape(into: &out)
        default: throw error("an unknown escape")
        }
    }

    private mutating func unicodeEscape(into out: inout [UInt8]) throws(JSONError) {
        var scalar = UInt32(try hexUnit())
        if (0xD800..<0xDC00).contains(scalar) {
            guard position + 1 < bytes.count, bytes[position] == 92, bytes[position + 1] == 117 else {
                throw error("half a surrogate pair")
            }
            position += 2
            let low = UInt32(try hexUnit())
            guard (0xDC00..<0xE000).contains(low) else { throw error("half a surrogate pair") }
            scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let unicode = Unicode.Scalar(scalar) else { throw error("half a surrogate pair") }
        out.append(contentsOf: String(Character(unicode)).utf8)
    }

    private mutating func hexUnit() throws(JSONError) -> UInt16 {
        guard position + 4 <= bytes.count else { throw error("an escape is cut short") }
        let text = String(decoding: bytes[position..<(position + 4)], as: UTF8.self)
        guard text.utf8.allSatisfy({ ($0 | 32) >= 97 || (48...57).contains($0) }), let unit = UInt16(text, radix: 16)
        else {
            throw error("an escape is not hexadecimal")
        }
        position += 4
        return unit
    }
}
