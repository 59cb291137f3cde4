package import CApusProtocol
internal import CApusRing
import Glibc

/// Writes a capture: the recorder's side of an `apus_tap`. It belongs to one thread, which is not the hot one.
///
/// ```swift
/// let tap = CaptureTap(bytes: 1 << 26)         // its pointer goes to the session before it starts
/// let writer = try CaptureWriter(path: "day.apuscap", venue: "binance-usdm", realtimeOffset: offset)
/// while running { if try writer.drain(tap) == 0 { pause() } }
/// try writer.close()
/// ```
package final class CaptureWriter {
    package let path: String
    package private(set) var messages: UInt64 = 0
    package private(set) var bytes: UInt64 = 0
    /// Messages that found no room in the tap.
    package private(set) var missing: UInt64 = 0
    private var descriptor: Int32
    private var buffer: UnsafeMutableRawBufferPointer
    private var used = 0

    /// Makes the file; it must not exist.
    /// - Parameter realtimeOffset: wall clock minus monotonic clock, in nanoseconds.
    package init(path: String, venue: String, realtimeOffset: Int64, bufferBytes: Int = 1 << 20) throws {
        self.path = path
        buffer = .allocate(byteCount: bufferBytes, alignment: 64)
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw RecordingError.system(path: path, code: errno) }
        let head = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<CaptureFormat.headBytes])
        head.initializeMemory(as: UInt8.self, repeating: 0)
        memcpy(head.baseAddress!, CaptureFormat.magic.utf8Start, 8)
        head.set(CaptureFormat.version, at: 8)
        head.set(UInt32(CaptureFormat.headBytes), at: 12)
        head.set(realtimeOffset, at: 16)
        for (index, byte) in venue.utf8.prefix(15).enumerated() { head[24 + index] = byte }
        head.set(CaptureFormat.checksum(UnsafeRawBufferPointer(rebasing: head[0..<60])), at: 60)
        used = CaptureFormat.headBytes
    }

    deinit {
        if descriptor >= 0 { Glibc.close(descriptor) }
        buffer.deallocate()
    }

    /// Takes all that the tap holds, and hands it to the system when there is no more. Returns how many messages there
    /// were.
    package func drain(_ tap: CaptureTap) throws -> Int {
        var count = 0
        while let head = apus_tap_peek(tap.tap) {
            try append(head)
            apus_tap_take(tap.tap, head)
            count += 1
        }
        if count == 0 { try flush() }
        return count
    }

    private func append(_ head: UnsafePointer<apus_tap_head>) throws {
        let note = Int(head.pointee.note_length)
        let length = Int(head.pointee.length)
        let content = CaptureFormat.recordHeadBytes + note + length
        let total = CaptureFormat.recordBytes(note: note, bytes: length)
        if buffer.count - used < total { try flush() }
        if buffer.count < total {
            buffer.deallocate()
            buffer = .allocate(byteCount: 2 * total, alignment: 64)
        }
        let record = UnsafeMutableRawBufferPointer(rebasing: buffer[used..<(used + total)])
        memset(record.baseAddress! + content, 0, total - content)
        memcpy(record.baseAddress!, head, content)
        record.set(CaptureFormat.checksum(UnsafeRawBufferPointer(rebasing: record[0..<content])), at: content)
        used += total
        messages += 1
        bytes += UInt64(length)
        missing += UInt64(head.pointee.missing)
    }

    private func flush() throws {
        var at = 0
        while at < used {
            let count = write(descriptor, buffer.baseAddress! + at, used - at)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw RecordingError.system(path: path, code: errno) }
            at += count
        }
        used = 0
    }

    /// Writes what is buffered and makes it durable.
    package func close() throws {
        try flush()
        guard fsync(descriptor) == 0 else { throw RecordingError.system(path: path, code: errno) }
        Glibc.close(descriptor)
        descriptor = -1
    }
}

/// The ring between the hot thread and a `CaptureWriter`, with its memory.
///
/// Unchecked: the ring has one writing and one reading thread; this only holds its memory.
package final class CaptureTap: @unchecked Sendable {
    /// For the session. It must not outlive this.
    package let tap: UnsafeMutablePointer<apus_tap>
    private let memory: UnsafeMutableRawPointer

    /// - Parameter bytes: a power of two.
    package init(bytes: Int) {
        precondition(bytes >= 1 << 16 && bytes & (bytes - 1) == 0, "the tap's size is a power of two")
        memory = .allocate(byteCount: bytes, alignment: 64)
        // Touched here, so that the hot thread meets no page fault.
        memset(memory, 0, bytes)
        tap = UnsafeMutableRawPointer.allocate(byteCount: MemoryLayout<apus_tap>.size, alignment: Int(APUS_CACHE_LINE))
            .bindMemory(to: apus_tap.self, capacity: 1)
        apus_tap_init(tap, memory.assumingMemoryBound(to: UInt8.self), UInt64(bytes))
    }

    deinit {
        tap.deallocate()
        memory.deallocate()
    }
}
