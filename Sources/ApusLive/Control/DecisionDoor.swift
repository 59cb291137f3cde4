import ApusEngine
import CApusWire
import Glibc
import Synchronization

/// Runs what the control side wants between two turns of the decision side, by the thread that owns it.
///
/// Without a visitor it costs the decision thread one load a turn. Visitors are rare (a command of a person, a look at the account
/// every now and then), and what they allocate is theirs to answer for. Any thread of the control side may visit.
final class DecisionDoor: Sendable {
    /// The visitor that waits, as a retained pointer; 0: nobody. Exchanged, so that exactly one side takes it away.
    private let waiting = Atomic<UInt>(0)
    private let queue = Mutex<Void>(())

    /// One visit: runs at most once.
    private final class Visit: @unchecked Sendable {
        // Unchecked: the body runs on the decision thread, and the result is read after the semaphore said that it is there.
        private let body: (DecisionAgent) -> Void
        private var done = sem_t()

        init(_ body: @escaping (DecisionAgent) -> Void) {
            self.body = body
            sem_init(&done, 0, 0)
        }

        deinit { sem_destroy(&done) }

        func run(_ agent: DecisionAgent) {
            body(agent)
            sem_post(&done)
        }

        /// False when it was not done in time.
        func wait(_ patience: Duration) -> Bool {
            apus_semaphore_wait(&done, UInt64(max(patience, .zero) / .nanoseconds(1))) == 0
        }
    }

    /// Decision thread, between turns.
    @inline(__always)
    func serve(_ agent: DecisionAgent) {
        if waiting.load(ordering: .relaxed) != 0 { open(agent) }
    }

    @inline(never)
    private func open(_ agent: DecisionAgent) {
        take()?.run(agent)
    }

    private func take() -> Visit? {
        let bits = waiting.exchange(0, ordering: .acquiringAndReleasing)
        return UnsafeRawPointer(bitPattern: bits).map { Unmanaged<Visit>.fromOpaque($0).takeRetainedValue() }
    }

    /// Runs `body` on the decision thread and returns what it returns, or nil when that thread did not come by in time; `body` has
    /// then not run and will not, unless it was running at that moment. `wake` ends the thread's sleep.
    func visit<Value: Sendable>(
        patience: Duration, wake: () -> Void, _ body: @escaping @Sendable (DecisionAgent) -> Value
    ) -> Value? {
        queue.withLock { _ in
            let result = Answer<Value>()
            let visit = Visit { agent in
                let value = body(agent)
                result.value.withLock { $0 = value }
            }
            waiting.store(UInt(bitPattern: Unmanaged.passRetained(visit).toOpaque()), ordering: .releasing)
            wake()
            if visit.wait(patience) { return result.value.withLock { $0 } }
            if take() != nil { return nil }
            // It was just being taken: what it does takes no time, so it is waited for.
            return visit.wait(.seconds(1)) ? result.value.withLock { $0 } : nil
        }
    }

    private final class Answer<Value: Sendable>: Sendable {
        let value = Mutex<Value?>(nil)
    }
}
