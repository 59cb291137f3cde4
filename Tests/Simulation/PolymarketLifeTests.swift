import Foundation
import Testing

/// Lives of Polymarket's order session. `APUS_SIMULATION_POLYMARKET` says how many (12 where it is not set).
@Suite struct PolymarketLifeTests {
    @Test(
        "every trade is told once and every failed one undone, whatever answers are lost and whenever the process dies")
    func lives() throws {
        let count = ProcessInfo.processInfo.environment["APUS_SIMULATION_POLYMARKET"].flatMap { UInt64($0) } ?? 12
        var sum = PolymarketLife.Verdict()
        for seed in 1...count {
            let verdict = try PolymarketLife(seed: seed).live(seconds: 20)
            for problem in verdict.problems { Issue.record("seed \(seed): \(problem)") }
            sum.placed += verdict.placed
            sum.fills += verdict.fills
            sum.undone += verdict.undone
            sum.unknown += verdict.unknown
            sum.faults += verdict.faults
        }
        // Lives in which nothing happens would prove nothing.
        #expect(sum.placed > 100 * Int(count) && sum.fills > 20 * Int(count))
        #expect(sum.undone > Int(count) && sum.unknown > Int(count) && sum.faults > 10 * Int(count))
    }
}
