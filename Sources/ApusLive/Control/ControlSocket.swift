import CApusWire
import Foundation
import Glibc

/// Unix sockets that only the same user can reach: where they are, how they are made, and how lines travel on them.
package enum ControlSocket {
    /// Longest line in bytes, request or answer.
    static let longestLine = 1 << 20

    /// Where an engine's control socket is: `$XDG_RUNTIME_DIR/apus/NAME.sock`, or `/tmp/apus-UID/NAME.sock` without such a folder.
    package static func path(engine name: String, environment: [String: String]) -> String {
        if let folder = environment["XDG_RUNTIME_DIR"], folder.hasPrefix("/") { return "\(folder)/apus/\(name).sock" }
        return "/tmp/apus-\(getuid())/\(name).sock"
    }

    /// Listens there. The folder is made for this user alone; a socket that nobody listens at any more is replaced.
    static func listen(at path: String) throws(LiveError) -> Int32 {
        try makeFolder(of: path)
        guard try isFree(path) else {
            throw LiveError("somebody listens at the control socket \(path) already; choose another engine.name")
        }
        var status = stat()
        if lstat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFSOCK, status.st_uid == getuid() else {
                throw LiveError("\(path) is in the way of the control socket and is no socket of ours; move it away")
            }
            unlink(path)
        }
        let socket = try open()
        // Between the two steps the folder keeps others out, and every connection's user is looked at besides.
        let result = withAddress(path) { bind(socket, $0, $1) }
        guard let result, result == 0, chmod(path, 0o600) == 0, Glibc.listen(socket, 16) == 0 else {
            let code = result == nil ? ENAMETOOLONG : errno
            close(socket)
            throw failure("cannot listen at", path, code)
        }
        return socket
    }

    /// Whether nobody listens there. One who hangs answers nobody, but his queue of connections is full rather than gone.
    private static func isFree(_ path: String) throws(LiveError) -> Bool {
        let socket = try open()
        defer { close(socket) }
        setPatience(.seconds(1), of: socket)
        return withAddress(path) { Glibc.connect(socket, $0, $1) == 0 || errno == EAGAIN } != true
    }

    /// Connects. The socket's owner must be this user or root: nobody else's engine is spoken to.
    static func connect(to path: String, patience: Duration) throws(LiveError) -> Int32 {
        let socket = try open()
        setPatience(patience, of: socket)
        let result = withAddress(path) { Glibc.connect(socket, $0, $1) }
        guard let result, result == 0 else {
            let code = result == nil ? ENAMETOOLONG : errno
            close(socket)
            throw failure("cannot reach", path, code)
        }
        guard let peer = peerUser(of: socket), peer == getuid() || peer == 0 else {
            close(socket)
            throw LiveError("the control socket \(path) belongs to another user; nothing was sent")
        }
        return socket
    }

    /// The user at the other end, as the kernel knows it.
    static func peerUser(of socket: Int32) -> uid_t? {
        var user = uid_t.max
        return apus_peer_user(socket, &user) == 0 ? user : nil
    }

    // MARK: Lines

    /// Writes all of it and a line end; false when the other end is gone or does not read.
    static func write(_ line: Data, to socket: Int32) -> Bool {
        var rest = [UInt8](line + [UInt8(ascii: "\n")])[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { return false }
        }
        return true
    }

    /// The next line without its end; nil at the end of the stream, when it is longer than allowed, or after the time that the
    /// socket was given for a read.
    static func readLine(from socket: Int32, kept: inout [UInt8]) -> Data? {
        while true {
            if let end = kept.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Data(kept[..<end])
                kept.removeFirst(end + 1)
                return line
            }
            guard kept.count < longestLine else { return nil }
            var chunk = [UInt8](repeating: 0, count: 4096)
            let count = recv(socket, &chunk, chunk.count, 0)
            if count > 0 { kept += chunk[..<count] } else if count == 0 || errno != EINTR { return nil }
        }
    }

    /// How long one read or write may take.
    static func setPatience(_ patience: Duration, of socket: Int32) {
        var time = timeval(tv_sec: Int(patience.components.seconds), tv_usec: 0)
        time.tv_usec = Int(patience.components.attoseconds / 1_000_000_000_000)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, size)
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, size)
    }

    // MARK: Making

    private static func open() throws(LiveError) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let made = socket(AF_UNIX, kind, 0)
        guard made >= 0 else { throw LiveError("cannot make a socket: \(String(cString: strerror(errno)))") }
        return made
    }

    // A folder that others could write to would let them put a socket of theirs in this one's place.
    private static func makeFolder(of path: String) throws(LiveError) {
        let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        guard !folder.isEmpty else { throw LiveError("the control socket needs a path with a folder, not \"\(path)\"") }
        if mkdir(folder, 0o700) != 0, errno != EEXIST { throw failure("cannot make the folder of", path, errno) }
        var status = stat()
        guard lstat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == getuid(),
            status.st_mode & 0o022 == 0
        else {
            throw LiveError("\(folder) must be a folder of this user that nobody else can write to (chmod 700)")
        }
    }

    private static func withAddress<Result>(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        copyText(path, to: &address.sun_path)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func failure(_ action: String, _ path: String, _ code: Int32) -> LiveError {
        if code == ENAMETOOLONG { return LiveError("the control socket's path is too long (107 bytes): \(path)") }
        return LiveError("\(action) the control socket \(path): \(String(cString: strerror(code)))")
    }
}

/// Asks a running engine, one request a connection.
package enum ControlClient {
    /// The engine's answer as it came, and read. `patience` must be longer than what the request itself waits for.
    package static func ask(
        _ request: ControlRequest, at path: String, patience: Duration
    ) throws(LiveError) -> (line: String, reply: ControlReply) {
        let socket = try ControlSocket.connect(to: path, patience: patience)
        defer { close(socket) }
        var kept: [UInt8] = []
        guard let line = try? JSONEncoder().encode(request), ControlSocket.write(line, to: socket),
            let answer = ControlSocket.readLine(from: socket, kept: &kept)
        else {
            throw LiveError("the engine at \(path) does not answer: it hangs or has just ended")
        }
        do {
            return (String(decoding: answer, as: UTF8.self), try JSONDecoder().decode(ControlReply.self, from: answer))
        } catch {
            throw LiveError("the engine at \(path) answers in a form that this program does not know")
        }
    }
}
