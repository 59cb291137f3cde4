internal import CApusRing
import Synchronization

/// One transition of a circuit breaker, for log, metrics and journal.
package struct BreakerTransition: Sendable, Equatable {
    package enum Reason: UInt8, Sendable, Codable {
        /// As many failures in a row as open it.
        case failures = 1
        /// A call came after the timeout: it may try.
        case timeoutOver
        /// As many successes as close it.
        case successes
        /// A call failed while it was half open.
        case failedProbe
        /// A person has closed it.
        case person
    }

    /// From 1, over all breakers of one log.
    package var number: UInt64
    /// Nanoseconds, on the scale of whoever told the outcome.
    package var time: UInt64
    /// The breaker's number in its log: see `BreakerLog.name`.
    package var breaker: UInt8
    package var from: BreakerState
    package var to: BreakerState
    package var reason: Reason
}

/// The newest transitions of all breakers. Any thread; each reader keeps the number of the newest that it has read.
///
/// Unchecked: the counter is written under the lock and read atomically.
package final class BreakerLog: @unchecked Sendable {
    private static let room = 256
    private struct State {
        var names: [String] = []
        var transitions: [BreakerTransition] = []
        var count: UInt64 = 0
    }
    private let state: Mutex<State>
    /// How many transitions there have been, for whoever looks often.
    let counter: UnsafeMutablePointer<UInt64>

    package init() {
        counter = .allocate(capacity: 1)
        counter.initialize(to: 0)
        var state = State()
        state.transitions.reserveCapacity(Self.room)
        self.state = Mutex(state)
    }

    deinit { counter.deallocate() }

    /// The name of a breaker.
    package func name(of breaker: UInt8) -> String { state.withLock { $0.names[Int(breaker)] } }

    /// How many transitions there have been: a metric.
    package var count: UInt64 { state.withLock { $0.count } }

    /// Those after that number, oldest first: at most the newest 256.
    package func transitions(after number: UInt64) -> [BreakerTransition] {
        state.withLock { state in state.transitions.filter { $0.number > number }.sorted { $0.number < $1.number } }
    }

    /// The next one after that number that is still there. It allocates nothing, and finds nothing when another thread
    /// is at the log in this moment: ask again later.
    package func next(after number: UInt64) -> BreakerTransition? {
        state.withLockIfAvailable { state -> BreakerTransition? in
            guard state.count > number else { return nil }
            let oldest = state.count - UInt64(state.transitions.count) + 1
            return state.transitions[Int((max(number + 1, oldest) - 1) % UInt64(Self.room))]
        } ?? nil
    }

    fileprivate func add(_ name: String) -> UInt8 {
        state.withLock { state in
            precondition(state.names.count < 256, "a log has room for 256 breakers")
            state.names.append(name)
            return UInt8(state.names.count - 1)
        }
    }

    fileprivate func add(_ transition: BreakerTransition) {
        state.withLock { state in
            state.count += 1
            var numbered = transition
            numbered.number = state.count
            if state.transitions.count < Self.room {
                state.transitions.append(numbered)
            } else {
                state.transitions[Int((state.count - 1) % UInt64(Self.room))] = numbered
            }
            apus_flag_set(counter, state.count)
        }
    }
}

/// A circuit breaker: see `BreakerCore` for its rules. Any thread may ask and tell; while it is closed and nothing has
/// failed, neither takes a lock.
///
///     guard breaker.allows(now) else { throw DerivError.breakerOpen }
///     let answer = try await call()
///     breaker.record(.success, now)
///
/// Unchecked: the word is written under the lock and read atomically.
package final class CircuitBreaker: @unchecked Sendable {
    package let name: String
    private let number: UInt8
    private let log: BreakerLog
    private let core: Mutex<BreakerCore>
    /// 0: closed and nothing has failed. Otherwise the state, and 256 where there were failures.
    private let word: UnsafeMutablePointer<UInt64>

    package init(_ name: String, _ configuration: BreakerConfiguration, log: BreakerLog) {
        self.name = name
        self.log = log
        number = log.add(name)
        core = Mutex(BreakerCore(configuration))
        word = .allocate(capacity: 1)
        word.initialize(to: 0)
    }

    deinit { word.deallocate() }

    package var state: BreakerState { BreakerState(rawValue: UInt8(truncatingIfNeeded: apus_flag(word))) ?? .open }
    package var configuration: BreakerConfiguration { core.withLock { $0.configuration } }
    /// Failures in a row while it is closed.
    package var failures: Int { core.withLock { $0.failures } }

    /// For whoever must not even touch a reference while all is well.
    var condition: UnsafePointer<UInt64> { UnsafePointer(word) }

    /// Whether a call may be made now. After a yes, `record` is told how it ended.
    package func allows(_ now: UInt64) -> Bool {
        if state == .closed { return true }
        return change(now) { core in
            let (isAllowed, reason) = core.allow(now)
            return (isAllowed, reason)
        }
    }

    /// Tells how a call ended.
    package func record(_ outcome: CallOutcome, _ now: UInt64) {
        if apus_flag(word) == 0 && !outcome.isFailure { return }
        change(now) { core in ((), core.record(outcome, now)) }
    }

    /// A person says that it works again.
    package func close(_ now: UInt64) {
        change(now) { core in
            let wasClosed = core.state == .closed
            core.reset()
            return ((), wasClosed ? nil : .person)
        }
    }

    private func change<Value>(_ now: UInt64, _ body: (inout BreakerCore) -> (Value, BreakerCore.Reason?)) -> Value {
        core.withLock { core in
            let from = core.state
            let (value, reason) = body(&core)
            apus_flag_set(word, UInt64(core.state.rawValue) | (core.failures > 0 ? 256 : 0))
            if let reason {
                log.add(
                    BreakerTransition(
                        number: 0, time: now, breaker: number, from: from, to: core.state, reason: reason))
            }
            return value
        }
    }
}

/// The breakers of one program by name: those that are ready-made, and one for each venue connection.
package final class CircuitBreakers: Sendable {
    package let log = BreakerLog()
    private let configured: [String: BreakerConfiguration]
    private let others: BreakerConfiguration
    private let breakers: Mutex<[CircuitBreaker]>

    /// - Parameters:
    ///   - configured: by name, in place of what is ready-made.
    ///   - others: those that nobody has configured.
    package init(
        _ configured: [String: BreakerConfiguration] = [:], others: BreakerConfiguration = BreakerConfiguration()
    ) {
        self.configured = configured
        self.others = others
        let log = log
        breakers = Mutex(
            BreakerConfiguration.readyMade.map {
                CircuitBreaker($0.name, configured[$0.name] ?? $0.configuration, log: log)
            })
    }

    /// The breaker of that name; it is made when there is none.
    package func named(_ name: String) -> CircuitBreaker {
        breakers.withLock { breakers in
            if let found = breakers.first(where: { $0.name == name }) { return found }
            let made = CircuitBreaker(name, configured[name] ?? others, log: log)
            breakers.append(made)
            return made
        }
    }

    /// All of them, in the order in which they were made.
    package var all: [CircuitBreaker] { breakers.withLock { $0 } }
}
