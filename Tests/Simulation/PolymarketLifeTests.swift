import Testing

/// Faulty lives on Polymarket (`Seeds` says which).
@Suite struct PolymarketLifeTests {
    @Test("nothing is sent twice or forgotten, and what fails is undone once, whatever goes wrong")
    func lives() throws {
        let seeds = Seeds(usual: 40, thorough: 100)
        let verdicts = seeds.judge("PolymarketLifeTests") { try PolymarketLife(seed: $0).live() }
        if !seeds.isOne { seeds.expectEventful(happened(verdicts)) }
    }

    @Test("the same seed lives the same life", arguments: [3, 17] as [UInt64])
    func sameSeed(seed: UInt64) throws {
        let first = try PolymarketLife(seed: seed).live()
        let again = try PolymarketLife(seed: seed).live()
        #expect(first.digest == again.digest && first.counts == again.counts && first.tally == again.tally)
        #expect(try PolymarketLife(seed: seed + 1).live().digest != first.digest)
    }

    @Test("a sabotaged life is found out, for the reason that it is broken for", arguments: PolymarketSabotage.allCases)
    func sabotage(kind: PolymarketSabotage) throws {
        guard let broken = kind.breaks else {
            #expect(try PolymarketLife(seed: 5, sabotage: kind).live().problems == [])
            return
        }
        // A copy of an order does no harm where the venue refuses it, or where no answer was lost: another life then.
        for seed in 5..<(kind == .retryPlace ? 25 : 6) as Range<UInt64> {
            let life = try PolymarketLife(seed: seed, sabotage: kind)
            let problems = try life.live().problems
            if life.isSabotaged && problems.contains(where: { $0.invariant == broken }) { return }
            #expect(kind == .retryPlace, "seed \(seed), sabotaged: \(life.isSabotaged), \(problems)")
        }
        Issue.record("\(kind) was never found out")
    }

    private func happened(_ verdicts: [Verdict]) -> [Seeds.Happening] {
        func total(_ value: (LifeCounts) -> Int) -> Int { verdicts.map { value($0.counts) }.reduce(0, +) }
        func named(_ name: String, _ least: Int) -> Seeds.Happening {
            (name, verdicts.reduce(0) { $0 + ($1.tally[name] ?? 0) }, least)
        }
        return [
            ("orders", total(\.orders), 2_000),
            ("fills", total(\.fills), 1_000),
            ("questions", total(\.queries), 200),
            ("duplicates", total(\.duplicates), 100),
            ("faults of the network", total(\.networkFaults), 100),
            ("deaths", total(\.deaths), 70),
            ("deaths of the machine", total(\.machineDeaths), 30),
            ("deaths with an order in flight", total(\.deathsInFlight), 20),
            ("deaths with a cancel under way", total(\.deathsInChange), 5),
            ("deaths with an order in doubt", total(\.deathsInDoubt), 5),
            ("torn tails", total(\.tornTails), 5),
            ("intents that were lost", total(\.lostIntents), 10),
            ("trades that recovery found", total(\.missedTrades), 20),
            ("rounds in which recovery waited", total(\.waits), 50),
            named("failed trades", 50),
            named("failed after a death", 10),
            named("lost answers", 100),
            named("late answers", 50),
            named("failed answers", 10),
            named("restarts", 2),
            named("status 425", 10),
            named("status 429", 10),
            named("status 503", 10),
            named("doubled and reordered events", 10),
        ]
    }
}
