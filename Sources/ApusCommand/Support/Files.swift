import Glibc

/// A file that could not be read or written, with the system's own reason.
package struct FileError: Error, CustomStringConvertible {
    package let path: String
    package let action: String
    package let code: Int32

    package var description: String { "cannot \(action) \(path): \(String(cString: strerror(code)))" }
}

/// Small files as a whole, without Foundation.
package enum Files {
    /// The bytes of a file. Works for files of /proc and /sys, whose size is not known beforehand.
    package static func bytes(_ path: String) throws(FileError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw FileError(path: path, action: "read", code: errno) }
        defer { close(file) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = read(file, &chunk, chunk.count)
            if count == 0 { return content }
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError(path: path, action: "read", code: errno)
            }
            content += chunk[..<count]
        }
    }

    /// The text of a file; bytes that are no UTF-8 become replacement characters.
    package static func text(_ path: String) throws(FileError) -> String {
        String(decoding: try bytes(path), as: UTF8.self)
    }

    /// Makes a new file; an existing one is an error.
    package static func create(_ path: String, _ text: String) throws(FileError) {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw FileError(path: path, action: "create", code: errno) }
        defer { close(file) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw FileError(path: path, action: "write", code: errno) }
            rest = rest.dropFirst(count)
        }
    }

    /// Makes a folder; one that is there already is an error only when `mustBeNew`.
    package static func makeFolder(_ path: String, mustBeNew: Bool) throws(FileError) {
        if mkdir(path, 0o755) == 0 { return }
        if errno == EEXIST && !mustBeNew { return }
        throw FileError(path: path, action: "create", code: errno)
    }

    /// Makes a folder and those that it lies in, for this user alone.
    package static func makePrivateFolders(_ path: String) throws(FileError) {
        var made = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            made += "/\(part)"
            if mkdir(made, 0o700) != 0, errno != EEXIST {
                throw FileError(path: made, action: "create", code: errno)
            }
        }
    }

    /// The names in a folder, sorted; empty when there is no such folder.
    package static func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Whether something has this path.
    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The path without dots and links; nil when it is not there.
    package static func resolved(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }
}
