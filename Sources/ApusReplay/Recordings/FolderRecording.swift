internal import CApusRing
import Glibc

/// A folder with REST snapshots (`*.http.*`, lines `URL -> <local_s>: <body>`) and frames (`*.ws.*`, lines `<local_s>:
/// <JSON>`), put in the order of their times. Other lines are skipped, and of the REST bodies all but order books.
///
/// The files are mapped; what is kept in memory is where each message stands.
final class FolderRecording: RecordingReader {
    private struct Entry {
        var time: UInt64
        var start: Int
        var length: Int32
        var line: Int32
        var file: Int32
        /// Index into `symbols`; -1: a frame.
        var symbol: Int32
    }

    private let files: [MappedFile]
    private var entries: [Entry] = []
    private var symbols: [String] = []
    private var at = 0
    private var scratch: UnsafeMutableRawPointer
    private var capacity = 1 << 16
    private var latest: UInt64 = 0

    init(path: String) throws {
        let names = try Self.names(in: path)
        let http = names.filter { $0.contains(".http.") }
        let ws = names.filter { $0.contains(".ws.") }
        guard !ws.isEmpty || !http.isEmpty else {
            throw RecordingError.unknownForm(path: path, found: "no *.http.* and no *.ws.* file")
        }
        files = try (http + ws).map { try MappedFile(path: path + "/" + $0) }
        scratch = .allocate(byteCount: capacity + Int(APUS_PADDING), alignment: 64)
        for index in files.indices { index < http.count ? indexSnapshots(index) : indexFrames(index) }
        // Stable: what has the same time keeps the order of files and lines.
        let order = entries.indices.sorted {
            entries[$0].time == entries[$1].time ? $0 < $1 : entries[$0].time < entries[$1].time
        }
        entries = order.map { entries[$0] }
    }

    deinit { scratch.deallocate() }

    func next() throws -> RecordedMessage? {
        guard at < entries.count else { return nil }
        let entry = entries[at]
        at += 1
        let length = Int(entry.length)
        if length > capacity {
            capacity = length
            scratch.deallocate()
            scratch = .allocate(byteCount: capacity + Int(APUS_PADDING), alignment: 64)
        }
        let file = files[Int(entry.file)]
        memcpy(scratch, file.bytes.baseAddress! + entry.start, length)
        memset(scratch + length, 0, Int(APUS_PADDING))
        latest = max(latest, entry.time)
        return RecordedMessage(
            kind: entry.symbol < 0 ? .stream : .snapshot, time: latest,
            symbol: entry.symbol < 0 ? nil : symbols[Int(entry.symbol)],
            bytes: UnsafeRawBufferPointer(start: scratch, count: length),
            place: RecordingPlace(file: file.path, unit: .line, number: Int(entry.line)))
    }

    private static func names(in path: String) throws -> [String] {
        guard let directory = opendir(path) else { throw RecordingError.system(path: path, code: errno) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.contains(".http.") || name.contains(".ws.") { names.append(name) }
        }
        return names.sorted()
    }

    // MARK: Lines

    /// `URL -> <local_s>: <body>` where the URL asks for an order book.
    private func indexSnapshots(_ file: Int) {
        forEachLine(file) { line, start, number in
            var scanner = LineScanner(line)
            guard let url = scanner.word(), scanner.skip(" -> "), let time = scanner.seconds(), scanner.skip(": ")
            else {
                return
            }
            guard url.contains("depth?"), let symbol = Self.symbol(inQuery: url) else { return }
            add(time, file, start + scanner.at, line.count - scanner.at, number, symbol)
        }
    }

    /// `<local_s>: {..`
    private func indexFrames(_ file: Int) {
        forEachLine(file) { line, start, number in
            var scanner = LineScanner(line)
            guard let time = scanner.seconds(), scanner.skip(": "), scanner.at < line.count,
                line[scanner.at] == UInt8(ascii: "{")
            else { return }
            add(time, file, start + scanner.at, line.count - scanner.at, number, nil)
        }
    }

    private func add(_ time: UInt64, _ file: Int, _ start: Int, _ length: Int, _ line: Int, _ symbol: String?) {
        var known: Int32 = -1
        if let symbol {
            known = Int32(symbols.firstIndex(of: symbol) ?? symbols.count)
            if Int(known) == symbols.count { symbols.append(symbol) }
        }
        entries.append(
            Entry(
                time: time, start: start, length: Int32(clamping: length), line: Int32(clamping: line),
                file: Int32(file),
                symbol: known))
    }

    private func forEachLine(_ file: Int, _ body: (UnsafeBufferPointer<UInt8>, Int, Int) -> Void) {
        let bytes = files[file].bytes
        guard let base = bytes.baseAddress else { return }
        var start = 0
        var number = 0
        while start < bytes.count {
            number += 1
            let found = memchr(base + start, 0x0A, bytes.count - start)
            let end = found.map { UnsafeRawPointer($0) - UnsafeRawPointer(base) } ?? bytes.count
            let last = end > start && bytes[end - 1] == 0x0D ? end - 1 : end
            body(UnsafeBufferPointer(rebasing: bytes[start..<last]), start, number)
            start = end + 1
        }
    }

    /// The value of `symbol=` in a request's query, in capitals.
    static func symbol(inQuery url: String) -> String? {
        guard let key = url.firstRange(of: "symbol=") else { return nil }
        let value = url[key.upperBound...].prefix { $0.isLetter || $0.isNumber || $0 == "_" }
        return value.isEmpty ? nil : value.uppercased()
    }
}

/// Reads a line from its start; each step says whether it was there.
private struct LineScanner {
    private let line: UnsafeBufferPointer<UInt8>
    private(set) var at = 0

    init(_ line: UnsafeBufferPointer<UInt8>) { self.line = line }

    mutating func skip(_ text: StaticString) -> Bool {
        guard line.count - at >= text.utf8CodeUnitCount,
            memcmp(line.baseAddress! + at, text.utf8Start, text.utf8CodeUnitCount) == 0
        else { return false }
        at += text.utf8CodeUnitCount
        return true
    }

    /// Everything up to a blank.
    mutating func word() -> String? {
        let start = at
        while at < line.count, line[at] != 0x20, line[at] != 0x09 { at += 1 }
        return at == start ? nil : String(decoding: line[start..<at], as: UTF8.self)
    }

    /// A decimal number of seconds, in nanoseconds; digits beyond them are dropped.
    mutating func seconds() -> UInt64? {
        let start = at
        var whole: UInt64 = 0
        while at < line.count, line[at] &- 0x30 <= 9, at - start < 11 {
            whole = whole * 10 + UInt64(line[at] &- 0x30)
            at += 1
        }
        guard at > start else { return nil }
        var fraction: UInt64 = 0
        var unit: UInt64 = 1_000_000_000
        if at < line.count, line[at] == UInt8(ascii: ".") {
            at += 1
            while at < line.count, line[at] &- 0x30 <= 9 {
                unit /= 10
                fraction += UInt64(line[at] &- 0x30) * unit
                at += 1
            }
        }
        return whole * 1_000_000_000 + fraction
    }
}

/// A file's bytes, mapped read-only as long as this lives.
final class MappedFile {
    let path: String
    let bytes: UnsafeBufferPointer<UInt8>

    init(path: String) throws {
        self.path = path
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw RecordingError.system(path: path, code: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw RecordingError.system(path: path, code: errno) }
        guard status.st_size > 0 else {
            bytes = UnsafeBufferPointer(start: nil, count: 0)
            return
        }
        let mapping = mmap(nil, Int(status.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let mapping, mapping != MAP_FAILED else { throw RecordingError.system(path: path, code: errno) }
        bytes = UnsafeBufferPointer(
            start: mapping.assumingMemoryBound(to: UInt8.self), count: Int(status.st_size))
    }

    deinit {
        if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
    }
}
