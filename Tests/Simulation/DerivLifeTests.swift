import Testing

/// Faulty lives on Deriv (`Seeds` says which).
@Suite struct DerivLifeTests {
    /// What came of a life.
    private struct Outcome: Sendable, Equatable {
        var seed: UInt64
        var problems: [Problem]
        var counts = DerivCounts()
        var end: UInt64 = 0
        var moved: Int64 = 0
        var purchases = 0
        var unknowns = 0
        var missing = 0
        var sales = 0
        var settlements = 0

        init(seed: UInt64) {
            self.seed = seed
            do {
                let life = try DerivLife(seed: seed)
                problems = try life.live()
                let trader = life.trader
                (counts, end, moved) = (life.counts, life.now, trader.moved)
                (purchases, unknowns, missing) = (trader.filledBuys, trader.unknowns, trader.notFound)
                (sales, settlements) = (trader.sales, trader.settlements)
            } catch {
                problems = [Problem(.recovery, "the life could not be lived: \(error)")]
            }
        }
    }

    @Test("nothing is bought twice and nothing is forgotten, whatever goes wrong")
    func lives() {
        let seeds = Seeds(usual: 40, thorough: 100)
        let outcomes = seeds.live { Outcome(seed: $0) }
        for outcome in outcomes { Seeds.record(outcome.seed, "DerivLifeTests", outcome.problems) }
        if seeds.isOne { print(outcomes) } else { seeds.expectEventful(happened(outcomes)) }
    }

    private func happened(_ outcomes: [Outcome]) -> [Seeds.Happening] {
        func total(_ value: (Outcome) -> Int) -> Int { outcomes.map(value).reduce(0, +) }
        return [
            ("purchases", total(\.purchases), 500),
            ("lost answers", total(\.unknowns), 100),
            ("orders that never arrived", total(\.missing), 10),
            ("sales", total(\.sales), 100),
            ("settlements", total(\.settlements), 100),
            ("faults of the venue", total(\.counts.venueFaults), 100),
            ("messages that came twice", total(\.counts.doubled), 50),
            ("requests that arrived late", total(\.counts.lateRequests), 20),
            ("deaths", total(\.counts.deaths), 100),
            ("deaths with a buy that had no answer", total(\.counts.deathsWithBuys), 20),
            ("deaths with a sell that had no answer", total(\.counts.deathsWithSells), 5),
            ("deaths with an open contract", total(\.counts.deathsWithContracts), 50),
        ]
    }

    @Test("without faults every order is answered at once", arguments: [1, 2] as [UInt64])
    func calmLife(seed: UInt64) throws {
        let life = try DerivLife(seed: seed, isCalm: true)
        #expect(try life.live() == [])
        #expect(life.trader.unknowns == 0 && life.trader.filledBuys > 5)
    }

    @Test("a sabotaged life is found out, for the reason that it is broken for", arguments: DerivSabotage.allCases)
    func sabotage(kind: DerivSabotage) throws {
        let life = try DerivLife(seed: 1, isCalm: true, sabotage: kind)
        let problems = try life.live()
        #expect(life.isSabotaged, "nothing was sabotaged")
        #expect(problems.contains { $0.invariant == kind.breaks }, "\(kind): \(problems)")
    }

    @Test("the same seed lives the same life", arguments: [2, 7] as [UInt64])
    func sameSeed(seed: UInt64) throws {
        let first = Outcome(seed: seed)
        #expect(Outcome(seed: seed) == first)
        #expect(Outcome(seed: seed + 1).end != first.end)
    }
}
