import Apus
import ApusEngine

/// The account behind work queues: cancels, questions about single orders, and history each have workers of their own, so that a long
/// look at history never stands in front of a cancel.
///
/// Everything that an account is asked is safe to repeat, and is.
package final class QueuedAccountClient: AccountClient {
    private let client: any AccountClient
    private let orders: WorkQueue
    private let checks: WorkQueue
    private let history: WorkQueue
    /// Nanoseconds that one request may take with all its repetitions.
    private let patience: UInt64

    /// - Parameter breaker: stands in front of all three; cancels go out all the same.
    package init(
        _ client: any AccountClient, breaker: WorkBreaker? = nil, patience: Duration = .seconds(30),
        clock: any WorkClock = SystemWorkClock()
    ) {
        self.client = client
        self.patience = UInt64(max(patience, .zero) / .nanoseconds(1))
        func queue(_ name: String, _ whenFull: WorkQueueOptions.WhenFull, _ breaker: WorkBreaker?) -> WorkQueue {
            var options = WorkQueueOptions(name)
            options.whenFull = whenFull
            options.retry.attempts = 6
            return WorkQueue(options, breaker: breaker, clock: clock)
        }
        orders = queue("orders", .wait, nil)
        checks = queue("checks", .refuseNewest, breaker)
        history = queue("history", .dropOldest, breaker)
    }

    /// What each queue has done, by its name.
    package func counts() async -> [(name: String, counts: WorkCounts)] {
        [("orders", await orders.counts), ("checks", await checks.counts), ("history", await history.counts)]
    }

    package func snapshot(since: UInt64) async throws(AccountError) -> AccountSnapshot {
        let client = client
        return try await on(history, .normal) { () throws(AccountError) in try await client.snapshot(since: since) }
    }

    package func order(_ order: KnownOrder) async throws(AccountError) -> VenueOrder? {
        let client = client
        return try await on(checks, .normal) { () throws(AccountError) in try await client.order(order) }
    }

    package func cancel(_ known: [KnownOrder]) async throws(AccountError) -> [KnownOrder] {
        let client = client
        return try await on(orders, .high) { () throws(AccountError) in try await client.cancel(known) }
    }

    package func cancelAll() async throws(AccountError) {
        let client = client
        try await on(orders, .high) { () throws(AccountError) in try await client.cancelAll() }
    }

    package func armDeadManSwitch(seconds: Int) async throws(AccountError) -> Bool {
        let client = client
        return try await on(checks, .high) { () throws(AccountError) in
            try await client.armDeadManSwitch(seconds: seconds)
        }
    }

    package func close() async {
        for queue in [orders, checks, history] { await queue.close() }
        await client.close()
    }

    private func on<Value: Sendable>(
        _ queue: WorkQueue, _ urgency: WorkQueue.Urgency,
        _ operation: @escaping @Sendable () async throws(AccountError) -> Value
    ) async throws(AccountError) -> Value {
        do throws(WorkError) {
            return try await queue.run(urgency, patience: patience, isRepeatable: true, operation)
        } catch {
            if case .failed(let failure) = error { throw failure }
            if case .deadline = error { throw AccountError(.timeout, error.description) }
            throw AccountError(.venue, error.description)
        }
    }
}
