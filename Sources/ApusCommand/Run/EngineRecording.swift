import ApusLive
import ApusReplay
import CApusProtocol

/// A capture that is being written: the ring that the hot thread copies into, and the file. Control thread.
final class EngineRecording {
    private let ring: CaptureTap
    private let writer: CaptureWriter

    /// Makes the file; it must not exist.
    init(path: String, venue: String) throws {
        do {
            writer = try CaptureWriter(path: path, venue: venue, realtimeOffset: LiveRecorder.realtimeOffset())
        } catch let error as RecordingError {
            throw CommandFailure(ExitStatus.unavailable, "\(error)")
        }
        // Several seconds of a busy venue.
        ring = CaptureTap(bytes: 1 << 26)
    }

    /// For the sessions; valid as long as this.
    var tap: UnsafeMutablePointer<apus_tap> { ring.tap }
    var messages: UInt64 { writer.messages }
    var bytes: UInt64 { writer.bytes }
    var missing: UInt64 { writer.missing }

    /// Writes what has come since the last time.
    func drain() throws { while try writer.drain(ring) > 0 {} }

    /// Writes the rest, after the hot thread has ended.
    func close() throws {
        try drain()
        try writer.close()
    }
}
