import CApusRing
import Testing

@testable import Apus
@testable import ApusEngine

/// What a journal says again, and what is done about what the venue says.
@Suite struct RecoveryTests {
    private let second: UInt64 = 1_000_000_000

    private func journaled() throws -> (Bench, MemoryJournal) {
        let journal = MemoryJournal(capacity: 400, segments: 1)
        _ = apus_journal_offer(journal.writer, journal.memory[0] + MemoryJournal.record, 400)
        let bench = try Bench(journal: JournalPort(journal.writer, holdsOrders: false, segmentRecords: 400))
        bench.open()
        return (bench, journal)
    }

    private func replayed(_ journal: MemoryJournal) throws -> JournalState {
        let state = JournalState(orderCapacity: 64)
        #expect(try state.replay(JournalReader(journal.segments)) == .clean)
        return state
    }

    private func venueOrder(
        _ id: OrderID?, _ quantity: Int64, filled: Int64 = 0, trades: [UInt64] = [], end: OrderState? = nil,
        venue: UInt64 = 500
    ) -> VenueOrder {
        VenueOrder(
            clientID: id?.value, venueID: venue, venueText: "\(venue)", symbol: "BTCUSDT", side: .buy,
            price: ExactDecimal(digits: 10_000, decimals: 2), quantity: ExactDecimal(digits: quantity, decimals: 3),
            filled: ExactDecimal(digits: filled, decimals: 3), trades: trades, end: end)
    }

    private func trade(
        _ number: UInt64, _ id: OrderID?, _ quantity: Int64, venue: UInt64 = 500, isUndone: Bool = false
    ) -> VenueTrade {
        VenueTrade(
            tradeID: number, clientID: id?.value, venueID: venue, symbol: "BTCUSDT", side: .buy,
            price: ExactDecimal(digits: 10_000, decimals: 2), quantity: ExactDecimal(digits: quantity, decimals: 3),
            fee: .zero, isMaker: true, time: 100 * second, isUndone: isUndone)
    }

    private func snapshot(
        open: [VenueOrder] = [], trades: [VenueTrade] = [], held: Int64 = 0
    ) -> AccountSnapshot {
        AccountSnapshot(
            time: 100 * second, openOrders: open, trades: trades,
            positions: [VenuePosition(symbol: "BTCUSDT", quantity: ExactDecimal(digits: held, decimals: 3))])
    }

    private var later: UInt64 { 1_000 * second }

    private func kinds(_ round: ReconciliationRound) -> [Difference.Kind] { round.differences.map(\.kind) }

    @Test("a replayed journal says what the engine knew")
    func replay() throws {
        let (bench, journal) = try journaled()
        let first = try bench.resting(10), second = try bench.resting(20), third = try bench.resting(5)
        bench.fill(first, 4, trade: 1, cumulative: 4, fee: 30)
        bench.fill(second, 20, trade: 2, cumulative: 20)
        bench.turn()
        bench.context.cancel(third)
        bench.context.modify(first, price: Price(units: 9_900), quantity: Quantity(units: 12))
        bench.sink.report(APUS_REPORT_CANCELED, third)
        bench.turn()
        let state = try replayed(journal)
        for id in [first, second, third] {
            let ours = try #require(bench.context.order(id)), theirs = try #require(state.orders.find(id))
            #expect(theirs.pointee.order.state == ours.state && theirs.pointee.order.filled == ours.filled)
        }
        let position = try #require(state.instrument("BTCUSDT")).record.pointee.position
        #expect(position == bench.instrument.record.pointee.position)
        #expect(state.runTags == [7] && !state.wasStopped && state.openOrders.count == 1)
        bench.agent.closeJournal(5)
        #expect(try replayed(journal).wasStopped)
    }

    @Test("a halt holds across a restart, and run tags are not used again")
    func haltAndTags() throws {
        let (bench, journal) = try journaled()
        apus_flag_set(bench.sink.queues.pointee.trading, UInt64(APUS_TRADING_HALTED.rawValue))
        bench.turn()
        let state = try replayed(journal)
        #expect(state.trading == APUS_TRADING_HALTED)
        #expect(state.freshRunTag(7) == 8 && state.freshRunTag(6) == 6 && state.freshRunTag(0) == 1)
        let next = try Bench()
        try next.agent.restore(state, wall: later, monotonic: 5)
        #expect(apus_flag(next.sink.queues.pointee.trading) == UInt64(APUS_TRADING_HALTED.rawValue))
    }

    @Test("an order that the ring did not take is known not to have been sent")
    func refusedByRing() throws {
        let (bench, journal) = try journaled()
        var filler = apus_order()
        while apus_order_push(bench.sink.queues.pointee.orders, &filler) == 0 {}
        #expect(bench.buy().refusal == .orderRingFull)
        let state = try replayed(journal)
        #expect(state.openOrders.isEmpty)
        #expect(state.orders.find(OrderID(7 << 32 | 1))?.pointee.order.state == .rejected)
    }

    @Test("without room in the journal nothing is placed, and cancels pass")
    func journalFull() throws {
        let (bench, journal) = try journaled()
        let id = try bench.resting(10)
        while journal.writer.pointee.left > 100 { bench.agent.note(apus_journal_state(), 1) }
        #expect(bench.buy().refusal == .journalFull)
        #expect(
            bench.context.modify(id, price: Price(units: 9_900), quantity: Quantity(units: 12)).refusal == .journalFull)
        while journal.writer.pointee.left > 0 { bench.agent.note(apus_journal_state(), 1) }
        #expect(bench.context.cancel(id).id == id)
        _ = bench.sink.next()
    }

    @Test("what was missed while the engine was down is taken over once")
    func missedFills() throws {
        let (bench, journal) = try journaled()
        let open = try bench.resting(10), gone = try bench.resting(20)
        bench.fill(open, 4, trade: 1, cumulative: 4)
        bench.turn()
        let state = try replayed(journal)
        let recovery = try Reconciliation(state, RecoveryRule(), instruments: [definition()])
        let told = snapshot(
            open: [venueOrder(open, 10, filled: 7)],
            trades: [trade(1, open, 4), trade(2, open, 3), trade(3, gone, 20, venue: 501)], held: 27)
        #expect(recovery.questions(told).map(\.clientID) == [gone.value])
        let answers: [UInt64: VenueOrder?] = [gone.value: venueOrder(gone, 20, filled: 20, end: .filled, venue: 501)]
        let round = recovery.compare(told, answers: answers, now: later)
        #expect(kinds(round) == [.missedTrade, .missedTrade, .openOrder, .endedOrder] && !round.isAgreed)
        let next = recovery.compare(told, answers: [:], now: later)
        #expect(next.isAgreed && next.differences.isEmpty)
        #expect(state.openOrders.map(\.order.filled.units) == [7])

        // The next run starts from it, and its journal leads to the same.
        let second = MemoryJournal(capacity: 400, segments: 1)
        _ = apus_journal_offer(second.writer, second.memory[0] + MemoryJournal.record, 400)
        let again = try Bench(journal: JournalPort(second.writer, holdsOrders: false, segmentRecords: 400)) {
            $0.runTag = 8
        }
        try again.agent.restore(state, wall: later, monotonic: 5)
        #expect(again.held == 27 && again.state(open) == .unknown && again.context.openOrders.count == 1)
        #expect(again.instrument.record.pointee.openBuys == 3)
        again.fill(open, 3, trade: 2, cumulative: 7)
        again.turn()
        #expect(again.held == 27)
    }

    @Test(
        "what earlier runs have earned is in the balance that the venue tells",
        arguments: [["test"], ["test", "other"]])
    func balanceOfANextRun(strategies: [String]) throws {
        let (bench, journal) = try journaled()
        let bought = try bench.resting(10), sold = try bench.resting(10, side: .sell)
        bench.fill(bought, 10, trade: 1, cumulative: 10, fee: 300)
        bench.fill(sold, 10, trade: 2, cumulative: 10, price: 10_100, fee: 300)
        bench.turn()
        let next = try Bench(strategies: strategies) { $0.startBalance = Money(whole: 50) }
        try next.agent.restore(try replayed(journal), wall: later, monotonic: 5)
        next.agent.prepareAccount(5)
        #expect(next.context.profit.realised == Money(hundredMillionths: 1_000_000))
        for number in strategies.indices { #expect(next.context(of: number).balance == Money(whole: 50)) }
        next.open()
        let placement = next.context(of: 0).limit(
            .buy, Quantity(units: 10), of: next.instrument, at: Price(units: 10_000))
        next.fill(try #require(placement.id), 10, trade: 3, cumulative: 10, fee: 700)
        next.turn()
        #expect(next.context(of: 0).balance == Money(whole: 50) - Money(hundredMillionths: 700))
    }

    @Test("trades that were asked for tell price and fee of what a status told, and count once")
    func askedTrades() throws {
        let (bench, journal) = try journaled()
        let id = try bench.resting(10)
        bench.fill(id, 4, trade: 1, cumulative: 4, fee: 300)
        bench.sink.report(APUS_REPORT_STATUS, id) {
            $0.venue_order_id = 500
            $0.cumulative = 10
            $0.price = 10_000
            $0.status = UInt8(APUS_STATUS_FILLED.rawValue)
        }
        bench.turn()
        #expect(bench.state(id) == .filled && bench.held == 10 && bench.agent.assumptions == 1)
        let asked = bench.agent.assumedOrders
        #expect(asked.map(\.clientID) == [id.value] && asked.map(\.venueID) == [500])
        func told(_ number: UInt64, _ quantity: Int64, _ price: Int64, _ fee: Int64, venue: UInt64 = 500) -> VenueTrade
        {
            VenueTrade(
                tradeID: number, clientID: nil, venueID: venue, symbol: "BTCUSDT", side: .buy,
                price: ExactDecimal(digits: price, decimals: 2), quantity: ExactDecimal(digits: quantity, decimals: 3),
                fee: Money(hundredMillionths: fee), isMaker: false, time: second)
        }
        let trades = [told(1, 4, 10_000, 300), told(2, 6, 9_000, 500), told(3, 6, 1, 1, venue: 501)]
        bench.agent.take(trades, of: asked)
        let position = bench.context.position(of: bench.instrument)
        #expect(position.quantity.units == 10 && position.fees == Money(hundredMillionths: 800))
        // What six thousandths were cheaper by ten counts as earned.
        #expect(position.realised == Money(hundredMillionths: 6_000_000))
        let settled = bench.instrument.record.pointee.position
        #expect(bench.agent.assumedOrders.isEmpty)
        // The stream tells it after all, and it is asked for once more.
        bench.fill(id, 6, trade: 2, cumulative: 10, price: 9_000, fee: 500)
        bench.turn()
        bench.agent.take(trades, of: asked)
        #expect(bench.instrument.record.pointee.position == settled)
        let state = try replayed(journal)
        let replayed = try #require(state.instrument("BTCUSDT")).record.pointee.position
        #expect(replayed == settled)
    }

    @Test("trades are asked for from the oldest order on of which a fill is assumed")
    func assumedSince() throws {
        let (bench, journal) = try journaled()
        func wait(_ seconds: UInt64) {
            bench.feed.now += seconds * second
            bench.open()
        }
        wait(10_000)
        let id = try bench.resting(10)
        bench.sink.report(APUS_REPORT_STATUS, id) {
            $0.cumulative = 10
            $0.price = 10_000
            $0.status = UInt8(APUS_STATUS_FILLED.rawValue)
        }
        wait(7_200)
        let later = try bench.resting(1)
        bench.fill(later, 1, trade: 7, cumulative: 1)
        bench.turn()
        let since = try #require(try replayed(journal).tradesSince)
        #expect(since / second == 9_400)
    }

    @Test("an order whose intent was lost is known again, and canceled or gone on with")
    func lostOrders() throws {
        for rule in RecoveryRule.Orders.allCases {
            let (bench, journal) = try journaled()
            _ = bench
            let state = try replayed(journal)
            var rules = RecoveryRule()
            rules.lostOrders = rule
            let recovery = try Reconciliation(state, rules, instruments: [definition()])
            let id = OrderID(7 << 32 | 40)
            let told = snapshot(open: [venueOrder(id, 10, filled: 2)], trades: [trade(9, id, 2)], held: 2)
            let round = recovery.compare(told, answers: [:], now: later)
            #expect(kinds(round) == [.lostOrder, .missedTrade])
            #expect(round.cancels.map(\.clientID) == (rule == .cancel ? [id.value] : []))
            #expect(state.openOrders.map(\.order.id) == [id])
            if rule == .cancel {
                let answers: [UInt64: VenueOrder?] = [id.value: venueOrder(id, 10, filled: 2, end: .canceled)]
                _ = recovery.compare(snapshot(held: 2), answers: answers, now: later)
                #expect(recovery.compare(snapshot(held: 2), answers: [:], now: later).isAgreed)
            } else {
                #expect(recovery.compare(told, answers: [:], now: later).isAgreed)
            }
        }
    }

    @Test("strangers are left alone, canceled or shown to a person")
    func strangers() throws {
        let (bench, journal) = try journaled()
        _ = bench
        let told = snapshot(open: [venueOrder(nil, 10)])
        func round(_ strangers: RecoveryRule.Strangers) throws -> ReconciliationRound {
            var rule = RecoveryRule()
            rule.foreignOrders = strangers
            return try Reconciliation(try replayed(journal), rule, instruments: [definition()])
                .compare(told, answers: [:], now: later)
        }
        #expect(try round(.ignore).isAgreed)
        #expect(try round(.stop).needsPerson)
        #expect(try round(.cancel).cancels.map(\.venueID) == [500])
        #expect(try round(.ignore).differences[0].description.contains("order that is not ours 500"))
    }

    @Test("a position that nothing explains needs a person, unless the rule says to take it over")
    func positions() throws {
        for rule in RecoveryRule.Positions.allCases {
            let (bench, journal) = try journaled()
            _ = bench
            let state = try replayed(journal)
            var rules = RecoveryRule()
            rules.positions = rule
            let recovery = try Reconciliation(state, rules, instruments: [definition()])
            // First it may be a trade between two questions.
            #expect(!recovery.compare(snapshot(held: 8), answers: [:], now: later).needsPerson)
            let round = recovery.compare(snapshot(held: 8), answers: [:], now: later)
            #expect(round.needsPerson == (rule == .stop))
            #expect(recovery.compare(snapshot(held: 8), answers: [:], now: later).isAgreed == (rule == .adopt))
        }
    }

    @Test("a first journal takes what the account holds, and no trade from before")
    func freshJournal() throws {
        let state = JournalState(orderCapacity: 64)
        let recovery = try Reconciliation(state, RecoveryRule(), instruments: [definition()])
        #expect(recovery.since(later) == later - min(later, 600_000_000_000))
        for _ in 0..<2 { _ = recovery.compare(snapshot(held: 8), answers: [:], now: later) }
        var old = trade(1, nil, 8)
        old.time = 99 * second
        #expect(recovery.compare(snapshot(trades: [old], held: 8), answers: [:], now: later).isAgreed)
        #expect(state.instrument("BTCUSDT")?.record.pointee.position.quantity == 8)
        // Of the same second, and not told when the position was: it came later.
        let told = snapshot(trades: [old, trade(2, nil, 3)], held: 11)
        #expect(kinds(recovery.compare(told, answers: [:], now: later)) == [.foreignTrade])
        #expect(recovery.compare(told, answers: [:], now: later).isAgreed)
    }

    @Test("a trade in a position that was taken over is not taken in when its order becomes known")
    func heldTradeOfAKnownOrder() throws {
        let state = JournalState(orderCapacity: 64)
        let recovery = try Reconciliation(state, RecoveryRule(), instruments: [definition()])
        let id = OrderID(9 << 32 | 1)
        for _ in 0..<2 { _ = recovery.compare(snapshot(trades: [trade(1, nil, 8)], held: 8), answers: [:], now: later) }
        #expect(recovery.compare(snapshot(trades: [trade(1, id, 8)], held: 8), answers: [:], now: later).isAgreed)
        #expect(state.instrument("BTCUSDT")?.record.pointee.position.quantity == 8)
    }

    @Test("a stranger's trade that may be of an order in doubt waits until that is decided")
    func tradeOfAnOrderInDoubt() throws {
        let (bench, journal) = try journaled()
        let known = try bench.resting(5)
        bench.sink.report(APUS_REPORT_FILL, known) {
            ($0.quantity, $0.cumulative, $0.price, $0.trade_id, $0.venue_order_id) = (5, 5, 10_000, 1, 500)
            $0.status = UInt8(APUS_STATUS_FILLED.rawValue)
        }
        bench.turn()
        let lost = try #require(bench.buy(3).id)
        let state = try replayed(journal)
        let recovery = try Reconciliation(state, RecoveryRule(), instruments: [definition()])
        let question = try #require(recovery.questions(snapshot()).first)
        #expect(question.clientID == lost.value && question.others == [500], "that is the other's")
        let told = snapshot(trades: [trade(2, nil, 3, venue: 77)], held: 8)
        let early = question.wallMilliseconds * 1_000_000 + second
        for _ in 0..<3 {
            let round = recovery.compare(told, answers: [lost.value: nil], now: early)
            #expect(!round.isAgreed && !round.needsPerson && kinds(round).contains(.foreignTrade))
            #expect(state.instrument("BTCUSDT")?.record.pointee.position.quantity == 5)
        }
        // The venue names it in the end.
        let order = venueOrder(lost, 3, filled: 3, end: .filled, venue: 77)
        #expect(kinds(recovery.compare(told, answers: [lost.value: order], now: later)).contains(.missedTrade))
        #expect(state.orders.find(lost)?.pointee.order.state == .filled)
        #expect(recovery.compare(told, answers: [:], now: later).isAgreed)
        #expect(state.instrument("BTCUSDT")?.record.pointee.position.quantity == 8)
    }

    @Test("what a first journal takes over may still be taken back, by recovery or by the run")
    func freshAndUndone() throws {
        let state = JournalState(orderCapacity: 64)
        let recovery = try Reconciliation(state, RecoveryRule(), instruments: [definition()])
        let held = snapshot(trades: [trade(1, nil, 8), trade(2, nil, 1, isUndone: true)], held: 8)
        for _ in 0..<3 { _ = recovery.compare(held, answers: [:], now: later) }
        #expect(recovery.compare(held, answers: [:], now: later).isAgreed)
        func quantity() -> Int64? { state.instrument("BTCUSDT")?.record.pointee.position.quantity }
        #expect(quantity() == 8 && state.instrument("BTCUSDT")?.record.pointee.position.realised == 0)
        // The run that begins now hears of it from its session.
        let bench = try Bench()
        try bench.agent.restore(state, wall: later, monotonic: 5)
        bench.sink.report(APUS_REPORT_UNDONE, OrderID(0)) {
            ($0.trade_id, $0.quantity, $0.price, $0.side) = (1, 8, 10_000, UInt8(APUS_BUY.rawValue))
        }
        bench.turn()
        #expect(bench.instrument.record.pointee.position.quantity == 0)
        let undone = snapshot(
            trades: [trade(1, nil, 8, isUndone: true), trade(2, nil, 1, isUndone: true)], held: 0)
        #expect(kinds(recovery.compare(undone, answers: [:], now: later)) == [.undoneTrade])
        #expect(quantity() == 0)
        #expect(recovery.compare(undone, answers: [:], now: later).isAgreed)
    }

    @Test(
        "a fee in another asset of a missed trade is worth what the new run's rate says",
        arguments: [0, 600] as [Int64])
    func missedFeeInAnotherAsset(rate: Int64) throws {
        let (bench, journal) = try journaled()
        let id = try bench.resting(10)
        let state = try replayed(journal)
        let recovery = try Reconciliation(
            state, RecoveryRule(), instruments: [definition()], otherFeeRate: Money(whole: rate))
        var missed = trade(1, id, 10)
        (missed.fee, missed.isFeeInOtherAsset) = (try Money("0.1"), true)
        let told = venueOrder(id, 10, filled: 10, trades: [1], end: .filled)
        _ = recovery.compare(snapshot(trades: [missed], held: 10), answers: [id.value: told], now: later)
        let position = try #require(state.instrument("BTCUSDT")).record.pointee.position
        #expect(position.fees == Money(whole: rate / 10).atoms)
        #expect(try position.otherFees == Money("0.1").atoms && position.unvaluedFees == (rate == 0 ? 1 : 0))
    }

    @Test("a trade of nobody's order and one that was taken back are counted in")
    func foreignAndUndone() throws {
        let (bench, journal) = try journaled()
        let id = try bench.resting(10)
        bench.fill(id, 10, trade: 1, cumulative: 10)
        bench.turn()
        let recovery = try Reconciliation(try replayed(journal), RecoveryRule(), instruments: [definition()])
        let told = snapshot(trades: [trade(1, id, 10, isUndone: true), trade(5, nil, 3, venue: 900)], held: 3)
        #expect(kinds(recovery.compare(told, answers: [:], now: later)) == [.undoneTrade, .foreignTrade])
        #expect(recovery.compare(told, answers: [:], now: later).isAgreed)
    }

    @Test("a venue may go on counting what it has taken back", arguments: [true, false])
    func undoneAndCounted(isOpen: Bool) throws {
        let (bench, journal) = try journaled()
        let id = try bench.resting(10)
        bench.fill(id, 4, trade: 1, cumulative: 4)
        bench.turn()
        let state = try replayed(journal)
        let recovery = try Reconciliation(state, RecoveryRule(), instruments: [definition()])
        let order = venueOrder(id, 10, filled: isOpen ? 7 : 10, trades: [1, 2], end: isOpen ? nil : .filled)
        let rest: Int64 = isOpen ? 3 : 6
        let told = snapshot(
            open: isOpen ? [order] : [], trades: [trade(1, id, 4, isUndone: true), trade(2, id, rest)], held: rest)
        let answers: [UInt64: VenueOrder?] = isOpen ? [:] : [id.value: order]
        _ = recovery.compare(told, answers: answers, now: later)
        #expect(recovery.compare(told, answers: [:], now: later).isAgreed)
        let record = try #require(state.orders.find(id))
        #expect(record.pointee.order.filled.units == rest && record.pointee.assumed == 0)
        #expect(record.pointee.order.state == (isOpen ? .partiallyFilled : .expired))
    }

    @Test("what was only learned from a status is taken back too")
    func undoneAndAssumed() throws {
        let (bench, journal) = try journaled()
        let id = try bench.resting(10)
        bench.sink.report(APUS_REPORT_STATUS, id) {
            $0.status = UInt8(APUS_STATUS_PARTIALLY_FILLED.rawValue)
            $0.cumulative = 4
        }
        bench.turn()
        let state = try replayed(journal)
        let recovery = try Reconciliation(state, RecoveryRule(), instruments: [definition()])
        let told = snapshot(
            open: [venueOrder(id, 10, filled: 4, trades: [1])], trades: [trade(1, id, 4, isUndone: true)])
        _ = recovery.compare(told, answers: [:], now: later)
        #expect(recovery.compare(told, answers: [:], now: later).isAgreed)
        #expect(state.orders.find(id)?.pointee.order.filled == .zero)
    }

    @Test("a trade of nobody's order is taken back too")
    func foreignUndone() throws {
        let (_, journal) = try journaled()
        let state = try replayed(journal)
        let recovery = try Reconciliation(state, RecoveryRule(), instruments: [definition()])
        _ = recovery.compare(snapshot(trades: [trade(5, nil, 3, venue: 900)], held: 3), answers: [:], now: later)
        for _ in 0..<2 {
            _ = recovery.compare(
                snapshot(trades: [trade(5, nil, 3, venue: 900, isUndone: true)]), answers: [:], now: later)
        }
        #expect(state.instrument("BTCUSDT")?.record.pointee.position.quantity == 0)
    }

    @Test(
        "a fill of an order of an earlier run is taken back by its trade, once and again in the next replay",
        arguments: [false, true])
    func undoneOfAnEarlierRun(isNamed: Bool) throws {
        let (bench, journal) = try journaled()
        let id = try bench.resting(10)
        bench.fill(id, 10, trade: 1, cumulative: 10)
        bench.turn()
        func undo(_ bench: Bench) {
            for _ in 0..<2 {
                bench.sink.report(APUS_REPORT_UNDONE, isNamed ? id : OrderID(0)) {
                    $0.trade_id = 1
                    $0.quantity = 10
                    $0.price = 10_000
                }
            }
            bench.turn()
        }
        let next = try Bench()
        try next.agent.restore(try replayed(journal), wall: later, monotonic: 5)
        #expect(next.context.position(of: next.instrument).quantity.units == 10)
        undo(next)
        #expect(next.context.position(of: next.instrument).quantity == .zero)
        // The order itself, where it is still known.
        undo(bench)
        #expect(bench.context.order(id)?.filled == .zero && bench.recorder.reports.last?.kind == .fillUndone)
        let state = try replayed(journal)
        #expect(state.instrument("BTCUSDT")?.record.pointee.position.quantity == 0)
    }

    @Test("a market order's limit is kept, since a venue may name the order by it")
    func marketLimit() throws {
        let (bench, journal) = try journaled()
        let placed = bench.context.market(.buy, Quantity(units: 10), of: bench.instrument)
        let id = try #require(placed.id), limit = try #require(bench.sink.next()).band_high
        #expect(limit > 10_100)
        let state = try replayed(journal)
        let known = KnownOrder(try #require(state.openOrders.first))
        #expect(known.limit == ExactDecimal(digits: limit, decimals: 2) && known.price.digits == 0)
        let next = try Bench()
        try next.agent.restore(state, wall: later, monotonic: 5)
        next.turn()
        let question = try #require(next.sink.next())
        #expect(question.target_id == id.value && question.band_low == limit && question.band_high == limit)
    }

    @Test("not known is believed only when nothing can still be on its way")
    func onTheWay() throws {
        let (bench, journal) = try journaled()
        let id = try bench.resting(10)
        let state = try replayed(journal)
        let recovery = try Reconciliation(state, RecoveryRule(), instruments: [definition()])
        let answers: [UInt64: VenueOrder?] = [id.value: nil]
        let early = recovery.compare(snapshot(), answers: answers, now: state.lastWall + second)
        #expect(kinds(early) == [.undecidedOrder, .onItsWay] && !early.isAgreed)
        let late = recovery.compare(snapshot(), answers: answers, now: later)
        #expect(kinds(late) == [.endedOrder])
        #expect(recovery.compare(snapshot(), answers: [:], now: later).isAgreed && state.openOrders.isEmpty)
    }

    @Test("a contract that is held is handed on with its order, and one that ended meanwhile is settled once")
    func contracts() throws {
        let (bench, journal) = try journaled()
        for number in [55, 56] as [UInt64] {
            let id = try #require(bench.buy(1).id)
            bench.sink.report(APUS_REPORT_FILL, id) {
                ($0.quantity, $0.cumulative, $0.price) = (1, 1, 10_000)
                ($0.trade_id, $0.venue_order_id) = (number + 100, number)
                $0.status = UInt8(APUS_STATUS_FILLED.rawValue)
            }
            bench.turn()
        }
        let state = try replayed(journal)
        let recovery = try Reconciliation(state, RecoveryRule(), instruments: [definition()])
        var told = snapshot(held: 1)
        told.contracts = [55, 60].map {
            VenueContract(
                id: $0, symbol: "BTCUSDT", tradeID: $0 + 100, price: ExactDecimal(digits: 10_000, decimals: 2),
                boughtAt: 9)
        }
        var end = trade(200, nil, 1, venue: 0)
        end.side = .sell
        told.trades = [end]
        #expect(kinds(recovery.compare(told, answers: [:], now: later)) == [.foreignTrade])
        #expect(recovery.compare(told, answers: [:], now: later).isAgreed)
        #expect(recovery.contracts.map(\.clientID) == [7 << 32 | 1, nil])
        // The new run has another instrument before it.
        let next = try Bench(instruments: [definition("ETHUSDT"), definition()])
        try next.agent.restore(state, wall: later, monotonic: 5)
        let held = { next.context.position(of: next.agent.instruments[1]).quantity.units }
        #expect(held() == 1)
        for trade in [200, 201] as [UInt64] {
            next.sink.report(APUS_REPORT_SETTLED, OrderID(0)) {
                ($0.trade_id, $0.quantity, $0.price) = (trade, 1, 19_530)
                ($0.side, $0.instrument) = (Side.sell.rawValue, 1)
            }
        }
        next.turn()
        #expect(held() == 0, "the end that recovery has seen counts no more, the other does")
    }

    @Test("a change of the last run is decided only when it can no longer arrive")
    func changeOnTheWay() throws {
        let (bench, journal) = try journaled()
        let id = try bench.resting(10)
        bench.context.modify(id, price: Price(units: 9_900), quantity: Quantity(units: 12))
        let state = try replayed(journal)
        let recovery = try Reconciliation(state, RecoveryRule(), instruments: [definition()])
        let told = snapshot(open: [venueOrder(id, 10)])
        let record = try #require(state.orders.find(id))
        #expect(!recovery.compare(told, answers: [:], now: state.lastWall + second).isAgreed)
        #expect(record.pointee.isChangeInDoubt && record.pointee.reserved == 12)
        #expect(kinds(recovery.compare(told, answers: [:], now: later)).isEmpty)
        #expect(!record.pointee.isChangeInDoubt && record.pointee.reserved == 10)
    }

    @Test("an instrument that is traded no more must be flat")
    func droppedInstrument() throws {
        let (bench, journal) = try journaled()
        let id = try bench.resting(10)
        bench.fill(id, 10, trade: 1, cumulative: 10)
        bench.turn()
        #expect(throws: JournalError.self) {
            try Reconciliation(try replayed(journal), RecoveryRule(), instruments: [definition("ETHUSDT")])
        }
        var other = definition()
        other.quantityDecimals = 4
        #expect(throws: JournalError.self) {
            try Reconciliation(try replayed(journal), RecoveryRule(), instruments: [other])
        }
    }
}
