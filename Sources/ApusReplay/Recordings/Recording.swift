import Glibc

/// A recording of one of the four forms, told apart by what is in it.
package struct Recording: Sendable {
    package enum Form: String, Sendable, Codable {
        /// Lines `<local_ns> <raw JSON>`, plain or gzip.
        case lines
        /// A folder of REST snapshots and frames.
        case folder
        /// A JSON array of messages, plain or gzip.
        case array
        /// Apus's own.
        case capture
    }

    package let path: String
    package let form: Form

    /// Looks at the beginning of the recording.
    package init(path: String) throws {
        self.path = path
        var status = stat()
        guard stat(path, &status) == 0 else { throw RecordingError.system(path: path, code: errno) }
        if status.st_mode & S_IFMT == S_IFDIR {
            form = .folder
            return
        }
        let stream = try ByteStream(path: path, window: 1 << 16)
        while stream.window.count < CaptureFormat.headBytes, try stream.fill() {}
        form = try Self.form(of: stream.window, path: path)
    }

    private static func form(of head: UnsafeBufferPointer<UInt8>, path: String) throws -> Form {
        guard !head.isEmpty else { throw RecordingError.empty(path: path) }
        let magic = UnsafeBufferPointer(start: CaptureFormat.magic.utf8Start, count: 8)
        if head.count >= 8, head.prefix(8).elementsEqual(magic) { return .capture }
        let first = head.first { ![0x20, 0x0A, 0x0D, 0x09].contains($0) }
        if first == UInt8(ascii: "[") { return .array }
        if let first, first &- 0x30 <= 9 { return .lines }
        let start = String(decoding: head.prefix(16), as: UTF8.self).debugDescription
        throw RecordingError.unknownForm(path: path, found: start)
    }

    /// A reader at the recording's beginning.
    package func reader() throws -> any RecordingReader {
        switch form {
        case .lines: try LineRecording(ByteStream(path: path))
        case .array: try ArrayRecording(ByteStream(path: path))
        case .folder: try FolderRecording(path: path)
        case .capture: try CaptureRecording(ByteStream(path: path))
        }
    }
}
