import Testing

/// Faulty lives on Binance (`Seeds` says which).
@Suite struct LifeTests {
    @Test("every book is the venue's and no order is lost or doubled, whatever goes wrong")
    func lives() throws {
        let seeds = Seeds(usual: 100, thorough: 400)
        let verdicts = seeds.judge("LifeTests") { try Life(seed: $0).live() }
        if !seeds.isOne { seeds.expectEventful(happened(verdicts)) }
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

    @Test("a sabotaged life is found out, for the reason that it is broken for", arguments: Sabotage.allCases)
    func sabotage(kind: Sabotage) throws {
        let life = try Life(seed: 5, sabotage: kind)
        let problems = try life.live().problems
        guard let broken = kind.breaks else {
            #expect(problems == [])
            return
        }
        #expect(life.isSabotaged || life.hiddenGap.isMade, "nothing was sabotaged")
        #expect(problems.contains { $0.invariant == broken }, "\(kind): \(problems)")
    }

    private func happened(_ verdicts: [Verdict]) -> [Seeds.Happening] {
        func total(_ value: (LifeCounts) -> Int) -> Int { verdicts.map { value($0.counts) }.reduce(0, +) }
        return [
            ("books that were held against the venue's", total(\.booksChecked), 10_000),
            ("touches that were held against the venue's", total(\.touchesChecked), 10_000),
            ("orders", total(\.orders), 2_000),
            ("fills", total(\.fills), 500),
            ("questions", total(\.queries), 500),
            ("duplicates", total(\.duplicates), 500),
            ("faults of the venue", total(\.venueFaults), 100),
            ("faults of the network", total(\.networkFaults), 100),
            ("deaths", total(\.deaths), 70),
            ("deaths of the machine", total(\.machineDeaths), 30),
            ("deaths with an order in flight", total(\.deathsInFlight), 20),
            ("deaths with a change under way", total(\.deathsInChange), 20),
            ("deaths with an order in doubt", total(\.deathsInDoubt), 5),
            ("torn tails", total(\.tornTails), 5),
            ("intents that were lost", total(\.lostIntents), 10),
            ("lost orders that were found", total(\.adopted), 5),
            ("trades that recovery found", total(\.missedTrades), 20),
            ("rounds in which recovery waited", total(\.waits), 100),
            ("lives in which events were lost", verdicts.count { $0.summary.eventsLost > 0 }, 1),
        ]
    }
}
