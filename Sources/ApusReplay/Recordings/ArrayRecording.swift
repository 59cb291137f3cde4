import Glibc

/// A JSON array of messages. Each element is given as the bytes it has in the file; nothing is encoded again.
///
/// The messages carry no receive time: it is their own `timestamp` (Polymarket) or `E` (Binance), in milliseconds.
final class ArrayRecording: RecordingReader {
    private let stream: ByteStream
    private var element = 0
    private var pending = 0
    private var isOpen = false
    private var isDone = false
    private var latest: UInt64 = 0

    init(_ stream: ByteStream) { self.stream = stream }

    func next() throws -> RecordedMessage? {
        stream.consume(pending)
        pending = 0
        guard !isDone else { return nil }
        if !isOpen {
            _ = try peek()
            stream.consume(1)  // the bracket that made it known
            isOpen = true
            if try peek() == UInt8(ascii: "]") {
                stream.consume(1)
                return try end()
            }
        } else {
            guard let next = try peek() else { throw error("the array is not closed") }
            guard next == UInt8(ascii: ",") || next == UInt8(ascii: "]") else {
                throw error("a comma or the array's end was expected")
            }
            stream.consume(1)
            if next == UInt8(ascii: "]") { return try end() }
        }
        _ = try peek()
        element += 1
        let length = try elementLength()
        pending = length
        var bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(stream.window)[0..<length])
        if let time = Self.time(of: bytes) { latest = max(latest, time) }
        if bytes[0] == UInt8(ascii: "\"") { bytes = UnsafeRawBufferPointer(rebasing: bytes[1..<(length - 1)]) }
        let place = RecordingPlace(file: stream.path, unit: .element, number: element)
        return RecordedMessage(kind: .stream, time: latest, bytes: bytes, place: place)
    }

    private func error(_ reason: String) -> RecordingError {
        .malformed(RecordingPlace(file: stream.path, unit: .offset, number: stream.offset), reason)
    }

    /// The next byte that is no white space, still in the window; nil at the end.
    private func peek() throws -> UInt8? {
        while true {
            let window = stream.window
            var at = 0
            while at < window.count, [0x20, 0x0A, 0x0D, 0x09].contains(window[at]) { at += 1 }
            stream.consume(at)
            if at < window.count { return stream.window[0] }
            if try !stream.fill() { return nil }
        }
    }

    private func end() throws -> RecordedMessage? {
        isDone = true
        guard try peek() == nil else { throw error("something stands behind the array") }
        return nil
    }

    /// The length of the value at the window's start: an object, an array or a string.
    private func elementLength() throws -> Int {
        var scanner = ElementScanner()
        while true {
            switch scanner.scan(stream.window) {
            case .whole(let length): return length
            case .notAMessage: throw error("an object, an array or a text was expected")
            case .more:
                if try !stream.fill() { throw error("the file ends inside element \(element)") }
            }
        }
    }

    /// The message's own time in nanoseconds; nil when it has none.
    static func time(of bytes: UnsafeRawBufferPointer) -> UInt64? {
        let keys: [StaticString] = ["\"timestamp\"", "\"E\""]
        for key in keys {
            guard let found = bytes.offset(of: key) else { continue }
            var at = found + key.utf8CodeUnitCount
            while at < bytes.count, [0x20, 0x0A, 0x0D, 0x09, 0x3A, 0x22].contains(bytes[at]) { at += 1 }
            var time: UInt64 = 0
            var digits = 0
            while at < bytes.count, bytes[at] &- 0x30 <= 9, digits < 13 {
                time = time * 10 + UInt64(bytes[at] &- 0x30)
                digits += 1
                at += 1
            }
            if digits > 0 { return time * 1_000_000 }
        }
        return nil
    }
}

/// Finds where a JSON value ends, going on where it stopped when more bytes have come.
private struct ElementScanner {
    enum Result {
        case whole(Int)
        case more
        case notAMessage
    }

    private var at = 0
    private var depth = 0
    private var inString = false
    private var isEscaped = false

    mutating func scan(_ window: UnsafeBufferPointer<UInt8>) -> Result {
        while at < window.count {
            let byte = window[at]
            at += 1
            if inString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    inString = false
                    if depth == 0 { return .whole(at) }
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): inString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth <= 0 { return depth == 0 ? .whole(at) : .notAMessage }
            default: if depth == 0 { return .notAMessage }
            }
        }
        return .more
    }
}
