import Dispatch
import Foundation
import Testing

/// Thousands of faulty lives. The environment chooses: `APUS_SIMULATION_SEED` lives one life, `APUS_SIMULATION_SEEDS` says how many
/// (1,000 where `CI` is set, else 100), `APUS_SIMULATION_FIRST` where the seeds begin.
@Suite struct LifeTests {
    @Test("every book is the venue's and no order is lost or doubled, whatever goes wrong")
    func lives() throws {
        let environment = ProcessInfo.processInfo.environment
        if let text = environment["APUS_SIMULATION_SEED"], let seed = UInt64(text) {
            let verdict = try Life(seed: seed).live()
            print("seed \(seed): \(verdict.counts), digest \(verdict.digest)")
            print(verdict.summary)
            report(verdict)
            return
        }
        let count = environment["APUS_SIMULATION_SEEDS"].flatMap { Int($0) } ?? (environment["CI"] == nil ? 100 : 1000)
        let first = environment["APUS_SIMULATION_FIRST"].flatMap { UInt64($0) } ?? 1
        let verdicts = liveAll(first, count)
        for verdict in verdicts where !verdict.problems.isEmpty { report(verdict) }
        #expect(verdicts.count == count)
        expectEventful(verdicts)
    }

    @Test("the same seed lives the same life", arguments: [3, 17, 41] as [UInt64])
    func sameSeed(seed: UInt64) throws {
        let first = try Life(seed: seed).live()
        let again = try Life(seed: seed).live()
        #expect(first.digest == again.digest)
        #expect(first.counts == again.counts)
        #expect(first.summary.orders == again.summary.orders && first.summary.fills == again.summary.fills)
        #expect(try Life(seed: seed + 1).live().digest != first.digest)
    }

    @Test("a sabotaged life is found out", arguments: Sabotage.allCases)
    func sabotage(kind: Sabotage) throws {
        let verdict = try Life(seed: 5, sabotage: kind).live()
        if kind == .none {
            #expect(verdict.problems == [])
        } else {
            #expect(!verdict.problems.isEmpty, "\(kind) was not noticed")
        }
    }

    /// A thousand lives in which nothing happens would prove nothing.
    private func expectEventful(_ verdicts: [Verdict]) {
        let lives = max(verdicts.count, 1)
        func mean(_ value: (Verdict) -> Int) -> Int { verdicts.map(value).reduce(0, +) / lives }
        #expect(mean { $0.counts.booksChecked } > 100)
        #expect(mean { $0.counts.touchesChecked } > 100)
        #expect(mean { Int($0.summary.orders) } > 20)
        #expect(mean { Int($0.summary.fills) } > 5)
        guard lives >= 50 else { return }
        #expect(verdicts.contains { $0.counts.venueFaults > 3 })
        #expect(verdicts.contains { $0.counts.networkFaults > 3 })
        #expect(verdicts.contains { $0.summary.eventsLost > 0 })
        #expect(verdicts.contains { $0.summary.queries > 0 })
        #expect(verdicts.contains { $0.summary.duplicateReports > 0 })
    }

    private func report(_ verdict: Verdict) {
        if verdict.problems.isEmpty { return }
        Issue.record(
            "seed \(verdict.seed): \(verdict.problems.joined(separator: "\n    "))\n    again: \(verdict.command)")
    }

    /// Lives are independent: as many at once as there are processors.
    private func liveAll(_ first: UInt64, _ count: Int) -> [Verdict] {
        let results = Results()
        DispatchQueue.concurrentPerform(iterations: count) { index in
            let seed = first + UInt64(index)
            do { results.add(try Life(seed: seed).live()) } catch {
                results.add(
                    Verdict(
                        seed: seed, problems: ["the life could not be made: \(error)"], digest: 0, counts: LifeCounts(),
                        summary: .init()))
            }
        }
        return results.sorted
    }
}

/// Verdicts of lives that ran at once.
///
/// Unchecked: every access holds the lock.
private final class Results: @unchecked Sendable {
    private let lock = NSLock()
    private var verdicts: [Verdict] = []

    func add(_ verdict: Verdict) { lock.withLock { verdicts.append(verdict) } }

    var sorted: [Verdict] { lock.withLock { verdicts.sorted { $0.seed < $1.seed } } }
}
