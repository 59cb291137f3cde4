import Crypto

/// Frame kinds of RFC 6455, section 5.2.
enum WebSocketOpcode: UInt8 {
    case continuation = 0
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10
}

/// What a client sent, after unmasking and putting fragments together.
enum WebSocketInput: Equatable {
    case text([UInt8])
    case binary
    case ping([UInt8])
    case pong([UInt8])
    /// The client closes, with its code if it gave one.
    case close(UInt16?)
    /// A broken rule and the close code that answers it; nothing is read after it.
    case violation(UInt16, String)
}

/// The server's half of RFC 6455: reads masked frames, writes unmasked ones.
struct WebSocketCodec {
    /// Longest message taken from a client; requests are a few hundred bytes.
    static let maxMessage = 1 << 20

    private var buffer: [UInt8] = []
    private var offset = 0
    private var message: [UInt8] = []
    private var messageOpcode: WebSocketOpcode?
    private var failed = false

    mutating func feed(_ bytes: [UInt8]) { feed(bytes[...]) }

    mutating func feed(_ bytes: ArraySlice<UInt8>) {
        if offset == buffer.count {
            buffer.removeAll(keepingCapacity: true)
            offset = 0
        } else if offset > 1 << 16 {
            buffer.removeFirst(offset)
            offset = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next complete input, or nil when more bytes are needed.
    mutating func next() -> WebSocketInput? {
        while !failed {
            switch readFrame() {
            case .needMore: return nil
            case .input(let input):
                if case .violation = input { failed = true }
                if case .close = input { failed = true }
                return input
            case .fragment: continue
            }
        }
        return nil
    }

    private enum Step {
        case needMore
        case fragment
        case input(WebSocketInput)
    }

    private mutating func readFrame() -> Step {
        let available = buffer.count - offset
        guard available >= 2 else { return .needMore }
        let first = buffer[offset]
        let second = buffer[offset + 1]
        let isFinal = first & 0x80 != 0
        guard first & 0x70 == 0 else { return violation(1002, "reserved bits are set") }
        guard let opcode = WebSocketOpcode(rawValue: first & 15) else { return violation(1002, "unknown opcode") }
        guard second & 0x80 != 0 else { return violation(1002, "a client frame must be masked") }
        var length = Int(second & 0x7F)
        if opcode.rawValue >= 8 {
            guard isFinal else { return violation(1002, "a control frame must not be fragmented") }
            guard length <= 125 else { return violation(1002, "a control frame must not exceed 125 bytes") }
        }
        var header = 2
        if length >= 126 {
            let extra = length == 126 ? 2 : 8
            guard available >= 2 + extra else { return .needMore }
            var value: UInt64 = 0
            for index in 0..<extra { value = value << 8 | UInt64(buffer[offset + 2 + index]) }
            guard value <= UInt64(Self.maxMessage) else { return violation(1009, "the message is too long") }
            length = Int(value)
            header += extra
        }
        guard available >= header + 4 + length else { return .needMore }
        let payload = unmasked(at: offset + header, length: length)
        offset += header + 4 + length
        return take(opcode, isFinal: isFinal, payload)
    }

    private func unmasked(at start: Int, length: Int) -> [UInt8] {
        let mask = (buffer[start], buffer[start + 1], buffer[start + 2], buffer[start + 3])
        return [UInt8](unsafeUninitializedCapacity: length) { out, count in
            for index in 0..<length {
                let key: UInt8
                switch index & 3 {
                case 0: key = mask.0
                case 1: key = mask.1
                case 2: key = mask.2
                default: key = mask.3
                }
                out.initializeElement(at: index, to: buffer[start + 4 + index] ^ key)
            }
            count = length
        }
    }

    private mutating func take(_ opcode: WebSocketOpcode, isFinal: Bool, _ payload: [UInt8]) -> Step {
        switch opcode {
        case .ping: return .input(.ping(payload))
        case .pong: return .input(.pong(payload))
        case .close: return .input(Self.closeInput(payload))
        case .continuation:
            guard let started = messageOpcode else { return violation(1002, "a continuation without a beginning") }
            guard message.count + payload.count <= Self.maxMessage else {
                return violation(1009, "the message is too long")
            }
            message.append(contentsOf: payload)
            if !isFinal { return .fragment }
            messageOpcode = nil
            return finish(started)
        case .text, .binary:
            guard messageOpcode == nil else { return violation(1002, "a new message inside a fragmented one") }
            message = payload
            if isFinal { return finish(opcode) }
            messageOpcode = opcode
            return .fragment
        }
    }

    private mutating func finish(_ opcode: WebSocketOpcode) -> Step {
        let complete = message
        message = []
        guard opcode == .text else { return .input(.binary) }
        guard String(validating: complete, as: UTF8.self) != nil else {
            return violation(1007, "text is not valid UTF-8")
        }
        return .input(.text(complete))
    }

    private func violation(_ code: UInt16, _ reason: String) -> Step { .input(.violation(code, reason)) }

    private static func closeInput(_ payload: [UInt8]) -> WebSocketInput {
        if payload.isEmpty { return .close(nil) }
        guard payload.count >= 2 else { return .violation(1002, "a close frame with one byte") }
        let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
        let isAllowed = (1000...1003).contains(code) || (1007...1014).contains(code) || (3000...4999).contains(code)
        guard isAllowed else { return .violation(1002, "close code \(code) is not allowed") }
        guard String(validating: payload[2...], as: UTF8.self) != nil else {
            return .violation(1007, "the close reason is not valid UTF-8")
        }
        return .close(code)
    }

    // MARK: Writing

    /// Appends the header of an unmasked, unfragmented frame.
    static func appendHeader(_ out: inout [UInt8], opcode: WebSocketOpcode, length: Int) {
        out.append(0x80 | opcode.rawValue)
        if length < 126 {
            out.append(UInt8(length))
        } else if length < 65_536 {
            out.append(126)
            out.append(UInt8(length >> 8))
            out.append(UInt8(length & 255))
        } else {
            out.append(127)
            for shift in stride(from: 56, through: 0, by: -8) { out.append(UInt8(truncatingIfNeeded: length >> shift)) }
        }
    }

    /// A whole frame.
    static func frame(_ opcode: WebSocketOpcode, _ payload: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(payload.count + 10)
        appendHeader(&out, opcode: opcode, length: payload.count)
        out.append(contentsOf: payload)
        return out
    }

    /// A close frame.
    static func closeFrame(_ code: UInt16, _ reason: String) -> [UInt8] {
        frame(.close, [UInt8(code >> 8), UInt8(code & 255)] + Array(reason.utf8.prefix(123)))
    }

    /// `Sec-WebSocket-Accept` for a key, RFC 6455 section 4.2.2.
    static func acceptText(forKey key: String) -> [UInt8] {
        base64Text(Array(Insecure.SHA1.hash(data: Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))))
    }
}
