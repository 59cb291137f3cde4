import ApusEngine
import ApusLive
import Synchronization

/// Asks the venue for the trades of fills that only a status has told of, so that price and fee are right while the engine runs, and not
/// only after the next start. The control thread follows it; the questions are asked beside that.
final class TradeCheck: Sendable {
    private let engine: LiveEngine
    private let client: any AccountClient
    private let progress = Mutex(Progress())

    private struct Progress {
        /// What the engine had assumed when it was asked last, and nothing was left open.
        var settled: UInt64 = 0
        var isAsking = false
        var due: ContinuousClock.Instant?
        var pause = firstPause
        var failure: String?
    }

    /// The trade is most often on its way: it is given some time, and more when the venue does not tell it.
    private static let firstPause = Duration.seconds(2)
    private static let longestPause = Duration.seconds(300)
    /// The venue's clock may be behind ours by so much, in milliseconds.
    private static let clockMargin: UInt64 = 10_000

    init(_ engine: LiveEngine, _ client: any AccountClient) {
        self.engine = engine
        self.client = client
    }

    /// Asks when something is assumed. Now and then.
    func follow(_ status: EngineStatus, log: Log) {
        let (isDue, failure) = progress.withLock { progress in
            defer { progress.failure = nil }
            return (Self.isDue(&progress, status.assumptions), progress.failure)
        }
        if let failure { log.warning("trades that were missed could not be asked for: \(failure)") }
        guard isDue else { return }
        Task.detached { [self] in
            let outcome = await ask()
            progress.withLock { Self.note(outcome, status.assumptions, &$0) }
        }
    }

    private static func isDue(_ progress: inout Progress, _ assumptions: UInt64) -> Bool {
        guard assumptions != progress.settled, !progress.isAsking else { return false }
        let due = progress.due ?? .now + progress.pause
        progress.due = due
        progress.isAsking = due <= .now
        return progress.isAsking
    }

    private static func note(_ outcome: Outcome, _ assumptions: UInt64, _ progress: inout Progress) {
        progress.isAsking = false
        progress.due = nil
        switch outcome {
        case .settled: (progress.settled, progress.pause) = (assumptions, firstPause)
        case .left: progress.pause = min(progress.pause * 2, longestPause)
        case .failed(let reason):
            progress.pause = min(progress.pause * 2, longestPause)
            progress.failure = reason
        }
    }

    private enum Outcome {
        /// Nothing is assumed any more.
        case settled
        case left
        case failed(String)
    }

    private func ask() async -> Outcome {
        guard let orders = engine.assumedOrders() else { return .left }
        // What recovery took over without a time of its own is left to the next recovery.
        guard let oldest = orders.map(\.wallMilliseconds).filter({ $0 > 0 }).min() else { return .settled }
        let trades: [VenueTrade]
        do {
            trades = try await client.snapshot(since: (oldest - min(oldest, Self.clockMargin)) * 1_000_000).trades
        } catch { return .failed("\(error)") }
        guard let left = engine.take(trades, of: orders) else { return .left }
        return left.contains { $0.wallMilliseconds > 0 } ? .left : .settled
    }
}
