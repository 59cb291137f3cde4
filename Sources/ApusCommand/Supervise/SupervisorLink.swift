import ApusLive
import CApusWire
import Foundation
import Glibc

/// The engine's end of its supervisor: a process of this program in a session of its own, at the other end of a socket pair. When
/// this process ends, in whatever way, the kernel closes the socket, and the supervisor knows. Control thread.
final class SupervisorLink {
    private let order: SupervisorOrder
    private let log: Log
    private var socket: Int32 = -1
    private var pid: pid_t = 0

    /// Starts it.
    init(_ order: SupervisorOrder, log: Log) throws {
        self.order = order
        self.log = log
        try start()
    }

    private func start() throws {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { throw failure(errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[1]) }
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("apus"), strdup(SuperviseCommand.name), nil]
        defer { for argument in arguments { free(argument) } }
        let result = apus_spawn_self(&pid, &arguments, ends[1])
        guard result == 0 else {
            close(ends[0])
            throw failure(-result)
        }
        socket = ends[0]
        say(String(decoding: try JSONEncoder().encode(order), as: UTF8.self))
    }

    private func failure(_ code: Int32) -> CommandFailure {
        CommandFailure(
            ExitStatus.failure,
            "cannot start the supervisor (supervisor.enabled): \(String(cString: strerror(code))); nothing was started")
    }

    private func say(_ text: String) {
        var rest = Array("\(text)\n".utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            // One that is gone is noticed by `check`.
            if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { return }
        }
    }

    /// Starts another one when this one has ended. Now and then.
    func check() {
        var status: Int32 = 0
        guard pid > 0, waitpid(pid, &status, WNOHANG) == pid else { return }
        close(socket)
        pid = 0
        log.warning("the supervisor has ended by itself; another one is started")
        do { try start() } catch { log.error("\(error): what is open stays open if this engine dies") }
    }

    /// Says that everything was stopped in order, and waits for the supervisor's end.
    func finish() {
        guard pid > 0 else { return }
        say(SupervisorWord.stopped.rawValue)
        close(socket)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        pid = 0
    }
}
