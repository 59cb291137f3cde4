import Dispatch
import Foundation
import Testing

/// Faulty lives on Deriv. `APUS_DERIV_SEED` lives one life; `APUS_DERIV_SEEDS` says how many (200 where `CI` is set, else 40).
@Suite struct DerivLifeTests {
    @Test("nothing is bought twice and nothing is forgotten, whatever goes wrong")
    func lives() throws {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["APUS_DERIV_SEED"].flatMap({ UInt64($0) }) {
            let life = try DerivLife(seed: seed)
            #expect(try life.live() == [])
            return
        }
        let count = environment["APUS_DERIV_SEEDS"].flatMap { Int($0) } ?? (environment["CI"] == nil ? 40 : 200)
        var fills = 0, unknowns = 0, deaths = 0, sales = 0, settlements = 0, notFound = 0
        for seed in 1...UInt64(count) {
            let life = try DerivLife(seed: seed)
            let problems = try life.live()
            #expect(problems == [], "APUS_DERIV_SEED=\(seed) swift test --filter DerivLifeTests")
            fills += life.trader.filledBuys
            unknowns += life.trader.unknowns
            notFound += life.trader.notFound
            sales += life.trader.sales
            settlements += life.trader.settlements
            deaths += life.deaths
        }
        // Lives in which nothing happens would prove nothing.
        #expect(fills > 5 * count && unknowns > count && deaths > count / 2 && sales > count && settlements > count)
        #expect(notFound > 0)
    }

    @Test("without faults every order is answered at once", arguments: [1, 2] as [UInt64])
    func calmLife(seed: UInt64) throws {
        let life = try DerivLife(seed: seed, isCalm: true)
        #expect(try life.live() == [])
        #expect(life.trader.unknowns == 0 && life.trader.filledBuys > 5)
    }

    @Test("a sabotaged life is found out", arguments: DerivSabotage.allCases)
    func sabotage(kind: DerivSabotage) throws {
        #expect(try DerivLife(seed: 1, isCalm: true, sabotage: kind).live() != [], "\(kind) was not noticed")
    }

    @Test("the same seed lives the same life", arguments: [2, 7] as [UInt64])
    func sameSeed(seed: UInt64) throws {
        func outcome(_ seed: UInt64) throws -> [Int64] {
            let life = try DerivLife(seed: seed)
            _ = try life.live()
            let trader = life.trader
            return [
                Int64(life.now), trader.moved, Int64(trader.filledBuys), Int64(trader.unknowns), Int64(life.deaths),
            ]
        }
        let first = try outcome(seed)
        #expect(try outcome(seed) == first && outcome(seed + 1) != first)
    }
}
