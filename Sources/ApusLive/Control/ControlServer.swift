import Foundation
import Glibc
import Synchronization

/// Listens at an engine's control socket: one thread that accepts, and one for each of a few connections, since an answer may
/// have to wait for the venue.
package final class ControlServer: Sendable {
    package let path: String
    private let listener: Int32
    private let wakeEnds: (read: Int32, write: Int32)
    private let answer: @Sendable (ControlRequest) -> ControlReply
    private let refuse: @Sendable (String) -> ControlReply
    private let open = Mutex<Set<Int32>>([])
    private let threads = Mutex(Threads())
    private struct Threads {
        var accepting: EngineThread?
        var serving: [UInt64: EngineThread] = [:]
        /// Those that are about to end and wait to be joined.
        var ended: [UInt64] = []
        var next: UInt64 = 0
    }

    /// Connections at once; one more is closed at once.
    private static let most = 16
    /// A connection that says nothing for so long is closed.
    private static let silence = Duration.seconds(30)

    /// Binds and listens; requests are answered by `answer` on threads of the server's own. `refuse` words the answer to what is no
    /// request.
    package init(
        path: String, answer: @escaping @Sendable (ControlRequest) -> ControlReply,
        refuse: @escaping @Sendable (String) -> ControlReply
    ) throws(LiveError) {
        self.path = path
        self.answer = answer
        self.refuse = refuse
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw LiveError("cannot make a pipe: \(String(cString: strerror(errno)))")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        wakeEnds = (ends[0], ends[1])
        do throws(LiveError) {
            listener = try ControlSocket.listen(at: path)
        } catch {
            close(ends[0])
            close(ends[1])
            throw error
        }
    }

    /// Starts to accept. Once.
    package func start() throws(LiveError) {
        let thread = try EngineThread.start(name: "apus-control", cpu: nil) { [self] in acceptUntilStopped() }
        threads.withLock { $0.accepting = thread }
    }

    /// Closes everything, removes the socket and waits for the threads. Once. Not from a connection's own thread.
    package func stop() {
        var byte: UInt8 = 1
        _ = write(wakeEnds.write, &byte, 1)
        unlink(path)
        // The thread that accepts comes first, so that no connection is added behind our back.
        threads.withLock { $0.accepting }?.join()
        open.withLock { for socket in $0 { shutdown(socket, Int32(SHUT_RD)) } }
        for thread in threads.withLock({ $0.serving.values }) { thread.join() }
        threads.withLock { $0 = Threads() }  // they hold what they ran, which holds this
        close(listener)
        close(wakeEnds.read)
        close(wakeEnds.write)
    }

    private func acceptUntilStopped() {
        while true {
            var waited = [
                pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wakeEnds.read, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&waited, 2, -1) > 0 else { continue }
            if waited[1].revents != 0 { return }
            let socket = accept(listener, nil, nil)
            guard socket >= 0 else { continue }
            _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
            admit(socket)
        }
    }

    private func admit(_ socket: Int32) {
        let isWelcome = open.withLock { open in
            guard open.count < Self.most, ControlSocket.peerUser(of: socket) == getuid() else { return false }
            open.insert(socket)
            return true
        }
        guard isWelcome else {
            close(socket)
            return
        }
        reap()
        let number = threads.withLock { threads in
            threads.next += 1
            return threads.next
        }
        do {
            let thread = try EngineThread.start(name: "apus-control", cpu: nil) { [self] in
                serve(socket)
                threads.withLock { $0.ended.append(number) }
            }
            threads.withLock { $0.serving[number] = thread }
        } catch {
            drop(socket)
        }
    }

    // Only this thread adds and takes away, so that a thread that has ended is there unless it was joined.
    private func reap() {
        let ended = threads.withLock { threads in
            let found = threads.ended.compactMap { threads.serving.removeValue(forKey: $0) }
            threads.ended = []
            return found
        }
        for thread in ended { thread.join() }
    }

    private func drop(_ socket: Int32) {
        open.withLock { _ = $0.remove(socket) }
        close(socket)
    }

    private func serve(_ socket: Int32) {
        ControlSocket.setPatience(Self.silence, of: socket)
        var kept: [UInt8] = []
        while let line = ControlSocket.readLine(from: socket, kept: &kept) {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            guard let text = try? encoder.encode(reply(to: line)), ControlSocket.write(text, to: socket) else { break }
        }
        drop(socket)
    }

    private func reply(to line: Data) -> ControlReply {
        do {
            return answer(try JSONDecoder().decode(ControlRequest.self, from: line))
        } catch {
            let known = ControlRequest.Kind.allCases.map(\.rawValue).joined(separator: ", ")
            return refuse("this is no request; it is a JSON object with \"request\": one of \(known)")
        }
    }
}
