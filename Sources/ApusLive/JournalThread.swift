import ApusEngine
import CApusProtocol
import Glibc
import Synchronization

/// The thread that makes a journal's segments and makes its records durable: the only one of the engine that waits for a disk.
///
/// Unchecked: the keeper belongs to the thread between `start` and `stop`, and to the control side before and after.
package final class JournalThread: @unchecked Sendable {
    private let keeper: JournalKeeper
    private let stopRequested = Atomic<Bool>(false)
    private let told = Mutex<String?>(nil)
    private var thread: EngineThread?

    private init(_ keeper: JournalKeeper) { self.keeper = keeper }

    package static func start(_ keeper: JournalKeeper) throws(LiveError) -> JournalThread {
        let journal = JournalThread(keeper)
        journal.thread = try .start(name: "apus-journal", cpu: nil) { journal.run() }
        return journal
    }

    /// What is wrong with the journal's disk, in words; nil while all is well. Any thread.
    package var problem: String? { told.withLock { $0 } }

    /// Ends it, makes the rest durable and lets the folder go. After the decision thread has ended; once.
    package func stop() {
        stopRequested.store(true, ordering: .releasing)
        thread?.join()
        thread = nil
        keeper.close()
    }

    private func run() {
        while !stopRequested.load(ordering: .acquiring) {
            let now = apus_clock_monotonic()
            let work = keeper.turn(now, wall: apus_clock_realtime())
            let problem = keeper.failure?.description
            if work == 0 || problem != nil { told.withLock { $0 = problem } }
            if work == 0 { pause(now) }
        }
    }

    // The decision thread wakes nobody, since a system call would cost it more than all of the journal. With `each` an order waits for
    // this thread, so it looks often; otherwise only the next segment must be there in time.
    private func pause(_ now: UInt64) {
        let longest: UInt64 = keeper.configuration.policy == .each ? 20_000 : 5_000_000
        let due = keeper.nextDue(now)
        var time = timespec(tv_sec: 0, tv_nsec: Int(min(max(due - min(now, due), 1), longest)))
        nanosleep(&time, nil)
    }
}
