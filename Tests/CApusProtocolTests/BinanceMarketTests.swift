import CApusProtocol
import CApusRing
import Testing

/// The documented procedure, branch by branch.
@Suite struct BinanceMarketTests {
    // MARK: Futures

    @Test func theFirstMessageWantsASnapshotAndNothingIsTold() {
        let stage = MarketStage()
        stage.open()
        _ = stage.events()
        #expect(!stage.sync().wants_snapshot)
        stage.depth(90, 95, previous: 80)
        #expect(stage.sync().wants_snapshot)
        #expect(stage.state() == MarketStage.syncing)
        #expect(stage.kinds().isEmpty)
    }

    @Test func whatIsOldInTheBufferIsDroppedTheRestIsReplayed() throws {
        let stage = MarketStage()
        stage.open()
        stage.depth(81, 90, previous: 80, bids: [("50.00", "9.000")])
        stage.depth(91, 105, previous: 90, bids: [("99.00", "3.000")])
        stage.depth(106, 110, previous: 105, asks: [("101.00", "0.000"), ("102.00", "4.000")])
        _ = stage.events()
        stage.snapshot(100)
        #expect(stage.state() == MarketStage.live)
        #expect(stage.levels(0) == [[10_000, 1_000], [9_900, 3_000]])
        #expect(stage.levels(1) == [[10_200, 4_000]])
        let events = stage.events()
        #expect(events.map { UInt32($0.kind) } == [APUS_EVENT_BOOK_STATE.rawValue, APUS_EVENT_BOOK.rawValue])
        let event = try #require(events.last)
        #expect(event.update_id == 110 && event.flags == UInt8(APUS_BOOK_SNAPSHOT.rawValue))
        #expect(stage.book().pointee.applied == 2 && stage.book().pointee.gaps == 0)
        #expect(!stage.sync().wants_snapshot && stage.sync().oldest == nil)
        #expect(stage.board().header.update_id == 110)
    }

    @Test(arguments: [(95, 100), (95, 101), (100, 100), (100, 105)] as [(UInt64, UInt64)])
    func theFirstMessageBridgesTheSnapshot(first: UInt64, last: UInt64) {
        let stage = MarketStage()
        stage.live()
        stage.depth(first, last, previous: first - 1, bids: [("98.00", "1.000")])
        #expect(stage.state() == MarketStage.live && stage.book().pointee.applied == 1)
        #expect(stage.sync().bridged)
    }

    @Test func aMessageThatFollowsTheSnapshotExactlyBridgesItToo() {
        let stage = MarketStage()
        stage.live()
        stage.depth(140, 150, previous: 100)
        #expect(stage.state() == MarketStage.live && stage.book().pointee.update_id == 150)
    }

    @Test func aMessageThatLeavesAHoleBehindTheSnapshotIsAGap() {
        let stage = MarketStage()
        stage.live()
        stage.depth(140, 150, previous: 120)
        #expect(stage.state() == MarketStage.stale(APUS_BOOK_REASON_GAP))
        #expect(stage.book().pointee.gaps == 1)
    }

    @Test func aGapMakesItStaleAtOnceAndTheNextSnapshotMendsIt() {
        let stage = MarketStage()
        stage.live()
        stage.depth(101, 110, previous: 100)
        _ = stage.events()
        stage.depth(121, 130, previous: 120, bids: [("97.00", "1.000")])
        #expect(stage.kinds() == [APUS_EVENT_BOOK_STATE.rawValue], "no book is told after the break")
        #expect(stage.state() == MarketStage.stale(APUS_BOOK_REASON_GAP))
        #expect(stage.board().header.state == APUS_STATE_STALE.rawValue)
        #expect(stage.sync().wants_snapshot)
        stage.depth(131, 140, previous: 130, bids: [("96.00", "1.000")])
        #expect(stage.kinds().isEmpty)
        stage.snapshot(125)
        #expect(stage.state() == MarketStage.live)
        #expect(stage.levels(0) == [[10_000, 1_000], [9_700, 1_000], [9_600, 1_000]])
        #expect(stage.book().pointee.gaps == 1 && stage.book().pointee.resyncs == 1)
        #expect(stage.count(APUS_COUNT_GAPS) == 1 && stage.count(APUS_COUNT_RESYNCS) == 1)
    }

    @Test func aDuplicateChangesNothing() {
        let stage = MarketStage()
        stage.live()
        stage.depth(101, 110, previous: 100, bids: [("100.00", "7.000")])
        _ = stage.events()
        stage.depth(101, 110, previous: 100, bids: [("100.00", "7.000")])
        #expect(stage.kinds().isEmpty)
        #expect(stage.binance.pointee.duplicates == 1)
        #expect(stage.state() == MarketStage.live && stage.book().pointee.gaps == 0)
        stage.depth(111, 112, previous: 110)
        #expect(stage.state() == MarketStage.live)
    }

    @Test func aSnapshotOlderThanTheBufferIsAskedForAgain() {
        let stage = MarketStage()
        stage.open()
        stage.depth(110, 120, previous: 105)
        stage.snapshot(104)
        #expect(stage.state() == MarketStage.syncing && stage.sync().wants_snapshot)
        #expect(stage.sync().oldest != nil, "the buffer is kept")
        stage.snapshot(105)
        #expect(stage.state() == MarketStage.live && stage.book().pointee.update_id == 120)
    }

    @Test func aBufferWithAHoleIsAGapNotABook() {
        let stage = MarketStage()
        stage.open()
        stage.depth(101, 110, previous: 99)
        stage.depth(121, 130, previous: 120)
        _ = stage.events()
        stage.snapshot(105)
        #expect(stage.state() == MarketStage.syncing)
        #expect(!stage.kinds().contains(APUS_EVENT_BOOK.rawValue))
        #expect(stage.book().pointee.gaps == 1 && stage.sync().wants_snapshot)
    }

    @Test func aReorderedMessageIsAGapAndItsLateHalfIsNothingNew() {
        let stage = MarketStage()
        stage.live()
        stage.depth(101, 110, previous: 100)
        stage.depth(121, 130, previous: 120)
        stage.depth(111, 120, previous: 110)
        #expect(stage.state() == MarketStage.stale(APUS_BOOK_REASON_GAP))
        stage.snapshot(130)
        #expect(stage.state() == MarketStage.live && stage.book().pointee.update_id == 130)
    }

    @Test func aSynchronisedBookIgnoresAFurtherSnapshot() {
        let stage = MarketStage()
        stage.live()
        stage.depth(101, 110, previous: 100, bids: [("99.00", "3.000")])
        _ = stage.events()
        stage.snapshot(120, bids: [], asks: [])
        #expect(stage.kinds().isEmpty && stage.levels(0).count == 2)
    }

    // MARK: Spot

    @Test func spotDropsWhatTheSnapshotHoldsAndContinuesByOne() {
        let stage = MarketStage()
        stage.open()
        stage.depth(90, 100, bids: [("50.00", "9.000")])
        stage.depth(101, 105, bids: [("99.00", "3.000")])
        stage.snapshot(100)
        #expect(stage.state() == MarketStage.live)
        #expect(stage.levels(0) == [[10_000, 1_000], [9_900, 3_000]])
        stage.depth(106, 106)
        #expect(stage.book().pointee.update_id == 106)
        stage.depth(108, 108)
        #expect(stage.state() == MarketStage.stale(APUS_BOOK_REASON_GAP))
    }

    @Test(
        arguments: [(101, 101, true), (98, 103, true), (100, 100, true), (102, 104, false)] as [(UInt64, UInt64, Bool)])
    func spotBridges(first: UInt64, last: UInt64, fits: Bool) {
        let stage = MarketStage()
        stage.live()
        stage.depth(first, last)
        #expect(stage.state() == (fits ? MarketStage.live : MarketStage.stale(APUS_BOOK_REASON_GAP)))
    }

    @Test func spotAsksAgainForASnapshotBelowTheFirstMessage() {
        let stage = MarketStage()
        stage.open()
        stage.depth(110, 120)
        stage.snapshot(108)
        #expect(stage.state() == MarketStage.syncing && stage.sync().wants_snapshot)
        stage.snapshot(109)
        #expect(stage.state() == MarketStage.live)
    }

    // MARK: Tickers

    @Test(arguments: [true, false])
    func anEqualTickerIsAProof(tickerFirst: Bool) {
        let stage = MarketStage()
        stage.live()
        if tickerFirst { stage.ticker(110, ("100.00", "4.000"), ("101.00", "2.000")) }
        stage.depth(101, 110, previous: 100, bids: [("100.00", "4.000")])
        if !tickerFirst { stage.ticker(110, ("100.00", "4.000"), ("101.00", "2.000")) }
        #expect(stage.state() == MarketStage.live)
        #expect(stage.book().pointee.ticker_equal == 1 && stage.book().pointee.ticker_compared == 1)
    }

    @Test(arguments: [true, false])
    func aTickerThatContradictsTheBookMakesItStale(tickerFirst: Bool) {
        let stage = MarketStage()
        stage.live()
        if tickerFirst { stage.ticker(110, ("100.00", "5.000"), ("101.00", "2.000")) }
        _ = stage.events()
        stage.depth(101, 110, previous: 100, bids: [("100.00", "4.000")])
        if tickerFirst { #expect(!stage.kinds().contains(APUS_EVENT_BOOK.rawValue), "the wrong book is not told") }
        if !tickerFirst { stage.ticker(110, ("100.00", "5.000"), ("101.00", "2.000")) }
        #expect(stage.state() == MarketStage.stale(APUS_BOOK_REASON_TICKER))
        #expect(stage.sync().wants_snapshot)
        #expect(stage.book().pointee.ticker_equal == 0 && stage.book().pointee.ticker_compared == 1)
    }

    @Test func aTickerNeverChangesTheBook() {
        let stage = MarketStage()
        stage.live()
        stage.ticker(500, ("100.50", "5.000"), ("100.70", "2.000"))
        #expect(stage.kinds() == [APUS_EVENT_TICKER.rawValue])
        #expect(stage.levels(0) == [[10_000, 1_000]] && stage.state() == MarketStage.live)
    }

    // MARK: Bad messages

    @Test func anUnreadableDepthMessageCostsItsBook() {
        let stage = MarketStage()
        stage.live()
        stage.open(1)
        stage.snapshot(300, instrument: 1)
        let text = MarketStage.depthText(101, 110, previous: 100, bids: [("100.0x", "1.000")])
        #expect(stage.send(text) < 0)
        let offset = Int(stage.binance.pointee.last.error_offset)
        #expect(Array(text.utf8)[offset] == UInt8(ascii: "x"))
        #expect(stage.state() == MarketStage.stale(APUS_BOOK_REASON_DECODE))
        #expect(stage.state(1) == MarketStage.live, "it was not for this one")
        #expect(stage.count(APUS_COUNT_DECODE_ERRORS) == 1)
    }

    @Test(arguments: ["{\"e\":\"depthUpd", "", "\u{1}", "{\"e\":\"depthUpdate\",\"E\":17"])
    func aMessageThatDoesNotSayWhatItIsCostsEveryBook(text: String) {
        let stage = MarketStage()
        stage.live()
        stage.open(1)
        stage.snapshot(300, instrument: 1)
        #expect(stage.send(text) < 0)
        #expect(stage.state() == MarketStage.stale(APUS_BOOK_REASON_DECODE))
        #expect(stage.state(1) == MarketStage.stale(APUS_BOOK_REASON_DECODE))
        stage.snapshot(120)
        #expect(stage.state() == MarketStage.live)
    }

    @Test func otherValidMessagesCostNothing() {
        let stage = MarketStage()
        stage.live()
        #expect(stage.send("{\"result\":null,\"id\":1}") == 0)
        #expect(stage.send("{\"e\":\"forceOrder\",\"o\":{}}") == 0)
        #expect(stage.depth(101, 110, previous: 5, symbol: "ZZZUSDT") == 0)
        #expect(stage.state() == MarketStage.live)
    }

    @Test func aBodyThatIsNoSnapshotIsAnError() {
        let stage = MarketStage()
        stage.open()
        let error = withPadded("{\"code\":-1121,\"msg\":\"Invalid symbol.\"}") {
            apus_binance_market_snapshot(stage.binance, 0, $0, $1, 1)
        }
        #expect(error == -74)
        #expect(stage.state() == MarketStage.syncing)
    }

    // MARK: Connection and probes

    @Test func aLostConnectionForgetsWhereItStood() {
        let stage = MarketStage()
        stage.live()
        stage.depth(101, 110, previous: 100)
        stage.open(1)
        stage.depth(5, 6, previous: 4, symbol: "BBBUSDT")
        let epoch = stage.sync().epoch
        apus_binance_market_lost(stage.binance, UInt8(APUS_BOOK_REASON_DISCONNECTED.rawValue))
        #expect(stage.state() == MarketStage.stale(APUS_BOOK_REASON_DISCONNECTED))
        #expect(stage.state(1) == MarketStage.syncing && stage.sync(1).oldest == nil)
        #expect(stage.sync().epoch != epoch, "answers that are under way belong to the past")
        #expect(!stage.sync().wants_snapshot, "nothing is asked for before something arrives")
        stage.depth(201, 210, previous: 200)
        stage.snapshot(205)
        #expect(stage.state() == MarketStage.live && stage.book().pointee.resyncs == 1)
    }

    @Test func aProbeIsAProofOrSaysWhatTheStreamMustReach() {
        let stage = MarketStage()
        stage.live()
        #expect(stage.probe(100) == 1)
        #expect(stage.probe(99, bids: [], asks: []) == 1, "older than the book: it says nothing against it")
        #expect(stage.probe(120) == 0)
        #expect(stage.sync().probe_update == 120 && stage.sync().probe_equal)
        #expect(stage.probe(121, bids: [("100.00", "2.000")]) == 0)
        #expect(!stage.sync().probe_equal)
        #expect(stage.levels(0) == [[10_000, 1_000]], "a probe never becomes the book")
        #expect(stage.state() == MarketStage.live)
        stage.depth(101, 119, previous: 100)
        #expect(stage.sync().probe_update == 121)
        stage.depth(120, 125, previous: 119)
        #expect(stage.sync().probe_update == 0)
    }

    @Test func aBufferThatGrowsWithoutASnapshotIsBounded() {
        let stage = MarketStage(arenaBytes: 64 << 20)
        stage.open()
        let rows = (0..<4000).map { ("\($0 + 1).00", "1.000") }
        var id: UInt64 = 100
        for _ in 0..<140 {
            stage.depth(id + 1, id + 10, previous: id, bids: rows)
            id += 10
        }
        #expect(stage.sync().pending_levels <= 262_144)
        stage.snapshot(id)
        #expect(stage.state() == MarketStage.live && stage.book().pointee.update_id == id)
    }
}
