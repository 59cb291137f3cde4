internal import CApusRing
internal import Glibc

/// The segments of one journal on disk: a folder with files `00000001.journal`, `00000002.journal` and so on.
///
/// Unchecked: it is made by the control side and handed to the journal thread; two threads never use it at once.
package final class JournalFolder: @unchecked Sendable {
    package enum Access: Sendable, Equatable {
        /// Beside an engine that may be writing.
        case read
        /// For one engine alone.
        case write
    }

    package let path: String
    /// In the order of their numbers.
    private(set) var files: [apus_journal_file] = []
    /// The newest segment's number, and the number of the record behind it.
    private var newest: UInt64 = 0
    private(set) var endOfSpace: UInt64 = 1
    private var lock: Int32 = -1

    /// Opens what is there; for writing, the folder is made and taken for this process.
    /// - Throws: `JournalError`, naming the file.
    package init(path: String, access: Access) throws(JournalError) {
        self.path = path
        if access == .write {
            lock = apus_journal_directory_lock(path)
            if lock == -EWOULDBLOCK {
                throw JournalError("another engine writes the journal \(path) (journal.path): stop that one first")
            }
            if lock < 0 { throw Self.error(path, lock) }
        }
        for name in try Self.names(path, removeRemains: access == .write) {
            var file = apus_journal_file()
            let result = apus_journal_file_open(&file, path + "/" + name, access == .write)
            if result < 0 { throw Self.error(path + "/" + name, result) }
            keep(file)
        }
    }

    private func keep(_ file: apus_journal_file) {
        files.append(file)
        newest = file.header.index
        endOfSpace = file.header.first + file.header.capacity
    }

    deinit { close() }

    package func close() {
        for place in files.indices { apus_journal_file_close(&files[place]) }
        files = []
        if lock >= 0 { apus_journal_directory_unlock(lock) }
        lock = -1
    }

    /// The segments as bytes. They are valid as long as the folder stays open.
    package var segments: [JournalSegment] {
        files.map { file in
            JournalSegment(
                name: path + "/" + Self.name(file.header.index), header: file.header,
                records: UnsafeRawPointer(file.base) + Int(APUS_JOURNAL_RECORD))
        }
    }

    package func reader() throws(JournalError) -> JournalReader { try JournalReader(segments) }

    // MARK: Names

    /// Whether a folder holds a journal, sound or not.
    package static func exists(at path: String) -> Bool {
        (try? names(path, removeRemains: false))?.isEmpty == false
    }

    static func name(_ index: UInt64) -> String {
        let digits = String(index)
        return String(repeating: "0", count: max(8 - digits.count, 0)) + digits + ".journal"
    }

    private static func names(_ path: String, removeRemains: Bool) throws(JournalError) -> [String] {
        guard let directory = opendir(path) else { throw error(path, -errno) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".journal") { names.append(name) }
            // A segment that was being made when its engine died.
            if removeRemains && name.hasSuffix(".journal.new") { unlink(path + "/" + name) }
        }
        return names.sorted { ($0.utf8.count, $0) < ($1.utf8.count, $1) }
    }

    static func error(_ path: String, _ code: Int32) -> JournalError {
        switch code {
        case -EPROTO: JournalError("\(path) is no segment of a journal")
        case -EPROTOTYPE: JournalError("\(path) is a segment of another version of the journal")
        case -EBADMSG: JournalError("the header of \(path) is damaged (offset 0)")
        case -ENOSPC, -EDQUOT: JournalError("the disk is full: there is no room for \(path)")
        default: JournalError("\(path): \(String(cString: strerror(-code)))")
        }
    }

    // MARK: Writing

    /// Makes the next segment.
    func add(capacity: UInt64, account: UInt64, wall: UInt64) throws(JournalError) -> apus_journal_file {
        var header = apus_journal_segment()
        header.index = newest + 1
        header.first = endOfSpace
        header.capacity = capacity
        header.account_hash = account
        header.made_wall_ns = wall
        var file = apus_journal_file()
        let path = path + "/" + Self.name(header.index)
        let result = apus_journal_file_create(&file, path, &header)
        if result < 0 { throw Self.error(path, result) }
        keep(file)
        return file
    }

    /// Takes the oldest segment out of memory; its file stays.
    func release(_ index: UInt64) {
        guard let place = files.firstIndex(where: { $0.header.index == index }) else { return }
        apus_journal_file_close(&files[place])
        files.remove(at: place)
    }

    /// Cuts everything from that record on, which nothing that was safe stands behind. What is cut is kept beside the journal, in a file
    /// whose name is returned, for a person to look at.
    package func cut(_ place: JournalPlace) throws(JournalError) -> String {
        let remains = path + "/cut-at-\(place.number).bytes"
        let descriptor = open(remains, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        if descriptor < 0 { throw Self.error(remains, -errno) }
        defer { Glibc.close(descriptor) }
        let record = UInt64(APUS_JOURNAL_RECORD)
        let later = files.filter { $0.header.first + $0.header.capacity > place.number }
        for file in later {
            let start = (max(place.number, file.header.first) - file.header.first + 1) * record
            guard let used = Self.used(file, from: start) else { continue }
            var at = start
            while at < used {
                let written = Glibc.write(descriptor, file.base + Int(at), Int(used - at))
                if written < 0 && errno == EINTR { continue }
                if written < 0 { throw Self.error(remains, -errno) }
                at += UInt64(written)
            }
        }
        if fsync(descriptor) != 0 { throw Self.error(remains, -errno) }
        for file in later {
            let start = (max(place.number, file.header.first) - file.header.first + 1) * record
            guard let used = Self.used(file, from: start) else { continue }
            memset(file.base + Int(start), 0, Int(used - start))
            var file = file
            let result = apus_journal_file_sync(&file, start, used - start)
            if result < 0 { throw Self.error(place.segment, result) }
        }
        return remains
    }

    /// Where the last byte that is not zero ends, from there on; nil when all are.
    private static func used(_ file: apus_journal_file, from start: UInt64) -> UInt64? {
        var end = file.bytes
        while end > start && file.base[Int(end - 1)] == 0 { end -= 1 }
        return end > start ? end : nil
    }
}
