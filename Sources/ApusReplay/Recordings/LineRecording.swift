import Glibc

/// Lines `<local_ns> <raw JSON>`.
final class LineRecording: RecordingReader {
    private let stream: ByteStream
    private var line = 0
    private var pending = 0
    private var latest: UInt64 = 0

    init(_ stream: ByteStream) { self.stream = stream }

    func next() throws -> RecordedMessage? {
        while true {
            stream.consume(pending)
            pending = 0
            guard let text = try nextLine() else { return nil }
            line += 1
            pending = min(text.count + 1, stream.window.count)
            if let message = try parse(text) { return message }
        }
    }

    /// The next line without its end, still in the window; nil at the end.
    private func nextLine() throws -> UnsafeBufferPointer<UInt8>? {
        var searched = 0
        while true {
            let window = stream.window
            if searched < window.count, let base = window.baseAddress,
                let end = memchr(base + searched, 0x0A, window.count - searched)
            {
                return UnsafeBufferPointer(start: base, count: end - UnsafeMutableRawPointer(mutating: base))
            }
            searched = window.count
            if try !stream.fill() { return stream.window.isEmpty ? nil : stream.window }
        }
    }

    private func parse(_ text: UnsafeBufferPointer<UInt8>) throws -> RecordedMessage? {
        var count = text.count
        if count > 0, text[count - 1] == 0x0D { count -= 1 }
        guard count > 0 else { return nil }
        let place = RecordingPlace(file: stream.path, unit: .line, number: line)
        var time: UInt64 = 0
        var at = 0
        while at < count, text[at] &- 0x30 <= 9 {
            let (tenfold, high) = time.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tenfold.addingReportingOverflow(UInt64(text[at] &- 0x30))
            guard !high, !carry else { throw RecordingError.malformed(place, "the time does not fit in 64 bits") }
            time = sum
            at += 1
        }
        guard at > 0, at < count, text[at] == 0x20 else {
            throw RecordingError.malformed(
                place, "expected `<local_ns> <raw JSON>`, byte \(at + 1) does not belong there")
        }
        latest = max(latest, time)
        let bytes = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: text[(at + 1)..<count]))
        return RecordedMessage(kind: .stream, time: latest, bytes: bytes, place: place)
    }
}
