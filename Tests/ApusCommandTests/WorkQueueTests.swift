import ApusEngine
import Synchronization
import Testing

@testable import ApusLive

/// Time that stands still until it is moved, and says who waits for it.
private final class ManualClock: WorkClock {
    private struct Sleeper {
        let number: UInt64
        let time: UInt64
        let wake: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now: UInt64 = 1_000
        var next: UInt64 = 0
        var sleepers: [Sleeper] = []
        var canceled: Set<UInt64> = []
    }

    private let state = Mutex(State())

    var now: UInt64 { state.withLock { $0.now } }
    /// When the next sleeper is due.
    var nextDue: UInt64? { state.withLock { $0.sleepers.map(\.time).min() } }

    func sleep(until time: UInt64) async throws {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (wake: CheckedContinuation<Void, any Error>) in
                let outcome: Result<Void, any Error>? = state.withLock { state in
                    if state.canceled.remove(number) != nil { return .failure(CancellationError()) }
                    if time <= state.now { return .success(()) }
                    state.sleepers.append(Sleeper(number: number, time: time, wake: wake))
                    return nil
                }
                if let outcome { wake.resume(with: outcome) }
            }
        } onCancel: {
            let sleeper: Sleeper? = state.withLock { state in
                guard let place = state.sleepers.firstIndex(where: { $0.number == number }) else {
                    state.canceled.insert(number)
                    return nil
                }
                return state.sleepers.remove(at: place)
            }
            sleeper?.wake.resume(throwing: CancellationError())
        }
    }

    func advance(to time: UInt64) {
        let due = state.withLock { state in
            state.now = max(state.now, time)
            let due = state.sleepers.filter { $0.time <= state.now }
            state.sleepers.removeAll { $0.time <= state.now }
            return due
        }
        for sleeper in due { sleeper.wake.resume() }
    }

    /// Returns when somebody sleeps until exactly that time.
    func waitForSleeper(at time: UInt64) async {
        while !state.withLock({ $0.sleepers.contains { $0.time == time } }) { await Task.yield() }
    }
}

/// A door that work waits at until it is opened, and that remembers who came.
private actor Door {
    private(set) var came: [Int] = []
    private var isOpen = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func enter(_ number: Int) async {
        came.append(number)
        if !isOpen { await withCheckedContinuation { waiting.append($0) } }
    }

    func open() {
        isOpen = true
        for waiter in waiting { waiter.resume() }
        waiting = []
    }
}

/// A value that tasks share.
private final class Shared<Value: Sendable>: Sendable {
    private let box: Mutex<Value>

    init(_ value: Value) { box = Mutex(value) }

    var value: Value { box.withLock { $0 } }

    @discardableResult
    func change(_ body: @Sendable (inout Value) -> Void) -> Value {
        box.withLock { value in
            body(&value)
            return value
        }
    }
}

private func error<Value: Sendable>(of task: Task<Value, any Error>) async -> WorkError? {
    do {
        _ = try await task.value
        return nil
    } catch { return error as? WorkError }
}

@Suite struct WorkQueueTests {
    private let clock = ManualClock()

    private func queue(
        capacity: Int = 4, _ whenFull: WorkQueueOptions.WhenFull = .refuseNewest, breaker: WorkBreaker? = nil
    ) -> WorkQueue {
        var options = WorkQueueOptions("test")
        options.capacity = capacity
        options.whenFull = whenFull
        options.retry = RetryPolicy()
        return WorkQueue(options, breaker: breaker, clock: clock, random: { 0 })
    }

    /// Starts work that waits at the door, in order: the first is at the door and the others wait in the queue when this returns.
    private func start(
        _ queue: WorkQueue, _ door: Door, _ urgencies: [WorkQueue.Urgency], patience: [UInt64?] = []
    ) async -> [Task<Int, any Error>] {
        var tasks: [Task<Int, any Error>] = []
        for (number, urgency) in urgencies.enumerated() {
            let limit = number < patience.count ? patience[number] : nil
            let before = await queue.counts
            tasks.append(
                Task {
                    try await queue.run(urgency, patience: limit, isRepeatable: false) { () throws(AccountError) in
                        await door.enter(number)
                        return number
                    }
                })
            while await queue.counts == before { await Task.yield() }
        }
        return tasks
    }

    @Test func urgentWorkGoesFirstAndOldBeforeNew() async throws {
        let queue = queue(), door = Door()
        let tasks = await start(queue, door, [.normal, .low, .normal, .high, .normal])
        await door.open()
        for (number, task) in tasks.enumerated() { #expect(try await task.value == number) }
        #expect(await door.came == [0, 3, 2, 4, 1])
        let counts = await queue.counts
        #expect(counts.done == 5 && counts.waiting == 0 && counts.running == 0)
    }

    @Test func aFullQueueRefusesTheNewest() async throws {
        let queue = queue(capacity: 2), door = Door()
        let tasks = await start(queue, door, [.normal, .normal, .low, .high])
        #expect(await error(of: tasks[3]) == .full(queue: "test"))
        await door.open()
        for task in tasks[..<3] { _ = try await task.value }
        #expect(await queue.counts.refused == 1)
    }

    @Test func aFullQueueDropsTheOldestOfTheLeastUrgent() async throws {
        let queue = queue(capacity: 2, .dropOldest), door = Door()
        let tasks = await start(queue, door, [.normal, .normal, .low, .normal, .low])
        #expect(await error(of: tasks[2]) == .dropped(queue: "test"))
        // What waits is more urgent than the last one, so that it is the one to go.
        #expect(await error(of: tasks[4]) == .full(queue: "test"))
        await door.open()
        #expect(try await tasks[1].value == 1)
        #expect(try await tasks[3].value == 3)
        let counts = await queue.counts
        #expect(counts.dropped == 1 && counts.refused == 1 && counts.done == 3)
    }

    @Test func aFullQueueLetsCallersWait() async throws {
        let queue = queue(capacity: 1, .wait), door = Door()
        let tasks = await start(queue, door, [.normal, .normal, .normal, .high])
        #expect(await queue.counts.waiting == 3)
        await door.open()
        for (number, task) in tasks.enumerated() { #expect(try await task.value == number) }
        #expect(await queue.counts.done == 4)
    }

    @Test func whatIsSafeToRepeatIsTriedAgainWithPausesThatDouble() async throws {
        let queue = queue(), tries = Shared(0)
        let clock = clock
        let task = Task {
            try await queue.run(isRepeatable: true) { () throws(AccountError) -> UInt64 in
                let number = tries.change { $0 += 1 }
                if number < 4 {
                    throw AccountError(
                        number == 2 ? .rateLimit : .venue, "try \(number)", retryAfter: number == 2 ? 3 : nil)
                }
                return clock.now
            }
        }
        // 0.25 s, then what the venue asked for where that is longer, then 1 s.
        for time: UInt64 in [250_001_000, 3_250_001_000, 4_250_001_000] {
            await clock.waitForSleeper(at: time)
            clock.advance(to: time)
        }
        #expect(try await task.value == 4_250_001_000)
        #expect(await queue.counts.retried == 3)
    }

    @Test func whatIsNotSafeToRepeatIsTriedOnceAndOurOwnFaultNeverAgain() async {
        let queue = queue(), tries = Shared(0)
        for (isRepeatable, kind) in [(false, AccountError.Kind.venue), (true, .refused)] {
            let failure = AccountError(kind, "no")
            let task = Task {
                try await queue.run(isRepeatable: isRepeatable) { () throws(AccountError) -> Int in
                    tries.change { $0 += 1 }
                    throw failure
                }
            }
            #expect(await error(of: task) == .failed(failure))
        }
        #expect(tries.value == 2)
    }

    @Test func triesEnd() async {
        let queue = queue(), failure = AccountError(.timeout, "silence")
        let task = Task {
            try await queue.run(isRepeatable: true) { () throws(AccountError) -> Int in throw failure }
        }
        var due = clock.now
        for pause: UInt64 in [250_000_000, 500_000_000, 1_000_000_000] {
            due += pause
            await clock.waitForSleeper(at: due)
            clock.advance(to: due)
        }
        #expect(await error(of: task) == .failed(failure))
        #expect(await queue.counts.failed == 1)
    }

    @Test func aDeadlineHoldsWhileWaitingAndWhileBeingTried() async throws {
        let queue = queue(), door = Door()
        let tasks = await start(queue, door, [.normal, .normal], patience: [nil, 500])
        await clock.waitForSleeper(at: 1_500)
        clock.advance(to: 1_500)
        #expect(await error(of: tasks[1]) == .deadline(queue: "test"))
        await door.open()
        #expect(try await tasks[0].value == 0)

        let slow = Task { [clock] in
            try await queue.run(patience: 100, isRepeatable: true) { () throws(AccountError) -> Int in
                // As a request does that is canceled: it ends with an error.
                do { try await clock.sleep(until: .max) } catch { throw AccountError(.timeout, "canceled") }
                return 1
            }
        }
        await clock.waitForSleeper(at: 1_600)
        clock.advance(to: 1_600)
        #expect(await error(of: slow) == .deadline(queue: "test"))
        #expect(await queue.counts.expired == 2)
    }

    @Test func theBreakerIsAskedBeforeAndToldAfterEachTry() async throws {
        let told = Shared<[AccountError.Kind?]>([]), isOpen = Shared(true)
        let breaker = WorkBreaker(
            admit: { _ in (isOpen.value, 9_000) }, record: { kind, _ in told.change { $0.append(kind) } })
        let queue = queue(breaker: breaker)
        let once = Task { try await queue.run(isRepeatable: false) { () throws(AccountError) in 1 } }
        #expect(await error(of: once) == .breakerOpen(queue: "test"))
        let again = Task { try await queue.run(isRepeatable: true) { () throws(AccountError) in 2 } }
        await clock.waitForSleeper(at: 9_000)
        #expect(told.value.isEmpty)
        isOpen.change { $0 = false }
        clock.advance(to: 9_000)
        #expect(try await again.value == 2)
        let failing = Task {
            try await queue.run(isRepeatable: false) { () throws(AccountError) in throw AccountError(.timeout, "x") }
        }
        _ = await error(of: failing)
        #expect(told.value == [nil, .timeout])
    }

    @Test func aClosedQueueTakesNothingAndEndsWhatWaits() async {
        let queue = queue(), door = Door()
        let tasks = await start(queue, door, [.normal, .normal])
        await queue.close()
        #expect(await error(of: tasks[1]) == .closed(queue: "test"))
        await door.open()
        let late = Task { try await queue.run(isRepeatable: true) { () throws(AccountError) in 1 } }
        #expect(await error(of: late) == .closed(queue: "test"))
    }

    @Test func pausesAreJitteredWithinTheirBounds() {
        let policy = RetryPolicy()
        #expect(policy.pause(after: 1, random: 0) == 250_000_000)
        #expect(policy.pause(after: 100, random: 0) == policy.longestPause)
        for random in stride(from: UInt64(0), to: .max - 1 << 58, by: 1 << 58) {
            #expect((125_000_000...250_000_000).contains(policy.pause(after: 1, random: random)))
        }
    }
}
