import CApusRing
import Testing

@testable import Apus
@testable import ApusEngine

@Suite struct DecisionAgentTests {
    @Test func tellsEventsInOrder() throws {
        let bench = try Bench()
        bench.feed.publish(
            APUS_EVENT_CONNECTION, 3, flags: APUS_CONNECTION_CLOSING.rawValue, 4, 0, 1_006)
        bench.feed.live()
        bench.feed.book([(100, 5)], [(102, 6)])
        bench.feed.publish(APUS_EVENT_TICKER, 0, 101, 1, 103, 1)
        bench.feed.trade(102, 4, taker: .buy)
        bench.feed.trade(100, 2, taker: .sell)
        bench.feed.publish(APUS_EVENT_TICK_SIZE, 0, 1, 0, 10)
        bench.feed.stale()
        #expect(bench.turn() == 9)  // eight events, and the board looked at once for the start
        bench.agent.stop(bench.feed.now)
        #expect(
            bench.recorder.calls == [
                "start", "connection 3 closing 4 1006", "state syncing to live snapshot", "book 0 100/102",
                "ticker 0 101/103",
                "trade buy 4 at 102", "trade sell 2 at 100", "tick 1 to 10", "state live to stale gap",
                "state stale to live none", "book 0 100/102", "stop",
            ])
    }

    @Test func startsFromBooksThatAreAlreadyLive() throws {
        let feed = TestFeed()
        feed.book([(100, 5)], [(102, 6)])
        let sink = TestSink()
        // The test has one thread.
        nonisolated(unsafe) let recorder = Recorder()
        let agent = try DecisionAgent(
            strategy: StrategyDescription(name: "t", summary: "t") { _ in RecordingStrategy(recorder: recorder) },
            instruments: [definition(), definition("ETHUSDT")], feed: feed, sink: sink, time: .simulated,
            configuration: EngineConfiguration(runTag: 1))
        try agent.start(1)
        _ = agent.turn(1)
        #expect(recorder.calls == ["start", "state syncing to live none", "book 0 100/102"])
        #expect(agent.context.instrument("ETHUSDT")?.index == 1)
        #expect(agent.context.book(of: agent.instruments[1]).state == .syncing)
    }

    @Test func countsLossExactlyAndResyncsFromTheBoard() throws {
        let bench = try Bench(slots: 64)
        bench.open()
        bench.recorder.calls = []
        for step in 0..<200 { bench.feed.book([(10_000 + Int64(step), 5)], [(10_300, 6)]) }
        bench.turn()
        #expect(bench.recorder.calls == ["loss 200 of 200", "book 0 10199/10300"])
        #expect(bench.agent.summary.eventsLost == 200)
        #expect(bench.agent.summary.events == 2)
        bench.feed.book([(10_200, 5)], [(10_300, 6)])
        bench.turn()
        #expect(bench.recorder.calls.last == "book 0 10200/10300")
    }

    @Test func eventsOlderThanTheBoardAreNotTold() throws {
        let bench = try Bench(slots: 64)
        bench.open()
        for step in 0..<100 { bench.feed.book([(10_000 + Int64(step), 5)], [(10_300, 6)]) }
        bench.turn()
        bench.recorder.calls = []
        // The board runs ahead of the event by one: after the resync the event brings nothing new.
        bench.agent.markAllForResync()
        bench.feed.book([(10_200, 5)], [(10_300, 6)])
        _ = bench.agent.resync()
        bench.turn()
        #expect(bench.recorder.calls == ["book 0 10200/10300"])
    }

    @Test func aTornBoardEntryIsNotLive() throws {
        let bench = try Bench(slots: 64)
        bench.open()
        bench.recorder.calls = []
        let entry = apus_board_entry(&bench.feed.view.pointee.board, 0)
        entry?.pointee.sequence += 1
        bench.agent.markAllForResync()
        bench.turn()
        #expect(bench.recorder.calls == ["state live to syncing none"])
        #expect(bench.buy().refusal == .bookNotLive)
        entry?.pointee.sequence += 1
        bench.turn()
        #expect(bench.recorder.calls.last == "book 0 10000/10100")
        #expect(bench.buy().id != nil)
    }

    @Test func aTurnIsBounded() throws {
        let bench = try Bench { $0.eventBatch = 10 }
        bench.turn()
        for _ in 0..<25 { bench.feed.book([(100, 5)], [(102, 6)]) }
        #expect([bench.turn(), bench.turn(), bench.turn(), bench.turn()] == [10, 10, 5, 0])
    }

    @Test func unknownInstrumentsAreSkipped() throws {
        let bench = try Bench()
        bench.feed.book([(100, 5)], [(102, 6)], 3)
        bench.turn()
        #expect(bench.recorder.calls == ["start"])
        try bench.agent.add(definition("A"))
        try bench.agent.add(definition("B"))
        try bench.agent.add(definition("C"))
        bench.feed.book([(100, 5)], [(102, 6)], 3)
        bench.turn()
        #expect(bench.recorder.calls == ["start", "book 3 100/102"])
    }

    @Test func timersFireInOrderAndInStep() throws {
        let bench = try Bench()
        let start = bench.context.now
        let late = bench.context.setTimer(after: .nanoseconds(50))
        let steady = bench.context.setTimer(after: .nanoseconds(20), repeats: true)
        #expect(bench.agent.nextDue == start + 20)
        bench.turn(start + 19)
        bench.turn(start + 20)
        bench.turn(start + 55)
        #expect(bench.agent.nextDue == start + 60)
        let dropped = try #require(steady)
        #expect(bench.context.cancelTimer(dropped))
        #expect(!bench.context.cancelTimer(dropped))
        #expect(bench.agent.nextDue == nil)
        #expect(late != nil)
        #expect(
            bench.recorder.calls == [
                "start", "timer 2 at \(start + 20)", "timer 2 at \(start + 40)", "timer 1 at \(start + 50)",
            ])
        for _ in 0..<64 { #expect(bench.context.setTimer(after: .seconds(1)) != nil) }
        #expect(bench.context.setTimer(after: .seconds(1)) == nil)
    }

    @Test func timeNeverRunsBackwards() throws {
        let bench = try Bench()
        bench.feed.now = 5_000
        bench.open()
        bench.feed.now = 4_000
        bench.feed.book([(100, 5)], [(102, 6)])
        bench.turn()
        #expect(bench.context.now == 5_000)
    }

    @Test func liveTimeRecordsHops() throws {
        let feed = TestFeed(), sink = TestSink()
        // The test has one thread.
        nonisolated(unsafe) let recorder = Recorder()
        recorder.onBook = { book, context in
            context.limit(.buy, Quantity(units: 10), of: book.instrument, at: Price(units: 10_000))
        }
        var configuration = EngineConfiguration(runTag: 1)
        configuration.limits = wideLimits()
        let agent = try DecisionAgent(
            strategy: StrategyDescription(name: "t", summary: "t") { _ in RecordingStrategy(recorder: recorder) },
            instruments: [definition()], feed: feed, sink: sink, time: .live(), configuration: configuration)
        feed.now = apus_clock_monotonic()
        try agent.start(feed.now)
        feed.live()
        feed.book([(10_000, 5)], [(10_100, 6)])
        _ = agent.turn(apus_clock_monotonic())
        let order = try #require(sink.next())
        #expect(order.decided_ns >= feed.now)
        #expect(order.event_ns == feed.now)
        let summary = agent.summary
        #expect(summary.hops["publish_decide"]?.count == 2)
        #expect((summary.hops["decide_order"]?.count ?? 0) >= 1)
    }
}
