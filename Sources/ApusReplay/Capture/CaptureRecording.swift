internal import CApusProtocol
internal import CApusRing
import Glibc

/// Reads a capture of `apus record`.
///
/// A tail that is not whole ends the recording and is told in `tail`. A record that is damaged in the midst of a file
/// is an error.
final class CaptureRecording: RecordingReader {
    private let stream: ByteStream
    private var pending = 0
    private var latest: UInt64 = 0
    /// The monotonic scale to the wall clock: strategies see the times of the day that was recorded.
    private let realtimeOffset: UInt64
    package let venue: String
    package private(set) var tail: String?
    /// Messages that the recorder had to leave out.
    package private(set) var missing: UInt64 = 0

    init(_ stream: ByteStream) throws {
        self.stream = stream
        func bad(_ reason: String) -> RecordingError {
            .malformed(RecordingPlace(file: stream.path, unit: .offset, number: 0), reason)
        }
        while stream.window.count < CaptureFormat.headBytes, try stream.fill() {}
        let head = UnsafeRawBufferPointer(stream.window)
        guard head.count >= CaptureFormat.headBytes else { throw bad("the capture's head is not whole") }
        let version = head.number(at: 8, UInt32.self)
        guard version == CaptureFormat.version else { throw bad("capture version \(version) is not known") }
        guard head.number(at: 12, UInt32.self) == UInt32(CaptureFormat.headBytes) else {
            throw bad("the capture's head has another length")
        }
        let checked = UnsafeRawBufferPointer(rebasing: head[0..<60])
        guard CaptureFormat.checksum(checked) == head.number(at: 60, UInt32.self) else {
            throw bad("the capture's head is damaged")
        }
        realtimeOffset = head.number(at: 16, UInt64.self)
        venue = String(decoding: head[24..<40].prefix { $0 != 0 }, as: UTF8.self)
        stream.consume(CaptureFormat.headBytes)
    }

    func next() throws -> RecordedMessage? {
        while let record = try nextRecord() {
            let kind = record[6]
            missing += UInt64(record.number(at: 12, UInt32.self))
            guard kind != UInt8(APUS_TAP_STATE.rawValue) else { continue }
            return message(record, isBody: kind == UInt8(APUS_TAP_BODY.rawValue))
        }
        return nil
    }

    private func message(_ record: UnsafeRawBufferPointer, isBody: Bool) -> RecordedMessage {
        let note = Int(record.number(at: 4, UInt16.self))
        let start = CaptureFormat.recordHeadBytes + note
        let length = Int(record.number(at: 0, UInt32.self))
        let kernel = record.number(at: 24, UInt64.self)
        latest = max(latest, record.number(at: 16, UInt64.self) &+ realtimeOffset)
        var symbol: String?
        if isBody {
            let path = String(decoding: record[CaptureFormat.recordHeadBytes..<start], as: UTF8.self)
            symbol = FolderRecording.symbol(inQuery: path)
        }
        return RecordedMessage(
            kind: isBody ? .snapshot : .stream, time: latest,
            kernelTime: kernel == 0 ? 0 : min(kernel &+ realtimeOffset, latest),
            connection: record.number(at: 8, UInt16.self), symbol: symbol,
            bytes: UnsafeRawBufferPointer(rebasing: record[start..<(start + length)]),
            place: RecordingPlace(file: stream.path, unit: .offset, number: stream.offset))
    }

    /// The next record, checked, without its checksum; nil at the end, also at one that is not whole.
    private func nextRecord() throws -> UnsafeRawBufferPointer? {
        stream.consume(pending)
        pending = 0
        guard tail == nil else { return nil }
        guard try has(CaptureFormat.recordHeadBytes) else {
            if !stream.window.isEmpty { tear("\(stream.window.count) bytes of a record's head") }
            return nil
        }
        let head = UnsafeRawBufferPointer(stream.window)
        let length = Int(head.number(at: 0, UInt32.self))
        let note = Int(head.number(at: 4, UInt16.self))
        let total = CaptureFormat.recordBytes(note: note, bytes: length)
        guard length <= Int(APUS_MESSAGE_BYTES_MAX), head[6] != 0 else { return try damaged("a record's head") }
        guard try has(total) else {
            tear("\(stream.window.count) of a record's \(total) bytes")
            return nil
        }
        let record = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(stream.window)[0..<total])
        let end = CaptureFormat.recordHeadBytes + note + length
        let content = UnsafeRawBufferPointer(rebasing: record[0..<end])
        guard CaptureFormat.checksum(content) == record.number(at: end, UInt32.self) else {
            return try damaged("a record's checksum")
        }
        pending = total
        return record
    }

    private func has(_ count: Int) throws -> Bool {
        while stream.window.count < count { if try !stream.fill() { return false } }
        return true
    }

    private func tear(_ what: String) {
        tail = "\(stream.path), byte \(stream.offset): the recording was cut off, its last \(what) are left out"
    }

    /// What is wrong and reaches to the end of the file was being written when the recorder died, zeros among it;
    /// anything else is damage.
    private func damaged(_ what: String) throws -> UnsafeRawBufferPointer? {
        let zeros = UnsafeRawBufferPointer(stream.window).allSatisfy { $0 == 0 }
        if zeros {
            var count = stream.window.count
            while true {
                stream.consume(stream.window.count)
                guard try stream.fill() else { break }
                count += stream.window.count
                guard stream.window.allSatisfy({ $0 == 0 }) else {
                    throw RecordingError.malformed(
                        RecordingPlace(file: stream.path, unit: .offset, number: stream.offset), "\(what) is damaged")
                }
            }
            tear("\(count) bytes, all zero,")
            return nil
        }
        throw RecordingError.malformed(
            RecordingPlace(file: stream.path, unit: .offset, number: stream.offset), "\(what) is damaged")
    }
}
