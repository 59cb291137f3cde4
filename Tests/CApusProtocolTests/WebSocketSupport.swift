import CApusProtocol

/// A receive buffer with a frame parser on it, fed in pieces of any size.
final class FrameReader {
    enum Item: Equatable {
        case text([UInt8])
        case binary([UInt8])
        case ping([UInt8])
        case pong([UInt8])
        case close(UInt16, [UInt8])
        case failure(code: UInt16, offset: UInt64)
    }

    let channel = UnsafeMutablePointer<apus_channel>.allocate(capacity: 1)
    let parser = UnsafeMutablePointer<apus_ws>.allocate(capacity: 1)
    private let memory: UnsafeMutablePointer<UInt8>

    init(maxMessage: Int, capacity: Int) {
        let bytes = capacity + Int(APUS_PADDING)
        memory = .allocate(capacity: bytes)
        memory.initialize(repeating: 0xff, count: bytes)
        channel.initialize(to: apus_channel())
        parser.initialize(to: apus_ws())
        apus_buffer_init(&channel.pointee.rx, memory, bytes)
        apus_ws_init(parser, maxMessage)
    }

    deinit {
        memory.deallocate()
        channel.deallocate()
        parser.deallocate()
    }

    /// Feeds `bytes`, at most `piece` at once, and returns every item that comes out.
    func feed(_ bytes: some Sequence<UInt8>, piece: Int = .max) -> [Item] {
        var items: [Item] = []
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            var place: UnsafeMutablePointer<UInt8>?
            let space = apus_channel_space(channel, &place)
            let count = min(piece, space, rest.count)
            guard count > 0, let place else { return items }
            for (index, byte) in rest.prefix(count).enumerated() { place[index] = byte }
            apus_channel_received(channel, count, 1, 0)
            rest = rest.dropFirst(count)
            items += drain()
        }
        return items
    }

    private func drain() -> [Item] {
        var items: [Item] = []
        var item = apus_ws_item()
        while true {
            let kind = Int(apus_ws_next(parser, &channel.pointee.rx, &item))
            if kind == 0 { return items }
            if kind < 0 {
                items.append(.failure(code: item.code, offset: item.offset))
                continue
            }
            let payload = Array(UnsafeBufferPointer(start: item.data, count: item.size))
            switch kind {
            case 1: items.append(.text(payload))
            case 2: items.append(.binary(payload))
            case 8: items.append(.close(item.code, payload))
            case 9: items.append(.ping(payload))
            default: items.append(.pong(payload))
            }
        }
    }
}

/// A frame as a server sends it.
func serverFrame(_ opcode: UInt8, _ payload: some Collection<UInt8>, final: Bool = true) -> [UInt8] {
    let count = payload.count
    var frame: [UInt8] = [opcode | (final ? 0x80 : 0)]
    if count < 126 {
        frame.append(UInt8(count))
    } else if count < 65536 {
        frame += [126, UInt8(count >> 8), UInt8(count & 255)]
    } else {
        frame.append(127)
        frame += (0..<8).reversed().map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) }
    }
    return frame + payload
}

/// A frame as a client has sent it, unmasked; nil where the bytes are no proper masked frame.
struct ClientFrame: Equatable {
    var opcode: UInt8
    var payload: [UInt8]
    var mask: [UInt8]

    /// Splits sent bytes into frames.
    static func all(_ bytes: [UInt8]) -> [ClientFrame]? {
        var frames: [ClientFrame] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let (frame, size) = first(Array(rest)) else { return nil }
            frames.append(frame)
            rest = rest.dropFirst(size)
        }
        return frames
    }

    private static func first(_ bytes: [UInt8]) -> (ClientFrame, Int)? {
        guard bytes.count >= 6, bytes[0] & 0xf0 == 0x80, bytes[1] & 0x80 != 0 else { return nil }
        var length = Int(bytes[1] & 0x7f)
        var at = 2
        let extended = length == 126 ? 2 : length == 127 ? 8 : 0
        if extended > 0 {
            guard bytes.count >= 2 + extended else { return nil }
            length = bytes[2..<(2 + extended)].reduce(0) { $0 << 8 | Int($1) }
            guard length >= (extended == 2 ? 126 : 65536) else { return nil }
            at += extended
        }
        guard bytes.count >= at + 4 + length else { return nil }
        let mask = Array(bytes[at..<(at + 4)])
        let payload = (0..<length).map { bytes[at + 4 + $0] ^ mask[$0 & 3] }
        return (ClientFrame(opcode: bytes[0] & 0x0f, payload: payload, mask: mask), at + 4 + length)
    }
}

/// A buffer in memory of its own.
final class SendBuffer {
    let buffer = UnsafeMutablePointer<apus_buffer>.allocate(capacity: 1)
    private let memory: UnsafeMutablePointer<UInt8>

    init(capacity: Int) {
        memory = .allocate(capacity: capacity + Int(APUS_PADDING))
        memory.initialize(repeating: 0, count: capacity + Int(APUS_PADDING))
        buffer.initialize(to: apus_buffer())
        apus_buffer_init(buffer, memory, capacity + Int(APUS_PADDING))
    }

    deinit {
        memory.deallocate()
        buffer.deallocate()
    }

    var bytes: [UInt8] {
        let held = buffer.pointee
        return Array(UnsafeBufferPointer(start: held.base + held.start, count: held.end - held.start))
    }

    /// Takes everything out.
    func take() -> [UInt8] {
        let all = bytes
        buffer.pointee.start = buffer.pointee.end
        return all
    }
}

func seeded(_ seed: UInt64) -> apus_random {
    var random = apus_random()
    apus_random_seed(&random, seed)
    return random
}
