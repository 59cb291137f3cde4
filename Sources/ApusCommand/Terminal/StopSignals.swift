import Glibc

/// What a wait ended with.
package enum Wakeup: Equatable, Sendable {
    case timeout
    case key(UInt8)
    case stop
    /// SIGUSR1.
    case halt
}

/// SIGINT and SIGTERM, and where they are asked for SIGUSR1 and SIGUSR2, as something to wait for. There is one for the process, made
/// before other threads start.
package final class StopSignals {
    private let readEnd: Int32
    private var hasKeys = true

    /// - Parameter halts: SIGUSR1 is waited for as well, and SIGUSR2 does nothing; else both end the process, as they do by themselves.
    package init(halts: Bool = false) {
        var ends: [Int32] = [-1, -1]
        _ = pipe(&ends)
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        readEnd = ends[0]
        writeEnd = ends[1]
        var action = sigaction()
        action.sa_flags = SA_RESTART
        action.__sigaction_handler.sa_handler = { number in
            var byte = UInt8(truncatingIfNeeded: number)
            _ = write(writeEnd, &byte, 1)  // a full pipe already says what there is to say
        }
        sigaction(SIGINT, &action, nil)
        sigaction(SIGTERM, &action, nil)
        if halts {
            sigaction(SIGUSR1, &action, nil)
            signal(SIGUSR2, SIG_IGN)
        }
        // Whoever started this process may have blocked them, and a mask is inherited.
        var wanted = sigset_t()
        sigemptyset(&wanted)
        for number in [SIGINT, SIGTERM] + (halts ? [SIGUSR1] : []) { sigaddset(&wanted, number) }
        pthread_sigmask(SIG_UNBLOCK, &wanted, nil)
    }

    /// Returns at the first of: a signal, a key (when `keys`), the end of the time.
    package func wait(milliseconds: Int, keys: Bool) -> Wakeup {
        let clock = ContinuousClock()
        let end = clock.now + .milliseconds(milliseconds)
        repeat {
            var waited = [
                pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: keys && hasKeys ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0),
            ]
            let left = max(.zero, end - clock.now) / .milliseconds(1)
            guard poll(&waited, 2, Int32(clamping: Int(left.rounded(.up)))) >= 0 else { continue }  // interrupted
            var byte: UInt8 = 0
            if waited[0].revents != 0, read(readEnd, &byte, 1) == 1 {
                return Int32(byte) == SIGUSR1 ? .halt : .stop
            }
            if waited[1].revents != 0 {
                if read(STDIN_FILENO, &byte, 1) == 1 { return .key(byte) }
                hasKeys = false  // standard input has ended; the view goes on without keys
            }
        } while clock.now < end
        return .timeout
    }
}

// Written once, before the handler is installed; a signal handler can reach nothing but a global.
private nonisolated(unsafe) var writeEnd: Int32 = -1
