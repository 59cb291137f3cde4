import Dispatch
import Foundation
import Testing

/// Which lives are to be lived. The environment chooses: `APUS_SIMULATION_SEED` lives one life, `APUS_SIMULATION_SEEDS` says how many,
/// `APUS_SIMULATION_FIRST` where the seeds begin.
struct Seeds {
    let first: UInt64
    let count: Int
    /// One life alone was asked for: it is told in full, and proves nothing of how eventful lives are.
    let isOne: Bool

    /// - Parameters:
    ///   - usual: how many without a word from the environment;
    ///   - thorough: and how many where `CI` is set.
    init(usual: Int, thorough: Int) {
        let environment = ProcessInfo.processInfo.environment
        func number(_ name: String) -> UInt64? { environment["APUS_SIMULATION_\(name)"].flatMap { UInt64($0) } }
        let one = number("SEED")
        isOne = one != nil
        first = one ?? number("FIRST") ?? 1
        count = isOne ? 1 : number("SEEDS").map { Int($0) } ?? (environment["CI"] == nil ? usual : thorough)
    }

    /// Lives are independent: as many at once as there are processors. Returns what came of them, by seed.
    func live<Outcome: Sendable>(_ body: @escaping @Sendable (UInt64) -> Outcome) -> [Outcome] {
        let outcomes = Outcomes<Outcome>()
        let first = self.first
        DispatchQueue.concurrentPerform(iterations: count) { index in
            outcomes.add(index, body(first + UInt64(index)))
        }
        return outcomes.sorted
    }

    /// What has happened in all lives, and how often it must have in a hundred.
    typealias Happening = (what: String, total: Int, inAHundred: Int)

    /// Lives worlds, and records what was wrong in them.
    func judge(_ suite: String, _ live: @escaping @Sendable (UInt64) throws -> Verdict) -> [Verdict] {
        let verdicts = self.live { seed in
            do { return try live(seed) } catch { return Verdict(seed: seed, failure: error) }
        }
        for verdict in verdicts {
            Self.record(verdict.seed, suite, verdict.problems, verdict.condition)
            guard isOne else { continue }
            print("seed \(verdict.seed): \(verdict.counts), digest \(verdict.digest)")
            print(verdict.summary, verdict.tally)
        }
        return verdicts
    }

    /// Records what was wrong in a life, and how to live it again.
    static func record(_ seed: UInt64, _ suite: String, _ problems: [Problem], _ condition: String = "") {
        if problems.isEmpty { return }
        let lines = problems.map(\.description) + [condition].filter { !$0.isEmpty }
        Issue.record(
            """
            seed \(seed): \(lines.joined(separator: "\n    "))
                again: APUS_SIMULATION_SEED=\(seed) swift test --filter SimulationTests.\(suite)
            """)
    }

    /// Thousands of lives in which nothing happens would prove nothing: says what has happened, and that it is enough where there
    /// are lives enough.
    func expectEventful(_ happened: [Happening]) {
        print("in \(count) lives: " + happened.map { "\($0.total) \($0.what)" }.joined(separator: ", "))
        guard count >= 40 else { return }
        for (what, total, least) in happened {
            #expect(total * 100 >= least * count, "\(what): \(total) in \(count) lives")
        }
    }
}

/// What came of lives that were lived at once.
///
/// Unchecked: every access holds the lock.
private final class Outcomes<Outcome: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var found: [(index: Int, outcome: Outcome)] = []

    func add(_ index: Int, _ outcome: Outcome) { lock.withLock { found.append((index, outcome)) } }

    var sorted: [Outcome] { lock.withLock { found.sorted { $0.index < $1.index }.map(\.outcome) } }
}
