import CApusRing
import Testing

@testable import Apus
@testable import ApusEngine

/// An engine that trades on paper, in simulated time.
private struct PaperBench {
    let feed = TestFeed()
    let recorder = Recorder()
    let paper: PaperVenue
    let agent: DecisionAgent
    let loop: SimulatedLoop

    init(_ configure: (inout PaperConfiguration) -> Void = { _ in }) throws {
        var configuration = PaperConfiguration()
        (configuration.orderLatency, configuration.reportLatency) = (100, 50)
        configure(&configuration)
        paper = try PaperVenue(feed: feed, instruments: [definition()], configuration: configuration)
        var engine = EngineConfiguration(runTag: 1)
        engine.limits = wideLimits()
        // The test has one thread.
        nonisolated(unsafe) let recorder = recorder
        agent = try DecisionAgent(
            strategy: StrategyDescription(name: "t", summary: "t") { _ in RecordingStrategy(recorder: recorder) },
            instruments: [definition()], feed: feed, sink: paper, time: .simulated, configuration: engine)
        loop = SimulatedLoop(decision: agent, paper: paper)
        feed.live()
        feed.book([(10_000, 50), (9_990, 70)], [(10_100, 30), (10_110, 40), (10_120, 500)])
        try agent.start(feed.now)
        loop.settle(feed.now)
    }

    var context: Context { agent.context }
    var instrument: Instrument { agent.instruments[0] }

    /// Lets time pass, with all that is due on the way.
    func wait(_ time: UInt64 = 1_000) {
        feed.now += time
        loop.advance(to: feed.now)
        loop.settle(feed.now)
    }

    func place(_ side: Side, _ quantity: Int64, at price: Int64, _ timeInForce: TimeInForce = .goodTillCanceled)
        -> OrderID
    {
        context.limit(
            side, Quantity(units: quantity), of: instrument, at: Price(units: price), timeInForce
        ).id ?? OrderID(0)
    }

    func order(_ id: OrderID) -> Order? { context.order(id) }

    /// What the venue says to an order that no gate has seen.
    func answers(toBuy price: Int64, _ type: apus_order_type, _ timeInForce: apus_time_in_force) throws
        -> [apus_report]
    {
        var order = apus_order()
        order.client_id = 1 << 63
        order.action = UInt8(APUS_ORDER_PLACE.rawValue)
        order.type = UInt8(type.rawValue)
        order.time_in_force = UInt8(timeInForce.rawValue)
        (order.price, order.quantity, order.decided_ns) = (price, 10, feed.now)
        try #require(apus_order_push(paper.queues.pointee.orders, &order) == 0)
        feed.now += 1_000
        while paper.turn(feed.now) > 0 {}
        var reports: [apus_report] = []
        var report = apus_report()
        while apus_report_pop(paper.queues.pointee.reports, &report) { reports.append(report) }
        return reports
    }

    var fills: [(Int64, Int64, Bool)] {
        recorder.reports.compactMap(\.fill).map { ($0.price.units, $0.quantity.units, $0.isMaker) }
    }

    func expectFills(_ wanted: [(Int64, Int64, Bool)], sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(
            fills.count == wanted.count && zip(fills, wanted).allSatisfy { $0 == $1 }, "\(fills)",
            sourceLocation: sourceLocation)
    }
}

@Suite struct PaperVenueTests {
    /// Orders that have arrived are let in before the event that comes after them, also where they must wait for room.
    @Test func anEventWaitsBehindOrdersThatReportsHaveNoRoomFor() throws {
        let bench = try PaperBench { $0.reportLatency = 100_000_000 }
        for _ in 0..<4_000 where bench.paper.hasReportRoom {
            _ = bench.place(.buy, 1, at: 9_000, .immediateOrCancel)
            bench.wait(200)
        }
        try #require(!bench.paper.hasReportRoom)
        _ = bench.place(.buy, 10, at: 10_050)
        bench.wait(500)
        bench.feed.trade(10_040, 1, taker: .sell)
        bench.loop.settle(bench.feed.now)
        bench.wait(400_000_000)
        bench.expectFills([(10_050, 10, true)])
    }

    @Test func latencyOnTheWayThereAndBack() throws {
        let bench = try PaperBench()
        let id = bench.place(.buy, 10, at: 9_990)
        bench.wait(99)
        #expect(bench.order(id)?.state == .sent)
        bench.wait(50)
        #expect(bench.order(id)?.state == .sent, "accepted at 100, known at 150")
        bench.wait(1)
        #expect(bench.order(id)?.state == .live)
        #expect(bench.recorder.reports.last?.time == 1_150)
    }

    @Test func theBookAtArrivalCounts() throws {
        let bench = try PaperBench()
        let id = bench.place(.buy, 10, at: 10_100, .immediateOrCancel)
        bench.wait(60)
        bench.feed.book([(10_000, 50)], [(10_200, 30)])
        bench.loop.settle(bench.feed.now)
        bench.wait()
        #expect(bench.order(id)?.state == .expired)
        bench.expectFills([])
    }

    @Test func anOrderThatArrivedBeforeAnEventIsMatchedBeforeIt() throws {
        let bench = try PaperBench()
        let id = bench.place(.buy, 10, at: 10_050)
        bench.loop.settle(bench.feed.now)
        // The order is there at 1100; the trade beyond its price comes at 1101, and both are seen in one turn.
        bench.feed.now = 1_101
        bench.feed.trade(10_040, 1, taker: .sell)
        bench.loop.settle(bench.feed.now)
        bench.wait()
        bench.expectFills([(10_050, 10, true)])
        #expect(bench.order(id)?.state == .filled)
    }

    @Test func aTakerSweepsLevels() throws {
        let bench = try PaperBench { $0.takerFeePpm = 500 }
        let id = bench.place(.buy, 60, at: 10_110, .immediateOrCancel)
        bench.wait()
        bench.expectFills([(10_100, 30, false), (10_110, 30, false)])
        #expect(bench.order(id)?.state == .filled)
        // (0.030 · 101.00 + 0.030 · 101.10) · 500 ppm
        #expect(bench.context.position(of: bench.instrument).fees == (try Money("0.0030315")))
        // What was taken is gone until the book changes: 10 are left at the second level.
        _ = bench.place(.buy, 60, at: 10_110, .immediateOrCancel)
        bench.wait()
        #expect(bench.fills.last.map { $0.1 } == 10)
        bench.feed.book([(10_000, 50)], [(10_100, 30)])
        bench.loop.settle(bench.feed.now)
        _ = bench.place(.buy, 60, at: 10_110, .immediateOrCancel)
        bench.wait()
        #expect(bench.fills.last.map { $0.1 } == 30)
    }

    @Test func aMarketOrderSweepsWhatThereIs() throws {
        let bench = try PaperBench()
        bench.context.market(.sell, Quantity(units: 200), of: bench.instrument)
        bench.wait()
        bench.expectFills([(10_000, 50, false), (9_990, 70, false)])
        #expect(bench.recorder.calls.last == "report expired expired")
        #expect(bench.agent.summary.openOrders == 0)
    }

    @Test func theRestOfATakerRests() throws {
        let bench = try PaperBench()
        let id = bench.place(.buy, 40, at: 10_100)
        bench.wait()
        #expect(bench.order(id)?.state == .partiallyFilled)
        bench.expectFills([(10_100, 30, false)])
        bench.feed.trade(10_100, 4, taker: .sell)
        bench.wait()
        #expect(bench.fills.last.map { $0 == (10_100, 4, true) } == true, "nobody else bids there: we are first")
    }

    @Test func aPostOnlyOrderThatCrossesOnItsArrivalIsRejected() throws {
        let bench = try PaperBench()
        let crossing = bench.place(.buy, 1, at: 10_090, .postOnly)
        bench.feed.now += 10
        bench.feed.book([(10_000, 50)], [(10_090, 30)])
        bench.wait()
        #expect(bench.order(crossing)?.state == .rejected)
        #expect(bench.recorder.reports.contains { $0.code == PaperReason.postOnlyWouldTake.rawValue })
    }

    @Test func anOrderEndsByItself() throws {
        let bench = try PaperBench()
        func place(_ price: Int64, _ end: Duration?) throws -> OrderID {
            try #require(
                bench.context.limit(
                    .buy, Quantity(units: 10), of: bench.instrument, at: Price(units: price), expiresAfter: end
                ).id)
        }
        let short = try place(9_990, .milliseconds(5)), long = try place(9_980, .milliseconds(9))
        let endless = try place(9_970, nil)
        bench.wait(4_900_000)
        #expect(bench.order(short)?.state == .live)
        bench.wait(200_000)
        #expect(bench.order(short)?.state == .expired && bench.order(long)?.state == .live)
        bench.feed.book([(9_900, 50)], [(9_985, 30)])
        bench.wait(1_000)
        bench.expectFills([])
        bench.wait(60_000_000_000)
        #expect(bench.order(long)?.state == .expired && bench.order(endless)?.state == .live)
    }

    @Test func postOnlyAndFillOrKill() throws {
        let bench = try PaperBench()
        let whole = bench.place(.buy, 70, at: 10_110, .fillOrKill)
        let tooMuch = bench.place(.sell, 51, at: 10_000, .fillOrKill)
        bench.wait()
        #expect(bench.order(whole)?.state == .filled)
        #expect(bench.order(tooMuch)?.state == .rejected)
        #expect(bench.fills.map { $0.1 }.reduce(0, +) == 70)
    }

    @Test func theQueueAheadIsUsedUpFirst() throws {
        let bench = try PaperBench { $0.makerFeePpm = -100 }
        let id = bench.place(.buy, 20, at: 10_000)  // 50 stand before it
        bench.wait()
        bench.feed.trade(10_000, 30, taker: .sell)
        bench.wait()
        bench.expectFills([])
        bench.feed.trade(10_000, 25, taker: .sell)
        bench.wait()
        bench.expectFills([(10_000, 5, true)])
        bench.feed.trade(10_000, 100, taker: .buy)  // the other side
        bench.wait()
        bench.expectFills([(10_000, 5, true)])
        bench.feed.trade(10_000, 100, taker: .sell)
        bench.wait()
        bench.expectFills([(10_000, 5, true), (10_000, 15, true)])
        #expect(bench.order(id)?.state == .filled)
        #expect(bench.context.position(of: bench.instrument).fees == (try Money("-0.0002")))
    }

    @Test func cancellationsAheadCountOnceTheLevelIsShorter() throws {
        let bench = try PaperBench()
        _ = bench.place(.buy, 20, at: 10_000)
        bench.wait()
        bench.feed.book([(10_000, 80)], [(10_100, 30)])  // who joins, joins behind us
        bench.feed.book([(10_000, 10)], [(10_100, 30)])
        bench.feed.trade(10_000, 15, taker: .sell)
        bench.wait()
        bench.expectFills([(10_000, 5, true)])
    }

    @Test func deepPricesWaitUntilTheyAreSeen() throws {
        let bench = try PaperBench()
        let bids: [(Int64, Int64)] = [(10_000, 5), (9_990, 5), (9_980, 5), (9_970, 5), (9_960, 5)]
        bench.feed.board(bids, [(10_100, 30)])
        let entry = apus_board_entry(&bench.feed.view.pointee.board, 0)
        entry?.pointee.total_bids = 9  // four levels are deeper than the board
        bench.feed.publish(APUS_EVENT_BOOK, 0, 10_000, 5, 10_100, 30)
        _ = bench.place(.buy, 20, at: 9_900)
        bench.wait()
        bench.feed.trade(9_900, 1_000, taker: .sell)
        bench.wait()
        bench.expectFills([])  // how much stood before it is not known
        bench.feed.book([(9_900, 40)], [(10_100, 30)])
        bench.feed.trade(9_900, 45, taker: .sell)
        bench.wait()
        bench.expectFills([(9_900, 5, true)])
    }

    @Test func aTouchThroughThePriceFillsAtThePrice() throws {
        let bench = try PaperBench()
        let id = bench.place(.sell, 20, at: 10_200)
        bench.wait()
        bench.feed.book([(10_300, 1)], [(10_400, 1)])
        bench.wait()
        bench.expectFills([(10_200, 20, true)])
        #expect(bench.order(id)?.state == .filled)
    }

    @Test func ordersNeverMeetEachOther() throws {
        let bench = try PaperBench()
        let ask = bench.place(.sell, 10, at: 10_050)
        bench.wait()
        // The gate lets none of these through, so they come from behind it.
        let bid = try bench.answers(toBuy: 10_050, APUS_LIMIT, APUS_GTC)
        #expect(bid.map(\.code).contains(PaperReason.wouldMeetOwnOrder.rawValue))
        for (price, type) in [(Int64(10_100), APUS_LIMIT), (0, APUS_MARKET)] {
            let taker = try bench.answers(toBuy: price, type, APUS_IOC)
            #expect(taker.last.map { UInt32($0.kind) } == APUS_REPORT_EXPIRED.rawValue)
            #expect(taker.last?.cumulative == 0, "only what stands before our own order could be taken")
        }
        #expect(bench.order(ask)?.state == .live)
        bench.expectFills([])
    }

    @Test func cancelModifyAndQuery() throws {
        let bench = try PaperBench()
        let id = bench.place(.buy, 20, at: 10_000)
        bench.wait()
        bench.context.modify(id, price: Price(units: 10_000), quantity: Quantity(units: 15))
        bench.wait()
        #expect(bench.order(id)?.quantity.units == 15)
        bench.feed.trade(10_000, 55, taker: .sell)  // it has kept its place behind 50
        bench.wait()
        bench.expectFills([(10_000, 5, true)])
        bench.context.modify(id, price: Price(units: 10_010), quantity: Quantity(units: 15))
        bench.wait()
        bench.feed.trade(10_010, 1, taker: .sell)  // a new price of its own: it is first there
        bench.wait()
        bench.expectFills([(10_000, 5, true), (10_010, 1, true)])
        bench.context.cancel(id)
        bench.wait()
        #expect(bench.order(id)?.state == .canceled)
        #expect(bench.order(id)?.filled.units == 6)
        #expect(bench.agent.summary.duplicateReports == 0)
    }

    @Test func aCancelThatComesTooLate() throws {
        let bench = try PaperBench()
        let id = bench.place(.buy, 20, at: 10_050)
        bench.wait()
        bench.feed.publish(APUS_EVENT_TICKER, 0, 10_000, 1, 10_100, 1)  // the engine decides at the time of an event
        bench.loop.settle(bench.feed.now)
        bench.context.cancel(id)
        bench.wait(50)
        bench.feed.trade(10_040, 1, taker: .sell)
        bench.wait()
        #expect(bench.order(id)?.state == .filled)
        #expect(bench.recorder.reports.map(\.kind).suffix(2) == [.fill, .cancelRejected])
    }

    @Test func queriesAreAnswered() throws {
        let bench = try PaperBench()
        let id = bench.place(.buy, 20, at: 10_050)
        bench.wait()
        var lost = apus_report()
        lost.kind = UInt8(APUS_REPORT_UNKNOWN.rawValue)
        lost.client_id = id.value
        #expect(apus_report_push(bench.paper.queues.pointee.reports, &lost) == 0)
        bench.loop.settle(bench.feed.now)
        #expect(bench.order(id)?.state == .unknown)
        bench.wait()
        #expect(bench.order(id)?.state == .live)
        #expect(bench.agent.summary.queries == 1)
    }

    @Test func aBookThatIsNotLiveTakesNothing() throws {
        let bench = try PaperBench()
        let resting = bench.place(.buy, 20, at: 10_050)
        let late = bench.place(.buy, 20, at: 10_060)
        bench.wait(100)
        bench.feed.now += 1
        bench.feed.stale()
        bench.feed.trade(10_000, 100, taker: .sell)
        bench.wait()
        bench.expectFills([])
        #expect(bench.order(resting)?.state == .live)
        #expect(bench.order(late)?.state == .live)
        #expect(
            bench.context.limit(.buy, Quantity(units: 1), of: bench.instrument, at: Price(units: 9_000)).refusal
                == .bookNotLive)
    }

    @Test func theSameSeedGivesTheSameRun() throws {
        func run(_ seed: UInt64) throws -> [String] {
            let bench = try PaperBench {
                $0.jitter = 500
                $0.seed = seed
            }
            var random = SplitMix64(seed: 5)
            for _ in 0..<300 {
                let price = Int64(10_000 + random.upTo(40))
                bench.feed.book([(price, 20)], [(price + 10, 20)])
                let side: Side = random.upTo(1) == 0 ? .buy : .sell
                _ = bench.place(side, 10, at: price + (side == .buy ? 10 : 0), .immediateOrCancel)
                bench.wait(200 + random.upTo(300))
            }
            return bench.recorder.reports.map { "\($0.order.id) \($0.kind) \($0.time) \(String(describing: $0.fill))" }
        }
        let first = try run(1)
        #expect(first.count > 600)
        #expect(try run(1) == first)
        #expect(try run(2) != first)
    }
}
