import CApusRing
import Testing

@testable import Apus
@testable import ApusEngine

/// After a restart orders and positions go back to the strategy of the same name.
@Suite struct StrategyRecoveryTests {
    private let later: UInt64 = 1_000_000_000_000

    private func journal() -> MemoryJournal {
        let journal = MemoryJournal(capacity: 400, segments: 1)
        _ = apus_journal_offer(journal.writer, journal.memory[0] + MemoryJournal.record, 400)
        return journal
    }

    private func port(_ journal: MemoryJournal) -> JournalPort {
        JournalPort(journal.writer, holdsOrders: false, segmentRecords: 400)
    }

    private func replayed(_ journal: MemoryJournal) throws -> JournalState {
        let state = JournalState(orderCapacity: 64)
        #expect(try state.replay(JournalReader(journal.segments)) == .clean)
        return state
    }

    /// The maker holds 10 and has an order of 5 open, the taker is short by 4 and has one of 7.
    private func traded(_ journal: MemoryJournal) throws -> (Team, maker: OrderID, taker: OrderID) {
        let team = try Team(journal: port(journal))
        team.open()
        try team.trade(0, .buy, 10, at: 9_000, trade: 1)
        try team.trade(1, .sell, 4, at: 10_000, trade: 2)
        let maker = try #require(team.limit(0, .buy, 5, at: 9_990).id)
        let taker = try #require(team.limit(1, .buy, 7, at: 9_980).id)
        for id in [maker, taker] { team.sink.report(APUS_REPORT_ACCEPTED, id) }
        team.turn()
        return (team, maker, taker)
    }

    @Test func ordersAndPositionsGoBackByName() throws {
        let journal = journal(), (team, maker, taker) = try traded(journal)
        #expect(team.agent.set(.reducing, ofStrategy: "taker"))
        team.turn()
        let state = try replayed(journal)
        #expect(state.strategies.isSplit && state.strategies.names == ["maker", "taker"])
        // Another order of names, and one more.
        let next = try Team(["third", "taker", "maker"])
        try next.agent.restore(state, wall: later, monotonic: 5)
        #expect([0, 1, 2].map { next.held($0) } == [0, -4, 10])
        #expect(next.whole == 6 && next.nobodys == 0)
        #expect(next.context(2).openOrders.map(\.id) == [maker] && next.context(1).openOrders.map(\.id) == [taker])
        #expect(next.context(0).openOrders.count == 0)
        #expect(next.context(2).position(of: next.instrument).averagePrice == Price(units: 9_000))
        #expect(next.agent.strategies.map(\.state) == [.active, .reducing, .active])
        // A fill of a restored order is its owner's.
        next.fill(taker, 7, trade: 9, price: 9_980)
        next.turn()
        #expect([0, 1, 2].map { next.held($0) } == [0, 3, 10] && next.whole == 13)
        #expect(next.recorders[1].reports.map(\.order.id) == [taker])
    }

    @Test func whatBelongsToOneThatDoesNotRunAnyMoreIsNobodys() throws {
        let journal = journal(), (_, maker, taker) = try traded(journal)
        let state = try replayed(journal)
        let next = try Team(["maker"]) { $0.keepsApart = true }
        try next.agent.restore(state, wall: later, monotonic: 5)
        #expect(next.held(0) == 10 && next.nobodys == -4 && next.whole == 6)
        #expect(next.context(0).openOrders.map(\.id) == [maker])
        #expect(next.agent.context.openOrders.count == 2)
        // Its orders are canceled before anything trades; the other's stay.
        let recovery = try Reconciliation(state, RecoveryRule(), instruments: [definition()], strategies: ["maker"])
        func open(_ id: OrderID, _ quantity: Int64, _ price: Int64, _ venue: UInt64) -> VenueOrder {
            VenueOrder(
                clientID: id.value, venueID: venue, venueText: "\(venue)", symbol: "BTCUSDT", side: .buy,
                price: ExactDecimal(digits: price, decimals: 2), quantity: ExactDecimal(digits: quantity, decimals: 3),
                filled: ExactDecimal(digits: 0, decimals: 3))
        }
        let told = AccountSnapshot(
            time: later, openOrders: [open(maker, 5, 9_990, 500), open(taker, 7, 9_980, 501)], trades: [],
            positions: [VenuePosition(symbol: "BTCUSDT", quantity: ExactDecimal(digits: 6, decimals: 3))])
        #expect(recovery.compare(told, answers: [:], now: later).cancels.map(\.clientID) == [taker.value])
        let everybody = try Reconciliation(
            try replayed(journal), RecoveryRule(), instruments: [definition()], strategies: ["maker", "taker"])
        #expect(everybody.compare(told, answers: [:], now: later).cancels.isEmpty)
    }

    @Test func whatOneHadAloneStaysItsOwn() throws {
        let journal = journal()
        let alone = try Team(["maker"], journal: port(journal))
        alone.open()
        try alone.trade(0, .buy, 10, trade: 1)
        let state = try replayed(journal)
        #expect(!state.strategies.isSplit && state.strategies.names == ["maker"])
        let both = try Team(["taker", "maker"])
        try both.agent.restore(state, wall: later, monotonic: 5)
        #expect([both.held(0), both.held(1), both.nobodys] == [0, 10, 0])
        let others = try Team(["a", "b"])
        try others.agent.restore(try replayed(journal), wall: later, monotonic: 5)
        #expect([others.held(0), others.held(1), others.nobodys, others.whole] == [0, 0, 10, 10])
        // One that has everything takes over what another one had alone.
        let another = try Team(["other"])
        try another.agent.restore(try replayed(journal), wall: later, monotonic: 5)
        #expect(another.held(0) == 10)
    }

    /// What recovery settles before several run for the first time is nobody's now as in every later replay.
    @Test func whatRecoveryFindsIsNobodysFromTheFirstRunOfSeveralOn() throws {
        let journal = journal()
        try makerAlone(journal)
        let (state, _) = try settled(journal, trades: [foreignTrade()])
        let both = try Team(["maker", "taker"])
        try both.agent.restore(state, wall: later, monotonic: 5)
        #expect([both.held(0), both.held(1), both.nobodys, both.whole] == [10, 0, 3, 13])
    }

    @Test func aTakenOverPositionLeavesTheStrategiesTheirs() throws {
        let journal = journal()
        _ = try traded(journal)
        let state = try replayed(journal)
        let instrument = try #require(state.instrument("BTCUSDT"))
        state.hold(instrument, 9, at: 9_500, since: 1)
        let next = try Team()
        try next.agent.restore(state, wall: later, monotonic: 5)
        #expect([next.held(0), next.held(1), next.nobodys, next.whole] == [10, -4, 3, 9])
    }

    @Test func aDayOfItsOwnIsJournaled() throws {
        let journal = journal()
        var limits = wideLimits()
        limits.strategies["maker"] = StrategyLimits()
        limits.strategies["maker"]?.maxDailyLoss = Money(whole: 1)
        let team = try Team(limits: limits, journal: port(journal))
        team.open()
        try team.trade(0, .buy, 100, trade: 1)
        team.feed.now += 1_000
        team.feed.book([(8_000, 1_000)], [(8_000, 1_000)])
        team.turn()
        team.feed.now += 200_000_000
        team.turn()
        let state = try replayed(journal)
        #expect(state.strategies.days["maker"] == team.agent.gate.pointee.day(of: 0))
        #expect(state.strategies.days["maker"]?.trip == .dailyLoss && state.strategies.days["taker"]?.trip == nil)
    }

    private func withDrawdown() -> RiskLimits {
        var limits = wideLimits()
        limits.maxDrawdown = Money(whole: 6)
        limits.strategies["maker"] = StrategyLimits()
        limits.strategies["maker"]?.maxDrawdown = Money(whole: 3)
        return limits
    }

    private func move(_ team: Team, to price: Int64, after pause: UInt64 = 200_000_000) {
        team.feed.now += 1_000
        team.feed.book([(price, 1_000)], [(price, 1_000)])
        team.turn()
        team.feed.now += pause
        team.turn()
    }

    /// The days that a journal without an orderly end tells.
    private func days(_ state: JournalState) -> (whole: TradingDay?, maker: TradingDay?, taker: TradingDay?) {
        (state.day.flatMap { TradingDay($0) }, state.strategies.days["maker"], state.strategies.days["taker"])
    }

    @Test func aPeakOutlivesACrash() throws {
        let journal = journal(), team = try Team(limits: withDrawdown(), journal: port(journal))
        team.open(bid: 10_000, ask: 10_000)
        try team.trade(0, .buy, 100, trade: 1)
        try team.trade(1, .buy, 100, trade: 2)
        move(team, to: 14_000)
        let state = try replayed(journal), known = days(state)
        #expect(known.whole == team.agent.day && known.whole?.peak == Money(whole: 8))
        #expect(known.maker == team.agent.gate.pointee.day(of: 0) && known.maker?.peak == Money(whole: 4))
        #expect(known.taker?.peak == .zero, "no limit of its own depends on it")
        func next() throws -> Team {
            let next = try Team(limits: withDrawdown(), restoring: state) {
                ($0.day, $0.strategyDays) = (known.whole, state.strategies.days)
            }
            next.turn()
            #expect(next.agent.tradingState == .active, "what has no price yet has lost nothing")
            next.open(bid: 11_000, ask: 11_000)
            #expect(next.limit(0, .buy, 1, at: 11_000).id != nil)
            return next
        }
        let own = try next()
        own.open(bid: 10_999, ask: 10_999)
        #expect(own.limit(0, .buy, 1, at: 10_999).refusal == .dayLossReached)
        #expect(own.agent.risk.trip == .drawdown && own.agent.risk.strategies[0].trip == .drawdown)
    }

    /// The day of a start is begun before anything is judged, whatever was held over night.
    @Test func whatIsHeldBeginsTheDayWithItsFirstPrice() throws {
        let journal = journal(), team = try Team(limits: withDrawdown(), journal: port(journal))
        team.open(bid: 10_000, ask: 10_000)
        try team.trade(0, .buy, 100, trade: 1)
        move(team, to: 14_000)
        let state = try replayed(journal)
        var yesterday = try #require(days(state).whole)
        yesterday.number -= 1
        let next = try Team(limits: withDrawdown(), restoring: state) { $0.day = yesterday }
        next.turn()
        next.open(bid: 8_000, ask: 8_000)
        #expect(
            next.limit(0, .buy, 1, at: 8_000).id != nil,
            "neither yesterday's peak nor a day without a begin is judged by")
        #expect(next.agent.risk.trip == nil && next.agent.risk.strategies[0].trip == nil)
    }

    @Test func aPeakIsWrittenOnceASecondAlsoWhenItIsQuiet() throws {
        let journal = journal(), team = try Team(limits: withDrawdown(), journal: port(journal))
        team.open(bid: 10_000, ask: 10_000)
        try team.trade(0, .buy, 100, trade: 1)
        for price: Int64 in [14_000, 15_000, 16_000] { move(team, to: price) }
        #expect(days(try replayed(journal)).whole?.peak == Money(whole: 4))
        let due = try #require(team.agent.nextDue)
        #expect(due <= team.feed.now + 1_000_000_000)
        team.feed.now = due
        team.turn()
        let known = days(try replayed(journal))
        #expect(known.whole?.peak == Money(whole: 6) && known.maker?.peak == Money(whole: 6))
        let written = journal.writer.pointee.next
        team.feed.now += 5_000_000_000
        team.turn()
        #expect(journal.writer.pointee.next == written)
    }

    @Test func anOrderlyEndKeepsEveryDay() throws {
        let journal = journal(), team = try Team(journal: port(journal))
        team.open(bid: 10_000, ask: 10_000)
        try team.trade(1, .buy, 100, trade: 1)
        move(team, to: 14_000)
        #expect(days(try replayed(journal)).whole?.peak == .zero, "no limit depends on it")
        team.agent.closeJournal(team.feed.now)
        let known = days(try replayed(journal))
        #expect(known.whole == team.agent.day && known.whole?.peak == Money(whole: 4))
        #expect(known.maker?.peak == .zero && known.taker?.peak == Money(whole: 4))
    }

    /// What was held at the start and shows no price for long is counted at its cost.
    @Test func aPriceThatNeverComesIsNotWaitedForForEver() throws {
        let journal = journal(), team = try Team(limits: withDrawdown(), journal: port(journal))
        team.open(bid: 10_000, ask: 10_000)
        try team.trade(0, .buy, 100, trade: 1)
        move(team, to: 14_000)
        let state = try replayed(journal)
        let next = try Team(limits: withDrawdown(), restoring: state) { $0.strategyDays = state.strategies.days }
        #expect(next.agent.risk.strategies[0].trip == nil)
        next.feed.now += 10_000_000_000
        next.turn()
        #expect(next.agent.risk.strategies[0].trip == .drawdown)
    }

    @Test func whatAStrategyDoesNotTradeAnyMoreMustBeFlat() throws {
        let journal = journal(), (team, _, taker) = try traded(journal)
        func start(_ symbols: [String: [String]]) throws -> Team {
            try Team(symbols: symbols, restoring: try replayed(journal))
        }
        #expect {
            try start(["maker": ["ETHUSDT"]])
        } throws: { "\($0)".contains("strategy maker holds 0.010 of BTCUSDT") }
        #expect(try start(["maker": ["BTCUSDT"]]).held(0) == 10)
        // Flat, with an order that is still open.
        team.fill(taker, 4, trade: 3, price: 9_980)
        team.turn()
        #expect {
            try start(["taker": ["ETHUSDT"]])
        } throws: { "\($0)".contains("strategy taker has an order of BTCUSDT open") }
        team.sink.report(APUS_REPORT_CANCELED, taker) { $0.cumulative = 4 }
        team.turn()
        #expect(try start(["taker": ["ETHUSDT"]]).held(1) == 0)
    }

    /// A run that only writes down what recovery has found (`apus reconcile --apply`) names nobody, and no later replay counts that
    /// otherwise.
    @Test(arguments: [true, false])
    func whatIsSettledWithoutTradingIsWhoseItWas(isFresh: Bool) throws {
        let journal = journal()
        if !isFresh { try makerAlone(journal) }
        let (state, recovery) = try settled(journal, trades: isFresh ? [] : [foreignTrade()])
        let settled = try Team([""], journal: port(journal), restoring: state) {
            $0.keepsApart = state.strategies.isSplit
        }
        settled.agent.write(recovery.corrections, settled.feed.now)
        settled.agent.closeJournal(settled.feed.now)
        let both = try Team(["maker", "taker"], restoring: try replayed(journal))
        let held: Int64 = isFresh ? 0 : 10
        #expect([both.held(0), both.held(1), both.nobodys, both.whole] == [held, 0, 13 - held, 13])
    }

    private func makerAlone(_ journal: MemoryJournal) throws {
        let alone = try Team(["maker"], journal: port(journal))
        alone.open()
        try alone.trade(0, .buy, 10, trade: 1)
    }

    /// The journal held against a venue with 13, for two that are to run.
    private func settled(
        _ journal: MemoryJournal, trades: [VenueTrade]
    ) throws -> (state: JournalState, recovery: Reconciliation) {
        let state = try replayed(journal)
        let recovery = try Reconciliation(
            state, RecoveryRule(), instruments: [definition()], strategies: ["maker", "taker"])
        let told = AccountSnapshot(
            time: later, openOrders: [], trades: trades,
            positions: [VenuePosition(symbol: "BTCUSDT", quantity: ExactDecimal(digits: 13, decimals: 3))])
        for _ in 0..<2 { _ = recovery.compare(told, answers: [:], now: later) }
        return (state, recovery)
    }

    private func foreignTrade() -> VenueTrade {
        VenueTrade(
            tradeID: 9, clientID: nil, venueID: 900, symbol: "BTCUSDT", side: .buy,
            price: ExactDecimal(digits: 10_000, decimals: 2), quantity: ExactDecimal(digits: 3, decimals: 3),
            fee: .zero, isMaker: false, time: later)
    }

    /// What was settled before any strategy had a name stays nobody's, and is not lost between them.
    @Test func whatARunWithoutANameHeldIsCountedOnce() throws {
        let journal = journal()
        let alone = try Team([""], journal: port(journal))
        alone.open()
        try alone.trade(0, .buy, 10, trade: 1)
        let state = try replayed(journal)
        _ = try Reconciliation(state, RecoveryRule(), instruments: [definition()], strategies: ["maker", "taker"])
        let both = try Team(["maker", "taker"], journal: port(journal), restoring: state)
        #expect([both.held(0), both.held(1), both.nobodys, both.whole] == [0, 0, 10, 10])
        let again = try Team(["maker", "taker"], restoring: try replayed(journal))
        #expect([again.held(0), again.held(1), again.nobodys, again.whole] == [0, 0, 10, 10])
    }

    @Test func feesInAnotherAssetAreWorthWhatTheyWere() throws {
        let journal = journal()
        func pay(_ team: Team, _ trade: UInt64) throws {
            team.open()
            let id = try #require(team.limit(0, .buy, 10).id)
            team.sink.report(APUS_REPORT_FILL, id) {
                ($0.quantity, $0.price, $0.trade_id, $0.fee) = (10, 10_000, trade, 100_000_000)
                $0.flags = UInt8(APUS_REPORT_FEE_OTHER_ASSET.rawValue)
            }
            team.turn()
        }
        // 6 · 10^20 of 10^-18: more than fits into one half.
        let first = try Team(journal: port(journal)) { $0.otherFeeRate = Money(whole: 600) }
        try pay(first, 1)
        let state = try replayed(journal)
        let known = try #require(state.instrument("BTCUSDT"))
        #expect(known.record.pointee.position == first.instrument.record.pointee.position)
        #expect(known.record.pointee.position.fees == Money(whole: 600).atoms)
        #expect(
            state.position(of: "maker", known, among: ["maker", "taker"])
                == first.agent.life.pointee.rows.row(0, first.instrument.record).pointee.position)
        // The next run knows no rate any more, or another one.
        for (run, rate) in [(UInt32(8), Money.zero), (9, Money(whole: 500))] {
            let next = try Team(journal: port(journal), restoring: try replayed(journal)) {
                ($0.runTag, $0.otherFeeRate) = (run, rate)
            }
            try pay(next, UInt64(run))
            let after = try #require(try replayed(journal).instrument("BTCUSDT"))
            #expect(after.record.pointee.position == next.instrument.record.pointee.position)
        }
    }
}
