import ApusEngine

/// Why a piece of work has no result.
package enum WorkError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The queue is full and refuses the newest.
    case full(queue: String)
    /// The queue was full, and this was the oldest of the least urgent.
    case dropped(queue: String)
    /// It was not done in time.
    case deadline(queue: String)
    /// The queue was closed.
    case closed(queue: String)
    /// The breaker in front of it is open.
    case breakerOpen(queue: String)
    /// It was tried as often as is allowed, and this is what the last try ended with.
    case failed(AccountError)

    package var description: String {
        switch self {
        case .full(let queue): "the work queue \(queue) is full"
        case .dropped(let queue): "the work queue \(queue) was full; newer work took this one's place"
        case .deadline(let queue): "not done in time (work queue \(queue))"
        case .closed(let queue): "the work queue \(queue) is closed"
        case .breakerOpen(let queue):
            "the breaker in front of the work queue \(queue) is open: the venue has failed too often"
        case .failed(let error): error.description
        }
    }
}

/// How a queue works.
package struct WorkQueueOptions: Sendable {
    /// What happens to work that finds the queue full.
    package enum WhenFull: Sendable, Equatable {
        /// The new one is refused.
        case refuseNewest
        /// The oldest of the least urgent gives way; the new one is refused when everything that waits is more urgent.
        case dropOldest
        /// The caller waits for a place.
        case wait
    }

    package var name: String
    /// How many pieces are done at once.
    package var workers = 1
    /// How many may wait.
    package var capacity = 64
    package var whenFull = WhenFull.refuseNewest
    package var retry = RetryPolicy()

    package init(_ name: String) { self.name = name }
}

/// When work that is safe to repeat is tried again.
package struct RetryPolicy: Sendable, Equatable {
    /// Tries in all.
    package var attempts = 4
    /// Pause after the first failure, doubled after each further one up to the longest. Nanoseconds.
    package var firstPause: UInt64 = 250_000_000
    package var longestPause: UInt64 = 8_000_000_000
    /// By how much of itself a pause may be shorter, in thousandths: those who failed together do not come back together.
    package var jitterPermille: UInt64 = 500

    package init() {}

    /// The pause behind that failure, counted from 1. `random` is any number.
    package func pause(after failure: Int, random: UInt64) -> UInt64 {
        let doubled = firstPause << UInt64(min(max(failure - 1, 0), 20))
        let whole = min(doubled, longestPause)
        let range = whole / 1000 * min(jitterPermille, 1000)
        return whole - (range == 0 ? 0 : random % (range + 1))
    }
}

/// What stands in front of a queue and keeps it from asking a venue that fails.
package struct WorkBreaker: Sendable {
    /// Whether a request may go out now, and when to ask again if not. Nanoseconds, monotonic.
    package var admit: @Sendable (_ now: UInt64) -> (isOpen: Bool, retryAt: UInt64)
    /// How a request that was let out ended; nil: well.
    package var record: @Sendable (_ failure: AccountError.Kind?, _ now: UInt64) -> Void

    package init(
        admit: @escaping @Sendable (UInt64) -> (isOpen: Bool, retryAt: UInt64),
        record: @escaping @Sendable (AccountError.Kind?, UInt64) -> Void
    ) {
        self.admit = admit
        self.record = record
    }
}

extension WorkBreaker {
    /// A circuit breaker: only the venue's own failures and silence open it.
    package init(_ breaker: CircuitBreaker) {
        self.init(
            admit: { now in (!breaker.allows(now), now + 1_000_000_000) },
            record: { failure, now in
                let outcome: CallOutcome =
                    switch failure {
                    case nil: .success
                    case .venue: .venueError
                    case .timeout: .timeOut
                    case .refused: .ourFault
                    case .rateLimit: .rateLimited
                    }
                breaker.record(outcome, now)
            })
    }
}

/// What a queue has done so far.
package struct WorkCounts: Sendable, Equatable, Codable {
    package var done: UInt64 = 0
    package var failed: UInt64 = 0
    package var retried: UInt64 = 0
    package var refused: UInt64 = 0
    package var dropped: UInt64 = 0
    package var expired: UInt64 = 0
    package var waiting = 0
    package var running = 0

    package init() {}
}

/// Work for a venue that is not on the hot path: requests wait by urgency, a few are done at once, and what fails is tried again
/// where that is safe.
///
/// Urgent work goes first, and of the same urgency the oldest. A deadline holds while waiting, while being tried, and between tries.
package actor WorkQueue {
    package enum Urgency: Int, Sendable, Comparable {
        case low = 0
        case normal = 1
        case high = 2

        package static func < (left: Urgency, right: Urgency) -> Bool { left.rawValue < right.rawValue }
    }

    private let options: WorkQueueOptions
    private let clock: any WorkClock
    private let breaker: WorkBreaker?
    private let random: @Sendable () -> UInt64
    private var waiting: [Job] = []
    /// Those whose callers wait for a place.
    private var outside: [Job] = []
    private var running: [UInt64: Task<Void, Never>] = [:]
    private var nextNumber: UInt64 = 0
    private var isClosed = false
    private var totals = WorkCounts()

    /// - Parameter random: for the jitter.
    package init(
        _ options: WorkQueueOptions, breaker: WorkBreaker? = nil, clock: any WorkClock = SystemWorkClock(),
        random: @escaping @Sendable () -> UInt64 = { UInt64.random(in: .min ... .max) }
    ) {
        self.options = options
        self.breaker = breaker
        self.clock = clock
        self.random = random
    }

    package var counts: WorkCounts {
        var counts = totals
        counts.waiting = waiting.count + outside.count
        counts.running = running.count
        return counts
    }

    /// Does a piece of work and returns its result.
    ///
    /// - Parameters:
    ///   - patience: the whole time from now that it may take, nanoseconds; nil: any.
    ///   - isRepeatable: whether doing it twice does no more than doing it once. Only then is it tried again.
    package func run<Value: Sendable>(
        _ urgency: Urgency = .normal, patience: UInt64? = nil, isRepeatable: Bool,
        _ operation: @escaping @Sendable () async throws(AccountError) -> Value
    ) async throws(WorkError) -> Value {
        guard !isClosed else { throw .closed(queue: options.name) }
        nextNumber += 1
        let number = nextNumber, deadline = patience.map { clock.now &+ $0 }
        let result = await withCheckedContinuation { (waiter: CheckedContinuation<Result<Value, WorkError>, Never>) in
            let job = Job(number: number, urgency: urgency, deadline: deadline, isRepeatable: isRepeatable) {
                do throws(AccountError) {
                    let value = try await operation()
                    return .ended { waiter.resume(returning: .success(value)) }
                } catch {
                    return .failed(error)
                }
            } giveUp: {
                waiter.resume(returning: .failure($0))
            }
            admit(job)
        }
        return try result.get()
    }

    /// Refuses what waits, cancels what is being done, and takes nothing more.
    package func close() {
        isClosed = true
        for job in waiting + outside { end(job, .closed(queue: options.name)) }
        waiting = []
        outside = []
        for task in running.values { task.cancel() }
    }

    // MARK: Waiting

    private func admit(_ job: Job) {
        if waiting.count < options.capacity || running.count < options.workers {
            waiting.append(job)
        } else if !makeRoom(for: job) {
            return
        }
        watchDeadline(of: job)
        startWork()
    }

    // The queue is full. False when the job was refused.
    private func makeRoom(for job: Job) -> Bool {
        switch options.whenFull {
        case .refuseNewest: break
        case .wait:
            outside.append(job)
            return true
        case .dropOldest:
            guard let least = waiting.map(\.urgency).min(), least <= job.urgency,
                let place = waiting.firstIndex(where: { $0.urgency == least })
            else { break }
            totals.dropped += 1
            end(waiting.remove(at: place), .dropped(queue: options.name))
            waiting.append(job)
            return true
        }
        totals.refused += 1
        job.giveUp(.full(queue: options.name))
        return false
    }

    private func watchDeadline(of job: Job) {
        guard let deadline = job.deadline else { return }
        job.watch = Task { [clock, weak self] in
            guard (try? await clock.sleep(until: deadline)) != nil else { return }
            await self?.expire(job.number)
        }
    }

    private func expire(_ number: UInt64) {
        func isMeant(_ job: Job) -> Bool { job.number == number }
        guard let job = waiting.first(where: isMeant) ?? outside.first(where: isMeant) else { return }
        waiting.removeAll(where: isMeant)
        outside.removeAll(where: isMeant)
        totals.expired += 1
        end(job, .deadline(queue: options.name))
        if waiting.count < options.capacity, !outside.isEmpty { waiting.append(outside.removeFirst()) }
        startWork()
    }

    private func end(_ job: Job, _ error: WorkError) {
        job.watch?.cancel()
        job.giveUp(error)
    }

    private func takeNext() -> Job? {
        guard let urgency = waiting.map(\.urgency).max(),
            let place = waiting.firstIndex(where: { $0.urgency == urgency })
        else { return nil }
        let job = waiting.remove(at: place)
        if let urgency = outside.map(\.urgency).max(),
            let place = outside.firstIndex(where: { $0.urgency == urgency })
        {
            waiting.append(outside.remove(at: place))
        }
        return job
    }

    // MARK: Working

    private func startWork() {
        while running.count < options.workers, let job = takeNext() {
            job.watch?.cancel()
            running[job.number] = Task { await work(on: job) }
        }
    }

    private func work(on job: Job) async {
        let error = await tryUntilDone(job)
        running[job.number] = nil
        if let error {
            if error == .deadline(queue: options.name) { totals.expired += 1 } else { totals.failed += 1 }
            job.giveUp(error)
        } else {
            totals.done += 1
        }
        startWork()
    }

    private func tryUntilDone(_ job: Job) async -> WorkError? {
        var failures = 0
        while true {
            if isLate(job, at: clock.now) { return .deadline(queue: options.name) }
            if let breaker {
                let answer = breaker.admit(clock.now)
                if answer.isOpen {
                    guard job.isRepeatable, !isLate(job, at: answer.retryAt) else {
                        return .breakerOpen(queue: options.name)
                    }
                    guard await pause(until: max(answer.retryAt, clock.now + 1)) else {
                        return .closed(queue: options.name)
                    }
                    continue
                }
            }
            switch await attempt(job) {
            case .ended(let deliver):
                breaker?.record(nil, clock.now)
                deliver()
                return nil
            case .failed(let error):
                breaker?.record(error.kind, clock.now)
                failures += 1
                if isClosed { return .closed(queue: options.name) }
                if isLate(job, at: clock.now) { return .deadline(queue: options.name) }
                guard job.isRepeatable, error.kind != .refused, failures < options.retry.attempts else {
                    return .failed(error)
                }
                let asked = UInt64(max(error.retryAfter ?? 0, 0)) &* 1_000_000_000
                let until = clock.now + max(asked, options.retry.pause(after: failures, random: random()))
                if isLate(job, at: until) { return .failed(error) }
                totals.retried += 1
                guard await pause(until: until) else { return .closed(queue: options.name) }
            }
        }
    }

    private func isLate(_ job: Job, at time: UInt64) -> Bool { job.deadline.map { time >= $0 } ?? false }

    private func pause(until time: UInt64) async -> Bool { (try? await clock.sleep(until: time)) != nil }

    /// One try, which its deadline cancels.
    private func attempt(_ job: Job) async -> Job.Outcome {
        guard let deadline = job.deadline else { return await job.perform() }
        let late = AccountError(.timeout, "no answer in time")
        return await withTaskGroup(of: Job.Outcome.self) { [clock] group in
            group.addTask { await job.perform() }
            group.addTask {
                try? await clock.sleep(until: deadline)
                return .failed(late)
            }
            let first = await group.next() ?? .failed(late)
            group.cancelAll()
            // What comes in at the same moment is not thrown away.
            for await other in group { if case .ended = other, case .failed = first { return other } }
            return first
        }
    }

    /// A piece of work, its caller's end of it included. Unchecked: `watch` is the queue's, which is an actor.
    private final class Job: @unchecked Sendable {
        enum Outcome: Sendable {
            /// Done; the result goes to the caller by this.
            case ended(@Sendable () -> Void)
            case failed(AccountError)
        }

        let number: UInt64
        let urgency: Urgency
        let deadline: UInt64?
        let isRepeatable: Bool
        let perform: @Sendable () async -> Outcome
        let giveUp: @Sendable (WorkError) -> Void
        var watch: Task<Void, Never>?

        init(
            number: UInt64, urgency: Urgency, deadline: UInt64?, isRepeatable: Bool,
            perform: @escaping @Sendable () async -> Outcome, giveUp: @escaping @Sendable (WorkError) -> Void
        ) {
            self.number = number
            self.urgency = urgency
            self.deadline = deadline
            self.isRepeatable = isRepeatable
            self.perform = perform
            self.giveUp = giveUp
        }
    }
}
