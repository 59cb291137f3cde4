internal import CApusRing
internal import CZlib
import Glibc

func systemText(_ code: Int32) -> String { String(cString: strerror(code)) }

/// The bytes of a file, inflated when they are gzip, through a window that slides over them.
///
/// `window` always has `APUS_PADDING` readable bytes behind it. Pointers into it are valid until the next `fill` or
/// `consume`.
final class ByteStream {
    /// No message is longer, with all that a recording writes around it.
    private static let longestMessage = 2 * Int(APUS_MESSAGE_BYTES_MAX)

    let path: String
    /// Where the window begins in the (inflated) bytes.
    private(set) var offset = 0
    private(set) var isAtEnd = false
    private let descriptor: Int32
    private var memory: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    private var start = 0
    private var end = 0
    private var inflater: Inflater?

    init(path: String, window: Int = 1 << 20) throws {
        self.path = path
        capacity = window
        memory = .allocate(capacity: capacity + Int(APUS_PADDING))
        memory.initialize(repeating: 0, count: capacity + Int(APUS_PADDING))
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw RecordingError.system(path: path, code: errno) }
        var head: (UInt8, UInt8) = (0, 0)
        if pread(descriptor, &head, 2, 0) == 2, head == (0x1F, 0x8B) { inflater = try Inflater(path: path) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        memory.deallocate()
    }

    var window: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: memory + start, count: end - start) }

    /// Forgets the first `count` bytes of the window.
    func consume(_ count: Int) {
        start += count
        offset += count
    }

    /// Brings more bytes behind those that are there, in a larger window if need be. False at the end of the file.
    func fill() throws -> Bool {
        guard !isAtEnd else { return false }
        if start > 0 {
            memmove(memory, memory + start, end - start)
            end -= start
            start = 0
        }
        if end == capacity {
            guard capacity < Self.longestMessage else {
                throw RecordingError.malformed(
                    RecordingPlace(file: path, unit: .offset, number: offset),
                    "what begins here is longer than \(capacity) bytes: no message")
            }
            grow()
        }
        let room = UnsafeMutableBufferPointer(start: memory + end, count: capacity - end)
        let count = try inflater?.read(descriptor, into: room) ?? readPlain(into: room)
        end += count
        isAtEnd = count == 0
        return count > 0
    }

    private func grow() {
        let wider = UnsafeMutablePointer<UInt8>.allocate(capacity: 2 * capacity + Int(APUS_PADDING))
        wider.initialize(repeating: 0, count: 2 * capacity + Int(APUS_PADDING))
        wider.update(from: memory, count: end)
        memory.deallocate()
        memory = wider
        capacity *= 2
    }

    private func readPlain(into room: UnsafeMutableBufferPointer<UInt8>) throws -> Int {
        while true {
            let count = read(descriptor, room.baseAddress, room.count)
            if count >= 0 { return count }
            guard errno == EINTR else { throw RecordingError.system(path: path, code: errno) }
        }
    }
}

/// Inflates a gzip file of one or more members.
private final class Inflater {
    private let path: String
    private let stream: UnsafeMutablePointer<z_stream>
    private let input: UnsafeMutablePointer<UInt8>
    private static let inputBytes = 1 << 18
    private var isWhole = false
    private var consumed = 0

    init(path: String) throws {
        self.path = path
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        input = .allocate(capacity: Inflater.inputBytes)
        let failure = inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard failure == Z_OK else {
            throw RecordingError.gzip(path: path, offset: 0, reason: "no memory to inflate it")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        input.deallocate()
    }

    /// Returns how many bytes there are, 0 at the end.
    func read(_ descriptor: Int32, into room: UnsafeMutableBufferPointer<UInt8>) throws -> Int {
        stream.pointee.next_out = room.baseAddress
        stream.pointee.avail_out = UInt32(min(room.count, Int(UInt32.max)))
        let wanted = stream.pointee.avail_out
        while stream.pointee.avail_out == wanted {
            if stream.pointee.avail_in == 0, try !feed(descriptor) {
                guard isWhole else { throw error("the file ends inside the compressed data") }
                return 0
            }
            if isWhole {
                // Another member, or padding of zeros behind the last one.
                if stream.pointee.next_in[0] == 0 {
                    stream.pointee.avail_in = 0
                    continue
                }
                inflateReset(stream)
                isWhole = false
            }
            switch inflate(stream, Z_NO_FLUSH) {
            case Z_STREAM_END: isWhole = true
            case Z_OK, Z_BUF_ERROR: break
            default: throw error(stream.pointee.msg.map { String(cString: $0) } ?? "not valid gzip")
            }
        }
        return Int(wanted - stream.pointee.avail_out)
    }

    private func feed(_ descriptor: Int32) throws -> Bool {
        while true {
            let count = Glibc.read(descriptor, input, Inflater.inputBytes)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw RecordingError.system(path: path, code: errno) }
            stream.pointee.next_in = input
            stream.pointee.avail_in = UInt32(count)
            consumed += count
            return count > 0
        }
    }

    private func error(_ reason: String) -> RecordingError {
        .gzip(path: path, offset: consumed - Int(stream.pointee.avail_in), reason: reason)
    }
}
